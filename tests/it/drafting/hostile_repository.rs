//! Repositories that want to break out: links, submodules, attributes, hooks, odd names, huge files. None of it runs or leads out, and the
//! draft works all the same.

use crate::support::fake::anthropic::{Reply, text_of};
use crate::support::fake::world::{FILES, World, branches, published};
use crate::support::git::{Entry, Fingerprint, commit_tree, git, git_fed};
use patchwork::domain::draft::{DrafterKind, Stage};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Puts a hostile tree on the hosted `main`, and something worth protecting outside of it.
fn make_hostile(world: &World) -> PathBuf {
    let outside = world.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret.py"), "CANARY = 'search_costs outside'\n").unwrap();
    let (link, dir_link) = (outside.join("secret.py").display().to_string(), outside.display().to_string());
    let marker = format!("ext::sh -c touch% {}/ran", world.dir.path().display());
    let modules = format!("[submodule \"sub\"]\n\tpath = sub\n\turl = {marker}\n");
    let big = vec![b'\n'; 2 * 1024 * 1024];
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    let head = git(&world.bare(), &["rev-parse", "main"]);
    let file = |path, content| Entry { mode: "100644", path, content };
    let mut entries: Vec<Entry<'_>> = FILES.iter().map(|(path, text)| file(path.as_bytes(), text.as_bytes())).collect();
    entries.extend([
        Entry { mode: "120000", path: b"leak_search_costs.py", content: link.as_bytes() },
        Entry { mode: "120000", path: b"linkdir", content: dir_link.as_bytes() },
        Entry { mode: "160000", path: b"sub", content: head.as_bytes() },
        file(b".gitmodules", modules.as_bytes()),
        file(
            b".gitattributes",
            b"* filter=evil diff=evil text eol=crlf working-tree-encoding=UTF-16 ident export-subst\n",
        ),
        file(b"lfs_search_costs.py", lfs),
        file(b".lfsconfig", b"[lfs]\n\turl = http://127.0.0.1:1/\n"),
        file(b"search_costs\nwith a line break.py", b"search_costs\n"),
        file(b"caf\xe9 search_costs.py", b"search_costs\n"),
        file(b"\x1b[2Jsearch_costs.py", b"search_costs\n"),
        file("ev\u{202e}yp.stsoc_hcraes".as_bytes(), b"search_costs\n"),
        file(b"--upload-pack=touch ran", b"search_costs\n"),
        file(b":(exclude)search_costs", b"search_costs\n"),
        file(b"big_search_costs.py", &big),
        file(b"latin.py", b"# search_costs caf\xe9\n"),
        file(b"nul.py", b"search_costs\0\n"),
        file(b"dollar.py", b"ID = '$Id$' # search_costs\n"),
    ]);
    commit_tree(&world.bare(), "main", &entries);
    outside
}

#[tokio::test]
async fn a_draft_in_a_hostile_repository_is_a_draft_and_nothing_else() {
    let world = World::open().await;
    let outside = make_hostile(&world);
    let before = Fingerprint::of(&outside);
    let id = world.report(json!({})).await;
    let files = json!([
        {"path": "src/ranges.py", "action": "create", "content": "RANGE = 1\n", "edits": []},
        {"path": "dollar.py", "action": "edit", "content": null, "edits": [{"search": "search_costs", "replace": "search"}]},
    ]);
    world.anthropic.reply(Reply::change("Add a date range", &files));
    let (detail, published) = world.publish(&id).await;
    let bare = world.bare();
    let stat = git(&bare, &["diff", "--name-status", "main", &published.branch]);
    assert_eq!(stat, "M\tdollar.py\nA\tsrc/ranges.py", "nothing else changed, odd names and line ends included");
    let told: Vec<&String> = detail.stages.iter().flat_map(|stage| &stage.details).collect();
    for line in [
        "big_search_costs.py is not shown: it is larger than 1 MiB",
        "leak_search_costs.py is not shown: it is a symbolic link",
        "lfs_search_costs.py is not shown: it is a Git LFS pointer",
        "5 tracked names are left out",
    ] {
        assert!(told.iter().any(|detail| detail.contains(line)), "{line} is not in {told:#?}");
    }
    let dollar = git(&bare, &["show", &format!("{}:dollar.py", published.branch)]);
    assert_eq!(dollar, "ID = '$Id$' # search", "byte for byte");
    let asked = text_of(&world.anthropic.requests()[0]["messages"][0]);
    assert!(!asked.contains("CANARY") && !asked.contains('\u{1b}') && !asked.contains('\u{202e}'), "{asked}");
    assert!(asked.contains("def search_costs("), "{asked}");
    before.assert_kept(&outside);
    assert!(!world.dir.path().join("ran").exists());
    world.assert_clean();
}

