//! Deciding about a change that waits: every decision goes to the engine as it is made, so that a crash loses none and another screen sees
//! it. And reading any change, file by file.

use super::super::action::Action;
use super::super::bench::{self, Compared, Comparison, Edit, IntroKey, Page, Part};
use super::super::message::{Effect, Subject};
use super::super::model::{DraftsFocus, Model, Mood, Overlay, Pending, Question, View};
use super::super::screen;
use super::super::widget::{field, pane};
use crate::domain::diff::FileDiff;
use crate::domain::draft::{Draft, TargetKind, Verdict};
use crate::domain::id::{CommandId, DraftId};
use crate::domain::review::{Choices, Proposal};
use crate::domain::text;
use crate::protocol::read::EarlierDraft;
use crate::protocol::{Command, Receipt, Refusal};
use crossterm::event::KeyEvent;
use std::ops::Range;
use std::sync::Arc;

/// A change that waits and is read, with what is decided about it so far.
struct Desk<'m> {
    draft: &'m Draft,
    proposal: Proposal,
    choices: &'m Choices,
}

fn desk(model: &Model) -> Option<Desk<'_>> {
    let draft = model.selected_draft().filter(|_| model.waits())?;
    let run = model.run()?;
    let choices = decided(model)?;
    Some(Desk { draft, proposal: run.detail.proposal.clone().unwrap_or_default(), choices })
}

/// What is decided about the selected run, with what is on its way.
pub fn decided(model: &Model) -> Option<&Choices> {
    let run = model.run()?;
    let edit = model.drafts.bench.edit(&run.detail.draft.id);
    Some(edit.map_or(&run.detail.choices, |edit| &edit.choices))
}

/// Sends decisions; the screen shows them as on their way until the engine has them.
fn decide(model: &mut Model, choices: Choices, out: &mut Vec<Effect>) {
    let Some(draft) = model.selected_draft().map(|draft| draft.id.clone()) else { return };
    let id = model.command_id();
    model.pending.insert(id.clone(), Pending::Decision { draft: draft.clone() });
    let edit = Edit { draft: draft.clone(), command: id.clone(), choices: choices.clone(), heard: false };
    model.drafts.bench.edits.push(edit);
    out.push(Effect::Submit { id, command: Command::EditReview { draft, choices: Box::new(choices) } });
}

/// The engine has said that it is so.
pub(super) fn heard(model: &mut Model, command: Option<&CommandId>) {
    for edit in model.drafts.bench.edits.iter_mut().filter(|edit| Some(&edit.command) == command) {
        edit.heard = true;
    }
}

/// Whatever has been missed, the next read has it.
pub(super) fn begun_anew(model: &mut Model) {
    let pending = &model.pending;
    for edit in &mut model.drafts.bench.edits {
        edit.heard |= !pending.contains_key(&edit.command);
    }
}

/// Answers to decisions. One that was taken stays until its event is here and the run is read again.
pub(super) fn answered(model: &mut Model, command: &CommandId, result: Result<Receipt, Refusal>) {
    let Err(refusal) = result else { return };
    let bench = &mut model.drafts.bench;
    if let Some(at) = bench.edits.iter().position(|edit| edit.command == *command) {
        let edit = bench.edits.remove(at);
        if let (Some(title), summary) = (edit.choices.title, edit.choices.summary) {
            // Written by hand: it must not be lost because it is too long.
            bench.kept = Some((edit.draft, format!("{title}\n\n{}", summary.unwrap_or_default())));
        }
    }
    model.say(Mood::Bad, format!("Not taken: {refusal}"));
}

/// Whether a run has a change that can be looked at, as far as it is known.
pub(super) fn has_change(model: &Model) -> bool {
    model.run().is_none_or(|run| !run.detail.diff.is_empty())
}

pub(super) fn turn_over(model: &mut Model) {
    if !model.on_bench() && !has_change(model) {
        let over = model.selected_draft().is_some_and(|draft| draft.state.is_over());
        let said =
            if over { "This run left no change: the end of its page says why" } else { "There is no change yet" };
        return model.say(Mood::Plain, said);
    }
    if model.drafts.focus == DraftsFocus::List {
        // The run is beside the list, and says that this key shows its change.
        super::drafts::open(model);
        model.drafts.bench.page = Page::Change;
        return;
    }
    let bench = &mut model.drafts.bench;
    bench.page = match bench.page {
        Page::Run => Page::Change,
        Page::Change => Page::Run,
    };
}

