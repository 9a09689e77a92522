//! The settings as a screen shows them: each with its value, where that comes from, and what can be done with it.

use crate::domain::draft::DrafterKind;
use serde::{Deserialize, Serialize};

/// All settings, and the keys masked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sheet {
    /// Where settings are written.
    pub file: String,
    /// Why the files as they are now can't be used; what is shown is what was read before, and holds.
    pub mistake: Option<String>,
    /// Section by section.
    pub settings: Vec<Setting>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The heading it stands under.
    pub section: String,
    /// What `Command::ChangeSetting` or the saving of a key takes; no other line has the same.
    pub name: String,
    /// Its name under the heading.
    pub label: String,
    pub kind: SettingKind,
    /// As a person would type it; of a key the masked end. Untrusted.
    pub value: String,
    pub source: SettingSource,
    /// All that it can be, when that is a few words.
    pub words: Vec<String>,
    /// What it is for: the words of `config.example.toml`.
    pub about: String,
    /// Why it can't be changed here.
    pub fixed: Option<String>,
    /// A running program goes on as it began.
    pub next_start: bool,
    /// How to find out whether it works.
    pub check: Option<Check>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingKind {
    /// The entry of a server; its value says where its code is. The lines behind it are its keys.
    Repository,
    /// A key of the entry before.
    OfRepository,
    Value,
    List,
    /// A secret, typed hidden.
    Key,
    /// A path, to be looked at.
    Place,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingSource {
    Default,
    /// A line of `config.toml`, counted from 1.
    Line(usize),
    Secrets,
    Variable(String),
    Flag(String),
    /// Saved over HTTP, by the original's dashboard.
    Dashboard,
    /// Another setting holds as long as this one says nothing.
    Inherited(String),
}

/// Something that can be tried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "check", rename_all = "snake_case")]
pub enum Check {
    /// The key and the model, or the program.
    Drafter { drafter: DrafterKind },
    /// The token.
    Github,
    /// The code behind a server: whether it can be read, and the draft be brought back.
    Repository { server: String },
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub state: Fitness,
    /// A clause without a full stop. Untrusted.
    pub found: String,
    /// What to do about it; empty when there is nothing to do.
    pub advice: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fitness {
    Good,
    /// It works, and may not for long, or not for everything.
    Doubtful,
    Bad,
}

impl Finding {
    pub fn good(found: impl Into<String>) -> Self {
        Self { state: Fitness::Good, found: found.into(), advice: String::new() }
    }

    pub fn doubtful(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: Fitness::Doubtful, found: found.into(), advice: advice.into() }
    }

    pub fn bad(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: Fitness::Bad, found: found.into(), advice: advice.into() }
    }

    /// Both in one line.
    pub fn sentence(&self) -> String {
        if self.advice.is_empty() { self.found.clone() } else { format!("{}: {}", self.found, self.advice) }
    }
}
