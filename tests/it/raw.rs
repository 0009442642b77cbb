//! A client that says exactly the bytes it is told to, and the gateway in this process with a handler that writes
//! down what it hears.

use async_trait::async_trait;
use axum::{Router, routing::get};
use parking_lot::Mutex;
use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use stoa::{
    clock::{Clock, VirtualClock},
    gateway::{
        self, Authenticated, Frame, Handler, Lifetime, Limits, Mailbox, Origins, Peer, Session, TrustedProxies,
        WsEndpoint,
    },
};
use stoa_protocol::{CloseCode, Millis};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

/// Longer than anything here takes; only a failing test waits for it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Completes with `future`, or fails the test.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it never happened")
}

/// What the handler was told.
pub enum Happened {
    Accepted(Peer, Arc<Mailbox>),
    Text(String),
    Binary(Vec<u8>),
    Woken,
    Closed { clean: bool },
}

/// How to start a gateway.
pub struct Setup {
    pub limits: Limits,
    pub origins: Vec<&'static str>,
    pub proxies: Vec<&'static str>,
    pub prefix: &'static str,
    pub tls: Option<tokio_rustls::rustls::ServerConfig>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            origins: vec!["https://page.example", "http://localhost:5173"],
            proxies: vec![],
            prefix: "",
            tls: None,
        }
    }
}

/// A running gateway.
pub struct Edge {
    pub address: SocketAddr,
    pub clock: VirtualClock,
    pub endpoint: Arc<WsEndpoint>,
    pub life: Lifetime,
    pub happened: mpsc::UnboundedReceiver<Happened>,
}

impl Edge {
    pub async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    pub async fn start_with(setup: Setup) -> Self {
        let (tell, happened) = mpsc::unbounded_channel();
        let clock = VirtualClock::new(1_700_000_000_000);
        let endpoint = WsEndpoint::new(
            Arc::new(Recorder { tell, clock: clock.clone() }),
            Arc::new(clock.clone()),
            setup.prefix,
            Origins::new(setup.origins).expect("origins"),
            TrustedProxies::new(setup.proxies).expect("networks"),
            setup.limits,
        );
        let router = Router::new()
            .route("/hello", get(|| async { "hello" }))
            .route("/who", get(|peer: axum::Extension<Peer>| async move { format!("{:?}", peer.0) }))
            .route("/mine", get(|| async { (axum::Extension(Authenticated), "yours") }))
            .route("/slow", get(|| async { std::future::pending::<&str>().await }));
        let listener = gateway::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let address = listener.local_addr().expect("bound");
        let life = Lifetime::default();
        life.tasks.spawn(gateway::serve(listener, setup.tls, router, endpoint.clone(), life.clone()));
        Self { address, clock, endpoint, life, happened }
    }

    /// What the handler is told next.
    pub async fn next(&mut self) -> Happened {
        soon(self.happened.recv()).await.expect("the gateway runs")
    }

    /// The next connection that the handler gets; what others said meanwhile is passed over.
    pub async fn accepted(&mut self) -> (Peer, Arc<Mailbox>) {
        loop {
            if let Happened::Accepted(peer, mailbox) = self.next().await {
                return (peer, mailbox);
            }
        }
    }

    /// Passes over whatever is told until the connection has ended.
    pub async fn closed(&mut self) -> bool {
        loop {
            if let Happened::Closed { clean } = self.next().await {
                return clean;
            }
        }
    }

    /// A WebSocket, and its mailbox.
    pub async fn open(&mut self) -> (Raw<TcpStream>, Arc<Mailbox>) {
        let raw = Raw::open(self.address).await;
        let (_, mailbox) = self.accepted().await;
        (raw, mailbox)
    }

    /// A WebSocket whose session reads 64 KiB.
    pub async fn open_known(&mut self) -> (Raw<TcpStream>, Arc<Mailbox>) {
        let (mut raw, mailbox) = self.open().await;
        raw.text("hello").await;
        assert_eq!(raw.next_text().await, "welcome");
        while !matches!(self.next().await, Happened::Text(text) if text == "hello") {}
        (raw, mailbox)
    }

    /// Lets virtual time pass in steps of `step_ms` until `future` completes; it, and how much passed.
    pub async fn pass_until<T>(&self, step_ms: Millis, future: impl Future<Output = T>) -> (T, Millis) {
        let start = self.clock.now();
        let mut future = std::pin::pin!(future);
        soon(async {
            loop {
                // Enough real time for what the last step has set off to arrive.
                match timeout(Duration::from_millis(50), &mut future).await {
                    Ok(outcome) => return (outcome, self.clock.now() - start),
                    Err(_not_yet) => self.clock.advance(Duration::from_millis(step_ms)),
                }
            }
        })
        .await
    }