/// The draft that the selected one can be compared with.
pub(super) fn against(model: &Model) -> Option<&EarlierDraft> {
    if model.view != View::Drafts {
        return None;
    }
    let run = model.run().filter(|run| !run.detail.diff.is_empty())?;
    run.detail.earlier.as_ref()
}

/// The change against that of the draft before, or the whole of it again.
pub(super) fn compare(model: &mut Model) {
    if model.compares() {
        return model.drafts.bench.compare(false);
    }
    if model.run().is_none() {
        return not_read(model);
    }
    if against(model).is_none() {
        return model.say(Mood::Plain, "Nothing to compare: no draft of this report before this one has a diff");
    }
    super::drafts::open(model);
    let bench = &mut model.drafts.bench;
    bench.page = Page::Change;
    bench.compare(true);
    // What could not be compared is tried again.
    bench.compared.take_if(|compared| matches!(compared.result, Some(Err(_))));
}

/// Asks for the difference that is to be seen, unless it is there and still of the same change.
fn read_difference(model: &mut Model, out: &mut Vec<Effect>) {
    let Some((run, earlier)) = model.run().zip(against(model)).filter(|_| model.compares()) else { return };
    let (draft, of, against) = (run.detail.draft.id.clone(), Arc::clone(&run.change), earlier.id.clone());
    let bench = &mut model.drafts.bench;
    if bench.compared.as_ref().is_some_and(|c| c.draft == draft && Arc::ptr_eq(&c.of, &of)) {
        return;
    }
    bench.asked += 1;
    let asked = bench.asked;
    bench.compared = Some(Compared { draft: draft.clone(), of, asked, result: None });
    out.push(Effect::ReadDifference { asked, draft, against });
}

pub(super) fn compared(model: &mut Model, asked: u64, result: Result<Comparison, Refusal>) {
    if let Some(compared) = model.drafts.bench.compared.as_mut().filter(|compared| compared.asked == asked) {
        compared.result = Some(result.map_err(|refusal| refusal.to_string()));
    }
}

/// After every message: the right page up, the sheet laid, the cursor in view.
pub(super) fn settle(model: &mut Model, out: &mut Vec<Effect>) {
    let of = model.selected_draft().map(|draft| (draft.id.clone(), super::super::model::is_waiting(draft)));
    if model.drafts.bench.of != of {
        let same = model.drafts.bench.of.as_ref().zip(of.as_ref()).is_some_and(|(a, b)| a.0 == b.0);
        let waits = of.as_ref().is_some_and(|(_, waits)| *waits);
        let bench = &mut model.drafts.bench;
        (bench.of, bench.base) = (of, None);
        bench.page = if waits { Page::Change } else { Page::Run };
        bench.compare(false);
        if !same {
            bench.rewind();
        } else if !waits && model.drafts.focus == DraftsFocus::Run {
            // It is being published: that is what there is to see now.
            model.drafts.tail = true;
        }
    }
    if model.on_bench() {
        read_difference(model, out);
        lay_out(model);
    }
}

fn lay_out(model: &mut Model) {
    let area = model.layout().text;
    let Some(draft) = model.selected_draft() else { return };
    let Some(run) = model.run() else { return };
    let bench = &model.drafts.bench;
    let compared = bench.compared.as_ref().filter(|_| bench.comparing).map(|c| (c.asked, c.result.is_some()));
    let (version, width, theme) = (model.drafts.version, area.width, model.theme.shade);
    let key = IntroKey { draft: draft.clone(), version, compared, width, theme };
    if bench.intro.as_ref() != Some(&key) {
        let intro = if bench.comparing {
            screen::compared::intro(&model.theme, run, model.compared(), area.width)
        } else {
            screen::bench::intro(&model.theme, run, area.width)
        };
        let change = model.sheet().map(Arc::clone).unwrap_or_default();
        let bench = &mut model.drafts.bench;
        bench.intro = Some(key);
        bench.paper.lay(&change, intro, screen::bench::code_width(area.width));
    }
    model.drafts.bench.paper.follow(usize::from(area.height));
    let height = model.layout().rows.height;
    let bench = &mut model.drafts.bench;
    // Title and text are an entry too.
    let entries = bench.paper.change().files.len() + 1;
    bench.offset = pane::first(bench.offset, bench.paper.cursor.section, entries, height);
}

pub(super) fn step(model: &mut Model, by: isize) {
    model.drafts.bench.paper.step(by);
}

pub(super) fn edge(model: &mut Model, top: bool) {
    model.drafts.bench.paper.edge(top);
}

