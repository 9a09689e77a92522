//! The disk: directories that can be written to, a database that is sound, and who owns it.

use super::{Check, Setup};
use crate::cli::table::counted;
use crate::engine::{Mode, owner};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(super) fn directories(setup: &Setup, checks: &mut Vec<Check>) {
    let paths = &setup.loaded.paths;
    let data = paths.database.parent().unwrap_or(Path::new("."));
    for (what, dir) in [("data", data), ("cache", &paths.cache_dir), ("state", &paths.state_dir)] {
        let found = format!("{what}: {}", dir.display());
        checks.push(match writable(dir) {
            Ok(()) => Check::ok("directory", found),
            Err(e) => {
                Check::fail("directory", format!("{found}: {e}"), "let this user write there, or set PATCHWORK_HOME")
            }
        });
    }
}

/// Makes the directory where it is missing, because that is what the program would do, and tries a file in it.
fn writable(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    tempfile::tempfile_in(dir).map(drop)
}

pub(super) async fn database(setup: &Setup, checks: &mut Vec<Check>) {
    let path = &setup.loaded.paths.database;
    if let Some(owner) = owner(path) {
        let found = format!("in use by `patchwork {}`, process {}, since {}", owner.role, owner.pid, owner.since);
        checks.push(Check::ok("owner", found));
    }
    let engine = match setup.open(Mode::Guest).await {
        Ok(engine) => engine,
        Err(e) => {
            checks.push(Check::fail("database", format!("{e:#}"), "see `patchwork paths` for where it is"));
            return;
        }
    };
    let advice = "stop every patchwork, keep a copy of the file, and restore the newest backup beside it";
    checks.push(match (engine.check_database().await, engine.stats().await) {
        (Ok(faults), Ok(stats)) if faults.is_empty() => {
            Check::ok("database", format!("{}: sound, {}", path.display(), counted(stats.total, "report")))
        }
        (Ok(faults), Ok(_)) => Check::fail("database", format!("{}: {}", path.display(), faults.join("; ")), advice),
        (Err(e), _) | (_, Err(e)) => Check::fail("database", e.to_string(), advice),
    });
    engine.close().await;
    private(path, checks);
}

fn private(path: &Path, checks: &mut Vec<Check>) {
    let mode = match std::fs::metadata(path) {
        Ok(meta) => meta.permissions().mode() & 0o777,
        Err(e) => {
            checks.push(Check::fail("database", format!("{}: {e}", path.display()), "check the path"));
            return;
        }
    };
    if mode & 0o077 != 0 {
        let found = format!("{} can be read by others (mode {mode:o})", path.display());
        checks.push(Check::warn("database", found, format!("chmod 600 {}", path.display())));
    }
}
