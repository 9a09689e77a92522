//! Histories on a real engine: reports, reviews and notes through its door, drafts through a second handle on its file, because only
//! draft runs write those.

use crate::support::{NOON, TestEngine, me, record, stage_after};
use patchwork::domain::draft::{DraftState, DrafterKind, Published, Stage, TargetKind};
use patchwork::domain::filter::Filter;
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::domain::note::NoteText;
use patchwork::domain::time::Millis;
use patchwork::engine::{Engine, new_command_id};
use patchwork::protocol::read::{PageRequest, Row, Snapshot};
use patchwork::protocol::{Command, Event, Seq};
use patchwork::store::{Change, NewDraft, Options, Store, StoreError, Tail, Write};
use patchwork::tui::mirror::PAGE;
use proptest::prelude::*;
use serde_json::json;

pub(super) const NOW: Millis = Millis(NOON);
const SERVERS: [&str; 4] = ["billing", "docs", "Billing", "  two  spaces\tand a tab "];
const GAPS: [&str; 3] = ["missing_tool", "wrong_format", "strange"];

/// What somebody does. Numbers pick one of what is there.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Record {
        server: usize,
        gap: usize,
        zebra: bool,
    },
    Review {
        report: usize,
        reviewed: bool,
    },
    Note {
        report: usize,
        zebra: bool,
    },
    Draft {
        report: usize,
    },
    /// The next stage, or publishing after the last.
    Move {
        draft: usize,
    },
    Fail {
        draft: usize,
    },
    Cancel {
        draft: usize,
    },
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..4_usize, 0..3_usize, any::<bool>()).prop_map(|(server, gap, zebra)| Op::Record { server, gap, zebra }),
        4 => (0..99_usize, any::<bool>()).prop_map(|(report, reviewed)| Op::Review { report, reviewed }),
        2 => (0..99_usize, any::<bool>()).prop_map(|(report, zebra)| Op::Note { report, zebra }),
        2 => (0..99_usize).prop_map(|report| Op::Draft { report }),
        5 => (0..99_usize).prop_map(|draft| Op::Move { draft }),
        1 => (0..99_usize).prop_map(|draft| Op::Fail { draft }),
        1 => (0..99_usize).prop_map(|draft| Op::Cancel { draft }),
    ]
}

/// An engine, and a second handle on its file for what only draft runs do.
pub(super) struct World {
    test: TestEngine,
    store: Store,
    reports: Vec<FeedbackId>,
    drafts: Vec<DraftId>,
}

impl World {
    pub(super) async fn open() -> Self {
        let test = TestEngine::open().await;
        let store = Store::open(&Options { path: test.dir.path().join("feedback.db"), now: NOW }).unwrap();
        Self { test, store, reports: Vec::new(), drafts: Vec::new() }
    }

    pub(super) async fn close(self) {
        self.store.close().await;
        self.test.engine.close().await;
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.test.engine
    }

    /// Reports of all kinds at once: one commit, however many.
    pub(super) async fn fill(&mut self, count: usize) {
        let ids = (0..count).map(|i| record(&self.test.engine, a_report(i % 4, i % 3, i % 7 == 0)));
        self.reports = futures::future::join_all(ids).await;
    }

    pub(super) async fn act(&mut self, op: &Op) {
        match *op {
            Op::Record { server, gap, zebra } => {
                self.reports.push(record(&self.test.engine, a_report(server, gap, zebra)).await);
            }
            Op::Review { report, reviewed } => {
                let Some(id) = pick(&self.reports, report) else { return };
                self.submit(Command::SetReviewed { feedback: vec![id], reviewed }).await;
            }
            Op::Note { report, zebra } => {
                let Some(feedback) = pick(&self.reports, report) else { return };
                let content = NoteText::parse(if zebra { "a zebra" } else { "a note" }).unwrap();
                self.submit(Command::AddNote { feedback, content, public: false }).await;
            }
            Op::Draft { report } => self.draft(report).await,
            Op::Move { draft } => self.advance(draft).await,
            Op::Fail { draft } => {
                self.change(draft, |draft| Change::FailDraft { draft, reason: "no luck".into() }).await;
            }
            Op::Cancel { draft } => self.change(draft, |draft| Change::CancelDraft { draft }).await,
        }
    }

