//! The layers of `src/lib.rs`, and the few house rules that a reader of one file can't see being broken.
//!
//! The picture in `src/lib.rs` is the table: it is parsed, so it can't say one thing while the code does another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file is one room; this is where a room is certainly two.
const MAX_LINES: usize = 600;

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file, by its path below `src`.
fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![src()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(src()).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(found.len() > 30, "the sources were not found: {found:?}");
    found
}

/// Layer name to the layers it may use.
type Table = BTreeMap<String, BTreeSet<String>>;

/// Reads the picture: `//! L5  client     http           client: …`, names up to column 30. A layer may use those below; one
/// whose description begins with `… uses a, b, c (` may use these only.
fn table(lib: &str) -> Table {
    let mut rows: Vec<(u32, Vec<String>, String)> = Vec::new();
    for line in lib.lines().filter_map(|l| l.strip_prefix("//! L")) {
        let level = line.chars().next().and_then(|c| c.to_digit(10)).unwrap();
        let (names, description) = line.split_at(29);
        rows.push((level, names[1..].split_whitespace().map(str::to_owned).collect(), description.to_owned()));
    }
    let mut table = Table::new();
    for (level, names, description) in &rows {
        let below = rows.iter().filter(|(l, ..)| l < level).flat_map(|(_, names, _)| names.clone());
        let allowed: BTreeSet<String> = match description.split_once("uses ") {
            Some((_, rest)) => rest.split(" (").next().unwrap().split(", ").map(str::to_owned).collect(),
            None => below.collect(),
        };
        table.extend(names.iter().map(|name| (name.clone(), allowed.clone())));
    }
    table
}

/// Code without comment lines: documentation may name what it likes.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).fold(String::new(), |all, line| all + line + "\n")
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// First segments of `{a::b, c, d::{e, f}}`, given the text behind the opening brace.
fn group(text: &str) -> Vec<String> {
    let mut depth = 1;
    let mut names = Vec::new();
    let mut at_start = true;
    for (i, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => at_start = true,
            c if at_start && c.is_alphabetic() => {
                names.push(word(&text[i..]));
                at_start = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// What stands behind each `crate::`, and behind each `super::…` that leaves the file's layer.
fn used(file: &str, text: &str) -> BTreeSet<String> {
    let code = code(text);
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(inside) => names.extend(group(inside)),
            None => drop(names.insert(word(rest))),
        }
    }
    // `src/a/b.rs` and `src/a/b/mod.rs` are two modules deep.
    let depth = file.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count();
    let up = "super::".repeat(depth);
    for (at, _) in code.match_indices(&up) {
        names.insert(word(code[at + up.len()..].trim_start_matches("super::")));
    }
    names
}

fn layer(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap()
}

/// Sentences about every forbidden edge of a file.
fn violations(table: &Table, file: &str, text: &str) -> Vec<String> {
    let own = layer(file);
    let Some(allowed) = table.get(own) else { return vec![format!("{file}: `{own}` is not in the picture in lib.rs")] };
    used(file, text)
        .into_iter()
        .filter(|name| name != own && table.contains_key(name) && !allowed.contains(name))
        .map(|name| format!("{file}: `{own}` may not use `{name}`"))
        .collect()
}

#[test]
fn layers_use_only_what_is_below_them() {
    let sources = sources();
    let table = table(&sources["lib.rs"]);
    assert!(table.len() >= 10 && table["domain"].is_empty() && table["cli"].contains("engine"), "{table:?}");
    let wrong: Vec<_> = sources
        .iter()
        .filter(|(file, _)| !matches!(file.as_str(), "lib.rs" | "main.rs"))
        .flat_map(|(file, text)| violations(&table, file, text))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_layer_of_the_picture_exists_and_is_public() {
    let sources = sources();
    let lib = &sources["lib.rs"];
    let declared: BTreeSet<_> =
        lib.lines().filter_map(|l| l.strip_prefix("pub mod ")).map(|l| l.trim_end_matches(';').to_owned()).collect();
    assert_eq!(declared, table(lib).into_keys().collect());
}

/// The checker itself: it must see the edges that a careless change would bring.
#[test]
fn a_forbidden_edge_is_seen_however_it_is_written() {
    let table = table(&sources()["lib.rs"]);
    for (file, text) in [
        ("domain/note.rs", "use crate::store::Store;"),
        ("domain/filter/parse.rs", "use super::super::super::engine::Engine;"),
        ("store/mod.rs", "use super::providers::Http;"),
        ("store/query.rs", "fn f() { let x = crate::engine::new_command_id(); }"),
        ("http/api.rs", "use crate::{domain::{id, note}, store::Store};"),
        ("http/api.rs", "use crate::client::EngineHandle;"),
        ("tui/update/mod.rs", "use crate::engine::Engine;"),
        ("tui/model.rs", "use crate::drafting::Job;"),
        ("stray/mod.rs", "fn nothing() {}"),
    ] {
        assert_eq!(violations(&table, file, text).len(), 1, "{file}: {text}");
    }
    for (file, text) in [
        ("tui/model.rs", "use crate::client::EngineHandle;\nuse super::super::domain::text;"),
        ("engine/mod.rs", "//! Nothing of [`crate::http`].\nuse crate::store::Store;"),
        ("cli/doctor/mod.rs", "use super::setup;\nuse super::super::config;"),
        ("domain/filter/mod.rs", "use super::feedback::GapType;"),
    ] {
        assert_eq!(violations(&table, file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn files_are_rooms_with_a_sign_on_the_door() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let lines = text.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{file}: {lines} lines; {MAX_LINES} are the most"));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{file}: does not begin with `//!` and what it is for"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rules that hold for a line wherever it stands: what must not appear, and the folders where it may.
#[test]
fn what_the_house_forbids_is_not_there() {
    let rules: [(&str, &[&str]); 5] = [
        ("anyhow", &["cli"]),
        ("rusqlite", &["store"]),
        ("ratatui", &["tui"]),
        ("reqwest", &["providers"]),
        ("#[allow", &[]),
    ];
    let unfinished = ["TODO", "FIXME", "XXX"];
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let code = code(&text);
        for (what, homes) in rules {
            if code.contains(what) && !homes.contains(&layer(&file)) {
                wrong.push(format!("{file}: `{what}` belongs in {homes:?}"));
            }
        }
        wrong.extend(unfinished.iter().filter(|word| text.contains(*word)).map(|word| format!("{file}: {word}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
