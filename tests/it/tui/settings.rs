//! The settings view: what it shows at three sizes, how a setting is typed, that a key is never seen, and that what is saved is in the files.

use super::screens::snapshot;
use crate::support::desk::{Desk, Sitting};
use crate::support::session::Session;
use crate::support::{TestEngine, options};
use patchwork::config::Sources;
use patchwork::engine::Engine;
use patchwork::protocol::settings::{Check, Finding, Setting, SettingKind, SettingSource, Sheet};
use patchwork::protocol::{Refusal, RefusalKind};
use patchwork::tui::message::{Effect, Msg};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn line(section: &str, name: &str, label: &str, value: &str, source: SettingSource) -> Setting {
    Setting {
        section: section.into(),
        name: name.into(),
        label: label.into(),
        kind: SettingKind::Value,
        value: value.into(),
        source,
        words: Vec::new(),
        about: "What it is for, in a sentence that is longer than a narrow screen is wide.".into(),
        fixed: None,
        next_start: false,
        check: None,
    }
}

/// One of each kind, and one from somebody who means harm.
fn sheet() -> Sheet {
    let of = |server: &str| Some(Check::Repository { server: server.into() });
    let default = || SettingSource::Default;
    let hostile = "\u{1b}[2Jevil\u{202e}";
    let settings = vec![
        Setting {
            kind: SettingKind::Repository,
            check: of("billing"),
            ..line("Repositories", "repository.billing", "billing", "ada/billing", SettingSource::Line(12))
        },
        Setting {
            kind: SettingKind::OfRepository,
            check: of("billing"),
            ..line("Repositories", "repository.billing.branch", "branch", "main", SettingSource::Line(13))
        },
        Setting {
            kind: SettingKind::OfRepository,
            words: vec!["anthropic".into(), "command".into()],
            check: of("billing"),
            ..line(
                "Repositories",
                "repository.billing.drafter",
                "drafter",
                "anthropic",
                SettingSource::Inherited("draft.drafter".into()),
            )
        },
        Setting {
            kind: SettingKind::Repository,
            check: of(hostile),
            ..line("Repositories", "repository.evil", hostile, hostile, SettingSource::Line(20))
        },
        line("Drafting", "draft.parallel", "parallel", "2", default()),
        Setting {
            kind: SettingKind::List,
            ..line("Drafting", "draft.protect", "protect", "[\"*.lock\"]", SettingSource::Line(3))
        },
        Setting {
            kind: SettingKind::Key,
            check: Some(Check::Github),
            ..line("GitHub", "GITHUB_TOKEN", "token", "****WXYZ", SettingSource::Secrets)
        },
        Setting {
            fixed: Some("GITHUB_API_URL in the environment says so and wins over config.toml".into()),
            check: Some(Check::Github),
            ..line(
                "GitHub",
                "github.api_url",
                "api_url",
                "https://ghe.example/api/v3",
                SettingSource::Variable("GITHUB_API_URL".into()),
            )
        },
        Setting {
            kind: SettingKind::Place,
            fixed: Some("PATCHWORK_HOME says where files are".into()),
            ..line("Files", "file.config", "config", "/home/ada/.config/patchwork/config.toml", default())
        },
    ];
    Sheet { file: "/home/ada/.config/patchwork/config.toml".into(), mistake: None, settings }
}

pub(super) fn settings(width: u16, height: u16) -> Sitting {
    let mut desk = Desk::default();
    desk.sheet = sheet();
    desk.finding = Some(Finding::good("main is at 26207d3, and the token may push"));
    Sitting::begin(width, height, desk)
}

fn at(keys: &'static str) -> impl Fn(u16, u16) -> Sitting {
    move |width, height| {
        let mut s = settings(width, height);
        s.keys(keys);
        s
    }
}

#[test]
fn the_view_at_three_sizes() {
    snapshot("settings", at("5"));
    snapshot("settings_end", at("5 G"));
    snapshot("settings_about", at("5 j l"));
    snapshot("settings_words", at("5 j j enter tab"));
    snapshot("settings_remove", at("5 x"));
    snapshot("settings_empty", |width, height| {
        let mut s = Sitting::begin(width, height, Desk::default());
        s.keys("5");
        s
    });
    snapshot("settings_mistake", |width, height| {
        let mut s = settings(width, height);
        s.desk.sheet.mistake =
            Some("/home/ada/config.toml: line 3: there is no table `drfat`: did you mean `draft`?".into());
        s.keys("5 j");
        s
    });
    snapshot("settings_tested", |width, height| {
        let mut s = settings(width, height);
        s.keys("5 t");
        s.desk.finding = Some(Finding::bad(
            "Anthropic refused the key",
            "set ANTHROPIC_API_KEY again; it is long, and a part of it may be missing",
        ));
        s.keys("j j j j j j t");
        s
    });
    snapshot("settings_key", |width, height| {
        let mut s = settings(width, height);
        s.keys("5 j j j j j j enter").type_text("ghp_NEVERSEEN");
        s
    });
    snapshot("settings_new", |width, height| {
        let mut s = settings(width, height);
        s.desk.report(1, serde_json::json!({"what_i_needed": "n", "what_i_tried": "t", "server_name": "calendar"}));
        s.keys("5 a tab");
        s
    });
}

