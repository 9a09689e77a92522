//! Terminal events as messages, and the terminal's late answers kept out of them.

use super::message::Msg;
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyModifiers};
use futures::StreamExt;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long after the question an answer may still come in, on a slow line.
const LATE: Duration = Duration::from_secs(10);
/// No colour report has more characters.
const LONGEST: usize = 40;

/// Keys, pastes, clicks and sizes.
#[derive(Debug)]
pub(super) struct Input {
    stream: EventStream,
    late: LateAnswer,
    /// Events that were read and are to be handed out before the stream's.
    ready: VecDeque<Msg>,
}

impl Input {
    /// `typed`: bytes that came while the terminal was being asked about its background; `cut`: the answer it was in the middle of.
    pub(super) fn new(typed: &[u8], cut: Option<Answer>) -> Self {
        let ready = typed.iter().filter_map(|b| key_of(*b)).map(Msg::Key).collect();
        Self { stream: EventStream::new(), late: LateAnswer::after(cut), ready }
    }

    /// The next message; `None` when the terminal is gone.
    pub(super) async fn next(&mut self) -> Option<Msg> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let event = self.stream.next().await?;
            self.take(event)?;
        }
    }

    /// What is there already, without waiting.
    pub(super) async fn now(&mut self) -> Option<Msg> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            // With the task's own waker: the stream remembers the first one it is polled with, so a waker that does nothing
            // would leave the next key unheard.
            let polled = poll_fn(|context| Poll::Ready(self.stream.poll_next_unpin(context))).await;
            let Poll::Ready(event) = polled else { return None };
            self.take(event?)?;
        }
    }

    fn take(&mut self, event: io::Result<Event>) -> Option<()> {
        let message = match event {
            Ok(Event::Key(key)) if self.late.swallows(key) => return Some(()),
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

/// An answer to "what is your background?" that comes after we stopped waiting looks like `alt-]` `1` `1` `;` … `alt-\`: keys that would
/// switch views and mark reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LateAnswer {
    Possible {
        until: Instant,
    },
    /// After `alt-]`.
    Begun {
        until: Instant,
    },
    Inside {
        answer: Answer,
        left: usize,
    },
    Over,
}

impl LateAnswer {
    /// `cut`: the answer that had begun when we stopped waiting.
    fn after(cut: Option<Answer>) -> Self {
        match cut {
            Some(answer) => Self::Inside { answer, left: LONGEST },
            None => Self::Possible { until: Instant::now() + LATE },
        }
    }

    fn swallows(&mut self, key: KeyEvent) -> bool {
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match *self {
            Self::Possible { until } | Self::Begun { until } if Instant::now() > until => {
                *self = Self::Over;
                false
            }
            Self::Possible { until } => {
                let begins = alt && key.code == KeyCode::Char(']');
                if begins {
                    *self = Self::Begun { until };
                }
                begins
            }
            Self::Begun { until } => {
                let ours = key.code == KeyCode::Char('1');
                *self = if ours { Self::after(Some(Answer::Colour)) } else { Self::Possible { until } };
                ours
            }
            Self::Inside { answer, left } => {
                let (ends, goes_on) = (answer.ends_with(key), answer.may_hold(key) && left > 0);
                *self = if goes_on { Self::Inside { answer, left: left - 1 } } else { Self::Over };
                ends || goes_on
            }
            Self::Over => false,
        }
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
        let mut late = LateAnswer::after(cut);
        let passed = keys(text).into_iter().filter(|key| !late.swallows(*key));
        passed.filter_map(|key| key.code.as_char()).collect()
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
