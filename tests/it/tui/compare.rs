//! A change against the draft before: what is shown, that it can't be taken for the change, and that decisions stay with the change.

use super::screens::snapshot;
use crate::support::desk::{Desk, Sitting, published};
use patchwork::domain::diff::Footing;
use patchwork::domain::draft::DraftState;
use patchwork::domain::id::DraftId;
use patchwork::domain::review::Proposal;
use patchwork::protocol::{EventKind, Refusal, RefusalKind};
use patchwork::tui::message::Effect;
use serde_json::json;

const FIRST: &str = "diff --git a/src/tools/costs.py b/src/tools/costs.py
index 1111111..2222222 100644
--- a/src/tools/costs.py
+++ b/src/tools/costs.py
@@ -1,5 +1,6 @@ from mcp.server import MCPServer
 import db
 
-def list_costs():
+def list_costs(customer: str) -> list:
     # newest first
-    return db.all(\"costs\")
+    rows = db.all(\"costs\")
+    return [row for row in rows if row.customer == customer]
diff --git a/src/tools/old_costs.py b/src/tools/old_costs.py
deleted file mode 100644
index 3333333..0000000
--- a/src/tools/old_costs.py
+++ /dev/null
@@ -1,2 +0,0 @@
-def old_costs():
-    return []
diff --git a/tests/test_costs.py b/tests/test_costs.py
new file mode 100644
index 0000000..4444444
--- /dev/null
+++ b/tests/test_costs.py
@@ -0,0 +1,2 @@
+def test_list():
+    assert list_costs(\"x\") == []
";

/// The second draft: a default for the parameter, the old file stays, the test is as it was, and the documentation is new.
fn second() -> String {
    let costs = &FIRST[..FIRST.find("diff --git a/src/tools/old").unwrap()];
    let tests = &FIRST[FIRST.find("diff --git a/tests").unwrap()..];
    let costs = costs
        .replace("2222222", "5555555")
        .replace("+1,6", "+1,8")
        .replace("customer: str)", "customer: str | None = None)")
        .replace("+    return [row", "+    if customer is None:\n+        return rows\n+    return [row");
    let docs = "diff --git a/docs/costs.md b/docs/costs.md\nnew file mode 100644\nindex 0000000..6666666\n--- /dev/null\n+++ b/docs/costs.md\n\
                @@ -0,0 +1 @@\n+# Costs of a customer\n";
    format!("{docs}{costs}{tests}")
}

fn desk(change: impl FnOnce(&mut Desk)) -> Desk {
    let mut desk = Desk::default();
    let report = desk.report(
        12,
        json!({"what_i_needed": "List the costs of a customer", "what_i_tried": "list_costs", "server_name": "billing"}),
    );
    for (minutes, state, diff) in [
        (9, published("https://github.com/ada/billing/pull/1"), FIRST.to_owned()),
        (3, DraftState::Waiting { trouble: String::new() }, second()),
    ] {
        let draft = desk.run(&report, minutes, state);
        let run = desk.run_mut(&draft);
        (run.draft.confirm, run.diff) = (true, diff);
        let title = format!("List costs by customer ({})", run.draft.number);
        run.proposal = Some(Proposal { title, summary: "Agents asked for it.".into(), base: "main".into() });
    }
    change(&mut desk);
    desk
}

fn redraft_with(w: u16, h: u16, change: impl FnOnce(&mut Desk)) -> Sitting {
    let mut s = Sitting::begin(w, h, desk(change));
    s.keys("3 enter");
    s
}

pub(super) fn redraft(w: u16, h: u16) -> Sitting {
    redraft_with(w, h, |_| {})
}

fn compared(w: u16, h: u16, keys: &str) -> Sitting {
    let mut s = redraft(w, h);
    s.keys("c").keys(keys);
    s
}

fn d2() -> DraftId {
    DraftId::trusted("d2")
}

#[test]
fn what_differs_from_the_draft_before() {
    snapshot("compare", |w, h| compared(w, h, ""));
}

#[test]
fn hunk_by_hunk_of_the_difference() {
    snapshot("compare_hunk", |w, h| compared(w, h, "n n"));
}

#[test]
fn a_run_that_can_be_compared() {
    snapshot("compare_run", |w, h| compared(w, h, "v"));
}

#[test]
fn drafts_that_were_made_from_two_commits() {
    snapshot("compare_bases", |w, h| {
        let mut s = redraft_with(w, h, |desk| {
            desk.footing = Some(Footing::OtherBase);
            let run = desk.run_mut(&d2());
            run.diff = run.diff.replace("1111111..5555555", "7777777..5555555");
        });
        s.keys("c ] ]");
        s
    });
}

#[test]
fn drafts_that_do_not_differ() {
    snapshot("compare_same", |w, h| {
        let mut s = redraft_with(w, h, |desk| desk.run_mut(&d2()).diff = FIRST.into());
        s.keys("c");
        s
    });
}

#[test]
fn without_colours_it_says_the_same() {
    let (coloured, mut plain) = (compared(80, 24, "n"), compared(80, 24, ""));
    plain.scene.model.theme = patchwork::tui::theme::Theme::new(patchwork::tui::theme::Shade::Dark, false);
    plain.keys("n");
    assert_eq!(coloured.scene.text(), plain.scene.text());
    assert!(
        plain
            .scene
            .cells()
            .iter()
            .flatten()
            .all(|(_, style)| style.fg.is_none_or(|fg| fg == ratatui::style::Color::Reset))
    );
}

#[test]
fn each_side_keeps_its_place() {
    let mut s = redraft(120, 40);
    s.keys("n n n");
    let change = s.scene.lines();
    s.keys("c ] ]");
    let difference = s.scene.lines();
    assert!(difference[1].starts_with("Draft 2 against draft 1: List costs by customer (2)"), "{}", difference[1]);
    s.keys("c");
    assert_eq!(s.scene.lines(), change);
    s.keys("c");
    assert_eq!(s.scene.lines(), difference);
    s.keys("c v c");
    assert_eq!(s.scene.lines(), difference, "from the run too");
    // Another run begins at its own change.
    s.keys("esc j k enter");
    assert!(!s.scene.shows("against draft 1") && s.scene.shows("▌") == s.scene.shows("hunk 1"));
}

#[test]
fn a_decision_is_about_the_change_and_never_about_the_difference() {
    let mut s = compared(120, 40, "n space");
    assert!(s.scene.shows("Hunks are dropped from the change: c shows it"), "{}", s.scene.text());
    assert!(s.desk.run_mut(&d2()).choices.dropped.is_empty());
    s.keys("r");
    assert_eq!(s.desk.run_mut(&d2()).choices.draft, Some(false), "what is not about a hunk works");
    assert!(s.scene.shows("Draft 2 against draft 1"));
    s.keys("c n space c");
    assert_eq!(s.desk.run_mut(&d2()).choices.dropped.len(), 1);
    assert!(!s.scene.shows("×") && !s.scene.shows("÷"), "{}", s.scene.text());
    s.keys("p");
    assert!(s.scene.shows("Publishing"), "{}", s.scene.text());
    assert!(!s.scene.model.compares(), "the run is what there is to see");
}

#[test]
fn it_is_offered_where_there_is_a_draft_before_that_has_a_diff() {
    let offers = |s: &Sitting| s.scene.footer().contains("c compare");
    let mut s = redraft(200, 40);
    assert!(offers(&s), "{}", s.scene.footer());
    s.keys("c");
    assert!(s.scene.footer().contains("c whole change"), "{}", s.scene.footer());
    s.keys("esc j");
    assert!(!offers(&s), "nothing is before the first draft: {}", s.scene.footer());
    s.keys("c");
    assert!(s.scene.shows("Nothing to compare: no draft of this report before this one has a diff"));
    for empty in [DraftId::trusted("d1"), d2()] {
        let s = redraft_with(200, 40, |desk| desk.run_mut(&empty).diff.clear());
        assert!(!offers(&s), "{empty}");
    }
}

#[test]
fn a_draft_that_waits_no_more_is_compared_too() {
    let mut s = redraft_with(120, 40, |desk| {
        desk.run_mut(&d2()).draft.state = published("https://github.com/ada/billing/pull/2");
    });
    s.keys("c ] n");
    assert!(s.scene.shows("hunk 1 of 1, file 1 of 3") && s.scene.shows("c whole change"), "{}", s.scene.text());
    s.keys("c");
    assert!(s.scene.shows("title and text") && s.scene.shows("c compare"), "{}", s.scene.text());
}

#[test]
fn from_the_list_it_opens_the_difference() {
    let mut s = redraft(120, 40);
    s.keys("esc c");
    assert!(s.scene.shows("Draft 2 against draft 1") && s.scene.shows("only draft 1 deletes it"), "{}", s.scene.text());
    s.keys("y");
    let copied = s.desk.outside.iter().find_map(|e| if let Effect::Copy(text) = e { Some(text) } else { None });
    assert!(copied.unwrap().contains("--- a/src/tools/costs.py\n") && !copied.unwrap().contains("test_list"));
}

#[test]
fn what_can_t_be_compared_says_why_and_is_tried_again() {
    let mut s = redraft(120, 40);
    s.desk.refuses = Some(Refusal::new(RefusalKind::Conflict, "draft 1: the diff can't be read"));
    s.keys("c");
    assert!(s.scene.shows("Not compared: draft 1: the diff can't be read"), "{}", s.scene.text());
    s.desk.refuses = None;
    s.keys("c c");
    assert!(s.scene.shows("only draft 2 makes it"), "{}", s.scene.text());
}

#[test]
fn a_change_that_moves_on_is_compared_anew() {
    let mut s = compared(120, 40, "");
    assert!(s.scene.shows("3 files differ, 1 is the same in both."), "{}", s.scene.text());
    s.desk.run_mut(&d2()).diff = FIRST.into();
    let news = s.desk.about_run(EventKind::DraftStageDone, "check", &d2());
    s.send(news);
    assert!(s.scene.shows("Nothing differs: drafts 1 and 2 make the same of 3 files."), "{}", s.scene.text());
}
