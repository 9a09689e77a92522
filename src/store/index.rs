//! The search index, a consumer of the event log.
//!
//! Splitting texts into words costs many times what storing them costs, so a report is answered first and indexed right after: milliseconds
//! later when nobody else is writing, otherwise a few at a time between commits, and the rest when the rush is over. How far it has come
//! is stored in the same transaction, so a crash loses nothing: the next start goes on from there.

use super::error::StoreError;
use super::query::{indexed_tools, indexed_words};
use super::rows;
use crate::protocol::Seq;
use rusqlite::{Connection, params};

/// Most reports indexed in one go when nobody is writing.
pub(super) const IDLE_SLICE: i64 = 256;
/// Reports indexed in one go when somebody may be waiting: about a millisecond.
pub(super) const BUSY_SLICE: i64 = 16;

/// How far a position may lag behind the log when nothing between them needs indexing: storing it costs a commit.
const LAZY: i64 = 1_000;

/// Reports that a search looks at itself because the index does not have them yet; more of them are found a moment later.
const UNINDEXED: i64 = 256;

/// What a slice did.
pub(super) struct Slice {
    /// There may be more to index.
    pub(super) more: bool,
    /// Everything up to here is in the index.
    pub(super) reached: Seq,
    /// Something was written: the transaction is worth a commit.
    pub(super) wrote: bool,
}

/// Indexes up to `max` events' reports, inside the caller's transaction.
pub(super) fn slice(tx: &Connection, max: i64) -> Result<Slice, StoreError> {
    let from = position(tx)?;
    let mut pending = tx.prepare_cached(
        "SELECT seq, feedback_n FROM events WHERE seq > ?1 AND kind IN ('feedback_recorded', 'note_added') ORDER BY seq LIMIT ?2",
    )?;
    let found: Vec<(i64, i64)> =
        pending.query_map([from, max], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()?;
    for (_, n) in &found {
        put(tx, *n)?;
    }
    let more = found.len() as i64 == max;
    let to = match found.last() {
        Some((seq, _)) if more => *seq,
        _ => super::log::newest(tx)?.0,
    };
    let wrote = !found.is_empty() || to - from > LAZY;
    if wrote {
        let sql = "INSERT INTO meta (key, value) VALUES ('indexed_seq', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        tx.prepare_cached(sql)?.execute([to.to_string()])?;
    }
    Ok(Slice { more, reached: Seq(to), wrote })
}

/// Reports that are not in the index, or not as they are now; the newest ones when there are many.
pub(super) fn unindexed(conn: &Connection) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT DISTINCT feedback_n FROM events WHERE seq > ?1 AND kind IN ('feedback_recorded', 'note_added')
               ORDER BY feedback_n DESC LIMIT ?2";
    let mut select = conn.prepare_cached(sql)?;
    let found = select.query_map([position(conn)?, UNINDEXED], |r| r.get(0))?.collect::<Result<_, _>>()?;
    Ok(found)
}

/// The number of the newest event, when there is nothing to index and nothing to store up to it.
pub(super) fn all_done(conn: &Connection) -> Result<Option<Seq>, StoreError> {
    let tx = conn.unchecked_transaction()?;
    let (from, newest) = (position(&tx)?, super::log::newest(&tx)?);
    let sql = "SELECT EXISTS (SELECT 1 FROM events WHERE seq > ?1 AND kind IN ('feedback_recorded', 'note_added'))";
    let pending: bool = tx.prepare_cached(sql)?.query_row([from], |r| r.get(0))?;
    Ok((!pending && newest.0 - from <= LAZY).then_some(newest))
}

/// The number of the last event that is in the index.
pub(super) fn position(conn: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'indexed_seq'), 0)";
    Ok(conn.prepare_cached(sql)?.query_row([], |r| r.get(0))?)
}

fn put(tx: &Connection, n: i64) -> Result<(), StoreError> {
    let Some(detail) = rows::detail(tx, n)? else { return Ok(()) };
    let report = &detail.feedback.report;
    let words = indexed_words(report.searchable().chain(detail.notes.iter().map(|n| n.content.as_str())));
    let tools = indexed_tools(&report.tools_available);
    tx.prepare_cached("INSERT OR REPLACE INTO search (rowid, words, tools) VALUES (?1, ?2, ?3)")?
        .execute(params![n, words, tools])?;
    Ok(())
}
