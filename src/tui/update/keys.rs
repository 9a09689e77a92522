//! Key presses and pasted text.

use super::super::action::{Action, Context};
use super::super::message::Effect;
use super::super::model::{Chooser, Focus, Model, Mood, Overlay, Question, View};
use super::super::theme::Shade;
use super::{bench, drafts, filter, list, note, servers, settings, settings_edit, triage};
use crossterm::event::{KeyEvent, KeyEventKind};

/// Keys that are kept for a list that is still being read.
const EARLY: usize = 64;

/// Lines of a step of the half-page keys when nobody knows the pane's height.
const HELP_STEP: usize = 8;

pub(super) fn key(model: &mut Model, key: KeyEvent, out: &mut Vec<Effect>) {
    if key.kind == KeyEventKind::Release {
        return;
    }
    let action = model.keymap.action(model.context(), key);
    if is_early(model, action) {
        if model.early.len() < EARLY {
            model.early.push(key);
        }
        return;
    }
    let about = model.status.take().and_then(|status| status.about);
    model.reads_fail = false;
    match action {
        Some(Action::Drafts) => drafts::show(model, about),
        Some(action) => act(model, action, out),
        None if model.context() == Context::Edit => settings_edit::typed(model, key),
        None if model.context() == Context::Base => bench::base_typed(model, key),
        None => match &model.inbox.focus {
            Focus::Note(_) => note::typed(model, key, out),
            Focus::Filter(_) => filter::typed(model, key, out),
            Focus::List | Focus::Detail => {}
        },
    }
}

/// Whether a key is about a list that is still being read, or was typed behind one that is. It is pressed when the list is there.
fn is_early(model: &Model, action: Option<Action>) -> bool {
    if model.ready || model.reads_fail {
        return false;
    }
    let about_the_list = matches!(model.context(), Context::List | Context::Detail);
    match action {
        Some(Action::Interrupt | Action::Suspend) => false,
        Some(
            Action::Quit
            | Action::Help
            | Action::Theme
            | Action::Inbox
            | Action::Drafts
            | Action::Servers
            | Action::Settings
            | Action::NextView,
        ) => !model.early.is_empty(),
        Some(_) | None => about_the_list,
    }
}

/// The theme that goes with the terminal, unless the user has chosen one meanwhile.
pub(super) fn background(model: &mut Model, shade: Shade) {
    if model.chooser == Chooser::Terminal && model.theme.shade != shade {
        model.theme = model.theme.other();
    }
}

/// Pasted text is text, never keys: outside an editor it is refused, so that a slip of the clipboard can't review fifty reports.
pub(super) fn paste(model: &mut Model, text: &str, out: &mut Vec<Effect>) {
    match model.context() {
        Context::Note => note::pasted(model, text, out),
        Context::Filter => filter::pasted(model, text, out),
        Context::Edit => settings_edit::pasted(model, text),
        Context::Base => bench::base_pasted(model, text),
        Context::List | Context::Detail => {
            let hint = format!(
                "Pasted text has no place here: {} writes a note, {} a filter",
                model.keymap.key(Action::Note),
                model.keymap.key(Action::Filter)
            );
            model.say(Mood::Plain, hint);
        }
        Context::Drafts
        | Context::Run
        | Context::Review
        | Context::Servers
        | Context::Server
        | Context::Settings
        | Context::Setting
        | Context::Help
        | Context::Confirm => model.say(Mood::Plain, "Pasted text has no place here"),
    }
}

