//! After every message: the cursor inside the list, the texts laid out, and reads for what is about to be seen.

use super::super::action::Action;
use super::super::message::Effect;
use super::super::model::{DetailKey, Model, Overlay, RunKey, View};
use super::super::screen;
use super::super::widget::{age, pane};
use super::{bench, list, servers, settings};
use crate::domain::time::{Millis, SECOND};

/// Labels are brought up to date at multiples of this: one is at most so late.
const LABELS: i64 = 10 * SECOND;

pub(super) fn settle(model: &mut Model, out: &mut Vec<Effect>) {
    cursor_in_list(model);
    if !model.reads_fail {
        list::read_ahead(model, out);
        read_details(model, out);
        read_run(model, out);
    }
    scroll_of_its_own(model);
    lay_out_detail(model);
    lay_out_run(model);
    drafts_in_view(model);
    bench::settle(model, out);
    servers::settle(model, out);
    settings::settle(model, out);
    help_in_view(model);
}

fn help_in_view(model: &mut Model) {
    if let Some(Overlay::Help { .. }) = model.overlays.last() {
        let most = screen::help::most(model);
        if let Some(Overlay::Help { scroll }) = model.overlays.last_mut() {
            *scroll = (*scroll).min(most);
        }
    }
}

fn cursor_in_list(model: &mut Model) {
    let height = usize::from(model.layout().rows.height).max(1);
    let rows = model.mirror.rows().len();
    let inbox = &mut model.inbox;
    if inbox.held >= rows {
        inbox.held = 0;
    }
    inbox.cursor = inbox.cursor.min(rows.saturating_sub(1)).max(inbox.held);
    // A third of a page at a time: moving on, most steps then change two lines and not the whole list, which a slow line feels.
    let jump = height / 3;
    if inbox.cursor < inbox.offset {
        inbox.offset = inbox.cursor.saturating_sub(jump);
    } else if inbox.cursor >= inbox.offset + height {
        inbox.offset = inbox.cursor + 1 + jump.min(height - 1) - height;
    }
    let highest = rows.saturating_sub(height);
    inbox.offset = inbox.offset.min(highest).max(inbox.held);
}

/// The report under the cursor, and its neighbours: they will be next.
fn read_details(model: &mut Model, out: &mut Vec<Effect>) {
    if model.view != View::Inbox || !model.ready {
        return;
    }
    let at = model.inbox.cursor;
    let near = [Some(at), at.checked_add(1), at.checked_sub(1)];
    let near = near.into_iter().flatten().filter_map(|i| model.mirror.rows().get(i)).map(|row| &row.id);
    let ids: Vec<_> = model.shown().into_iter().chain(near).cloned().collect();
    for id in ids {
        if model.mirror.detail(&id).is_none() && !model.inbox.asked.contains_key(&id) {
            model.inbox.asked.insert(id.clone(), false);
            out.push(Effect::ReadFeedback(id));
        }
    }
}

fn read_run(model: &mut Model, out: &mut Vec<Effect>) {
    if model.view != View::Drafts || model.drafts.reading.is_some() {
        return;
    }
    let Some(id) = model.selected_draft().map(|d| d.id.clone()) else { return };
    let shown = model.run().is_some();
    if !shown || std::mem::take(&mut model.drafts.again) {
        model.drafts.again = false;
        model.drafts.reading = Some(id.clone());
        model.drafts.bench.reading(&id);
        out.push(Effect::ReadDraft(id));
    }
}

/// Another report is read from its beginning, however it has come to be shown.
fn scroll_of_its_own(model: &mut Model) {
    if model.shown() != model.inbox.scrolled.as_ref() {
        model.inbox.scrolled = model.shown().cloned();
        model.inbox.scroll = 0;
    }
}

fn lay_out_detail(model: &mut Model) {
    let text = model.layout().text;
    if model.view != View::Inbox || text.is_empty() {
        return;
    }
    let Some(detail) = model.detail() else {
        model.detail_text.key = None;
        model.detail_text.lines.clear();
        return;
    };
    let f = &detail.feedback;
    let times = std::iter::once(f.received_at).chain(detail.notes.iter().map(|n| n.at));
    let key = DetailKey {
        report: f.id.clone(),
        version: model.mirror.version(),
        width: text.width,
        theme: model.theme.shade,
        ages: times.map(|at| age::age(model.now, at)).collect(),
    };
    if model.detail_text.key.as_ref() != Some(&key) {
        let lines = screen::detail::lines(detail, &model.theme, model.now, text.width);
        model.detail_text.lines = lines;
        model.detail_text.key = Some(key);
    }
    model.inbox.scroll = model.inbox.scroll.min(pane::most(model.detail_text.lines.len(), text.height));
}

fn lay_out_run(model: &mut Model) {
    let text = model.layout().text;
    if model.view != View::Drafts || text.is_empty() || model.on_bench() {
        return;
    }
    let Some(run) = model.run() else {
        model.run_text.key = None;
        model.run_text.lines.clear();
        return;
    };
    let draft = &run.detail.draft;
    let progress = model.progress.get(&draft.id);
    let key = RunKey {
        draft: draft.id.clone(),
        version: model.drafts.version,
        width: text.width,
        theme: model.theme.shade,
        second: draft.state.is_active().then_some(model.now.0 / SECOND),
        bytes: progress.map_or(0, |p| p.bytes),
    };
    if model.run_text.key.as_ref() != Some(&key) {
        let keys = screen::run::Keys {
            turn_over: model.keymap.key(Action::TurnOver),
            compare: model.keymap.key(Action::Compare),
            publish_anyway: model.keymap.key(Action::PublishAnyway),
        };
        let lines = screen::run::lines(run, progress, &model.theme, model.now, text.width, keys);
        model.run_text.lines = lines;
        model.run_text.key = Some(key);
    }
    let most = pane::most(model.run_text.lines.len(), text.height);
    let over = model.run().is_some_and(|run| run.detail.draft.state.is_over());
    model.drafts.tail &= !over;
    model.drafts.scroll = if model.drafts.tail { most } else { model.drafts.scroll.min(most) };
}

fn drafts_in_view(model: &mut Model) {
    let (height, len) = (model.layout().rows.height, model.mirror.drafts().len());
    model.drafts.offset = pane::first(model.drafts.offset, model.draft_cursor(), len, height);
}

/// When the screen would show something else although nothing has happened; `None`: never.
pub fn next_tick(model: &Model) -> Option<Millis> {
    if model.running() > 0 {
        return Some(Millis((model.now.0 / SECOND + 1) * SECOND));
    }
    let height = usize::from(model.size.height);
    let due = match model.view {
        View::Inbox => {
            let rows = model.mirror.rows().iter().skip(model.inbox.offset).take(height).map(|row| row.received_at);
            let notes = model.detail().into_iter().flat_map(|d| d.notes.iter().map(|n| n.at));
            rows.chain(notes).map(|at| age::next_change(model.now, at)).min()
        }
        View::Drafts => {
            let drafts = model.mirror.drafts().iter().skip(model.drafts.offset).take(height);
            drafts.map(|d| age::next_change(model.now, d.created_at)).min()
        }
        View::Servers => servers::next_change(model),
        View::Settings => settings::next_change(model),
    };
    // Reports that came within seconds of each other change their labels in one frame.
    due.map(|due| Millis((due.0 / LABELS + 1) * LABELS))
}
