//! Breaking safe text into lines of a width: at spaces where there are some, inside a word where it alone is too long.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Lines of at most `width` columns. `text` has `\n` as its only control character.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        wrap_paragraph(paragraph, width, &mut lines);
    }
    lines
}

fn wrap_paragraph(text: &str, width: usize, lines: &mut Vec<String>) {
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_word_bounds() {
        let columns = word.width();
        if used + columns <= width {
            line.push_str(word);
            used += columns;
        } else if word.trim().is_empty() {
            // The break takes the place of the spaces.
            lines.push(take(&mut line, &mut used));
        } else {
            carry(&mut line, &mut used, word, width, lines);
        }
    }
    line.truncate(line.trim_end().len());
    lines.push(line);
}

/// Puts a word that does not fit on the next line, with what is glued to it, and breaks it where it is longer than a line.
fn carry(line: &mut String, used: &mut usize, word: &str, width: usize, lines: &mut Vec<String>) {
    let glued = line.rfind(' ').map(|space| line.split_off(space + 1));
    if let Some(glued) = glued {
        lines.push(take(line, used));
        *used = glued.width();
        *line = glued;
    }
    for grapheme in word.graphemes(true) {
        let columns = grapheme.width();
        if *used + columns > width {
            lines.push(take(line, used));
        }
        line.push_str(grapheme);
        *used += columns;
    }
}

fn take(line: &mut String, used: &mut usize) -> String {
    *used = 0;
    let mut full = std::mem::take(line);
    full.truncate(full.trim_end().len());
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(wrap("call search_costs(id=4) now", 20), ["call", "search_costs(id=4)", "now"]);
        assert_eq!(wrap("one\n\ntwo", 10), ["one", "", "two"]);
        assert_eq!(wrap("  indented stays", 20), ["  indented stays"]);
    }

    #[test]
    fn a_word_longer_than_the_line_is_broken() {
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("日本語テスト", 5), ["日本", "語テ", "スト"]);
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_sticks_out(text in "[a-z日é .,_()\n]{0,120}", width in 2usize..30) {
            let lines = wrap(&text, width);
            proptest::prop_assert!(lines.iter().all(|l| l.width() <= width), "{lines:?}");
            let letters = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            proptest::prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
