//! A result has to fit into one message of the log, however large all of its parts together are.

use crate::cut;
use scaledtest_domain::report::{Attachment, TestResult};

/// Bytes of text in one result. What cannot be compressed takes as much in the log, where a message may have 1 MiB.
const MAX_RESULT: usize = 512 * 1024;
/// What is left of a text as long as shortening others helps.
const STUB: usize = 1024;
/// Less than this of a text is none.
const LEAST: usize = 128;

/// Shortens a result of which `extra` bytes are additional data. True if that was necessary.
///
/// The oldest attempts go first; the result's own message and trace, and what tells who it is, always stay.
pub(super) fn fit(result: &mut TestResult, extra: usize) -> bool {
    let mut over = (result.text_bytes() + extra).saturating_sub(MAX_RESULT);
    if over == 0 {
        return false;
    }
    texts(result, STUB, &mut over);
    lists(result, &mut over);
    texts(result, 0, &mut over);
    true
}

fn texts(result: &mut TestResult, least: usize, over: &mut usize) {
    for attempt in &mut result.attempts {
        let texts =
            [&mut attempt.stdout, &mut attempt.stderr, &mut attempt.snippet, &mut attempt.trace, &mut attempt.message];
        texts.into_iter().for_each(|text| shorten(text, least, over));
    }
    let own = [&mut result.stdout, &mut result.stderr, &mut result.snippet];
    own.into_iter().for_each(|text| shorten(text, least, over));
}

fn shorten(text: &mut Option<String>, least: usize, over: &mut usize) {
    let Some(long) = text.as_deref().filter(|text| *over > 0 && text.len() > least) else { return };
    let before = long.len();
    let keep = before.saturating_sub(*over).max(least);
    *text = (keep >= LEAST).then(|| cut::ends(long, keep));
    *over = over.saturating_sub(before - text.as_ref().map_or(0, String::len));
}

/// The ends of lists.
fn lists(result: &mut TestResult, over: &mut usize) {
    drop_last(&mut result.steps, over, |step| step.name.len());
    for attempt in &mut result.attempts {
        drop_last(&mut attempt.attachments, over, Attachment::text_bytes);
    }
    drop_last(&mut result.attachments, over, Attachment::text_bytes);
}

fn drop_last<T>(list: &mut Vec<T>, over: &mut usize, weight: impl Fn(&T) -> usize) {
    while *over > 0
        && let Some(dropped) = list.pop()
    {
        *over = over.saturating_sub(weight(&dropped));
    }
}
