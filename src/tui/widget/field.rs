//! A line that is typed: what a text area does, without what would make a second line of it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_textarea::{CursorMove, TextArea};

/// A field with something in it, the cursor behind that.
pub fn of(text: &str) -> TextArea<'static> {
    let mut area = TextArea::new(vec![text.to_owned()]);
    area.move_cursor(CursorMove::End);
    area
}

/// A key for a field; whether the text is another one now.
pub fn typed(area: &mut TextArea<'_>, key: KeyEvent) -> bool {
    match key.code {
        KeyCode::Enter | KeyCode::Tab => false,
        // As in a shell. The text area would take back what was typed last, and a field opens with its old value in it.
        KeyCode::Char('u') if key.modifiers == KeyModifiers::CONTROL => area.delete_line_by_head(),
        _ => area.input(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_cursor_is_cleared_and_no_line_begins() {
        let mut area = of("main");
        for code in [KeyCode::Enter, KeyCode::Tab] {
            assert!(!typed(&mut area, KeyEvent::new(code, KeyModifiers::NONE)));
        }
        assert!(typed(&mut area, KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL)));
        assert!(typed(&mut area, KeyEvent::new(KeyCode::Char('u'), KeyModifiers::NONE)));
        assert_eq!(area.lines(), ["u"]);
    }
}
