//! Every screen at three sizes, as text: `snapshots/*.snap`.

use crate::support::desk::{Desk, Sitting, published, ranked};
use crate::support::scene::Scene;
use patchwork::domain::draft::{DraftState, Stage, Usage};
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::protocol::EventKind;
use patchwork::tui::model::Ingest;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const SIZES: [(u16, u16); 3] = [(40, 12), (80, 24), (120, 40)];

/// One file per screen, with all its sizes.
pub(super) fn snapshot(name: &str, sit: impl Fn(u16, u16) -> Sitting) {
    let mut all = String::new();
    for (width, height) in SIZES {
        let sitting = sit(width, height);
        writeln!(all, "{width}×{height} {}", "─".repeat(usize::from(width).saturating_sub(7))).unwrap();
        for line in sitting.scene.lines() {
            writeln!(all, "│{line}").unwrap();
        }
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, all);
    });
}

/// Reports as an author gets them: in all states, in other scripts, and from somebody who means harm.
fn desk() -> Desk {
    let mut desk = Desk::default();
    desk.report(
        60 * 24 * 40,
        json!({"what_i_needed": "Sort search results by date", "what_i_tried": "order_by=date",
        "server_name": "docs", "gap_type": "missing_parameter", "resolution": "worked_around"}),
    );
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}evil\u{200b} <script>alert(1)</script>\r\nsecond line\0";
    desk.report(
        60 * 50,
        json!({"what_i_needed": hostile, "what_i_tried": format!("e{}", "\u{301}".repeat(500)),
        "server_name": "\u{9b}31mred", "gap_type": "my own word", "resolution": "gave up", "colour": "green\u{1b}[0m"}),
    );
    desk.report(60 * 3, json!({"what_i_needed": "請求書を顧客ごとに検索できるツールが必要です。毎月の費用を集計するため。",
        "what_i_tried": "一覧を取得して、手で合計しました。👩‍👩‍👧‍👦 🇫🇮 e\u{301}", "server_name": "請求システム", "gap_type": "missing_tool",
        "resolution": "partial", "user_goal": "毎月の費用"}));
    let exported = desk.report(
        95,
        json!({"what_i_needed": "Export an invoice as PDF", "what_i_tried": "get_invoice returns JSON only",
        "server_name": "billing", "gap_type": "wrong_format", "resolution": "blocked"}),
    );
    desk.report(12, json!({"what_i_needed": "All the rows of the report, not only the first hundred", "what_i_tried": "list_rows with limit=1000",
        "server_name": "analytics-warehouse-eu-west-1", "gap_type": "incomplete_results"}));
    let search = desk.report(
        2,
        json!({
        "what_i_needed": "A tool to search the costs of a customer by text, for example search_costs(query, customer)",
        "what_i_tried": "list_costs and read all 4,000 of them; the context was full after page 3",
        "suggestion": "def search_costs(query: str, customer: str | None = None) -> list[Cost]",
        "user_goal": "Find out why the bill of March was higher",
        "server_name": "billing", "gap_type": "missing_tool", "resolution": "blocked",
        "agent_model": "claude-opus-4-6", "client_type": "claude-code", "session_id": "s-42",
        "tools_available": ["list_costs", "get_invoice", "feedback"]}),
    );
    desk.note(&search, 1, "The table has a full-text index already: costs_fts.\nUse it.");
    desk.detail_mut(&exported).unwrap().feedback.reviewed = true;
    desk
}

fn search_costs() -> FeedbackId {
    FeedbackId::trusted("r6")
}

pub(super) fn inbox(width: u16, height: u16) -> Sitting {
    Sitting::begin(width, height, desk())
}

fn arrival(i: i32) -> serde_json::Value {
    json!({"what_i_needed": format!("New need {i}"), "what_i_tried": "t", "server_name": "billing"})
}

#[test]
fn before_the_first_answer() {
    snapshot("reading", |w, h| Sitting { scene: Scene::new(w, h), desk: Desk::default() });
}

#[test]
fn an_empty_inbox() {
    snapshot("empty", |w, h| Sitting::begin(w, h, Desk::default()));
}

#[test]
fn an_inbox_with_reports() {
    snapshot("inbox", inbox);
}

