//! How a run is getting on, on standard error: a line that rewrites itself on a terminal, a line per step elsewhere.

use crate::domain::text;
use std::io::{IsTerminal, Stderr, Write, stderr};

/// Back to the first column, and clear to the end of the line.
const REWIND: &str = "\r\u{1b}[K";

#[derive(Debug)]
pub(super) struct Progress {
    to: Stderr,
    is_terminal: bool,
    /// Something stands in the line that rewrites itself.
    open: bool,
}

impl Progress {
    pub(super) fn open() -> Self {
        let to = stderr();
        let is_terminal = to.is_terminal();
        Self { to, is_terminal, open: false }
    }

    /// A line that stays.
    pub(super) fn say(&mut self, line: &str) {
        let rewind = if self.open { REWIND } else { "" };
        self.open = false;
        self.write(&format!("{rewind}{}\n", text::line(line)));
    }

    /// What is true for the moment; only a terminal gets to see it.
    pub(super) fn now(&mut self, line: &str) {
        if self.is_terminal {
            self.open = true;
            self.write(&format!("{REWIND}{}", super::out::fit(line, 78)));
        }
    }

    /// A question; the answer is typed behind it.
    pub(super) fn ask(&mut self, question: &str) {
        let rewind = if self.open { REWIND } else { "" };
        self.open = false;
        self.write(&format!("{rewind}{}", text::line(question)));
    }

    fn write(&mut self, text: &str) {
        // Progress is a courtesy: a closed standard error must not end the run.
        drop(self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.open {
            self.write(REWIND);
        }
    }
}
