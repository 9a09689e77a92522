//! The file: opening, migrating, refusing, searching.

mod damaged;
mod filters;
mod many;
pub(crate) mod original;
mod schema;

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
    let data = dir.path().join("share/patchwork");
    let engine = Engine::open(options(&data)).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data.join("feedback.db")), mode(&data)), (0o600, 0o700));
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

/// A page speaks for everything up to its number. Were a search blind to what is not indexed yet, the screen that asks in that moment would
/// miss a report for ever: the page does not have it, and its event is older than the page.
#[tokio::test]
async fn a_search_sees_what_the_index_has_yet_to_take_in() {
    let t = TestEngine::open().await;
    let known = record(&t.engine, json!({"what_i_needed": "a walrus", "what_i_tried": "t"})).await;
    t.engine.until_indexed().await;
    // Behind the writer's back, hence unindexed until something is written.
    let path = t.dir.path().join("feedback.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "INSERT INTO feedback (id, received_at, server_name, gap_type, gap_type_raw, resolution_raw, what_i_needed, what_i_tried,
                               suggestion, user_goal, tools_available, extra, has_suggestion)
             SELECT 'copy', received_at, server_name, gap_type, gap_type_raw, resolution_raw, what_i_needed, what_i_tried,
                    suggestion, user_goal, tools_available, extra, has_suggestion FROM feedback;
         INSERT INTO events (at, kind, door, actor, made, feedback_n, text)
             SELECT 0, 'feedback_recorded', 'cli', '', 'feedback:copy', n, '' FROM feedback WHERE id = 'copy';
         INSERT INTO notes (id, feedback_n, at, author, content)
             SELECT 'note', n, 0, '', 'or a seal' FROM feedback WHERE id <> 'copy';
         UPDATE feedback SET note_count = 1 WHERE id <> 'copy';
         INSERT INTO events (at, kind, door, actor, made, feedback_n, text)
             SELECT 0, 'note_added', 'cli', '', 'note:note', n, '' FROM feedback WHERE id <> 'copy'",
    )
    .unwrap();
    for (filter, wanted) in [
        ("walrus", vec!["copy", known.as_str()]),
        ("walrus sort:oldest", vec![known.as_str(), "copy"]),
        ("seal", vec![known.as_str()]),
        ("-seal", vec!["copy"]),
    ] {
        let request = PageRequest::first(Filter::parse(filter).unwrap(), 10);
        let page = t.engine.page(request.clone()).await.unwrap();
        assert_eq!(page.rows.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), wanted, "{filter}");
        let list = t.engine.list(request).await.unwrap();
        assert_eq!(list.rows.iter().map(|d| d.feedback.id.as_str()).collect::<Vec<_>>(), wanted, "{filter}");
    }
    // A page at a time.
    let mut request = PageRequest::first(Filter::parse("walrus").unwrap(), 1);
    let first = t.engine.page(request.clone()).await.unwrap();
    request.after = first.next;
    let second = t.engine.page(request).await.unwrap();
    assert_eq!((first.rows[0].id.as_str(), second.rows[0].id.as_str()), ("copy", known.as_str()));
    assert_eq!((first.next.is_some(), second.next), (true, None));
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

/// Both reports come in the same millisecond of the manual clock; their order is still known.
#[tokio::test]
async fn servers_heard_in_the_same_moment_stand_the_latest_first() {
    let t = TestEngine::open().await;
    for server in ["zeta", "alpha", "mid"] {
        record(&t.engine, json!({"what_i_needed": "n", "what_i_tried": "t", "server_name": server})).await;
    }
    let servers = t.engine.servers().await.unwrap();
    assert_eq!(servers.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["mid", "alpha", "zeta"]);
}
