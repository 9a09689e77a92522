//! The reads: each runs on a blocking thread, on one of a few read-only connections, inside one read transaction.

use super::artifacts::ArtifactName;
use super::counts::{self, Kind};
use super::difference;
use super::error::{Fault, StoreError};
use super::index;
use super::log::{self, Tail};
use super::rows::{self, DRAFT_COLUMNS, FEEDBACK_COLUMNS};
use super::servers;
use super::write::Written;
use super::writer::Store;
use super::{plan, query};
use crate::domain::draft::{Cost, Draft, Stage, StageRecord, Usage};
use crate::domain::feedback::Report;
use crate::domain::filter::Sort;
use crate::domain::id::{CommandId, DraftId, FeedbackId};
use crate::domain::review::Choices;
use crate::domain::server::Server;
use crate::domain::time::Millis;
use crate::protocol::Seq;
use crate::protocol::read::{
    Detail, DraftDetail, Facets, MAX_PAGE, Page, PageRequest, Position, RankedFile, Row, Snapshot, Stats,
};
use rusqlite::{Connection, OptionalExtension, params};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Bytes of reports after which a page of whole ones ends early: one report can have a megabyte, a page two hundred of them.
const LIST_BYTES: usize = 8 * 1024 * 1024;
/// Values that a facet lists at most.
const FACETS: i64 = 50;

impl Store {
    pub async fn snapshot(&self, request: PageRequest, now: Millis) -> Result<Snapshot, StoreError> {
        self.read(move |conn| {
            Ok(Snapshot {
                seq: log::newest(conn)?,
                page: page(conn, &request, now)?,
                drafts: drafts(conn, None)?,
                stats: stats(conn)?,
            })
        })
        .await
    }

    pub async fn page(&self, request: PageRequest, now: Millis) -> Result<Page<Row>, StoreError> {
        self.read(move |conn| page(conn, &request, now)).await
    }

    /// Like [`Self::page`], with everything of each report. Ends early, and says so, where the reports are large.
    pub async fn list(&self, request: PageRequest, now: Millis) -> Result<Page<Detail>, StoreError> {
        self.read(move |conn| {
            let Page { seq, rows, mut next } = page(conn, &request, now)?;
            let (mut details, mut bytes) = (Vec::with_capacity(rows.len()), 0);
            for row in &rows {
                if bytes > LIST_BYTES {
                    next = details.last().map(|last: &Detail| Position(last.feedback.n));
                    break;
                }
                let Some(detail) = rows::detail(conn, row.n)? else { continue };
                bytes += detail.bytes();
                details.push(detail);
            }
            Ok(Page { seq, rows: details, next })
        })
        .await
    }

    pub async fn feedback(&self, id: &FeedbackId) -> Result<Detail, StoreError> {
        let id = id.clone();
        self.read(move |conn| {
            let sql = format!("SELECT {FEEDBACK_COLUMNS} FROM feedback f WHERE f.id = ?1");
            let found = conn.prepare_cached(&sql)?.query_row([id.as_str()], rows::feedback).optional()?;
            let feedback = found.ok_or_else(|| StoreError::NotFound { what: "report", id: id.to_string() })?;
            rows::with_notes(conn, feedback)
        })
        .await
    }

    /// The ids of at most `limit` reports that begin or end with `part`: first the one that is `part`, then the newest.
    /// Nothing is like an empty text.
    pub async fn feedback_ids_like(&self, part: &str, limit: i64) -> Result<Vec<FeedbackId>, StoreError> {
        let part = part.to_owned();
        self.read(move |conn| ids_like(conn, "feedback", &part, limit, FeedbackId::trusted)).await
    }

    /// The same for runs.
    pub async fn draft_ids_like(&self, part: &str, limit: i64) -> Result<Vec<DraftId>, StoreError> {
        let part = part.to_owned();
        self.read(move |conn| ids_like(conn, "drafts", &part, limit, DraftId::trusted)).await
    }

    pub async fn drafts(&self, of: Option<&FeedbackId>) -> Result<Vec<Draft>, StoreError> {
        let of = of.cloned();
        self.read(move |conn| drafts(conn, of.as_ref())).await
    }

