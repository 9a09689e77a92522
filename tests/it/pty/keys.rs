//! What the terminal sends: keys, mouse reports, pastes, and answers that come when nobody waits for them any more.

use super::{CTRL_S, home_with};
use crate::support::terminal::{Background, Seen, Setup, Terminal};

const DOWN: &str = "\x1b[B";

#[test]
fn arrow_keys_move_and_the_mouse_selects() {
    let home = home_with(&["first", "second", "third"]);
    let t = Terminal::open(&home);
    t.wait_for("third");
    t.send(DOWN);
    // The report beside the list has its text a second time.
    let shown = |text: &'static str| move |seen: &Seen| seen.text().matches(text).count() == 2;
    t.wait_until("second is selected", shown("second"));
    t.send("j");
    t.wait_until("first is selected", shown("first"));
    // A click on the third line of the screen, as SGR reports it.
    t.send("\x1b[<0;10;3M\x1b[<0;10;3m");
    t.wait_until("third is selected", shown("third"));
    t.send("\x1b[<65;10;3M");
    t.wait_until("the wheel moves", shown("first"));
    t.send("q");
    t.assert_ended_well();
}

#[test]
fn a_paste_presses_no_key() {
    let home = home_with(&["a need", "another"]);
    let t = Terminal::open(&home);
    t.wait_for("another");
    t.send("\x1b[200~rrr qqq dD\r/x 3\x03\x1b[201~");
    t.wait_for("Pasted text has no place here");
    t.settle();
    assert!(t.text().contains("2 unreviewed of 2") && t.text().contains("is:unreviewed"), "{}", t.text());
    t.send("n");
    t.wait_for("─ Note");
    t.send("\x1b[200~two\rlines \x1b[31mred\x1b[201~");
    t.wait_for("[31mred");
    t.send(CTRL_S);
    t.wait_for("Note saved");
    t.send("q");
    t.assert_ended_well();
    assert_eq!(home.json(&["list", "has:notes", "--json"])[0]["notes"][0]["content"], "two\nlines \u{fffd}[31mred");
}

#[test]
fn an_answer_that_comes_late_presses_no_key() {
    for (background, late) in [
        (Background::Silent, "\x1b]11;rgb:1111/dddd/3333\x1b\\\x1b[?62;22c"),
        (Background::Silent, "\x1b]11;rgb:33/dd/11\x07"),
        (Background::Half, "d1d/3333\x1b\\\x1b[?62;22c"),
    ] {
        let home = home_with(&["a need", "another"]);
        let t = Terminal::with(&home, &Setup { background, ..Setup::default() });
        t.wait_for("another");
        t.send(late);
        t.settle();
        let text = t.text();
        assert!(
            text.contains("2 unreviewed of 2") && text.contains("is:unreviewed"),
            "{background:?} {late:?}\n{text}"
        );
        assert!(!text.contains("Nothing to undo"), "{text}");
        t.send("q");
        t.assert_ended_well();
    }
}

#[test]
fn what_is_typed_before_the_screen_is_there_is_not_lost() {
    let home = home_with(&["a need", "another"]);
    let t = Terminal::start(&home, &Setup { background: Background::Silent, ..Setup::default() });
    t.send("r");
    t.wait_for("1 unreviewed of 2");
    t.send("q");
    t.assert_ended_well();
}
