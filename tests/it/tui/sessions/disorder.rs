//! Questions are answered late and in any order, news comes between, the log is pruned: when everything has arrived, the screen shows what
//! there is.

use crate::support::desk::{Desk, published};
use crate::support::scene::Scene;
use crate::support::{NOON, stage_after};
use patchwork::domain::draft::{DraftState, Stage};
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::domain::time::Millis;
use patchwork::protocol::read::{PageRequest, Row};
use patchwork::protocol::{EventKind, Signal};
use patchwork::tui::message::{Effect, Msg};
use patchwork::tui::mirror::PAGE;
use patchwork::tui::model::View;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Debug, Clone)]
enum Step {
    Key(&'static str),
    Arrive,
    Review(usize, bool),
    Note(usize),
    /// A run goes on, or a new one begins.
    Run(usize),
    /// A question reaches the engine, not always the oldest one.
    Ask(usize),
    /// An answer reaches the screen, not always the oldest one.
    Answer(usize),
    /// News reaches the screen, in order.
    Hear,
    /// What was not heard is pruned.
    Prune,
}

fn step() -> impl Strategy<Value = Step> {
    let key = prop::sample::select(
        &[
            "j", "k", "g", "G", "r", "space", "u", "z", "3", "1", "d", "x", "enter", "esc", "/", "n", "tab", "i", "s",
            ":", // The bench.
            "3", "enter", "v", "c", "n", "N", "]", "[", "space", "b", "D", "p", "P", "y", "e",
        ][..],
    );
    prop_oneof![
        6 => key.prop_map(Step::Key),
        2 => Just(Step::Arrive),
        2 => (0..99_usize, any::<bool>()).prop_map(|(at, reviewed)| Step::Review(at, reviewed)),
        2 => (0..99_usize).prop_map(Step::Note),
        3 => (0..99_usize).prop_map(Step::Run),
        6 => (0..9_usize).prop_map(Step::Ask),
        6 => (0..9_usize).prop_map(Step::Answer),
        5 => Just(Step::Hear),
        1 => Just(Step::Prune),
    ]
}

struct Disorder {
    scene: Scene,
    desk: Desk,
    /// Questions on their way to the engine.
    asked: Vec<Effect>,
    /// Answers on their way back.
    answers: Vec<Msg>,
    /// News on its way, once the screen follows the log.
    news: VecDeque<Msg>,
    following: bool,
}

impl Disorder {
    fn new() -> Self {
        let mut desk = Desk::default();
        for _ in 0..6 {
            desk.report(1, json!({"what_i_needed": "n", "what_i_tried": "t"}));
        }
        let mut scene = Scene::new(120, 14);
        let asked = std::mem::take(&mut scene.begun);
        Self { scene, desk, asked, answers: Vec::new(), news: VecDeque::new(), following: false }
    }

    fn happens(&mut self, news: Msg) {
        if self.following {
            self.news.push_back(news);
        }
    }

    fn tell(&mut self, message: Msg) {
        let effects = self.scene.send(message);
        self.asked.extend(effects);
    }

    fn report(&self, at: usize) -> FeedbackId {
        self.desk.reports[at % self.desk.reports.len()].feedback.id.clone()
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Key(name) => {
                let effects = self.scene.key(name);
                self.asked.extend(effects);
            }
            Step::Arrive => {
                let news = self.desk.arrive(json!({"what_i_needed": "n", "what_i_tried": "t"}));
                self.happens(news);
            }
            Step::Review(at, reviewed) => {
                let id = self.report(at);
                self.desk.detail_mut(&id).unwrap().feedback.reviewed = reviewed;
                let news = self.desk.about_report(EventKind::FeedbackReviewed, &id);
                self.happens(news);
            }
            Step::Note(at) => {
                let id = self.report(at);
                self.desk.note(&id, 0, "a note");
                let news = self.desk.about_report(EventKind::NoteAdded, &id);
                self.happens(news);
            }
            Step::Run(at) => self.run(at),
            Step::Ask(at) => self.ask(at),
            Step::Answer(at) => self.answer(at),
            Step::Hear => {
                if let Some(news) = self.news.pop_front() {
                    self.tell(news);
                }
            }
            Step::Prune if self.following => {
                self.news.clear();
                self.tell(Msg::Signal(Signal::Reset));
            }
            Step::Prune => {}
        }
    }

