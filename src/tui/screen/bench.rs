//! A run's change, file by file; while it waits for its review, with what is decided about it.
//!
//! ```text
//! Add search_costs(query, customer)                                            head: title,
//! → main as a draft  verify ✓  $0.42  2 files +12 −3  1 hunk dropped                 facts, what is in the way
//!   title and text      │ src/tools/costs.py ─────────── hunk 1 of 2, file 1 of 2    files │ bar
//!   …/tools/costs.py +9 │ ▌@@ -1,3 +1,12 @@ def list_costs                                  │ text
//! ÷ tests/test_c… +3 −3 │ ▌+def search_costs(query: str):
//! ```

use super::super::action::Action;
use super::super::bench::{self, Change, Kind, Part, Run, Shown};
use super::super::model::Model;
use super::super::theme::Theme;
use super::super::update::{decided, written};
use super::super::widget::syntax::{Language, Token};
use super::super::widget::{fit, wrap};
use super::layout::Layout;
use super::run;
use crate::domain::diff::{Counts, FileDiff, Line as DiffLine, LineKind};
use crate::domain::draft::{Draft, DraftState, TargetKind, Verdict};
use crate::domain::review::Choices;
use crate::domain::text;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use std::ops::Range;
use unicode_width::UnicodeWidthStr;

/// Columns before the code: what became of its part, and what kind of line it is.
const GUTTER: u16 = 2;
/// Lines of a change that can't be shown file by file.
const RAW: usize = 2_000;

pub fn code_width(area: u16) -> usize {
    usize::from(area.saturating_sub(GUTTER))
}

pub fn render(frame: &mut Frame<'_>, layout: &Layout, model: &Model) {
    let (width, height) = (layout.head.width, layout.head.height);
    let mut lines = head(model, width, height > 1);
    lines.truncate(usize::from(height));
    frame.render_widget(Paragraph::new(lines), layout.head);
    files(frame, layout.rows, model);
    bar(frame, layout.bar, model);
    let Some(run) = model.run() else {
        return frame.render_widget(Paragraph::new(Line::styled("Reading …", model.theme.dim)), layout.text);
    };
    let none = Choices::default();
    let paper = &model.drafts.bench.paper;
    let (decided, width) = (decided(model).unwrap_or(&none), usize::from(layout.text.width));
    let sheet = Sheet { model, run, change: paper.change(), decided, width };
    let lines: Vec<Line<'_>> = paper.shown(usize::from(layout.text.height)).iter().map(|row| sheet.row(row)).collect();
    frame.render_widget(Paragraph::new(lines), layout.text);
}

/// Title, facts, and what is in the way of publishing; `roomy`: more than one line is to be had.
pub fn head(model: &Model, width: u16, roomy: bool) -> Vec<Line<'static>> {
    let Some(draft) = model.selected_draft() else { return Vec::new() };
    let theme = &model.theme;
    let columns = usize::from(width);
    let title = title(model, draft);
    let mut lines = vec![Line::styled(fit::cut(&title, columns), theme.title)];
    if roomy {
        lines.push(facts(model, draft, columns));
    }
    let alerts = alerts(model, draft);
    let most = if roomy { 3 } else { 1 };
    for alert in alerts {
        let mut wrapped = wrap::wrap(&alert, columns);
        if wrapped.len() > most {
            let rest = wrapped.split_off(most - 1).join(" ");
            wrapped.push(fit::cut(&rest, columns));
        }
        lines.extend(wrapped.into_iter().map(|line| Line::styled(line, theme.bad)));
    }
    lines
}

fn title(model: &Model, draft: &Draft) -> String {
    let of_run = || {
        let run = model.run()?;
        let proposal = run.detail.proposal.as_ref()?;
        Some(text::clipped(written(proposal, &run.detail.choices).0, 400))
    };
    let title = of_run().unwrap_or_else(|| {
        format!("Draft {} for {}: {}", draft.number, text::line(&draft.server_name), draft.headline)
    });
    // What is open must be told apart from the change, on one line too.
    match model.run().and_then(|run| run.detail.earlier.as_ref()).filter(|_| model.compares()) {
        Some(earlier) => format!("Draft {} against draft {}: {title}", draft.number, earlier.number),
        None => title,
    }
}

