//! The file: opening, migrating, refusing, searching.

mod damaged;
mod filters;
mod many;
pub(crate) mod original;

use crate::support::{TestEngine, command_id, me, options, record, report};
use patchwork::domain::filter::Filter;
use patchwork::engine::Engine;
use patchwork::protocol::RefusalKind;
use patchwork::protocol::read::PageRequest;
use rusqlite::Connection;
use serde_json::json;
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
async fn a_closed_database_is_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(options(dir.path())).await.unwrap();
    let id = record(&engine, json!({"what_i_needed": "n", "what_i_tried": "t"})).await;
    engine.feedback(&id).await.unwrap();
    engine.close().await;
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(dir.path().join("feedback.db"), other.path().join("feedback.db")).unwrap();
    assert!(!dir.path().join("feedback.db-wal").exists());
    let engine = Engine::open(options(other.path())).await.unwrap();
    assert_eq!(engine.feedback(&id).await.unwrap().feedback.id, id);
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

#[tokio::test]
async fn what_a_crash_left_unindexed_is_found_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(options(dir.path())).await.unwrap();
    let id = record(&engine, json!({"what_i_needed": "a walrus", "what_i_tried": "t"})).await;
    engine.until_indexed().await;
    engine.close().await;
    // As if the process had died after the commit and before the index.
    let conn = Connection::open(dir.path().join("feedback.db")).unwrap();
    conn.execute_batch("DELETE FROM meta WHERE key = 'indexed_seq'; INSERT INTO search (search) VALUES ('delete-all')")
        .unwrap();
    drop(conn);
    let engine = Engine::open(options(dir.path())).await.unwrap();
    engine.until_indexed().await;
    let page = engine.page(PageRequest::first(Filter::parse("walrus").unwrap(), 10)).await.unwrap();
    assert_eq!(page.rows.len(), 1);
    assert_eq!(page.rows[0].id, id);
}

#[tokio::test]
async fn a_database_locked_by_another_process_is_a_sentence_and_no_loss() {
    let t = TestEngine::open().await;
    let stranger = Connection::open(t.dir.path().join("feedback.db")).unwrap();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let command = || report(json!({"what_i_needed": "n", "what_i_tried": "t", "id": "r1"}));
    let refused = t.engine.submit(command_id("c1"), me(), command()).await.unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Storage);
    assert!(refused.detail.contains("locked by another process"), "{refused}");
    assert_eq!(t.engine.stats().await.unwrap().total, 0, "reads go on");
    stranger.execute_batch("ROLLBACK").unwrap();
    let receipt = t.engine.submit(command_id("c1"), me(), command()).await.unwrap();
    assert!(!receipt.replayed, "a refused command may be sent again under its id");
}

#[tokio::test]
async fn hostile_text_is_stored_as_sent() {
    let t = TestEngine::open().await;
    let hostile = format!("\0 \u{1b}]0;x\u{7} \u{202e}abc \u{9b}2J e{} \u{fffe}", "\u{301}".repeat(50_000));
    let id =
        record(&t.engine, json!({"what_i_needed": hostile, "what_i_tried": "t", "tools_available": ["a\0b"]})).await;
    let stored = t.engine.feedback(&id).await.unwrap().feedback.report;
    assert_eq!(stored.what_i_needed, hostile);
    assert_eq!(stored.tools_available, ["a\0b"]);
    let page = t.engine.page(PageRequest::first(Filter::default(), 10)).await.unwrap();
    assert!(page.rows[0].headline.chars().all(|c| !c.is_control() && c != '\u{202e}'));
}