#[test]
fn a_value_is_typed_in_its_place_and_saved() {
    let mut s = settings(80, 24);
    s.keys("5 j enter");
    assert!(s.scene.footer().contains("enter save"), "{}", s.scene.footer());
    s.type_text("q5?tx").keys("enter");
    assert!(s.scene.shows("mainq5?tx"), "while typing, keys are text\n{}", s.scene.text());
    assert!(s.scene.footer().contains("repository.billing.branch is saved; it holds from the next draft"));
    s.keys("enter").type_text("zzz").keys("esc");
    assert!(s.scene.footer().contains("Nothing was changed") && !s.scene.shows("zzz"), "{}", s.scene.text());
    s.keys("j enter tab");
    assert!(s.scene.shows("command"), "{}", s.scene.text());
    s.keys("enter");
    assert_eq!(s.desk.setting_mut("repository.billing.drafter").value, "command");
    s.keys("enter enter");
    assert!(s.scene.footer().contains("It is what it was"), "{}", s.scene.footer());
}

/// A field opens with its old value in it: what a shell clears with is not what brings something back.
#[test]
fn a_value_is_cleared_with_one_key() {
    let mut s = settings(80, 24);
    s.keys("5 j enter x ctrl-u").type_text("dev").keys("enter");
    assert_eq!(s.desk.setting_mut("repository.billing.branch").value, "dev");
    s.keys("1 /").type_text("is:reviewed").keys("ctrl-u").type_text("costs").keys("enter");
    assert_eq!(s.scene.model.inbox.typed, "costs");
}

#[test]
fn what_is_removed_is_not_said_to_be_saved() {
    let mut s = settings(80, 24);
    s.keys("5 j j j j j j x y");
    assert!(s.scene.footer().contains("GITHUB_TOKEN is removed; that holds from"), "{}", s.scene.footer());
    s.keys("k x");
    assert!(s.scene.footer().contains("draft.protect is removed"), "{}", s.scene.footer());
    s.desk.refuses = Some(Refusal::new(RefusalKind::Storage, "the disk is full"));
    s.keys("g x y");
    assert!(s.scene.footer().contains("Not removed: the disk is full"), "{}", s.scene.footer());
}

#[test]
fn what_is_refused_stays_to_be_mended() {
    let mut s = settings(80, 24);
    s.desk.refuses = Some(Refusal::new(RefusalKind::Invalid, "`draft.parallel` must be a whole number from 1 to 16"));
    s.keys("5 j j j j enter").type_text("00").keys("enter");
    assert!(s.scene.footer().contains("Not saved: `draft.parallel` must be"), "{}", s.scene.footer());
    s.desk.refuses = None;
    s.keys("backspace backspace backspace 3 enter");
    assert_eq!(s.desk.setting_mut("draft.parallel").value, "3");
}

#[test]
fn what_can_not_be_changed_says_why() {
    let mut s = settings(80, 24);
    for keys in ["5 j j j j j j j enter", "x", "G enter"] {
        s.keys(keys);
        let said = s.scene.footer() + &s.scene.lines()[22];
        assert!(said.contains("can't be changed here"), "{keys}: {}", s.scene.text());
    }
    s.keys("k k k t");
    assert!(s.scene.footer().contains("nothing to test"), "{}", s.scene.footer());
    s.keys("k x");
    assert!(s.scene.footer().contains("not in config.toml"), "{}", s.scene.footer());
    assert_eq!(s.desk.sheet, sheet());
}

/// Everything that is drawn, printed for a log, or left in the model.
fn traces(s: &Sitting) -> String {
    format!("{}{:?}{:?}", s.scene.text(), s.scene.model, s.scene.cells())
}

