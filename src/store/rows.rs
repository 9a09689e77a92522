//! Rows to values. The one place where stored words become domain types again.

use super::error::StoreError;
use crate::domain::draft::{
    Checks, Cost, Draft, DraftState, DrafterKind, Published, PullState, PullStatus, Stage, TargetKind, Usage, Verdict,
};
use crate::domain::feedback::{Feedback, GapType, Report, Resolution};
use crate::domain::id::{DraftId, FeedbackId, NoteId};
use crate::domain::note::Note;
use crate::domain::text;
use crate::domain::time::Millis;
use crate::protocol::read::{Detail, ROW_TEXT, Row};
use rusqlite::{Connection, Row as SqlRow};

/// Columns of a list row, in the order of [`list_row`].
pub(super) const ROW_COLUMNS: &str = "f.n, f.id, f.received_at, f.server_name, f.gap_type, f.resolution, f.reviewed, f.note_count, \
     f.drafted, f.merged, f.client_type, f.pr_url, f.what_i_needed";

/// All columns of a report, in the order of [`feedback`].
pub(super) const FEEDBACK_COLUMNS: &str = "f.n, f.id, f.received_at, f.server_name, f.gap_type, f.resolution, f.reviewed, f.note_count, \
     f.drafted, f.merged, f.client_type, f.pr_url, f.what_i_needed, f.agent_model, f.session_id, f.gap_type_raw, f.resolution_raw, \
     f.what_i_tried, f.suggestion, f.user_goal, f.tools_available, f.extra";

/// Most bytes of a report's text that a list row is made from: more than clipping to [`ROW_TEXT`] looks at in any script, so that the row is
/// the one that [`Row::of`] makes of the whole text.
const HEADLINE_BYTES: usize = 8 * 4 * ROW_TEXT + 1;

/// Names that may be absent are stored as NULL, so that partial indexes serve them.
pub(super) fn opt(name: &str) -> Option<&str> {
    (!name.is_empty()).then_some(name)
}

fn text_or_empty(row: &SqlRow<'_>, i: usize) -> rusqlite::Result<String> {
    Ok(row.get::<_, Option<String>>(i)?.unwrap_or_default())
}

fn gap(row: &SqlRow<'_>, i: usize) -> rusqlite::Result<GapType> {
    Ok(row.get_ref(i)?.as_str().ok().and_then(GapType::from_word).unwrap_or(GapType::Other))
}

fn resolution(row: &SqlRow<'_>, i: usize) -> rusqlite::Result<Option<Resolution>> {
    Ok(row.get_ref(i)?.as_str_or_null().unwrap_or(None).and_then(Resolution::from_word))
}

/// A list row, without copying the whole of a long text; the same as [`Row::of`] the report.
pub(super) fn list_row(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let needed = row.get_ref(12)?.as_bytes().unwrap_or_default();
    let head = String::from_utf8_lossy(&needed[..needed.len().min(HEADLINE_BYTES)]);
    let short = |s: String| text::clipped(&s, ROW_TEXT);
    Ok(Row {
        n: row.get(0)?,
        id: FeedbackId::trusted(row.get::<_, String>(1)?),
        received_at: Millis(row.get(2)?),
        server_name: short(row.get(3)?),
        gap_type: gap(row, 4)?,
        resolution: resolution(row, 5)?,
        reviewed: row.get(6)?,
        note_count: row.get(7)?,
        drafted: row.get(8)?,
        merged: row.get(9)?,
        client_type: short(text_or_empty(row, 10)?),
        pr_url: row.get(11)?,
        headline: text::clipped(&head, ROW_TEXT),
    })
}

pub(super) fn feedback(row: &SqlRow<'_>) -> rusqlite::Result<Feedback> {
    Ok(Feedback {
        n: row.get(0)?,
        id: FeedbackId::trusted(row.get::<_, String>(1)?),
        received_at: Millis(row.get(2)?),
        reviewed: row.get(6)?,
        note_count: row.get(7)?,
        drafted: row.get(8)?,
        merged: row.get(9)?,
        pr_url: row.get(11)?,
        report: Report {
            server_name: row.get(3)?,
            gap_type: gap(row, 4)?,
            resolution: resolution(row, 5)?,
            client_type: text_or_empty(row, 10)?,
            what_i_needed: row.get(12)?,
            agent_model: text_or_empty(row, 13)?,
            session_id: text_or_empty(row, 14)?,
            gap_type_raw: row.get(15)?,
            resolution_raw: row.get(16)?,
            what_i_tried: row.get(17)?,
            suggestion: row.get(18)?,
            user_goal: row.get(19)?,
            // Written by this program as JSON; a hand-edited row must not make the whole list unreadable.
            tools_available: serde_json::from_str(row.get_ref(20)?.as_str()?).unwrap_or_default(),
            extra: serde_json::from_str(row.get_ref(21)?.as_str()?).unwrap_or_default(),
        },
    })
}

/// A report with its notes, by row number.
pub(super) fn detail(conn: &Connection, n: i64) -> Result<Option<Detail>, StoreError> {
    let sql = format!("SELECT {FEEDBACK_COLUMNS} FROM feedback f WHERE f.n = ?1");
    let mut select = conn.prepare_cached(&sql)?;
    let mut found = select.query_map([n], feedback)?;
    let Some(feedback) = found.next().transpose()? else { return Ok(None) };
    Ok(Some(with_notes(conn, feedback)?))
}

