//! `patchwork stats`.

use super::exit::Code;
use super::out::{Ink, Out, columns, fit};
use super::setup::{Global, Setup};
use super::table::{counted, pad};
use crate::http::StatsView;
use crate::protocol::read::{Count, Stats};
use std::io;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the JSON object of GET /api/stats
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args, global: &Global) -> anyhow::Result<Code> {
    let (_, engine) = Setup::guest(global).await?;
    let stats = engine.stats().await?;
    engine.close().await;
    let mut out = Out::open();
    if args.json {
        out.json(&StatsView::from(stats))?;
    } else {
        print(&mut out, &stats)?;
    }
    out.finish()?;
    Ok(Code::Ok)
}

fn print(out: &mut Out, stats: &Stats) -> io::Result<()> {
    let (reports, notes) = (counted(stats.total, "report"), counted(stats.note_count, "note"));
    out.line(format!("{reports}, {} unreviewed, {notes}", stats.unreviewed))?;
    for (title, counts) in
        [("By server", &stats.by_server), ("By gap", &stats.by_gap_type), ("By resolution", &stats.by_resolution)]
    {
        group(out, title, counts)?;
    }
    Ok(())
}

fn group(out: &mut Out, title: &str, counts: &[Count]) -> io::Result<()> {
    if counts.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.parts(&[(Some(Ink::Bold), title.to_owned())])?;
    let names: Vec<_> = counts.iter().map(|c| fit(&c.value, 40)).collect();
    let width = names.iter().map(|n| columns(n)).max().unwrap_or(0) + 2;
    for (name, count) in names.iter().zip(counts) {
        out.line(format!("  {}{:>7}", pad(name, width), count.count))?;
    }
    Ok(())
}