    /// That others are served as ever: a neighbour opens, speaks and goes.
    pub async fn serves_others(&mut self) {
        let (mut raw, _) = self.open_known().await;
        raw.text("echo:still here").await;
        assert_eq!(raw.next_text().await, "still here");
        raw.send(&frame(0x88, &1000u16.to_be_bytes())).await;
        assert_eq!(raw.next_close().await, 1000);
        while !matches!(self.next().await, Happened::Closed { clean: true }) {}
    }

    /// Stops at once, and waits until every task is gone.
    pub async fn stop(self) {
        self.life.accepting.cancel();
        self.life.open.cancel();
        self.life.tasks.close();
        let (_, _) = self.pass_until(1_000, self.life.tasks.wait()).await;
    }
}

impl Happened {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted(..) => "accepted",
            Self::Text(_) => "text",
            Self::Binary(_) => "binary",
            Self::Woken => "woken",
            Self::Closed { .. } => "closed",
        }
    }
}

struct Recorder {
    tell: mpsc::UnboundedSender<Happened>,
    clock: VirtualClock,
}

impl Handler for Recorder {
    fn accept(&self, peer: &Peer, mailbox: Arc<Mailbox>) -> Box<dyn Session> {
        let _ = self.tell.send(Happened::Accepted(peer.clone(), mailbox.clone()));
        let hello_by = Some(self.clock.now() + 5_000);
        Box::new(Recording { tell: self.tell.clone(), mailbox, hello_by, ended: AtomicBool::new(false) })
    }
}

/// `hello` makes it known, `echo:x` answers x, `refuse` closes, `panic` panics; anything else is only written down.
struct Recording {
    tell: mpsc::UnboundedSender<Happened>,
    mailbox: Arc<Mailbox>,
    hello_by: Option<Millis>,
    ended: AtomicBool,
}

impl Recording {
    fn answer(&self, text: &str) {
        self.mailbox.push_reply(Frame::text(text)).expect("the test's own frames fit");
        self.mailbox.flush();
    }

    fn tell(&self, what: Happened) {
        assert!(!self.ended.load(Ordering::Relaxed), "called after it was closed");
        let _ = self.tell.send(what);
    }
}

#[async_trait]
impl Session for Recording {
    async fn text(&mut self, text: &str) -> Result<(), CloseCode> {
        self.tell(Happened::Text(text.to_owned()));
        if text == "hello" {
            self.hello_by = None;
            self.answer("welcome");
        } else if let Some(words) = text.strip_prefix("echo:") {
            self.answer(words);
        } else if text == "refuse" {
            return Err(CloseCode::BadRequest);
        } else if text == "panic" {
            panic!("a fault of the session");
        }
        Ok(())
    }

    async fn binary(&mut self, bytes: &[u8]) -> Result<(), CloseCode> {
        self.tell(Happened::Binary(bytes.to_vec()));
        Ok(())
    }

    async fn woken(&mut self) -> Result<(), CloseCode> {
        self.tell(Happened::Woken);
        Ok(())
    }

    fn frame_limit(&self) -> usize {
        if self.hello_by.is_some() { 4 * 1024 } else { 64 * 1024 }
    }

    fn deadline(&self) -> Option<Millis> {
        self.hello_by
    }

    async fn tick(&mut self) -> Result<(), CloseCode> {
        Err(CloseCode::HelloTimeout)
    }

    fn closed(&mut self, clean: bool) {
        self.tell(Happened::Closed { clean });
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// What is logged on this thread while it lives.
pub struct Log {
    lines: Arc<Mutex<Vec<u8>>>,
    _until_dropped: tracing::subscriber::DefaultGuard,
}

impl Log {
    pub fn record() -> Self {
        let lines: Arc<Mutex<Vec<u8>>> = Arc::default();
        let writer = LogWriter(lines.clone());
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        Self { lines, _until_dropped: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines of level info and above.
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.lines.lock().clone()).expect("text");
        text.lines().filter(|line| !line.contains("DEBUG") && !line.contains("TRACE")).map(str::to_owned).collect()
    }

    /// Everything.
    pub fn text(&self) -> String {
        String::from_utf8(self.lines.lock().clone()).expect("text")
    }
}

#[derive(Clone)]
struct LogWriter(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A masked frame as a client must send it.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | short as u8),
        medium @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    let mask = [0x5a, 0x0f, 0xc3, 0x99];
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The handshake of a well-behaved client.
pub const HANDSHAKE: &[(&str, &str)] = &[
    ("Host", "localhost"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Protocol", "stoa.v1"),
];

/// A request with these headers.
pub fn request(first_line: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first_line}\r\n{fields}\r\n").into_bytes()
}

/// The good handshake with some headers replaced, left out (an empty list) or given more than once.
pub fn handshake_with(changes: &[(&str, &[&str])]) -> Vec<u8> {
    let mut headers: Vec<(&str, &str)> = HANDSHAKE.to_vec();
    for (name, values) in changes {
        headers.retain(|(there, _)| !there.eq_ignore_ascii_case(name));
        headers.extend(values.iter().map(|value| (*name, *value)));
    }
    request("GET /v1/ws HTTP/1.1", &headers)
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(there, _)| there == name).map(|(_, value)| value.as_str())
    }
}

