//! A draft run in full: its stages as they go, the files that change, the ones it was chosen from, the log. The change itself is on the bench.

use super::super::bench::{Change, Run};
use super::super::theme::Theme;
use super::super::widget::{age, wrap};
use crate::domain::draft::{Checks, Draft, DraftState, PullState, Stage, StageRecord, Verdict};
use crate::domain::text;
use crate::domain::time::Millis;
use crate::protocol::Progress;
use crate::protocol::read::RankedFile;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Files of the context that are named; the rest is counted.
const FILES: usize = 12;
/// Lines of the log shown, from its end; the diff above has what matters.
const LOG: usize = 200;

/// How much is said of the stages of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    All,
    /// Of the one where it is, and of one that went wrong on the way.
    Few,
    /// The same, as short as can be.
    Fewest,
}

/// The stages, marked as done, running, failed or to come; with as many words as there are columns for.
pub fn steps(draft: &Draft, theme: &Theme, columns: usize) -> Vec<Span<'static>> {
    // Two blanks follow the last one too, and need not be seen.
    let fits = |spans: &[Span<'_>]| spans.iter().map(Span::width).sum::<usize>() <= columns + 2;
    let [all, few] = [Words::All, Words::Few].map(|words| steps_in(draft, theme, words));
    match (fits(&all), fits(&few)) {
        (true, _) => all,
        (false, true) => few,
        (false, false) => steps_in(draft, theme, Words::Fewest),
    }
}

fn steps_in(draft: &Draft, theme: &Theme, words: Words) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    // What is optional is shown where a run goes there.
    let goes = |stage: &&Stage| match stage {
        Stage::Review => draft.confirm,
        Stage::Verify => draft.verdict.is_some() || draft.state.stage() == Some(Stage::Verify),
        Stage::Checkout | Stage::Context | Stage::Model | Stage::Check | Stage::Publish => true,
    };
    for stage in Stage::ALL.iter().filter(goes) {
        let (mark, style) = mark(draft, *stage, theme);
        let current = draft.state.stage() == Some(*stage);
        let step = match (went_wrong(draft, *stage), words) {
            (true, Words::All | Words::Few) => format!("{mark} {stage} failed  "),
            (true, Words::Fewest) | (false, Words::All) => format!("{mark} {stage}  "),
            (false, Words::Few | Words::Fewest) if current => format!("{mark} {stage}  "),
            (false, Words::Few | Words::Fewest) => format!("{mark} "),
        };
        spans.push(Span::styled(step, style));
    }
    spans
}

/// Whether a stage failed and the run went on: a change whose `verify` is red still waits for somebody who looks at it.
fn went_wrong(draft: &Draft, stage: Stage) -> bool {
    stage == Stage::Verify && draft.verdict == Some(Verdict::Failed) && draft.state.stage() != Some(stage)
}

/// Whether it waits although its `verify` failed.
pub fn is_red(draft: &Draft) -> bool {
    matches!(draft.state, DraftState::Waiting { .. }) && draft.verdict == Some(Verdict::Failed)
}

fn mark(draft: &Draft, stage: Stage, theme: &Theme) -> (&'static str, Style) {
    if went_wrong(draft, stage) {
        return ("✗", theme.bad);
    }
    let now = &draft.state;
    let reached = now.stage();
    match now {
        DraftState::Published { .. } => ("✓", theme.good),
        DraftState::Running { .. } if reached == Some(stage) => ("▸", theme.busy),
        DraftState::Waiting { .. } if reached == Some(stage) => ("?", theme.busy),
        DraftState::Failed { .. } if reached == Some(stage) => ("✗", theme.bad),
        DraftState::Cancelled { .. } if reached == Some(stage) => ("✗", theme.dim),
        DraftState::Running { .. }
        | DraftState::Waiting { .. }
        | DraftState::Failed { .. }
        | DraftState::Cancelled { .. }
            if reached.is_some_and(|reached| stage < reached) =>
        {
            ("✓", theme.good)
        }
        DraftState::Queued
        | DraftState::Running { .. }
        | DraftState::Waiting { .. }
        | DraftState::Failed { .. }
        | DraftState::Cancelled { .. } => ("·", theme.dim),
    }
}

