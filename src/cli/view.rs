//! What `--json` prints. The shapes of the HTTP API where it has one, the protocol's read models otherwise.

use crate::protocol::read::Detail;
use serde_json::Value;

/// A report with its notes.
pub(super) fn feedback(detail: &Detail) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(detail)?;
    if let Value::Object(fields) = &mut value {
        fields.insert("timestamp".into(), detail.feedback.received_at.to_iso().into());
    }
    Ok(value)
}