/// The same with the files on a disk, where a program of ours works among them: links are files with their target in them, the submodule is
/// an empty directory, nothing is converted.
#[tokio::test]
async fn a_program_in_a_hostile_repository_finds_nothing_that_acts() {
    let script =
        "cat > /dev/null; set -e; test ! -L leak_search_costs.py; test ! -e linkdir/secret.py; test -z \"$(ls sub)\"
        test \"$(cat dollar.py)\" = \"ID = '\\$Id\\$' # search_costs\"; grep -q oid lfs_search_costs.py
        ! grep -rq CANARY .; echo RANGE = 1 > src/ranges.py; echo planted > linkdir.py";
    let world = World::with(|config, _| config.command.run = ["sh", "-c", script].map(str::to_owned).to_vec()).await;
    let outside = make_hostile(&world);
    let before = Fingerprint::of(&outside);
    let id = world.report(json!({})).await;
    let published = published(&world.draft_by(DrafterKind::Command, &id).await);
    let stat = git(&world.bare(), &["diff", "--name-status", "main", &published.branch]);
    assert_eq!(stat, "A\tlinkdir.py\nA\tsrc/ranges.py");
    before.assert_kept(&outside);
    assert!(!world.dir.path().join("ran").exists());
    world.assert_clean();
}

/// Sparse here, and 300 KB in the repository; 300 MB for whoever reads or writes it.
#[tokio::test]
async fn files_of_three_hundred_megabytes_are_nobodys_trouble() {
    let script = "cat > /dev/null; echo RANGE = 1 > src/ranges.py";
    let world = World::with(|config, _| config.command.run = ["sh", "-c", script].map(str::to_owned).to_vec()).await;
    let huge = world.dir.path().join("huge");
    std::fs::File::create(&huge).unwrap().set_len(300 * 1024 * 1024).unwrap();
    let blob = git(&world.bare(), &["hash-object", "-w", huge.to_str().unwrap()]);
    let tree = git(&world.bare(), &["ls-tree", "main"]);
    let entries =
        format!("{tree}\n100644 blob {blob}\tsearch_costs_dump.sql\n100755 blob {blob}\tsearch_costs_model\n");
    let tree = git_fed(&world.bare(), &["mktree"], entries.as_bytes());
    let commit = git(&world.bare(), &["commit-tree", "-m", "Huge", "-p", "main", &tree]);
    git(&world.bare(), &["update-ref", "refs/heads/main", &commit]);
    let id = world.report(json!({})).await;

    let edit = json!([{"path": "search_costs_dump.sql", "action": "edit", "content": null, "edits": [{"search": "x", "replace": "y"}]}]);
    world.anthropic.reply(Reply::change("Edit it", &edit));
    world.good_reply();
    let (detail, published_by_model) = world.publish(&id).await;
    let told: Vec<&String> = detail.stages.iter().flat_map(|stage| &stage.details).collect();
    for name in ["search_costs_dump.sql", "search_costs_model"] {
        let line = format!("{name} is not shown: it is larger than 1 MiB");
        assert!(told.iter().any(|detail| **detail == line), "{told:#?}");
    }
    assert!(
        world.anthropic.last_turn().contains("- search_costs_dump.sql: it can't be changed: it is larger than 1 MiB")
    );
    let by_program = published(&world.draft_by(DrafterKind::Command, &id).await);
    for branch in [published_by_model.branch, by_program.branch] {
        assert_eq!(git(&world.bare(), &["diff", "--name-status", "main", &branch]), "A\tsrc/ranges.py");
    }
    world.assert_clean();
}

#[tokio::test]
async fn what_is_no_plain_text_file_can_not_be_changed_and_the_model_is_told_why() {
    let world = World::open().await;
    let outside = make_hostile(&world);
    let before = Fingerprint::of(&outside);
    let id = world.report(json!({})).await;
    let edit = |path: &str| json!({"path": path, "action": "edit", "content": null, "edits": [{"search": "search_costs", "replace": "x"}]});
    let create = |path: &str| json!({"path": path, "action": "create", "content": "x\n", "edits": []});
    let delete = |path: &str| json!({"path": path, "action": "delete", "content": null, "edits": []});
    let wrong = json!([
        edit("leak_search_costs.py"),
        delete("linkdir"),
        create("linkdir/new.py"),
        edit("linkdir/secret.py"),
        delete("sub"),
        create("sub/new.py"),
        edit("big_search_costs.py"),
        edit("lfs_search_costs.py"),
        edit("latin.py"),
        edit("nul.py"),
        create("src"),
        create("README.md/x.py"),
        create("readme.md"),
        create("SRC/new.py"),
        create("new"),
        create("new/below.py"),
    ]);
    for _ in 0..3 {
        world.anthropic.reply(Reply::change("Break out", &wrong));
    }
    let (stage, reason) = world.failure(&id).await;
    assert_eq!(stage, Stage::Check, "{reason}");
    assert!(reason.contains("leak_search_costs.py: it can't be changed: it is a symbolic link"), "{reason}");
    assert!(reason.contains("and 10 more"), "{reason}");
    let told = world.anthropic.last_turn();
    for (path, why) in [
        ("leak_search_costs.py", "symbolic link"),
        ("linkdir", "symbolic link"),
        ("linkdir/new.py", "behind a symbolic link"),
        ("linkdir/secret.py", "behind a symbolic link"),
        ("sub", "submodule"),
        ("sub/new.py", "inside a submodule"),
        ("big_search_costs.py", "larger than 1 MiB"),
        ("lfs_search_costs.py", "Git LFS pointer"),
        ("latin.py", "not UTF-8"),
        ("nul.py", "not text"),
        ("src", "directory"),
        ("README.md/x.py", "part of its path is a file"),
        ("readme.md", "differs only in case"),
        ("SRC/new.py", "differs only in case"),
        ("new/below.py", "`new` is a file"),
    ] {
        let line = told.lines().find(|l| l.starts_with(&format!("- {path}: ")));
        assert!(line.is_some_and(|l| l.contains(why)), "{path} {why}: {line:?} in\n{told}");
    }
    before.assert_kept(&outside);
    assert!(branches(&world.bare()).is_empty());
    world.assert_clean();
    world.good_reply();
    world.publish(&id).await;
}

