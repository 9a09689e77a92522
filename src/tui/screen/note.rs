//! The editor of a note, under the report it belongs to.

use super::super::model::{Model, NoteEditor};
use super::super::widget::fit;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model, editor: &NoteEditor) {
    if area.is_empty() {
        return;
    }
    let width = usize::from(area.width);
    let what = if editor.public { "Public answer" } else { "Note" };
    let saving = if editor.saving.is_some() { ": saving …" } else { "" };
    let under = match editor.reports.len() {
        0 | 1 => String::new(),
        n => format!(" under {n} reports"),
    };
    let title = format!("─ {what}{under}{saving} ");
    let rule = format!("{title}{}", "─".repeat(width.saturating_sub(title.chars().count())));
    let top = Rect { height: 1, ..area };
    frame.render_widget(Paragraph::new(Line::styled(fit::cut(&rule, width), model.theme.note)), top);
    let mut text = editor.area.clone();
    text.set_style(model.theme.text);
    text.set_placeholder_style(model.theme.dim);
    text.set_cursor_line_style(model.theme.text);
    text.set_cursor_style(model.theme.cursor);
    frame.render_widget(&text, Rect { y: area.y + 1, height: area.height - 1, ..area });
}
