//! The server on a real socket: clients that never finish, clients that are many, and the end.

use super::{Door, TIME};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use patchwork::config::{Secrets, ServerConfig};
use patchwork::http::{App, BindError, Limits, bind, guarded, probe, serve};
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

/// A moment: long enough for a machine that is busy, short enough for a test.
const MOMENT: Duration = Duration::from_millis(150);

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<io::Result<()>>,
}

impl Server {
    async fn start(router: Router, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, router, limits, async {
            stopped.await.unwrap();
        }));
        Self { address, stop, served }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        in_time(self.served).await.unwrap().unwrap();
    }
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(TIME, what).await.expect("it took too long")
}

/// Everything until the server closes. A reset counts as an end: what came before it is what counts.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let end = in_time(stream.read_to_end(&mut text)).await;
    assert!(end.is_ok() || !text.is_empty(), "reset before an answer");
    String::from_utf8(text).unwrap()
}

async fn ask(server: &Server, request: &str) -> String {
    let mut stream = server.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    read_all(&mut stream).await
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn half_a_head_is_not_waited_for() {
    let limits = Limits { head: MOMENT, ..Limits::default() };
    let door = Door::open().await;
    let server = Server::start(door.router(), limits).await;
    for start in ["", "GET", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
        let mut stream = server.connect().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        let answer = read_all_or_nothing(&mut stream).await;
        assert!(!answer.contains("200"), "{answer}");
    }
    // The same clock runs between two requests of one connection.
    let mut stream = server.connect().await;
    stream.write_all(HEALTH.replace("Connection: close\r\n", "").as_bytes()).await.unwrap();
    assert!(read_all(&mut stream).await.starts_with("HTTP/1.1 200"));
}

async fn read_all_or_nothing(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    in_time(stream.read_to_end(&mut text)).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn half_a_body_is_not_waited_for() {
    let limits = Limits { body: MOMENT, ..Limits::default() };
    let door = Door::with(Secrets::default(), limits).await;
    let server = Server::start(door.router(), limits).await;
    let request = "POST /api/feedback HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"what_i_needed\"";
    let answer = ask(&server, request).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("did not arrive in time"), "{answer}");
}

#[tokio::test]
async fn an_announced_giant_is_refused_before_its_first_byte() {
    let door = Door::open().await;
    let server = Server::start(door.router(), Limits::default()).await;
    let request = "POST /api/feedback HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n";
    let answer = ask(&server, request).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn an_unannounced_giant_is_refused_while_it_comes() {
    let door = Door::open().await;
    let server = Server::start(door.router(), Limits::default()).await;
    let mut stream = server.connect().await;
    let head = "POST /api/feedback HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = stream.split();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let sending = async {
        // 4 MiB: goes on long after the refusal, as a client does that reads only in the end.
        for _ in 0..64 {
            if to.write_all(chunk.as_bytes()).await.is_err() {
                break;
            }
        }
    };
    let reading = async {
        let mut answer = vec![0; 12];
        from.read_exact(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    };
    let ((), answer) = in_time(async { tokio::join!(sending, reading) }).await;
    assert_eq!(answer, "HTTP/1.1 413");
}

#[tokio::test]
async fn who_does_not_read_loses_the_place() {
    let limits = Limits { connections: 1, stalled: MOMENT, ..Limits::default() };
    let door = Door::open().await;
    let big = Router::<App>::new()
        .route("/big", get(|| async { vec![b'x'; 64 << 20] }))
        .route("/healthz", get(|| async { "fine" }));
    let server = Server::start(guarded(door.app(), big), limits).await;
    let mut greedy = server.connect().await;
    greedy.write_all(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let answer = ask(&server, HEALTH).await;
    assert!(answer.ends_with("fine"), "{answer}");
}

/// A route that reports when it is entered and leaves when it is told.
#[derive(Clone)]
struct Gate {
    entered: mpsc::Sender<()>,
    leave: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Gate {
    fn new() -> (Self, mpsc::Receiver<()>) {
        let (entered, entries) = mpsc::channel(16);
        let gate = Self { entered, leave: Arc::new(Semaphore::new(0)), inside: Arc::default(), most: Arc::default() };
        (gate, entries)
    }

    fn router(&self) -> Router {
        Router::new().route("/gate", get(Self::pass)).with_state(self.clone())
    }

    async fn pass(State(gate): State<Self>) -> &'static str {
        let now = gate.inside.fetch_add(1, Ordering::SeqCst) + 1;
        gate.most.fetch_max(now, Ordering::SeqCst);
        gate.entered.send(()).await.unwrap();
        gate.leave.acquire().await.unwrap().forget();
        gate.inside.fetch_sub(1, Ordering::SeqCst);
        "through"
    }
}

const GATE: &str = "GET /gate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn the_cap_makes_clients_wait_and_turns_none_away() {
    let (gate, mut entries) = Gate::new();
    let server = Arc::new(Server::start(gate.router(), Limits { connections: 2, ..Limits::default() }).await);
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let server = Arc::clone(&server);
            tokio::spawn(async move { ask(&server, GATE).await })
        })
        .collect();
    for _ in 0..6 {
        in_time(entries.recv()).await.unwrap();
        gate.leave.add_permits(1);
    }
    for client in clients {
        assert!(client.await.unwrap().ends_with("through"));
    }
    assert!(gate.most.load(Ordering::SeqCst) <= 2);
}