    pub async fn draft(&self, id: &DraftId) -> Result<DraftDetail, StoreError> {
        let id = id.clone();
        self.read(move |conn| draft_detail(conn, &id)).await
    }

    /// A run without its history.
    pub async fn draft_head(&self, id: &DraftId) -> Result<Draft, StoreError> {
        let id = id.clone();
        self.read(move |conn| {
            let sql =
                format!("SELECT {DRAFT_COLUMNS} FROM drafts d JOIN feedback f ON f.n = d.feedback_n WHERE d.id = ?1");
            let found = conn.prepare_cached(&sql)?.query_row([id.as_str()], rows::draft).optional()?;
            found.ok_or_else(|| StoreError::NotFound { what: "draft", id: id.to_string() })
        })
        .await
    }

    /// A stored piece of a run.
    pub async fn artifact(&self, id: &DraftId, name: ArtifactName) -> Result<Option<String>, StoreError> {
        let id = id.clone();
        self.read(move |conn| {
            let n: Option<i64> =
                conn.query_row("SELECT n FROM drafts WHERE id = ?1", [id.as_str()], |r| r.get(0)).optional()?;
            n.map_or(Ok(None), |n| artifact(conn, n, name))
        })
        .await
    }

    /// Runs that are queued or running, oldest first. What waits for a person is left alone.
    pub async fn unfinished_drafts(&self) -> Result<Vec<Draft>, StoreError> {
        self.read(|conn| {
            let sql = format!(
                "SELECT {DRAFT_COLUMNS} FROM drafts d JOIN feedback f ON f.n = d.feedback_n WHERE d.state IN ('queued', 'running') ORDER BY d.n"
            );
            let mut statement = conn.prepare_cached(&sql)?;
            let found = statement.query_map([], rows::draft)?.collect::<Result<_, _>>()?;
            Ok(found)
        })
        .await
    }

    /// What all runs since a moment have used, and what that cost as far as it is known.
    pub async fn used_since(&self, since: Millis) -> Result<(Usage, Cost), StoreError> {
        self.read(move |conn| {
            let sql = "SELECT total(input_tokens), total(output_tokens), total(cached_tokens), total(cache_written_tokens), total(cost)
                       FROM drafts INDEXED BY drafts_created_at WHERE created_at >= ?1";
            let sums = conn.prepare_cached(sql)?.query_row([since.0], |r| {
                let sum = |i: usize| Ok::<i64, rusqlite::Error>(r.get::<_, f64>(i)? as i64);
                let usage = Usage {
                    input_tokens: sum(0)?,
                    output_tokens: sum(1)?,
                    cached_tokens: sum(2)?,
                    cache_written_tokens: sum(3)?,
                };
                Ok((usage, Cost(sum(4)?)))
            })?;
            Ok(sums)
        })
        .await
    }

    pub async fn stats(&self) -> Result<Stats, StoreError> {
        self.read(stats).await
    }

    pub async fn facets(&self) -> Result<Facets, StoreError> {
        self.read(|conn| {
            Ok(Facets {
                server: counts::of(conn, Kind::Server, FACETS)?,
                gap: counts::of(conn, Kind::Gap, FACETS)?,
                resolution: counts::of(conn, Kind::Resolution, FACETS)?,
                client: counts::of(conn, Kind::Client, FACETS)?,
                model: counts::of(conn, Kind::Model, FACETS)?,
            })
        })
        .await
    }

    /// Every server that was heard of, the latest first.
    pub async fn servers(&self) -> Result<Vec<Server>, StoreError> {
        self.read(servers::all).await
    }

    /// The number of the newest note that is handed to agents; 0 when there is none.
    pub async fn newest_public_note(&self) -> Result<i64, StoreError> {
        self.read(|conn| {
            let sql = "SELECT coalesce(max(n), 0) FROM notes INDEXED BY notes_public WHERE public = 1";
            Ok(conn.prepare_cached(sql)?.query_row([], |r| r.get(0))?)
        })
        .await
    }

    /// The newest notes that are handed to agents, oldest first, each with its report.
    pub async fn public_notes(&self) -> Result<Vec<(Report, String)>, StoreError> {
        self.read(rows::public_notes).await
    }