    async fn submit(&self, command: Command) {
        self.test.engine.submit(new_command_id(), me(), command).await.unwrap();
    }

    async fn draft(&mut self, report: usize) {
        let Some(feedback) = pick(&self.reports, report) else { return };
        let id = DraftId::trusted(format!("draft-{}", self.drafts.len()));
        let new = NewDraft {
            id: id.clone(),
            feedback,
            force: true,
            drafter: DrafterKind::Command,
            model: "sh".into(),
            target: TargetKind::Local,
            confirm: false,
        };
        if self.write(Change::InsertDraft(new)).await {
            self.drafts.push(id);
        }
    }

    async fn advance(&self, draft: usize) {
        let Some(id) = pick(&self.drafts, draft) else { return };
        let before = self.test.engine.draft(&id).await.unwrap().draft.state;
        let to = match before {
            DraftState::Queued => DraftState::Running { stage: Stage::Checkout },
            DraftState::Running { stage } => match stage_after(stage) {
                Some(stage) => DraftState::Running { stage },
                None => DraftState::Published {
                    published: Published {
                        branch: "patchwork/x".into(),
                        commit: "c0ffee".into(),
                        pr_url: String::new(),
                        repository: "/r".into(),
                    },
                },
            },
            DraftState::Waiting { .. }
            | DraftState::Published { .. }
            | DraftState::Failed { .. }
            | DraftState::Cancelled { .. } => return,
        };
        assert!(self.write(Change::MoveDraft { draft: id, to }).await);
    }

    async fn change(&self, draft: usize, change: impl Fn(DraftId) -> Change) {
        if let Some(id) = pick(&self.drafts, draft) {
            self.write(change(id)).await;
        }
    }

    /// False when it does not fit what is there, which is no fault of a random history.
    async fn write(&self, change: Change) -> bool {
        let write = Write { command: None, actor: me(), at: NOW, change };
        match self.store.write(write).await {
            Ok(_) => true,
            Err(StoreError::Conflict(_)) => false,
            Err(e) => panic!("{e}"),
        }
    }

    pub(super) async fn snapshot(&self, filter: &Filter) -> Snapshot {
        self.test.engine.snapshot(PageRequest::first(filter.clone(), PAGE)).await.unwrap()
    }

    pub(super) async fn tail(&self, after: Seq) -> Vec<Event> {
        match self.store.tail(after).await.unwrap() {
            Tail::Events(events) => events,
            Tail::Gone => panic!("nothing is pruned here"),
        }
    }

    /// The whole list.
    pub(super) async fn list(&self, filter: &Filter) -> Vec<Row> {
        let mut request = PageRequest::first(filter.clone(), PAGE);
        let mut rows = Vec::new();
        loop {
            let page = self.test.engine.page(request.clone()).await.unwrap();
            rows.extend(page.rows);
            let Some(next) = page.next else { return rows };
            request.after = Some(next);
        }
    }
}

fn a_report(server: usize, gap: usize, zebra: bool) -> serde_json::Value {
    let needed = match (zebra, server) {
        (true, _) => "a zebra crossing".to_owned(),
        (false, 0) => "  a bridge\n".to_owned(),
        (false, 1) => format!("\u{1b}[31m{}", "日本".repeat(400)),
        (false, 2) => "\u{1d165}".repeat(1_500),
        (false, _) => format!("{}x", "a\u{301}".repeat(5_000)),
    };
    json!({"what_i_needed": needed, "what_i_tried": "t", "server_name": SERVERS[server], "gap_type": GAPS[gap],
        "tools_available": if gap == 0 { json!(["get.item"]) } else { json!([]) }})
}

fn pick<T: Clone>(of: &[T], at: usize) -> Option<T> {
    if of.is_empty() { None } else { Some(of[at % of.len()].clone()) }
}
