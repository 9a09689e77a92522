//! What is configured is tried before anything depends on it: the same checks behind the buttons of the settings and `doctor`.

use crate::support::fake::anthropic::{DEPRECATED, RETIRED};
use crate::support::fake::compatible::LEAVING;
use crate::support::fake::world::{SLUG, World, engine};
use patchwork::config::{Config, Repository, Secrets, Source};
use patchwork::domain::draft::{DrafterKind, TargetKind};
use patchwork::engine::Mode;
use patchwork::protocol::RefusalKind;
use patchwork::protocol::settings::{Check, Finding, Fitness};
use std::net::TcpListener;
use std::path::PathBuf;

/// Tries something with other settings.
async fn check(world: &World, check: Check, change: impl FnOnce(&mut Config, &mut Secrets)) -> Finding {
    let (mut config, mut secrets) = (world.config.clone(), world.secrets.clone());
    change(&mut config, &mut secrets);
    let guest = engine(world.dir.path(), &config, &secrets, &world.waits, Mode::Guest).await;
    let finding = guest.check(check).await.unwrap();
    guest.close().await;
    finding
}

/// The finding says this, says what to do where something is wrong, and shows no key.
fn assert_says(finding: &Finding, state: Fitness, words: &str) {
    assert!(finding.state == state && finding.sentence().contains(words), "{words}: {finding:?}");
    assert!(!finding.sentence().contains("CANARY"), "{finding:?}");
}

/// An address where nobody listens.
fn closed() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn put_key(secrets: &mut Secrets, drafter: DrafterKind, key: &str) {
    let key = Some(key.to_owned().into());
    match drafter {
        DrafterKind::Anthropic => secrets.anthropic = key,
        DrafterKind::Openai => secrets.openai = key,
        DrafterKind::OpenaiCompatible => secrets.openai_compatible = key,
        DrafterKind::Command => panic!("a program has no key"),
    }
}

fn put_model(config: &mut Config, drafter: DrafterKind, model: &str) {
    match drafter {
        DrafterKind::Anthropic => config.anthropic.model = model.into(),
        DrafterKind::Openai => config.openai.model = model.into(),
        DrafterKind::OpenaiCompatible => config.openai_compatible.model = model.into(),
        DrafterKind::Command => panic!("a program has no model"),
    }
}

fn put_address(config: &mut Config, drafter: DrafterKind, address: String) {
    match drafter {
        DrafterKind::Anthropic => config.anthropic.base_url = address,
        DrafterKind::Openai => config.openai.base_url = address,
        DrafterKind::OpenaiCompatible => config.openai_compatible.base_url = address,
        DrafterKind::Command => panic!("a program has no address"),
    }
}

#[tokio::test]
async fn every_model_and_its_key() {
    use DrafterKind::{Anthropic, Openai, OpenaiCompatible};
    use Fitness::{Bad, Doubtful, Good};
    let world = World::open().await;
    for (drafter, model, state, words) in [
        (Anthropic, "claude-test-mini", Good, "the key is good, and claude-test-mini is there"),
        (Openai, "gpt-other-9", Good, "the key is good, and gpt-other-9 is there"),
        (OpenaiCompatible, "llama-other", Good, "llama-other is there"),
        (Anthropic, "claude-test-0", Bad, "model = \"claude-test-1\""),
        (Openai, "gpt-none", Bad, "There are: gpt-test-1, gpt-test-mini, gpt-other-9"),
        // Such a server may know more than it lists.
        (OpenaiCompatible, "unlisted", Doubtful, "qwen-test:7b"),
        (Anthropic, DEPRECATED, Doubtful, "stops to answer on 2027-03-01: choose another: `model` under [anthropic]"),
        (Anthropic, RETIRED, Bad, "claude-test-1"),
        (OpenaiCompatible, LEAVING, Doubtful, "it stops to answer on 2027-01-15: choose another"),
        (Anthropic, "", Bad, "set `model` under [anthropic] in config.toml; there are claude-test-1"),
        (Openai, "", Bad, "set `model` under [openai] in config.toml; there are gpt-test-1"),
        (OpenaiCompatible, "", Bad, "set `model` under [openai-compatible] in config.toml; there are qwen-test:7b"),
    ] {
        let finding = check(&world, Check::Drafter { drafter }, |config, _| put_model(config, drafter, model)).await;
        assert_says(&finding, state, words);
    }
    for drafter in [Anthropic, Openai, OpenaiCompatible] {
        let drafted = Check::Drafter { drafter };
        let refused = check(&world, drafted.clone(), |_, secrets| put_key(secrets, drafter, "CANARYwrong~1")).await;
        assert_says(&refused, Bad, "refused the key");
        let nowhere = closed();
        let down = check(&world, drafted.clone(), |config, _| put_address(config, drafter, nowhere)).await;
        assert_says(&down, Bad, "Check the network");
        let none = check(&world, drafted, |_, secrets| *secrets = Secrets::default()).await;
        assert_says(&none, Bad, if drafter == OpenaiCompatible { "refused the key" } else { "_API_KEY" });
    }
    assert_eq!(
        (world.anthropic.asked(), world.openai.asked(), world.compatible.asked()),
        (0, 0, 0),
        "nothing is paid for"
    );
}

