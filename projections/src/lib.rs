//! scaledtest-projections
