//! `patchwork publish DRAFT`: takes a change that waits for its review to where it goes, as it is or with decisions about it.

use super::exit::{Code, Usage};
use super::follow::{ended, follow, print};
use super::serve::StopSignals;
use super::setup::{Global, Setup};
use super::stdin;
use super::table::counted;
use crate::domain::diff::{Diff, FileDiff};
use crate::domain::draft::Draft;
use crate::domain::id::DraftId;
use crate::domain::review::{Choices, Dropped};
use crate::engine::{Engine, new_command_id};
use crate::protocol::{Command, Refusal, RefusalKind};
use crate::tui::is_waiting;
use anyhow::Context;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The draft's id, or its report's, or as much of it as tells it apart
    id: String,
    /// Commit subject and title of the pull request
    #[arg(long)]
    title: Option<String>,
    /// Text of the pull request, from a file; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    body: Option<String>,
    /// The branch that the pull request is for
    #[arg(long, value_name = "BRANCH")]
    base: Option<String>,
    /// Open the pull request ready for review, not as a draft
    #[arg(long)]
    ready: bool,
    /// Leave a file out, or its Nth hunk; may be given again
    #[arg(long, value_name = "PATH[:N]")]
    drop: Vec<String>,
    /// Publish although `verify` failed
    #[arg(long)]
    despite_failure: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, global: &Global) -> anyhow::Result<Code> {
    let (setup, engine) = Setup::guest(global).await?;
    let ended = publish(&engine, &setup, args).await;
    engine.close().await;
    ended
}

async fn publish(engine: &Engine, setup: &Setup, args: Args) -> anyhow::Result<Code> {
    let mut stop = StopSignals::open()?;
    let draft = waiting(engine, &args.id).await?;
    let (json, despite_failure) = (args.json, args.despite_failure);
    let detail = engine.draft(&draft).await?;
    let choices = decide(detail.choices.clone(), args, &detail.diff)?;
    if choices != detail.choices {
        let edit = Command::EditReview { draft: draft.clone(), choices: Box::new(choices) };
        engine.submit(new_command_id(), setup.actor(), edit).await?;
    }
    let command = Command::PublishDraft { draft, despite_failure };
    let (draft, state) = follow(engine, &setup.actor(), command, &mut stop).await?;
    let detail = engine.draft(&draft).await?;
    print(&detail, json)?;
    Ok(ended(&detail.draft, &state))
}

/// What the flags say on top of what is decided already.
fn decide(mut choices: Choices, args: Args, diff: &str) -> anyhow::Result<Choices> {
    if let Some(file) = args.body {
        choices.summary = Some(if file == "-" {
            stdin::read("the text")?
        } else {
            std::fs::read_to_string(&file).with_context(|| format!("--body {file}"))?
        });
    }
    choices.title = args.title.or(choices.title);
    choices.base = args.base.or(choices.base);
    if args.ready {
        choices.draft = Some(false);
    }
    if args.drop.is_empty() {
        return Ok(choices);
    }
    let diff = Diff::parse(diff)?;
    for part in &args.drop {
        choices.dropped.extend(dropped(&diff, part)?);
    }
    choices.dropped.sort();
    choices.dropped.dedup();
    let parts: usize = diff.files.iter().map(FileDiff::parts).sum();
    if choices.dropped.len() >= parts {
        return Err(Usage("that leaves nothing to publish; `patchwork discard` throws the change away".into()).into());
    }
    Ok(choices)
}

/// A file as a whole, or one of its hunks. A path may have a colon of its own.
fn dropped(diff: &Diff, part: &str) -> Result<Vec<Dropped>, Usage> {
    let all = |path: &str| diff.files.iter().find(|file| file.path.as_str() == path);
    if let Some(file) = all(part) {
        return Ok((0..file.parts()).map(|hunk| Dropped { path: file.path.clone(), hunk }).collect());
    }
    let numbered = part.rsplit_once(':').and_then(|(path, n)| Some((all(path)?, n)));
    let Some((file, n)) = numbered else {
        let names: Vec<&str> = diff.files.iter().take(20).map(|file| file.path.as_str()).collect();
        return Err(Usage(format!("--drop: `{part}` is no file of this change; it has {}", names.join(", "))));
    };
    match n.parse::<usize>() {
        Ok(n) if (1..=file.parts()).contains(&n) => Ok(vec![Dropped { path: file.path.clone(), hunk: n - 1 }]),
        Ok(_) | Err(_) => {
            let hunks = counted(file.parts() as i64, "hunk");
            Err(Usage(format!("--drop: {} has {hunks}, and no `{n}`", file.path)))
        }
    }
}

/// The draft that a person means by its id, or by its report's when a change of that waits, or a run of it whose process is gone.
pub(super) async fn waiting(engine: &Engine, part: &str) -> anyhow::Result<DraftId> {
    let drafts = match meant(engine, part).await? {
        Meant::Draft(draft) => return Ok(draft),
        Meant::DraftsOfReport(drafts) => drafts,
    };
    for draft in drafts {
        if is_waiting(&draft) || engine.is_abandoned(&draft.id).await {
            return Ok(draft.id);
        }
    }
    Err(Refusal::new(RefusalKind::Conflict, "no draft of this report waits for a review").into())
}

/// What a part of an id stands for.
pub(super) enum Meant {
    Draft(DraftId),
    DraftsOfReport(Vec<Draft>),
}

pub(super) async fn meant(engine: &Engine, part: &str) -> anyhow::Result<Meant> {
    let not_found = match engine.find_draft(part).await {
        Err(refusal) if refusal.kind == RefusalKind::NotFound => refusal,
        found => return Ok(Meant::Draft(found?)),
    };
    let Ok(feedback) = engine.find_feedback(part).await else { return Err(not_found.into()) };
    Ok(Meant::DraftsOfReport(engine.drafts(Some(&feedback)).await?))
}
