//! A screen over an engine that is not there: a few reports and runs in memory that answer what the screen asks, at once and in the
//! engine's own words. For what the screen shows and for keys pressed at random; whether the two of them agree is tested over a
//! real engine ([`super::session`]).

use super::scene::Scene;
use super::{NOON, me};
use patchwork::domain::diff::{Diff, Difference, Footing};
use patchwork::domain::draft::{Draft, DraftState, DrafterKind, Published, Stage, StageRecord, TargetKind, Usage};
use patchwork::domain::feedback::{Feedback, NewFeedback};
use patchwork::domain::filter::{Filter, Sort};
use patchwork::domain::id::{CommandId, DraftId, FeedbackId, NoteId};
use patchwork::domain::note::Note;
use patchwork::domain::review::Choices;
use patchwork::domain::server::Server;
use patchwork::domain::time::{MINUTE, Millis};
use patchwork::protocol::difference::{DraftDifference, Side};
use patchwork::protocol::read::{
    Count, Detail, DraftDetail, EarlierDraft, Facets, Page, PageRequest, Position, RankedFile, Row, Snapshot, Stats,
};
use patchwork::protocol::settings::{Finding, Setting, Sheet};
use patchwork::protocol::{Command, Event, EventKind, Made, Progress, Receipt, Refusal, RefusalKind, Seq, Signal};
use patchwork::tui::bench::{Comparison, Run};
use patchwork::tui::message::{Answer, Effect, Msg};
use serde_json::Value;
use std::collections::VecDeque;

const NOW: Millis = Millis(NOON);

/// The reports and runs, oldest first.
#[derive(Default)]
pub struct Desk {
    pub reports: Vec<Detail>,
    pub runs: Vec<DraftDetail>,
    /// As the engine would give them: the one heard last first.
    pub servers: Vec<Server>,
    pub sheet: Sheet,
    /// What trying anything finds; `None`: no answer comes.
    pub finding: Option<Finding>,
    seq: i64,
    log: Vec<Event>,
    /// The command whose events are being written.
    sender: Option<CommandId>,
    /// What drafts are said to be made from when they are compared.
    pub footing: Option<Footing>,
    /// What every command is answered with, instead of being done.
    pub refuses: Option<Refusal>,
    /// What has to be done outside: links, clipboards, editors, files, quitting.
    pub outside: Vec<Effect>,
}

impl Desk {
    /// A report that came `minutes` ago; its id is `r1`, `r2` …
    pub fn report(&mut self, minutes: i64, json: Value) -> FeedbackId {
        let n = self.reports.len() as i64 + 1;
        let id = FeedbackId::trusted(format!("r{n}"));
        let feedback = Feedback {
            id: id.clone(),
            n,
            received_at: NOW.minus(minutes * MINUTE),
            report: NewFeedback::parse(json).unwrap().report,
            reviewed: false,
            note_count: 0,
            pr_url: String::new(),
            drafted: false,
            merged: false,
        };
        self.reports.push(Detail { feedback, notes: Vec::new() });
        id
    }

    pub fn note(&mut self, report: &FeedbackId, minutes: i64, content: &str) {
        let detail = self.detail_mut(report).unwrap();
        let id = NoteId::trusted(format!("{report}-note-{}", detail.notes.len()));
        let (at, author, content) = (NOW.minus(minutes * MINUTE), "ada".to_owned(), content.to_owned());
        detail.notes.push(Note { id, feedback_id: report.clone(), at, author, content, public: false });
        detail.feedback.note_count += 1;
    }

