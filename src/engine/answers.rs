//! The intake answers: what the author has to say about a gap that is known already.
//!
//! Only notes that the author marked as public are ever handed out, as they are written; nothing that an agent sent is. A report gets the
//! answer of an earlier one of the same server when the two are about the same gap, which for now is exact and can be explained in a
//! sentence ([`Match`]); grouping by likeness comes later. Of several answers the newest wins.

use super::{Engine, refusal};
use crate::domain::feedback::{GapType, Report};
use crate::domain::text::{block, words};
use crate::protocol::Refusal;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Most characters of an answer: an agent reads it in the middle of its work.
pub const MAX_ANSWER: usize = 4_000;

/// Why two reports are about the same gap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Match {
    /// `what_i_needed` has the same words in the same order; case, accents and punctuation aside.
    SameWords(String),
    /// The same kind of gap, and `suggestion` begins with the same tool. For a missing tool its name is enough; a tool that
    /// is there and lacks something must have the same words between its parentheses too.
    SameTool { gap: GapType, signature: String },
}

/// All the ways in which a report can be recognised, the surest first.
pub fn matches(report: &Report) -> Vec<Match> {
    let needed: Vec<String> = words(&report.what_i_needed).collect();
    let words = (!needed.is_empty()).then(|| Match::SameWords(needed.join(" ")));
    let tool = signature(report).map(|signature| Match::SameTool { gap: report.gap_type, signature });
    words.into_iter().chain(tool).collect()
}

/// The first `name(parameters)` of the suggestion. A plain word before a parenthesis is prose: a tool's name has parts.
fn signature(report: &Report) -> Option<String> {
    let text = &report.suggestion;
    text.match_indices('(').find_map(|(at, _)| {
        let before = text.get(..at)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let name = &before[before.trim_end_matches(is_name).len()..];
        let inner = name.trim_matches(['_', '-']);
        let has_parts = inner.contains(['_', '-'])
            || inner.bytes().zip(inner.bytes().skip(1)).any(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase());
        if !has_parts {
            return None;
        }
        let name: Vec<String> = words(name).collect();
        let name = name.join("_");
        if report.gap_type == GapType::MissingTool {
            return Some(name);
        }
        let inside = text.get(at + 1..)?.split(')').next().unwrap_or_default();
        let inside: BTreeSet<String> = words(inside).collect();
        Some(format!("{name}({})", inside.into_iter().collect::<Vec<_>>().join(" ")))
    })
}

/// A public note and the report it stands under.
#[derive(Debug, Clone)]
pub struct PublicNote {
    pub report: Report,
    pub content: String,
}

/// The answers there are, by server and gap.
#[derive(Debug, Default)]
pub struct Answers(HashMap<String, HashMap<Match, Arc<str>>>);

impl Answers {
    /// `notes`: oldest first.
    pub fn of(notes: impl IntoIterator<Item = PublicNote>) -> Self {
        let mut servers: HashMap<String, HashMap<Match, Arc<str>>> = HashMap::new();
        for note in notes {
            let known = servers.entry(note.report.server_name.to_ascii_lowercase()).or_default();
            let text: Arc<str> = shortened(&note.content).into();
            for key in matches(&note.report) {
                known.insert(key, Arc::clone(&text));
            }
        }
        Self(servers)
    }

    pub fn find(&self, report: &Report) -> Option<Arc<str>> {
        // Splitting a quarter of a megabyte into words is not for reports of servers without answers.
        let known = self.0.get(&report.server_name.to_ascii_lowercase())?;
        matches(report).iter().find_map(|key| known.get(key)).map(Arc::clone)
    }
}

fn shortened(content: &str) -> String {
    let safe = block(content.trim());
    if safe.chars().count() <= MAX_ANSWER {
        return safe;
    }
    safe.chars().take(MAX_ANSWER - 1).chain(['…']).collect()
}

/// The answers as they were last read.
#[derive(Debug)]
pub(super) struct Known {
    /// They may have changed: a public note was added here, or another process has written.
    stale: AtomicBool,
    /// With the newest public note's number: notes are only ever added.
    answers: RwLock<(i64, Arc<Answers>)>,
}

impl Known {
    pub(super) fn new() -> Self {
        Self { stale: AtomicBool::new(true), answers: RwLock::default() }
    }

    pub(super) fn outdated(&self) {
        self.stale.store(true, Ordering::Release);
    }

