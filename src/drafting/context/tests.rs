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

pub(super) fn gap() -> Detail {
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
        whole: Vec::new(),
    };
    let context = repo.choose_after(&gap(), Some(&previous), 20_000);
    let auth = context.ranked.iter().find(|f| f.path == "src/billing/auth.py").unwrap();
    assert!(auth.reasons[0].contains("previous draft") && auth.tokens > 0, "{auth:?}");
}

#[test]
fn what_the_previous_draft_was_shown_whole_is_shown_whole_again() {
    let mut repo = billing();
    for i in 0..60 {
        let path = RepoPath::parse(format!("src/extra/module_{i:02}.py")).unwrap();
        repo.0.insert(path, "def search_costs_by_range(date, filter):\n    return date\n".repeat(20));
    }
    let whole = |context: &Context| -> Vec<String> {
        context.excerpts.iter().filter(|e| e.whole).map(|e| e.path.to_string()).collect()
    };
    let first = repo.choose(&gap(), 6_000);
    let unshown = first.ranked.iter().rfind(|f| f.tokens == 0).unwrap().path.clone();
    let previous = Previous {
        diff: String::new(),
        branch: String::new(),
        pr_url: String::new(),
        whole: vec![unshown.clone(), "README.md".into(), "gone.py".into(), "../no".into()],
    };
    let again = repo.choose_after(&gap(), Some(&previous), 6_000);
    for path in [unshown.as_str(), "README.md"] {
        assert!(whole(&again).iter().any(|whole| whole == path), "{path} is not in {:?}", whole(&again));
    }
    assert!(again.tokens() <= 6_000, "{}", again.tokens());
    assert!(again.excerpts.iter().all(|e| e.kept == [unshown.as_str(), "README.md"].contains(&e.path.as_str())));
    assert_eq!(order(&again), order(&first), "the ranking is that of the report");
    // They never take all the room.
    let all = Previous { whole: first.ranked.iter().map(|f| f.path.clone()).collect(), ..previous };
    let again = repo.choose_after(&gap(), Some(&all), 6_000);
    let kept: usize = again.excerpts.iter().filter(|e| e.kept).map(|e| e.tokens).sum();
    assert!(again.tokens() <= 6_000 && (1..=4_500).contains(&kept), "{kept}");
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
fn the_parts_that_are_shown_are_named_in_the_ranking() {
    let repo = Repo::new([("server.py", "def search_costs(query):\n    return query\n".repeat(4_000))]);
    let context = repo.choose(&gap(), 6_000);
    let (file, excerpt) = (&context.ranked[0], &context.excerpts[0]);
    assert!(!file.whole && file.left_out.is_empty() && file.tokens == excerpt.tokens, "{file:?}");
    let first = |range: &(usize, usize)| excerpt.body.contains(&format!("{:>5}| ", range.0));
    assert!(!file.lines.is_empty() && file.lines.iter().all(first), "{:?}", file.lines);
    let shown: usize = file.lines.iter().map(|(from, to)| to - from + 1).sum();
    assert_eq!(shown, excerpt.body.lines().filter(|l| l.contains("| ")).count());
}

#[test]
fn where_something_is_defined_counts_more_than_where_it_is_used() {
    let repo = Repo::new([
        ("src/a_user.py", "from b import collect\n\n\nx = collect()\ny = collect()\nz = collect()\n".to_owned()),
        ("src/b.py", "def collect():\n    total = 1\n    other = 2\n    return total + other\n\n\nz = 3\n".to_owned()),
    ]);
    let context = repo.choose(&report(&json!({"what_i_needed": "collect with a filter"}), &[]), 5_000);
    assert_eq!(order(&context)[0], "src/b.py", "{:?}", context.ranked);
    assert!(context.ranked[0].reasons.iter().any(|r| r.contains("defined")), "{:?}", context.ranked);
}

#[test]
fn what_imports_the_best_file_and_what_it_imports_come_with_it() {
    let repo = Repo::new([
        (
            "src/app/costs.py",
            "from app.money import Amount\n\n\ndef search_costs(q):\n    return Amount(q)\n".to_owned(),
        ),
        ("src/app/money.py", "class Amount:\n    pass\n".to_owned()),
        ("src/app/routes.py", "from app.costs import run\n\nrun()\n".to_owned()),
        ("src/app/other.py", "x = 1\n".to_owned()),
    ]);
    let context = repo.choose(&gap(), 5_000);
    let why =
        |path: &str| context.ranked.iter().find(|f| f.path == path).map(|f| f.reasons.join(", ")).unwrap_or_default();
    assert!(why("src/app/money.py").contains("imported by src/app/costs.py"), "{:?}", context.ranked);
    assert!(why("src/app/routes.py").contains("imports src/app/costs.py"), "{:?}", context.ranked);
    assert!(order(&context).iter().all(|p| *p != "src/app/other.py"));
}

#[test]
fn a_missing_tool_leads_to_where_tools_are_registered() {
    let registers = "@mcp.tool()\ndef one():\n    pass\n\n\n@mcp.tool()\ndef two():\n    pass\n".to_owned();
    let repo =
        Repo::new([("src/registry.py", registers), ("src/weather.py", "def forecast():\n    pass\n".to_owned())]);
    let asks = |kind: &str| report(&json!({"what_i_needed": "a forecast", "gap_type": kind}), &[]);
    let of = |kind: &str| {
        let context = repo.choose(&asks(kind), 5_000);
        context.ranked.iter().find(|f| f.path == "src/registry.py").map(|f| (f.score, f.reasons.join(", ")))
    };
    let (missing, other) = (of("missing_tool").unwrap(), of("wrong_format").unwrap());
    assert!(missing.0 > 3.0 * other.0 && missing.1.contains("registers tools, 2 times"), "{missing:?} {other:?}");
}

#[test]
fn copies_of_one_text_do_not_fill_the_first_places() {
    let mut repo = billing();
    let text = "search_costs date range filter\n".repeat(20);
    for i in 0..20 {
        repo.0.insert(RepoPath::parse(format!("apps/app{i:02}/search_costs_types.ts")).unwrap(), text.clone());
    }
    let context = repo.choose(&gap(), 20_000);
    let first = order(&context).into_iter().take(5).filter(|p| p.starts_with("apps/")).count();
    assert!(first <= 1, "{:?}", order(&context));
    let copy = context.ranked.iter().find(|f| f.reasons.iter().any(|r| r.contains("the same text as apps/app")));
    assert!(copy.is_some(), "{:?}", context.ranked);
}

#[test]
fn files_that_are_never_shown_are_named_with_the_reason_when_their_names_match() {
    let mut texts = billing().0;
    texts.insert(RepoPath::parse("deploy/costs.pem").unwrap(), "TOKEN=1\n".to_owned());
    let mut paths: Vec<RepoPath> = texts.keys().cloned().collect();
    let dump = RepoPath::parse("dumps/search_costs.sql").unwrap();
    paths.extend([dump.clone(), RepoPath::parse("dumps/unrelated.sql").unwrap()]);
    let read =
        |p: &RepoPath| texts.get(p).map_or(Existing::Opaque("it is larger than 1 MiB"), |t| Existing::Text(t.clone()));
    let context = choose(&paths, &read, &gap(), None, 20_000);
    let closed: Vec<(&str, &str)> = context.closed.iter().map(|c| (c.path.as_str(), c.why)).collect();
    assert_eq!(closed, [(dump.as_str(), "it is larger than 1 MiB"), ("deploy/costs.pem", "it may hold secrets")]);
    assert!(order(&context).iter().all(|p| *p != dump.as_str() && *p != "deploy/costs.pem"));
}

#[test]
fn files_that_change_while_they_are_read_are_shown_as_they_are_or_named() {
    let texts = billing().0;
    let paths: Vec<RepoPath> = texts.keys().cloned().collect();
    for seed in 0..40 {
        let reads = std::sync::atomic::AtomicUsize::new(seed);
        let read = |p: &RepoPath| match reads.fetch_add(7, std::sync::atomic::Ordering::Relaxed) % 5 {
            0 => Existing::Missing,
            1 => Existing::Opaque("it is not text"),
            2 => Existing::Text(String::new()),
            3 => Existing::Text("search_costs\n".repeat(3_000)),
            _ => Existing::Text(texts[p].clone()),
        };
        let context = choose(&paths, &read, &gap(), None, 3_000);
        assert!(context.tokens() <= 3_000, "{}", context.tokens());
        let named = |f: &RankedFile| f.tokens > 0 || !f.left_out.is_empty();
        assert!(context.ranked.iter().all(named), "{:?}", context.ranked);
    }
}

#[test]
fn squeezed_code_and_odd_line_ends_are_no_trouble() {
    let one_line = format!("var search_costs={};", "a(1),".repeat(150_000));
    let repo = Repo::new([
        ("src/app.js", one_line),
        ("src/old_mac.py", "def search_costs():\r    return 1\r".repeat(5_000)),
        ("src/dos.py", "def search_costs():\r\n    return 1\r\n".repeat(5_000)),
        ("src/no_end.py", "search_costs".to_owned()),
        ("src/blank.py", "\n".repeat(100_000)),
        ("src/marks.py", "\u{0}\u{feff}\u{2028}search_costs\u{301}\u{202e}\n".repeat(2_000)),
    ]);
    let context = repo.choose(&gap(), 8_000);
    assert!(context.tokens() <= 8_000, "{}", context.tokens());
    assert!(context.ranked.iter().any(|f| f.path == "src/no_end.py" && f.whole), "{:?}", context.ranked);
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
