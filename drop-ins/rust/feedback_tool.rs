//! PatchworkMCP drop-in: a `feedback` tool for any Rust MCP server, in one file.
//!
//! Copy this file next to your `main.rs` and register the tool in the `ToolRouter` of your server:
//!
//! ```ignore
//! mod feedback_tool;
//! use feedback_tool::{Options, register_feedback_tool, with_feedback_instructions};
//!
//! let mut tool_router = Self::tool_router();                       // where your server is made
//! register_feedback_tool(&mut tool_router, "my-server", Options::default());
//!
//! #[tool_handler(router = self.tool_router)]
//! impl ServerHandler for MyServer {
//!     fn get_info(&self) -> ServerConfig {
//!         with_feedback_instructions(ServerConfig::new(/* … */))   // or mention INSTRUCTIONS yourself
//!     }
//! }
//! ```
//!
//! For `rmcp` 3.x. Any other framework uses the plain parts, [`tool`], [`INSTRUCTIONS`], [`send_feedback`]
//! (or [`send_feedback_sync`]) and [`send_heartbeat`], and deletes the last section of this file.
//!
//! Settings, as [`Options`] or from the environment (options win):
//!
//! ```text
//! url      FEEDBACK_SIDECAR_URL  where the reports go (default http://127.0.0.1:8099)
//! api_key  FEEDBACK_API_KEY      sent as a bearer token when set
//!          FEEDBACK_SPOOL_DIR    where undelivered reports wait ("off": nowhere)
//! log                            takes the log lines (default: stderr)
//! ```
//!
//! What it promises: a call takes less than two seconds whatever the sidecar does, never fails and
//! never writes to stdout. A report that cannot be delivered waits in a small file and is sent
//! later under the same id; the answer to the agent says which of these happened. A program that
//! ends as soon as its client has gone calls [`flush`] last.
//!
//! Needs Rust 1.89 and
//! `cargo add regex serde_json ureq@3 uuid -F uuid/v4`.
#![allow(dead_code, reason = "a server uses some of the public parts, not all")]

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::future::Future;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use regex::Regex;
use serde_json::{Map, Value, json};

const VERSION: &str = "1.0.0";

// The texts are the same in every language and live in `assets/feedback-tool.json`; a test compares.
// BEGIN feedback-tool.json
const TEXTS_JSON: &str = r##"{
  "version": "1",
  "name": "feedback",
  "title": "Report a gap in this server",
  "description": "Tell this server's author about a gap you just hit: a tool that does not exist, a parameter that is missing, results that are incomplete, or a format you could not use. Call it BEFORE you answer the user whenever this server's tools could not fully do what the task needed, also when you found a workaround. One call per distinct gap. Be specific: name the tools, parameters and fields, and write what an ideal tool call would have looked like. Do not call it for praise, for outages, time-outs or authentication problems, for gaps of other servers, or to hand over the user's own task. Never include secrets or personal data.",
  "instructions": "This server wants to know what it cannot do. If its tools could not fully do what the task needed (a missing tool, a missing parameter, incomplete results, a wrong format), call the `feedback` tool before you answer the user, even when you found a workaround. Be specific about what you needed, what you tried and what would have helped.",
  "annotations": {
    "readOnlyHint": false,
    "destructiveHint": false,
    "idempotentHint": false,
    "openWorldHint": true
  },
  "input_schema": {
    "type": "object",
    "required": ["what_i_needed", "what_i_tried"],
    "properties": {
      "what_i_needed": {
        "type": "string",
        "description": "The missing capability, specifically: what you needed to do or know, with the names of tools, parameters and fields."
      },
      "what_i_tried": {
        "type": "string",
        "description": "What you tried first and what came back: tool names, arguments, and how the result fell short. Say so if nothing came close."
      },
      "gap_type": {
        "type": "string",
        "enum": ["missing_tool", "incomplete_results", "missing_parameter", "wrong_format", "other"],
        "default": "other",
        "description": "missing_tool: no tool does it. incomplete_results: a tool answers but leaves things out. missing_parameter: a tool exists but cannot be narrowed or steered as needed. wrong_format: the data is there but not usable as it is. other: none of these."
      },
      "suggestion": {
        "type": "string",
        "description": "What would have helped, as concretely as you can: a tool signature, a parameter with its type, a field to add."
      },
      "user_goal": {
        "type": "string",
        "description": "What the user wants in the end, in one sentence, without personal data."
      },
      "resolution": {
        "type": "string",
        "enum": ["blocked", "worked_around", "partial"],
        "description": "How it ended: blocked (could not do it), worked_around (did it another way), partial (did a part of it)."
      },
      "tools_available": {
        "type": "array",
        "items": { "type": "string" },
        "description": "Names of this server's tools that you looked at."
      },
      "agent_model": {
        "type": "string",
        "description": "The model you are, if you know it."
      },
      "session_id": {
        "type": "string",
        "description": "An id of this conversation, if you have one: it groups the reports of one session."
      },
      "client_type": {
        "type": "string",
        "description": "The client you run in, if you know it (claude-code, cursor, ...)."
      }
    }
  },
  "answers": {
    "recorded": "Recorded, thank you. The author of this server will read it. Now go on and answer the user as well as you can.",
    "known": "Recorded, thank you. The author of this server says about this gap: {answer}",
    "queued": "Noted. The report could not be delivered just now; it is kept and will be sent later. Go on and answer the user as well as you can.",
    "lost": "The report could not be delivered or kept ({reason}). Go on and answer the user as well as you can.",
    "refused": "The report was not accepted: {reason}. Correct it and call feedback again, or go on without."
  }
}
"##;
// END feedback-tool.json

static TEXTS: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(TEXTS_JSON).unwrap_or_default());

/// Agents tend to ignore a tool that the server's instructions don't mention: put this there.
pub static INSTRUCTIONS: LazyLock<String> = LazyLock::new(|| texts("instructions"));

