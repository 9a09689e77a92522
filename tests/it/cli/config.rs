//! `config` and `paths`: where things are, what holds, and what is wrong with it.

use super::fields;
use crate::support::program::Home;
use std::os::unix::fs::PermissionsExt;

#[test]
fn the_example_is_the_file_in_the_repository_and_parses_to_the_defaults() {
    let home = Home::new();
    let example = home.ok(&["config", "example"]);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");
    assert_eq!(example, std::fs::read_to_string(file).unwrap());
    let defaults = home.ok(&["config", "show"]);
    home.configure(&example);
    assert_eq!(home.ok(&["config", "check"]), format!("{} is fine\n", home.config_file().display()));
    let without_origin: Vec<_> =
        home.ok(&["config", "show"]).lines().map(|l| l.split("  # line ").next().unwrap().to_owned()).collect();
    assert_eq!(without_origin, defaults.lines().collect::<Vec<_>>());
}

#[test]
fn what_show_prints_is_a_file_that_means_the_same() {
    let home = Home::new();
    home.configure(
        "[server]\nport = 9000\nallowed_hosts = [\"box\"]\n[command]\nrun = [\"agent\", \"--say\", \"a \\\"b\\\"\"]\n[[repository]]\nserver = \"billing\"\npath = \"/srv/billing\"\ndrafter = \"command\"\nprotect = [\"*.sql\"]\n[[repository]]\nserver = \"*\"\ngithub = \"o/r\"\nbranch = \"dev\"\n",
    );
    let shown = home.ok(&["config", "show"]);
    assert!(shown.contains("port = 9000  # line 2"), "{shown}");
    home.configure(&shown);
    assert_eq!(home.run(&["config", "check"]).code, Some(0), "{shown}");
    let again = home.ok(&["config", "show"]);
    let values = |text: &str| text.lines().map(|l| l.split("  # ").next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(values(&again), values(&shown));
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let home = Home::new();
    home.configure("[server]\nport = 1111\n[database]\npath = \"from-file.db\"\n");
    let shown = home.run_with(&["config", "show"], "", &[("FEEDBACK_PORT", "2222")]).stdout;
    assert!(shown.contains("port = 2222  # FEEDBACK_PORT"), "{shown}");
    let database = |arguments: &[&str], variables: &[(&str, &str)]| {
        let printed = home.run_with(&[&["paths", "--json"], arguments].concat(), "", variables).stdout;
        serde_json::from_str::<serde_json::Value>(&printed).unwrap()["database"].as_str().unwrap().to_owned()
    };
    let variable = &[("FEEDBACK_DB_PATH", "/from/environment.db")];
    assert_eq!(database(&[], &[]), home.path().join("config/from-file.db").to_str().unwrap());
    assert_eq!(database(&[], variable), "/from/environment.db");
    assert_eq!(database(&["--database", "/from/flag.db"], variable), "/from/flag.db");
}

#[test]
fn keys_are_shown_masked_wherever_they_come_from() {
    let home = Home::new();
    home.configure("");
    let secrets = home.path().join("config/secrets.env");
    std::fs::write(&secrets, "GITHUB_TOKEN=ghp_0123456789abcdWXYZ\n").unwrap();
    std::fs::set_permissions(&secrets, std::fs::Permissions::from_mode(0o600)).unwrap();
    let ran = home.run_with(&["config", "show"], "", &[("ANTHROPIC_API_KEY", "sk-ant-0123456789-QRST")]);
    assert!(ran.stdout.contains("# GITHUB_TOKEN: ****WXYZ"), "{ran:?}");
    assert!(ran.stdout.contains("# ANTHROPIC_API_KEY: ****QRST"), "{ran:?}");
    assert!(ran.stdout.contains("# OPENAI_API_KEY: not set"), "{ran:?}");
    assert!(!format!("{ran:?}").contains("0123456789"), "{ran:?}");
}

#[test]
fn every_mistake_in_the_file_is_named_with_its_line_and_the_nearest_word() {
    let home = Home::new();
    home.configure("[server]\nprot = 1\n\n[drfat]\n[ui]\ntheme = \"drak\"\n");
    for arguments in [&["config", "check"][..], &["config", "show"], &["list"], &["serve", "--port", "0"]] {
        let ran = home.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ran:?}");
        for words in [&["line 2", "`prot`", "`port`"], &["line 4", "`drfat`", "`draft`"], &["line 6", "drak", "dark"]] {
            let line = ran.stderr.lines().find(|line| line.contains(words[0])).unwrap_or_else(|| panic!("{ran:?}"));
            // A value may be a key in the wrong place: only the words of ours are repeated.
            assert!(line.contains(words[2]) && (words[1] == "drak" || line.contains(words[1])), "{line}");
        }
    }
    assert_eq!(home.ok(&["config", "path"]), format!("{}\n", home.config_file().display()), "to know what to mend");
    assert!(!home.database().exists());
}

#[test]
fn a_file_that_is_named_must_be_there_and_one_that_is_not_may_be_missing() {
    let home = Home::new();
    let ran = home.run(&["config", "check", "--config", "/nonexistent/config.toml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("/nonexistent/config.toml"), "{ran:?}");
    let ran = home.run(&["config", "check"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stdout.contains("there is no ") && ran.stdout.contains("defaults"), "{ran:?}");
}

#[test]
fn a_variable_that_makes_no_sense_is_named() {
    let home = Home::new();
    let ran = home.run_with(&["config", "check"], "", &[("FEEDBACK_PORT", "eighty")]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("FEEDBACK_PORT"), "{ran:?}");
}

#[test]
fn paths_are_all_below_the_home_that_was_given() {
    let home = Home::new();
    let paths = home.json(&["paths", "--json"]);
    assert_eq!(fields(&paths), ["cache", "config", "database", "logs", "secrets", "state"]);
    for (name, path) in paths.as_object().unwrap() {
        let path = path.as_str().unwrap();
        assert!(path.starts_with(home.path().to_str().unwrap()), "{name}: {path}");
        assert!(home.ok(&["paths"]).lines().any(|l| l.starts_with(name) && l.ends_with(path)), "{name}");
    }
    let made: Vec<_> = std::fs::read_dir(home.path()).unwrap().collect();
    assert!(made.is_empty(), "looking makes nothing: {made:?}");
}
