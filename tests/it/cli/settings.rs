//! `config set`, `unset` and `key`: what they write, what they leave, and what they refuse.

use crate::support::program::Home;
use crate::support::terminal::{Setup, Terminal};
use std::os::unix::fs::PermissionsExt;

const MINE: &str = "# mine\n[draft] # how\n# two are enough here\nparallel = 2   # really\n\n# the end\n";

fn text(home: &Home) -> String {
    std::fs::read_to_string(home.config_file()).unwrap()
}

#[test]
fn a_setting_is_changed_and_every_comment_stays() {
    let home = Home::new();
    home.configure(MINE);
    let said = home.ok(&["config", "set", "draft.parallel", "3"]);
    assert_eq!(said, format!("draft.parallel = 3  # is saved: {}\n", home.config_file().display()));
    assert_eq!(text(&home), MINE.replace("= 2 ", "= 3 "));
    assert!(home.ok(&["config", "set", "draft.parallel", "3"]).contains("says already"));
    home.ok(&["config", "set", "command.run", "agent", "-p", "a, b"]);
    home.ok(&["config", "set", "repository.billing.path", "~/src/billing"]);
    home.ok(&["config", "set", "repository.billing.protect", "*.sql, /migrations/"]);
    home.ok(&["config", "set", "ui.keys.quit", "Q"]);
    let shown = home.ok(&["config", "show"]);
    for line in ["run = [\"agent\", \"-p\", \"a, b\"]", "protect = [\"*.sql\", \"/migrations/\"]", "quit = [\"Q\"]"] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    for address in ["command.run", "repository.billing", "ui.keys.quit"] {
        assert!(home.ok(&["config", "unset", address]).contains("not in"), "{address}");
    }
    let left = text(&home);
    assert!(left.starts_with(&MINE.replace("= 2 ", "= 3 ")), "{left}");
    assert!(!left.contains('Q') && !left.contains("billing") && !left.contains("agent"), "{left}");
}

#[test]
fn the_first_setting_makes_the_file_and_config_names_another() {
    let home = Home::new();
    home.ok(&["config", "set", "draft.drafter", "command"]);
    assert_eq!(text(&home), "[draft]\ndrafter = \"command\"\n");
    let other = home.path().join("other.toml");
    home.ok(&["--config", other.to_str().unwrap(), "config", "set", "draft.parallel", "5"]);
    assert_eq!(std::fs::read_to_string(other).unwrap(), "[draft]\nparallel = 5\n");
}

