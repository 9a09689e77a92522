//! What two changes of one text make of it, without the text: a hunk holds the lines it replaces, so where the hunks of either are, the
//! text is known; and where none is, both leave it as it was.
//!
//! The hunks come out of a database and may say anything. What contradicts itself is no text that both were made from, and is
//! compared line by line ([`changed_lines`]). Time and memory grow with the hunks, whatever stands in them.

use super::{Hunk, Line, LineKind, Span};
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};
use std::collections::HashMap;

/// Lines around a change, as git's diffs have them.
const CONTEXT: usize = 3;

/// Lines of two pieces of text from which on what lies between the first and the last difference is taken as a whole.
const MANY: usize = 200_000;
/// No file has more lines.
const LAST: usize = u32::MAX as usize;

/// A line of a text, and whether it ends in a line break.
type Row<'a> = (&'a str, bool);

/// A piece of the text that hunks of at least one of the changes speak about, with nothing unknown in it.
struct Stretch<'a> {
    /// Index of its first line before either change.
    start: usize,
    lines: usize,
    section: &'a str,
    /// What each makes of it.
    earlier: Vec<Row<'a>>,
    later: Vec<Row<'a>>,
}

/// The hunks that make one result of the other; `None`: the two were not made from the same text.
pub(super) fn between(earlier: &[Hunk], later: &[Hunk]) -> Option<Vec<Hunk>> {
    let mut hunks = Vec::new();
    // How many lines the results are ahead of the text before.
    let (mut old_shift, mut new_shift) = (0_isize, 0_isize);
    for stretch in stretches(earlier, later)? {
        let old = stretch.start.checked_add_signed(old_shift)?;
        let new = stretch.start.checked_add_signed(new_shift)?;
        hunks.extend(compared(&stretch.earlier, &stretch.later, (old, new), stretch.section));
        old_shift += isize::try_from(stretch.earlier.len()).ok()? - isize::try_from(stretch.lines).ok()?;
        new_shift += isize::try_from(stretch.later.len()).ok()? - isize::try_from(stretch.lines).ok()?;
    }
    Some(hunks)
}

/// The lines that two changes add and remove, as they stand in their diffs, compared with each other.
pub(super) fn changed_lines(earlier: &[Hunk], later: &[Hunk]) -> Vec<Hunk> {
    let signed = |hunks: &[Hunk]| -> Vec<(String, bool)> {
        let changed = hunks.iter().flat_map(Hunk::lines).filter(|line| line.kind != LineKind::Context);
        changed.map(|line| (format!("{}{}", sign(line.kind), line.text), line.ends)).collect()
    };
    let (old, new) = (signed(earlier), signed(later));
    compared(&rows(&old), &rows(&new), (0, 0), "")
}

fn rows(lines: &[(String, bool)]) -> Vec<Row<'_>> {
    lines.iter().map(|(text, ends)| (text.as_str(), *ends)).collect()
}

fn sign(kind: LineKind) -> char {
    match kind {
        LineKind::Context => ' ',
        LineKind::Removed => '-',
        LineKind::Added => '+',
    }
}

fn stretches<'a>(earlier: &'a [Hunk], later: &'a [Hunk]) -> Option<Vec<Stretch<'a>>> {
    if !in_order(earlier) || !in_order(later) {
        return None;
    }
    let (mut rest, mut other) = (earlier, later);
    let mut stretches = Vec::new();
    while let Some(start) = [rest, other].iter().filter_map(|hunks| hunks.first()).map(|h| h.before.first()).min() {
        let (mut end, mut mine, mut theirs) = (start, 0, 0);
        loop {
            let next = |hunks: &[Hunk], taken: usize| {
                hunks.get(taken).filter(|h| h.before.first() <= end).map(|h| h.before.first() + h.before.lines)
            };
            // In order, each hunk ends behind the one before it of its own side.
            if let Some(to) = next(rest, mine) {
                (mine, end) = (mine + 1, end.max(to));
            } else if let Some(to) = next(other, theirs) {
                (theirs, end) = (theirs + 1, end.max(to));
            } else {
                break;
            }
        }
        let (here, there);
        (here, rest) = rest.split_at(mine);
        (there, other) = other.split_at(theirs);
        stretches.push(Stretch::of(start, end, here, there)?);
    }
    Some(stretches)
}

/// Whether each begins where the one before ends, or behind, at a line that a file can have.
fn in_order(hunks: &[Hunk]) -> bool {
    let mut at = 0;
    hunks.iter().all(|hunk| {
        let begins = hunk.before.first() >= at;
        at = hunk.before.first().saturating_add(hunk.before.lines);
        begins && at <= LAST
    })
}

