//! A change as one long sheet: an introduction, then file by file, hunk by hunk, row by row.
//!
//! Nothing is laid out before the eye comes near it. A place is a line of a section and a row of that line, so moving costs what is
//! passed and drawing costs what is seen, however long the sheet is.

use super::Change;
use crate::domain::diff::{FileDiff, Line as DiffLine, What};
use crate::tui::widget::rows;
use ratatui::text::Line;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Lines from this length on are counted once, in bytes.
const LONG: usize = 1_000;

/// A row of the sheet. Section 0 is the introduction, the others are files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub section: usize,
    pub line: usize,
    pub row: usize,
}

/// What somebody can drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    File(usize),
    Hunk(usize, usize),
}

/// A line of a file's section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Its name.
    Head,
    /// What happened besides lines: a rename, a mode.
    Remark(u8),
    /// A hunk's first line.
    Hunk(u32),
    /// A line of a hunk, by its place there.
    Code(u32, u32),
    /// What follows is a file's last line without its break.
    NoBreak(u32),
    Gap,
}

/// What a row is of.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind<'a> {
    Intro(&'a Line<'static>),
    Head(&'a FileDiff),
    Remark(String),
    Hunk(String),
    /// The part of the line that this row shows.
    Code(DiffLine<'a>, Range<usize>),
    NoBreak,
    Gap,
}

/// A row that is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown<'a> {
    pub place: Place,
    /// The file and the part of it, where there is one.
    pub file: Option<usize>,
    pub hunk: Option<usize>,
    pub kind: Kind<'a>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Paper {
    intro: Vec<Line<'static>>,
    change: Arc<Change>,
    /// Columns of code.
    width: usize,
    height: usize,
    /// The sections near the eye.
    sections: BTreeMap<usize, Vec<At>>,
    /// Rows of long lines, by section and line: counting them again for every row would be felt.
    long: BTreeMap<(usize, usize), usize>,
    pub cursor: Place,
    pub top: Place,
}

impl Paper {
    pub fn change(&self) -> &Arc<Change> {
        &self.change
    }

    /// Puts a change on the desk; the eye stays where it is as far as that place is still there.
    pub fn lay(&mut self, change: &Arc<Change>, intro: Vec<Line<'static>>, width: usize) {
        if !Arc::ptr_eq(&self.change, change) {
            self.sections.clear();
            self.long.clear();
        }
        // Rows are as long as the sheet is wide: a place further down in a line is another text now.
        if self.width != width {
            (self.cursor.row, self.top.row) = (0, 0);
            self.long.clear();
        }
        (self.change, self.intro, self.width) = (Arc::clone(change), intro, width);
        self.cursor = self.nearest(self.cursor);
        self.top = self.nearest(self.top);
    }

    /// The eye at the beginning.
    pub fn rewind(&mut self) {
        (self.cursor, self.top) = (Place::default(), Place::default());
    }

    fn last_section(&self) -> usize {
        self.change.files.len()
    }

    fn section(&mut self, section: usize) -> &[At] {
        let change = &self.change;
        self.sections
            .entry(section)
            .or_insert_with(|| section.checked_sub(1).map_or_else(Vec::new, |n| lay_out(change, n)))
    }

    fn lines(&mut self, section: usize) -> usize {
        if section == 0 { self.intro.len() } else { self.section(section).len() }
    }

    /// The same place, or the nearest one that there is.
    fn nearest(&mut self, place: Place) -> Place {
        if place.section > self.last_section() {
            return self.end();
        }
        let lines = self.lines(place.section);
        let line = place.line.min(lines.saturating_sub(1));
        let place = Place { line, row: if line == place.line { place.row } else { 0 }, ..place };
        Place { row: place.row.min(self.rows(place).saturating_sub(1)), ..place }
    }

    fn end(&mut self) -> Place {
        let section = self.last_section();
        let line = self.lines(section).saturating_sub(1);
        let place = Place { section, line, row: 0 };
        Place { row: self.rows(place).saturating_sub(1), ..place }
    }

    /// Rows of the line at a place.
    fn rows(&mut self, place: Place) -> usize {
        let width = self.width;
        if place.section == 0 {
            return 1;
        }
        let Some(at) = self.section(place.section).get(place.line).copied() else { return 1 };
        let Some(file) = self.change.files.get(place.section - 1) else { return 1 };
        match at {
            At::Code(hunk, start) => {
                let Some(line) = code(file, hunk, start) else { return 1 };
                if line.text.len() < LONG {
                    return rows::count(line.text, width);
                }
                *self.long.entry((place.section, place.line)).or_insert_with(|| rows::count(line.text, width))
            }
            At::Head | At::Remark(_) | At::Hunk(_) | At::NoBreak(_) | At::Gap => 1,
        }
    }

    fn next(&mut self, place: Place) -> Option<Place> {
        if place.row + 1 < self.rows(place) {
            return Some(Place { row: place.row + 1, ..place });
        }
        if place.line + 1 < self.lines(place.section) {
            return Some(Place { line: place.line + 1, row: 0, ..place });
        }
        // Every file has a line at least.
        (place.section < self.last_section()).then(|| Place { section: place.section + 1, line: 0, row: 0 })
    }

