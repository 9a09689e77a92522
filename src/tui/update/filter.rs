//! Typing a filter: the list follows every key, a mistake is pointed at and leaves the list as it was, `tab` completes.

use super::super::message::Effect;
use super::super::mirror::Side;
use super::super::model::{FilterInput, Focus, Model, Mood};
use super::super::widget::field;
use super::list;
use crate::domain::feedback::{GapType, Resolution};
use crate::domain::filter::{Filter, HasFlag, IsFlag, Key, Sort};
use crate::domain::text;
use crate::protocol::read::Count;
use crossterm::event::KeyEvent;

/// Offers shown and gone through at most.
const OFFERS: usize = 24;

pub(super) fn start(model: &mut Model, out: &mut Vec<Effect>) {
    let before = model.inbox.typed.clone();
    let mut area = field::of(&before);
    area.set_placeholder_text("words  server:name  gap:missing_tool  is:reviewed  since:7d  -has:notes");
    model.inbox.focus =
        Focus::Filter(Box::new(FilterInput { area, before, error: None, offers: Vec::new(), offer: None }));
    out.push(Effect::ReadFacets);
    offer(model);
}

fn input(model: &mut Model) -> Option<&mut FilterInput> {
    match &mut model.inbox.focus {
        Focus::Filter(input) => Some(input),
        Focus::List | Focus::Detail | Focus::Note(_) => None,
    }
}

pub(super) fn typed(model: &mut Model, key: KeyEvent, out: &mut Vec<Effect>) {
    let is_changed = input(model).is_some_and(|input| field::typed(&mut input.area, key));
    offer(model);
    if is_changed {
        changed(model, out);
    }
}

pub(super) fn pasted(model: &mut Model, pasted: &str, out: &mut Vec<Effect>) {
    if let Some(input) = input(model) {
        input.area.insert_str(text::line(pasted));
        offer(model);
        changed(model, out);
    }
}

/// Takes the line as the filter when it is one, and not the way to one: `serv` would be searched for, and empty the list for a moment.
fn changed(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(input) = input(model) else { return };
    let (text, completed) = (input.text(), input.offer.is_some());
    match Filter::parse(&text) {
        Ok(filter) => {
            input.error = None;
            if completed || !is_beginning(model, &text) {
                apply(model, filter.source, out);
            }
        }
        Err(error) => input.error = Some(error),
    }
}

fn apply(model: &mut Model, typed: String, out: &mut Vec<Effect>) {
    if typed != model.inbox.typed {
        model.inbox.typed = typed;
        model.inbox.marked.clear();
        list::reload(model, Side::Start, out);
    }
}

pub(super) fn accept(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(text) = input(model).map(|input| input.text()) else { return };
    match Filter::parse(&text) {
        Ok(filter) => {
            model.inbox.focus = Focus::List;
            apply(model, filter.source, out);
        }
        Err(error) => model.say(Mood::Bad, error.message),
    }
}

pub(super) fn leave(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(before) = input(model).map(|input| input.before.clone()) else { return };
    model.inbox.focus = Focus::List;
    apply(model, before, out);
}

/// The next offer into the line; where there is a mistake with a neighbour, the correction.
pub(super) fn complete(model: &mut Model, out: &mut Vec<Effect>) {
    let Some(input) = input(model) else { return };
    let text = input.text();
    if let Some((error, nearest)) = input.error.as_ref().and_then(|e| Some((e, e.nearest.as_ref()?))) {
        let chars: Vec<char> = text.chars().collect();
        let (head, tail) = (chars.get(..error.start).unwrap_or(&chars), chars.get(error.end..).unwrap_or_default());
        let corrected: String = head.iter().chain(nearest.chars().collect::<Vec<_>>().iter()).chain(tail).collect();
        // An open quote is closed behind the line, not instead of it.
        let corrected = if nearest == "\"" { format!("{text}\"") } else { corrected };
        input.area = field::of(&corrected);
        changed(model, out);
        return offer(model);
    }
    if input.offers.is_empty() {
        return;
    }
    let next = input.offer.map_or(0, |at| (at + 1) % input.offers.len());
    let Some(word) = input.offers.get(next).cloned() else { return };
    let start = text.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8());
    input.area = field::of(&format!("{}{word}", text.get(..start).unwrap_or_default()));
    input.offer = Some(next);
    let only_one = input.offers.len() == 1;
    changed(model, out);
    if only_one {
        // There is nothing else to go through: what could follow is next, such as the values of a key.
        offer(model);
    }
}