/// What `tools/list` shows for this tool, for servers that keep their own list.
pub fn tool() -> Value {
    json!({
        "name": TEXTS["name"],
        "title": TEXTS["title"],
        "description": TEXTS["description"],
        "inputSchema": TEXTS["input_schema"],
        "annotations": TEXTS["annotations"],
    })
}

fn texts(name: &str) -> String {
    TEXTS[name].as_str().unwrap_or_default().to_owned()
}

/// One of the answers to the agent, with the words for the hole in it.
fn answer(name: &str, hole: &str, words: &str) -> String {
    TEXTS["answers"][name].as_str().unwrap_or_default().replacen(hole, words, 1)
}

const DEFAULT_URL: &str = "http://127.0.0.1:8099";
const CONNECT_TIME: Duration = Duration::from_millis(500);
const CALL_TIME: Duration = Duration::from_millis(1400); // the network's share of a call; the rest is for the SDK and the disk
const RETRY_PAUSE: Duration = Duration::from_millis(150);
const BACKGROUND_TIME: Duration = Duration::from_secs(10);
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
const LONGEST_RETRY_AFTER: f64 = 3600.0;
const HEARTBEAT_DELAY: Duration = Duration::from_secs(1);
const HEARTBEAT_EVERY: Duration = Duration::from_secs(3600);
const FLUSH_TIME: Duration = Duration::from_secs(2);
const ANSWER_MAX_BYTES: u64 = 1 << 20;
const SPOOL_MAX_BYTES: usize = 1 << 20;
const SPOOL_MAX_LINES: usize = 500;
const LOCK_TIME: Duration = Duration::from_millis(100);
const LOG_LINES_WAITING: usize = 16;

const LONG_FIELDS: [&str; 4] = ["what_i_needed", "what_i_tried", "suggestion", "user_goal"];
const SHORT_FIELDS: [&str; 6] =
    ["gap_type", "resolution", "agent_model", "session_id", "client_type", "client_version"];
const OWN_FIELDS: [&str; 5] = ["id", "server_name", "drop_in", "sdk", "texts_version"];
const REQUIRED: [&str; 2] = ["what_i_needed", "what_i_tried"];
const LONG_MAX_BYTES: usize = 200_000;
const LONG_READ_BYTES: usize = LONG_MAX_BYTES + (1 << 16); // of a text of any length: what lies behind is cut anyway
const SHORT_READ_BYTES: usize = 1 << 13;
const SHORT_MAX_CHARS: usize = 500;
const TOOLS_MAX: usize = 500;
const TOOL_MAX_CHARS: usize = 200;
const UNKNOWN_FIELDS_MAX: usize = 20;
const CUT_MARK: &str = "…[cut]";

/// Can stand in for a session on stdio, where one process serves one conversation.
pub static PROCESS_SESSION: LazyLock<String> = LazyLock::new(new_uuid);

/// Where log lines go.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// Settings of a registration; what is left out comes from the environment.
#[derive(Clone, Default)]
pub struct Options {
    pub url: Option<String>,
    pub api_key: Option<String>,
    /// Takes the log lines. A line must not be wrapped or quoted: reports are imported from logs.
    pub log: Option<Log>,
}

/// What the server itself knows about a call. It outranks what the agent says about itself.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub client_type: Option<String>,
    pub client_version: Option<String>,
    pub session_id: Option<String>,
    pub tools_available: Vec<String>,
    /// Used where neither the SDK nor the agent has one.
    pub fallback_session: Option<String>,
}

// ---------------------------------------------------------------------------------------------
// From the agent's words to a payload

/// The expressions have no look-behind: the character before is matched and put back.
struct Shapes {
    pem_key: Regex,
    dash_key: Regex,
    word_key: Regex,
    bearer: Regex,
    assigned: Regex,
    type_name: Regex,
    url_password: Regex,
}

static SHAPES: LazyLock<Option<Shapes>> = LazyLock::new(|| {
    const PEM: &str = r"(?s)-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\z)";
    const DASH: &str =
        r"(^|[^0-9A-Za-z_-])(?:sk-[0-9A-Za-z_-]{16,}|eyJ[0-9A-Za-z_-]{4,}\.[0-9A-Za-z_-]{4,}(?:\.[0-9A-Za-z_-]*)?)";
    const WORD: &str = r"(^|[^0-9A-Za-z_])(?:gh[oprsu]_[0-9A-Za-z_.-]{16,}|github_pat_[0-9A-Za-z_]{16,}|(?:AKIA|ASIA)[0-9A-Z]{16}|xox[abeprs]-[0-9A-Za-z_-]{8,}|[rs]k_(?:live|test)_[0-9A-Za-z_]{16,}|(?:AIza|glpat-|ya29\.)[0-9A-Za-z_-]{20,}|(?:npm|hf)_[0-9A-Za-z_]{30,})";
    const BEARER: &str = r#"(?i)\b(bearer|authorization["']?\s{0,5}[=:]\s{0,5}["']?(?:basic|token))\s{1,5}([0-9A-Za-z_.~+/=-]{6,})"#;
    // The backslashes are those of JSON inside of a JSON string.
    const ASSIGNED: &str = r#"(?i)(?:passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|(?:access|auth|refresh|bearer)[_-]?token)\\{0,3}["']?\s{0,5}[=:]\s{0,5}\\{0,3}"#;
    const TYPE: &str = r#"(?i)^["']?(?:str|string|int|integer|bool|boolean|number|float|any|object|optional|required|none|null|list|array|text|bytes|secretstr)\b"#;
    Some(Shapes {
        pem_key: Regex::new(PEM).ok()?,
        dash_key: Regex::new(DASH).ok()?,
        word_key: Regex::new(WORD).ok()?,
        bearer: Regex::new(BEARER).ok()?,
        assigned: Regex::new(ASSIGNED).ok()?,
        type_name: Regex::new(TYPE).ok()?,
        url_password: Regex::new(r"(://[^\s/:@]{1,100}):[^\s/@]{1,200}@").ok()?,
    })
});

