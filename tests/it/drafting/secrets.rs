//! Keys are where they must be (a header, a password prompt) and nowhere else: not in events, the database, the cache, the repository, the log, a
//! message or an argument of a process.

use crate::support::fake::Fault;
use crate::support::fake::anthropic::Reply;
use crate::support::fake::anthropic_stream::Piece;
use crate::support::fake::git_server::{PUSH, REFS};
use crate::support::fake::github::{CREATE, REPOSITORY};
use crate::support::fake::outcome::{Outcome, Trouble};
use crate::support::fake::world::{ANTHROPIC_KEY, COMPATIBLE_KEY, GITHUB_TOKEN, OPENAI_KEY, World};
use crate::support::git::git;
use patchwork::domain::draft::{DraftState, DrafterKind};
use patchwork::domain::id::FeedbackId;
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// What the keys look like, in full and in the ways they travel.
fn spellings() -> Vec<String> {
    let basic = crate::support::fake::git_server::base64(format!("x-access-token:{GITHUB_TOKEN}").as_bytes());
    // A part is as bad as the whole.
    [
        ANTHROPIC_KEY,
        OPENAI_KEY,
        COMPATIBLE_KEY,
        GITHUB_TOKEN,
        &basic,
        "CANARYanthropic",
        "CANARYopenai",
        "CANARYcompatible",
        "CANARYgithub",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn assert_no_key(text: &[u8], place: &str) {
    for spelling in spellings() {
        let found = text.windows(spelling.len()).any(|w| w == spelling.as_bytes());
        assert!(!found, "`{spelling}` is in {place}");
    }
}

fn assert_no_key_below(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            assert_no_key_below(&entry.path());
        } else {
            assert_no_key(&std::fs::read(entry.path()).unwrap(), &entry.path().display().to_string());
        }
    }
}

/// Objects are compressed, so a search of the files alone would be blind.
fn assert_no_key_in_objects(repository: &Path) {
    let output = crate::support::git::command(repository)
        .args(["cat-file", "--batch-all-objects", "--batch", "--buffer"])
        .output()
        .unwrap();
    assert!(output.status.success() && !output.stdout.is_empty());
    assert_no_key(&output.stdout, &format!("an object of {}", repository.display()));
}

/// Everything this thread logs, at every level, other people's libraries included.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logged {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The other two models send their keys back, too.
async fn echoes_of_the_other_models(world: &World, id: &FeedbackId) {
    for (drafter, key) in [(DrafterKind::Openai, OPENAI_KEY), (DrafterKind::OpenaiCompatible, COMPATIBLE_KEY)] {
        let echo = format!("invalid key {key}");
        let half = || "{".to_owned();
        for outcome in [
            Outcome::Error(Trouble::BadKey, echo.clone()),
            Outcome::Error(Trouble::BadRequest, format!("{}{echo}", "x".repeat(1_490))),
            Outcome::ErrorInside(half(), Trouble::Server, echo.clone()),
            Outcome::Refuses(echo.clone()),
            Outcome::Ends(half()),
        ] {
            world.model(drafter).plan(&outcome);
            let DraftState::Failed { reason, .. } = world.draft_by(drafter, id).await.draft.state else { panic!() };
            assert_no_key(reason.as_bytes(), "a reason");
        }
        world.model(drafter).plan(&Outcome::Later(Trouble::Rate, 1, echo));
        let files = json!([{"path": "src/ranges.py", "action": "create", "content": "RANGE = 1\n", "edits": []}]);
        world.model(drafter).plan(&Outcome::change("Add a date range", &files));
        let run = world.draft_by(drafter, id).await;
        assert_eq!(run.draft.state.word(), "published");
        assert_no_key(json!(run).to_string().as_bytes(), "the run");
        assert_no_key(json!(world.model(drafter).script().requests()).to_string().as_bytes(), "the request");
    }
}

#[tokio::test]
async fn no_key_is_kept_shown_or_passed_on() {
    let logged = Logged::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(logged.clone()).finish();
    // A second one, because a lone one is not heard by what another thread without any happens to log first.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _logging = tracing::subscriber::set_default(subscriber);
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.note(&id, "Please.").await;

    // Servers that send back what they were given, at every stage.
    let echo = format!("invalid key {ANTHROPIC_KEY}");
    let git_echo = format!("{GITHUB_TOKEN} is wrong; https://x:{GITHUB_TOKEN}@host/");
    let github_echo = json!({"message": git_echo, "errors": [{"message": git_echo}]}).to_string();
    world.anthropic.reply(Reply::error(401, "authentication_error", &echo).header("request-id", ANTHROPIC_KEY));
    let reasons = [
        world.failure(&id).await.1,
        {
            world.anthropic.reply(Reply::begins("{", Piece::error("api_error", &echo)));
            world.failure(&id).await.1
        },
        {
            world.anthropic.reply(Reply::ends("{", &json!({"stop_reason": echo})));
            world.failure(&id).await.1
        },
        {
            let details = json!({"category": echo, "explanation": echo});
            world.anthropic.reply(Reply::ends("{", &json!({"stop_reason": "refusal", "stop_details": details})));
            world.failure(&id).await.1
        },
        {
            world.anthropic.reply(Reply::begins("{", Piece::event("message_delta", json!({"delta": echo}))));
            world.failure(&id).await.1
        },
        {
            world.github.fail(REPOSITORY, Fault::status(403, github_echo.clone()));
            world.failure(&id).await.1
        },
        {
            world.git.fail(REFS, Fault::status(500, git_echo.clone()).header("content-type", "text/plain"));
            world.failure(&id).await.1
        },
        {
            world.good_reply();
            world.git.fail(PUSH, Fault::status(500, git_echo.clone()).header("content-type", "text/plain"));
            world.failure(&id).await.1
        },
        {
            world.good_reply();
            world.github.fail(CREATE, Fault::status(422, github_echo));
            world.failure(&id).await.1
        },
    ];
    for reason in reasons {
        assert_no_key(reason.as_bytes(), "a reason");
    }
    echoes_of_the_other_models(&world, &id).await;
    world.anthropic.reply(Reply::error(529, "overloaded_error", &echo));
    world.good_reply();
    let (detail, _) = world.publish(&id).await;

    assert_no_key(serde_json::to_string(&detail).unwrap().as_bytes(), "the run");
    assert_no_key(serde_json::to_string(&world.events().await).unwrap().as_bytes(), "the events");
    assert_no_key(serde_json::to_string(&world.engine.settings().await.unwrap()).unwrap().as_bytes(), "the settings");
    assert_no_key(format!("{:?} {:?}", world.engine, world.secrets).as_bytes(), "a debug text");
    assert_no_key(json!(world.github.pulls()).to_string().as_bytes(), "the pull request");
    assert_no_key(json!(world.anthropic.requests()).to_string().as_bytes(), "the request");
    assert_no_key(git(&world.bare(), &["log", "--all", "--format=raw"]).as_bytes(), "a commit");
    assert_no_key_in_objects(&world.bare());
    for mirror in std::fs::read_dir(world.cache().join("mirrors")).unwrap().flatten().filter(|e| e.path().is_dir()) {
        assert_no_key_in_objects(&mirror.path());
    }
    // The database, its write-ahead log, the mirrors' configuration, whatever else there is.
    assert_no_key_below(world.dir.path());
    let log = logged.0.lock().unwrap().clone();
    assert!(String::from_utf8_lossy(&log).contains("repeating a request"), "the log has what it should have");
    assert_no_key(&log, "the log");
    world.assert_clean();
}
