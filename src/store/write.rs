//! Changes, and how each becomes rows and events inside the writer's transaction.

use super::artifacts::ArtifactName;
use super::counts::{self, Kind};
use super::error::StoreError;
use super::log::{self, Entry};
use super::reads;
use super::rows::opt;
use crate::domain::draft::{DraftState, DrafterKind, Stage, TargetKind, Usage};
use crate::domain::feedback::{Report, Resolution};
use crate::domain::id::{CommandId, DraftId, FeedbackId, NoteId};
use crate::domain::time::Millis;
use crate::protocol::{Actor, EventKind, Made, Seq};
use rusqlite::{Connection, OptionalExtension, params};

/// Longest log of a run that is kept, in characters.
const MAX_LOG_CHARS: i64 = 1_000_000;

/// One change with its sender.
#[derive(Debug)]
pub struct Write {
    pub command: Option<CommandId>,
    pub actor: Actor,
    pub at: Millis,
    pub change: Change,
}

/// A run to be queued.
#[derive(Debug)]
pub struct NewDraft {
    pub id: DraftId,
    pub feedback: FeedbackId,
    /// Although one was published already.
    pub force: bool,
    pub drafter: DrafterKind,
    pub model: String,
    pub target: TargetKind,
}

#[derive(Debug)]
pub enum Change {
    /// An id that is there already is a repeat: nothing is stored and the first answer is given.
    InsertFeedback {
        id: FeedbackId,
        report: Box<Report>,
    },
    InsertNote {
        id: NoteId,
        feedback: FeedbackId,
        content: String,
    },
    SetReviewed {
        feedback: Vec<FeedbackId>,
        reviewed: bool,
    },
    InsertDraft(NewDraft),
    /// Refused when the move is not legal, which is how two ends of one run can't both be written.
    MoveDraft {
        draft: DraftId,
        to: DraftState,
    },
    AddDetail {
        draft: DraftId,
        stage: Stage,
        line: String,
    },
    SaveArtifact {
        draft: DraftId,
        name: ArtifactName,
        content: String,
    },
    /// Adds to what the run printed; the oldest part goes when it is too long.
    AppendLog {
        draft: DraftId,
        text: String,
    },
    /// Ends a run that is queued or running, wherever it is just now.
    CancelDraft {
        draft: DraftId,
    },
    /// The same, because something went wrong.
    FailDraft {
        draft: DraftId,
        reason: String,
    },
    /// All that the run has used so far.
    SetUsage {
        draft: DraftId,
        usage: Usage,
    },
    PutSettings(Vec<(&'static str, String)>),
    /// Shortens the log: entries before `before`, as long as `keep` stay.
    PruneLog {
        before: Millis,
        keep: i64,
    },
}

/// The answer to a write: it is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub seq: Seq,
    pub made: Made,
    pub replayed: bool,
}

/// Carries one write out inside the caller's transaction. On an error the caller undoes what this did.
pub(super) fn apply(tx: &Connection, write: &Write) -> Result<Written, StoreError> {
    if let Some(command) = &write.command
        && let Some((seq, made)) = log::answer(tx, command)?
    {
        return Ok(Written { seq, made, replayed: true });
    }
    let w = Writing { tx, write };
    match &write.change {
        Change::InsertFeedback { id, report } => w.insert_feedback(id, report),
        Change::InsertNote { id, feedback, content } => w.insert_note(id, feedback, content),
        Change::SetReviewed { feedback, reviewed } => w.set_reviewed(feedback, *reviewed),
        Change::InsertDraft(new) => w.insert_draft(new),
        Change::MoveDraft { draft, to } => w.move_draft(draft, to),
        Change::AddDetail { draft, stage, line } => w.add_detail(draft, *stage, line),
        Change::SaveArtifact { draft, name, content } => w.save_artifact(draft, *name, content),
        Change::AppendLog { draft, text } => w.append_log(draft, text),
        Change::CancelDraft { draft } => w.end_draft(draft, |stage| DraftState::Cancelled { stage }),
        Change::FailDraft { draft, reason } => w.end_draft(draft, |stage| DraftState::Failed {
            stage: stage.unwrap_or(Stage::Checkout),
            reason: reason.clone(),
        }),
        Change::SetUsage { draft, usage } => w.set_usage(draft, *usage),
        Change::PutSettings(pairs) => w.put_settings(pairs),
        Change::PruneLog { before, keep } => {
            log::prune(tx, *before, *keep)?;
            w.nothing()
        }
    }
}

/// A write that is being carried out.
struct Writing<'a> {
    tx: &'a Connection,
    write: &'a Write,
}

