//! Reports that could not be delivered, as drop-ins leave them behind: a line in a log, a line in a spool file.
//!
//! `PATCHWORKMCP_UNSENT_FEEDBACK reason=<word> payload=<JSON>` in a log, `{"reason", "payload", "queued_at"}` in a spool. Collectors put
//! times and names in front of log lines, or the whole line into JSON of their own, or escape it; all of that is seen through.

use super::feedback::NewFeedback;
use super::id::{CommandId, FeedbackId};
use serde_json::Value;

/// Marks a report in a log.
pub const MARK: &str = "PATCHWORKMCP_UNSENT_FEEDBACK";
const PAYLOAD: &str = "payload=";

/// What a line holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    Nothing,
    /// As it would have been sent; not checked.
    Report(Value),
    /// There was a report, but it is cut off or mixed up with something else.
    Broken,
}

/// Looks for a report in a line. The first mark counts: what an agent wrote into its report is inside of that, and stays text.
pub fn find(line: &str) -> Found {
    if let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(line) {
        if let Some(payload @ Value::Object(_)) = fields.remove("payload") {
            return Found::Report(payload);
        }
        return marked_text(&Value::Object(fields)).map_or(Found::Nothing, |text| after_mark(&text));
    }
    if line.contains(MARK) {
        return after_mark(line);
    }
    // Half a spool line is worth a word; any other line is none of ours.
    if line.trim_start().starts_with("{\"reason\"") { Found::Broken } else { Found::Nothing }
}

/// The first text with a mark in a collector's JSON.
fn marked_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains(MARK).then(|| text.clone()),
        Value::Array(items) => items.iter().find_map(marked_text),
        Value::Object(fields) => fields.values().find_map(marked_text),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn after_mark(line: &str) -> Found {
    let payload = line.split_once(MARK).and_then(|(_, rest)| rest.split_once(PAYLOAD)).map(|(_, payload)| payload);
    let Some(payload) = payload else { return Found::Broken };
    let found = first_object(payload).or_else(|| first_object(&unescaped(payload)?));
    found.map_or(Found::Broken, Found::Report)
}

/// The object that a text begins with, whatever follows it.
fn first_object(text: &str) -> Option<Value> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    values.next()?.ok().filter(Value::is_object)
}

/// Text from inside a quoted field, `{\"id\": …}" time=…`, without its escapes.
fn unescaped(text: &str) -> Option<String> {
    let quoted = format!("\"{text}");
    let end = closing_quote(&quoted).unwrap_or(quoted.len());
    let whole = format!("{}\"", &quoted[..end]);
    serde_json::from_str(whole.trim_end_matches('\n')).ok()
}

/// Where the text's first quote that is not escaped is closed.
fn closing_quote(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    quoted.bytes().enumerate().skip(1).find_map(|(at, byte)| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes.then_some(at)
    })
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
        ];
        for line in wrapped {
            assert_eq!(find(&line), Found::Report(payload()), "{line}");
        }
    }

    #[test]
    fn what_is_broken_is_told_from_what_is_not_ours() {
        let whole = log_line();
        for broken in
            [&whole[..whole.len() - 5], MARK, &format!("{MARK} reason=x payload=[1]"), "{\"reason\": \"x\", \"pay"]
        {
            assert_eq!(find(broken), Found::Broken, "{broken}");
        }
        for other in ["", "GET / 200", "{\"level\": \"info\"}", "{\"payload\": 5}", "payload={}", "[1]", "\"x\""] {
            assert_eq!(find(other), Found::Nothing, "{other}");
        }
    }

    #[test]
    fn a_report_about_reports_is_one_report() {
        let inner = json!({"what_i_needed": log_line(), "what_i_tried": format!("{MARK} payload={{}}")});
        assert_eq!(find(&format!("{MARK} reason=x payload={inner}")), Found::Report(inner.clone()));
        assert_eq!(find(&json!({"payload": inner.clone()}).to_string()), Found::Report(inner));
    }

    #[test]
    fn a_payload_without_an_id_always_gets_the_same() {
        let one = json!({"a": 1, "b": 2});
        let same: Value = serde_json::from_str("{\"b\": 2, \"a\": 1}").unwrap();
        assert_eq!(id_for(&one), id_for(&same));
        assert_ne!(id_for(&one), id_for(&json!({"a": 1})));
    }
}
