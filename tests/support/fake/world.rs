//! Everything a draft touches, in one place: an engine, a fake model, a fake GitHub, a git server with a real repository, and the author's
//! own checkout of the same code.

use super::anthropic::{Anthropic, Reply};
use super::compatible::{Compatible, Dialect};
use super::git_server::GitServer;
use super::github::Github;
use super::openai::Openai;
use super::outcome::FakeModel;
use super::script::Script;
use super::{TIME, anthropic, compatible, openai};
use crate::support::git::git;
use crate::support::{me, options, record};
use futures::StreamExt;
use patchwork::config::{Config, Repository, Secrets, Source};
use patchwork::domain::draft::{DraftState, DrafterKind, Published, Stage};
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::domain::note::NoteText;
use patchwork::engine::{Engine, Mode, new_command_id};
use patchwork::protocol::read::DraftDetail;
use patchwork::protocol::{Command, Event, Made, Refusal, Seq, Signal};
use patchwork::providers::http::{Http, Timeouts};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

pub const SLUG: &str = "octo/billing";
/// Keys that are recognised wherever they turn up, and that do not look like keys: only who knows them can hide them.
pub const ANTHROPIC_KEY: &str = "CANARYanthropic~7Q2w9Xz4Lk8Vb3Nm6Pd1";
pub const OPENAI_KEY: &str = "CANARYopenai~2W8e5Rt1Yu6Io3Pa7Sd4";
pub const COMPATIBLE_KEY: &str = "CANARYcompatible~4Z9x6Cv2Bn7Mq1Lk5Jh8";
pub const GITHUB_TOKEN: &str = "CANARYgithub~9D4f1A8b3E7c0F5a2B6d";

pub const SERVER: &str = "from mcp.server import MCPServer\n\nmcp = MCPServer(\"billing\")\n\n\n@mcp.tool()\ndef search_costs(query: str) -> list:\n    \
                          \"\"\"Search the costs.\"\"\"\n    return [query]\n\n\n@mcp.tool()\ndef list_costs() -> list:\n    \"\"\"List the costs.\"\"\"\n    return []\n";

/// The files every repository of these tests begins with.
pub const FILES: [(&str, &str); 5] = [
    ("src/server.py", SERVER),
    ("src/old_costs.py", "def old_costs():\n    return None\n"),
    (
        "tests/test_server.py",
        "from src.server import search_costs\n\n\ndef test_search():\n    assert search_costs(\"x\") == [\"x\"]\n",
    ),
    ("README.md", "# Billing\n\nTools: `search_costs`.\n"),
    (".github/workflows/ci.yml", "on: push\n"),
];

/// The world of one test.
pub struct World {
    pub anthropic: Anthropic,
    pub openai: Openai,
    pub compatible: Compatible,
    pub github: Github,
    pub git: GitServer,
    pub waits: Waits,
    pub config: Config,
    pub secrets: Secrets,
    pub engine: Engine,
    pub dir: TempDir,
}

/// What would have been waited for before requests were repeated.
#[derive(Debug, Clone, Default)]
pub struct Waits(Arc<Mutex<Vec<Duration>>>);

impl Waits {
    /// A client that never waits, and gives up on silence after `idle`.
    pub fn http(&self, idle: Duration) -> Http {
        let waits = Arc::clone(&self.0);
        let sleep = move |time| {
            waits.lock().unwrap().push(time);
            // Everybody else gets a turn, as in a real wait.
            Box::pin(tokio::task::yield_now()) as futures::future::BoxFuture<'static, ()>
        };
        Http::with(Timeouts { connect: Duration::from_secs(20), idle }, Arc::new(sleep))
    }

    pub fn all(&self) -> Vec<Duration> {
        self.0.lock().unwrap().clone()
    }
}

impl World {
    /// Drafts by the model become pull requests.
    pub async fn open() -> Self {
        Self::with(|_, _| {}).await
    }

