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
    let writes = [Method::POST, Method::PATCH].contains(method);
    must(writes == (header(headers, "content-type") == "application/json"), "content-type")?;
    must(*method == Method::GET || headers.get("if-none-match").is_none(), "if-none-match")
}

/// Number and size of the page that is asked for.
///
/// # Errors
/// When one of them can't be, or there is a key that no list has.
pub fn page(query: &str) -> Result<(usize, usize), String> {
    let (mut page, mut per_page) = (1, 30);
    let url = reqwest::Url::parse(&format!("http://x/?{query}")).map_err(|e| e.to_string())?;
    for (key, value) in url.query_pairs() {
        let number = value.parse::<usize>().ok().filter(|n| (1..=100).contains(n));
        match (key.as_ref(), number) {
            ("page", Some(n)) => page = n,
            ("per_page", Some(n)) => per_page = n,
            ("filter", None) if value == "latest" => {}
            ("state" | "sort" | "direction" | "head" | "base", None) => {}
            _ => return Err(format!("`{key}={value}` is no way to ask for a list")),
        }
    }
    Ok((page, per_page))
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
            "sort" if value == "created" => {}
            "direction" if value == "desc" => {}
            "page" | "per_page" if page(query).is_ok() => {}
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

/// # Errors
/// When something else than texts that fit is to change; whether it is a draft can't be changed here.
pub fn edited_pull(new: Value) -> Result<serde_json::Map<String, Value>, String> {
    let Value::Object(fields) = new else { return Err("not an object".into()) };
    for (name, value) in &fields {
        let max = match name.as_str() {
            "title" => 256,
            "body" => 65_536,
            _ => return Err(format!("a pull request's `{name}` is not to be changed")),
        };
        if value.as_str().is_none_or(|text| text.is_empty() || text.chars().count() > max) {
            return Err(format!("`{name}` is missing or too long"));
        }
    }
    if fields.is_empty() { Err("nothing is changed".into()) } else { Ok(fields) }
}

/// The text of a comment.
///
/// # Errors
/// When there is anything else, or it is too long.
pub fn comment(new: &Value) -> Result<String, String> {
    only(new, &["body"])?;
    match new["body"].as_str() {
        Some(text) if (1..=65_536).contains(&text.chars().count()) => Ok(text.to_owned()),
        _ => Err("`body` is missing or too long".into()),
    }
}

/// The name of a label.
///
/// # Errors
/// The first field that is unknown, missing or too long.
pub fn new_label(new: &Value) -> Result<String, String> {
    only(new, &["name", "color", "description"])?;
    let colour = new["color"].as_str().is_some_and(|c| c.len() == 6 && c.bytes().all(|b| b.is_ascii_hexdigit()));
    let described = new["description"].as_str().is_none_or(|d| d.chars().count() <= 100);
    match new["name"].as_str() {
        Some(name) if colour && described && (1..=50).contains(&name.chars().count()) => Ok(name.to_owned()),
        _ => Err(format!("no label: {new}")),
    }
}

/// The lists of names under these keys, in their order.
///
/// # Errors
/// When there is something else, or nothing at all.
pub fn names(new: &Value, keys: &[&str]) -> Result<Vec<Vec<String>>, String> {
    only(new, keys)?;
    let list = |key: &&str| {
        let names = new[*key].as_array().into_iter().flatten();
        names.map(|n| n.as_str().map(str::to_owned).ok_or(format!("`{key}` has {n}"))).collect::<Result<Vec<_>, _>>()
    };
    let all: Vec<Vec<String>> = keys.iter().map(list).collect::<Result<_, _>>()?;
    if all.iter().all(Vec::is_empty) { Err(format!("no names in {new}")) } else { Ok(all) }
}

fn only(new: &Value, known: &[&str]) -> Result<(), String> {
    let fields = new.as_object().ok_or("not an object")?;
    fields.keys().find(|k| !known.contains(&k.as_str())).map_or(Ok(()), |k| Err(format!("there is no `{k}`")))
}
