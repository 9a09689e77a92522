//! A file of an earlier schema is backed up, brought to today's, and keeps everything.

use crate::support::options;
use patchwork::domain::id::FeedbackId;
use patchwork::engine::Engine;
use rusqlite::Connection;

const FIRST: &str = include_str!("../../../src/store/migrations/0001_init.sql");

#[tokio::test]
async fn a_file_of_the_first_schema_is_migrated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("feedback.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(FIRST).unwrap();
    conn.execute_batch(
        "INSERT INTO meta (key, value) VALUES ('database_id', 'the-same-as-before');
         INSERT INTO feedback (n, id, received_at, server_name, gap_type, has_suggestion, what_i_needed, what_i_tried, note_count)
             VALUES (1, 'r1', 5, 'billing', 'other', 0, 'needed', 'tried', 1);
         INSERT INTO counts (kind, value, count) VALUES ('server', 'billing', 1), ('unreviewed', '', 1);
         INSERT INTO notes (id, feedback_n, at, author, content) VALUES ('n1', 1, 6, 'ada', 'between us');
         PRAGMA application_id = 0x50574d43; PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(conn);

    let engine = Engine::open(options(dir.path())).await.unwrap();
    assert_eq!(engine.hello().database, "the-same-as-before");
    let kept = engine.feedback(&FeedbackId::trusted("r1")).await.unwrap();
    assert_eq!((kept.notes[0].content.as_str(), kept.notes[0].public), ("between us", false));
    let servers = engine.servers().await.unwrap();
    assert_eq!((servers[0].name.as_str(), servers[0].reports.unreviewed), ("billing", 1));
    assert_eq!(servers[0].reports.total, 1);
    engine.close().await;

    let names: Vec<String> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let backup = names.iter().find(|name| name.contains("backup-v1")).unwrap_or_else(|| panic!("{names:?}"));
    let notes: i64 = Connection::open(dir.path().join(backup))
        .unwrap()
        .query_row("SELECT count(*) FROM notes", [], |r| r.get(0))
        .unwrap();
    assert_eq!(notes, 1);
}
