//! The list of reports: where the cursor is, which rows are there, and what arrives.

use super::super::message::Effect;
use super::super::mirror::{Shift, Side};
use super::super::model::{Loading, Model, Mood, Read, Reviewed};
use crate::domain::filter::{Filter, Sort};
use crate::domain::id::FeedbackId;
use crate::protocol::read::{Page, PageRequest, Row, Snapshot};
use crate::protocol::{Event, EventKind};

/// More rows are read when the cursor is this close to the window's edge.
const MARGIN: usize = 60;

pub(super) fn begin(model: &mut Model, out: &mut Vec<Effect>) {
    let filter = model.filter();
    model.inbox.generation += 1;
    model.inbox.loading = Loading::Rows;
    // Until it comes, another filter begins anew again: a page would not bring back what a pruned log has taken.
    model.ready = false;
    model.mirror.expect_snapshot();
    let request = PageRequest::first(filter, super::super::mirror::PAGE);
    out.push(Effect::Begin { generation: model.inbox.generation, request });
}

pub(super) fn began(model: &mut Model, snapshot: Snapshot, filter: Filter, out: &mut Vec<Effect>) {
    let seq = snapshot.seq;
    model.stats = snapshot.stats.clone();
    model.mirror.begin(snapshot, filter, model.now);
    // What is on its way was asked for before, and nobody knows what has been missed.
    model.inbox.asked.values_mut().for_each(|outdated| *outdated = true);
    model.drafts.again = true;
    super::bench::begun_anew(model);
    model.inbox.loading = Loading::Nothing;
    model.ready = true;
    to_top(model);
    if model.mirror.seq > seq || model.stats_read != Read::Done {
        // Its counts are from before what has been put on top, or an answer that is on its way is older than they are.
        super::feed::read_stats(model, out);
    }
    if !model.watching {
        model.watching = true;
        out.push(Effect::Watch { after: seq });
    }
    for key in std::mem::take(&mut model.early) {
        super::keys::key(model, key, out);
    }
}

/// Reads the list anew, from its beginning or its end.
pub(super) fn reload(model: &mut Model, side: Side, out: &mut Vec<Effect>) {
    // Until there is a snapshot the answer to `begin` will do, and it must be asked with the filter of now.
    if !model.ready {
        return begin(model, out);
    }
    model.inbox.generation += 1;
    read(model, side, out);
}

fn read(model: &mut Model, side: Side, out: &mut Vec<Effect>) {
    let filter = match side {
        Side::Start | Side::End => model.filter(),
        Side::Above | Side::Below => model.mirror.filter().clone(),
    };
    if let Some(request) = model.mirror.request(side, &filter) {
        model.inbox.loading = Loading::Rows;
        out.push(Effect::ReadPage { generation: model.inbox.generation, filter, side, request });
    }
}

pub(super) fn placed(model: &mut Model, side: Side, page: Page<Row>, filter: Filter) {
    let selected = model.row().map(|row| row.id.clone());
    let before = model.mirror.rows().len();
    model.mirror.place(side, page, filter, model.now);
    let wanted = std::mem::take(&mut model.inbox.loading);
    match side {
        Side::Start => {
            to_top(model);
            if wanted != Loading::Top {
                go_to(model, selected.as_ref());
            }
        }
        Side::End => {
            to_top(model);
            model.inbox.cursor = model.mirror.rows().len().saturating_sub(1);
            model.inbox.following = model.inbox.cursor == 0;
        }
        Side::Above => {
            let added = model.mirror.rows().len().saturating_sub(before);
            model.inbox.cursor += added;
            model.inbox.offset += added;
            if model.mirror.at_start() {
                model.inbox.beyond = 0;
            }
        }
        Side::Below => {}
    }
    let dropped = model.mirror.trim(model.inbox.cursor);
    model.inbox.cursor = model.inbox.cursor.saturating_sub(dropped);
    model.inbox.offset = model.inbox.offset.saturating_sub(dropped);
    if dropped > 0 {
        model.inbox.beyond += model.inbox.held;
        model.inbox.held = 0;
    }
}

