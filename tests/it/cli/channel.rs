//! `replay`, `wire` and `ping`: the drop-ins' side of the command line.

use crate::support::program::{Home, PATIENCE};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

fn payload(id: &str) -> Value {
    json!({"id": id, "server_name": "billing", "what_i_needed": format!("need {id} \"quoted\""), "what_i_tried": "t"})
}

fn log_line(payload: &Value) -> String {
    format!("2026-11-22 10:00:00 WARNING PATCHWORKMCP_UNSENT_FEEDBACK reason=unreachable payload={payload}")
}

fn spool_line(payload: &Value) -> String {
    json!({"reason": "status_500", "payload": payload, "queued_at": 1_790_000_000.5}).to_string()
}

#[test]
fn a_log_is_replayed_once_however_often() {
    let home = Home::new();
    home.record(&[payload("delivered-later")]);
    // As the published library logs it: no id, and its own name for the server.
    let library =
        json!({"server_slug": "billing", "what_i_needed": "no id", "what_i_tried": "t", "tools_available": []});
    let log = [
        "starting up".to_owned(),
        log_line(&payload("a")),
        json!({"log": log_line(&payload("b")), "stream": "stderr"}).to_string(),
        log_line(&payload("a")),
        log_line(&library),
        log_line(&payload("delivered-later")),
        "GET / 200".to_owned(),
    ];
    let file = home.path().join("server.log");
    std::fs::write(&file, log.join("\n")).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(home.ok(&["replay", file]), "3 recorded, 2 known already, 0 unreadable\n");
    let again = home.json(&["replay", file, "--json"]);
    assert_eq!(again, json!({"recorded": 0, "known": 5, "unreadable": 0}));
    let list = home.json(&["list", "--json"]);
    let rows = list.as_array().unwrap();
    assert_eq!(rows.len(), 4, "{list}");
    assert!(rows.iter().all(|row| row["server_name"] == "billing" && row.get("extra").is_none()), "{list}");
    assert!(rows.iter().any(|row| row["id"] == "a" && row["what_i_needed"] == "need a \"quoted\""), "{list}");
}

#[test]
fn a_spool_file_and_standard_input_are_replayed_too() {
    let home = Home::new();
    let spool = home.path().join("billing.jsonl");
    std::fs::write(&spool, format!("{}\n{}\n", spool_line(&payload("a")), spool_line(&payload("b")))).unwrap();
    let ran = home.run_with(&["replay", spool.to_str().unwrap(), "-"], &log_line(&payload("b")), &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "2 recorded, 1 known already, 0 unreadable\n"), "{ran:?}");
}

#[test]
fn what_can_not_be_read_is_told_by_its_line_and_the_rest_is_taken() {
    let home = Home::new();
    let whole = log_line(&payload("cut"));
    let secret = json!({"id": "x y", "what_i_needed": "SECRET", "agent_model": 5});
    let lines =
        [whole[..whole.len() - 9].to_owned(), log_line(&secret), log_line(&payload("good")), "\u{1b}[2J\0".into()];
    let ran = home.run_with(&["replay", "-"], &lines.join("\n"), &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "1 recorded, 0 known already, 2 unreadable\n"), "{ran:?}");
    assert!(ran.stderr.contains("-, line 1: ") && ran.stderr.contains("-, line 2: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("what_i_tried: ") && !ran.stderr.contains("SECRET"), "{}", ran.stderr);
}

#[test]
fn a_line_that_was_cut_by_the_container_is_put_together() {
    let home = Home::new();
    let line = log_line(&payload("long")) + "\n";
    let (first, second) = line.split_at(line.len() / 2);
    let log = [first, "GET / 200\n", second].map(|text| {
        let stream = if text.starts_with("GET") { "stdout" } else { "stderr" };
        json!({"log": text, "stream": stream}).to_string()
    });
    let ran = home.run_with(&["replay", "-"], &log.join("\n"), &[]);
    assert_eq!(ran.stdout, "1 recorded, 0 known already, 0 unreadable\n", "{ran:?}");
    let ran = home.run_with(&["replay", "-"], &log[0], &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "0 recorded, 0 known already, 1 unreadable\n"), "{ran:?}");
    assert!(ran.stderr.contains("ends in the middle of a report"), "{ran:?}");
}

