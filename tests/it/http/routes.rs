//! Every plain route: what it answers, and what it says when it can't.

use super::{Door, json_request, report, request};
use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_report_comes_back_with_all_columns_of_the_original() {
    let door = Door::open().await;
    let sent = json!({
        "server_name": "billing", "what_i_needed": "search by cost", "what_i_tried": "listed everything",
        "gap_type": "missing_tool", "suggestion": "search_costs(min, max)", "user_goal": "find the leak",
        "resolution": "worked_around", "agent_model": "m-1", "tools_available": ["list", "get"], "session_id": "s1",
        "client_type": "cursor",
    });
    let id = door.report(sent.clone()).await;
    let note = door.call(Method::POST, &format!("/api/feedback/{id}/notes"), &json!({"content": "a\nb"})).await;
    assert_eq!((note.status, &note.json()["status"]), (201, &json!("recorded")));

    let mut expected = sent;
    expected.as_object_mut().unwrap().extend(
        json!({
            "id": id, "timestamp": "2026-11-20T12:00:00.000+00:00", "reviewed": false, "pr_url": "",
            "notes": [{"id": note.json()["id"], "timestamp": "2026-11-20T12:00:00.000+00:00", "content": "a\nb", "author": ""}],
        })
        .as_object()
        .unwrap()
        .clone(),
    );
    assert_eq!(door.get(&format!("/api/feedback/{id}")).await.json(), expected);
    assert_eq!(door.get("/api/feedback").await.json(), json!([expected]));
}

#[tokio::test]
async fn defaults_and_what_nobody_knows() {
    let door = Door::open().await;
    door.report(json!({"gap_type": "odd", "resolution": "gave up", "mood": {"a": [1]}})).await;
    let row = &door.get("/api/feedback").await.json()[0];
    assert_eq!(
        (&row["server_name"], &row["gap_type"], &row["gap_type_raw"]),
        (&json!("unknown"), &json!("other"), &json!("odd"))
    );
    assert_eq!((&row["resolution"], &row["extra"]), (&json!("gave up"), &json!({"mood": {"a": [1]}})));
    assert_eq!((&row["tools_available"], &row["suggestion"]), (&json!([]), &json!("")));

    let id = door.report(json!({})).await;
    let plain = door.get(&format!("/api/feedback/{id}")).await.json();
    assert_eq!(plain["resolution"], "");
    assert!(plain.get("extra").is_none() && plain.get("gap_type_raw").is_none());
}

/// Two hundred reports of a megabyte each would stand in memory at once for everybody who asks.
#[tokio::test]
async fn a_page_of_large_reports_ends_early_and_goes_on() {
    let door = Door::open().await;
    let text = "x".repeat(250_000);
    let mut wanted = Vec::new();
    for _ in 0..20 {
        let large = json!({"what_i_needed": text, "what_i_tried": text, "suggestion": text, "user_goal": text});
        wanted.insert(0, door.report(large).await);
    }
    let (mut found, mut pages, mut after) = (Vec::new(), 0, String::new());
    loop {
        let page = door.get(&format!("/api/feedback?limit=200&after={after}")).await;
        assert!(page.body.len() < 12 << 20, "{} bytes", page.body.len());
        found.extend(ids(&page.json()).into_iter().map(str::to_owned));
        pages += 1;
        after = page.header("x-next-cursor").to_owned();
        if after.is_empty() {
            break;
        }
    }
    assert_eq!((found, pages), (wanted, 3));
}

