//! `update(model, message) → effects`: everything the screen does, without doing it. No I/O, no clock, no await.
//!
//! A key becomes an [`Action`](super::action::Action) here and goes to the part that answers for it. After every message `settle` puts the
//! cursor back inside the list, asks for what is about to be seen, and lays out the text that is.

mod answers;
mod bench;
mod drafts;
mod feed;
mod filter;
mod keys;
mod list;
mod mouse;
mod note;
mod servers;
mod settings;
mod settings_edit;
mod settle;
mod triage;
mod useful;

use super::message::{Effect, Msg};
use super::model::Model;

pub use bench::{decided, written};
pub use settle::next_tick;
pub use useful::hint;

/// What to do first: read where things stand.
pub fn begin(model: &mut Model) -> Vec<Effect> {
    let mut out = Vec::new();
    list::begin(model, &mut out);
    out
}

/// See the module.
pub fn update(model: &mut Model, message: Msg) -> Vec<Effect> {
    let mut out = Vec::new();
    match message {
        Msg::Key(key) => keys::key(model, key, &mut out),
        Msg::Paste(text) => keys::paste(model, &text, &mut out),
        Msg::Mouse(mouse) => mouse::mouse(model, mouse, &mut out),
        Msg::Resize(width, height) => (model.size.width, model.size.height) = (width, height),
        Msg::Background(shade) => keys::background(model, shade),
        Msg::Signal(signal) => feed::signal(model, signal, &mut out),
        Msg::Answer(answer) => answers::answer(model, answer, &mut out),
        Msg::Tick => {}
    }
    settle::settle(model, &mut out);
    out
}
