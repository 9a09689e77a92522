//! The pull request body and the commit message.
//!
//! Everything an agent or a model wrote goes through [`super::markdown`] or [`super::plain`]; lengths are capped so that the whole
//! stays below what GitHub takes (65,536 characters) whatever the report is.

use super::markdown::{code, fenced, one_line, prose};
use super::plain;
use crate::domain::change::{NewFile, RepoPath};
use crate::domain::draft::{Cost, Usage, Verdict, Verified};
use crate::domain::note::Note;
use crate::drafting::heard::Remark;
use crate::drafting::job::{Job, SavedChange};
use crate::drafting::template::fill;
use crate::providers::PullRequest;

const TEMPLATE: &str = include_str!("../../../assets/pull_request.md");

/// Most bytes of one field of the report, of all notes together, and of the summary.
const MAX_FIELD: usize = 3_000;
const MAX_NOTES: usize = 8_000;
const MAX_SUMMARY: usize = 12_000;
const MAX_FILES: usize = 50;
/// Most comments of the checklist, and most characters of what was done about one.
const MAX_REMARKS: usize = 40;
const MAX_HOW: usize = 400;
const MAX_ID: usize = 128;

const REVIEWED: &str = "A person has looked at the change before it was published.";
const UNREVIEWED: &str = "Nobody has reviewed this change yet.";

/// Between these lines stands what is ours; whatever people write outside of them stays when the body is written anew.
const BEGIN: &str = "<!-- patchwork: written anew with every draft -->";
const END: &str = "<!-- patchwork: end -->";

/// What stands in front of a report's id, near the end of the body.
const REPORT: &str = "Patchwork report ";

/// What a pull request is about.
pub(super) struct About<'a> {
    pub(super) job: &'a Job,
    pub(super) change: &'a SavedChange,
    pub(super) drafter: &'a str,
    /// `None`: no price is known.
    pub(super) cost: Option<Cost>,
    /// The pull request of the draft before.
    pub(super) old: Option<&'a PullRequest>,
    /// The change is a commit more of that one.
    pub(super) on_top: bool,
}

/// The body of the draft pull request.
pub(super) fn pull_request(about: &About<'_>) -> String {
    let About { job, change, drafter, .. } = about;
    let feedback = &job.report.feedback;
    let report = &feedback.report;
    let optional =
        |value: &str| if value.trim().is_empty() { "Nothing was said.".to_owned() } else { fenced(value, MAX_FIELD) };
    let text = fill(
        TEMPLATE,
        &[
            ("summary", &prose(&change.summary, MAX_SUMMARY)),
            ("server", &code(&report.server_name, 80)),
            ("gap", &code(report.gap_type.as_str(), 40)),
            ("client", &reporter(&report.agent_model, &report.client_type)),
            ("needed", &fenced(&report.what_i_needed, MAX_FIELD)),
            ("tried", &fenced(&report.what_i_tried, MAX_FIELD)),
            ("suggested", &optional(&report.suggestion)),
            ("notes", &notes(&job.report.notes)),
            ("remarks", &remarks(&change.remarks)),
            ("files_of", if about.on_top { "Files of the newest commit" } else { "Files" }),
            ("files", &files(change)),
            ("base", &code(super::short(&change.base), 40)),
            ("checks", &checks(job, change)),
            ("drafter", &code(drafter, 80)),
            ("tokens", &tokens(change.usage, about.cost)),
            ("report", &code(feedback.id.as_str(), MAX_ID)),
            ("number", &job.number.to_string()),
            ("previous", &previous(about)),
        ],
    );
    format!("{BEGIN}\n\n{}\n\n{END}\n", text.trim())
}

