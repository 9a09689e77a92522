//! The baseline: files by how many of the text's words are in their paths, rare words counting more, nothing read.

use patchwork::domain::change::RepoPath;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Best first; files without a match are not in it.
pub fn rank<'a>(paths: &'a [RepoPath], text: &str) -> Vec<&'a RepoPath> {
    let wanted = words(text);
    let having: Vec<BTreeSet<String>> = paths.iter().map(|path| words(path.as_str())).collect();
    let mut count: HashMap<&str, usize> = HashMap::new();
    for word in having.iter().flatten() {
        *count.entry(word).or_default() += 1;
    }
    let worth = |word: &String| {
        let files = count.get(word.as_str()).copied().unwrap_or_default();
        (1.0 + paths.len() as f64 / files.max(1) as f64).ln()
    };
    let mut scored: Vec<(f64, &RepoPath)> = having
        .iter()
        .zip(paths)
        .map(|(words, path)| (words.intersection(&wanted).map(worth).sum::<f64>(), path))
        .filter(|(score, path)| *score > 0.0 && !is_noise(path.as_str()))
        .collect();
    // Among equals the shorter path: it says the same with fewer words.
    scored.sort_by(|a, b| {
        b.0.total_cmp(&a.0).then_with(|| a.1.as_str().len().cmp(&b.1.as_str().len())).then(a.1.cmp(b.1))
    });
    scored.into_iter().map(|(_, path)| path).collect()
}

/// The files that are shown whole when the budget is spent from the best one down.
pub fn within<'a>(
    ranked: &[&'a RepoPath],
    budget: usize,
    size: impl Fn(&RepoPath) -> Option<usize>,
) -> HashSet<&'a str> {
    let mut left = budget;
    let mut shown = HashSet::new();
    for path in ranked {
        // Three and a half bytes a token, as in the product.
        let Some(tokens) = size(path).map(|bytes| bytes * 2 / 7 + 24) else { continue };
        if tokens <= left {
            left -= tokens;
            shown.insert(path.as_str());
        }
    }
    shown
}

fn is_noise(path: &str) -> bool {
    [".lock", ".png", ".svg", ".snap", ".min.js", ".map"].iter().any(|end| path.ends_with(end))
}

/// Lower-cased parts of names and words, plurals cut.
fn words(text: &str) -> BTreeSet<String> {
    let mut spaced = String::new();
    let mut before = ' ';
    for c in text.chars() {
        if before.is_lowercase() && c.is_uppercase() {
            spaced.push(' ');
        }
        spaced.push(if c.is_alphanumeric() { c } else { ' ' });
        before = c;
    }
    let lower = spaced.to_lowercase();
    let long = lower.split_whitespace().filter(|word| word.len() >= 3);
    long.map(|word| word.strip_suffix('s').unwrap_or(word).to_owned()).collect()
}