/// How it stands, in a sentence.
pub fn outcome(draft: &Draft, theme: &Theme) -> (String, Style) {
    match &draft.state {
        DraftState::Queued => ("waiting for a free place".to_owned(), theme.dim),
        DraftState::Running { stage } => (stage.title().to_owned(), theme.busy),
        DraftState::Waiting { trouble } if !trouble.is_empty() => (format!("not published: {trouble}"), theme.bad),
        DraftState::Waiting { .. } => ("waits for your review".to_owned(), theme.busy),
        DraftState::Published { published } if published.pr_url.is_empty() => {
            (format!("branch {} in {}", published.branch, published.repository), theme.good)
        }
        DraftState::Published { published } => match pull(draft, theme) {
            Some((pull, style)) => (format!("{pull}  {}", published.pr_url), style),
            None => (published.pr_url.clone(), theme.good),
        },
        DraftState::Failed { reason, .. } => (format!("failed: {reason}"), theme.bad),
        DraftState::Cancelled { .. } => ("cancelled".to_owned(), theme.dim),
    }
}

/// Tokens and what they cost, where any were used.
pub fn tokens(draft: &Draft) -> Option<String> {
    let usage = draft.usage;
    let spent = draft.spent()?;
    if usage.input_tokens + usage.output_tokens == 0 {
        return Some(spent);
    }
    let cached = if usage.cached_tokens > 0 { format!(" ({} cached)", usage.cached_tokens) } else { String::new() };
    Some(format!("{} tokens in{cached}, {} out, {spent}", usage.input_tokens, usage.output_tokens))
}

/// What became of its pull request.
pub fn pull(draft: &Draft, theme: &Theme) -> Option<(String, Style)> {
    let pull = draft.pull.as_ref()?;
    let (word, style) = match pull.state {
        PullState::Merged => return Some(("PR ✓ merged".to_owned(), theme.good)),
        PullState::Closed => return Some(("PR ✗ closed".to_owned(), theme.dim)),
        PullState::Open => ("PR open", theme.text),
        PullState::Draft => ("PR draft", theme.text),
    };
    let (checks, style) = match pull.checks {
        Checks::None => ("", style),
        Checks::Pending => (", checks …", theme.busy),
        Checks::Passed => (", checks ✓", theme.good),
        Checks::Failed => (", checks ✗", theme.bad),
        Checks::Unknown => (", checks unknown", style),
    };
    Some((format!("{word}{checks}"), style))
}

/// The keys that show the change, and what it does otherwise than the draft before; and that publish one whose `verify` failed.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'k> {
    pub turn_over: &'k str,
    pub compare: &'k str,
    pub publish_anyway: &'k str,
}

/// All lines of the pane, for a width.
pub fn lines(
    Run { detail: run, change }: &Run,
    progress: Option<&Progress>,
    theme: &Theme,
    now: Millis,
    width: u16,
    keys: Keys<'_>,
) -> Vec<Line<'static>> {
    let mut page = Page { lines: Vec::new(), theme, width: usize::from(width) };
    page.head(&run.draft);
    // What streams in is what is followed, so it is the end of the page.
    let is_current = |stage: &&StageRecord| run.draft.state.is_active() && stage.ended_at.is_none();
    let current = run.stages.last().filter(is_current);
    let ended = run.stages.len() - usize::from(current.is_some());
    for stage in run.stages.iter().take(ended) {
        page.stage(stage, &run.draft, None, now);
    }
    let stages_end = page.lines.len();
    let (sentence, style) = outcome(&run.draft, theme);
    if !run.draft.state.is_active() {
        page.blank();
        page.body("", &sentence, style);
    }
    if is_red(&run.draft) {
        let said =
            format!("`verify` failed: {} shows the change, {} there publishes it", keys.turn_over, keys.publish_anyway);
        page.body("", &said, theme.bad);
    }
    let against = run.earlier.as_ref().map(|earlier| (keys.compare, earlier.number));
    page.change(change, keys.turn_over, against);
    page.files(&run.files);
    page.log(&run.log);
    if let Some(stage) = current {
        if page.lines.len() > stages_end {
            page.blank();
        }
        page.stage(stage, &run.draft, progress.filter(|p| p.stage == stage.stage), now);
    }
    page.lines
}

struct Page<'t> {
    lines: Vec<Line<'static>>,
    theme: &'t Theme,
    width: usize,
}