    /// The same with other settings; the places are filled in before.
    pub async fn with(change: impl FnOnce(&mut Config, &mut Secrets)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let checkout = dir.path().join("checkout");
        let bare = dir.path().join("hosted").join(format!("{SLUG}.git"));
        make_repositories(&checkout, &bare);
        let git = GitServer::start(&dir.path().join("hosted"), SLUG, GITHUB_TOKEN).await;
        for key in [ANTHROPIC_KEY, OPENAI_KEY, COMPATIBLE_KEY] {
            git.keep_off_command_lines(key);
        }
        let anthropic = Anthropic::start(ANTHROPIC_KEY).await;
        let openai = Openai::start(OPENAI_KEY).await;
        let compatible = Compatible::start(Some(COMPATIBLE_KEY), Dialect::default()).await;
        let github = Github::start(SLUG, GITHUB_TOKEN, &bare).await;
        let mut config = Config::default();
        config.anthropic.model = anthropic::MODELS[0].into();
        config.anthropic.base_url = anthropic.url().into();
        config.openai.model = openai::MODELS[0].into();
        config.openai.base_url = openai.url();
        config.openai_compatible.model = compatible::MODELS[0].into();
        config.openai_compatible.base_url = compatible.url();
        config.github.api_url = github.url().into();
        // Tests look at pull requests when they want to.
        config.github.poll_interval = Duration::from_hours(24 * 7);
        config.github.server_url = git.url().into();
        let here = |server: &str, source| Repository::new(server, source);
        config.repositories = vec![here("here", Source::Local(checkout)), here("*", Source::Github(SLUG.into()))];
        let mut secrets = Secrets {
            github: Some(GITHUB_TOKEN.into()),
            anthropic: Some(ANTHROPIC_KEY.into()),
            openai: Some(OPENAI_KEY.into()),
            openai_compatible: Some(COMPATIBLE_KEY.into()),
            ..Secrets::default()
        };
        change(&mut config, &mut secrets);
        let waits = Waits::default();
        let engine = engine(dir.path(), &config, &secrets, &waits, owner()).await;
        Self { anthropic, openai, compatible, github, git, waits, config, secrets, engine, dir }
    }

    /// Another engine on the same database.
    pub async fn engine_as(&self, mode: Mode) -> Engine {
        engine(self.dir.path(), &self.config, &self.secrets, &self.waits, mode).await
    }

    /// The author's own checkout.
    pub fn checkout(&self) -> PathBuf {
        self.dir.path().join("checkout")
    }

    /// The repository behind the git server.
    pub fn bare(&self) -> PathBuf {
        self.dir.path().join("hosted").join(format!("{SLUG}.git"))
    }

    pub fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// Records a report about the hosted repository's server, with more fields if wanted.
    pub async fn report(&self, more: Value) -> FeedbackId {
        let mut report = json!({
            "what_i_needed": "a date range for search_costs",
            "what_i_tried": "search_costs with a date in the query",
            "server_name": "billing",
            "tools_available": ["search_costs"],
        });
        let Value::Object(more) = more else { panic!("fields, please") };
        report.as_object_mut().unwrap().extend(more);
        record(&self.engine, report).await
    }

    /// The same about the server whose repository is the author's checkout.
    pub async fn report_here(&self) -> FeedbackId {
        self.report(json!({"server_name": "here"})).await
    }

    pub async fn note(&self, id: &FeedbackId, text: &str) {
        let note = Command::AddNote { feedback: id.clone(), content: NoteText::parse(text).unwrap(), public: false };
        self.engine.submit(new_command_id(), me(), note).await.unwrap();
    }

    pub async fn start(&self, id: &FeedbackId, force: bool) -> Result<DraftId, Refusal> {
        start(&self.engine, id, force).await
    }

    /// A run by this drafter, whatever the settings say, to its end.
    pub async fn draft_by(&self, drafter: DrafterKind, id: &FeedbackId) -> DraftDetail {
        let draft = start_by(&self.engine, id, true, Some(drafter)).await.unwrap();
        self.end_of(&draft).await
    }

    pub async fn cancel(&self, draft: &DraftId) {
        let command = Command::CancelDraft { draft: draft.clone() };
        self.engine.submit(new_command_id(), me(), command).await.unwrap();
    }

    /// A run from its start to its end, whichever that is.
    pub async fn draft(&self, id: &FeedbackId) -> DraftDetail {
        let draft = self.start(id, true).await.unwrap();
        self.end_of(&draft).await
    }

    pub async fn end_of(&self, draft: &DraftId) -> DraftDetail {
        until_idle(&self.engine).await;
        let detail = self.engine.draft(draft).await.unwrap();
        assert!(!detail.draft.state.is_active(), "{:?}", detail.draft.state);
        detail
    }

    /// A run that must get through.
    pub async fn publish(&self, id: &FeedbackId) -> (DraftDetail, Published) {
        let detail = self.draft(id).await;
        let published = published(&detail);
        (detail, published)
    }

