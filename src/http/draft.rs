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
use serde_json::json;

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
    let command = Command::StartDraft { feedback, force, drafter: None, target: None };
    let receipt = app.engine().submit(key.or_new(), actor(), command).await?;
    match receipt.made {
        Made::Draft(draft) => {
            let story = Story::new(app.engine().clone(), draft, receipt.seq);
            Ok(sse::answer(story.events(), place, closing))
        }
        Made::Feedback(_) | Made::Note(_) | Made::Nothing => Err(key_used_elsewhere()),
    }
}

/// A run being told: what was said of it so far.
struct Story {
    engine: Engine,
    draft: DraftId,
    signals: BoxStream<'static, Signal>,
    /// For each stage that was announced, the number of its details told.
    told: Vec<usize>,
    ended: bool,
}

impl Story {
    fn new(engine: Engine, draft: DraftId, seq: Seq) -> Self {
        // From before the run's first event, so that there is a signal at once even when the run is over already.
        let signals = engine.watch(Seq(seq.0 - 1));
        Self { engine, draft, signals, told: Vec::new(), ended: false }
    }

    fn events(self) -> impl Stream<Item = Event> + Send {
        stream::unfold(self, Self::next).flat_map(stream::iter)
    }

    /// Waits for something about this run and tells what is new; the end after its end.
    async fn next(mut self) -> Option<(Vec<Event>, Self)> {
        if self.ended {
            return None;
        }
        while let Some(signal) = self.signals.next().await {
            if self.concerns(&signal) {
                let events = match self.engine.draft(&self.draft).await {
                    Ok(detail) => self.news(&detail),
                    Err(refusal) => self.end(sse::event("error", &refusal.detail)),
                };
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

    fn end(&mut self, last: Event) -> Vec<Event> {
        self.ended = true;
        vec![last]
    }

    fn news(&mut self, now: &DraftDetail) -> Vec<Event> {
        let mut events = Vec::new();
        for (i, record) in now.stages.iter().enumerate() {
            if i == self.told.len() {
                events.push(sse::event("step", &record.stage.title()));
                self.told.push(0);
            }
            events.extend(record.details.iter().skip(self.told[i]).map(|line| sse::event("detail", line)));
            self.told[i] = record.details.len().max(self.told[i]);
        }
        events.extend(match &now.draft.state {
            DraftState::Queued | DraftState::Running { .. } => Vec::new(),
            DraftState::Published { published } => {
                self.end(sse::event("done", &json!({"pr_url": published.pr_url, "branch": published.branch})))
            }
            DraftState::Failed { reason, .. } => self.end(sse::event("error", reason)),
            DraftState::Cancelled { .. } => {
                self.end(sse::event("error", &"the draft was cancelled; start it again when you want it"))
            }
        });
        events
    }
}