#[test]
fn a_key_is_typed_hidden_and_leaves_no_trace() {
    let mut s = settings(80, 24);
    s.keys("5 j j j j j j enter").type_text("ghp_NEVERSEEX").keys("backspace").type_text("N");
    assert!(s.scene.shows("•••••••••••••▏"), "{}", s.scene.text());
    s.send(Msg::Paste(" tail\n".into()));
    assert!(s.scene.shows(&"•".repeat(17)), "{}", s.scene.text());
    assert!(!traces(&s).contains("NEVERSEE"), "{}", traces(&s));
    let effects = s.scene.key("enter");
    let [Effect::SaveKey { name, value }] = &effects[..] else { panic!("one effect, not {effects:?}") };
    assert_eq!((name.as_str(), value.expose()), ("GITHUB_TOKEN", "ghp_NEVERSEENtail"));
    assert!(!format!("{effects:?}").contains("NEVERSEE"));
    for message in s.desk.carry_out(effects[0].clone()) {
        s.send(message);
    }
    assert!(s.scene.footer().contains("GITHUB_TOKEN is saved"), "{}", s.scene.footer());
    assert!(!traces(&s).contains("NEVERSEE"));
    s.keys("enter").type_text("ghp_NEVERSEEN").keys("esc");
    assert!(!traces(&s).contains("NEVERSEE"));
}

#[test]
fn several_things_are_tested_while_the_user_goes_on() {
    let mut s = settings(80, 24);
    s.desk.finding = None;
    s.keys("5 t");
    assert!(s.scene.shows("… being tested"));
    s.keys("t j j j j j j t 1 5");
    assert_eq!(s.scene.text().matches("\n    … being tested").count(), 2, "{}", s.scene.text());
    let found = Finding::bad("the token\u{1b}[31m is wrong", "set it again");
    s.send(Msg::Answer(patchwork::tui::message::Answer::Checked { check: Check::Github, result: Ok(found) }));
    assert!(s.scene.shows("✗ the token�[31m is wrong: set it again"), "{}", s.scene.text());
    let refusal = Refusal::new(RefusalKind::NotFound, "there is no repository for `billing`");
    let check = Check::Repository { server: "billing".into() };
    s.send(Msg::Answer(patchwork::tui::message::Answer::Checked { check, result: Err(refusal) }));
    s.keys("g");
    assert!(s.scene.shows("✗ there is no repository for `billing`"), "{}", s.scene.text());
    s.keys("j enter").type_text("2").keys("enter");
    assert!(!s.scene.shows("✗ there is no repository"), "of what it was before:\n{}", s.scene.text());
}

#[test]
fn the_mouse_selects_and_typing_is_not_clicked_away() {
    let mut s = settings(80, 24);
    s.keys("5");
    s.scene.click(5, 3);
    assert_eq!(s.scene.model.settings.current().unwrap().label, "branch");
    s.keys("enter").type_text("zz");
    s.scene.click(5, 2);
    assert!(s.scene.shows("mainzz"), "{}", s.scene.text());
}

/// A screen over an engine with files of its own.
async fn session(config: &str) -> Session {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("config")).unwrap();
    fs::write(dir.path().join("config/config.toml"), config).unwrap();
    let mut all = options(dir.path());
    let root = dir.path().to_str().unwrap().to_owned();
    let sources = Sources::new(patchwork::config::Layer::default(), None, move |name: &str| match name {
        "PATCHWORK_HOME" => Some(root.clone()),
        "GITHUB_API_URL" => Some("https://ghe.example/api/v3".into()),
        _ => None,
    });
    all.secrets_file = sources.load().unwrap().paths.secrets_file;
    all.sources = Some(sources);
    let engine = Engine::open(all).await.unwrap();
    Session::open(120, 40, TestEngine { engine, dir }).await
}

fn config(dir: &Path) -> String {
    fs::read_to_string(dir.join("config/config.toml")).unwrap()
}

const MINE: &str = "# mine\n[draft]\nparallel = 2 # enough\n";

