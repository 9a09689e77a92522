//! L2: the only SQL of the program: one SQLite file, one writer thread, a few readers.
//!
//! Writes are [`Write`]s, plain data sent to the writer thread over a bounded channel; it commits everything that is waiting in
//! one transaction and only then answers ([`Store::write`]). Each change adds its [`Event`](crate::protocol::Event)s in
//! the same transaction, so the log can't disagree with the rows. Reads run on a small pool of read-only connections and never wait
//! for the writer (WAL). After a commit a bell rings ([`Store::bell`]); what happened is read from the log ([`Store::tail`]).
//!
//! Only `engine` may use this layer.

mod artifacts;
mod counts;
mod difference;
mod error;
mod index;
mod log;
mod migrate;
mod open;
mod original;
mod plan;
mod pulls;
mod query;
mod reads;
mod rows;
mod servers;
mod write;
mod writer;

pub use artifacts::ArtifactName;
pub use difference::Compared;
pub use error::{Fault, StoreError};
pub use log::Tail;
pub use open::make_directory;
pub use pulls::OpenPull;
pub use write::{Change, NewDraft, Write, Written};
pub use writer::{Options, Store};