pub(super) fn with_notes(conn: &Connection, feedback: Feedback) -> Result<Detail, StoreError> {
    let notes = if feedback.note_count == 0 { Vec::new() } else { notes(conn, &feedback)? };
    Ok(Detail { feedback, notes })
}

fn notes(conn: &Connection, of: &Feedback) -> Result<Vec<Note>, StoreError> {
    let mut select =
        conn.prepare_cached("SELECT id, at, author, content, public FROM notes WHERE feedback_n = ?1 ORDER BY n")?;
    let rows = select.query_map([of.n], |r| {
        Ok(Note {
            id: NoteId::trusted(r.get::<_, String>(0)?),
            feedback_id: of.id.clone(),
            at: Millis(r.get(1)?),
            author: r.get(2)?,
            content: r.get(3)?,
            public: r.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Most public notes that are looked through; older ones no longer answer.
const PUBLIC_NOTES: i64 = 5_000;

/// The newest public notes, oldest first, each with its report.
pub(super) fn public_notes(conn: &Connection) -> Result<Vec<(Report, String)>, StoreError> {
    let sql = format!(
        "SELECT {FEEDBACK_COLUMNS}, p.content FROM (
             SELECT n, feedback_n, content FROM notes WHERE public = 1 ORDER BY n DESC LIMIT ?1) p
         JOIN feedback f ON f.n = p.feedback_n ORDER BY p.n"
    );
    let mut select = conn.prepare_cached(&sql)?;
    let rows = select.query_map([PUBLIC_NOTES], |row| Ok((feedback(row)?.report, row.get("content")?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) const DRAFT_COLUMNS: &str = "d.id, f.id, f.what_i_needed, f.server_name, d.number, d.state, d.stage, d.reason, d.branch, \
     d.commit_id, d.pr_url, d.repository, d.drafter, d.model, d.target, d.created_at, d.updated_at, d.input_tokens, \
     d.output_tokens, d.cached_tokens, d.cache_written_tokens, d.cost, d.confirm, d.verdict, d.pull_state, d.pull_checks, \
     d.pull_looked_at";

pub(super) fn draft(row: &SqlRow<'_>) -> rusqlite::Result<Draft> {
    let needed = row.get_ref(2)?.as_bytes().unwrap_or_default();
    let head = String::from_utf8_lossy(&needed[..needed.len().min(HEADLINE_BYTES)]);
    Ok(Draft {
        id: DraftId::trusted(row.get::<_, String>(0)?),
        feedback_id: FeedbackId::trusted(row.get::<_, String>(1)?),
        headline: text::clipped(&head, ROW_TEXT),
        server_name: text::clipped(&row.get::<_, String>(3)?, ROW_TEXT),
        number: row.get(4)?,
        state: draft_state(row)?,
        drafter: word(row, 12, DrafterKind::from_word, DrafterKind::Command)?,
        model: row.get(13)?,
        target: word(row, 14, TargetKind::from_word, TargetKind::Local)?,
        created_at: Millis(row.get(15)?),
        updated_at: Millis(row.get(16)?),
        usage: Usage {
            input_tokens: row.get(17)?,
            output_tokens: row.get(18)?,
            cached_tokens: row.get(19)?,
            cache_written_tokens: row.get(20)?,
        },
        cost: row.get::<_, Option<i64>>(21)?.map(Cost),
        confirm: row.get(22)?,
        verdict: known(row, 23, Verdict::from_word)?,
        pull: pull(row)?,
    })
}

fn pull(row: &SqlRow<'_>) -> rusqlite::Result<Option<PullStatus>> {
    let (Some(state), Some(looked_at)) = (known(row, 24, PullState::from_word)?, row.get(26)?) else { return Ok(None) };
    let checks = known(row, 25, Checks::from_word)?.unwrap_or(Checks::Unknown);
    Ok(Some(PullStatus { state, checks, looked_at: Millis(looked_at) }))
}

fn known<T>(row: &SqlRow<'_>, i: usize, from: fn(&str) -> Option<T>) -> rusqlite::Result<Option<T>> {
    Ok(row.get_ref(i)?.as_str_or_null().unwrap_or(None).and_then(from))
}

fn word<T>(row: &SqlRow<'_>, i: usize, known: fn(&str) -> Option<T>, otherwise: T) -> rusqlite::Result<T> {
    Ok(row.get_ref(i)?.as_str().ok().and_then(known).unwrap_or(otherwise))
}

fn draft_state(row: &SqlRow<'_>) -> rusqlite::Result<DraftState> {
    let word: String = row.get(5)?;
    let stage = row.get_ref(6)?.as_str_or_null().unwrap_or(None).and_then(Stage::from_word);
    Ok(match (word.as_str(), stage) {
        ("running", Some(stage)) => DraftState::Running { stage },
        ("waiting", _) => DraftState::Waiting { trouble: row.get(7)? },
        ("published", _) => DraftState::Published {
            published: Published {
                branch: row.get(8)?,
                commit: row.get(9)?,
                pr_url: row.get(10)?,
                repository: row.get(11)?,
            },
        },
        ("failed", stage) => DraftState::Failed { stage: stage.unwrap_or(Stage::Checkout), reason: row.get(7)? },
        ("cancelled", stage) => DraftState::Cancelled { stage },
        _ => DraftState::Queued,
    })
}
