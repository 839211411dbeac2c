//! Who owns a test, by the path of its file: `CODEOWNERS` as GitHub and GitLab read it.

use crate::glob::Glob;
use std::collections::BTreeSet;

/// Lines that count.
pub const MOST_RULES: usize = 5_000;

/// The rules of a `CODEOWNERS` file.
///
/// The last rule of a section that matches decides; a rule without owners says that nobody owns what it matches. The owners
/// of all sections own together (GitLab); without `[section]` headings there is one (GitHub).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    sections: Vec<Vec<Rule>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    globs: Vec<Glob>,
    owners: Vec<String>,
}

/// What could not be read; the rest of the file counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Owners {
    /// Reads a file. At most [`MOST_RULES`] rules count.
    pub fn parse(text: &str) -> (Self, Vec<Fault>) {
        let (mut sections, mut faults) = (vec![Vec::new()], Vec::new());
        let (mut defaults, mut rules) = (Vec::new(), 0);
        for (line, text) in (1..).zip(text.lines()) {
            if let Some(heading) = heading(text) {
                defaults = owners(heading.split_whitespace().map(str::to_owned), line, &mut faults);
                sections.push(Vec::new());
                continue;
            }
            let mut words = words(text).into_iter();
            let Some(pattern) = words.next() else { continue };
            rules += 1;
            if rules > MOST_RULES {
                faults.push(Fault { line, message: format!("only the first {MOST_RULES} rules count") });
                break;
            }
            if pattern.starts_with('!') {
                faults.push(Fault { line, message: "a rule cannot begin with !".to_owned() });
                continue;
            }
            let before = faults.len();
            let named = owners(words, line, &mut faults);
            // Not the same as naming nobody: a slip of the pen must not take owners away.
            if named.is_empty() && faults.len() > before {
                continue;
            }
            let owners = if named.is_empty() { defaults.clone() } else { named };
            if let Some(section) = sections.last_mut() {
                section.push(Rule { globs: globs(&pattern), owners });
            }
        }
        (Self { sections }, faults)
    }

    /// How many rules there are.
    pub fn rules(&self) -> usize {
        self.sections.iter().map(Vec::len).sum()
    }

    /// Who owns a file, by its path from the root of the repository; nobody if no rule matches.
    pub fn of(&self, path: &str) -> Vec<String> {
        let deciding = self
            .sections
            .iter()
            .filter_map(|rules| rules.iter().rev().find(|rule| rule.globs.iter().any(|glob| glob.matches(path))));
        let owners: BTreeSet<&String> = deciding.flat_map(|rule| &rule.owners).collect();
        owners.into_iter().cloned().collect()
    }
}

/// What stands behind a heading: `[name]`, `^[name]`, `[name][approvals]`; the owners of rules that name none.
fn heading(line: &str) -> Option<&str> {
    let rest = line.trim().trim_start_matches('^').strip_prefix('[')?;
    let (_, rest) = rest.split_once(']')?;
    let rest = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(rest, |(_, rest)| rest);
    Some(rest.split(" #").next().unwrap_or_default())
}

/// The words of a line up to a comment; `\` keeps a space or a `#` in a word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '#' if word.is_empty() => break,
            '\\' => {
                word.push(letter);
                word.extend(letters.next());
            }
            _ if letter.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(letter),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Those among the words that name somebody: `@user`, `@organisation/team`, `@@role` or an e-mail address.
fn owners(words: impl Iterator<Item = String>, line: usize, faults: &mut Vec<Fault>) -> Vec<String> {
    let mut named = Vec::new();
    for word in words {
        let is_mail = word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
        if is_mail || word.strip_prefix('@').is_some_and(|name| !name.trim_start_matches('@').is_empty()) {
            named.push(word);
        } else {
            let message = format!("{word:?} names nobody: an owner is @user, @organisation/team or an e-mail address");
            faults.push(Fault { line, message });
        }
    }
    named
}

