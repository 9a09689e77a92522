//! The list of servers, the one heard last at the top, and the one under the cursor in full.

use super::super::model::Model;
use super::super::servers::ServersFocus;
use super::super::theme::Theme;
use super::super::widget::{age, fit, wrap};
use crate::domain::server::{Heard, Server};
use crate::domain::text;
use crate::domain::time::Millis;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    if area.is_empty() {
        return;
    }
    let servers = &model.servers.list;
    if servers.is_empty() {
        let said = if model.servers.read_once {
            "No server was heard of yet. Copy a drop-in into an MCP server: the README says how."
        } else {
            "Reading …"
        };
        let lines = wrap::wrap(said, usize::from(area.width).saturating_sub(2));
        let lines = lines.into_iter().map(|l| Line::styled(format!(" {l}"), model.theme.dim));
        let lines: Vec<Line<'_>> = std::iter::once(Line::default()).chain(lines).collect();
        return frame.render_widget(Paragraph::new(lines), area);
    }
    let cursor = model.servers.cursor();
    let shown = servers.iter().enumerate().skip(model.servers.offset).take(usize::from(area.height));
    let lines: Vec<Line<'_>> = shown.map(|(i, server)| line(model, server, i == cursor, area.width)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// `! 2h  billing   12 tools   3 of 40`.
fn line(model: &Model, server: &Server, under_cursor: bool, width: u16) -> Line<'static> {
    let theme = &model.theme;
    let warned = !server.warnings(model.now).is_empty();
    let (mark, style) = if warned { ("! ", theme.bad) } else { ("  ", theme.dim) };
    let heard = server.last_heard().map_or_else(String::new, |at| age::age(model.now, at));
    let counts = format!(" {}", counts(server));
    let tools = match &server.heartbeat {
        Some(heard) if width >= 50 => format!(" {:>9}", counted(heard.tool_count, "tool")),
        None if width >= 50 => " ".repeat(10),
        Some(_) | None => String::new(),
    };
    let mut spans = vec![Span::styled(mark, style), Span::styled(format!("{heard:>4} "), theme.dim)];
    let used: usize = spans.iter().map(Span::width).sum();
    let room = usize::from(width).saturating_sub(used + tools.len() + counts.len());
    spans.push(Span::styled(fit::pad(&text::line(&server.name), room), theme.server));
    spans.push(Span::styled(tools, theme.dim));
    spans.push(Span::styled(counts, if server.reports.unreviewed > 0 { theme.text } else { theme.dim }));
    if !under_cursor {
        return Line::from(spans);
    }
    let all: String = spans.iter().map(|s| s.content.as_ref()).collect();
    Line::styled(all, if model.servers.focus == ServersFocus::List { theme.cursor } else { theme.cursor_away })
}

/// Unreviewed of all, in a column of its own.
fn counts(server: &Server) -> String {
    format!("{:>11}", format!("{} of {}", server.reports.unreviewed, server.reports.total))
}

fn counted(n: i64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// All lines of the pane beside the list, for a width.
pub fn lines(server: &Server, theme: &Theme, now: Millis, width: u16) -> Vec<Line<'static>> {
    let mut page = Page { lines: Vec::new(), theme, width: usize::from(width) };
    page.body(&text::clipped(&server.name, 200), theme.server);
    for warning in server.warnings(now) {
        let sentence = warning.sentence();
        page.body(&format!("! It {}{}", if sentence.starts_with("silent") { "is " } else { "" }, sentence), theme.bad);
    }
    let reports = server.reports;
    let counts = format!("{}, {} unreviewed", counted(reports.total, "report"), reports.unreviewed);
    let last = reports.last.map_or_else(String::new, |last| format!("\nthe last one {}", ago(now, last)));
    page.section("Reports", &format!("{counts}{last}"), theme.text);
    match &server.heartbeat {
        Some(heard) => page.heartbeat(heard, now),
        None => page.section("Heartbeat", "none: what sends its reports sends no heartbeats, which is fine", theme.dim),
    }
    page.lines
}

fn ago(now: Millis, then: Millis) -> String {
    match age::age(now, then).as_str() {
        "now" => "just now".to_owned(),
        age => format!("{age} ago"),
    }
}

struct Page<'t> {
    lines: Vec<Line<'static>>,
    theme: &'t Theme,
    width: usize,
}

impl Page<'_> {
    fn section(&mut self, title: &str, body: &str, style: Style) {
        if body.trim().is_empty() {
            return;
        }
        self.lines.push(Line::default());
        self.lines.push(Line::styled(title.to_owned(), self.theme.label));
        self.body(body, style);
    }

    fn body(&mut self, body: &str, style: Style) {
        let wrapped = wrap::wrap(&text::block(body), self.width);
        self.lines.extend(wrapped.into_iter().map(|line| Line::styled(line, style)));
    }

    fn heartbeat(&mut self, heard: &Heard, now: Millis) {
        let theme = self.theme;
        self.section(&format!("Tools ({})", heard.tool_count), &heard.tool_names.join(", "), theme.text);
        match heard.has_feedback_tool() {
            Some(true) => {}
            Some(false) => self.body("The feedback tool is not among them: agents can't report.", theme.bad),
            None => self.section("Tools", &format!("{}, without their names", heard.tool_count), theme.dim),
        }
        let pulse = heard.pulse;
        let said =
            format!("the last one {}\nthe first one {}", ago(now, pulse.last_heard), ago(now, pulse.first_heard));
        self.section("Heartbeat", &said, theme.text);
        let senders = [("drop-in ", &heard.drop_in), ("SDK ", &heard.sdk), ("client ", &heard.client)];
        let senders = senders.into_iter().filter(|(_, text)| !text.is_empty());
        let senders: Vec<String> = senders.map(|(what, text)| format!("{what}{}", text::clipped(text, 200))).collect();
        self.section("Sent by", &senders.join("\n"), theme.dim);
    }
}