impl Writing<'_> {
    fn event(
        &self,
        kind: EventKind,
        made: &Made,
        rows: (Option<i64>, Option<i64>),
        text: &str,
    ) -> Result<Seq, StoreError> {
        log::append(
            self.tx,
            &Entry {
                at: self.write.at,
                kind,
                actor: &self.write.actor,
                command: self.write.command.as_ref(),
                made,
                feedback_n: rows.0,
                draft_n: rows.1,
                text,
            },
        )
    }

    fn nothing(&self) -> Result<Written, StoreError> {
        Ok(Written { seq: log::newest(self.tx)?, made: Made::Nothing, replayed: false })
    }

    fn feedback_n(&self, id: &FeedbackId) -> Result<i64, StoreError> {
        let mut select = self.tx.prepare_cached("SELECT n FROM feedback WHERE id = ?1")?;
        let n = select.query_row([id.as_str()], |r| r.get(0)).optional()?;
        n.ok_or_else(|| StoreError::NotFound { what: "report", id: id.to_string() })
    }

    fn draft_n(&self, id: &DraftId) -> Result<i64, StoreError> {
        let mut select = self.tx.prepare_cached("SELECT n FROM drafts WHERE id = ?1")?;
        let n = select.query_row([id.as_str()], |r| r.get(0)).optional()?;
        n.ok_or_else(|| StoreError::NotFound { what: "draft", id: id.to_string() })
    }

    fn insert_feedback(&self, id: &FeedbackId, r: &Report) -> Result<Written, StoreError> {
        let made = Made::Feedback(id.clone());
        let tools = serde_json::to_string(&r.tools_available).map_err(|e| StoreError::Stored(e.to_string()))?;
        let extra = serde_json::to_string(&r.extra).map_err(|e| StoreError::Stored(e.to_string()))?;
        let inserted = self
            .tx
            .prepare_cached(
                "INSERT INTO feedback (id, received_at, server_name, gap_type, gap_type_raw, resolution, resolution_raw,
                     has_suggestion, client_type, agent_model, session_id, what_i_needed, what_i_tried, suggestion, user_goal,
                     tools_available, extra)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
                 ON CONFLICT (id) DO NOTHING",
            )?
            .execute(params![
                id.as_str(),
                self.write.at.0,
                r.server_name,
                r.gap_type.as_str(),
                r.gap_type_raw,
                r.resolution.map(Resolution::as_str),
                r.resolution_raw,
                !r.suggestion.is_empty(),
                opt(&r.client_type),
                opt(&r.agent_model),
                opt(&r.session_id),
                r.what_i_needed,
                r.what_i_tried,
                r.suggestion,
                r.user_goal,
                tools,
                extra,
            ])?;
        if inserted == 0 {
            return Ok(Written { seq: log::newest(self.tx)?, made, replayed: true });
        }
        let n = self.tx.last_insert_rowid();
        let seq = self.event(EventKind::FeedbackRecorded, &made, (Some(n), None), "")?;
        Ok(Written { seq, made, replayed: false })
    }

    fn insert_note(&self, id: &NoteId, feedback: &FeedbackId, content: &str) -> Result<Written, StoreError> {
        let n = self.feedback_n(feedback)?;
        let made = Made::Note(id.clone());
        self.tx
            .prepare_cached("INSERT INTO notes (id, feedback_n, at, author, content) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![id.as_str(), n, self.write.at.0, self.write.actor.name, content])?;
        self.tx.prepare_cached("UPDATE feedback SET note_count = note_count + 1 WHERE n = ?1")?.execute([n])?;
        let seq = self.event(EventKind::NoteAdded, &made, (Some(n), None), "")?;
        Ok(Written { seq, made, replayed: false })
    }

    fn set_reviewed(&self, ids: &[FeedbackId], reviewed: bool) -> Result<Written, StoreError> {
        let mut last = None;
        let mut all = 0;
        for id in ids {
            let n = self.feedback_n(id)?;
            let changed = self
                .tx
                .prepare_cached("UPDATE feedback SET reviewed = ?2 WHERE n = ?1 AND reviewed <> ?2")?
                .execute(params![n, reviewed])?;
            all += changed as i64;
            if changed > 0 {
                last = Some(self.event(EventKind::FeedbackReviewed, &Made::Nothing, (Some(n), None), "")?);
            }
        }
        if all > 0 {
            counts::add(self.tx, Kind::Unreviewed, "", if reviewed { -all } else { all })?;
        }
        match last {
            Some(seq) => Ok(Written { seq, made: Made::Nothing, replayed: false }),
            None => self.nothing(),
        }
    }

    fn insert_draft(&self, new: &NewDraft) -> Result<Written, StoreError> {
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

    fn move_draft(&self, id: &DraftId, to: &DraftState) -> Result<Written, StoreError> {
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

    fn add_detail(&self, id: &DraftId, stage: Stage, line: &str) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        self.tx.execute(
            "UPDATE draft_stages SET details = json_insert(details, '$[#]', ?3) WHERE draft_n = ?1 AND stage = ?2",
            params![n, stage.as_str(), line],
        )?;
        let seq = self.event(EventKind::DraftDetailAdded, &Made::Nothing, (None, Some(n)), line)?;
        Ok(Written { seq, made: Made::Nothing, replayed: false })
    }

    fn save_artifact(&self, id: &DraftId, name: ArtifactName, content: &str) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        self.tx.execute(
            "INSERT INTO draft_artifacts (draft_n, name, content) VALUES (?1, ?2, ?3)
             ON CONFLICT (draft_n, name) DO UPDATE SET content = excluded.content",
            params![n, name.as_str(), content],
        )?;
        self.nothing()
    }

    fn append_log(&self, id: &DraftId, text: &str) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        self.tx.execute(
            "INSERT INTO draft_artifacts (draft_n, name, content) VALUES (?1, 'log', ?2)
             ON CONFLICT (draft_n, name) DO UPDATE SET content = substr(content || excluded.content, -?3)",
            params![n, text, MAX_LOG_CHARS],
        )?;
        self.nothing()
    }

    /// Moves a run to an end that depends on the stage it is in, decided inside the transaction.
    fn end_draft(&self, id: &DraftId, end: impl Fn(Option<Stage>) -> DraftState) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        let stage = reads::draft_by_number(self.tx, n)?.and_then(|draft| draft.state.stage());
        self.move_draft(id, &end(stage))
    }

    fn set_usage(&self, id: &DraftId, usage: Usage) -> Result<Written, StoreError> {
        let n = self.draft_n(id)?;
        self.tx.execute(
            "UPDATE drafts SET input_tokens = ?2, output_tokens = ?3, cached_tokens = ?4 WHERE n = ?1",
            params![n, usage.input_tokens, usage.output_tokens, usage.cached_tokens],
        )?;
        self.nothing()
    }

    fn put_settings(&self, pairs: &[(&'static str, String)]) -> Result<Written, StoreError> {
        for (key, value) in pairs {
            self.tx.execute(
                "INSERT INTO settings (key, value, updated_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
                params![key, value, self.write.at.0],
            )?;
        }
        let seq = self.event(EventKind::SettingsSaved, &Made::Nothing, (None, None), "")?;
        Ok(Written { seq, made: Made::Nothing, replayed: false })
    }
}