fn act(model: &mut Model, action: Action, out: &mut Vec<Effect>) {
    match action {
        Action::Quit => quit(model, out),
        Action::Interrupt => out.push(Effect::Quit),
        Action::Suspend => out.push(Effect::Suspend),
        Action::Help => model.overlays.push(Overlay::Help { scroll: 0 }),
        Action::CloseHelp | Action::No => drop(model.overlays.pop()),
        Action::Yes => yes(model, out),
        Action::Theme => (model.theme, model.chooser) = (model.theme.other(), Chooser::User),
        Action::Inbox => model.view = View::Inbox,
        Action::Drafts => drafts::show(model, None),
        Action::Servers => servers::show(model, out),
        Action::Settings => settings::show(model, out),
        Action::NextView => match model.view {
            View::Inbox => drafts::show(model, None),
            View::Drafts => servers::show(model, out),
            View::Servers => settings::show(model, out),
            View::Settings => model.view = View::Inbox,
        },
        Action::Down => step(model, 1, out),
        Action::Up => step(model, -1, out),
        Action::HalfPageDown => half_page(model, 1, out),
        Action::HalfPageUp => half_page(model, -1, out),
        Action::Top => edge(model, true, out),
        Action::Bottom => edge(model, false, out),
        Action::Open => open(model),
        Action::Back => back(model),
        Action::Filter => filter::start(model, out),
        Action::AcceptFilter => filter::accept(model, out),
        Action::LeaveFilter => filter::leave(model, out),
        Action::Complete => filter::complete(model, out),
        Action::HideReviewed => list::toggle_reviewed(model, out),
        Action::Review => triage::review(model, out),
        Action::Select => triage::select(model),
        Action::Undo => triage::undo(model, out),
        Action::Note => note::start(model),
        Action::NoteInEditor => note::edit_outside(model, out),
        Action::SaveNote => note::save(model, out),
        Action::LeaveNote => note::leave(model),
        Action::PublicNote => note::toggle_public(model),
        Action::Draft => drafts::start(model, false, out),
        Action::Redraft => drafts::start(model, true, out),
        Action::Cancel => drafts::cancel(model, out),
        Action::TurnOver => bench::turn_over(model),
        Action::Compare => bench::compare(model),
        Action::NextHunk => bench::hunk(model, true),
        Action::PreviousHunk => bench::hunk(model, false),
        Action::NextFile => bench::file(model, true),
        Action::PreviousFile => bench::file(model, false),
        Action::DropHunk => bench::drop_part(model, out),
        Action::EditText => bench::edit_text(model, out),
        Action::BaseBranch => bench::base_begin(model),
        Action::AcceptBase => bench::base_accept(model, out),
        Action::LeaveBase => bench::base_leave(model),
        Action::ReadyOrDraft => bench::ready_or_draft(model, out),
        Action::Publish => bench::publish(model, false, out),
        Action::PublishAnyway => bench::publish(model, true, out),
        Action::Discard => bench::ask_discard(model),
        Action::OpenLink => triage::open_link(model, out),
        Action::Copy => triage::copy(model, out),
        Action::Edit => settings_edit::start(model),
        Action::AddRepository => settings_edit::add(model, out),
        Action::Remove => settings::remove(model, out),
        Action::Test => settings::test(model, out),
        Action::Explain => settings::explain(model),
        Action::SaveSetting => settings_edit::save(model, out),
        Action::NextWord => settings_edit::next_word(model),
        Action::LeaveSetting => settings_edit::leave(model),
    }
}

fn quit(model: &mut Model, out: &mut Vec<Effect>) {
    match model.running() {
        0 => out.push(Effect::Quit),
        running => model.overlays.push(Overlay::Confirm(Question::QuitWhileDrafting(running))),
    }
}

fn yes(model: &mut Model, out: &mut Vec<Effect>) {
    match model.overlays.pop() {
        Some(Overlay::Confirm(Question::QuitWhileDrafting(_))) => out.push(Effect::Quit),
        Some(Overlay::Confirm(Question::RemoveSetting { name, .. })) => settings::remove_now(model, name, out),
        Some(Overlay::Confirm(Question::Discard(drafts))) => bench::discard(model, drafts, out),
        Some(Overlay::Confirm(Question::Replace { reports, .. })) => drafts::start_all(model, reports, true, out),
        Some(Overlay::Help { .. }) | None => {}
    }
}

