//! The last line: what came of the last key, else the keys that matter now.

use super::super::action::Action;
use super::super::keymap::Binding;
use super::super::model::{Focus, Model, Mood, Status};
use super::super::update::hint;
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

/// Hints that are there whatever the width: the way back, and the way to the rest of the keys.
const ALWAYS: [Action; 2] = [Action::Back, Action::Help];

fn hints(model: &Model, width: usize) -> Line<'static> {
    let shown =
        |b: &'_ Binding| Some(((b.keys.first()?.clone(), hint(model, b)?.to_owned()), ALWAYS.contains(&b.action)));
    let (last, first): (Vec<_>, Vec<_>) = model.keymap.hints(model.context()).filter_map(shown).partition(|(_, a)| *a);
    let columns = |key: &str, word: &str| key.width() + 1 + word.width() + 2;
    let reserve: usize = last.iter().map(|((key, word), _)| columns(key, word)).sum();
    let mut spans = Vec::new();
    let mut used = 0;
    for (hints, limit) in [(first, width.saturating_sub(reserve)), (last, width)] {
        for ((key, word), _) in hints {
            // Two blanks follow the last one too, and need not be seen.
            if used + columns(&key, &word) <= limit + 2 {
                used += columns(&key, &word);
                spans.push(Span::styled(key, model.theme.key));
                spans.push(Span::styled(format!(" {word}  "), model.theme.hint));
            }
        }
    }
    Line::from(spans)
}