#[test]
fn a_file_that_is_no_text_is_told_and_not_taken_for_an_empty_one() {
    let home = Home::new();
    for (name, start, tool) in [("a.gz", &b"\x1f\x8b\x08"[..], "zcat"), ("b.log", b"\xff\xfeP\0", "iconv")] {
        let (file, good) = (home.path().join(name), home.path().join("good.log"));
        std::fs::write(&file, start).unwrap();
        std::fs::write(&good, log_line(&payload("a"))).unwrap();
        let ran = home.run(&["replay", good.to_str().unwrap(), file.to_str().unwrap()]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.stderr.contains(tool), "{ran:?}");
    }
    assert_eq!(home.json(&["list", "--json"]), json!([]));
}

#[test]
fn a_file_that_is_not_there_changes_nothing() {
    let home = Home::new();
    let log = home.path().join("a.log");
    std::fs::write(&log, log_line(&payload("a"))).unwrap();
    let ran = home.run(&["replay", log.to_str().unwrap(), "no-such.log"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("no-such.log can't be read"), "{ran:?}");
    assert_eq!(home.json(&["list", "--json"]), json!([]));
    assert_eq!(home.run(&["replay"]).code, Some(2));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_drop_in_is_written_with_the_lines_to_add() {
    let home = Home::new();
    for (language, file, source, line) in [
        ("python", "feedback_tool.py", "python/feedback_tool.py", "register_feedback_tool(server, \"bil\\\"ling\")"),
        (
            "typescript",
            "feedback-tool.ts",
            "typescript/feedback-tool.ts",
            "registerFeedbackTool(server, \"bil\\\"ling\");",
        ),
        ("rust", "feedback_tool.rs", "rust/feedback_tool.rs", "mod feedback_tool;"),
        ("go", "feedback_tool.go", "go/feedback_tool.go", "import \"example.com/my-server/feedback\""),
    ] {
        let into = home.path().join("new").join(language);
        let said = home.ok(&["wire", language, "--into", into.to_str().unwrap(), "--name", "bil\"ling"]);
        assert!(said.contains(&format!("{file}: written")) && said.contains(line), "{said}");
        let (written, ours) =
            (std::fs::read(into.join(file)).unwrap(), std::fs::read(root().join("drop-ins").join(source)).unwrap());
        assert_eq!(written, ours, "{file}");
        assert_eq!(std::fs::read_dir(&into).unwrap().count(), 1, "nothing else is left there");
    }
    assert!(!home.path().join("data").exists(), "no database is made for this");
    assert_eq!(home.run(&["wire", "cobol"]).code, Some(2));
    assert_eq!(home.run(&["wire", "python", "--name", "two\nlines"]).code, Some(2));
}

#[test]
fn a_changed_file_is_not_written_over() {
    let home = Home::new();
    let here = home.path().join("feedback_tool.py");
    home.ok(&["wire", "python"]);
    assert!(home.ok(&["wire", "python"]).contains("is there already"));
    std::fs::write(&here, "# mine\n").unwrap();
    let ran = home.run(&["wire", "python"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{ran:?}");
    assert!(ran.stderr.contains("--force"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&here).unwrap(), "# mine\n");
    assert!(home.ok(&["wire", "python", "--force"]).contains("written"));
    assert!(home.ok(&["wire", "python"]).contains("    from feedback_tool import"));
    std::fs::create_dir(home.path().join("package")).unwrap();
    std::fs::write(home.path().join("package/__init__.py"), "").unwrap();
    assert!(home.ok(&["wire", "python", "--into", "package"]).contains("    from .feedback_tool import"));
    assert!(std::fs::read_to_string(&here).unwrap().contains("def register_feedback_tool"));
}

#[test]
fn go_gets_the_adapter_of_the_sdk_that_its_module_needs() {
    for (sdk, adapter, register) in [
        ("github.com/mark3labs/mcp-go v1.2.1", "adapter_mcpgo.go", "feedback.RegisterMCPGo(server, \"my-server\")"),
        (
            "github.com/modelcontextprotocol/go-sdk v1.8.0",
            "adapter_gosdk.go",
            "feedback.RegisterGoSDK(server, \"my-server\")",
        ),
    ] {
        let home = Home::new();
        std::fs::write(home.path().join("go.mod"), format!("module example.org/billing\n\nrequire {sdk}\n")).unwrap();
        // One that differs keeps all of them from being written.
        std::fs::create_dir(home.path().join("feedback")).unwrap();
        std::fs::write(home.path().join("feedback").join(adapter), "package feedback // mine\n").unwrap();
        assert_eq!(home.run(&["wire", "go"]).code, Some(4));
        assert!(!home.path().join("feedback/feedback_tool.go").exists());
        std::fs::remove_file(home.path().join("feedback").join(adapter)).unwrap();
        let said = home.ok(&["wire", "go"]);
        assert!(said.contains("import \"example.org/billing/feedback\"") && said.contains(register), "{said}");
        assert_eq!(std::fs::read_dir(home.path().join("feedback")).unwrap().count(), 2);
    }
}

#[test]
fn the_package_holds_the_drop_ins() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let package = manifest["package"].as_table().unwrap();
    assert!(!package.contains_key("include"), "then the drop-ins have to be in it");
    let excluded = package["exclude"].as_array().unwrap();
    assert!(excluded.iter().all(|path| !path.as_str().unwrap().contains("drop-ins")), "{excluded:?}");
}

#[test]
fn a_canary_arrives_and_is_in_nobodys_way() {
    let home = Home::new();
    home.configure("[server]\nport = 8098\n");
    let server = home.serve();
    let url = server.url("");
    let said = home.ok(&["ping", "--url", &url]);
    assert!(said.starts_with(&format!("{url} takes reports: ")), "{said}");
    let ran = home.run_with(&["ping"], "", &[("FEEDBACK_SIDECAR_URL", &format!("{url}/"))]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // The drop-ins ask no proxy, so their channel is alive where a proxy is dead.
    let dead = [("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1")];
    let ran = home.run_with(&["ping", "--url", &url], "", &dead);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(home.json(&["list", "is:unreviewed", "--json"]), json!([]));
    let all = home.json(&["list", "--json"]);
    assert_eq!(all.as_array().unwrap().len(), 3, "each one is a report that was really stored");
    assert!(
        all.as_array().unwrap().iter().all(|r| r["server_name"] == "patchwork-ping" && r["reviewed"] == true),
        "{all}"
    );
    assert_eq!(home.json(&["servers", "--json"]), json!([]), "it is no server");
}

#[test]
fn a_dead_channel_is_told_from_a_wrong_key_and_a_stranger() {
    let home = Home::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", silent.local_addr().unwrap());
    drop(silent);
    let ran = home.run(&["ping", "--url", &nobody]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("is not taking reports") && ran.stderr.contains("patchwork serve"), "{ran:?}");

    let mut command = home.command(&["serve", "--port", "0"]);
    command.env("FEEDBACK_API_KEY", "sesame");
    let server = crate::support::program::Server::start(command);
    let url = server.url("");
    let ran = home.run_with(&["ping", "--url", &url], "", &[("FEEDBACK_API_KEY", "wrong-key")]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("refused the key") && !ran.stderr.contains("wrong-key"), "{ran:?}");
    assert_eq!(home.run_with(&["ping", "--url", &url], "", &[("FEEDBACK_API_KEY", "sesame")]).code, Some(0));

    let ran = home.run(&["ping", "--url", &stranger("{\"hello\": 1}")]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("not Patchwork"), "{ran:?}");
    for status in ["404 Not Found", "302 Found"] {
        let ran = home.run(&["ping", "--url", &answering(status, "nothing here")]);
        assert!(ran.stderr.contains("is not Patchwork: check the address"), "{ran:?}");
    }
    let ran = home.run(&["ping", "--url", &stranger("<html>")]);
    assert!(ran.stderr.contains("something else than Patchwork"), "{ran:?}");
    assert_eq!(home.run(&["ping", "--url", "localhost:8099"]).code, Some(2));
}

/// A server that answers every request with 201 and this body; its address.
fn stranger(body: &'static str) -> String {
    answering("201 Created", body)
}

fn answering(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut read = Vec::new();
        let mut piece = [0; 4096];
        // Until the report's last field is in: then the client waits for its answer.
        while !String::from_utf8_lossy(&read).trim_end().ends_with('}') {
            let n = stream.read(&mut piece).unwrap();
            assert!(n > 0, "the client left");
            read.extend_from_slice(&piece[..n]);
        }
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).unwrap();
    });
    url
}
