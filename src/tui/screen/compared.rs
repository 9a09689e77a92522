//! What stands before the files of a comparison: which two drafts it is of, what it rests on, and what is the same in both.

use super::super::bench::{Comparison, Run};
use super::super::theme::Theme;
use super::super::widget::wrap;
use crate::domain::text;
use ratatui::style::Style;
use ratatui::text::Line;

/// Files that are the same in both and are named; the rest is counted.
const SAME: usize = 12;

/// `compared`: the difference, or why there is none; `None` while it is on its way.
pub fn intro(theme: &Theme, run: &Run, compared: Option<Result<&Comparison, &str>>, width: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut put = |body: &str, style: Style| {
        let wrapped = wrap::wrap(&text::block(body), usize::from(width));
        lines.extend(wrapped.into_iter().map(|line| Line::styled(line, style)));
    };
    let told = match compared {
        None => {
            put("Comparing …", theme.dim);
            return lines;
        }
        Some(Err(why)) => {
            put(&format!("Not compared: {why}"), theme.bad);
            return lines;
        }
        Some(Ok(comparison)) => &comparison.told,
    };
    put(&told.title(), theme.title);
    put(&told.outcome(), theme.text);
    if let Some(caution) = told.caution() {
        put(&caution, theme.busy);
    }
    if !told.files.is_empty() {
        put(&format!("- is of draft {}, + of draft {}.", told.against.number, told.number), theme.dim);
    }
    if !told.same.is_empty() {
        let names: Vec<&str> = told.same.iter().take(SAME).map(crate::domain::change::RepoPath::as_str).collect();
        let rest = told.same.len().saturating_sub(SAME);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        put("", theme.text);
        put(&format!("The same in both: {}{more}", names.join(", ")), theme.dim);
    }
    put("", theme.text);
    put(&format!("{}: {}", run.detail.draft.server_name, run.detail.draft.headline), theme.dim);
    lines.push(Line::default());
    lines
}
