//! The settings laid out for a screen: built from the tables of `config`, so that a new setting is there without being named here.

use super::Engine;
use super::configuration::InForce;
use crate::config::{
    self, Address, Config, Entry, Layer, Loaded, Origin, Repository, RepositoryFile, Source, Sources, Spec, as_typed,
};
use crate::domain::draft::DrafterKind;
use crate::drafting;
use crate::protocol::settings::{Check, Setting, SettingKind, SettingSource, Sheet};
use crate::protocol::{Refusal, RefusalKind};
use std::collections::BTreeSet;

const REPOSITORIES: &str = "Repositories";

/// Headings of tables; one that is not here is its own heading.
const HEADINGS: [(&str, &str); 11] = [
    ("draft", "Drafting"),
    ("anthropic", "Anthropic"),
    ("openai", "OpenAI"),
    ("openai-compatible", "OpenAI-compatible server"),
    ("command", "A program that drafts"),
    ("github", "GitHub"),
    ("price", "Prices"),
    ("ui", "Screen"),
    ("ui.keys", "Screen"),
    ("server", "Server"),
    ("database", "Server"),
];

/// Tables that come behind all others, in this order.
const LAST: [&str; 4] = ["ui", "ui.keys", "server", "database"];

/// Keys by the table they belong to.
const KEYS: [(&str, &str); 5] = [
    ("GITHUB_TOKEN", "github"),
    ("ANTHROPIC_API_KEY", "anthropic"),
    ("OPENAI_API_KEY", "openai"),
    ("OPENAI_COMPATIBLE_API_KEY", "openai-compatible"),
    ("FEEDBACK_API_KEY", "server"),
];

impl Engine {
    /// The settings as they are now, for a screen.
    ///
    /// # Errors
    /// When this engine was given its settings and has read none.
    pub async fn sheet(&self) -> Result<Sheet, Refusal> {
        let mistake = self.reload().await.err().map(|refusal| refusal.detail);
        let effective = self.with_stored_settings().await?;
        let in_force = self.in_force();
        let (Some(loaded), Some(sources)) = (&in_force.loaded, &self.inner.options.sources) else {
            let why = mistake.unwrap_or_else(|| "this process has no config.toml to show".to_owned());
            return Err(Refusal::new(RefusalKind::Unconfigured, why));
        };
        let maker = Maker { loaded, in_force: &in_force, effective: &effective, sources };
        Ok(Sheet { file: loaded.paths.config_file.display().to_string(), mistake, settings: maker.settings() })
    }
}

struct Maker<'a> {
    loaded: &'a Loaded,
    in_force: &'a InForce,
    /// With what the dashboard saved.
    effective: &'a Config,
    sources: &'a Sources,
}

/// A line with nothing special about it.
fn line(section: &str, name: String, label: &str) -> Setting {
    Setting {
        section: section.to_owned(),
        name,
        label: label.to_owned(),
        kind: SettingKind::Value,
        value: String::new(),
        source: SettingSource::Default,
        words: Vec::new(),
        about: String::new(),
        fixed: None,
        next_start: false,
        check: None,
    }
}

fn heading(table: &str) -> &str {
    HEADINGS.iter().find(|(name, _)| *name == table).map_or(table, |(_, heading)| heading)
}

fn source(origin: Origin) -> SettingSource {
    match origin {
        Origin::Default => SettingSource::Default,
        Origin::File(line) => SettingSource::Line(line),
        Origin::Env(name) => SettingSource::Variable(name.to_owned()),
        Origin::Flag(name) => SettingSource::Flag(name.to_owned()),
    }
}

/// Why a value that does not come from the file can't be changed in it.
fn fixed(origin: Origin) -> Option<String> {
    match origin {
        Origin::Default | Origin::File(_) => None,
        Origin::Env(name) => Some(format!("{name} in the environment says so and wins over config.toml")),
        Origin::Flag(name) => Some(format!("{name} was given when the program was started and wins over config.toml")),
    }
}

fn words(spec: &Spec) -> Vec<String> {
    spec.words().into_iter().map(str::to_owned).collect()
}