#[tokio::test]
async fn the_list_narrows_by_every_parameter_and_by_the_filter_language() {
    let door = Door::open().await;
    let a = door.report(json!({"server_name": "billing", "gap_type": "missing_tool", "session_id": "s 1"})).await;
    let b = door.report(json!({"server_name": "Billing", "resolution": "blocked", "what_i_needed": "a pear"})).await;
    let c = door.report(json!({"server_name": "time", "gap_type": "wrong_format", "resolution": "partial"})).await;
    door.call(Method::PATCH, &format!("/api/feedback/{b}"), &json!({})).await;
    door.engine().until_indexed().await;
    let cases: [(&str, &[&str]); 18] = [
        ("", &[&c, &b, &a]),
        ("?server_name=&gap_type=&reviewed=&resolution=&session_id=&limit=&q=&after=", &[&c, &b, &a]),
        ("?unknown=1&%ff=%ff", &[&c, &b, &a]),
        ("?server_name=billing", &[&b, &a]),
        ("?server_name=bill", &[]),
        ("?gap_type=missing_tool", &[&a]),
        ("?resolution=blocked", &[&b]),
        ("?session_id=s+1", &[&a]),
        ("?session_id=s%201", &[&a]),
        ("?reviewed=true", &[&b]),
        ("?reviewed=0", &[&c, &a]),
        ("?reviewed=False", &[&c, &a]),
        ("?limit=2", &[&c, &b]),
        ("?q=pear", &[&b]),
        ("?q=server:billing+-is:reviewed", &[&a]),
        ("?q=sort:oldest", &[&a, &b, &c]),
        ("?q=gap:missing_tool,wrong_format&server_name=time", &[&c]),
        ("?limit=1&limit=2", &[&c, &b]),
    ];
    for (query, expected) in cases {
        let answer = door.get(&format!("/api/feedback{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        assert_eq!(ids(&answer.json()), expected, "{query}");
    }
}

#[tokio::test]
async fn a_wrong_query_says_what_is_right() {
    let door = Door::open().await;
    let cases = [
        ("limit=0", "query.limit", "1 to 200"),
        ("limit=201", "query.limit", "1 to 200"),
        ("limit=-1", "query.limit", "1 to 200"),
        ("limit=99999999999999999999999", "query.limit", "1 to 200"),
        ("limit=ten", "query.limit", "1 to 200"),
        ("gap_type=mising_tool", "query.gap_type", "`missing_tool`"),
        ("resolution=done", "query.resolution", "`worked_around`"),
        ("reviewed=maybe", "query.reviewed", "`true`"),
        ("after=x", "query.after", "cursor"),
        ("q=servr:x", "query.q", "`server:`"),
    ];
    for (query, place, word) in cases {
        let answer = door.get(&format!("/api/feedback?{query}")).await;
        assert_eq!(answer.places(), [place], "{query}");
        assert!(answer.detail().contains(word), "{query}: {answer:?}");
    }
    let two = door.get("/api/feedback?limit=0&q=is:").await;
    assert_eq!(two.places(), ["query.q", "query.limit"], "all faults at once");
    let filter = door.get("/api/feedback?q=foo%20servr:x").await.json();
    assert_eq!(filter["detail"][0]["ctx"], json!({"start": 4, "end": 9, "nearest": "server"}));
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let door = Door::open().await;
    let mut expected = Vec::new();
    for n in 0..5 {
        expected.insert(0, door.report(json!({"server_name": format!("s{}", n % 2)})).await);
    }
    let mut seen = Vec::new();
    let mut path = String::from("/api/feedback?limit=2&q=");
    loop {
        let answer = door.get(&path).await;
        seen.extend(ids(&answer.json()).into_iter().map(str::to_owned));
        door.report(json!({"server_name": "new"})).await;
        let cursor = answer.header("x-next-cursor").to_owned();
        let link = answer.header("link").to_owned();
        if cursor.is_empty() {
            assert_eq!(link, "");
            break;
        }
        path = link.strip_prefix('<').and_then(|l| l.strip_suffix(">; rel=\"next\"")).expect(&link).to_owned();
        assert_eq!(path, format!("/api/feedback?limit=2&q=&after={cursor}"));
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn reviewing() {
    let door = Door::open().await;
    let id = door.report(json!({})).await;
    let path = format!("/api/feedback/{id}");
    for (body, now) in [
        (json!({}), true),
        (json!({"reviewed": false}), false),
        (json!({"reviewed": null, "other": 1}), true),
        (json!({"reviewed": true}), true),
    ] {
        let answer = door.call(Method::PATCH, &path, &body).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"status": "updated"})), "{body}");
        assert_eq!(door.get(&path).await.json()["reviewed"], json!(now), "{body}");
    }
    for bad in [json!({"reviewed": "yes"}), json!({"reviewed": 2})] {
        assert_eq!(door.call(Method::PATCH, &path, &bad).await.places(), ["body.reviewed"]);
    }
    assert_eq!(door.call(Method::PATCH, &path, &json!([1])).await.places(), ["body"]);
}

#[tokio::test]
async fn notes_need_text() {
    let door = Door::open().await;
    let path = format!("/api/feedback/{}/notes", door.report(json!({})).await);
    for bad in [
        json!({}),
        json!({"content": null}),
        json!({"content": " \n"}),
        json!({"content": 1}),
        json!({"content": "x".repeat(70_000)}),
    ] {
        assert_eq!(door.call(Method::POST, &path, &bad).await.places(), ["body.content"]);
    }
    assert_eq!(door.engine().stats().await.unwrap().note_count, 0);
}

