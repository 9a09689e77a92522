//! `list`, `show`, `stats`, `drafts`: what they print for people and for scripts.

use super::{fields, report, three};
use crate::support::program::{Home, wait};
use crate::support::skipped;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[test]
fn the_list_has_a_line_for_each_report_newest_first() {
    let home = Home::new();
    let all = three(&home);
    home.ok(&["note", &all[1], "a note"]);
    let lines: Vec<String> = home.ok(&["list"]).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3);
    for (line, words) in lines.iter().zip([
        &["●", &all[2][28..], "calendar", "missing_tool", "delete a calendar"][..],
        &["●", &all[1][28..], "billing", "wrong_format", "worked_around", "1 note", "export as csv"],
        &["●", &all[0][28..], "billing", "missing_parameter", "blocked", "search costs by date"],
    ]) {
        let mut rest = line.as_str();
        for word in words {
            let (_, after) = rest.split_once(word).unwrap_or_else(|| panic!("{word:?} is not next in {line:?}"));
            rest = after;
        }
        assert_eq!(line.trim_end(), line, "no blanks at the end");
    }
}

#[test]
fn json_has_the_shape_of_the_api() {
    let home = Home::new();
    let all = three(&home);
    home.ok(&["note", &all[0], "first note"]);
    let list = home.json(&["list", "--json"]);
    assert_eq!(ids(&list), [&all[2], &all[1], &all[0]]);
    let wanted = [
        "agent_model",
        "client_type",
        "gap_type",
        "id",
        "notes",
        "pr_url",
        "resolution",
        "reviewed",
        "server_name",
        "session_id",
        "suggestion",
        "timestamp",
        "tools_available",
        "user_goal",
        "what_i_needed",
        "what_i_tried",
    ];
    assert_eq!(fields(&list[0]), wanted);
    let oldest = &list[2];
    assert_eq!(oldest["extra"], json!({"severity": "high"}));
    assert_eq!(oldest["gap_type"], "missing_parameter");
    assert_eq!(oldest["resolution"], "blocked");
    assert_eq!(oldest["tools_available"], json!(["list_invoices", "search_costs"]));
    assert_eq!(oldest["reviewed"], false);
    assert_eq!(fields(&oldest["notes"][0]), ["author", "content", "id", "timestamp"]);
    assert_eq!((&oldest["notes"][0]["content"], &oldest["notes"][0]["author"]), (&json!("first note"), &json!("ada")));
    assert_eq!(home.json(&["show", &all[0], "--json"]), *oldest, "one report looks the same alone");

    let server = home.serve();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let api: Value =
        runtime.block_on(async { reqwest::get(server.url("/api/feedback")).await.unwrap().json().await.unwrap() });
    assert_eq!(api, list, "and over HTTP");
    let stats: Value =
        runtime.block_on(async { reqwest::get(server.url("/api/stats")).await.unwrap().json().await.unwrap() });
    assert_eq!(home.json(&["stats", "--json"]), stats);
}

#[test]
fn an_empty_inbox_is_an_empty_answer_and_no_failure() {
    let home = Home::new();
    assert_eq!(home.ok(&["list"]), "");
    assert_eq!(home.json(&["list", "--json"]), json!([]));
    assert_eq!(home.ok(&["drafts"]), "");
    assert_eq!(home.json(&["drafts", "--json"]), json!([]));
    assert_eq!(home.ok(&["stats"]), "0 reports, 0 unreviewed, 0 notes\n");
    assert_eq!(home.json(&["stats", "--json"])["total"], 0);
}

