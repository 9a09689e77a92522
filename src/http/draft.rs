//! `POST /api/feedback/{id}/draft-pr`: starts a draft run and tells its story as the original did.
//!
//! `step` when a stage begins, `detail` for each line of what it did, then one `done` or `error`. The run belongs to the engine: it goes on
//! when the client leaves. The story is told from the stored history and not from the signals, which only say when to look
//! again; so a client that repeats its request hears all of it, in order, once.

use super::api::FeedbackPath;
use super::app::App;
use super::error::ApiError;
use super::ingest::{IdempotencyKey, actor, key_used_elsewhere};
use super::query;
use super::sse::{self, Closing};
use crate::domain::draft::DraftState;
use crate::domain::id::DraftId;
use crate::engine::Engine;
use crate::protocol::read::DraftDetail;
use crate::protocol::{Command, Made, Seq, Signal};
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::response::sse::Event;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};

pub(super) async fn draft_pr(
    State(app): State<App>,
    FeedbackPath(feedback): FeedbackPath,
    key: IdempotencyKey,
    Query(pairs): Query<Vec<(String, String)>>,
    closing: Option<Extension<Closing>>,
) -> Result<Response, ApiError> {
    let force = match query::value(&pairs, "force") {
        Some(text) => query::boolean("force", text).map_err(|fault| ApiError::invalid(vec![fault]))?,
        None => false,
    };
    // The place first: a run that nobody could watch is not started.
    let place = app.watcher_place()?;
    let command = Command::StartDraft { feedback, force, drafter: None, target: None, unattended: true };
    let receipt = app.engine().submit(key.or_new(), actor(), command).await?;
    match receipt.made {
        Made::Draft(draft) => {
            let story = Story::new(app.engine().clone(), draft, receipt.seq);
            Ok(sse::answer(story.events(), place, closing))
        }
        Made::Feedback(_) | Made::Note(_) | Made::Nothing => Err(key_used_elsewhere()),
    }
}

/// A run being told.
struct Story {
    engine: Engine,
    draft: DraftId,
    signals: BoxStream<'static, Signal>,
    told: Told,
}

impl Story {
    fn new(engine: Engine, draft: DraftId, seq: Seq) -> Self {
        // From before the run's first event, so that there is a signal at once even when the run is over already.
        let signals = engine.watch(Seq(seq.0 - 1));
        Self { engine, draft, signals, told: Told::default() }
    }

    fn events(self) -> impl Stream<Item = Event> + Send {
        stream::unfold(self, Self::next).flat_map(stream::iter)
    }

    /// Waits for something about this run and tells what is new; the end after its end.
    async fn next(mut self) -> Option<(Vec<Event>, Self)> {
        if self.told.ended {
            return None;
        }
        while let Some(signal) = self.signals.next().await {
            if self.concerns(&signal) {
                let news = match self.engine.draft(&self.draft).await {
                    Ok(now) => self.told.news(&now),
                    Err(refusal) => vec![self.told.last("error", json!(refusal.detail))],
                };
                let events = news.iter().map(|(name, data)| sse::event(name, data)).collect();
                return Some((events, self));
            }
        }
        None
    }

    fn concerns(&self, signal: &Signal) -> bool {
        match signal {
            Signal::Event(event) => event.draft.as_ref().is_some_and(|d| d.id == self.draft),
            Signal::Progress(_) => false,
            Signal::Reset => true,
        }
    }
}

