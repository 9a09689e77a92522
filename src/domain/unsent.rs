//! Reports that could not be delivered, as drop-ins leave them behind: a line in a log, a line in a spool file.
//!
//! `PATCHWORKMCP_UNSENT_FEEDBACK reason=<word> payload=<JSON>` in a log, `{"reason", "payload", "queued_at"}` in a spool. Collectors put
//! times and names in front of log lines, or the whole line into JSON of their own, or escape it, or cut it into pieces; all of that is
//! seen through.

use super::feedback::NewFeedback;
use super::id::{CommandId, FeedbackId};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Marks a report in a log.
pub const MARK: &str = "PATCHWORKMCP_UNSENT_FEEDBACK";
const PAYLOAD: &str = "payload=";
/// What is kept of a line in pieces, in bytes; no drop-in writes one so long.
const MAX_JOINED: usize = 4 * 1024 * 1024;

/// What a line holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// As it would have been sent; not checked.
    Report(Value),
    /// There was a report, but it is cut off or mixed up with something else.
    Broken,
}

/// Looks for reports in a line. What an agent wrote into its report, marks of its own too, is inside of that, and stays text.
pub fn find(line: &str) -> Vec<Found> {
    // PowerShell, for one, begins a file with this.
    let line = line.trim_start_matches('\u{feff}');
    if let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(line) {
        if let Some(payload @ Value::Object(_)) = fields.remove("payload") {
            return vec![Found::Report(payload)];
        }
        return marked_text(&Value::Object(fields)).map_or_else(Vec::new, |text| after_marks(&text));
    }
    if line.contains(MARK) {
        return after_marks(line);
    }
    // Half a spool line is worth a word; any other line is none of ours.
    if line.trim_start().starts_with("{\"reason\"") { vec![Found::Broken] } else { Vec::new() }
}

/// The first text with a mark in a collector's JSON.
fn marked_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains(MARK).then(|| text.clone()),
        Value::Array(items) => {
            bytes(items).filter(|text| text.contains(MARK)).or_else(|| items.iter().find_map(marked_text))
        }
        Value::Object(fields) => fields.values().find_map(marked_text),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Text as journald writes it when it holds anything unusual: a list of bytes.
fn bytes(items: &[Value]) -> Option<String> {
    let bytes: Option<Vec<u8>> = items.iter().map(|item| item.as_u64().and_then(|n| u8::try_from(n).ok())).collect();
    Some(String::from_utf8_lossy(&bytes?).into_owned())
}

fn after_marks(mut text: &str) -> Vec<Found> {
    let mut all = Vec::new();
    while let Some((_, rest)) = text.split_once(MARK) {
        let found = rest.split_once(PAYLOAD).and_then(|(_, payload)| {
            let (object, end) = first_object(payload).or_else(|| escaped_object(payload))?;
            Some((object, payload.get(end..).unwrap_or_default()))
        });
        // Behind a broken report nobody knows what is inside of it and what is not.
        let Some((object, behind)) = found else {
            all.push(Found::Broken);
            break;
        };
        all.push(Found::Report(object));
        text = behind;
    }
    all
}

/// The object that a text begins with, and where it ends.
fn first_object(text: &str) -> Option<(Value, usize)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let object = values.next()?.ok().filter(Value::is_object)?;
    Some((object, values.byte_offset()))
}

/// The same inside of a quoted field, `{\"id\": …}" time=…`, and where that field ends.
fn escaped_object(text: &str) -> Option<(Value, usize)> {
    let end = closing_quote(text).unwrap_or(text.len());
    let whole = format!("\"{}\"", text[..end].trim_end_matches(['\r', '\n']));
    let unescaped: String = serde_json::from_str(&whole).ok()?;
    Some((first_object(&unescaped)?.0, end))
}

/// Where the text's first quote that is not escaped is.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().enumerate().find_map(|(at, byte)| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes.then_some(at)
    })
}

/// Puts lines together again that a collector has cut: container runtimes do at 16 KiB, journald at 48 KiB.
#[derive(Debug, Default)]
pub struct Joiner {
    /// What has begun, by the stream it came from.
    begun: HashMap<String, String>,
}

