//! What can go wrong with the file, in words that say what to do.

use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    #[error("{}: {reason}", path.display())]
    Open { path: PathBuf, reason: String },
    /// SQLite or the disk under it can't do what was asked.
    #[error("{}", .0.at_work())]
    Fault(Fault),
    #[error("a stored value can't be read: {0}")]
    Stored(String),
}

/// What SQLite says no with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    DiskFull,
    /// Any other error of the disk: a quota, a limit, a bad block, a share that went away.
    Disk(String),
    Locked,
    ReadOnly,
    Damaged(String),
    NotADatabase,
    CannotOpen,
    /// A statement that is wrong, or does not fit the rows that are there.
    Statement(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(e: rusqlite::Error) -> Self {
        Self::Fault(Fault::of(&e))
    }
}

impl StoreError {
    /// Whether it concerns the file, and with it every write of a transaction, rather than the one write that met it.
    pub(super) fn is_of_the_file(&self) -> bool {
        match self {
            Self::Fault(Fault::Statement(_)) | Self::NotFound { .. } | Self::Conflict(_) | Self::Stored(_) => false,
            Self::Fault(_) | Self::QueueFull | Self::Closed | Self::Open { .. } => true,
        }
    }

    /// As a reason why the file at `path` can't be opened.
    pub(super) fn at_open(self, path: &Path) -> Self {
        let reason = match self {
            Self::Open { .. } => return self,
            Self::Fault(fault) => fault.at_open(),
            Self::Stored(why) => why,
            Self::NotFound { .. } | Self::Conflict(_) | Self::QueueFull | Self::Closed => self.to_string(),
        };
        Self::Open { path: path.to_owned(), reason }
    }
}

impl Fault {
    fn of(e: &rusqlite::Error) -> Self {
        match e.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::SystemIoFailure) => Self::Disk(e.to_string()),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                Self::Locked
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged(e.to_string()),
            Some(ErrorCode::NotADatabase) => Self::NotADatabase,
            Some(ErrorCode::CannotOpen) => Self::CannotOpen,
            _ => Self::Statement(e.to_string()),
        }
    }

    /// For who has asked for something: nothing of it was done.
    fn at_work(&self) -> String {
        match self {
            Self::DiskFull => "the disk is full, nothing was stored: free some space, then send it again".into(),
            Self::Disk(why) => format!(
                "the disk did not do its work ({why}), nothing was stored: see whether it is full, over its quota or failing, then send it again"
            ),
            Self::Locked => format!(
                "the database was locked by another process for more than {} s, nothing was stored: see which with `fuser`, or try again",
                super::open::BUSY_TIMEOUT.as_secs()
            ),
            Self::ReadOnly => {
                "the database or its directory is read-only, nothing was stored: make both writable, then send it again"
                    .into()
            }
            Self::Damaged(why) => format!(
                "the database is damaged ({why}): stop patchwork and look at the file with `patchwork doctor`; a backup beside it, or `sqlite3 FILE .recover`, may bring it back"
            ),
            Self::NotADatabase => {
                "the file is no database any more: stop patchwork, and put a backup in its place".into()
            }
            Self::CannotOpen => {
                "the database can't be opened any more: see whether it is still there and may be read and written, and how many files are open"
                    .into()
            }
            Self::Statement(why) => format!("the database answered: {why}"),
        }
    }

    /// For who wants to open the file.
    fn at_open(&self) -> String {
        match self {
            Self::DiskFull => "the disk is full; free some space".into(),
            Self::Disk(why) => {
                format!("the disk did not do its work ({why}); see whether it is full, over its quota or failing")
            }
            Self::Locked => "the database is locked by another process; stop it, or wait until it is done".into(),
            Self::ReadOnly => {
                "the file or its directory is read-only; make both writable, or name another with FEEDBACK_DB_PATH".into()
            }
            Self::Damaged(_) => {
                "the database is damaged; move it away and put the newest backup beside it back, or try `sqlite3 .recover`"
                    .into()
            }
            Self::NotADatabase => {
                "this file is not an SQLite database; move it away, or name another with FEEDBACK_DB_PATH".into()
            }
            Self::CannotOpen => {
                "the file can't be opened; check that its directory exists and that you may write there".into()
            }
            Self::Statement(why) => format!("SQLite answered: {why}"),
        }
    }
}