/// The last word of a line, its minus apart.
fn last_word(text: &str) -> (&'static str, &str) {
    let last = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    match last.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", last),
    }
}

/// Whether the last word is the beginning of a key, or of a name that reports have.
fn is_beginning(model: &Model, text: &str) -> bool {
    let (_, word) = last_word(text);
    match word.split_once(':') {
        Some((key, value)) => {
            let last = value.rsplit(',').next().unwrap_or_default();
            let whole = known(model, key).iter().any(|name| name.eq_ignore_ascii_case(last));
            !whole && !values(model, key, value).is_empty()
        }
        None => !word.is_empty() && !keys(word).is_empty(),
    }
}

/// What the last word of the line could become.
pub(super) fn offer(model: &mut Model) {
    let Focus::Filter(input) = &model.inbox.focus else { return };
    let text = input.text();
    let (minus, word) = last_word(&text);
    let offers = match word.split_once(':') {
        Some((key, value)) => values(model, key, value).into_iter().map(|v| format!("{minus}{key}:{v}")).collect(),
        None => keys(word).into_iter().map(|key| format!("{minus}{key}:")).collect::<Vec<_>>(),
    };
    if let Some(input) = self::input(model) {
        input.offers = offers;
        input.offers.truncate(OFFERS);
        input.offer = None;
    }
}

fn keys(prefix: &str) -> Vec<&'static str> {
    Key::ALL.iter().map(|k| k.as_str()).filter(|k| k.starts_with(&prefix.to_ascii_lowercase())).collect()
}

/// Values of a key that go on from what is typed; behind a comma, the next alternative.
fn values(model: &Model, key: &str, typed: &str) -> Vec<String> {
    let (head, last) = typed.rsplit_once(',').map_or(("", typed), |(head, last)| (head, last));
    let head = if head.is_empty() { String::new() } else { format!("{head},") };
    let last = last.to_lowercase();
    let longer = |v: &String| v.to_lowercase().starts_with(&last) && v.to_lowercase() != last;
    known(model, key).into_iter().filter(longer).map(|v| format!("{head}{v}")).collect()
}

/// Values that a key can have, as far as they can be told.
fn known(model: &Model, key: &str) -> Vec<String> {
    let Some(key) = Key::from_word(&key.to_ascii_lowercase()) else { return Vec::new() };
    match key {
        Key::Gap => words(GapType::ALL, GapType::as_str),
        Key::Resolution => words(Resolution::ALL, Resolution::as_str),
        Key::Is => words(IsFlag::ALL, IsFlag::as_str),
        Key::Has => words(HasFlag::ALL, HasFlag::as_str),
        Key::Sort => words(Sort::ALL, Sort::as_str),
        Key::Since | Key::Until => ["1h", "1d", "7d", "2w"].map(str::to_owned).to_vec(),
        Key::Server => names(&model.facets.server),
        Key::Client => names(&model.facets.client),
        Key::Model => names(&model.facets.model),
        Key::Session | Key::Tool => Vec::new(),
    }
}

fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<String> {
    all.iter().map(|v| word(*v).to_owned()).collect()
}

/// Names that can be typed as they are: the others have to be quoted by hand, or can't be shown.
fn names(counts: &[Count]) -> Vec<String> {
    let plain = |v: &&String| !v.is_empty() && !v.contains([' ', '"', ',']) && text::line(v) == **v;
    counts.iter().map(|c| &c.value).filter(plain).cloned().collect()
}
