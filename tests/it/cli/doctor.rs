//! `doctor`: one line for each thing that has to be right, and what to do where it is not.

use crate::support::fake::anthropic::{Anthropic, DEPRECATED};
use crate::support::fake::compatible::{Compatible, Dialect};
use crate::support::fake::openai::Openai;
use crate::support::git::git;
use crate::support::program::Home;
use serde_json::Value;

/// The checks of one name: state, what was found, advice.
fn checks(doctor: &Value, name: &str) -> Vec<(String, String, String)> {
    let text = |check: &Value, field: &str| check[field].as_str().unwrap().to_owned();
    let all = doctor.as_array().unwrap().iter().filter(|check| check["name"] == name);
    all.map(|check| (text(check, "state"), text(check, "found"), text(check, "advice"))).collect()
}

/// Runs it on a port that is free, because another test or program may have the usual one.
fn doctor(home: &Home, code: i32) -> Value {
    let ran = home.run_with(&["doctor", "--json"], "", &[("FEEDBACK_PORT", "0")]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), ""), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_fresh_machine_is_well_but_for_a_repository() {
    let home = Home::new();
    let found = doctor(&home, 0);
    for name in ["settings", "key", "directory", "database", "address", "git", "terminal"] {
        assert!(checks(&found, name).iter().all(|(state, ..)| state == "ok"), "{name}: {found:#}");
        assert!(!checks(&found, name).is_empty(), "{name}");
    }
    let (state, _, advice) = &checks(&found, "repository")[0];
    assert!(state == "warn" && advice.contains("[[repository]]"), "{found:#}");
}

#[test]
fn a_local_repository_needs_no_token_and_no_target() {
    let home = Home::new();
    let repository = home.path().join("repository");
    let made = std::process::Command::new("git").args(["init", "-q"]).arg(&repository).status().unwrap();
    assert!(made.success());
    git(&repository, &["commit", "-q", "--allow-empty", "-m", "First"]);
    home.configure(&format!(
        "[draft]\ndrafter = \"command\"\n[command]\nrun = [\"sh\"]\n[[repository]]\npath = {:?}\n",
        repository.to_str().unwrap()
    ));
    let found = doctor(&home, 0);
    for name in ["key", "repository", "drafter"] {
        assert!(checks(&found, name).iter().all(|(state, ..)| state == "ok"), "{name}: {found:#}");
    }
}

#[test]
fn what_is_wrong_fails_and_says_what_to_do() {
    let home = Home::new();
    home.configure(
        "[draft]\ndrafter = \"command\"\n[command]\nrun = [\"no-such-agent\"]\n[[repository]]\nserver = \"a\"\npath = \"/no/such/place\"\n[[repository]]\nserver = \"b\"\ngithub = \"o/r\"\ndrafter = \"anthropic\"\n",
    );
    let found = doctor(&home, 1);
    assert_eq!(checks(&found, "drafter")[0].0, "fail", "{found:#}");
    assert!(checks(&found, "drafter")[0].1.contains("no-such-agent"), "{found:#}");
    assert_eq!(checks(&found, "repository")[0].0, "fail", "{found:#}");
    let keys = checks(&found, "key");
    for key in ["GITHUB_TOKEN", "ANTHROPIC_API_KEY"] {
        let (state, _, advice) = keys.iter().find(|(_, found, _)| found.starts_with(key)).unwrap();
        assert!(state == "warn" && advice.contains("secrets.env"), "{keys:?}");
    }
    let text = home.run(&["doctor"]).stdout;
    assert!(text.contains("FAIL  drafter") && text.contains("→ install it"), "{text}");
}

#[test]
fn settings_that_can_not_be_read_end_the_visit_there() {
    let home = Home::new();
    home.configure("[server]\nprot = 1\n");
    let found = doctor(&home, 1);
    let (state, said, _) = &checks(&found, "settings")[0];
    assert!(state == "fail" && said.contains("`port`"), "{found:#}");
    assert_eq!(checks(&found, "database"), []);
    assert!(!checks(&found, "git").is_empty());
}

#[test]
fn a_damaged_database_fails() {
    let home = Home::new();
    std::fs::create_dir_all(home.database().parent().unwrap()).unwrap();
    std::fs::write(home.database(), "this is no database, and long enough to be looked at as one".repeat(40)).unwrap();
    let found = doctor(&home, 1);
    let (state, said, _) = &checks(&found, "database")[0];
    assert!(state == "fail" && said.contains("not an SQLite database"), "{found:#}");
}

