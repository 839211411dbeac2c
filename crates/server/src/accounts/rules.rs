//! What passwords and names may be.

use crate::http::extract::Faults;
use secrecy::{ExposeSecret, SecretString};

/// Passwords have at least this many characters.
const MIN_PASSWORD: usize = 8;
/// And at most this many: hashing more is work for nothing.
pub(crate) const MAX_PASSWORD: usize = 1024;
/// Names have at most this many characters.
const MAX_NAME: usize = 255;

/// A new password is neither short nor endless.
pub(crate) fn check_password(faults: &mut Faults, field: &str, password: &SecretString) {
    let fits = (MIN_PASSWORD..=MAX_PASSWORD).contains(&password.expose_secret().chars().count());
    faults.check(fits, field, format!("must have {MIN_PASSWORD} to {MAX_PASSWORD} characters"));
}

/// A present password is there; whether it is the right one is another question.
pub(crate) fn check_present(faults: &mut Faults, field: &str, password: &SecretString) {
    let fits = (1..=MAX_PASSWORD).contains(&password.expose_secret().chars().count());
    faults.check(fits, field, format!("must have 1 to {MAX_PASSWORD} characters"));
}

/// A shown name is there, not too long, and something that the database can keep.
pub(crate) fn check_name(faults: &mut Faults, name: &str) {
    let length = (1..=MAX_NAME).contains(&name.chars().count()) && !name.trim().is_empty();
    let message = format!("must have 1 to {MAX_NAME} characters");
    faults.check(length && !name.contains('\0'), "display_name", message);
}
