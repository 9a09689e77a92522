//! The context stage on repositories made of strings.

use super::*;
use crate::domain::change::Existing;
use crate::domain::feedback::{Feedback, NewFeedback};
use crate::domain::id::{FeedbackId, NoteId};
use crate::domain::note::Note;
use crate::domain::time::Millis;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A repository as a map from path to text; everything else the test asks of it is one call.
struct Repo(BTreeMap<RepoPath, String>);

impl Repo {
    fn new<'a>(files: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        Self(files.into_iter().map(|(p, t)| (RepoPath::parse(p).unwrap(), t)).collect())
    }

    fn choose(&self, report: &Detail, budget: usize) -> Context {
        self.choose_after(report, None, budget)
    }

    fn choose_after(&self, report: &Detail, previous: Option<&Previous>, budget: usize) -> Context {
        let paths: Vec<RepoPath> = self.0.keys().cloned().collect();
        let read = |p: &RepoPath| self.0.get(p).map_or(Existing::Missing, |t| Existing::Text(t.clone()));
        choose(&paths, &read, report, previous, budget)
    }
}

fn report(fields: &Value, notes: &[&str]) -> Detail {
    let mut all = json!({"what_i_needed": "-", "what_i_tried": "-"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let id = FeedbackId::trusted("f1");
    let note = |content: &&str| Note {
        id: NoteId::trusted("n"),
        feedback_id: id.clone(),
        at: Millis(0),
        author: String::new(),
        content: (*content).to_owned(),
        public: false,
    };
    let feedback = Feedback {
        id: id.clone(),
        n: 1,
        received_at: Millis(0),
        report: NewFeedback::parse(all).unwrap().report,
        reviewed: false,
        note_count: notes.len() as i64,
        pr_url: String::new(),
        drafted: false,
        merged: false,
    };
    Detail { feedback, notes: notes.iter().map(note).collect() }
}

fn billing() -> Repo {
    let server = "from billing.costs import total\n\n@mcp.tool()\ndef list_invoices(month):\n    return total(month)\n\n\
                  @mcp.tool()\ndef search_costs(query):\n    return []\n";
    Repo::new([
        ("src/billing/server.py", server.to_owned()),
        ("src/billing/costs.py", "def total(month):\n    return sum(month)\n".to_owned()),
        ("src/billing/auth.py", "def login(user):\n    return user\n".to_owned()),
        ("tests/test_server.py", "def test_search():\n    call_tool(\"search_costs\")\n".to_owned()),
        ("tests/test_auth.py", "def test_login():\n    assert True\n".to_owned()),
        ("docs/tools.md", "# Tools\n\n`search_costs` searches costs by query.\n".to_owned()),
        ("README.md", "# Billing server\n".to_owned()),
        ("pyproject.toml", "[project]\nname = \"billing\"\n".to_owned()),
        ("vendor/costs/search.py", "search costs date range filter\n".repeat(50)),
        ("poetry.lock", "search_costs date range\n".repeat(50)),
        (".env", "TOKEN=search_costs date range\n".to_owned()),
    ])
}

fn gap() -> Detail {
    report(
        &json!({
            "what_i_needed": "a date range filter for search_costs",
            "what_i_tried": "calling search_costs with a long query",
            "tools_available": ["search_costs", "list_invoices"],
        }),
        &[],
    )
}

fn order(context: &Context) -> Vec<&str> {
    context.ranked.iter().map(|f| f.path.as_str()).collect()
}

#[test]
fn the_file_that_registers_the_tool_wins_and_says_so() {
    let context = billing().choose(&gap(), 20_000);
    let first = &context.ranked[0];
    assert_eq!(first.path, "src/billing/server.py", "{:?}", order(&context));
    assert!(first.reasons[0].contains("registers `search_costs`"), "{:?}", first.reasons);
    assert!(first.reasons.iter().any(|r| r.contains("other tools")), "{:?}", first.reasons);
}

#[test]
fn what_lies_near_is_shown_and_what_is_foreign_comes_late() {
    let context = billing().choose(&gap(), 20_000);
    let order = order(&context);
    let place = |path: &str| order.iter().position(|p| *p == path);
    for near in ["tests/test_server.py", "docs/tools.md", "src/billing/costs.py", "README.md"] {
        assert!(place(near).is_some(), "{near} in {order:?}");
        assert!(place(near) < place("vendor/costs/search.py").or(Some(99)), "{near} in {order:?}");
    }
    assert!(place("poetry.lock").is_none() && place(".env").is_none(), "{order:?}");
    assert!(place("tests/test_auth.py").is_none(), "{order:?}");
}

#[test]
fn a_note_that_names_a_file_brings_it_to_the_front() {
    let repo = billing();
    let before = repo.choose(&gap(), 20_000);
    assert!(!order(&before)[..2].contains(&"src/billing/auth.py"));
    let mut noted = gap();
    noted.notes = report(&json!({}), &["The check belongs into auth.py, see login."]).notes;
    let after = repo.choose(&noted, 20_000);
    assert!(order(&after)[..2].contains(&"src/billing/auth.py"), "{:?}", order(&after));
}

#[test]
fn what_the_previous_draft_changed_is_shown_again() {
    let repo = billing();
    let previous = Previous {
        diff: "--- a/src/billing/auth.py\n+++ b/src/billing/auth.py\n@@ -1 +1 @@\n".into(),
        branch: "patchwork/x".into(),
        pr_url: String::new(),
    };
    let context = repo.choose_after(&gap(), Some(&previous), 20_000);
    let auth = context.ranked.iter().find(|f| f.path == "src/billing/auth.py").unwrap();
    assert!(auth.reasons[0].contains("previous draft") && auth.tokens > 0, "{auth:?}");
}

#[test]
fn camel_case_code_answers_to_plain_words() {
    let repo = Repo::new([
        ("src/exportInvoices.ts", "export function exportInvoices(format: string) {}\n".to_owned()),
        ("src/other.ts", "export function other() {}\n".to_owned()),
    ]);
    let context = repo.choose(&report(&json!({"what_i_needed": "exporting an invoice as CSV"}), &[]), 5_000);
    assert_eq!(order(&context)[0], "src/exportInvoices.ts");
}

#[test]
fn no_budget_is_ever_exceeded_and_what_is_left_out_is_named() {
    let mut repo = billing();
    for i in 0..200 {
        let path = RepoPath::parse(format!("src/extra/module_{i}.py")).unwrap();
        let lines = 20 + i * 7;
        repo.0.insert(path, "def search_costs_by_range(date, filter):\n    return date\n".repeat(lines));
    }
    for budget in [500, 2_000, 5_000, 20_000, 60_000] {
        let context = repo.choose(&gap(), budget);
        assert!(context.tokens() <= budget, "{} of {budget}", context.tokens());
        let real: usize = context.excerpts.iter().map(|e| estimate_tokens(&e.body)).sum();
        assert!(real <= budget, "{real} of {budget}");
        assert!(!context.left_out.is_empty());
        // Whatever matched is either shown or named.
        let all = context.excerpts.len() + context.left_out.len();
        assert!(all >= 200, "{all}");
    }
}

#[test]
fn a_large_file_is_shown_in_numbered_windows_that_say_what_is_missing() {
    let mut text = String::from("import os\n");
    for i in 0..4_000 {
        write!(text, "def helper_{i}():\n    return {i}\n").unwrap();
        if i == 2_000 {
            text.push_str("@mcp.tool()\ndef search_costs(query):\n    return query\n");
        }
    }
    let repo = Repo::new([("server.py", text.clone())]);
    let context = repo.choose(&gap(), 6_000);
    let excerpt = &context.excerpts[0];
    assert!(!excerpt.whole && excerpt.body.contains("def search_costs(query):"));
    assert!(excerpt.body.contains("    1| import os"), "the head is shown");
    let lines: Vec<&str> = text.lines().collect();
    let mut covered = 0;
    for line in excerpt.body.lines() {
        if let Some((number, shown)) = line.split_once("| ") {
            assert_eq!(lines[number.trim().parse::<usize>().unwrap() - 1], shown);
            covered += 1;
        } else {
            let numbers: Vec<usize> =
                line.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
            covered += numbers[1] - numbers[0] + 1;
        }
    }
    assert_eq!(covered, lines.len(), "every line is shown or accounted for");
}

#[test]
fn a_line_that_is_too_long_says_by_how_much() {
    let text = format!("def search_costs(query):\n    return {}\n", "x".repeat(200_000));
    let context = Repo::new([("server.py", text)]).choose(&gap(), 2_000);
    assert!(context.excerpts[0].body.contains("more bytes of this line are not shown"));
}

#[test]
fn the_same_question_gets_the_same_answer() {
    let repo = billing();
    assert_eq!(repo.choose(&gap(), 9_000), repo.choose(&gap(), 9_000));
}

#[test]
fn a_report_without_a_match_still_shows_the_tree() {
    let repo = Repo::new([("src/a.py", "x = 1\n".to_owned())]);
    let context = repo.choose(&report(&json!({"what_i_needed": "日本語のみ"}), &[]), 2_000);
    assert!(context.tree.contains("a.py"));
}

#[test]
fn a_hostile_report_is_bounded() {
    let needed: Vec<String> = (0..12_000).map(|i| format!("word{i}x_y{i}")).collect();
    let needed = needed.join(" ");
    let tools: Vec<String> = (0..2_000).map(|i| format!("tool-{i}")).collect();
    let context = billing().choose(&report(&json!({"what_i_needed": needed, "tools_available": tools}), &[]), 5_000);
    assert!(context.tokens() <= 5_000);
}
