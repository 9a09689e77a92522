//! L1: what crosses from one part of the program, or one process, to another.
//!
//! One write door ([`Command`] in, [`Receipt`] or [`Refusal`] out), one numbered change feed ([`Event`] inside [`Signal`]), a few
//! reads ([`read`]). The same types travel by function call and as JSON.

mod command;
pub mod difference;
mod event;
pub mod read;
pub mod settings;

pub use command::{Actor, Command, Door, Made, Receipt, Refusal, RefusalKind, SettingsPatch};
pub use event::{Event, EventKind, Progress, Seq, Signal};

/// Raised when a change to these types would confuse an older peer.
pub const PROTOCOL_VERSION: u32 = 1;
