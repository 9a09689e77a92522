//! The pull request body and the commit message.
//!
//! Everything an agent or a model wrote goes through [`super::markdown`] or [`super::plain`]; lengths are capped so that the whole
//! stays below what GitHub takes (65,536 characters) whatever the report is.

use super::markdown::{code, fenced, prose};
use super::plain;
use crate::domain::change::{NewFile, RepoPath};
use crate::domain::draft::{Usage, Verdict, Verified};
use crate::domain::note::Note;
use crate::drafting::job::{Job, SavedChange};
use crate::drafting::template::fill;

const TEMPLATE: &str = include_str!("../../../assets/pull_request.md");

/// Most bytes of one field of the report, of all notes together, and of the summary.
const MAX_FIELD: usize = 3_000;
const MAX_NOTES: usize = 8_000;
const MAX_SUMMARY: usize = 12_000;
const MAX_FILES: usize = 50;

/// The body of the draft pull request.
pub(super) fn pull_request(job: &Job, change: &SavedChange, drafter: &str) -> String {
    let feedback = &job.report.feedback;
    let report = &feedback.report;
    let optional =
        |value: &str| if value.trim().is_empty() { "Nothing was said.".to_owned() } else { fenced(value, MAX_FIELD) };
    fill(
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
            ("files", &files(change)),
            ("base", &code(super::short(&change.base), 40)),
            ("checks", &checks(change)),
            ("drafter", &code(drafter, 80)),
            ("tokens", &tokens(change.usage)),
            ("report", &code(feedback.id.as_str(), 128)),
            ("number", &job.number.to_string()),
            ("previous", &previous(job)),
        ],
    )
}

/// The commit message: subject, one line on the report, trailers.
pub(super) fn commit(job: &Job, change: &SavedChange, drafter: &str) -> String {
    let feedback = &job.report.feedback;
    let clip = |text: &str, max| crate::domain::text::clipped(&plain::inert(text), max);
    format!(
        "{}\n\nAn agent reported: {}\n\nPatchwork-Report: {}\nPatchwork-Draft: {}\nPatchwork-Drafter: {}\n",
        change.title,
        clip(&report_line(&feedback.report.what_i_needed), 200),
        clip(feedback.id.as_str(), 128),
        job.number,
        clip(drafter, 80),
    )
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
fn checks(change: &SavedChange) -> String {
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
    let parts = match change.dropped {
        0 => return lines.concat(),
        1 => "1 part of the drafted change was".to_owned(),
        many => format!("{many} parts of the drafted change were"),
    };
    let since = match &change.verified {
        Some(_) => " What stands above was run before that, on the whole change, and not again.",
        None => "",
    };
    lines.push(format!("- {parts} taken out in the review.{since}"));
    lines.join("\n")
}

fn taken(change: &SavedChange) -> String {
    change.verified.as_ref().map_or_else(String::new, Verified::took)
}

fn tokens(usage: Usage) -> String {
    if usage == Usage::default() {
        return "tokens unknown".into();
    }
    format!("{} tokens in ({} of them cached), {} out", usage.input_tokens, usage.cached_tokens, usage.output_tokens)
}

fn previous(job: &Job) -> String {
    match &job.previous {
        Some(previous) if is_plain_url(&previous.pr_url) => {
            format!("Draft {} replaces {}.", job.number, previous.pr_url)
        }
        Some(previous) if !previous.branch.is_empty() => {
            format!("Draft {} replaces the branch {}.", job.number, code(&previous.branch, 120))
        }
        Some(_) | None => String::new(),
    }
}

/// A link that the provider gave us, with nothing in it that Markdown could read.
fn is_plain_url(url: &str) -> bool {
    let host_and_path = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host_and_path.is_some_and(|rest| {
        rest.len() < 300 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/:".contains(&b))
    })
}
