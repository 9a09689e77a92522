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
    let mut newest = BTreeMap::new();
    for (n, name, reports) in reports(conn)? {
        let key = name.to_ascii_lowercase();
        newest.insert(key.clone(), n);
        let entry = found.entry(key).or_insert_with(|| Server { name, heartbeat: None, reports });
        entry.reports = reports;
    }
    found.remove(CANARY_SERVER);
    let mut servers: Vec<(String, Server)> = found.into_iter().collect();
    // Two reports can come in the same millisecond; their numbers still tell which was later.
    servers.sort_by_key(|(key, server)| std::cmp::Reverse((server.last_heard(), newest.get(key).copied())));
    Ok(servers.into_iter().map(|(_, server)| server).collect())
}

/// The stored counts, and the number and time of each server's last report.
fn reports(conn: &Connection) -> Result<Vec<(i64, String, Reports)>, StoreError> {
    let sql = "SELECT c.value, c.count, u.count, f.received_at, f.n
         FROM counts c
         LEFT JOIN counts u ON u.kind = 'server_unreviewed' AND u.value = c.value
         JOIN feedback f ON f.n = (SELECT max(n) FROM feedback INDEXED BY feedback_server WHERE server_name = c.value)
         WHERE c.kind = 'server' AND c.count > 0 ORDER BY f.n DESC LIMIT ?1";
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map([READ], |r| {
        let unreviewed: Option<i64> = r.get(2)?;
        let reports =
            Reports { total: r.get(1)?, unreviewed: unreviewed.unwrap_or_default(), last: Some(Millis(r.get(3)?)) };
        Ok((r.get(4)?, r.get(0)?, reports))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
