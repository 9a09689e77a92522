//! The settings, section by section, with the one being typed in its place; and what there is to say about the one under the cursor.

use super::super::action::Action;
use super::super::model::Model;
use super::super::settings::{Input, Purpose, SettingEditor, SettingsFocus, Trial};
use super::super::theme::Theme;
use super::super::widget::{fit, wrap};
use crate::domain::text;
use crate::protocol::settings::{Finding, Fitness, Setting, SettingKind, SettingSource};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line as Row, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

/// The heading that is there although nothing is under it.
const REPOSITORIES: &str = "Repositories";
/// Columns of a setting's name.
const LABEL: usize = 23;
/// From this width on it is said in the list where a value comes from.
const WITH_SOURCE: u16 = 50;
/// Lines of a result in the list; the rest is beside it.
const RESULT: usize = 3;

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Blank,
    Heading(String),
    /// What to do where there is nothing.
    Hint(String),
    Mistake(String),
    /// By its index.
    Setting(usize),
    /// What came of trying the setting above.
    Trial(usize, String),
    /// The repository that is being typed.
    New,
    /// What `tab` offers for the line above.
    Words,
}

/// All lines of the list, for a width.
pub fn plan(model: &Model, width: u16) -> Vec<Line> {
    let settings = &model.settings;
    let mut out = Vec::new();
    let Some(sheet) = &settings.sheet else { return out };
    if let Some(mistake) = &sheet.mistake {
        let said = format!("{}\nUntil it is mended, what was read before holds.", text::block(mistake));
        out.extend(wrap::wrap(&said, usize::from(width)).into_iter().map(Line::Mistake));
        out.push(Line::Blank);
    }
    out.push(Line::Heading(REPOSITORIES.to_owned()));
    if sheet.settings.first().is_none_or(|first| first.section != REPOSITORIES) {
        let none = format!(" none yet: nothing can be drafted; {} adds one", model.keymap.key(Action::AddRepository));
        out.extend(wrap::wrap(&none, usize::from(width)).into_iter().map(Line::Hint));
    }
    let mut section = REPOSITORIES;
    for (at, setting) in sheet.settings.iter().enumerate() {
        if setting.section != section {
            if section == REPOSITORIES {
                put_new(settings.editor.as_deref(), &mut out);
            }
            section = &setting.section;
            out.extend([Line::Blank, Line::Heading(text::line(section))]);
        }
        out.push(Line::Setting(at));
        put_below(model, setting, at, width, &mut out);
    }
    out
}

fn put_new(editor: Option<&SettingEditor>, out: &mut Vec<Line>) {
    let Some(editor) = editor else { return };
    if matches!(editor.purpose, Purpose::NewServer | Purpose::NewPlace { .. }) {
        out.push(Line::New);
        out.extend((!editor.words.is_empty()).then_some(Line::Words));
    }
}

fn put_below(model: &Model, setting: &Setting, at: usize, width: u16, out: &mut Vec<Line>) {
    let editor = model.settings.editor.as_deref().filter(|editor| is_edited(editor, setting));
    if editor.is_some_and(|editor| !editor.words.is_empty()) {
        out.push(Line::Words);
    }
    let Some(trial) = model.settings.trial(setting) else { return };
    let said = match trial {
        Trial::UnderWay => "… being tested".to_owned(),
        Trial::Done(finding) => format!("{} {}", mark(finding.state), text::line(&finding.sentence())),
    };
    let lines = wrap::wrap(&said, usize::from(width).saturating_sub(4));
    out.extend(lines.into_iter().take(RESULT).map(|line| Line::Trial(at, line)));
}

fn is_edited(editor: &SettingEditor, setting: &Setting) -> bool {
    match &editor.purpose {
        Purpose::Setting(name) | Purpose::Key(name) => *name == setting.name,
        Purpose::NewServer | Purpose::NewPlace { .. } => false,
    }
}

fn mark(state: Fitness) -> &'static str {
    match state {
        Fitness::Good => "✓",
        Fitness::Doubtful => "!",
        Fitness::Bad => "✗",
    }
}

fn style_of(finding: &Finding, theme: &Theme) -> Style {
    match finding.state {
        Fitness::Good => theme.good,
        Fitness::Doubtful => theme.busy,
        Fitness::Bad => theme.bad,
    }
}

/// First and last of the lines that have to be seen: what is typed, or what is under the cursor.
pub fn span(lines: &[Line], model: &Model) -> (usize, usize) {
    let cursor = model.settings.cursor();
    let first = lines.iter().position(|line| *line == Line::New).or_else(|| {
        // With the first setting, what stands above it.
        if cursor == 0 { Some(0) } else { lines.iter().position(|line| *line == Line::Setting(cursor)) }
    });
    let first = first.unwrap_or(0);
    let from = lines.iter().position(|line| *line == Line::Setting(cursor)).unwrap_or(first).max(first);
    let below = |line: &Line| matches!(line, Line::Words) || matches!(line, Line::Trial(at, _) if *at == cursor);
    let more = lines.iter().skip(from + 1).take_while(|line| below(line)).count();
    (first, from + more)
}

pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    if area.is_empty() {
        return;
    }
    if model.settings.sheet.is_none() {
        return frame.render_widget(Paragraph::new(Row::styled(" Reading …", model.theme.dim)), area);
    }
    let lines = plan(model, area.width);
    let shown = lines.iter().skip(model.settings.offset).take(usize::from(area.height));
    for (y, line) in (area.y..).zip(shown) {
        let place = Rect { y, height: 1, ..area };
        frame.render_widget(Paragraph::new(row(model, line, area.width)), place);
        draw_editor(frame, place, model, line);
    }
}

fn row(model: &Model, line: &Line, width: u16) -> Row<'static> {
    let (theme, width) = (&model.theme, usize::from(width));
    match line {
        Line::Blank | Line::New => Row::default(),
        Line::Heading(title) => Row::styled(fit::cut(title, width), theme.title),
        Line::Hint(hint) => Row::styled(hint.clone(), theme.dim),
        Line::Mistake(said) => Row::styled(said.clone(), theme.bad),
        Line::Setting(at) => {
            model.settings.list().get(*at).map_or_else(Row::default, |s| setting(model, s, *at, width))
        }
        Line::Trial(at, said) => {
            let tried = model.settings.list().get(*at).and_then(|setting| model.settings.trial(setting));
            let style = match tried {
                Some(Trial::Done(finding)) => style_of(finding, theme),
                Some(Trial::UnderWay) | None => theme.busy,
            };
            Row::styled(format!("    {said}"), style)
        }
        Line::Words => words(model, width),
    }
}

/// `  drafter        anthropic          line 12`.
fn setting(model: &Model, setting: &Setting, at: usize, width: usize) -> Row<'static> {
    let theme = &model.theme;
    let label_width = LABEL.min(width * 2 / 5);
    let indent = if setting.kind == SettingKind::OfRepository { "    " } else { "  " };
    let label = fit::pad(&format!("{indent}{}", text::line(&setting.label)), label_width);
    let source = if width >= usize::from(WITH_SOURCE) { source(&setting.source) } else { String::new() };
    let source = fit::cut(&source, width / 4);
    // A column stays free, or the source would touch the rule.
    let room = width.saturating_sub(label_width + 1 + source.width() + 2);
    let value = fit::pad(&value(setting), room);
    if model.settings.editor.is_none() && model.settings.cursor() == at {
        let style = if model.settings.focus == SettingsFocus::List { theme.cursor } else { theme.cursor_away };
        return Row::styled(format!("{label} {value} {source} "), style);
    }
    let label_style = if setting.kind == SettingKind::Repository { theme.server } else { theme.text };
    let value_style = if is_said(setting) { theme.typed } else { theme.dim };
    Row::from(vec![
        Span::styled(format!("{label} "), label_style),
        Span::styled(format!("{value} "), value_style),
        Span::styled(source, theme.dim),
    ])
}

/// Somebody has said so, and not the defaults.
fn is_said(setting: &Setting) -> bool {
    !matches!(setting.source, SettingSource::Default | SettingSource::Inherited(_))
}

fn value(setting: &Setting) -> String {
    match (setting.kind, setting.value.is_empty() || setting.value == "[]") {
        (SettingKind::Key, true) => "not set".to_owned(),
        (_, true) => "–".to_owned(),
        (_, false) => text::line(&setting.value),
    }
}

fn source(source: &SettingSource) -> String {
    match source {
        SettingSource::Default => String::new(),
        SettingSource::Line(line) => format!("line {line}"),
        SettingSource::Secrets => "secrets.env".to_owned(),
        SettingSource::Variable(name) | SettingSource::Flag(name) => name.clone(),
        SettingSource::Dashboard => "dashboard".to_owned(),
        SettingSource::Inherited(name) => format!("as {name}"),
    }
}

fn words(model: &Model, width: usize) -> Row<'static> {
    let Some(editor) = &model.settings.editor else { return Row::default() };
    let (mut spans, mut used) = (vec![Span::raw("    ")], 4);
    for (at, word) in editor.words.iter().enumerate() {
        let word = text::clipped(word, 40);
        used += word.width() + 2;
        if used > width {
            break;
        }
        let style = if editor.word == Some(at) { model.theme.key } else { model.theme.dim };
        spans.extend([Span::styled(word, style), Span::raw("  ")]);
    }
    Row::from(spans)
}