    fn previous(&mut self, place: Place) -> Option<Place> {
        if place.row > 0 {
            return Some(Place { row: place.row - 1, ..place });
        }
        let (section, line) = if let Some(line) = place.line.checked_sub(1) {
            (place.section, line)
        } else {
            let section = place.section.checked_sub(1)?;
            (section, self.lines(section).checked_sub(1)?)
        };
        let place = Place { section, line, row: 0 };
        Some(Place { row: self.rows(place).saturating_sub(1), ..place })
    }

    fn walk(&mut self, from: Place, by: isize) -> Place {
        self.walk_counted(from, by).0
    }

    /// Where one comes to, and in how many steps: fewer than asked for at an end.
    fn walk_counted(&mut self, from: Place, by: isize) -> (Place, usize) {
        let mut place = from;
        for done in 0..by.unsigned_abs() {
            let next = if by > 0 { self.next(place) } else { self.previous(place) };
            match next {
                Some(next) => place = next,
                None => return (place, done),
            }
        }
        (place, by.unsigned_abs())
    }

    pub fn step(&mut self, by: isize) {
        self.cursor = self.walk(self.cursor, by);
    }

    pub fn edge(&mut self, top: bool) {
        self.cursor = if top { Place::default() } else { self.end() };
    }

    /// To the beginning of the next file or, backwards, of this one and then of the one before.
    pub fn step_file(&mut self, forward: bool) {
        let Place { section, line, .. } = self.cursor;
        let section = match forward {
            true => (section + 1).min(self.last_section()),
            false if line > 0 => section,
            false => section.saturating_sub(1),
        };
        if forward && section == self.cursor.section {
            return;
        }
        self.go_to(section);
    }

    pub fn go_to(&mut self, section: usize) {
        let place = Place { section, line: 0, row: 0 };
        (self.cursor, self.top) = (place, place);
    }

    /// To the beginning of the next part, or of the one before; a file without hunks is one.
    pub fn step_part(&mut self, forward: bool) {
        let Place { section, line, row } = self.cursor;
        let mut parts = self.section_parts(section).into_iter();
        let here = if forward {
            parts.find(|at| *at > line)
        } else {
            parts.rfind(|at| *at < line || (*at == line && row > 0))
        };
        let found = match here {
            Some(at) => Some((section, at)),
            None if forward => {
                let mut rest = section + 1..=self.last_section();
                rest.find_map(|s| Some((s, *self.section_parts(s).first()?)))
            }
            None => (0..section).rev().find_map(|s| Some((s, *self.section_parts(s).last()?))),
        };
        if let Some((section, line)) = found {
            self.cursor = Place { section, line, row: 0 };
            self.show_below();
        }
    }

    /// Lines of a section at which parts begin.
    fn section_parts(&mut self, section: usize) -> Vec<usize> {
        if section == 0 {
            return Vec::new();
        }
        let lines = self.section(section);
        let hunks: Vec<usize> =
            lines.iter().enumerate().filter(|(_, at)| matches!(at, At::Hunk(_))).map(|(i, _)| i).collect();
        if hunks.is_empty() && !lines.is_empty() { vec![0] } else { hunks }
    }

    /// Has as much of what follows the cursor in view as there is room for, if the cursor is in the lower half.
    fn show_below(&mut self) {
        let half = isize::try_from(self.height / 2).unwrap_or(0);
        let middle = self.walk(self.top, half);
        if self.cursor > middle {
            // A line of what stands above, for the eye's sake.
            self.top = self.walk(self.cursor, -1);
        }
    }

    /// Brings the cursor into view, and forgets what is far from it.
    pub fn follow(&mut self, height: usize) {
        self.height = height.max(1);
        let reach = isize::try_from(self.height - 1).unwrap_or(isize::MAX);
        // A third of a page at a time, as in the lists: most steps then change two rows of the screen.
        let jump = reach / 3;
        let last = self.walk(self.top, reach);
        if self.cursor < self.top {
            self.top = self.walk(self.cursor, -jump);
        } else if self.cursor > last {
            self.top = self.walk(self.cursor, jump - reach);
        }
        let (last, steps) = self.walk_counted(self.top, reach);
        // No empty rows under the end while there is something above.
        self.top = self.walk(self.top, isize::try_from(steps).unwrap_or(reach) - reach);
        let (from, to) = (self.top.section.saturating_sub(1), last.section + 1);
        self.sections.retain(|section, _| (from..=to).contains(section));
        self.long.retain(|(section, _), _| (from..=to).contains(section));
        for section in from.max(1)..=to.min(self.last_section()) {
            self.section(section);
        }
    }

    /// The part under the cursor.
    pub fn part(&self) -> Option<Part> {
        let file = self.cursor.section.checked_sub(1)?;
        let at = self.sections.get(&self.cursor.section)?.get(self.cursor.line)?;
        Some(match at {
            At::Head | At::Remark(_) | At::Gap => Part::File(file),
            At::Hunk(hunk) | At::Code(hunk, _) | At::NoBreak(hunk) => Part::Hunk(file, *hunk as usize),
        })
    }