impl Maker<'_> {
    fn settings(&self) -> Vec<Setting> {
        let mut out = self.repositories();
        let entries = self.loaded.layers.entries();
        let mut tables: Vec<&str> = Vec::new();
        for entry in &entries {
            if !tables.contains(&entry.table) {
                tables.push(entry.table);
            }
        }
        // Stable, so the others stay in the order of the example.
        tables.sort_by_key(|table| LAST.iter().position(|last| last == table).map_or(0, |at| at + 1));
        for table in tables {
            out.extend(self.keys(table));
            out.extend(entries.iter().filter(|entry| entry.table == table).map(|entry| self.value(entry)));
            if table == "github" {
                out.extend(self.prices());
            }
        }
        out.extend(self.places());
        out
    }

    fn repositories(&self) -> Vec<Setting> {
        let files = &self.loaded.layers.repositories;
        if files.is_empty() {
            return self.effective.repositories.iter().map(from_dashboard).collect();
        }
        let mut seen = BTreeSet::new();
        let mut out = Vec::new();
        for (file, used) in files.iter().zip(&self.loaded.config.repositories) {
            let first = seen.insert(file.server().to_ascii_lowercase());
            self.repository(file, used, first, &mut out);
        }
        out
    }

    /// The entry's own line, then one for each of its keys.
    fn repository(&self, file: &RepositoryFile, used: &Repository, first: bool, out: &mut Vec<Setting>) {
        let server = file.server();
        let address = |key| Address::Repository { server: server.to_owned(), key };
        let says = file.says();
        let said = |key: &str| says.iter().find(|entry| entry.key == key);
        let place = said("github").or_else(|| said("path"));
        let second = "an entry above it answers for the same server: take one of them out of config.toml by hand";
        let fixed = (!first).then(|| second.to_owned());
        // Two lines must not have one name.
        let number = if first { String::new() } else { format!(" (line {})", place.map_or(0, line_of)) };
        let check = first.then(|| Check::Repository { server: server.to_owned() });
        out.push(Setting {
            kind: SettingKind::Repository,
            value: place.map(|entry| as_typed(&entry.value)).unwrap_or_default(),
            source: place.map_or(SettingSource::Default, |entry| source(entry.origin)),
            about: "The code behind this server: `owner/name` on GitHub, or a directory with a git repository."
                .to_owned(),
            fixed: fixed.clone(),
            check: check.clone(),
            ..line(REPOSITORIES, format!("{}{number}", address(None)), server)
        });
        for spec in RepositoryFile::SPECS.iter().filter(|spec| !matches!(spec.key, "github" | "path")) {
            let (value, source) = match said(spec.key) {
                Some(entry) => (as_typed(&entry.value), source(entry.origin)),
                None => self.unsaid(spec.key, used),
            };
            out.push(Setting {
                kind: SettingKind::OfRepository,
                value,
                source,
                words: words(spec),
                about: spec.about(),
                fixed: fixed.clone(),
                check: check.clone(),
                ..line(REPOSITORIES, format!("{}{number}", address(Some(spec))), spec.key)
            });
        }
    }

    /// What holds for a key that a repository leaves out.
    fn unsaid(&self, key: &str, used: &Repository) -> (String, SettingSource) {
        let (drafter, target) = drafting::defaults(self.effective, used);
        let from = |name: &str| SettingSource::Inherited(name.to_owned());
        match key {
            "server" => ("*".to_owned(), SettingSource::Default),
            "drafter" => (drafter.to_string(), from("draft.drafter")),
            "target" => match used.source {
                Source::Github(_) => (target.to_string(), from("draft.target")),
                Source::Local(_) => (target.to_string(), SettingSource::Default),
            },
            _ => (String::new(), SettingSource::Default),
        }
    }

    fn value(&self, entry: &Entry) -> Setting {
        let spec = Layer::specs().find(|spec| spec.table == entry.table && spec.key == entry.key);
        let name = format!("{}.{}", entry.table, entry.key);
        let elsewhere = LAST.contains(&entry.table).then(|| {
            format!("it is read when the program starts: `patchwork config set {name} …` changes it for the next time")
        });
        let dashboard = self.saved_over_http(entry);
        Setting {
            kind: if spec.is_none_or(|spec| spec.is_list) { SettingKind::List } else { SettingKind::Value },
            value: as_typed(dashboard.as_ref().unwrap_or(&entry.value)),
            source: if dashboard.is_some() { SettingSource::Dashboard } else { source(entry.origin) },
            words: spec.map(words).unwrap_or_default(),
            about: spec.map_or_else(|| config::about_table("ui.keys"), Spec::about),
            fixed: fixed(entry.origin).or(elsewhere),
            next_start: LAST.contains(&entry.table),
            check: self.check_of(entry),
            ..line(heading(entry.table), name, &label(entry))
        }
    }

    /// What holds instead of a default, because the dashboard saved it.
    fn saved_over_http(&self, entry: &Entry) -> Option<String> {
        if entry.origin != Origin::Default {
            return None;
        }
        let used = Layer::of(self.effective).entries();
        let used = used.into_iter().find(|used| used.table == entry.table && used.key == entry.key)?;
        let usual = Layer::of(&self.loaded.config).entries();
        let usual = usual.into_iter().find(|usual| usual.table == entry.table && usual.key == entry.key)?;
        (used.value != usual.value).then_some(used.value)
    }

    fn check_of(&self, entry: &Entry) -> Option<Check> {
        match (entry.table, entry.key.as_str()) {
            ("github", _) => Some(Check::Github),
            ("draft", "drafter") => Some(Check::Drafter { drafter: self.effective.draft.drafter }),
            (table, _) => DrafterKind::from_word(table).map(|drafter| Check::Drafter { drafter }),
        }
    }

    /// The secrets that belong to a table.
    fn keys(&self, table: &str) -> Vec<Setting> {
        let masked = self.in_force.secrets.masked();
        let ours = |name: &str| KEYS.iter().any(|(key, of)| *key == name && *of == table);
        let keys = masked.into_iter().filter(|(name, _)| ours(name)).map(|(name, value)| {
            let in_environment = self.sources.has_variable(name);
            Setting {
                kind: SettingKind::Key,
                source: match (in_environment, value.is_empty()) {
                    (true, _) => SettingSource::Variable(name.to_owned()),
                    (false, true) => SettingSource::Default,
                    (false, false) => SettingSource::Secrets,
                },
                value,
                about: format!(
                    "{} It is kept in {}.",
                    config::about_table(table),
                    self.loaded.paths.secrets_file.display()
                ),
                fixed: in_environment.then(|| format!("{name} in the environment wins over secrets.env")),
                next_start: table == "server",
                check: match DrafterKind::from_word(table) {
                    Some(drafter) => Some(Check::Drafter { drafter }),
                    None => (table == "github").then_some(Check::Github),
                },
                ..line(heading(table), name.to_owned(), if table == "github" { "token" } else { "key" })
            }
        });
        keys.collect()
    }

    fn prices(&self) -> Vec<Setting> {
        let prices = self.loaded.config.prices.iter().enumerate().map(|(at, price)| Setting {
            value: format!("{} in, {} out", price.input, price.output),
            about: config::about_table("price"),
            fixed: Some(
                "a price has several numbers that belong together: change it in config.toml by hand".to_owned(),
            ),
            ..line(heading("price"), format!("price.{at}"), &price.model)
        });
        prices.collect()
    }

    fn places(&self) -> Vec<Setting> {
        let places = self.loaded.paths.named().into_iter().map(|(name, path)| Setting {
            kind: SettingKind::Place,
            value: path.display().to_string(),
            fixed: Some("PATCHWORK_HOME, the XDG directories and flags say where files are".to_owned()),
            ..line("Files", format!("file.{name}"), name)
        });
        places.collect()
    }
}

