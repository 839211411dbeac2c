//! Every event that was ever written must be readable for ever.
//!
//! `golden/<name>.v<version>.json` holds one event as it stands in the log. The folder is append-only: a file is never
//! changed or removed, because somebody's log has events like it. A new event or a new version brings a new file.
#![allow(clippy::expect_used, reason = "a test")]

use scaledtest_domain::{Event, Kind, RawEvent};
use std::{collections::BTreeMap, fs, path::Path};

fn golden() -> BTreeMap<String, RawEvent> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let read = |path: &Path| serde_json::from_slice(&fs::read(path).expect("a file")).expect("an event");
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), read(&path)))
        .collect()
}

fn kind_of(name: &str) -> Kind {
    let (kind, ..) = Event::wire().find(|(_, wire, _)| *wire == name).unwrap_or_else(|| panic!("{name} is gone"));
    kind
}

#[test]
fn every_event_ever_written_decodes() {
    for (file, raw) in golden() {
        assert_eq!(file, format!("{}.v{}", raw.t, raw.v), "a file is named after what it holds");
        Event::decode(kind_of(&raw.t), &raw).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

#[test]
fn every_event_has_a_file_for_each_of_its_versions() {
    let golden = golden();
    let missing: Vec<_> = Event::wire()
        .flat_map(|(_, name, newest)| (1..=newest).map(move |version| format!("{name}.v{version}")))
        .filter(|file| !golden.contains_key(file))
        .collect();
    assert!(missing.is_empty(), "add to tests/golden: {missing:?}");
}

#[test]
fn what_is_read_in_its_newest_version_is_written_alike() {
    let newest: BTreeMap<_, _> = Event::wire().map(|(kind, name, version)| (name, (kind, version))).collect();
    for (file, raw) in golden() {
        let (kind, version) = newest[raw.t.as_str()];
        if raw.v == version {
            let written = Event::decode(kind, &raw).expect("decodes").encode().expect("encodes");
            assert_eq!(written, raw, "{file}: a field got lost, renamed, or a new one is not left out when empty");
        }
    }
}

#[test]
fn an_event_of_a_newer_program_is_named_and_not_guessed_at() {
    let (_, mut raw) = golden().pop_first().expect("one");
    let kind = kind_of(&raw.t);
    raw.v += 1;
    assert!(Event::decode(kind, &raw).expect_err("newer").to_string().contains("newer version"));
    raw.t = "nobody.knows".to_owned();
    assert!(Event::decode(kind, &raw).expect_err("unknown").to_string().contains("nobody.knows"));
}
