//! What the servers view knows: the servers as they were last read, and where the eye is among them.
//!
//! They are read and not folded from events: a heartbeat that says nothing new makes no event, only a row that says when it came.

use super::action::Context;
use super::model::Read;
use super::theme::Shade;
use crate::domain::server::Server;
use crate::domain::time::Millis;

/// Where the keys of the servers view go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServersFocus {
    #[default]
    List,
    Server,
}

/// The list of servers and the one beside it.
#[derive(Debug, Default)]
pub struct Servers {
    pub focus: ServersFocus,
    /// Heard last first.
    pub list: Vec<Server>,
    /// The name under the cursor; the first one while it is `None` or gone.
    pub selected: Option<String>,
    pub offset: usize,
    pub scroll: usize,
    pub read: Read,
    /// When the last answer came.
    pub read_at: Millis,
    /// `list` is an answer, empty or not.
    pub read_once: bool,
    /// Counts answers.
    pub version: u64,
}

impl Servers {
    pub fn context(&self) -> Context {
        match self.focus {
            ServersFocus::List => Context::Servers,
            ServersFocus::Server => Context::Server,
        }
    }

    /// Index of the selected server.
    pub fn cursor(&self) -> usize {
        let at = self.selected.as_ref().and_then(|name| self.list.iter().position(|server| server.name == *name));
        at.unwrap_or(0)
    }
}

/// All that the lines of a server depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerKey {
    pub name: String,
    pub version: u64,
    pub width: u16,
    pub theme: Shade,
    pub ages: Vec<String>,
}
