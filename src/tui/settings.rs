//! What the settings view knows: the settings as they were last read, where the eye is among them, the one being typed, and what came of
//! trying some of them.

use super::action::Context;
use super::model::Read;
use super::theme::Shade;
use crate::domain::id::CommandId;
use crate::domain::time::Millis;
use crate::protocol::settings::{Check, Finding, Setting, Sheet};
use secrecy::zeroize::Zeroizing;
use std::collections::BTreeMap;
use std::fmt;
use tui_textarea::TextArea;

/// What was asked to be done with a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Saved,
    Removed,
}

/// No key is longer. What is typed never has to move to a larger place and leave a copy behind.
pub const MOST_HIDDEN: usize = 4096;

/// Where the keys of the settings view go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SettingsFocus {
    #[default]
    List,
    /// The text beside the list.
    About,
}

/// The list of settings and the text beside it.
#[derive(Debug, Default)]
pub struct Settings {
    pub focus: SettingsFocus,
    pub sheet: Option<Sheet>,
    /// The name under the cursor, and where it was: a setting that is gone leaves the cursor at its place.
    pub selected: Option<String>,
    pub at: usize,
    /// First line of the list on the screen.
    pub offset: usize,
    pub scroll: usize,
    pub read: Read,
    /// When the last answer came.
    pub read_at: Millis,
    /// Counts everything that changes what is shown.
    pub version: u64,
    pub editor: Option<Box<SettingEditor>>,
    /// Under which setting it was tried, and what came of it.
    pub tried: BTreeMap<Check, (String, Trial)>,
}

/// How a check is getting on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    UnderWay,
    Done(Finding),
}

/// A value being typed.
#[derive(Debug)]
pub struct SettingEditor {
    pub purpose: Purpose,
    pub input: Input,
    /// What `tab` goes through, and which of them stands in the line.
    pub words: Vec<String>,
    pub word: Option<usize>,
    /// Sent and not answered yet.
    pub saving: Option<Saving>,
}

/// What is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saving {
    Command(CommandId),
    Key,
}

/// What the text is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The setting's name.
    Setting(String),
    /// The key's name.
    Key(String),
    /// The name of a server that is to get a repository.
    NewServer,
    /// Where its code is.
    NewPlace { server: String },
}

/// The line it is typed into.
#[derive(Debug)]
pub enum Input {
    Shown(Box<TextArea<'static>>),
    Hidden(Hidden),
}

/// Text that nobody may see: it prints itself as a number of characters, and is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(Zeroizing<String>);

impl Hidden {
    pub fn new() -> Self {
        Self(Zeroizing::new(String::with_capacity(MOST_HIDDEN)))
    }

    pub fn push(&mut self, c: char) {
        if self.0.len() + c.len_utf8() <= MOST_HIDDEN {
            self.0.push(c);
        }
    }

    pub fn pop(&mut self) {
        self.0.pop();
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Characters typed.
    pub fn count(&self) -> usize {
        self.0.chars().count()
    }

    /// What saving it does: a key that is empty is taken out of its file.
    pub fn done(&self) -> Done {
        if self.0.is_empty() { Done::Removed } else { Done::Saved }
    }

    /// For whoever saves it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Default for Hidden {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hidden({} characters)", self.count())
    }
}

impl Settings {
    pub fn context(&self) -> Context {
        match (&self.editor, self.focus) {
            (Some(_), _) => Context::Edit,
            (None, SettingsFocus::List) => Context::Settings,
            (None, SettingsFocus::About) => Context::Setting,
        }
    }

    pub fn list(&self) -> &[Setting] {
        self.sheet.as_ref().map_or(&[], |sheet| sheet.settings.as_slice())
    }

    /// Index of the selected setting.
    pub fn cursor(&self) -> usize {
        let list = self.list();
        let named = self.selected.as_ref().and_then(|name| list.iter().position(|setting| setting.name == *name));
        named.unwrap_or(self.at).min(list.len().saturating_sub(1))
    }

    pub fn current(&self) -> Option<&Setting> {
        self.list().get(self.cursor())
    }

    /// What came of trying a setting, where it was tried from.
    pub fn trial(&self, setting: &Setting) -> Option<&Trial> {
        let (name, trial) = self.tried.get(setting.check.as_ref()?)?;
        (*name == setting.name).then_some(trial)
    }
}

/// All that the lines beside the list depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingKey {
    pub name: String,
    pub version: u64,
    pub width: u16,
    pub theme: Shade,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_text_is_not_printed_and_has_an_end() {
        let mut hidden = Hidden::new();
        "sk-SECRET".chars().for_each(|c| hidden.push(c));
        assert_eq!(format!("{hidden:?}"), "Hidden(9 characters)");
        let input = Input::Hidden(hidden.clone());
        assert!(!format!("{input:?}").contains("SECRET"));
        (0..MOST_HIDDEN * 2).for_each(|_| hidden.push('é'));
        assert!(hidden.expose().len() <= MOST_HIDDEN && hidden.count() > 9);
    }
}