/// A part of a line.
struct Piece {
    stream: String,
    text: String,
    last: bool,
}

impl Joiner {
    /// What a line holds, together with the pieces before it. Nothing, if it is waited for more.
    pub fn find(&mut self, line: &str) -> Vec<Found> {
        let Some(piece) = Piece::of(line) else { return find(line) };
        let Some(mut whole) = self.begun.remove(&piece.stream) else {
            let found = find(line);
            if !piece.last && found.last() == Some(&Found::Broken) {
                self.begun.insert(piece.stream, piece.text);
                return found.into_iter().filter(|found| *found != Found::Broken).collect();
            }
            return found;
        };
        whole += &piece.text;
        let found = after_marks(&whole);
        if piece.last || whole.len() > MAX_JOINED || found.last() != Some(&Found::Broken) {
            return found;
        }
        self.begun.insert(piece.stream, whole);
        Vec::new()
    }

    /// How many lines were begun and never ended.
    pub fn unfinished(&self) -> usize {
        self.begun.len()
    }
}

impl Piece {
    fn of(line: &str) -> Option<Self> {
        match serde_json::from_str::<Value>(line) {
            Ok(Value::Object(fields)) => Self::of_json(&fields),
            _ => Self::of_text(line),
        }
    }

    /// Docker's `{"log": …, "stream": …}`, whose last piece ends the line; journald's `{"MESSAGE": …, "_LINE_BREAK": "line-max"}`.
    fn of_json(fields: &Map<String, Value>) -> Option<Self> {
        let word = |name: &str| fields.get(name).and_then(Value::as_str);
        let (text, last) = match (word("log"), word("MESSAGE")) {
            (Some(text), _) => (text, text.ends_with('\n')),
            (None, Some(text)) => (text, word("_LINE_BREAK") != Some("line-max")),
            (None, None) => return None,
        };
        let stream = word("stream").or_else(|| word("_STREAM_ID")).unwrap_or_default();
        Some(Self { stream: stream.to_owned(), text: text.to_owned(), last })
    }

    /// `<time> stderr P <text>`, as container runtimes write for Kubernetes; the last piece has an `F`.
    fn of_text(line: &str) -> Option<Self> {
        let mut words = line.trim_end_matches(['\r', '\n']).splitn(4, ' ').skip(1);
        let (stream, tag, text) = (words.next()?, words.next()?, words.next()?);
        if !matches!(stream, "stdout" | "stderr") || !matches!(tag, "P" | "F") {
            return None;
        }
        Some(Self { stream: stream.to_owned(), text: text.to_owned(), last: tag == "F" })
    }
}

