//! scaledtest-effects
