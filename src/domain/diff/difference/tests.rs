//! Differences of drafts: exact where they can be, honest where not.

use super::super::tests::{edit, edits, only, text, written};
use super::super::{Counts, Hunk, LineKind};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn parse(text: &str) -> Diff {
    Diff::parse(text).unwrap_or_else(|e| panic!("{e}:\n{text}"))
}

/// What git says of a text that has changed, or has not.
fn change(old: &str, new: &str) -> Diff {
    if old == new { Diff::default() } else { parse(&written(old, new)) }
}

fn between(earlier: &str, later: &str, footing: Footing) -> Difference {
    Difference::between(&parse(earlier), &parse(later), footing)
}

/// One line for each file: how it is known, its path, what happened to it, lines added and removed.
fn told(difference: &Difference) -> Vec<String> {
    let one = |Differs { how, file }: &Differs| {
        let what = match &file.what {
            What::Created { mode } => format!("created {mode:o}"),
            What::Deleted => "deleted".to_owned(),
            What::Edited => "edited".to_owned(),
            What::Renamed { from } => format!("from {from}"),
        };
        let Counts { added, removed } = file.counts();
        format!("{how} {} {what} +{added} -{removed}", file.path)
    };
    difference.files.iter().map(one).collect()
}

fn lines(hunks: &[Hunk], kind: LineKind) -> Vec<String> {
    let lines = hunks.iter().flat_map(Hunk::lines).filter(|line| line.kind == kind);
    lines.map(|line| line.text.to_owned()).collect()
}

