//! How many reports there are of each server (unreviewed ones too), gap, resolution, client and model, kept with the rows.
//!
//! Counting a hundred thousand rows takes longer than drawing a screen, and the screen shows counts all the time. So the writer adds up
//! what a commit brings ([`Tally`]) and stores the sums in the same transaction: a few statements a commit, however many reports it has.

use super::error::StoreError;
use super::rows::opt;
use crate::domain::feedback::{Report, Resolution};
use crate::protocol::read::Count;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Server,
    Gap,
    Resolution,
    Client,
    Model,
    /// Reports that nobody has reviewed; one value, the empty one.
    Unreviewed,
    /// The same for each server.
    ServerUnreviewed,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Gap => "gap",
            Self::Resolution => "resolution",
            Self::Client => "client",
            Self::Model => "model",
            Self::Unreviewed => "unreviewed",
            Self::ServerUnreviewed => "server_unreviewed",
        }
    }
}

/// What the new reports of one transaction add.
#[derive(Debug, Default)]
pub(super) struct Tally<'a>(BTreeMap<(Kind, &'a str), i64>);

impl<'a> Tally<'a> {
    /// Counts a report that was stored just now.
    pub(super) fn add(&mut self, report: &'a Report, reviewed: bool) {
        let values = [
            (Kind::Server, Some(report.server_name.as_str())),
            (Kind::Gap, Some(report.gap_type.as_str())),
            (Kind::Resolution, report.resolution.map(Resolution::as_str)),
            (Kind::Client, opt(&report.client_type)),
            (Kind::Model, opt(&report.agent_model)),
            (Kind::Unreviewed, (!reviewed).then_some("")),
            (Kind::ServerUnreviewed, (!reviewed).then_some(report.server_name.as_str())),
        ];
        for (kind, value) in values {
            if let Some(value) = value {
                *self.0.entry((kind, value)).or_default() += 1;
            }
        }
    }

    /// Adds the sums to the stored ones, inside the transaction that stores the reports.
    pub(super) fn store(self, tx: &Connection) -> Result<(), StoreError> {
        self.0.into_iter().try_for_each(|((kind, value), more)| add(tx, kind, value, more))
    }
}

/// Changes one count.
pub(super) fn add(tx: &Connection, kind: Kind, value: &str, more: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO counts (kind, value, count) VALUES (?1, ?2, ?3)
        ON CONFLICT (kind, value) DO UPDATE SET count = count + excluded.count";
    tx.prepare_cached(sql)?.execute(params![kind.word(), value, more])?;
    Ok(())
}

/// The values of a kind, most frequent first, at most `limit`.
pub(super) fn of(conn: &Connection, kind: Kind, limit: i64) -> Result<Vec<Count>, StoreError> {
    let sql = "SELECT value, count FROM counts WHERE kind = ?1 AND count > 0 ORDER BY count DESC, value LIMIT ?2";
    let mut select = conn.prepare_cached(sql)?;
    let found = select.query_map(params![kind.word(), limit], |r| Ok(Count { value: r.get(0)?, count: r.get(1)? }))?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn unreviewed(conn: &Connection) -> Result<i64, StoreError> {
    let mut select = conn.prepare_cached("SELECT count FROM counts WHERE kind = ?1 AND value = ''")?;
    Ok(select.query_row([Kind::Unreviewed.word()], |r| r.get(0)).optional()?.unwrap_or_default())
}

/// Counts every row, after rows have come in by another way than [`Tally`].
pub(super) fn rebuild(tx: &Connection) -> Result<(), StoreError> {
    tx.execute("DELETE FROM counts", [])?;
    for (kind, column) in [
        (Kind::Server, "server_name"),
        (Kind::Gap, "gap_type"),
        (Kind::Resolution, "resolution"),
        (Kind::Client, "client_type"),
        (Kind::Model, "agent_model"),
    ] {
        let sql = format!(
            "INSERT INTO counts SELECT ?1, {column}, count(*) FROM feedback WHERE {column} IS NOT NULL GROUP BY {column}"
        );
        tx.execute(&sql, [kind.word()])?;
    }
    tx.execute(
        "INSERT INTO counts SELECT ?1, '', count(*) FROM feedback WHERE reviewed = 0",
        [Kind::Unreviewed.word()],
    )?;
    tx.execute(
        "INSERT INTO counts SELECT ?1, server_name, count(*) FROM feedback WHERE reviewed = 0 GROUP BY server_name",
        [Kind::ServerUnreviewed.word()],
    )?;
    Ok(())
}
