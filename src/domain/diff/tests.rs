//! Diffs read back, and parts of them applied.

use super::*;
use proptest::prelude::*;
use similar::{ChangeTag, TextDiff};

/// Lines as git counts them: `similar`'s own idea of a line ends at a carriage return, too.
fn lines_of(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// What git writes for a file that has changed, made by another program than git.
pub(super) fn written(old: &str, new: &str) -> String {
    let (old, new) = (lines_of(old), lines_of(new));
    let diff = TextDiff::configure().diff_slices(&old, &new);
    let mut text = "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n".to_owned();
    for group in diff.grouped_ops(1) {
        let (first, last) = (group.first().unwrap(), group.last().unwrap());
        let span =
            |start: usize, end: usize| Span { start: if start == end { start } else { start + 1 }, lines: end - start };
        let before = span(first.old_range().start, last.old_range().end);
        let after = span(first.new_range().start, last.new_range().end);
        text.extend([format!("@@ -{before} +{after} @@\n")]);
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let end = if change.value().ends_with('\n') { "" } else { "\n\\ No newline at end of file\n" };
            text.extend([format!("{}{}{end}", change.tag(), change.value())]);
        }
    }
    text
}

pub(super) fn only(text: &str) -> FileDiff {
    let diff = Diff::parse(text).unwrap_or_else(|e| panic!("{e}:\n{text}"));
    assert_eq!(diff.files.len(), 1, "{text}");
    diff.files.into_iter().next().unwrap()
}

/// The text that some of the hunks make, found without reading a diff.
fn expected(old: &str, new: &str, keep: impl Fn(usize) -> bool) -> String {
    let (old, new) = (lines_of(old), lines_of(new));
    let diff = TextDiff::configure().diff_slices(&old, &new);
    let groups = diff.grouped_ops(1);
    let hunk_of = |op: &similar::DiffOp| groups.iter().position(|group| group.iter().any(|o| touches(o, op)));
    let mut text = String::new();
    for op in diff.ops() {
        let kept = hunk_of(op).is_some_and(&keep);
        for change in diff.iter_changes(op) {
            let stays = match change.tag() {
                ChangeTag::Equal => true,
                ChangeTag::Delete => !kept,
                ChangeTag::Insert => kept,
            };
            if stays {
                text.push_str(change.value());
            }
        }
    }
    text
}

/// Whether an operation that is no equality is this one.
fn touches(in_group: &similar::DiffOp, op: &similar::DiffOp) -> bool {
    in_group.tag() != similar::DiffTag::Equal && in_group == op
}

const LINES: &[&str] = &[
    "a",
    "b",
    "",
    " ",
    "+x",
    "-x",
    "--- a/x",
    "+++ b/x",
    "@@ -1 +1 @@",
    "\\ No newline",
    "diff --git a/y b/y",
    "c\r",
    "ü",
];

/// Lines that look like a diff's own, that end in a carriage return, and that repeat.
pub(super) fn text() -> impl Strategy<Value = String> {
    (prop::collection::vec(prop::sample::select(LINES), 0..30), any::<bool>()).prop_map(|(lines, ends)| {
        let text = lines.join("\n");
        if ends && !text.is_empty() { text + "\n" } else { text }
    })
}

/// What an author does to a text: little.
pub(super) type Edits = (Vec<(usize, u8, String)>, bool);

pub(super) fn edits() -> impl Strategy<Value = Edits> {
    (prop::collection::vec((0_usize..30, 0_u8..3, "[a-c+ -]{0,3}"), 0..5), any::<bool>())
}

pub(super) fn edit(old: &str, (edits, ends): &Edits) -> String {
    let mut lines: Vec<&str> = old.lines().collect();
    for (at, how, line) in edits {
        match how {
            0 => lines.insert((*at).min(lines.len()), line),
            1 if *at < lines.len() => drop(lines.remove(*at)),
            _ if *at < lines.len() => lines[*at] = line,
            _ => {}
        }
    }
    let new = lines.join("\n");
    if *ends && !new.is_empty() { new + "\n" } else { new }
}

