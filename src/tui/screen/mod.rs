//! Drawing. One pane, one file, one `render(frame, area, …)`; nothing here changes anything or reads anything but the model.
//!
//! ```text
//! Patchwork  1 Inbox  3 Drafts  4 Servers  5 Settings   12 unreviewed of 340 · 127.0.0.1:8099     header
//! / server:billing gap:missing_tool                        │ billing  missing tool  2h      bar │
//! ● 2h  billing   tool   Search costs by customer      ✎2  │ Needed …                       list│detail
//! ● 3h  billing   param  Sort results by date              │ ├ draft 1: ask for the change  panel (a run, or a note)
//! n note  d draft  r reviewed  / filter                                            ? keys   footer
//! ```

pub mod bench;
pub mod compared;
pub mod detail;
mod drafts;
mod filter_bar;
mod footer;
mod header;
pub mod help;
pub mod layout;
mod list;
mod note;
mod question;
pub mod run;
mod run_panel;
pub mod servers;
pub mod settings;

use super::model::{DraftsFocus, Focus, Model, Overlay, View};
use super::servers::ServersFocus;
use super::settings::SettingsFocus;
use super::widget::pane;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

/// The pane beside a list; with how much is left where the keys scroll it.
fn side(frame: &mut Frame<'_>, area: Rect, model: &Model, (lines, scroll): (&[Line<'_>], usize), focused: bool) {
    pane::render(frame, area, lines, scroll);
    if focused {
        pane::render_more(frame, area, lines.len(), scroll, model.theme.key);
    }
}

/// Draws everything.
pub fn render(frame: &mut Frame<'_>, model: &Model) {
    let layout = model.layout();
    header::render(frame, layout.header, model);
    match model.view {
        View::Inbox => inbox(frame, &layout, model),
        View::Drafts if model.on_bench() => bench::render(frame, &layout, model),
        View::Drafts => {
            drafts::render(frame, layout.rows, model);
            let focused = model.drafts.focus == DraftsFocus::Run;
            side(frame, layout.text, model, (&model.run_text.lines, model.drafts.scroll), focused);
        }
        View::Servers => {
            servers::render(frame, layout.rows, model);
            let focused = model.servers.focus == ServersFocus::Server;
            side(frame, layout.text, model, (&model.server_text.lines, model.servers.scroll), focused);
        }
        View::Settings => {
            settings::render(frame, layout.rows, model);
            let focused = model.settings.focus == SettingsFocus::About;
            side(frame, layout.text, model, (&model.setting_text.lines, model.settings.scroll), focused);
        }
    }
    rule(frame, layout.rule, model);
    footer::render(frame, layout.footer, model);
    match model.overlays.last() {
        Some(Overlay::Help { scroll }) => help::render(frame, layout.body, model, *scroll),
        Some(Overlay::Confirm(question)) => question::render(frame, layout.body, model, question),
        None => {}
    }
}

fn inbox(frame: &mut Frame<'_>, layout: &layout::Layout, model: &Model) {
    filter_bar::render(frame, layout.bar, model);
    list::render(frame, layout.rows, model);
    detail::render(frame, layout.text, model);
    match &model.inbox.focus {
        Focus::Note(editor) => note::render(frame, layout.panel, model, editor),
        Focus::List | Focus::Detail | Focus::Filter(_) => run_panel::render(frame, layout.panel, model),
    }
}

/// The line between list and detail, upright or flat.
fn rule(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let lines: Vec<Line<'_>> = if area.width == 1 {
        (0..area.height).map(|_| Line::styled("│", model.theme.rule)).collect()
    } else {
        (0..area.height).map(|_| Line::styled("─".repeat(usize::from(area.width)), model.theme.rule)).collect()
    };
    frame.render_widget(Paragraph::new(lines), area);
}
