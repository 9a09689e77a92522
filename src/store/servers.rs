//! What is known of servers: one row each for heartbeats, counts of reports from the reports themselves.

use super::error::StoreError;
use crate::domain::feedback::CANARY_SERVER;
use crate::domain::server::{Heard, Heartbeat, Pulse, Reports, Server};
use crate::domain::time::Millis;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use std::collections::BTreeMap;

/// Servers kept for their heartbeats; beyond that the one that is silent for longest is forgotten. Whoever can reach the port can
/// make up names.
const KEPT: i64 = 1_000;
/// Servers read at once, for their heartbeats and for their reports each.
const READ: i64 = 1_000;

const COLUMNS: &str = "name, first_heard, last_heard, since, beats, tool_names, tool_count, drop_in, sdk, client";

/// Notes a heartbeat. True when there is news in it: a server not heard of before, or another set of tools.
pub(super) fn record(tx: &Connection, beat: &Heartbeat, at: Millis) -> Result<bool, StoreError> {
    let before = one(tx, &beat.server_name)?.and_then(|server| server.heartbeat);
    let tools = serde_json::to_string(&beat.tool_names).map_err(|e| StoreError::Stored(e.to_string()))?;
    let pulse = before.as_ref().map_or_else(|| Pulse::first(at), |heard| heard.pulse.beat(at));
    let sql = format!(
        "INSERT INTO servers ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (name) DO UPDATE SET last_heard = excluded.last_heard, since = excluded.since, beats = excluded.beats,
             tool_names = excluded.tool_names, tool_count = excluded.tool_count, drop_in = excluded.drop_in,
             sdk = excluded.sdk, client = excluded.client"
    );
    tx.prepare_cached(&sql)?.execute(params![
        beat.server_name,
        pulse.first_heard.0,
        pulse.last_heard.0,
        pulse.since.0,
        pulse.beats,
        tools,
        beat.tool_count,
        beat.drop_in,
        beat.sdk,
        beat.client,
    ])?;
    if before.is_none() {
        forget_the_most_silent(tx)?;
    }
    Ok(before.is_none_or(|heard| heard.tool_names != beat.tool_names || heard.tool_count != beat.tool_count))
}

fn forget_the_most_silent(tx: &Connection) -> Result<(), StoreError> {
    let sql = "DELETE FROM servers WHERE name IN (
                   SELECT name FROM servers ORDER BY last_heard
                   LIMIT max(0, (SELECT count(*) FROM servers) - ?1))";
    tx.prepare_cached(sql)?.execute([KEPT])?;
    Ok(())
}

fn one(conn: &Connection, name: &str) -> Result<Option<Server>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM servers WHERE name = ?1");
    Ok(conn.prepare_cached(&sql)?.query_row([name], server).optional()?)
}

fn server(row: &SqlRow<'_>) -> rusqlite::Result<Server> {
    let heard = Heard {
        pulse: Pulse {
            first_heard: Millis(row.get(1)?),
            last_heard: Millis(row.get(2)?),
            since: Millis(row.get(3)?),
            beats: row.get(4)?,
        },
        // Written by this program as JSON; a hand-edited row must not make the whole list unreadable.
        tool_names: serde_json::from_str(row.get_ref(5)?.as_str()?).unwrap_or_default(),
        tool_count: row.get(6)?,
        drop_in: row.get(7)?,
        sdk: row.get(8)?,
        client: row.get(9)?,
    };
    Ok(Server { name: row.get(0)?, heartbeat: Some(heard), reports: Reports::default() })
}

/// Every server that was heard of, the latest first. Without the one that `patchwork ping` pretends to be.
pub(super) fn all(conn: &Connection) -> Result<Vec<Server>, StoreError> {
    let mut found = BTreeMap::new();
    let sql = format!("SELECT {COLUMNS} FROM servers ORDER BY last_heard DESC LIMIT ?1");
    let mut select = conn.prepare_cached(&sql)?;
    for row in select.query_map([READ], server)? {
        let server = row?;
        // The column compares without regard to ASCII case, and so does this.
        found.insert(server.name.to_ascii_lowercase(), server);
    }
    for (name, reports) in reports(conn)? {
        let key = name.to_ascii_lowercase();
        let entry = found.entry(key).or_insert_with(|| Server { name, heartbeat: None, reports });
        entry.reports = reports;
    }
    found.remove(CANARY_SERVER);
    let mut servers: Vec<Server> = found.into_values().collect();
    servers.sort_by_key(|server| std::cmp::Reverse(server.last_heard()));
    Ok(servers)
}

/// Counts from the indexes alone, and one row a server for the time of its last report.
fn reports(conn: &Connection) -> Result<Vec<(String, Reports)>, StoreError> {
    let mut unreviewed = BTreeMap::new();
    let sql = "SELECT server_name, count(*) FROM feedback INDEXED BY feedback_server_unreviewed WHERE reviewed = 0 GROUP BY server_name";
    let mut select = conn.prepare_cached(sql)?;
    for row in select.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)))? {
        let (name, count) = row?;
        unreviewed.insert(name.to_ascii_lowercase(), count);
    }
    let sql = "SELECT g.server_name, g.total, f.received_at FROM (
                   SELECT server_name, count(*) AS total, max(n) AS last FROM feedback GROUP BY server_name
                   ORDER BY last DESC LIMIT ?1) g
               JOIN feedback f ON f.n = g.last";
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map([READ], |r| {
        let name: String = r.get(0)?;
        let unreviewed = unreviewed.get(&name.to_ascii_lowercase()).copied().unwrap_or_default();
        Ok((name, Reports { total: r.get(1)?, unreviewed, last: Some(Millis(r.get(2)?)) }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
