//! A git server over smart HTTP: `git http-backend` as a CGI child, a real bare repository behind it, a token in front.

use super::{Complaints, Fault, Faults, Served, answer, body, header};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What git asks for, by the names that [`GitServer::fail`] takes.
pub const REFS: &str = "refs to fetch";
pub const FETCH: &str = "fetch";
pub const PUSH_REFS: &str = "refs to push";
pub const PUSH: &str = "push";

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    slug: String,
    token: String,
    /// Name and password of somebody else, who is let in instead.
    instead: Mutex<Option<String>>,
    complaints: Complaints,
    faults: Faults,
    pushes: Mutex<usize>,
    /// Bytes answered to who fetches.
    sent: AtomicUsize,
    /// Never to be seen on a command line.
    secrets: Mutex<Vec<String>>,
}

/// The fake. Below `root` is `owner/name.git`.
pub struct GitServer {
    served: Served,
    inner: Arc<Inner>,
}

impl GitServer {
    /// Serves the bare repository `root/slug.git`.
    pub async fn start(root: &Path, slug: &str, token: &str) -> Self {
        let (complaints, faults) = (Complaints::default(), Faults::default());
        let inner = Arc::new(Inner {
            root: root.to_owned(),
            slug: slug.to_owned(),
            token: token.to_owned(),
            instead: Mutex::default(),
            complaints: complaints.clone(),
            faults: faults.clone(),
            pushes: Mutex::default(),
            sent: AtomicUsize::default(),
            secrets: Mutex::new(vec![token.to_owned()]),
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&inner));
        Self { served: Served::start("git server", router, complaints, faults).await, inner }
    }

    pub fn url(&self) -> &str {
        &self.served.url
    }

    pub fn fail(&self, step: &'static str, fault: Fault) -> &Self {
        self.inner.faults.plan(step, fault);
        self
    }

    /// Packs received so far, refused ones included.
    pub fn pushes(&self) -> usize {
        *self.inner.pushes.lock().unwrap()
    }

    /// Bytes that were given to who fetches, lists of branches included.
    pub fn sent(&self) -> usize {
        self.inner.sent.load(Ordering::Relaxed)
    }

    /// From now on this name and password are asked for, and whoever comes with the token is complained of.
    pub fn take_instead(&self, name: &str, password: &str) {
        *self.inner.instead.lock().unwrap() = Some(format!("{name}:{password}"));
    }

    /// While git talks to this server, no process may show this on its command line.
    pub fn keep_off_command_lines(&self, secret: &str) {
        self.inner.secrets.lock().unwrap().push(secret.to_owned());
    }
}

/// Every answer ends its connection: on one that was used before, git's HTTP library repeats by itself what got no answer.
async fn handle(State(fake): State<Arc<Inner>>, request: Request) -> Response {
    let mut response = route(&fake, request).await;
    response.headers_mut().insert("connection", "close".parse().unwrap());
    response
}

async fn route(fake: &Inner, request: Request) -> Response {
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    if let Some(shown) = on_a_command_line(&fake.secrets.lock().unwrap()) {
        fake.complaints.add(format!("a secret stands on the command line of {shown}"));
    }
    fake.complaints
        .unless(header(&headers, "user-agent").starts_with("git/"), || "somebody else than git calls".into());
    if let Some(refused) = unauthorised(fake, &headers) {
        return refused;
    }
    let bytes = body(request).await;
    let Some(path) = uri.path().strip_prefix(&format!("/{}.git", fake.slug)) else {
        return answer(404, &[], "Not Found".into());
    };
    let step = match (&method, path, uri.query().unwrap_or_default()) {
        (&Method::GET, "/info/refs", "service=git-upload-pack") => REFS,
        (&Method::POST, "/git-upload-pack", "") => FETCH,
        (&Method::GET, "/info/refs", "service=git-receive-pack") => PUSH_REFS,
        // What git tries when it takes the server for one from before 2009.
        (&Method::GET, "/HEAD", "") => return answer(404, &[], String::new()),
        (&Method::POST, "/git-receive-pack", "") => {
            // git first sends an empty request to find out whether it may.
            if bytes.len() > 4 {
                *fake.pushes.lock().unwrap() += 1;
            }
            PUSH
        }
        _ => {
            fake.complaints.add(format!("git has no {method} {uri}"));
            return answer(404, &[], "Not Found".into());
        }
    };
    let faults = fake.faults.clone();
    faults.apply(step, backend(fake, &method, &uri, &headers, &bytes)).await
}

