//! The shape of the repository in a bounded number of lines: directories that matter are opened, the others are counted.

use crate::domain::change::RepoPath;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Most files listed in one open directory.
const MAX_FILES_LISTED: usize = 30;

#[derive(Default)]
struct Directory {
    directories: BTreeMap<String, Directory>,
    files: Vec<String>,
    /// Files here and below.
    count: usize,
    /// Best place in the ranking of any file below; lower is better.
    best: Option<usize>,
    open: bool,
}

/// Draws at most about `max_lines` lines. `ranked` are the best files first; their directories are opened first.
pub(super) fn draw(paths: &[RepoPath], ranked: &[&RepoPath], max_lines: usize) -> String {
    let places: BTreeMap<&RepoPath, usize> = ranked.iter().enumerate().map(|(i, p)| (*p, i)).collect();
    let mut root = Directory::default();
    for path in paths {
        root.insert(path.as_str(), places.get(path).copied());
    }
    root.open_best(max_lines);
    let mut out = String::new();
    root.draw(0, &mut out);
    out
}

impl Directory {
    fn insert(&mut self, rest: &str, place: Option<usize>) {
        self.count += 1;
        self.best = match (self.best, place) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        match rest.split_once('/') {
            Some((name, rest)) => self.directories.entry(name.to_owned()).or_default().insert(rest, place),
            None => self.files.push(rest.to_owned()),
        }
    }

    /// Lines that opening this directory adds.
    fn cost(&self) -> usize {
        self.directories.len() + self.files.len().min(MAX_FILES_LISTED + 1)
    }

    /// Opens directories, those of the best files first and then the shallow ones, while there are lines left.
    fn open_best(&mut self, max_lines: usize) {
        let mut left = max_lines;
        let mut queue = BinaryHeap::from([Reverse((0, 0, Vec::<String>::new()))]);
        while let Some(Reverse((_, depth, path))) = queue.pop() {
            let Some(directory) = self.at(&path) else { continue };
            let cost = directory.cost();
            // The root is always open: without it nothing is shown.
            if cost > left && !path.is_empty() {
                continue;
            }
            left = left.saturating_sub(cost);
            directory.open = true;
            for (name, below) in &directory.directories {
                let mut path = path.clone();
                path.push(name.clone());
                queue.push(Reverse((below.best.unwrap_or(usize::MAX), depth + 1, path)));
            }
        }
    }

    fn at(&mut self, path: &[String]) -> Option<&mut Self> {
        path.iter().try_fold(self, |directory, name| directory.directories.get_mut(name))
    }

    fn draw(&self, depth: usize, out: &mut String) {
        let indent = "  ".repeat(depth);
        for (name, directory) in &self.directories {
            let files = if directory.count == 1 { "file" } else { "files" };
            out.extend([&indent, name, "/ (", &directory.count.to_string(), " ", files, ")\n"]);
            if directory.open {
                directory.draw(depth + 1, out);
            }
        }
        for name in self.files.iter().take(MAX_FILES_LISTED) {
            out.extend([&indent, name, "\n"]);
        }
        if self.files.len() > MAX_FILES_LISTED {
            let more = (self.files.len() - MAX_FILES_LISTED).to_string();
            out.extend([&indent, "[", &more, " more files]\n"]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(raw: impl IntoIterator<Item = String>) -> Vec<RepoPath> {
        raw.into_iter().map(|p| RepoPath::parse(p).unwrap()).collect()
    }

    #[test]
    fn a_small_repository_is_shown_in_full() {
        let all = paths(["src/a.py", "src/b/c.py", "README.md"].map(String::from));
        assert_eq!(draw(&all, &[], 100), "src/ (2 files)\n  b/ (1 file)\n    c.py\n  a.py\nREADME.md\n");
    }

    #[test]
    fn a_large_one_is_counted_where_it_does_not_matter() {
        let mut raw: Vec<String> = (0..5_000).map(|i| format!("vendor/p{}/f{i}.go", i % 500)).collect();
        raw.push("internal/tools/deep/costs.go".into());
        let all = paths(raw);
        let best = RepoPath::parse("internal/tools/deep/costs.go").unwrap();
        let tree = draw(&all, &[&best], 60);
        assert!(tree.contains("costs.go"), "{tree}");
        assert!(tree.contains("vendor/ (5000 files)"), "{tree}");
        assert!(tree.lines().count() <= 62, "{tree}");
    }

    #[test]
    fn files_beyond_the_cap_are_counted() {
        let all = paths((0..40).map(|i| format!("f{i:02}.py")));
        assert!(draw(&all, &[], 10).ends_with("[10 more files]\n"));
    }
}
