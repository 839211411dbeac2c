//! scaledtest-commands
