//! The files of the interface are part of the binary, and those that were there at the last build are watched. This adds
//! those that appear later: above all the whole interface, after a first build without it.

use std::{env, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // With debug assertions nothing is embedded: the files are read at run time.
    if env::var_os("CARGO_CFG_DEBUG_ASSERTIONS").is_some() {
        return;
    }
    // A missing path would count as changed at every build. What is watched instead changes when it appears.
    let dist = Path::new("../../ui/dist");
    let watched = if dist.is_dir() { dist } else { Path::new("../../ui") };
    println!("cargo::rerun-if-changed={}", watched.display());
}
