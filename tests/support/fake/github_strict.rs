//! What GitHub's REST API refuses: headers, queries and fields that it does not document.

use super::header;
use axum::http::{HeaderMap, Method};
use serde_json::Value;

/// # Errors
/// What is missing or wrong.
pub fn headers(method: &Method, headers: &HeaderMap) -> Result<(), String> {
    let must = |fine: bool, complaint: &str| if fine { Ok(()) } else { Err(complaint.to_owned()) };
    must(header(headers, "accept") == "application/vnd.github+json", "accept")?;
    must(["2022-11-28", "2026-03-10"].contains(&header(headers, "x-github-api-version")), "x-github-api-version")?;
    must(header(headers, "user-agent").starts_with("patchwork/"), "user-agent")?;
    must(header(headers, "authorization").starts_with("Bearer "), "authorization")?;
    must(headers.get("x-api-key").is_none(), "somebody else's key")?;
    must(method != Method::POST || header(headers, "content-type") == "application/json", "content-type")
}

/// What a list of pull requests is asked for.
pub struct Wanted {
    pub head: String,
    pub base: String,
}

/// # Errors
/// When the query has a key or value that is not documented; a `head` without its owner lists everything.
pub fn list_query(query: &str, owner: &str) -> Result<Wanted, String> {
    let mut wanted = Wanted { head: String::new(), base: String::new() };
    let url = reqwest::Url::parse(&format!("http://x/?{query}")).map_err(|e| e.to_string())?;
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "state" if value == "open" => {}
            "per_page" if value.parse().is_ok_and(|n: u32| (1..=100).contains(&n)) => {}
            "base" => wanted.base = value.into_owned(),
            "head" => match value.strip_prefix(&format!("{owner}:")) {
                Some(branch) => branch.clone_into(&mut wanted.head),
                None => return Err(format!("`head={value}` has no owner")),
            },
            _ => return Err(format!("`{key}={value}` is no way to list pull requests")),
        }
    }
    Ok(wanted)
}

/// # Errors
/// The first field that is unknown, missing or too long.
pub fn new_pull(new: Value) -> Result<Value, String> {
    let fields = new.as_object().ok_or("not an object")?;
    if let Some(unknown) = fields.keys().find(|k| !["title", "head", "base", "body", "draft"].contains(&k.as_str())) {
        return Err(format!("a pull request has no `{unknown}`"));
    }
    for (name, max) in [("title", 256), ("body", 65_536), ("head", 255), ("base", 255)] {
        let length = new[name].as_str().ok_or(format!("`{name}` is missing"))?.chars().count();
        if length == 0 || length > max {
            return Err(format!("`{name}` has {length} characters"));
        }
    }
    if !new["draft"].is_boolean() {
        return Err("`draft` is missing".into());
    }
    if new["head"].as_str() == new["base"].as_str() {
        return Err("`head` is `base`".into());
    }
    Ok(new)
}
