//! The draft pipeline through its public door, with real git repositories in temporary directories.

mod changes;
mod command;
mod control;
mod crash;
mod cut;
mod difference;
mod edited;
mod every_model;
mod hostile_answer;
mod hostile_report;
mod hostile_repository;
mod hub_faults;
mod killed;
mod limits;
mod lookup;
mod model_faults;
mod odd_clone;
mod pull_state;
mod ranking;
mod redraft;
mod repair;
mod resume;
mod review;
mod secrets;
mod tried;
mod verify;
mod whole;

use futures::future::BoxFuture;
use patchwork::config::{Config, Repository, Secrets, Source};
use patchwork::domain::draft::{DrafterKind, Published, Stage, TargetKind};
use patchwork::domain::feedback::{Feedback, NewFeedback};
use patchwork::domain::id::{DraftId, FeedbackId, NoteId};
use patchwork::domain::note::Note;
use patchwork::domain::time::Millis;
use patchwork::drafting::{
    self, Artifact, Call, Denied, DraftError, Job, Outcome, Reporter, Saved, SavedChange, Stop, Tools,
};
use patchwork::protocol::read::{Detail, RankedFile};
use patchwork::providers::{GitCache, Http};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// A small MCP server, as the author's own checkout, and the cache beside it.
struct Bench {
    dir: TempDir,
    config: Config,
    secrets: Secrets,
}

const SERVER: &str = "from mcp.server import MCPServer\n\nmcp = MCPServer(\"billing\")\n\n\n@mcp.tool()\ndef search_costs(query: str) -> list:\n    \
                      \"\"\"Search the costs.\"\"\"\n    return [query]\n";

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bench = Self { dir, config: Config::default(), secrets: Secrets::default() };
        std::fs::create_dir_all(bench.repo()).unwrap();
        bench.git(&["init", "--quiet", "--initial-branch=main"]);
        for (path, text) in [
            ("src/server.py", SERVER),
            ("src/unrelated.py", "def add(a, b):\n    return a + b\n"),
            (
                "tests/test_server.py",
                "from src.server import search_costs\n\n\ndef test_search():\n    assert search_costs(\"x\") == [\"x\"]\n",
            ),
            ("README.md", "# Billing\n\nTools: `search_costs`.\n"),
            (".github/workflows/ci.yml", "on: push\n"),
        ] {
            bench.write(path, text);
        }
        bench.commit_all("Begin");
        bench
    }

    fn repo(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.repo().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn commit_all(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", message]);
    }

    /// git in the author's checkout; its output without the last line break.
    fn git(&self, arguments: &[&str]) -> String {
        git_in(&self.repo(), arguments)
    }

    fn job(&self, drafter: DrafterKind) -> Job {
        Job {
            draft: DraftId::trusted("0191b2c3-0000-7000-8000-00000000d001"),
            number: 1,
            report: report(json!({
                "what_i_needed": "a date range for search_costs",
                "what_i_tried": "search_costs with a date in the query",
                "server_name": "billing",
                "tools_available": ["search_costs"],
            })),
            repository: Repository::new("billing", Source::Local(self.repo())),
            drafter,
            target: TargetKind::Local,
            confirm: false,
            previous: None,
            replaces: None,
        }
    }

    fn tools(&self) -> Tools {
        Tools {
            http: Http::new(),
            config: Arc::new(self.config.clone()),
            secrets: Arc::new(self.secrets.clone()),
            git: GitCache::new(self.cache()),
        }
    }

    /// The command drafter is this shell script.
    fn script(&mut self, script: &str) -> &mut Self {
        self.config.command.run = vec!["sh".into(), "-c".into(), script.into()];
        self
    }

    async fn run(&self, job: &Job) -> (Result<Published, DraftError>, Recorder) {
        let recorder = Recorder::default();
        let result = drafting::run(job, &self.tools(), Saved::default(), &recorder).await;
        let published = result.map(|outcome| match outcome {
            Outcome::Published(published) => published,
            Outcome::Waiting => panic!("nobody is there to look at it"),
        });
        (published, recorder)
    }

    /// No run may leave a worktree, a brief or a change in the author's own checkout behind.
    fn assert_clean(&self) {
        let worktrees = self.cache().join("worktrees");
        let left: Vec<_> = std::fs::read_dir(&worktrees).into_iter().flatten().flatten().map(|e| e.path()).collect();
        assert!(left.is_empty(), "{left:?}");
        let briefs = std::fs::read_dir(self.cache()).into_iter().flatten().flatten();
        assert_eq!(briefs.filter(|e| e.file_name().to_string_lossy().starts_with("brief-")).count(), 0);
        assert_eq!(self.git(&["status", "--porcelain"]), "");
        assert_eq!(self.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "main");
    }

    /// The only branch besides `main`, if there is one.
    fn draft_branch(&self) -> Option<String> {
        let branches = self.git(&["branch", "--format=%(refname:short)"]);
        let mut others = branches.lines().filter(|b| *b != "main").map(str::to_owned);
        let first = others.next();
        assert_eq!(others.next(), None);
        first
    }
}