/// Clients that hold their connections open without a word, or in the middle of one, must not keep a report waiting until their time is up.
#[tokio::test]
async fn who_asks_for_nothing_makes_room_in_a_crowd() {
    let door = Door::open().await;
    let limits = Limits { connections: 4, courtesy: MOMENT, head: 10 * TIME, ..Limits::default() };
    let server = Server::start(door.router(), limits).await;
    let mut watching = server.connect().await;
    watching.write_all(b"GET /api/events?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answered = server.connect().await;
    answered.write_all(HEALTH.replace("Connection: close\r\n", "").as_bytes()).await.unwrap();
    let mut silent = server.connect().await;
    let mut begun = server.connect().await;
    begun.write_all(b"GET /healthz HTTP/1.1\r\nHost: lo").await.unwrap();

    assert!(ask(&server, HEALTH).await.starts_with("HTTP/1.1 200"));
    assert!(read_all(&mut answered).await.starts_with("HTTP/1.1 200"), "answered before it was closed");
    for idle in [&mut silent, &mut begun] {
        let mut nothing = Vec::new();
        // A reset or an end, as the system likes.
        drop(in_time(idle.read_to_end(&mut nothing)).await);
        assert_eq!(nothing, b"");
    }
    door.report(json!({"what_i_needed": "still watched"})).await;
    let mut heard = String::new();
    while !heard.contains("still watched") {
        let mut piece = [0; 4096];
        let n = in_time(watching.read(&mut piece)).await.unwrap();
        assert!(n > 0, "the stream was cut: {heard}");
        heard.push_str(&String::from_utf8_lossy(&piece[..n]));
    }
}

#[tokio::test]
async fn shutdown_lets_a_request_finish_and_takes_no_new_one() {
    let (gate, mut entries) = Gate::new();
    let server = Server::start(gate.router(), Limits::default()).await;
    let address = server.address;
    let mut idle = server.connect().await;
    let mut stream = server.connect().await;
    stream.write_all(GATE.as_bytes()).await.unwrap();
    in_time(entries.recv()).await.unwrap();
    server.stop.send(()).unwrap();
    assert_eq!(read_all_or_nothing(&mut idle).await, "", "idle connections end at once");
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
    gate.leave.add_permits(1);
    assert!(read_all(&mut stream).await.ends_with("through"));
    in_time(server.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let (gate, mut entries) = Gate::new();
    let server = Server::start(gate.router(), Limits { drain: MOMENT, ..Limits::default() }).await;
    let mut stream = server.connect().await;
    stream.write_all(GATE.as_bytes()).await.unwrap();
    in_time(entries.recv()).await.unwrap();
    server.stop().await;
    assert_eq!(read_all_or_nothing(&mut stream).await, "");
}

#[tokio::test]
async fn shutdown_ends_event_streams_at_once() {
    let door = Door::open().await;
    let limits = Limits { drain: 10 * TIME, ..Limits::default() };
    let server = Server::start(door.router(), limits).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut head = [0; 15];
    in_time(stream.read_exact(&mut head)).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    server.stop().await;
    assert!(read_all(&mut stream).await.ends_with("0\r\n\r\n"), "the stream ended whole");
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let (gate, _entries) = Gate::new();
    let server = Server::start(gate.router(), Limits::default()).await;
    assert!(ask(&server, "\x16\x03\x01 hello\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "x".repeat(100 * 1024));
    assert!(ask(&server, &long).await.starts_with("HTTP/1.1 431"));
}

fn at(address: &str) -> ServerConfig {
    ServerConfig { address: address.parse().unwrap(), ..ServerConfig::default() }
}

#[tokio::test]
async fn the_world_needs_a_key() {
    for key in [None, Some(""), Some("  ")] {
        let secrets = Secrets { api_key: key.map(Into::into), ..Secrets::default() };
        let refused = bind(&at("0.0.0.0:0"), &secrets).await.unwrap_err();
        assert!(matches!(refused, BindError::KeyNeeded(_)), "{refused}");
        assert!(refused.to_string().contains("FEEDBACK_API_KEY"));
    }
    let secrets = Secrets { api_key: Some("k".into()), ..Secrets::default() };
    assert!(bind(&at("0.0.0.0:0"), &secrets).await.is_ok());
    assert!(bind(&at("127.0.0.1:0"), &Secrets::default()).await.is_ok());
}

#[tokio::test]
async fn a_taken_port_says_by_whom() {
    let stranger = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = stranger.local_addr().unwrap();
    let rude = tokio::spawn(async move {
        loop {
            let (mut stream, _) = stranger.accept().await.unwrap();
            stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        }
    });
    let taken = bind(&at(&address.to_string()), &Secrets::default()).await.unwrap_err();
    assert!(matches!(taken, BindError::TakenByStranger(_)), "{taken}");
    assert!(taken.to_string().contains("choose another port"));
    rude.abort();

    let door = Door::open().await;
    let server = Server::start(door.router(), Limits::default()).await;
    let taken = bind(&at(&server.address.to_string()), &Secrets::default()).await.unwrap_err();
    let BindError::TakenByPatchwork { hello, .. } = taken else { panic!("{taken}") };
    assert_eq!(*hello, door.engine().hello());
    assert_eq!(probe(server.address).await, Some(door.engine().hello()));
}
