//! Which file an import line means, by names alone: the last part of what is imported is a file's name, and the part before it is
//! that file's directory, or the two files lie close together.
//!
//! No language's own rules are followed, so a line may mean several files or none. That is enough to say what lies near.

use super::words;
use crate::domain::change::RepoPath;
use std::collections::HashMap;

/// Longer lines are no imports.
const MAX_LINE: usize = 400;
/// A name that more files share than this tells nothing.
const MAX_SHARED: usize = 12;

/// File names that say nothing about what is inside: the directory's name stands for them.
const GENERIC: &[&str] = &["init", "mod", "index", "main", "lib"];

/// What the files of a repository are called in import lines.
pub(super) struct Names<'a> {
    paths: &'a [RepoPath],
    by_name: HashMap<String, Vec<u32>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(paths: &'a [RepoPath]) -> Self {
        let mut by_name: HashMap<String, Vec<u32>> = HashMap::new();
        for (at, path) in paths.iter().enumerate() {
            let name = called(path).0;
            if name.len() >= 2 {
                by_name.entry(name).or_default().push(at as u32);
            }
        }
        Self { paths, by_name }
    }

    /// Adds the files that a line of the file at `at` imports.
    pub(super) fn imported(&self, at: usize, line: &str, found: &mut Vec<u32>) {
        if !is_import(line) {
            return;
        }
        // What the parts of a path stand between: in `./tools/costs.tools` that is `/`, in `app.server.auth` the dot.
        let mut before = String::new();
        for token in line.split(|c: char| !(c.is_alphanumeric() || "_-.".contains(c))).filter(|t| !t.is_empty()) {
            let token = token.trim_matches('.');
            let token = [".js", ".ts", ".tsx", ".jsx", ".mjs", ".py", ".h"]
                .iter()
                .find_map(|e| token.strip_suffix(e))
                .unwrap_or(token);
            let whole = words::snake(token);
            self.add(at, &whole, &before, found);
            if token.contains('.') {
                for part in token.split('.').map(words::snake) {
                    self.add(at, &part, &before, found);
                    before = part;
                }
            } else {
                before = whole;
            }
        }
    }

    fn add(&self, from: usize, name: &str, before: &str, found: &mut Vec<u32>) {
        let named = self.by_name.get(name).filter(|named| named.len() <= MAX_SHARED).into_iter().flatten();
        found.extend(named.filter(|to| self.means(from, **to as usize, before)));
    }

    /// Whether a name found behind `before` in the file at `from` can mean the file at `to`.
    fn means(&self, from: usize, to: usize, before: &str) -> bool {
        let (from, to) = (&self.paths[from], &self.paths[to]);
        from != to && (called(to).1 == before || is_near(from, to))
    }
}

/// A file's name in imports, and that of the directory around it.
fn called(path: &RepoPath) -> (String, String) {
    let mut parts = path.as_str().rsplit('/');
    let file = parts.next().unwrap_or_default();
    // `browser.tools.ts` is imported as `browser.tools`.
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let mut name = words::snake(stem);
    if GENERIC.contains(&name.as_str()) {
        name = parts.next().map(words::snake).unwrap_or_default();
    }
    (name, parts.next().map(words::snake).unwrap_or_default())
}

fn is_import(line: &str) -> bool {
    let line = line.trim_start();
    let starts =
        ["import ", "from ", "use ", "pub use ", "mod ", "pub mod ", "#include", "require", "export ", "} from "];
    line.len() < MAX_LINE && (starts.iter().any(|s| line.starts_with(s)) || line.contains("require("))
}

/// Same directory, or one below the other.
fn is_near(a: &RepoPath, b: &RepoPath) -> bool {
    let directory = |p: &'_ RepoPath| p.as_str().rfind('/').map_or(0, |slash| slash + 1);
    let (a, b) = (&a.as_str()[..directory(a)], &b.as_str()[..directory(b)]);
    a.starts_with(b) || b.starts_with(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_many_languages_lead_to_files() {
        let raw = [
            "src/app/server/auth.py",
            "src/app/server/__init__.py",
            "src/app/main.py",
            "web/src/tools/cost-search.tools.ts",
            "web/src/index.ts",
            "other/auth.py",
            "crates/core/src/service/client.rs",
            "crates/core/src/lib.rs",
        ];
        let paths: Vec<RepoPath> = raw.iter().map(|p| RepoPath::parse(*p).unwrap()).collect();
        let names = Names::new(&paths);
        for (from, line, expected) in [
            (2, "from app.server.auth import Login", vec![0]),
            (2, "from app.server import auth", vec![0]),
            (1, "from .auth import Login", vec![0]),
            (4, "import { run } from './tools/cost-search.tools'", vec![3]),
            (7, "pub mod service;", vec![]),
            (7, "use crate::service::client::Client;", vec![6]),
            (5, "x = 1  # from auth", vec![]),
            (0, "import auth", vec![]),
        ] {
            let mut found = Vec::new();
            names.imported(from, line, &mut found);
            found.sort_unstable();
            found.dedup();
            let found: Vec<&str> = found.iter().map(|at| raw[*at as usize]).collect();
            let expected: Vec<&str> = expected.iter().map(|at: &usize| raw[*at]).collect();
            assert!(expected.iter().all(|e| found.contains(e)), "{line}: {found:?}");
            assert!(!found.contains(&raw[from]), "{line}");
        }
    }
}