/// What a server's frame says.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    Text(String),
    Ping,
    Pong(Vec<u8>),
    Close(u16, String),
    /// The stream ended.
    End,
    /// The stream was reset.
    Reset,
}

/// The client's end of one socket.
pub struct Raw<S> {
    pub stream: S,
    buffer: Vec<u8>,
}

impl Raw<TcpStream> {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.expect("the server listens"))
    }

    /// A WebSocket.
    pub async fn open(address: SocketAddr) -> Self {
        let mut raw = Self::connect(address).await;
        let answer = raw.ask(&handshake_with(&[])).await;
        assert_eq!(answer.status, 101, "{answer:?}");
        raw
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub fn over(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Sends these bytes. That the server may have closed already is for the next read to find.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = soon(self.stream.write_all(bytes)).await;
        let _ = soon(self.stream.flush()).await;
    }

    pub async fn text(&mut self, text: &str) {
        self.send(&frame(0x81, text.as_bytes())).await;
    }

    /// Sends a request and reads the answer.
    pub async fn ask(&mut self, request: &[u8]) -> Answer {
        self.send(request).await;
        self.answer().await.expect("an answer")
    }

    /// The next answer; `None` when the stream ends without one.
    pub async fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more().await.unwrap_or(false) {
                return None;
            }
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).expect("ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").expect("a field"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
        while self.buffer.len() < length && self.more().await.unwrap_or(false) {}
        let body = String::from_utf8(self.buffer.drain(..length).collect()).expect("text");
        Some(Answer { status, headers, body })
    }

    /// The next frame.
    pub async fn next(&mut self) -> Got {
        loop {
            if let Some(got) = self.take_frame() {
                return got;
            }
            match self.more().await {
                Ok(true) => {}
                Ok(false) => return Got::End,
                Err(_reset) => return Got::Reset,
            }
        }
    }

    /// The next text; pings are passed over.
    pub async fn next_text(&mut self) -> String {
        loop {
            match soon(self.next()).await {
                Got::Text(text) => return text,
                Got::Ping | Got::Pong(_) => {}
                other => panic!("not a text but {other:?}"),
            }
        }
    }

    /// The code of the close frame, whatever comes before it; behind it nothing may come but the end.
    pub async fn next_close(&mut self) -> u16 {
        loop {
            match soon(self.next()).await {
                Got::Close(code, _) => {
                    assert_eq!(soon(self.next()).await, Got::End, "nothing comes behind a close frame");
                    return code;
                }
                Got::Text(_) | Got::Ping | Got::Pong(_) => {}
                other @ (Got::End | Got::Reset) => panic!("no close frame but {other:?}"),
            }
        }
    }

    fn take_frame(&mut self) -> Option<Got> {
        let (header, length) = match (*self.buffer.get(1)?, self.buffer.get(2..)?) {
            (126, [high, low, ..]) => (4, usize::from(u16::from_be_bytes([*high, *low]))),
            (126, _) => return None,
            (127, extended) => (10, u64::from_be_bytes(extended.get(..8)?.try_into().ok()?) as usize),
            (short, _) => {
                assert!(short < 126, "the server does not mask");
                (2, usize::from(short))
            }
        };
        if self.buffer.len() < header + length {
            return None;
        }
        let frame: Vec<u8> = self.buffer.drain(..header + length).collect();
        let payload = frame[header..].to_vec();
        Some(match frame[0] {
            0x81 => Got::Text(String::from_utf8(payload).expect("UTF-8")),
            0x88 => {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                Got::Close(code, String::from_utf8(payload[2..].to_vec()).expect("UTF-8"))
            }
            0x89 => Got::Ping,
            0x8a => Got::Pong(payload),
            other => panic!("the server sent a frame that begins with {other:x}"),
        })
    }

    async fn more(&mut self) -> std::io::Result<bool> {
        let mut piece = [0; 16 * 1024];
        let count = self.stream.read(&mut piece).await?;
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count > 0)
    }
}
