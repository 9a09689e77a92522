//! L0: the vocabulary of the product, as types that can only hold legal values.
//!
//! Nothing here does I/O, reads a clock, awaits, speaks SQL or knows a widget. Input is parsed at the door
//! ([`feedback::NewFeedback::parse`], [`filter::Filter::parse`], [`change::RepoPath::parse`]) and trusted from there on.
//! Every other layer may use this one.

pub mod change;
pub mod diff;
pub mod draft;
pub mod feedback;
mod fields;
pub mod filter;
pub mod id;
pub mod note;
pub mod review;
pub mod server;
pub mod text;
pub mod time;
pub mod unsent;
