//! One report in full: what the agent said, what is known about it, the author's notes.

use super::super::model::{Focus, Model};
use super::super::theme::Theme;
use super::super::widget::{age, pane, wrap};
use crate::domain::feedback::{Report, Resolution};
use crate::domain::note::Note;
use crate::domain::text;
use crate::domain::time::Millis;
use crate::protocol::read::Detail;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    if area.is_empty() {
        return;
    }
    pane::render(frame, area, &model.detail_text.lines, model.inbox.scroll);
    if matches!(model.inbox.focus, Focus::Detail) {
        pane::render_more(frame, area, model.detail_text.lines.len(), model.inbox.scroll, model.theme.key);
    }
}

/// All lines of the pane, for a width.
pub fn lines(detail: &Detail, theme: &Theme, now: Millis, width: u16) -> Vec<Line<'static>> {
    let mut page = Page { lines: Vec::new(), theme, width: usize::from(width) };
    let f = &detail.feedback;
    page.head(&f.report, &age::age(now, f.received_at));
    page.section("Needed", &f.report.what_i_needed, theme.text);
    page.section("Tried", &f.report.what_i_tried, theme.text);
    page.section("Suggestion", &f.report.suggestion, theme.text);
    page.section("The user's goal", &f.report.user_goal, theme.text);
    for note in &detail.notes {
        page.note(note, now);
    }
    if !f.pr_url.is_empty() {
        page.section("Pull request", &f.pr_url, theme.good);
    }
    page.section(
        &format!("Tools it could see ({})", f.report.tools_available.len()),
        &f.report.tools_available.join(", "),
        theme.dim,
    );
    page.section("More it sent", &extra(&f.report), theme.dim);
    page.section("From", &from(detail), theme.dim);
    page.lines
}

struct Page<'t> {
    lines: Vec<Line<'static>>,
    theme: &'t Theme,
    width: usize,
}

impl Page<'_> {
    fn head(&mut self, report: &Report, age: &str) {
        let theme = self.theme;
        let mut spans = vec![
            Span::styled(text::clipped(&report.server_name, 40), theme.server),
            Span::raw("  "),
            Span::styled(gap(report), theme.gap(report.gap_type)),
        ];
        let ending = ending(report);
        if !ending.is_empty() {
            spans.push(Span::styled(format!("  {ending}"), theme.text));
        }
        spans.push(Span::styled(format!("  {age}"), theme.dim));
        let line = Line::from(spans);
        if line.width() <= self.width {
            self.lines.push(line);
        } else {
            // Too narrow for badges in a row: as text, which wraps.
            let all: String = line.spans.iter().map(|s| s.content.as_ref()).collect();
            self.body(&all, theme.server);
        }
    }

    fn section(&mut self, title: &str, body: &str, style: Style) {
        if body.trim().is_empty() {
            return;
        }
        self.lines.push(Line::default());
        self.lines.push(Line::styled(title.to_owned(), self.theme.label));
        self.body(body.trim_end(), style);
    }

    fn body(&mut self, body: &str, style: Style) {
        let wrapped = wrap::wrap(&text::block(body), self.width);
        self.lines.extend(wrapped.into_iter().map(|line| Line::styled(line, style)));
    }

    fn note(&mut self, note: &Note, now: Millis) {
        let author =
            if note.author.is_empty() { String::new() } else { format!(" by {}", text::clipped(&note.author, 40)) };
        let what = if note.public { "Public answer" } else { "Note" };
        self.lines.push(Line::default());
        self.lines.push(Line::styled(format!("✎ {what}{author}, {}", age::age(now, note.at)), self.theme.note));
        self.body(note.content.trim_end(), self.theme.text);
    }
}

fn gap(report: &Report) -> String {
    let word = report.gap_type.as_str().replace('_', " ");
    if report.gap_type_raw.is_empty() {
        word
    } else {
        format!("{word} (\"{}\")", text::clipped(&report.gap_type_raw, 24))
    }
}

fn ending(report: &Report) -> String {
    match report.resolution {
        Some(Resolution::Blocked) => "blocked".to_owned(),
        Some(Resolution::WorkedAround) => "worked around".to_owned(),
        Some(Resolution::Partial) => "partly solved".to_owned(),
        None => text::clipped(&report.resolution_raw, 24),
    }
}

/// Fields this program does not know, as the agent named them.
fn extra(report: &Report) -> String {
    let pairs: Vec<String> = report.extra.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    pairs.join("\n")
}

fn from(detail: &Detail) -> String {
    let r = &detail.feedback.report;
    let known = [
        ("", detail.feedback.received_at.to_iso()),
        ("model ", r.agent_model.clone()),
        ("client ", r.client_type.clone()),
        ("session ", r.session_id.clone()),
        ("report ", detail.feedback.id.to_string()),
    ];
    let known: Vec<String> = known.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| format!("{k}{v}")).collect();
    known.join("\n")
}
