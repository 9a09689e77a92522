//! The model's answer: its schema, and the way from untrusted JSON to a [`ChangeSet`], to what it wants to see first, or to a list
//! of problems in words.
//!
//! The schema keeps to what every vendor's strict mode accepts: all properties required, nullable where something may be
//! absent, no length or pattern keywords. What it can't say is checked here, and every problem is worded for the model,
//! which gets a chance to mend its answer.

use super::lookup::Request;
use crate::domain::change::{Addressed, ChangeSet, Edit, FileChange, Problem, RepoPath};
use crate::domain::review::MAX_SUMMARY;
use serde::Deserialize;
use serde_json::{Value, json};

/// Most problems sent back; a model that made more will not mend them one by one.
const MAX_PROBLEMS: usize = 30;

/// Longest title, in bytes. A title that is a little too long is cut; this is for one that is none.
const MAX_TITLE: usize = 4_000;

/// The JSON schema of an answer.
pub(super) fn schema() -> Value {
    let edit = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["search", "replace"],
        "properties": {
            "search": {"type": "string", "description": "Text that occurs exactly once in the file, copied with its indentation and without line numbers"},
            "replace": {"type": "string", "description": "What takes its place"},
        },
    });
    let file = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["path", "action", "new_path", "content", "edits"],
        "properties": {
            "path": {"type": "string", "description": "Relative to the repository's root, with `/`"},
            "action": {"type": "string", "enum": ["create", "edit", "delete", "rename"]},
            "new_path": {"type": ["string", "null"], "description": "Where the file goes when it is renamed, else null"},
            "content": {"type": ["string", "null"], "description": "The whole file when it is created, else null"},
            "edits": {"type": "array", "items": edit, "description": "Applied in order when the file is edited, or changed while it is renamed; else empty"},
        },
    });
    let look_up = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["kind", "what", "from", "to"],
        "properties": {
            "kind": {"type": "string", "enum": ["read", "search"]},
            "what": {"type": "string", "description": "A path of a file or directory to read, or a literal text to search for"},
            "from": {"type": ["integer", "null"], "description": "First line to read, counted from 1; null for the beginning"},
            "to": {"type": ["integer", "null"], "description": "Last line to read; null for the end"},
        },
    });
    let addressed = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["comment", "how"],
        "properties": {
            "comment": {"type": "string", "description": "The comment's id, as shown"},
            "how": {"type": "string", "description": "What you did about it, in one sentence"},
        },
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["look_up", "title", "summary", "files", "addressed"],
        "properties": {
            "look_up": {"type": "array", "items": look_up, "description": "What you need to see before you can answer; then `files` is empty. Else empty"},
            "title": {"type": "string", "description": "One line of at most 72 characters, in the imperative"},
            "summary": {"type": "string", "description": "What changed and why, for the reviewer, in plain Markdown"},
            "files": {"type": "array", "items": file},
            "addressed": {"type": "array", "items": addressed, "description": "One for each comment on the earlier draft that you did something about; empty where none are shown"},
        },
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswer {
    // Models that are not held to a schema leave out what they have no use for.
    #[serde(default)]
    look_up: Vec<RawLookUp>,
    title: String,
    summary: String,
    files: Vec<RawFile>,
    // Models that are not held to a schema leave out what they have no use for.
    #[serde(default)]
    addressed: Vec<RawAddressed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAddressed {
    comment: String,
    how: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLookUp {
    kind: String,
    what: String,
    #[serde(default)]
    from: Option<i64>,
    #[serde(default)]
    to: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    path: String,
    action: String,
    #[serde(default)]
    new_path: Option<String>,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    edits: Option<Vec<RawEdit>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEdit {
    search: String,
    replace: String,
}

/// What a model answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Without files it is a refusal, with the reason in the summary.
    Change(ChangeSet),
    LookUp(Vec<Request>),
}

/// Reads an answer. An empty list of files is legal: the model may explain in `summary` why it changes nothing. A change counts
/// more than the wish to see something.
///
/// # Errors
/// Every problem at once, in words a model can act on.
pub(super) fn parse(text: &str) -> Result<Answer, Vec<Problem>> {
    let raw: RawAnswer = serde_json::from_str(without_fence(text)).map_err(|e| vec![not_json(&e)])?;
    if raw.files.is_empty() && !raw.look_up.is_empty() {
        return look_up(raw.look_up).map(Answer::LookUp);
    }
    change(raw).map(Answer::Change)
}

fn look_up(raw: Vec<RawLookUp>) -> Result<Vec<Request>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut requests = Vec::new();
    for (at, RawLookUp { kind, what, from, to }) in raw.into_iter().enumerate() {
        // Nothing is before the first line: what says so gets told how many lines there are.
        let line = |n: Option<i64>| n.map(|n| u64::try_from(n).unwrap_or(0));
        match kind.as_str() {
            "read" => requests.push(Request::Read { path: what, from: line(from), to: line(to) }),
            "search" => requests.push(Request::Search { text: what }),
            other => problems.push(Problem {
                path: format!("look_up[{at}]"),
                reason: format!("`kind` is `read` or `search`, not `{}`", short(other)),
            }),
        }
    }
    problems.truncate(MAX_PROBLEMS);
    if problems.is_empty() { Ok(requests) } else { Err(problems) }
}

fn change(raw: RawAnswer) -> Result<ChangeSet, Vec<Problem>> {
    let mut problems = Vec::new();
    for (name, text, max) in [("title", &raw.title, MAX_TITLE), ("summary", &raw.summary, MAX_SUMMARY)] {
        if text.trim().is_empty() {
            problems.push(problem(name, "it is empty"));
        } else if text.len() > max {
            problems.push(problem(name, &format!("it has {} bytes, at most {max} are allowed", text.len())));
        }
    }
    let mut files = Vec::new();
    for (at, file) in raw.files.into_iter().enumerate() {
        let name = if file.path.is_empty() { format!("files[{at}]") } else { file.path.clone() };
        match file_change(file) {
            Ok(change) => files.push(change),
            Err(reason) => problems.push(Problem { path: name, reason }),
        }
    }
    problems.truncate(MAX_PROBLEMS);
    if !problems.is_empty() {
        return Err(problems);
    }
    let addressed = raw.addressed.into_iter().map(|a| Addressed { comment: a.comment, how: a.how }).collect();
    Ok(ChangeSet { title: raw.title, summary: raw.summary, files, addressed })
}

fn file_change(file: RawFile) -> Result<FileChange, String> {
    let path = RepoPath::parse(file.path).map_err(|e| e.to_string())?;
    // Some models send an empty text where the schema wants null; it means the same, except for the content of a new file.
    let to = file.new_path.filter(|to| !to.is_empty());
    let content = file.content;
    let no_content = content.as_deref().is_none_or(str::is_empty);
    let edits: Vec<Edit> = file.edits.unwrap_or_default().into_iter().map(Edit::from).collect();
    if file.action != "rename" && to.is_some() {
        return Err("only a file that is renamed has a `new_path`; for the others it is null".into());
    }
    match (file.action.as_str(), content, edits.is_empty()) {
        ("create", Some(content), true) => Ok(FileChange::Create { path, content }),
        ("create", _, _) => Err("a file that is created has its text in `content` and no `edits`".into()),
        ("edit", _, _) if no_content => Ok(FileChange::Edit { path, edits }),
        ("edit", _, _) => Err("a file that is edited has null in `content`; put the changed lines in `edits`".into()),
        ("delete", _, true) if no_content => Ok(FileChange::Delete { path }),
        ("delete", _, _) => Err("a file that is deleted has null in `content` and no `edits`".into()),
        ("rename", _, _) if no_content => {
            let to = to.ok_or("a file that is renamed has its new place in `new_path`")?;
            let to = RepoPath::parse(to).map_err(|e| format!("`new_path`: {e}"))?;
            Ok(FileChange::Rename { path, to, edits })
        }
        ("rename", _, _) => Err("a file that is renamed has null in `content`; put changed lines in `edits`".into()),
        (other, _, _) => Err(format!("`action` is `create`, `edit`, `delete` or `rename`, not `{}`", short(other))),
    }
}

impl From<RawEdit> for Edit {
    fn from(raw: RawEdit) -> Self {
        Self { search: raw.search, replace: raw.replace }
    }
}

/// Models that are not held to a schema like to think aloud before they answer, and to wrap JSON in a Markdown fence.
fn without_fence(text: &str) -> &str {
    let text = text.trim();
    let thought = text.strip_prefix("<think>").and_then(|rest| rest.split_once("</think>"));
    let text = thought.map_or(text, |(_, answer)| answer.trim());
    let Some(inner) = text.strip_prefix("```").and_then(|t| t.strip_suffix("```")) else { return text };
    inner.strip_prefix("json").unwrap_or(inner).trim()
}

fn not_json(error: &serde_json::Error) -> Problem {
    // serde's words name the key or type at fault; they quote at most a short value.
    problem("(answer)", &format!("it does not fit the schema: {}", short(&error.to_string())))
}

fn problem(path: &str, reason: &str) -> Problem {
    Problem { path: path.to_owned(), reason: reason.to_owned() }
}

fn short(text: &str) -> String {
    crate::domain::text::clipped(text, 160)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change_of(text: &str) -> Result<ChangeSet, Vec<Problem>> {
        match parse(text)? {
            Answer::Change(change) => Ok(change),
            Answer::LookUp(requests) => panic!("{requests:?}"),
        }
    }

    fn answer(files: &Value) -> String {
        json!({"title": "t", "summary": "s", "files": files}).to_string()
    }

    #[test]
    fn the_four_actions_are_read() {
        let set = change_of(&answer(&json!([
            {"path": "a", "action": "create", "new_path": null, "content": "x", "edits": []},
            {"path": "b", "action": "edit", "new_path": null, "content": null, "edits": [{"search": "1", "replace": "2"}]},
            {"path": "c", "action": "delete", "new_path": "", "content": "", "edits": []},
            {"path": "d", "action": "rename", "new_path": "e", "content": null, "edits": []},
            {"path": "f", "action": "rename", "new_path": "g", "content": "", "edits": [{"search": "1", "replace": "2"}]},
        ])))
        .unwrap();
        let kinds: Vec<_> = set.files.iter().map(|f| f.path().as_str()).collect();
        assert_eq!(kinds, ["a", "b", "c", "d", "f"]);
        assert!(
            matches!(&set.files[3], FileChange::Rename { to, edits, .. } if to.as_str() == "e" && edits.is_empty())
        );
        assert!(parse(&format!("```json\n{}\n```", answer(&json!([])))).is_ok());
        assert!(parse(&format!("<think>\nIs {{}} it?\n</think>\n{}", answer(&json!([])))).is_ok());
        assert!(parse("<think>and never an answer").is_err());
    }

    #[test]
    fn a_wish_to_see_more_is_no_change_and_needs_no_title() {
        let ask = |look_up: Value, files: Value| {
            json!({"look_up": look_up, "title": "", "summary": "", "files": files}).to_string()
        };
        let wishes = json!([
            {"kind": "read", "what": "src/a.py", "from": 3, "to": null},
            {"kind": "read", "what": "b", "from": -1, "to": -2},
            {"kind": "search", "what": "x = 1", "from": null, "to": null},
        ]);
        let read = |path: &str, from, to| Request::Read { path: path.into(), from, to };
        let expected = vec![
            read("src/a.py", Some(3), None),
            read("b", Some(0), Some(0)),
            Request::Search { text: "x = 1".into() },
        ];
        assert_eq!(parse(&ask(wishes.clone(), json!([]))), Ok(Answer::LookUp(expected)));
        let file = json!([{"path": "a", "action": "create", "content": "x", "edits": []}]);
        assert_eq!(parse(&ask(wishes, file)).unwrap_err().len(), 2, "with files it is a change, and lacks a title");
        let wrong =
            parse(&ask(json!([{"kind": "run", "what": "ls", "from": null, "to": null}]), json!([]))).unwrap_err();
        assert!(wrong[0].path == "look_up[0]" && wrong[0].reason.contains("`run`"), "{wrong:?}");
    }

    #[test]
    fn every_problem_is_named_with_its_path() {
        let problems = parse(&answer(&json!([
            {"path": "../x", "action": "create", "content": "x", "edits": []},
            {"path": "/etc/passwd", "action": "create", "content": "x", "edits": []},
            {"path": ".git/config", "action": "create", "content": "x", "edits": []},
            {"path": "a", "action": "create", "content": null, "edits": []},
            {"path": "b", "action": "edit", "content": "whole file", "edits": []},
            {"path": "c", "action": "rename", "content": null, "edits": []},
            {"path": "e", "action": "rename", "new_path": "../e", "content": null, "edits": []},
            {"path": "f", "action": "rename", "new_path": "g", "content": "x", "edits": []},
            {"path": "h", "action": "edit", "new_path": "i", "content": null, "edits": []},
            {"path": "j", "action": "move", "content": null, "edits": []},
            {"path": "d", "action": "delete", "content": "x", "edits": []},
            {"path": "", "action": "delete", "content": null, "edits": []},
        ])))
        .unwrap_err();
        let paths: Vec<_> = problems.iter().map(|p| p.path.as_str()).collect();
        assert_eq!(paths, ["../x", "/etc/passwd", ".git/config", "a", "b", "c", "e", "f", "h", "j", "d", "files[11]"]);
    }

    #[test]
    fn what_is_no_answer_is_said_in_words() {
        // Half of a character, which no text can hold.
        const LONE: &str = r#"{"title": "t\ud83d", "summary": "s", "files": []}"#;
        for text in
            ["", "Sure! Here is the change.", "[]", "{\"title\": 1}", "{\"title\":\"t\"}", "\u{0}\u{fffd}{{{", LONE]
        {
            let problems = parse(text).unwrap_err();
            assert!(problems[0].reason.contains("schema"), "{text}: {problems:?}");
        }
        let blank = json!({"title": " ", "summary": "", "files": []}).to_string();
        assert_eq!(parse(&blank).unwrap_err().len(), 2);
        let huge =
            json!({"title": "x".repeat(5 << 20), "summary": "s".repeat(MAX_SUMMARY + 1), "files": []}).to_string();
        let problems = parse(&huge).unwrap_err();
        assert!(problems[0].reason.contains("5242880 bytes") && problems[1].reason.contains("60001"), "{problems:?}");
    }

    #[test]
    fn ten_thousand_bad_files_make_a_short_list() {
        let files: Vec<Value> =
            (0..10_000).map(|_| json!({"path": "../x", "action": "x", "content": null, "edits": []})).collect();
        assert_eq!(parse(&answer(&json!(files))).unwrap_err().len(), MAX_PROBLEMS);
    }

    /// Both vendors refuse a schema in which an object leaves a property out of `required` or is open.
    #[test]
    fn the_schema_keeps_to_the_strict_subset() {
        fn check(schema: &Value, depth: usize) {
            assert!(depth <= 10);
            let allowed = ["type", "additionalProperties", "required", "properties", "items", "enum", "description"];
            for key in schema.as_object().unwrap().keys() {
                assert!(allowed.contains(&key.as_str()), "{key}");
            }
            if let Some(properties) = schema["properties"].as_object() {
                assert_eq!(schema["additionalProperties"], json!(false));
                let mut required: Vec<_> =
                    schema["required"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
                let mut names: Vec<_> = properties.keys().map(String::as_str).collect();
                required.sort_unstable();
                names.sort_unstable();
                assert_eq!(required, names);
                properties.values().for_each(|p| check(p, depth + 1));
            }
            if schema.get("items").is_some() {
                check(&schema["items"], depth + 1);
            }
        }
        check(&schema(), 0);
    }
}
