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
    /// `typed`: bytes that came while the terminal was being asked about its background.
    pub(super) fn new(typed: &[u8]) -> Self {
        let ready = typed.iter().filter_map(|b| key_of(*b)).map(Msg::Key).collect();
        Self { stream: EventStream::new(), late: LateAnswer::Possible { until: Instant::now() + LATE }, ready }
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
        left: usize,
    },
    Over,
}

impl LateAnswer {
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
                *self = if ours { Self::Inside { left: LONGEST } } else { Self::Possible { until } };
                ours
            }
            Self::Inside { left } => {
                let ends = (alt && key.code == KeyCode::Char('\\'))
                    || key.code == KeyCode::Char('g') && key.modifiers.contains(KeyModifiers::CONTROL);
                *self = if ends || left == 0 { Self::Over } else { Self::Inside { left: left - 1 } };
                true
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
        let mut late = LateAnswer::Possible { until: Instant::now() + LATE };
        let passed = keys(text).into_iter().filter(|key| !late.swallows(*key));
        passed.filter_map(|key| key.code.as_char()).collect()
    }

    #[test]
    fn a_late_colour_report_presses_no_keys() {
        assert_eq!(left("j\u{1b}]11;rgb:1c1c/1c1c/1c1c\u{1b}\\rk"), "jrk");
        assert_eq!(left("\u{1b}]11;rgb:ff/ff/ff\u{7}d"), "d");
    }

    #[test]
    fn a_real_key_is_at_most_delayed_by_nothing() {
        assert_eq!(left("\u{1b}]rrr"), "rrr");
        assert_eq!(left("11;rgb"), "11;rgb");
    }
}
