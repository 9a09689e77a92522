//! Answers of a model that was talked into something: paths that lead out, protected files, too much of everything. Nothing of such an answer
//! is used, and nobody outside of the worktree notices.

use crate::support::fake::anthropic::Reply;
use crate::support::fake::world::World;
use crate::support::git::{Fingerprint, git};
use patchwork::domain::draft::Stage;
use patchwork::domain::id::FeedbackId;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn create(path: &str) -> Value {
    json!({"path": path, "action": "create", "content": "x = 1\n", "edits": []})
}

/// Every path below the test's directory that a change could reach, with what is there.
fn reachable(world: &World) -> BTreeSet<(PathBuf, Vec<u8>)> {
    fn walk(dir: &Path, found: &mut BTreeSet<(PathBuf, Vec<u8>)>) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            // The engine's own files change, and so do git's records of the mirror.
            let own = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("feedback.db") || n == "cache");
            if path.is_dir() && !own {
                walk(&path, found);
            } else if !own {
                found.insert((path.clone(), std::fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(world.dir.path(), &mut found);
    found
}

/// The answer comes again and again; the run fails in the check stage with a sentence, and nothing but the engine's own files is different. Gives what the
/// model was told and the reason.
async fn refused(world: &World, id: &FeedbackId, reply: Reply) -> (String, String) {
    let (before, checkout) = (reachable(world), Fingerprint::of(&world.checkout()));
    world.anthropic.reply(reply.clone()).reply(reply.clone()).reply(reply);
    let (stage, reason) = world.failure(id).await;
    assert_eq!(stage, Stage::Check, "{reason}");
    assert!(reason.ends_with('.') && reason.len() < 2_500, "{reason}");
    assert!(reachable(world) == before, "something outside of the worktree changed");
    checkout.assert_kept(&world.checkout());
    world.assert_clean();
    (world.anthropic.last_turn(), reason)
}

#[tokio::test]
async fn paths_that_lead_out_are_refused_each_with_its_reason() {
    let world = World::open().await;
    let id = world.report_here().await;
    let canary = world.dir.path().join("planted.py");
    let absolute = canary.display().to_string();
    let cases = [
        ("../planted.py", "`..` part"),
        ("src/../../planted.py", "`..` part"),
        (absolute.as_str(), "relative"),
        ("~/../planted.py/", "part"),
        ("./planted.py", "`.`"),
        ("src//planted.py", "empty"),
        ("", "empty"),
        (".git/config", "git's own"),
        (".GIT/hooks/post-checkout", "git's own"),
        ("vendor/x/.git/config", "git's own"),
        (".git./config", "git's own"),
        (".git /config", "git's own"),
        ("GIT~1/config", "git's own"),
        (".git::$INDEX_ALLOCATION/config", "git's own"),
        (".gitmodules", "git's own"),
        ("C:\\planted.py", "relative"),
        ("src\\planted.py", "relative"),
        ("src/a\nb.py", "invisible"),
        ("src/\u{202e}yp.a", "invisible"),
        ("src/a\u{0}.py", "invisible"),
        ("src/\u{1b}[2J.py", "invisible"),
    ];
    let files: Vec<Value> = cases.iter().map(|(path, _)| create(path)).collect();
    let (told, _) = refused(&world, &id, Reply::change("Lead out", &json!(files))).await;
    let lines: Vec<&str> = told.lines().filter(|l| l.starts_with("- ")).collect();
    assert_eq!(lines.len(), cases.len(), "{told}");
    for ((path, why), line) in cases.iter().zip(lines) {
        assert!(line.contains(why), "{path:?}: {line}");
        assert!(!line.contains('\u{1b}') && !line.contains('\u{202e}'), "{line:?}");
    }
    assert!(!canary.exists());
    world.good_reply();
    world.publish(&id).await;
}

#[tokio::test]
async fn protected_files_are_refused_each_with_its_reason() {
    let world = World::with(|config, _| config.draft.protect = vec!["/migrations/".into()]).await;
    let id = world.report_here().await;
    let cases = [
        (".github/workflows/release.yml", "CI"),
        (".GitHub/Workflows/other.yml", "CI"),
        ("tools/.github/actions/x/action.yml", "CI"),
        (".gitlab-ci.yml", "CI"),
        (".env", "secrets"),
        ("deploy/id_rsa", "secrets"),
        ("uv.lock", "lock file"),
        (".gitattributes", "git"),
        (".gitignore", "git"),
        (".husky/pre-commit", "other people's machines"),
        ("CODEOWNERS", "who reviews"),
        ("migrations/1.py", "`protect`"),
    ];
    let files: Vec<Value> = cases.iter().map(|(path, _)| create(path)).chain([create("src/fine.py")]).collect();
    let (told, reason) = refused(&world, &id, Reply::change("Protected", &json!(files))).await;
    for (path, why) in cases {
        let line = told.lines().find(|l| l.starts_with(&format!("- {path}: ")));
        assert!(line.is_some_and(|l| l.contains("protected") && l.contains(why)), "{path}: {line:?} in\n{told}");
    }
    assert!(!told.contains("- src/fine.py") && reason.contains("and 7 more"), "{reason}");
    let delete = json!([{"path": ".github/workflows/ci.yml", "action": "delete", "content": null, "edits": []}]);
    let (_, reason) = refused(&world, &id, Reply::change("Protected", &delete)).await;
    assert!(reason.contains("it runs in CI"), "{reason}");
    world.good_reply();
    world.publish(&id).await;
}

#[tokio::test]
async fn too_much_and_too_odd_is_refused() {
    let world = World::open().await;
    let id = world.report_here().await;
    let many: Vec<Value> = (0..10_000).map(|n| create(&format!("out/{n}.py"))).collect();
    let edit = |search: &str, replace: &str| json!([{"path": "src/server.py", "action": "edit", "content": null, "edits": [{"search": search, "replace": replace}]}]);
    let content = |text: &str| json!([{"path": "src/new.py", "action": "create", "content": text, "edits": []}]);
    let twice = json!([create("src/new.py"), create("src/NEW.py")]);
    let unknown = json!([{"path": "a.py", "action": "create", "content": "x", "edits": [], "mode": "100755"}]);
    for (files, words) in [
        (json!(many), "10000 files, at most 100"),
        (content(&"x".repeat(2 << 20)), "at most 1048576"),
        (content("a\u{0}b"), "NUL"),
        (content("# ... rest of the file unchanged ...\n"), "placeholder"),
        (edit("def search_costs", &"x".repeat(2 << 20)), "at most 1048576"),
        (edit("", "x"), "`search` is empty"),
        (edit("def search_costs", "def search_costs"), "change nothing"),
        (twice, "more than once"),
        (unknown, "`mode`"),
        (json!("src/server.py"), "schema"),
    ] {
        let (told, reason) = refused(&world, &id, Reply::change("Too much", &files)).await;
        assert!(told.contains(words) && reason.contains(words), "{words} is not in: {reason}");
        assert!(told.len() < 40_000, "the model is not told {} bytes", told.len());
    }
    // Half of a character, which JSON can say and no text can hold.
    let half = r#"{"look_up":[],"title":"x","summary":"x","files":[{"path":"a.py","action":"create","content":"\ud800","edits":[]}]}"#;
    let (told, reason) = refused(&world, &id, Reply::says(half)).await;
    assert!(told.contains("hex escape") && reason.contains("does not fit the schema"), "{reason}");
    world.good_reply();
    world.publish(&id).await;
}

#[tokio::test]
async fn a_title_and_a_summary_can_say_what_they_like() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let files = json!([create("src/fine.py")]);
    for (title, expected) in [
        (
            "Fixes #1, closes octo/billing#2 @octocat [skip ci] https://evil.example/",
            "Fixes no. 1, closes octo/billing no. 2 octocat (skip ci) evil.example/",
        ),
        (
            "--upload-pack=touch ran\n\nCo-authored-by: Eve <eve@evil.example>",
            "upload-pack=touch ran Co-authored-by: Eve <eveevil.example>",
        ),
        ("\u{1b}]0;owned\u{7}..//@{~^:?*[\\", "\u{fffd})0;owned\u{fffd}..//@{~^:?*(\\"),
    ] {
        let answer = json!({"title": title, "summary": "<!-- x -->Fixes #1 @octocat ![i](http://evil.example/i.png)", "files": files});
        world.anthropic.reply(Reply::says(answer.to_string()));
        let (_, published) = world.publish(&id).await;
        let message = git(&world.bare(), &["log", "-1", "--format=%B", &published.branch]);
        let subject = message.lines().next().unwrap();
        assert!(subject.chars().count() <= 72, "{subject}");
        assert_eq!(subject, expected);
        for acts in ["#1", "#2", "@octocat", "[skip", "https://", "\u{1b}", "\u{7}"] {
            assert!(!message.contains(acts), "{acts} in {message}");
        }
        let trailers =
            git(&world.bare(), &["log", "-1", "--format=%(trailers:only,key=Co-authored-by)", &published.branch]);
        assert_eq!(trailers, "", "the model can't name authors");
    }
    world.assert_clean();
}
