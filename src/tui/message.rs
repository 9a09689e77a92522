//! What comes into the screen ([`Msg`]) and what goes out of it ([`Effect`]), as plain data: `update` maps the one to the other and does
//! nothing else, so whole sessions can be tested without a terminal, a clock or an engine.

use super::bench::{Comparison, Run};
use super::mirror::Side;
use super::settings::{Done, Hidden};
use super::theme::Shade;
use crate::domain::filter::Filter;
use crate::domain::id::{CommandId, DraftId, FeedbackId};
use crate::domain::server::Server;
use crate::protocol::read::{Detail, Facets, Page, PageRequest, Row, Snapshot, Stats};
use crate::protocol::settings::{Check, Finding, Sheet};
use crate::protocol::{Command, Receipt, Refusal, Seq, Signal};
use crossterm::event::{KeyEvent, MouseEvent};

/// Everything that can happen to the screen.
#[expect(clippy::large_enum_variant, reason = "a few messages a second, each moved a handful of times")]
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    Key(KeyEvent),
    Paste(String),
    Mouse(MouseEvent),
    Resize(u16, u16),
    /// The terminal has said what its background is, later than it was waited for.
    Background(Shade),
    Signal(Signal),
    Answer(Answer),
    /// Labels and durations may have changed.
    Tick,
}

/// What came of an [`Effect`].
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// `filter` and `generation` are those of the request.
    Snapshot {
        generation: u64,
        filter: Filter,
        result: Result<Snapshot, Refusal>,
    },
    Page {
        generation: u64,
        filter: Filter,
        side: Side,
        result: Result<Page<Row>, Refusal>,
    },
    Feedback {
        id: FeedbackId,
        result: Result<Detail, Refusal>,
    },
    Draft {
        id: DraftId,
        result: Result<Box<Run>, Refusal>,
    },
    /// `asked` is that of the request.
    Difference {
        asked: u64,
        result: Result<Comparison, Refusal>,
    },
    Stats(Result<Stats, Refusal>),
    Facets(Result<Facets, Refusal>),
    Servers(Result<Vec<Server>, Refusal>),
    Settings(Result<Sheet, Refusal>),
    KeySaved {
        name: String,
        done: Done,
        result: Result<(), Refusal>,
    },
    Checked {
        check: Check,
        result: Result<Finding, Refusal>,
    },
    Submitted {
        id: CommandId,
        result: Result<Receipt, Refusal>,
    },
    /// The text that came back from `$EDITOR`, or why none did.
    Edited {
        subject: Subject,
        result: Result<String, String>,
    },
    /// What is typed could not be kept on disk.
    NotKept(String),
    /// A browser was started for the link, or not.
    Opened {
        link: String,
        result: Result<(), String>,
    },
    /// The ingest server ended.
    IngestStopped(String),
}

/// What a text is that somebody writes in `$EDITOR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A note on reports; the text is kept with the first of them.
    Note(Vec<FeedbackId>),
    /// Title and text of a change that waits.
    Change(DraftId),
}

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Read a snapshot, then follow the log from there.
    Begin {
        generation: u64,
        request: PageRequest,
    },
    Watch {
        after: Seq,
    },
    ReadPage {
        generation: u64,
        filter: Filter,
        side: Side,
        request: PageRequest,
    },
    ReadFeedback(FeedbackId),
    ReadDraft(DraftId),
    /// What a run's change does otherwise than that of an earlier one.
    ReadDifference {
        asked: u64,
        draft: DraftId,
        against: DraftId,
    },
    ReadStats,
    ReadFacets,
    ReadServers,
    ReadSettings,
    /// An empty value takes the key out.
    SaveKey {
        name: String,
        value: Hidden,
    },
    /// Try something that is configured.
    Check(Check),
    Submit {
        id: CommandId,
        command: Command,
    },
    /// Keep a half-typed note on disk; blank text forgets it.
    KeepUnsaved {
        feedback: FeedbackId,
        text: String,
    },
    /// Put text on the clipboard of the terminal at the user's end of the line.
    Copy(String),
    OpenLink(String),
    /// Give the terminal to `$EDITOR`, beginning with `text`.
    Edit {
        subject: Subject,
        title: String,
        text: String,
    },
    Suspend,
    Quit,
}