/// What there is to know before publishing, as much of it as there is room for.
fn facts(model: &Model, draft: &Draft, columns: usize) -> Line<'static> {
    let theme = &model.theme;
    let mut facts: Vec<(String, Style)> = Vec::new();
    if model.is_leaving(&draft.id) {
        facts.push(("sending …".to_owned(), theme.busy));
    } else if model.drafts.bench.edit(&draft.id).is_some() {
        facts.push(("saving …".to_owned(), theme.busy));
    }
    if let Some(run) = model.run() {
        facts.push((destination(draft, run, &run.detail.choices), theme.text));
    }
    facts.extend(verdict(draft, theme));
    if let Some(sheet) = model.sheet() {
        let files = match (model.compares(), sheet.files.len()) {
            (true, 0) => "nothing differs".to_owned(),
            (true, 1) => format!("1 file differs {}", signed(sheet.total())),
            (true, n) => format!("{n} files differ {}", signed(sheet.total())),
            (false, n) => format!("{} {}", counted(n, "file"), signed(sheet.total())),
        };
        facts.push((files, theme.text));
    }
    if let Some(run) = model.run() {
        let dropped = run.detail.choices.dropped.len();
        if dropped > 0 {
            facts.push((format!("{} dropped", counted(dropped, "hunk")), theme.busy));
        }
    }
    facts.extend(draft.spent().map(|spent| (spent, theme.dim)));
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (fact, style) in facts {
        let needed = fact.width() + if spans.is_empty() { 0 } else { 2 };
        if used + needed > columns {
            continue;
        }
        if !spans.is_empty() {
            spans.push(Span::raw("  "));
        }
        used += needed;
        spans.push(Span::styled(fact, style));
    }
    Line::from(spans)
}

fn destination(draft: &Draft, run: &Run, choices: &Choices) -> String {
    if draft.target == TargetKind::Local {
        return "→ a local branch".to_owned();
    }
    let proposed = run.detail.proposal.as_ref().map_or("", |p| p.base.as_str());
    let base = text::clipped(choices.base.as_deref().unwrap_or(proposed), 40);
    let how = if choices.draft.unwrap_or(true) { "as a draft" } else { "ready for review" };
    format!("→ {base} {how}")
}

pub fn verdict(draft: &Draft, theme: &Theme) -> Option<(String, Style)> {
    match draft.verdict? {
        Verdict::Passed => Some(("verify ✓".to_owned(), theme.good)),
        Verdict::Failed => Some(("verify ✗".to_owned(), theme.bad)),
    }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn signed(counts: Counts) -> String {
    format!("+{} −{}", counts.added, counts.removed)
}

/// Sentences about what is in the way.
fn alerts(model: &Model, draft: &Draft) -> Vec<String> {
    let mut alerts = Vec::new();
    let DraftState::Waiting { trouble } = &draft.state else { return alerts };
    if !trouble.is_empty() {
        alerts.push(format!("Not published: {}", text::line(trouble)));
    }
    if draft.verdict == Some(Verdict::Failed) {
        let (turn, anyway) = (model.keymap.key(Action::TurnOver), model.keymap.key(Action::PublishAnyway));
        alerts.push(format!("`verify` failed ({turn} shows its output): only {anyway} publishes this."));
    }
    alerts
}

/// What stands before the files: title and text as the engine has them, and where the change comes from.
pub fn intro(theme: &Theme, run: &Run, width: u16) -> Vec<Line<'static>> {
    let columns = usize::from(width);
    let mut lines = Vec::new();
    let mut put = |body: &str, style: Style| {
        let wrapped = wrap::wrap(&text::block(body), columns);
        lines.extend(wrapped.into_iter().map(|line| Line::styled(line, style)));
    };
    let draft = &run.detail.draft;
    if let Some(proposal) = &run.detail.proposal {
        let (title, summary) = written(proposal, &run.detail.choices);
        put(title, theme.title);
        if !summary.is_empty() {
            put("", theme.text);
            put(summary, theme.text);
        }
        put("", theme.text);
    }
    let number = format!("Draft {} for {}: {}", draft.number, draft.server_name, draft.headline);
    put(&number, theme.dim);
    put(&run::tokens(draft).unwrap_or_default(), theme.dim);
    if let Some(trouble) = &run.change.trouble {
        put(&format!("It can't be shown file by file: {trouble}"), theme.bad);
        let raw: Vec<&str> = run.detail.diff.lines().take(RAW).collect();
        for line in raw {
            let head: String = line.chars().take(400).collect();
            put(&text::code(&head), theme.text);
        }
    }
    while lines.last().is_some_and(|line| line.width() == 0) {
        lines.pop();
    }
    lines.push(Line::default());
    lines
}