/// Replaces what looks like a credential. Best effort: it catches shapes, not secrets.
fn redact(text: &str) -> String {
    let Some(shapes) = &*SHAPES else {
        return "[redacted]".to_owned(); // `regex` without its Unicode features: nothing leaves unread
    };
    let text = shapes.pem_key.replace_all(text, "[redacted]");
    let text = shapes.dash_key.replace_all(&text, "${1}[redacted]");
    let text = shapes.word_key.replace_all(&text, "${1}[redacted]");
    let text = redact_bearer(shapes, &text);
    let text = redact_assigned(shapes, &text);
    shapes.url_password.replace_all(&text, "${1}:[redacted]@").into_owned()
}

/// Spares "bearer token": a token has a digit early on or is long.
fn redact_bearer(shapes: &Shapes, mut text: &str) -> String {
    let mut out = String::new();
    while let Some(found) = shapes.bearer.captures(text) {
        let (Some(bearer), Some(token)) = (found.get(1), found.get(2)) else { break };
        let word = || text[token.start()..].chars().take(201).take_while(|c| !c.is_whitespace());
        if word().any(|c| c.is_ascii_digit()) || word().count() >= 20 {
            out += &text[..bearer.end()];
            out += " [redacted]";
            text = &text[token.end()..];
        } else {
            out += &text[..token.start()];
            text = &text[token.start()..];
        }
    }
    out + text
}

/// Turns `password=hunter2` into `password=[redacted]` and leaves `login(password: str)` alone:
/// suggestions are often tool signatures.
fn redact_assigned(shapes: &Shapes, mut text: &str) -> String {
    let mut out = String::new();
    while let Some(name) = shapes.assigned.find(text) {
        out += &text[..name.end()];
        text = &text[name.end()..];
        if shapes.type_name.is_match(text) {
            continue; // before the value is measured: a text may be full of them
        }
        let length = value_length(text);
        if length > 0 {
            out += "[redacted]";
            text = &text[length..];
        }
    }
    out + text
}

/// The length of the quoted text or the word at the start.
fn value_length(text: &str) -> usize {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let end = text[1..].char_indices().take(501).find(|(_, c)| *c == quote || *c == '\n');
        return match end {
            Some((at, c)) if at > 0 && c == quote => at + 2,
            _ => 0,
        };
    }
    text.find(|c: char| c.is_whitespace() || ",;\"'<>(){}[]".contains(c)).unwrap_or(text.len())
}

/// Whatever an agent sent, as text that survives JSON and UTF-8, without credentials.
fn plain(value: &Value, most: usize) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    plain_text(&text, most)
}

/// A text of a few words.
fn short(value: &Value) -> String {
    cut_chars(&plain(value, SHORT_READ_BYTES), SHORT_MAX_CHARS)
}

fn short_text(text: &str) -> String {
    cut_chars(&plain_text(text, SHORT_READ_BYTES), SHORT_MAX_CHARS)
}

fn plain_text(text: &str, most: usize) -> String {
    let end = text.floor_char_boundary_of(most);
    redact(&text[..end].replace('\0', "\u{fffd}"))
}

trait CharBoundary {
    fn floor_char_boundary_of(&self, most: usize) -> usize;
}

impl CharBoundary for str {
    /// The most bytes that end between two characters.
    fn floor_char_boundary_of(&self, most: usize) -> usize {
        (0..=most.min(self.len())).rev().find(|at| self.is_char_boundary(*at)).unwrap_or(0)
    }
}

fn cut_bytes(text: String) -> String {
    if text.len() <= LONG_MAX_BYTES {
        return text;
    }
    let end = text.floor_char_boundary_of(LONG_MAX_BYTES - CUT_MARK.len());
    text[..end].to_owned() + CUT_MARK
}

fn cut_chars(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// A list of names; agents also send it as JSON text, comma separated, or as objects.
fn tool_names(value: &Value) -> Vec<String> {
    let items = match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Array(items)) => items,
            _ => text.split(',').map(Value::from).collect(),
        },
        other => vec![other.clone()],
    };
    let name =
        |item: &Value| cut_chars(plain(item.get("name").unwrap_or(item), SHORT_READ_BYTES).trim(), TOOL_MAX_CHARS);
    items.iter().map(name).filter(|name| !name.is_empty()).take(TOOLS_MAX).collect()
}

fn build_payload(said: &Map<String, Value>, server_name: &str, sdk: &str, facts: &Facts) -> Map<String, Value> {
    let word = |name: &str| said.get(name).unwrap_or(&Value::Null);
    let mut payload = Map::new();
    let mut set = |name: &str, text: String| {
        if !text.is_empty() {
            payload.insert(name.to_owned(), Value::from(text));
        }
    };
    for name in LONG_FIELDS {
        set(name, cut_bytes(plain(word(name), LONG_READ_BYTES)));
    }
    for name in SHORT_FIELDS {
        set(name, short(word(name)));
    }
    let known = [
        ("client_type", &facts.client_type),
        ("client_version", &facts.client_version),
        ("session_id", &facts.session_id),
    ];
    for (name, fact) in known {
        set(name, short_text(fact.as_deref().unwrap_or_default()));
    }
    let is_known = |name: &String| {
        let name = name.as_str();
        LONG_FIELDS.contains(&name)
            || SHORT_FIELDS.contains(&name)
            || OWN_FIELDS.contains(&name)
            || name == "tools_available"
    };
    for (name, value) in said.iter().filter(|(name, _)| !is_known(name)).take(UNKNOWN_FIELDS_MAX) {
        let assigned = format!("{name}=0"); // a value whose name says what it is
        let value = if redact(&assigned) == assigned { short(value) } else { "[redacted]".to_owned() };
        set(&cut_chars(&short_text(name), 100), value);
    }

    let names = match facts.tools_available.is_empty() {
        true => tool_names(word("tools_available")),
        false => tool_names(&json!(facts.tools_available)),
    };
    if !names.is_empty() {
        payload.insert("tools_available".to_owned(), json!(names));
    }
    if let (false, Some(session)) = (payload.contains_key("session_id"), &facts.fallback_session) {
        payload.insert("session_id".to_owned(), json!(session));
    }
    payload.entry("gap_type").or_insert_with(|| json!("other"));
    // One id per report, the same in every retry: the sidecar stores it once.
    payload.insert("id".to_owned(), json!(new_uuid()));
    payload.insert("server_name".to_owned(), json!(short_text(server_name)));
    payload.insert("drop_in".to_owned(), json!(format!("rust/{VERSION}")));
    payload.insert("sdk".to_owned(), json!(sdk));
    payload.insert("texts_version".to_owned(), TEXTS["version"].clone());
    payload
}

