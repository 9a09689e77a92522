//! `patchwork show ID`.

use super::exit::Code;
use super::out::{Ink, Out};
use super::setup::{Global, Setup};
use crate::domain::time::ago_in_words;
use crate::engine::Clock;
use crate::http::FeedbackView;
use crate::protocol::read::Detail;
use std::io;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The report's id, or as much of its beginning or end as tells it apart
    id: String,
    /// Print the JSON object of GET /api/feedback/{id}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, global: &Global) -> anyhow::Result<Code> {
    let (_, engine) = Setup::guest(global).await?;
    let id = engine.find_feedback(&args.id).await?;
    let detail = engine.feedback(&id).await?;
    engine.close().await;
    let mut out = Out::open();
    if args.json {
        out.json(&FeedbackView::from(&detail))?;
    } else {
        print(&mut out, &detail)?;
    }
    out.finish()?;
    Ok(Code::Ok)
}

fn print(out: &mut Out, detail: &Detail) -> io::Result<()> {
    let f = &detail.feedback;
    let r = &f.report;
    let now = Clock::System.now();
    let gap = if r.gap_type_raw.is_empty() { r.gap_type.as_str() } else { &r.gap_type_raw };
    let resolution = r.resolution.map_or(r.resolution_raw.as_str(), |word| word.as_str());
    out.parts(&[
        (Some(Ink::Bold), format!("{} ", f.id)),
        (Some(Ink::Dim), format!("({})", ago_in_words(now, f.received_at))),
    ])?;
    let state = if f.reviewed { "reviewed" } else { "unreviewed" };
    let draft = match (f.merged, f.drafted, f.pr_url.is_empty()) {
        (true, _, _) => "merged".to_owned(),
        (false, true, true) => "drafted to a local branch".to_owned(),
        (false, true, false) => "drafted".to_owned(),
        (false, false, _) => String::new(),
    };
    for (name, value) in [
        ("server", r.server_name.as_str()),
        ("gap", gap),
        ("resolution", resolution),
        ("state", state),
        ("received", &f.received_at.to_iso()),
        ("model", &r.agent_model),
        ("client", &r.client_type),
        ("session", &r.session_id),
        ("tools", &r.tools_available.join(", ")),
        ("draft", &draft),
        ("pull request", &f.pr_url),
    ] {
        out.field(name, value)?;
    }
    for (title, text) in [
        ("What was needed", &r.what_i_needed),
        ("What was tried", &r.what_i_tried),
        ("Suggestion", &r.suggestion),
        ("The user's goal", &r.user_goal),
    ] {
        section(out, title, text)?;
    }
    if !r.extra.is_empty() {
        let extra = serde_json::to_string_pretty(&r.extra).map_err(io::Error::other)?;
        section(out, "Other fields", &extra)?;
    }
    for note in &detail.notes {
        let author = if note.author.is_empty() { String::new() } else { format!(" by {}", note.author) };
        let what = if note.public { "Public answer" } else { "Note" };
        section(out, &format!("{what}{author}, {}", ago_in_words(now, note.at)), &note.content)?;
    }
    Ok(())
}

pub(super) fn section(out: &mut Out, title: &str, text: &str) -> io::Result<()> {
    self::title(out, title, text)?;
    out.prose("  ", text)
}

/// The title of a section, unless there is nothing under it.
pub(super) fn title(out: &mut Out, title: &str, text: &str) -> io::Result<()> {
    if text.trim().is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.parts(&[(Some(Ink::Bold), title.to_owned())])
}
