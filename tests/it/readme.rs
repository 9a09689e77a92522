//! What the manuals say is true: their example runs, their commands exist, their links lead somewhere.

use crate::support::program::{BINARY, Home};
use crate::support::skipped;
use patchwork::tui::keymap::Keymap;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(manual: &str) -> String {
    std::fs::read_to_string(root().join(manual)).unwrap()
}

const MANUALS: [&str; 3] = ["README.md", "drop-ins/README.md", ".github/CONTRIBUTING.md"];

/// The code blocks with this information string.
fn blocks<'a>(text: &'a str, info: &str) -> Vec<&'a str> {
    let fence = format!("\n```{info}\n");
    text.split(fence.as_str()).skip(1).map(|rest| rest.split("\n```\n").next().unwrap()).collect()
}

/// A port that nobody has, and that the system gives to nobody who asks for any: tests beside this one do all the time.
fn free_port() -> u16 {
    let first = 20_000 + std::process::id() % 8_000;
    let mut ports = (first..30_000).filter_map(|port| u16::try_from(port).ok());
    ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

#[test]
fn the_example_runs_as_it_stands() {
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "the machine that decides must have curl");
        skipped("readme::the_example_runs_as_it_stands", "curl is not installed");
        return;
    }
    let readme = text("README.md");
    let [example] = blocks(&readme, "sh example")[..] else { panic!("one example") };
    assert!(example.contains("8123"));
    let home = Home::new();
    // A reader's `set -e` is their eyes; a port of our own, because tests run side by side.
    let script = format!("set -eu\ntrap 'kill $!' EXIT\n{}", example.replace("8123", &free_port().to_string()));
    let path = format!("{}:{}", Path::new(BINARY).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("timeout")
        .args(["300", "sh", "-c", &script])
        .env_clear()
        .envs([
            ("PATH", path.as_str()),
            ("HOME", home.path().to_str().unwrap()),
            ("TMPDIR", home.path().to_str().unwrap()),
        ])
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for words in ["\"id\":\"gap-1\"", "branch        patchwork/", " server.py | 2 +-", "Patchwork-Report: gap-1"] {
        assert!(said.contains(words), "{words}\n{said}\n{complained}");
    }
}

#[test]
fn settings_in_the_manual_are_settings() {
    let readme = text("README.md");
    let shown = blocks(&readme, "toml");
    assert!(!shown.is_empty());
    for settings in shown {
        let home = Home::new();
        home.configure(settings);
        assert_eq!(home.run(&["config", "check"]).code, Some(0), "{settings}");
    }
}

#[test]
fn every_command_that_a_manual_names_exists() {
    let home = Home::new();
    let mut named = BTreeSet::new();
    for manual in MANUALS {
        let text = text(manual);
        // In code only: "`patchwork list", or at the beginning of a line of a block.
        for start in ["`patchwork ", "\npatchwork ", "| patchwork ", "&& patchwork "] {
            for (at, _) in text.match_indices(start) {
                let word: String = text[at + start.len()..].chars().take_while(char::is_ascii_lowercase).collect();
                if !word.is_empty() {
                    named.insert(word);
                }
            }
        }
    }
    assert!(named.len() >= 10, "{named:?}");
    for command in named {
        assert_eq!(home.run(&[&command, "--help"]).code, Some(0), "`patchwork {command}` is not there");
    }
}

#[test]
fn links_lead_somewhere() {
    for manual in MANUALS {
        let text = text(manual);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http") && !link.starts_with('#')) {
            let target: PathBuf = root().join(manual).parent().unwrap().join(link.split('#').next().unwrap());
            assert!(target.exists(), "{manual}: {link}");
        }
    }
}

#[test]
fn the_table_of_keys_is_the_keymap() {
    let readme = text("README.md");
    let (_, rest) = readme.split_once("<!-- keys -->").unwrap();
    let (table, _) = rest.split_once("<!-- /keys -->").unwrap();
    let keymap = Keymap::new(&BTreeMap::new()).unwrap();
    assert_eq!(table.trim(), keymap.markdown().trim(), "copy the right side between the markers in README.md");
}
