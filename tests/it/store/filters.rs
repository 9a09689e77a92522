//! A filter means the same in SQL and in memory, for any filter and any reports.

use crate::support::{NOON, TestEngine, me, record};
use patchwork::domain::filter::Filter;
use patchwork::domain::note::NoteText;
use patchwork::domain::time::Millis;
use patchwork::engine::new_command_id;
use patchwork::protocol::Command;
use patchwork::protocol::read::PageRequest;
use proptest::prelude::*;
use serde_json::{Value, json};

const WORDS: &[&str] =
    &["search", "costs", "Große", "Café", "x", "a-b", "search_costs", "日本", "東京都", "naïve", "0x2A", "ﬁne"];

fn sentence() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(WORDS), 1..5).prop_map(|w| w.join(" "))
}

fn a_report() -> impl Strategy<Value = (Value, Option<String>, bool)> {
    let name = prop::sample::select(&["billing", "Billing", "docs", "ünï"][..]);
    let gap = prop::sample::select(&["missing_tool", "wrong_format", "strange"][..]);
    let resolution = prop::sample::select(&["", "blocked", "partial", "odd"][..]);
    let tools =
        prop::collection::vec(prop::sample::select(&["search_costs", "get.item", "Search_Costs", "x"][..]), 0..3);
    let client = prop::sample::select(&["", "cursor"][..]);
    (sentence(), sentence(), name, gap, resolution, tools, client, prop::option::of(sentence()), any::<bool>()).prop_map(
        |(needed, suggestion, server, gap, resolution, tools, client, note, reviewed)| {
            let json = json!({"what_i_needed": needed, "what_i_tried": "t", "suggestion": suggestion, "server_name": server,
                "gap_type": gap, "resolution": resolution, "tools_available": tools, "client_type": client});
            (json, note, reviewed)
        },
    )
}

fn a_term() -> impl Strategy<Value = String> {
    let word = prop::sample::select(WORDS).prop_flat_map(|w| {
        let n = w.chars().count();
        (1..=n).prop_map(move |k| w.chars().take(k).collect::<String>())
    });
    let fixed = prop::sample::select(
        &[
            "server:billing",
            "server:docs,ünï",
            "gap:missing_tool,other",
            "resolution:blocked",
            "tool:search_costs",
            "tool:get.item,x",
            "is:unreviewed",
            "is:reviewed,drafted",
            "has:notes",
            "has:suggestion",
            "client:cursor",
            "since:1h",
            "until:1d",
            "until:2026-12-01",
            "model:none",
        ][..],
    );
    let positive = prop_oneof![
        2 => word.prop_filter("a letter or digit", |w| w.chars().any(char::is_alphanumeric)),
        1 => sentence().prop_map(|s| format!("\"{s}\"")),
        4 => fixed.prop_map(str::to_owned),
    ];
    (positive, prop::bool::weighted(0.25)).prop_map(|(t, no)| if no { format!("-{t}") } else { t })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn sql_and_memory_agree(
        reports in prop::collection::vec(a_report(), 1..12),
        filters in prop::collection::vec(prop::collection::vec(a_term(), 1..4), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let t = TestEngine::open().await;
            for (json, note, reviewed) in reports {
                let id = record(&t.engine, json).await;
                if let Some(note) = note {
                    let add = Command::AddNote { feedback: id.clone(), content: NoteText::parse(note).unwrap(), public: false };
                    t.engine.submit(new_command_id(), me(), add).await.unwrap();
                }
                let review = Command::SetReviewed { feedback: vec![id], reviewed };
                t.engine.submit(new_command_id(), me(), review).await.unwrap();
            }
            t.engine.until_indexed().await;
            let all = t.engine.list(PageRequest::first(Filter::default(), 200)).await.unwrap().rows;
            for terms in filters {
                let source = terms.join(" ");
                let filter = Filter::parse(&source).unwrap();
                let memory: Vec<i64> = all.iter().filter(|d| d.matches(&filter, Millis(NOON))).map(|d| d.feedback.n).collect();
                let page = t.engine.page(PageRequest::first(filter, 200)).await.unwrap();
                let sql: Vec<i64> = page.rows.iter().map(|r| r.n).collect();
                assert_eq!(sql, memory, "{source}");
            }
            t.engine.close().await;
        });
    }
}
