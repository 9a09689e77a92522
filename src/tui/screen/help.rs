//! All keys, made from the keymap.

use super::super::model::Model;
use super::super::widget::{fit, pane};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

/// Columns for the keys.
const KEYS: usize = 18;

pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model, scroll: usize) {
    frame.render_widget(Clear, area);
    let lines = lines(model, usize::from(area.width));
    pane::render(frame, area, &lines, scroll);
    let below = lines.len().saturating_sub(scroll.saturating_add(usize::from(area.height)));
    if below > 0 {
        let more = format!(" {below} more ↓ ");
        let width = u16::try_from(Line::raw(more.as_str()).width()).unwrap_or(0).min(area.width);
        let corner = Rect { x: area.right() - width, y: area.bottom().saturating_sub(1), width, height: 1 };
        frame.render_widget(Paragraph::new(Line::styled(more, model.theme.key)), corner);
    }
}

/// The largest useful scroll.
pub fn most(model: &Model) -> usize {
    let body = model.layout().body;
    pane::most(lines(model, usize::from(body.width)).len(), body.height)
}

fn lines(model: &Model, width: usize) -> Vec<Line<'static>> {
    let theme = &model.theme;
    let keys_width = KEYS.min(width / 3);
    let mut lines = Vec::new();
    for (group, members) in model.keymap.groups() {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::styled(group.to_owned(), theme.title));
        for binding in members {
            let keys = fit::pad(&binding.keys.join(" "), keys_width);
            let help = fit::cut(&binding.help, width.saturating_sub(keys_width + 1));
            lines.push(Line::from(vec![Span::styled(format!("{keys} "), theme.key), Span::styled(help, theme.text)]));
        }
    }
    lines.push(Line::default());
    lines.push(Line::styled(fit::cut("[ui.keys] in config.toml changes keys by the action's name", width), theme.dim));
    lines
}
