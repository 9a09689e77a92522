//! What is cut and what is left, byte for byte.

use super::*;
use proptest::prelude::*;
use std::fmt::Write;

const DRAFT: Place<'_> = Place::Table("draft");
const KEYS: Place<'_> = Place::Inner("ui", "keys");
const FIRST: Place<'_> = Place::Entry("repository", 0);

#[test]
fn a_value_changes_and_nothing_around_it() {
    for (text, place, key, after) in [
        ("[draft]\ndrafter = \"x\" # why\n\n# end", DRAFT, "drafter", "[draft]\ndrafter = NEW # why\n\n# end"),
        ("draft.drafter='x'", DRAFT, "drafter", "draft.drafter=NEW"),
        ("draft = { drafter = \"x\", parallel = 2 }\n", DRAFT, "drafter", "draft = { drafter = NEW, parallel = 2 }\n"),
        ("[ui.keys]\n\"a b\" = 'q'\n", KEYS, "\"a b\"", "[ui.keys]\n\"a b\" = NEW\n"),
        ("[ui]\nkeys.quit = 'q'\r\n", KEYS, "quit", "[ui]\nkeys.quit = NEW\r\n"),
        ("[[repository]]\r\nbranch   =   'a'  \r\n", FIRST, "branch", "[[repository]]\r\nbranch   =   NEW  \r\n"),
        ("repository = [{ branch = 'a' }, {}]", FIRST, "branch", "repository = [{ branch = NEW }, {}]"),
        ("\u{feff}[draft]\ndrafter = 1\n", DRAFT, "drafter", "\u{feff}[draft]\ndrafter = NEW\n"),
    ] {
        assert_eq!(set(text, place, key, "NEW").as_deref(), Ok(after), "{text}");
    }
}

#[test]
fn comments_inside_a_list_are_kept_above_it() {
    let text = "[draft]\n  protect = [ # mine\n    \"a#b\", # not this\n    \"c\",\n  ] # behind\nparallel = 1\n";
    let after = "[draft]\n  # mine\n  # not this\n  protect = NEW # behind\nparallel = 1\n";
    assert_eq!(set(text, DRAFT, "protect", "NEW").as_deref(), Ok(after));
}

#[test]
fn a_new_key_goes_behind_those_of_its_table() {
    for (text, place, after) in [
        ("", DRAFT, "[draft]\nnew = 1\n"),
        ("# mine", DRAFT, "# mine\n\n[draft]\nnew = 1\n"),
        ("[ui]\nmouse = true\n\n# end\n", DRAFT, "[ui]\nmouse = true\n\n# end\n\n[draft]\nnew = 1\n"),
        ("[draft] # d\n# about ui\n[ui]\n", DRAFT, "[draft] # d\nnew = 1\n# about ui\n[ui]\n"),
        (
            "[draft]\na = 1 # one\n# two = 2\n\n[ui]\nx = 1\n",
            DRAFT,
            "[draft]\na = 1 # one\nnew = 1\n# two = 2\n\n[ui]\nx = 1\n",
        ),
        ("[draft]\r\na = [\r\n 1,\r\n]\r\n", DRAFT, "[draft]\r\na = [\r\n 1,\r\n]\r\nnew = 1\r\n"),
        ("draft.a = 1\ndraft . b = 2 # b\nx = 1\n", DRAFT, "draft.a = 1\ndraft . b = 2 # b\ndraft . new = 1\nx = 1\n"),
        ("draft = { a = 1 }\n", DRAFT, "draft = { a = 1, new = 1 }\n"),
        ("draft = {}\n", DRAFT, "draft = { new = 1 }\n"),
        ("[ui.keys]\nq = 'q'\n", KEYS, "[ui.keys]\nq = 'q'\nnew = 1\n"),
        ("[ui]\nmouse = true\n", KEYS, "[ui]\nmouse = true\n\n[ui.keys]\nnew = 1\n"),
        ("ui = { mouse = true }\n", KEYS, "ui = { mouse = true, keys.new = 1 }\n"),
        ("[ui.keys]\nq = 'q'\n", Place::Table("ui"), "[ui.keys]\nq = 'q'\n\n[ui]\nnew = 1\n"),
        (
            "[[repository]]\npath = 'a'\n\n# second\n[[repository]]\npath = 'b'\n",
            FIRST,
            "[[repository]]\npath = 'a'\nnew = 1\n\n# second\n[[repository]]\npath = 'b'\n",
        ),
    ] {
        assert_eq!(set(text, place, "new", "1").as_deref(), Ok(after), "{text}");
        toml::from_str::<toml::Table>(after).unwrap();
    }
}

#[test]
fn a_key_taken_out_leaves_its_comments() {
    for (text, place, key, after) in [
        ("[draft]\n# above\na = 1 # behind\nb = 2\n", DRAFT, "a", "[draft]\n# above\n# behind\nb = 2\n"),
        ("[draft]\r\na = 1\r\nb = 2", DRAFT, "b", "[draft]\r\na = 1\r\n"),
        ("[draft]\na = [\n1,\n]\nb = 2\n", DRAFT, "a", "[draft]\nb = 2\n"),
        ("draft.a = 1\n[ui]\n", DRAFT, "a", "[ui]\n"),
        ("draft = { a = 1, b = 2 }", DRAFT, "a", "draft = { b = 2 }"),
        ("draft = { a = 1, b = 2 }", DRAFT, "b", "draft = { a = 1 }"),
        ("draft = { a = 1 }", DRAFT, "a", "draft = { }"),
    ] {
        assert_eq!(unset(text, place, key).as_deref(), Ok(after), "{text}");
    }
    assert_eq!(unset("[draft]\na = 1\n", DRAFT, "b"), Err(Unfit::Missing));
    assert_eq!(unset("[draft]\na = \n", DRAFT, "a"), Err(Unfit::NotToml));
}

