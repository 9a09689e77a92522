//! Bringing a file to today's schema: backed up first, in one transaction, never backwards.

use super::error::StoreError;
use super::open::APPLICATION_ID;
use super::original;
use crate::domain::time::Millis;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// One file per released schema, in order; `user_version` counts them.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_init.sql"),
    include_str!("migrations/0002_servers.sql"),
    include_str!("migrations/0003_reviews.sql"),
];

/// What the file was before.
enum Found {
    Empty,
    /// Made by the original Python sidecar.
    Original,
    Ours {
        version: i64,
    },
}

/// Migrates when needed.
///
/// # Errors
/// When the file is newer than the program, belongs to something else, or can't be backed up; then it is as it was.
pub(super) fn run(conn: &mut Connection, path: &Path, now: Millis) -> Result<(), StoreError> {
    let refuse = |reason: String| StoreError::Open { path: path.to_owned(), reason };
    let newest = MIGRATIONS.len() as i64;
    let found = look(conn)?;
    let from = match &found {
        Found::Ours { version } if *version == newest => return Ok(()),
        Found::Ours { version } if *version > newest => {
            return Err(refuse(format!(
                "this database has schema {version}, this program knows up to {newest}; use a newer patchwork, nothing was changed"
            )));
        }
        Found::Ours { version } => *version,
        Found::Empty | Found::Original => 0,
    };
    if !matches!(found, Found::Empty) {
        back_up(conn, path, from, now)?;
    }
    // Old files hold rows whose parents are gone, and tables are dropped with children in place. Can't be changed inside a transaction.
    conn.pragma_update(None, "foreign_keys", "off")?;
    let migrated = migrate(conn, from, newest, matches!(found, Found::Original), now);
    conn.pragma_update(None, "foreign_keys", "on")?;
    migrated
}

fn migrate(conn: &mut Connection, from: i64, newest: i64, original: bool, now: Millis) -> Result<(), StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have migrated between the look and the lock.
    if user_version(&tx)? == newest {
        return Ok(());
    }
    if original {
        original::set_aside(&tx)?;
    }
    apply(&tx, from)?;
    if original {
        original::import(&tx, now)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", newest)?;
    tx.commit()?;
    Ok(())
}

fn user_version(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.pragma_query_value(None, "user_version", |r| r.get(0))?)
}

fn look(conn: &Connection) -> Result<Found, StoreError> {
    let version = user_version(conn)?;
    let application: i64 = conn.pragma_query_value(None, "application_id", |r| r.get(0))?;
    if application == APPLICATION_ID {
        return Ok(Found::Ours { version });
    }
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let names: Vec<String> = tables.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
    if names.is_empty() {
        return Ok(Found::Empty);
    }
    if version == 0 && names.iter().any(|n| n == "feedback") {
        return Ok(Found::Original);
    }
    Err(StoreError::Stored("this is another program's database; name another file with FEEDBACK_DB_PATH".into()))
}

fn apply(tx: &Transaction<'_>, from: i64) -> Result<(), StoreError> {
    for sql in MIGRATIONS.iter().skip(from as usize) {
        tx.execute_batch(sql)?;
    }
    let id = uuid::Uuid::now_v7().to_string();
    tx.execute("INSERT INTO meta (key, value) VALUES ('database_id', ?1) ON CONFLICT DO NOTHING", [id])?;
    Ok(())
}

/// Copies the whole file to `<name>.backup-v<schema>-<time>`, readable by its owner only.
fn back_up(conn: &Connection, path: &Path, version: i64, now: Millis) -> Result<PathBuf, StoreError> {
    let stamp: String = now.to_iso().chars().take(19).filter(char::is_ascii_digit).collect();
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let backup = path.with_file_name(format!("{name}.backup-v{version}-{stamp}"));
    let failed = |why: String| StoreError::Open {
        path: path.to_owned(),
        reason: format!(
            "it must be migrated, and the backup {} can't be made: {why}; nothing was changed",
            backup.display()
        ),
    };
    let part = path.with_file_name(format!("{name}.backup-part-{}", std::process::id()));
    if let Err(why) = copy_whole(conn, &part).and_then(|()| Ok(fs::rename(&part, &backup)?)) {
        // Half a backup is worse than none, and takes up room that is missing perhaps. It may not even be there.
        let _nothing_left = fs::remove_file(&part);
        return Err(failed(why.to_string()));
    }
    Ok(backup)
}

/// Writes the database to `to`, private from its first byte on and on the disk when this returns.
fn copy_whole(conn: &Connection, to: &Path) -> Result<(), Box<dyn std::error::Error>> {
    // SQLite takes an empty file as its own.
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    conn.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    Ok(file.sync_all()?)
}
