//! Lifts what lies near the best files: what they import and what imports them, their tests, the README above them, the project's
//! manifest.
//!
//! A change to a tool usually needs its test and its line in the docs as well, and neither may share a word with the report.

use super::classify::{self, Kind};
use super::index::Found;
use super::rank::Scored;
use super::words;
use crate::domain::change::RepoPath;
use std::collections::{BTreeMap, HashMap};

/// How many of the best source files have neighbours.
const CENTRES: usize = 8;
/// Worth of a neighbour, as a part of its centre's score.
const TEST: f64 = 0.4;
const IMPORTED: f64 = 0.15;
const IMPORTS: f64 = 0.2;
const README: f64 = 0.15;
const MANIFEST: f64 = 0.1;

/// File names that say nothing about what is inside.
const GENERIC: &[&str] =
    &["init", "mod", "index", "main", "lib", "util", "utils", "types", "common", "conftest", "setup"];

/// Adds the neighbours' points. `scored` must be sorted, and is not any more afterwards.
pub(super) fn lift(scored: &mut Vec<Scored>, paths: &[RepoPath], found: &[Found]) {
    let centres: Vec<(usize, f64)> = scored
        .iter()
        .filter(|s| classify::by_path(&paths[s.at]) == Kind::Source)
        .take(CENTRES)
        .map(|s| (s.at, s.score))
        .collect();
    let by_subject = by_subject(paths);
    let mut lifts: BTreeMap<usize, (f64, String)> = BTreeMap::new();
    let mut propose = |at: usize, points: f64, reason: String| {
        let best = lifts.entry(at).or_insert((0.0, String::new()));
        if points > best.0 {
            *best = (points, reason);
        }
    };
    for &(centre, score) in &centres {
        let path = &paths[centre];
        for &at in by_subject.get(&subject(path)).into_iter().flatten().filter(|at| **at != centre) {
            if classify::by_path(&paths[at]) == Kind::Test {
                propose(at, score * TEST, format!("tests {path}"));
            }
        }
        for at in imports(found, centre).filter(|at| classify::by_path(&paths[*at]) == Kind::Source) {
            propose(at, score * IMPORTED, format!("imported by {path}"));
        }
        let importers: Vec<usize> = (0..paths.len())
            .filter(|at| found[*at].text().is_some_and(|s| s.imports.binary_search(&(centre as u32)).is_ok()))
            .filter(|at| classify::by_path(&paths[*at]) == Kind::Source)
            .collect();
        // What everything imports is close to nothing in particular.
        let each = score * IMPORTS / (importers.len().max(1) as f64).sqrt();
        for at in importers {
            propose(at, each, format!("imports {path}"));
        }
    }
    if let Some(&(_, score)) = centres.first() {
        for (at, path) in paths.iter().enumerate() {
            if is_readme_of(path, centres.iter().map(|(c, _)| &paths[*c])) {
                propose(at, score * README, "the README beside the best files".to_owned());
            } else if !path.as_str().contains('/') && classify::by_path(path) == Kind::Manifest {
                propose(at, score * MANIFEST, "the project's manifest".to_owned());
            }
        }
    }
    apply(scored, lifts);
}

fn imports(found: &[Found], at: usize) -> impl Iterator<Item = usize> {
    found[at].text().into_iter().flat_map(|stats| &stats.imports).map(|at| *at as usize)
}

fn apply(scored: &mut Vec<Scored>, mut lifts: BTreeMap<usize, (f64, String)>) {
    for one in scored.iter_mut() {
        if let Some((points, reason)) = lifts.remove(&one.at) {
            one.add(points, || reason);
        }
    }
    for (at, (points, reason)) in lifts {
        scored.push(Scored::only(at, points, reason));
    }
}

/// What a file is about, by its name: `test_search_costs.py`, `searchCosts.spec.ts` and `search_costs.py` are about the same.
fn subject(path: &RepoPath) -> String {
    let name = path.file_name();
    let stem = name.split('.').find(|part| !part.is_empty()).unwrap_or(name);
    let parts = words::parts(stem);
    let kept: Vec<&str> =
        parts.iter().map(String::as_str).filter(|p| !matches!(*p, "test" | "tests" | "spec" | "it")).collect();
    kept.join("_")
}

fn by_subject(paths: &[RepoPath]) -> HashMap<String, Vec<usize>> {
    let mut map: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, path) in paths.iter().enumerate() {
        let subject = subject(path);
        if subject.len() >= 3 && !GENERIC.contains(&subject.as_str()) {
            map.entry(subject).or_default().push(at);
        }
    }
    map
}

fn is_readme_of<'a>(path: &RepoPath, mut centres: impl Iterator<Item = &'a RepoPath>) -> bool {
    let (directory, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
    let is_readme = name.eq_ignore_ascii_case("readme.md") || name.eq_ignore_ascii_case("readme.rst");
    is_readme
        && (directory.is_empty() || centres.any(|c| c.as_str().rsplit_once('/').is_some_and(|(d, _)| d == directory)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_sources_share_a_subject() {
        for path in
            ["src/search_costs.py", "tests/test_search_costs.py", "web/searchCosts.spec.ts", "x/SearchCostsTest.java"]
        {
            assert_eq!(subject(&RepoPath::parse(path).unwrap()), "search_costs", "{path}");
        }
    }
}
