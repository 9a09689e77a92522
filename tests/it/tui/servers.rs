//! The servers view: what it shows at three sizes, how one moves in it, and that it stays true while it is open.

use super::screens::snapshot;
use super::sessions::session;
use crate::support::desk::{Desk, Sitting};
use crate::support::scene::Scene;
use crate::support::{NOON, command_id, me, record};
use patchwork::domain::server::{Heard, Heartbeat, Pulse, Reports, Server};
use patchwork::domain::time::{DAY, HOUR, MINUTE, Millis};
use patchwork::protocol::{Command, Refusal, RefusalKind};
use patchwork::tui::message::{Answer, Effect, Msg};
use serde_json::json;

fn server(name: &str, heard: Option<(i64, &[&str])>, (total, unreviewed): (i64, i64)) -> Server {
    let now = Millis(NOON);
    let heartbeat = heard.map(|(ago, tools)| Heard {
        pulse: Pulse {
            first_heard: now.minus(ago + 9 * DAY),
            last_heard: now.minus(ago),
            since: now.minus(ago),
            beats: 1,
        },
        tool_names: tools.iter().map(|tool| (*tool).to_owned()).collect(),
        tool_count: tools.len() as i64,
        drop_in: "python/1.0.0".into(),
        sdk: "mcp 2.3.0".into(),
        client: "patchwork-drop-in-python/1.0.0".into(),
    });
    let last = (total > 0).then(|| now.minus(3 * HOUR));
    Server { name: name.into(), heartbeat, reports: Reports { total, unreviewed, last } }
}

fn desk() -> Desk {
    let mut desk = Desk::default();
    desk.report(5, json!({"what_i_needed": "search costs", "what_i_tried": "t", "server_name": "billing"}));
    desk.servers = vec![
        server("calendar", Some((2 * MINUTE, &["feedback", "list_events", "new_event"])), (0, 0)),
        server("billing", Some((HOUR, &["feedback", "search_costs"])), (40, 3)),
        server("from \u{1b}[2Jcurl\u{202e}", None, (1, 1)),
    ];
    desk
}

#[test]
fn the_view_at_three_sizes() {
    let sit = |keys: &'static str| {
        move |width, height| {
            let mut sitting = Sitting::begin(width, height, desk());
            sitting.keys(keys);
            sitting
        }
    };
    snapshot("servers", sit("4"));
    snapshot("servers_second", sit("4 j enter"));
    snapshot("servers_without_heartbeat", sit("4 G enter"));
}

#[test]
fn tab_goes_round_and_esc_goes_back() {
    let mut s = Sitting::begin(80, 24, desk());
    for shown in ["No drafts yet", "list_events", "Repositories", "search costs"] {
        s.keys("tab");
        assert!(s.scene.shows(shown), "{shown}:\n{}", s.scene.text());
    }
    s.keys("4 enter esc esc");
    assert!(s.scene.shows("search costs"), "{}", s.scene.text());
    s.keys("4 j enter G g k ctrl-d ctrl-u h k x D d r n");
    assert!(s.scene.shows("list_events"), "{}", s.scene.text());
    assert!(s.desk.outside.is_empty() && s.desk.runs.is_empty());
    s.keys("j y");
    assert_eq!(s.desk.outside, [Effect::Copy("billing".into())]);
}

#[test]
fn without_servers_it_says_what_to_do_and_a_failed_read_says_why() {
    let mut s = Sitting::begin(80, 24, Desk::default());
    s.keys("4 j enter G");
    assert!(s.scene.shows("No server was heard of yet"), "{}", s.scene.text());
    let mut scene = Scene::new(80, 24);
    assert_eq!(scene.key("4"), [Effect::ReadServers]);
    assert!(scene.shows("Reading …"));
    let refusal = Refusal::new(RefusalKind::Storage, "the disk is gone");
    let effects = scene.answer(Answer::Servers(Err(refusal)));
    assert!(scene.footer().contains("the disk is gone"), "{}", scene.footer());
    assert!(!effects.contains(&Effect::ReadServers), "not again at once");
}

#[test]
fn it_is_read_again_each_minute_and_only_while_it_is_open() {
    let mut s = Sitting::begin(80, 24, desk());
    s.keys("4");
    let tick = |s: &mut Sitting, after: i64| {
        s.scene.model.now = Millis(NOON + after);
        s.scene.send(Msg::Tick).contains(&Effect::ReadServers)
    };
    assert!(!tick(&mut s, MINUTE - 1));
    let due = patchwork::tui::update::next_tick(&s.scene.model).unwrap();
    assert!(due.0 <= NOON + MINUTE + 10_000, "the loop wakes for it: {due:?}");
    assert!(tick(&mut s, MINUTE));
    assert!(!tick(&mut s, 3 * MINUTE), "one read at a time");
    s.send(Msg::Answer(Answer::Servers(Ok(s.desk.servers.clone()))));
    s.keys("1");
    assert!(!tick(&mut s, 30 * MINUTE));
}

#[tokio::test]
async fn what_happens_is_seen_at_once_and_the_cursor_stays_on_its_server() {
    let mut s = session(&["a"]).await;
    s.keys("4").await;
    assert!(s.scene.shows("1 of 1"), "{}", s.scene.text());
    let heartbeat =
        Heartbeat::parse(json!({"server_slug": "calendar", "tool_names": ["feedback", "move_event"]})).unwrap();
    let command = Command::RecordHeartbeat { heartbeat: Box::new(heartbeat) };
    s.test.engine.submit(command_id("beat"), me(), command).await.unwrap();
    s.settle().await;
    assert!(s.scene.shows("calendar"), "{}", s.scene.text());
    assert!(!s.scene.shows("move_event"), "still on billing:\n{}", s.scene.text());
    record(&s.test.engine, json!({"what_i_needed": "n", "what_i_tried": "t", "server_name": "calendar"})).await;
    s.settle().await;
    let calendar = s.scene.lines().into_iter().find(|line| line.contains("calendar")).unwrap();
    assert!(calendar.contains("1 of 1"), "{calendar}");
}