#[tokio::test]
async fn what_is_missing_is_404() {
    let door = Door::open().await;
    let note = json!({"content": "n"});
    for id in ["nope", "with%20space", "%ff", "x".repeat(500).as_str()] {
        let path = format!("/api/feedback/{id}");
        for answer in [
            door.get(&path).await,
            door.call(Method::PATCH, &path, &json!({})).await,
            door.call(Method::POST, &format!("{path}/notes"), &note).await,
        ] {
            assert_eq!(answer.status, 404, "{id}: {answer:?}");
            assert!(answer.detail().contains("there is no report"), "{answer:?}");
        }
    }
    for path in ["/", "/api", "/api/feedback/", "/api/feedback/a/b", "/api/v1", "/metrics"] {
        assert_eq!(door.get(path).await.status, 404, "{path}");
        assert!(!door.get(path).await.detail().is_empty());
    }
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let door = Door::open().await;
    for (method, path, allowed) in [
        (Method::DELETE, "/api/feedback", "GET,HEAD,POST"),
        (Method::PUT, "/api/feedback/x", "GET,HEAD,PATCH"),
        (Method::GET, "/api/feedback/x/notes", "POST"),
        (Method::GET, "/api/feedback/x/draft-pr", "POST"),
        (Method::POST, "/api/stats", "GET,HEAD"),
        (Method::POST, "/api/settings", "GET,HEAD,PUT"),
        (Method::OPTIONS, "/api/events", "GET,HEAD"),
        (Method::POST, "/healthz", "GET,HEAD"),
    ] {
        let answer = door.send(request(method.clone(), path, Body::empty())).await;
        assert_eq!((answer.status, answer.header("allow")), (405, allowed), "{method} {path}");
        assert!(answer.detail().contains("method"));
    }
}

#[tokio::test]
async fn counts() {
    let door = Door::open().await;
    assert_eq!(
        door.get("/api/stats").await.json(),
        json!({"total": 0, "unreviewed": 0, "note_count": 0, "by_server": [], "by_gap_type": [], "by_resolution": []})
    );
    let id = door.report(json!({"server_name": "a", "gap_type": "missing_tool", "resolution": "blocked"})).await;
    door.report(json!({"server_name": "b"})).await;
    door.report(json!({"server_name": "b"})).await;
    door.call(Method::PATCH, &format!("/api/feedback/{id}"), &json!({})).await;
    door.call(Method::POST, &format!("/api/feedback/{id}/notes"), &json!({"content": "n"})).await;
    assert_eq!(
        door.get("/api/stats").await.json(),
        json!({
            "total": 3, "unreviewed": 2, "note_count": 1,
            "by_server": [{"server_name": "b", "count": 2}, {"server_name": "a", "count": 1}],
            "by_gap_type": [{"gap_type": "other", "count": 2}, {"gap_type": "missing_tool", "count": 1}],
            "by_resolution": [{"resolution": "blocked", "count": 1}],
        })
    );
}

#[tokio::test]
async fn health_says_who_answers() {
    let door = Door::open().await;
    let health = door.get("/healthz").await.json();
    let hello = door.engine().hello();
    assert_eq!(health["status"], "ok");
    assert_eq!((&health["program"], &health["database"]), (&json!("patchwork"), &json!(hello.database)));
    assert_eq!((&health["seq"], &health["protocol"]), (&json!(hello.seq), &json!(hello.protocol)));
}

#[tokio::test]
async fn a_closed_engine_is_a_503_that_says_when_to_come_back() {
    let door = Door::open().await;
    door.engine().close().await;
    let answer = door.send(json_request(Method::POST, "/api/feedback", &report(json!({})))).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{answer:?}");
    assert!(!answer.detail().is_empty());
}

#[tokio::test]
async fn a_handler_that_panics_answers_in_the_same_envelope() {
    let door = Door::open().await;
    let broken = axum::Router::new().route(
        "/broken",
        axum::routing::get(|| async { "no number".parse::<u8>().expect("a secret in a panic").to_string() }),
    );
    let router = patchwork::http::guarded(door.app(), broken);
    let answer = super::send(router, request(Method::GET, "/broken", Body::empty())).await;
    assert_eq!(answer.status, 500);
    assert!(!answer.detail().contains("secret"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}