    fn current(&self) -> (i64, Arc<Answers>) {
        self.answers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Engine {
    /// What the author says about the gap of a report, if that gap is known.
    pub async fn known_answer(&self, report: &Report) -> Option<String> {
        let known = &self.inner.known;
        if known.stale.swap(false, Ordering::AcqRel)
            && let Err(e) = self.read_answers().await
        {
            // A report is worth more than its answer.
            known.outdated();
            tracing::warn!(error = %e, "public notes could not be read");
        }
        known.current().1.find(report).map(|text| text.to_string())
    }

    async fn read_answers(&self) -> Result<(), Refusal> {
        let newest = self.inner.store.newest_public_note().await.map_err(refusal)?;
        if newest == self.inner.known.current().0 {
            return Ok(());
        }
        let notes = self.inner.store.public_notes().await.map_err(refusal)?;
        let notes = notes.into_iter().map(|(report, content)| PublicNote { report, content });
        let answers = Arc::new(Answers::of(notes));
        *self.inner.known.answers.write().unwrap_or_else(PoisonError::into_inner) = (newest, answers);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::feedback::NewFeedback;
    use serde_json::{Value, json};

    fn report(more: &Value) -> Report {
        let mut fields =
            json!({"server_name": "billing", "what_i_needed": "Search costs, by date!", "what_i_tried": "t"});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        NewFeedback::parse(fields).unwrap().report
    }

    fn answered(known: &Value, asked: &Value) -> Option<String> {
        let note = PublicNote { report: report(known), content: "use list_invoices".into() };
        Answers::of([note]).find(&report(asked)).map(|text| text.to_string())
    }

    #[test]
    fn the_same_words_of_the_same_server_are_the_same_gap() {
        let same = [
            json!({}),
            json!({"what_i_needed": "search  COSTS by\ndate"}),
            json!({"server_name": "BILLING", "what_i_needed": "séarch costs (by date)"}),
            json!({"gap_type": "other", "suggestion": "anything", "session_id": "another"}),
        ];
        for asked in same {
            assert_eq!(answered(&json!({}), &asked).as_deref(), Some("use list_invoices"), "{asked}");
        }
        let different = [
            json!({"server_name": "calendar"}),
            json!({"what_i_needed": "search costs by date and customer"}),
            json!({"what_i_needed": "search costs"}),
            json!({"what_i_needed": "date by costs search"}),
            json!({"what_i_needed": "…!?"}),
        ];
        for asked in different {
            assert_eq!(answered(&json!({}), &asked), None, "{asked}");
        }
        assert_eq!(
            answered(&json!({"what_i_needed": "?"}), &json!({"what_i_needed": "!"})),
            None,
            "no words, no match"
        );
    }

    #[test]
    fn a_missing_tool_is_known_by_the_name_it_should_have() {
        let missing = |words: &str, suggestion: &str| json!({"what_i_needed": words, "suggestion": suggestion, "gap_type": "missing_tool"});
        let known = || missing("find what I spent", "A tool search_costs(since, until) -> list");
        for suggestion in ["search_costs(query)", "Add `search-costs(…)`, please", "search_costs()"] {
            assert!(answered(&known(), &missing("costs in May", suggestion)).is_some(), "{suggestion}");
        }
        for suggestion in ["search_cost(since)", "search_costs", "my_search_costs(since)", "a tool(search_costs)", "("]
        {
            assert_eq!(answered(&known(), &missing("costs in May", suggestion)), None, "{suggestion}");
        }
        let other_gap = json!({"what_i_needed": "x", "suggestion": "search_costs(since)", "gap_type": "wrong_format"});
        assert_eq!(answered(&known(), &other_gap), None);
    }

    #[test]
    fn a_tool_that_lacks_something_is_known_by_what_it_lacks_too() {
        let lacks = |words: &str, suggestion: &str| json!({"what_i_needed": words, "suggestion": suggestion, "gap_type": "missing_parameter"});
        let known = || lacks("a", "searchCosts(since, until)");
        assert!(answered(&known(), &lacks("b", "searchCosts(until, since)")).is_some(), "in any order");
        assert_eq!(answered(&known(), &lacks("b", "searchCosts(currency)")), None);
    }

    #[test]
    fn prose_with_parentheses_is_no_tool() {
        let prose =
            json!({"what_i_needed": "a", "suggestion": "Better docs (with examples)", "gap_type": "missing_tool"});
        let other = json!({"what_i_needed": "b", "suggestion": "Faster docs(please)", "gap_type": "missing_tool"});
        assert_eq!(answered(&prose, &other), None);
    }

    #[test]
    fn the_newest_answer_wins_and_is_short_and_harmless() {
        let note = |content: &str| PublicNote { report: report(&json!({})), content: content.into() };
        let answers = Answers::of([note("first"), note(&format!(" \u{1b}[31m{}", "é".repeat(MAX_ANSWER * 2)))]);
        let text = answers.find(&report(&json!({}))).unwrap();
        assert_eq!(text.chars().count(), MAX_ANSWER);
        assert!(text.ends_with('…') && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn hostile_suggestions_cost_nothing_and_match_nothing() {
        let many = json!({"what_i_needed": "x", "suggestion": "(".repeat(200_000)});
        assert_eq!(matches(&report(&many)).len(), 1);
        let odd = json!({"what_i_needed": "x", "suggestion": "日本_語(a) \u{202e}__(b) -(c) é(d"});
        assert_eq!(matches(&report(&odd)).len(), 1);
    }
}
