//! A new migration must recompile this crate, because they are embedded in it.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
