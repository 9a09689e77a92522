//! Changes `config.toml` for its owner: one setting at a time, by its name, everything else in the file as it was.
//!
//! The new text is read as the program will read it before it is written, and is compared with the old one: a change that would make the
//! file unusable, or that touched anything but what was asked for, is refused. Written whole or not at all, and only if nobody
//! else has changed the file meanwhile.

mod address;
mod proof;
mod splice;

pub use address::Address;

use super::atomic::{self, Readers};
use super::file::{Layer, bare_or_quoted};
use super::load::Mistake;
use super::repository;
use super::spec::Spec;
use super::value::quote;
use crate::domain::text;
use rustix::fs::{FlockOperation, flock};
use splice::{Place, Unfit};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Times that a file which changes under our hands is read again.
const TRIES: usize = 5;

/// What a setting is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// As a person types it.
    Typed(&'a str),
    /// A list, item by item.
    Items(&'a [String]),
    /// Not in the file: the default then holds.
    Unset,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// As TOML; `None` when it is not in the file any more.
    pub value: Option<String>,
    /// The file says this already, and was not touched.
    pub unchanged: bool,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error("{0}")]
    Unknown(String),
    #[error("`{address}` {message}")]
    Value { address: String, message: String },
    #[error("{address} is not in {}: there is nothing to take out", path.display())]
    Missing { address: String, path: PathBuf },
    #[error("{} would not be understood, so it was not changed: {}", path.display(), super::load::lines(mistakes))]
    Mistakes { path: PathBuf, mistakes: Vec<Mistake> },
    #[error("{address} is written in {} in a way that can't be changed safely: change it there by hand", path.display())]
    Unusual { address: String, path: PathBuf },
    #[error("{} is being changed by somebody else: try again", path.display())]
    Contended { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Changes one setting of the file, which is made when there is none. `also` can refuse what the result says, with a sentence.
///
/// # Errors
/// When the name or the value is wrong, or the file can't be changed; then nothing is.
pub fn change(
    path: &Path,
    address: &Address,
    value: Value<'_>,
    also: &dyn Fn(&Layer) -> Result<(), String>,
) -> Result<Edited, EditError> {
    let io = |source| EditError::Io { path: path.to_owned(), source };
    let _lock = lock(path).map_err(io)?;
    let toml = toml(address, value)?;
    for _ in 0..TRIES {
        let before = read(path).map_err(io)?;
        let text = before.as_deref().unwrap_or_default();
        let after = Job { path, address, text }.apply(toml.as_deref(), also)?;
        if after == text {
            return Ok(Edited { value: toml, unchanged: true });
        }
        let mut changed = false;
        let unless = |real: &Path| {
            changed = read(real)? != before;
            if changed { Err(io::Error::other("changed meanwhile")) } else { Ok(()) }
        };
        match atomic::replace(path, &after, Readers::AsBefore, unless) {
            Ok(()) => return Ok(Edited { value: toml, unchanged: false }),
            Err(_) if changed => {}
            Err(source) => return Err(io(source)),
        }
    }
    Err(EditError::Contended { path: path.to_owned() })
}

/// Keeps other processes of ours from changing the file at the same time; an editor does not ask.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let Some(dir) = path.parent() else { return Ok(None) };
    fs::create_dir_all(dir)?;
    let dir = File::open(dir)?;
    match flock(&dir, FlockOperation::LockExclusive) {
        Ok(()) => Ok(Some(dir)),
        // A file system without locks: then the comparison before the rename is all there is.
        Err(e) => {
            tracing::debug!(error = %e, "the directory of config.toml can't be locked");
            Ok(None)
        }
    }
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The value as TOML, or what is allowed.
fn toml(address: &Address, value: Value<'_>) -> Result<Option<String>, EditError> {
    let wrong = |message: String| EditError::Value { address: address.to_string(), message };
    let items = |items: &[String]| format!("[{}]", items.iter().map(|item| quote(item)).collect::<Vec<_>>().join(", "));
    let is_list = address.spec().is_none_or(|spec| spec.is_list);
    match (value, address) {
        (Value::Unset, _) => Ok(None),
        (_, Address::Repository { key: None, .. }) => {
            Err(wrong("is a whole repository: name one of its keys, as in `repository.billing.github`".to_owned()))
        }
        (Value::Items([one]), _) => toml(address, Value::Typed(one)),
        (Value::Items(many), _) if is_list => Ok(Some(items(many))),
        (Value::Items(_), _) => Err(wrong("takes one value; put one with spaces into quotes".to_owned())),
        (Value::Typed(typed), Address::Binding(_)) => {
            Spec::of::<Vec<String>>("ui.keys", "").toml(typed).map(Some).map_err(wrong)
        }
        (Value::Typed(typed), Address::Key(spec) | Address::Repository { key: Some(spec), .. }) => {
            spec.toml(typed).map(Some).map_err(wrong)
        }
    }
}

/// One change of one text.
struct Job<'a> {
    path: &'a Path,
    address: &'a Address,
    text: &'a str,
}

impl Job<'_> {
    fn apply(&self, toml: Option<&str>, also: &dyn Fn(&Layer) -> Result<(), String>) -> Result<String, EditError> {
        let after = self.spliced(toml)?;
        let layer =
            Layer::parse(&after).map_err(|mistakes| EditError::Mistakes { path: self.path.to_owned(), mistakes })?;
        also(&layer).map_err(|message| EditError::Value { address: self.address.to_string(), message })?;
        // What could not be read before can't be compared; the cut itself touches one place only.
        if let Ok(before) = Layer::parse(self.text)
            && !proof::only_this_changed(self.address, &before, &layer, toml)
        {
            return Err(self.unusual());
        }
        Ok(after)
    }

    fn spliced(&self, toml: Option<&str>) -> Result<String, EditError> {
        match self.address {
            Address::Key(spec) => self.cut(self.text, Place::Table(spec.table), spec.key, toml),
            Address::Binding(action) => self.cut(self.text, Place::Inner("ui", "keys"), &bare_or_quoted(action), toml),
            Address::Repository { server, key } => self.repository(server, *key, toml),
        }
    }

    fn repository(&self, server: &str, key: Option<&Spec>, toml: Option<&str>) -> Result<String, EditError> {
        let nth = splice::entries(self.text, "repository", "server")
            .map_err(|e| self.unfit(e))?
            .iter()
            .position(|name| name.as_deref().unwrap_or("*").eq_ignore_ascii_case(server));
        match (nth, key, toml) {
            (Some(nth), None, _) => splice::remove_entry(self.text, "repository", nth).map_err(|e| self.unfit(e)),
            (Some(nth), Some(key), toml) => {
                let place = Place::Entry("repository", nth);
                // It is on GitHub or on this machine, and never both.
                let other = toml.and_then(|_| repository::instead_of(key.key));
                let freed = other.map(|other| splice::unset(self.text, place, other));
                let text = freed.and_then(Result::ok).unwrap_or_else(|| self.text.to_owned());
                self.cut(&text, place, key.key, toml)
            }
            (None, Some(key), Some(toml)) if repository::instead_of(key.key).is_some() => {
                let pairs = [("server", quote(server)), (key.key, toml.to_owned())];
                let pairs = pairs.each_ref().map(|(key, value)| (*key, value.as_str()));
                splice::add_entry(self.text, "repository", &pairs).map_err(|e| self.unfit(e))
            }
            (None, Some(_), Some(_)) => {
                let first = Address::Repository { server: server.to_owned(), key: None };
                Err(EditError::Unknown(format!(
                    "there is no repository for `{}` yet: begin with `{first}.github` or `{first}.path`",
                    text::clipped(server, 80)
                )))
            }
            (None, _, None) | (None, None, Some(_)) => Err(self.missing()),
        }
    }

    fn cut(&self, text: &str, place: Place<'_>, key: &str, toml: Option<&str>) -> Result<String, EditError> {
        let done = match toml {
            Some(toml) => splice::set(text, place, key, toml),
            None => splice::unset(text, place, key),
        };
        done.map_err(|e| self.unfit(e))
    }

    fn unfit(&self, e: Unfit) -> EditError {
        match e {
            Unfit::Missing => self.missing(),
            Unfit::Unusual => self.unusual(),
            Unfit::NotToml => {
                let mistakes = Layer::parse(self.text).err().unwrap_or_default();
                EditError::Mistakes { path: self.path.to_owned(), mistakes }
            }
        }
    }

    fn missing(&self) -> EditError {
        EditError::Missing { address: self.address.to_string(), path: self.path.to_owned() }
    }

    fn unusual(&self) -> EditError {
        EditError::Unusual { address: self.address.to_string(), path: self.path.to_owned() }
    }
}

#[cfg(test)]
mod tests;
