//! The changes of a draft run.

use super::super::artifacts::ArtifactName;
use super::super::error::StoreError;
use super::super::reads;
use super::{NewDraft, Writing, Written};
use crate::domain::draft::{Cost, Draft, DraftState, PullState, PullStatus, Stage, Usage, Verdict};
use crate::domain::id::DraftId;
use crate::domain::review::Choices;
use crate::protocol::{EventKind, Made};
use rusqlite::{OptionalExtension, params};

/// Longest log of a run that is kept, in characters.
const MAX_LOG_CHARS: i64 = 1_000_000;

impl Writing<'_> {
    fn draft_n(&self, id: &DraftId) -> Result<i64, StoreError> {
        let mut select = self.tx.prepare_cached("SELECT n FROM drafts WHERE id = ?1")?;
        let n = select.query_row([id.as_str()], |r| r.get(0)).optional()?;
        n.ok_or_else(|| StoreError::NotFound { what: "draft", id: id.to_string() })
    }

    pub(super) fn insert_draft(&self, new: &NewDraft) -> Result<Written, StoreError> {
        let feedback_n = self.feedback_n(&new.feedback)?;
        self.make_way(feedback_n, new.force)?;
        let drafted: bool =
            self.tx.query_row("SELECT drafted FROM feedback WHERE n = ?1", [feedback_n], |r| r.get(0))?;
        if drafted && !new.force {
            return Err(StoreError::Conflict(
                "this report has a draft already: ask for a re-draft to make another (`D` on the screen, `--again`, `force=true`)".into(),
            ));
        }
        let made = Made::Draft(new.id.clone());
        self.tx.execute(
            "INSERT INTO drafts (id, feedback_n, number, state, drafter, model, target, created_at, updated_at, confirm)
             VALUES (?1, ?2, (SELECT count(*) + 1 FROM drafts WHERE feedback_n = ?2), 'queued', ?3, ?4, ?5, ?6, ?6, ?7)",
            params![
                new.id.as_str(),
                feedback_n,
                new.drafter.as_str(),
                new.model,
                new.target.as_str(),
                self.write.at.0,
                new.confirm
            ],
        )?;
        let n = self.tx.last_insert_rowid();
        let seq = self.event(EventKind::DraftQueued, &made, (None, Some(n)), "")?;
        Ok(Written { seq, made, replayed: false })
    }

    /// One run of a report at a time. A re-draft takes the place of a change that still waits for its review.
    fn make_way(&self, feedback_n: i64, force: bool) -> Result<(), StoreError> {
        let sql = "SELECT id, state FROM drafts WHERE feedback_n = ?1 AND state IN ('queued', 'running', 'waiting')";
        let in_the_way: Option<(String, String)> =
            self.tx.query_row(sql, [feedback_n], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
        match in_the_way {
            None => Ok(()),
            Some((id, state)) if state == "waiting" && force => {
                let discarded = DraftState::Cancelled { stage: Some(Stage::Review) };
                self.move_draft(&DraftId::trusted(id), &discarded).map(drop)
            }
            Some((_, state)) if state == "waiting" => Err(StoreError::Conflict(
                "a draft of this report waits for your review: publish or discard it, or draft again to replace it"
                    .into(),
            )),
            Some(_) => {
                Err(StoreError::Conflict("a draft of this report is running: wait for it, or stop it first (`x` on the screen, `patchwork discard REPORT --stop`)".into()))
            }
        }
    }

    pub(super) fn move_draft(&self, id: &DraftId, to: &DraftState) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        let Some(draft) = reads::draft_by_number(self.tx, n)? else {
            return Err(StoreError::NotFound { what: "draft", id: id.to_string() });
        };
        if !draft.state.may_become(to) {
            let (from, to) = (draft.state.word(), to.word());
            return Err(StoreError::Conflict(format!("this draft is {from} and can't become {to}")));
        }
        self.store_state(n, to)?;
        let waits = |state: &DraftState| matches!(state, DraftState::Waiting { .. });
        // The review goes on for as long as the change waits.
        let over = draft.state.stage().filter(|stage| !(waits(to) && *stage == Stage::Review));
        if let Some(stage) = over {
            self.tx.execute(
                "UPDATE draft_stages SET ended_at = ?3 WHERE draft_n = ?1 AND stage = ?2",
                params![n, stage.as_str(), self.write.at.0],
            )?;
            self.event(EventKind::DraftStageDone, &Made::Nothing, (None, Some(n)), stage.as_str())?;
        }
        let seq = match to {
            DraftState::Queued => return self.nothing(),
            DraftState::Running { stage } => {
                self.tx.execute(
                    "INSERT INTO draft_stages (draft_n, stage, started_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                    params![n, stage.as_str(), self.write.at.0],
                )?;
                self.event(EventKind::DraftStageStarted, &Made::Nothing, (None, Some(n)), stage.as_str())?
            }
            DraftState::Waiting { trouble } => {
                self.event(EventKind::DraftWaiting, &Made::Nothing, (None, Some(n)), trouble)?
            }
            DraftState::Published { published } => {
                let feedback_n: i64 =
                    self.tx.query_row("SELECT feedback_n FROM drafts WHERE n = ?1", [n], |r| r.get(0))?;
                self.tx.execute(
                    "UPDATE feedback SET drafted = 1, pr_url = ?2 WHERE n = ?1",
                    params![feedback_n, published.pr_url],
                )?;
                self.event(EventKind::DraftPublished, &Made::Nothing, (Some(feedback_n), Some(n)), "")?
            }
            DraftState::Failed { reason, .. } => {
                self.event(EventKind::DraftFailed, &Made::Nothing, (None, Some(n)), reason)?
            }
            DraftState::Cancelled { .. } => {
                self.event(EventKind::DraftCancelled, &Made::Nothing, (None, Some(n)), "")?
            }
        };
        Ok(Written { seq, made: Made::Draft(id.clone()), replayed: false })
    }

    fn store_state(&self, n: i64, to: &DraftState) -> Result<(), StoreError> {
        let reason = match to {
            DraftState::Failed { reason, .. } => reason.as_str(),
            DraftState::Waiting { trouble } => trouble.as_str(),
            DraftState::Queued
            | DraftState::Running { .. }
            | DraftState::Published { .. }
            | DraftState::Cancelled { .. } => "",
        };
        self.tx.execute(
            "UPDATE drafts SET state = ?2, stage = ?3, reason = ?4, updated_at = ?5 WHERE n = ?1",
            params![n, to.word(), to.stage().map(Stage::as_str), reason, self.write.at.0],
        )?;
        if matches!(to, DraftState::Waiting { .. }) {
            // Whoever started it asked for no review, but now somebody has to decide.
            self.tx.execute("UPDATE drafts SET confirm = 1 WHERE n = ?1", [n])?;
        }
        if let DraftState::Published { published: p } = to {
            self.tx.execute(
                "UPDATE drafts SET branch = ?2, commit_id = ?3, pr_url = ?4, repository = ?5 WHERE n = ?1",
                params![n, p.branch, p.commit, p.pr_url, p.repository],
            )?;
        }
        Ok(())
    }

    pub(super) fn add_detail(&self, id: &DraftId, stage: Stage, line: &str) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        self.tx.execute(
            "UPDATE draft_stages SET details = json_insert(details, '$[#]', ?3) WHERE draft_n = ?1 AND stage = ?2",
            params![n, stage.as_str(), line],
        )?;
        let seq = self.event(EventKind::DraftDetailAdded, &Made::Nothing, (None, Some(n)), line)?;
        Ok(Written { seq, made: Made::Nothing, replayed: false })
    }

    pub(super) fn save_artifact(&self, id: &DraftId, name: ArtifactName, content: &str) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        self.tx.execute(
            "INSERT INTO draft_artifacts (draft_n, name, content) VALUES (?1, ?2, ?3)
             ON CONFLICT (draft_n, name) DO UPDATE SET content = excluded.content",
            params![n, name.as_str(), content],
        )?;
        self.nothing()
    }

    pub(super) fn append_log(&self, id: &DraftId, text: &str) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        self.tx.execute(
            "INSERT INTO draft_artifacts (draft_n, name, content) VALUES (?1, 'log', ?2)
             ON CONFLICT (draft_n, name) DO UPDATE SET content = substr(content || excluded.content, -?3)",
            params![n, text, MAX_LOG_CHARS],
        )?;
        self.nothing()
    }

    /// Moves a run to an end that depends on the stage it is in, decided inside the transaction.
    pub(super) fn end_draft(
        &self,
        id: &DraftId,
        end: impl Fn(Option<Stage>) -> DraftState,
    ) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        let stage = reads::draft_by_number(self.tx, n)?.and_then(|draft| draft.state.stage());
        self.move_draft(id, &end(stage))
    }

    pub(super) fn set_usage(&self, id: &DraftId, usage: Usage, cost: Option<Cost>) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        self.tx.execute(
            "UPDATE drafts SET input_tokens = ?2, output_tokens = ?3, cached_tokens = ?4, cache_written_tokens = ?5,
                 cost = ?6 WHERE n = ?1",
            params![
                n,
                usage.input_tokens,
                usage.output_tokens,
                usage.cached_tokens,
                usage.cache_written_tokens,
                cost.map(|c| c.0)
            ],
        )?;
        self.nothing()
    }

    pub(super) fn edit_review(&self, id: &DraftId, choices: &Choices) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        self.must_wait(n)?;
        let json = serde_json::to_string(choices).map_err(|e| StoreError::Stored(e.to_string()))?;
        self.save_artifact(id, ArtifactName::Choices, &json)?;
        let seq = self.event(EventKind::DraftReviewEdited, &Made::Nothing, (None, Some(n)), "")?;
        Ok(Written { seq, made: Made::Nothing, replayed: false })
    }

    pub(super) fn release(&self, id: &DraftId, despite_failure: bool) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        let draft = self.must_wait(n)?;
        if draft.verdict == Some(Verdict::Failed) && !despite_failure {
            return Err(StoreError::Conflict(
                "the `verify` command failed for this change: draft again with a note, or say that it is to be published all the same (`P` on the screen, `--despite-failure`)".into(),
            ));
        }
        self.move_draft(id, &DraftState::Running { stage: Stage::Publish })
    }

    fn must_wait(&self, n: i64) -> Result<Draft, StoreError> {
        let draft = reads::draft_by_number(self.tx, n)?;
        draft.filter(|d| matches!(d.state, DraftState::Waiting { .. })).ok_or_else(|| {
            StoreError::Conflict(
                "this draft does not wait for a review: only such a change can be edited or published".into(),
            )
        })
    }

    pub(super) fn set_verdict(&self, id: &DraftId, verdict: Verdict) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        self.tx.execute("UPDATE drafts SET verdict = ?2 WHERE n = ?1", params![n, verdict.as_str()])?;
        self.nothing()
    }

    /// A merged pull request closes its report's gap, as far as the code is concerned.
    pub(super) fn set_pull(&self, id: &DraftId, status: &PullStatus, etags: &str) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        let before = reads::draft_by_number(self.tx, n)?.and_then(|draft| draft.pull);
        self.tx.execute(
            "UPDATE drafts SET pull_state = ?2, pull_checks = ?3, pull_looked_at = ?4, pull_etags = ?5 WHERE n = ?1",
            params![n, status.state.as_str(), status.checks.as_str(), status.looked_at.0, etags],
        )?;
        if before.is_some_and(|b| (b.state, b.checks) == (status.state, status.checks)) {
            return self.nothing();
        }
        let feedback_n: i64 = self.tx.query_row("SELECT feedback_n FROM drafts WHERE n = ?1", [n], |r| r.get(0))?;
        if status.state == PullState::Merged {
            self.tx.execute("UPDATE feedback SET merged = 1 WHERE n = ?1", [feedback_n])?;
        }
        let rows = (Some(feedback_n), Some(n));
        let seq = self.event(EventKind::DraftPullRequestChanged, &Made::Nothing, rows, status.state.as_str())?;
        Ok(Written { seq, made: Made::Nothing, replayed: false })
    }
}
