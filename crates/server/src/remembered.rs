//! Answers of the database that are trusted for a moment, so that a stream of uploads asks once a second.

use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What was read is trusted this long; what changes it through another server takes effect after it at the latest.
const TRUSTED: TimeDelta = TimeDelta::seconds(1);
/// Answers remembered at once.
const MOST: usize = 10_000;

/// Answers by what was asked for.
#[derive(Debug)]
pub(crate) struct Remembered<K, V>(Mutex<HashMap<K, Seen<V>>>);

/// When it was asked for, and the answer; none if it was changed then.
type Seen<V> = (DateTime<Utc>, Option<V>);

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// The answer, if it may still be trusted.
    pub fn get(&self, key: &K, now: DateTime<Utc>) -> Option<V> {
        let seen = self.seen();
        let (since, answer) = seen.get(key)?;
        // A clock that was set back trusts nothing from its future.
        if (*since..*since + TRUSTED).contains(&now) { answer.clone() } else { None }
    }

    /// Remembers an answer. `asked` is taken before the question, so that a change in between is not outlived.
    pub fn put(&self, key: K, asked: DateTime<Utc>, answer: V) {
        let mut seen = self.seen();
        if seen.get(&key).is_some_and(|(since, _)| *since >= asked) {
            return;
        }
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert(key, (asked, Some(answer)));
    }

    /// It was changed: what was asked before `now` says nothing any more.
    pub fn forget(&self, key: K, now: DateTime<Utc>) {
        self.seen().insert(key, (now, None));
    }

    /// As [`Self::forget`], for every answer of that kind.
    pub fn forget_where(&self, now: DateTime<Utc>, gone: impl Fn(&V) -> bool) {
        for (since, answer) in self.seen().values_mut().filter(|(_, answer)| answer.as_ref().is_some_and(&gone)) {
            (*since, *answer) = (now, None);
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<K, Seen<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_790_000_000_000 + millis).unwrap()
    }

    #[test]
    fn an_answer_is_trusted_for_a_second_after_it_was_asked_for() {
        let remembered = Remembered::default();
        remembered.put("a", at(0), 1);
        assert_eq!(remembered.get(&"a", at(999)), Some(1));
        assert_eq!(remembered.get(&"a", at(1000)), None);
        assert_eq!(remembered.get(&"a", at(-1)), None, "the clock was set back");
        assert_eq!(remembered.get(&"b", at(0)), None);
    }

    #[test]
    fn an_answer_from_before_a_change_does_not_outlive_it() {
        let remembered = Remembered::default();
        remembered.put("a", at(0), 1);
        remembered.put("b", at(0), 2);
        remembered.forget("a", at(10));
        remembered.put("a", at(9), 1);
        assert_eq!(remembered.get(&"a", at(11)), None);
        remembered.put("a", at(11), 3);
        assert_eq!(remembered.get(&"a", at(12)), Some(3));
        remembered.forget_where(at(20), |value| *value == 2);
        assert_eq!((remembered.get(&"a", at(21)), remembered.get(&"b", at(21))), (Some(3), None));
    }

    #[test]
    fn it_never_holds_more_than_so_many() {
        let remembered = Remembered::default();
        for key in 0..=MOST {
            remembered.put(key, at(0), key);
        }
        assert_eq!(remembered.get(&MOST, at(1)), Some(MOST));
        assert!(remembered.seen().len() <= MOST);
    }
}