/// Moves whatever has the keys.
pub(super) fn step(model: &mut Model, by: isize, out: &mut Vec<Effect>) {
    match model.context() {
        Context::List | Context::Filter => list::step(model, by),
        Context::Detail | Context::Note => scroll(&mut model.inbox.scroll, by),
        Context::Drafts => drafts::step(model, by),
        Context::Review => bench::step(model, by),
        Context::Run if model.on_bench() => bench::step(model, by),
        Context::Run => drafts::scroll(model, by),
        Context::Servers => servers::step(model, by),
        Context::Server => servers::scroll(model, by),
        Context::Settings => settings::step(model, by),
        Context::Setting => settings::scroll(model, by),
        Context::Help => scroll_help(model, by),
        Context::Base | Context::Confirm | Context::Edit => {}
    }
    // Moving asks for nothing by itself; `settle` sees what came into view.
    let _: &mut Vec<Effect> = out;
}

pub(super) fn scroll(at: &mut usize, by: isize) {
    *at = at.saturating_add_signed(by);
}

fn scroll_help(model: &mut Model, by: isize) {
    if let Some(Overlay::Help { scroll: at }) = model.overlays.last_mut() {
        scroll(at, by);
    }
}

fn half_page(model: &mut Model, direction: isize, out: &mut Vec<Effect>) {
    let layout = model.layout();
    let height = match model.context() {
        Context::List | Context::Drafts | Context::Servers | Context::Settings | Context::Edit | Context::Filter => {
            usize::from(layout.rows.height)
        }
        Context::Detail | Context::Run | Context::Review | Context::Server | Context::Setting | Context::Note => {
            usize::from(layout.text.height)
        }
        Context::Help | Context::Base | Context::Confirm => 2 * HELP_STEP,
    };
    let by = isize::try_from((height / 2).max(1)).unwrap_or(1);
    step(model, by * direction, out);
}

fn edge(model: &mut Model, top: bool, out: &mut Vec<Effect>) {
    match (model.context(), top) {
        (Context::List | Context::Filter, true) => list::top(model, out),
        (Context::List | Context::Filter, false) => list::bottom(model, out),
        (Context::Detail | Context::Note, true) => model.inbox.scroll = 0,
        (Context::Detail | Context::Note, false) => model.inbox.scroll = usize::MAX,
        (Context::Drafts, top) => drafts::edge(model, top),
        (Context::Review, top) => bench::edge(model, top),
        (Context::Run, top) if model.on_bench() => bench::edge(model, top),
        (Context::Run, true) => drafts::scroll(model, isize::MIN),
        (Context::Run, false) => drafts::scroll(model, isize::MAX),
        (Context::Servers, top) => servers::edge(model, top),
        (Context::Server, true) => servers::scroll(model, isize::MIN),
        (Context::Server, false) => servers::scroll(model, isize::MAX),
        (Context::Settings, top) => settings::edge(model, top),
        (Context::Setting, true) => settings::scroll(model, isize::MIN),
        (Context::Setting, false) => settings::scroll(model, isize::MAX),
        (Context::Help, true) => scroll_help(model, isize::MIN),
        (Context::Help, false) => scroll_help(model, isize::MAX),
        (Context::Base | Context::Confirm | Context::Edit, _) => {}
    }
}

fn open(model: &mut Model) {
    match model.view {
        View::Inbox if model.row().is_some() => model.inbox.focus = Focus::Detail,
        View::Inbox => {}
        View::Drafts => drafts::open(model),
        View::Servers => servers::open(model),
        View::Settings => settings::explain(model),
    }
}

fn back(model: &mut Model) {
    match model.context() {
        Context::Detail => model.inbox.focus = Focus::List,
        Context::List => model.inbox.marked.clear(),
        Context::Run | Context::Review => model.drafts.focus = super::super::model::DraftsFocus::List,
        Context::Server => model.servers.focus = super::super::servers::ServersFocus::List,
        Context::Setting => model.settings.focus = super::super::settings::SettingsFocus::List,
        Context::Drafts | Context::Servers | Context::Settings => model.view = View::Inbox,
        Context::Edit | Context::Note | Context::Filter | Context::Base | Context::Help | Context::Confirm => {}
    }
}
