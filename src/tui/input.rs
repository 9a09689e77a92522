//! Terminal events as messages, and the terminal's late answers kept out of the keys.

use super::message::Msg;
use super::reader::Reader;
use super::terminal;
use super::theme::Shade;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

/// How long after the question an answer may still come in, on a slow line.
const LATE: Duration = Duration::from_secs(10);
/// No colour report has more characters.
const LONGEST: usize = 40;

/// Keys, pastes, clicks and sizes.
#[derive(Debug)]
pub(super) struct Input {
    reader: Reader,
    late: LateAnswer,
    /// To be handed out before what the reader has.
    ready: VecDeque<Msg>,
}

impl Input {
    /// `typed`: bytes that came while the terminal was being asked about its background; `cut`: the answer it was in the middle of.
    pub(super) fn new(typed: &[u8], cut: Option<Cut>) -> io::Result<Self> {
        let ready = typed.iter().filter_map(|b| key_of(*b)).map(Msg::Key).collect();
        Ok(Self { reader: Reader::start()?, late: LateAnswer::after(cut), ready })
    }

    /// The next message; `None` when the terminal is gone.
    pub(super) async fn next(&mut self) -> Option<Msg> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let event = self.reader.next().await?;
            self.take(event)?;
        }
    }

    /// What is there already, without waiting.
    pub(super) fn now(&mut self) -> Option<Msg> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let event = self.reader.now()?;
            self.take(event)?;
        }
    }

    fn take(&mut self, event: io::Result<Event>) -> Option<()> {
        let message = match event {
            Ok(Event::Key(key)) if self.late.swallows(key) => {
                self.ready.extend(self.late.background().map(Msg::Background));
                return Some(());
            }
            Ok(Event::Key(key)) => Msg::Key(key),
            Ok(Event::Paste(text)) => Msg::Paste(text),
            Ok(Event::Mouse(mouse)) => Msg::Mouse(mouse),
            Ok(Event::Resize(width, height)) => Msg::Resize(width, height),
            Ok(Event::FocusGained | Event::FocusLost) => return Some(()),
            Err(e) => {
                tracing::warn!(error = %e, "the terminal is gone");
                return None;
            }
        };
        self.ready.push_back(message);
        Some(())
    }
}

/// A key typed before anybody listened: plain ones only.
fn key_of(byte: u8) -> Option<KeyEvent> {
    let code = match byte {
        b'\r' | b'\n' => KeyCode::Enter,
        b'\t' => KeyCode::Tab,
        b' '..=b'~' => KeyCode::Char(char::from(byte)),
        _ => return None,
    };
    Some(KeyEvent::new(code, KeyModifiers::NONE))
}

/// What the terminal may still be saying when nobody waits for it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// `ESC ] 11 ; rgb:RRRR/GGGG/BBBB ESC \`
    Colour,
    /// `ESC [ ? 62 ; 22 c`
    Attributes,
}

impl Answer {
    fn ends_with(self, key: KeyEvent) -> bool {
        match (self, key.code) {
            // The escape before it may have been heard in time.
            (Self::Colour, KeyCode::Char('\\')) | (Self::Attributes, KeyCode::Char('c')) => true,
            (Self::Colour, KeyCode::Char('g')) => key.modifiers.contains(KeyModifiers::CONTROL),
            _ => false,
        }
    }

    fn may_hold(self, key: KeyEvent) -> bool {
        let KeyCode::Char(c) = key.code else { return false };
        let plain = key.modifiers.is_empty();
        match self {
            Self::Colour => plain && (c.is_ascii_hexdigit() || "rgb:/;".contains(c)),
            Self::Attributes => plain && (c.is_ascii_digit() || c == ';'),
        }
    }
}

/// An answer that had begun when we stopped waiting for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) answer: Answer,
    /// What there was of it, behind its escape.
    pub(super) heard: String,
}

/// An answer to "what is your background?" that comes after we stopped waiting looks like `alt-]` `1` `1` `;` … `alt-\`: keys that would
/// switch views and mark reports. On a slow line that is how it comes, and what it says counts all the same.
#[derive(Debug, PartialEq, Eq)]
enum LateAnswer {
    Possible {
        until: Instant,
    },
    /// After `alt-]`.
    Begun {
        until: Instant,
    },
    Inside {
        cut: Cut,
        left: usize,
    },
    /// All of a colour report.
    Whole(String),
    Over,
}

impl LateAnswer {
    /// `cut`: the answer that had begun when we stopped waiting.
    fn after(cut: Option<Cut>) -> Self {
        match cut {
            Some(cut) => Self::Inside { cut, left: LONGEST },
            None => Self::Possible { until: Instant::now() + LATE },
        }
    }

