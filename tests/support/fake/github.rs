//! GitHub's REST API over a real bare repository: it knows its branches, and refuses a pull request as GitHub would.

use super::{Complaints, Fault, Faults, Served, answer, body, github_strict};
use crate::support::git::try_git;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// The routes, by the names that [`Github::fail`] takes.
pub const REPOSITORY: &str = "GET repository";
pub const LIST: &str = "GET pulls";
pub const CREATE: &str = "POST pulls";

/// What can be said about the repository.
#[derive(Debug, Clone)]
pub struct Facts {
    pub archived: bool,
    pub push: bool,
    /// Draft pull requests are to be had.
    pub drafts: bool,
}

#[derive(Debug)]
struct Inner {
    token: String,
    slug: String,
    bare: PathBuf,
    complaints: Complaints,
    faults: Faults,
    facts: Mutex<Facts>,
    pulls: Mutex<Vec<Value>>,
    calls: Mutex<Vec<String>>,
}

/// The fake.
pub struct Github {
    served: Served,
    inner: Arc<Inner>,
}

impl Github {
    /// For one repository, whose branches are those of `bare`.
    pub async fn start(slug: &str, token: &str, bare: &Path) -> Self {
        let (complaints, faults) = (Complaints::default(), Faults::default());
        let inner = Arc::new(Inner {
            token: token.to_owned(),
            slug: slug.to_owned(),
            bare: bare.to_owned(),
            complaints: complaints.clone(),
            faults: faults.clone(),
            facts: Mutex::new(Facts { archived: false, push: true, drafts: true }),
            pulls: Mutex::default(),
            calls: Mutex::default(),
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&inner));
        Self { served: Served::start("GitHub", router, complaints, faults).await, inner }
    }

    pub fn url(&self) -> &str {
        &self.served.url
    }

    pub fn fail(&self, route: &'static str, fault: Fault) -> &Self {
        self.inner.faults.plan(route, fault);
        self
    }

    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.inner.facts.lock().unwrap()
    }

    /// All pull requests, oldest first, as the API would give them.
    pub fn pulls(&self) -> Vec<Value> {
        self.inner.pulls.lock().unwrap().clone()
    }

    /// The calls so far: method and path with its query.
    pub fn calls(&self) -> Vec<String> {
        self.inner.calls.lock().unwrap().clone()
    }

    /// Somebody else opens a pull request for a branch.
    pub fn open_pull(&self, head: &str, base: &str) -> String {
        let new = json!({"title": "Made by hand", "body": "", "head": head, "base": base, "draft": false});
        let pull = self.inner.store(&new);
        pull["html_url"].as_str().unwrap().to_owned()
    }
}

impl Inner {
    fn store(&self, new: &Value) -> Value {
        let mut pulls = self.pulls.lock().unwrap();
        let number = pulls.len() + 1;
        let sha = |branch: &Value| try_git(&self.bare, &["rev-parse", branch.as_str().unwrap()]).unwrap_or_default();
        let owner = self.slug.split('/').next().unwrap();
        let head = new["head"].as_str().unwrap();
        let pull = json!({
            "number": number, "id": number * 1000, "state": "open", "locked": false,
            "html_url": format!("https://github.example/{}/pull/{number}", self.slug),
            "title": new["title"], "body": new["body"], "draft": new["draft"], "user": {"login": "octo"},
            "head": {"ref": head, "label": format!("{owner}:{head}"), "sha": sha(&new["head"])},
            "base": {"ref": new["base"], "sha": sha(&new["base"])},
            "merged_at": null, "auto_merge": null, "labels": [],
        });
        pulls.push(pull.clone());
        pull
    }

    fn repository(&self) -> Response {
        let facts = self.facts.lock().unwrap().clone();
        let branch = try_git(&self.bare, &["symbolic-ref", "--short", "HEAD"]).unwrap();
        let permissions = json!({"admin": false, "push": facts.push, "pull": true});
        let body = json!({"id": 1, "full_name": self.slug, "default_branch": branch, "private": true,
            "archived": facts.archived, "permissions": permissions, "has_issues": true});
        json_answer(200, &body)
    }