#[test]
fn a_filter_is_one_argument_or_standard_input() {
    let home = Home::new();
    let all = three(&home);
    for (filter, wanted) in [
        ("server:billing -csv", vec![&all[0]]),
        ("gap:missing_tool,wrong_format", vec![&all[2], &all[1]]),
        ("-server:billing", vec![&all[2]]),
        ("\"costs by\" has:suggestion sort:oldest", vec![&all[0]]),
        ("session:s-1 client:cursor model:m-1 tool:search_costs", vec![&all[0]]),
        ("since:1h sort:oldest", vec![&all[0], &all[1], &all[2]]),
        ("until:2020-01-01", vec![]),
    ] {
        assert_eq!(ids(&home.json(&["list", filter, "--json"])), wanted, "{filter}");
        let ran = home.run_with(&["list", "-", "--json"], &format!("{filter}\n"), &[]);
        assert_eq!(ids(&serde_json::from_str(&ran.stdout).unwrap()), wanted, "{filter}: {ran:?}");
    }
}

#[test]
fn a_mistake_in_a_filter_is_marked_and_the_nearest_word_named() {
    let home = Home::new();
    for (filter, word, marked) in [
        ("server:x gap:mising_tool", "`missing_tool`", "mising_tool"),
        ("cost servr:billing", "`server:`", "servr"),
        ("grün is:unreviwed", "`unreviewed`", "unreviwed"),
        ("since:soon", "`7d`", "soon"),
    ] {
        let ran = home.run(&["list", filter]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        let lines: Vec<_> = ran.stderr.lines().collect();
        assert!(lines[0].contains(word), "{ran:?}");
        let (before, marks) = lines[2].split_once('^').unwrap();
        let (at, count) = (before.chars().count(), marks.chars().count() + 1);
        let under: String = lines[1].chars().skip(at).take(count).collect();
        assert_eq!(under, marked, "{ran:?}");
    }
    assert!(!home.database().exists(), "the filter is read before anything is opened");
}

#[test]
fn limits_and_pages_join_without_a_seam() {
    let home = Home::new();
    let reports: Vec<_> = (0..230).map(|n| report(&format!("number {n}"))).collect();
    let mut all = home.record(&reports);
    all.reverse();
    assert_eq!(ids(&home.json(&["list", "--json"])), all[..50], "fifty unless asked for more");
    assert_eq!(ids(&home.json(&["list", "--json", "--limit", "1"])), all[..1]);
    assert_eq!(ids(&home.json(&["list", "--json", "--limit", "201"])), all[..201]);
    assert_eq!(ids(&home.json(&["list", "--json", "--all"])), all);
    assert_eq!(home.ok(&["list", "--all"]).lines().count(), 230);
    assert_eq!(home.ok(&["list", "number", "--limit", "215"]).lines().count(), 215);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let home = Home::new();
    let reports: Vec<_> = (0..200).map(|n| report(&format!("{n} {}", "long ".repeat(300)))).collect();
    home.record(&reports);
    for arguments in [&["list", "--all", "--json"][..], &["list", "--all"]] {
        let mut command = home.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        assert!(!first.is_empty());
        drop(stdout);
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((wait(&mut child).code(), said.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_under_standard_output_is_a_failure() {
    let home = Home::new();
    three(&home);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else {
        skipped("cli::reading::a_full_disk_under_standard_output_is_a_failure", "there is no /dev/full");
        return;
    };
    let output = home.command(&["list"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("No space left"), "{said}");
}

#[test]
fn show_prints_everything_there_is_about_a_report() {
    let home = Home::new();
    let all = three(&home);
    home.ok(&["note", &all[0], "Use ISO dates.\nAnd a test."]);
    let shown = home.ok(&["show", &all[0]]);
    for line in [
        "server       billing",
        "gap          missing_parameter",
        "resolution   blocked",
        "state        unreviewed",
        "model        m-1",
        "client       cursor",
        "session      s-1",
        "tools        list_invoices, search_costs",
        "What was needed",
        "  search costs by date",
        "What was tried",
        "  list_invoices",
        "Suggestion",
        "  add since and until",
        "The user's goal",
        "  last month's costs",
        "Other fields",
        "    \"severity\": \"high\"",
        "  Use ISO dates.",
        "  And a test.",
    ] {
        assert!(shown.lines().any(|l| l == line), "{line:?} is not in:\n{shown}");
    }
    // How long ago is the machine's affair.
    for line in [format!("{} (", all[0]), "Note by ada, ".to_owned()] {
        assert!(shown.lines().any(|l| l.starts_with(&line)), "{line:?} begins no line of:\n{shown}");
    }
    let bare = home.ok(&["show", &all[2]]);
    assert!(!bare.contains("Suggestion") && !bare.contains("Note") && !bare.contains("model"), "{bare}");
}

#[test]
fn a_word_of_the_agents_own_is_shown_as_it_was_said() {
    let home = Home::new();
    let ids = home.record(&[json!({"what_i_needed": "x", "what_i_tried": "y", "gap_type": "too_slow",
        "resolution": "gave_up"})]);
    let shown = home.ok(&["show", &ids[0]]);
    assert!(shown.contains("gap          too_slow") && shown.contains("resolution   gave_up"), "{shown}");
    let json = home.json(&["show", &ids[0], "--json"]);
    assert_eq!((&json["gap_type"], &json["gap_type_raw"]), (&json!("other"), &json!("too_slow")));
}

#[test]
fn an_id_may_be_cut_short_as_long_as_it_names_one_report() {
    let home = Home::new();
    let with_id = |id: &str| json!({"id": id, "what_i_needed": "x", "what_i_tried": "y"});
    home.record(&["cab", "cabin", "cable", "my_id", "myxid", "50%"].map(with_id));
    for (part, wanted) in [
        ("cabi", "cabin"),
        ("able", "cable"),
        // Exactly this one, although newer ones begin with it.
        ("cab", "cab"),
        ("my_", "my_id"),
        ("50%", "50%"),
    ] {
        assert_eq!(home.json(&["show", part, "--json"])["id"], wanted, "{part}");
    }
    let ran = home.run(&["show", "ca"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""));
    assert!(ran.stderr.contains("more than one report"), "{ran:?}");
    for part in ["nothing", "%a", "a_", "c%n", "\\", "cabin cable"] {
        let ran = home.run(&["show", part]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{part}: {ran:?}");
        assert!(ran.stderr.contains("there is no report"), "{ran:?}");
    }
}

#[test]
fn an_empty_id_is_a_mistake_even_when_there_is_only_one_report() {
    let home = Home::new();
    home.record(&[report("the only one")]);
    for arguments in [&["show", ""][..], &["review", ""], &["note", "", "text"], &["drafts", "--report", ""]] {
        let ran = home.run(arguments);
        assert_eq!(ran.code, Some(3), "{arguments:?}: {ran:?}");
    }
    assert_eq!(home.json(&["stats", "--json"])["unreviewed"], 1);
}

#[test]
fn stats_count_and_speak_of_one_report_in_the_singular() {
    let home = Home::new();
    let all = three(&home);
    home.ok(&["note", &all[0], "x"]);
    let stats = home.ok(&["stats"]);
    assert!(stats.starts_with("3 reports, 3 unreviewed, 1 note\n"), "{stats}");
    for (name, count) in [("billing", "2"), ("calendar", "1"), ("missing_tool", "1"), ("blocked", "1")] {
        let line = stats.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{stats}"));
        assert!(line.ends_with(&format!(" {count}")), "{line}");
    }
    let json = home.json(&["stats", "--json"]);
    assert_eq!(fields(&json), ["by_gap_type", "by_resolution", "by_server", "note_count", "total", "unreviewed"]);
    assert_eq!(json["by_server"][0], json!({"server_name": "billing", "count": 2}));
}

#[test]
fn runs_that_are_not_there_are_not_found() {
    let home = Home::new();
    for arguments in [&["drafts", "nothing"][..], &["drafts", "nothing", "--json"], &["drafts", "--report", "nothing"]]
    {
        let ran = home.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{ran:?}");
    }
}
