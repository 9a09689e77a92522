//! Breaking a line of code into rows of a width. Nothing is cut away, because what is not seen can't be reviewed; and no row costs more
//! than it shows, because a line may be a megabyte of anything.

use crate::domain::text;
use std::ops::Range;
use unicode_width::UnicodeWidthChar;

/// Characters of a row for each of its columns: marks that take no room of their own end a row too.
const CHARS_PER_COLUMN: usize = 8;

/// The parts of a raw line, row by row. Made safe with [`text::code`] each is at most as wide as asked for.
pub fn rows(line: &str, width: usize) -> impl Iterator<Item = Range<usize>> {
    let width = width.max(2);
    let plain = is_plain(line);
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let rest = &line[start..];
        let end = start + if plain { rest.len().min(width) } else { fitting(rest, width) };
        next = (end < line.len()).then_some(end);
        Some(start..end)
    })
}

/// How many rows a line takes; an empty one takes one.
pub fn count(line: &str, width: usize) -> usize {
    if is_plain(line) { line.len().div_ceil(width.max(2)).max(1) } else { rows(line, width).count() }
}

/// One column for each byte.
fn is_plain(line: &str) -> bool {
    line.bytes().all(|byte| (b' '..0x7f).contains(&byte))
}

/// Bytes of `rest` that fit one row: at least one character.
fn fitting(rest: &str, width: usize) -> usize {
    let (mut used, mut chars) = (0, 0);
    let mut all = rest.char_indices().peekable();
    while let Some((at, c)) = all.next() {
        // An emoji's own look is two columns wide, even where its character is one.
        let emoji = all.peek().is_some_and(|(_, next)| *next == '\u{fe0f}');
        let columns = if emoji { columns(c).max(2) } else { columns(c) };
        if at > 0 && (used + columns > width || chars >= width * CHARS_PER_COLUMN) {
            return at;
        }
        used += columns;
        chars += 1;
    }
    rest.len()
}

/// Columns of a character as [`text::code`] shows it.
fn columns(c: char) -> usize {
    match c {
        '\t' => 4,
        '\u{fe0f}' => 0,
        c if c.is_ascii_graphic() || c == ' ' => 1,
        c if text::is_hostile(c) => 1,
        c => c.width().unwrap_or(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    fn shown(line: &str, width: usize) -> Vec<String> {
        rows(line, width).map(|part| text::code(&line[part])).collect()
    }

    #[test]
    fn a_line_takes_as_many_rows_as_it_needs() {
        assert_eq!(shown("", 5), [""]);
        assert_eq!(shown("abcdefg", 5), ["abcde", "fg"]);
        assert_eq!(shown("abcde", 5), ["abcde"]);
        assert_eq!(shown("日本語", 5), ["日本", "語"]);
        assert_eq!(shown("a\tb", 4), ["a", "    ", "b"]);
        assert_eq!(shown("\u{1b}[2J\r", 9), ["\u{fffd}[2J␍"]);
    }

    #[test]
    fn a_tab_before_an_emoji_mark_keeps_its_width() {
        assert!(shown("\t\u{fe0f}\u{202e}\u{200d}\u{7f}\r🏽👍", 4).iter().all(|row| row.width() <= 4));
    }

    #[test]
    fn marks_without_end_are_many_short_rows() {
        let zalgo = format!("e{}", "\u{301}".repeat(50_000));
        assert!(rows(&zalgo, 10).all(|part| part.len() <= 10 * CHARS_PER_COLUMN * 2));
        assert_eq!(shown(&zalgo, 10)[0].width(), 1);
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_sticks_out(line in "[a-z \t\r日é\u{301}\u{202e}\u{200d}❤\u{fe0f}👩👍🏽🇫🇮\u{7f}]{0,80}", width in 4_usize..20) {
            let parts: Vec<_> = rows(&line, width).collect();
            let joined: String = parts.iter().map(|part| &line[part.clone()]).collect();
            proptest::prop_assert_eq!(&joined, &line);
            proptest::prop_assert_eq!(parts.len(), count(&line, width));
            for row in shown(&line, width) {
                proptest::prop_assert!(row.width() <= width, "{:?}", row);
            }
        }
    }
}