#[tokio::test]
async fn a_repository_is_added_changed_and_removed_and_comments_stay() {
    let mut s = session(MINE).await;
    s.keys("5").await;
    assert!(s.scene.shows("none yet") && s.scene.shows("line 3"), "{}", s.scene.text());
    s.keys("a")
        .await
        .type_text("my.server")
        .await
        .keys("enter")
        .await
        .type_text("https://github.com/ada/billing")
        .await;
    s.keys("enter").await;
    let added = "\n[[repository]]\nserver = \"my.server\"\ngithub = \"ada/billing\"\n";
    assert_eq!(config(s.test.dir.path()), format!("{MINE}{added}"));
    assert_eq!(s.scene.model.settings.current().unwrap().label, "my.server", "{}", s.scene.text());
    s.keys("j j j enter").await.type_text("dev").await.keys("enter").await;
    assert!(config(s.test.dir.path()).ends_with("branch = \"dev\"\n"), "{}", s.scene.text());
    s.keys("x").await;
    assert!(!config(s.test.dir.path()).contains("dev"), "{}", s.scene.text());
    s.keys("k k k enter ctrl-a ctrl-k").await.type_text("~/src/billing").await.keys("enter").await;
    assert!(
        config(s.test.dir.path()).ends_with("server = \"my.server\"\npath = \"~/src/billing\"\n"),
        "{}",
        s.scene.text()
    );
    s.keys("x n").await;
    assert!(config(s.test.dir.path()).contains("my.server"));
    s.keys("x y").await;
    assert_eq!(config(s.test.dir.path()), MINE);
}

#[tokio::test]
async fn a_wrong_value_is_refused_with_what_is_allowed() {
    let mut s = session(MINE).await;
    s.keys("5").await;
    while s.scene.model.settings.current().unwrap().name != "draft.parallel" {
        s.keys("j").await;
    }
    s.keys("enter").await.type_text("99").await.keys("enter").await;
    assert!(s.scene.text().contains("must be a whole number from 1 to 16"), "{}", s.scene.text());
    assert_eq!(config(s.test.dir.path()), MINE);
    s.keys("backspace backspace backspace").await.type_text("4").await.keys("enter").await;
    assert_eq!(config(s.test.dir.path()), MINE.replace("= 2", "= 4"));
}

#[tokio::test]
async fn a_key_goes_into_its_file_and_nowhere_else() {
    let mut s = session(MINE).await;
    s.keys("5").await;
    while s.scene.model.settings.current().unwrap().name != "ANTHROPIC_API_KEY" {
        s.keys("j").await;
    }
    s.keys("enter").await.type_text("sk-ant-NEVERSEEN-6789").await.keys("enter").await;
    assert!(s.scene.shows("****6789") && s.scene.shows("secrets.env"), "{}", s.scene.text());
    let file = s.test.dir.path().join("config/secrets.env");
    assert_eq!(fs::read_to_string(&file).unwrap(), "ANTHROPIC_API_KEY=\"sk-ant-NEVERSEEN-6789\"\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    s.keys("enter").await.type_text("two words").await.keys("enter").await;
    assert!(s.scene.shows("must be one line of printable characters"), "{}", s.scene.text());
    s.keys("esc x y").await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
    assert!(s.scene.shows("not set"), "{}", s.scene.text());
    assert!(!format!("{:?}{}", s.scene.model, s.scene.text()).contains("NEVERSEEN"));
}

#[tokio::test]
async fn edits_by_hand_are_seen_when_the_view_opens_and_mistakes_are_told() {
    let mut s = session(MINE).await;
    s.keys("5 1").await;
    let file = s.test.dir.path().join("config/config.toml");
    fs::write(&file, MINE.replace("= 2", "= 1")).unwrap();
    s.keys("5").await;
    let parallel = |s: &Session| s.scene.lines().into_iter().find(|line| line.contains("parallel")).unwrap();
    assert!(parallel(&s).contains(" 1 "), "{}", s.scene.text());
    fs::write(&file, "[drfat]\n").unwrap();
    s.keys("1 5").await;
    assert!(s.scene.shows("did you mean `draft`?") && s.scene.shows("Until it is mended"), "{}", s.scene.text());
    assert!(parallel(&s).contains(" 1 "), "what was read before holds:\n{}", s.scene.text());
    s.keys("g").await;
    while s.scene.model.settings.current().unwrap().name != "draft.parallel" {
        s.keys("j").await;
    }
    s.keys("enter").await.type_text("1").await.keys("enter").await;
    assert!(s.scene.text().contains("would not be understood"), "{}", s.scene.text());
    assert_eq!(fs::read_to_string(&file).unwrap(), "[drfat]\n");
}

#[tokio::test]
async fn what_the_environment_says_is_seen_and_not_changed() {
    let mut s = session(MINE).await;
    s.keys("5").await;
    while s.scene.model.settings.current().unwrap().name != "github.api_url" {
        s.keys("j").await;
    }
    assert!(s.scene.shows("https://ghe.example/api/v3") && s.scene.shows("GITHUB_API_URL"), "{}", s.scene.text());
    s.keys("enter").await;
    assert!(s.scene.text().contains("api_url can't be changed here: GITHUB_API_URL"), "{}", s.scene.text());
}