    /// The answer that a command got, when it was carried out before.
    pub async fn answered(&self, command: &CommandId) -> Result<Option<Written>, StoreError> {
        let command = command.clone();
        let written = |first: log::Answer| Written { seq: first.seq, made: first.made, replayed: true };
        self.read(move |conn| Ok(log::answer(conn, &command)?.map(written))).await
    }

    pub async fn settings(&self) -> Result<BTreeMap<String, String>, StoreError> {
        self.read(|conn| {
            let mut select = conn.prepare_cached("SELECT key, value FROM settings")?;
            let pairs = select.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()?;
            Ok(pairs)
        })
        .await
    }

    /// The events after `after`, with the rows as they are now.
    pub async fn tail(&self, after: Seq) -> Result<Tail, StoreError> {
        self.read(move |conn| log::tail(conn, after)).await
    }

    /// SQLite's own check of the file; empty when it is sound.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        self.read(|conn| {
            let mut pragma = conn.prepare("PRAGMA quick_check(20)")?;
            let lines: Vec<String> = pragma.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
            Ok(lines.into_iter().filter(|l| l != "ok").collect())
        })
        .await
        // Some damage the check finds, some it dies of.
        .or_else(|e| match e {
            StoreError::Fault(Fault::Damaged(why)) => Ok(vec![why]),
            other => Err(other),
        })
    }
}

