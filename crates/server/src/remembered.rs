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

/// When it was asked for, and the answer; none for what changes, and until when nothing is remembered of it.
type Seen<V> = (DateTime<Utc>, Option<V>);

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// The answer, if it may still be trusted.
    pub fn get(&self, key: &K, now: DateTime<Utc>) -> Option<V> {
        let mut seen = self.seen();
        let (since, answer) = seen.get(key)?;
        // A clock that was set back trusts nothing from its future, and is not kept waiting by it. (What changes is from the
        // future as well, by as much as is trusted.)
        if *since > now + TRUSTED * 2 {
            seen.remove(key);
            return None;
        }
        if (*since..*since + TRUSTED).contains(&now) { answer.clone() } else { None }
    }

    /// Remembers an answer. `asked` is taken before the question, so that a change in between is not outlived.
    pub fn put(&self, key: K, asked: DateTime<Utc>, answer: V) {
        let mut seen = self.seen();
        if seen.get(&key).is_none_or(|(since, _)| *since < asked) {
            insert(&mut seen, key, (asked, Some(answer)));
        }
    }

    /// It changes. The database says so a little later: until then nothing is remembered.
    pub fn forget(&self, key: K, now: DateTime<Utc>) {
        insert(&mut self.seen(), key, (now + TRUSTED, None));
    }

    /// As [`Self::forget`], for every answer of that kind that is remembered.
    pub fn forget_where(&self, now: DateTime<Utc>, gone: impl Fn(&V) -> bool) {
        for (since, answer) in self.seen().values_mut().filter(|(_, answer)| answer.as_ref().is_some_and(&gone)) {
            (*since, *answer) = (now + TRUSTED, None);
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<K, Seen<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn insert<K: Eq + Hash, V>(all: &mut HashMap<K, Seen<V>>, key: K, seen: Seen<V>) {
    if all.len() >= MOST {
        all.clear();
    }
    all.insert(key, seen);
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
        assert_eq!(remembered.get(&"a", at(-5000)), None);
        remembered.put("a", at(-5000), 2);
        assert_eq!(remembered.get(&"a", at(-4999)), Some(2), "and what it saw before says nothing");
        assert_eq!(remembered.get(&"b", at(0)), None);
    }

    #[test]
    fn an_answer_from_before_a_change_does_not_outlive_it() {
        let remembered = Remembered::default();
        remembered.put("a", at(0), 1);
        remembered.put("b", at(0), 2);
        remembered.forget("a", at(10));
        for asked in [9, 11, 1010] {
            remembered.put("a", at(asked), 1);
            assert_eq!(remembered.get(&"a", at(asked)), None, "asked at {asked}");
        }
        remembered.put("a", at(1011), 3);
        assert_eq!(remembered.get(&"a", at(1012)), Some(3));
        remembered.put("b", at(1011), 2);
        remembered.forget_where(at(1020), |value| *value == 2);
        assert_eq!((remembered.get(&"a", at(1021)), remembered.get(&"b", at(1021))), (Some(3), None));
    }

    #[test]
    fn it_never_holds_more_than_so_many() {
        let remembered = Remembered::default();
        for key in 0..=MOST {
            remembered.put(key, at(0), key);
            remembered.forget(MOST + 1 + key, at(0));
        }
        assert_eq!(remembered.get(&MOST, at(1)), Some(MOST));
        assert!(remembered.seen().len() <= MOST);
    }
}
