//! `patchwork replay FILE|-`: takes in what drop-ins could not deliver.
//!
//! Reads any log that holds their `PATCHWORKMCP_UNSENT_FEEDBACK` lines, whatever stands around them and however often a collector has
//! wrapped or cut them, and the drop-ins' spool files. A report that is here already, because the drop-in delivered it later or the file was
//! replayed before, is known by its id and left alone.

use super::exit::{Code, complain};
use super::out::Out;
use super::setup::{Global, Setup};
use crate::domain::feedback::NewFeedback;
use crate::domain::id::{CommandId, FeedbackId};
use crate::domain::unsent::{self, Found, Joiner};
use crate::engine::{Engine, new_command_id};
use crate::protocol::{Actor, Command, RefusalKind};
use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

/// Longest line that is read; what is longer holds no report, because no drop-in sends one so large.
const MAX_LINE: u64 = 4 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A log or a spool file; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Print the counts as a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    recorded: u64,
    /// They were here already.
    known: u64,
    /// Not a report, or not a legal one: said on standard error, each with its line.
    unreadable: u64,
}

pub(super) async fn run(args: Args, global: &Global) -> anyhow::Result<Code> {
    // All files are opened before anything is stored: a mistyped name changes nothing.
    let mut sources = Vec::new();
    for name in args.files {
        let mut reader: Box<dyn BufRead> = if name == "-" {
            Box::new(BufReader::new(std::io::stdin()))
        } else {
            Box::new(BufReader::new(File::open(&name).with_context(|| format!("{name} can't be read"))?))
        };
        let start = reader.fill_buf().with_context(|| format!("{name} can't be read"))?;
        if let Some(advice) = not_text(start) {
            bail!("{name} {advice}; nothing was stored");
        }
        sources.push((name, reader));
    }
    let (setup, engine) = Setup::guest(global).await?;
    let mut counts = Counts::default();
    for (name, mut reader) in sources {
        take_in(&engine, &setup.actor(), &name, reader.as_mut(), &mut counts).await?;
    }
    engine.close().await;
    let mut out = Out::open();
    if args.json {
        out.json(&counts)?;
    } else {
        out.line(format!(
            "{} recorded, {} known already, {} unreadable",
            counts.recorded, counts.known, counts.unreadable
        ))?;
    }
    out.finish()?;
    Ok(if counts.unreadable > 0 { Code::Failed } else { Code::Ok })
}

async fn take_in(
    engine: &Engine,
    actor: &Actor,
    name: &str,
    reader: &mut dyn BufRead,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let mut number = 0_u64;
    let mut joiner = Joiner::default();
    while let Some(line) = next_line(reader).with_context(|| format!("{name} can't be read"))? {
        number += 1;
        for found in joiner.find(&line) {
            let problem = match found {
                Found::Broken => Some("the report in this line is cut off or broken".to_owned()),
                Found::Report(payload) => record(engine, actor, payload, counts).await?,
            };
            if let Some(problem) = problem {
                counts.unreadable += 1;
                complain(&format!("{name}, line {number}: {problem}"));
            }
        }
    }
    if joiner.unfinished() > 0 {
        counts.unreadable += joiner.unfinished() as u64;
        complain(&format!("{name}: it ends in the middle of a report"));
    }
    Ok(())
}

/// What to do with a file that no line can be found in.
fn not_text(start: &[u8]) -> Option<&'static str> {
    const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh"];
    const UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];
    let begins = |all: &[&[u8]]| all.iter().any(|magic| start.starts_with(magic));
    if begins(&COMPRESSED) {
        return Some("is compressed: unpack it on the way, as in `zcat FILE | patchwork replay -`");
    }
    begins(&UTF_16)
        .then_some("is UTF-16: convert it on the way, as in `iconv -f UTF-16 -t UTF-8 FILE | patchwork replay -`")
}

/// The next line, as text; `None` at the end. Of a line that is too long the rest is passed over.
fn next_line(reader: &mut dyn BufRead) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if Read::take(&mut *reader, MAX_LINE).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 == MAX_LINE && bytes.last() != Some(&b'\n') {
        reader.skip_until(b'\n')?;
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Stores a payload; gives what is wrong with it, if it is no report.
async fn record(engine: &Engine, actor: &Actor, payload: Value, counts: &mut Counts) -> anyhow::Result<Option<String>> {
    let fallback = unsent::id_for(&payload);
    let mut report = match NewFeedback::parse(NewFeedback::in_our_words(payload)) {
        Ok(report) => report,
        Err(faults) => {
            let faults: Vec<String> = faults.iter().map(|f| format!("{}: {}", f.field, f.message)).collect();
            return Ok(Some(faults.join("; ")));
        }
    };
    let id: FeedbackId = report.id.take().unwrap_or(fallback);
    report.id = Some(id.clone());
    // The command a delivery would have had: what is on its way over HTTP just now is the same request.
    let command = CommandId::parse(id.as_str()).unwrap_or_else(|_| new_command_id());
    match engine.submit(command, actor.clone(), Command::RecordFeedback { report: Box::new(report) }).await {
        Ok(receipt) if receipt.replayed => counts.known += 1,
        Ok(_) => counts.recorded += 1,
        Err(refusal) if refusal.kind == RefusalKind::Invalid => return Ok(Some(refusal.detail)),
        Err(refusal) => return Err(refusal.into()),
    }
    Ok(None)
}
