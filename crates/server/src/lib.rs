//! scaledtest-server
