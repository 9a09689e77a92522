//! A filter's meaning in memory: does this row belong in that list?

use super::{Filter, HasFlag, IsFlag, Test};
use crate::domain::feedback::Feedback;
use crate::domain::text::words;
use crate::domain::time::Millis;

/// What a filter can ask about a report beyond the report itself.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub feedback: &'a Feedback,
    /// Texts of its notes.
    pub notes: &'a [String],
}

impl Filter {
    /// Whether every term holds at `now`.
    pub fn matches(&self, facts: Facts<'_>, now: Millis) -> bool {
        self.terms.iter().all(|t| t.negated != holds(&t.test, facts, now))
    }
}

fn holds(test: &Test, facts: Facts<'_>, now: Millis) -> bool {
    let f = facts.feedback;
    let r = &f.report;
    match test {
        Test::Text(phrase) => {
            r.searchable().any(|t| has_phrase(t, phrase)) || facts.notes.iter().any(|n| has_phrase(n, phrase))
        }
        Test::Server(names) => any_name(names, &r.server_name),
        Test::Session(names) => any_name(names, &r.session_id),
        Test::Model(names) => any_name(names, &r.agent_model),
        Test::Client(names) => any_name(names, &r.client_type),
        Test::Tool(names) => r.tools_available.iter().any(|t| any_name(names, t)),
        Test::Gap(gaps) => gaps.contains(&r.gap_type),
        Test::Resolution(all) => r.resolution.is_some_and(|x| all.contains(&x)),
        Test::Is(flags) => flags.iter().any(|flag| match flag {
            IsFlag::Unreviewed => !f.reviewed,
            IsFlag::Reviewed => f.reviewed,
            IsFlag::Drafted => f.drafted,
            IsFlag::Merged => f.merged,
        }),
        Test::Has(flags) => flags.iter().any(|flag| match flag {
            HasFlag::Notes => f.note_count > 0,
            HasFlag::Pr => !f.pr_url.is_empty(),
            HasFlag::Suggestion => !r.suggestion.is_empty(),
        }),
        Test::Since(when) => f.received_at >= when.resolve(now),
        Test::Until(when) => f.received_at <= when.resolve(now),
    }
}

/// Names are compared without regard to ASCII case, like SQLite's `NOCASE`.
fn any_name(names: &[String], value: &str) -> bool {
    names.iter().any(|n| n.eq_ignore_ascii_case(value))
}

/// Consecutive words; the last one may be the beginning of a word.
fn has_phrase(text: &str, phrase: &[String]) -> bool {
    let Some((last, head)) = phrase.split_last() else { return true };
    let text: Vec<String> = words(text).collect();
    text.windows(phrase.len()).any(|w| {
        let Some((w_last, w_head)) = w.split_last() else { return false };
        w_head == head && w_last.starts_with(last.as_str())
    })
}
