//! What kind of file a path is, and how much a match in it is worth.
//!
//! A change is made in source files. Tests and docs are worth reading beside them; copies of other people's code, generated
//! files and lock files match a report by accident and are shown last or never. Files that usually hold secrets never
//! reach a model at all.

use crate::domain::change::RepoPath;
use crate::drafting::protect;

/// The role of a file in its repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Source,
    Test,
    Doc,
    /// Names the project's dependencies and entry points.
    Manifest,
    /// Settings and data: JSON, YAML, CSV, translations.
    Data,
    Generated,
    Vendored,
    /// Never read, because of what may be in it.
    Secret,
    /// Never read: binary by its ending, or a lock file.
    Skipped,
}

impl Kind {
    /// What a score is multiplied with.
    pub(super) fn factor(self) -> f64 {
        match self {
            Self::Source => 1.0,
            Self::Manifest => 0.7,
            Self::Test | Self::Doc => 0.6,
            Self::Data => 0.4,
            Self::Generated => 0.15,
            Self::Vendored => 0.1,
            Self::Secret | Self::Skipped => 0.0,
        }
    }

    /// Whether people write it, and every line may matter.
    pub(super) fn is_written(self) -> bool {
        match self {
            Self::Source | Self::Test | Self::Doc | Self::Manifest => true,
            Self::Data | Self::Generated | Self::Vendored | Self::Secret | Self::Skipped => false,
        }
    }

    /// Whether its lines define and import things.
    pub(super) fn is_code(self) -> bool {
        match self {
            Self::Source | Self::Test => true,
            Self::Doc
            | Self::Manifest
            | Self::Data
            | Self::Generated
            | Self::Vendored
            | Self::Secret
            | Self::Skipped => false,
        }
    }
}

const BINARY: &[&str] = &[
    "7z", "a", "avi", "bin", "bmp", "bz2", "class", "dat", "db", "dll", "doc", "docx", "dylib", "eot", "exe", "flac",
    "gif", "gz", "ico", "icns", "jar", "jpeg", "jpg", "lib", "mov", "mp3", "mp4", "npy", "o", "onnx", "otf", "parquet",
    "pdf", "pkl", "png", "pyc", "rar", "so", "sqlite", "sqlite3", "svg", "tar", "tgz", "tif", "tiff", "ttf", "wasm",
    "wav", "webm", "webp", "whl", "woff", "woff2", "xls", "xlsx", "xz", "zip", "zst",
];
const DATA: &[&str] =
    &["json", "jsonl", "yaml", "yml", "csv", "tsv", "xml", "ini", "po", "pot", "snap", "toml", "plist"];
const DOC: &[&str] = &["md", "mdx", "rst", "txt", "adoc"];
const VENDORED: &[&str] = &[
    "vendor",
    "vendored",
    "node_modules",
    "third_party",
    "thirdparty",
    "external",
    "site-packages",
    "bower_components",
];
/// Our own drop-ins: they speak of reports, tools and gaps, so they match every report, and no change belongs in them.
const DROP_INS: &[&str] =
    &["feedback_tool.py", "feedback-tool.ts", "feedback-tool.js", "feedback_tool.go", "feedback_tool.rs"];
const BUILT: &[&str] = &["dist", "build", "target", "out", "generated", "__generated__", "gen"];
const TESTS: &[&str] = &["test", "tests", "__tests__", "spec", "specs", "testdata", "fixtures", "e2e"];
const MANIFESTS: &[&str] = &[
    "Cargo.toml",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "package.json",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "composer.json",
    "Gemfile",
    "requirements.txt",
    "server.json",
    "manifest.json",
    "Makefile",
];

