//! `patchwork review ID... [--undo]`.

use super::exit::{Code, Usage, complain};
use super::setup::{Global, Setup};
use super::stdin;
use super::table::counted;
use crate::engine::new_command_id;
use crate::protocol::Command;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ids of reports, or enough of each; `-` reads them from standard input, separated by blanks or lines
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
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
    let (setup, engine) = Setup::guest(global).await?;
    let mut feedback = Vec::with_capacity(ids.len());
    for id in &ids {
        let id = engine.find_feedback(id).await?;
        if !feedback.contains(&id) {
            feedback.push(id);
        }
    }
    let count = feedback.len();
    let command = Command::SetReviewed { feedback, reviewed: !args.undo };
    engine.submit(new_command_id(), setup.actor(), command).await?;
    engine.close().await;
    let state = if args.undo { "unreviewed" } else { "reviewed" };
    complain(&format!("{} marked as {state}", counted(count as i64, "report")));
    Ok(Code::Ok)
}
