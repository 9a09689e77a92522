//! Settings changed by their names, in files as people have them.

use super::*;
use crate::config::EXAMPLE;
use std::os::unix::fs::PermissionsExt;

fn edit(path: &Path, name: &str, value: Value<'_>) -> Result<Edited, EditError> {
    change(path, &Address::parse(name)?, value, &|_| Ok(()))
}

/// The text after some changes, `name=value` or `name` alone to take it out.
fn edited(text: &str, changes: &[&str]) -> Result<String, EditError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, text).unwrap();
    for change in changes {
        match change.split_once('=') {
            Some((name, value)) => edit(&path, name, Value::Typed(value))?,
            None => edit(&path, change, Value::Unset)?,
        };
    }
    Ok(fs::read_to_string(&path).unwrap())
}

#[test]
fn the_explained_example_keeps_every_word() {
    let mut after = EXAMPLE.to_owned();
    for spec in Layer::specs() {
        let value = match spec.words().last() {
            Some(word) => (*word).to_owned(),
            None => [("host", "::1"), ("timeout", "3h"), ("base_url", "http://x"), ("api_url", "http://x")]
                .into_iter()
                .chain([("server_url", "http://x"), ("poll_interval", "3h"), ("verify_timeout", "3h")])
                .find(|(key, _)| *key == spec.key)
                .map_or("5", |(_, value)| value)
                .to_owned(),
        };
        let value = if spec.toml(&value).is_ok() { value } else { "5000".to_owned() };
        after = edited(&after, &[&format!("{spec:?}={value}")]).unwrap();
    }
    after = edited(&after, &["repository.billing.github=o/r", "repository.billing.branch=main"]).unwrap();
    let comments =
        |text: &str| text.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(comments(&after), comments(EXAMPLE));
    let layer = Layer::parse(&after).unwrap();
    assert_eq!(layer.repositories.len(), 1);
    for spec in Layer::specs() {
        after = edited(&after, &[&format!("{spec:?}")]).unwrap();
    }
    assert_eq!(comments(&after), comments(EXAMPLE));
    assert!(Layer::parse(&after).unwrap().entries().is_empty());
}

#[test]
fn a_repository_comes_into_being_moves_and_goes() {
    let text = "# mine\n[draft]\nparallel = 3 # enough\n";
    let made = edited(text, &["repository.my.server.github=o/r", "repository.my.server.protect=a, b"]).unwrap();
    assert!(
        made.ends_with("[[repository]]\nserver = \"my.server\"\ngithub = \"o/r\"\nprotect = [\"a\", \"b\"]\n"),
        "{made}"
    );
    let moved = edited(&made, &["repository.MY.SERVER.path=~/src/x", "repository.\"my.server\".server=other"]).unwrap();
    assert!(moved.contains("server = \"other\"\npath") || moved.contains("path = \"~/src/x\""), "{moved}");
    assert!(!moved.contains("github"), "{moved}");
    assert_eq!(edited(&moved, &["repository.other"]).unwrap(), text);
}

#[test]
fn names_that_are_none_are_answered_with_the_nearest() {
    for (name, part) in [
        ("draft.drafer", "`draft.drafter`"),
        ("drafter", "`draft.drafter`"),
        ("zzz", "config example"),
        ("github.token", "patchwork config key"),
        ("repository.billing.brunch", "`branch`"),
        ("repository.", "name the server"),
        ("ui.keys.", "no setting"),
        ("repository.\"x\"y.branch", "behind the quoted name"),
    ] {
        let error = Address::parse(name).unwrap_err().to_string();
        assert!(error.contains(part), "{name}: {error}");
    }
    for name in
        ["draft.drafter", "ui.keys.quit", "repository.billing", "repository.*.branch", "repository.\"a.branch\".path"]
    {
        assert_eq!(Address::parse(name).unwrap().to_string(), name);
    }
}

#[test]
fn what_would_not_work_changes_nothing() {
    for (text, change, part) in [
        ("", "draft.drafter=antropic", "did you mean \"anthropic\"?"),
        ("", "server.port=70000", "`server.port` must be a whole number from 0 to 65535"),
        ("", "repository.billing.branch=main", "begin with `repository.billing.github`"),
        ("", "repository.billing=x", "name one of its keys"),
        ("", "repository.billing.github=x", "must be \"owner/name\""),
        ("", "draft.drafter", "is not in "),
        ("", "repository.billing", "is not in "),
        ("[draft]\nx = 1\n", "draft.parallel=3", "line 2: [draft] there is no key `x`"),
        ("[draft\n", "draft.parallel=3", "this is not TOML"),
        ("[[repository]]\nserver = 'a'\npath = '/x'\n", "repository.a.path", "needs either"),
    ] {
        let error = edited(text, &[change]).unwrap_err().to_string();
        assert!(error.contains(part), "{text} {change}: {error}");
    }
    let refused =
        change(Path::new("/tmp/none/config.toml"), &Address::Binding("quit".into()), Value::Typed("Q"), &|_| {
            Err("no".into())
        });
    assert!(matches!(refused, Err(EditError::Value { .. })), "{refused:?}");
}

#[test]
fn a_wrong_value_can_be_mended() {
    let mended = edited("# mine\n[server]\nport = \"x\"\n", &["server.port=9000"]).unwrap();
    assert_eq!(mended, "# mine\n[server]\nport = 9000\n");
}

#[test]
fn a_new_file_is_made_and_one_that_says_so_already_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/config.toml");
    assert!(!edit(&path, "draft.parallel", Value::Typed("3")).unwrap().unchanged);
    assert_eq!(fs::read_to_string(&path).unwrap(), "[draft]\nparallel = 3\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(edit(&path, "draft.parallel", Value::Typed("3")).unwrap().unchanged);
    edit(&path, "command.run", Value::Items(&["a b".into(), "c,d".into()])).unwrap();
    assert!(fs::read_to_string(&path).unwrap().ends_with("[command]\nrun = [\"a b\", \"c,d\"]\n"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
}

#[test]
fn many_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::thread::scope(|scope| {
        for n in 0..8 {
            let path = &path;
            scope.spawn(move || edit(path, &format!("ui.keys.a{n}"), Value::Typed("x")).unwrap());
        }
    });
    assert_eq!(Layer::parse(&fs::read_to_string(&path).unwrap()).unwrap().keys.len(), 8);
}

#[test]
fn somebody_elses_change_in_the_last_moment_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    let left = std::cell::Cell::new(2);
    let meanwhile = |_: &Layer| {
        if left.get() > 0 {
            left.set(left.get() - 1);
            fs::write(&path, format!("# {} by hand\n", left.get())).unwrap();
        }
        Ok(())
    };
    change(&path, &Address::parse("draft.parallel").unwrap(), Value::Typed("3"), &meanwhile).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "# 0 by hand\n\n[draft]\nparallel = 3\n");
    let always = |_: &Layer| {
        left.set(left.get() + 1);
        fs::write(&path, format!("# {} by hand\n", left.get())).map_err(|e| e.to_string())
    };
    let error = change(&path, &Address::parse("draft.parallel").unwrap(), Value::Typed("4"), &always).unwrap_err();
    assert!(matches!(error, EditError::Contended { .. }), "{error}");
}
