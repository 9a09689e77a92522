//! Under a report: how its newest draft is getting on, in a few lines. The whole run is in the drafts view.

use super::super::action::Action;
use super::super::model::{Model, is_waiting};
use super::super::widget::fit;
use super::run;
use crate::domain::draft::{Draft, DraftState};
use crate::domain::text;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Lines of streamed text shown.
const TAIL: u16 = 4;

fn draft(model: &Model) -> Option<&Draft> {
    model.mirror.draft_of(&model.row()?.id)
}

/// Rows it takes of a pane this high; a run that is over needs two, a running one shows what streams in.
pub fn height(model: &Model, pane: u16) -> u16 {
    match draft(model) {
        None => 0,
        Some(_) if pane < 6 => 1.min(pane),
        Some(draft) if !draft.state.is_active() => 3,
        Some(_) => (3 + TAIL).min(pane / 2),
    }
}

pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let Some(draft) = draft(model).filter(|_| !area.is_empty()) else { return };
    let theme = &model.theme;
    let width = usize::from(area.width);
    let mut lines = Vec::new();
    if area.height > 1 {
        lines.push(Line::styled("─".repeat(width), theme.rule));
    }
    let head = Span::styled(format!("Draft {} ", draft.number), theme.label);
    let steps = run::steps(draft, theme, width.saturating_sub(head.width()));
    lines.push(std::iter::once(head).chain(steps).collect());
    let room = usize::from(area.height).saturating_sub(lines.len());
    lines.extend(news(model, draft, room, width));
    frame.render_widget(Paragraph::new(lines), area);
}

/// What there is to say below the steps: the end of what streams in, or how it ended.
fn news(model: &Model, draft: &Draft, room: usize, width: usize) -> Vec<Line<'static>> {
    let theme = &model.theme;
    if !draft.state.is_active() {
        let (mut sentence, mut style) = run::outcome(draft, theme);
        if run::is_red(draft) && draft.state == (DraftState::Waiting { trouble: String::new() }) {
            let (opens, publishes) = (model.keymap.key(Action::Drafts), model.keymap.key(Action::PublishAnyway));
            sentence = format!("`verify` failed: {opens} opens it, {publishes} there publishes it");
            style = theme.bad;
        } else if is_waiting(draft) {
            sentence = format!("{sentence}: {} opens it", model.keymap.key(Action::Drafts));
        } else if let Some(spent) = draft.spent() {
            sentence = format!("{sentence}  {spent}");
        }
        let cut = fit::cut(&text::line(&sentence), width);
        return std::iter::once(Line::styled(cut, style)).take(room).collect();
    }
    let progress = model.progress.get(&draft.id);
    let tail = progress.map(|p| p.tail.as_str()).or_else(|| model.said.get(&draft.id).map(String::as_str));
    let safe = text::block(tail.unwrap_or_default());
    let lines: Vec<&str> = safe.lines().filter(|l| !l.trim().is_empty()).collect();
    let skip = lines.len().saturating_sub(room);
    lines.into_iter().skip(skip).map(|l| Line::styled(fit::cut(l, width), theme.dim)).collect()
}