fn new_uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

// ---------------------------------------------------------------------------------------------
// One POST

/// How a POST ended: a status with its JSON, or a reason why there is none.
#[derive(Default)]
struct Reply {
    status: u16,
    data: Value,
    reason: String,
    retry_after: Duration,
}

impl Reply {
    fn none(reason: &str) -> Self {
        Self { reason: reason.to_owned(), ..Self::default() }
    }

    /// The body counts too: some other program may be listening on that port.
    fn stored(&self) -> bool {
        matches!(self.status, 200 | 201) && self.data["status"] == "recorded"
    }

    /// The sidecar will never take this report.
    fn is_final(&self) -> bool {
        matches!(self.status, 413 | 422)
    }

    /// A trouble that may be gone a moment later.
    fn passing(&self) -> bool {
        matches!(self.status, 0 | 408 | 429 | 500..)
    }

    /// A trouble that the next report need not share.
    fn about_this_report(&self) -> bool {
        !matches!(self.status, 0 | 401 | 403 | 404 | 408 | 415 | 429)
    }

    /// What the sidecar found wrong: a text, or a list of `{loc, msg}`.
    fn detail(&self) -> String {
        let found = match &self.data["detail"] {
            Value::Array(items) => items.iter().map(complaint).collect::<Vec<_>>().join("; "),
            Value::String(text) => text.clone(),
            _ => String::new(),
        };
        let found = if found.is_empty() { "no reason given" } else { found.trim_end_matches('.') };
        cut_chars(found, 1000)
    }
}

fn complaint(item: &Value) -> String {
    let words = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let message = words(item.get("msg").unwrap_or(item));
    let place = match &item["loc"] {
        Value::Array(parts) => parts.iter().filter(|part| *part != "body").map(words).collect::<Vec<_>>().join("."),
        Value::Null => String::new(),
        other => words(other),
    };
    if place.is_empty() { message } else { format!("{place}: {message}") }
}

/// Seconds or an HTTP date, as time from now.
fn retry_after(value: &str) -> Duration {
    let seconds = value.trim().parse().ok().or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        Some(http_date(value)? as f64 - now.as_secs_f64())
    });
    Duration::from_secs_f64(seconds.filter(|s: &f64| s.is_finite()).unwrap_or(0.0).clamp(0.0, LONGEST_RETRY_AFTER))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as seconds since 1970.
fn http_date(value: &str) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut parts = value.split_whitespace().skip(1);
    let day: i64 = parts.next()?.parse().ok()?;
    let month = MONTHS.find(parts.next()?)? as i64 / 3 + 1;
    let year: i64 = parts.next()?.parse().ok()?;
    let clock: Vec<i64> = parts.next()?.split(':').map_while(|part| part.parse().ok()).collect();
    let [hour, minute, second] = clock[..] else { return None };
    // Days since 1970, counting years from March so that the leap day comes last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day - 719_469;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// The present as `2026-11-20T12:34:56+00:00`.
fn now_text() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs() as i64);
    // The way back from days since 1970, again in years that begin in March.
    let z = seconds.div_euclid(86_400) + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * m + 2) / 5 + 1, if m < 10 { m + 3 } else { m - 9 });
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let clock = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00")
}

struct Request {
    url: String,
    body: Vec<u8>,
    headers: Vec<(&'static str, String)>,
}

/// POSTs within `limit`, name lookup and a trickling answer included.
///
/// The exchange runs in a thread that is left behind when the time is up; its own limits end it.
fn post(request: Request, limit: Duration) -> Reply {
    let (sender, receiver) = mpsc::sync_channel(1);
    let work = move || drop(sender.send(exchange(&request, limit)));
    if thread::Builder::new().name("patchwork-post".to_owned()).spawn(work).is_err() {
        return Reply::none("no_thread");
    }
    receiver.recv_timeout(limit).unwrap_or_else(|_| Reply::none("timeout"))
}

fn exchange(request: &Request, limit: Duration) -> Reply {
    if !request.url.starts_with("http://") && !request.url.starts_with("https://") {
        return Reply::none("invalid_url_or_key");
    }
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(limit))
        .timeout_connect(Some(CONNECT_TIME))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
        .proxy(None)
        .build();
    let mut call = ureq::Agent::new_with_config(config).post(&request.url);
    for (name, value) in &request.headers {
        call = call.header(*name, value);
    }
    match call.send(&request.body[..]) {
        Ok(response) => read(response),
        Err(error) => Reply::none(reason_of(&error)),
    }
}