/// A pattern with a slash anywhere but at its end is read from the root, any other at every depth. What names a folder
/// matches all that is in it; `folder/*` only what is directly there.
fn globs(pattern: &str) -> Vec<Glob> {
    let folder = pattern.ends_with('/');
    let inner = pattern.trim_end_matches('/');
    let base = match inner.strip_prefix('/') {
        Some(rooted) => rooted.to_owned(),
        None if inner.contains('/') => inner.to_owned(),
        None => format!("**/{inner}"),
    };
    if inner.trim_start_matches('/').is_empty() {
        return vec![Glob::new("**")];
    }
    let below = Glob::new(&format!("{base}/**"));
    match () {
        () if folder => vec![below],
        () if base.ends_with("/*") && inner != "*" => vec![Glob::new(&base)],
        () => vec![Glob::new(&base), below],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(file: &str, path: &str) -> Vec<String> {
        let (owners, faults) = Owners::parse(file);
        assert_eq!(faults, [], "{file}");
        owners.of(path)
    }

    /// The examples of GitHub's documentation, "About code owners".
    #[test]
    fn patterns_match_as_they_do_at_github() {
        for (pattern, path, expected) in [
            ("*", "a/b/c.ts", true),
            ("*.js", "a/b/c.js", true),
            ("*.js", "a/b/c.ts", false),
            ("/build/logs/", "build/logs/x/y.log", true),
            ("/build/logs/", "app/build/logs/y.log", false),
            ("docs/*", "docs/getting-started.md", true),
            ("docs/*", "docs/build-app/troubleshooting.md", false),
            ("apps/", "a/apps/b/c.ts", true),
            ("/docs/", "docs/a.md", true),
            ("/docs/", "a/docs/a.md", false),
            ("/scripts/", "scripts/x/y.sh", true),
            ("**/logs", "build/logs/x", true),
            ("**/logs", "deeply/nested/logs/x", true),
            ("**/logs", "logs/x", true),
            ("/apps/github", "apps/github/x.ts", true),
            ("/apps/github", "apps/github.ts", false),
            ("tests/cart", "tests/cart/x.spec.ts", true),
            ("tests/cart", "e2e/tests/cart/x.spec.ts", false),
            (r"with\ space.ts", "a/with space.ts", true),
            ("/", "a/b.ts", true),
        ] {
            let owners = of(&format!("{pattern} @somebody"), path);
            assert_eq!(!owners.is_empty(), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn the_last_rule_that_matches_decides_and_one_without_owners_takes_them_away() {
        let file = "* @all # everybody\n/apps/ @octocat @acme/apps\n/apps/github\n\n# nothing\n*.md docs@acme.example";
        assert_eq!(of(file, "x.ts"), ["@all"]);
        assert_eq!(of(file, "apps/x.ts"), ["@acme/apps", "@octocat"]);
        assert_eq!(of(file, "apps/github/x.ts"), [""; 0]);
        assert_eq!(of(file, "apps/github/x.md"), ["docs@acme.example"]);
    }

    #[test]
    fn sections_own_together_and_lend_their_owners() {
        let file = "*.ts @web\n[Checkout][2] @pay\ntests/cart/\ntests/login/ @sign-in\n^[Docs]\n*.md @docs";
        assert_eq!(of(file, "tests/cart/a.ts"), ["@pay", "@web"]);
        assert_eq!(of(file, "tests/login/a.ts"), ["@sign-in", "@web"]);
        assert_eq!(of(file, "a.md"), ["@docs"]);
    }

    #[test]
    fn faults_name_their_line_and_the_rest_counts() {
        let (owners, faults) = Owners::parse("* @all\n!x @a\n*.ts web @web\n");
        assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [2, 3]);
        assert_eq!((owners.rules(), owners.of("a.ts")), (2, vec!["@web".to_owned()]));
        let (owners, faults) = Owners::parse("* @all\n*.ts web\n");
        assert_eq!((owners.of("a.ts"), faults.len()), (vec!["@all".to_owned()], 1), "a rule that names nobody right");
        let many = "* @all\n".repeat(MOST_RULES + 2);
        assert_eq!(Owners::parse(&many).1.len(), 1);
    }

    proptest! {
        #[test]
        fn any_file_is_read_and_only_names_that_stand_in_it_own(file in "[ -~\n\t]{0,200}", path in "[ -~]{0,60}") {
            let (owners, _) = Owners::parse(&file);
            for owner in owners.of(&path) {
                prop_assert!(file.contains(&owner));
            }
        }
    }
}
