//! The drafter `command`, from a shell script to a branch in the author's repository.

use super::*;
use crate::support::usual_stages;

const EDIT: &str = "sed -i 's/query: str/query: str, since: str = \"\"/' src/server.py && echo 'def test_since(): pass' > tests/test_since.py && echo done";

#[tokio::test]
async fn what_the_command_leaves_behind_becomes_a_branch() {
    let mut bench = Bench::new();
    let job = bench.job(DrafterKind::Command);
    let (result, recorder) = bench.script(EDIT).run(&job).await;
    let published = result.unwrap();
    let told = recorder.told();
    assert_eq!(told.stages, usual_stages());
    assert_eq!(bench.draft_branch().as_deref(), Some(published.branch.as_str()));
    assert_eq!(bench.git(&["rev-parse", &published.branch]), published.commit);
    assert_eq!(bench.git(&["rev-parse", &format!("{}^", published.branch)]), told.base.unwrap());
    let stat = bench.git(&["diff", "--name-status", "main", &published.branch]);
    assert_eq!(stat, "M\tsrc/server.py\nA\ttests/test_since.py");
    let message = bench.git(&["log", "-1", "--format=%an <%ae>%n%B", &published.branch]);
    assert!(message.starts_with("PatchworkMCP <patchwork@localhost>\nClose a reported gap: a date range"), "{message}");
    assert!(message.contains("Patchwork-Report: 1a2b3c4d-0000-4000-8000-000000000001"), "{message}");
    assert!(told.diff.contains("+def test_since(): pass") && told.log.contains("done") && told.tail.contains("done"));
    assert_eq!((published.pr_url.as_str(), published.repository), ("", bench.repo().display().to_string()));
    bench.assert_clean();
}

#[tokio::test]
async fn the_brief_comes_twice_and_without_our_keys() {
    let mut bench = Bench::new();
    bench.secrets.anthropic = Some("sk-very-secret".to_owned().into());
    bench.secrets.github = Some("ghp-very-secret".to_owned().into());
    let out = bench.dir.path().join("seen");
    std::fs::create_dir(&out).unwrap();
    let script = format!(
        "cat > {0}/stdin; cp \"$PATCHWORK_BRIEF\" {0}/file; env > {0}/env; case \"$PATCHWORK_BRIEF\" in \"$PWD\"*) exit 9;; esac; {EDIT}",
        out.display()
    );
    let mut job = bench.job(DrafterKind::Command);
    add_note(&mut job, "Use ISO dates, please.");
    bench.script(&script).run(&job).await.0.unwrap();
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let brief = read("stdin");
    assert_eq!(brief, read("file"));
    let (note, gap) = (brief.find("Use ISO dates").unwrap(), brief.find("a date range for search_costs").unwrap());
    assert!(note < gap, "notes come first");
    assert!(brief.contains("- src/server.py (registers `search_costs`"), "{brief}");
    assert!(!read("env").contains("very-secret") && !brief.contains("very-secret"));
    bench.assert_clean();
}

#[tokio::test]
async fn an_agent_that_commits_by_itself_still_makes_one_commit() {
    let mut bench = Bench::new();
    let script = format!(
        "{EDIT}; git -c user.name=A -c user.email=a@b add -A; git -c user.name=A -c user.email=a@b commit -qm 'mine [skip ci]'; rm README.md"
    );
    let job = bench.job(DrafterKind::Command);
    let published = bench.script(&script).run(&job).await.0.unwrap();
    assert_eq!(bench.git(&["rev-list", "--count", &format!("main..{}", published.branch)]), "1");
    let stat = bench.git(&["diff", "--name-status", "main", &published.branch]);
    assert_eq!(stat, "D\tREADME.md\nM\tsrc/server.py\nA\ttests/test_since.py");
    assert!(!bench.git(&["log", "-1", "--format=%B", &published.branch]).contains("skip ci"));
    bench.assert_clean();
}

#[tokio::test]
async fn a_new_executable_stays_executable() {
    let mut bench = Bench::new();
    let job = bench.job(DrafterKind::Command);
    let published = bench.script("echo '#!/bin/sh' > run.sh; chmod +x run.sh").run(&job).await.0.unwrap();
    assert!(bench.git(&["ls-tree", &published.branch, "run.sh"]).starts_with("100755"));
}

