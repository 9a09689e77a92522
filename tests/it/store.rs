//! The file: opening, migrating, refusing.

use crate::support::options;
use patchwork::engine::Engine;
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt;

async fn open_error(dir: &std::path::Path) -> String {
    Engine::open(options(dir)).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_new_database_is_private_and_durable() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(options(dir.path())).await.unwrap();
    let mode = std::fs::metadata(dir.path().join("feedback.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    engine.close().await;
}

#[tokio::test]
async fn files_that_are_not_ours_are_left_alone_and_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("feedback.db");

    std::fs::write(&path, "this is not a database, but it is long enough to look like a file with a header".repeat(20))
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(open_error(dir.path()).await.contains("not an SQLite database"));
    assert_eq!(std::fs::read(&path).unwrap(), before);

    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE recipes (x)").unwrap();
    assert!(open_error(dir.path()).await.contains("another program's database"));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    Engine::open(options(dir.path())).await.unwrap().close().await;
    let conn = Connection::open(dir.path().join("feedback.db")).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let error = open_error(dir.path()).await;
    assert!(error.contains("schema 99") && error.contains("newer patchwork"), "{error}");
}