    /// A run of a report in a state; its id is `d1`, `d2` …
    pub fn run(&mut self, report: &FeedbackId, minutes: i64, state: DraftState) -> DraftId {
        let id = DraftId::trusted(format!("d{}", self.runs.len() + 1));
        let detail = self.detail(report).unwrap().clone();
        let number = 1 + self.runs.iter().filter(|run| run.draft.feedback_id == *report).count() as i64;
        let row = Row::of(&detail.feedback);
        let draft = Draft {
            id: id.clone(),
            feedback_id: report.clone(),
            headline: row.headline,
            server_name: row.server_name,
            number,
            state: state.clone(),
            drafter: DrafterKind::Anthropic,
            model: "claude-opus-4-6".into(),
            target: TargetKind::Github,
            created_at: NOW.minus(minutes * MINUTE),
            updated_at: NOW,
            usage: Usage::default(),
            cost: None,
            confirm: false,
            verdict: None,
            pull: None,
        };
        self.runs.push(DraftDetail {
            draft,
            stages: stages(&state, minutes),
            files: Vec::new(),
            diff: String::new(),
            log: String::new(),
            proposal: None,
            choices: Choices::default(),
            earlier: None,
        });
        if let DraftState::Published { published } = state {
            let feedback = &mut self.detail_mut(report).unwrap().feedback;
            (feedback.drafted, feedback.pr_url) = (true, published.pr_url);
        }
        id
    }

    pub fn detail(&self, id: &FeedbackId) -> Option<&Detail> {
        self.reports.iter().find(|d| d.feedback.id == *id)
    }

    pub fn detail_mut(&mut self, id: &FeedbackId) -> Option<&mut Detail> {
        self.reports.iter_mut().find(|d| d.feedback.id == *id)
    }

    pub fn run_mut(&mut self, id: &DraftId) -> &mut DraftDetail {
        self.runs.iter_mut().find(|run| run.draft.id == *id).unwrap()
    }

    /// A run as the engine gives it: with the one that it is compared with.
    pub fn run_as_read(&self, id: &DraftId) -> DraftDetail {
        let mut run = self.runs.iter().find(|run| run.draft.id == *id).unwrap().clone();
        let of = |other: &&DraftDetail| other.draft.feedback_id == run.draft.feedback_id && !other.diff.is_empty();
        let earlier = self.runs.iter().rev().filter(of).find(|other| other.draft.number < run.draft.number);
        run.earlier = earlier.map(side).map(|side| side.draft);
        run
    }

    fn difference(&self, id: &DraftId, against: &DraftId) -> Result<DraftDifference, Refusal> {
        if let Some(refusal) = self.refuses.clone() {
            return Err(refusal);
        }
        let (earlier, later) = (self.run_as_read(against), self.run_as_read(id));
        let read = |run: &DraftDetail| Diff::parse(&run.diff).unwrap();
        let footing = self.footing.unwrap_or(Footing::SameBase);
        let found = Difference::between(&read(&earlier), &read(&later), footing);
        Ok(DraftDifference::of(side(&earlier), side(&later), footing, found))
    }

    fn event(&mut self, kind: EventKind, text: &str, feedback: Option<&FeedbackId>, draft: Option<&DraftId>) -> Msg {
        self.seq += 1;
        let feedback = feedback.map(|id| Box::new(self.detail(id).unwrap().clone()));
        let draft = draft.map(|id| Box::new(self.run_mut(id).draft.clone()));
        let (seq, text) = (Seq(self.seq), text.to_owned());
        let command = self.sender.clone();
        let event = Event { seq, at: NOW, kind, actor: me(), command, text, feedback, draft };
        self.log.push(event.clone());
        Msg::Signal(Signal::Event(Box::new(event)))
    }

    /// News of a report that was recorded, reviewed or noted.
    pub fn about_report(&mut self, kind: EventKind, id: &FeedbackId) -> Msg {
        self.event(kind, "", Some(id), None)
    }

    /// News of a run; a published one is news of its report too.
    pub fn about_run(&mut self, kind: EventKind, text: &str, id: &DraftId) -> Msg {
        let of = self.run_mut(id).draft.feedback_id.clone();
        self.event(kind, text, (kind == EventKind::DraftPublished).then_some(&of), Some(id))
    }

    /// A report that comes in now.
    pub fn arrive(&mut self, json: Value) -> Msg {
        let id = self.report(0, json);
        self.about_report(EventKind::FeedbackRecorded, &id)
    }

