//! Patterns over test names and file paths, in bounded time.

/// Characters of a pattern that count.
const MOST_PATTERN: usize = 1_000;
/// Characters of a text that count.
const MOST_TEXT: usize = 4_000;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Char(char),
    /// `?`: any character but `/`.
    One,
    /// `*`: any characters but `/`.
    Some,
    /// `**`: any characters.
    All,
    /// `**/` is entered: nothing, or what [`Part::Within`] takes. Takes no character itself.
    Folders,
    /// Always after `Folders`: anything that ends with `/`.
    Within,
}

/// A pattern: `?` is one character, `*` any number of them, neither matches `/`; `**` matches anything, and `**/` any
/// folders or none. `\` takes the meaning from the next character. It has to match the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    parts: Vec<Part>,
}

impl Glob {
    /// Reads a pattern; any text is one. Only its first 1,000 characters count.
    pub fn new(pattern: &str) -> Self {
        let mut letters = pattern.chars().take(MOST_PATTERN).peekable();
        let mut parts = Vec::new();
        while let Some(letter) = letters.next() {
            let part = match letter {
                '\\' => Part::Char(letters.next().unwrap_or('\\')),
                '?' => Part::One,
                '*' if letters.peek() == Some(&'*') => {
                    while letters.next_if_eq(&'*').is_some() {}
                    if letters.next_if_eq(&'/').is_some() {
                        parts.push(Part::Folders);
                        Part::Within
                    } else {
                        Part::All
                    }
                }
                '*' => Part::Some,
                _ => Part::Char(letter),
            };
            parts.push(part);
        }
        Self { parts }
    }

    /// Whether it matches the whole text, of which the first 4,000 characters count. At most pattern × text steps: all
    /// places in the pattern that may be reached are carried along.
    pub fn matches(&self, text: &str) -> bool {
        let n = self.parts.len();
        let mut reached = vec![false; n + 1];
        let mut next = vec![false; n + 1];
        reached[0] = true;
        self.follow_empty(&mut reached);
        for letter in text.chars().take(MOST_TEXT) {
            next.fill(false);
            for (i, part) in self.parts.iter().enumerate().filter(|(i, _)| reached[*i]) {
                match part {
                    Part::Char(expected) => next[i + 1] |= *expected == letter,
                    Part::One => next[i + 1] |= letter != '/',
                    Part::Some => next[i] |= letter != '/',
                    Part::All => next[i] = true,
                    Part::Folders => {}
                    Part::Within => {
                        next[i] = true;
                        next[i + 1] |= letter == '/';
                    }
                }
            }
            if !next.contains(&true) {
                return false;
            }
            self.follow_empty(&mut next);
            std::mem::swap(&mut reached, &mut next);
        }
        reached[n]
    }

    /// Adds what is reached without a character.
    fn follow_empty(&self, reached: &mut [bool]) {
        for (i, part) in self.parts.iter().enumerate().filter(|(_, part)| !matches!(part, Part::Char(_))) {
            if reached[i] && matches!(part, Part::Some | Part::All | Part::Folders) {
                reached[i + 1] = true;
                if *part == Part::Folders {
                    reached[i + 2] = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).matches(text)
    }

    #[test]
    fn stars_stay_inside_folders_and_double_stars_do_not() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("tests/*.ts", "tests/cart.ts", true),
            ("tests/*.ts", "tests/shop/cart.ts", false),
            ("tests/**/*.ts", "tests/shop/eu/cart.ts", true),
            ("tests/**/*.ts", "tests/cart.ts", true),
            ("tests/**/cart.ts", "tests/xcart.ts", false),
            ("**/cart.ts", "cart.ts", true),
            ("**/cart.ts", "a/b/cart.ts", true),
            ("**/cart.ts", "a/b/xcart.ts", false),
            ("**", "a/b", true),
            ("checkout **", "checkout > pays / later", true),
            ("a**b", "a/x/b", true),
            ("**/**/a", "a", true),
            ("*a*", "bab", true),
            ("a*", "a", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("für *", "für €", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_that_would_explode_does_not() {
        let started = std::time::Instant::now();
        assert!(!matches(&"*a".repeat(450), &("a".repeat(449) + "b")));
        assert!(!matches(&"**/".repeat(300), &"a/b".repeat(1_300)));
        assert!(started.elapsed().as_secs() < 2);
    }

    /// By trying everything.
    fn plain(pattern: &[Part], text: &[char]) -> bool {
        let Some((part, rest)) = pattern.split_first() else { return text.is_empty() };
        let some = |allowed: fn(char) -> bool| {
            (0..=text.len()).take_while(|n| text[..*n].iter().all(|c| allowed(*c))).any(|n| plain(rest, &text[n..]))
        };
        match part {
            Part::Char(letter) => text.first() == Some(letter) && plain(rest, &text[1..]),
            Part::One => text.first().is_some_and(|c| *c != '/') && plain(rest, &text[1..]),
            Part::Some => some(|c| c != '/'),
            Part::All => some(|_| true),
            Part::Folders => plain(rest, text) || plain(&rest[1..], text),
            Part::Within => (0..text.len()).any(|n| text[n] == '/' && plain(rest, &text[n + 1..])),
        }
    }

    proptest! {
        #[test]
        fn equals_trying_everything(pattern in "[ab/?*]{0,9}", text in "[ab/]{0,9}") {
            let glob = Glob::new(&pattern);
            let letters: Vec<char> = text.chars().collect();
            prop_assert_eq!(glob.matches(&text), plain(&glob.parts, &letters), "{:?}", glob);
        }

        #[test]
        fn total(pattern in "\\PC{0,60}", text in "\\PC{0,60}") {
            matches(&pattern, &text);
            let quoted: String = text.chars().flat_map(|letter| ['\\', letter]).collect();
            prop_assert!(matches(&quoted, &text));
        }
    }
}
