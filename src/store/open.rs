//! Opening the file suspiciously: every pragma that durability rests on is read back.

use super::error::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// How long a statement waits for another process's lock.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// "PWMC": marks the file as ours.
pub(super) const APPLICATION_ID: i64 = 0x5057_4d43;

fn refuse(path: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::Open { path: path.to_owned(), reason: reason.into() }
}

/// Opens the file for writing, making it (0600) and its directory (0700) when they are not there.
pub(super) fn writer(path: &Path) -> Result<Connection, StoreError> {
    make_private(path)?;
    let conn = Connection::open(path)?;
    set_pragmas(&conn)?;
    Ok(conn)
}

/// Opens the file for reading only. The file must have been opened by [`writer`] before.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// Makes the file's directory (0700), if it is not there.
pub fn make_directory(path: &Path) -> Result<(), StoreError> {
    let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) else { return Ok(()) };
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|e| refuse(path, format!("its directory can't be made: {e}")))
}

fn make_private(path: &Path) -> Result<(), StoreError> {
    make_directory(path)?;
    if path.exists() {
        return Ok(());
    }
    // Made here and not by SQLite, so that it is private from its first byte on.
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(refuse(path, format!("it can't be made: {e}; check that you may write to its directory"))),
    }
}

fn set_pragmas(conn: &Connection) -> Result<(), StoreError> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "wal", |r| r.get(0))?;
    if mode != "wal" {
        let why =
            format!("journal mode is `{mode}`, not `wal`: the file's disk does not support it (a network share?)");
        return Err(StoreError::Stored(why));
    }
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "foreign_keys", "on")?;
    for (pragma, wanted) in [("synchronous", 2_i64), ("foreign_keys", 1)] {
        let got: i64 = conn.pragma_query_value(None, pragma, |r| r.get(0))?;
        if got != wanted {
            return Err(StoreError::Stored(format!("pragma {pragma} is {got} and should be {wanted}")));
        }
    }
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// A number that changes when another connection commits.
pub(super) fn data_version(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.pragma_query_value(None, "data_version", |r| r.get(0))?)
}
