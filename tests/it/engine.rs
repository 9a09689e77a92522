//! The engine through its public door.

use crate::support::{TestEngine, command_id, me, options, record, report};
use futures::StreamExt;
use patchwork::domain::filter::Filter;
use patchwork::domain::note::NoteText;
use patchwork::engine::{Engine, Mode, new_command_id};
use patchwork::protocol::read::PageRequest;
use patchwork::protocol::{Command, EventKind, RefusalKind, Seq, Signal};
use serde_json::json;

fn needed(text: &str) -> serde_json::Value {
    json!({"what_i_needed": text, "what_i_tried": "everything", "server_name": "billing"})
}

fn first_page(filter: &str) -> PageRequest {
    PageRequest::first(Filter::parse(filter).unwrap(), 50)
}

#[tokio::test]
async fn a_report_is_stored_listed_and_announced() {
    let t = TestEngine::open().await;
    let id = record(&t.engine, needed("search by cost")).await;
    let page = t.engine.page(first_page("")).await.unwrap();
    assert_eq!(page.rows[0].id, id);
    let Some(Signal::Event(event)) = t.engine.watch(Seq(0)).next().await else { panic!("an event") };
    assert_eq!(event.kind, EventKind::FeedbackRecorded);
    assert_eq!(event.feedback.unwrap().feedback.id, id);
}

#[tokio::test]
async fn one_command_id_acts_once_even_when_sent_at_the_same_time() {
    let t = TestEngine::open().await;
    let sends = (0..20).map(|_| t.engine.submit(command_id("same"), me(), report(needed("x"))));
    let receipts = futures::future::join_all(sends).await;
    let first = receipts[0].as_ref().unwrap();
    assert!(receipts.iter().all(|r| r.as_ref().unwrap().made == first.made));
    assert_eq!(receipts.iter().filter(|r| !r.as_ref().unwrap().replayed).count(), 1);
    assert_eq!(t.engine.stats().await.unwrap().total, 1);
}

#[tokio::test]
async fn notes_and_reviews_change_what_a_filter_finds() {
    let t = TestEngine::open().await;
    let id = record(&t.engine, needed("export as csv")).await;
    let other = record(&t.engine, needed("something else")).await;
    let note = Command::AddNote {
        feedback: id.clone(),
        content: NoteText::parse("needs Zebra streaming").unwrap(),
        public: false,
    };
    t.engine.submit(new_command_id(), me(), note).await.unwrap();
    let review = Command::SetReviewed { feedback: vec![other.clone()], reviewed: true };
    t.engine.submit(new_command_id(), me(), review).await.unwrap();
    t.engine.until_indexed().await;
    for (filter, wanted) in [
        ("has:notes", vec![&id]),
        ("zebra", vec![&id]),
        ("\"as csv\"", vec![&id]),
        ("is:reviewed", vec![&other]),
        ("-csv", vec![&other]),
        ("server:BILLING is:unreviewed", vec![&id]),
        ("server:nobody", vec![]),
    ] {
        let page = t.engine.page(first_page(filter)).await.unwrap();
        let found: Vec<_> = page.rows.iter().map(|r| &r.id).collect();
        assert_eq!(found, wanted, "{filter}");
    }
}

#[tokio::test]
async fn a_review_of_many_is_all_or_nothing() {
    let t = TestEngine::open().await;
    let id = record(&t.engine, needed("a")).await;
    let missing = patchwork::domain::id::FeedbackId::trusted("missing");
    let both = Command::SetReviewed { feedback: vec![id.clone(), missing], reviewed: true };
    let refused = t.engine.submit(new_command_id(), me(), both).await.unwrap_err();
    assert_eq!(refused.kind, RefusalKind::NotFound);
    assert!(!t.engine.feedback(&id).await.unwrap().feedback.reviewed);
}

#[tokio::test]
async fn a_second_owner_is_told_who_owns_the_database() {
    let t = TestEngine::open().await;
    let refused = Engine::open(options(t.dir.path())).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    t.engine.close().await;
    assert!(Engine::open(options(t.dir.path())).await.is_ok(), "the lock is given back");
}

#[tokio::test]
async fn what_a_guest_writes_reaches_the_owners_watchers() {
    let t = TestEngine::open().await;
    let mut guest_options = options(t.dir.path());
    guest_options.mode = Mode::Guest;
    let guest = Engine::open(guest_options).await.unwrap();
    let mut feed = t.engine.watch(Seq(0));
    let id = record(&guest, needed("from the command line")).await;
    let Some(Signal::Event(event)) = feed.next().await else { panic!("an event") };
    assert_eq!(event.feedback.unwrap().feedback.id, id);
}

#[tokio::test]
async fn a_kill_between_commit_and_bell_loses_and_repeats_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let seen = {
        let engine = Engine::open(options(dir.path())).await.unwrap();
        record(&engine, needed("before")).await;
        let Some(Signal::Event(event)) = engine.watch(Seq(0)).next().await else { panic!("an event") };
        // This one is committed, and the process dies before any watcher hears of it.
        record(&engine, needed("unheard")).await;
        engine.close().await;
        event.seq
    };
    let engine = Engine::open(options(dir.path())).await.unwrap();
    let mut feed = engine.watch(seen);
    let Some(Signal::Event(event)) = feed.next().await else { panic!("an event") };
    assert_eq!(event.feedback.unwrap().feedback.report.what_i_needed, "unheard");
    record(&engine, needed("after")).await;
    let Some(Signal::Event(next)) = feed.next().await else { panic!("an event") };
    assert_eq!(next.feedback.unwrap().feedback.report.what_i_needed, "after", "once, and nothing between");
}

#[tokio::test]
async fn pages_go_on_where_they_ended_in_both_orders() {
    let t = TestEngine::open().await;
    for i in 0..25 {
        record(&t.engine, needed(&format!("number {i}"))).await;
    }
    t.engine.until_indexed().await;
    for filter in ["", "sort:oldest", "number", "number sort:oldest"] {
        let mut request = PageRequest::first(Filter::parse(filter).unwrap(), 10);
        let mut seen = Vec::new();
        loop {
            let page = t.engine.page(request.clone()).await.unwrap();
            seen.extend(page.rows.iter().map(|r| r.n));
            let Some(next) = page.next else { break };
            request.after = Some(next);
        }
        let mut wanted: Vec<i64> = (1..=25).collect();
        if !filter.contains("oldest") {
            wanted.reverse();
        }
        assert_eq!(seen, wanted, "{filter}");
    }
}
