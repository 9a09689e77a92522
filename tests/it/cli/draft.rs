//! `draft` and `drafts`: from a report to a commit on a branch, with a shell script as the coding agent.

use super::{fields, report};
use crate::support::program::{Home, PATIENCE, Program, Ran};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

/// A home with one report, and the repository of its server with work in progress in it.
pub(super) struct Bench {
    pub(super) home: Home,
    pub(super) report: String,
}

impl Bench {
    pub(super) fn new(agent: &str) -> Self {
        let home = Home::new();
        let report = home.record(&[report("a date range for search_costs")]).remove(0);
        let bench = Self { home, report };
        std::fs::create_dir_all(bench.repository().join("src")).unwrap();
        bench.git(&["init", "-q", "-b", "main"]);
        bench.write("src/server.py", "@mcp.tool()\ndef search_costs(query):\n    return []\n");
        bench.write("README.md", "# billing\n");
        bench.git(&["add", "-A"]);
        bench.git(&["commit", "-q", "-m", "first"]);
        bench.agent(agent);
        bench
    }

    /// The same where a change waits for a review.
    pub(super) fn attended(agent: &str) -> Self {
        let bench = Self::new(agent);
        let file = bench.home.path().join("config/config.toml");
        let settings = std::fs::read_to_string(&file).unwrap().replace("confirm = false", "confirm = true");
        std::fs::write(file, settings).unwrap();
        bench
    }

    fn agent(&self, script: &str) {
        let (run, path) = (json!(["sh", "-c", script]), json!(self.repository()));
        self.home.configure(&format!(
            "[draft]\ndrafter = \"command\"\nconfirm = false\n[command]\nrun = {run}\n[[repository]]\nserver = \"billing\"\npath = {path}\n"
        ));
    }

