//! What people say about pull requests on the fake GitHub, and what its CI says about commits.

use serde_json::{Value, json};

/// A login and what GitHub says of them: `OWNER`, `COLLABORATOR`, `NONE` …; a login that ends in `[bot]` is a program.
pub type Person = (&'static str, &'static str);

/// All that was said, oldest first.
#[derive(Debug, Default)]
pub struct Talk {
    said: Vec<(u64, Kind, Value)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Review,
    Line,
    Conversation,
}

impl Talk {
    pub fn review(&mut self, pull: u64, by: Person, state: &str, body: &str) -> u64 {
        let at = self.at();
        self.say(pull, Kind::Review, by, json!({"state": state, "body": body, "submitted_at": at, "commit_id": "0"}))
    }

    /// `line` is `None` when the code has changed since; then only `original_line` says where it was.
    pub fn on_line(&mut self, pull: u64, by: Person, path: &str, line: (Option<u64>, u64), body: &str) -> u64 {
        let at = self.at();
        let comment = json!({
            "path": path, "line": line.0, "original_line": line.1, "start_line": null, "side": "RIGHT",
            "diff_hunk": "@@ -1,2 +1,2 @@\n-old\n+RANGE = 1", "body": body, "commit_id": "0", "subject_type": "line",
            "pull_request_review_id": 1, "created_at": at, "updated_at": at,
        });
        self.say(pull, Kind::Line, by, comment)
    }

    pub fn comment(&mut self, pull: u64, by: Person, body: &str) -> u64 {
        let at = self.at();
        self.say(pull, Kind::Conversation, by, json!({"body": body, "created_at": at, "updated_at": at}))
    }

    /// Changes fields of the newest thing said.
    pub fn change_last(&mut self, fields: Value) {
        let Value::Object(fields) = fields else { panic!("fields, please") };
        self.said.last_mut().unwrap().2.as_object_mut().unwrap().extend(fields);
    }

    /// The bodies of the conversation.
    pub fn bodies(&self, pull: u64) -> Vec<String> {
        self.of(Kind::Conversation, pull).iter().map(|c| c["body"].as_str().unwrap().to_owned()).collect()
    }

    pub fn reviews(&self, pull: usize) -> Vec<Value> {
        self.of(Kind::Review, pull as u64)
    }

    pub fn line_comments(&self, pull: usize) -> Vec<Value> {
        self.of(Kind::Line, pull as u64)
    }

    pub fn conversation(&self, pull: usize) -> Vec<Value> {
        self.of(Kind::Conversation, pull as u64)
    }

    fn of(&self, kind: Kind, pull: u64) -> Vec<Value> {
        self.said.iter().filter(|(n, k, _)| (*n, *k) == (pull, kind)).map(|(_, _, said)| said.clone()).collect()
    }

    fn at(&self) -> String {
        format!("2026-11-20T12:{:02}:{:02}Z", self.said.len() / 60, self.said.len() % 60)
    }

    /// Ids are numbers of their own for each kind, as on GitHub.
    fn say(&mut self, pull: u64, kind: Kind, (login, association): Person, mut said: Value) -> u64 {
        let id = 100 + self.said.iter().filter(|(_, k, _)| *k == kind).count() as u64;
        said["id"] = id.into();
        said["user"] = json!({"login": login, "type": if login.ends_with("[bot]") { "Bot" } else { "User" }});
        said["author_association"] = association.into();
        self.said.push((pull, kind, said));
        id
    }
}

/// What CI says, about every commit.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    runs: Vec<Value>,
    statuses: Vec<Value>,
}

impl Checks {
    /// A check run; without a conclusion it is still going on. One of that name is replaced.
    pub fn run(&mut self, name: &str, conclusion: Option<&str>, title: &str, summary: &str) -> &mut Self {
        self.runs.retain(|run| run["name"] != name);
        let status = if conclusion.is_some() { "completed" } else { "in_progress" };
        let output = json!({"title": title, "summary": summary, "annotations_count": 0});
        self.runs.push(json!({"id": 1, "name": name, "status": status, "conclusion": conclusion, "output": output,
            "html_url": "https://github.example/run/1"}));
        self
    }

    /// A status of the older kind: `success`, `failure`, `error`, `pending`.
    pub fn status(&mut self, context: &str, state: &str, description: &str) -> &mut Self {
        self.statuses.retain(|status| status["context"] != context);
        let status = json!({"context": context, "state": state, "description": description, "target_url": null});
        self.statuses.push(status);
        self
    }

    pub fn runs(&self) -> Vec<Value> {
        self.runs.clone()
    }

    pub fn statuses(&self) -> Vec<Value> {
        self.statuses.clone()
    }

    /// As GitHub puts them together: `pending` where there are none.
    pub fn combined(&self, page: &Value) -> Value {
        let any = |states: &[&str]| self.statuses.iter().any(|s| states.contains(&s["state"].as_str().unwrap()));
        let state = if any(&["failure", "error"]) {
            "failure"
        } else if self.statuses.is_empty() || any(&["pending"]) {
            "pending"
        } else {
            "success"
        };
        json!({"state": state, "total_count": self.statuses.len(), "statuses": page})
    }
}
