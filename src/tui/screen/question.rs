//! A question over the panes.

use super::super::action::Action;
use super::super::model::{Model, Question};
use super::super::widget::wrap;
use crate::domain::text;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model, question: &Question) {
    let (yes, no) = (model.keymap.key(Action::Yes), model.keymap.key(Action::No));
    let said = match question {
        Question::QuitWhileDrafting(1) => {
            format!("A draft is running. It goes on when Patchwork runs again. Quit?  {yes} yes  {no} no")
        }
        Question::RemoveSetting { label, .. } => {
            format!("Remove {}? Its comments in the file stay.  {yes} yes  {no} no", text::clipped(label, 80))
        }
        Question::QuitWhileDrafting(n) => {
            format!("{n} drafts are running. They go on when Patchwork runs again. Quit?  {yes} yes  {no} no")
        }
        Question::Discard(drafts) => match drafts.len() {
            1 => format!("Discard this change? A re-draft costs anew.  {yes} yes  {no} no"),
            n => format!("Discard {n} changes that wait for your review? Re-drafts cost anew.  {yes} yes  {no} no"),
        },
        Question::Replace { waiting: 1, .. } => {
            format!("Draft again? The change that waits for your review would be thrown away.  {yes} yes  {no} no")
        }
        Question::Replace { waiting, .. } => {
            format!(
                "Draft again? {waiting} changes that wait for your review would be thrown away.  {yes} yes  {no} no"
            )
        }
    };
    let width = area.width.saturating_sub(2).min(64);
    let lines = wrap::wrap(&said, usize::from(width.saturating_sub(4)));
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let x = area.x + (area.width - width) / 2;
    let y = area.y + (area.height - height) / 2;
    let place = Rect { x, y, width, height };
    frame.render_widget(Clear, place);
    let block = Block::bordered().border_style(model.theme.key);
    let lines: Vec<Line<'_>> = lines.into_iter().map(|l| Line::styled(format!(" {l}"), model.theme.text)).collect();
    frame.render_widget(Paragraph::new(lines).block(block), place);
}
