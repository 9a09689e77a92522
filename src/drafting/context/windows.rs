//! Parts of files as numbered lines. Nothing is cut in silence: a gap says which lines are missing, a line that is too long says
//! by how much.

use super::query::Query;
use super::{estimate_tokens, symbols, tokens_of, words};
use std::collections::HashMap;
use std::fmt::Write;

/// Lines shown around a match, and from the top of a file (its imports).
const AROUND: usize = 15;
const HEAD: usize = 12;
/// How far up a window reaches for the beginning of what its match stands in.
const MAX_UP: usize = 40;
/// Longest line shown, in bytes.
const MAX_LINE: usize = 600;
/// The part of a file's room that its outline may take: definitions outside of all windows, a line each.
const OUTLINE_SHARE: usize = 6;
/// Most matches that windows are opened around; a room is full long before.
const MAX_CENTRES: usize = 1_000;
/// What a tool's name in a line is worth, beside words.
const TOOL: f64 = 10.0;

/// How much each term of the query says in this repository, in the order of the query's terms.
pub(super) type Weights<'a> = &'a [f64];

/// Numbered lines, and which they are, from 1.
pub(in crate::drafting) struct Numbered {
    pub(in crate::drafting) body: String,
    /// First and last, in order.
    pub(in crate::drafting) ranges: Vec<(usize, usize)>,
}

/// The best lines with those around them, and an outline of the rest, in at most `room` tokens.
pub(super) fn around_matches(text: &str, query: &Query, weights: Weights<'_>, room: usize) -> Numbered {
    let lines: Vec<&str> = text.lines().collect();
    let mut choice = Choice::new(&lines, room);
    let outline = room / OUTLINE_SHARE;
    choice.left = choice.left.saturating_sub(outline);
    for centre in centres(&lines, query, weights) {
        match centre {
            Centre::Top => choice.take(0, HEAD),
            Centre::Line(at) if choice.shown[at] => {}
            Centre::Line(at) => choice.take(beginning(&lines, at), at + AROUND + 1),
        }
    }
    choice.left += outline;
    for at in (0..lines.len()).filter(|at| symbols::defined(lines[*at]).is_some()) {
        if !choice.shown[at] {
            choice.take(at, at + 1);
        }
    }
    render(&lines, &choice.shown)
}

/// Lines `from` to `to`, counted from 1, as many as fit; at least one.
pub(in crate::drafting) fn range(text: &str, from: usize, to: usize, room: usize) -> Numbered {
    let lines: Vec<&str> = text.lines().collect();
    let mut choice = Choice::new(&lines, room);
    let first = from.saturating_sub(1).min(lines.len().saturating_sub(1));
    for at in first..to.min(lines.len()) {
        let price = choice.cost(at);
        if price > choice.left && at > first {
            break;
        }
        choice.left = choice.left.saturating_sub(price);
        choice.shown[at] = true;
    }
    render(&lines, &choice.shown)
}

/// Which lines to show, and what is left to pay for more.
struct Choice<'a> {
    lines: &'a [&'a str],
    shown: Vec<bool>,
    left: usize,
    /// A gap line, at its longest.
    gap: usize,
}

impl<'a> Choice<'a> {
    fn new(lines: &'a [&'a str], room: usize) -> Self {
        let gap = estimate_tokens(&gap_line(999_999, 999_999));
        // One gap at the end; every window pays for the one before it.
        Self { lines, shown: vec![false; lines.len()], left: room.saturating_sub(2 * gap), gap }
    }

    fn cost(&self, at: usize) -> usize {
        let bytes = self.lines[at].len();
        // The number and its bar, and what is said of a line that is cut.
        tokens_of(if bytes <= MAX_LINE { bytes + 8 } else { MAX_LINE + 64 })
    }

    /// Shows these lines when all of them fit.
    fn take(&mut self, from: usize, to: usize) {
        let new: Vec<usize> = (from..to.min(self.lines.len())).filter(|at| !self.shown[*at]).collect();
        let price = new.iter().map(|at| self.cost(*at)).sum::<usize>() + self.gap;
        if price <= self.left {
            self.left -= price;
            for at in new {
                self.shown[at] = true;
            }
        }
    }
}

enum Centre {
    Top,
    Line(usize),
}

/// Where windows are worth opening, best first. The best match goes before the imports: it matters more when room is short.
fn centres(lines: &[&str], query: &Query, weights: Weights<'_>) -> Vec<Centre> {
    let mut worth = HashMap::new();
    let mut scored: Vec<(f64, usize)> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let mut score = 0.0;
        for (_, word) in words::identifiers(&line[..line.floor_char_boundary(MAX_LINE)]) {
            score += *worth.entry(word).or_insert_with(|| {
                let hit = query.look_up(word);
                let terms: f64 = hit.terms.iter().map(|t| weights[usize::from(*t)]).sum();
                terms + if hit.tool.is_some() { TOOL } else { 0.0 }
            });
        }
        if score > 0.0 {
            // A definition is where a change begins; a use of the same words comes after it.
            scored.push((if symbols::defined(line).is_some() { score * 1.5 } else { score }, at));
        }
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut centres: Vec<Centre> = scored.into_iter().take(MAX_CENTRES).map(|(_, at)| Centre::Line(at)).collect();
    let second = centres.len().min(1);
    centres.insert(second, Centre::Top);
    centres
}

/// Where the window of a match begins: at the definition it stands in, if that is near, and else some lines above.
fn beginning(lines: &[&str], at: usize) -> usize {
    let near = at.saturating_sub(AROUND);
    let definition = (at.saturating_sub(MAX_UP)..=at).rev().find(|up| symbols::defined(lines[*up]).is_some());
    // Decorators and comments stand above a definition.
    definition.map_or(near, |up| up.saturating_sub(3).min(near))
}

fn render(lines: &[&str], shown: &[bool]) -> Numbered {
    let mut numbered = Numbered { body: String::new(), ranges: Vec::new() };
    let mut at = 0;
    while at < lines.len() {
        let is_shown = shown[at];
        let end = (at..lines.len()).find(|i| shown[*i] != is_shown).unwrap_or(lines.len());
        if is_shown {
            numbered.ranges.push((at + 1, end));
            for (line, number) in lines[at..end].iter().zip(at + 1..) {
                // Writing to a String can't fail.
                let _ = writeln!(numbered.body, "{number:>5}| {}", clip(line));
            }
        } else {
            numbered.body.push_str(&gap_line(at + 1, end));
        }
        at = end;
    }
    numbered
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
