//! The last line: what came of the last key, else the keys that matter now.

use super::super::action::Action;
use super::super::model::{Focus, Model, Mood, Status, View};
use super::super::widget::fit;
use crate::domain::text;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let width = usize::from(area.width);
    let mistake = match &model.inbox.focus {
        Focus::Filter(input) => input.mistake(),
        Focus::List | Focus::Detail | Focus::Note(_) => None,
    };
    let line = match (&model.status, mistake) {
        (Some(status), _) => said(status, model, width),
        (None, Some(mistake)) => Line::styled(fit::cut(&text::line(&mistake.message), width), model.theme.bad),
        (None, None) => hints(model, width),
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn said(status: &Status, model: &Model, width: usize) -> Line<'static> {
    let style = match status.mood {
        Mood::Plain => model.theme.text,
        Mood::Good => model.theme.good,
        Mood::Bad => model.theme.bad,
    };
    Line::styled(fit::cut(&text::line(&status.text), width), style)
}

/// Whether a key would do anything now; a hint for one that would not is noise.
fn useful(model: &Model, action: Action) -> bool {
    let row = model.row();
    let draft = match model.view {
        View::Inbox => row.and_then(|r| model.mirror.draft_of(&r.id)),
        View::Drafts => model.selected_draft(),
    };
    match action {
        Action::Cancel => draft.is_some_and(|d| !d.state.is_over()),
        Action::Redraft => draft.is_some_and(|d| d.state.is_over()),
        Action::Draft => row.is_some() && draft.is_none(),
        Action::OpenLink => row.is_some_and(|r| !r.pr_url.is_empty()),
        Action::Note | Action::Review | Action::Select => row.is_some(),
        _ => true,
    }
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
