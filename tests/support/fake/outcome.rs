//! What may become of a question, whoever is asked. Each fake model words it as its own kind would, so that one table of faults holds for
//! all of them.

use super::script::{Reply, Script};
use serde_json::{Value, json};

/// The end of a question.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A complete answer.
    Says(String),
    /// The model declines in its own words.
    Refuses(String),
    /// A filter stopped it.
    Filtered,
    /// The beginning of an answer that reached the limit of its length.
    Truncated(String),
    /// It stops for a reason that nobody knows.
    OddStop(String),
    /// The beginning, and then the stream ends.
    Ends(String),
    /// The beginning, and then the connection dies.
    Breaks(String),
    /// The beginning, and then silence.
    Stalls(String),
    /// The beginning, and then an event that can't be read.
    Malformed(String),
    /// The beginning, and then bytes that are no text.
    NotText(String),
    /// The beginning, and then an error, under status 200.
    ErrorInside(String, Trouble, String),
    /// An error instead of an answer.
    Error(Trouble, String),
    /// The same, and when to come back, in seconds.
    Later(Trouble, u32, String),
    /// The server answers with a page that is no API's.
    Page(u16),
    HangsUp,
}

/// What a provider's error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    BadKey,
    Forbidden,
    /// Too many requests.
    Rate,
    /// No money left.
    Spent,
    Overloaded,
    Server,
    /// The question is longer than the model's context.
    TooLong,
    /// The question can't be understood.
    BadRequest,
}

impl Outcome {
    /// A complete change in the schema that is asked for.
    pub fn change(title: &str, files: &Value) -> Self {
        Self::Says(json!({"title": title, "summary": "Adds what was missing.", "files": files}).to_string())
    }
}

/// A fake model of any kind.
pub trait FakeModel {
    fn script(&self) -> &Script;

    /// How this kind words it.
    fn wording(&self, outcome: &Outcome) -> Reply;

    /// The text of all turns of a request that this kind was sent, the system's first.
    fn turns(&self, request: &Value) -> Vec<String>;

    fn plan(&self, outcome: &Outcome) {
        self.script().reply(self.wording(outcome));
    }
}
