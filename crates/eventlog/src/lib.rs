//! scaledtest-eventlog
