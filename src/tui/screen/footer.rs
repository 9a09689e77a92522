//! The last line: what came of the last key, else the keys that matter now.

use super::super::action::Action;
use super::super::model::{Focus, Model, Mood, Status};
use super::super::update::useful;
use super::super::widget::{fit, wrap};
use crate::domain::text;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};
use unicode_width::UnicodeWidthStr;

/// Lines a sentence may take before it is cut.
const MOST: usize = 4;

/// A sentence longer than the line covers the lines above it: it is there for one key press and must be readable.
pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let mistake = match &model.inbox.focus {
        Focus::Filter(input) => input.mistake(),
        Focus::List | Focus::Detail | Focus::Note(_) => None,
    };
    let lines = match (&model.status, mistake) {
        (Some(Status { text, mood, .. }), _) => said(text, mood_style(*mood, model), area.width),
        (None, Some(mistake)) => said(&mistake.message, model.theme.bad, area.width),
        (None, None) => vec![hints(model, usize::from(area.width))],
    };
    let height = u16::try_from(lines.len()).unwrap_or(1).min(area.bottom());
    let area = Rect { y: area.bottom() - height, height, ..area };
    if height > 1 {
        frame.render_widget(Clear, area);
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn mood_style(mood: Mood, model: &Model) -> Style {
    match mood {
        Mood::Plain => model.theme.text,
        Mood::Good => model.theme.good,
        Mood::Bad => model.theme.bad,
    }
}

fn said(sentence: &str, style: Style, width: u16) -> Vec<Line<'static>> {
    let mut lines = wrap::wrap(&text::line(sentence), usize::from(width));
    if lines.len() > MOST {
        let rest = lines.split_off(MOST - 1).join(" ");
        lines.push(fit::cut(&rest, usize::from(width)));
    }
    lines.into_iter().map(|line| Line::styled(line, style)).collect()
}

fn hints(model: &Model, width: usize) -> Line<'static> {
    let theme = &model.theme;
    let mut spans = Vec::new();
    let mut used = 0;
    let context = model.context();
    // The way to the rest of the keys is always there.
    let help = model.keymap.hints(context).find(|(action, ..)| *action == Action::Help);
    let reserve = help.map_or(0, |(_, key, word)| key.width() + word.width() + 3);
    let mut put = |key: &str, word: &str, limit: usize| {
        let columns = key.width() + 1 + word.width() + 2;
        if used + columns > limit + 2 {
            return;
        }
        used += columns;
        spans.push(Span::styled(key.to_owned(), theme.key));
        spans.push(Span::styled(format!(" {word}  "), theme.hint));
    };
    for (_, key, word) in model.keymap.hints(context).filter(|(a, ..)| *a != Action::Help && useful(model, *a)) {
        put(key, word, width.saturating_sub(reserve));
    }
    if let Some((_, key, word)) = help {
        put(key, word, width);
    }
    Line::from(spans)
}
