//! scaledtest-testkit