    fn repository(&self) -> PathBuf {
        self.home.path().join("repository")
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.repository().join(path), text).unwrap();
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.repository())
            .args(["-c", "user.name=Author", "-c", "user.email=author@example.com", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub(super) fn branches(&self) -> Vec<String> {
        self.git(&["branch", "--format=%(refname:short)"]).lines().map(str::to_owned).collect()
    }

    pub(super) fn draft(&self, more: &[&str]) -> Ran {
        self.home.run(&[&["draft", &self.report], more].concat())
    }
}

pub(super) const EDIT: &str = "cat > /dev/null; sed -i 's/query/query, since=None/' src/server.py; echo '# test' > src/test_server.py; echo I am done";

#[test]
fn a_draft_is_one_commit_on_a_branch_and_the_authors_checkout_stays_as_it_was() {
    let bench = Bench::new(EDIT);
    // Work in progress: one file staged, one changed, one new.
    bench.write("README.md", "# billing, staged\n");
    bench.git(&["add", "README.md"]);
    bench.write("src/server.py", "# half a thought\n");
    bench.write("scratch.txt", "mine\n");
    let looks =
        || (bench.git(&["status", "--porcelain"]), bench.git(&["stash", "list"]), bench.git(&["rev-parse", "HEAD"]));
    let before = looks();

    let ran = bench.draft(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let result: Vec<(&str, &str)> = ran.stdout.lines().map(|l| l.split_once(' ').unwrap()).collect();
    let names: Vec<_> = result.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["repository", "branch", "commit"], "the result and nothing else");
    let (branch, commit) = (result[1].1.trim(), result[2].1.trim());

    assert_eq!(bench.branches(), ["main", branch]);
    assert_eq!(bench.git(&["rev-parse", branch]), commit);
    assert_eq!(bench.git(&["rev-list", "--count", &format!("main..{branch}")]), "1");
    assert_eq!(bench.git(&["diff", "--name-status", "main", branch]), "M\tsrc/server.py\nA\tsrc/test_server.py");
    let changed = bench.git(&["show", &format!("{branch}:src/server.py")]);
    assert!(changed.contains("def search_costs(query, since=None)"), "{changed}");
    assert_eq!(looks(), before);
    assert_eq!(std::fs::read_to_string(bench.repository().join("src/server.py")).unwrap(), "# half a thought\n");
    assert_eq!(bench.git(&["worktree", "list"]).lines().count(), 1);

    let progress: Vec<_> = ran.stderr.lines().collect();
    for stage in ["1/5 ", "2/5 ", "3/5 ", "4/5 ", "5/5 "] {
        assert_eq!(progress.iter().filter(|l| l.starts_with(stage)).count(), 1, "{stage}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\r'), "no terminal, no rewriting: {}", ran.stderr);
    assert!(ran.stderr.contains(": 2 files change\n"), "{}", ran.stderr);
}

/// The author's settings for git know programs; which files they are for, a repository says.
#[test]
fn a_repository_sets_none_of_the_authors_own_filters_and_hooks_going() {
    let bench = Bench::new("cat > /dev/null; echo '# new' >> src/server.py");
    bench.write(".gitattributes", "* filter=mine diff=mine merge=mine text eol=crlf ident\n");
    bench.git(&["add", ".gitattributes"]);
    bench.git(&["commit", "-q", "-m", "Attributes"]);
    let (ran, script) = (bench.home.path().join("ran"), bench.home.path().join("script"));
    std::fs::write(&script, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", ran.display())).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let hooks = bench.home.path().join("template/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in ["post-checkout", "reference-transaction", "pre-push", "post-index-change", "pre-commit", "commit-msg"]
    {
        std::fs::copy(&script, hooks.join(hook)).unwrap();
    }
    let (script, hooks, template) = (script.display(), hooks.display(), bench.home.path().join("template"));
    let settings = bench.home.path().join("gitconfig");
    std::fs::write(
        &settings,
        format!(
            "[filter \"mine\"]\n\tsmudge = {script}\n\tclean = {script}\n\trequired = true\n[diff]\n\texternal = {script}\n\
             [diff \"mine\"]\n\ttextconv = {script}\n\tcommand = {script}\n[merge \"mine\"]\n\tdriver = {script}\n[core]\n\
             \tfsmonitor = {script}\n\thooksPath = {hooks}\n\tpager = {script}\n\teditor = {script}\n[init]\n\ttemplateDir = {}\n\
             [commit]\n\tgpgSign = true\n[gpg]\n\tprogram = {script}\n",
            template.display()
        ),
    )
    .unwrap();
    let variables = [("GIT_CONFIG_GLOBAL", settings.to_str().unwrap())];
    // The trap is set: git alone walks into it.
    let mut plain = Command::new("git");
    plain.args(["clone", "--quiet"]).arg(bench.repository()).arg(bench.home.path().join("plain")).envs(variables);
    assert!(plain.stderr(Stdio::null()).status().unwrap().success());
    std::fs::remove_file(&ran).unwrap();
    let drafted = bench.home.run_with(&["draft", &bench.report, "--json"], "", &variables);
    assert_eq!(drafted.code, Some(0), "{drafted:?}");
    assert_eq!(std::fs::read_to_string(&ran).unwrap_or_default(), "", "something ran");
    let run: Value = serde_json::from_str(&drafted.stdout).unwrap();
    let branch = run["draft"]["published"]["branch"].as_str().unwrap();
    assert_eq!(bench.git(&["diff", "--stat", "--format=", "main", branch, "--", "README.md"]), "");
    assert_eq!(bench.git(&["cat-file", "blob", &format!("{branch}:src/server.py")]).lines().last(), Some("# new"));
}

#[test]
fn the_run_is_kept_with_its_stages_diff_and_log() {
    let bench = Bench::new(EDIT);
    let printed = bench.draft(&["--json"]);
    let run: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(fields(&run), ["choices", "diff", "draft", "earlier", "files", "log", "proposal", "stages"]);
    assert_eq!(run["draft"]["state"], "published");
    assert_eq!(run["draft"]["feedback_id"], bench.report);
    let stages: Vec<_> = run["stages"].as_array().unwrap().iter().map(|s| s["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["checkout", "context", "model", "check", "publish"]);
    assert!(run["diff"].as_str().unwrap().contains("+def search_costs(query, since=None)"));
    assert!(run["log"].as_str().unwrap().contains("I am done"));
    assert_eq!(run["files"][0]["path"], "src/server.py");

    let id = run["draft"]["id"].as_str().unwrap();
    assert_eq!(bench.home.json(&["drafts", id, "--json"]), run);
    let list = bench.home.json(&["drafts", "--json"]);
    assert_eq!(list, json!([run["draft"]]));
    assert_eq!(bench.home.json(&["drafts", "--report", &bench.report, "--json"]), list);
    let line = bench.home.ok(&["drafts"]);
    for word in
        [&id[28..], "published", "#1", "command to local", run["draft"]["published"]["branch"].as_str().unwrap()]
    {
        assert!(line.contains(word), "{word}: {line}");
    }
    let shown = bench.home.ok(&["drafts", id]);
    for words in [
        "published",
        "\nPublish the draft (",
        "\nDiff\n",
        "  +def search_costs(query, since=None)",
        "\nLog\n",
        "  I am done",
    ] {
        assert!(shown.contains(words), "{words:?} is not in {shown}");
    }
    assert!(bench.home.ok(&["show", &bench.report]).contains("drafted to a local branch"));
    assert_eq!(bench.home.json(&["list", "is:drafted", "--json"])[0]["drafted"], true);
}

#[test]
fn a_dry_run_prints_the_ranked_files_and_leaves_nothing_behind() {
    let bench = Bench::new("exit 9");
    let printed = bench.draft(&["--dry-run", "--json"]);
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    let dry: Value = serde_json::from_str(&printed.stdout).unwrap();
    let names = [
        "brief_tokens",
        "closed",
        "commit",
        "context_tokens",
        "feedback_id",
        "files",
        "repository",
        "total_files",
        "unnameable",
        "unread",
        "weaker",
    ];
    assert_eq!(fields(&dry), names);
    assert_eq!(
        (&dry["feedback_id"], &dry["commit"]),
        (&json!(bench.report), &json!(bench.git(&["rev-parse", "main"])))
    );
    let files = dry["files"].as_array().unwrap();
    assert_eq!(fields(&files[0]), ["left_out", "lines", "path", "reasons", "score", "tokens", "whole"]);
    assert_eq!(files[0]["path"], "src/server.py", "{dry:#}");
    assert_eq!((&files[0]["whole"], &files[0]["left_out"]), (&json!(true), &json!("")), "{dry:#}");
    let scores: Vec<_> = files.iter().map(|f| f["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores[0] > 0.0, "{scores:?}");
    assert!(dry["brief_tokens"].as_u64().unwrap() > 0);

    let text = bench.draft(&["--dry-run"]).stdout;
    let first = |l: &str| l.contains("src/server.py  whole, ") && l.contains("search_costs");
    assert!(text.lines().any(first), "{text}");
    assert_eq!(bench.branches(), ["main"]);
    assert_eq!(bench.home.json(&["drafts", "--json"]), json!([]), "no run was made");
}

#[test]
fn a_second_draft_has_to_be_asked_for() {
    let bench = Bench::new(EDIT);
    assert_eq!(bench.draft(&[]).code, Some(0));
    let refused = bench.draft(&[]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(4), ""));
    assert!(refused.stderr.contains("--again"), "{refused:?}");
    bench.home.ok(&["note", &bench.report, "Use ISO dates."]);
    bench.agent("cat > seen-brief.txt; touch x");
    let again = bench.draft(&["--again", "--json"]);
    let run: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(run["draft"]["number"], 2);
    let branch = run["draft"]["published"]["branch"].as_str().unwrap();
    let brief = bench.git(&["show", &format!("{branch}:seen-brief.txt")]);
    assert!(brief.contains("Use ISO dates.") && brief.contains("+def search_costs(query, since=None)"), "{brief}");
    assert_eq!(bench.branches().len(), 3, "the old branch stays");
}

#[test]
fn a_draft_that_fails_says_why_and_is_kept_as_failed() {
    let bench = Bench::new("echo the key has run out; exit 3");
    let ran = bench.draft(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    let last = ran.stderr.lines().next_back().unwrap();
    assert!(last.contains("exit code 3") && last.contains("the key has run out"), "{ran:?}");
    let run = &bench.home.json(&["drafts", "--json"])[0];
    assert_eq!(run["state"], "failed");
    let shown = bench.home.ok(&["drafts", run["id"].as_str().unwrap()]);
    assert!(shown.contains("Why it failed") && shown.contains("the key has run out"), "{shown}");
    assert_eq!(bench.branches(), ["main"]);
    bench.agent(EDIT);
    assert_eq!(bench.draft(&[]).code, Some(0), "a failed run is no draft, so nothing has to be forced");
}

#[test]
fn what_is_not_configured_is_named_with_the_line_to_write() {
    let home = Home::new();
    let id = home.record(&[report("x")]).remove(0);
    let unconfigured = |arguments: &[&str], words: &[&str]| {
        let ran = home.run(&[&["draft", &id], arguments].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), ""), "{ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "{word}: {ran:?}");
        }
    };
    unconfigured(&[], &["[[repository]]", "`billing`"]);
    unconfigured(&["--dry-run"], &["[[repository]]"]);
    home.configure("[[repository]]\ngithub = \"o/r\"\n");
    unconfigured(&[], &["ANTHROPIC_API_KEY", "GITHUB_TOKEN"]);
    unconfigured(&["--drafter", "command"], &["[command]"]);
    unconfigured(&["--target", "local"], &["path = "]);
    home.configure(&format!("[[repository]]\npath = {:?}\n", home.path().to_str().unwrap()));
    unconfigured(&["--target", "github"], &["github = \"owner/name\""]);
    assert_eq!(home.json(&["drafts", "--json"]), json!([]), "a run that can't start is none");
}

#[test]
fn a_repository_that_is_none_is_a_failure_and_not_a_wrong_argument() {
    let home = Home::new();
    let id = home.record(&[report("x")]).remove(0);
    let plain = home.path().join("plain");
    std::fs::create_dir(&plain).unwrap();
    home.configure(&format!(
        "[command]\nrun = [\"true\"]\n[[repository]]\npath = {:?}\ndrafter = \"command\"\n",
        plain.to_str().unwrap()
    ));
    for arguments in [&["draft", &id][..], &["draft", &id, "--dry-run"]] {
        let ran = home.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.stderr.contains("plain"), "{ran:?}");
    }
}

#[test]
fn an_unknown_report_is_not_found() {
    let home = Home::new();
    for arguments in [&["draft", "nothing"][..], &["draft", "nothing", "--dry-run"]] {
        assert_eq!(home.run(arguments).code, Some(3));
    }
}

/// Sends its lines as the agent writes them to `alive`, and ends when nothing that the agent started is left.
fn life_of_the_agent(home: &Home) -> Receiver<String> {
    let pipe = home.path().join("alive");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (send, receive) = channel();
    std::thread::spawn(move || {
        // Opens when the agent does.
        let pipe = std::fs::File::open(pipe).unwrap();
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            send.send(line).unwrap();
        }
    });
    receive
}

#[test]
fn a_signal_stops_the_agent_and_the_run_is_cancelled() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let bench = Bench::new("exec 3> \"$HOME/alive\"; echo started >&3; sleep 600");
        let agent = life_of_the_agent(&bench.home);
        let mut command = bench.home.command(&["draft", &bench.report]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = Program::start(command);
        assert_eq!(agent.recv_timeout(PATIENCE).as_deref(), Ok("started"));
        program.signal(signal);
        program.log_line("stopping the run");
        assert_eq!(program.ended().code(), Some(130), "{signal:?}");
        assert_eq!(agent.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "the agent is gone");
        assert_eq!(bench.home.json(&["drafts", "--json"])[0]["state"], "cancelled");
        assert_eq!(bench.branches(), ["main"]);
        let left: Vec<_> = std::fs::read_dir(bench.home.path().join("cache/worktrees")).into_iter().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Starts a draft, kills the program while the agent works, and waits until both are gone.
fn killed_draft(bench: &Bench) {
    let agent = life_of_the_agent(&bench.home);
    let mut command = bench.home.command(&["draft", &bench.report]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut program = Program::start(command);
    assert_eq!(agent.recv_timeout(PATIENCE).as_deref(), Ok("started"));
    let live = bench.home.run(&["discard", bench.home.json(&["drafts", "--json"])[0]["id"].as_str().unwrap()]);
    assert!(live.code == Some(4) && live.stderr.contains("stop it where it was started"), "{live:?}");
    program.signal(Signal::KILL);
    assert_eq!(program.ended().code(), None);
    assert_eq!(agent.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "the agent is gone");
    assert_eq!(bench.home.json(&["drafts", "--json"])[0]["state"], "running");
}

const STANDS_STILL: &str = "exec 3> \"$HOME/alive\"; echo started >&3; sleep 600";

#[test]
fn a_draft_that_was_killed_is_gone_on_with() {
    let bench = Bench::new(STANDS_STILL);
    killed_draft(&bench);
    bench.agent(EDIT);
    let ran = bench.draft(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("Interrupted here"), "{ran:?}");
    let drafts = bench.home.json(&["drafts", "--json"]);
    assert_eq!((drafts.as_array().unwrap().len(), &drafts[0]["state"]), (1, &json!("published")));
}

#[test]
fn a_draft_that_was_killed_is_discarded_by_its_report() {
    let bench = Bench::new(STANDS_STILL);
    killed_draft(&bench);
    assert!(bench.home.ok(&["discard", &bench.report]).starts_with("discarded "));
    assert_eq!(bench.home.json(&["drafts", "--json"])[0]["state"], "cancelled");
}
