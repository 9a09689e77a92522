//! The end of a stream, for the progress pane: the last lines of what a model or a command says, without terminal escapes.

/// Bytes kept, unless more are wanted; more than any pane shows.
pub(super) const KEEP: usize = 2_000;

/// Collects a stream and remembers its end.
#[derive(Debug)]
pub(super) struct Tail {
    keep: usize,
    text: String,
    bytes: i64,
    escape: Escape,
}

/// Where in a terminal escape the stream is: sequences may be cut anywhere by the reads.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    /// `ESC [ … letter`
    Control,
    /// `ESC ] … BEL` or `ESC ] … ESC \`
    Command,
}

impl Default for Tail {
    fn default() -> Self {
        Self::keeping(KEEP)
    }
}

impl Tail {
    /// Remembers so many bytes.
    pub(super) fn keeping(keep: usize) -> Self {
        Self { keep, text: String::new(), bytes: 0, escape: Escape::None }
    }

    /// Takes the next piece; returns it without escapes.
    pub(super) fn push(&mut self, piece: &str) -> String {
        self.bytes += piece.len() as i64;
        let clean: String = piece.chars().filter_map(|c| self.printable(c)).collect();
        self.text.push_str(&clean);
        if self.text.len() > 2 * self.keep {
            self.text.drain(..self.text.ceil_char_boundary(self.text.len() - self.keep));
        }
        clean
    }

    fn printable(&mut self, c: char) -> Option<char> {
        self.escape = match (self.escape, c) {
            (_, '\u{1b}') => Escape::Begun,
            (Escape::None, '\r') => return None,
            (Escape::None, c) => return Some(c),
            (Escape::Begun, '[') => Escape::Control,
            (Escape::Begun, ']') => Escape::Command,
            (Escape::Control, c) if !('\u{40}'..='\u{7e}').contains(&c) => Escape::Control,
            (Escape::Command, c) if c != '\u{7}' => Escape::Command,
            (Escape::Begun | Escape::Control | Escape::Command, _) => Escape::None,
        };
        None
    }

    /// Bytes received so far, escapes included.
    pub(super) fn bytes(&self) -> i64 {
        self.bytes
    }

    /// The end of the stream.
    pub(super) fn end(&self) -> &str {
        &self.text[self.text.ceil_char_boundary(self.text.len().saturating_sub(self.keep))..]
    }

    /// The last lines with something on them, for an error or a summary.
    pub(super) fn last_lines(&self, count: usize) -> String {
        let lines: Vec<&str> = self.end().lines().filter(|l| !l.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_go_wherever_the_stream_is_cut() {
        let whole = "a\u{1b}[31;1mred\u{1b}[0m\u{1b}]0;title\u{7}b\r\nc\u{1b}]8;;x\u{1b}\\d";
        for cut in 1..whole.len() {
            if !whole.is_char_boundary(cut) {
                continue;
            }
            let mut tail = Tail::default();
            let shown = tail.push(&whole[..cut]) + &tail.push(&whole[cut..]);
            assert_eq!(shown, "aredb\ncd");
            assert_eq!(tail.bytes(), whole.len() as i64);
        }
    }

    #[test]
    fn only_the_end_is_kept() {
        let mut tail = Tail::default();
        for i in 0..10_000 {
            tail.push(&format!("line {i} ü\n"));
        }
        assert!(tail.end().len() <= KEEP);
        assert_eq!(tail.last_lines(2), "line 9998 ü\nline 9999 ü");
    }
}
