//! A run cut off after each single thing it told, and gone on with from what was stored by then: it ends as if nothing had been, and
//! nothing is paid for, published or said twice.
//!
//! What a run tells is durable when its reporter answers, so between two answers there is nothing else that a crash could find.

use crate::support::fake::TIME;
use crate::support::fake::anthropic::Reply;
use crate::support::fake::world::World;
use crate::support::git::git;
use futures::FutureExt;
use futures::future::BoxFuture;
use patchwork::config::Config;
use patchwork::domain::draft::{DrafterKind, Published, RedraftKind, Stage, Usage};
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::drafting::{
    self, Artifact, Call, Denied, Job, Outcome, Replaced, Reporter, Saved, SavedChange, Stop, Tools,
};
use patchwork::providers::GitCache;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;

/// What a reporter has stored.
#[derive(Debug, Clone, Default)]
struct Kept {
    saved: Saved,
    usage: Usage,
    stages: Vec<Stage>,
    /// Everything that was told, in order.
    told: Vec<String>,
}

/// Stores what it is told, as the engine does, and answers only so many times.
struct Notebook {
    kept: Mutex<Kept>,
    until: usize,
    cut: watch::Sender<bool>,
}

impl Notebook {
    fn new(kept: Kept, until: usize) -> Self {
        Self { kept: Mutex::new(kept), until, cut: watch::channel(false).0 }
    }

    fn tell(&self, what: String, store: impl FnOnce(&mut Kept)) -> BoxFuture<'_, Result<(), Stop>> {
        let mut kept = self.kept.lock().unwrap();
        store(&mut kept);
        kept.told.push(what);
        let answers = kept.told.len() != self.until;
        async move {
            if !answers {
                self.cut.send_replace(true);
                futures::future::pending::<()>().await;
            }
            Ok(())
        }
        .boxed()
    }

    async fn was_cut(&self) {
        self.cut.subscribe().wait_for(|cut| *cut).await.unwrap();
    }
}

/// Out of the database again.
fn stored<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

impl Reporter for Notebook {
    fn stage(&self, stage: Stage) -> BoxFuture<'_, Result<(), Stop>> {
        self.tell(format!("stage {stage}"), |kept| {
            if kept.stages.last().is_none_or(|last| *last < stage) {
                kept.stages.push(stage);
            }
        })
    }

    fn detail(&self, line: String) -> BoxFuture<'_, Result<(), Stop>> {
        self.tell(line, |_| {})
    }

    fn save(&self, artifact: Artifact) -> BoxFuture<'_, Result<(), Stop>> {
        let name: String = format!("{artifact:?}").chars().take_while(char::is_ascii_alphabetic).collect();
        self.tell(format!("artifact {name}"), |kept| match artifact {
            Artifact::Base { commit } => kept.saved.commit = Some(commit),
            Artifact::Conversation(said) => {
                kept.usage = said.usage;
                kept.saved.conversation = Some(stored(&said));
            }
            Artifact::Change(change) => kept.saved.change = Some(stored::<SavedChange>(&change)),
            Artifact::Pushed(commits) => kept.saved.pushed = commits,
            Artifact::Verified(verified) => kept.saved.verified = Some(stored(&verified)),
            Artifact::Files(_) | Artifact::Proposal(_) | Artifact::Diff(_) | Artifact::Log(_) => {}
        })
    }

    fn allow(&self, call: Call) -> BoxFuture<'_, Result<Call, Denied>> {
        let asked = self.tell("a call is allowed".into(), |_| {});
        async move { asked.await.map(|()| call).map_err(Denied::Stopped) }.boxed()
    }

    fn progress(&self, _stage: Stage, _bytes: i64, _tail: &str) {}
}

/// One kind of run, again and again.
struct Bench {
    world: World,
    report: FeedbackId,
    drafter: DrafterKind,
    /// Where the commands of this run count themselves.
    counts: TempDir,
    replaces: Option<Replaced>,
    /// The run that is next.
    number: i64,
}

/// How often a command that says `echo x >> file` was run.
fn lines(file: &Path) -> usize {
    std::fs::read_to_string(file).unwrap_or_default().lines().count()
}

impl Bench {
    async fn new(server: &str, drafter: DrafterKind, settings: impl FnOnce(&mut Config, &Path)) -> Self {
        let counts = tempfile::tempdir().unwrap();
        let world = World::with(|config, _| settings(config, counts.path())).await;
        let report = world.report(json!({"server_name": server})).await;
        Self { world, report, drafter, counts, replaces: None, number: 1 }
    }

    fn verified(&self) -> PathBuf {
        self.counts.path().join("verified")
    }

    fn worked(&self) -> PathBuf {
        self.counts.path().join("worked")
    }

