//! The review bench: what it shows at three sizes, what its keys decide, and that nobody's text gets past it.

use super::screens::snapshot;
use crate::support::desk::{Desk, Sitting, published};
use patchwork::domain::draft::{Checks, Cost, DraftState, PullState, PullStatus, Stage, Usage, Verdict};
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::domain::review::{Choices, Dropped, Proposal};
use patchwork::domain::time::Millis;
use patchwork::protocol::{Command, EventKind, Refusal, RefusalKind};
use patchwork::tui::message::{Answer, Effect, Msg, Subject};
use serde_json::json;

/// Two hunks in one file, a new file, a rename, and a line that does not end.
const DIFF: &str = "diff --git a/src/tools/costs.py b/src/tools/costs.py
index 1111111..2222222 100644
--- a/src/tools/costs.py
+++ b/src/tools/costs.py
@@ -1,5 +1,8 @@ from mcp.server import MCPServer
 import db
 
-def list_costs():
+def list_costs(customer: str | None = None) -> list[Cost]:
+    \"\"\"All costs, or those of a customer.\"\"\"
     # newest first
-    return db.all(\"costs\")
+    rows = db.all(\"costs\")
+    if customer is None:
+        return rows
@@ -40,4 +43,9 @@ class Cost:
     amount: int
     currency: str
 
+
+def search_costs(query: str, customer: str | None = None) -> list[Cost]:
+\treturn db.match(\"costs_fts\", query, customer)  # the index is there already
+
+
 # end
diff --git a/tests/test_costs.py b/tests/test_costs.py
new file mode 100644
index 0000000..3333333
--- /dev/null
+++ b/tests/test_costs.py
@@ -0,0 +1,2 @@
+def test_search():
+    assert search_costs(\"x\") == []
\\ No newline at end of file
diff --git a/docs/costs.md b/docs/all-costs-of-a-customer-and-how-to-find-them.md
similarity index 100%
rename from docs/costs.md
rename to docs/all-costs-of-a-customer-and-how-to-find-them.md
";

const SUMMARY: &str = "Agents asked for a way to search costs by text.\n\n## What changed\n\n- `search_costs` asks the full-text index\n- `list_costs` takes a customer";

fn waiting_desk(change: impl FnOnce(&mut Desk, &DraftId)) -> Desk {
    let mut desk = Desk::default();
    let report = desk.report(
        12,
        json!({"what_i_needed": "Search the costs of a customer", "what_i_tried": "list_costs", "server_name": "billing",
            "gap_type": "missing_tool"}),
    );
    let draft = desk.run(&report, 3, DraftState::Waiting { trouble: String::new() });
    let run = desk.run_mut(&draft);
    run.draft.confirm = true;
    run.draft.usage =
        Usage { input_tokens: 24_310, output_tokens: 1_204, cached_tokens: 20_000, cache_written_tokens: 0 };
    run.draft.cost = Some(Cost(420_000));
    run.diff = DIFF.into();
    let (title, summary) = ("Add search_costs(query, customer)".into(), SUMMARY.into());
    run.proposal = Some(Proposal { title, summary, base: "main".into() });
    change(&mut desk, &draft);
    desk
}

fn bench_with(w: u16, h: u16, change: impl FnOnce(&mut Desk, &DraftId)) -> Sitting {
    let mut s = Sitting::begin(w, h, waiting_desk(change));
    s.keys("3");
    s
}

pub(super) fn bench(w: u16, h: u16) -> Sitting {
    bench_with(w, h, |_, _| {})
}

pub(super) fn failed(w: u16, h: u16) -> Sitting {
    bench_with(w, h, |desk, id| desk.run_mut(id).draft.verdict = Some(Verdict::Failed))
}

fn d1() -> DraftId {
    DraftId::trusted("d1")
}

fn choices(s: &mut Sitting) -> Choices {
    s.desk.run_mut(&d1()).choices.clone()
}

#[test]
fn a_change_that_waits() {
    snapshot("review", bench);
}

#[test]
fn hunk_by_hunk() {
    snapshot("review_hunk", |w, h| {
        let mut s = bench(w, h);
        s.keys("n n");
        s
    });
}

#[test]
fn parts_that_are_dropped() {
    snapshot("review_dropped", |w, h| {
        let mut s = bench(w, h);
        s.keys("n n space n k k space N");
        s
    });
}

#[test]
fn decisions_that_are_on_their_way() {
    snapshot("review_pending", |w, h| {
        let mut s = bench(w, h);
        s.keys("n");
        // Nothing answers this key.
        s.scene.key("space");
        s
    });
}

#[test]
fn a_change_that_failed_its_verification() {
    snapshot("review_verify_failed", |w, h| {
        let mut s = failed(w, h);
        s.keys("n");
        s
    });
}

#[test]
fn a_change_that_could_not_be_published() {
    let trouble = "The branch was pushed, but the pull request could not be opened: Resource not accessible by integration. Give the token the permission Pull requests (write), then publish again.";
    snapshot("review_trouble", |w, h| {
        bench_with(w, h, |desk, id| desk.run_mut(id).draft.state = DraftState::Waiting { trouble: trouble.into() })
    });
}

#[test]
fn the_base_branch_being_typed() {
    snapshot("review_base", |w, h| {
        let mut s = bench(w, h);
        s.keys("n b").type_text("tenance");
        s
    });
}

#[test]
fn the_question_before_a_change_is_thrown_away() {
    snapshot("review_discard", |w, h| {
        let mut s = bench(w, h);
        s.keys("n x");
        s
    });
}

#[test]
fn the_other_side_of_a_change_that_waits() {
    snapshot("review_run", |w, h| {
        let mut s = bench(w, h);
        s.keys("v");
        s
    });
}

#[test]
fn a_report_whose_change_waits() {
    snapshot("review_inbox", |w, h| {
        let mut s = Sitting::begin(w, h, waiting_desk(|_, _| {}));
        s.keys("enter");
        s
    });
}

#[test]
fn the_announcement_of_a_change_that_waits() {
    snapshot("review_announced", |w, h| {
        let mut desk = waiting_desk(|_, _| {});
        desk.run_mut(&d1()).draft.state = DraftState::Running { stage: Stage::Check };
        let mut s = Sitting::begin(w, h, desk);
        s.desk.run_mut(&d1()).draft.state = DraftState::Waiting { trouble: String::new() };
        let news = s.desk.about_run(EventKind::DraftWaiting, "", &d1());
        s.send(news);
        s
    });
}

/// Runs with pull requests in every state, with prices known and not.
fn pulls() -> Desk {
    let mut desk = Desk::default();
    let states = [
        (PullState::Merged, Checks::Passed),
        (PullState::Closed, Checks::None),
        (PullState::Open, Checks::Failed),
        (PullState::Draft, Checks::Pending),
        (PullState::Open, Checks::Unknown),
    ];
    for (n, (state, checks)) in states.into_iter().enumerate() {
        let need = format!("Need number {n}, which is about the costs of a customer");
        let report =
            desk.report(50 - n as i64, json!({"what_i_needed": need, "what_i_tried": "t", "server_name": "billing"}));
        let run = desk.run(&report, 40 - n as i64, published(&format!("https://github.com/ada/billing/pull/{n}")));
        let draft = &mut desk.run_mut(&run).draft;
        draft.pull = Some(PullStatus { state, checks, looked_at: Millis(0) });
        draft.usage.input_tokens = 1_000;
        draft.cost = (n % 2 == 0).then_some(Cost(420_000 * n as i64 + 1_234));
        desk.detail_mut(&report).unwrap().feedback.merged = state == PullState::Merged;
    }
    desk
}

#[test]
fn what_became_of_pull_requests() {
    snapshot("drafts_pulls", |w, h| {
        let mut s = Sitting::begin(w, h, pulls());
        s.keys("3 G");
        s
    });
}

#[test]
fn what_became_of_a_pull_request_beside_its_report() {
    snapshot("run_panel_pull", |w, h| {
        let mut s = Sitting::begin(w, h, pulls());
        s.keys("G enter");
        s
    });
}

#[test]
fn hostile_text_in_a_change() {
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}evil\u{200b}\0\u{9b}31m";
    let zalgo = format!("e{}", "\u{301}".repeat(3_000));
    let diff = format!(
        "diff --git a/src/日本語.py b/src/日本語.py\nindex 1..2 100644\n--- a/src/日本語.py\n+++ b/src/日本語.py\n@@ -1,3 +1,4 @@ {evil}\n-old\r\n+new\r\n+{evil}\n {zalgo} after\n-{}\n+{}\n",
        "x".repeat(300),
        "請求書".repeat(60),
    );
    let hostile = |w, h| {
        let mut s = bench_with(w, h, |desk, id| {
            let run = desk.run_mut(id);
            run.diff.clone_from(&diff);
            let proposal = run.proposal.as_mut().unwrap();
            (proposal.title, proposal.base) = (format!("Title {evil}"), format!("ma{evil}in"));
            proposal.summary = format!("# {evil}\n\n<!-- hidden --> {zalgo}");
            run.draft.state = DraftState::Waiting { trouble: format!("no {evil}") };
        });
        s.keys("n j j");
        s
    };
    snapshot("review_hostile", hostile);
    for s in [hostile(40, 12), hostile(120, 40)] {
        let acts = |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
        assert!(!s.scene.lines().iter().any(|line| line.chars().any(acts)), "{}", s.scene.text());
    }
}

#[test]
fn what_is_no_diff_is_shown_as_it_is() {
    let mut s = bench_with(80, 24, |desk, id| desk.run_mut(id).diff = "this is\u{1b}[31m no diff\n".into());
    assert!(
        s.scene.shows("can't be shown file by file") && s.scene.shows("this is\u{fffd}[31m no diff"),
        "{}",
        s.scene.text()
    );
    s.keys("j j j n ] N [ G space");
    assert!(s.scene.footer().contains("Nothing to drop here"), "{}", s.scene.footer());
}

/// What the screen has sent, and answers to it are the desk's.
fn sent(s: &mut Sitting, key: &str) -> Vec<Command> {
    let effects = s.scene.key(key);
    let commands = effects.iter().filter_map(|effect| match effect {
        Effect::Submit { command, .. } => Some(command.clone()),
        _ => None,
    });
    let commands = commands.collect();
    for effect in effects {
        for message in s.desk.carry_out(effect) {
            s.send(message);
        }
    }
    commands
}

#[test]
fn hunks_are_dropped_and_taken_back() {
    let mut s = bench(120, 40);
    s.keys("n n space");
    let dropped =
        |s: &mut Sitting| choices(s).dropped.iter().map(|d: &Dropped| (d.path.to_string(), d.hunk)).collect::<Vec<_>>();
    assert_eq!(dropped(&mut s), [("src/tools/costs.py".to_owned(), 1)]);
    assert!(s.scene.shows("1 hunk dropped") && s.scene.shows("class Cost:  dropped"), "{}", s.scene.text());
    s.keys("space");
    assert_eq!(dropped(&mut s), []);
    // A file's name stands for the file; a file without hunks is one part.
    s.keys("[ space ] ] space");
    let all = [
        ("docs/all-costs-of-a-customer-and-how-to-find-them.md", 0),
        ("src/tools/costs.py", 0),
        ("src/tools/costs.py", 1),
    ];
    assert_eq!(dropped(&mut s), all.map(|(path, hunk)| (path.to_owned(), hunk)));
    s.keys("[ space p");
    assert!(s.scene.footer().contains("Everything is dropped"), "{}", s.scene.footer());
    s.keys("[ space");
    assert_eq!(dropped(&mut s).len(), 2);
}

/// The second key is pressed before the first is answered: neither is lost, and neither is shown as done.
#[test]
fn decisions_pile_up_on_a_slow_line() {
    let mut s = bench(120, 40);
    s.keys("n");
    let mut effects = s.scene.key("space");
    s.scene.key("n");
    effects.extend(s.scene.key("space"));
    effects.extend(s.scene.key("r"));
    assert!(
        s.scene.shows("dropping …") && s.scene.shows("saving …") && !s.scene.shows("dropped  "),
        "{}",
        s.scene.text()
    );
    assert_eq!(choices(&mut s), Choices::default());
    for effect in effects {
        for message in s.desk.carry_out(effect) {
            s.send(message);
        }
    }
    let done = choices(&mut s);
    assert_eq!((done.dropped.len(), done.draft), (2, Some(false)));
    assert!(
        s.scene.shows("ready for review") && !s.scene.shows("…  ") && !s.scene.shows("saving"),
        "{}",
        s.scene.text()
    );
}

#[test]
fn a_decision_that_is_refused_is_taken_back_and_written_text_is_kept() {
    let mut s = bench(120, 40);
    s.keys("n space");
    s.desk.refuses = Some(Refusal::new(RefusalKind::Invalid, "title: must have at most 400 bytes"));
    let long = format!("{}\n\nwhy", "t".repeat(500));
    s.send(Msg::Answer(Answer::Edited { subject: Subject::Change(d1()), result: Ok(long.clone()) }));
    assert!(s.scene.footer().contains("at most 400 bytes"), "{}", s.scene.footer());
    assert!(s.scene.shows("Add search_costs"), "the title is what it was");
    assert_eq!(choices(&mut s).dropped.len(), 1, "the hunk stays dropped");
    s.desk.refuses = None;
    s.keys("e");
    let Some(Effect::Edit { text, .. }) = s.desk.outside.pop() else { panic!("{:?}", s.desk.outside) };
    assert_eq!(text, long);
}

#[test]
fn title_and_text_come_from_the_editor() {
    let mut s = bench(120, 40);
    s.keys("e");
    let Some(Effect::Edit { subject, text, .. }) = s.desk.outside.pop() else { panic!("{:?}", s.desk.outside) };
    assert_eq!(text, format!("Add search_costs(query, customer)\n\n{SUMMARY}"));
    let answer = |result: &str| Msg::Answer(Answer::Edited { subject: subject.clone(), result: Ok(result.into()) });
    s.send(answer(&text));
    assert!(s.scene.footer().contains("as before"), "{}", s.scene.footer());
    s.send(answer("  "));
    assert!(s.scene.footer().contains("Nothing was written"), "{}", s.scene.footer());
    s.send(answer(&format!("Search costs\n\n{SUMMARY}\n")));
    assert_eq!(
        choices(&mut s),
        Choices { title: Some("Search costs".into()), ..Choices::default() },
        "the text is the drafter's"
    );
    s.send(answer("Search costs\n\n# Why\n\nBecause."));
    assert_eq!(choices(&mut s).summary.as_deref(), Some("# Why\n\nBecause."));
    assert!(s.scene.shows("Search costs") && s.scene.shows("Because."), "{}", s.scene.text());
}

#[test]
fn base_and_draft_state_are_chosen() {
    let mut s = bench(80, 24);
    assert!(s.scene.shows("→ main as a draft"), "{}", s.scene.text());
    s.keys("b backspace backspace backspace backspace").type_text("develop").keys("enter r");
    assert_eq!((choices(&mut s).base.as_deref(), choices(&mut s).draft), (Some("develop"), Some(false)));
    assert!(s.scene.shows("→ develop ready for review"), "{}", s.scene.text());
    s.keys("b esc r b backspace backspace backspace backspace backspace backspace backspace enter");
    assert_eq!(choices(&mut s), Choices::default(), "an empty name is the branch it was made from");
}

/// A low screen has no line for where it goes: then the answer to the key is all there is.
#[test]
fn what_is_decided_is_said_where_it_is_not_shown() {
    let mut s = bench(80, 12);
    for (keys, said) in [("r", "ready for review"), ("r", "to be a draft"), ("b ctrl-u d e v enter", "to go into dev")]
    {
        s.keys(keys);
        assert!(s.scene.footer().contains(said), "{keys}: {}", s.scene.text());
    }
    assert_eq!(choices(&mut s).base.as_deref(), Some("dev"), "ctrl-u has cleared what stood there");
}

#[test]
fn a_red_verdict_needs_its_own_key() {
    let mut s = failed(120, 40);
    assert!(s.scene.shows("`verify` failed") && !s.scene.footer().contains("p publish "), "{}", s.scene.text());
    assert_eq!(sent(&mut s, "p"), []);
    assert!(s.scene.footer().contains("P publishes it all the same"), "{}", s.scene.footer());
    assert_eq!(sent(&mut s, "P"), [Command::PublishDraft { draft: d1(), despite_failure: true }]);
    let mut s = bench(120, 40);
    assert_eq!(sent(&mut s, "P"), [], "not the key for a change that is fine");
    assert_eq!(sent(&mut s, "p"), [Command::PublishDraft { draft: d1(), despite_failure: false }]);
    assert!(
        s.scene.shows("▸") && !s.scene.shows("→ main as a draft"),
        "what happens now is what is shown:\n{}",
        s.scene.text()
    );
}

#[test]
fn a_change_is_thrown_away_only_after_a_question() {
    for place in ["3", "esc 1", "1 enter", "3 esc"] {
        let mut s = bench(120, 40);
        s.keys(place);
        assert_eq!(sent(&mut s, "x"), [], "{place}");
        assert!(s.scene.shows("Discard this change?"), "{place}:\n{}", s.scene.text());
        assert_eq!(sent(&mut s, "n"), []);
        s.keys("x");
        assert_eq!(sent(&mut s, "y"), [Command::CancelDraft { draft: d1() }], "{place}");
    }
    let mut s = bench(120, 40);
    for place in ["esc", "1", "1 enter"] {
        s.keys(place);
        assert!(s.scene.footer().contains("x discard"), "{place}: {}", s.scene.footer());
    }
    s.keys("x y");
    assert!(s.scene.footer().contains("was discarded"), "{}", s.scene.footer());
    // While the question stands, another screen publishes it.
    let mut s = bench(120, 40);
    s.keys("x");
    s.desk.run_mut(&d1()).draft.state = DraftState::Running { stage: Stage::Publish };
    let news = s.desk.about_run(EventKind::DraftStageStarted, "publish", &d1());
    s.send(news);
    assert_eq!(sent(&mut s, "y"), []);
    assert!(s.scene.footer().contains("nothing was discarded"), "{}", s.scene.footer());
}

#[test]
fn a_redraft_of_what_waits_is_asked_for_twice() {
    let mut s = bench(120, 40);
    assert_eq!(sent(&mut s, "D"), []);
    assert!(s.scene.shows("Draft again?"), "{}", s.scene.text());
    let report = FeedbackId::trusted("r1");
    let started = sent(&mut s, "y");
    assert!(
        matches!(&started[..], [Command::StartDraft { feedback, force: true, .. }] if *feedback == report),
        "{started:?}"
    );
}

/// The run that somebody looks at stays the one that the keys are about.
#[test]
fn a_newer_run_does_not_slip_under_the_cursor() {
    let mut s = bench(120, 40);
    let other = s.desk.report(0, json!({"what_i_needed": "other", "what_i_tried": "t", "server_name": "docs"}));
    let newer = s.desk.run(&other, 0, DraftState::Queued);
    let news = s.desk.about_run(EventKind::DraftQueued, "", &newer);
    s.send(news);
    assert_eq!(sent(&mut s, "p"), [Command::PublishDraft { draft: d1(), despite_failure: false }]);
}

#[test]
fn the_announcement_leads_to_what_it_speaks_of() {
    let ready = || {
        let mut desk = waiting_desk(|_, _| {});
        desk.run_mut(&d1()).draft.state = DraftState::Running { stage: Stage::Check };
        let other = desk.report(1, json!({"what_i_needed": "other", "what_i_tried": "t", "server_name": "docs"}));
        desk.run(&other, 0, DraftState::Failed { stage: Stage::Model, reason: "no".into() });
        let mut s = Sitting::begin(120, 40, desk);
        s.desk.run_mut(&d1()).draft.state = DraftState::Waiting { trouble: String::new() };
        let news = s.desk.about_run(EventKind::DraftWaiting, "", &d1());
        s.send(news);
        assert!(s.scene.footer().contains("waits for your review: 3 opens it"), "{}", s.scene.footer());
        assert!(s.scene.lines()[0].contains("1 waits for review"), "{}", s.scene.text());
        s
    };
    let mut s = ready();
    s.keys("3");
    assert!(s.scene.shows("→ main as a draft"), "{}", s.scene.text());
    let mut s = ready();
    s.click(3, 39);
    s.keys("j");
    assert!(s.scene.shows("title and text"), "{}", s.scene.text());
    // From another report, once the announcement is gone, the key is the view's.
    let mut s = ready();
    s.keys("g j k 3");
    assert!(!s.scene.shows("→ main as a draft"), "{}", s.scene.text());
}

#[test]
fn a_review_is_gone_on_with_where_another_screen_is() {
    let mut s = bench(120, 40);
    let path = patchwork::domain::change::RepoPath::parse("src/tools/costs.py").unwrap();
    let elsewhere =
        Choices { title: Some("Mine".into()), dropped: vec![Dropped { path, hunk: 0 }], ..Choices::default() };
    s.desk.run_mut(&d1()).choices = elsewhere;
    let news = s.desk.about_run(EventKind::DraftReviewEdited, "", &d1());
    s.send(news);
    assert!(s.scene.shows("Mine") && s.scene.shows("1 hunk dropped"), "{}", s.scene.text());
    s.keys("n n space");
    let now = choices(&mut s);
    assert_eq!((now.title.as_deref(), now.dropped.len()), (Some("Mine"), 2), "on top of what is there");
}

#[test]
fn a_click_goes_to_the_file_and_to_the_row() {
    let mut s = bench(120, 40);
    s.click(5, 5);
    assert!(s.scene.shows("file 2 of 3"), "{}", s.scene.text());
    let row = s.scene.lines().iter().position(|line| line.contains("assert search_costs")).unwrap();
    s.click(60, u16::try_from(row).unwrap());
    s.keys("space");
    assert_eq!(choices(&mut s).dropped[0].path.as_str(), "tests/test_costs.py");
}

#[test]
fn a_long_change_is_walked_through_row_by_row_and_back() {
    let mut s = bench(40, 12);
    let mut seen = vec![s.scene.text()];
    for _ in 0..60 {
        s.keys("j");
        seen.push(s.scene.text());
    }
    s.keys("j j");
    assert_eq!(&s.scene.text(), seen.last().unwrap(), "the end is the end");
    let end = s.scene.text();
    s.keys("G");
    assert_eq!(s.scene.text(), end);
    for _ in 0..60 {
        s.keys("k");
    }
    s.keys("g");
    assert_eq!(s.scene.text(), seen[0]);
    s.send(Msg::Resize(120, 40));
    s.keys("G");
    s.send(Msg::Resize(40, 10));
    assert!(s.scene.shows("all-costs") || s.scene.shows("find-them.md"), "{}", s.scene.text());
}
