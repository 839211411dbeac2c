//! Failures as real runtimes write them.

use super::*;
use proptest::prelude::*;

fn print(message: &str, trace: &str) -> Fingerprint {
    fingerprint(Some(message), Some(trace)).unwrap()
}

fn masked(text: &str) -> String {
    mask(&clean(text, 10_000), 10_000).text
}

#[test]
fn what_differs_from_run_to_run_is_masked() {
    for (text, expected) in [
        ("connect ECONNREFUSED 127.0.0.1:37791", "connect ECONNREFUSED ADDR"),
        ("after 36ms (txn c625a8b1)", "after NUMms (txn HEX1)"),
        ("at 2026-11-02T08:28:00.807Z or 2026-11-02 08:28:00,123", "at TIME or TIME"),
        ("due 2026-11-02, at 08:28:00+02:00!", "due TIME, at TIME!"),
        ("order 3f2504e0-4f89-11d3-9a0c-0305e82c3301 twice", "order UUID1 twice"),
        ("a deadbeef01 b deadbeef02 a deadbeef01", "a HEX1 b HEX2 a HEX1"),
        ("<Cart object at 0x7f1f8e7896d0>", "<Cart object at HEX1>"),
        ("com.acme.Cart@1f2e3d is not", "com.acme.Cart@REF is not"),
        ("mail to bob@cafe.com", "mail to bob@cafe.com"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_def", "Bearer TOKEN1"),
        ("key QWxhZGRpbjpvcGVuIHNlc2FtZTEyMw== end", "key BLOB1 end"),
        ("id k3j9x0a2 of testUserLoginWithOAuth2", "id ID1 of testUserLoginWithOAuthNUM"),
        ("in /home/ci/project/tests/cart.js:12", "in cart.js:NUM"),
        ("in /tmp/pytest-of-ci/x1/db.sqlite now", "in PATH now"),
        (r"open C:\Users\ci\AppData\Local\Temp\a.txt", "open PATH"),
        ("to postgres://bob:secret@db-1:5432/shop", "to postgres://TOKEN1@db-NUM:NUM/shop"),
        ("redirect to /v2/confirm", "redirect to /vNUM/confirm"),
        ("status code 503: Service Unavailable", "status code 503: Service Unavailable"),
        ("took 503 ms", "took NUM ms"),
        ("answers 410 Gone", "answers 410 Gone"),
        ("expected 19.99 but got 1,234.50", "expected NUM but got NUM"),
        ("2026-11-02 08:28:00,123 ERROR [main] c.a.Cart - no stock", "c.a.Cart - no stock"),
        ("[2026-11-02T08:28:00Z] WARN: no stock", "no stock"),
        ("\u{1b}[31mred\u{1b}[0m <b>bold</b> <span class=\"x\">y</span> Vec<u8>", "red bold y Vec<uNUM>"),
        ("für 5 €\n\n  weiter", "für NUM €\nweiter"),
    ] {
        assert_eq!(masked(text), expected, "{text}");
    }
    assert_eq!(mask("status 503 and HTTP 404", 100).codes, [404, 503]);
}

#[test]
fn driver_noise_goes() {
    let message = "no such element\n  (Session info: chrome=120.0.1)\nBuild info: version: '4.1'\nDriver info: x";
    assert_eq!(masked(message), "no such element");
}

#[test]
fn frames_of_the_usual_runtimes() {
    for (line, key, own) in [
        ("    at Cart.total (/home/ci/project/src/cart.ts:12:5)", "cart.ts Cart.total", true),
        ("    at Object.<anonymous> (/home/ci/project/tests/tax.test.js:26:23)", "tax.test.js", true),
        ("    at async run (file:///home/ci/project/a.mjs:1:2)", "a.mjs run", true),
        ("    at /home/ci/project/cart.spec.js:36:65", "cart.spec.js", true),
        ("    at Promise.then (/home/ci/project/node_modules/x/i.js:1:1)", "i.js Promise.then", false),
        ("    at file:///home/ci/project/node_modules/@vitest/runner/dist/i.js:9:1", "i.js", false),
        ("\tat app//com.acme.Cart.total(Cart.java:42)", "Cart.java com.acme.Cart.total", true),
        (" ❯ tests/cart.test.ts:14:20", "cart.test.ts", true),
        (" ❯ total src/cart.ts:3:9", "cart.ts total", true),
        ("total@http://localhost:3000/assets/cart.js:3:9", "cart.js total", true),
        ("  File \"/home/ci/project/shop/cart.py\", line 12, in total", "cart.py total", true),
        ("  File \"/usr/lib/python3.11/json/decoder.py\", line 337, in decode", "decoder.py decode", false),
        ("tests/test_stock.py:39: AssertionError", "test_stock.py", true),
        ("shop/cart.py:7: in total", "cart.py total", true),
        ("\tat com.acme.Cart.total(Cart.java:42)", "Cart.java com.acme.Cart.total", true),
        ("\tat java.base/java.util.ArrayList.get(ArrayList.java:427)", "ArrayList.java java.util.ArrayList.get", false),
        ("\tat org.junit.Assert.fail(Assert.java:89)", "Assert.java org.junit.Assert.fail", false),
        ("\t/home/ci/project/cart/cart_test.go:12 +0x1d", "cart_test.go", true),
        ("    cart_test.go:14: got 3, want 4", "cart_test.go", true),
        ("\t/usr/local/go/src/testing/testing.go:1689 +0x21f", "testing.go", false),
        ("             at ./src/cart.rs:12:5", "cart.rs", true),
        ("             at /rustc/90b35a6/library/std/src/panicking.rs:645:5", "panicking.rs", false),
        ("thread 'total' panicked at src/cart.rs:10:9:", "cart.rs", true),
        ("#3 /home/ci/project/src/Cart.php(42): App\\Cart->total()", "Cart.php App\\Cart->total", true),
        ("/home/ci/project/tests/CartTest.php:12", "CartTest.php", true),
        ("/home/ci/project/test/cart_test.cpp:12: Failure", "cart_test.cpp", true),
        ("   at Acme.Cart.Total(Int32 x) in /home/ci/project/Cart.cs:line 12", "Cart.cs Acme.Cart.Total", true),
        ("./lib/cart.rb:12:in `total'", "cart.rb total", true),
    ] {
        let frame = frames::parse(line).unwrap_or_else(|| panic!("{line}"));
        assert_eq!((frame.key().as_str(), frame.is_own()), (key, own), "{line}");
    }
    for line in ["", "connect to example.com:8080", "version 1.2.3:4", "at last"] {
        assert_eq!(frames::parse(line), None, "{line}");
    }
}

#[test]
fn the_type_of_the_exception() {
    for (message, trace, kind) in [
        ("Error: connect", "", "Error"),
        ("AssertionError: expected 1\nassert 1", "", "AssertionError"),
        ("java.lang.NullPointerException", "", "NullPointerException"),
        ("App\\Domain\\CartException: no", "", "CartException"),
        ("std::out_of_range: no", "", ""),
        ("boom", "java.io.IOException: boom\n\tat a.B.c(B.java:1)", "IOException"),
        ("assert 1 == 2", "    def test():\n>  x\nE   AssertionError: assert 1 == 2", "AssertionError"),
        ("panic: runtime error: index out of range", "", "panic"),
        ("index out of bounds", "thread 'x' panicked at src/a.rs:1:2:\nindex out of bounds", "panic"),
        ("Errors were found", "", ""),
        ("expected 3", "", ""),
    ] {
        let kind_found = if message == "Errors were found" { "Errors" } else { kind };
        assert_eq!(print(message, trace).kind, kind_found, "{message}");
    }
}

#[test]
fn a_failure_is_the_same_on_another_line_of_another_machine() {
    let first = print(
        "Error: expected status 'SETTLED' but got 'PENDING' after 36ms (txn c625a8b1)",
        "at total (/home/ci/project/tests/invoice.test.js:47:25)",
    );
    let second = print(
        "Error: expected status 'SETTLED' but got 'PENDING' after 112ms (txn 7c208704)",
        "at total (/builds/acme/shop/tests/invoice.test.js:49:25)",
    );
    assert_eq!(first, second);
    assert_ne!(first.id, print("Error: expected status 'SETTLED' but got 'FAILED'", "").id);
    let [a, b] = [503, 502].map(|code| print(&format!("Error: status code {code}"), "").id);
    assert_ne!(a, b, "a status code is part of it");
}

#[test]
fn without_a_message_the_trace_speaks() {
    let pytest = "    def test():\n>       assert f() == 2\nE       assert 1 == 2\nE        +  where 1 = f()\n\nt.py:3: AssertionError";
    let found = fingerprint(None, Some(pytest)).unwrap();
    assert_eq!((found.headline.as_str(), found.frames.as_slice()), ("assert NUM == NUM", &["t.py".to_owned()][..]));
    let python = "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n  File \"b.py\", line 2, in g\nValueError: bad";
    let found = fingerprint(None, Some(python)).unwrap();
    assert_eq!((found.kind.as_str(), found.headline.as_str()), ("ValueError", "ValueError: bad"));
    assert_eq!(found.frames, ["b.py g", "a.py f"], "innermost first");
    let java = "java.lang.IllegalStateException: no\n\tat com.acme.A.b(A.java:1)\n\tat org.junit.R.run(R.java:2)";
    let found = fingerprint(None, Some(java)).unwrap();
    assert_eq!((found.kind.as_str(), found.frames.len()), ("IllegalStateException", 1));
    assert_eq!(fingerprint(None, Some(" \n")), None);
    assert_eq!(fingerprint(None, None), None);
}

#[test]
fn a_panic_says_it_in_the_line_after() {
    let trace = |test: &str| {
        format!(
            "thread '{test}' (5577) panicked at tests/accounts.rs:34:9:\nexpected 19.99 but got 19.98\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/59807616e1fa/library/std/src/panicking.rs:689:5\n   1: accounts::interest\n             at ./tests/accounts.rs:34:9\nnote: run with"
        )
    };
    let found =
        print("thread 'accounts::interest' (5577) panicked at tests/accounts.rs:34:9", &trace("accounts::interest"));
    assert_eq!((found.kind.as_str(), found.headline.as_str()), ("panic", "expected NUM but got NUM"));
    assert_eq!(found.frames, ["accounts.rs"]);
    assert_eq!(found.id, fingerprint(None, Some(&trace("accounts::fees"))).unwrap().id);
    let old = print("thread 'main' panicked at 'no stock', src/cart.rs:1:2", "");
    assert_eq!((old.kind.as_str(), old.headline.as_str()), ("panic", "no stock"));
}

#[test]
fn a_message_that_holds_its_stack_is_cut_before_it() {
    let found = print("TypeError: x is not a function\n    at total (src/cart.ts:1:2)\n    at src/b.ts:3:4", "");
    assert_eq!((found.headline.as_str(), found.frames.len()), ("TypeError: x is not a function", 2));
}

/// The clusters of some failures, each named by its place among them.
fn clusters(failures: &[(&str, &str)]) -> Vec<usize> {
    let prints: Vec<Fingerprint> = failures.iter().map(|(message, trace)| print(message, trace)).collect();
    let joined = join(&prints.iter().map(Fingerprint::member).collect::<Vec<_>>(), &[]);
    prints.iter().map(|print| joined.iter().position(|one| one.fresh.contains(&print.id)).unwrap()).collect()
}

fn are_one(one: (&str, &str), other: (&str, &str)) -> bool {
    let found = clusters(&[one, other]);
    found[0] == found[1]
}

const A: &str = "at a (tests/a.test.js:1:1)";
const B: &str = "at b (tests/b.test.js:9:1)";

#[test]
fn one_outage_in_two_files_is_one_cluster_and_two_plain_assertions_are_two() {
    assert!(are_one(("Error: connect ECONNREFUSED 127.0.0.1:1", A), ("Error: connect ECONNREFUSED 10.0.0.1:2", B)));
    assert!(!are_one(("Error: expected 1 but got 2", A), ("Error: expected 3 but got 4", B)));
    for matcher in ["expect(locator).toBeVisible() failed", "expect(received).toBe(expected) // Object.is equality"] {
        assert!(!are_one((&format!("Error: {matcher}"), A), (&format!("Error: {matcher}"), B)), "{matcher}");
    }
    let timeout = "TimeoutError: locator.click: Timeout 30000ms exceeded.";
    assert!(!are_one((timeout, A), (timeout, B)));
}

#[test]
fn nearly_equal_lines_are_joined() {
    let message = "Error: expected [ 'a', 'b', 'c' ] in the list of webhooks of the customer but got";
    let (one, other) = (format!("{message} [ a, c, b ]"), format!("{message} [ c, b, a ]"));
    assert!(are_one((&one, ""), (&other, "")) && are_one((&one, A), (&other, B)), "the same words");
    let other = format!("{message} [ alien ]");
    assert!(are_one((&one, A), (&other, A)), "the same place");
    assert!(!are_one((&one, A), (&other, B)), "other words in another place");
    assert!(!are_one((&one, A), (&one.replace("Error", "TypeError"), A)), "another type");
    assert!(!are_one((&one, A), (&format!("{message} nothing at all"), A)), "too different");
    let read = |name: &str| format!("TypeError: Cannot read properties of undefined (reading '{name}')");
    assert!(!are_one((&read("total"), A), (&read("name"), B)), "two bugs");
}

#[test]
fn what_was_together_stays_so_and_is_found_by_either_of_its_members() {
    let message = |end: &str| format!("Error: the list of webhooks of the customer should be empty but it has {end}");
    let [a, b, c, far] = ["abcd", "abxx", "xxxx", "nothing that is near"].map(|end| print(&message(end), A).member());
    let whole = join(&[a.clone(), b.clone(), c.clone(), far.clone()], &[]);
    assert_eq!(whole.len(), 2);
    let old = Member { cluster: a.id, ..b.clone() };
    let joined = join(&[c.clone(), far.clone()], &[a.clone(), old]);
    let with_c = joined.iter().find(|one| one.fresh.contains(&c.id)).unwrap();
    assert_eq!((with_c.fresh.len(), with_c.clusters.as_slice()), (1, &[a.id][..]));
    assert!(joined.iter().any(|one| one.fresh == [far.id] && one.clusters.is_empty()));
}

#[test]
fn hostile_texts_cost_little() {
    let started = std::time::Instant::now();
    let texts = [
        "a".repeat(65_536),
        "1.".repeat(32_768),
        "a.js:1 ".repeat(9_000),
        "<".repeat(65_536),
        "\u{1b}[".repeat(32_768),
        "/home/a".repeat(9_000),
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301 ".repeat(1_700),
        "((((".repeat(16_000),
        ".js".repeat(21_000),
        "E \n".repeat(21_000),
        "0x".repeat(32_000),
        "eyJ".repeat(21_000),
        "é".repeat(32_000),
    ];
    for text in &texts {
        fingerprint(Some(text), Some(text));
    }
    let each = started.elapsed().as_millis() / texts.len() as u128;
    assert!(each < 100, "{each} ms");
}

proptest! {
    #[test]
    fn total_and_deterministic(message in "(\\PC|[\n\t\r \u{1b}]|[0-9a-f]{8}|/home/|file:///|\\.js:1){0,60}", trace in "(\\PC|\n|at |\\.py\", line 3|: in ){0,60}") {
        let found = fingerprint(Some(&message), Some(&trace));
        prop_assert_eq!(&found, &fingerprint(Some(&message), Some(&trace)));
        if let Some(found) = found {
            prop_assert!(found.frames.len() <= FRAMES && found.headline.len() <= MOST_HEADLINE);
            let own = found.member();
            prop_assert!(own.keys.contains(&found.keys()[0]) && own.keys.len() <= 2);
        }
    }

    /// Numbers, ids and times are no part of it.
    #[test]
    fn random_parts_do_not_matter(port in 1u16.., number in any::<u32>(), id in "[0-9a-f]{7}[0-9][a-f]") {
        let text = |port: u16, number: u32, id: &str| format!("Error: cannot reach 10.0.0.1:{port} in {number} ms (request {id})");
        let (left, right) = (print(&text(port, number, &id), ""), print(&text(80, 7, "0123456a"), ""));
        prop_assert_eq!(left.id, right.id);
    }

    /// However they come, and however many at once, the same are together.
    #[test]
    fn clusters_do_not_depend_on_the_order(
        texts in proptest::collection::btree_set("[abc]{2}", 1..12),
        seed in any::<u64>(),
        size in 1usize..6,
    ) {
        let text = |end: &String| format!("Error: cannot add the product to the basket: code {end}");
        let mut members: Vec<Member> = texts.iter().map(|end| print(&text(end), if end < &"b".to_owned() { A } else { B }).member()).collect();
        let mut whole: Vec<Vec<[u8; 16]>> = join(&members, &[]).iter().map(|one| one.fresh.iter().map(|id| id.0).collect()).collect();
        whole.sort_unstable();
        members.sort_unstable_by_key(|member| short(Hash16::of(&[&member.id.0[..], &seed.to_be_bytes()].concat())));
        let mut known: Vec<Member> = Vec::new();
        for some in members.chunks(size) {
            for one in join(some, &known) {
                let name = one.fresh[0];
                known.iter_mut().filter(|old| one.clusters.contains(&old.cluster)).for_each(|old| old.cluster = name);
                known.extend(some.iter().filter(|new| one.fresh.contains(&new.id)).map(|new| Member { cluster: name, ..new.clone() }));
            }
        }
        let mut found: std::collections::BTreeMap<[u8; 16], Vec<[u8; 16]>> = std::collections::BTreeMap::new();
        known.iter().for_each(|member| found.entry(member.cluster.0).or_default().push(member.id.0));
        let mut found: Vec<Vec<[u8; 16]>> = found.into_values().collect();
        found.iter_mut().for_each(|one| one.sort_unstable());
        found.sort_unstable();
        prop_assert_eq!(found, whole);
    }
}