#[test]
fn a_running_owner_is_named() {
    let home = Home::new();
    let server = home.serve();
    let port = server.address.port().to_string();
    let ran = home.run_with(&["doctor", "--json"], "", &[("FEEDBACK_PORT", &port)]);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(checks(&found, "owner")[0].1.contains(&format!("process {}", server.pid())), "{found:#}");
    let (state, said, _) = &checks(&found, "address")[0];
    assert!(state == "ok" && said.contains("takes reports there"), "{found:#}");
}

/// Runs it beside a fake provider.
fn doctor_with(home: &Home, variables: &[(&str, &str)], code: i32) -> Value {
    let mut variables = variables.to_vec();
    variables.push(("FEEDBACK_PORT", "0"));
    let ran = home.run_with(&["doctor", "--json"], "", &variables);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), ""), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

/// A repository that drafts with this, and a setting for it.
fn repository(home: &Home, drafter: &str, settings: &str) {
    let repository = home.path().join("repository");
    assert!(std::process::Command::new("git").args(["init", "-q"]).arg(&repository).status().unwrap().success());
    git(&repository, &["commit", "-q", "--allow-empty", "-m", "First"]);
    let path = repository.to_str().unwrap();
    home.configure(&format!("[{drafter}]\n{settings}\n[[repository]]\npath = {path:?}\ndrafter = {drafter:?}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_is_asked_for_the_key_and_the_model() {
    let key = "CANARYkey~1234";
    let anthropic = Anthropic::start(key).await;
    let openai = Openai::start(key).await;
    let compatible = Compatible::start(None, Dialect::default()).await;
    let address = |url: &str, model: &str| format!("base_url = {url:?}\nmodel = {model:?}");
    let with_key: &[(&str, &str)] = &[("ANTHROPIC_API_KEY", key), ("OPENAI_API_KEY", key)];
    let wrong_key: &[(&str, &str)] = &[("ANTHROPIC_API_KEY", "CANARYother~1"), ("OPENAI_API_KEY", "CANARYother~1")];
    for (drafter, settings, keys, state, words) in [
        (
            "anthropic",
            address(anthropic.url(), "claude-test-1"),
            with_key,
            "ok",
            "anthropic: the key is good, and claude-test-1 is there",
        ),
        ("anthropic", address(anthropic.url(), DEPRECATED), with_key, "warn", "stops to answer on 2027-03-01"),
        ("anthropic", address(anthropic.url(), "claude-test-9"), with_key, "fail", "model = \"claude-test-1\""),
        ("anthropic", address(anthropic.url(), "claude-test-1"), wrong_key, "fail", "refused the key"),
        (
            "openai",
            address(&openai.url(), "gpt-test-1"),
            with_key,
            "ok",
            "openai: the key is good, and gpt-test-1 is there",
        ),
        ("openai", address(&openai.url(), "gpt-test-1"), wrong_key, "fail", "refused the key"),
        (
            "openai-compatible",
            address(&compatible.url(), "llama-other"),
            &[],
            "ok",
            "openai-compatible: llama-other is there",
        ),
        ("openai-compatible", address(&compatible.url(), "unlisted"), &[], "warn", "llama-other:latest"),
        ("openai-compatible", address(&compatible.url(), ""), &[], "fail", "no model is configured"),
    ] {
        let home = Home::new();
        repository(&home, drafter, &settings);
        let found = doctor_with(&home, keys, i32::from(state == "fail"));
        let models = checks(&found, "model");
        let [(found_state, said, advice)] = models.as_slice() else { panic!("{drafter}: {found:#}") };
        assert!(found_state == state && said.contains(words), "{drafter}, {words}: {found_state} {said}");
        assert!(!said.contains("CANARY") && !advice.contains("CANARY"), "{said} {advice}");
        let to_do = advice.contains("set `model` under [openai-compatible] in config.toml; there are qwen-test:7b");
        assert_eq!(to_do, settings.contains("model = \"\""), "{advice}");
    }
}

#[test]
fn without_its_key_a_provider_is_not_asked() {
    let home = Home::new();
    repository(&home, "openai", "base_url = \"http://127.0.0.1:9\"");
    let found = doctor(&home, 0);
    assert_eq!(checks(&found, "model"), []);
    let keys = checks(&found, "key");
    assert!(keys.iter().any(|(state, said, _)| state == "warn" && said == "OPENAI_API_KEY is not set"), "{keys:?}");
}