fn reason_of(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "timeout",
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "invalid_url_or_key",
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => "unreachable",
        ureq::Error::Io(error) => match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "timeout",
            io::ErrorKind::ConnectionRefused => "unreachable",
            _ => "connection_lost",
        },
        _ => "connection_lost",
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Reply {
    let status = response.status().as_u16();
    let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(retry_after);
    let raw = match response.body_mut().with_config().limit(ANSWER_MAX_BYTES).read_to_vec() {
        Ok(raw) => raw,
        Err(error) => return Reply::none(reason_of(&error)),
    };
    let data = serde_json::from_slice(&raw).unwrap_or_default();
    let mut reply = Reply { status, data, reason: format!("status_{status}"), retry_after: wait.unwrap_or_default() };
    if matches!(status, 200 | 201) && !reply.stored() {
        "unexpected_answer".clone_into(&mut reply.reason);
    }
    reply
}

// ---------------------------------------------------------------------------------------------
// The spool: reports that wait on disk

/// A bounded JSON Lines file that the processes of one server share.
///
/// `<name>.lock` guards the file and is held for moments; `<name>.drain` is held by the one
/// process that is sending, so that the others can still add.
struct Spool {
    name: String,
}

impl Spool {
    fn new(server_name: &str) -> Self {
        let usual = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let safe: String = server_name.chars().map(|c| if usual(c) { c } else { '_' }).collect();
        let safe = cut_chars(safe.trim_start_matches('.'), 100);
        Self { name: if safe.is_empty() { "unknown".to_owned() } else { safe } }
    }

    /// The path of a file that is there, or can be made: a link or a pipe in its place is no spool.
    fn file(&self, suffix: &str) -> io::Result<PathBuf> {
        let configured = std::env::var("FEEDBACK_SPOOL_DIR").unwrap_or_default();
        let directory = match configured.trim() {
            off if off.eq_ignore_ascii_case("off") => return Err(io::Error::other("the spool is switched off")),
            "" => {
                let state = std::env::var_os("XDG_STATE_HOME").filter(|state| !state.is_empty()).map(PathBuf::from);
                let home = || std::env::home_dir().map(|home| home.join(".local/state"));
                let state = state.or_else(home).ok_or_else(|| io::Error::other("there is no home directory"))?;
                state.join("patchwork").join("spool")
            }
            set => PathBuf::from(set),
        };
        let path = directory.join(format!("{}{suffix}", self.name));
        match fs::symlink_metadata(&path) {
            Ok(there) if !there.is_file() || there.len() > 2 * SPOOL_MAX_BYTES as u64 => {
                Err(io::Error::other(format!("{} is not a spool file", path.display())))
            }
            _ => Ok(path),
        }
    }

    /// The lock in a file of its own, which its holder keeps open; none when it could not be had in time.
    fn lock(&self, suffix: &str, limit: Duration) -> io::Result<Option<File>> {
        let path = self.file(suffix)?;
        make_directory(&path)?;
        let file = private(OpenOptions::new().write(true).create(true), &path)?;
        let give_up = Instant::now() + limit;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= give_up => return Ok(None),
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Keeps a report; the reason why not, if not.
    fn add(&self, reason: &str, payload: &Map<String, Value>, limit: Duration) -> Option<&'static str> {
        let line = json!({"reason": reason, "payload": payload, "queued_at": now_text()}).to_string();
        let append_line = || {
            let Some(_lock) = self.lock(".lock", limit)? else { return Ok(Some("spool_busy")) };
            let path = self.file(".jsonl")?;
            let before = if path.exists() { fs::read(&path)? } else { Vec::new() };
            // A writer may have died in the middle of a line.
            let start = if before.last().is_some_and(|last| *last != b'\n') { "\n" } else { "" };
            let lines = before.iter().filter(|byte| **byte == b'\n').count();
            if before.len() + start.len() + line.len() + 1 > SPOOL_MAX_BYTES || lines >= SPOOL_MAX_LINES {
                return Ok(Some("spool_full"));
            }
            append(&path, format!("{start}{line}\n").as_bytes())?;
            Ok::<_, io::Error>(None)
        };
        append_line().unwrap_or(Some("no_spool"))
    }

    fn read(&self) -> Vec<Vec<u8>> {
        let data = self.file(".jsonl").and_then(fs::read).unwrap_or_default();
        let lines = data.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        lines.map(<[u8]>::to_vec).collect()
    }

    /// Takes a line out, or moves it to the end so that it cannot hold up the others.
    fn settle(&self, line: &[u8], sent: bool) -> io::Result<()> {
        let Some(_lock) = self.lock(".lock", BACKGROUND_TIME)? else {
            return Ok(()); // sent again later, under the same id
        };
        let mut rest = self.read();
        rest.retain(|other| other != line);
        if !sent {
            rest.push(line.to_vec());
        }
        let path = self.file(".jsonl")?;
        if rest.is_empty() {
            return remove(&path);
        }
        let temporary = self.file(".jsonl.tmp")?;
        remove(&temporary)?;
        let mut data = rest.join(&b'\n');
        data.push(b'\n');
        append(&temporary, &data)?;
        fs::rename(temporary, path)
    }

    /// Keeps a line that cannot be read where a person may look at it.
    fn set_aside(&self, line: &[u8]) -> io::Result<()> {
        let bad = self.file(".jsonl.bad")?;
        let size = fs::metadata(&bad).map_or(0, |bad| usize::try_from(bad.len()).unwrap_or(usize::MAX));
        if size.saturating_add(line.len()) < SPOOL_MAX_BYTES {
            append(&bad, &[line, b"\n"].concat())?;
        }
        self.settle(line, true)
    }
}

fn make_directory(file: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    file.parent().map_or(Ok(()), |directory| builder.recursive(true).create(directory))
}

fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

