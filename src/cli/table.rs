//! The rows that lists print: one line each, cut to the terminal when there is one.
//!
//! Columns are as wide as the first page needs. On a narrow terminal the least telling ones go, so that what the report says
//! always has room.

use super::out::{Ink, Out, columns, fit};
use crate::domain::draft::{Draft, DraftState, Verdict};
use crate::domain::time::{Millis, ago};
use crate::protocol::read::Row;
use std::io;

/// Columns that the text at the end of a row wants at least.
const TEXT: usize = 28;
/// Mark, id and age.
const FIRST: [usize; 3] = [2, 10, 6];
/// Longest server name shown, and its length where there is little room.
const SERVER: [usize; 2] = [20, 14];

/// A row in pieces, each with its colour.
type Parts = Vec<(Option<Ink>, String)>;

/// Widths of a list's columns, two blanks included; 0 leaves a column out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reports {
    server: usize,
    gap: usize,
    resolution: usize,
    /// Of the whole line; `None` when nothing is cut.
    line: Option<usize>,
}

impl Reports {
    /// What the rows of the first page need, and a terminal of `line` columns allows.
    pub(super) fn fitting(rows: &[Row], line: Option<usize>) -> Self {
        let widest = |width: fn(&Row) -> usize| match rows.iter().map(width).max() {
            Some(0) | None => 0,
            Some(n) => n + 2,
        };
        let mut this = Self {
            server: widest(|row| columns(&row.server_name)).min(SERVER[0]),
            gap: widest(|row| columns(row.gap_type.as_str())),
            resolution: widest(|row| row.resolution.map_or(0, |r| columns(r.as_str()))),
            line,
        };
        let shrink: [fn(&mut Self); 4] = [
            |this| this.resolution = 0,
            |this| this.server = this.server.min(SERVER[1]),
            |this| this.gap = 0,
            |this| this.server = 0,
        ];
        for step in shrink {
            if line.is_none_or(|line| this.fixed() + TEXT <= line) {
                break;
            }
            step(&mut this);
        }
        this
    }

    fn fixed(self) -> usize {
        FIRST.iter().sum::<usize>() + self.server + self.gap + self.resolution
    }

    /// One report: `● 1a2b3c4d  12m  billing  missing_tool  blocked  2 notes PR  what was needed`.
    pub(super) fn print(self, out: &mut Out, row: &Row, now: Millis) -> io::Result<()> {
        out.parts(&self.parts(row, now))
    }

    fn parts(self, row: &Row, now: Millis) -> Parts {
        let mark = if row.reviewed { " " } else { "●" };
        let resolution = row.resolution.map_or("", |r| r.as_str());
        let cell = |text: &str, width: usize| match width {
            0 => String::new(),
            _ => pad(&fit(text, width - 2), width),
        };
        let fixed = vec![
            (Some(Ink::Blue), pad(mark, FIRST[0])),
            (Some(Ink::Bold), pad(row.id.short(), FIRST[1])),
            (Some(Ink::Dim), pad(&ago(now, row.received_at), FIRST[2])),
            (None, cell(&row.server_name, self.server)),
            (Some(Ink::Yellow), cell(row.gap_type.as_str(), self.gap)),
            (None, cell(resolution, self.resolution)),
            (Some(Ink::Green), extras(row)),
        ];
        with_text(fixed, &row.headline, self.line)
    }
}

/// What was done about a report, before its text and only where there is something.
fn extras(row: &Row) -> String {
    let mut words = Vec::new();
    if row.note_count > 0 {
        words.push(counted(row.note_count, "note"));
    }
    if row.merged {
        words.push("merged".to_owned());
    } else if row.drafted {
        words.push(if row.pr_url.is_empty() { "branch" } else { "PR" }.to_owned());
    }
    if words.is_empty() { String::new() } else { format!("{}  ", words.join(" ")) }
}

/// One run: `1a2b3c4d  12m  published  #1  command to local  5e6f7a8b  where it went`.
pub(super) fn draft(out: &mut Out, draft: &Draft, now: Millis) -> io::Result<()> {
    out.parts(&draft_parts(draft, now, out.width()))
}

fn draft_parts(draft: &Draft, now: Millis, line: Option<usize>) -> Parts {
    let ink = match draft.state {
        DraftState::Published { .. } => Ink::Green,
        DraftState::Failed { .. } => Ink::Red,
        DraftState::Queued | DraftState::Running { .. } | DraftState::Waiting { .. } => Ink::Yellow,
        DraftState::Cancelled { .. } => Ink::Dim,
    };
    let mut fixed = vec![
        (Some(Ink::Bold), pad(draft.id.short(), FIRST[1])),
        (Some(Ink::Dim), pad(&ago(now, draft.updated_at), FIRST[2])),
        (Some(ink), pad(draft.state.word(), 11)),
        (None, pad(&format!("#{}", draft.number), 4)),
        (None, pad(&format!("{} to {}", draft.drafter, draft.target), 21)),
        (Some(Ink::Dim), pad(draft.feedback_id.short(), FIRST[1])),
    ];
    if line.is_some_and(|line| width(&fixed) + TEXT > line) {
        fixed.remove(4);
    }
    let mut text = outcome(draft);
    if matches!(draft.state, DraftState::Waiting { .. }) && draft.verdict == Some(Verdict::Failed) {
        text = format!("verify failed  {text}");
    }
    if let Some(pull) = &draft.pull {
        text = format!("PR {pull}  {text}");
    }
    if let Some(spent) = draft.spent() {
        text = format!("{spent}  {text}");
    }
    with_text(fixed, &text, line)
}

