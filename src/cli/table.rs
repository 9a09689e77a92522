//! The rows that lists print: one line each, cut to the terminal when there is one.

use super::out::{Ink, Out, columns, fit};
use crate::domain::draft::{Draft, DraftState};
use crate::domain::time::{Millis, ago};
use crate::protocol::read::Row;
use std::io;

/// One report: `● 1a2b3c4d  12m  billing  missing_tool  blocked  2 notes  PR  what was needed`.
pub(super) fn report(out: &mut Out, row: &Row, now: Millis) -> io::Result<()> {
    let mark = if row.reviewed { " " } else { "●" };
    let resolution = row.resolution.map_or("", |r| r.as_str());
    let extras = extras(row);
    let fixed = [
        (Some(Ink::Blue), pad(mark, 2)),
        (Some(Ink::Bold), pad(row.id.short(), 10)),
        (Some(Ink::Dim), pad(&ago(now, row.received_at), 6)),
        (None, pad(&fit(&row.server_name, 18), 20)),
        (Some(Ink::Yellow), pad(row.gap_type.as_str(), 20)),
        (None, pad(resolution, 15)),
        (Some(Ink::Green), extras),
    ];
    line(out, fixed, &row.headline)
}

fn extras(row: &Row) -> String {
    let mut words = Vec::new();
    match row.note_count {
        0 => {}
        1 => words.push("1 note".to_owned()),
        n => words.push(format!("{n} notes")),
    }
    if row.merged {
        words.push("merged".to_owned());
    } else if row.drafted {
        words.push(if row.pr_url.is_empty() { "branch" } else { "PR" }.to_owned());
    }
    pad(&words.join(" "), 16)
}

/// One run: `1a2b3c4d  12m  published  local  #1  where it went  what was needed`.
pub(super) fn draft(out: &mut Out, draft: &Draft, now: Millis) -> io::Result<()> {
    let ink = match draft.state {
        DraftState::Published { .. } => Ink::Green,
        DraftState::Failed { .. } => Ink::Red,
        DraftState::Queued | DraftState::Running { .. } => Ink::Yellow,
        DraftState::Cancelled { .. } => Ink::Dim,
    };
    let fixed = [
        (Some(Ink::Bold), pad(draft.id.short(), 10)),
        (Some(Ink::Dim), pad(&ago(now, draft.updated_at), 6)),
        (Some(ink), pad(draft.state.word(), 11)),
        (None, pad(&format!("#{}", draft.number), 4)),
        (None, pad(&format!("{} to {}", draft.drafter, draft.target), 21)),
        (Some(Ink::Dim), pad(draft.feedback_id.short(), 10)),
    ];
    line(out, fixed, &outcome(draft))
}

/// Where a run ended, or the report it is about.
fn outcome(draft: &Draft) -> String {
    match &draft.state {
        DraftState::Published { published } if published.pr_url.is_empty() => published.branch.clone(),
        DraftState::Published { published } => published.pr_url.clone(),
        DraftState::Failed { reason, .. } => reason.clone(),
        DraftState::Running { stage } => format!("{stage}: {}", draft.headline),
        DraftState::Queued | DraftState::Cancelled { .. } => draft.headline.clone(),
    }
}

fn line<const N: usize>(out: &mut Out, fixed: [(Option<Ink>, String); N], rest: &str) -> io::Result<()> {
    let mut parts: Vec<_> = fixed.into();
    let used: usize = parts.iter().map(|(_, part)| columns(part)).sum();
    let rest = match out.width() {
        Some(width) => fit(rest, width.saturating_sub(used).max(20)),
        None => rest.to_owned(),
    };
    parts.push((None, rest));
    out.parts(&parts)
}

/// `text` and blanks up to `width` columns, at least one.
pub(super) fn pad(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(columns(text)).max(usize::from(!text.is_empty()));
    format!("{text}{}", " ".repeat(blanks.max(width.saturating_sub(columns(text)))))
}
