//! Changes of every kind, all the way to a commit: files that move, modes, line ends, and what the settings let through.

use crate::support::fake::anthropic::Reply;
use crate::support::fake::world::World;
use crate::support::git::git;
use patchwork::domain::draft::Stage;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

fn edit(path: &str, search: &str, replace: &str) -> Value {
    json!({"path": path, "action": "edit", "new_path": null, "content": null, "edits": [{"search": search, "replace": replace}]})
}

fn rename(path: &str, to: &str, edits: &Value) -> Value {
    json!({"path": path, "action": "rename", "new_path": to, "content": null, "edits": edits})
}

#[tokio::test]
async fn files_move_with_their_modes_and_keep_their_line_ends() {
    let world = World::open().await;
    let checkout = world.checkout();
    for (path, text) in [
        ("run.sh", "#!/bin/sh\necho costs\n"),
        ("crlf.py", "a = 1\r\nb = 2\r\n"),
        ("bare.py", "a = 1\nb = 2"),
        ("bom.py", "\u{feff}a = 1\n"),
    ] {
        std::fs::write(checkout.join(path), text).unwrap();
    }
    std::fs::set_permissions(checkout.join("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    git(&checkout, &["add", "--all"]);
    git(&checkout, &["commit", "--quiet", "-m", "More"]);
    let id = world.report_here().await;
    let files = json!([
        rename("run.sh", "bin/run.sh", &json!([{"search": "costs", "replace": "prices"}])),
        rename("src/old_costs.py", "src/costs.py", &json!([])),
        edit("crlf.py", "a = 1\nb = 2\n", "a = 1\nb = 3\nc = 4\n"),
        edit("bare.py", "b = 2\n", "b = 3\n"),
        edit("bom.py", "a = 1\n", "a = 2\n"),
    ]);
    world.anthropic.reply(Reply::change("Move", &files));
    let (detail, published) = world.publish(&id).await;
    let branch = &published.branch;
    let stat = git(&checkout, &["diff", "--name-status", "--find-renames", "main", branch]);
    assert_eq!(
        stat,
        "M\tbare.py\nA\tbin/run.sh\nM\tbom.py\nM\tcrlf.py\nD\trun.sh\nR100\tsrc/old_costs.py\tsrc/costs.py",
    );
    assert!(git(&checkout, &["ls-tree", branch, "bin/run.sh"]).starts_with("100755"));
    assert!(detail.diff.contains("rename from src/old_costs.py\nrename to src/costs.py"), "{}", detail.diff);
    for (path, text) in
        [("crlf.py", "a = 1\r\nb = 3\r\nc = 4\r\n"), ("bare.py", "a = 1\nb = 3"), ("bom.py", "\u{feff}a = 2\n")]
    {
        let shown = std::process::Command::new("git")
            .current_dir(&checkout)
            .args(["show", &format!("{branch}:{path}")])
            .output();
        assert_eq!(String::from_utf8(shown.unwrap().stdout).unwrap(), text, "{path}");
    }
    world.assert_clean();
}

#[tokio::test]
async fn the_settings_say_what_may_change() {
    let world = World::with(|config, _| {
        for repository in &mut config.repositories {
            repository.scope = vec!["/src/".into(), ".github/".into()];
            repository.allow = vec!["/.github/workflows/ci.yml".into()];
        }
    })
    .await;
    let id = world.report_here().await;
    for (files, words) in [
        (json!([edit("README.md", "# Billing", "# Costs")]), "outside of what drafts may change here (`/src/`"),
        (json!([rename("src/old_costs.py", "costs.py", &json!([]))]), "outside of what drafts may change here"),
        (json!([rename("src/old_costs.py", ".github/workflows/x.yml", &json!([]))]), "it runs in CI"),
    ] {
        for _ in 0..3 {
            world.anthropic.reply(Reply::change("Outside", &files));
        }
        let (stage, reason) = world.failure(&id).await;
        assert!(stage == Stage::Check && reason.contains(words), "{reason}");
    }
    world.anthropic.reply(Reply::change("Allowed", &json!([edit(".github/workflows/ci.yml", "push", "[push]")])));
    world.publish(&id).await;
    let asked = world.anthropic.requests()[0].to_string();
    assert!(asked.contains("change only files that match") && asked.contains("Although they are protected"), "{asked}");
    world.assert_clean();
}
