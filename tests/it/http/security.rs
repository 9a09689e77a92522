//! Who may speak: every route against every kind of stranger.

use super::{Answer, Door, report, request};
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, header};
use patchwork::config::Secrets;
use patchwork::http::Limits;
use serde_json::json;

const KEY: &str = "k-3f9a";

/// Every route, and paths that are none.
const ROUTES: [(Method, &str); 14] = [
    (Method::GET, "/healthz"),
    (Method::GET, "/api/feedback"),
    (Method::POST, "/api/feedback"),
    (Method::GET, "/api/feedback/x"),
    (Method::PATCH, "/api/feedback/x"),
    (Method::POST, "/api/feedback/x/notes"),
    (Method::POST, "/api/feedback/x/draft-pr"),
    (Method::GET, "/api/stats"),
    (Method::GET, "/api/settings"),
    (Method::PUT, "/api/settings"),
    (Method::GET, "/api/events?after=x"),
    (Method::DELETE, "/api/feedback"),
    (Method::GET, "/nothing"),
    (Method::OPTIONS, "/api/settings"),
];

async fn locked() -> Door {
    let secrets = Secrets { api_key: Some(KEY.into()), ..Secrets::default() };
    Door::with(secrets, Limits::default()).await
}

/// A body that would be stored, so that a hole would show.
fn knock(method: &Method, path: &str, headers: &[(HeaderName, &str)]) -> Request<Body> {
    let mut request = request(method.clone(), path, Body::from(report(json!({"content": "n"})).to_string()));
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    }
    request
}

fn assert_common(answer: &Answer, what: &str) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    assert!(!answer.headers.keys().any(|k| k.as_str().starts_with("access-control")), "{what}");
}

#[tokio::test]
async fn without_the_key_nothing_but_health_answers() {
    let door = locked().await;
    let x_api_key = HeaderName::from_static("x-api-key");
    let wrong: [&[(HeaderName, &str)]; 8] = [
        &[],
        &[(header::AUTHORIZATION, "Bearer wrong")],
        &[(header::AUTHORIZATION, "Bearer ")],
        &[(header::AUTHORIZATION, "Bearer k-3f9")],
        &[(header::AUTHORIZATION, "Bearer k-3f9aa")],
        &[(header::AUTHORIZATION, "Basic k-3f9a")],
        &[(header::AUTHORIZATION, KEY)],
        &[(x_api_key.clone(), "K-3F9A")],
    ];
    for (method, path) in &ROUTES {
        let what = format!("{method} {path}");
        for headers in wrong {
            let answer = door.send(knock(method, path, headers)).await;
            assert_common(&answer, &what);
            if *path == "/healthz" {
                assert_eq!(answer.status, 200);
                continue;
            }
            assert_eq!(answer.status, 401, "{what} {headers:?}");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"patchwork\"");
            assert!(answer.detail().contains("X-API-Key") && !answer.body.contains(KEY), "{what}");
        }
        for headers in [
            (header::AUTHORIZATION, "Bearer k-3f9a"),
            (header::AUTHORIZATION, "bearer  k-3f9a"),
            (x_api_key.clone(), KEY),
        ] {
            let answer = door.send(knock(method, path, &[headers])).await;
            assert_common(&answer, &what);
            assert!(![401, 403].contains(&answer.status), "{what}: {answer:?}");
        }
    }
    // One stored report per right key, none through a wrong one.
    assert_eq!(door.total().await, 3);
}

#[tokio::test]
async fn foreign_names_and_pages_are_refused_everywhere_and_before_the_key() {
    for door in [Door::open().await, locked().await] {
        for (method, path) in &ROUTES {
            for headers in [
                [(header::HOST, "evil.example"), (header::AUTHORIZATION, "Bearer k-3f9a")],
                [(header::HOST, "localhost.evil.example:8099"), (header::AUTHORIZATION, "Bearer k-3f9a")],
                [(header::HOST, ""), (header::AUTHORIZATION, "Bearer k-3f9a")],
                [(header::ORIGIN, "https://evil.example"), (header::AUTHORIZATION, "Bearer k-3f9a")],
                [(header::ORIGIN, "null"), (header::AUTHORIZATION, "Bearer k-3f9a")],
                [(header::ORIGIN, "https://evil.example"), (header::AUTHORIZATION, "Bearer wrong")],
            ] {
                let answer = door.send(knock(method, path, &headers)).await;
                assert_eq!(answer.status, 403, "{method} {path} {headers:?}");
                assert_common(&answer, path);
                assert!(answer.detail().contains("allowed_hosts") && !answer.body.contains("evil"));
            }
        }
        assert_eq!(door.total().await, 0);
    }
}

#[tokio::test]
async fn every_host_that_a_request_names_counts() {
    let door = Door::open().await;
    let mut two = request(Method::GET, "/healthz", Body::empty());
    two.headers_mut().append(header::HOST, HeaderValue::from_static("evil.example"));
    assert_eq!(door.send(two).await.status, 403);
    let absolute = request(Method::GET, "http://evil.example/healthz", Body::empty());
    assert_eq!(door.send(absolute).await.status, 403);
    let mut none = request(Method::GET, "/healthz", Body::empty());
    none.headers_mut().remove(header::HOST);
    assert_eq!(door.send(none).await.status, 403);
}

#[tokio::test]
async fn a_page_of_this_machine_may_ask() {
    let door = Door::open().await;
    for origin in ["http://localhost:3000", "http://127.0.0.1:8099", "https://[::1]"] {
        let answer = door.send(knock(&Method::GET, "/api/stats", &[(header::ORIGIN, origin)])).await;
        assert_eq!(answer.status, 200, "{origin}");
        assert_common(&answer, origin);
    }
}

/// A body that fails the test when somebody reads it.
fn untouchable() -> Body {
    Body::from_stream(futures::stream::poll_fn(|_| -> std::task::Poll<Option<Result<&'static str, std::io::Error>>> {
        panic!("the body was read")
    }))
}

#[tokio::test]
async fn who_is_refused_is_refused_before_the_body_is_read() {
    let door = locked().await;
    for (header, value, status) in [
        (header::AUTHORIZATION, "Bearer wrong", 401),
        (header::ORIGIN, "https://evil.example", 403),
        (header::HOST, "evil.example", 403),
    ] {
        let mut request = knock(&Method::POST, "/api/feedback", &[(header, value)]);
        *request.body_mut() = untouchable();
        assert_eq!(door.send(request).await.status, status);
    }
    let mut giant = knock(
        &Method::POST,
        "/api/feedback",
        &[(header::AUTHORIZATION, "Bearer k-3f9a"), (header::CONTENT_LENGTH, "1048577")],
    );
    *giant.body_mut() = untouchable();
    assert_eq!(door.send(giant).await.status, 413);
}