fn append(path: &Path, data: &[u8]) -> io::Result<()> {
    private(OpenOptions::new().append(true).create(true), path)?.write_all(data)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The payload of a spooled line, if it can be read.
fn payload_of(line: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice::<Value>(line).ok()?.get_mut("payload")?.take() {
        Value::Object(payload) => Some(payload),
        _ => None,
    }
}

// ---------------------------------------------------------------------------------------------
// The reporter: delivery, retries, truth

/// The answer to the agent, and the log line that belongs to it.
struct Outcome {
    answer: String,
    unsent: Option<(String, Map<String, Value>)>,
}

fn lost(reason: &str, unsent: Option<(String, Map<String, Value>)>) -> Outcome {
    Outcome { answer: answer("lost", "{reason}", reason), unsent }
}

/// Delivers the reports of one server name to one sidecar.
struct Reporter {
    server_name: String,
    sdk: String,
    options: Options,
    spool: Spool,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    working: bool,
    woken: bool,
    names: Option<Vec<String>>, // of the server registered last
    not_before: Option<Instant>, // what the last Retry-After asked for
}

impl Reporter {
    /// Drops the line where too many wait: no client has to read a server's stderr.
    fn log(&self, line: &str) {
        if LOGGING.fetch_add(1, Ordering::Relaxed) < LOG_LINES_WAITING {
            let write = || match &self.options.log {
                Some(log) => log(line),
                None => drop(writeln!(io::stderr(), "{line}")), // there is nowhere else to say that stderr is closed
            };
            drop(catch_unwind(AssertUnwindSafe(write))); // a logger that fails is not the agent's trouble
        }
        LOGGING.fetch_sub(1, Ordering::Relaxed);
    }

    fn log_unsent(&self, reason: &str, payload: &Map<String, Value>) {
        let payload = json!(payload);
        self.log(&format!("PATCHWORKMCP_UNSENT_FEEDBACK reason={reason} payload={payload}"));
    }

    /// Delivers in a thread of its own, so that no executor waits for the network or a disk. The
    /// thread finishes its work even when the client cancels the call.
    fn report(self: &Arc<Self>, said: Map<String, Value>, facts: Facts) -> Answer {
        let answer = Answer::default();
        let (reporter, slot) = (Arc::clone(self), answer.clone());
        let flight = Flight::begin();
        let work = move || {
            let outcome = reporter.attempt(&said, &facts);
            slot.fill(outcome.answer);
            // After the answer, because a full stderr pipe would make it wait.
            if let Some((reason, payload)) = outcome.unsent {
                reporter.log_unsent(&reason, &payload);
            }
            drop(flight);
        };
        if thread::Builder::new().name("patchwork-report".to_owned()).spawn(work).is_err() {
            answer.fill(lost("no_thread", None).answer);
        }
        answer
    }

    fn report_sync(self: &Arc<Self>, said: &Map<String, Value>, facts: &Facts) -> String {
        let flight = Flight::begin();
        let outcome = self.attempt(said, facts);
        if let Some((reason, payload)) = outcome.unsent {
            // In a thread of its own, because a full stderr pipe would make the answer wait.
            let reporter = Arc::clone(self);
            let work = move || {
                reporter.log_unsent(&reason, &payload);
                drop(flight);
            };
            drop(thread::Builder::new().name("patchwork-log".to_owned()).spawn(work));
        }
        outcome.answer
    }

    fn attempt(self: &Arc<Self>, said: &Map<String, Value>, facts: &Facts) -> Outcome {
        let deadline = Instant::now() + CALL_TIME;
        let attempt = || {
            let payload = build_payload(said, &self.server_name, &self.sdk, facts);
            let is_missing =
                |name: &&str| payload.get(*name).and_then(Value::as_str).is_none_or(|text| text.trim().is_empty());
            let missing: Vec<_> =
                REQUIRED.iter().filter(|name| is_missing(name)).map(|name| format!("{name}: required")).collect();
            if missing.is_empty() {
                return self.deliver(payload, deadline);
            }
            Outcome { answer: answer("refused", "{reason}", &missing.join("; ")), unsent: None }
        };
        // The agent must never pay for a fault of this file.
        catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|_| lost("internal error", None))
    }

    fn deliver(self: &Arc<Self>, payload: Map<String, Value>, deadline: Instant) -> Outcome {
        let mut reply = self.send(&payload, deadline.saturating_duration_since(Instant::now()).max(CONNECT_TIME));
        let pause = RETRY_PAUSE.max(reply.retry_after);
        let left = deadline.saturating_duration_since(Instant::now()).saturating_sub(pause);
        if reply.passing() && left > CONNECT_TIME {
            thread::sleep(pause);
            reply = self.send(&payload, left);
        }

        let reason = reply.reason.clone();
        if reply.stored() {
            self.start_worker(true);
            let known = reply.data["known_answer"].as_str().unwrap_or_default().trim();
            let name = if known.is_empty() { "recorded" } else { "known" };
            return Outcome { answer: answer(name, "{answer}", known), unsent: None };
        }
        if reply.status == 422 {
            return Outcome { answer: answer("refused", "{reason}", &reply.detail()), unsent: None };
        }
        if reply.status == 413 {
            return lost("it is too large for the sidecar", Some((reason, payload)));
        }
        // Others may be at it too: what is left of the time is well spent.
        let limit = deadline.saturating_duration_since(Instant::now()).max(LOCK_TIME);
        if let Some(not_kept) = self.spool.add(&reason, &payload, limit) {
            return lost(&format!("{reason}, {not_kept}"), Some((format!("{reason},{not_kept}"), payload)));
        }
        self.wait_at_least(reply.retry_after);
        self.start_worker(false);
        Outcome { answer: answer("queued", "", ""), unsent: Some((reason, payload)) }
    }

    fn send(&self, payload: &Map<String, Value>, limit: Duration) -> Reply {
        let id = payload.get("id").and_then(Value::as_str).unwrap_or_default();
        self.post("/api/feedback", &json!(payload), limit, Some(id))
    }

    fn post(&self, route: &str, value: &Value, limit: Duration, id: Option<&str>) -> Reply {
        // Read on each use: many servers load their .env file after they have started.
        let setting = |option: &Option<String>, name: &str| {
            let option = option.clone().filter(|text| !text.is_empty());
            option.or_else(|| std::env::var(name).ok()).unwrap_or_default().trim().to_owned()
        };
        let url = setting(&self.options.url, "FEEDBACK_SIDECAR_URL");
        let url = if url.is_empty() { DEFAULT_URL } else { url.trim_end_matches('/') };
        let key = setting(&self.options.api_key, "FEEDBACK_API_KEY");
        let mut headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", format!("patchwork-drop-in-rust/{VERSION}")),
        ];
        headers.extend(id.map(|id| ("Idempotency-Key", id.to_owned())));
        if !key.is_empty() {
            headers.push(("Authorization", format!("Bearer {key}")));
        }
        post(Request { url: format!("{url}{route}"), body: value.to_string().into_bytes(), headers }, limit)
    }

    // -- in the background

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_at_least(&self, pause: Duration) {
        self.state().not_before = Instant::now().checked_add(pause);
    }

    /// Makes sure that somebody empties the spool; `wake`: now rather than after a pause.
    fn start_worker(self: &Arc<Self>, wake: bool) {
        if self.spool.read().is_empty() {
            return;
        }
        let mut state = self.state();
        if !state.working {
            let reporter = Arc::clone(self);
            let started = thread::Builder::new().name("patchwork-spool".to_owned()).spawn(move || reporter.work());
            state.working = started.is_ok();
        }
        if wake {
            state.woken = true;
            self.wake.notify_all();
        }
    }

    fn work(&self) {
        let mut pause = FIRST_BACKOFF;
        loop {
            pause = if self.sleep(pause) { FIRST_BACKOFF } else { (pause * 2).min(LONGEST_BACKOFF) };
            match self.drain() {
                Ok(wait) => self.wait_at_least(wait),
                Err(error) => {
                    self.log(&format!("patchworkmcp: the spool of undelivered feedback cannot be worked on: {error}"))
                }
            }
            let mut state = self.state();
            state.working = !self.spool.read().is_empty();
            if !state.working {
                state.woken = false;
                return;
            }
        }
    }

    /// Waits for about `pause`; true when something was delivered meanwhile.
    fn sleep(&self, pause: Duration) -> bool {
        let end = Instant::now() + jittered(pause);
        let mut state = self.state();
        let end = state.not_before.map_or(end, |not_before| end.max(not_before));
        while !state.woken {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut state.woken)
    }

    /// Sends what waits, oldest first; how long to wait if the sidecar asked for it.
    fn drain(&self) -> io::Result<Duration> {
        let Some(_mine) = self.spool.lock(".drain", Duration::ZERO)? else {
            return Ok(Duration::ZERO); // another process of this server is at it
        };
        for line in self.spool.read() {
            let Some(payload) = payload_of(&line) else {
                self.spool.set_aside(&line)?;
                continue;
            };
            let reply = self.send(&payload, BACKGROUND_TIME);
            let settled = reply.stored() || reply.is_final();
            if reply.is_final() {
                self.log_unsent(&reply.reason, &payload);
            }
            if settled || reply.about_this_report() {
                self.spool.settle(&line, settled)?;
            }
            if !settled {
                return Ok(reply.retry_after);
            }
        }
        Ok(Duration::ZERO)
    }

    /// Tells the sidecar that this server is there, a moment later, in the background, and now and then again.
    fn heartbeat_later(self: &Arc<Self>, names: Vec<String>) {
        if self.state().names.replace(names).is_some() {
            return; // servers that are made for each session share one heart
        }
        let reporter = Arc::clone(self);
        drop(thread::Builder::new().name("patchwork-heartbeat".to_owned()).spawn(move || reporter.beat()));
    }

    fn beat(self: &Arc<Self>) {
        thread::sleep(HEARTBEAT_DELAY);
        let mut backoff = FIRST_BACKOFF;
        loop {
            // The sidecar may be started after the server; and one that was heard is missed when it falls silent.
            let (pause, next) = match self.heartbeat() {
                true => (HEARTBEAT_EVERY, FIRST_BACKOFF),
                false => (backoff, (backoff * 2).min(HEARTBEAT_EVERY)),
            };
            backoff = next;
            thread::sleep(jittered(pause));
        }
    }

    fn heartbeat(self: &Arc<Self>) -> bool {
        self.start_worker(false); // for what an earlier process left behind
        let names = tool_names(&json!(self.state().names));
        let beat = json!({
            "server_slug": self.server_name,
            "tool_count": names.len(),
            "tool_names": names,
            "drop_in": format!("rust/{VERSION}"),
            "sdk": self.sdk,
        });
        matches!(self.post("/api/v1/heartbeat/", &beat, BACKGROUND_TIME, None).status, 200 | 201)
    }
}