    fn list(&self, query: &str) -> Response {
        let owner = self.slug.split('/').next().unwrap();
        let wanted = match github_strict::list_query(query, owner) {
            Ok(wanted) => wanted,
            Err(complaint) => {
                self.complaints.add(complaint);
                return json_answer(422, &json!({"message": "Validation Failed"}));
            }
        };
        let fits = |pull: &&Value| {
            pull["state"] == "open" && pull["head"]["ref"] == wanted.head && pull["base"]["ref"] == wanted.base
        };
        let mut found: Vec<Value> = self.pulls.lock().unwrap().iter().filter(fits).cloned().collect();
        for pull in &mut found {
            // What lists have, GitHub does not give for a single one, and the other way round.
            pull.as_object_mut().unwrap().remove("auto_merge");
        }
        json_answer(200, &Value::Array(found))
    }

    fn create(&self, bytes: &[u8]) -> Response {
        let new =
            match serde_json::from_slice::<Value>(bytes).map_err(|e| e.to_string()).and_then(github_strict::new_pull) {
                Ok(new) => new,
                Err(complaint) => {
                    self.complaints.add(complaint);
                    return json_answer(422, &json!({"message": "Validation Failed"}));
                }
            };
        if let Some(error) = self.refusal(&new) {
            let body = json!({"message": "Validation Failed", "errors": [error],
                "documentation_url": "https://docs.github.com/rest/pulls/pulls#create-a-pull-request", "status": "422"});
            return json_answer(422, &body);
        }
        let mut pull = self.store(&new);
        pull["merged"] = false.into();
        pull["mergeable"] = Value::Null;
        json_answer(201, &pull)
    }

    /// The reasons that GitHub has, in its words.
    fn refusal(&self, new: &Value) -> Option<Value> {
        let custom = |message: String| Some(json!({"resource": "PullRequest", "code": "custom", "message": message}));
        let invalid = |field: &str| Some(json!({"resource": "PullRequest", "field": field, "code": "invalid"}));
        let (head, base) = (new["head"].as_str().unwrap(), new["base"].as_str().unwrap());
        let commit = |branch: &str| try_git(&self.bare, &["rev-parse", "--verify", &format!("refs/heads/{branch}")]);
        let Some(head_commit) = commit(head) else { return invalid("head") };
        let Some(base_commit) = commit(base) else { return invalid("base") };
        if new["draft"] == true && !self.facts.lock().unwrap().drafts {
            return custom("Draft pull requests are not supported in this repository.".into());
        }
        let open = |p: &Value| p["state"] == "open" && p["head"]["ref"] == head && p["base"]["ref"] == base;
        if self.pulls.lock().unwrap().iter().any(open) {
            let owner = self.slug.split('/').next().unwrap();
            return custom(format!("A pull request already exists for {owner}:{head}."));
        }
        if head_commit == base_commit {
            return custom(format!("No commits between {base} and {head}"));
        }
        None
    }
}

async fn handle(State(fake): State<Arc<Inner>>, request: Request) -> Response {
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    fake.calls.lock().unwrap().push(format!("{method} {uri}"));
    if let Err(complaint) = github_strict::headers(&method, &headers) {
        fake.complaints.add(format!("{method} {uri}: {complaint}"));
        return json_answer(400, &json!({"message": complaint}));
    }
    if super::header(&headers, "authorization") != format!("Bearer {}", fake.token) {
        return json_answer(
            401,
            &json!({"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"}),
        );
    }
    let bytes = body(request).await;
    let root = format!("/repos/{}", fake.slug);
    let (faults, query) = (fake.faults.clone(), uri.query().unwrap_or_default());
    match (&method, uri.path().strip_prefix(&root)) {
        (&Method::GET, Some("")) => faults.apply(REPOSITORY, async { fake.repository() }).await,
        (&Method::GET, Some("/pulls")) => faults.apply(LIST, async { fake.list(query) }).await,
        (&Method::POST, Some("/pulls")) => faults.apply(CREATE, async { fake.create(&bytes) }).await,
        // As for a repository that the token can't see.
        (&Method::GET, None) if uri.path().starts_with("/repos/") => json_answer(404, &json!({"message": "Not Found"})),
        _ => {
            fake.complaints.add(format!("there is no {method} {uri}"));
            json_answer(404, &json!({"message": "Not Found"}))
        }
    }
}

fn json_answer(status: u16, body: &Value) -> Response {
    let headers = [
        ("content-type", "application/json; charset=utf-8".to_owned()),
        ("x-ratelimit-remaining", "4999".to_owned()),
        ("x-github-request-id", "FAKE:1".to_owned()),
    ];
    answer(status, &headers, body.to_string())
}
