//! Files that something has spoiled: a sentence that says what to do, no panic, and nothing made worse.

use super::open_error;
use crate::support::{command_id, me, options, record, report};
use patchwork::domain::filter::Filter;
use patchwork::domain::id::FeedbackId;
use patchwork::engine::Engine;
use patchwork::protocol::RefusalKind;
use patchwork::protocol::read::PageRequest;
use rusqlite::Connection;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A closed database with one report in it.
async fn a_database(dir: &Path) -> FeedbackId {
    let engine = Engine::open(options(dir)).await.unwrap();
    let id = record(&engine, json!({"what_i_needed": "a walrus", "what_i_tried": "t"})).await;
    engine.until_indexed().await;
    engine.close().await;
    id
}

/// Overwrites the page where a table begins.
fn spoil(database: &Path, table: &str) {
    let conn = Connection::open(database).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: u32 = conn.query_row(sql, [table], |r| r.get(0)).unwrap();
    let size: u32 = conn.pragma_query_value(None, "page_size", |r| r.get(0)).unwrap();
    drop(conn);
    let file = OpenOptions::new().write(true).open(database).unwrap();
    file.write_all_at(&vec![0xA5; usize::try_from(size).unwrap()], u64::from((page - 1) * size)).unwrap();
}

#[tokio::test]
async fn a_damaged_table_is_told_on_every_way_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let id = a_database(dir.path()).await;
    spoil(&dir.path().join("feedback.db"), "feedback");
    let engine = Engine::open(options(dir.path())).await.unwrap();
    let new = report(json!({"what_i_needed": "n", "what_i_tried": "t"}));
    let refusals = [
        engine.page(PageRequest::first(Filter::default(), 10)).await.unwrap_err(),
        engine.feedback(&id).await.unwrap_err(),
        engine.submit(command_id("c1"), me(), new).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.kind, RefusalKind::Storage);
        assert!(refusal.detail.contains("damaged") && refusal.detail.contains("patchwork doctor"), "{refusal}");
    }
    assert!(!engine.check_database().await.unwrap().is_empty(), "the check that `doctor` makes finds it too");
    engine.close().await;
}

#[tokio::test]
async fn what_is_no_database_or_half_of_one_is_told_apart_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("feedback.db");
    a_database(dir.path()).await;
    let whole = fs::read(&path).unwrap();
    let garbage_behind_the_header = [&whole[..100], &vec![0xA5; 8000][..]].concat();
    for (content, told) in
        [(&whole[..5000], "damaged"), (&garbage_behind_the_header, "damaged"), (&whole[1..], "not an SQLite")]
    {
        fs::write(&path, content).unwrap();
        let error = open_error(dir.path()).await;
        assert!(error.contains(told) && error.contains("feedback.db: "), "{error}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = open_error(dir.path()).await;
    assert!(error.contains("can't be opened"), "{error}");
}

#[tokio::test]
async fn garbage_in_the_files_beside_the_database_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let id = a_database(dir.path()).await;
    for beside in ["feedback.db-wal", "feedback.db-shm", "feedback.db.lock"] {
        fs::write(dir.path().join(beside), vec![0xA5; 9000]).unwrap();
    }
    let engine = Engine::open(options(dir.path())).await.unwrap();
    assert_eq!(engine.feedback(&id).await.unwrap().feedback.report.what_i_needed, "a walrus");
    engine.close().await;
}