impl<'a> Stretch<'a> {
    fn of(start: usize, end: usize, earlier: &'a [Hunk], later: &'a [Hunk]) -> Option<Self> {
        // As long as the hunks themselves: they leave no gap.
        let mut text: Vec<Option<Row<'a>>> = vec![None; end - start];
        for hunk in earlier.iter().chain(later) {
            let before = hunk.lines().filter(|line| line.kind != LineKind::Added);
            for (line, place) in before.zip(text.get_mut(hunk.before.first() - start..)?) {
                let row = (line.text, line.ends);
                if *place.get_or_insert(row) != row {
                    return None;
                }
            }
        }
        let text: Vec<Row<'a>> = text.into_iter().collect::<Option<_>>()?;
        let of = |hunks: &'a [Hunk]| hunks.first().filter(|hunk| hunk.before.first() == start);
        let section = of(later).or_else(|| of(earlier)).map_or("", |hunk| hunk.section.as_str());
        let (earlier, later) = (after(&text, start, earlier)?, after(&text, start, later)?);
        Some(Self { start, lines: end - start, section, earlier, later })
    }
}

/// What hunks make of a piece of text that begins at `start`.
fn after<'a>(text: &[Row<'a>], start: usize, hunks: &'a [Hunk]) -> Option<Vec<Row<'a>>> {
    let mut made = Vec::with_capacity(text.len());
    let mut at = 0;
    for hunk in hunks {
        let begin = hunk.before.first() - start;
        made.extend_from_slice(text.get(at..begin)?);
        made.extend(hunk.lines().filter(|l| l.kind != LineKind::Removed).map(|Line { text, ends, .. }| (text, ends)));
        at = begin + hunk.before.lines;
    }
    made.extend_from_slice(text.get(at..)?);
    Some(made)
}

/// The hunks between two pieces of text, whose first lines have these indexes.
fn compared(old: &[Row<'_>], new: &[Row<'_>], (old_at, new_at): (usize, usize), section: &str) -> Vec<Hunk> {
    let (old_ids, new_ids) = numbered(old, new);
    let ops = operations(&old_ids, &new_ids);
    if ops.iter().all(|op| op.tag() == DiffTag::Equal) {
        return Vec::new();
    }
    let hunk = |ops: &Vec<DiffOp>| {
        let (first, last) = ops.first().zip(ops.last())?;
        let span = |from: usize, to: usize, at: usize| Span {
            start: if from == to { at + from } else { at + from + 1 },
            lines: to - from,
        };
        let mut body = String::new();
        for op in ops {
            let removed = if op.tag() == DiffTag::Equal { 0..0 } else { op.old_range() };
            put(&mut body, '-', &old[removed]);
            put(&mut body, if op.tag() == DiffTag::Equal { ' ' } else { '+' }, &new[op.new_range()]);
        }
        let from = first.old_range().start;
        Some(Hunk {
            before: span(from, last.old_range().end, old_at),
            after: span(first.new_range().start, last.new_range().end, new_at),
            // Of a hunk further down it would perhaps be the wrong one.
            section: if from == 0 { section.to_owned() } else { String::new() },
            body,
        })
    };
    group_diff_ops(ops, CONTEXT).iter().filter_map(hunk).collect()
}

/// What makes the new lines of the old ones. Difficult texts get a longer answer, not more time.
fn operations(old: &[u32], new: &[u32]) -> Vec<DiffOp> {
    if old.len() + new.len() <= MANY {
        // With limits of its own that depend on the size, as git's.
        return capture_diff_slices(Algorithm::Myers, old, new);
    }
    let common = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[common..], &new[common..]);
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_len, new_len) = (old_rest.len() - end, new_rest.len() - end);
    let equal = |old_index, new_index, len| DiffOp::Equal { old_index, new_index, len };
    let mut ops = vec![equal(0, 0, common)];
    if old_len + new_len > 0 {
        ops.push(DiffOp::Replace { old_index: common, old_len, new_index: common, new_len });
    }
    ops.push(equal(common + old_len, common + new_len, end));
    ops.retain(|op| !op.old_range().is_empty() || !op.new_range().is_empty());
    ops
}

/// A number for each line, the same for the same lines: a line can be a megabyte, and is compared many times.
fn numbered<'a>(old: &[Row<'a>], new: &[Row<'a>]) -> (Vec<u32>, Vec<u32>) {
    let mut known: HashMap<Row<'a>, u32> = HashMap::new();
    let mut number = |row: &Row<'a>| {
        let next = known.len() as u32;
        *known.entry(*row).or_insert(next)
    };
    (old.iter().map(&mut number).collect(), new.iter().map(&mut number).collect())
}

fn put(body: &mut String, sign: char, rows: &[Row<'_>]) {
    for (text, ends) in rows {
        body.push(sign);
        body.push_str(text);
        body.push_str(if *ends { "\n" } else { "\n\\ No newline at end of file\n" });
    }
}