/// A text and what an author made of it: mostly the same.
fn edited() -> impl Strategy<Value = (String, String)> {
    (text(), edits()).prop_map(|(old, edits)| {
        let new = edit(&old, &edits);
        (old, new)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_choice_of_hunks_makes_the_text_that_it_should((old, new) in edited(), choice in any::<u32>()) {
        let written = written(&old, &new);
        if old == new {
            return Ok(());
        }
        let file = only(&written);
        prop_assert_eq!(&file.apply(&old, |_| true).unwrap(), &new, "all:\n{}", &written);
        prop_assert_eq!(&file.apply(&old, |_| false).unwrap(), &old, "none:\n{}", &written);
        let keep = |hunk: usize| choice >> (hunk % 32) & 1 == 1;
        prop_assert_eq!(file.apply(&old, keep).unwrap(), expected(&old, &new, keep), "some:\n{}", &written);
    }

    #[test]
    fn a_diff_is_written_again_as_it_was_read((old, new) in edited()) {
        let file = only(&written(&old, &new));
        let mut counts = Counts::default();
        for hunk in &file.hunks {
            let read = Diff::parse(&format!("diff --git a/x b/x\n{}\n{}", hunk.header(), hunk.body)).unwrap();
            prop_assert_eq!(&read.files[0].hunks[..], std::slice::from_ref(hunk));
            prop_assert_eq!(hunk.lines().filter(|l| l.kind != LineKind::Added).count(), hunk.before.lines);
            counts = counts.plus(hunk.counts());
        }
        prop_assert_eq!(file.counts(), counts);
    }

    #[test]
    fn another_text_is_never_changed_silently((old, new) in edited(), other in text()) {
        let file = only(&written(&old, &new));
        if let Ok(applied) = file.apply(&other, |_| true) {
            let fits = file.hunks.iter().all(|hunk| hunk.before.lines == 0 || hunk.lines().all(|l| l.kind == LineKind::Added || other.contains(l.text)));
            prop_assert!(fits, "{applied}");
        }
    }

    #[test]
    fn nothing_makes_it_panic(text in "(diff --git a/x b/x\n|@@ -1,2 \\+1 @@\n|[ +-]a\n|\\\\ x\n|new file mode 100644\n|rename to y\n|\n|é){0,8}") {
        let _either_way = Diff::parse(&text);
    }
}

#[test]
fn every_kind_of_change_is_told_apart() {
    let text = "diff --git a/new b/new\nnew file mode 100755\nindex 000..111\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n\
                diff --git a/empty b/empty\nnew file mode 100644\nindex 000..e69\n\
                diff --git a/gone b/gone\ndeleted file mode 100644\nindex 111..000\n--- a/gone\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-x\n-y\n\\ No newline at end of file\n\
                diff --git a/old name b/new name\nsimilarity index 90%\nrename from old name\nrename to new name\nindex 1..2 100644\n--- a/old name\t\n+++ b/new name\t\n@@ -3 +3 @@ fn x()\n-x\n+y\n\
                diff --git a/moved b/dir/moved\nsimilarity index 100%\nrename from moved\nrename to dir/moved\n\
                diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n\
                diff --git a/pic b/pic\ndeleted file mode 100644\nindex 1..0\nBinary files a/pic and /dev/null differ\n\
                diff --git \"a/say \\\"hi\\\"\" \"b/say \\\"hi\\\"\"\nindex 1..2 100644\n--- \"a/say \\\"hi\\\"\"\n+++ \"b/say \\\"hi\\\"\"\n@@ -1,0 +2 @@\n+x\n\
                diff --git a/a b/a b/a b/a\nold mode 100755\nnew mode 100644\n";
    let diff = Diff::parse(text).unwrap();
    let seen: Vec<_> = diff.files.iter().map(|f| (f.path.as_str(), f.what.clone(), f.parts(), f.counts())).collect();
    let path = |p: &str| RepoPath::parse(p).unwrap();
    let counts = |added, removed| Counts { added, removed };
    assert_eq!(
        seen,
        [
            ("new", What::Created { mode: 0o100_755 }, 1, counts(1, 0)),
            ("empty", What::Created { mode: 0o100_644 }, 1, counts(0, 0)),
            ("gone", What::Deleted, 1, counts(0, 2)),
            ("new name", What::Renamed { from: path("old name") }, 1, counts(1, 1)),
            ("dir/moved", What::Renamed { from: path("moved") }, 1, counts(0, 0)),
            ("run.sh", What::Edited, 1, counts(0, 0)),
            ("pic", What::Deleted, 1, counts(0, 0)),
            ("say \"hi\"", What::Edited, 1, counts(1, 0)),
            ("a b/a", What::Edited, 1, counts(0, 0)),
        ]
    );
    assert_eq!(diff.counts(), counts(3, 3));
    assert_eq!(diff.files[5].modes, Some((0o100_644, 0o100_755)));
    assert!(diff.files[6].binary && diff.file(&path("pic")).is_some() && diff.file(&path("old name")).is_none());
    assert_eq!(diff.files[3].hunks[0].header(), "@@ -3 +3 @@ fn x()");
    assert!(!diff.files[2].hunks[0].lines().last().unwrap().ends);
}

#[test]
fn what_is_no_diff_is_said_with_its_line() {
    for (text, line) in [
        ("hello", 1),
        ("diff --git a/x b/y\n", 1),
        ("diff --git a/../x b/../x\n", 1),
        ("diff --git a/x b/x\nwhat is this\n", 2),
        ("diff --git a/x b/x\n@@ -1 +1 @@\n-x\n", 4),
        ("diff --git a/x b/x\n@@ -1 +1 @@\n-x\n-y\n", 4),
        ("diff --git a/x b/x\n@@ one @@\n", 2),
        ("diff --git a/x b/x\nnew file mode 100644\ndeleted file mode 100644\n", 3),
    ] {
        assert_eq!(Diff::parse(text).unwrap_err().line, line, "{text}");
    }
    assert_eq!(Diff::parse("").unwrap(), Diff::default());
}

#[test]
fn a_text_that_has_moved_on_is_refused() {
    let file = only(&written("a\nb\nc\n", "a\nB\nc\n"));
    for other in ["a\nx\nc\n", "", "a\nb\nc", "a\n"] {
        assert!(file.apply(other, |_| true).unwrap_err().to_string().contains("x is not the file"), "{other:?}");
        assert_eq!(file.apply(other, |_| false).unwrap(), other);
    }
}
