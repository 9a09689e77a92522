//! The list of draft runs, newest first.

use super::super::model::{DraftsFocus, Model};
use super::super::widget::{age, fit, wrap};
use super::run;
use crate::domain::draft::{Checks, Draft, DraftState, PullState, PullStatus, Stage};
use crate::domain::text;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    if area.is_empty() {
        return;
    }
    let drafts = model.mirror.drafts();
    if drafts.is_empty() {
        let key = model.keymap.key(super::super::action::Action::Draft);
        let said = format!("No drafts yet. In the inbox, {key} drafts the change for a report.");
        let lines = wrap::wrap(&said, usize::from(area.width).saturating_sub(2));
        let lines = lines.into_iter().map(|l| Line::styled(format!(" {l}"), model.theme.dim));
        let lines: Vec<Line<'_>> = std::iter::once(Line::default()).chain(lines).collect();
        return frame.render_widget(Paragraph::new(lines), area);
    }
    let cursor = model.draft_cursor();
    let shown = drafts.iter().enumerate().skip(model.drafts.offset).take(usize::from(area.height));
    let lines: Vec<Line<'_>> = shown.map(|(i, draft)| line(model, draft, i == cursor, area.width)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn line(model: &Model, draft: &Draft, under_cursor: bool, width: u16) -> Line<'static> {
    let theme = &model.theme;
    let (mark, style) = mark(model, draft);
    let state = fit::pad(&word(draft), 10);
    let age = age::age(model.now, draft.created_at);
    let mut spans = vec![
        Span::styled(format!("{mark} "), style),
        Span::styled(format!("{age:>4} "), theme.dim),
        Span::styled(format!("{state} "), style),
    ];
    if width >= 50 {
        spans.push(Span::styled(format!("{} ", fit::pad(&text::line(&draft.server_name), 9)), theme.server));
    }
    let flags = if width >= 60 { flags(model, draft) } else { Vec::new() };
    let flags_width: usize = flags.iter().map(Span::width).sum();
    let again = if draft.number > 1 { format!("#{} ", draft.number) } else { String::new() };
    let used: usize = spans.iter().map(Span::width).sum();
    let room = usize::from(width).saturating_sub(used + flags_width);
    spans.push(Span::styled(fit::pad(&format!("{again}{}", text::line(&draft.headline)), room), theme.text));
    spans.extend(flags);
    if !under_cursor {
        return Line::from(spans);
    }
    let all: String = spans.iter().map(|s| s.content.as_ref()).collect();
    Line::styled(all, if model.drafts.focus == DraftsFocus::List { theme.cursor } else { theme.cursor_away })
}

/// What its checks say and what it cost.
fn flags(model: &Model, draft: &Draft) -> Vec<Span<'static>> {
    let theme = &model.theme;
    let mut spans = Vec::new();
    let open = |pull: &&PullStatus| matches!(pull.state, PullState::Open | PullState::Draft);
    match draft.pull.as_ref().filter(open).map(|pull| pull.checks) {
        Some(Checks::Passed) => spans.push(Span::styled(" checks ✓", theme.good)),
        Some(Checks::Failed) => spans.push(Span::styled(" checks ✗", theme.bad)),
        Some(Checks::Pending) => spans.push(Span::styled(" checks …", theme.busy)),
        Some(Checks::None | Checks::Unknown) | None => {}
    }
    if let Some(spent) = draft.spent() {
        spans.push(Span::styled(format!(" {spent}"), theme.dim));
    }
    spans
}

/// The stage while it runs, else how it ended.
fn word(draft: &Draft) -> String {
    match &draft.state {
        DraftState::Running { stage } => stage.as_str().to_owned(),
        DraftState::Published { published } if published.pr_url.is_empty() => "branch".to_owned(),
        DraftState::Published { .. } => match draft.pull.as_ref().map(|pull| pull.state) {
            None => "PR".to_owned(),
            Some(state) => format!("PR {state}"),
        },
        // At every width: it is what there is to know before one looks at it.
        DraftState::Waiting { .. } if run::is_red(draft) => "verify ✗".to_owned(),
        DraftState::Waiting { .. } => Stage::Review.as_str().to_owned(),
        DraftState::Queued | DraftState::Failed { .. } | DraftState::Cancelled { .. } => draft.state.word().to_owned(),
    }
}

fn mark(model: &Model, draft: &Draft) -> (&'static str, Style) {
    let theme = &model.theme;
    match draft.state {
        DraftState::Queued => ("·", theme.dim),
        DraftState::Running { .. } => ("▸", theme.busy),
        DraftState::Waiting { .. } if run::is_red(draft) => ("?", theme.bad),
        DraftState::Waiting { .. } => ("?", theme.busy),
        DraftState::Published { .. } if draft.pull.as_ref().is_some_and(|p| p.state == PullState::Closed) => {
            ("✗", theme.dim)
        }
        DraftState::Published { .. } => ("✓", theme.good),
        DraftState::Failed { .. } => ("✗", theme.bad),
        DraftState::Cancelled { .. } => ("-", theme.dim),
    }
}