/// Where a run ended, or the report it is about.
fn outcome(draft: &Draft) -> String {
    match &draft.state {
        DraftState::Published { published } if published.pr_url.is_empty() => published.branch.clone(),
        DraftState::Published { published } => published.pr_url.clone(),
        DraftState::Failed { reason, .. } => reason.clone(),
        DraftState::Running { stage } => format!("{stage}: {}", draft.headline),
        DraftState::Waiting { trouble } if !trouble.is_empty() => trouble.clone(),
        DraftState::Queued | DraftState::Waiting { .. } | DraftState::Cancelled { .. } => draft.headline.clone(),
    }
}

fn width(parts: &Parts) -> usize {
    parts.iter().map(|(_, part)| columns(part)).sum()
}

/// The row with its text, which takes what is left of the line.
fn with_text(mut parts: Parts, text: &str, line: Option<usize>) -> Parts {
    let left = line.map(|line| line.saturating_sub(width(&parts)));
    parts.push((
        None,
        match left {
            Some(0) => String::new(),
            Some(left) => fit(text, left),
            None => text.to_owned(),
        },
    ));
    parts
}

/// `1 report`, `2 reports`.
pub(super) fn counted(n: i64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// `text` and blanks up to `width` columns, at least one.
pub(super) fn pad(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(columns(text)).max(usize::from(!text.is_empty()));
    format!("{text}{}", " ".repeat(blanks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::draft::{DrafterKind, TargetKind, Usage};
    use crate::domain::feedback::{GapType, Resolution};
    use crate::domain::id::{DraftId, FeedbackId};

    fn row(server: &str, resolution: Option<Resolution>, note_count: i64) -> Row {
        Row {
            id: FeedbackId::trusted("01a2052d-7903-70e7-b19e-3f8464ac75e7"),
            n: 1,
            received_at: Millis(0),
            headline: "search costs by date range, ".repeat(5),
            server_name: server.to_owned(),
            gap_type: GapType::IncompleteResults,
            resolution,
            client_type: String::new(),
            reviewed: false,
            note_count,
            pr_url: String::new(),
            drafted: note_count > 0,
            merged: false,
        }
    }

    fn shown(rows: &[Row], line: Option<usize>) -> Vec<String> {
        let table = Reports::fitting(rows, line);
        rows.iter().map(|row| table.parts(row, Millis(0)).into_iter().map(|(_, part)| part).collect()).collect()
    }

    #[test]
    fn no_row_is_wider_than_the_terminal_and_each_says_what_it_is_about() {
        let long = "a-server-with-a-long-name";
        let rows = [row(long, Some(Resolution::WorkedAround), 12), row("日本語のサーバー", None, 0), row("x", None, 1)];
        for line in [40, 60, 80, 100, 120, 200] {
            for shown in shown(&rows, Some(line)) {
                assert!(columns(&shown) <= line, "{line}: {shown}");
                assert!(line < 80 || shown.contains("search cos"), "{line}: {shown}");
            }
        }
        let whole = &shown(&rows, None)[0];
        assert!(whole.contains("worked_around  12 notes branch  search costs") && whole.len() > 200, "{whole}");
    }

    #[test]
    fn a_column_that_nobody_fills_is_not_there() {
        let rows = [row("x", None, 0)];
        assert_eq!(shown(&rows, Some(70)), ["● 64ac75e7  now   x  incomplete_results  search costs by date range, …"]);
    }

    #[test]
    fn a_run_fits_the_terminal_too() {
        let draft = Draft {
            id: DraftId::trusted("01a2052f-b105-72c4-8a8d-cdce347c8ee5"),
            feedback_id: FeedbackId::trusted("01a2052d-7903-70e7-b19e-3f8464ac75e7"),
            headline: "search costs by date range".repeat(9),
            server_name: "x".into(),
            number: 12,
            state: DraftState::Cancelled { stage: None },
            drafter: DrafterKind::Anthropic,
            model: String::new(),
            target: TargetKind::Github,
            created_at: Millis(0),
            updated_at: Millis(0),
            usage: Usage::default(),
            cost: None,
            confirm: false,
            verdict: None,
            pull: None,
        };
        for line in [50, 80, 100, 140] {
            let parts = draft_parts(&draft, Millis(0), Some(line));
            assert!(width(&parts) <= line, "{line}: {parts:?}");
            assert_eq!(parts.len() == 7, line >= 90, "{line}: {parts:?}");
        }
    }
}
