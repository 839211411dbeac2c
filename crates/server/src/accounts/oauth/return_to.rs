//! The page that somebody wanted, as an address that cannot lead elsewhere.

use reqwest::Url;

/// Longest address that is remembered, bytes: it travels in a cookie.
const MAX: usize = 1024;

/// The path, query and fragment of a page of ours; `/` for anything else.
pub fn local(wanted: Option<&str>) -> String {
    wanted.and_then(checked).unwrap_or_else(|| "/".to_owned())
}

fn checked(wanted: &str) -> Option<String> {
    let home = Url::parse("http://localhost").ok()?;
    let url = home.join(if is_local(wanted) { wanted } else { return None }).ok()?;
    let mut path = url.path().to_owned();
    for (mark, part) in [('?', url.query()), ('#', url.fragment())] {
        if let Some(part) = part {
            path.push(mark);
            path.push_str(part);
        }
    }
    // Once more: dots in it may have been resolved into two slashes.
    (url.origin() == home.origin() && path.len() <= MAX && is_local(&path)).then_some(path)
}

fn is_local(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && !path.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pages_of_ours_are_kept_and_everything_else_becomes_the_first_page() {
        for good in ["/", "/runs", "/runs/1?tab=a&b=%2F#top", "/search?q=//x", "/@evil.example"] {
            assert_eq!(local(Some(good)), good);
        }
        assert_eq!(local(Some("/prüfung läuft")), "/pr%C3%BCfung%20l%C3%A4uft");
        let long = format!("/{}", "x".repeat(MAX));
        for bad in [
            "",
            "runs",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/..//evil.example",
            "/a/..//evil.example",
            "/.//evil.example",
            "/\t/evil.example",
            "/x\r\nset-cookie: a=b",
            "javascript:alert(1)",
            " //evil.example",
            &long,
        ] {
            assert_eq!(local(Some(bad)), "/", "{bad:?}");
        }
        assert_eq!(local(None), "/");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn no_browser_would_leave(wanted in "[/\\\\.a@:?#%\t\r\nü2f]{0,12}") {
            let local = local(Some(&wanted));
            let page = Url::parse("https://tests.example/login").unwrap().join(&local).unwrap();
            prop_assert_eq!(page.origin().ascii_serialization(), "https://tests.example");
            prop_assert!(local.is_ascii() && !local.contains(char::is_whitespace));
        }
    }
}