#[test]
fn entries_come_and_go() {
    let pairs = [("server", "'x'"), ("path", "'/x'")];
    for (text, nth, added) in [
        ("", 0, "[[repository]]\nserver = 'x'\npath = '/x'\n"),
        ("# all\n", 0, "# all\n\n[[repository]]\nserver = 'x'\npath = '/x'\n"),
        (
            "[[repository]]\na = 1\n\n# end\n",
            1,
            "[[repository]]\na = 1\n\n# end\n\n[[repository]]\nserver = 'x'\npath = '/x'\n",
        ),
        ("repository = [{ a = 1 }]\n", 1, "repository = [{ a = 1 }, { server = 'x', path = '/x' }]\n"),
    ] {
        assert_eq!(add_entry(text, "repository", &pairs).as_deref(), Ok(added));
        assert_eq!(remove_entry(added, "repository", nth).as_deref(), Ok(text), "and back");
    }
    let two = "# one\n[[repository]]\na = 1 # one\n# in one\nb = 2\n\n# two\n[[repository]]\nb = 2\n\n[ui]\n";
    assert_eq!(remove_entry(two, "repository", 0).as_deref(), Ok("# one\n\n# two\n[[repository]]\nb = 2\n\n[ui]\n"));
    assert_eq!(
        remove_entry(two, "repository", 1).as_deref(),
        Ok("# one\n[[repository]]\na = 1 # one\n# in one\nb = 2\n\n# two\n\n[ui]\n")
    );
    assert_eq!(remove_entry(two, "repository", 2), Err(Unfit::Missing));
    assert_eq!(entries(two, "repository", "b"), Ok(vec![None, None]));
}

/// Files as people write them: comments anywhere, blank lines, tables in any order, lists over several lines.
fn file() -> impl Strategy<Value = String> {
    let comment = prop::sample::select(&["", "# a comment", "  # indented, with = and [brackets]", "#", "#: [x]"][..]);
    let value = prop::sample::select(&["1", "\"a # b\"", "[\n  \"x\",\n  \"y\",\n]", "'''\nmany\nlines'''", "[]"][..]);
    let pair = (0..3_usize, value, prop::sample::select(&["", " # behind", "   "][..]));
    let line = (prop::collection::vec(comment, 0..3), prop::option::of(pair));
    let table = (0..4_usize, prop::collection::vec(line, 0..4));
    let crlf = any::<bool>();
    (prop::collection::vec(table, 0..4), crlf).prop_map(|(tables, crlf)| {
        let mut out = String::new();
        let mut seen = std::collections::BTreeSet::new();
        for (name, lines) in tables {
            let header = ["[draft]", "[ui]", "[ui.keys]", "[[repository]]"][name];
            if header != "[[repository]]" && !seen.insert(header) {
                continue;
            }
            writeln!(out, "{header}").unwrap();
            let mut keys = std::collections::BTreeSet::new();
            for (comments, pair) in lines {
                for comment in comments {
                    writeln!(out, "{comment}").unwrap();
                }
                if let Some((key, value, behind)) = pair
                    && keys.insert(key)
                {
                    writeln!(out, "k{key} = {value}{behind}").unwrap();
                }
            }
        }
        if crlf { out.replace('\n', "\r\n") } else { out }
    })
}

fn is_subsequence(part: &str, whole: &str) -> bool {
    let mut lines = whole.split_inclusive('\n');
    part.split_inclusive('\n').all(|line| lines.any(|other| other == line))
}

proptest! {
    #[test]
    fn whatever_else_is_in_the_file_stays_byte_for_byte(text in file(), at in 0..4_usize, key in 0..4_usize) {
        let place = [DRAFT, Place::Table("ui"), KEYS, FIRST][at];
        let key = format!("k{key}");
        let has_place = place != FIRST || text.contains("[[repository]]");
        let had = Document::parse(&text).unwrap().find(place, &key).is_some();
        let after = set(&text, place, &key, "\"NEW\"");
        prop_assert_eq!(after.is_ok(), has_place);
        let Ok(after) = after else { return Ok(()) };
        let document = Document::parse(&after).unwrap();
        prop_assert_eq!(document.find(place, &key).unwrap().1.get_ref().as_str(), Some("NEW"));
        if had {
            // Taken out of both, the two are the same.
            prop_assert_eq!(unset(&after, place, &key).unwrap(), unset(&text, place, &key).unwrap());
        } else {
            prop_assert!(is_subsequence(&text, &after), "{text}\n--\n{after}");
            let back = unset(&after, place, &key).unwrap();
            prop_assert!(back == text || back.starts_with(&text), "{text}\n--\n{back}");
        }
    }

    #[test]
    fn taking_out_loses_no_comment(text in file(), at in 0..4_usize, key in 0..4_usize) {
        let place = [DRAFT, Place::Table("ui"), KEYS, FIRST][at];
        if let Ok(after) = unset(&text, place, &format!("k{key}")) {
            let comments = |text: &str| text.matches("# behind").count() + text.matches("# indented").count();
            prop_assert_eq!(comments(&after), comments(&text));
            prop_assert!(Document::parse(&after).is_ok(), "{}", after);
        }
    }
}