/// The files, the one under the cursor marked; title and text come first.
fn files(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let Some((run, sheet)) = model.run().zip(model.sheet()).filter(|_| !area.is_empty()) else { return };
    let none = Choices::default();
    let decided = decided(model).unwrap_or(&none);
    let bench = &model.drafts.bench;
    let entries = (bench.offset..=sheet.files.len()).take(usize::from(area.height));
    let lines: Vec<Line<'_>> = entries
        .map(|section| {
            let line = match section.checked_sub(1).and_then(|n| sheet.files.get(n).zip(sheet.counts.get(n))) {
                None => {
                    Line::from(format!("  {}", fit::cut(beginning(model), usize::from(area.width).saturating_sub(2))))
                }
                Some((file, counts)) => file_line(model, run, decided, file, *counts, usize::from(area.width)),
            };
            if section == bench.paper.cursor.section { reversed(&line, model.theme.cursor_away) } else { line }
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// What stands before the files.
fn beginning(model: &Model) -> &'static str {
    if model.compares() { "what is compared" } else { "title and text" }
}

fn file_line(
    model: &Model,
    run: &Run,
    decided: &Choices,
    file: &FileDiff,
    counts: Counts,
    width: usize,
) -> Line<'static> {
    let theme = &model.theme;
    // What is dropped is a part of the change, not of the difference.
    let parts = if model.compares() { 0 } else { file.parts() };
    let pending = (0..parts)
        .any(|part| bench::is_dropped(decided, file, part) != bench::is_dropped(&run.detail.choices, file, part));
    let dropped = (0..parts).filter(|part| bench::is_dropped(&run.detail.choices, file, *part)).count();
    let (mark, mark_style) = match dropped {
        _ if pending => ("… ", theme.busy),
        0 => ("  ", theme.text),
        n if n == file.parts() => ("× ", theme.dropped),
        _ => ("÷ ", theme.busy),
    };
    let style = if dropped == file.parts() { theme.dropped } else { theme.text };
    let (plus, minus) = (format!(" +{}", counts.added), format!(" −{}", counts.removed));
    let room = width.saturating_sub(2 + plus.width() + minus.width());
    let name = cut_front(&text::line(file.path.as_str()), room);
    let gap = " ".repeat(room.saturating_sub(name.width()));
    Line::from(vec![
        Span::styled(mark, mark_style),
        Span::styled(format!("{name}{gap}"), style),
        Span::styled(plus, theme.added),
        Span::styled(minus, theme.removed),
    ])
}

/// The end of a path: the name matters more than the first directory.
fn cut_front(path: &str, width: usize) -> String {
    if path.width() <= width {
        return path.to_owned();
    }
    let mut from = 0;
    while path[from..].width() + 1 > width {
        match path[from..].chars().next() {
            Some(c) => from += c.len_utf8(),
            None => break,
        }
    }
    if width == 0 { String::new() } else { format!("…{}", &path[from..]) }
}

/// Where the eye is: the file, and which of its hunks. While the base branch is typed: that.
fn bar(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let theme = &model.theme;
    let width = usize::from(area.width);
    let bench = &model.drafts.bench;
    if let Some(input) = &bench.base {
        let label = "Base branch: ";
        let field =
            Rect { x: area.x + label.len() as u16, width: area.width.saturating_sub(label.len() as u16), ..area };
        frame.render_widget(Paragraph::new(Line::styled(label, theme.key)), area);
        let mut input = input.clone();
        input.set_style(theme.typed);
        input.set_placeholder_style(theme.dim);
        input.set_cursor_line_style(theme.typed);
        return frame.render_widget(&*input, field);
    }
    let Some(sheet) = model.sheet() else { return };
    let files = sheet.files.len();
    let (name, place) = match bench.paper.file().and_then(|n| Some((n, sheet.files.get(n)?))) {
        None => (beginning(model).to_owned(), counted(files, "file")),
        Some((n, file)) => {
            let hunk = match bench.paper.part() {
                Some(Part::Hunk(_, hunk)) => format!("hunk {} of {}, ", hunk + 1, file.hunks.len()),
                Some(Part::File(_)) | None => String::new(),
            };
            (text::line(file.path.as_str()), format!("{hunk}file {} of {files}", n + 1))
        }
    };
    let name = cut_front(&name, width.saturating_sub(place.width() + 2));
    let rule = "─".repeat(width.saturating_sub(name.width() + place.width() + 2));
    frame.render_widget(
        Paragraph::new(Line::from(vec![
            Span::styled(format!("{name} "), theme.file),
            Span::styled(rule, theme.rule),
            Span::styled(format!(" {place}"), theme.dim),
        ])),
        area,
    );
}

/// One style over the whole line, as in the lists.
fn reversed(line: &Line<'_>, style: Style) -> Line<'static> {
    let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    Line::styled(text, style)
}

/// What the rows of a change are drawn from.
struct Sheet<'a> {
    model: &'a Model,
    run: &'a Run,
    change: &'a Change,
    decided: &'a Choices,
    width: usize,
}

/// What became of the part that a row belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Dropped,
    /// Decided and not heard of yet; true: to be dropped.
    Pending(bool),
}

