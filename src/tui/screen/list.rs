//! The list of reports, a line each.

use super::super::action::Action;
use super::super::model::{Focus, Model, is_waiting};
use super::super::widget::{age, fit, wrap};
use crate::domain::draft::{PullState, PullStatus};
use crate::domain::feedback::GapType;
use crate::domain::text;
use crate::protocol::read::Row;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Widths of the columns before the headline; 0: no room for it.
struct Columns {
    server: usize,
    gap: usize,
}

impl Columns {
    fn of(width: u16) -> Self {
        match width {
            0..=35 => Self { server: 0, gap: 0 },
            36..=49 => Self { server: 0, gap: 6 },
            50..=79 => Self { server: 9, gap: 6 },
            _ => Self { server: 16, gap: 6 },
        }
    }
}

pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    if area.is_empty() {
        return;
    }
    let rows = model.mirror.rows();
    if rows.is_empty() {
        return frame.render_widget(Paragraph::new(empty(model, area.width)), area);
    }
    let shown = rows.iter().enumerate().skip(model.inbox.offset).take(usize::from(area.height));
    let lines: Vec<Line<'_>> = shown.map(|(i, row)| line(model, row, i == model.inbox.cursor, area.width)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// What to do when there is nothing to see.
fn empty(model: &Model, width: u16) -> Vec<Line<'static>> {
    let key = |action| model.keymap.key(action).to_owned();
    let said = if !model.ready {
        "Reading …".to_owned()
    } else if model.stats.total == 0 {
        "No reports yet.\n\nCopy a drop-in into an MCP server: the README says how. What its agents report appears here by itself.".to_owned()
    } else if !model.inbox.typed.is_empty() {
        format!("No report fits the filter. {} changes it.", key(Action::Filter))
    } else {
        format!(
            "Nothing left to review. {} shows the {} reviewed.",
            key(Action::HideReviewed),
            model.stats.total - model.stats.unreviewed
        )
    };
    let lines = wrap::wrap(&said, usize::from(width.saturating_sub(2)));
    std::iter::once(Line::default())
        .chain(lines.into_iter().map(|l| Line::styled(format!(" {l}"), model.theme.dim)))
        .collect()
}

fn line(model: &Model, row: &Row, under_cursor: bool, width: u16) -> Line<'static> {
    let theme = &model.theme;
    let columns = Columns::of(width);
    let (mark, mark_style) = mark(model, row);
    let age = age::age(model.now, row.received_at);
    let mut spans = vec![Span::styled(mark, mark_style), Span::styled(format!("{age:>4} "), theme.dim)];
    if columns.server > 0 {
        let server = fit::pad(&text::line(&row.server_name), columns.server);
        spans.push(Span::styled(format!("{server} "), theme.server));
    }
    if columns.gap > 0 {
        spans
            .push(Span::styled(format!("{} ", fit::pad(gap_word(row.gap_type), columns.gap)), theme.gap(row.gap_type)));
    }
    let flags = flags(model, row);
    let flags_width: usize = flags.iter().map(Span::width).sum();
    let used: usize = spans.iter().map(Span::width).sum();
    let room = usize::from(width).saturating_sub(used + flags_width);
    let headline = if row.reviewed { theme.dim } else { theme.text };
    spans.push(Span::styled(fit::pad(&row.headline, room), headline));
    spans.extend(flags);
    let line = Line::from(spans);
    match (under_cursor, &model.inbox.focus) {
        (false, _) => line,
        (true, Focus::List | Focus::Filter(_)) => plain(&line, theme.cursor),
        (true, Focus::Detail | Focus::Note(_)) => plain(&line, theme.cursor_away),
    }
}

/// One style over the whole line: colours that read well on the background may not do so reversed.
fn plain(line: &Line<'_>, style: Style) -> Line<'static> {
    let text: String = line.spans.iter().map(|s| s.content.as_ref()).collect();
    Line::styled(text, style)
}

/// Two columns: selected, on its way, unread, read.
fn mark(model: &Model, row: &Row) -> (&'static str, Style) {
    if model.inbox.marked.contains(&row.id) {
        ("✓ ", model.theme.selected)
    } else if model.is_pending(&row.id) {
        ("… ", model.theme.busy)
    } else if row.reviewed {
        ("  ", model.theme.dim)
    } else {
        ("● ", model.theme.unread)
    }
}

pub fn gap_word(gap: GapType) -> &'static str {
    match gap {
        GapType::MissingTool => "tool",
        GapType::IncompleteResults => "data",
        GapType::MissingParameter => "param",
        GapType::WrongFormat => "format",
        GapType::Other => "other",
    }
}

/// Notes, half-typed note, draft.
fn flags(model: &Model, row: &Row) -> Vec<Span<'static>> {
    let theme = &model.theme;
    let mut spans = Vec::new();
    if model.unsaved.contains_key(&row.id) {
        spans.push(Span::styled(" ✎…", theme.busy));
    }
    if row.note_count > 0 {
        spans.push(Span::styled(format!(" ✎{}", row.note_count), theme.note));
    }
    let draft = model.mirror.draft_of(&row.id);
    let closed = |pull: &PullStatus| pull.state == PullState::Closed;
    let (word, style) = match row {
        _ if draft.is_some_and(|d| d.state.is_active()) => (" draft…", theme.busy),
        _ if draft.is_some_and(is_waiting) => (" review?", theme.busy),
        Row { merged: true, .. } => (" merged", theme.good),
        Row { pr_url, .. } if !pr_url.is_empty() && draft.and_then(|d| d.pull.as_ref()).is_some_and(closed) => {
            (" closed", theme.dim)
        }
        Row { pr_url, .. } if !pr_url.is_empty() => (" PR", theme.good),
        Row { drafted: true, .. } => (" branch", theme.good),
        _ => return spans,
    };
    spans.push(Span::styled(word, style));
    spans
}