impl Page<'_> {
    fn blank(&mut self) {
        self.lines.push(Line::default());
    }

    fn title(&mut self, title: String) {
        self.blank();
        self.lines.push(Line::styled(title, self.theme.label));
    }

    fn body(&mut self, indent: &str, body: &str, style: Style) {
        let wrapped = wrap::wrap(&text::block(body), self.width.saturating_sub(indent.len()));
        self.lines.extend(wrapped.into_iter().map(|line| Line::styled(format!("{indent}{line}"), style)));
    }

    fn head(&mut self, draft: &Draft) {
        let theme = self.theme;
        let model = text::clipped(&draft.model, 40);
        let who = if model.is_empty() { draft.drafter.to_string() } else { format!("{} ({model})", draft.drafter) };
        let head =
            format!("Draft {} for {}: {who} to {}", draft.number, text::clipped(&draft.server_name, 40), draft.target);
        self.body("", &head, theme.title);
        self.body("", &draft.headline, theme.text);
        if let Some(spent) = tokens(draft) {
            self.body("", &spent, theme.dim);
        }
        if let Some((verdict, style)) = super::bench::verdict(draft, theme) {
            self.body("", &verdict, style);
        }
        if let Some((pull, style)) = pull(draft, theme) {
            self.body("", &pull, style);
        }
        self.blank();
    }

    fn stage(&mut self, record: &StageRecord, draft: &Draft, progress: Option<&Progress>, now: Millis) {
        let theme = self.theme;
        let (mark, style) = mark(draft, record.stage, theme);
        let ended = if went_wrong(draft, record.stage) { ": failed" } else { "" };
        let until = record.ended_at.unwrap_or(if draft.state.is_active() { now } else { draft.updated_at });
        let took = age::took(until.since(record.started_at));
        self.lines.push(Line::from(vec![
            Span::styled(format!("{mark} {}{ended}", record.stage.title()), style),
            Span::styled(format!("  {took}"), theme.dim),
        ]));
        for detail in &record.details {
            self.body("    ", detail, theme.dim);
        }
        if let Some(progress) = progress.filter(|_| record.ended_at.is_none()) {
            self.lines.push(Line::styled(format!("    {} bytes so far", progress.bytes), theme.busy));
            let tail = text::block(&progress.tail);
            for line in tail.lines() {
                self.body("    ", line, theme.text);
            }
        }
    }

    fn files(&mut self, files: &[RankedFile]) {
        if files.is_empty() {
            return;
        }
        self.title(format!("Files shown to the drafter ({})", files.iter().filter(|f| f.tokens > 0).count()));
        for file in files.iter().take(FILES) {
            let fits = match (file.tokens, file.left_out.as_str()) {
                // Runs of earlier versions did not keep the reason.
                (0, "") => "not shown".to_owned(),
                (0, why) => format!("not shown: {why}"),
                (tokens, _) => format!("{tokens} tokens"),
            };
            let line = format!("{:>6.1}  {}  {fits}", file.score, file.path);
            self.body("", &line, self.theme.text);
            self.body("        ", &file.reasons.join(", "), self.theme.dim);
        }
        if files.len() > FILES {
            self.body("", &format!("and {} more", files.len() - FILES), self.theme.dim);
        }
    }

    /// Its files in a line each; the lines of it are on the other side.
    fn change(&mut self, change: &Change, turn_over: &str, against: Option<(&str, i64)>) {
        if change.files.is_empty() && change.trouble.is_none() {
            return;
        }
        let total = change.total();
        let compare =
            against.map_or_else(String::new, |(key, number)| format!(", {key} what differs from draft {number}"));
        self.title(format!("The change, +{} −{}; {turn_over} shows it{compare}", total.added, total.removed));
        for ((file, counts), remarks) in change.files.iter().zip(&change.counts).zip(&change.remarks).take(FILES) {
            let mut line = format!("{}  +{} −{}", file.path, counts.added, counts.removed);
            for remark in remarks {
                line.push_str(", ");
                line.push_str(remark);
            }
            self.body("", &line, self.theme.text);
        }
        if change.files.len() > FILES {
            self.body("", &format!("and {} more", change.files.len() - FILES), self.theme.dim);
        }
    }

    fn log(&mut self, log: &str) {
        if log.trim().is_empty() {
            return;
        }
        let lines: Vec<&str> = log.lines().collect();
        let skipped = lines.len().saturating_sub(LOG);
        self.title(if skipped > 0 {
            format!("Log (the last {LOG} of {} lines)", lines.len())
        } else {
            "Log".to_owned()
        });
        for line in lines.into_iter().skip(skipped) {
            self.body("", line, self.theme.dim);
        }
    }
}
