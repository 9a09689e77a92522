//! What a reviewer decides, checked at the door.

use crate::domain::feedback::FieldError;
use crate::domain::review::{Choices, MAX_SUMMARY, MAX_TITLE};
use crate::domain::text;
use crate::protocol::{Refusal, RefusalKind};

/// Choices that can be published; an empty text means what the drafter wrote.
pub(super) fn checked(mut choices: Choices) -> Result<Choices, Refusal> {
    let some = |text: Option<String>| text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    choices.title = some(choices.title).map(|title| text::line(&title));
    choices.summary = some(choices.summary);
    choices.base = some(choices.base);
    choices.dropped.sort();
    choices.dropped.dedup();
    let mut faults = Vec::new();
    if choices.title.as_ref().is_some_and(|t| t.len() > MAX_TITLE) {
        faults.push(FieldError::new("title", "value", "must have at most 400 bytes"));
    }
    if choices.summary.as_ref().is_some_and(|s| s.len() > MAX_SUMMARY) {
        faults.push(FieldError::new("summary", "value", "must have at most 60000 bytes"));
    }
    if choices
        .base
        .as_ref()
        .is_some_and(|b| b.len() > 255 || b.starts_with('-') || b.chars().any(|c| c.is_control() || c == ' '))
    {
        faults.push(FieldError::new("base", "value", "must be the name of a branch"));
    }
    if faults.is_empty() {
        return Ok(choices);
    }
    let detail = faults.iter().map(|f| format!("{}: {}", f.field, f.message)).collect::<Vec<_>>().join("; ");
    Err(Refusal { kind: RefusalKind::Invalid, detail, fields: faults })
}
