//! Enough reports that every way to answer a filter is taken, and counts that are kept and not counted.

use crate::support::{NOON, TestEngine, command_id, me, report};
use futures::future::join_all;
use patchwork::domain::feedback::Resolution;
use patchwork::domain::filter::Filter;
use patchwork::domain::id::FeedbackId;
use patchwork::domain::note::NoteText;
use patchwork::domain::time::Millis;
use patchwork::engine::{Engine, new_command_id};
use patchwork::protocol::Command;
use patchwork::protocol::read::{Count, Detail, PageRequest};
use serde_json::json;
use std::collections::BTreeMap;

/// More than the planner calls narrow.
const REPORTS: usize = 1_300;

/// Most of one server, a few of another; every word and flag both often and seldom.
async fn fill(engine: &Engine) {
    let sends = (0..REPORTS).map(|i| {
        let server = if i % 90 == 0 { "rare" } else { "Billing" };
        let gap = if i % 3 == 0 { "missing_tool" } else { "wrong_format" };
        let word = if i % 400 == 7 { "walrus" } else { "invoice" };
        let command = report(json!({
            "id": format!("report-{i}"), "what_i_needed": format!("gap {word} number{i}"), "what_i_tried": "t", "gap_type": gap,
            "server_name": server, "session_id": format!("session-{}", i / 5), "client_type": if i % 2 == 0 { "zed" } else { "" },
            "resolution": if i % 5 == 0 { "blocked" } else { "odd" }, "tools_available": [if i % 7 == 0 { "export" } else { "list" }],
        }));
        engine.submit(new_command_id(), me(), command)
    });
    for sent in join_all(sends).await {
        sent.unwrap();
    }
    let id = |i: usize| FeedbackId::trusted(format!("report-{i}"));
    for i in (0..REPORTS).step_by(100) {
        let content = NoteText::parse("a marmot says so").unwrap();
        engine
            .submit(new_command_id(), me(), Command::AddNote { feedback: id(i), content, public: false })
            .await
            .unwrap();
    }
    for (range, reviewed) in [(0..REPORTS - 40, true), (0..3, false), (1..2, true), (1..2, true)] {
        let review = Command::SetReviewed { feedback: range.map(id).collect(), reviewed };
        engine.submit(new_command_id(), me(), review).await.unwrap();
    }
    engine.until_indexed().await;
}

async fn all(engine: &Engine) -> Vec<Detail> {
    let mut request = PageRequest::first(Filter::default(), 200);
    let mut found = Vec::new();
    loop {
        let page = engine.list(request.clone()).await.unwrap();
        found.extend(page.rows);
        let Some(next) = page.next else { return found };
        request.after = Some(next);
    }
}

/// All pages of a filter, put together.
async fn paged(engine: &Engine, filter: &Filter) -> Vec<i64> {
    let mut request = PageRequest::first(filter.clone(), 70);
    let mut found = Vec::new();
    loop {
        let page = engine.page(request.clone()).await.unwrap();
        found.extend(page.rows.iter().map(|row| row.n));
        let Some(next) = page.next else { return found };
        request.after = Some(next);
    }
}

#[tokio::test]
async fn every_filter_finds_what_memory_finds_page_after_page() {
    let t = TestEngine::open().await;
    fill(&t.engine).await;
    let all = all(&t.engine).await;
    assert_eq!(all.len(), REPORTS);
    for terms in [
        "",
        "server:billing",
        "server:rare",
        "server:rare,billing",
        "server:nobody gap:missing_tool",
        "session:session-7 is:reviewed",
        "session:session-7 server:billing",
        "-session:session-7 -client:zed",
        "is:unreviewed",
        "is:drafted,unreviewed",
        "has:notes",
        "is:drafted",
        "is:drafted,merged has:notes",
        "has:notes,pr,suggestion",
        "has:notes,pr server:billing",
        "gap has:notes",
        "gap is:reviewed has:notes -has:pr",
        "-has:notes -resolution:blocked",
        "since:1d",
        "until:2026-11-19",
        "gap",
        "walrus",
        "g",
        "num",
        "\"invoice number\"",
        "-walrus",
        "-gap",
        "-walrus -marmot -tool:export",
        "marmot gap",
        "tool:export",
        "-tool:list,nothing",
        "gap server:billing gap:missing_tool",
        "gap is:unreviewed",
        "gap session:session-8",
        "walrus server:billing",
        "-gap server:billing",
        "-invoice server:billing since:1d",
        "invoice -walrus client:zed -is:unreviewed has:notes",
    ] {
        for order in ["", " sort:oldest"] {
            let filter = Filter::parse(&format!("{terms}{order}")).unwrap();
            let mut wanted: Vec<i64> =
                all.iter().filter(|d| d.matches(&filter, Millis(NOON))).map(|d| d.feedback.n).collect();
            if !order.is_empty() {
                wanted.reverse();
            }
            assert_eq!(paged(&t.engine, &filter).await, wanted, "{terms}{order}");
        }
    }
    t.engine.close().await;
}

/// Values and how often they occur, in the order of a facet.
fn counted<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Count> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for value in values.filter(|value| !value.is_empty()) {
        *counts.entry(value).or_default() += 1;
    }
    let mut counts: Vec<Count> =
        counts.into_iter().map(|(value, count)| Count { value: value.into(), count }).collect();
    counts.sort_by_key(|c| -c.count);
    counts
}

#[tokio::test]
async fn counts_that_are_kept_are_those_of_the_rows() {
    let t = TestEngine::open().await;
    fill(&t.engine).await;
    // A repeat, and a name that differs in its case only: neither counts as something new.
    let again = report(json!({"id": "report-5", "what_i_needed": "n", "what_i_tried": "t"}));
    t.engine.submit(command_id("again"), me(), again).await.unwrap();
    let shouted = report(json!({"what_i_needed": "n", "what_i_tried": "t", "server_name": "RARE"}));
    t.engine.submit(new_command_id(), me(), shouted).await.unwrap();

    let all = all(&t.engine).await;
    let reports = || all.iter().map(|d| &d.feedback.report);
    let server = |name: &'_ str| if name == "RARE" { "rare" } else { "Billing" };
    let servers = counted(reports().map(|r| server(&r.server_name.replace("rare", "RARE"))));
    let gaps = counted(reports().map(|r| r.gap_type.as_str()));
    let resolutions = counted(reports().filter_map(|r| r.resolution).map(Resolution::as_str));
    let facets = t.engine.facets().await.unwrap();
    assert_eq!((&facets.server, &facets.gap, &facets.resolution), (&servers, &gaps, &resolutions));
    assert_eq!(facets.client, counted(reports().map(|r| r.client_type.as_str())));
    assert_eq!(facets.model, []);
    let stats = t.engine.stats().await.unwrap();
    assert_eq!(stats.total, REPORTS as i64 + 1);
    assert_eq!(stats.unreviewed, all.iter().filter(|d| !d.feedback.reviewed).count() as i64);
    assert_eq!(stats.unreviewed, 40 + 2 + 1, "three were given back, one of them reviewed again, and one is new");
    assert_eq!((stats.by_server, stats.by_gap_type, stats.by_resolution), (servers, gaps, resolutions));
    t.engine.close().await;
}