/// The cursor to the row of the sheet that was clicked.
pub(super) fn click(model: &mut Model, row: usize) {
    let paper = &mut model.drafts.bench.paper;
    if let Some(place) = paper.shown(row + 1).get(row).map(|shown| shown.place) {
        paper.cursor = place;
    }
}

pub(super) fn click_file(model: &mut Model, row: usize) {
    let bench = &mut model.drafts.bench;
    let section = bench.offset + row;
    if section <= bench.paper.change().files.len() {
        bench.paper.go_to(section);
    }
}

pub(super) fn hunk(model: &mut Model, forward: bool) {
    if model.on_bench() {
        model.drafts.bench.paper.step_part(forward);
    }
}

pub(super) fn file(model: &mut Model, forward: bool) {
    if model.on_bench() {
        model.drafts.bench.paper.step_file(forward);
    }
}

/// What is under the cursor: a hunk, or all parts of a file.
fn meant(model: &Model) -> Option<(&FileDiff, Range<usize>)> {
    // Parts of the difference are none of the change.
    let files = &model.run().filter(|_| !model.compares())?.change.files;
    match model.drafts.bench.paper.part()? {
        Part::Hunk(file, hunk) => Some((files.get(file)?, hunk..hunk + 1)),
        Part::File(file) => files.get(file).map(|file| (file, 0..file.parts())),
    }
}

/// Whether all of it is dropped.
pub(super) fn would_take_back(model: &Model) -> bool {
    let Some(((file, mut parts), choices)) = meant(model).zip(decided(model)) else { return false };
    parts.all(|part| bench::is_dropped(choices, file, part))
}

/// Drops what is under the cursor, or takes it back. A file of which anything stays is dropped whole.
pub(super) fn drop_part(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(desk) = desk(model) else { return not_read(model) };
    if model.compares() {
        let key = model.keymap.key(Action::Compare).to_owned();
        return model.say(Mood::Plain, format!("Hunks are dropped from the change: {key} shows it"));
    }
    let Some((file, parts)) = meant(model) else {
        let key = model.keymap.key(Action::NextHunk).to_owned();
        return model.say(Mood::Plain, format!("Nothing to drop here: {key} goes to the first hunk"));
    };
    let choices = bench::dropping(desk.choices, file, parts, !would_take_back(model));
    decide(model, choices, out);
}

fn not_read(model: &mut Model) {
    model.say(Mood::Plain, "The change is still being read: press the key again");
}

/// Title and text in the user's editor.
pub(super) fn edit_text(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(desk) = desk(model) else { return not_read(model) };
    let draft = desk.draft.id.clone();
    let title = format!("Draft {} for {}", desk.draft.number, desk.draft.server_name);
    let kept = model.drafts.bench.kept.as_ref().filter(|(of, _)| *of == draft).map(|(_, text)| text.clone());
    let text = kept.unwrap_or_else(|| {
        let (title, summary) = written(&desk.proposal, desk.choices);
        // What a model wrote goes to a terminal, too.
        format!("{}\n\n{}", text::line(title), text::block(summary))
    });
    out.push(Effect::Edit { subject: Subject::Change(draft), title, text });
}

/// Title and text as they are decided.
pub fn written<'a>(proposal: &'a Proposal, choices: &'a Choices) -> (&'a str, &'a str) {
    let title = choices.title.as_ref().unwrap_or(&proposal.title);
    let summary = choices.summary.as_ref().unwrap_or(&proposal.summary);
    (title.trim(), summary.trim())
}

pub(super) fn edited(model: &mut Model, draft: DraftId, result: Result<String, String>, out: &mut Vec<Effect>) {
    let text = match result {
        Ok(text) => text,
        Err(why) => return model.say(Mood::Bad, why),
    };
    let Some(desk) = desk(model).filter(|desk| desk.draft.id == draft) else {
        model.drafts.bench.kept = Some((draft, text));
        return model.say(Mood::Bad, "Not taken: this change no longer waits for a review");
    };
    let (title, summary) = text.split_once('\n').unwrap_or((&text, ""));
    let (title, summary) = (title.trim(), summary.trim());
    if title.is_empty() {
        return model.say(Mood::Plain, "Nothing was written: title and text are as before");
    }
    if (title, summary) == written(&desk.proposal, desk.choices) {
        return model.say(Mood::Plain, "Title and text are as before");
    }
    let other = |text: &str, than: &str| (text != than.trim()).then(|| text.to_owned());
    let choices = Choices {
        title: other(title, &desk.proposal.title),
        summary: other(summary, &desk.proposal.summary),
        ..desk.choices.clone()
    };
    model.drafts.bench.kept = None;
    decide(model, choices, out);
}

