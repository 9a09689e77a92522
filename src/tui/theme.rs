//! Colours as data: a style per role, from `assets/themes/*.toml`. No other file of the screen names a colour.

use crate::config::ThemeChoice;
use crate::domain::feedback::GapType;
use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

const DARK: &str = include_str!("../../assets/themes/dark.toml");
const LIGHT: &str = include_str!("../../assets/themes/light.toml");

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shade {
    #[default]
    Dark,
    Light,
}

impl Shade {
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Dark,
        }
    }

    /// What the settings say, else what the terminal said.
    pub fn choose(choice: ThemeChoice, background: Option<Self>) -> Self {
        match choice {
            ThemeChoice::Dark => Self::Dark,
            ThemeChoice::Light => Self::Light,
            ThemeChoice::Auto => background.unwrap_or_default(),
        }
    }

    /// From a terminal's background colour, each part 0 to 1: light when black text reads better on it than white.
    pub fn of_background(red: f32, green: f32, blue: f32) -> Self {
        if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 { Self::Light } else { Self::Dark }
    }
}

/// A style as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "a theme turns each on by itself")]
struct Role {
    fg: Option<Color16>,
    bold: bool,
    underlined: bool,
    reversed: bool,
    crossed_out: bool,
}

/// One of the terminal's own colours.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Color16(Color);

impl TryFrom<String> for Color16 {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let color = name.parse().map_err(|_| format!("`{name}` is not a colour"))?;
        match color {
            Color::Rgb(..) | Color::Indexed(_) => Err(format!("`{name}` is not one of the sixteen colours")),
            color => Ok(Self(color)),
        }
    }
}

impl Role {
    fn style(&self, colours: bool) -> Style {
        let mut style = Style::new();
        if let Some(Color16(fg)) = self.fg.filter(|_| colours) {
            style = style.fg(fg);
        }
        let modifiers = [
            (self.bold, Modifier::BOLD),
            (self.underlined, Modifier::UNDERLINED),
            (self.reversed, Modifier::REVERSED),
            (self.crossed_out, Modifier::CROSSED_OUT),
        ];
        modifiers.into_iter().filter(|(on, _)| *on).fold(style, |style, (_, m)| style.add_modifier(m))
    }
}

macro_rules! roles {
    ($($role:ident),+ $(,)?) => {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Roles { $($role: Role),+ }

        /// The style of every role.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct Theme { pub shade: Shade, colours: bool, $(pub $role: Style),+ }

        impl Theme {
            fn of(roles: &Roles, shade: Shade, colours: bool) -> Self {
                Self { shade, colours, $($role: roles.$role.style(colours)),+ }
            }
        }
    };
}

roles! {
    text, dim, title, rule, tab, tab_active, cursor, cursor_away, unread, selected, server,
    gap_missing_tool, gap_incomplete_results, gap_missing_parameter, gap_wrong_format, gap_other,
    note, label, good, busy, bad, key, hint, new, added, removed, hunk, keyword, string, comment, file,
    dropped, typed,
}

impl Theme {
    /// `colours`: false leaves bold, underlined, reversed and crossed out (`NO_COLOR`).
    pub fn new(shade: Shade, colours: bool) -> Self {
        let text = match shade {
            Shade::Dark => DARK,
            Shade::Light => LIGHT,
        };
        // The files are part of the program and a test reads both; a screen without styles is the worst that could come of it.
        toml::from_str::<Roles>(text).map(|roles| Self::of(&roles, shade, colours)).unwrap_or_default()
    }

    /// The same on the other background.
    #[must_use]
    pub fn other(&self) -> Self {
        Self::new(self.shade.other(), self.colours)
    }

    pub fn gap(&self, gap: GapType) -> Style {
        match gap {
            GapType::MissingTool => self.gap_missing_tool,
            GapType::IncompleteResults => self.gap_incomplete_results,
            GapType::MissingParameter => self.gap_missing_parameter,
            GapType::WrongFormat => self.gap_wrong_format,
            GapType::Other => self.gap_other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_themes_are_whole() {
        for text in [DARK, LIGHT] {
            toml::from_str::<Roles>(text).unwrap();
        }
        assert_ne!(Theme::new(Shade::Dark, true), Theme { shade: Shade::Dark, colours: true, ..Theme::default() });
    }

    #[test]
    fn without_colours_the_cursor_is_still_seen() {
        for shade in [Shade::Dark, Shade::Light] {
            let theme = Theme::new(shade, false);
            assert!(theme.cursor.add_modifier.contains(Modifier::REVERSED));
            assert_eq!((theme.bad.fg, theme.cursor.fg, theme.unread.fg), (None, None, None));
        }
    }

    /// Bright black is the background itself in one palette, and green is pale on white in most.
    #[test]
    fn what_is_decided_about_can_be_read() {
        for shade in [Shade::Dark, Shade::Light] {
            let dropped = Theme::new(shade, true).dropped;
            assert_eq!(dropped, Style::new().add_modifier(Modifier::CROSSED_OUT));
        }
        assert_eq!(Theme::new(Shade::Light, true).string.fg, None);
    }

    #[test]
    fn the_background_decides() {
        assert_eq!(Shade::of_background(1.0, 1.0, 0.9), Shade::Light);
        assert_eq!(Shade::of_background(0.0, 0.17, 0.21), Shade::Dark);
        assert_eq!(Shade::choose(ThemeChoice::Light, Some(Shade::Dark)), Shade::Light);
    }
}
