//! The event log: appended by `write`, read by watchers, pruned by age and size.

use super::error::StoreError;
use super::rows;
use crate::domain::id::CommandId;
use crate::domain::time::Millis;
use crate::protocol::{Actor, Door, Event, EventKind, Made, Seq};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Events read in one go.
const TAIL: i64 = 256;
/// Bytes of reports after which a tail ends early: reports can be large, and a watcher holds a tail in memory.
const TAIL_BYTES: usize = 4 * 1024 * 1024;

/// What a watcher gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Tail {
    /// The next events, oldest first; empty when there are none.
    Events(Vec<Event>),
    /// The log has nothing to go on from: it was pruned beyond the watcher's position, or that is a number it never gave, as after
    /// an older copy of the file was put back.
    Gone,
}

/// A new entry.
pub(super) struct Entry<'a> {
    pub(super) at: Millis,
    pub(super) kind: EventKind,
    pub(super) actor: &'a Actor,
    pub(super) command: Option<&'a CommandId>,
    pub(super) made: &'a Made,
    pub(super) feedback_n: Option<i64>,
    pub(super) draft_n: Option<i64>,
    pub(super) text: &'a str,
}

fn door_word(door: Door) -> &'static str {
    match door {
        Door::Tui => "tui",
        Door::Http => "http",
        Door::Cli => "cli",
        Door::Engine => "engine",
    }
}

fn door_of(word: &str) -> Door {
    match word {
        "tui" => Door::Tui,
        "http" => Door::Http,
        "cli" => Door::Cli,
        _ => Door::Engine,
    }
}

/// `kind:id`, so that a repeated command can be answered as it was the first time.
fn made_text(made: &Made) -> String {
    match made {
        Made::Feedback(id) => format!("feedback:{id}"),
        Made::Note(id) => format!("note:{id}"),
        Made::Draft(id) => format!("draft:{id}"),
        Made::Nothing => String::new(),
    }
}

fn made_of(text: &str) -> Made {
    use crate::domain::id::{DraftId, FeedbackId, NoteId};
    match text.split_once(':') {
        Some(("feedback", id)) => Made::Feedback(FeedbackId::trusted(id)),
        Some(("note", id)) => Made::Note(NoteId::trusted(id)),
        Some(("draft", id)) => Made::Draft(DraftId::trusted(id)),
        _ => Made::Nothing,
    }
}

/// Appends an entry and gives its number.
pub(super) fn append(tx: &Connection, e: &Entry<'_>) -> Result<Seq, StoreError> {
    tx.prepare_cached(
        "INSERT INTO events (at, kind, door, actor, command, made, feedback_n, draft_n, text)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        e.at.0,
        e.kind.as_str(),
        door_word(e.actor.door),
        e.actor.name,
        e.command.map(CommandId::as_str),
        made_text(e.made),
        e.feedback_n,
        e.draft_n,
        e.text
    ])?;
    Ok(Seq(tx.last_insert_rowid()))
}

/// What came of a command.
pub(super) struct Answer {
    pub(super) seq: Seq,
    pub(super) made: Made,
    /// The report it was about, where it was about one.
    pub(super) feedback_n: Option<i64>,
}

/// The answer that a command got, when it is in the log.
pub(super) fn answer(tx: &Connection, command: &CommandId) -> Result<Option<Answer>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT seq, made, coalesce(feedback_n, (SELECT d.feedback_n FROM drafts d WHERE d.n = draft_n))
         FROM events WHERE command = ?1 ORDER BY seq DESC LIMIT 1",
    )?;
    let answer =
        |r: &Row<'_>| Ok(Answer { seq: Seq(r.get(0)?), made: made_of(r.get_ref(1)?.as_str()?), feedback_n: r.get(2)? });
    Ok(select.query_row([command.as_str()], answer).optional()?)
}

/// The number of the newest event ever written, pruned ones included.
pub(super) fn newest(conn: &Connection) -> Result<Seq, StoreError> {
    let sql = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)";
    Ok(Seq(conn.prepare_cached(sql)?.query_row([], |r| r.get(0))?))
}

/// Reads on from `after`, with the rows as they are now.
pub(super) fn tail(conn: &Connection, after: Seq) -> Result<Tail, StoreError> {
    let oldest: Option<i64> = conn.prepare_cached("SELECT min(seq) FROM events")?.query_row([], |r| r.get(0))?;
    let newest = newest(conn)?;
    let gap = oldest.map_or(newest > after, |oldest| oldest > after.0 + 1);
    if gap || after > newest {
        return Ok(Tail::Gone);
    }
    let sql = "SELECT seq, at, kind, door, actor, command, text, feedback_n, draft_n FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query([after.0, TAIL])?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    while let Some(r) = rows.next()? {
        let kind: String = r.get(2)?;
        let Some(kind) = EventKind::from_word(&kind) else {
            return Err(StoreError::Stored(format!("event {} has the unknown kind `{kind}`", r.get::<_, i64>(0)?)));
        };
        let feedback = match r.get::<_, Option<i64>>(7)? {
            Some(n) => rows::detail(conn, n)?.map(Box::new),
            None => None,
        };
        let draft = match r.get::<_, Option<i64>>(8)? {
            Some(n) => super::reads::draft_by_number(conn, n)?.map(Box::new),
            None => None,
        };
        bytes += feedback.as_ref().map_or(0, |detail| detail.bytes());
        events.push(Event {
            seq: Seq(r.get(0)?),
            at: Millis(r.get(1)?),
            kind,
            actor: Actor { door: door_of(r.get_ref(3)?.as_str().unwrap_or_default()), name: r.get(4)? },
            command: r.get::<_, Option<String>>(5)?.map(CommandId::trusted),
            text: r.get(6)?,
            feedback,
            draft,
        });
        if bytes > TAIL_BYTES {
            break;
        }
    }
    Ok(Tail::Events(events))
}

/// Removes entries older than `before` as long as more than `keep` stay, and none that the search index still needs.
pub(super) fn prune(tx: &Connection, before: Millis, keep: i64) -> Result<(), StoreError> {
    let last = (newest(tx)?.0 - keep).min(super::index::position(tx)?);
    tx.execute("DELETE FROM events WHERE seq <= ?1 AND at < ?2", [last, before.0])?;
    Ok(())
}
