//! Spends the token budget: small files whole, large ones as numbered windows around what matched.
//!
//! Nothing is cut in silence. A window says which lines are missing around it, a line that is too long says by how
//! much, and a file that found no room is named with the reason.

use super::index::Read;
use super::query::Query;
use super::rank::Scored;
use super::{Excerpt, LeftOut, estimate_tokens, words};
use crate::domain::change::{Existing, RepoPath};
use std::fmt::Write;

/// Tokens of a file's own frame in the brief, besides its path.
const FRAME: usize = 24;
/// Below this an excerpt is not worth its frame.
const MIN_EXCERPT: usize = 150;
/// Most files shown; more of them would be read by nobody.
const MAX_FILES: usize = 40;
/// A file whose score is below this part of the best one's is not shown.
const WEAK: f64 = 0.03;
/// Lines shown around a match, and from the top of a file (its imports).
const AROUND: usize = 15;
const HEAD: usize = 12;
/// Longest line shown in a window, in bytes.
const MAX_LINE: usize = 600;

/// What was chosen, in rank order, and what was not.
pub(super) struct Packed {
    pub(super) excerpts: Vec<Excerpt>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Fills `budget` tokens from the best file down.
pub(super) fn pack(scored: &[Scored], paths: &[RepoPath], read: Read<'_>, query: &Query, budget: usize) -> Packed {
    let mut packed = Packed { excerpts: Vec::new(), left_out: Vec::new() };
    let best = scored.first().map_or(0.0, |s| s.score);
    let mut left = budget;
    for one in scored {
        let path = &paths[one.at];
        let refused = if one.score < best * WEAK {
            Err("its match is weak")
        } else if packed.excerpts.len() >= MAX_FILES {
            Err("enough files are shown")
        } else {
            excerpt(path, read, query, left, budget)
        };
        match refused {
            Ok(excerpt) => {
                left -= excerpt.tokens.min(left);
                packed.excerpts.push(excerpt);
            }
            Err(why) => packed.left_out.push(LeftOut { path: path.clone(), why }),
        }
    }
    packed
}

fn excerpt(
    path: &RepoPath,
    read: Read<'_>,
    query: &Query,
    left: usize,
    budget: usize,
) -> Result<Excerpt, &'static str> {
    let text = match read(path) {
        Existing::Text(text) => text,
        Existing::Opaque(why) => return Err(why),
        Existing::Missing => return Err("it is gone"),
    };
    let frame = FRAME + estimate_tokens(path.as_str());
    let lines = text.lines().count();
    let whole = estimate_tokens(&text) + frame;
    // One file may take a large part of the budget, never all of it.
    if whole <= left.min(budget / 4) {
        return Ok(Excerpt { path: path.clone(), body: text, whole: true, lines, tokens: whole });
    }
    let room = left.min(budget / 6).saturating_sub(frame);
    if room < MIN_EXCERPT {
        return Err("no room was left");
    }
    let body = windows(&text, query, room);
    let tokens = estimate_tokens(&body) + frame;
    Ok(Excerpt { path: path.clone(), body, whole: false, lines, tokens })
}

/// The best lines with those around them, numbered, in at most `room` tokens.
fn windows(text: &str, query: &Query, room: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut shown = vec![false; lines.len()];
    // Two tokens for the number and one for rounding; a gap line for the worst case of every window.
    let cost = |at: usize| estimate_tokens(&clip(lines[at])) + 3;
    let gap = estimate_tokens(&gap_line(usize::MAX, usize::MAX));
    let mut left = room.saturating_sub(2 * gap);
    for centre in centres(&lines, query) {
        let (from, to) = match centre {
            Centre::Top => (0, HEAD),
            Centre::Line(at) => (at.saturating_sub(AROUND), at + AROUND + 1),
        };
        let new: Vec<usize> = (from..to.min(lines.len())).filter(|at| !shown[*at]).collect();
        let price: usize = new.iter().map(|at| cost(*at)).sum::<usize>() + gap;
        if price > left {
            continue;
        }
        left -= price;
        for at in new {
            shown[at] = true;
        }
    }
    render(&lines, &shown)
}

enum Centre {
    Top,
    Line(usize),
}

/// Where windows are worth opening, best first. The best match goes before the imports: it matters more when room is short.
fn centres(lines: &[&str], query: &Query) -> Vec<Centre> {
    let mut scored: Vec<(f64, usize)> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| (line_score(line, query), at))
        .filter(|(score, _)| *score > 0.0)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut centres: Vec<Centre> = scored.into_iter().map(|(_, at)| Centre::Line(at)).collect();
    let second = centres.len().min(1);
    centres.insert(second, Centre::Top);
    centres
}

fn line_score(line: &str, query: &Query) -> f64 {
    let line = &line[..line.floor_char_boundary(MAX_LINE)];
    let mut score = 0.0;
    for (_, word) in words::identifiers(line) {
        let hit = query.look_up(word);
        score += hit.terms.iter().map(|t| query.terms[usize::from(*t)].weight).sum::<f64>();
        score += if hit.tool.is_some() { 10.0 } else { 0.0 };
    }
    score
}

fn render(lines: &[&str], shown: &[bool]) -> String {
    let mut out = String::new();
    let mut at = 0;
    while at < lines.len() {
        if shown[at] {
            // Writing to a String can't fail.
            let _ = writeln!(out, "{:>5}| {}", at + 1, clip(lines[at]));
            at += 1;
        } else {
            let end = (at..lines.len()).find(|i| shown[*i]).unwrap_or(lines.len());
            out.push_str(&gap_line(at + 1, end));
            at = end;
        }
    }
    out
}

fn gap_line(from: usize, to: usize) -> String {
    format!("     [lines {from} to {to} are not shown]\n")
}

fn clip(line: &str) -> String {
    let kept = &line[..line.floor_char_boundary(MAX_LINE)];
    if kept.len() == line.len() {
        return line.to_owned();
    }
    format!("{kept} [{} more bytes of this line are not shown]", line.len() - kept.len())
}
