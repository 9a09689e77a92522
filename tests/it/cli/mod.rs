//! The command line: the real binary, each test in a `PATCHWORK_HOME` of its own.

mod arguments;
mod channel;
mod config;
mod difference;
mod doctor;
mod draft;
mod environment;
mod faults;
mod hostile;
mod publish;
mod reading;
mod remote;
mod servers;
mod settings;
mod terminal;
mod writing;

use crate::support::program::Home;
use serde_json::{Value, json};

/// What the program must never print but `\n`: controls, and what reorders or hides text.
fn hostile_characters(text: &str) -> Vec<char> {
    let acts = |c: char| c.is_control() && c != '\n';
    let deceives = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}');
    text.chars().filter(|c| acts(*c) || deceives(*c)).collect()
}

fn report(needed: &str) -> Value {
    json!({"what_i_needed": needed, "what_i_tried": "everything else", "server_name": "billing"})
}

/// Three reports of two servers; the ids, oldest first.
fn three(home: &Home) -> Vec<String> {
    home.record(&[
        json!({"what_i_needed": "search costs by date", "what_i_tried": "list_invoices", "server_name": "billing",
            "gap_type": "missing_parameter", "resolution": "blocked", "suggestion": "add since and until",
            "user_goal": "last month's costs", "agent_model": "m-1", "session_id": "s-1", "client_type": "cursor",
            "tools_available": ["list_invoices", "search_costs"], "severity": "high"}),
        json!({"what_i_needed": "export as csv", "what_i_tried": "copying", "server_name": "billing",
            "gap_type": "wrong_format", "resolution": "worked_around"}),
        json!({"what_i_needed": "delete a calendar", "what_i_tried": "nothing fits", "server_name": "calendar",
            "gap_type": "missing_tool"}),
    ])
}

/// The fields of a JSON object, sorted.
fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