/// Asks for the token, as GitHub does, when it is not there or wrong.
fn unauthorised(fake: &Inner, headers: &HeaderMap) -> Option<Response> {
    let sent = header(headers, "authorization");
    let basic = |login: &str| format!("Basic {}", base64(login.as_bytes()));
    let ours = basic(&format!("x-access-token:{}", fake.token));
    let instead = fake.instead.lock().unwrap().clone();
    if instead.is_some() && sent == ours {
        fake.complaints.add("the token is sent where it does not belong");
    }
    if sent == instead.map_or(ours, |login| basic(&login)) {
        return None;
    }
    let legal = sent.is_empty() || sent.starts_with("Basic ");
    fake.complaints.unless(legal, || "a token that does not come as a password".into());
    let text = if sent.is_empty() { "" } else { "Invalid username or token." };
    let realm = ("www-authenticate", "Basic realm=\"GitHub\"".to_owned());
    Some(answer(401, &[realm, ("content-type", "text/plain".into())], text.into()))
}

/// One request to `git http-backend`.
async fn backend(fake: &Inner, method: &Method, uri: &Uri, headers: &HeaderMap, bytes: &Bytes) -> Response {
    let mut command = Command::new("git");
    command.arg("http-backend").current_dir(&fake.root).kill_on_drop(true);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GIT_PROJECT_ROOT", &fake.root).env("GIT_HTTP_EXPORT_ALL", "1").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("REMOTE_USER", "octo").env("REMOTE_ADDR", "127.0.0.1").env("REQUEST_METHOD", method.as_str());
    command.env("PATH_INFO", uri.path()).env("QUERY_STRING", uri.query().unwrap_or_default());
    command.env("CONTENT_TYPE", header(headers, "content-type")).env("CONTENT_LENGTH", bytes.len().to_string());
    command.env("HTTP_CONTENT_ENCODING", header(headers, "content-encoding"));
    command.env("GIT_PROTOCOL", header(headers, "git-protocol"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = bytes.clone();
    tokio::spawn(async move {
        // It may answer before it has read everything.
        let _unread = stdin.write_all(&input).await;
    });
    let output = child.wait_with_output().await.unwrap();
    if uri.path().ends_with("/git-upload-pack") {
        fake.sent.fetch_add(output.stdout.len(), Ordering::Relaxed);
    }
    cgi(&output.stdout)
}

/// Splits a CGI answer into status, headers and body.
fn cgi(raw: &[u8]) -> Response {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n").expect("a CGI answer has headers");
    let mut response = Response::new(Body::from(raw[end + 4..].to_vec()));
    for line in String::from_utf8_lossy(&raw[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Status" {
            *response.status_mut() = value[..3].parse().unwrap();
        } else {
            let name: axum::http::HeaderName = name.parse().unwrap();
            response.headers_mut().insert(name, value.parse().unwrap());
        }
    }
    response
}

/// The name of a process that shows one of these to everybody on the machine.
fn on_a_command_line(secrets: &[String]) -> Option<String> {
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|process| {
        let line = std::fs::read(process.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        secrets.iter().any(|s| line.contains(s.as_str())).then(|| line.chars().take(40).collect())
    })
}

pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let six = (bits >> (18 - 6 * at)) & 63;
            out.push(if at > chunk.len() { '=' } else { char::from(LETTERS[six as usize]) });
        }
    }
    out
}
