//! What is written to the terminal: sizes, colours, and nothing when nothing happens.

use super::home_with;
use crate::support::terminal::{Background, Setup, Terminal};
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn it_follows_the_size_of_the_terminal() {
    let home = home_with(&["a need"]);
    let t = Terminal::open(&home);
    t.wait_for("1 Inbox  3 Drafts");
    t.wait_for("everything");
    t.resize(40, 10);
    t.wait_gone("3 Drafts");
    t.wait_gone("everything");
    t.wait_for("a need");
    t.resize(120, 40);
    t.wait_for("Patchwork  1 Inbox");
    t.wait_for("│ everything");
    t.resize(1, 1);
    t.resize(80, 24);
    t.wait_gone("│ everything");
    t.wait_for("everything");
    t.send("q");
    t.assert_ended_well();
}

/// Parameters of every SGR sequence that was written.
fn graphics(bytes: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(bytes);
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
        rest[end..].starts_with('m').then(|| rest[..end].to_owned())
    });
    sequences.flat_map(|parameters| parameters.split(';').map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn is_colour(parameter: &str) -> bool {
    // Back to the terminal's own colour is none.
    matches!(parameter.parse(), Ok(30..=38 | 40..=48 | 58 | 90..=107))
}

#[test]
fn no_color_means_no_colour_and_the_cursor_is_seen_all_the_same() {
    let home = home_with(&["a need", "another"]);
    for (variables, coloured) in [(&[("NO_COLOR", "1")][..], false), (&[("NO_COLOR", "")][..], true)] {
        let t = Terminal::with(&home, &Setup { variables, ..Setup::default() });
        t.wait_for("another");
        t.wait_for("everything");
        let seen = t.seen();
        let used = graphics(&seen.bytes);
        assert_eq!(used.iter().any(|p| is_colour(p)), coloured, "{used:?}");
        let cell = seen.screen().cell(2, 10).unwrap();
        let other = seen.screen().cell(3, 10).unwrap();
        assert!(cell.inverse() && !other.inverse(), "the line under the cursor stands out");
        drop(seen);
        t.send("q");
        t.assert_ended_well();
    }
}

/// The colours of everything on the screen.
fn colours(t: &Terminal) -> Vec<(String, vt100::Color)> {
    let seen = t.seen();
    let (rows, cols) = seen.screen().size();
    let cells = (0..rows.get()).flat_map(|y| (0..cols.get()).map(move |x| (y, x)));
    let cells = cells.filter_map(|(y, x)| seen.screen().cell(y, x)).filter(|cell| cell.has_contents());
    // The port is another one every time.
    let cells = cells.filter(|cell| !cell.contents().chars().all(|c| c.is_ascii_digit()));
    cells.map(|cell| (cell.contents().to_owned(), cell.fgcolor())).collect()
}

#[test]
fn the_theme_is_for_the_background_that_the_terminal_says_it_has() {
    let home = home_with(&["a need"]);
    let look = |background, config: &str| {
        home.configure(config);
        let t = Terminal::with(&home, &Setup { background, ..Setup::default() });
        t.wait_for("everything");
        let colours = colours(&t);
        t.send("q");
        t.assert_ended_well();
        colours
    };
    let dark = look(Background::Dark, "");
    assert_ne!(dark, look(Background::Light, ""));
    assert_eq!(dark, look(Background::Unknown, ""), "a terminal that does not say is taken for dark");
    assert_eq!(dark, look(Background::Silent, ""), "so is one that says nothing at all");
    assert_eq!(dark, look(Background::Light, "[ui]\ntheme = \"dark\"\n"), "the settings know best");
}

#[test]
fn an_idle_screen_writes_nothing() {
    let home = home_with(&["a need", "another"]);
    let t = Terminal::open(&home);
    t.wait_for("everything");
    t.send("j");
    assert_eq!(t.idle_bytes(Duration::from_millis(1_500)), 0);
    let before = t.seen().bytes.len();
    t.send("k");
    t.wait_until("the cursor moved", |seen| seen.bytes.len() > before && seen.text().matches("another").count() == 2);
    t.idle_bytes(Duration::from_millis(100));
    let moved = t.seen().bytes.len() - before;
    assert!(moved < 2_000, "a cursor move took {moved} bytes");
    t.send("q");
    t.assert_ended_well();
}
