//! Hostile text: stored as sent, never printed raw, whatever command shows it.

use super::hostile_characters;
use crate::support::program::Home;
use serde_json::json;

/// Colours, a window title, a hyperlink, the clipboard, C1, DEL, bidi, zero-width, tags, NUL and a carriage return.
const EVIL: &str = "a\u{1b}[31mred\u{1b}]0;title\u{7}\u{1b}]8;;http://evil\u{1b}\\link\u{1b}]52;c;ZXZpbA==\u{7}\u{9b}2J\u{7f}\u{202e}gpj\u{200b}\u{2066}\u{feff}\u{e0041}\0\rover\u{8}\u{8}z";

fn home() -> (Home, String) {
    let home = Home::new();
    let ids = home.record(&[json!({
        "id": "evil", "what_i_needed": EVIL, "what_i_tried": EVIL, "suggestion": EVIL, "user_goal": EVIL,
        "server_name": EVIL, "session_id": EVIL, "client_type": EVIL, "agent_model": EVIL, "gap_type": EVIL,
        "resolution": EVIL, "tools_available": [EVIL], "more": {EVIL: EVIL},
    })]);
    (home, ids[0].clone())
}

#[test]
fn no_command_prints_it_raw() {
    let (home, id) = home();
    let note = home.run_with(&["note", &id, "-"], EVIL, &[]);
    assert_eq!(note.code, Some(0), "{note:?}");
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["show", &id],
        &["show", &id, "--json"],
        &["stats"],
        &["stats", "--json"],
        &["drafts"],
        &["draft", &id],
        &["draft", &id, "--dry-run"],
        &["list", EVIL_FILTER],
        &["show", EVIL_FILTER],
        &["doctor", "--config", EVIL_FILTER],
        &["config", "path", "--config", EVIL_FILTER],
    ] {
        let ran = home.run(arguments);
        assert_eq!(hostile_characters(&ran.stdout), Vec::<char>::new(), "{arguments:?}");
        assert_eq!(hostile_characters(&ran.stderr), Vec::<char>::new(), "{arguments:?}");
        assert!(!(ran.stdout + &ran.stderr).is_empty() || arguments[0] == "drafts", "{arguments:?}");
    }
}

/// What can stand in an argument: everything but NUL.
const EVIL_FILTER: &str = "gap:a\u{1b}[31m\u{202e}\u{9b}b";

#[test]
fn json_still_means_the_same_text() {
    let (home, id) = home();
    assert_eq!(home.run_with(&["note", &id, "-"], EVIL, &[]).code, Some(0));
    let shown = home.json(&["show", &id, "--json"]);
    for field in ["what_i_needed", "what_i_tried", "suggestion", "server_name", "gap_type_raw", "resolution"] {
        assert_eq!(shown[field], EVIL, "{field}");
    }
    assert_eq!(shown["notes"][0]["content"], EVIL);
    assert_eq!(shown["tools_available"][0], EVIL);
    assert_eq!(shown["extra"]["more"][EVIL], EVIL);
}

#[test]
fn a_wall_of_marks_does_not_smear_over_the_screen() {
    let home = Home::new();
    let zalgo = format!("e{}", "\u{301}".repeat(50_000));
    let ids = home.record(&[json!({"what_i_needed": zalgo, "what_i_tried": "x"})]);
    for arguments in [&["list"][..], &["show", &ids[0]]] {
        let printed = home.ok(arguments);
        assert!(printed.matches('\u{301}').count() <= 4, "{arguments:?}");
    }
    assert_eq!(home.json(&["show", &ids[0], "--json"])["what_i_needed"], zalgo, "nothing of it is lost");
}