fn git_in(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(dir)
        .args(["-c", "user.name=Author", "-c", "user.email=author@example.com", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn report(fields: Value) -> Detail {
    let feedback = Feedback {
        id: FeedbackId::trusted("1a2b3c4d-0000-4000-8000-000000000001"),
        n: 1,
        received_at: Millis(0),
        report: NewFeedback::parse(fields).unwrap().report,
        reviewed: false,
        note_count: 0,
        pr_url: String::new(),
        drafted: false,
        merged: false,
    };
    Detail { feedback, notes: Vec::new() }
}

fn add_note(job: &mut Job, content: &str) {
    job.report.notes.push(Note {
        id: NoteId::trusted(format!("n{}", job.report.notes.len())),
        feedback_id: job.report.feedback.id.clone(),
        at: Millis(1_790_000_000_000),
        author: "Ada".into(),
        content: content.into(),
        public: false,
    });
}

/// What a run told the engine.
#[derive(Debug, Default)]
struct Told {
    stages: Vec<Stage>,
    details: Vec<String>,
    base: Option<String>,
    files: Vec<RankedFile>,
    change: Option<SavedChange>,
    diff: String,
    usage: Option<patchwork::domain::draft::Usage>,
    log: String,
    tail: String,
}

/// Stands in for the engine; can be told to stop the run at a stage.
#[derive(Default)]
struct Recorder {
    told: Mutex<Told>,
    stop_at: Option<Stage>,
}

impl Recorder {
    fn told(self) -> Told {
        self.told.into_inner().unwrap()
    }

    fn note(&self, how: impl FnOnce(&mut Told)) -> BoxFuture<'_, Result<(), Stop>> {
        how(&mut self.told.lock().unwrap());
        Box::pin(async { Ok(()) })
    }
}

impl Reporter for Recorder {
    fn stage(&self, stage: Stage) -> BoxFuture<'_, Result<(), Stop>> {
        if self.stop_at == Some(stage) {
            return Box::pin(async { Err(Stop) });
        }
        self.note(|told| told.stages.push(stage))
    }

    fn detail(&self, line: String) -> BoxFuture<'_, Result<(), Stop>> {
        self.note(|told| told.details.push(line))
    }

    fn save(&self, artifact: Artifact) -> BoxFuture<'_, Result<(), Stop>> {
        self.note(|told| match artifact {
            Artifact::Base { commit } => told.base = Some(commit),
            Artifact::Files(files) => told.files = files,
            Artifact::Conversation(said) => told.usage = Some(said.usage),
            Artifact::Proposal(_) | Artifact::Verified(_) | Artifact::Pushed(_) => {}
            Artifact::Change(change) => told.change = Some(change),
            Artifact::Diff(diff) => told.diff = diff,
            Artifact::Log(log) => told.log.push_str(&log),
        })
    }

    fn allow(&self, call: Call) -> BoxFuture<'_, Result<Call, Denied>> {
        Box::pin(async move { Ok(call) })
    }

    fn progress(&self, _stage: Stage, _bytes: i64, tail: &str) {
        tail.clone_into(&mut self.told.lock().unwrap().tail);
    }
}
