//! `note` and `review`.

use super::{report, three};
use crate::support::program::Home;
use serde_json::{Value, json};

fn notes(home: &Home, id: &str) -> Vec<String> {
    let shown = home.json(&["show", id, "--json"]);
    shown["notes"].as_array().unwrap().iter().map(|n| n["content"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_note_comes_from_the_argument_or_from_standard_input() {
    let home = Home::new();
    let id = &home.record(&[report("x")])[0];
    let printed = home.ok(&["note", id, "from the argument"]);
    assert_eq!(home.run_with(&["note", id, "-"], "from\nstandard input\n\n", &[]).code, Some(0));
    assert_eq!(home.run_with(&["note", id], "without a dash\n", &[]).code, Some(0));
    home.ok(&["note", id, "- a list, no option"]);
    assert_eq!(
        notes(&home, id),
        ["from the argument", "from\nstandard input", "without a dash", "- a list, no option"]
    );
    let first = home.json(&["show", id, "--json"])["notes"][0]["id"].clone();
    assert_eq!(Value::from(printed.trim_end()), first, "the note's id is the result");
}

#[test]
fn the_author_is_the_login_name_unless_the_settings_name_one() {
    let home = Home::new();
    let id = &home.record(&[report("x")])[0];
    home.ok(&["note", id, "one"]);
    home.configure("[ui]\nauthor = \"Ada L.\"\n");
    home.ok(&["note", id, "two"]);
    let shown = home.json(&["show", id, "--json"]);
    let authors: Vec<_> = shown["notes"].as_array().unwrap().iter().map(|n| &n["author"]).collect();
    assert_eq!(authors, [&json!("ada"), &json!("Ada L.")]);
}

#[test]
fn a_note_without_text_or_too_long_is_refused_and_nothing_is_stored() {
    let home = Home::new();
    let id = &home.record(&[report("x")])[0];
    let long = "x".repeat(70_000);
    for (argument, stdin) in [("", ""), ("  \n ", ""), ("-", ""), ("-", " \n\n"), ("-", long.as_str())] {
        let ran = home.run_with(&["note", id, argument], stdin, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{argument:?}: {}", ran.stderr);
    }
    let ran = home.run_with(&["note", id, "-"], &"y".repeat(1024 * 1024 + 1), &[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("1048576"), "{ran:?}");
    assert_eq!(notes(&home, id), Vec::<String>::new());
}

#[test]
fn standard_input_that_is_not_text_is_refused() {
    let home = Home::new();
    let id = &home.record(&[report("x")])[0];
    let mut command = assert_cmd::Command::from_std(home.command(&["note", id, "-"]));
    let output = command.write_stdin(vec![b'a', 0xff, b'b']).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("UTF-8"));
}

#[test]
fn a_note_on_what_is_not_there_is_not_found() {
    let home = Home::new();
    let ran = home.run(&["note", "nothing", "text"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
}

#[test]
fn several_reports_are_reviewed_and_the_review_is_taken_back() {
    let home = Home::new();
    let all = three(&home);
    let ran = home.run(&["review", &all[0], &all[1], &all[0]]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    assert_eq!(ran.stderr, "patchwork: 2 reports marked as reviewed\n");
    assert_eq!(home.ok(&["list", "is:reviewed"]).lines().count(), 2);
    // The option may stand behind the ids, where a hand puts it.
    let ran = home.run(&["review", &all[0], "--undo"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), "patchwork: 1 report marked as unreviewed\n"));
    assert_eq!(home.ok(&["list", "is:reviewed"]).lines().count(), 1);
}

#[test]
fn a_report_is_closed_with_a_reason_that_agents_are_told() {
    let home = Home::new();
    let all = three(&home);
    let ran = home.run(&["review", &all[0], &all[1], "--because", "use list_invoices"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), "patchwork: 2 reports marked as reviewed\n"), "{ran:?}");
    for id in &all[..2] {
        let shown = home.json(&["show", id, "--json"]);
        let note = &shown["notes"][0];
        assert_eq!((&shown["reviewed"], &note["public"]), (&json!(true), &json!(true)), "{shown}");
        assert_eq!(note["content"], "use list_invoices");
    }
    assert_eq!(home.run(&["review", &all[2], "--because", " "]).code, Some(2));
    assert_eq!(home.run(&["review", &all[2], "--because", "x", "--undo"]).code, Some(2));
    assert_eq!(home.json(&["show", &all[2], "--json"])["notes"], json!([]));
}

#[test]
fn a_filter_is_piped_into_a_review() {
    let home = Home::new();
    let all = three(&home);
    let stdin = format!("{} \n{}\n", all[0], all[1]);
    assert_eq!(home.run_with(&["review", "-"], &stdin, &[]).code, Some(0));
    assert_eq!(home.json(&["stats", "--json"])["unreviewed"], 1);
    let ran = home.run_with(&["review", "-"], "\n", &[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

#[test]
fn one_unknown_id_and_none_is_reviewed() {
    let home = Home::new();
    let all = three(&home);
    let ran = home.run(&["review", &all[0], "nothing"]);
    assert_eq!(ran.code, Some(3));
    assert_eq!(home.json(&["stats", "--json"])["unreviewed"], 3);
}

#[test]
fn a_running_server_shows_at_once_what_a_command_wrote() {
    let home = Home::new();
    let id = &home.record(&[report("x")])[0];
    let server = home.serve();
    home.ok(&["note", id, "beside the owner"]);
    home.run(&["review", id]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let over_http: Value = runtime.block_on(async {
        reqwest::get(server.url(&format!("/api/feedback/{id}"))).await.unwrap().json().await.unwrap()
    });
    assert_eq!((&over_http["reviewed"], &over_http["notes"][0]["content"]), (&json!(true), &json!("beside the owner")));
}

#[test]
fn a_public_note_says_so_where_it_is_shown() {
    let home = Home::new();
    let all = three(&home);
    home.ok(&["note", &all[0], "--public", "use list_invoices"]);
    home.ok(&["note", &all[0], "between us"]);
    let shown = home.ok(&["show", &all[0]]);
    assert!(shown.contains("Public answer by ada") && shown.contains("Note by ada"), "{shown}");
    let notes = home.json(&["show", &all[0], "--json"])["notes"].clone();
    assert_eq!((&notes[0]["public"], notes[1].get("public")), (&json!(true), None), "{notes}");
}