    async fn job(&self) -> Job {
        let report = self.world.engine.feedback(&self.report).await.unwrap();
        let repository = self.world.config.repository_for(&report.feedback.report.server_name).unwrap().clone();
        let (_, target) = drafting::defaults(&self.world.config, &repository);
        Job {
            draft: DraftId::trusted(format!("0191b2c3-0000-7000-8000-{:012}", self.number)),
            number: self.number,
            report,
            repository,
            drafter: self.drafter,
            target,
            confirm: false,
            previous: None,
            replaces: self.replaces.clone(),
        }
    }

    fn tools(&self) -> Tools {
        Tools {
            http: self.world.waits.http(Duration::from_mins(1)),
            config: Arc::new(self.world.config.clone()),
            secrets: Arc::new(self.world.secrets.clone()),
            git: GitCache::new(self.world.cache()),
        }
    }

    /// Runs with what is kept until it has told so much, or to its end.
    async fn run(&self, job: &Job, kept: Kept, until: usize) -> (Option<Published>, Kept) {
        let (tools, saved, notebook) = (self.tools(), kept.saved.clone(), Notebook::new(kept, until));
        let running = async {
            tokio::select! {
                ended = Box::pin(drafting::run(job, &tools, saved, &notebook)) => Some(ended.unwrap()),
                () = notebook.was_cut() => None,
            }
        };
        let ended = tokio::time::timeout(TIME, running).await.expect("a run never ended");
        tools.git.until_clean().await;
        self.world.assert_clean();
        let published = ended.map(|outcome| match outcome {
            Outcome::Published(published) => published,
            Outcome::Waiting => panic!("nobody is there to look at it"),
        });
        (published, notebook.kept.into_inner().unwrap())
    }

    /// The next run: whole, and then cut off once after each thing it tells, from a stage on.
    async fn cut_everywhere(
        &mut self,
        from: Stage,
        plan: impl Fn(&World, i64),
        check: impl Fn(&Self, &Published, &str),
    ) {
        let script = &self.world.anthropic;
        let (asked, verified, worked) = (script.asked(), lines(&self.verified()), lines(&self.worked()));
        plan(&self.world, self.number);
        let (published, whole) = self.run(&self.job().await, Kept::default(), usize::MAX).await;
        let published = published.unwrap();
        check(self, &published, "never cut");
        let counted = |bench: &Self| (bench.world.anthropic.asked(), lines(&bench.verified()), lines(&bench.worked()));
        let usual = (script.asked() - asked, lines(&self.verified()) - verified, lines(&self.worked()) - worked);
        let first = whole.told.iter().position(|what| *what == format!("stage {from}")).unwrap() + 1;
        for until in first..=whole.told.len() {
            self.number += 1;
            let before = counted(self);
            plan(&self.world, self.number);
            let job = self.job().await;
            let (published, kept) = self.run(&job, Kept::default(), until).await;
            assert_eq!(published, None);
            let at = format!("after {until}: {}", kept.told.last().unwrap());
            let (published, kept) = self.run(&job, kept, usize::MAX).await;
            let published = published.unwrap();
            check(self, &published, &at);
            let after = counted(self);
            assert_eq!(after.0 - before.0, usual.0, "{at}: every answer is paid for once");
            assert_eq!(self.world.anthropic.unasked(), 0, "{at}");
            assert_eq!(kept.usage, whole.usage, "{at}: and counted once");
            let again = |after: usize, before: usize, usual: usize| (usual..=usual + 1).contains(&(after - before));
            assert!(again(after.1, before.1, usual.1), "{at}: verified {} times", after.1 - before.1);
            assert!(again(after.2, before.2, usual.2), "{at}: worked {} times", after.2 - before.2);
            assert_eq!(kept.stages, whole.stages, "{at}");
        }
        self.number += 1;
    }

    /// What a commit changes.
    fn changes(&self, published: &Published) -> String {
        let at = if published.pr_url.is_empty() { self.world.checkout() } else { self.world.bare() };
        assert_eq!(git(&at, &["rev-parse", &published.branch]), published.commit);
        git(&at, &["show", "--format=%s", "--name-status", &published.commit])
    }
}

fn ranges(value: u8) -> Reply {
    let content = format!("RANGE = {value}\n");
    Reply::change("Ranges", &json!([{"path": "src/ranges.py", "action": "create", "content": content, "edits": []}]))
}

