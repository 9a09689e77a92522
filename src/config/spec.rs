//! What can be written for a setting, without a value at hand: for whoever offers, checks or documents one.

use super::example::EXAMPLE;
use super::value::ConfigValue;
use std::fmt;

/// A setting by its place in the file. Made by the tables of `file` and `repository`, which name its type.
#[derive(Clone, Copy)]
pub struct Spec {
    pub table: &'static str,
    pub key: &'static str,
    /// It takes a list of strings.
    pub is_list: bool,
    words: fn() -> Vec<&'static str>,
    read: fn(&str) -> Result<String, String>,
}

impl Spec {
    pub(super) const fn of<T: ConfigValue>(table: &'static str, key: &'static str) -> Self {
        Self { table, key, is_list: T::IS_LIST, words: T::words, read: |text| T::read_text(text).map(|v| v.write()) }
    }

    /// The words it can be, when there are only a few.
    pub fn words(&self) -> Vec<&'static str> {
        (self.words)()
    }

    /// What was typed as TOML, in the one way in which we write it.
    ///
    /// # Errors
    /// What is allowed, as the end of a sentence that begins with the setting's name.
    pub fn toml(&self, typed: &str) -> Result<String, String> {
        (self.read)(typed)
    }

    /// What `config.example.toml` says about it, one paragraph; about the list of tables where the key has no comment of its own.
    pub fn about(&self) -> String {
        about(self.table, self.key)
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.key)
    }
}

impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        (self.table, self.key) == (other.table, other.key)
    }
}

impl Eq for Spec {}

/// The comment above a key of the example; above the table, for keys that are explained together.
fn about(table: &str, key: &str) -> String {
    let (mut place, mut comment, mut above) = ("", Vec::new(), String::new());
    for line in EXAMPLE.lines() {
        let setting = line.strip_prefix("#: ").unwrap_or(line);
        if let Some(words) = line.strip_prefix("# ") {
            comment.push(words);
            continue;
        }
        if let Some(header) = setting.strip_prefix('[') {
            place = header.trim_start_matches('[').split(']').next().unwrap_or_default();
            if place == table && above.is_empty() {
                above = comment.join(" ");
            }
        } else if place == table
            && setting.split_once(" = ").is_some_and(|(found, _)| found == key)
            && !comment.is_empty()
        {
            return comment.join(" ");
        }
        comment.clear();
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_explains() {
        assert_eq!(about("server", "port"), "The port; 0 takes any free one. Environment: FEEDBACK_PORT.");
        assert!(
            about("repository", "branch").contains("`branch`: where drafts start"),
            "{}",
            about("repository", "branch")
        );
        assert_eq!(about("nothing", "here"), "");
    }
}