/// The name and the data of one event.
type Line = (&'static str, Value);

/// What was said of a run so far.
#[derive(Debug, Default)]
struct Told {
    /// For each stage that was announced, the number of its details told.
    details: Vec<usize>,
    ended: bool,
}

impl Told {
    /// What `now` has that was not told.
    fn news(&mut self, now: &DraftDetail) -> Vec<Line> {
        let mut lines = Vec::new();
        for (i, record) in now.stages.iter().enumerate() {
            if i == self.details.len() {
                lines.push(("step", json!(record.stage.title())));
                self.details.push(0);
            }
            lines.extend(record.details.iter().skip(self.details[i]).map(|line| ("detail", json!(line))));
            self.details[i] = record.details.len().max(self.details[i]);
        }
        match &now.draft.state {
            // Nobody was to review it, so something went wrong with a finished change; the next publishing is another story.
            DraftState::Waiting { trouble } if !trouble.is_empty() => lines.push(self.last("error", json!(trouble))),
            DraftState::Queued | DraftState::Running { .. } | DraftState::Waiting { .. } => {}
            DraftState::Published { published } => {
                lines.push(self.last("done", json!({"pr_url": published.pr_url, "branch": published.branch})));
            }
            DraftState::Failed { reason, .. } => lines.push(self.last("error", json!(reason))),
            DraftState::Cancelled { .. } => {
                lines.push(self.last("error", json!("the draft was cancelled; start it again when you want it")));
            }
        }
        lines
    }

    fn last(&mut self, name: &'static str, data: Value) -> Line {
        self.ended = true;
        (name, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::draft::{Draft, DrafterKind, Published, Stage, StageRecord, TargetKind, Usage};
    use crate::domain::id::FeedbackId;
    use crate::domain::review::Choices;
    use crate::domain::time::Millis;

    fn run(state: DraftState, stages: &[(Stage, &[&str])]) -> DraftDetail {
        let draft = Draft {
            id: DraftId::trusted("d"),
            feedback_id: FeedbackId::trusted("f"),
            headline: String::new(),
            server_name: String::new(),
            number: 1,
            state,
            drafter: DrafterKind::Command,
            model: String::new(),
            target: TargetKind::Local,
            created_at: Millis(0),
            updated_at: Millis(0),
            usage: Usage::default(),
            cost: None,
            confirm: false,
            verdict: None,
            pull: None,
        };
        let record = |(stage, details): &(Stage, &[&str])| StageRecord {
            stage: *stage,
            started_at: Millis(0),
            ended_at: None,
            details: details.iter().map(|d| (*d).to_owned()).collect(),
        };
        let stages = stages.iter().map(record).collect();
        DraftDetail {
            draft,
            stages,
            files: Vec::new(),
            diff: String::new(),
            log: String::new(),
            proposal: None,
            choices: Choices::default(),
            earlier: None,
        }
    }

    fn running(stage: Stage) -> DraftState {
        DraftState::Running { stage }
    }

    #[test]
    fn everything_is_told_once_and_in_order() {
        let published = Published {
            branch: "patchwork/x".into(),
            commit: "c".into(),
            pr_url: "https://x/1".into(),
            repository: "o/r".into(),
        };
        let mut told = Told::default();
        assert_eq!(told.news(&run(DraftState::Queued, &[])), []);
        let now = run(running(Stage::Checkout), &[(Stage::Checkout, &["cloned"])]);
        assert_eq!(told.news(&now), [("step", json!("Check out the repository")), ("detail", json!("cloned"))]);
        assert_eq!(told.news(&now), [], "a second signal for the same state has nothing new");
        let stages: &[(Stage, &[&str])] =
            &[(Stage::Checkout, &["cloned", "at c0ffee"]), (Stage::Context, &["a \u{1b}[31m"])];
        assert_eq!(
            told.news(&run(DraftState::Published { published }, stages)),
            [
                ("detail", json!("at c0ffee")),
                ("step", json!("Choose the files that matter")),
                ("detail", json!("a \u{1b}[31m")),
                ("done", json!({"pr_url": "https://x/1", "branch": "patchwork/x"})),
            ]
        );
        assert!(told.ended);
    }

    #[test]
    fn a_run_that_is_over_is_told_whole_and_ends() {
        for (state, word) in [
            (DraftState::Failed { stage: Stage::Model, reason: "out of credit".into() }, "out of credit"),
            (DraftState::Cancelled { stage: None }, "cancelled"),
            (DraftState::Waiting { trouble: "the push was refused".into() }, "push was refused"),
        ] {
            let mut told = Told::default();
            let lines = told.news(&run(state, &[(Stage::Checkout, &["cloned"])]));
            let names: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, ["step", "detail", "error"]);
            assert!(lines[2].1.as_str().unwrap().contains(word));
            assert!(told.ended);
        }
    }
}