/// Over the line it belongs to, where there is one.
fn draw_editor(frame: &mut Frame<'_>, place: Rect, model: &Model, line: &Line) {
    let Some(editor) = model.settings.editor.as_deref() else { return };
    let label = match (line, &editor.purpose) {
        (Line::Setting(at), _) => {
            let Some(setting) = model.settings.list().get(*at).filter(|setting| is_edited(editor, setting)) else {
                return;
            };
            let indent = if setting.kind == SettingKind::OfRepository { "    " } else { "  " };
            format!("{indent}{}", text::line(&setting.label))
        }
        (Line::New, Purpose::NewPlace { server }) => format!("  {} is at", text::clipped(server, 40)),
        (Line::New, _) => "  new server".to_owned(),
        _ => return,
    };
    let theme = &model.theme;
    let label_width = LABEL.min(usize::from(place.width) * 2 / 5);
    let label = fit::pad(&label, label_width);
    let used = u16::try_from(label_width + 1).unwrap_or(place.width).min(place.width);
    frame.render_widget(Paragraph::new(Row::styled(label, theme.key)), place);
    let field = Rect { x: place.x + used, width: place.width - used, ..place };
    frame.render_widget(ratatui::widgets::Clear, field);
    match &editor.input {
        Input::Shown(area) => {
            let mut area = area.clone();
            let saving = editor.saving.is_some();
            area.set_style(if saving { theme.dim } else { theme.typed });
            area.set_cursor_line_style(if saving { theme.dim } else { theme.typed });
            area.set_cursor_style(theme.cursor);
            area.set_placeholder_style(theme.dim);
            frame.render_widget(&*area, field);
        }
        Input::Hidden(hidden) => {
            let dots = hidden.count().min(usize::from(field.width).saturating_sub(1));
            let mut spans = vec![Span::styled("•".repeat(dots), theme.typed)];
            let end = if editor.saving.is_some() { "saving …" } else { "▏" };
            spans.push(Span::styled(end, theme.key));
            frame.render_widget(Paragraph::new(Row::from(spans)), field);
        }
    }
}

/// All lines of the pane beside the list, for a width.
pub fn about(setting: &Setting, trial: Option<&Trial>, theme: &Theme, width: u16) -> Vec<Row<'static>> {
    let mut page = Page { lines: Vec::new(), width: usize::from(width) };
    page.put(&title(setting), theme.server);
    if !setting.value.is_empty() {
        page.put(&text::line(&setting.value), theme.text);
    }
    page.put(&whence(setting), theme.dim);
    if let Some(trial) = trial {
        page.gap();
        match trial {
            Trial::UnderWay => page.put("… being tested", theme.busy),
            Trial::Done(finding) => {
                page.put(&format!("{} {}", mark(finding.state), text::line(&finding.found)), style_of(finding, theme));
                page.put(&text::line(&finding.advice), theme.text);
            }
        }
    }
    page.gap();
    page.put(&text::line(&setting.about), theme.text);
    if !setting.words.is_empty() {
        page.put(&format!("One of {}.", setting.words.join(", ")), theme.text);
    }
    match setting.kind {
        SettingKind::List => {
            page.put("A list: a, b, or as TOML where an item has a comma: [\"a, b\", \"c\"].", theme.dim);
        }
        SettingKind::Key => {
            page.put("Typed hidden. It is never shown, logged or sent anywhere but to its provider.", theme.dim);
        }
        SettingKind::Repository | SettingKind::OfRepository | SettingKind::Value | SettingKind::Place => {}
    }
    if let Some(why) = &setting.fixed {
        page.gap();
        page.put(&format!("It can't be changed here: {}.", text::line(why)), theme.label);
    } else if setting.next_start {
        page.put("It holds from the next start.", theme.label);
    }
    page.lines
}

fn title(setting: &Setting) -> String {
    match setting.kind {
        SettingKind::Repository => format!("The code of {}", text::clipped(&setting.label, 80)),
        SettingKind::Place => format!("{}: {}", setting.section, setting.label),
        SettingKind::OfRepository | SettingKind::Value | SettingKind::List | SettingKind::Key => {
            text::clipped(&setting.name, 120)
        }
    }
}

/// A sentence about where the value comes from.
fn whence(setting: &Setting) -> String {
    match (&setting.source, setting.kind) {
        (SettingSource::Default, SettingKind::Place) => String::new(),
        (SettingSource::Default, SettingKind::Key) => "not set".to_owned(),
        (SettingSource::Default, _) if setting.value.is_empty() => "not set, as by default".to_owned(),
        (SettingSource::Default, _) => "the default".to_owned(),
        (SettingSource::Line(line), _) => format!("line {line} of config.toml"),
        (SettingSource::Secrets, _) => "from secrets.env".to_owned(),
        (SettingSource::Variable(name), _) => format!("from the environment: {name}"),
        (SettingSource::Flag(name), _) => format!("from the command line: {name}"),
        (SettingSource::Dashboard, _) => "saved over HTTP, holds as long as config.toml says nothing".to_owned(),
        (SettingSource::Inherited(name), _) => format!("not set here: as {name} says"),
    }
}

struct Page {
    lines: Vec<Row<'static>>,
    width: usize,
}

impl Page {
    fn put(&mut self, said: &str, style: Style) {
        if !said.is_empty() {
            self.lines.extend(wrap::wrap(said, self.width).into_iter().map(|line| Row::styled(line, style)));
        }
    }

    fn gap(&mut self) {
        self.lines.push(Row::default());
    }
}
