//! Hostile bodies: refused with where and why, never echoed; hostile text inside good ones: kept as sent.

use super::{Door, raw_request, report, request};
use axum::body::Body;
use axum::http::{HeaderValue, Method, header};
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_not_json_is_422_and_not_repeated() {
    let door = Door::open().await;
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: [(&str, Vec<u8>); 14] = [
        ("empty", b"".to_vec()),
        ("cut", br#"{"what_i_needed": "SECRET"#.to_vec()),
        ("text", b"SECRET".to_vec()),
        ("trailing", b"{} SECRET".to_vec()),
        ("NaN", br#"{"what_i_needed": NaN, "SECRET": 1}"#.to_vec()),
        ("Infinity", br#"{"what_i_needed": -Infinity}"#.to_vec()),
        ("huge number", br#"{"what_i_needed": 1e999}"#.to_vec()),
        ("lone surrogate", br#"{"what_i_needed": "SECRET\ud800", "what_i_tried": "t"}"#.to_vec()),
        ("swapped surrogates", br#"{"what_i_needed": "\udc00\ud800", "what_i_tried": "t"}"#.to_vec()),
        ("bad UTF-8", b"{\"what_i_needed\": \"SECRET\xff\", \"what_i_tried\": \"t\"}".to_vec()),
        ("overlong UTF-8", b"{\"what_i_needed\": \"\xc0\xaf\", \"what_i_tried\": \"t\"}".to_vec()),
        ("raw control", b"{\"what_i_needed\": \"a\x00b\", \"what_i_tried\": \"t\"}".to_vec()),
        ("deep", deep.into_bytes()),
        ("UTF-16", "{}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ];
    let id = door.report(json!({})).await;
    for (name, body) in cases {
        for (method, path) in [
            (Method::POST, "/api/feedback".to_owned()),
            (Method::PATCH, format!("/api/feedback/{id}")),
            (Method::POST, format!("/api/feedback/{id}/notes")),
            (Method::PUT, "/api/settings".to_owned()),
        ] {
            let answer = door.send(raw_request(method, &path, body.clone())).await;
            assert_eq!(answer.places(), ["body"], "{name} {path}");
            assert!(answer.detail().contains("valid JSON") && answer.detail().contains("line 1"), "{name}: {answer:?}");
            assert!(!answer.body.contains("SECRET"), "{name}");
        }
    }
    assert_eq!(door.total().await, 1);
}

#[tokio::test]
async fn wrong_fields_are_named_and_not_repeated() {
    let door = Door::open().await;
    let long = "SECRET".repeat(50_000);
    let cases: [(Value, &[&str], &str); 10] = [
        (json!({}), &["body.what_i_needed", "body.what_i_tried"], "say what you needed"),
        (json!({"what_i_needed": null, "what_i_tried": "t"}), &["body.what_i_needed"], "required"),
        (json!({"what_i_needed": " \n", "what_i_tried": "t"}), &["body.what_i_needed"], "say what you needed"),
        (report(json!({"what_i_needed": ["SECRET"]})), &["body.what_i_needed"], "string"),
        (report(json!({"suggestion": long})), &["body.suggestion"], "262144"),
        (report(json!({"session_id": "SECRET".repeat(200)})), &["body.session_id"], "1024"),
        (report(json!({"tools_available": {"SECRET": 1}})), &["body.tools_available"], "list"),
        (report(json!({"id": "has space SECRET"})), &["body.id"], "128"),
        (report(json!({"SECRET": "SECRET".repeat(20_000)})), &["body"], "65536"),
        (json!(["SECRET"]), &["body"], "object"),
    ];
    for (body, places, word) in cases {
        let answer = door.call(Method::POST, "/api/feedback", &body).await;
        assert_eq!(answer.places(), places);
        assert!(answer.detail().contains(word), "{answer:?}");
        assert!(!answer.body.contains("SECRET"), "{answer:?}");
    }
    assert_eq!(door.total().await, 0);
}

#[tokio::test]
async fn the_content_type_says_json() {
    let door = Door::open().await;
    let body = || Body::from(report(json!({})).to_string());
    for (kind, status) in [
        ("application/json", 201),
        ("Application/JSON; charset=utf-8", 201),
        ("application/vnd.patchwork+json", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
        ("text/json", 415),
        ("", 415),
    ] {
        let mut request = request(Method::POST, "/api/feedback", body());
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        let answer = door.send(request).await;
        assert_eq!(answer.status, status, "{kind}");
        assert!(status == 201 || answer.detail().contains("application/json"));
    }
    assert_eq!(door.send(request(Method::POST, "/api/feedback", body())).await.status, 415, "none at all");
}

#[tokio::test]
async fn a_stream_over_the_limit_is_413_and_one_at_the_limit_is_read() {
    let door = Door::open().await;
    let mut text = report(json!({})).to_string();
    text.push_str(&" ".repeat(1024 * 1024 - text.len()));
    assert_eq!(door.send(raw_request(Method::POST, "/api/feedback", text.clone())).await.status, 201);
    text.push(' ');
    let chunks: Vec<Result<String, std::io::Error>> =
        text.as_bytes().chunks(4096).map(|c| Ok(String::from_utf8(c.to_vec()).unwrap())).collect();
    let answer =
        door.send(raw_request(Method::POST, "/api/feedback", Body::from_stream(futures::stream::iter(chunks)))).await;
    assert_eq!(answer.status, 413);
    assert!(answer.detail().contains("1048576"));
    assert_eq!(door.total().await, 1);
}

#[tokio::test]
async fn hostile_text_is_kept_as_sent() {
    let door = Door::open().await;
    let texts = [
        "a\0b".to_owned(),
        "\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J".to_owned(),
        "\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}".to_owned(),
        format!("e{}", "\u{301}".repeat(50_000)),
        "<script>alert(1)</script> @everyone fixes #1 ![x](http://evil)".to_owned(),
        "\u{10ffff}\u{fffe}\u{d7ff}\r\n\u{85}\u{2028}".to_owned(),
        "'; DROP TABLE feedback; --".to_owned(),
    ];
    for text in &texts {
        let id = door.report(json!({"what_i_needed": text, "suggestion": text})).await;
        // A note is shorter than a report's field.
        let short: String = text.chars().take(20_000).collect();
        let note = door.call(Method::POST, &format!("/api/feedback/{id}/notes"), &json!({"content": short})).await;
        assert_eq!(note.status, 201);
        let row = door.get(&format!("/api/feedback/{id}")).await.json();
        assert_eq!(row["what_i_needed"], json!(text));
        assert_eq!(row["suggestion"], json!(text));
        assert_eq!(row["notes"][0]["content"], json!(short));
    }
    assert_eq!(door.get("/api/feedback").await.json().as_array().unwrap().len(), texts.len());
}