    fn run(&mut self, at: usize) {
        let going = self.desk.runs.iter().map(|run| &run.draft).filter(|draft| !draft.state.is_over());
        let ids: Vec<DraftId> = going.map(|draft| draft.id.clone()).collect();
        let Some(id) = ids.get(at % 4).cloned() else {
            let id = self.desk.run(&self.report(at), 0, DraftState::Queued);
            if at.is_multiple_of(2) {
                self.desk.run_mut(&id).diff = format!("diff --git a/x b/x\n@@ -1,2 +1,2 @@\n-a\n+{at}\n b\n");
            }
            let news = self.desk.about_run(EventKind::DraftQueued, "", &id);
            return self.happens(news);
        };
        let run = self.desk.run_mut(&id);
        run.log.push_str("and on\n");
        let (to, kind) = match run.draft.state.stage() {
            None => (DraftState::Running { stage: Stage::Checkout }, EventKind::DraftStageStarted),
            Some(stage) if at.is_multiple_of(5) => {
                (DraftState::Failed { stage, reason: "no luck".into() }, EventKind::DraftFailed)
            }
            Some(Stage::Check) if at.is_multiple_of(2) => {
                (DraftState::Waiting { trouble: String::new() }, EventKind::DraftWaiting)
            }
            Some(stage) => match stage_after(stage) {
                Some(stage) => (DraftState::Running { stage }, EventKind::DraftStageStarted),
                None => (published("https://example.org/1"), EventKind::DraftPublished),
            },
        };
        run.draft.state = to;
        if kind == EventKind::DraftPublished {
            let of = run.draft.feedback_id.clone();
            let feedback = &mut self.desk.detail_mut(&of).unwrap().feedback;
            (feedback.drafted, feedback.pr_url) = (true, "https://example.org/1".into());
        }
        let news = self.desk.about_run(kind, "", &id);
        self.happens(news);
    }

    fn ask(&mut self, at: usize) {
        if self.asked.is_empty() {
            return;
        }
        let effect = self.asked.remove(at % self.asked.len());
        if let Effect::Watch { after } = effect {
            assert!(!self.following, "one feed is enough");
            self.following = true;
            self.news = self.desk.news_after(after).collect();
            return;
        }
        for message in self.desk.carry_out(effect) {
            match message {
                Msg::Signal(_) => self.happens(message),
                answer => self.answers.push(answer),
            }
        }
    }

    fn answer(&mut self, at: usize) {
        if !self.answers.is_empty() {
            let answer = self.answers.remove(at % self.answers.len());
            self.tell(answer);
        }
    }

    fn everything_arrives(&mut self) {
        for _ in 0..1_000 {
            if self.asked.is_empty() && self.answers.is_empty() && self.news.is_empty() {
                return;
            }
            self.step(&Step::Ask(0));
            self.step(&Step::Answer(0));
            self.step(&Step::Hear);
        }
        panic!("the screen never stops asking: {:?}", self.asked);
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let model = &self.scene.model;
        prop_assert_eq!(model.mirror.seq, self.desk.seq());
        let filter = model.mirror.filter();
        prop_assert_eq!(filter, &model.filter());
        let page = self.desk.page(&PageRequest::first(filter.clone(), PAGE));
        prop_assert_eq!(model.mirror.rows(), page.rows, "{}", filter.source);
        let drafts: Vec<_> = self.desk.runs.iter().rev().map(|run| &run.draft).collect();
        prop_assert_eq!(model.mirror.drafts().iter().collect::<Vec<_>>(), drafts);
        prop_assert_eq!(&model.stats, &self.desk.stats());
        for kept in &self.desk.reports {
            if let Some(known) = model.mirror.detail(&kept.feedback.id) {
                prop_assert_eq!(known, kept);
            }
        }
        if model.view == View::Inbox {
            let shown = model.shown().map(|id| self.desk.detail(id).unwrap());
            prop_assert_eq!(model.detail(), shown, "what is beside the list is read");
        }
        if model.view == View::Drafts
            && let Some(selected) = model.selected_draft()
        {
            let run = self.desk.run_as_read(&selected.id);
            prop_assert_eq!(model.drafts.run.as_ref().map(|run| &run.detail), Some(&run));
            let bench = &model.drafts.bench;
            prop_assert!(bench.edits.is_empty(), "every decision is read back");
            if model.compares() {
                let told = &model.compared().unwrap().unwrap().told;
                prop_assert_eq!((&told.draft, Some(&told.against)), (&selected.id, run.earlier.as_ref()));
                prop_assert!(Arc::ptr_eq(bench.paper.change(), model.sheet().unwrap()));
            }
        }
        prop_assert!(model.pending.is_empty());
        let row = |row: &Row| self.desk.detail(&row.id).is_some_and(|d| d.matches(filter, Millis(NOON)));
        prop_assert!(model.row().is_none_or(row));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_the_order_the_screen_ends_right(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = Disorder::new();
        for step in &steps {
            world.step(step);
        }
        world.everything_arrives();
        world.check()?;
    }
}
