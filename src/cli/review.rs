//! `patchwork review ID... [--because TEXT | --undo]`.

use super::exit::{Code, Usage, complain};
use super::setup::{Global, Setup};
use super::stdin;
use super::table::counted;
use crate::domain::note::NoteText;
use crate::engine::new_command_id;
use crate::protocol::Command;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ids of reports, or enough of each; `-` reads them from standard input, separated by blanks or lines
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Why this closes them: a public note, which agents that report the same gap are told
    #[arg(long, value_name = "TEXT", conflicts_with = "undo")]
    because: Option<String>,
    /// Mark them as unreviewed again
    #[arg(long)]
    undo: bool,
}

pub(super) async fn run(args: Args, global: &Global) -> anyhow::Result<Code> {
    let ids = match args.ids.as_slice() {
        [one] if one == "-" => stdin::read("the list of ids")?.split_whitespace().map(str::to_owned).collect(),
        _ => args.ids,
    };
    if ids.is_empty() {
        return Err(Usage("there is no id on standard input".into()).into());
    }
    let reason = args.because.map(|text| NoteText::parse(text.trim_end())).transpose();
    let reason = reason.map_err(|e| Usage(e.to_string()))?;
    let (setup, engine) = Setup::guest(global).await?;
    let mut feedback = Vec::with_capacity(ids.len());
    for id in &ids {
        let id = engine.find_feedback(id).await?;
        if !feedback.contains(&id) {
            feedback.push(id);
        }
    }
    let count = feedback.len();
    // The reason first: a report that is closed without it would be the worse half.
    if let Some(reason) = reason {
        for id in &feedback {
            let note = Command::AddNote { feedback: id.clone(), content: reason.clone(), public: true };
            engine.submit(new_command_id(), setup.actor(), note).await?;
        }
    }
    let command = Command::SetReviewed { feedback, reviewed: !args.undo };
    engine.submit(new_command_id(), setup.actor(), command).await?;
    engine.close().await;
    let state = if args.undo { "unreviewed" } else { "reviewed" };
    complain(&format!("{} marked as {state}", counted(count as i64, "report")));
    Ok(Code::Ok)
}
