//! `patchwork servers`: for people and for scripts.

use super::three;
use crate::support::program::Home;
use serde_json::json;

#[test]
fn servers_are_listed_with_what_came_from_them() {
    let home = Home::new();
    assert!(home.ok(&["servers"]).contains("No server was heard of yet"));
    assert_eq!(home.json(&["servers", "--json"]), json!([]));
    three(&home);
    let shown = home.ok(&["servers"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert!(lines[0].starts_with("calendar") && lines[0].contains("1 report, 1 unreviewed"), "{shown}");
    assert!(lines[1].starts_with("billing") && lines[1].contains("2 reports, 2 unreviewed"), "{shown}");
    assert!(lines.iter().all(|line| line.ends_with("no heartbeat")), "{shown}");
    let listed = home.json(&["servers", "--json"]);
    assert_eq!((&listed[1]["server_name"], &listed[1]["reports"]), (&json!("billing"), &json!(2)));
    assert_eq!(listed[1]["warnings"], json!([]));
}

#[test]
fn a_hostile_name_is_shown_harmlessly() {
    let home = Home::new();
    home.record(&[
        json!({"what_i_needed": "n", "what_i_tried": "t", "server_name": "\u{1b}[2J\u{202e}evil\n".repeat(20)}),
    ]);
    for arguments in [&["servers"][..], &["servers", "--json"]] {
        let shown = home.ok(arguments);
        assert!(super::hostile_characters(&shown).is_empty(), "{shown:?}");
    }
}
