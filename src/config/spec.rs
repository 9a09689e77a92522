//! What can be written for a setting, without a value at hand: for whoever offers, checks or documents one.

use super::example::EXAMPLE;
use super::value::ConfigValue;
use std::fmt;
use toml::de::DeValue;

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

    /// What `config.example.toml` says about it. Keys of a table that are explained together get the sentences that name them.
    pub fn about(&self) -> String {
        let paragraph = about(self.table, self.key);
        let named = [format!("`{}`", self.key), format!("`{} =", self.key)];
        let of_this_key: Vec<_> = sentences(&paragraph)
            .filter(|sentence| named.iter().any(|name| sentence.contains(name.as_str())))
            .collect();
        match of_this_key.join(" ") {
            none if none.is_empty() => paragraph,
            said if said.contains("as in [draft]") => about("draft", self.key),
            said => said,
        }
    }
}

/// The sentences of a paragraph. One ends where a capital or a name in backquotes follows.
fn sentences(paragraph: &str) -> impl Iterator<Item = &str> {
    let mut rest = paragraph;
    std::iter::from_fn(move || {
        let begins = |text: &str| text.starts_with(|c: char| c == '`' || c.is_uppercase());
        let end = rest.match_indices(". ").map(|(at, _)| at + 1).find(|at| begins(rest[*at..].trim_start()));
        let (sentence, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind.trim_start();
        (!sentence.is_empty()).then_some(sentence)
    })
}

/// What `config.example.toml` says above a table.
pub fn about_table(table: &str) -> String {
    about(table, "")
}

/// A value as a person types it: a string without its quotes, everything else as it is.
pub fn as_typed(toml: &str) -> String {
    let value = if toml.starts_with(['"', '\'']) { DeValue::parse(toml).ok() } else { None };
    value.and_then(|value| value.get_ref().as_str().map(str::to_owned)).unwrap_or_else(|| toml.to_owned())
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
        assert_eq!(about("nothing", "here"), "");
        assert_eq!(about_table("ui"), "The terminal.");
    }

    #[test]
    fn keys_that_are_explained_together_have_their_own_sentences() {
        let of = |key| Spec::of::<String>("repository", key).about();
        assert_eq!(of("branch"), "`branch`: where drafts start; left out, the repository's default branch.");
        assert!(of("path").starts_with("Either `github = \"owner/name\"` or `path`, a directory"), "{}", of("path"));
        assert_eq!(of("drafter"), about("draft", "drafter"));
        assert!(of("verify").starts_with("`verify`: a shell command"), "{}", of("verify"));
    }
}
