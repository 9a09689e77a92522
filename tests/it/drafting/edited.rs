//! Settings that are edited by hand while the program runs: the next draft goes by them, and a mistake stops only what is new.

use crate::support::fake::TIME;
use crate::support::fake::anthropic::{MODELS, Reply};
use crate::support::fake::anthropic_stream::Piece;
use crate::support::fake::world::{ANTHROPIC_KEY, GITHUB_TOKEN, SLUG, World, published, start};
use crate::support::options;
use patchwork::config::{Layer, Sources};
use patchwork::engine::Engine;
use patchwork::protocol::RefusalKind;
use serde_json::json;
use std::path::PathBuf;

/// The world with its settings and keys in files.
async fn on_files() -> (World, PathBuf) {
    let mut world = World::open().await;
    world.engine.close().await;
    let (dir, root) = (world.dir.path().to_owned(), world.dir.path().to_str().unwrap().to_owned());
    std::fs::create_dir(dir.join("config")).unwrap();
    let file = dir.join("config/config.toml");
    let (anthropic, github) = (&world.config.anthropic, &world.config.github);
    let settings = format!(
        "[anthropic]\nmodel = {:?}\nbase_url = {:?}\n[github]\napi_url = {:?}\nserver_url = {:?}\n[draft]\nlabels = []\n[[repository]]\nserver = \"*\"\ngithub = {SLUG:?}\n",
        MODELS[0], anthropic.base_url, github.api_url, github.server_url
    );
    std::fs::write(&file, settings).unwrap();
    let sources = Sources::new(Layer::default(), None, move |name: &str| match name {
        "PATCHWORK_HOME" => Some(root.clone()),
        "ANTHROPIC_API_KEY" => Some(ANTHROPIC_KEY.into()),
        _ => None,
    });
    let mut all = options(&dir);
    all.secrets_file = sources.load().unwrap().paths.secrets_file;
    all.sources = Some(sources);
    write_keys(&all.secrets_file, &format!("GITHUB_TOKEN={GITHUB_TOKEN}\n"));
    world.engine = Engine::open_with(all, world.waits.http(TIME)).await.unwrap();
    (world, file)
}

fn write_keys(file: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(file, text).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn edit(file: &std::path::Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(file, text.replace(from, to)).unwrap();
}

#[tokio::test]
async fn the_next_draft_goes_by_what_the_file_says_now() {
    let (world, file) = on_files().await;
    let id = world.report(json!({})).await;
    world.good_reply();
    world.publish(&id).await;
    edit(&file, MODELS[0], MODELS[1]);
    edit(&file, "labels = []", "labels = [\"by hand\"]");
    edit(&file, "server = \"*\"", "server = \"*\"\nverify = \"test -f src/iso.py\"");
    let iso = json!([{"path": "src/iso.py", "action": "create", "content": "ISO = 1\n", "edits": []}]);
    world.anthropic.reply(Reply::change("Go on", &iso));
    let (detail, _) = world.publish(&id).await;
    let models: Vec<_> = world.anthropic.requests().iter().map(|asked| asked["model"].clone()).collect();
    assert_eq!(models, [MODELS[0], MODELS[1]]);
    assert_eq!(detail.draft.model, MODELS[1]);
    assert!(detail.log.contains("$ test -f src/iso.py"), "{}", detail.log);
    let labels: Vec<_> = world.github.pulls().iter().map(|pull| pull["labels"].clone()).collect();
    assert_eq!(labels, [json!([]), json!([{"name": "by hand"}])]);
    world.assert_clean();
}

#[tokio::test]
async fn a_mistake_in_the_file_stops_a_new_draft_and_not_one_that_runs() {
    let (world, file) = on_files().await;
    let (first, second) = (world.report(json!({})).await, world.report(json!({})).await);
    world.anthropic.reply(Reply::begins("{\"title\": \"Add", Piece::Stall));
    let running = world.start(&first, false).await.unwrap();
    world.anthropic.until_stalled(1).await;
    edit(&file, "labels", "lables");
    let refused = start(&world.engine, &second, false).await.unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Unconfigured);
    assert!(refused.detail.contains("config.toml") && refused.detail.contains("`labels`"), "{refused:?}");
    assert_eq!(world.engine.draft(&running).await.unwrap().draft.state.word(), "running");
    world.cancel(&running).await;
    world.end_of(&running).await;
    edit(&file, "lables", "labels");
    world.good_reply();
    published(&world.draft(&second).await);
    world.assert_clean();
}

/// A key that is written into its file counts at once, too, and one that is taken out is missed before anything is asked.
#[tokio::test]
async fn keys_are_read_again_as_well() {
    let (world, file) = on_files().await;
    let secrets = file.with_file_name("secrets.env");
    let id = world.report(json!({})).await;
    write_keys(&secrets, "");
    let refused = world.start(&id, false).await.unwrap_err();
    assert!(refused.kind == RefusalKind::Unconfigured && refused.detail.contains("GITHUB_TOKEN"), "{refused:?}");
    write_keys(&secrets, &format!("GITHUB_TOKEN={GITHUB_TOKEN}\n"));
    world.good_reply();
    world.publish(&id).await;
}