    /// The file under the cursor.
    pub fn file(&self) -> Option<usize> {
        self.cursor.section.checked_sub(1).filter(|file| *file < self.change.files.len())
    }

    /// The rows in view.
    pub fn shown(&self, height: usize) -> Vec<Shown<'_>> {
        let mut shown = Vec::with_capacity(height);
        let mut place = self.top;
        while shown.len() < height && place.section <= self.last_section() {
            let lines = if place.section == 0 {
                self.intro.len()
            } else {
                self.sections.get(&place.section).map_or(0, Vec::len)
            };
            if place.line >= lines {
                place = Place { section: place.section + 1, line: 0, row: 0 };
                continue;
            }
            self.show_line(place, height, &mut shown);
            place = Place { line: place.line + 1, row: 0, ..place };
        }
        shown
    }

    fn show_line<'a>(&'a self, place: Place, height: usize, shown: &mut Vec<Shown<'a>>) {
        let one = |kind, file, hunk| Shown { place, file, hunk, kind };
        let Some(number) = place.section.checked_sub(1) else {
            shown.extend(self.intro.get(place.line).map(|line| one(Kind::Intro(line), None, None)));
            return;
        };
        let at = self.sections.get(&place.section).and_then(|lines| lines.get(place.line));
        let Some((at, file)) = at.zip(self.change.files.get(number)) else { return };
        let whole = Some(number);
        match *at {
            At::Head => shown.push(one(Kind::Head(file), whole, None)),
            At::Remark(n) => {
                let remarks = self.change.remarks.get(number).and_then(|remarks| remarks.get(usize::from(n)));
                let remark = remarks.cloned().unwrap_or_default();
                shown.push(one(Kind::Remark(remark), whole, None));
            }
            At::Hunk(hunk) => {
                let head = file.hunks.get(hunk as usize).map(crate::domain::diff::Hunk::header).unwrap_or_default();
                shown.push(one(Kind::Hunk(head), whole, Some(hunk as usize)));
            }
            At::Code(hunk, start) => {
                let Some(line) = code(file, hunk, start) else { return };
                let room = height - shown.len();
                let parts = rows::rows(line.text, self.width).enumerate().skip(place.row).take(room);
                shown.extend(parts.map(|(row, part)| {
                    let (place, kind) = (Place { row, ..place }, Kind::Code(line, part));
                    Shown { place, file: whole, hunk: Some(hunk as usize), kind }
                }));
            }
            At::NoBreak(hunk) => shown.push(one(Kind::NoBreak, whole, Some(hunk as usize))),
            At::Gap => shown.push(one(Kind::Gap, whole, None)),
        }
    }
}

fn code(file: &FileDiff, hunk: u32, start: u32) -> Option<DiffLine<'_>> {
    file.hunks.get(hunk as usize)?.lines_from(start as usize).next().map(|(_, line)| line)
}

/// The lines of a file's section. A change has at most sixteen megabytes, so numbers of 32 bits will do.
fn lay_out(change: &Change, number: usize) -> Vec<At> {
    let Some(file) = change.files.get(number) else { return Vec::new() };
    let mut lines = vec![At::Head];
    let remarks = change.remarks.get(number).map_or(0, Vec::len);
    lines.extend((0..remarks).filter_map(|n| u8::try_from(n).ok()).map(At::Remark));
    for (number, hunk) in file.hunks.iter().enumerate() {
        let number = number as u32;
        lines.push(At::Hunk(number));
        for (start, line) in hunk.lines_from(0) {
            lines.push(At::Code(number, start as u32));
            if !line.ends {
                lines.push(At::NoBreak(number));
            }
        }
    }
    lines.push(At::Gap);
    lines
}

/// What happened to a file besides its lines.
pub(super) fn remarks(file: &FileDiff) -> Vec<String> {
    let mut remarks = besides(file);
    let first = match &file.what {
        What::Created { mode } if *mode == 0o100_755 => "a new file, executable",
        What::Created { .. } => "a new file",
        What::Deleted => "deleted",
        What::Renamed { .. } | What::Edited => return remarks,
    };
    remarks.insert(0, first.to_owned());
    remarks
}

/// The same of a file that is there before and after, or whatever there is to say when it is not.
pub(super) fn besides(file: &FileDiff) -> Vec<String> {
    let mut remarks = Vec::new();
    if let What::Renamed { from } = &file.what {
        remarks.push(format!("renamed from {from}"));
    }
    match file.modes {
        Some((_, 0o100_755)) => remarks.push("made executable".to_owned()),
        Some((0o100_755, _)) => remarks.push("no longer executable".to_owned()),
        Some((before, after)) => remarks.push(format!("mode {before:o} becomes {after:o}")),
        None => {}
    }
    if file.binary {
        remarks.push("not text: its content is not shown".to_owned());
    } else if file.hunks.is_empty() && matches!(file.what, What::Created { .. } | What::Deleted) {
        remarks.push("empty".to_owned());
    }
    remarks
}