fn counted(diff: &Diff) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for file in &diff.files {
        for (kind, sign) in [(LineKind::Added, '+'), (LineKind::Removed, '-')] {
            for line in lines(&file.hunks, kind) {
                *counts.entry(format!("{sign}{line}")).or_default() += 1;
            }
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applied_to_what_the_earlier_draft_makes_it_gives_what_the_later_one_makes(base in text(), one in edits(), other in edits()) {
        let (one, other) = (edit(&base, &one), edit(&base, &other));
        let found = Difference::between(&change(&base, &one), &change(&base, &other), Footing::SameBase);
        prop_assert!(found.files.len() <= 1);
        let made = found.files.first().map_or(Ok(one.clone()), |differs| differs.file.apply(&one, |_| true));
        prop_assert_eq!(made.unwrap(), other);
        prop_assert!(found.files.iter().all(|differs| differs.how != How::Lines));
    }

    #[test]
    fn a_draft_does_not_differ_from_itself(base in text(), edits in edits()) {
        let diff = change(&base, &edit(&base, &edits));
        for footing in [Footing::SameBase, Footing::OtherBase] {
            let found = Difference::between(&diff, &diff, footing);
            prop_assert_eq!(found.files.len(), 0);
            prop_assert_eq!(found.same.len(), diff.files.len());
        }
    }

    #[test]
    fn from_another_base_every_changed_line_is_in_both_or_shown(base in text(), moved in edits(), one in edits(), other in edits()) {
        let moved = edit(&base, &moved);
        let earlier = change(&base, &edit(&base, &one));
        let later = change(&moved, &edit(&moved, &other));
        prop_assume!(!earlier.files.is_empty() && !later.files.is_empty());
        let found = Difference::between(&earlier, &later, Footing::OtherBase);
        let mut counts = counted(&earlier);
        for Differs { how, file } in &found.files {
            prop_assert_eq!(*how, How::Lines);
            for (kind, by) in [(LineKind::Removed, -1), (LineKind::Added, 1)] {
                for line in lines(&file.hunks, kind) {
                    *counts.entry(line).or_default() += by;
                }
            }
        }
        counts.retain(|_, count| *count != 0);
        prop_assert_eq!(counts, counted(&later));
    }

    #[test]
    fn it_is_written_so_that_it_can_be_read(base in text(), one in edits(), other in edits()) {
        let (earlier, later) = (change(&base, &edit(&base, &one)), change(&base, &edit(&base, &other)));
        for footing in [Footing::SameBase, Footing::OtherBase, Footing::OnTop] {
            for Differs { file, .. } in Difference::between(&earlier, &later, footing).files {
                let read = only(&file.to_string());
                prop_assert_eq!(read, FileDiff { blobs: None, ..file });
            }
        }
    }

    #[test]
    fn hunks_that_contradict_each_other_are_compared_all_the_same(
        one in "(@@ -[0-3],1 \\+1 @@\n-[ab]\n\\+c\n|@@ -[0-3],0 \\+1 @@\n\\+[ab]\n|@@ -18446744073709551615,1 \\+1 @@\n-a\n\\+b\n){0,4}",
        other in "(@@ -[0-3],2 \\+1,2 @@\n-[ab]\n [ab]\n\\+c\n){0,4}",
    ) {
        let (earlier, later) = (parse(&format!("diff --git a/x b/x\n{one}")), parse(&format!("diff --git a/x b/x\n{other}")));
        let there = Difference::between(&earlier, &later, Footing::SameBase);
        let back = Difference::between(&later, &earlier, Footing::SameBase);
        prop_assert_eq!(there.files.is_empty(), back.files.is_empty());
    }
}

const EARLIER: &str = "diff --git a/costs.py b/costs.py\nindex 1111111..2222222 100644\n--- a/costs.py\n+++ b/costs.py\n\
    @@ -10,4 +10,5 @@ class Costs:\n     a\n-    b\n+    b1\n+    b2\n     c\n     d\n\
    diff --git a/gone.py b/gone.py\ndeleted file mode 100644\nindex 3333333..0000000\n--- a/gone.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-x\n-y\n\
    diff --git a/new.py b/new.py\nnew file mode 100644\nindex 0000000..4444444\n--- /dev/null\n+++ b/new.py\n@@ -0,0 +1,2 @@\n+one\n+two\n\
    diff --git a/old name b/moved\nsimilarity index 100%\nrename from old name\nrename to moved\n\
    diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n\
    diff --git a/pic b/pic\nindex 5555555..6666666 100644\nBinary files a/pic and b/pic differ\n";

#[test]
fn a_file_that_only_one_draft_touches_is_said_to_be_so() {
    let found = between(EARLIER, "", Footing::SameBase);
    assert_eq!(
        told(&found),
        [
            "earlier-only costs.py edited +1 -2",
            "earlier-only gone.py created 100644 +2 -0",
            "earlier-only new.py deleted +0 -2",
            "earlier-only old name from moved +0 -0",
            "earlier-only pic edited +0 -0",
            "earlier-only run.sh edited +0 -0",
        ]
    );
    assert_eq!(
        found.files[0].file.hunks[0].to_string(),
        "@@ -10,5 +10,4 @@ class Costs:\n     a\n-    b1\n-    b2\n+    b\n     c\n     d\n"
    );
    assert!(found.files[4].file.binary);
    assert_eq!(found.files[5].file.modes, Some((0o100_755, 0o100_644)));
    let found = between("", EARLIER, Footing::SameBase);
    assert!(found.files.iter().all(|differs| differs.how == How::LaterOnly) && found.same.is_empty());
    assert_eq!(found.files.len(), 6);
}

#[test]
fn what_both_do_is_the_same() {
    let found = between(EARLIER, EARLIER, Footing::OtherBase);
    assert_eq!(told(&found), Vec::<String>::new());
    let same: Vec<&str> = found.same.iter().map(RepoPath::as_str).collect();
    assert_eq!(same, ["costs.py", "gone.py", "moved", "new.py", "pic", "run.sh"]);
}

#[test]
fn names_modes_and_what_is_no_text_are_compared_too() {
    let later = EARLIER
        .replace("b/moved", "b/put")
        .replace("rename to moved", "rename to put")
        .replace("new mode 100755", "new mode 120000")
        .replace("5555555..6666666", "5555555..7777777")
        .replace("new file mode 100644", "new file mode 100755");
    assert_eq!(
        told(&between(EARLIER, &later, Footing::SameBase)),
        ["both new.py edited +0 -0", "both pic edited +0 -0", "both put from moved +0 -0", "both run.sh edited +0 -0"]
    );
}

#[test]
fn one_draft_deletes_or_moves_what_the_other_edits() {
    let deletes = "diff --git a/x b/x\ndeleted file mode 100644\n--- a/x\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-a\n-b\n-c\n";
    let edits = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n";
    let moves = "diff --git a/x b/y\nrename from x\nrename to y\n--- a/x\n+++ b/y\n@@ -1,3 +1,3 @@\n a\n b\n-c\n+C\n";
    let told = |earlier, later| told(&between(earlier, later, Footing::SameBase));
    assert_eq!(told(deletes, edits), ["both x created 100644 +3 -0"]);
    assert_eq!(told(edits, deletes), ["both x deleted +0 -3"]);
    assert_eq!(told(edits, moves), ["both y from x +2 -2"]);
    assert_eq!(told(moves, deletes), ["both y deleted +0 -3"]);
}

#[test]
fn a_name_that_stands_for_two_files_is_not_taken_for_one() {
    let moves = "diff --git a/x b/y\nrename from x\nrename to y\n--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+A\n";
    let makes = "diff --git a/y b/y\nnew file mode 100644\n--- /dev/null\n+++ b/y\n@@ -0,0 +1 @@\n+A\n";
    assert_eq!(told(&between(moves, makes, Footing::SameBase)), ["lines y edited +0 -1"]);
}

#[test]
fn the_same_content_is_known_by_its_name_from_any_base() {
    let earlier = "diff --git a/x b/x\nindex aaaaaaa..ccccccc 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+c\n";
    let later = "diff --git a/x b/x\nindex bbbbbbb..ccccccc12 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-b\n+c\n";
    assert_eq!(between(earlier, later, Footing::OtherBase).same.len(), 1);
    let began = later.replace("bbbbbbb..ccccccc12", "aaaaaaa12..ddddddd").replace("-b\n+c", "-a\n+d");
    let found = between(earlier, &began, Footing::OtherBase);
    assert_eq!(found.files[0].how, How::Both);
    assert_eq!(found.files[0].file.hunks[0].to_string(), "@@ -1 +1 @@\n-c\n+d\n");
    let unlike = began.replace("aaaaaaa12", "fffffff");
    let found = between(earlier, &unlike, Footing::OtherBase);
    assert_eq!(found.files[0].how, How::Lines);
    assert_eq!(found.files[0].file.hunks[0].to_string(), "@@ -1,2 +1,2 @@\n -a\n-+c\n++d\n");
}

#[test]
fn on_top_of_the_earlier_draft_the_later_one_is_the_difference() {
    let later = "diff --git a/costs.py b/costs.py\n--- a/costs.py\n+++ b/costs.py\n@@ -11 +11 @@\n-    b1\n+    b3\n";
    let found = between(EARLIER, later, Footing::OnTop);
    assert_eq!(told(&found), ["later-only costs.py edited +1 -1"]);
    assert_eq!(found.same.iter().map(RepoPath::as_str).collect::<Vec<_>>(), ["moved", "new.py", "pic", "run.sh"]);
}

/// Texts of which every line is there many times, so that nothing holds the two together; beyond a size only their ends do.
#[test]
fn long_difficult_texts_are_compared_in_bounded_time() {
    let text = |lines: usize, seed: u64| {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if state >> 33 & 1 == 0 { "a\n" } else { "b\n" }
        };
        format!("first\n{}last\n", (0..lines).map(next).collect::<String>())
    };
    let created = |text: &str| {
        let lines: String = text.split_inclusive('\n').flat_map(|line| ["+", line]).collect();
        let count = text.lines().count();
        parse(&format!(
            "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1,{count} @@\n{lines}"
        ))
    };
    for (lines, whole) in [(90_000, false), (300_000, true)] {
        let (one, other) = (text(lines, 1), text(lines, 2));
        let found = Difference::between(&created(&one), &created(&other), Footing::OtherBase);
        let file = &found.files[0].file;
        assert!(file.apply(&one, |_| true).unwrap() == other);
        assert_eq!(file.counts().added > lines * 9 / 10, whole, "{:?}", file.counts());
        assert!(file.hunks[0].to_string().starts_with("@@ -1,") && file.hunks[0].to_string().contains("\n first\n"));
        let same = Difference::between(&created(&one), &created(&format!("{one}end\n")), Footing::OtherBase);
        assert_eq!(same.files[0].file.counts(), Counts { added: 1, removed: 0 });
    }
}
