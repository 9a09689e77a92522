//! The screen of the real binary in a real terminal: what a person sees, and what is left when it ends.

mod keys;
mod life;
mod looks;
mod review;
mod work;

use crate::support::program::Home;
use serde_json::{Value, json};

fn need(text: &str) -> Value {
    json!({"what_i_needed": text, "what_i_tried": "everything", "server_name": "billing", "gap_type": "missing_tool"})
}

/// A home with these reports, the last one newest.
fn home_with(needs: &[&str]) -> Home {
    let home = Home::new();
    let reports: Vec<Value> = needs.iter().map(|text| need(text)).collect();
    home.record(&reports);
    home
}

const CTRL_S: &str = "\x13";
