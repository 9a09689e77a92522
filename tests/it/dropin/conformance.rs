//! The contract's own script, drop-ins/conformance.py, against every row of the table: a strict sidecar that is down, slow,
//! drops connections and answers 401, 413, 422, 429 and 500. Nothing is lost or stored twice, and each call is back within two seconds.

use super::matrix::Row;
use crate::support::python::Python;
use crate::support::servers::Language;
use crate::support::toolchain::{alone, repository};
use std::process::Stdio;

/// Runs the script over the server of this row.
pub fn keeps(row: &Row, test: &str) {
    let test = test.trim_start_matches("it::");
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
