//! A long text in a pane that scrolls.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

/// Draws `lines` from `scroll` on, one row each; they are as wide as the pane at most.
pub fn render(frame: &mut Frame<'_>, area: Rect, lines: &[Line<'_>], scroll: usize) {
    let shown: Vec<Line<'_>> = lines.iter().skip(scroll).take(usize::from(area.height)).cloned().collect();
    frame.render_widget(Paragraph::new(shown), area);
}

/// How much is left below, over the end of the last line.
pub fn render_more(frame: &mut Frame<'_>, area: Rect, lines: usize, scroll: usize, style: Style) {
    let below = lines.saturating_sub(scroll.saturating_add(usize::from(area.height)));
    if below == 0 || area.is_empty() {
        return;
    }
    let more = format!(" {below} more ↓");
    let width = u16::try_from(Line::raw(more.as_str()).width()).unwrap_or(0).min(area.width);
    let corner = Rect { x: area.right() - width, y: area.bottom() - 1, width, height: 1 };
    frame.render_widget(Paragraph::new(Line::styled(more, style)), corner);
}

/// The first of `len` rows that a list this high shows: near to where it was, with the row at `cursor` in view, and no room left empty
/// while there are rows above.
pub fn first(was: usize, cursor: usize, len: usize, height: u16) -> usize {
    let height = usize::from(height).max(1);
    let lowest = (cursor + 1).saturating_sub(height);
    was.clamp(lowest, cursor).min(len.saturating_sub(height))
}

/// The largest useful scroll.
pub fn most(lines: usize, height: u16) -> usize {
    lines.saturating_sub(usize::from(height))
}
