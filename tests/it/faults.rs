//! The real `patchwork` when the disk is full, a file may not grow or the database is locked.
//!
//! The same for each: the sender is told in a sentence, with the time after which to try again; what was acknowledged is there, once; reading goes
//! on; and when the trouble is over so is everything else.

use crate::store::original;
use crate::support::running::{BINARY, Home, Serve, until};
use crate::support::skipped;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::process::Stdio;

/// What a caller that is told to come back is told.
struct Refused {
    report: Value,
    detail: String,
}

/// A report of some weight.
fn report(n: usize) -> Value {
    json!({"id": format!("report-{n}"), "what_i_needed": format!("walrus{n} {}", "x ".repeat(20_000)), "what_i_tried": "t"})
}

/// Sends reports until one is refused; the ids of the others.
fn fill(serve: &Serve) -> (Vec<String>, Refused) {
    let mut stored = Vec::new();
    for n in 0..500 {
        let report = report(n);
        let answer = serve.post(&report);
        if answer.status == 201 {
            stored.push(format!("report-{n}"));
            continue;
        }
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.header("retry-after"), "10");
        return (stored, Refused { report, detail: answer.detail() });
    }
    panic!("500 reports and the disk is not full")
}

/// Every id, and each once.
fn stored_ids(reports: &Value) -> Vec<String> {
    let mut ids: Vec<String> =
        reports.as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect();
    ids.reverse();
    ids
}

/// Goes from a refusal over the relief to a server as good as new.
fn full_and_relieved(serve: Serve, relieve: impl FnOnce(&Serve)) -> String {
    let (mut stored, refused) = fill(&serve);
    assert!(!stored.is_empty(), "there was room at first");
    assert_eq!(serve.post(&refused.report).status, 503, "still");
    assert_eq!(stored_ids(&serve.get("/api/feedback?limit=200").json()), stored, "reading goes on");
    assert_eq!(serve.get("/healthz").status, 200);

    relieve(&serve);
    assert_eq!(serve.post(&refused.report).status, 201, "the same report, sent again");
    let id = refused.report["id"].as_str().unwrap().to_owned();
    let word = id.replace("report-", "walrus");
    stored.push(id);
    assert_eq!(stored_ids(&serve.get("/api/feedback?limit=200").json()), stored, "nothing lost, nothing twice");
    let search = format!("/api/feedback?q={word}");
    until("the search index follows", || serve.get(&search).json().as_array().unwrap().len() == 1);
    assert!(serve.stop().success());
    refused.detail
}

/// A shell in which `mount` changes nothing outside; `None` where the system does not allow that, which is said under the test's name.
#[cfg(target_os = "linux")]
fn mounting_shell(home: &Home, test: &str, script: &str) -> Option<std::process::Command> {
    let rights: &[&str] =
        if rustix::process::geteuid().is_root() { &["--mount"] } else { &["--map-root-user", "--mount"] };
    let mut attempt = std::process::Command::new("unshare");
    attempt.args(rights).args(["mount", "-t", "tmpfs", "tmpfs"]).arg(home.path());
    if !attempt.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        skipped(test, "this user may not mount a file system (unshare --mount)");
        return None;
    }
    let mut command = home.wrapped("unshare");
    command.args(rights).args(["sh", "-c", script, "sh"]).arg(home.path()).arg(BINARY);
    Some(command)
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_and_costs_no_report() {
    let home = Home::new();
    let script = r#"mount -t tmpfs -o size=4m tmpfs "$1" && head -c 2000000 /dev/zero > "$1/filler" && exec "$2" serve --port 0"#;
    let Some(shell) = mounting_shell(&home, "faults::a_full_disk_is_told_and_costs_no_report", script) else { return };
    let serve = Serve::start(shell);
    let inside = format!("/proc/{}/root{}/filler", serve.pid(), home.path().display());
    let detail = full_and_relieved(serve, |_| std::fs::remove_file(inside).unwrap());
    assert_eq!(detail, "the disk is full, nothing was stored: free some space, then send it again");
}

