//! Histories that are applied to fresh tables, batch by batch.

use super::{applied, database, result};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use scaledtest_domain::{
    ReportId, UploadId,
    events::{report, rollup::Rolled},
    report::{Status, TestResult, decode_chunk},
};
use scaledtest_projections::{Body, Item, history::Digest};
use sqlx::PgPool;
use std::sync::Arc;

/// What failures say, and where: near and far, in one place and in two; the second is near to the first and the third.
pub const SAID: [(&str, &str); 8] = [
    ("Error: cannot add the product to the basket: code mmmmmmmmm", "at add (src/cart.ts:1:1)"),
    ("Error: cannot add the product to the basket: code mmmmmnnnn", "at add (src/cart.ts:1:1)"),
    ("Error: cannot add the product to the basket: code nnnnnnnnn", "at add (src/cart.ts:1:1)"),
    ("Error: cannot add the product to the basket: code mmmmmmmmm", "at pay (src/pay.ts:1:1)"),
    ("Error: connect ECONNREFUSED 127.0.0.1:5432", "at add (src/cart.ts:1:1)"),
    ("Error: connect ECONNREFUSED 127.0.0.1:5432", "at pay (src/pay.ts:1:1)"),
    ("Error: expected 1 but got 2", "at pay (src/pay.ts:1:1)"),
    ("", ""),
];

/// A failure of a result, each time in other words.
pub fn fails_with(result: &mut TestResult, said: usize, time: usize) {
    if result.status == Status::Failed {
        let (message, trace) = SAID[said];
        result.message = Some(if message.is_empty() { String::new() } else { format!("{message} after {time} ms") });
        result.trace = Some(trace.to_owned());
        result.attempts.clear();
    }
}

/// What a roll-up holds of a report, through its written form.
pub fn digested(ingested: &report::Ingested, body: &Body) -> Body {
    let Body::Chunks(chunks) = body else { panic!("{body:?}") };
    let results: Vec<TestResult> = chunks.iter().flat_map(|chunk| decode_chunk(chunk).unwrap()).collect();
    let mut digest = Digest::default();
    // Not alone, and what is with it is taken out again.
    let other = Rolled { report: ReportId::derived(&[b"other"]), upload: UploadId::derived(&[b"other"]) };
    digest.add(other, &[result("another", Status::Failed)]);
    let rolled = Rolled { report: ingested.report, upload: ingested.upload };
    digest.add(rolled, &results);
    let pieces = digest.with_only(&[rolled]).encode().unwrap();
    let read = Digest::decode(&pieces.into_iter().map(Into::into).collect::<Vec<_>>()).unwrap();
    Body::Digested(Arc::new(Arc::new(read).report(ingested.upload).unwrap()))
}

/// Checks that many drawn values against one database, each with a number of its own for the schemas that it makes there.
pub fn check_drawn<S: Strategy>(
    cases: u32,
    strategy: S,
    check: impl AsyncFn(&PgPool, u32, S::Value) -> Result<(), TestCaseError>,
) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(database());
    let ran = std::cell::Cell::new(0_u32);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config)
        .run(&strategy, |value| runtime.block_on(check(&database.pool, ran.replace(ran.get() + 1), value)));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Whatever acts there were, their items come to the same rows of these projections in one batch, in some, and one by one.
pub fn replayed_alike<S: Strategy>(
    projections: &[&str],
    cases: u32,
    act: S,
    items: impl Fn(Vec<S::Value>) -> Vec<Item>,
) {
    let histories = (proptest::collection::vec(act, 1..40), 2..9_usize);
    check_drawn(cases, histories, async |pool, case, (acts, size)| {
        let items = items(acts);
        let (one, some): (Vec<_>, Vec<_>) = (items.chunks(1).collect(), items.chunks(size).collect());
        for name in projections {
            let rows = async |schema: &str, batches: &[&[Item]]| {
                applied(pool, name, &format!("{name}_{schema}{case}"), batches).await
            };
            let one = rows("one", &one).await;
            prop_assert_eq!(&one, &rows("some", &some).await);
            prop_assert_eq!(&one, &rows("all", &[&items]).await);
        }
        Ok(())
    });
}
