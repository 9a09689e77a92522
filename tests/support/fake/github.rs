//! GitHub's REST API over a real bare repository: it knows its branches, and refuses a pull request as GitHub would.
//!
//! What is said about pull requests, and what checks say, is in [`super::github_talk`]; what is refused in [`super::github_strict`].

use super::github_answer::{Asked, forbidden, fresh, json_answer, not_found, parse, unprocessable, whole};
use super::github_talk::{Checks, Talk};
use super::{Complaints, Fault, Faults, Served, body, github_strict};
use crate::support::git::try_git;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// The routes, by the names that [`Github::fail`] takes.
pub const REPOSITORY: &str = "GET repository";
pub const LIST: &str = "GET pulls";
/// The same without a branch: all that are open.
pub const OPEN: &str = "GET open pulls";
pub const CREATE: &str = "POST pulls";
pub const PULL: &str = "GET pull";
pub const EDIT: &str = "PATCH pull";
pub const REVIEWS: &str = "GET reviews";
pub const LINE_COMMENTS: &str = "GET comments on lines";
pub const CONVERSATION: &str = "GET conversation";
pub const COMMENT: &str = "POST comment";
pub const NEW_LABEL: &str = "POST label";
pub const LABEL: &str = "POST labels of a pull";
pub const REVIEWERS: &str = "POST reviewers";
pub const CHECK_RUNS: &str = "GET check runs";
pub const STATUS: &str = "GET status";
/// Not of a repository.
pub const RATE_LIMIT: &str = "GET rate limit";

pub const ROUTES: [&str; 16] = [
    OPEN,
    REPOSITORY,
    LIST,
    CREATE,
    PULL,
    EDIT,
    REVIEWS,
    LINE_COMMENTS,
    CONVERSATION,
    COMMENT,
    NEW_LABEL,
    LABEL,
    REVIEWERS,
    CHECK_RUNS,
    STATUS,
    RATE_LIMIT,
];

/// What can be said about the repository.
#[derive(Debug, Clone)]
pub struct Facts {
    pub archived: bool,
    pub push: bool,
    /// Draft pull requests are to be had.
    pub drafts: bool,
    /// What the token may not read, of [`CHECK_RUNS`] and [`STATUS`]; fine-grained ones never see the first.
    pub hidden: Vec<&'static str>,
    /// Most entries of one page.
    pub page: usize,
    /// Who can be asked for a review.
    pub reviewers: Vec<String>,
    /// Requests that are left in this hour; `None` where they are not counted, as on some servers of one's own.
    pub left: Option<u32>,
}

#[derive(Debug)]
struct Inner {
    token: String,
    slug: String,
    /// Before `/repos`.
    prefix: String,
    bare: PathBuf,
    complaints: Complaints,
    faults: Faults,
    facts: Mutex<Facts>,
    pulls: Mutex<Vec<Value>>,
    talk: Mutex<Talk>,
    labels: Mutex<Vec<String>>,
    checks: Mutex<Checks>,
    calls: Mutex<Vec<String>>,
}

/// The fake.
pub struct Github {
    /// Stops with it.
    _served: Served,
    url: String,
    inner: Arc<Inner>,
}

impl Github {
    /// For one repository, whose branches are those of `bare`.
    pub async fn start(slug: &str, token: &str, bare: &Path) -> Self {
        Self::start_below("", slug, token, bare).await
    }

    /// With everything below a path, as GitHub Enterprise has it: `/api/v3`.
    pub async fn start_below(prefix: &str, slug: &str, token: &str, bare: &Path) -> Self {
        let (complaints, faults) = (Complaints::default(), Faults::default());
        let facts = Facts {
            archived: false,
            push: true,
            drafts: true,
            hidden: Vec::new(),
            page: 100,
            reviewers: vec!["ada".into(), "octo-team".into()],
            left: Some(4_321),
        };
        let inner = Arc::new(Inner {
            token: token.to_owned(),
            slug: slug.to_owned(),
            prefix: prefix.to_owned(),
            bare: bare.to_owned(),
            complaints: complaints.clone(),
            faults: faults.clone(),
            facts: Mutex::new(facts),
            pulls: Mutex::default(),
            talk: Mutex::default(),
            labels: Mutex::new(vec!["bug".into()]),
            checks: Mutex::default(),
            calls: Mutex::default(),
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&inner));
        let served = Served::start("GitHub", router, complaints, faults).await;
        let url = format!("{}{prefix}", served.url);
        Self { _served: served, url, inner }
    }

