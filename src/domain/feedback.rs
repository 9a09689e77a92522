//! A report: what an agent needed and did not get.
//!
//! [`NewFeedback::parse`] is the one door for reports from outside: HTTP, CLI and (later) MCP hand it JSON, and get either
//! a value that is legal everywhere below or a list of [`FieldError`]s that say what to write instead. Nothing an agent sends is
//! thrown away: unknown words are kept raw, unknown fields are kept beside the report.

use super::fields::Reader;
use super::id::{CommandId, FeedbackId};
use super::text;
use super::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Longest `what_i_needed`, `what_i_tried`, `suggestion` and `user_goal`, each, in bytes of UTF-8.
pub const MAX_TEXT_BYTES: usize = 256 * 1024;
/// Longest name-like field (`server_name`, `session_id`, …), in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 1024;
/// Most entries in `tools_available`.
pub const MAX_TOOLS: usize = 2_000;
/// Most bytes of unknown fields, as JSON.
pub const MAX_EXTRA_BYTES: usize = 64 * 1024;

/// The server that `patchwork ping` pretends to be. What it reports is a canary: stored like any report, as reviewed from the
/// beginning, and not counted among the servers.
pub const CANARY_SERVER: &str = "patchwork-ping";

/// Declares an enum of wire words with `as_str`, `ALL` and `from_word`.
macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word used on the wire, in the database and in filters.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use word_enum;

word_enum! {
    /// The kind of gap.
    GapType {
        MissingTool = "missing_tool",
        IncompleteResults = "incomplete_results",
        MissingParameter = "missing_parameter",
        WrongFormat = "wrong_format",
        Other = "other",
    }
}

word_enum! {
    /// How it ended for the agent.
    Resolution {
        Blocked = "blocked",
        WorkedAround = "worked_around",
        Partial = "partial",
    }
}

/// A stored report, with what the author and the program have added to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feedback {
    pub id: FeedbackId,
    /// Arrival number in this database: orders reports of one millisecond.
    pub n: i64,
    pub received_at: Millis,
    #[serde(flatten)]
    pub report: Report,
    pub reviewed: bool,
    /// Number of notes.
    pub note_count: i64,
    /// Where the newest draft of this report was published; empty when there is none.
    pub pr_url: String,
    /// A draft of this report was published, as a pull request or a local branch.
    pub drafted: bool,
    /// That pull request was merged.
    pub merged: bool,
}

/// What the agent said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub server_name: String,
    pub what_i_needed: String,
    pub what_i_tried: String,
    pub gap_type: GapType,
    /// The agent's own word, where it is not one of [`GapType`]'s.
    pub gap_type_raw: String,
    pub suggestion: String,
    pub user_goal: String,
    pub resolution: Option<Resolution>,
    /// The agent's own word, where it is not one of [`Resolution`]'s.
    pub resolution_raw: String,
    pub agent_model: String,
    pub tools_available: Vec<String>,
    pub session_id: String,
    pub client_type: String,
    /// Fields this program does not know, as sent.
    pub extra: Map<String, Value>,
}

impl Report {
    /// All of the report's text that free words search in.
    pub fn searchable(&self) -> impl Iterator<Item = &str> {
        [
            &self.what_i_needed,
            &self.what_i_tried,
            &self.suggestion,
            &self.user_goal,
            &self.server_name,
            &self.agent_model,
            &self.client_type,
            &self.gap_type_raw,
        ]
        .into_iter()
        .map(String::as_str)
        .chain(self.tools_available.iter().map(String::as_str))
    }

    /// The first line a list shows.
    pub fn headline(&self, max: usize) -> String {
        text::clipped(&self.what_i_needed, max)
    }
}

/// What is wrong with one field. Never holds the value: errors are logged and sent back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    pub field: String,
    pub message: String,
    /// A stable word for programs: `missing`, `type`, `too_long`, `blank`, `json`.
    pub kind: String,
}

impl FieldError {
    pub fn new(field: &str, kind: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into(), kind: kind.to_owned() }
    }
}

/// A report that may be stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewFeedback {
    /// Made by the client, so that a repeat is recognised.
    pub id: Option<FeedbackId>,
    pub report: Report,
}

impl NewFeedback {
    /// Reads a report from JSON.
    ///
    /// # Errors
    /// Every field that is missing, of the wrong type, blank or too long, at once.
    pub fn parse(json: Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(fields) = json else {
            return Err(vec![FieldError::new("body", "type", "the body must be a JSON object")]);
        };
        let mut reader = Reader::new(fields);
        let parsed = reader.report();
        reader.finish(parsed)
    }

    /// A report of the hosted product's client libraries in our words: `server_slug` is what we call `server_name`.
    pub fn in_our_words(mut json: Value) -> Value {
        if let Value::Object(fields) = &mut json
            && fields.get("server_name").is_none_or(Value::is_null)
            && let Some(slug) = fields.remove("server_slug")
        {
            fields.insert("server_name".into(), slug);
        }
        json
    }

    /// The id that a report sent under an idempotency key gets when it brings none of its own: the same key makes the same id, for ever.
    pub fn id_for_key(key: &CommandId) -> FeedbackId {
        let name = format!("patchwork:idempotency-key:{key}");
        FeedbackId::trusted(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes()).to_string())
    }
}