    /// A run that must fail: the stage and the reason. The report is as it was.
    pub async fn failure(&self, id: &FeedbackId) -> (Stage, String) {
        let before = self.engine.feedback(id).await.unwrap();
        let detail = self.draft(id).await;
        let (stage, reason) = match detail.draft.state {
            DraftState::Failed { stage, reason } => (stage, reason),
            // With a change that is finished; somebody may publish it yet.
            DraftState::Waiting { trouble } if !trouble.is_empty() => (detail.stages.last().unwrap().stage, trouble),
            other => panic!("{other:?}"),
        };
        assert_eq!(self.engine.feedback(id).await.unwrap(), before);
        (stage, reason)
    }

    /// The fake behind a drafter.
    pub fn model(&self, drafter: DrafterKind) -> &dyn FakeModel {
        match drafter {
            DrafterKind::Anthropic => &self.anthropic,
            DrafterKind::Openai => &self.openai,
            DrafterKind::OpenaiCompatible => &self.compatible,
            DrafterKind::Command => panic!("a program is no model"),
        }
    }

    /// The answer that always fits: one file created.
    pub fn good_reply(&self) -> &Script {
        let files = json!([{"path": "src/ranges.py", "action": "create", "content": "RANGE = 1\n", "edits": []}]);
        self.anthropic.reply(Reply::change("Add a date range", &files))
    }

    /// All events so far.
    pub async fn events(&self) -> Vec<Event> {
        let newest = self.engine.hello().seq;
        let mut feed = self.engine.watch(Seq(0));
        let mut events = Vec::new();
        while events.last().is_none_or(|e: &Event| e.seq < newest) {
            match tokio::time::timeout(TIME, feed.next()).await.expect("the feed stands still").unwrap() {
                Signal::Event(event) => events.push(*event),
                Signal::Progress(_) => {}
                Signal::Reset => panic!("nothing is pruned here"),
            }
        }
        events
    }

    /// No work tree, brief or lock may be left, and the author's checkout is as it was.
    pub fn assert_clean(&self) {
        let below = |name: &str| std::fs::read_dir(self.cache().join(name)).into_iter().flatten().flatten();
        let left: Vec<_> = below("worktrees").chain(below("runs")).map(|e| e.path()).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        let briefs = below("").filter(|e| e.file_name().to_string_lossy().starts_with("brief-")).count();
        assert_eq!(briefs, 0);
        assert_eq!(git(&self.checkout(), &["--no-optional-locks", "status", "--porcelain"]), "");
        assert_eq!(git(&self.checkout(), &["symbolic-ref", "HEAD"]), "refs/heads/main");
    }
}

/// The branches of a repository besides `main`.
pub fn branches(repository: &Path) -> Vec<String> {
    let all = git(repository, &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    all.lines().filter(|b| *b != "main").map(str::to_owned).collect()
}

pub fn owner() -> Mode {
    Mode::Owner { role: "test".into() }
}

pub async fn engine(dir: &Path, config: &Config, secrets: &Secrets, waits: &Waits, mode: Mode) -> Engine {
    let mut options = options(dir);
    options.config = Arc::new(config.clone());
    options.secrets = Arc::new(secrets.clone());
    options.mode = mode;
    Engine::open_with(options, waits.http(TIME)).await.unwrap()
}

pub async fn start(engine: &Engine, id: &FeedbackId, force: bool) -> Result<DraftId, Refusal> {
    start_by(engine, id, force, None).await
}

async fn start_by(
    engine: &Engine,
    id: &FeedbackId,
    force: bool,
    drafter: Option<DrafterKind>,
) -> Result<DraftId, Refusal> {
    let command = Command::StartDraft { feedback: id.clone(), force, drafter, target: None, unattended: true };
    match engine.submit(new_command_id(), me(), command).await?.made {
        Made::Draft(draft) => Ok(draft),
        other => panic!("a draft makes a draft, not {other:?}"),
    }
}

pub async fn until_idle(engine: &Engine) {
    tokio::time::timeout(TIME, engine.until_idle()).await.expect("a run never ended");
}

pub fn published(detail: &DraftDetail) -> Published {
    match &detail.draft.state {
        DraftState::Published { published } => published.clone(),
        other => panic!("{other:?}"),
    }
}

/// The author's checkout, and what is hosted of it.
pub fn make_repositories(checkout: &Path, bare: &Path) {
    std::fs::create_dir_all(checkout).unwrap();
    git(checkout, &["init", "--quiet"]);
    for (path, text) in FILES {
        let path = checkout.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    git(checkout, &["add", "--all"]);
    git(checkout, &["commit", "--quiet", "-m", "Begin"]);
    std::fs::create_dir_all(bare.parent().unwrap()).unwrap();
    git(checkout, &["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    git(bare, &["config", "http.receivepack", "true"]);
}