    /// What comes of an effect.
    pub fn carry_out(&mut self, effect: Effect) -> Vec<Msg> {
        let answer = match effect {
            Effect::Begin { generation, request } => {
                let filter = request.filter.clone();
                Answer::Snapshot { generation, filter, result: Ok(self.snapshot(&request)) }
            }
            Effect::ReadPage { generation, filter, side, request } => {
                Answer::Page { generation, filter, side, result: Ok(self.page(&request)) }
            }
            Effect::ReadFeedback(id) => {
                let result = self.detail(&id).cloned().ok_or_else(|| Refusal::not_found("report", id.as_str()));
                Answer::Feedback { id, result }
            }
            Effect::ReadDraft(id) => Answer::Draft { result: Ok(Box::new(Run::of(self.run_as_read(&id)))), id },
            Effect::ReadDifference { asked, draft, against } => {
                Answer::Difference { asked, result: self.difference(&draft, &against).map(Comparison::of) }
            }
            Effect::ReadStats => Answer::Stats(Ok(self.stats())),
            Effect::ReadServers => Answer::Servers(Ok(self.servers.clone())),
            Effect::ReadSettings => Answer::Settings(Ok(self.sheet.clone())),
            Effect::Check(check) => {
                let Some(finding) = self.finding.clone() else { return Vec::new() };
                Answer::Checked { check, result: Ok(finding) }
            }
            Effect::SaveKey { name, value } => {
                let done = value.done();
                let masked = if value.count() == 0 { String::new() } else { "****".to_owned() };
                self.setting_mut(&name).value = masked;
                self.outside.push(Effect::SaveKey { name: name.clone(), value });
                Answer::KeySaved { name, done, result: self.refuses.clone().map_or(Ok(()), Err) }
            }
            Effect::ReadFacets => Answer::Facets(Ok(self.facets())),
            Effect::Submit { id, command } => return self.submit(id, command),
            Effect::Watch { after } => {
                assert_eq!(after, Seq(self.seq), "the screen follows from where its snapshot ends");
                return Vec::new();
            }
            Effect::KeepUnsaved { .. }
            | Effect::Copy(_)
            | Effect::OpenLink(_)
            | Effect::Edit { .. }
            | Effect::Suspend
            | Effect::Quit => {
                self.outside.push(effect);
                return Vec::new();
            }
        };
        vec![Msg::Answer(answer)]
    }

    /// What a watcher hears that knows everything up to `after`.
    pub fn news_after(&self, after: Seq) -> impl Iterator<Item = Msg> {
        self.log.iter().filter(move |event| event.seq > after).map(|e| Msg::Signal(Signal::Event(Box::new(e.clone()))))
    }

    /// The newest number of the log.
    pub fn seq(&self) -> Seq {
        Seq(self.seq)
    }

    pub fn setting_mut(&mut self, name: &str) -> &mut Setting {
        self.sheet.settings.iter_mut().find(|setting| setting.name == name).unwrap()
    }

