//! The line over the list: the filter in force, or the one being typed with its mistake or its completions underneath.

use super::super::model::{FilterInput, Focus, Model};
use super::super::widget::fit;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    match &model.inbox.focus {
        Focus::Filter(input) => typing(frame, area, model, input),
        Focus::List | Focus::Detail | Focus::Note(_) => in_force(frame, area, model),
    }
}

fn in_force(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let news = news(model);
    let room = usize::from(area.width).saturating_sub(news.width() + 1);
    let source = &model.filter().source;
    let line = if source.is_empty() {
        Line::styled(fit::cut("all reports", room), model.theme.dim)
    } else {
        Line::styled(fit::cut(source, room), model.theme.typed)
    };
    frame.render_widget(Paragraph::new(line), area);
    frame.render_widget(Paragraph::new(news).alignment(Alignment::Right), area);
}

/// What the list does not show by itself: arrivals above, and what is selected.
fn news(model: &Model) -> Line<'static> {
    let mut spans = Vec::new();
    let marked = model.inbox.marked.len();
    if marked > 0 {
        spans.push(Span::styled(format!("{marked} selected  "), model.theme.selected));
    }
    let new = model.inbox.held + model.inbox.beyond;
    if new > 0 {
        spans.push(Span::styled(format!("{new} new ↑ "), model.theme.new));
    }
    Line::from(spans)
}

fn typing(frame: &mut Frame<'_>, area: Rect, model: &Model, input: &FilterInput) {
    let [top, below] = [area.y, area.y + 1].map(|y| Rect { y, height: 1, ..area }.intersection(area));
    frame.render_widget(Paragraph::new(Line::styled("/", model.theme.key)), top);
    let field = Rect { x: top.x + 2, width: top.width.saturating_sub(2), ..top };
    let mut text = input.area.clone();
    text.set_style(model.theme.typed);
    text.set_placeholder_style(model.theme.dim);
    text.set_cursor_line_style(model.theme.typed);
    frame.render_widget(&text, field);
    frame.render_widget(Paragraph::new(answer(model, input, below)), below);
}

/// Carets under the mistake, which the footer explains, else what the word could become.
fn answer(model: &Model, input: &FilterInput, area: Rect) -> Line<'static> {
    let width = usize::from(area.width);
    let Some(error) = input.mistake() else { return offers(model, input, width) };
    let before: String = input.text().chars().take(error.start).collect();
    let carets = "^".repeat(error.end.saturating_sub(error.start).max(1));
    Line::styled(fit::cut(&format!("{}{carets}", " ".repeat(before.width() + 2)), width), model.theme.bad)
}

fn offers(model: &Model, input: &FilterInput, width: usize) -> Line<'static> {
    let mut spans = vec![Span::raw("  ")];
    let mut used = 2;
    for (i, offer) in input.offers.iter().enumerate() {
        used += offer.width() + 2;
        if used > width {
            break;
        }
        let style = if input.offer == Some(i) { model.theme.key } else { model.theme.dim };
        spans.push(Span::styled(offer.clone(), style));
        spans.push(Span::raw("  "));
    }
    Line::from(spans)
}
