//! Looking through the servers: reading them when they are shown, and moving among them.

use super::super::message::Effect;
use super::super::model::{Model, Mood, Read, View};
use super::super::screen;
use super::super::servers::ServerKey;
use super::super::servers::ServersFocus;
use super::super::widget::{age, pane};
use crate::domain::server::Server;
use crate::domain::time::{MINUTE, Millis};
use crate::protocol::{Event, EventKind, Refusal};

/// Opens the view and reads what it shows.
pub(super) fn show(model: &mut Model, out: &mut Vec<Effect>) {
    model.view = View::Servers;
    read(model, out);
}

fn read(model: &mut Model, out: &mut Vec<Effect>) {
    if model.servers.read == Read::Done {
        model.servers.read = Read::UnderWay;
        out.push(Effect::ReadServers);
    } else {
        model.servers.read = Read::Outdated;
    }
}

/// After every message: reads again when it is time, and lays out the server beside the list.
pub(super) fn settle(model: &mut Model, out: &mut Vec<Effect>) {
    if model.view != View::Servers {
        return;
    }
    // Heartbeats that say nothing new make no event.
    if model.servers.read == Read::Done && model.now >= model.servers.read_at.plus(MINUTE) {
        read(model, out);
    }
    let (height, len) = (model.layout().rows.height, model.servers.list.len());
    model.servers.offset = pane::first(model.servers.offset, model.servers.cursor(), len, height);
    lay_out(model);
}

fn lay_out(model: &mut Model) {
    let text = model.layout().text;
    if text.is_empty() {
        return;
    }
    let Some(server) = model.selected_server() else {
        model.server_text.key = None;
        model.server_text.lines.clear();
        return;
    };
    let key = ServerKey {
        name: server.name.clone(),
        version: model.servers.version,
        width: text.width,
        theme: model.theme.shade,
        ages: times(server).map(|at| age::age(model.now, at)).collect(),
    };
    if model.server_text.key.as_ref() != Some(&key) {
        let lines = screen::servers::lines(server, &model.theme, model.now, text.width);
        model.server_text.lines = lines;
        model.server_text.key = Some(key);
    }
    model.servers.scroll = model.servers.scroll.min(pane::most(model.server_text.lines.len(), text.height));
}

/// The times of a server that are shown.
fn times(server: &Server) -> impl Iterator<Item = Millis> {
    let pulse = server.heartbeat.as_ref().map(|heard| heard.pulse);
    let beats = pulse.into_iter().flat_map(|pulse| [pulse.first_heard, pulse.last_heard]);
    beats.chain(server.reports.last)
}

/// When the view shows something else, or is to be read again, although nothing has happened.
pub(super) fn next_change(model: &Model) -> Option<Millis> {
    let shown = model.servers.list.iter().skip(model.servers.offset).take(usize::from(model.size.height));
    let ages = shown.filter_map(Server::last_heard).chain(model.selected_server().into_iter().flat_map(times));
    let label = ages.map(|at| age::next_change(model.now, at)).min();
    let read = (model.servers.read == Read::Done).then(|| model.servers.read_at.plus(MINUTE));
    label.into_iter().chain(read).min()
}

/// Something happened that can change what the view shows.
pub(super) fn happened(model: &mut Model, event: &Event, out: &mut Vec<Effect>) {
    let concerns = match event.kind {
        EventKind::ServerChanged | EventKind::FeedbackRecorded | EventKind::FeedbackReviewed => true,
        EventKind::NoteAdded
        | EventKind::DraftQueued
        | EventKind::DraftStageStarted
        | EventKind::DraftDetailAdded
        | EventKind::DraftStageDone
        | EventKind::DraftWaiting
        | EventKind::DraftReviewEdited
        | EventKind::DraftPullRequestChanged
        | EventKind::DraftPublished
        | EventKind::DraftFailed
        | EventKind::DraftCancelled
        | EventKind::SettingsSaved => false,
    };
    if concerns && model.view == View::Servers {
        read(model, out);
    }
}

pub(super) fn answered(model: &mut Model, result: Result<Vec<Server>, Refusal>, out: &mut Vec<Effect>) {
    let again = std::mem::take(&mut model.servers.read) == Read::Outdated;
    model.servers.read_at = model.now;
    match result {
        Ok(list) => {
            // The list moves; the cursor stays on its server.
            model.servers.selected = model.selected_server().map(|server| server.name.clone());
            (model.servers.list, model.servers.read_once) = (list, true);
            model.servers.version += 1;
        }
        Err(refusal) => model.say(Mood::Bad, format!("The servers could not be read: {refusal}")),
    }
    if again {
        read(model, out);
    }
}

pub(super) fn step(model: &mut Model, by: isize) {
    let last = model.servers.list.len().saturating_sub(1);
    select(model, model.servers.cursor().saturating_add_signed(by).min(last));
}

pub(super) fn edge(model: &mut Model, top: bool) {
    let last = model.servers.list.len().saturating_sub(1);
    select(model, if top { 0 } else { last });
}

pub(super) fn select(model: &mut Model, at: usize) {
    let selected = model.servers.list.get(at).map(|server| server.name.clone());
    if selected != model.selected_server().map(|server| server.name.clone()) {
        model.servers.scroll = 0;
    }
    model.servers.selected = selected;
}

pub(super) fn open(model: &mut Model) {
    if model.selected_server().is_some() {
        model.servers.focus = ServersFocus::Server;
    }
}

pub(super) fn scroll(model: &mut Model, by: isize) {
    let most = pane::most(model.server_text.lines.len(), model.layout().text.height);
    model.servers.scroll = model.servers.scroll.min(most).saturating_add_signed(by).min(most);
}