#[test]
fn an_inbox_with_reviewed_ones_shown() {
    snapshot("inbox_all", |w, h| {
        let mut s = inbox(w, h);
        s.keys("u j j j");
        s
    });
}

#[test]
fn a_selection() {
    snapshot("selection", |w, h| {
        let mut s = inbox(w, h);
        s.keys("space j space");
        s
    });
}

#[test]
fn arrivals_that_are_held() {
    snapshot("arrivals", |w, h| {
        let mut s = inbox(w, h);
        s.keys("j");
        s.arrive(arrival(1));
        s.arrive(arrival(2));
        s
    });
}

#[test]
fn nothing_left() {
    snapshot("nothing_left", |w, h| {
        let mut s = inbox(w, h);
        s.keys("r r r r r");
        s
    });
}

#[test]
fn a_report_in_full() {
    snapshot("detail", |w, h| {
        let mut s = inbox(w, h);
        s.keys("enter");
        s
    });
}

#[test]
fn hostile_text_in_full() {
    snapshot("detail_hostile", |w, h| {
        let mut s = inbox(w, h);
        s.keys("j j j enter");
        s
    });
}

#[test]
fn wide_characters_in_full() {
    snapshot("detail_wide", |w, h| {
        let mut s = inbox(w, h);
        s.keys("j j enter");
        s
    });
}

#[test]
fn a_long_report_scrolled() {
    snapshot("detail_long", |w, h| {
        let mut desk = desk();
        let text: Vec<String> = (1..=80).map(|i| format!("{i}. a line of what it needed")).collect();
        desk.report(0, json!({"what_i_needed": text.join("\n"), "what_i_tried": "t", "server_name": "billing"}));
        let mut s = Sitting::begin(w, h, desk);
        s.keys("enter ctrl-d ctrl-d j");
        s
    });
}

#[test]
fn a_filter_in_force() {
    snapshot("filtered", |w, h| {
        let mut s = inbox(w, h);
        s.keys("/").type_text("server:billing since:7d").keys("enter");
        s
    });
}

#[test]
fn a_filter_with_what_could_follow() {
    snapshot("filter_offers", |w, h| {
        let mut s = inbox(w, h);
        s.keys("/").type_text("since:7d gap:");
        s
    });
}

#[test]
fn a_filter_with_a_mistake() {
    snapshot("filter_mistake", |w, h| {
        let mut s = inbox(w, h);
        s.keys("/").type_text("gap:missing_tol is:unreviewed");
        s
    });
}

#[test]
fn a_filter_that_nothing_fits() {
    snapshot("filter_nothing", |w, h| {
        let mut s = inbox(w, h);
        s.keys("/").type_text("unicorns").keys("enter");
        s
    });
}

#[test]
fn a_note_being_written() {
    snapshot("note", |w, h| {
        let mut s = inbox(w, h);
        s.keys("n").type_text("The table has a full-text index; a query over it takes a millisecond.").keys("enter");
        s.type_text("日本語 too");
        s
    });
}

#[test]
fn a_note_not_begun() {
    snapshot("note_empty", |w, h| {
        let mut s = inbox(w, h);
        s.keys("j n");
        s
    });
}

#[test]
fn a_note_kept_for_later() {
    snapshot("note_kept", |w, h| {
        let mut s = inbox(w, h);
        s.keys("n").type_text("half a thought").keys("esc");
        s
    });
}

