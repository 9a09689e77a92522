//! L6: the terminal front-end. Uses `client`, `protocol`, `config` and `domain`; knows nothing of stores, sockets or engines.
//!
//! A terminal fact (crossterm's `Event`) becomes a user's [`action::Action`] in [`keymap`], that becomes [`message::Effect`]s in [`update`]
//! (pure), those are carried out by `effect`, and what comes back changes the [`model::Model`] by way of [`update`] again.
//! [`screen`] draws the model; [`run`] is the loop that holds the terminal. Three enums, one translation each.

pub mod action;
pub mod bench;
mod editor;
mod effect;
mod input;
pub mod keymap;
pub mod message;
pub mod mirror;
pub mod model;
mod reader;
mod run;
pub mod screen;
pub mod servers;
pub mod settings;
mod terminal;
pub mod theme;
pub mod unsaved;
pub mod update;
pub mod widget;

pub use editor::{EditError, Writing, edit};
pub use model::is_waiting;
pub use run::{Options, run};