impl Sheet<'_> {
    fn row(&self, row: &Shown<'_>) -> Line<'static> {
        let paper = &self.model.drafts.bench.paper;
        let line = match &row.kind {
            Kind::Intro(line) => (*line).clone(),
            Kind::Head(_) | Kind::Remark(_) | Kind::Hunk(_) | Kind::Code(..) | Kind::NoBreak | Kind::Gap => {
                self.file_row(row)
            }
        };
        if row.place != paper.cursor {
            return line;
        }
        let line = reversed(&line, self.model.theme.cursor);
        let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
        Line::styled(fit::pad(&text, self.width), self.model.theme.cursor)
    }

    fn file_row(&self, row: &Shown<'_>) -> Line<'static> {
        let theme = &self.model.theme;
        let Some(file) = row.file.and_then(|n| self.change.files.get(n)) else { return Line::default() };
        let fate = self.fate(file, row.hunk);
        let mut spans = vec![self.gutter(row, fate)];
        let paint = |style: Style| if fate == Fate::Dropped { theme.dropped } else { style };
        match &row.kind {
            Kind::Head(file) => {
                spans.push(Span::styled(cut_front(&text::line(file.path.as_str()), self.width - 1), paint(theme.file)));
            }
            Kind::Remark(remark) => {
                spans.push(Span::styled(
                    fit::cut(&format!(" {}", text::line(remark)), self.width - 1),
                    paint(theme.dim),
                ));
            }
            Kind::Hunk(head) => {
                let word = match fate {
                    Fate::Kept => "",
                    Fate::Dropped => "  dropped",
                    Fate::Pending(true) => "  dropping …",
                    Fate::Pending(false) => "  taking back …",
                };
                let room = self.width.saturating_sub(1 + word.width());
                let head = text::clipped(head, 400);
                spans.push(Span::styled(fit::cut(&head, room), paint(theme.hunk)));
                spans.push(Span::styled(word, theme.busy));
            }
            Kind::Code(line, part) => self.code(file, line, part, row.place.row, &paint, &mut spans),
            Kind::NoBreak => spans.push(Span::styled("\\ no line break at the end", paint(theme.dim))),
            Kind::Gap | Kind::Intro(_) => return Line::default(),
        }
        Line::from(spans)
    }

    /// Of a hunk, or of a file as a whole.
    fn fate(&self, file: &FileDiff, hunk: Option<usize>) -> Fate {
        if self.model.compares() {
            return Fate::Kept;
        }
        let all = |choices: &Choices| match hunk {
            Some(hunk) => bench::is_dropped(choices, file, hunk),
            None => (0..file.parts()).all(|part| bench::is_dropped(choices, file, part)),
        };
        match (all(&self.run.detail.choices), all(self.decided)) {
            (false, false) => Fate::Kept,
            (true, true) => Fate::Dropped,
            (_, decided) => Fate::Pending(decided),
        }
    }

    /// What became of the part; else whether the next key is about it.
    fn gutter(&self, row: &Shown<'_>, fate: Fate) -> Span<'static> {
        let theme = &self.model.theme;
        let meant = self.model.waits()
            && !self.model.compares()
            && match self.model.drafts.bench.paper.part() {
                Some(Part::File(file)) => row.file == Some(file),
                Some(Part::Hunk(file, hunk)) => (row.file, row.hunk) == (Some(file), Some(hunk)),
                None => false,
            };
        match fate {
            Fate::Pending(_) => Span::styled("…", theme.busy),
            Fate::Dropped => Span::styled("×", if meant { theme.key } else { theme.dropped }),
            Fate::Kept if meant => Span::styled("▌", theme.key),
            Fate::Kept => Span::raw(" "),
        }
    }

    fn code(
        &self,
        file: &FileDiff,
        line: &DiffLine<'_>,
        part: &Range<usize>,
        row: usize,
        paint: &dyn Fn(Style) -> Style,
        spans: &mut Vec<Span<'static>>,
    ) {
        let theme = &self.model.theme;
        let (sign, base) = match line.kind {
            LineKind::Context => (" ", theme.text),
            LineKind::Added => ("+", theme.added),
            LineKind::Removed => ("-", theme.removed),
        };
        // A line that goes on below is one line all the same.
        let sign = if row == 0 { sign } else { "┊" };
        spans.push(Span::styled(sign, paint(base)));
        let language = Language::of_file(file.path.file_name()).filter(|_| line.kind != LineKind::Removed);
        let Some(language) = language else {
            spans.push(Span::styled(text::code(&line.text[part.clone()]), paint(base)));
            return;
        };
        for (token, range) in language.tokens(line.text) {
            let (from, to) = (range.start.max(part.start), range.end.min(part.end));
            if from < to {
                let style = match token {
                    Token::Plain => base,
                    Token::Word => theme.keyword,
                    Token::Text => theme.string,
                    Token::Comment => theme.comment,
                };
                spans.push(Span::styled(text::code(&line.text[from..to]), paint(style)));
            }
        }
    }
}