#[tokio::test]
async fn every_way_to_fail_is_said_in_words_and_leaves_nothing() {
    for (script, words) in [
        ("echo I looked around", "changed nothing and says: I looked around"),
        ("echo could not log in; exit 3", "exit code 3. Its last words: could not log in."),
        ("kill -9 $$", "signal 9"),
        ("echo x > .github/workflows/ci.yml", "CI"),
        ("echo K=1 > .env.local", "secrets"),
        ("echo x > .GITATTRIBUTES", "git"),
        ("echo x > src/server.py; echo x > yarn.lock", "lock file"),
        ("printf 'a\\000b' > src/blob", "src/blob"),
        ("printf 'caf\\351' > src/latin.py", "src/latin.py"),
        ("touch \"$(printf 'caf\\351.py')\"", "is no name that a change may have"),
        ("touch \"$(printf 'a\\nb.py')\"", "is no name that a change may have"),
        ("mkdir -p src/.GIT; echo x > src/.GIT/config", ".GIT"),
        ("ln -s /etc/passwd leak", "leak"),
        ("head -c 1100000 /dev/zero | tr '\\0' x > src/big.txt", "src/big.txt"),
        ("for i in $(seq 17); do head -c 1000000 /dev/zero | tr '\\0' x > out$i; done", "17000000 bytes together"),
        ("for i in $(seq 120); do echo x > out$i; done", "at most 100"),
        (
            "git init -q inner && cd inner && echo x > f && git add f && git -c user.name=a -c user.email=a@b commit -qm x",
            "inner",
        ),
    ] {
        let mut bench = Bench::new();
        let job = bench.job(DrafterKind::Command);
        let (result, recorder) = bench.script(script).run(&job).await;
        let error = result.unwrap_err().to_string();
        assert!(error.contains(words), "{script}: {error}");
        assert!(!recorder.told().stages.contains(&Stage::Publish), "{script}");
        assert_eq!(bench.draft_branch(), None, "{script}");
        bench.assert_clean();
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let mut bench = Bench::new();
    bench.config.command.run = vec!["no-such-agent".into()];
    let error = bench.run(&bench.job(DrafterKind::Command)).await.0.unwrap_err().to_string();
    assert!(error.contains("no-such-agent"), "{error}");
    bench.config.command.run.clear();
    let error = bench.run(&bench.job(DrafterKind::Command)).await.0.unwrap_err().to_string();
    assert!(error.contains("[command]"), "{error}");
    bench.assert_clean();
}

#[tokio::test]
async fn the_engine_can_stop_a_run_at_every_stage() {
    for stage in usual_stages() {
        let mut bench = Bench::new();
        bench.script(EDIT);
        let recorder = Recorder { stop_at: Some(stage), ..Recorder::default() };
        let job = bench.job(DrafterKind::Command);
        let result = drafting::run(&job, &bench.tools(), Saved::default(), &recorder).await;
        assert!(matches!(result, Err(DraftError::Stopped(Stop))), "{stage}: {result:?}");
        assert_eq!(bench.draft_branch(), None, "{stage}");
        bench.assert_clean();
    }
}

#[tokio::test]
async fn configured_patterns_protect_too() {
    let mut bench = Bench::new();
    bench.config.draft.protect = vec!["/src/".into()];
    let job = bench.job(DrafterKind::Command);
    let error = bench.script(EDIT).run(&job).await.0.unwrap_err().to_string();
    assert!(error.contains("src/server.py") && error.contains("`protect`"), "{error}");
}

#[tokio::test]
async fn a_second_draft_stands_beside_the_first() {
    let mut bench = Bench::new();
    let mut job = bench.job(DrafterKind::Command);
    bench.script(EDIT);
    let first = bench.run(&job).await.0.unwrap();
    job.number = 2;
    let second = bench.run(&job).await.0.unwrap();
    assert_ne!(first.branch, second.branch);
    assert_eq!(bench.git(&["rev-parse", &first.branch]), first.commit);
    bench.assert_clean();
}
