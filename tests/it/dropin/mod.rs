//! The drop-ins of all languages in real MCP servers, called by real MCP clients, reporting to the real `patchwork serve`.
//!
//! `matrix` is the table of languages and SDKs with what is the same for each, and a module per language has its rows. `real`
//! has what only the real sidecar can show; every other fault of a network is in drop-ins/conformance.py, which runs here for every row.
//! `library` has the client libraries of the hosted product, and `wired` what `patchwork wire` writes into a project.

mod conformance;
mod go;
mod library;
mod matrix;
mod python;
mod real;
mod rust;
mod talk;
mod texts;
mod typescript;
mod wired;

use serde_json::{Value, json};

fn assets() -> Value {
    serde_json::from_str(include_str!("../../../assets/feedback-tool.json")).unwrap()
}

/// All that an agent may say.
fn everything() -> Value {
    json!({
        "what_i_needed": "to subtract \u{1f389} \"ünï\"\nwith two lines", "what_i_tried": "add(5, -3): it refuses",
        "gap_type": "missing_tool", "suggestion": "subtract(a: int, b: int) -> int", "user_goal": "to balance the books",
        "resolution": "worked_around", "tools_available": ["made up"], "agent_model": "some-model-4",
        "session_id": "session-of-the-agent", "client_type": "what the agent believes", "severity": "high",
    })
}

fn minimal(needed: &str) -> Value {
    json!({"what_i_needed": needed, "what_i_tried": "add with a negative number"})
}
