//! The client libraries that the hosted product publishes, unchanged: their users point them at the sidecar and nothing else.

use super::everything;
use super::talk::{Conversation, Settings};
use crate::support::python::Python;
use crate::support::running::{Home, Serve};
use crate::support::servers::Language;
use crate::support::toolchain::{in_company, or_skip};
use serde_json::json;

#[test]
fn the_library_on_pypi_delivers() {
    delivers(Language::Python, "server_library", "dropin::library::the_library_on_pypi_delivers");
}

#[test]
fn the_library_on_crates_io_delivers() {
    delivers(Language::Rust, "library", "dropin::library::the_library_on_crates_io_delivers");
}

fn delivers(language: Language, server: &str, test: &str) {
    let Some(mut program) = or_skip(test, language.server("library", server)) else { return };
    let Some(client) = Python::with("mcp2", test) else { return };
    let _company = in_company();
    let home = Home::new();
    let key = "the-key-of-this-test";
    let mut command = home.command(&["serve", "--port", "0"]);
    command.env("FEEDBACK_API_KEY", key);
    let serve = Serve::start(command);
    program.environment = [("URL", serve.url()), ("API_KEY", key.to_owned()), ("SERVER_SLUG", "billing".to_owned())]
        .map(|(name, value)| (format!("PATCHWORKMCP_{name}"), value))
        .to_vec();

    let spool = home.path().join("spool");
    let settings = Settings { url: serve.url(), spool: &spool, key: None, era: "auto" };
    let call = Conversation::over_stdio(&client, &program, &everything(), &settings);
    let said = &call.said["calls"][0];
    assert!(said["text"].as_str().unwrap().contains("recorded"), "{said}");
    let complaints = call.end();
    assert!(!complaints.contains("UNSENT"), "{complaints}");

    let reports = home.reports();
    let [report] = &reports[..] else { panic!("one report: {reports:#?}") };
    assert_eq!(report["server_name"], "billing");
    let said = everything();
    for field in said.as_object().unwrap().keys().filter(|field| *field != "severity") {
        assert_eq!(report[field], said[field], "{field}");
    }
    assert_eq!(report.get("extra"), None, "{report}");
    assert_eq!(report["reviewed"], json!(false));
    assert!(serve.stop().success());
}
