//! E-mail addresses.

use std::fmt;

/// Longest address that mail can be sent to, bytes.
const MAX: usize = 254;

/// Something that looks like an e-mail address: kept as typed, compared in lower case, which keeps it apart from every other
/// address. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Takes white space off both ends and looks whether the rest can be an address; `None` if not.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@')?;
        let fits = text.len() <= MAX && !local.is_empty() && local.len() <= 64 && !local.contains('@');
        // Capitals elsewhere whose small letter is one of ours: the Kelvin sign, the I with a dot. Somebody else's mailbox.
        let is_disguised = |c: char| !c.is_ascii() && c.to_lowercase().any(|small| small.is_ascii());
        let clean = !text
            .chars()
            .any(|c| is_disguised(c) || c.is_whitespace() || c.is_control() || "<>()[],;:\\\"".contains(c));
        let labels = domain.split('.').all(|label| {
            let end = label.starts_with('-') || label.ends_with('-');
            !label.is_empty() && !end && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
        (fits && clean && labels).then(|| Self(text.to_owned()))
    }

    /// What follows the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// As typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_told_from_what_is_none() {
        for good in ["ada@example.com", " ada+ci@sub.example.co.uk ", "a@localhost", "jürgen@bücher.example"] {
            assert_eq!(Email::parse(good).map(|email| email.0), Some(good.trim().to_owned()), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for bad in
            ["", "ada", "@example.com", "ada@", "a b@c.de", "a@b@c.de", "a@b..c", "a@-b.c", "a@b.c>", "a\0@b.c", &long]
        {
            assert_eq!(Email::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_address_is_never_taken_for_another_one_in_lower_case() {
        for disguised in ["ad\u{130}n@example.com", "\u{212a}im@example.com", "kim@\u{212a}.example"] {
            assert_eq!(Email::parse(disguised), None, "{disguised}");
        }
        assert!(Email::parse("\u{d6}MER@example.com").is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_passes_is_trimmed_and_short(text in "\\PC{0,40}@?\\PC{0,40}") {
            if let Some(email) = Email::parse(&text) {
                prop_assert_eq!(email.as_str(), text.trim());
                prop_assert!(email.as_str().contains('@') && email.as_str().len() <= MAX);
            }
        }
    }
}