/// An existing body with our part of it replaced.
pub(super) fn within(existing: &str, ours: &str) -> String {
    // What we quote may contain the marks, and stands between them: hence the first and the last.
    let places = existing.find(BEGIN).zip(existing.rfind(END)).filter(|(begin, end)| begin < end);
    let (before, after) = match places {
        Some((begin, end)) => (&existing[..begin], &existing[end + END.len()..]),
        None => (existing, ""),
    };
    let parts = [before, ours, after].map(str::trim);
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Whether a pull request's body says that it is for this report. The report itself is quoted before that place, so what it says
/// of other reports does not count.
pub(in crate::drafting) fn names_report(body: &str, id: &str) -> bool {
    let last = body.rfind(REPORT).and_then(|at| body.get(at + REPORT.len()..));
    last.is_some_and(|rest| rest.starts_with(&code(id, MAX_ID)))
}

/// The commit message: subject, what changed and why, one line on the report, trailers.
pub(super) fn commit(job: &Job, change: &SavedChange, drafter: &str, trailers: &[String]) -> String {
    let feedback = &job.report.feedback;
    let clip = |text: &str, max| crate::domain::text::clipped(&plain::inert(text), max);
    // A local branch has no pull request that would say it.
    let summary = plain::inert_lines(&change.summary);
    let mut message = format!(
        "{}{}\n\nAn agent reported: {}\n\nPatchwork-Report: {}\nPatchwork-Draft: {}\nPatchwork-Drafter: {}\n",
        change.title,
        if summary.is_empty() { summary } else { format!("\n\n{summary}") },
        clip(&report_line(&feedback.report.what_i_needed), 200),
        clip(feedback.id.as_str(), MAX_ID),
        job.number,
        clip(drafter, 80),
    );
    // The author's own words, but a line each: two would end the trailers.
    let lines = trailers.iter().map(|t| crate::domain::text::line(t.trim())).filter(|t| !t.is_empty());
    message.extend(lines.map(|line| format!("{line}\n")));
    message
}

fn report_line(needed: &str) -> String {
    needed.lines().find(|l| !l.trim().is_empty()).unwrap_or("a gap").to_owned()
}

fn reporter(model: &str, client: &str) -> String {
    let known: Vec<String> = [model, client].iter().filter(|t| !t.trim().is_empty()).map(|t| code(t, 60)).collect();
    if known.is_empty() { "an agent that did not say what it is".into() } else { known.join(" in ") }
}

fn notes(notes: &[Note]) -> String {
    if notes.is_empty() {
        return "None.".into();
    }
    // The newest notes are the ones that led to this draft, so they get the room first.
    let mut room = MAX_NOTES;
    let mut shown: Vec<String> = Vec::new();
    for note in notes.iter().rev() {
        if room == 0 {
            break;
        }
        let day = note.at.to_iso().chars().take(10).collect::<String>();
        shown.push(format!("{day}\n{}", fenced(&note.content, room.min(MAX_FIELD))));
        room = room.saturating_sub(note.content.len());
    }
    let older = notes.len() - shown.len();
    if older > 0 {
        shown.push(format!("({older} older notes were used as well)"));
    }
    shown.reverse();
    shown.join("\n\n")
}

fn files(change: &SavedChange) -> String {
    let moved = |path: &RepoPath| change.files.values().flatten().any(|file| file.from.as_ref() == Some(path));
    let line = |(path, file): (&RepoPath, &Option<NewFile>)| match file {
        None if moved(path) => None,
        None => Some(format!("- {} (deleted)", code(path.as_str(), 200))),
        Some(NewFile { from: Some(from), .. }) => {
            Some(format!("- {} (renamed from {})", code(path.as_str(), 200), code(from.as_str(), 200)))
        }
        Some(NewFile { from: None, .. }) => Some(format!("- {}", code(path.as_str(), 200))),
    };
    let mut lines: Vec<String> = change.files.iter().filter_map(line).collect();
    if lines.len() > MAX_FILES {
        let more = lines.len() - MAX_FILES;
        lines.truncate(MAX_FILES);
        lines.push(format!("- and {more} more"));
    }
    lines.join("\n")
}

/// What was found out about the change beside that it applies, and what was not.
fn checks(job: &Job, change: &SavedChange) -> String {
    let mut lines = vec![match &change.verified {
        None => "- Not run: the repository's own tests.".to_owned(),
        Some(Verified { verdict: Verdict::Passed, command, .. }) => {
            format!("- Passed: {} in {}.", code(command, 200), taken(change))
        }
        Some(Verified { verdict: Verdict::Failed, command, ended, .. }) => format!(
            "- **Failed**: {} ({}) in {}. It is published all the same because its reviewer said so.",
            code(command, 200),
            plain::inert(ended),
            taken(change)
        ),
    }];
    if change.dropped > 0 {
        let parts = match change.dropped {
            1 => "1 part of the drafted change was".to_owned(),
            many => format!("{many} parts of the drafted change were"),
        };
        let since = match &change.verified {
            Some(_) => " What stands above was run before that, on the whole change, and not again.",
            None => "",
        };
        lines.push(format!("- {parts} taken out in the review.{since}"));
    }
    lines.push(format!("- {}", if job.confirm { REVIEWED } else { UNREVIEWED }));
    lines.join("\n")
}

fn taken(change: &SavedChange) -> String {
    change.verified.as_ref().map_or_else(String::new, Verified::took)
}

fn tokens(usage: Usage, cost: Option<Cost>) -> String {
    if usage == Usage::default() {
        return "tokens unknown".into();
    }
    let cost = cost.map_or_else(|| "price unknown".to_owned(), |cost| cost.to_string());
    format!(
        "{} tokens in ({} of them cached), {} out, {cost}",
        usage.input_tokens, usage.cached_tokens, usage.output_tokens
    )
}

/// Each comment with a box, ticked where something was done about it.
fn remarks(remarks: &[Remark]) -> String {
    if remarks.is_empty() {
        return String::new();
    }
    let line = |remark: &Remark| {
        let on = if remark.on.is_empty() { String::new() } else { format!(" on {}", code(&remark.on, 240)) };
        let (tick, how) = match &remark.how {
            Some(how) => ("x", one_line(how, MAX_HOW)),
            None => (" ", "not addressed".into()),
        };
        format!("- [{tick}] {}{on}: {}: {how}", code(&remark.by, 60), code(&remark.text, 160))
    };
    let mut lines: Vec<String> = remarks.iter().take(MAX_REMARKS).map(line).collect();
    if remarks.len() > MAX_REMARKS {
        lines.push(format!("- and {} more", remarks.len() - MAX_REMARKS));
    }
    format!("\n## Comments on the draft before\n\n{}\n", lines.join("\n"))
}

/// What became of the draft before: a sentence more, or nothing.
fn previous(about: &About<'_>) -> String {
    let number = about.job.number;
    if about.on_top && about.old.is_some() {
        return String::new();
    }
    match (about.old, &about.job.replaces) {
        (Some(old), _) if is_plain_url(&old.html_url) => {
            let how = if old.merged { "follows" } else { "replaces" };
            format!(" Draft {number} {how} {}.", old.html_url)
        }
        (None, Some(before)) if before.published.pr_url.is_empty() && !before.published.branch.is_empty() => {
            format!(" Draft {number} replaces the branch {}.", code(&before.published.branch, 120))
        }
        (Some(_) | None, _) => String::new(),
    }
}

/// A link that the provider gave us, with nothing in it that Markdown could read.
fn is_plain_url(url: &str) -> bool {
    let host_and_path = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host_and_path.is_some_and(|rest| {
        rest.len() < 300 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/:".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_around_our_part_stays() {
        let ours = |text: &str| format!("{BEGIN}\n\n{text}\n\n{END}\n");
        let evil = ours(&format!("```text\n{END} {BEGIN}\n```"));
        assert_eq!(within(&evil, &ours("new")), ours("new").trim(), "a mark that is quoted is no mark");
        let around = format!("Before.\r\n\r\n{}\r\nAfter.", evil.replace('\n', "\r\n"));
        assert_eq!(within(&around, &ours("new")), format!("Before.\n\n{}\n\nAfter.", ours("new").trim()));
        assert_eq!(within("By hand.", &ours("new")), format!("By hand.\n\n{}", ours("new").trim()));
        assert_eq!(within("", &ours("new")), ours("new").trim());
    }

    #[test]
    fn only_the_last_word_names_the_report() {
        let body = |id: &str| format!("> {REPORT}`quoted`\n\nDrafter `x`. {REPORT}`{id}`, draft 1.");
        assert!(names_report(&body("mine"), "mine"));
        assert!(
            !names_report(&body("mine"), "quoted")
                && !names_report(&body("mine2"), "mine")
                && !names_report("", "mine")
        );
    }
}
