//! How well the context stage finds the files that a change needs, measured on real history.
//!
//! `cargo bench --bench recall -- [--cases N] [--subjects] REPOSITORY…`, each a clone with history. A commit that mends something is a
//! question with a known answer: its message, made to look like a report (see `history`), is ranked against the tree before it, and the
//! source files it changed are what should be found. Printed are the shares of them found among the first eight, and found anywhere
//! in the token budget, tests beside sources and sources alone, against scoring by path names only (see `path_only`). Without a
//! repository a small one is made up, so that it runs anywhere.

mod blobs;
mod history;
mod made_up;
mod path_only;

use blobs::Blobs;
use history::Case;
use patchwork::domain::change::RepoPath;
use patchwork::domain::feedback::{Feedback, NewFeedback};
use patchwork::domain::id::FeedbackId;
use patchwork::domain::time::Millis;
use patchwork::drafting;
use patchwork::protocol::read::{Detail, RankedFile};
use serde_json::json;
use std::collections::HashSet;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Files that count as found without looking at the budget.
const FIRST: usize = 8;
/// The default of `context_tokens`.
const BUDGET: usize = 60_000;
/// Newest commits of a repository that are asked about, unless `--cases` says otherwise.
const CASES: usize = 100;

fn main() -> Fallible<()> {
    let (mut cases, mut subjects, mut misses, mut repositories) = (CASES, false, false, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // cargo's own.
            "--bench" => {}
            "--cases" => cases = arguments.next().ok_or("--cases needs a number")?.parse()?,
            "--subjects" => subjects = true,
            "--misses" => misses = true,
            other => repositories.push(PathBuf::from(other)),
        }
    }
    // Held until the end: it is deleted when dropped.
    let made_up = if repositories.is_empty() { Some(made_up::repository()?) } else { None };
    if let Some(dir) = &made_up {
        say("Usage: cargo bench --bench recall -- [--cases N] [--subjects] [--misses] REPOSITORY…")?;
        say("--subjects asks with the first line of each message only; --misses prints what was not found.")?;
        say(
            "No repository was given, so this is one that was made up: it shows that the measurement works, and no more.\n",
        )?;
        repositories.push(dir.path().to_owned());
    }
    say(&format!("recall in percent: sources with tests / sources alone; budget {BUDGET} tokens"))?;
    say(&format!(
        "{:<30} {:>5}   {:^16} {:^16} {:^16} {:^16} {:>9}",
        "repository", "cases", "paths: first 8", "paths: budget", "first 8", "budget", "ms a case"
    ))?;
    let mut all = Tally::default();
    for repository in &repositories {
        let tally = measure(repository, cases, subjects, misses)?;
        say(&tally.row(&name(repository)))?;
        all.add(&tally);
    }
    if repositories.len() > 1 {
        say(&all.row("all cases together"))?;
    }
    Ok(())
}

fn say(line: &str) -> Fallible<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// The last parts of a path that tell something.
fn name(repository: &Path) -> String {
    let parts = repository.components().rev().map(|p| p.as_os_str().to_string_lossy().into_owned());
    parts.into_iter().find(|p| p != "repo" && p != ".git").unwrap_or_default()
}

/// Sums over cases.
#[derive(Default)]
struct Tally {
    cases: usize,
    /// Recall of all changed sources and of those that are no tests: by paths among the first, by paths in the budget, ranked among the
    /// first, shown in the budget.
    sums: [[f64; 2]; 4],
    /// Cases with a source that is no test.
    plain: usize,
    time: Duration,
}

impl Tally {
    fn case(&mut self, case: &Case, found: [&HashSet<&str>; 4]) {
        self.cases += 1;
        let plain: Vec<&String> = case.changed.iter().filter(|p| !history::is_test(p)).collect();
        self.plain += usize::from(!plain.is_empty());
        for (sum, found) in self.sums.iter_mut().zip(found) {
            let recall = |wanted: &[&String]| {
                wanted.iter().filter(|p| found.contains(p.as_str())).count() as f64 / wanted.len().max(1) as f64
            };
            sum[0] += recall(&case.changed.iter().collect::<Vec<_>>());
            sum[1] += recall(&plain);
        }
    }

    fn add(&mut self, other: &Self) {
        self.cases += other.cases;
        self.plain += other.plain;
        self.time += other.time;
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            sum[0] += more[0];
            sum[1] += more[1];
        }
    }

    fn row(&self, name: &str) -> String {
        let percent = |sum: f64, of: usize| 100.0 * sum / of.max(1) as f64;
        let columns = self.sums.map(|sum| {
            let pair = format!("{:.1} / {:.1}", percent(sum[0], self.cases), percent(sum[1], self.plain));
            format!("{pair:^16}")
        });
        let each = self.time.as_secs_f64() * 1000.0 / self.cases.max(1) as f64;
        format!("{name:<30} {:>5}   {} {each:>9.0}", self.cases, columns.join(" "))
    }
}

fn measure(repository: &Path, cases: usize, subjects: bool, misses: bool) -> Fallible<Tally> {
    let mut blobs = Blobs::open(repository)?;
    let mut tally = Tally::default();
    for case in history::cases(repository, cases, subjects)? {
        let tree = blobs.tree(repository, &case.parent)?;
        let paths: Vec<RepoPath> = tree.keys().cloned().collect();
        let read = |path: &RepoPath| blobs.read(&tree, path);
        let by_path = path_only::rank(&paths, &case.text);
        let begun = Instant::now();
        let ranked = drafting::choose_files(&paths, &read, &report(&case)?, BUDGET);
        tally.time += begun.elapsed();
        let first = ranked.iter().take(FIRST).map(|f| f.path.as_str()).collect();
        let shown: HashSet<&str> = ranked.iter().filter(|f| f.tokens > 0).map(|f| f.path.as_str()).collect();
        let path_first = by_path.iter().take(FIRST).map(|p| p.as_str()).collect();
        let path_shown = path_only::within(&by_path, BUDGET, |path| blobs.size(&tree, path));
        tally.case(&case, [&path_first, &path_shown, &first, &shown]);
        if misses {
            tell(&case, &ranked)?;
        }
    }
    Ok(tally)
}

/// What was looked for and where it is in the ranking.
fn tell(case: &Case, ranked: &[RankedFile]) -> Fallible<()> {
    let place = |path: &str| ranked.iter().position(|f| f.path == path);
    if case.changed.iter().all(|p| place(p).is_some_and(|at| at < FIRST)) {
        return Ok(());
    }
    say(&format!("\n{} {}", &case.commit[..10], case.text.replace('\n', " ").chars().take(300).collect::<String>()))?;
    for path in &case.changed {
        let at = place(path).map_or("-".to_owned(), |at| format!("{} {}", at + 1, ranked[at].reasons.join(", ")));
        say(&format!("    wanted {path}: {at}"))?;
    }
    for file in ranked.iter().take(FIRST) {
        say(&format!("    {:>8.2} {} ({})", file.score, file.path, file.reasons.join(", ")))?;
    }
    Ok(())
}

fn report(case: &Case) -> Fallible<Detail> {
    let fields = json!({"what_i_needed": case.text, "what_i_tried": "-"});
    let feedback = Feedback {
        id: FeedbackId::trusted("case"),
        n: 1,
        received_at: Millis(0),
        report: NewFeedback::parse(fields).map_err(|e| format!("{e:?}"))?.report,
        reviewed: false,
        note_count: 0,
        pr_url: String::new(),
        drafted: false,
        merged: false,
    };
    Ok(Detail { feedback, notes: Vec::new() })
}