/// Half to full length, so that the servers of a machine don't knock in step.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + (uuid::Uuid::new_v4().as_u128() % 1000) as f64 / 2000.0)
}

/// The answer of a report under way, for any executor.
#[derive(Clone, Default)]
struct Answer(Arc<Mutex<(Option<String>, Option<Waker>)>>);

impl Answer {
    fn fill(&self, text: String) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.0 = Some(text);
        if let Some(waker) = slot.1.take() {
            waker.wake();
        }
    }
}

impl Future for Answer {
    type Output = String;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<String> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.0.take() {
            Some(text) => Poll::Ready(text),
            None => {
                slot.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// How many lines wait for stderr, or for a logger of the author's own.
static LOGGING: AtomicUsize = AtomicUsize::new(0);

static FLIGHTS: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// A report under way, for [`flush`].
struct Flight;

impl Flight {
    fn begin() -> Self {
        *FLIGHTS.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        *FLIGHTS.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FLIGHTS.1.notify_all();
    }
}

type Reporters = HashMap<(String, String, Option<String>, Option<String>), Arc<Reporter>>;
static REPORTERS: LazyLock<Mutex<Reporters>> = LazyLock::new(Mutex::default);

/// One reporter, and so one background worker, per server name and sidecar.
fn reporter_for(server_name: &str, sdk: &str, options: &Options) -> Arc<Reporter> {
    let server_name = if server_name.is_empty() { "unknown" } else { server_name };
    let key = (server_name.to_owned(), sdk.to_owned(), options.url.clone(), options.api_key.clone());
    let mut reporters = REPORTERS.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        Arc::new(Reporter {
            server_name: server_name.to_owned(),
            sdk: sdk.to_owned(),
            options: options.clone(),
            spool: Spool::new(server_name),
            state: Mutex::default(),
            wake: Condvar::new(),
        })
    };
    Arc::clone(reporters.entry(key).or_insert_with(make))
}

// ---------------------------------------------------------------------------------------------
// Public: plain functions

/// Delivers a report and returns the answer for the agent, on any executor.
///
/// `facts` is what the server itself knows; it outranks the agent's own words.
pub async fn send_feedback(
    arguments: Map<String, Value>,
    server_name: &str,
    facts: Facts,
    options: &Options,
) -> String {
    reporter_for(server_name, "none", options).report(arguments, facts).await
}

/// The same as [`send_feedback`], for code without an executor. Blocks for two seconds at most.
pub fn send_feedback_sync(
    arguments: &Map<String, Value>,
    server_name: &str,
    facts: &Facts,
    options: &Options,
) -> String {
    reporter_for(server_name, "none", options).report_sync(arguments, facts)
}

/// Tells the sidecar, in the background, which tools this server has.
pub fn send_heartbeat(server_name: &str, tool_names: &[String], options: &Options) {
    reporter_for(server_name, "none", options).heartbeat_later(tool_names.to_vec());
}

/// Waits for the calls that are under way, two seconds at most. Rust ends a program without looking
/// at what its threads do: a report that is on its way at that moment is lost.
pub fn flush() {
    let flights = FLIGHTS.0.lock().unwrap_or_else(PoisonError::into_inner);
    drop(FLIGHTS.1.wait_timeout_while(flights, FLUSH_TIME, |count| *count > 0));
}

/// Adds the text to a server's own instructions, once.
pub fn add_instructions(present: Option<&str>) -> String {
    match present.unwrap_or_default() {
        "" => INSTRUCTIONS.clone(),
        present if present.contains(&*INSTRUCTIONS) => present.to_owned(),
        present => format!("{present}\n\n{}", *INSTRUCTIONS),
    }
}

// ---------------------------------------------------------------------------------------------
// Public: registration with rmcp 3.x. Without rmcp, delete this section.

use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::model::{CallToolResult, ContentBlock, Implementation, ServerConfig, Tool, ToolAnnotations};
use rmcp::service::{RequestContext, RoleServer};

/// Adds the `feedback` tool to a router that has the server's own tools already.
///
/// A tool named `feedback` that is there already is kept, and nothing is added.
pub fn register_feedback_tool<S: Send + Sync + 'static>(
    router: &mut ToolRouter<S>,
    server_name: &str,
    options: Options,
) {
    let rmcp = Implementation::from_build_env();
    let reporter = reporter_for(server_name, &format!("{} {}", rmcp.name, rmcp.version), &options);
    let name = texts("name");
    if router.map.contains_key(name.as_str()) {
        reporter.log(&format!(
            "patchworkmcp: this server has a tool named {name:?} already: it is kept, no feedback tool is added"
        ));
        return;
    }
    let mut names: Vec<String> = router.map.keys().map(ToString::to_string).chain([name]).collect();
    names.sort_unstable();
    reporter.heartbeat_later(names.clone());
    router.add_route(ToolRoute::new_dyn(rmcp_tool(), move |context| {
        let facts = rmcp_facts(&context.request_context, names.clone());
        let answer = reporter.report(context.arguments.unwrap_or_default(), facts);
        Box::pin(async move { Ok(CallToolResult::success(vec![ContentBlock::text(answer.await)]).into()) })
    }));
}

/// The same for a router by value: `#[tool_handler(router = with_feedback_tool(Self::tool_router(), "my-server"))]`.
pub fn with_feedback_tool<S: Send + Sync + 'static>(mut router: ToolRouter<S>, server_name: &str) -> ToolRouter<S> {
    register_feedback_tool(&mut router, server_name, Options::default());
    router
}