/// A model that looks something up, gives an answer that is of no use, then a change that `verify` does not like, and then a good one.
#[tokio::test]
async fn with_a_model_that_is_answered_in_every_way() {
    let mut bench = Bench::new("here", DrafterKind::Anthropic, |config, counts| {
        let verify = format!("echo x >> {}; grep -q 'RANGE = 2' src/ranges.py", counts.join("verified").display());
        config.repositories[0].verify = Some(verify);
    })
    .await;
    let plan = |world: &World, _| {
        let outside = json!([{"path": "../x.py", "action": "create", "content": "x\n", "edits": []}]);
        world.anthropic.reply(Reply::looks_up(&[("read", "README.md")])).reply(Reply::change("Wrong", &outside));
        world.anthropic.reply(ranges(1)).reply(ranges(2));
    };
    bench
        .cut_everywhere(Stage::Checkout, plan, |bench, published, at| {
            assert_eq!(bench.changes(published), "Ranges\n\nA\tsrc/ranges.py", "{at}");
            let ranges = git(&bench.world.checkout(), &["show", &format!("{}:src/ranges.py", published.branch)]);
            assert_eq!(ranges, "RANGE = 2", "{at}");
            let count = git(&bench.world.checkout(), &["rev-list", "--count", &format!("main..{}", published.branch)]);
            assert_eq!(count, "1", "{at}");
        })
        .await;
}

/// A program that is told what its change lacks, and goes on with it.
#[tokio::test]
async fn with_a_program_that_is_started_again() {
    let mut bench = Bench::new("here", DrafterKind::Command, |config, counts| {
        let count = |what: &str| format!("echo x >> {}", counts.join(what).display());
        let script = format!("{}; if test -f a.py; then echo B > b.py; else echo A > a.py; fi", count("worked"));
        config.command.run = vec!["sh".into(), "-c".into(), script];
        config.repositories[0].verify = Some(format!("{}; test -f b.py", count("verified")));
    })
    .await;
    bench
        .cut_everywhere(
            Stage::Checkout,
            |_, _| {},
            |bench, published, at| {
                let changes = bench.changes(published);
                assert!(changes.ends_with("\n\nA\ta.py\nA\tb.py"), "{at}: {changes}");
            },
        )
        .await;
}

async fn redrafts(kind: RedraftKind) -> Bench {
    let mut bench = Bench::new("billing", DrafterKind::Anthropic, |config, _| {
        config.draft.redraft = kind;
        config.draft.labels = vec!["from agents".into()];
        config.draft.reviewers = vec!["ada".into()];
    })
    .await;
    bench.world.good_reply();
    let (published, _) = bench.run(&bench.job().await, Kept::default(), usize::MAX).await;
    bench.replaces = Some(Replaced { number: 1, published: published.unwrap() });
    bench.number = 2;
    bench
}

fn one_file(world: &World, number: i64) {
    let path = format!("src/cut_{number}.py");
    world
        .anthropic
        .reply(Reply::change("Go on", &json!([{"path": path, "action": "create", "content": "x = 1\n", "edits": []}])));
}

#[tokio::test]
async fn while_a_pull_request_takes_the_place_of_another() {
    let mut bench = redrafts(RedraftKind::NewPr).await;
    bench
        .cut_everywhere(Stage::Publish, one_file, |bench, published, at| {
            assert_eq!(bench.changes(published), format!("Go on\n\nA\tsrc/cut_{}.py", bench.number), "{at}");
            let pulls = bench.world.github.pulls();
            let of_it: Vec<_> = pulls.iter().filter(|pull| pull["head"]["ref"] == published.branch.as_str()).collect();
            let [pull] = of_it.as_slice() else { panic!("{at}: {of_it:?}") };
            assert_eq!(pull["html_url"], published.pr_url.as_str(), "{at}");
            assert_eq!(pull["labels"], json!([{"name": "from agents"}]), "{at}");
            assert_eq!(pull["requested_reviewers"], json!([{"login": "ada"}]), "{at}");
            let link = format!("Replaced by #{}:", pull["number"]);
            let links = bench.world.github.talk().bodies(1).iter().filter(|said| said.starts_with(&link)).count();
            assert_eq!(links, 1, "{at}");
        })
        .await;
}

#[tokio::test]
async fn while_a_pull_request_gets_a_commit_more() {
    let mut bench = redrafts(RedraftKind::SamePr).await;
    let first = bench.replaces.clone().unwrap().published;
    let range = format!("main..{}", first.branch);
    bench
        .cut_everywhere(Stage::Publish, one_file, |bench, published, at| {
            assert_eq!((&published.branch, &published.pr_url), (&first.branch, &first.pr_url), "{at}");
            assert_eq!(bench.changes(published), format!("Go on\n\nA\tsrc/cut_{}.py", bench.number), "{at}");
            let commits = git(&bench.world.bare(), &["rev-list", "--count", &range]);
            assert_eq!(commits, bench.number.to_string(), "{at}: one for each draft");
            let pulls = bench.world.github.pulls();
            let body = pulls[0]["body"].as_str().unwrap();
            assert_eq!((pulls.len(), body.matches("<!-- patchwork").count()), (1, 2), "{at}: {body}");
        })
        .await;
}
