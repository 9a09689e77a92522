//! Whether a key would do anything now. A hint in the footer for one that would not is noise.

use super::super::action::Action;
use super::super::model::{FilterInput, Focus, Model, NoteEditor, View};
use super::triage;

/// Judged by what the action needs, so it is true for whatever has the keys.
pub fn useful(model: &Model, action: Action) -> bool {
    let row = model.row().filter(|_| !matches!(model.view, View::Servers | View::Settings));
    let draft = match model.view {
        View::Inbox => row.and_then(|r| model.mirror.draft_of(&r.id)),
        View::Drafts => model.selected_draft(),
        View::Servers | View::Settings => None,
    };
    match action {
        Action::Cancel => draft.is_some_and(|d| !d.state.is_over()),
        Action::Redraft => draft.is_some_and(|d| !d.state.is_active()),
        Action::Draft => row.is_some() && draft.is_none(),
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
        Action::Edit
        | Action::AddRepository
        | Action::Remove
        | Action::Test
        | Action::Explain
        | Action::NextWord
        | Action::SaveSetting => super::settings::useful(model, action),
        _ => true,
    }
}

fn is_to_be_saved(editor: &NoteEditor) -> bool {
    editor.saving.is_none() && editor.area.lines().iter().any(|line| !line.trim().is_empty())
}

fn can_go_on(input: &FilterInput) -> bool {
    !input.offers.is_empty() || input.error.as_ref().is_some_and(|error| error.nearest.is_some())
}
