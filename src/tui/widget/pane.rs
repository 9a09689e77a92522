//! A long text in a pane that scrolls.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

/// Draws `lines` from `scroll` on, one row each; they are as wide as the pane at most.
pub fn render(frame: &mut Frame<'_>, area: Rect, lines: &[Line<'_>], scroll: usize) {
    let shown: Vec<Line<'_>> = lines.iter().skip(scroll).take(usize::from(area.height)).cloned().collect();
    frame.render_widget(Paragraph::new(shown), area);
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