pub(super) fn ready_or_draft(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(desk) = desk(model) else { return not_read(model) };
    if desk.draft.target == TargetKind::Local {
        return model
            .say(Mood::Plain, "This change becomes a branch of a local repository: there is no pull request to open");
    }
    let draft = !desk.choices.draft.unwrap_or(true);
    let choices = Choices { draft: Some(draft).filter(|draft| !draft), ..desk.choices.clone() };
    decide(model, choices, out);
    // A low screen has no line for it.
    let said = if draft { "Its pull request is to be a draft" } else { "Its pull request is to be ready for review" };
    model.say(Mood::Plain, said);
}

pub(super) fn base_begin(model: &mut Model) {
    let Some(desk) = desk(model) else { return not_read(model) };
    if desk.draft.target == TargetKind::Local {
        return model
            .say(Mood::Plain, "This change becomes a branch of a local repository: there is no pull request to open");
    }
    let base = desk.choices.base.as_ref().unwrap_or(&desk.proposal.base).clone();
    let mut area = field::of(&text::line(&base));
    area.set_placeholder_text(text::line(&desk.proposal.base));
    model.drafts.bench.base = Some(Box::new(area));
}

pub(super) fn base_typed(model: &mut Model, key: KeyEvent) {
    if let Some(area) = &mut model.drafts.bench.base {
        field::typed(area, key);
    }
}

pub(super) fn base_pasted(model: &mut Model, pasted: &str) {
    if let Some(area) = &mut model.drafts.bench.base {
        area.insert_str(text::line(pasted.trim()));
    }
}

pub(super) fn base_accept(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(area) = model.drafts.bench.base.take() else { return };
    let typed = area.lines().join("").trim().to_owned();
    let Some(desk) = desk(model) else { return not_read(model) };
    let base = Some(typed).filter(|typed| !typed.is_empty() && *typed != desk.proposal.base);
    if base == desk.choices.base {
        return;
    }
    let said =
        format!("Its pull request is to go into {}", text::clipped(base.as_ref().unwrap_or(&desk.proposal.base), 100));
    let choices = Choices { base, ..desk.choices.clone() };
    decide(model, choices, out);
    model.say(Mood::Plain, said);
}

pub(super) fn base_leave(model: &mut Model) {
    model.drafts.bench.base = None;
}

/// Publishes what is decided; `anyway`: although `verify` failed.
pub(super) fn publish(model: &mut Model, anyway: bool, out: &mut Vec<Effect>) {
    let Some((desk, run)) = desk(model).zip(model.run()) else { return not_read(model) };
    let key = |action| model.keymap.key(action).to_owned();
    let failed = desk.draft.verdict == Some(Verdict::Failed);
    if failed != anyway {
        let said = if failed {
            let (all_the_same, turn) = (key(Action::PublishAnyway), key(Action::TurnOver));
            format!("`verify` failed for this change ({turn} shows the run): {all_the_same} publishes it all the same")
        } else {
            format!("`verify` did not fail: {} publishes", key(Action::Publish))
        };
        return model.say(if failed { Mood::Bad } else { Mood::Plain }, said);
    }
    let parts = run.change.parts();
    if parts > 0 && desk.choices.dropped.len() >= parts {
        let (take, discard) = (key(Action::DropHunk), key(Action::Discard));
        return model
            .say(Mood::Bad, format!("Everything is dropped: {take} takes a hunk back, {discard} discards the change"));
    }
    let draft = desk.draft.id.clone();
    if model.is_leaving(&draft) {
        return;
    }
    let id = model.command_id();
    model.pending.insert(id.clone(), Pending::Publish { draft: draft.clone() });
    out.push(Effect::Submit { id, command: Command::PublishDraft { draft, despite_failure: anyway } });
}

pub(super) fn ask_discard(model: &mut Model) {
    if let Some(draft) = model.selected_draft().filter(|_| model.waits()).map(|draft| draft.id.clone()) {
        model.overlays.push(Overlay::Confirm(Question::Discard(vec![draft])));
    }
}

pub(super) fn discard(model: &mut Model, mut drafts: Vec<DraftId>, out: &mut Vec<Effect>) {
    // Somebody else may have published one while the question stood there: then it is not cancelled half way.
    let waits = |id: &DraftId| model.mirror.drafts().iter().any(|d| d.id == *id && super::super::model::is_waiting(d));
    drafts.retain(waits);
    if drafts.is_empty() {
        return model.say(Mood::Plain, "This change no longer waits: nothing was discarded");
    }
    for draft in drafts {
        super::drafts::send_cancel(model, draft, out);
    }
}
