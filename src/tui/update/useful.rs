//! What a key would do now. A hint in the footer for one that would do nothing is noise, and one that says the opposite a lie.

use super::super::action::{Action, Context};
use super::super::keymap::Binding;
use super::super::model::{FilterInput, Focus, Model, NoteEditor, Reviewed, View, is_waiting};
use super::super::settings::SettingsFocus;
use super::{bench, drafts, settings, triage};
use crate::domain::draft::{TargetKind, Verdict};

/// The word of a key for the footer; `None` where it has none, or would do nothing.
pub fn hint<'k>(model: &Model, binding: &'k Binding) -> Option<&'k str> {
    if !useful(model, binding.action) {
        return None;
    }
    let opposite = binding.opposite.as_deref().filter(|_| takes_back(model, binding.action));
    opposite.or(binding.hint.as_deref())
}

/// Whether the key would take back what it usually does.
fn takes_back(model: &Model, action: Action) -> bool {
    (action == Action::HideReviewed && model.inbox.reviewed == Reviewed::Hidden)
        || (action == Action::Review && !triage::would_review(model))
        || (action == Action::Cancel && drafts::meant(model).iter().all(|d| d.state.is_over() || is_waiting(d)))
        || (action == Action::TurnOver && model.on_bench())
        || (action == Action::Compare && model.compares())
        || (action == Action::DropHunk && bench::would_take_back(model))
        || (action == Action::ReadyOrDraft && bench::decided(model).is_some_and(|c| c.draft == Some(false)))
}

/// Judged by what the action needs, so it is true for whatever has the keys.
fn useful(model: &Model, action: Action) -> bool {
    let row = model.row().filter(|_| !matches!(model.view, View::Servers | View::Settings));
    let draft = match model.view {
        View::Inbox => row.and_then(|r| model.mirror.draft_of(&r.id)),
        View::Drafts => model.selected_draft(),
        View::Servers | View::Settings => None,
    };
    match action {
        Action::TurnOver => draft.is_some() && (model.on_bench() || bench::has_change(model)),
        Action::Compare => bench::against(model).is_some(),
        Action::NextHunk | Action::PreviousHunk | Action::NextFile | Action::PreviousFile => {
            model.on_bench() && has_files(model)
        }
        Action::DropHunk => model.on_bench() && !model.compares() && model.drafts.bench.paper.part().is_some(),
        Action::BaseBranch | Action::ReadyOrDraft => draft.is_some_and(|d| d.target == TargetKind::Github),
        Action::Publish => draft.is_some_and(|d| d.verdict != Some(Verdict::Failed) && !model.is_leaving(&d.id)),
        Action::PublishAnyway => draft.is_some_and(|d| d.verdict == Some(Verdict::Failed) && !model.is_leaving(&d.id)),
        Action::Cancel => drafts::meant(model).iter().any(|d| !d.state.is_over()),
        Action::Redraft => drafts::meant(model).iter().any(|d| !d.state.is_active()),
        Action::Draft => row.is_some() && drafts::meant(model).len() < triage::targets(model).len(),
        Action::OpenLink => triage::link(model).is_some(),
        Action::Copy => triage::copied(model).is_some(),
        Action::Note | Action::NoteInEditor | Action::Review | Action::Select => row.is_some(),
        Action::Open => match model.view {
            View::Inbox => row.is_some(),
            View::Drafts => draft.is_some(),
            View::Servers => model.selected_server().is_some(),
            View::Settings => true,
        },
        Action::PublicNote => matches!(&model.inbox.focus, Focus::Note(editor) if editor.saving.is_none()),
        Action::SaveNote => matches!(&model.inbox.focus, Focus::Note(editor) if is_to_be_saved(editor)),
        Action::AcceptFilter => matches!(&model.inbox.focus, Focus::Filter(input) if input.error.is_none()),
        Action::Complete => matches!(&model.inbox.focus, Focus::Filter(input) if can_go_on(input)),
        Action::Edit => settings::can_be_changed(model),
        Action::Test => settings::can_be_tested(model),
        Action::Remove => settings::can_be_removed(model),
        Action::Explain => model.settings.focus == SettingsFocus::List && model.settings.current().is_some(),
        Action::NextWord => model.settings.editor.as_ref().is_some_and(|editor| !editor.words.is_empty()),
        Action::SaveSetting => model.settings.editor.as_ref().is_some_and(|editor| editor.saving.is_none()),
        Action::HideReviewed => !model.filter_decides(),
        // In a list there is nothing to go back from, or only to another list.
        Action::Back => matches!(
            model.context(),
            Context::Detail | Context::Run | Context::Review | Context::Server | Context::Setting
        ),
        Action::EditText | Action::Discard => model.on_bench(),
        Action::Quit
        | Action::Interrupt
        | Action::Suspend
        | Action::Help
        | Action::CloseHelp
        | Action::Theme
        | Action::Inbox
        | Action::Drafts
        | Action::Servers
        | Action::Settings
        | Action::NextView
        | Action::Down
        | Action::Up
        | Action::HalfPageDown
        | Action::HalfPageUp
        | Action::Top
        | Action::Bottom
        | Action::Filter
        | Action::LeaveFilter
        | Action::Undo
        | Action::LeaveNote
        | Action::LeaveSetting
        | Action::AddRepository
        | Action::AcceptBase
        | Action::LeaveBase
        | Action::Yes
        | Action::No => true,
    }
}

fn has_files(model: &Model) -> bool {
    model.sheet().is_some_and(|sheet| !sheet.files.is_empty())
}

fn is_to_be_saved(editor: &NoteEditor) -> bool {
    editor.saving.is_none() && editor.area.lines().iter().any(|line| !line.trim().is_empty())
}

fn can_go_on(input: &FilterInput) -> bool {
    !input.offers.is_empty() || input.error.as_ref().is_some_and(|error| error.nearest.is_some())
}
