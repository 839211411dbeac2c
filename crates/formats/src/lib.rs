//! scaledtest-formats
