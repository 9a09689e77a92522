//! What can go wrong with the file, in words that say what to do.

use rusqlite::ErrorCode;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something named in a write or read does not exist.
    #[error("there is no {what} with the id {id}")]
    NotFound { what: &'static str, id: String },
    /// The write does not fit what is there.
    #[error("{0}")]
    Conflict(String),
    #[error("the write queue is full: too many reports at once, try again in a moment")]
    QueueFull,
    #[error("the database is closed: the program is stopping")]
    Closed,
    #[error("the disk is full: free some space; the report was not stored, send it again")]
    DiskFull,
    #[error("the database is locked by another process for more than {}s: see which with `fuser`, or try again", super::open::BUSY_TIMEOUT.as_secs())]
    Locked,
    #[error(
        "the database is read-only: make the file and its directory writable, or name another with FEEDBACK_DB_PATH"
    )]
    ReadOnly,
    #[error("{}: {reason}", path.display())]
    Open { path: PathBuf, reason: String },
    #[error("the database answered: {0}")]
    Sql(rusqlite::Error),
    #[error("a stored value can't be read: {0}")]
    Stored(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(e: rusqlite::Error) -> Self {
        match e.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            _ => Self::Sql(e),
        }
    }
}

/// Says in words why a file could not be opened as our database.
pub(super) fn explain_open(e: &rusqlite::Error) -> String {
    match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            "this file is not an SQLite database; move it away, or name another with FEEDBACK_DB_PATH".into()
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            "the database is damaged; move it away and put the newest backup beside it back, or try `sqlite3 .recover`"
                .into()
        }
        Some(ErrorCode::CannotOpen) => {
            "the file can't be opened; check that its directory exists and that you may write there".into()
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "the file or its directory is read-only; make both writable, or name another with FEEDBACK_DB_PATH".into()
        }
        Some(ErrorCode::DiskFull) => "the disk is full; free some space".into(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "the database is locked by another process; stop it, or wait until it is done".into()
        }
        _ => format!("SQLite answered: {e}"),
    }
}
