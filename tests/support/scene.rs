//! The screen without a terminal: messages in, effects out, and what would be drawn as text.

use super::NOON;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use patchwork::domain::id::FeedbackId;
use patchwork::domain::time::Millis;
use patchwork::tui::keymap::Keymap;
use patchwork::tui::message::{Answer, Effect, Msg};
use patchwork::tui::model::{Ingest, Model, Start};
use patchwork::tui::theme::{Shade, Theme};
use patchwork::tui::{screen, update};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Style;
use std::collections::BTreeMap;
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

/// A model, and the effects of its first message.
pub struct Scene {
    pub model: Model,
    pub begun: Vec<Effect>,
}

impl Scene {
    pub fn new(width: u16, height: u16) -> Self {
        Self::with(width, height, Ingest::At("127.0.0.1:8099".into()), BTreeMap::new())
    }

    pub fn with(width: u16, height: u16, ingest: Ingest, unsaved: BTreeMap<FeedbackId, String>) -> Self {
        let mut model = Model::new(Start {
            now: Millis(NOON),
            size: (width, height),
            keymap: Arc::new(Keymap::new(&BTreeMap::new()).unwrap()),
            theme: Theme::new(Shade::Dark, true),
            ingest,
            unsaved,
            id_prefix: "test".into(),
        });
        let begun = update::begin(&mut model);
        Self { model, begun }
    }

    pub fn send(&mut self, message: Msg) -> Vec<Effect> {
        update::update(&mut self.model, message)
    }

    pub fn answer(&mut self, answer: Answer) -> Vec<Effect> {
        self.send(Msg::Answer(answer))
    }

    /// A key by the name it has in the keymap.
    pub fn key(&mut self, name: &str) -> Vec<Effect> {
        self.send(Msg::Key(key(name)))
    }

    /// A letter at a time.
    pub fn type_text(&mut self, text: &str) -> Vec<Effect> {
        text.chars().flat_map(|c| self.send(Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)))).collect()
    }

    pub fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) -> Vec<Effect> {
        self.send(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
    }

    pub fn click(&mut self, column: u16, row: u16) -> Vec<Effect> {
        self.mouse(MouseEventKind::Down(MouseButton::Left), column, row)
    }

    /// The lines of the screen, without the spaces at their ends.
    pub fn lines(&self) -> Vec<String> {
        let cells = self.cells();
        cells
            .iter()
            .map(|line| line.iter().map(|(symbol, _)| symbol.as_str()).collect::<String>().trim_end().to_owned())
            .collect()
    }

    /// What is drawn, line by line, with its style.
    pub fn cells(&self) -> Vec<Vec<(String, Style)>> {
        draw(&self.model)
    }

    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    pub fn shows(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// The last line.
    pub fn footer(&self) -> String {
        self.lines().pop().unwrap()
    }

    /// Headlines in the list, by the words they hold.
    pub fn selected(&self) -> Option<String> {
        self.model.row().map(|row| row.id.to_string())
    }
}

/// `j`, `G`, `ctrl-d`, `enter`, `space` …
pub fn key(name: &str) -> KeyEvent {
    let (modifiers, last) = match name.rsplit_once('-').filter(|(m, _)| !m.is_empty()) {
        Some(("ctrl", last)) => (KeyModifiers::CONTROL, last),
        Some(("alt", last)) => (KeyModifiers::ALT, last),
        _ => (KeyModifiers::NONE, name),
    };
    let code = match last {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "space" => KeyCode::Char(' '),
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pageup" => KeyCode::PageUp,
        "pagedown" => KeyCode::PageDown,
        "backspace" => KeyCode::Backspace,
        one => {
            let mut chars = one.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => KeyCode::Char(c),
                _ => panic!("`{name}` is not a key"),
            }
        }
    };
    KeyEvent::new(code, modifiers)
}

fn draw(model: &Model) -> Vec<Vec<(String, Style)>> {
    let (width, height) = (model.size.width, model.size.height);
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen::render(frame, model)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| {
        let mut cells = Vec::new();
        let mut x = 0;
        while x < width {
            let cell = &buffer[(x, y)];
            cells.push((cell.symbol().to_owned(), cell.style()));
            // What a wide character covers is not drawn.
            x += u16::try_from(cell.symbol().width()).unwrap().max(1);
        }
        cells
    };
    (0..height).map(line).collect()
}
