//! The drop-ins' copies of the texts that agents read: each equals `assets/feedback-tool.json`, character for character.
//!
//! The texts are versioned and their version travels with each report, so a copy that drifted would make reports of
//! one version that were answers to different words.

use std::path::{Path, PathBuf};

const BEGIN: &str = "BEGIN feedback-tool.json";
const END: &str = "END feedback-tool.json";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn texts() -> String {
    std::fs::read_to_string(repository().join("assets/feedback-tool.json")).unwrap()
}

/// The source files of one language's directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|end| ["py", "ts", "go", "rs"].iter().any(|e| end == *e)))
        .collect()
}

/// What stands between the two comments, from its first brace to its last; `None` without the comments.
fn copy(source: &str) -> Option<String> {
    let block = source.split_once(BEGIN)?.1.split_once(END)?.0;
    let json = &block[block.find('{')?..=block.rfind('}')?];
    // A Go raw string can't hold a backtick, so each stands in a string of its own there.
    Some(json.replace("` + \"`\" + `", "`"))
}

#[test]
fn every_drop_in_has_the_texts_of_the_assets() {
    let texts = texts();
    let mut checked = Vec::new();
    for language in std::fs::read_dir(repository().join("drop-ins")).unwrap() {
        let directory = language.unwrap().path();
        if !directory.is_dir() || directory.ends_with("__pycache__") {
            continue;
        }
        let copies: Vec<_> =
            sources(&directory).iter().filter_map(|file| copy(&std::fs::read_to_string(file).unwrap())).collect();
        let name = directory.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(copies.len(), 1, "{name}: one file holds the texts");
        assert_eq!(copies[0], texts.trim(), "{name}: the copy differs from assets/feedback-tool.json");
        checked.push(name);
    }
    checked.sort();
    assert_eq!(checked, ["go", "python", "rust", "typescript"]);
}

#[test]
fn a_copy_that_drifted_is_seen() {
    let source = |texts: &str| format!("// {BEGIN}\nconst TEXTS = {texts};\n// {END}\n");
    let texts = texts();
    let drifted = texts.trim().replacen("Tell this", "Tell the", 1);
    assert_ne!(drifted, texts.trim());
    assert_eq!(copy(&source(texts.trim())).as_deref(), Some(texts.trim()));
    assert_eq!(copy(&source(&drifted)), Some(drifted));
    assert_eq!(copy(&texts), None, "without the comments there is no copy");
}
