//! Judges Markdown as a reader's page would: does anything in it act? Parsed by somebody else's parser, with every extension on.

use pulldown_cmark::{Event, Options, Parser, Tag};

/// # Errors
/// The first thing that would act on GitHub: a link, an image, HTML, a mention, a reference, a bot's command.
pub fn inert(markdown: &str) -> Result<(), String> {
    let mut text = String::new();
    for event in Parser::new_ext(markdown, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => return Err(format!("a link to {dest_url}")),
            Event::Start(Tag::Image { dest_url, .. }) => return Err(format!("an image from {dest_url}")),
            Event::Start(
                tag @ (Tag::HtmlBlock
                | Tag::Table(_)
                | Tag::MetadataBlock(_)
                | Tag::FootnoteDefinition(_)
                | Tag::BlockQuote(_)),
            ) => {
                return Err(format!("{tag:?}"));
            }
            Event::Html(html) | Event::InlineHtml(html) => return Err(format!("HTML: {html}")),
            Event::InlineMath(math) | Event::DisplayMath(math) => return Err(format!("math: {math}")),
            Event::FootnoteReference(name) => return Err(format!("a footnote: {name}")),
            Event::TaskListMarker(_) => return Err("a task".into()),
            Event::Text(piece) => text.push_str(&piece),
            Event::Code(piece) => text.extend(["`", &piece, "`"]),
            Event::SoftBreak | Event::HardBreak | Event::Rule | Event::End(_) | Event::Start(_) => text.push('\n'),
        }
    }
    // What is found in the rendered text, and what bots and merge commits find in the raw one.
    if let Some(words) = acting_words(&text).or_else(|| acting_words(markdown)) {
        return Err(words);
    }
    if let Some(at) = markdown.to_lowercase().find("www.") {
        return Err(format!("an address at {at}"));
    }
    let order = |line: &&str| line.strip_prefix('/').is_some_and(|l| l.starts_with(|c: char| c.is_ascii_alphabetic()));
    markdown.lines().map(str::trim_start).find(order).map_or(Ok(()), |line| Err(format!("an order: {line}")))
}

/// The same for a title or a commit message: a place without Markdown.
///
/// # Errors
/// As for [`inert`].
pub fn inert_plain(text: &str) -> Result<(), String> {
    acting_words(text).map_or(Ok(()), Err)
}

fn acting_words(text: &str) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    let around = |at: usize| chars[at.saturating_sub(12)..(at + 20).min(chars.len())].iter().collect::<String>();
    let is = |at: usize, test: fn(&char) -> bool| chars.get(at).is_some_and(test);
    let says = |at: usize, word: &str| {
        word.chars().enumerate().all(|(n, c)| chars.get(at + n).is_some_and(|d| d.eq_ignore_ascii_case(&c)))
    };
    (0..chars.len()).find_map(|at| {
        let acts = says(at, "@") && is(at + 1, |c| c.is_alphanumeric())
            || says(at, "#") && is(at + 1, char::is_ascii_digit)
            || says(at, "gh-") && is(at + 3, char::is_ascii_digit)
            || says(at, "://")
            || says(at, "[skip ci]")
            || says(at, "[ci skip]");
        acts.then(|| format!("`{}`", around(at)))
    })
}
