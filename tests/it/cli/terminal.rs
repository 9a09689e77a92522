//! What a person sees: the real binary in a real terminal of 80 columns.

use super::{hostile_characters, report, three};
use crate::support::program::{BINARY, Home};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::json;
use std::io::Read;

struct Seen {
    code: u32,
    screen: String,
}

/// Runs a command in a terminal until it ends.
fn see(home: &Home, arguments: &[&str], columns: u16, variables: &[(&str, &str)]) -> Seen {
    let size = PtySize { rows: 24, cols: columns, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(BINARY);
    command.args(arguments);
    command.env_clear();
    for (name, value) in home.environment().iter().map(|(n, v)| (*n, v.as_str())).chain([("TERM", "xterm-256color")]) {
        command.env(name, value);
    }
    for (name, value) in variables {
        command.env(name, value);
    }
    command.cwd(home.path());
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut child = pair.slave.spawn_command(command).unwrap();
    // The reader ends when nobody has the terminal open any more.
    drop(pair.slave);
    let mut bytes = Vec::new();
    // Linux ends a terminal without a reader with EIO, which is as good as an end.
    drop(reader.read_to_end(&mut bytes));
    let code = child.wait().unwrap().exit_code();
    Seen { code, screen: String::from_utf8(bytes).unwrap().replace("\r\n", "\n") }
}

const PLAIN: &[(&str, &str)] = &[("NO_COLOR", "1")];

#[test]
fn no_line_of_a_list_is_wider_than_the_terminal() {
    let home = Home::new();
    let long = "a very long need that goes on and on ".repeat(5);
    let all = home.record(&[
        json!({"what_i_needed": long, "what_i_tried": "x", "server_name": "a-server-with-quite-a-long-name",
            "gap_type": "incomplete_results", "resolution": "worked_around"}),
        json!({"what_i_needed": "検索".repeat(50), "what_i_tried": "x", "server_name": "課金", "gap_type": "missing_tool"}),
    ]);
    home.ok(&["note", &all[0], "x"]);
    for columns in [40, 80, 132] {
        let seen = see(&home, &["list"], columns, PLAIN);
        assert_eq!((seen.code, seen.screen.lines().count()), (0, 2), "{}", seen.screen);
        for line in seen.screen.lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= usize::from(columns), "{columns}: {line}");
            assert!(line.contains('…'), "{line}");
        }
        assert!(seen.screen.contains("1 note  a very"), "{}", seen.screen);
    }
}

#[test]
fn long_text_is_broken_between_words() {
    let home = Home::new();
    let tools: Vec<_> = (0..20).map(|n| format!("tool_{n}")).collect();
    let needed = "nine-char ".repeat(40);
    let all = home.record(&[json!({"what_i_needed": needed, "what_i_tried": "x", "tools_available": tools})]);
    let seen = see(&home, &["show", &all[0]], 80, PLAIN);
    let lines: Vec<_> = seen.screen.lines().filter(|l| l.contains("nine-char")).collect();
    assert!(lines.len() > 4, "{}", seen.screen);
    assert!(
        lines.iter().all(|l| l.starts_with("  nine-char") && l.ends_with("nine-char") && l.len() <= 80),
        "{lines:?}"
    );
    let lines: Vec<_> = seen.screen.lines().filter(|l| l.contains("tool_")).collect();
    assert!(lines.len() > 2 && lines.iter().all(|l| l.len() <= 80 && l[13..].starts_with("tool_")), "{lines:?}");
    assert_eq!(home.ok(&["show", &all[0]]).lines().filter(|l| l.contains("nine-char")).count(), 1, "not in a pipe");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let home = Home::new();
    let all = three(&home);
    for (variables, coloured) in [(&[][..], true), (PLAIN, false), (&[("TERM", "dumb")][..], false)] {
        for arguments in [&["list"][..], &["show", &all[0]], &["stats"], &["doctor"]] {
            let seen = see(&home, arguments, 80, variables);
            assert_eq!(seen.screen.contains("\u{1b}["), coloured, "{arguments:?} {variables:?}");
            if !coloured {
                assert_eq!(hostile_characters(&seen.screen), Vec::<char>::new(), "{arguments:?}");
            }
        }
    }
}

#[test]
fn an_empty_answer_is_said_to_a_person() {
    let home = Home::new();
    assert!(see(&home, &["list"], 80, PLAIN).screen.contains("there are no reports yet"));
    assert!(see(&home, &["drafts"], 80, PLAIN).screen.contains("there are no drafts yet"));
    three(&home);
    assert!(see(&home, &["list", "server:nobody"], 80, PLAIN).screen.contains("no report matches"));
}

#[test]
fn the_editor_writes_a_note_and_one_that_fails_leaves_none() {
    let home = Home::new();
    let id = &home.record(&[report("x")])[0];
    let script = home.path().join("editor");
    std::fs::write(&script, "printf 'written\\nin the editor\\n' > \"$2\"; cat \"$2\" > /dev/null; test \"$1\" = -w\n")
        .unwrap();
    let editor = format!("sh {} -w", script.display());
    let seen = see(&home, &["note", id], 80, &[("EDITOR", &editor)]);
    assert_eq!(seen.code, 0, "{}", seen.screen);
    let notes = home.json(&["show", id, "--json"])["notes"].clone();
    assert_eq!(notes[0]["content"], "written\nin the editor");
    for (editor, said) in [("false", "no note was added"), ("true", "needs some text"), ("", "set EDITOR")] {
        let seen = see(&home, &["note", id], 80, &[("EDITOR", editor)]);
        assert!(seen.code == 2 && seen.screen.contains(said), "{editor}: {}", seen.screen);
    }
    assert_eq!(home.json(&["show", id, "--json"])["notes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_help_line_fits_eighty_columns() {
    let home = Home::new();
    for arguments in [&["--help"][..], &["list", "--help"], &["draft", "--help"], &["config", "--help"]] {
        for line in see(&home, arguments, 80, PLAIN).screen.lines() {
            assert!(line.chars().count() <= 80, "{arguments:?}: {line}");
        }
    }
    let help = see(&home, &["--help"], 80, PLAIN).screen;
    let codes = help.split("Exit codes:\n").nth(1).unwrap();
    assert_eq!(codes.trim_end().lines().count(), 7, "a line for each code:\n{codes}");
}