#[test]
#[cfg(target_os = "linux")]
fn a_start_on_a_full_disk_says_so_and_spoils_nothing() {
    let home = Home::new();
    let script = r#"mount -t tmpfs -o size=32k tmpfs "$1"; "$2" serve --port 0; code=$?
        mount -o remount,size=8m "$1" && "$2" list --json && exit $code"#;
    let test = "faults::a_start_on_a_full_disk_says_so_and_spoils_nothing";
    let Some(mut shell) = mounting_shell(&home, test, script) else { return };
    let output = shell.stdin(Stdio::null()).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    // Which part of the file finds no room, and so which error SQLite has for it, is SQLite's affair.
    let told = ["the disk is full", "see whether it is full"].iter().any(|sentence| complaint.contains(sentence));
    assert!(told && complaint.contains("feedback.db"), "{complaint}");
    assert_eq!(complaint.lines().filter(|line| line.starts_with("patchwork: ")).count(), 1, "{complaint}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "[]", "with room it begins anew");
}

/// The original's file must be backed up before it is migrated, and there is no room for that.
#[test]
#[cfg(target_os = "linux")]
fn a_migration_on_a_full_disk_changes_nothing() {
    let test = "faults::a_migration_on_a_full_disk_changes_nothing";
    let (home, outside) = (Home::new(), Home::new());
    let (before, after) = (outside.path().join("before.db"), outside.path().join("after.db"));
    original::make(&before, true);
    let fat = Connection::open(&before).unwrap();
    fat.execute("UPDATE feedback SET what_i_tried = ?1", ["x".repeat(400_000)]).unwrap();
    drop(fat);
    let script = r#"mount -t tmpfs -o size=2m tmpfs "$1" && mkdir "$1/data" && cp "$3" "$1/data/feedback.db"
        "$2" serve --port 0; code=$?; cp "$1/data/feedback.db" "$4" && ls "$1/data" && exit $code"#;
    let Some(mut shell) = mounting_shell(&home, test, script) else { return };
    let output = shell.arg(&before).arg(&after).stdin(Stdio::null()).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("backup") && complaint.contains("nothing was changed"), "{complaint}");
    let left = String::from_utf8(output.stdout).unwrap();
    assert!(!left.contains("backup"), "half a backup is worse than none:\n{left}");
    let kept = Connection::open(&after).unwrap();
    let rows: i64 = kept.query_row("SELECT count(*) FROM feedback WHERE mood = 'curious'", [], |r| r.get(0)).unwrap();
    assert_eq!(rows, 3, "every row of the original, in the original's table");
}

/// Not `ENOSPC` but the other errors of a write that can't be: a quota, a limit, a bad block.
#[test]
#[cfg(target_os = "linux")]
fn a_file_that_may_not_grow_is_told_and_costs_no_report() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let home = Home::new();
    let mut shell = home.wrapped("sh");
    // In blocks of 512 bytes. The signal would end the process before it sees the error.
    shell.args(["-c", r#"trap "" XFSZ; ulimit -S -f 2000; exec "$1" serve --port 0"#, "sh", BINARY]);
    let serve = Serve::start(shell);
    let detail = full_and_relieved(serve, |serve| {
        let pid = Pid::from_raw(i32::try_from(serve.pid()).unwrap());
        prlimit(pid, Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap();
    });
    assert!(detail.starts_with("the disk did not do its work (disk I/O error), nothing was stored"), "{detail}");
    assert!(detail.contains("quota") && detail.ends_with("send it again"), "{detail}");
}

#[test]
fn a_locked_database_is_told_and_read_all_the_same() {
    let home = Home::new();
    let serve = home.serve();
    // Whether this one is indexed before the lock or waits for its end: nobody else waits for that.
    assert_eq!(serve.post(&report(0)).status, 201);
    let stranger = Connection::open(home.database()).unwrap();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();

    // The lock is held all the while, so whatever needed it would be refused.
    assert_eq!(stored_ids(&serve.get("/api/feedback").json()), ["report-0"]);
    assert_eq!(home.reports().len(), 1);
    assert_eq!(home.json(&["stats", "--json"])["total"], 1);

    let answer = serve.post(&report(1));
    assert_eq!((answer.status, answer.header("retry-after")), (503, "10"));
    assert!(answer.detail().contains("locked by another process"), "{answer:?}");
    let refused = home.run(&["note", "report-0", "a note"]);
    assert_eq!(refused.status.code(), Some(1));
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert!(complaint.contains("locked by another process"), "{complaint}");

    stranger.execute_batch("ROLLBACK").unwrap();
    assert_eq!(serve.post(&report(1)).status, 201);
    let search = "/api/feedback?q=walrus0";
    until("the search index follows", || serve.get(search).json().as_array().unwrap().len() == 1);
    assert!(serve.stop().success());
    assert_eq!(home.reports().len(), 2);
    assert_eq!(home.reports()[1]["notes"], serde_json::json!([]), "what was refused was not done");
}
