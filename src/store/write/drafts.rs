//! The changes of a draft run.

use super::super::artifacts::ArtifactName;
use super::super::error::StoreError;
use super::super::reads;
use super::{NewDraft, Writing, Written};
use crate::domain::draft::{DraftState, Stage, Usage};
use crate::domain::id::DraftId;
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
        let active = "SELECT count(*) FROM drafts WHERE feedback_n = ?1 AND state IN ('queued', 'running')";
        if self.tx.query_row(active, [feedback_n], |r| r.get::<_, i64>(0))? > 0 {
            return Err(StoreError::Conflict(
                "a draft of this report is running: wait for it, or cancel it first".into(),
            ));
        }
        let drafted: bool =
            self.tx.query_row("SELECT drafted FROM feedback WHERE n = ?1", [feedback_n], |r| r.get(0))?;
        if drafted && !new.force {
            return Err(StoreError::Conflict(
                "this report has a draft already: ask for a re-draft to make another (`D` on the screen, `--again`, `force=true`)".into(),
            ));
        }
        let made = Made::Draft(new.id.clone());
        self.tx.execute(
            "INSERT INTO drafts (id, feedback_n, number, state, drafter, model, target, created_at, updated_at)
             VALUES (?1, ?2, (SELECT count(*) + 1 FROM drafts WHERE feedback_n = ?2), 'queued', ?3, ?4, ?5, ?6, ?6)",
            params![new.id.as_str(), feedback_n, new.drafter.as_str(), new.model, new.target.as_str(), self.write.at.0],
        )?;
        let n = self.tx.last_insert_rowid();
        let seq = self.event(EventKind::DraftQueued, &made, (None, Some(n)), "")?;
        Ok(Written { seq, made, replayed: false })
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
        if let DraftState::Running { stage } = draft.state {
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
            DraftState::Queued
            | DraftState::Running { .. }
            | DraftState::Published { .. }
            | DraftState::Cancelled { .. } => "",
        };
        self.tx.execute(
            "UPDATE drafts SET state = ?2, stage = ?3, reason = ?4, updated_at = ?5 WHERE n = ?1",
            params![n, to.word(), to.stage().map(Stage::as_str), reason, self.write.at.0],
        )?;
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

    pub(super) fn set_usage(&self, id: &DraftId, usage: Usage) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        self.tx.execute(
            "UPDATE drafts SET input_tokens = ?2, output_tokens = ?3, cached_tokens = ?4 WHERE n = ?1",
            params![n, usage.input_tokens, usage.output_tokens, usage.cached_tokens],
        )?;
        self.nothing()
    }
}
