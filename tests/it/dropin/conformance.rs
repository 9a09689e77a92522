//! The contract's own script, drop-ins/conformance.py, against the drop-in of each language: a strict sidecar that is down, slow,
//! drops connections and answers 401, 413, 422, 429 and 500. Nothing is lost or stored twice, and each call is back within two seconds.

use super::matrix::Row;
use super::{go, python, rust, typescript};
use crate::support::python::Python;
use crate::support::servers::Language;
use crate::support::toolchain::{alone, repository};
use std::process::Stdio;

/// Runs the script over the server of this row.
fn passes(row: &Row, test: &str) {
    let (Some(program), Some(python)) = (row.program(test), Python::bare(test)) else { return };
    // A few scenarios at a time, and nobody else: more would make calls late that have only to wait for the machine. A Python
    // server works for a second or more before its first answer.
    let _alone = alone();
    let at_a_time = if row.language == Language::Python { "2" } else { "4" };
    let mut command = python.command();
    command.arg(repository("drop-ins/conformance.py")).args(["-v", "-j", at_a_time, "--"]);
    command.arg(&program.file).args(&program.arguments);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (printed, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let failed: Vec<&str> = printed.lines().filter(|line| line.starts_with("FAIL")).collect();
    // Whole reports stand there, and one scenario's are huge.
    let complaints: Vec<String> = complaints.lines().map(|line| line.chars().take(500).collect()).collect();
    assert!(output.status.success() && failed.is_empty(), "{row:?}: {failed:#?}\n{}", complaints.join("\n"));
    assert!(printed.lines().any(|line| line.ends_with(" passed, 0 failed")), "{printed}");
}

/// The SDK that most people use.
fn first(rows: &[Row], test: &str) {
    passes(rows.first().unwrap(), test);
}

#[test]
fn python_keeps_the_contract() {
    first(python::ROWS, "dropin::conformance::python_keeps_the_contract");
}

#[test]
fn typescript_keeps_the_contract() {
    first(typescript::ROWS, "dropin::conformance::typescript_keeps_the_contract");
}

#[test]
fn go_keeps_the_contract() {
    first(go::ROWS, "dropin::conformance::go_keeps_the_contract");
}

#[test]
fn rust_keeps_the_contract() {
    first(rust::ROWS, "dropin::conformance::rust_keeps_the_contract");
}

#[test]
#[ignore = "takes some minutes; run it after a change of a drop-in or of an SDK's version"]
fn every_other_sdk_keeps_the_contract() {
    for row in [python::ROWS, typescript::ROWS, go::ROWS, rust::ROWS].iter().flat_map(|rows| &rows[1..]) {
        passes(row, "dropin::conformance::every_other_sdk_keeps_the_contract");
    }
}