/// Three runs: one that works, one that failed, one that was published. The newest is `d3`.
fn runs() -> (Desk, DraftId) {
    let mut desk = desk();
    let published_run = desk.run(&FeedbackId::trusted("r4"), 80, published("https://github.com/ada/billing/pull/12"));
    let run = desk.run_mut(&published_run);
    run.draft.usage =
        Usage { input_tokens: 24_310, output_tokens: 1_204, cached_tokens: 20_000, cache_written_tokens: 0 };
    run.files = vec![
        ranked("src/tools/invoice.py", 18.25, &["get_invoice", "invoice", "pdf"], 2_100),
        ranked("src/render.py", 7.5, &["pdf"], 900),
        ranked("docs/日本語.md", 0.25, &["invoice"], 0),
    ];
    run.diff = "diff --git a/src/tools/invoice.py b/src/tools/invoice.py\n--- a/src/tools/invoice.py\n+++ b/src/tools/invoice.py\n\
                @@ -1,3 +1,4 @@\n def get_invoice(id: str, format: str = \"json\"):\n-    return load(id)\n+    invoice = load(id)\n\
                +    return render_pdf(invoice) if format == \"pdf\" else invoice\n"
        .into();
    run.log = "worktree: /tmp/x\nchecks: 12 passed\n".into();
    let reason =
        "the change does not apply: src/server.py has no text `def list_rows(limit)`; add a note that says where it is";
    desk.run(&FeedbackId::trusted("r5"), 9, DraftState::Failed { stage: Stage::Check, reason: reason.into() });
    let running = desk.run(&search_costs(), 1, DraftState::Running { stage: Stage::Model });
    (desk, running)
}

pub(super) fn drafts(width: u16, height: u16) -> Sitting {
    let (desk, running) = runs();
    let mut s = Sitting::begin(width, height, desk);
    s.progress(
        &running,
        4_096,
        "I will add the tool\n```python\n@mcp.tool()\ndef search_costs(query: str):\u{1b}[31m\n    rows = db.execute(",
    );
    s.keys("3");
    s
}

#[test]
fn the_drafts_before_there_are_any() {
    snapshot("drafts_empty", |w, h| {
        let mut s = inbox(w, h);
        s.keys("3");
        s
    });
}

#[test]
fn a_draft_that_is_running() {
    snapshot("drafts_running", |w, h| {
        let mut s = drafts(w, h);
        s.keys("enter");
        s
    });
}

#[test]
fn the_list_of_drafts() {
    snapshot("drafts", drafts);
}

#[test]
fn a_draft_that_failed() {
    snapshot("drafts_failed", |w, h| {
        let mut s = drafts(w, h);
        s.keys("j enter");
        s
    });
}

#[test]
fn a_draft_that_was_published() {
    snapshot("drafts_published", |w, h| {
        let mut s = drafts(w, h);
        s.keys("G enter");
        s
    });
}

#[test]
fn the_diff_of_a_draft() {
    snapshot("drafts_diff", |w, h| {
        let mut s = drafts(w, h);
        s.keys("G enter G");
        s
    });
}

#[test]
fn a_run_under_its_report() {
    snapshot("run_panel", |w, h| {
        let mut s = drafts(w, h);
        s.keys("1 enter");
        s
    });
}

#[test]
fn a_failed_run_under_its_report() {
    snapshot("run_panel_failed", |w, h| {
        let mut s = drafts(w, h);
        s.keys("1 j enter");
        s
    });
}

#[test]
fn news_of_a_draft_wherever_one_is() {
    snapshot("draft_announced", |w, h| {
        let mut s = drafts(w, h);
        s.keys("1");
        let running = DraftId::trusted("d3");
        s.desk.run_mut(&running).draft.state = published("https://github.com/ada/billing/pull/13");
        let news = s.desk.about_run(EventKind::DraftPublished, "", &running);
        s.send(news);
        s
    });
}

#[test]
fn the_keys() {
    snapshot("help", |w, h| {
        let mut s = inbox(w, h);
        s.keys("?");
        s
    });
}

#[test]
fn the_keys_to_their_end() {
    snapshot("help_end", |w, h| {
        let mut s = inbox(w, h);
        s.keys("? G");
        s
    });
}

#[test]
fn quitting_while_a_draft_runs() {
    snapshot("quit", |w, h| {
        let mut s = drafts(w, h);
        s.keys("q");
        s
    });
}

#[test]
fn no_reports_are_taken() {
    let why = "not taking reports: 127.0.0.1:8099 is taken by another program; set FEEDBACK_PORT to a free port";
    snapshot("not_taking", |w, h| Sitting::with(Scene::with(w, h, Ingest::Off(why.into()), BTreeMap::new()), desk()));
    snapshot("not_taking_later", |w, h| {
        let mut s = Sitting::with(Scene::with(w, h, Ingest::Off(why.into()), BTreeMap::new()), desk());
        s.keys("j");
        s
    });
}
