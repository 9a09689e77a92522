//! `patchwork servers`.

use super::exit::Code;
use super::out::{Ink, Out, columns, fit};
use super::setup::{Global, Setup};
use super::table::{counted, pad};
use crate::domain::server::Server;
use crate::domain::time::{Millis, ago_in_words};
use crate::http::ServerView;
use std::io;

/// Longest server name shown in the column.
const NAME: usize = 30;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the JSON array of GET /api/servers
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args, global: &Global) -> anyhow::Result<Code> {
    let (_, engine) = Setup::guest(global).await?;
    let (servers, now) = (engine.servers().await?, engine.now());
    engine.close().await;
    let mut out = Out::open();
    if args.json {
        let views: Vec<ServerView<'_>> = servers.iter().map(|server| ServerView::of(server, now)).collect();
        out.json(&views)?;
    } else {
        print(&mut out, &servers, now)?;
    }
    out.finish()?;
    Ok(Code::Ok)
}

fn print(out: &mut Out, servers: &[Server], now: Millis) -> io::Result<()> {
    if servers.is_empty() {
        return out.line("No server was heard of yet: copy a drop-in into one, see the README.");
    }
    let names: Vec<String> = servers.iter().map(|server| fit(&server.name, NAME)).collect();
    let width = names.iter().map(|name| columns(name)).max().unwrap_or(0) + 2;
    for (server, name) in servers.iter().zip(&names) {
        let heard = server.last_heard().map_or_else(String::new, |at| ago_in_words(now, at));
        let counts = format!("{}, {} unreviewed", counted(server.reports.total, "report"), server.reports.unreviewed);
        out.parts(&[
            (Some(Ink::Bold), pad(name, width)),
            (Some(Ink::Dim), pad(&heard, 10)),
            (None, pad(&counts, 28)),
            (None, tools(server)),
        ])?;
        for warning in server.warnings(now) {
            out.parts(&[(None, "  ".to_owned()), (Some(Ink::Yellow), format!("! {}", warning.sentence()))])?;
        }
    }
    Ok(())
}

/// What the last heartbeat said: `12 tools, with feedback; python/1.0.0, mcp 2.3.0`.
fn tools(server: &Server) -> String {
    let Some(heard) = &server.heartbeat else { return "no heartbeat".to_owned() };
    let feedback = match heard.has_feedback_tool() {
        Some(true) => ", with feedback",
        Some(false) => ", without feedback",
        None => "",
    };
    let tools = format!("{}{feedback}", counted(heard.tool_count, "tool"));
    let senders = [&heard.drop_in, &heard.sdk].into_iter().filter(|text| !text.is_empty());
    let senders: Vec<String> = senders.map(|text| fit(text, NAME)).collect();
    if senders.is_empty() { tools } else { format!("{tools}; {}", senders.join(", ")) }
}