fn to_top(model: &mut Model) {
    let inbox = &mut model.inbox;
    (inbox.cursor, inbox.offset, inbox.held, inbox.beyond) = (0, 0, 0, 0);
    inbox.following = true;
}

/// Puts the cursor back on a report that is still in the list.
fn go_to(model: &mut Model, report: Option<&FeedbackId>) {
    let at = report.and_then(|id| model.mirror.rows().iter().position(|row| row.id == *id));
    if let Some(at) = at {
        model.inbox.cursor = at;
        model.inbox.following = at == 0;
    }
}

pub(super) fn step(model: &mut Model, by: isize) {
    let rows = model.mirror.rows().len();
    if rows == 0 {
        return;
    }
    if by < 0 && model.inbox.cursor.saturating_add_signed(by) < model.inbox.held {
        model.inbox.held = 0;
    }
    move_to(model, model.inbox.cursor.saturating_add_signed(by).min(rows - 1));
}

/// Puts the cursor on a row that is there.
pub(super) fn move_to(model: &mut Model, at: usize) {
    model.inbox.cursor = at;
    model.inbox.following = at == 0 && model.mirror.at_start();
}

pub(super) fn top(model: &mut Model, out: &mut Vec<Effect>) {
    if model.mirror.at_start() {
        to_top(model);
    } else {
        reload(model, Side::Start, out);
        model.inbox.loading = Loading::Top;
    }
}

pub(super) fn bottom(model: &mut Model, out: &mut Vec<Effect>) {
    if model.mirror.at_end() {
        move_to(model, model.mirror.rows().len().saturating_sub(1));
    } else {
        reload(model, Side::End, out);
    }
}

pub(super) fn toggle_reviewed(model: &mut Model, out: &mut Vec<Effect>) {
    if model.filter_decides() {
        return model.say(Mood::Plain, "The filter says itself which reports are shown: change its `is:`");
    }
    let (reviewed, said) = match model.inbox.reviewed {
        Reviewed::Hidden => (Reviewed::Shown, "Reviewed reports are shown"),
        Reviewed::Shown => (Reviewed::Hidden, "Reviewed reports are hidden"),
    };
    model.inbox.reviewed = reviewed;
    model.say(Mood::Plain, said);
    reload(model, Side::Start, out);
}

/// Reads on when the cursor nears the edge of what is there, or begins when there is nothing.
pub(super) fn read_ahead(model: &mut Model, out: &mut Vec<Effect>) {
    if model.inbox.loading != Loading::Nothing {
        return;
    }
    if !model.ready {
        return begin(model, out);
    }
    if model.inbox.cursor + MARGIN > model.mirror.rows().len() && !model.mirror.at_end() {
        read(model, Side::Below, out);
    } else if model.inbox.cursor < MARGIN && !model.mirror.at_start() {
        read(model, Side::Above, out);
    }
}

/// Keeps the eye where it is while rows come and go.
pub(super) fn shifted(model: &mut Model, event: &Event, shift: Option<Shift>) {
    let newest_first = model.mirror.filter().order() == Sort::Newest;
    let arrival = event.kind == EventKind::FeedbackRecorded && newest_first;
    let height = usize::from(model.layout().rows.height);
    let now = model.now;
    let beyond_the_window = !model.mirror.at_start()
        && arrival
        && event.feedback.as_ref().is_some_and(|d| d.matches(model.mirror.filter(), now));
    let alone = model.mirror.rows().len() == 1;
    let inbox = &mut model.inbox;
    match shift {
        Some(Shift::Inserted(_)) if alone => {}
        Some(Shift::Inserted(at)) => {
            if at <= inbox.cursor {
                inbox.cursor += 1;
            }
            if arrival && at == 0 && inbox.following && inbox.offset == 0 && inbox.cursor < height {
                return;
            }
            if arrival && at <= inbox.held {
                inbox.following = false;
                inbox.held += 1;
            }
            if at <= inbox.offset {
                inbox.offset += 1;
            }
        }
        Some(Shift::Removed(at)) => {
            for index in [&mut inbox.cursor, &mut inbox.offset, &mut inbox.held] {
                if at < *index {
                    *index -= 1;
                }
            }
        }
        None if beyond_the_window => inbox.beyond += 1,
        None => {}
    }
}
