//! Whatever happens, and whenever it is heard of: a mirror that follows the log ends where a new one begins.
//!
//! Histories are made on a real engine, drafts through a second handle on its file. Events are read and heard late, in pieces and
//! twice; pages are asked for, read and placed at any moment between. Both the row an event carries and the page a request
//! finds may thus be older or newer than what the mirror knows.

use crate::support::{NOON, TestEngine, me, record, report};
use patchwork::domain::draft::{DraftState, DrafterKind, Published, Stage, TargetKind};
use patchwork::domain::filter::Filter;
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::domain::note::NoteText;
use patchwork::domain::time::Millis;
use patchwork::engine::new_command_id;
use patchwork::protocol::read::{Page, PageRequest, Row, Snapshot};
use patchwork::protocol::{Command, Event, Seq};
use patchwork::store::{Change, NewDraft, Options, Store, StoreError, Tail, Write};
use patchwork::tui::mirror::{Mirror, PAGE, Side};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::json;
use std::collections::VecDeque;

const NOW: Millis = Millis(NOON);
const SERVERS: [&str; 4] = ["billing", "docs", "Billing", "  two  spaces\tand a tab "];
const GAPS: [&str; 3] = ["missing_tool", "wrong_format", "strange"];
const FILTERS: &[&str] = &[
    "",
    "sort:oldest",
    "is:unreviewed",
    "is:reviewed sort:oldest",
    "server:billing -has:notes",
    "gap:missing_tool,other",
    "is:drafted",
    "has:notes sort:oldest",
    "zebra",
    "-zebra sort:oldest",
    "tool:get.item",
];