pub(super) fn by_path(path: &RepoPath) -> Kind {
    let name = path.file_name();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let extension = extension.to_ascii_lowercase();
    if protect::may_hold_secrets(name) {
        return Kind::Secret;
    }
    if BINARY.contains(&extension.as_str()) || protect::is_lock_file(name) {
        return Kind::Skipped;
    }
    let dirs: Vec<&str> = path.as_str().split('/').rev().skip(1).collect();
    let below = |names: &[&str]| dirs.iter().any(|d| names.contains(&d.to_ascii_lowercase().as_str()));
    if below(VENDORED) || DROP_INS.contains(&name) {
        return Kind::Vendored;
    }
    if below(BUILT) || is_generated_name(stem, &extension) {
        return Kind::Generated;
    }
    if MANIFESTS.contains(&name) {
        return Kind::Manifest;
    }
    if below(TESTS) || is_test_name(stem) {
        return Kind::Test;
    }
    if DATA.contains(&extension.as_str()) {
        return Kind::Data;
    }
    let is_doc_name = ["README", "CHANGELOG", "CONTRIBUTING", "LICENSE", "NOTICE"].contains(&stem);
    if DOC.contains(&extension.as_str()) || is_doc_name { Kind::Doc } else { Kind::Source }
}

fn is_generated_name(stem: &str, extension: &str) -> bool {
    let stem = stem.to_ascii_lowercase();
    // `app.min.js`, `api.pb.go`, `model.g.dart`: the mark is a second extension.
    let marked = stem.rsplit_once('.').is_some_and(|(_, mark)| matches!(mark, "min" | "pb" | "g"));
    marked || extension == "map" || ["-min", "_pb2", "_pb2_grpc"].iter().any(|end| stem.ends_with(end))
}

fn is_test_name(stem: &str) -> bool {
    let lower = stem.to_ascii_lowercase();
    lower.starts_with("test_")
        || ["_test", ".test", ".spec", "_spec", "-test", "-spec"].iter().any(|end| lower.ends_with(end))
        || lower == "conftest"
        || (stem.ends_with("Test") || stem.ends_with("Tests"))
}

/// What the beginning of a file says that its path does not: written by a program, or squeezed for machines.
pub(super) fn by_content(kind: Kind, text: &str) -> Kind {
    if !matches!(kind, Kind::Source | Kind::Test | Kind::Data) {
        return kind;
    }
    let head = &text[..text.floor_char_boundary(2_000)];
    let marked = ["@generated", "DO NOT EDIT", "AUTO-GENERATED", "autogenerated", "auto-generated"];
    // In a comment at the top; further down it may be about something else.
    let by = head
        .lines()
        .take(5)
        .any(|line| line.starts_with(['/', '#', '*', '-', ';']) && line.to_lowercase().contains("generated by"));
    if by || marked.iter().any(|m| head.contains(m)) {
        return Kind::Generated;
    }
    let longest_in_head = head.lines().map(str::len).max().unwrap_or(0);
    if text.len() > 5_000 && longest_in_head > 1_000 { Kind::Generated } else { kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_the_kind() {
        for (path, kind) in [
            ("src/server.py", Kind::Source),
            ("tests/test_server.py", Kind::Test),
            ("src/server.test.ts", Kind::Test),
            ("src/ServerTest.java", Kind::Test),
            ("docs/guide.md", Kind::Doc),
            ("README", Kind::Doc),
            ("pyproject.toml", Kind::Manifest),
            ("config/app.yaml", Kind::Data),
            ("web/app.min.js", Kind::Generated),
            ("api/v1_pb2.py", Kind::Generated),
            ("vendor/github.com/x/y.go", Kind::Vendored),
            ("src/billing/feedback_tool.py", Kind::Vendored),
            ("src/feedback_tool_costs.py", Kind::Source),
            ("logo.PNG", Kind::Skipped),
            ("Cargo.lock", Kind::Skipped),
            (".env", Kind::Secret),
            ("deploy/key.pem", Kind::Secret),
        ] {
            assert_eq!(by_path(&RepoPath::parse(path).unwrap()), kind, "{path}");
        }
    }

    #[test]
    fn a_head_can_say_that_nobody_wrote_it() {
        assert_eq!(by_content(Kind::Source, "// Code generated by x. DO NOT EDIT.\n"), Kind::Generated);
        assert_eq!(by_content(Kind::Source, "// Generated by a program by running `it`\n"), Kind::Generated);
        assert_eq!(by_content(Kind::Source, "MESSAGE = 'generated by hand'\n"), Kind::Source);
        assert_eq!(by_content(Kind::Source, &"x".repeat(6_000)), Kind::Generated);
        assert_eq!(by_content(Kind::Source, "fn main() {}\n"), Kind::Source);
        assert_eq!(by_content(Kind::Doc, &"x".repeat(6_000)), Kind::Doc, "prose may have long lines");
    }
}
