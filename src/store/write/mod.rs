//! Changes, and how each becomes rows and events inside the writer's transaction.

mod drafts;

use super::artifacts::ArtifactName;
use super::counts::{self, Kind};
use super::error::StoreError;
use super::log::{self, Entry};
use super::rows::opt;
use super::servers;
use crate::domain::draft::{Cost, DraftState, DrafterKind, PullStatus, Stage, TargetKind, Usage, Verdict};
use crate::domain::feedback::{Report, Resolution};
use crate::domain::id::{CommandId, DraftId, FeedbackId, NoteId};
use crate::domain::review::Choices;
use crate::domain::server::Heartbeat;
use crate::domain::time::Millis;
use crate::protocol::{Actor, EventKind, Made, Seq};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use std::slice;

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
    /// It is to stop for a review.
    pub confirm: bool,
}

#[derive(Debug)]
pub enum Change {
    /// An id that is there already is a repeat: nothing is stored and the first answer is given.
    InsertFeedback {
        id: FeedbackId,
        report: Box<Report>,
        reviewed: bool,
    },
    InsertNote {
        id: NoteId,
        feedback: FeedbackId,
        content: String,
        public: bool,
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
    /// What somebody decided about a change that waits for a review.
    EditReview {
        draft: DraftId,
        choices: Box<Choices>,
    },
    /// The reviewer wants it published: from waiting to the last stage.
    Release {
        draft: DraftId,
        despite_failure: bool,
    },
    /// What was said with the model, and all that the run has used for it: neither is known without the other.
    SaveConversation {
        draft: DraftId,
        content: String,
        usage: Usage,
        cost: Option<Cost>,
    },
    /// How `verify` ended: the word that decides what may be published, and what it is about.
    SaveVerified {
        draft: DraftId,
        content: String,
        verdict: Verdict,
    },
    /// A pull request was looked at. An event only where something changed.
    SetPull {
        draft: DraftId,
        status: PullStatus,
        /// What the server wants to hear next time, as JSON.
        etags: String,
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
    /// Changes a row in place; an event only where it brings news.
    RecordHeartbeat(Box<Heartbeat>),
    PutSettings(Vec<(&'static str, String)>),
    /// Settings that are kept in files were changed: only an event, which names them.
    NoteSettings {
        what: String,
    },
    /// Shortens the log: entries before `before`, as long as `keep` stay.
    PruneLog {
        before: Millis,
        keep: i64,
    },
}

impl Change {
    /// The reports that it names; none where it is known by something else.
    fn reports(&self) -> &[FeedbackId] {
        match self {
            Self::InsertNote { feedback, .. } => slice::from_ref(feedback),
            Self::SetReviewed { feedback, .. } => feedback,
            Self::InsertDraft(new) => slice::from_ref(&new.feedback),
            Self::InsertFeedback { .. }
            | Self::MoveDraft { .. }
            | Self::AddDetail { .. }
            | Self::SaveArtifact { .. }
            | Self::EditReview { .. }
            | Self::Release { .. }
            | Self::SaveConversation { .. }
            | Self::SaveVerified { .. }
            | Self::SetPull { .. }
            | Self::AppendLog { .. }
            | Self::CancelDraft { .. }
            | Self::FailDraft { .. }
            | Self::RecordHeartbeat(_)
            | Self::PutSettings(_)
            | Self::NoteSettings { .. }
            | Self::PruneLog { .. } => &[],
        }
    }
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
    let w = Writing { tx, write };
    if let Some(command) = &write.command
        && let Some(first) = log::answer(tx, command)?
    {
        return w.repeat(first);
    }
    match &write.change {
        Change::InsertFeedback { id, report, reviewed } => w.insert_feedback(id, report, *reviewed),
        Change::InsertNote { id, feedback, content, public } => w.insert_note(id, feedback, content, *public),
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
        Change::EditReview { draft, choices } => w.edit_review(draft, choices),
        Change::Release { draft, despite_failure } => w.release(draft, *despite_failure),
        Change::SaveConversation { draft, content, usage, cost } => {
            w.set_usage(draft, *usage, *cost)?;
            w.save_artifact(draft, ArtifactName::Conversation, content)
        }
        Change::SaveVerified { draft, content, verdict } => {
            w.set_verdict(draft, *verdict)?;
            w.save_artifact(draft, ArtifactName::Verified, content)
        }
        Change::SetPull { draft, status, etags } => w.set_pull(draft, status, etags),
        Change::RecordHeartbeat(beat) => w.record_heartbeat(beat),
        Change::PutSettings(pairs) => w.put_settings(pairs),
        Change::NoteSettings { what } => w.settings_saved(what),
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

    /// A command that was seen before gets its first answer again, but not for another report: who has one key for everything would lose
    /// all but the first note, and never hear of it.
    fn repeat(&self, first: log::Answer) -> Result<Written, StoreError> {
        let mut named = self.write.change.reports().iter().peekable();
        if named.peek().is_some() {
            let numbers = named.map(|id| self.feedback_n(id)).collect::<Result<Vec<_>, _>>()?;
            if first.feedback_n.is_none_or(|n| !numbers.contains(&n)) {
                return Err(StoreError::Conflict(
                    "this key was used for another request: make a new key for each request, and keep it for its repeats".into(),
                ));
            }
        }
        Ok(Written { seq: first.seq, made: first.made, replayed: true })
    }

    fn nothing(&self) -> Result<Written, StoreError> {
        Ok(Written { seq: log::newest(self.tx)?, made: Made::Nothing, replayed: false })
    }

    fn feedback_n(&self, id: &FeedbackId) -> Result<i64, StoreError> {
        let mut select = self.tx.prepare_cached("SELECT n FROM feedback WHERE id = ?1")?;
        let n = select.query_row([id.as_str()], |r| r.get(0)).optional()?;
        n.ok_or_else(|| StoreError::NotFound { what: "report", id: id.to_string() })
    }

    fn insert_feedback(&self, id: &FeedbackId, r: &Report, reviewed: bool) -> Result<Written, StoreError> {
        let made = Made::Feedback(id.clone());
        let tools = serde_json::to_string(&r.tools_available).map_err(|e| StoreError::Stored(e.to_string()))?;
        let extra = serde_json::to_string(&r.extra).map_err(|e| StoreError::Stored(e.to_string()))?;
        let inserted = self
            .tx
            .prepare_cached(
                "INSERT INTO feedback (id, received_at, server_name, gap_type, gap_type_raw, resolution, resolution_raw,
                     has_suggestion, client_type, agent_model, session_id, what_i_needed, what_i_tried, suggestion, user_goal,
                     tools_available, extra, reviewed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
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
                reviewed,
            ])?;
        if inserted == 0 {
            return Ok(Written { seq: log::newest(self.tx)?, made, replayed: true });
        }
        let n = self.tx.last_insert_rowid();
        let seq = self.event(EventKind::FeedbackRecorded, &made, (Some(n), None), "")?;
        Ok(Written { seq, made, replayed: false })
    }

    fn insert_note(
        &self,
        id: &NoteId,
        feedback: &FeedbackId,
        content: &str,
        public: bool,
    ) -> Result<Written, StoreError> {
        let n = self.feedback_n(feedback)?;
        let made = Made::Note(id.clone());
        self.tx
            .prepare_cached(
                "INSERT INTO notes (id, feedback_n, at, author, content, public) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![id.as_str(), n, self.write.at.0, self.write.actor.name, content, public])?;
        self.tx.prepare_cached("UPDATE feedback SET note_count = note_count + 1 WHERE n = ?1")?.execute([n])?;
        let seq = self.event(EventKind::NoteAdded, &made, (Some(n), None), "")?;
        Ok(Written { seq, made, replayed: false })
    }

    fn set_reviewed(&self, ids: &[FeedbackId], reviewed: bool) -> Result<Written, StoreError> {
        let mut last = None;
        let mut servers: BTreeMap<String, i64> = BTreeMap::new();
        for id in ids {
            let n = self.feedback_n(id)?;
            let sql = "UPDATE feedback SET reviewed = ?2 WHERE n = ?1 AND reviewed <> ?2 RETURNING server_name";
            let changed: Option<String> =
                self.tx.prepare_cached(sql)?.query_row(params![n, reviewed], |r| r.get(0)).optional()?;
            if let Some(server) = changed {
                *servers.entry(server).or_default() += if reviewed { -1 } else { 1 };
                last = Some(self.event(EventKind::FeedbackReviewed, &Made::Nothing, (Some(n), None), "")?);
            }
        }
        for (server, more) in &servers {
            counts::add(self.tx, Kind::Unreviewed, "", *more)?;
            counts::add(self.tx, Kind::ServerUnreviewed, server, *more)?;
        }
        match last {
            Some(seq) => Ok(Written { seq, made: Made::Nothing, replayed: false }),
            None => self.nothing(),
        }
    }

    fn record_heartbeat(&self, beat: &Heartbeat) -> Result<Written, StoreError> {
        if !servers::record(self.tx, beat, self.write.at)? {
            return self.nothing();
        }
        let seq = self.event(EventKind::ServerChanged, &Made::Nothing, (None, None), &beat.server_name)?;
        Ok(Written { seq, made: Made::Nothing, replayed: false })
    }

    fn put_settings(&self, pairs: &[(&'static str, String)]) -> Result<Written, StoreError> {
        for (key, value) in pairs {
            self.tx.execute(
                "INSERT INTO settings (key, value, updated_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
                params![key, value, self.write.at.0],
            )?;
        }
        self.settings_saved("")
    }

    fn settings_saved(&self, what: &str) -> Result<Written, StoreError> {
        let seq = self.event(EventKind::SettingsSaved, &Made::Nothing, (None, None), what)?;
        Ok(Written { seq, made: Made::Nothing, replayed: false })
    }
}
