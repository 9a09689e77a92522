//! Whatever happens, and whenever it is heard of: a mirror that follows the log ends where a new one begins.
//!
//! Histories are made on a real engine ([`super::history`]). Events are read and heard late, in pieces and
//! twice; pages are asked for, read and placed at any moment between. Both the row an event carries and the page a request
//! finds may thus be older or newer than what the mirror knows.

use super::history::{NOW, Op, World, op};
use patchwork::domain::filter::Filter;
use patchwork::protocol::read::{Page, PageRequest, Row};
use patchwork::protocol::{Event, Seq};
use patchwork::tui::mirror::{Mirror, PAGE, Side};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::collections::VecDeque;

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
            let page = world.engine().page(asked.request.clone()).await.unwrap();
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
    world.engine().until_indexed().await;
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
    world.act(&Op::Record { server: 0, gap: 0, zebra: false }).await;
    follower.fetch(&world).await;
    follower.hear(usize::MAX, false);
    let heard = follower.mirror.rows().to_vec();
    assert_eq!(heard.len(), 3);
    follower.place();
    assert_eq!(follower.mirror.rows(), heard);
    world.close().await;
}