    /// The base of the API.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn fail(&self, route: &'static str, fault: Fault) -> &Self {
        self.inner.faults.plan(route, fault);
        self
    }

    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.inner.facts.lock().unwrap()
    }

    /// What is said about pull requests.
    pub fn talk(&self) -> MutexGuard<'_, Talk> {
        self.inner.talk.lock().unwrap()
    }

    /// What CI says, about every commit.
    pub fn checks(&self) -> MutexGuard<'_, Checks> {
        self.inner.checks.lock().unwrap()
    }

    /// The labels that the repository knows.
    pub fn labels(&self) -> Vec<String> {
        self.inner.labels.lock().unwrap().clone()
    }

    /// All pull requests, oldest first, as the API would give them.
    pub fn pulls(&self) -> Vec<Value> {
        self.inner.pulls.lock().unwrap().clone()
    }

    /// Changes fields of a pull request.
    pub fn change_pull(&self, number: u64, fields: Value) {
        let mut pulls = self.inner.pulls.lock().unwrap();
        let pull = pulls[number as usize - 1].as_object_mut().unwrap();
        let Value::Object(fields) = fields else { panic!("fields, please") };
        pull.extend(fields);
    }

    /// The calls so far: method and path with its query; `304` before those that were told that nothing is new.
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
        let repo = json!({"id": 1, "full_name": self.slug});
        let pull = json!({
            "number": number, "id": number * 1000, "state": "open", "locked": false,
            "html_url": format!("https://github.example/{}/pull/{number}", self.slug),
            "title": new["title"], "body": new["body"], "draft": new["draft"], "user": {"login": "octo", "type": "User"},
            "head": {"ref": head, "label": format!("{owner}:{head}"), "sha": sha(&new["head"]), "repo": repo},
            "base": {"ref": new["base"], "sha": sha(&new["base"]), "repo": repo},
            "merged_at": null, "auto_merge": null, "labels": [], "requested_reviewers": [],
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

    /// The only call that every good token may make.
    fn rate_limit(&self, method: &Method, query: &str) -> Response {
        if *method != Method::GET || !query.is_empty() {
            return self.invalid(format!("there is no {method} /rate_limit?{query}"));
        }
        let Some(left) = self.facts.lock().unwrap().left else {
            return json_answer(404, &json!({"message": "Rate limiting is not enabled."}));
        };
        let of = |limit: u32, left: u32| json!({"limit": limit, "used": limit - left, "remaining": left, "reset": 1_795_179_600});
        let resources = json!({"core": of(5_000, left), "search": of(30, 30), "graphql": of(5_000, 5_000)});
        json_answer(200, &json!({"resources": resources, "rate": of(5_000, left)}))
    }

    fn list(&self, asked: &Asked<'_>) -> Response {
        let owner = self.slug.split('/').next().unwrap();
        let wanted = match github_strict::list_query(asked.query, owner) {
            Ok(wanted) => wanted,
            Err(complaint) => return self.invalid(complaint),
        };
        let fits = |pull: &&Value| {
            let is = |branch: &str, wanted: &str| wanted.is_empty() || pull[branch]["ref"] == wanted;
            pull["state"] == "open" && is("head", &wanted.head) && is("base", &wanted.base)
        };
        let mut found: Vec<Value> = self.pulls.lock().unwrap().iter().rev().filter(fits).cloned().collect();
        for pull in &mut found {
            // What lists have, GitHub does not give for a single one, and the other way round.
            pull.as_object_mut().unwrap().remove("auto_merge");
        }
        self.pages(found, asked, |page| page)
    }

    /// One page of a list, with the address of the next.
    fn pages(&self, all: Vec<Value>, asked: &Asked<'_>, shape: impl FnOnce(Value) -> Value) -> Response {
        let (page, per_page) = match github_strict::page(asked.query) {
            Ok((page, per_page)) => (page, per_page.min(self.facts.lock().unwrap().page)),
            Err(complaint) => return self.invalid(complaint),
        };
        let rest: Vec<Value> = all.into_iter().skip((page - 1) * per_page).collect();
        let more = rest.len() > per_page;
        let shown = shape(rest.into_iter().take(per_page).collect());
        let mut response = fresh(&shown, asked, &self.calls);
        if more {
            let others: Vec<&str> = asked.query.split('&').filter(|pair| !pair.starts_with("page=")).collect();
            let next = format!("http://{}{}?{}&page={}", asked.host, asked.path, others.join("&"), page + 1);
            let links = format!("<{next}>; rel=\"next\", <{next}>; rel=\"last\"");
            response.headers_mut().insert("link", links.parse().unwrap());
        }
        response
    }

    fn create(&self, bytes: &[u8]) -> Response {
        let new = match parse(bytes).and_then(github_strict::new_pull) {
            Ok(new) => new,
            Err(complaint) => return self.invalid(complaint),
        };
        if let Some(error) = self.refusal(&new) {
            return unprocessable(&error);
        }
        json_answer(201, &whole(self.store(&new)))
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

    /// The pull request as it is now: its branch may have moved.
    fn pull(&self, number: usize, asked: &Asked<'_>) -> Response {
        if !asked.query.is_empty() {
            return self.invalid(format!("a pull request has no `?{}`", asked.query));
        }
        let Some(mut pull) = self.pulls.lock().unwrap().get(number.wrapping_sub(1)).cloned() else {
            return not_found();
        };
        let branch = format!("refs/heads/{}", pull["head"]["ref"].as_str().unwrap());
        if let Some(head) = try_git(&self.bare, &["rev-parse", "--verify", &branch]).filter(|_| pull["state"] == "open")
        {
            pull["head"]["sha"] = head.into();
        }
        fresh(&whole(pull), asked, &self.calls)
    }

    fn edit(&self, number: usize, bytes: &[u8]) -> Response {
        let fields = match parse(bytes).and_then(github_strict::edited_pull) {
            Ok(fields) => fields,
            Err(complaint) => return self.invalid(complaint),
        };
        let mut pulls = self.pulls.lock().unwrap();
        let Some(pull) = pulls.get_mut(number.wrapping_sub(1)) else { return not_found() };
        pull.as_object_mut().unwrap().extend(fields);
        json_answer(200, &whole(pull.clone()))
    }

    fn comment(&self, number: usize, bytes: &[u8]) -> Response {
        if number == 0 || number > self.pulls.lock().unwrap().len() {
            return not_found();
        }
        match parse(bytes).and_then(|v| github_strict::comment(&v)) {
            Ok(text) => {
                let mut talk = self.talk.lock().unwrap();
                let id = talk.comment(number as u64, ("octo", "OWNER"), &text);
                json_answer(201, &json!({"id": id, "body": text}))
            }
            Err(complaint) => self.invalid(complaint),
        }
    }

    fn new_label(&self, bytes: &[u8]) -> Response {
        let name = match parse(bytes).and_then(|v| github_strict::new_label(&v)) {
            Ok(name) => name,
            Err(complaint) => return self.invalid(complaint),
        };
        let mut labels = self.labels.lock().unwrap();
        if labels.iter().any(|l| l.eq_ignore_ascii_case(&name)) {
            return unprocessable(&json!({"resource": "Label", "code": "already_exists", "field": "name"}));
        }
        labels.push(name.clone());
        json_answer(201, &json!({"name": name}))
    }

    fn label(&self, number: usize, bytes: &[u8]) -> Response {
        let names = match parse(bytes).and_then(|v| github_strict::names(&v, &["labels"])) {
            Ok(mut names) => names.remove(0),
            Err(complaint) => return self.invalid(complaint),
        };
        let known = self.labels.lock().unwrap().clone();
        // Whether GitHub makes a label by the way is not documented, so nobody may count on it.
        let unknown = names.iter().find(|name| !known.contains(name));
        if let Some(unknown) = unknown {
            return self.invalid(format!("there is no label `{unknown}`"));
        }
        let mut pulls = self.pulls.lock().unwrap();
        let Some(pull) = pulls.get_mut(number.wrapping_sub(1)) else { return not_found() };
        let labels = pull["labels"].as_array_mut().unwrap();
        for name in names.into_iter().map(|name| json!({"name": name})) {
            if !labels.contains(&name) {
                labels.push(name);
            }
        }
        json_answer(200, &pull["labels"])
    }

    fn reviewers(&self, number: usize, bytes: &[u8]) -> Response {
        let names = match parse(bytes).and_then(|v| github_strict::names(&v, &["reviewers", "team_reviewers"])) {
            Ok(names) => names.concat(),
            Err(complaint) => return self.invalid(complaint),
        };
        let facts = self.facts.lock().unwrap().clone();
        let mut pulls = self.pulls.lock().unwrap();
        let Some(pull) = pulls.get_mut(number.wrapping_sub(1)) else { return not_found() };
        if names.iter().any(|name| pull["user"]["login"] == name.as_str()) {
            let errors = ["Review cannot be requested from pull request author."];
            return json_answer(422, &json!({"message": "Validation Failed", "errors": errors}));
        }
        if names.iter().any(|name| !facts.reviewers.contains(name)) {
            let message = format!(
                "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the {} repository.",
                self.slug
            );
            return json_answer(422, &json!({"message": message}));
        }
        pull["requested_reviewers"] = names.iter().map(|name| json!({"login": name})).collect();
        json_answer(201, &whole(pull.clone()))
    }

    fn shows(&self, route: &str) -> bool {
        !self.facts.lock().unwrap().hidden.contains(&route)
    }

    /// What is asked for and what isn't documented is a complaint, too.
    fn invalid(&self, complaint: String) -> Response {
        self.complaints.add(complaint);
        json_answer(422, &json!({"message": "Validation Failed"}))
    }

    async fn route(&self, asked: &Asked<'_>, bytes: &[u8]) -> Response {
        let (faults, parts) = (self.faults.clone(), asked.parts.as_slice());
        let number = |n: &str| n.parse::<usize>().unwrap_or_default();
        match (asked.method, parts) {
            (&Method::GET, []) => faults.apply(REPOSITORY, async { self.repository() }).await,
            (&Method::GET, ["pulls"]) => {
                let route = if asked.query.contains("head=") { LIST } else { OPEN };
                faults.apply(route, async { self.list(asked) }).await
            }
            (&Method::POST, ["pulls"]) => faults.apply(CREATE, async { self.create(bytes) }).await,
            (&Method::GET, ["pulls", n]) => faults.apply(PULL, async { self.pull(number(n), asked) }).await,
            (&Method::PATCH, ["pulls", n]) => faults.apply(EDIT, async { self.edit(number(n), bytes) }).await,
            (&Method::GET, ["pulls", n, "reviews"]) => {
                let all = self.talk.lock().unwrap().reviews(number(n));
                faults.apply(REVIEWS, async { self.pages(all, asked, |page| page) }).await
            }
            (&Method::GET, ["pulls", n, "comments"]) => {
                let all = self.talk.lock().unwrap().line_comments(number(n));
                faults.apply(LINE_COMMENTS, async { self.pages(all, asked, |page| page) }).await
            }
            (&Method::GET, ["issues", n, "comments"]) => {
                let all = self.talk.lock().unwrap().conversation(number(n));
                faults.apply(CONVERSATION, async { self.pages(all, asked, |page| page) }).await
            }
            (&Method::POST, ["issues", n, "comments"]) => {
                faults.apply(COMMENT, async { self.comment(number(n), bytes) }).await
            }
            (&Method::POST, ["labels"]) => faults.apply(NEW_LABEL, async { self.new_label(bytes) }).await,
            (&Method::POST, ["issues", n, "labels"]) => {
                faults.apply(LABEL, async { self.label(number(n), bytes) }).await
            }
            (&Method::POST, ["pulls", n, "requested_reviewers"]) => {
                faults.apply(REVIEWERS, async { self.reviewers(number(n), bytes) }).await
            }
            (&Method::GET, ["commits", _, "check-runs"]) => {
                let (seen, all) = (self.shows(CHECK_RUNS), self.checks.lock().unwrap().runs());
                let shape = |page: Value| json!({"total_count": page.as_array().unwrap().len(), "check_runs": page});
                let act = async { if seen { self.pages(all, asked, shape) } else { forbidden("checks=read") } };
                faults.apply(CHECK_RUNS, act).await
            }
            (&Method::GET, ["commits", _, "status"]) => {
                let (seen, checks) = (self.shows(STATUS), self.checks.lock().unwrap().clone());
                let shape = |page: Value| checks.combined(&page);
                let act = async {
                    if seen { self.pages(checks.statuses(), asked, shape) } else { forbidden("statuses=read") }
                };
                faults.apply(STATUS, act).await
            }
            _ => {
                self.complaints.add(format!("there is no {} {}", asked.method, asked.path));
                not_found()
            }
        }
    }
}

async fn handle(State(fake): State<Arc<Inner>>, request: Request) -> Response {
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    fake.calls.lock().unwrap().push(format!("{method} {uri}"));
    if let Some(refused) = refused(&fake, &method, &headers) {
        return refused;
    }
    let bytes = body(request).await;
    let Some(path) = uri.path().strip_prefix(&fake.prefix) else {
        fake.complaints.add(format!("nothing is outside of {}: {uri}", fake.prefix));
        return not_found();
    };
    if path == "/rate_limit" {
        let act = async { fake.rate_limit(&method, uri.query().unwrap_or_default()) };
        return fake.faults.apply(RATE_LIMIT, act).await;
    }
    let Some(behind) = path.strip_prefix(&format!("/repos/{}", fake.slug)) else {
        // As for a repository that the token can't see.
        fake.complaints.unless(path.starts_with("/repos/"), || format!("there is no {method} {uri}"));
        return not_found();
    };
    let asked = Asked {
        method: &method,
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        host: super::header(&headers, "host"),
        tag: super::header(&headers, "if-none-match"),
        parts: behind.split('/').filter(|part| !part.is_empty()).collect(),
    };
    fake.route(&asked, &bytes).await
}

fn refused(fake: &Inner, method: &Method, headers: &HeaderMap) -> Option<Response> {
    if let Err(complaint) = github_strict::headers(method, headers) {
        fake.complaints.add(format!("{method}: {complaint}"));
        return Some(json_answer(400, &json!({"message": complaint})));
    }
    let known = super::header(headers, "authorization") == format!("Bearer {}", fake.token);
    let body = json!({"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"});
    (!known).then(|| json_answer(401, &body))
}