    fn submit(&mut self, id: CommandId, command: Command) -> Vec<Msg> {
        if let Some(refusal) = self.refuses.clone() {
            return vec![Msg::Answer(Answer::Submitted { id, result: Err(refusal) })];
        }
        let mut news = Vec::new();
        self.sender = Some(id.clone());
        let made = match command {
            Command::SetReviewed { feedback, reviewed } => {
                for report in feedback {
                    self.detail_mut(&report).unwrap().feedback.reviewed = reviewed;
                    news.push(self.about_report(EventKind::FeedbackReviewed, &report));
                }
                Made::Nothing
            }
            Command::AddNote { feedback, content, public } => {
                self.note(&feedback, 0, content.as_str());
                self.detail_mut(&feedback).unwrap().notes.last_mut().unwrap().public = public;
                news.push(self.about_report(EventKind::NoteAdded, &feedback));
                Made::Note(NoteId::trusted("n"))
            }
            Command::StartDraft { feedback, .. } => {
                let busy = |run: &DraftDetail| run.draft.feedback_id == feedback && run.draft.state.is_active();
                if self.runs.iter().any(busy) {
                    let refusal = Refusal::new(RefusalKind::Conflict, "a draft of this report is running");
                    return vec![Msg::Answer(Answer::Submitted { id, result: Err(refusal) })];
                }
                let run = self.run(&feedback, 0, DraftState::Queued);
                news.push(self.about_run(EventKind::DraftQueued, "", &run));
                Made::Draft(run)
            }
            Command::ChangeSetting { setting, value } => {
                match (value, setting.as_str()) {
                    (Some(value), name) => self.setting_mut(name).value = value,
                    (None, name) => self.sheet.settings.retain(|setting| !setting.name.starts_with(name)),
                }
                news.push(self.event(EventKind::SettingsSaved, &setting, None, None));
                Made::Nothing
            }
            Command::CancelDraft { draft } => {
                let run = self.run_mut(&draft);
                run.draft.state = DraftState::Cancelled { stage: run.draft.state.stage() };
                news.push(self.about_run(EventKind::DraftCancelled, "", &draft));
                Made::Draft(draft)
            }
            Command::EditReview { draft, choices } => {
                self.run_mut(&draft).choices = *choices;
                news.push(self.about_run(EventKind::DraftReviewEdited, "", &draft));
                Made::Nothing
            }
            Command::PublishDraft { draft, .. } => {
                self.run_mut(&draft).draft.state = DraftState::Running { stage: Stage::Publish };
                news.push(self.about_run(EventKind::DraftStageStarted, Stage::Publish.as_str(), &draft));
                Made::Draft(draft)
            }
            other @ (Command::RecordFeedback { .. }
            | Command::RecordHeartbeat { .. }
            | Command::SaveSettings { .. }) => {
                panic!("the screen never sends {other:?}")
            }
        };
        self.sender = None;
        news.push(Msg::Answer(Answer::Submitted {
            id,
            result: Ok(Receipt { seq: Seq(self.seq), made, replayed: false }),
        }));
        news
    }

    fn snapshot(&self, request: &PageRequest) -> Snapshot {
        let drafts = self.runs.iter().rev().map(|run| run.draft.clone()).collect();
        Snapshot { seq: Seq(self.seq), page: self.page(request), drafts, stats: self.stats() }
    }

    pub fn page(&self, request: &PageRequest) -> Page<Row> {
        let PageRequest { filter, after, limit } = request;
        let beyond = |n: i64| after.is_none_or(|Position(at)| if newest_first(filter) { n < at } else { n > at });
        let fits = |d: &&Detail| beyond(d.feedback.n) && d.matches(filter, NOW);
        let mut rows: Vec<Row> = self.reports.iter().filter(fits).map(|d| Row::of(&d.feedback)).collect();
        if newest_first(filter) {
            rows.reverse();
        }
        let more = rows.len() > *limit;
        rows.truncate(*limit);
        let next = rows.last().filter(|_| more).map(Row::position);
        Page { seq: Seq(self.seq), rows, next }
    }

    pub fn stats(&self) -> Stats {
        Stats {
            total: self.reports.len() as i64,
            unreviewed: self.reports.iter().filter(|d| !d.feedback.reviewed).count() as i64,
            note_count: self.reports.iter().map(|d| d.feedback.note_count).sum(),
            ..Stats::default()
        }
    }

