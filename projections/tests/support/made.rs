//! A projection of a test's own.

use scaledtest_domain::Kind;
use scaledtest_projections::{Applier, Projection};

/// A projection that is made for a test: what it does with reports is its applier's business.
pub struct Made {
    pub name: &'static str,
    pub version: i32,
    pub ddl: &'static str,
    pub applier: fn() -> Box<dyn Applier>,
}

impl Projection for Made {
    fn name(&self) -> &'static str {
        self.name
    }
    fn version(&self) -> i32 {
        self.version
    }
    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Report]
    }
    fn needs_bodies(&self) -> bool {
        false
    }
    fn ddl(&self) -> &'static str {
        self.ddl
    }
    fn applier(&self) -> Box<dyn Applier> {
        (self.applier)()
    }
}