/// What somebody does. Numbers pick one of what is there.
#[derive(Debug, Clone)]
enum Op {
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

/// What happens next, to the data or to the mirror.
#[derive(Debug, Clone)]
enum Step {
    Do(Op),
    /// Reads the log on; what is read is heard later.
    Fetch,
    /// Hears some of what was read.
    Hear {
        events: usize,
        twice: bool,
    },
    /// Hears again what was heard before.
    HearAgain {
        back: usize,
    },
    Ask(Side),
    /// The engine looks the page up.
    Look,
    /// The answer arrives.
    Place,
}

fn op() -> impl Strategy<Value = Op> {
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

fn step() -> impl Strategy<Value = Step> {
    let side = prop::sample::select(&[Side::Start, Side::End, Side::Above, Side::Below][..]);
    prop_oneof![
        8 => op().prop_map(Step::Do),
        2 => Just(Step::Fetch),
        3 => (1..6_usize, any::<bool>()).prop_map(|(events, twice)| Step::Hear { events, twice }),
        1 => (1..9_usize).prop_map(|back| Step::HearAgain { back }),
        2 => side.prop_map(Step::Ask),
        2 => Just(Step::Look),
        2 => Just(Step::Place),
    ]
}

/// An engine, and a second handle on its file for what only draft runs do.
struct World {
    test: TestEngine,
    store: Store,
    reports: Vec<FeedbackId>,
    drafts: Vec<DraftId>,
}

impl World {
    async fn open() -> Self {
        let test = TestEngine::open().await;
        let store = Store::open(&Options { path: test.dir.path().join("feedback.db"), now: NOW }).unwrap();
        Self { test, store, reports: Vec::new(), drafts: Vec::new() }
    }

    async fn close(self) {
        self.store.close().await;
        self.test.engine.close().await;
    }

    /// Reports of all kinds at once: one commit, however many.
    async fn fill(&mut self, count: usize) {
        let ids = (0..count).map(|i| record(&self.test.engine, a_report(i % 4, i % 3, i % 7 == 0)));
        self.reports = futures::future::join_all(ids).await;
    }

    async fn act(&mut self, op: &Op) {
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
                self.submit(Command::AddNote { feedback, content }).await;
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
            DraftState::Running { stage } => match stage.next() {
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
            DraftState::Published { .. } | DraftState::Failed { .. } | DraftState::Cancelled { .. } => return,
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

    async fn snapshot(&self, filter: &Filter) -> Snapshot {
        self.test.engine.snapshot(PageRequest::first(filter.clone(), PAGE)).await.unwrap()
    }

    async fn tail(&self, after: Seq) -> Vec<Event> {
        match self.store.tail(after).await.unwrap() {
            Tail::Events(events) => events,
            Tail::Pruned => panic!("nothing is pruned here"),
        }
    }

    /// The whole list.
    async fn list(&self, filter: &Filter) -> Vec<Row> {
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

/// A page on its way.
struct Asked {
    side: Side,
    request: PageRequest,
    filter: Filter,
    found: Option<Page<Row>>,
}

/// A mirror, and what is on its way to it.
struct Follower {
    mirror: Mirror,
    filter: Filter,
    /// Everything up to here was read from the log.
    fetched: Seq,
    ready: VecDeque<Event>,
    heard: Vec<Event>,
    asked: Option<Asked>,
}

impl Follower {
    async fn begin(world: &World, filter: Filter) -> Self {
        let snapshot = world.snapshot(&filter).await;
        let mut mirror = Mirror::default();
        let fetched = snapshot.seq;
        mirror.begin(snapshot, filter.clone(), NOW);
        Self { mirror, filter, fetched, ready: VecDeque::new(), heard: Vec::new(), asked: None }
    }

    async fn fetch(&mut self, world: &World) {
        let events = world.tail(self.fetched).await;
        self.fetched = events.last().map_or(self.fetched, |e| e.seq);
        self.ready.extend(events);
    }

    fn hear(&mut self, events: usize, twice: bool) {
        for event in self.ready.drain(..events.min(self.ready.len())) {
            self.mirror.fold(&event, NOW);
            if twice {
                assert_eq!(self.mirror.fold(&event, NOW), None);
            }
            self.heard.push(event);
        }
    }

    fn ask(&mut self, side: Side) {
        // One at a time, as the screen does.
        if self.asked.is_none()
            && let Some(request) = self.mirror.request(side, &self.filter)
        {
            self.asked = Some(Asked { side, request, filter: self.filter.clone(), found: None });
        }
    }

    async fn look(&mut self, world: &World) {
        if let Some(asked) = &mut self.asked {
            let page = world.test.engine.page(asked.request.clone()).await.unwrap();
            asked.found.get_or_insert(page);
        }
    }

    fn place(&mut self) {
        match self.asked.take() {
            Some(Asked { side, filter, found: Some(page), .. }) => {
                self.mirror.place(side, page, filter, NOW);
                let keep = if side == Side::Below { self.mirror.rows().len() } else { 0 };
                self.mirror.trim(keep);
            }
            other => self.asked = other,
        }
    }

    async fn step(&mut self, world: &mut World, step: &Step) {
        match step {
            Step::Do(op) => world.act(op).await,
            Step::Fetch => self.fetch(world).await,
            Step::Hear { events, twice } => self.hear(*events, *twice),
            Step::HearAgain { back } => {
                for event in self.heard.iter().rev().take(*back) {
                    assert_eq!(self.mirror.fold(event, NOW), None);
                }
            }
            Step::Ask(side) => self.ask(*side),
            Step::Look => self.look(world).await,
            Step::Place => self.place(),
        }
    }

    /// Everything that is on its way arrives.
    async fn catch_up(&mut self, world: &World) {
        self.look(world).await;
        self.place();
        loop {
            self.fetch(world).await;
            if self.ready.is_empty() {
                return;
            }
            self.hear(usize::MAX, false);
        }
    }
}

/// The mirror's rows are a piece of the whole list, from its beginning or to its end where the mirror says so; and what a new
/// mirror begins with, it has.
async fn same(follower: &Follower, world: &World) -> Result<(), TestCaseError> {
    let (mirror, filter) = (&follower.mirror, &follower.filter);
    let whole = world.list(filter).await;
    let rows = mirror.rows();
    let at = match rows.first() {
        Some(first) => whole.iter().position(|row| row.n == first.n),
        None => Some(0),
    };
    prop_assert!(at.is_some(), "a row that is not in the list: {:?}", rows.first());
    let at = at.unwrap();
    prop_assert_eq!(rows, whole.get(at..at + rows.len()).unwrap_or_default(), "{}", filter.source);
    if mirror.at_start() {
        prop_assert_eq!(at, 0, "{} begins late", filter.source);
    }
    if mirror.at_end() {
        prop_assert_eq!(at + rows.len(), whole.len(), "{} ends early", filter.source);
    }
    let snapshot = world.snapshot(filter).await;
    let mut new = Mirror::default();
    new.begin(snapshot, filter.clone(), NOW);
    prop_assert_eq!(mirror.seq, new.seq);
    prop_assert_eq!(mirror.drafts(), new.drafts());
    prop_assert!(new.at_start());
    if mirror.at_start() && mirror.at_end() {
        prop_assert_eq!(&rows[..rows.len().min(PAGE)], new.rows());
    }
    Ok(())
}

async fn follow(already: usize, before: &[Op], steps: &[Step], filter: &str) -> Result<(), TestCaseError> {
    let mut world = World::open().await;
    world.fill(already).await;
    for op in before {
        world.act(op).await;
    }
    let mut follower = Follower::begin(&world, Filter::parse(filter).unwrap()).await;
    for step in steps {
        follower.step(&mut world, step).await;
    }
    // The engine that writes last brings the index up to date; until then a search may miss what is new.
    world.act(&Op::Record { server: 0, gap: 0, zebra: true }).await;
    world.test.engine.until_indexed().await;
    follower.catch_up(&world).await;
    let result = same(&follower, &world).await;
    world.close().await;
    result
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Without files of seeds: they mean nothing once a generator has changed.
fn quietly(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 400, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(quietly(48))]
    #[test]
    fn a_mirror_that_followed_is_one_that_begins_now(
        before in prop::collection::vec(op(), 0..12),
        steps in prop::collection::vec(step(), 0..60),
        filter in prop::sample::select(FILTERS),
    ) {
        block_on(follow(0, &before, &steps, filter))?;
    }
}

proptest! {
    // More reports than a page holds, so that the mirror has a window of the list only.
    #![proptest_config(quietly(12))]
    #[test]
    fn a_window_that_followed_is_a_piece_of_the_list(
        already in PAGE + 1..3 * PAGE,
        steps in prop::collection::vec(step(), 20..80),
        filter in prop::sample::select(&FILTERS[..6]),
    ) {
        block_on(follow(already, &[], &steps, filter))?;
    }
}

/// One history, step by step: a new report, one that leaves the list, and a page from before both.
#[tokio::test]
async fn a_page_older_than_what_was_heard_brings_nothing_back() {
    let mut world = World::open().await;
    world.fill(3).await;
    let mut follower = Follower::begin(&world, Filter::parse("is:unreviewed").unwrap()).await;
    follower.ask(Side::Start);
    follower.look(&world).await;
    world.act(&Op::Review { report: 1, reviewed: true }).await;
    world.submit(report_of_billing()).await;
    follower.fetch(&world).await;
    follower.hear(usize::MAX, false);
    let heard = follower.mirror.rows().to_vec();
    assert_eq!(heard.len(), 3);
    follower.place();
    assert_eq!(follower.mirror.rows(), heard);
    world.close().await;
}

fn report_of_billing() -> Command {
    report(a_report(0, 0, false))
}
