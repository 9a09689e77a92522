//! What can be wrong with the machine: each ends in a sentence that says what to do, and loses nothing.

use super::{report, three};
use crate::support::program::{BINARY, Home, Ran, Server};
use rusqlite::Connection;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;

/// No panic, nothing on standard output, and words that help.
fn assert_sentence(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{ran:?}");
    assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("RUST_BACKTRACE"), "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{word:?}: {ran:?}");
    }
}

#[test]
fn a_database_of_a_newer_schema_is_refused_and_not_touched() {
    let home = Home::new();
    three(&home);
    let database = Connection::open(home.database()).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    database.pragma_update(None, "wal_checkpoint", "truncate").unwrap();
    drop(database);
    let before = std::fs::read(home.database()).unwrap();
    for arguments in [&["list"][..], &["note", "x", "y"], &["serve", "--port", "0"]] {
        assert_sentence(&home.run(arguments), 1, &["schema 99", "newer patchwork", "nothing was changed"]);
    }
    assert!(std::fs::read(home.database()).unwrap() == before);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_not_touched() {
    let home = Home::new();
    std::fs::create_dir_all(home.database().parent().unwrap()).unwrap();
    let text = "dear diary, today I learnt that this is not a database ".repeat(100);
    std::fs::write(home.database(), &text).unwrap();
    for arguments in [&["list"][..], &["serve", "--port", "0"]] {
        assert_sentence(&home.run(arguments), 1, &["not an SQLite database", "FEEDBACK_DB_PATH"]);
    }
    assert_eq!(std::fs::read_to_string(home.database()).unwrap(), text);
}

#[test]
fn another_programs_database_is_refused_and_not_touched() {
    let home = Home::new();
    std::fs::create_dir_all(home.database().parent().unwrap()).unwrap();
    let theirs = Connection::open(home.database()).unwrap();
    theirs.execute_batch("CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('x');").unwrap();
    assert_sentence(&home.run(&["list"]), 1, &["another program's database", "FEEDBACK_DB_PATH"]);
    let tables: i64 = theirs.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_damaged_file_is_said_to_be_damaged() {
    let home = Home::new();
    let reports: Vec<_> = (0..50).map(|n| report(&format!("{n} {}", "text ".repeat(200)))).collect();
    home.record(&reports);
    let database = Connection::open(home.database()).unwrap();
    database.pragma_update(None, "wal_checkpoint", "truncate").unwrap();
    drop(database);
    // The header stays, so that it is a database, and everything behind the schema's first lines is noise.
    let mut bytes = std::fs::read(home.database()).unwrap();
    let noise = bytes.len() - 4096;
    bytes[4096..].copy_from_slice(&[0xa5].repeat(noise));
    std::fs::write(home.database(), bytes).unwrap();
    for arguments in [&["list"][..], &["serve", "--port", "0"]] {
        assert_sentence(&home.run(arguments), 1, &["damaged", "backup"]);
    }
    let doctor = home.run(&["doctor"]);
    assert!(doctor.code == Some(1) && doctor.stdout.contains("damaged"), "{doctor:?}");
}

/// The program as a user whom file modes bind: root is made somebody else, for whom everything is readable.
fn run_bound(home: &Home, arguments: &[&str]) -> Ran {
    const NOBODY: u32 = 65_534;
    let mut command = home.command(arguments);
    if rustix::process::geteuid().is_root() {
        // Somebody else may not look into root's directories, so the program goes where they may.
        let copy = home.path().join("patchwork");
        if !copy.exists() {
            std::fs::copy(BINARY, &copy).unwrap();
        }
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let environment = home.environment();
        command = std::process::Command::new(copy);
        command.args(arguments).env_clear().envs(environment).current_dir(home.path()).uid(NOBODY).gid(NOBODY);
        give_away(&home.path().join("data"), NOBODY);
    }
    let output = command.output().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn give_away(dir: &Path, user: u32) {
    chown(dir, Some(user), Some(user)).unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        chown(entry.unwrap().path(), Some(user), Some(user)).unwrap();
    }
}

#[test]
fn a_directory_that_can_not_be_written_to_is_named() {
    let home = Home::new();
    let data = home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mode = |bits| std::fs::set_permissions(&data, std::fs::Permissions::from_mode(bits)).unwrap();
    mode(0o555);
    let place = data.to_str().unwrap();
    assert_sentence(&run_bound(&home, &["list"]), 1, &[place, "check that you may write to its directory"]);
    assert_sentence(&run_bound(&home, &["serve", "--port", "0"]), 1, &[place, "check that you may write"]);
    mode(0o755);
    assert_eq!(run_bound(&home, &["list"]).code, Some(0), "and once it can be, it works");
}

#[test]
fn a_read_only_database_is_said_to_be_read_only() {
    let home = Home::new();
    let ids = three(&home);
    assert_eq!(run_bound(&home, &["list"]).code, Some(0));
    let mode = |bits| std::fs::set_permissions(home.database(), std::fs::Permissions::from_mode(bits)).unwrap();
    mode(0o400);
    assert_sentence(&run_bound(&home, &["note", &ids[0], "y"]), 1, &["read-only", "writable"]);
    mode(0o600);
    assert_eq!(run_bound(&home, &["list"]).stdout.lines().count(), 3);
}

#[test]
fn a_directory_that_is_a_file_is_named() {
    let home = Home::new();
    std::fs::write(home.path().join("data"), "in the way").unwrap();
    assert_sentence(&home.run(&["list"]), 1, &["its directory can't be made"]);
}

#[test]
fn a_lock_of_another_process_is_waited_for_and_then_named() {
    let home = Home::new();
    let ids = three(&home);
    let mut other = Connection::open(home.database()).unwrap();
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    assert_eq!(home.run(&["list"]).stdout.lines().count(), 3, "reading goes on");
    assert_sentence(&home.run(&["note", &ids[0], "x"]), 1, &["locked by another process"]);
    drop(lock);
    home.ok(&["note", &ids[0], "x"]);
}

#[test]
fn a_second_owner_is_told_who_the_first_is() {
    let home = Home::new();
    let server = home.serve();
    let ran = home.run(&["serve", "--port", "0"]);
    assert_sentence(&ran, 4, &["`patchwork serve`", &format!("process {}", server.pid()), "list, show, note"]);
    assert_eq!(home.ok(&["list"]), "", "what it says is true");
    server.kill();
    // A killed owner leaves nothing in the way.
    drop(home.serve());
}

/// Somebody on a port who answers `answer` to whoever asks.
fn stranger(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1024];
            // The stranger says the same whatever is asked.
            drop(stream.read(&mut request));
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    port
}

#[test]
fn a_port_that_a_stranger_has_is_named_with_what_to_do() {
    let home = Home::new();
    for answer in ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "220 smtp.example.org ready\r\n", ""] {
        let port = stranger(answer).to_string();
        let ran = home.run(&["serve", "--port", &port]);
        assert_sentence(&ran, 1, &["another program is using", &format!("127.0.0.1:{port}"), "--port"]);
    }
    let owner = home.run(&["doctor"]).stdout;
    assert!(!owner.contains("in use by"), "the lock was given back: {owner}");
}

#[test]
fn a_port_that_another_patchwork_has_is_named_with_its_database() {
    let (home, other) = (Home::new(), Home::new());
    let server = other.serve();
    let ran = home.run(&["serve", "--port", &server.address.port().to_string()]);
    assert_sentence(&ran, 1, &["another Patchwork", "choose another port"]);
}

#[test]
fn the_world_is_not_let_in_without_a_key() {
    let home = Home::new();
    let ran = home.run(&["serve", "--host", "0.0.0.0", "--port", "0"]);
    assert_sentence(&ran, 5, &["FEEDBACK_API_KEY", "127.0.0.1"]);
    let mut command = home.command(&["serve", "--host", "0.0.0.0", "--port", "0"]);
    command.env("FEEDBACK_API_KEY", "a-key-of-some-length");
    drop(Server::start(command));
}

#[test]
fn a_key_that_can_not_be_one_is_refused_without_being_repeated() {
    let home = Home::new();
    let ran = home.run_with(&["list"], "", &[("GITHUB_TOKEN", "ghp_secret with blanks")]);
    assert_sentence(&ran, 5, &["GITHUB_TOKEN"]);
    assert!(!ran.stderr.contains("ghp_secret"), "{ran:?}");
}
