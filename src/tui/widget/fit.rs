//! Text in a fixed number of columns, wide characters and all.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// At most `width` columns, with `…` where something was cut.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for grapheme in text.graphemes(true) {
        used += grapheme.width();
        if used > width {
            break;
        }
        out.push_str(grapheme);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// Exactly `width` columns, filled with spaces.
pub fn pad(text: &str, width: usize) -> String {
    let mut out = cut(text, width);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(out.width())));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_not_characters() {
        assert_eq!(cut("日本語のテスト", 7), "日本語…");
        assert_eq!(pad("日本", 5), "日本 ");
        assert_eq!(cut("short", 10), "short");
        assert_eq!(cut("anything", 0), "");
        for width in 0..12 {
            assert_eq!(pad("a日b本c語 and more", width).width(), width);
        }
    }
}
