//! Where everything is, as a pure function of the model: drawing, scrolling and the mouse ask the same one.

use super::super::model::{DraftsFocus, Focus, Model, View};
use super::super::servers::ServersFocus;
use super::super::settings::SettingsFocus;
use super::{bench, run_panel};
use ratatui::layout::Rect;

/// From this width on list and detail stand side by side.
const WIDE: u16 = 100;
/// From this size on the detail stands under the list.
const TALL: (u16, u16) = (60, 20);

/// From this height on there is room for facts about a change.
const ROOMY: u16 = 12;
/// Columns for the names of files beside a change, and rows for them over it.
const FILES: (u16, u16) = (34, 5);

/// Rectangles of the parts; those that are not shown are empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout {
    pub header: Rect,
    /// Between header and footer.
    pub body: Rect,
    /// Over a change: its title, what is known and what is in the way.
    pub head: Rect,
    /// The filter, with what is wrong with it or could follow; over a change: where the eye is in it.
    pub bar: Rect,
    pub rows: Rect,
    pub rule: Rect,
    /// The report or the run, scrolling.
    pub text: Rect,
    /// Under the text: a run's progress, or the note being written.
    pub panel: Rect,
    pub footer: Rect,
}

pub fn of(model: &Model) -> Layout {
    let size = model.size;
    let header = Rect { height: size.height.min(1), ..size };
    let footer = Rect { y: size.bottom().saturating_sub(1), height: u16::from(size.height > 1), ..size };
    let body = Rect { y: header.bottom(), height: size.height.saturating_sub(2), ..size };
    if model.on_bench() {
        return bench(model, Layout { header, body, footer, ..Layout::default() });
    }
    let Split { list, rule, side } = split(body, in_side(model), share(model));
    let mut layout = Layout { header, body, rule, footer, ..Layout::default() };
    match model.view {
        View::Drafts | View::Servers | View::Settings => (layout.rows, layout.text) = (list, side),
        View::Inbox => {
            (layout.bar, layout.rows) = cut_top(list, bar_height(model));
            let panel = panel_height(model, side);
            (layout.text, layout.panel) = cut_bottom(side, panel);
        }
    }
    layout
}

/// A change has the whole screen: code is wide.
fn bench(model: &Model, mut layout: Layout) -> Layout {
    let body = layout.body;
    let head = bench::head(model, body.width, body.height >= ROOMY).len();
    // Half of the room stays for the change, whatever there is to say.
    let head = u16::try_from(head).unwrap_or(u16::MAX).min(body.height / 2);
    let rest;
    (layout.head, rest) = cut_top(body, head);
    let files = model.sheet().map_or(0, |sheet| sheet.files.len());
    let mut paper = rest;
    if body.width >= WIDE {
        layout.rows = Rect { width: FILES.0, ..rest };
        layout.rule = Rect { x: layout.rows.right(), width: 1, ..rest };
        paper = Rect { x: layout.rule.right() + 1, width: rest.width - FILES.0 - 2, ..rest };
    } else if body.height >= TALL.1 && files > 1 {
        (layout.rows, paper) = cut_top(rest, u16::try_from(files + 1).unwrap_or(u16::MAX).min(FILES.1));
    }
    (layout.bar, layout.text) = cut_top(paper, 1);
    layout
}

/// Whether the keys are in the pane beside the list, which a narrow screen then shows alone.
fn in_side(model: &Model) -> bool {
    match (model.view, &model.inbox.focus) {
        (View::Inbox, Focus::Detail | Focus::Note(_)) => true,
        (View::Inbox, Focus::List | Focus::Filter(_)) => false,
        (View::Servers, _) => model.servers.focus == ServersFocus::Server,
        (View::Settings, _) => model.settings.focus == SettingsFocus::About,
        (View::Drafts, _) => model.drafts.focus == DraftsFocus::Run,
    }
}

#[derive(Default)]
struct Split {
    list: Rect,
    rule: Rect,
    side: Rect,
}

/// Percent of the width and of the height that the list has beside or above the other pane. Settings are read in the list; what is said
/// about one is short.
fn share(model: &Model) -> (u16, u16) {
    match model.view {
        View::Inbox | View::Drafts | View::Servers => (45, 40),
        View::Settings => (55, 62),
    }
}

fn split(body: Rect, in_side: bool, (wide, tall): (u16, u16)) -> Split {
    if body.width >= WIDE {
        let width = body.width * wide / 100;
        let list = Rect { width, ..body };
        let rule = Rect { x: list.right(), width: 1, ..body };
        let side = Rect { x: rule.right() + 1, width: body.width - width - 2, ..body };
        return Split { list, rule, side };
    }
    if body.width >= TALL.0 && body.height >= TALL.1 {
        let height = body.height * tall / 100;
        let list = Rect { height, ..body };
        let rule = Rect { y: list.bottom(), height: 1, ..body };
        let side = Rect { y: rule.bottom(), height: body.height - height - 1, ..body };
        return Split { list, rule, side };
    }
    if in_side { Split { side: body, ..Split::default() } } else { Split { list: body, ..Split::default() } }
}

/// One line for the filter; while it is typed, one more for the mistake or what could follow.
fn bar_height(model: &Model) -> u16 {
    match model.inbox.focus {
        Focus::Filter(_) => 2,
        Focus::List | Focus::Detail | Focus::Note(_) => 1,
    }
}

fn panel_height(model: &Model, side: Rect) -> u16 {
    match model.inbox.focus {
        Focus::Note(_) => (side.height / 2).clamp(4, 12).min(side.height),
        Focus::List | Focus::Detail | Focus::Filter(_) => run_panel::height(model, side.height),
    }
}

fn cut_top(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    (Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area })
}

fn cut_bottom(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let rest = area.height - height;
    (Rect { height: rest, ..area }, Rect { y: area.y + rest, height, ..area })
}