    fn swallows(&mut self, key: KeyEvent) -> bool {
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let (next, ours) = match std::mem::replace(self, Self::Over) {
            Self::Possible { until } | Self::Begun { until } if Instant::now() > until => (Self::Over, false),
            Self::Possible { until } if alt && key.code == KeyCode::Char(']') => (Self::Begun { until }, true),
            Self::Begun { .. } if key.code == KeyCode::Char('1') => {
                let begun = Cut { answer: Answer::Colour, heard: "]1".to_owned() };
                (Self::after(Some(begun)), true)
            }
            Self::Possible { until } | Self::Begun { until } => (Self::Possible { until }, false),
            Self::Inside { cut, left } => cut.goes_on(key, left),
            Self::Whole(_) | Self::Over => (Self::Over, false),
        };
        *self = next;
        ours
    }

    /// The background, once, when all of it was said.
    fn background(&mut self) -> Option<Shade> {
        let Self::Whole(report) = self else { return None };
        let shade = terminal::colour(report.as_bytes());
        *self = Self::Over;
        shade
    }
}

impl Cut {
    /// What comes of it with the next key, and whether the key is a part of it.
    fn goes_on(mut self, key: KeyEvent, left: usize) -> (LateAnswer, bool) {
        if self.answer.ends_with(key) {
            let whole = match self.answer {
                Answer::Colour => LateAnswer::Whole(self.heard),
                Answer::Attributes => LateAnswer::Over,
            };
            return (whole, true);
        }
        if left == 0 || !self.answer.may_hold(key) {
            return (LateAnswer::Over, false);
        }
        self.heard.extend(key.code.as_char());
        (LateAnswer::Inside { cut: self, left: left - 1 }, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<KeyEvent> {
        let mut keys = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\u{1b}' => keys.push(KeyEvent::new(KeyCode::Char(chars.next().unwrap()), KeyModifiers::ALT)),
                '\u{7}' => keys.push(KeyEvent::new(KeyCode::Char('g'), KeyModifiers::CONTROL)),
                c => keys.push(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)),
            }
        }
        keys
    }

    fn left(text: &str) -> String {
        left_after(None, text)
    }

    fn left_after(cut: Option<Answer>, text: &str) -> String {
        let cut = cut.map(|answer| Cut { answer, heard: String::new() });
        let mut late = LateAnswer::after(cut);
        let passed = keys(text).into_iter().filter(|key| !late.swallows(*key));
        passed.filter_map(|key| key.code.as_char()).collect()
    }

    /// What is made of an answer that comes late.
    fn said(cut: Option<&str>, text: &str) -> Vec<Shade> {
        let cut = cut.map(|heard| Cut { answer: Answer::Colour, heard: heard.to_owned() });
        let mut late = LateAnswer::after(cut);
        let keys = keys(text).into_iter();
        keys.filter_map(|key| late.swallows(key).then(|| late.background())?).collect()
    }

    #[test]
    fn a_late_colour_report_counts() {
        assert_eq!(said(None, "j\u{1b}]11;rgb:fafa/fafa/fafa\u{1b}\\k"), [Shade::Light]);
        assert_eq!(said(None, "\u{1b}]11;rgb:00/00/00\u{7}"), [Shade::Dark]);
        assert_eq!(said(Some("]11;rgb:ff"), "ff/ffff/ffff\\"), [Shade::Light]);
        assert_eq!(said(None, "\u{1b}]11;rgb:zz\u{1b}\\"), []);
        assert_eq!(said(Some("]11;rgb:ff"), "ff/ffjk"), []);
    }

    #[test]
    fn a_late_colour_report_presses_no_keys() {
        assert_eq!(left("j\u{1b}]11;rgb:1c1c/1c1c/1c1c\u{1b}\\rk"), "jrk");
        assert_eq!(left("\u{1b}]11;rgb:ff/ff/ff\u{7}d"), "d");
    }

    #[test]
    fn the_rest_of_an_answer_presses_no_keys() {
        assert_eq!(left_after(Some(Answer::Colour), "d1d/3333\u{1b}\\d"), "d");
        assert_eq!(left_after(Some(Answer::Colour), "\\d"), "d", "its escape was heard in time");
        assert_eq!(left_after(Some(Answer::Attributes), "3;1cd"), "d");
        assert_eq!(left_after(Some(Answer::Colour), "jd3"), "jd3", "it never came");
        assert_eq!(left_after(Some(Answer::Attributes), "nd3"), "nd3");
    }

    #[test]
    fn a_real_key_is_at_most_delayed_by_nothing() {
        assert_eq!(left("\u{1b}]rrr"), "rrr");
        assert_eq!(left("11;rgb"), "11;rgb");
    }
}