fn line_of(entry: &Entry) -> usize {
    match entry.origin {
        Origin::File(line) => line,
        Origin::Default | Origin::Env(_) | Origin::Flag(_) => 0,
    }
}

/// Where a heading stands for two tables, the second one's name is said.
fn label(entry: &Entry) -> String {
    match entry.table {
        "ui.keys" | "database" => format!("{}.{}", entry.table.trim_start_matches("ui."), entry.key),
        _ => entry.key.clone(),
    }
}

fn from_dashboard(repository: &Repository) -> Setting {
    let value = match &repository.source {
        Source::Github(slug) => slug.clone(),
        Source::Local(path) => path.display().to_string(),
    };
    Setting {
        kind: SettingKind::Repository,
        value,
        source: SettingSource::Dashboard,
        about: "Saved over HTTP. A repository of config.toml takes its place.".to_owned(),
        fixed: Some(
            "it was saved over HTTP (/api/settings): a repository that is added here takes its place".to_owned(),
        ),
        check: Some(Check::Repository { server: repository.server.clone() }),
        ..line(REPOSITORIES, format!("repository.{}", repository.server), &repository.server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secrets;

    #[test]
    fn every_table_has_a_heading_and_every_key_a_table() {
        for entry in Layer::defaults().entries() {
            assert!(HEADINGS.iter().any(|(table, _)| *table == entry.table), "[{}] has no heading", entry.table);
        }
        for (name, _) in Secrets::default().masked() {
            assert!(KEYS.iter().any(|(key, _)| *key == name), "{name} has no table");
        }
    }
}
