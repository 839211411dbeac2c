//! What a link holds: its id, and a signature of it that only this instance can make. Nothing of it is stored.

use crate::secrets::{Secrets, hex};
use scaledtest_domain::ShareId;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// What every one of them begins with.
const PREFIX: &str = "shr_";
/// Hex digits of the id, and of the signature after it: 128 bits each.
const HALF: usize = 32;

/// `shr_` and 64 hex digits. The same for the same link, so that it can be shown again.
pub(super) fn token(secrets: &Secrets, share: ShareId) -> String {
    format!("{PREFIX}{}{}", share.0.simple(), signature(secrets, share))
}

/// The link that a token is of; `None` if this instance did not make it.
pub(super) fn share(secrets: &Secrets, token: &str) -> Option<ShareId> {
    let (id, given) = token.strip_prefix(PREFIX)?.split_at_checked(HALF)?;
    let share = ShareId(Uuid::try_parse(id).ok()?);
    let is_ours: bool = given.as_bytes().ct_eq(signature(secrets, share).as_bytes()).into();
    // One spelling only: an id can be written with capitals, too.
    (is_ours && id == share.0.simple().to_string()).then_some(share)
}

fn signature(secrets: &Secrets, share: ShareId) -> String {
    let mut signature = hex(&secrets.derive(&[b"share", share.0.as_bytes()]));
    signature.truncate(HALF);
    signature
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secrets(byte: u8) -> Secrets {
        Secrets::new(vec![1; 32], vec![byte; 32]).unwrap()
    }

    #[test]
    fn a_token_is_of_its_link_and_of_its_instance() {
        let id = ShareId::derived(&[b"share"]);
        let made = token(&secrets(2), id);
        assert_eq!((made.len(), token(&secrets(2), id)), (68, made.clone()));
        assert_eq!(share(&secrets(2), &made), Some(id));
        assert_eq!(share(&secrets(3), &made), None, "another instance's");
        let other = token(&secrets(2), ShareId::derived(&[b"other"]));
        assert_eq!(share(&secrets(2), &format!("{}{}", &made[..36], &other[36..])), None, "another link's signature");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn whatever_is_changed_about_a_token_it_is_none_any_more(at in 0..68_usize, to in any::<char>(), more in ".{0,3}") {
            let made = token(&secrets(2), ShareId::derived(&[b"share"]));
            let mut changed: Vec<char> = made.chars().collect();
            changed[at] = to;
            let changed = changed.into_iter().collect::<String>() + &more;
            prop_assume!(changed != made);
            prop_assert_eq!(share(&secrets(2), &changed), None);
        }

        #[test]
        fn anything_at_all_is_no_token(text in ".{0,80}") {
            prop_assert_eq!(share(&secrets(2), &text), None);
        }
    }
}
