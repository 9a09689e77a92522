//! Arguments, help and exit codes before anything is opened.

use crate::support::program::Home;

#[test]
fn the_help_names_every_command_and_every_exit_code() {
    let home = Home::new();
    let help = home.ok(&["--help"]);
    for word in ["serve", "list", "show", "note", "review", "draft", "drafts", "stats", "config", "paths", "doctor"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{word} "))), "{word}: {help}");
        let of_command = home.ok(&[word, "--help"]);
        assert!(of_command.contains(&format!("Usage: patchwork {word}")), "{of_command}");
    }
    for code in ["0", "1", "2", "3", "4", "5", "130"] {
        assert!(help.contains(&format!("\n  {code}  ")), "{code}: {help}");
    }
    assert!(home.ok(&["--version"]).starts_with("patchwork "));
    assert!(!home.database().exists(), "help opens nothing");
}

#[test]
fn arguments_that_make_no_sense_end_with_2_and_leave_standard_output_empty() {
    let home = Home::new();
    for arguments in [
        &["bogus"][..],
        &["show"],
        &["list", "--jsn"],
        &["list", "--bogus=1"],
        &["note", "x", "--databse", "y"],
        &["note", "x", "--undo"],
        &["list", "--limit", "many"],
        &["list", "--limit", "0"],
        &["list", "--limit", "5", "--all"],
        &["serve", "--port", "70000"],
        &["serve", "--host", "localhost"],
        &["draft", "x", "--drafter", "gpt"],
        &["draft", "x", "--target", "gitlab"],
        &["draft", "x", "--dry-run", "--again"],
        &["drafts", "x", "--report", "y"],
        &["config"],
    ] {
        let ran = home.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ran:?}");
        assert!(!ran.stderr.trim().is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_word_that_is_not_known_is_answered_with_those_that_are() {
    let home = Home::new();
    let ran = home.run(&["draft", "x", "--drafter", "gpt"]);
    assert!(ran.stderr.contains("anthropic, openai, openai-compatible, command"), "{ran:?}");
    let ran = home.run(&["sevre"]);
    assert!(ran.stderr.contains("serve"), "{ran:?}");
}

#[test]
fn without_a_terminal_the_screen_says_what_to_use_instead() {
    let home = Home::new();
    let ran = home.run(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("needs a terminal") && ran.stderr.contains("patchwork list"), "{ran:?}");
}

#[test]
fn a_log_level_that_is_none_is_said() {
    let home = Home::new();
    let ran = home.run_with(&["serve", "--port", "0"], "", &[("PATCHWORK_LOG", "loud=very=much")]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("PATCHWORK_LOG"), "{ran:?}");
}