const NEEDED_HELP: &str = "say what you needed and could not do with this server's tools, in a sentence or more: the tool, parameter or data that was missing";
const TRIED_HELP: &str = "say what you tried first and what came back, or that no tool came close";

impl Reader {
    fn report(&mut self) -> NewFeedback {
        let id = self.id();
        let (gap_type, gap_type_raw) = self.word("gap_type", GapType::from_word);
        let (resolution, resolution_raw) = self.word("resolution", Resolution::from_word);
        let report = Report {
            what_i_needed: self.required("what_i_needed", NEEDED_HELP),
            what_i_tried: self.required("what_i_tried", TRIED_HELP),
            gap_type: gap_type.unwrap_or(GapType::Other),
            gap_type_raw,
            suggestion: self.text("suggestion", MAX_TEXT_BYTES),
            user_goal: self.text("user_goal", MAX_TEXT_BYTES),
            resolution,
            resolution_raw,
            agent_model: self.text("agent_model", MAX_NAME_BYTES),
            tools_available: self.names("tools_available"),
            session_id: self.text("session_id", MAX_NAME_BYTES),
            client_type: self.text("client_type", MAX_NAME_BYTES),
            server_name: self.server_name(),
            extra: self.rest(),
        };
        NewFeedback { id, report }
    }

    fn required(&mut self, field: &str, help: &str) -> String {
        if self.fields.get(field).is_none_or(Value::is_null) {
            self.fields.remove(field);
            self.fail(field, "missing", format!("required: {help}"));
            return String::new();
        }
        let before = self.errors.len();
        let text = self.text(field, MAX_TEXT_BYTES);
        if self.errors.len() == before && text.trim().is_empty() {
            self.fail(field, "blank", format!("empty: {help}"));
        }
        text
    }

    /// A closed word; one that is not known is kept raw.
    fn word<T>(&mut self, field: &str, known: fn(&str) -> Option<T>) -> (Option<T>, String) {
        let raw = self.text(field, MAX_NAME_BYTES);
        let tidy = raw.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        match known(&tidy) {
            Some(value) => (Some(value), String::new()),
            None => (None, raw),
        }
    }

    fn id(&mut self) -> Option<FeedbackId> {
        let Value::String(raw) = self.take("id")? else {
            self.fail("id", "type", "must be a string");
            return None;
        };
        match FeedbackId::parse(raw) {
            Ok(id) => Some(id),
            Err(e) => {
                self.fail("id", "format", e.to_string());
                None
            }
        }
    }

    fn server_name(&mut self) -> String {
        let name = self.text("server_name", MAX_NAME_BYTES);
        if name.trim().is_empty() { String::from("unknown") } else { name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(v: Value) -> Result<NewFeedback, Vec<FieldError>> {
        NewFeedback::parse(v)
    }

    fn minimal(extra: Value) -> Value {
        let mut base = json!({"what_i_needed": "n", "what_i_tried": "t"});
        if let (Value::Object(b), Value::Object(e)) = (&mut base, extra) {
            b.extend(e);
        }
        base
    }

    #[test]
    fn a_minimal_report_gets_the_defaults() {
        let report = parse(minimal(json!({}))).unwrap().report;
        assert_eq!(report.gap_type, GapType::Other);
        assert_eq!(report.server_name, "unknown");
        assert_eq!(report.resolution, None);
    }

    #[test]
    fn every_fault_is_told_at_once_and_no_value_is_echoed() {
        let errors = parse(json!({"what_i_needed": " ", "agent_model": 7, "tools_available": [1], "session_id": "SECRET".repeat(1000)})).unwrap_err();
        let fields: Vec<_> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["what_i_needed", "what_i_tried", "agent_model", "tools_available", "session_id"]);
        assert!(errors.iter().all(|e| !e.message.contains("SECRET")));
        assert!(errors[0].message.contains("say what you needed"));
    }

    #[test]
    fn nothing_is_thrown_away() {
        let report = parse(minimal(json!({"gap_type": "<b>odd</b>", "resolution": "gave up", "mood": {"a": 1}})))
            .unwrap()
            .report;
        assert_eq!((report.gap_type, report.gap_type_raw.as_str()), (GapType::Other, "<b>odd</b>"));
        assert_eq!((report.resolution, report.resolution_raw.as_str()), (None, "gave up"));
        assert_eq!(report.extra["mood"], json!({"a": 1}));
    }

    #[test]
    fn tools_come_in_three_shapes_and_null_is_absent() {
        for tools in [json!(["a", "b"]), json!("[\"a\",\"b\"]"), json!("a, b,")] {
            assert_eq!(parse(minimal(json!({"tools_available": tools}))).unwrap().report.tools_available, ["a", "b"]);
        }
        let nulls = json!({"tools_available": null, "gap_type": null, "suggestion": null, "id": null});
        assert!(parse(minimal(nulls)).is_ok());
    }

    #[test]
    fn limits_name_their_number() {
        let big = "x".repeat(MAX_TEXT_BYTES + 1);
        let errors = parse(minimal(json!({"suggestion": big}))).unwrap_err();
        assert!(errors[0].message.contains("262144"));
    }

    #[test]
    fn one_key_always_makes_the_same_id() {
        let key = CommandId::trusted("k1");
        assert_eq!(NewFeedback::id_for_key(&key), NewFeedback::id_for_key(&key));
        assert_ne!(NewFeedback::id_for_key(&key), NewFeedback::id_for_key(&CommandId::trusted("k2")));
    }
}
