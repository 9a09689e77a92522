//! Identifiers. All are short opaque strings: those of the original Python sidecar are kept as they are, ours are UUIDs.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest identifier accepted from outside, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// Why a string can't be an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {MAX_ID_BYTES} printable ASCII characters without spaces")]
pub struct InvalidId;

fn check(raw: &str) -> Result<(), InvalidId> {
    let fits = (1..=MAX_ID_BYTES).contains(&raw.len());
    if fits && raw.bytes().all(|b| b.is_ascii_graphic()) { Ok(()) } else { Err(InvalidId) }
}

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Accepts what came from outside, or says what an id looks like.
            pub fn parse(raw: impl Into<String>) -> Result<Self, InvalidId> {
                let raw = raw.into();
                check(&raw)?;
                Ok(Self(raw))
            }

            /// For text that is already known to be an id: a database row, a UUID.
            pub fn trusted(raw: impl Into<String>) -> Self {
                Self(raw.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The first eight characters: enough to tell ids apart on a screen.
            ///
            /// The *last* eight for our own time-ordered UUIDs, whose beginning is the same for hours.
            pub fn short(&self) -> &str {
                let is_v7 = self.0.len() == 36 && self.0.as_bytes().get(14) == Some(&b'7');
                let cut = if is_v7 { self.0.get(28..) } else { self.0.get(..8) };
                cut.unwrap_or(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(raw: String) -> Result<Self, InvalidId> {
                Self::parse(raw)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

string_id! {
    /// A report.
    FeedbackId
}
string_id! {
    /// A note on a report.
    NoteId
}
string_id! {
    /// A draft run.
    DraftId
}
string_id! {
    /// Made by whoever sends a command; a command sent twice under one id acts once.
    CommandId
}
