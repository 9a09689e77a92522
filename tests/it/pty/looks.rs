//! What is written to the terminal: sizes, colours, and nothing when nothing happens.

use super::home_with;
use crate::support::terminal::{Background, Seen, Setup, Terminal};
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

/// The first colour of the header: of the program's name, or of the view where there is no room for a name.
fn title(seen: &Seen) -> vt100::Color {
    let colours = (0..80).map(|column| seen.screen().cell(0, column).unwrap().fgcolor());
    colours.into_iter().find(|colour| *colour != vt100::Color::Default).unwrap_or(vt100::Color::Default)
}

#[test]
fn the_theme_is_for_the_background_that_the_terminal_says_it_has() {
    let home = home_with(&["a need"]);
    let open = |background, config: &str| {
        home.configure(config);
        let t = Terminal::with(&home, &Setup { background, ..Setup::default() });
        t.wait_for("everything");
        t
    };
    let close = |t: Terminal| {
        t.send("q");
        t.assert_ended_well();
    };
    let look = |background, config: &str| {
        let t = open(background, config);
        let colour = title(&t.seen());
        close(t);
        colour
    };
    let dark = look(Background::Dark, "");
    assert_eq!(dark, look(Background::Unknown, ""), "a terminal that does not say is taken for dark");
    assert_eq!(dark, look(Background::Light, "[ui]\ntheme = \"dark\"\n"), "the settings know best");
    let light = look(Background::Light, "[ui]\ntheme = \"light\"\n");
    assert_ne!(dark, light);
    // Busy machines and slow lines answer late, and are listened to all the same.
    for (background, late) in [
        (Background::Light, ""),
        (Background::Silent, "\x1b]11;rgb:ffff/ffff/f0f0\x1b\\\x1b[?62;22c"),
        (Background::Half, "f1f/ffff\x1b\\\x1b[?62;22c"),
    ] {
        let t = open(background, "");
        t.send(late);
        t.wait_until("the light theme", |seen| title(seen) == light);
        close(t);
    }
}

#[test]
fn an_idle_screen_writes_nothing() {
    let home = home_with(&["a need", "another"]);
    let t = Terminal::open(&home);
    t.wait_for("everything");
    t.send("j");
    // A screen that redraws with a clock never comes to this; one that changes a label now and then does.
    t.wait_idle(Duration::from_secs(3));
    let before = t.seen().bytes.len();
    t.send("k");
    t.wait_until("the cursor moved", |seen| seen.bytes.len() > before && seen.text().matches("another").count() == 2);
    t.wait_idle(Duration::from_millis(100));
    let moved = t.seen().bytes.len() - before;
    assert!(moved < 2_000, "a cursor move took {moved} bytes");
    t.send("q");
    t.assert_ended_well();
}