#[tokio::test]
async fn a_tree_that_git_itself_refuses_is_said_in_words() {
    let world = World::open().await;
    let bare = world.bare();
    let blob = git_fed(&bare, &["hash-object", "-w", "--stdin"], b"[core]\n\tfsmonitor = touch ran\n");
    for name in [".GIT", "git~1", ".git"] {
        let inner = git_fed(&bare, &["mktree"], format!("100644 blob {blob}\tconfig\n").as_bytes());
        let tree =
            git_fed(&bare, &["mktree"], format!("100644 blob {blob}\ta.py\n040000 tree {inner}\t{name}\n").as_bytes());
        let commit = git(&bare, &["commit-tree", "-m", "Evil", &tree]);
        let before = git(&bare, &["rev-parse", "main"]);
        git(&bare, &["update-ref", "refs/heads/main", &commit]);
        let id = world.report(json!({})).await;
        let (stage, reason) = world.failure(&id).await;
        assert_eq!(stage, Stage::Checkout, "{reason}");
        assert!(reason.contains(&format!("invalid path '{name}/config'")), "{reason}");
        git(&bare, &["update-ref", "refs/heads/main", &before]);
        world.good_reply();
        world.publish(&id).await;
    }
    world.assert_clean();
}

#[tokio::test]
async fn nothing_in_the_authors_own_repository_runs_or_changes() {
    let world = World::open().await;
    let checkout = world.checkout();
    std::fs::write(checkout.join(".gitattributes"), "* filter=evil diff=evil\n").unwrap();
    git(&checkout, &["add", "--all"]);
    git(&checkout, &["commit", "--quiet", "-m", "Attributes"]);
    // Work of the author's: one file staged, one changed, one new.
    for (path, text) in [("staged.py", "1\n"), ("README.md", "# Half a thought\n"), ("untracked.py", "2\n")] {
        std::fs::write(checkout.join(path), text).unwrap();
    }
    git(&checkout, &["add", "staged.py"]);
    let ran = world.dir.path().join("ran");
    let script = world.dir.path().join("script");
    std::fs::write(&script, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\nexit 1\n", ran.display())).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let hooks = checkout.join(".git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in [
        "post-checkout",
        "pre-commit",
        "commit-msg",
        "post-commit",
        "pre-receive",
        "update",
        "post-receive",
        "post-update",
        "reference-transaction",
        "pre-push",
        "post-index-change",
        "push-to-checkout",
        "fsmonitor-watchman",
        "pre-auto-gc",
    ] {
        std::fs::copy(&script, hooks.join(hook)).unwrap();
    }
    let script = script.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.editor",
        "core.pager",
        "core.askPass",
        "core.alternateRefsCommand",
        "core.gitProxy",
        "filter.evil.smudge",
        "filter.evil.clean",
        "filter.evil.process",
        "diff.evil.textconv",
        "diff.evil.command",
        "diff.external",
        "gpg.program",
        "credential.helper",
        "uploadpack.packObjectsHook",
        "sequence.editor",
        "merge.evil.driver",
    ] {
        git(&checkout, &["config", key, script]);
    }
    for (key, value) in
        [("commit.gpgSign", "true"), ("filter.evil.required", "true"), ("core.hooksPath", hooks.to_str().unwrap())]
    {
        git(&checkout, &["config", key, value]);
    }
    drop(std::fs::remove_file(&ran));
    let seen = |name: &str| std::fs::read(checkout.join(name)).unwrap();
    let before = [".git/index", ".git/HEAD", ".git/config", "README.md", "staged.py", "untracked.py"].map(seen);

    let id = world.report_here().await;
    world.good_reply();
    let (_, published) = world.publish(&id).await;
    assert_eq!(std::fs::read_to_string(&ran).unwrap_or_default(), "", "something ran");
    let after = [".git/index", ".git/HEAD", ".git/config", "README.md", "staged.py", "untracked.py"].map(seen);
    assert_eq!(after, before);
    let quiet = ["-c", "core.fsmonitor=false"];
    let stat = git(&checkout, &[&quiet[..], &["diff-tree", "-r", "--name-only", "main", &published.branch]].concat());
    assert_eq!(stat, "src/ranges.py");
    let left: Vec<_> = std::fs::read_dir(world.cache().join("worktrees")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