fn ids_like<T>(
    conn: &Connection,
    table: &str,
    part: &str,
    limit: i64,
    id: fn(String) -> T,
) -> Result<Vec<T>, StoreError> {
    if part.is_empty() {
        return Ok(Vec::new());
    }
    // Ids that clients make may hold what LIKE takes for wildcards.
    let escaped: String =
        part.chars().flat_map(|c| matches!(c, '%' | '_' | '\\').then_some('\\').into_iter().chain([c])).collect();
    let sql = format!(
        r"SELECT id FROM {table} WHERE id LIKE ?1 || '%' ESCAPE '\' OR id LIKE '%' || ?1 ESCAPE '\'
          ORDER BY id = ?2 DESC, n DESC LIMIT ?3"
    );
    let mut select = conn.prepare_cached(&sql)?;
    let ids = select.query_map(params![escaped, part, limit], |r| r.get::<_, String>(0).map(id))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

fn page(conn: &Connection, request: &PageRequest, now: Millis) -> Result<Page<Row>, StoreError> {
    let mut rows = matching(conn, request, now)?;
    let more = rows.len() > request.limit;
    rows.truncate(request.limit);
    let next = rows.last().filter(|_| more).map(Row::position);
    Ok(Page { seq: log::newest(conn)?, rows, next })
}

/// What a page asks for, and one more. A page speaks for everything up to its number, so reports that the search index does not
/// have yet are looked at one by one.
fn matching(conn: &Connection, request: &PageRequest, now: Millis) -> Result<Vec<Row>, StoreError> {
    let unindexed = if query::by_index(&request.filter) { index::unindexed(conn)? } else { Vec::new() };
    let select = plan::page(conn, request, &unindexed, now)?;
    let mut statement = conn.prepare_cached(&select.sql)?;
    let mut found = statement.query_map(select.params(), rows::list_row)?.collect::<Result<Vec<Row>, _>>()?;
    if unindexed.is_empty() {
        return Ok(found);
    }
    let newest_first = request.filter.order() == Sort::Newest;
    let in_reach = |n: i64| request.after.is_none_or(|Position(at)| if newest_first { n < at } else { n > at });
    for n in unindexed.into_iter().filter(|n| in_reach(*n)) {
        let detail = rows::detail(conn, n)?.filter(|detail| detail.matches(&request.filter, now));
        found.extend(detail.map(|detail| Row::of(&detail.feedback)));
    }
    found.sort_by_key(|row| if newest_first { -row.n } else { row.n });
    found.truncate(request.limit + 1);
    Ok(found)
}

fn drafts(conn: &Connection, of: Option<&FeedbackId>) -> Result<Vec<Draft>, StoreError> {
    let sql = format!(
        "SELECT {DRAFT_COLUMNS} FROM drafts d JOIN feedback f ON f.n = d.feedback_n
         WHERE ?1 IS NULL OR f.id = ?1 ORDER BY d.n DESC LIMIT {MAX_PAGE}"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let found = statement.query_map([of.map(FeedbackId::as_str)], rows::draft)?.collect::<Result<_, _>>()?;
    Ok(found)
}

/// A run by its row number.
pub(super) fn draft_by_number(conn: &Connection, n: i64) -> Result<Option<Draft>, StoreError> {
    let sql = format!("SELECT {DRAFT_COLUMNS} FROM drafts d JOIN feedback f ON f.n = d.feedback_n WHERE d.n = ?1");
    Ok(conn.prepare_cached(&sql)?.query_row([n], rows::draft).optional()?)
}

/// The row number of a run.
pub(super) fn number_of(conn: &Connection, id: &DraftId) -> Result<i64, StoreError> {
    let n = conn.query_row("SELECT n FROM drafts WHERE id = ?1", [id.as_str()], |r| r.get(0)).optional()?;
    n.ok_or_else(|| StoreError::NotFound { what: "draft", id: id.to_string() })
}

fn draft_detail(conn: &Connection, id: &DraftId) -> Result<DraftDetail, StoreError> {
    let n = number_of(conn, id)?;
    let missing = || StoreError::NotFound { what: "draft", id: id.to_string() };
    let draft = draft_by_number(conn, n)?.ok_or_else(missing)?;
    let files: Option<Vec<RankedFile>> =
        artifact(conn, n, ArtifactName::Files)?.map(|json| from_json(&json)).transpose()?;
    let stored = |name| artifact(conn, n, name);
    Ok(DraftDetail {
        draft,
        proposal: stored(ArtifactName::Proposal)?.map(|json| from_json(&json)).transpose()?,
        choices: stored(ArtifactName::Choices)?.map_or_else(|| Ok(Choices::default()), |json| from_json(&json))?,
        stages: stages(conn, n)?,
        files: files.unwrap_or_default(),
        diff: artifact(conn, n, ArtifactName::Diff)?.unwrap_or_default(),
        log: artifact(conn, n, ArtifactName::Log)?.unwrap_or_default(),
        earlier: difference::earlier(conn, n)?,
    })
}

pub(super) fn from_json<T: DeserializeOwned>(json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|e| StoreError::Stored(e.to_string()))
}

fn stages(conn: &Connection, n: i64) -> Result<Vec<StageRecord>, StoreError> {
    let mut select =
        conn.prepare_cached("SELECT stage, started_at, ended_at, details FROM draft_stages WHERE draft_n = ?1")?;
    let mut found = Vec::new();
    let mut rows = select.query([n])?;
    while let Some(r) = rows.next()? {
        let Some(stage) = Stage::from_word(r.get_ref(0)?.as_str().unwrap_or_default()) else { continue };
        found.push(StageRecord {
            stage,
            started_at: Millis(r.get(1)?),
            ended_at: r.get::<_, Option<i64>>(2)?.map(Millis),
            details: serde_json::from_str(&r.get::<_, String>(3)?).map_err(|e| StoreError::Stored(e.to_string()))?,
        });
    }
    found.sort_by_key(|s| s.stage);
    Ok(found)
}

pub(super) fn artifact(conn: &Connection, n: i64, name: ArtifactName) -> Result<Option<String>, StoreError> {
    let mut select = conn.prepare_cached("SELECT content FROM draft_artifacts WHERE draft_n = ?1 AND name = ?2")?;
    Ok(select.query_row(params![n, name.as_str()], |r| r.get(0)).optional()?)
}

fn stats(conn: &Connection) -> Result<Stats, StoreError> {
    let one = |sql: &str| -> Result<i64, StoreError> { Ok(conn.prepare_cached(sql)?.query_row([], |r| r.get(0))?) };
    Ok(Stats {
        total: one("SELECT count(*) FROM feedback")?,
        unreviewed: counts::unreviewed(conn)?,
        note_count: one("SELECT count(*) FROM notes")?,
        by_server: counts::of(conn, Kind::Server, i64::MAX)?,
        by_gap_type: counts::of(conn, Kind::Gap, i64::MAX)?,
        by_resolution: counts::of(conn, Kind::Resolution, i64::MAX)?,
    })
}