#[test]
fn what_is_wrong_is_said_with_the_nearest_word_and_changes_nothing() {
    let home = Home::new();
    home.configure(MINE);
    for (arguments, code, parts) in [
        (&["set", "draft.drafer", "command"][..], 2, &["`draft.drafter`"][..]),
        (&["set", "parallel", "3"], 2, &["`draft.parallel`"]),
        (&["set", "draft.drafter", "comand"], 2, &["`anthropic`", "did you mean \"command\"?"]),
        (&["set", "draft.parallel", "17"], 2, &["from 1 to 16"]),
        (&["set", "draft.parallel", "1", "2"], 2, &["takes one value"]),
        (&["set", "repository.billing.branch", "main"], 2, &["`repository.billing.github`"]),
        (&["set", "repository.billing.github", "https://github.com/o/r"], 2, &["owner/name"]),
        (&["set", "ui.keys.quit", "j"], 2, &["`quit`", "`down`"]),
        (&["set", "ui.keys.quti", "Q"], 2, &["`quit`"]),
        (&["set", "github.token", "ghp_SECRET"], 2, &["patchwork config key"]),
        (&["set", "draft.parallel"], 2, &["VALUE"]),
        (&["unset", "draft.drafter"], 4, &["is not in"]),
        (&["key", "GITHUB_TOKN"], 2, &["GITHUB_TOKEN"]),
        (&["key", "ghp_SECRET"], 2, &["names are"]),
    ] {
        let ran = home.run_with(&[&["config"], arguments].concat(), "x\n", &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{arguments:?}: {ran:?}");
        for part in parts {
            assert!(ran.stderr.contains(part), "{arguments:?}: {ran:?}");
        }
        assert!(!ran.stderr.contains("SECRET"), "{ran:?}");
        assert_eq!(text(&home), MINE);
    }
    home.configure("[draft]\nparallel = 2\nx = 1\n");
    let ran = home.run(&["config", "set", "draft.parallel", "3"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("line 3") && ran.stderr.contains("was not changed"), "{ran:?}");
}

#[test]
fn a_variable_that_wins_over_the_file_is_told_of() {
    let home = Home::new();
    let set = ["config", "set", "github.api_url", "https://ghe.example/api/v3/"];
    let ran = home.run_with(&set, "", &[("GITHUB_API_URL", "https://other.example")]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("GITHUB_API_URL is set and wins"), "{ran:?}");
    assert_eq!(text(&home), "[github]\napi_url = \"https://ghe.example/api/v3\"\n");
}

const KEY: &str = "sk-ant-CANARY-0123456789";

#[test]
fn a_key_comes_on_standard_input_and_is_private() {
    let home = Home::new();
    let secrets = home.path().join("config/secrets.env");
    let ran = home.run_with(&["config", "key", "anthropic_api_key"], &format!("{KEY}\n"), &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(!ran.stdout.contains("CANARY"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&secrets).unwrap(), format!("ANTHROPIC_API_KEY=\"{KEY}\"\n"));
    assert_eq!(std::fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(home.ok(&["config", "show"]).contains("# ANTHROPIC_API_KEY: ****6789"));
    for (typed, part) in [("", "--remove"), ("two words", "one line"), ("a\nb", "one line")] {
        let ran = home.run_with(&["config", "key", "ANTHROPIC_API_KEY"], typed, &[]);
        assert!(ran.code == Some(2) && ran.stderr.contains(part), "{typed:?}: {ran:?}");
    }
    let ran = home.run_with(&["config", "key", "FEEDBACK_API_KEY"], "k-1", &[("FEEDBACK_API_KEY", "k-2")]);
    assert!(ran.code == Some(0) && ran.stderr.contains("environment, which wins"), "{ran:?}");
    home.ok(&["config", "key", "ANTHROPIC_API_KEY", "--remove"]);
    assert_eq!(std::fs::read_to_string(&secrets).unwrap(), "FEEDBACK_API_KEY=\"k-1\"\n");
}

#[test]
fn a_key_typed_at_a_terminal_is_not_seen() {
    let home = Home::new();
    let script = "\"$PATCHWORK\" config key GITHUB_TOKEN; echo \"ended with $?\"\n";
    let typed = |keys: &str| {
        let t = Terminal::start(&home, &Setup { script: Some(script), ..Setup::default() });
        t.wait_for("typed hidden");
        t.send(keys);
        t.wait_for("ended with");
        let (text, bytes) = (t.text(), String::from_utf8_lossy(&t.seen().bytes).into_owned());
        assert!(!bytes.contains("CANARY"), "{bytes}");
        t.assert_ended_well();
        text
    };
    assert!(typed("ghp_CANARYxx\x7f\x7f_0123456789\r").contains("ended with 0"));
    let secrets = home.path().join("config/secrets.env");
    assert_eq!(std::fs::read_to_string(&secrets).unwrap(), "GITHUB_TOKEN=\"ghp_CANARY_0123456789\"\n");
    for given_up in ["ghp_CANARY\x03", "ghp_CANARY\x1b"] {
        assert!(typed(given_up).contains("ended with 130"));
    }
    assert_eq!(std::fs::read_to_string(&secrets).unwrap(), "GITHUB_TOKEN=\"ghp_CANARY_0123456789\"\n");
}
