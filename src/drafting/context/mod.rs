//! The context stage: which files of the repository a drafter gets to see, and why.
//!
//! ```text
//! report + notes ─▶ query ─▶ index (one pass over all files) ─▶ rank (BM25, tools) ─▶ neighbours ─▶ pack ─▶ Context
//! ```
//!
//! Pure but for the `read` it is handed, so that a ranking can be tested on a map of made-up files. Nothing here is async:
//! the caller runs it on a blocking thread.

mod classify;
mod index;
mod neighbours;
mod pack;
mod query;
mod rank;
#[cfg(test)]
mod tests;
mod tree;
mod words;

pub(super) use index::Read;

use super::job::Previous;
use crate::domain::change::{Existing, RepoPath};
use crate::protocol::read::{Detail, RankedFile};
use std::collections::HashMap;

/// Most files named in a ranking; the tail of a large repository interests nobody.
const MAX_RANKED: usize = 60;
/// Lines of the drawn tree.
const MAX_TREE_LINES: usize = 160;
/// The part of the budget that the tree may take.
const TREE_SHARE: usize = 8;

/// A file's text as the brief shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) path: RepoPath,
    /// The file itself, or numbered windows of it.
    pub(super) body: String,
    pub(super) whole: bool,
    /// Lines of the whole file.
    pub(super) lines: usize,
    /// Estimated, its frame included.
    pub(super) tokens: usize,
}

/// A file that matched and is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) path: RepoPath,
    pub(super) why: &'static str,
}

/// What the drafter is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Context {
    /// Best first; the shown ones have tokens.
    pub(super) ranked: Vec<RankedFile>,
    pub(super) excerpts: Vec<Excerpt>,
    /// Best first.
    pub(super) left_out: Vec<LeftOut>,
    pub(super) tree: String,
    /// Files in the repository.
    pub(super) total_files: usize,
}

impl Context {
    /// Estimated tokens of everything that is shown of the repository.
    pub(super) fn tokens(&self) -> usize {
        estimate_tokens(&self.tree) + self.excerpts.iter().map(|e| e.tokens).sum::<usize>()
    }
}

/// Tokens of a text: about 3.5 bytes each in code. A guess that errs on the high side for prose.
pub(super) fn estimate_tokens(text: &str) -> usize {
    (text.len() * 2).div_ceil(7)
}

/// The ranking alone, best first, with what each file takes of the budget: for measuring how well files are found.
pub fn choose_files(
    paths: &[RepoPath],
    read: &(dyn Fn(&RepoPath) -> Existing + Sync),
    report: &Detail,
    budget: usize,
) -> Vec<RankedFile> {
    choose(paths, read, report, None, budget).ranked
}

/// Chooses and packs files for a report into `budget` estimated tokens.
pub(super) fn choose(
    paths: &[RepoPath],
    read: Read<'_>,
    report: &Detail,
    previous: Option<&Previous>,
    budget: usize,
) -> Context {
    let query = query::Query::new(report, previous);
    let stats = index::index(paths, read, &query);
    let mut scored = rank::score(paths, &stats, &query);
    rank::sort(&mut scored, paths);
    neighbours::lift(&mut scored, paths, read);
    rank::sort(&mut scored, paths);
    let best: Vec<&RepoPath> = scored.iter().take(MAX_RANKED).map(|s| &paths[s.at]).collect();
    let tree = tree_within(paths, &best, budget / TREE_SHARE);
    let packed = pack::pack(&scored, paths, read, &query, budget.saturating_sub(estimate_tokens(&tree)));
    let tokens: HashMap<&RepoPath, usize> = packed.excerpts.iter().map(|e| (&e.path, e.tokens)).collect();
    let ranked = scored
        .iter()
        .filter(|s| s.score.is_finite())
        .take(MAX_RANKED)
        .map(|s| RankedFile {
            path: paths[s.at].as_str().to_owned(),
            score: (s.score * 100.0).round() / 100.0,
            reasons: s.reasons(),
            tokens: tokens.get(&paths[s.at]).copied().unwrap_or(0),
        })
        .collect();
    Context { ranked, excerpts: packed.excerpts, left_out: packed.left_out, tree, total_files: paths.len() }
}

/// The largest drawing that fits: long names can make few lines expensive.
fn tree_within(paths: &[RepoPath], best: &[&RepoPath], budget: usize) -> String {
    let mut lines = MAX_TREE_LINES;
    loop {
        let drawn = tree::draw(paths, best, lines);
        if estimate_tokens(&drawn) <= budget {
            return drawn;
        }
        if lines == 0 {
            return format!("[the tree of {} files does not fit in the budget]\n", paths.len());
        }
        lines /= 2;
    }
}
