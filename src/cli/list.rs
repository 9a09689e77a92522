//! `patchwork list [FILTER]`.

use super::exit::{Code, Usage, complain};
use super::out::Out;
use super::setup::{Global, Setup};
use super::stdin;
use super::table::Reports;
use crate::domain::filter::{Filter, FilterError};
use crate::engine::{Clock, Engine};
use crate::http::FeedbackView;
use crate::protocol::read::{MAX_PAGE, PageRequest};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The filter as one argument, such as 'server:billing is:unreviewed "search cost"'; `-` reads it from standard input
    #[arg(allow_hyphen_values = true)]
    filter: Option<String>,
    /// Print a JSON array, the same objects as GET /api/feedback
    #[arg(long)]
    json: bool,
    /// Print at most this many
    #[arg(long, value_name = "N", default_value_t = 50, conflicts_with = "all")]
    limit: usize,
    /// Print all of them
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(args: Args, global: &Global) -> anyhow::Result<Code> {
    let source = stdin::or_read(args.filter.unwrap_or_default(), "the filter")?;
    let filter = Filter::parse(&source).map_err(|e| Usage(explain(&source, &e)))?;
    if args.limit == 0 && !args.all {
        return Err(Usage("--limit must be at least 1".into()).into());
    }
    let limit = if args.all { usize::MAX } else { args.limit };
    let (_, engine) = Setup::guest(global).await?;
    let mut out = Out::open();
    let printed = if args.json {
        print_json(&engine, filter, limit, &mut out).await
    } else {
        print_rows(&engine, filter, limit, &mut out).await
    };
    engine.close().await;
    printed?;
    out.finish()?;
    Ok(Code::Ok)
}

/// The line with a mark under the mistake.
fn explain(source: &str, error: &FilterError) -> String {
    let width = error.end.saturating_sub(error.start).max(1);
    format!("{}\n  {source}\n  {}{}", error.message, " ".repeat(error.start), "^".repeat(width))
}

async fn print_json(engine: &Engine, filter: Filter, limit: usize, out: &mut Out) -> anyhow::Result<()> {
    let mut request = PageRequest::first(filter, limit.min(MAX_PAGE));
    let mut left = limit;
    let mut first = true;
    loop {
        let page = engine.list(request.clone()).await?;
        for detail in &page.rows {
            out.json_element(first, &FeedbackView::from(detail))?;
            first = false;
        }
        left -= page.rows.len().min(left);
        if page.next.is_none() || left == 0 {
            break;
        }
        request.after = page.next;
        request.limit = left.min(MAX_PAGE);
    }
    Ok(out.json_end(first)?)
}

async fn print_rows(engine: &Engine, filter: Filter, limit: usize, out: &mut Out) -> anyhow::Result<()> {
    let mut request = PageRequest::first(filter, limit.min(MAX_PAGE));
    let mut left = limit;
    let now = Clock::System.now();
    let mut table = None;
    loop {
        let page = engine.page(request.clone()).await?;
        let table = *table.get_or_insert_with(|| Reports::fitting(&page.rows, out.width()));
        for row in &page.rows {
            table.print(out, row, now)?;
        }
        if page.rows.is_empty() && request.after.is_none() && out.width().is_some() {
            complain(if request.filter.is_empty() { "there are no reports yet" } else { "no report matches" });
        }
        left -= page.rows.len().min(left);
        if page.next.is_none() || left == 0 {
            return Ok(());
        }
        request.after = page.next;
        request.limit = left.min(MAX_PAGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_under_the_mistake() {
        let source = "server:x gap:mising_tool";
        let explained = explain(source, &Filter::parse(source).unwrap_err());
        let lines: Vec<_> = explained.lines().collect();
        assert!(lines[0].contains("missing_tool"), "{explained}");
        assert_eq!(lines[2].find('^'), lines[1].find("mising"));
        assert_eq!(lines[2].matches('^').count(), "mising_tool".len());
    }
}