/// The id of a payload that brings none of its own, as the published libraries' do: the same payload gets the same id, for ever.
pub fn id_for(payload: &Value) -> FeedbackId {
    // Objects are sorted by their keys, so the order in which a library writes them is no difference.
    let name = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, payload.to_string().as_bytes());
    NewFeedback::id_for_key(&CommandId::trusted(format!("unsent-{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn payload() -> Value {
        json!({"id": "r1", "what_i_needed": "a \"quoted\" word, ünï} and \\ more", "what_i_tried": "line\nbreak"})
    }

    fn log_line() -> String {
        format!("{MARK} reason=unreachable payload={}", payload())
    }

    #[test]
    fn a_report_is_found_however_its_line_is_wrapped() {
        let line = log_line();
        let wrapped = [
            line.clone(),
            format!("2026-11-22T10:00:00Z web-1 patchworkmcp WARNING {line}\n"),
            format!("\u{1b}[33m{line}\u{1b}[0m"),
            format!("{line} host=a"),
            json!({"log": format!("{line}\n"), "stream": "stderr", "time": "t"}).to_string(),
            json!({"a": [{"message": line}]}).to_string(),
            format!("level=warn msg={} time=now", serde_json::to_string(&line).unwrap()),
            json!({"reason": "status_500", "payload": payload(), "queued_at": 1.5}).to_string(),
            json!({"MESSAGE": line.as_bytes(), "PRIORITY": "4"}).to_string(),
            format!("\u{feff}{line}\r\n"),
        ];
        for line in wrapped {
            assert_eq!(find(&line), [Found::Report(payload())], "{line}");
        }
    }

    #[test]
    fn what_is_broken_is_told_from_what_is_not_ours() {
        let whole = log_line();
        for broken in
            [&whole[..whole.len() - 5], MARK, &format!("{MARK} reason=x payload=[1]"), "{\"reason\": \"x\", \"pay"]
        {
            assert_eq!(find(broken), [Found::Broken], "{broken}");
        }
        for other in ["", "GET / 200", "{\"level\": \"info\"}", "{\"payload\": 5}", "payload={}", "[1]", "\"x\""] {
            assert_eq!(find(other), [], "{other}");
        }
    }

    #[test]
    fn a_report_about_reports_is_one_report() {
        let inner = json!({"what_i_needed": log_line(), "what_i_tried": format!("{MARK} payload={{}}")});
        let line = format!("{MARK} reason=x payload={inner}");
        assert_eq!(find(&line), [Found::Report(inner.clone())]);
        assert_eq!(find(&line[..line.len() - 3]), [Found::Broken], "and stays one when it is cut off");
        assert_eq!(find(&json!({"payload": inner.clone()}).to_string()), [Found::Report(inner)]);
    }

    #[test]
    fn several_reports_in_a_line_are_all_found() {
        let line = log_line();
        let quoted = serde_json::to_string(&line).unwrap();
        for line in [format!("{line} {line}"), format!("{line}{line}"), format!("a={quoted} b={quoted}")] {
            assert_eq!(find(&line), vec![Found::Report(payload()); 2], "{line}");
        }
        assert_eq!(find(&format!("{line} {}", &line[..80])), [Found::Report(payload()), Found::Broken]);
    }

    #[test]
    fn a_line_that_a_collector_has_cut_is_put_together() {
        let line = log_line();
        let parts = [&line[..40], &line[40..90], &line[90..]];
        let docker = |n: usize| {
            let end = if n == 2 { "\n" } else { "" };
            json!({"log": format!("{}{end}", parts[n]), "stream": "stderr"}).to_string()
        };
        let journal = |n: usize| {
            let mut entry = json!({"MESSAGE": parts[n], "_STREAM_ID": "a"});
            if n < 2 {
                entry["_LINE_BREAK"] = json!("line-max");
            }
            entry.to_string()
        };
        let kubernetes =
            |n: usize| format!("2026-11-22T10:00:00Z stderr {} {}\n", if n == 2 { 'F' } else { 'P' }, parts[n]);
        let other = json!({"log": "GET / 200\n", "stream": "stdout"}).to_string();
        for pieces in [[docker(0), docker(1), docker(2)], [0, 1, 2].map(journal), [0, 1, 2].map(kubernetes)] {
            let mut joiner = Joiner::default();
            let found: Vec<_> = pieces.iter().flat_map(|piece| [joiner.find(piece), joiner.find(&other)]).collect();
            assert_eq!(found.concat(), [Found::Report(payload())], "{pieces:?}");
            assert_eq!(joiner.unfinished(), 0);
        }
        let mut joiner = Joiner::default();
        assert_eq!(joiner.find(&docker(0)), []);
        assert_eq!(joiner.unfinished(), 1, "a log that ends in the middle");
        let stripped = json!({"log": line, "stream": "stderr"}).to_string();
        let mut joiner = Joiner::default();
        for _ in 0..2 {
            assert_eq!(joiner.find(&stripped), [Found::Report(payload())], "some collectors take the line's end away");
        }
    }

    #[test]
    fn a_payload_without_an_id_always_gets_the_same() {
        let one = json!({"a": 1, "b": 2});
        let same: Value = serde_json::from_str("{\"b\": 2, \"a\": 1}").unwrap();
        assert_eq!(id_for(&one), id_for(&same));
        assert_ne!(id_for(&one), id_for(&json!({"a": 1})));
    }
}
