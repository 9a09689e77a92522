//! The first line: where one is, how much there is, whether reports come in.

use super::super::model::{Ingest, Model, View};
use super::super::widget::fit;
use crate::domain::text;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

/// From this width on the tabs have names, and from that one the program, too.
const NAMED: u16 = 60;
const WIDE: u16 = 100;

pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let left = tabs(model, area.width);
    let room = usize::from(area.width).saturating_sub(left.width() + 2);
    let right = state(model, room);
    frame.render_widget(Paragraph::new(left), area);
    frame.render_widget(Paragraph::new(right).alignment(Alignment::Right), area);
}

/// The program's name where there is room for it, the tabs' names where there is room for those.
fn tabs(model: &Model, width: u16) -> Line<'static> {
    let named = width >= NAMED;
    let theme = &model.theme;
    let mut spans = Vec::new();
    if width >= WIDE {
        spans.push(Span::styled("Patchwork  ", theme.title));
    }
    for (view, key, name) in [
        (View::Inbox, "1", "Inbox"),
        (View::Drafts, "3", "Drafts"),
        (View::Servers, "4", "Servers"),
        (View::Settings, "5", "Settings"),
    ] {
        // Where there is no room for names, the digits say which keys lead there.
        let title = if named || model.view == view { format!("{key} {name}") } else { key.to_owned() };
        let style = if model.view == view { theme.tab_active } else { theme.tab };
        spans.push(Span::styled(title, style));
        if view == View::Drafts {
            spans.extend(going_on(model, named));
        }
        spans.push(Span::raw("  "));
    }
    spans.pop();
    Line::from(spans)
}

/// What the drafts do, and that one of them waits for somebody.
fn going_on(model: &Model, named: bool) -> Vec<Span<'static>> {
    let theme = &model.theme;
    let (running, waiting) = (model.running(), model.waiting());
    let mut spans = Vec::new();
    if running > 0 {
        spans.push(Span::styled(format!(" ({running})"), theme.tab));
    }
    if waiting > 0 {
        let said = match (named, waiting) {
            (false, _) => format!(" ?{waiting}"),
            (true, 1) => " 1 waits for review".to_owned(),
            (true, _) => format!(" {waiting} wait for review"),
        };
        spans.push(Span::styled(said, theme.busy));
    }
    spans
}

/// The longest of a few wordings that fits. A server that takes no reports is said first, whatever the width.
fn state(model: &Model, room: usize) -> Line<'static> {
    let theme = &model.theme;
    let (unreviewed, total) = (model.stats.unreviewed, model.stats.total);
    let counts =
        [format!("{unreviewed} unreviewed of {total}"), format!("{unreviewed} of {total}"), format!("{unreviewed}")];
    let (dot, style, wheres) = match &model.ingest {
        Ingest::At(address) => ("●", theme.good, [format!("reports at {address}"), address.clone(), String::new()]),
        Ingest::Off(why) => {
            ("○", theme.bad, [text::line(why), "not taking reports".to_owned(), "no reports".to_owned()])
        }
    };
    for (count, place) in [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)] {
        let (count, place) = (&counts[count], &wheres[place]);
        if count.width() + place.width() + 5 <= room {
            return Line::from(vec![
                Span::styled(format!("{count}  "), theme.text),
                Span::styled(format!("{dot} {place}"), style),
            ]);
        }
    }
    Line::styled(fit::cut(dot, room), style)
}