    fn facets(&self) -> Facets {
        let mut names: Vec<&str> = self.reports.iter().map(|d| d.feedback.report.server_name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let server = names.into_iter().map(|name| Count { value: name.to_owned(), count: 1 }).collect();
        Facets { server, ..Facets::default() }
    }
}

fn side(run: &DraftDetail) -> Side {
    let draft = EarlierDraft { id: run.draft.id.clone(), number: run.draft.number };
    Side { draft, base: format!("{:07}c0ffee", run.draft.number) }
}

fn newest_first(filter: &Filter) -> bool {
    filter.order() == Sort::Newest
}

/// Ten seconds each, the last one still running if the run is.
fn stages(state: &DraftState, minutes: i64) -> Vec<StageRecord> {
    let last = match state {
        DraftState::Queued | DraftState::Cancelled { stage: None } => return Vec::new(),
        DraftState::Published { .. } => Stage::Publish,
        DraftState::Waiting { .. } => Stage::Review,
        DraftState::Running { stage }
        | DraftState::Failed { stage, .. }
        | DraftState::Cancelled { stage: Some(stage) } => *stage,
    };
    let begun = NOW.minus(minutes * MINUTE);
    let record = |(i, stage): (usize, &Stage)| {
        let started_at = begun.plus(i as i64 * 10_000);
        let running = !state.is_over() && *stage == last;
        let ended_at = (!running).then_some(started_at.plus(10_000));
        StageRecord { stage: *stage, started_at, ended_at, details: vec![format!("what {stage} did")] }
    };
    let goes = |stage: &&Stage| **stage <= last && (!stage.is_optional() || **stage == last);
    Stage::ALL.iter().filter(goes).enumerate().map(record).collect()
}

pub fn published(pr_url: &str) -> DraftState {
    DraftState::Published {
        published: Published {
            branch: "patchwork/search-costs-4f2a".into(),
            commit: "c0ffee".into(),
            pr_url: pr_url.into(),
            repository: if pr_url.is_empty() { "/home/ada/billing".into() } else { "ada/billing".into() },
        },
    }
}

pub fn ranked(path: &str, score: f64, reasons: &[&str], tokens: usize) -> RankedFile {
    let reasons = reasons.iter().map(|r| (*r).to_owned()).collect();
    let left_out = if tokens == 0 { "no room was left".to_owned() } else { String::new() };
    RankedFile { path: path.into(), score, reasons, tokens, whole: tokens > 0, lines: Vec::new(), left_out }
}

/// A screen at a desk.
pub struct Sitting {
    pub scene: Scene,
    pub desk: Desk,
}

impl Sitting {
    pub fn begin(width: u16, height: u16, desk: Desk) -> Self {
        Self::with(Scene::new(width, height), desk)
    }

    pub fn with(mut scene: Scene, desk: Desk) -> Self {
        let begun = std::mem::take(&mut scene.begun);
        let mut sitting = Self { scene, desk };
        sitting.carry_out(begun);
        sitting
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut waiting = VecDeque::from(effects);
        let mut done = 0;
        while let Some(effect) = waiting.pop_front() {
            done += 1;
            assert!(done < 1_000, "the screen never stops asking: {effect:?}");
            for message in self.desk.carry_out(effect) {
                waiting.extend(self.scene.send(message));
            }
        }
    }

    pub fn send(&mut self, message: Msg) {
        let effects = self.scene.send(message);
        self.carry_out(effects);
    }

    /// Keys by their names, separated by spaces.
    pub fn keys(&mut self, names: &str) -> &mut Self {
        for name in names.split_whitespace() {
            let effects = self.scene.key(name);
            self.carry_out(effects);
        }
        self
    }

    pub fn click(&mut self, column: u16, row: u16) {
        let effects = self.scene.click(column, row);
        self.carry_out(effects);
    }

    pub fn type_text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            let effects = self.scene.type_text(c.encode_utf8(&mut [0; 4]));
            self.carry_out(effects);
        }
        self
    }

    pub fn arrive(&mut self, json: Value) {
        let news = self.desk.arrive(json);
        self.send(news);
    }

    /// Output of a run's current stage.
    pub fn progress(&mut self, run: &DraftId, bytes: i64, tail: &str) {
        let stage = self.desk.run_mut(run).draft.state.stage().unwrap();
        self.send(Msg::Signal(Signal::Progress(Progress { draft: run.clone(), stage, bytes, tail: tail.into() })));
    }
}
