//! `patchwork note ID [TEXT|-] [--public]`.

use super::exit::{Code, Usage, complain};
use super::out::Out;
use super::setup::{Global, Setup};
use super::stdin;
use crate::domain::id::FeedbackId;
use crate::domain::note::NoteText;
use crate::engine::new_command_id;
use crate::protocol::{Command, Made};
use crate::tui::{self, Writing};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The report's id, or as much of its beginning or end as tells it apart
    id: String,
    /// The note; `-` reads it from standard input. Without it: from standard input, or on a terminal from $VISUAL or $EDITOR
    #[arg(allow_hyphen_values = true)]
    text: Option<String>,
    /// Hand the note to agents that report the same gap, as the author's answer
    #[arg(long)]
    public: bool,
}

pub(super) async fn run(args: Args, global: &Global) -> anyhow::Result<Code> {
    let given = args.text.map(|text| stdin::or_read(text, "the note")).transpose()?;
    let (setup, engine) = Setup::guest(global).await?;
    let feedback = engine.find_feedback(&args.id).await?;
    let text = match given {
        Some(text) => text,
        None if stdin::is_terminal() => compose(&feedback)?,
        None => stdin::read("the note")?,
    };
    let content = NoteText::parse(text.trim_end()).map_err(|e| Usage(e.to_string()))?;
    let receipt = engine
        .submit(new_command_id(), setup.actor(), Command::AddNote { feedback, content, public: args.public })
        .await?;
    engine.close().await;
    let mut out = Out::open();
    match receipt.made {
        Made::Note(id) => out.line(id)?,
        Made::Feedback(_) | Made::Draft(_) | Made::Nothing => complain("the note was saved; its id is not known"),
    }
    out.finish()?;
    Ok(Code::Ok)
}

/// From the user's editor; without one, or when it fails, it is the arguments that lack the text.
fn compose(feedback: &FeedbackId) -> Result<String, Usage> {
    tui::edit(Writing::Note, &format!("A note on {feedback}"), "")
        .map_err(|e| Usage(format!("{e}; or write the note as an argument")))
}
