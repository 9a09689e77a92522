//! `patchwork drafts [ID [--diff-to-previous]]`.

use super::exit::{Code, complain};
use super::out::{Ink, Out};
use super::setup::{Global, Setup};
use super::show::{section, title};
use super::table;
use crate::domain::change::RepoPath;
use crate::domain::draft::{DraftState, StageRecord, TargetKind, Verdict};
use crate::domain::text;
use crate::engine::Clock;
use crate::protocol::difference::DraftDifference;
use crate::protocol::read::DraftDetail;
use std::io;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A run's id, or enough of it: show that run with its stages, diff and log
    id: Option<String>,
    /// Only the runs of this report
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    report: Option<String>,
    /// With an id: what that run's change does otherwise than the newest earlier one of the same report that made a change
    #[arg(long, requires = "id")]
    diff_to_previous: bool,
    /// The same against another run of the report
    #[arg(long, value_name = "ID", requires = "id", conflicts_with = "diff_to_previous")]
    diff_to: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, global: &Global) -> anyhow::Result<Code> {
    let (_, engine) = Setup::guest(global).await?;
    let mut out = Out::open();
    if let Some(id) = args.id.as_ref().filter(|_| args.diff_to_previous || args.diff_to.is_some()) {
        let id = engine.find_draft(id).await?;
        let against = match &args.diff_to {
            Some(other) => Some(engine.find_draft(other).await?),
            None => None,
        };
        let difference = engine.draft_difference(&id, against.as_ref()).await?;
        if args.json {
            out.json(&difference)?;
        } else {
            print_difference(&mut out, &difference)?;
        }
    } else if let Some(id) = &args.id {
        let detail = engine.draft(&engine.find_draft(id).await?).await?;
        if args.json {
            out.json(&detail)?;
        } else {
            print(&mut out, &detail)?;
        }
    } else {
        let report = match &args.report {
            Some(id) => Some(engine.find_feedback(id).await?),
            None => None,
        };
        let drafts = engine.drafts(report.as_ref()).await?;
        if args.json {
            out.json(&drafts)?;
        } else {
            let now = Clock::System.now();
            for draft in &drafts {
                table::draft(&mut out, draft, now)?;
            }
            if drafts.is_empty() && out.width().is_some() {
                complain("there are no drafts yet; `patchwork draft ID` makes one");
            }
        }
    }
    engine.close().await;
    out.finish()?;
    Ok(Code::Ok)
}

fn print(out: &mut Out, detail: &DraftDetail) -> io::Result<()> {
    let draft = &detail.draft;
    out.parts(&[(Some(Ink::Bold), format!("{} ", draft.id)), (None, draft.state.word().to_owned())])?;
    let tokens = format!("{} in, {} out", draft.usage.input_tokens, draft.usage.output_tokens);
    for (name, value) in [
        ("report", draft.feedback_id.as_str()),
        ("headline", &draft.headline),
        ("number", &draft.number.to_string()),
        ("drafter", draft.drafter.as_str()),
        ("model", &draft.model),
        ("target", draft.target.as_str()),
        ("tokens", if draft.usage.input_tokens == 0 { "" } else { &tokens }),
        ("cost", &draft.spent().unwrap_or_default()),
        ("verify", draft.verdict.map_or("", Verdict::as_str)),
        ("pull request", &draft.pull.as_ref().map(ToString::to_string).unwrap_or_default()),
    ] {
        out.field(name, value)?;
    }
    match &draft.state {
        DraftState::Published { published } => {
            let place = if published.pr_url.is_empty() { &published.repository } else { &published.pr_url };
            out.field("branch", &published.branch)?;
            out.field("where", place)?;
        }
        DraftState::Failed { reason, .. } => section(out, "Why it failed", reason)?,
        DraftState::Waiting { trouble } => {
            let despite = if draft.verdict == Some(Verdict::Failed) { " --despite-failure" } else { "" };
            out.field("waits", &format!("for your review: `patchwork publish{despite}` or `patchwork discard`"))?;
            decisions(out, detail)?;
            section(out, "Why it was not published", trouble)?;
        }
        DraftState::Queued | DraftState::Running { .. } | DraftState::Cancelled { .. } => {}
    }
    for stage in &detail.stages {
        section(out, &stage_title(stage), &stage.details.join("\n"))?;
    }
    diff(out, &detail.diff)?;
    title(out, "Log", &detail.log)?;
    out.block("  ", &detail.log)
}

fn print_difference(out: &mut Out, difference: &DraftDifference) -> io::Result<()> {
    let DraftDifference { draft, against, same, .. } = difference;
    out.parts(&[(Some(Ink::Bold), format!("{draft} ")), (None, difference.title())])?;
    out.field("draft before", against.id.as_str())?;
    out.field("outcome", &difference.outcome())?;
    out.field("careful", &difference.caution().unwrap_or_default())?;
    let same: Vec<&str> = same.iter().map(RepoPath::as_str).collect();
    out.field("the same", &same.join(", "))?;
    for file in &difference.files {
        let remark = difference.remark(file).map_or_else(String::new, |remark| format!(", {remark}"));
        out.field("differs", &format!("{} +{} -{}{remark}", file.path, file.added, file.removed))?;
    }
    diff(out, &difference.diff)
}

/// Never wrapped: the first column of each line means something.
pub(super) fn diff(out: &mut Out, diff: &str) -> io::Result<()> {
    title(out, "Diff", diff)?;
    for line in text::block(diff).trim_end().lines() {
        let ink = match line.as_bytes().first() {
            _ if line.starts_with("+++") || line.starts_with("---") => Some(Ink::Bold),
            Some(b'+') => Some(Ink::Green),
            Some(b'-') => Some(Ink::Red),
            Some(b'@') => Some(Ink::Dim),
            _ => None,
        };
        out.parts(&[(None, "  ".to_owned()), (ink, line.to_owned())])?;
    }
    Ok(())
}

/// What is proposed, and what is decided about it.
fn decisions(out: &mut Out, detail: &DraftDetail) -> io::Result<()> {
    let (proposal, choices) = (detail.proposal.clone().unwrap_or_default(), &detail.choices);
    out.field("title", choices.title.as_ref().unwrap_or(&proposal.title))?;
    if detail.draft.target == TargetKind::Github {
        out.field("base", choices.base.as_ref().unwrap_or(&proposal.base))?;
        out.field("opens", if choices.draft.unwrap_or(true) { "as a draft" } else { "ready for review" })?;
    }
    let dropped: Vec<String> = choices.dropped.iter().map(|d| format!("{}:{}", d.path, d.hunk + 1)).collect();
    out.field("dropped", &dropped.join(", "))?;
    section(out, "Text", choices.summary.as_ref().unwrap_or(&proposal.summary))
}

fn stage_title(record: &StageRecord) -> String {
    match record.ended_at {
        Some(end) => format!("{} ({:.1} s)", record.stage.title(), end.since(record.started_at) as f64 / 1000.0),
        None => format!("{} (not finished)", record.stage.title()),
    }
}