#[tokio::test]
async fn a_program() {
    let world = World::open().await;
    for (run, state, words) in [
        (vec!["sh".to_owned(), "-c".to_owned()], Fitness::Good, "/sh"),
        (vec!["no-such-agent".to_owned()], Fitness::Bad, "no-such-agent is not in PATH: install it"),
        (vec!["/no/such/agent".to_owned()], Fitness::Bad, "/no/such/agent"),
        (vec![], Fitness::Bad, "set `run` under [command]"),
    ] {
        let what = Check::Drafter { drafter: DrafterKind::Command };
        assert_says(&check(&world, what, |config, _| config.command.run = run).await, state, words);
    }
}

#[tokio::test]
async fn the_token_for_github() {
    let world = World::open().await;
    let good = check(&world, Check::Github, |_, _| {}).await;
    assert_says(&good, Fitness::Good, "the token is good; 4321 requests are left in this hour");
    world.github.facts().left = None;
    assert_says(&check(&world, Check::Github, |_, _| {}).await, Fitness::Good, "the token is good");
    let wrong =
        check(&world, Check::Github, |_, secrets| secrets.github = Some("CANARYwrong~2".to_owned().into())).await;
    assert_says(&wrong, Fitness::Bad, "GitHub refused the key");
    let none = check(&world, Check::Github, |_, secrets| secrets.github = None).await;
    assert_says(&none, Fitness::Bad, "set GITHUB_TOKEN");
    let down = check(&world, Check::Github, |config, _| config.github.api_url = closed()).await;
    assert_says(&down, Fitness::Bad, "Check the network");
    assert!(world.github.calls().iter().all(|call| call == "GET /rate_limit"), "{:?}", world.github.calls());
}

/// Tries the code behind the server `*`.
async fn code(world: &World, change: impl FnOnce(&mut Repository, &mut Secrets)) -> Finding {
    let what = Check::Repository { server: "*".into() };
    check(world, what, |config, secrets| change(&mut config.repositories[1], secrets)).await
}

#[tokio::test]
async fn the_code_behind_a_server() {
    use Fitness::{Bad, Good};
    let world = World::open().await;
    assert_says(&code(&world, |_, _| {}).await, Good, "and the token may push");
    assert_says(&code(&world, |it, _| it.branch = Some("dev".into())).await, Bad, "`dev`");
    assert_says(&code(&world, |it, _| it.target = Some(TargetKind::Local)).await, Bad, "set `target` to github");
    let other = code(&world, |it, _| it.source = Source::Github("octo/other".into())).await;
    assert_says(&other, Bad, "octo/other");
    let checkout = world.checkout();
    assert_says(&code(&world, |it, _| it.source = Source::Local(checkout.clone())).await, Good, "main is at");
    let local = code(&world, |it, _| {
        it.source = Source::Local(checkout.clone());
        it.target = Some(TargetKind::Github);
    });
    assert_says(&local.await, Bad, "a directory can't take a pull request");
    let gone = code(&world, |it, _| it.source = Source::Local(PathBuf::from("/no/such/place"))).await;
    assert_says(&gone, Bad, "/no/such/place");
    assert_says(&code(&world, |_, secrets| secrets.github = None).await, Bad, "GITHUB_TOKEN");
    world.github.facts().push = false;
    assert_says(&code(&world, |_, _| {}).await, Bad, "the token may not push: give it write access");
    world.github.facts().archived = true;
    assert_says(&code(&world, |_, _| {}).await, Bad, &format!("{SLUG} is archived"));
    let down = check(&world, Check::Repository { server: "*".into() }, |config, _| config.github.server_url = closed());
    assert_says(&down.await, Bad, "127.0.0.1");
    let unknown = world.engine.check(Check::Repository { server: "nobody".into() }).await.unwrap_err();
    assert_eq!(unknown.kind, RefusalKind::NotFound);
    let fetched = std::fs::read_dir(world.cache().join("mirrors")).into_iter().flatten().count();
    assert_eq!(fetched, 0, "nothing is fetched");
}