/// Adds the text for agents to what the server says about itself.
pub fn with_feedback_instructions(config: ServerConfig) -> ServerConfig {
    let text = add_instructions(config.instructions.as_deref());
    config.with_instructions(text)
}

fn rmcp_tool() -> Tool {
    let hint = |name: &str| TEXTS["annotations"][name].as_bool().unwrap_or_default();
    let schema = TEXTS["input_schema"].as_object().cloned().unwrap_or_default();
    let annotations = ToolAnnotations::new()
        .read_only(hint("readOnlyHint"))
        .destructive(hint("destructiveHint"))
        .idempotent(hint("idempotentHint"))
        .open_world(hint("openWorldHint"));
    Tool::new(texts("name"), texts("description"), schema).with_title(texts("title")).with_annotations(annotations)
}

fn rmcp_facts(context: &RequestContext<RoleServer>, names: Vec<String>) -> Facts {
    let client = context.client_info();
    // Present over HTTP only; ureq and rmcp share the crate `http`.
    let parts = context.extensions.get::<ureq::http::request::Parts>();
    let session = parts.and_then(|parts| parts.headers.get("mcp-session-id")).and_then(|id| id.to_str().ok());
    Facts {
        client_type: client.as_ref().map(|client| client.name.clone()),
        client_version: client.map(|client| client.version),
        session_id: session.map(str::to_owned),
        tools_available: names,
        fallback_session: parts.is_none().then(|| PROCESS_SESSION.clone()),
    }
}
