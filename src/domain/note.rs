//! Notes: what the author adds to a report. Append-only, and the model reads them first.

use super::id::{FeedbackId, NoteId};
use super::time::Millis;
use serde::{Deserialize, Serialize};

/// Longest note, in bytes.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub id: NoteId,
    pub feedback_id: FeedbackId,
    pub at: Millis,
    pub author: String,
    pub content: String,
    /// The author hands it to agents that meet the same gap; see `engine::answers`.
    #[serde(default)]
    pub public: bool,
}

/// Text that may become a note: not blank, not too long. Stored exactly as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NoteText(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNote {
    #[error("a note needs some text")]
    Blank,
    #[error("a note has at most {MAX_NOTE_BYTES} bytes, this one has {0}: split it")]
    TooLong(usize),
}

impl NoteText {
    pub fn parse(raw: impl Into<String>) -> Result<Self, InvalidNote> {
        let raw = raw.into();
        if raw.trim().is_empty() {
            return Err(InvalidNote::Blank);
        }
        if raw.len() > MAX_NOTE_BYTES {
            return Err(InvalidNote::TooLong(raw.len()));
        }
        Ok(Self(raw))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for NoteText {
    type Error = InvalidNote;
    fn try_from(raw: String) -> Result<Self, InvalidNote> {
        Self::parse(raw)
    }
}

impl From<NoteText> for String {
    fn from(text: NoteText) -> String {
        text.0
    }
}
