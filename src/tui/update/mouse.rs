//! Wheel and click. The wheel moves what is under the pointer, a click selects, a second one opens.

use super::super::message::Effect;
use super::super::model::{DraftsFocus, Focus, Model, View};
use super::super::servers::ServersFocus;
use super::super::settings::SettingsFocus;
use super::{bench, drafts, keys, list, servers, settings};
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

/// Lines a notch of the wheel moves.
const NOTCH: isize = 3;

pub(super) fn mouse(model: &mut Model, mouse: MouseEvent, out: &mut Vec<Effect>) {
    let at = Position::new(mouse.column, mouse.row);
    model.reads_fail &= mouse.kind == MouseEventKind::Moved;
    match mouse.kind {
        MouseEventKind::ScrollDown => wheel(model, at, NOTCH, out),
        MouseEventKind::ScrollUp => wheel(model, at, -NOTCH, out),
        MouseEventKind::Down(MouseButton::Left) => click(model, at),
        MouseEventKind::Down(_)
        | MouseEventKind::Up(_)
        | MouseEventKind::Drag(_)
        | MouseEventKind::Moved
        | MouseEventKind::ScrollLeft
        | MouseEventKind::ScrollRight => {}
    }
}

fn wheel(model: &mut Model, at: Position, by: isize, out: &mut Vec<Effect>) {
    let layout = model.layout();
    if !model.overlays.is_empty() {
        return keys::step(model, by, out);
    }
    match model.view {
        View::Inbox if layout.rows.contains(at) => list::step(model, by),
        View::Inbox => keys::scroll(&mut model.inbox.scroll, by),
        View::Drafts if model.on_bench() => bench::step(model, by),
        View::Drafts if layout.rows.contains(at) => drafts::step(model, by),
        View::Drafts => drafts::scroll(model, by),
        View::Servers if layout.rows.contains(at) => servers::step(model, by),
        View::Servers => servers::scroll(model, by),
        View::Settings if layout.rows.contains(at) => settings::step(model, by),
        View::Settings => settings::scroll(model, by),
    }
}

fn click(model: &mut Model, at: Position) {
    let layout = model.layout();
    // A click must not throw away what is being typed, nor act behind a question.
    let typing = matches!(model.inbox.focus, Focus::Note(_) | Focus::Filter(_)) || model.settings.editor.is_some();
    if !model.overlays.is_empty() || typing {
        return;
    }
    if layout.footer.contains(at) {
        if let Some(about) = model.status.as_ref().and_then(|status| status.about.clone()) {
            drafts::show(model, Some(about));
        }
        return;
    }
    let row = usize::from(at.y.saturating_sub(layout.rows.y));
    match model.view {
        View::Drafts if model.on_bench() && layout.rows.contains(at) => bench::click_file(model, row),
        View::Drafts if model.on_bench() => {
            if layout.text.contains(at) {
                bench::click(model, usize::from(at.y - layout.text.y));
            }
        }
        View::Inbox if layout.rows.contains(at) => {
            let row = model.inbox.offset + row;
            if row < model.mirror.rows().len() {
                model.inbox.focus = if row == model.inbox.cursor { Focus::Detail } else { Focus::List };
                list::move_to(model, row);
            }
        }
        View::Inbox if layout.text.contains(at) => model.inbox.focus = Focus::Detail,
        View::Drafts if layout.rows.contains(at) => {
            let row = model.drafts.offset + row;
            if row < model.mirror.drafts().len() {
                model.drafts.focus = DraftsFocus::List;
                drafts::select(model, row);
            }
        }
        View::Drafts if layout.text.contains(at) => drafts::open(model),
        View::Servers if layout.rows.contains(at) => {
            let row = model.servers.offset + row;
            if row < model.servers.list.len() {
                model.servers.focus = ServersFocus::List;
                servers::select(model, row);
            }
        }
        View::Servers if layout.text.contains(at) => servers::open(model),
        View::Settings if layout.rows.contains(at) => {
            if let Some(at) = settings::setting_at(model, model.settings.offset + row) {
                model.settings.focus = SettingsFocus::List;
                settings::select(model, at);
            }
        }
        View::Settings if layout.text.contains(at) => settings::explain(model),
        View::Inbox | View::Drafts | View::Servers | View::Settings => {}
    }
}
