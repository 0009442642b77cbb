//! The HTTP API against the real binary: every operation of the table, its rights, its refusals.

mod blobs;
mod browsers;
mod documents;
mod links;
mod members;
mod messages;
mod refusals;
mod rights;
mod rooms;
mod service;
mod users;

use crate::harness::{Backend, Server, Setup, Token};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stoa_protocol::http::{Method, Problem};
use ureq::http::{HeaderMap, Request};

/// A server whose limits a test does not reach.
async fn server() -> Server {
    setup().start().await
}

fn setup() -> Setup {
    Setup::new(Backend::Sqlite).without_rates().variable("STOA_LIMITS_HTTP_PER_S", 1_000_000)
}

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Asker {
    base: String,
    token: Option<String>,
    headers: Vec<(String, String)>,
}

/// What somebody was answered.
pub(crate) struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    /// Names the request in a failure.
    what: String,
}

impl Asker {
    /// Somebody without a token.
    pub(crate) fn nobody(server: &Server) -> Self {
        Self { base: format!("http://127.0.0.1:{}", server.port()), token: None, headers: vec![] }
    }

    /// Somebody with a token.
    pub(crate) fn with(server: &Server, token: &Token) -> Self {
        Self { token: Some(token.sign()), ..Self::nobody(server) }
    }

    /// A user who may create rooms.
    pub(crate) fn user(server: &Server, user: &str) -> Self {
        Self::with(server, &Token::of(user))
    }

    /// The host application.
    fn service(server: &Server) -> Self {
        Self::with(server, &Token::service("backend"))
    }

    /// The same with a header more.
    fn header(&self, name: &str, value: &str) -> Self {
        let mut asker = self.clone();
        asker.headers.push((name.to_owned(), value.to_owned()));
        asker
    }

    /// The same with an idempotency key.
    fn key(&self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::Get, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::Post, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::Put, path, Some(body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::Patch, path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::Delete, path, None).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        match body {
            Some(body) => {
                let json = self.header("Content-Type", "application/json");
                json.send(method.as_str(), path, body.to_string().into_bytes()).await
            }
            None => self.send(method.as_str(), path, vec![]).await,
        }
    }

    /// Sends any bytes.
    async fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let request = request.body(body).expect("a request");
        let what = format!("{method} {path}");
        let named = what.clone();
        let answer = tokio::task::spawn_blocking(move || exchange(&request, what)).await;
        answer.unwrap_or_else(|error| panic!("{named}: {error}"))
    }
}

/// The client of the tests: whatever the status is, it is an answer.
fn exchange(request: &Request<Vec<u8>>, what: String) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(crate::harness::PATIENCE))
        .build()
        .into();
    let (parts, body) = request.clone().into_parts();
    let answered = match body.is_empty() {
        true => agent.run(Request::from_parts(parts, ())),
        false => agent.run(Request::from_parts(parts, body)),
    };
    let mut answered = answered.unwrap_or_else(|error| panic!("{what}: {error}"));
    let body = answered.body_mut().with_config().limit(64 << 20).read_to_vec();
    let body = body.unwrap_or_else(|error| panic!("{what}: {error}"));
    Answer { status: answered.status().as_u16(), headers: answered.headers().clone(), body, what }
}

impl Answer {
    /// The answer, which must have this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        self
    }

    /// The JSON of a success.
    #[track_caller]
    pub(crate) fn json<T: DeserializeOwned>(self, status: u16) -> T {
        let answer = self.is(status);
        assert_eq!(answer.header("content-type"), "application/json", "{}", answer.what);
        assert_eq!(answer.header("cache-control"), "no-store", "{}", answer.what);
        serde_json::from_slice(&answer.body)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", answer.what, answer.text()))
    }

    /// The problem of a refusal; its form is looked at.
    #[track_caller]
    pub(crate) fn problem(self, status: u16) -> Problem {
        let answer = self.is(status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.what);
        let problem: Problem = serde_json::from_slice(&answer.body).expect("a problem");
        assert_eq!(problem.status, status, "{}", answer.what);
        assert_eq!(problem.r#type, format!("urn:stoa:problem:{}", problem.code.as_str()), "{}", answer.what);
        assert!(!problem.title.is_empty() && !problem.detail.is_empty(), "{}", answer.what);
        assert_eq!(answer.headers.contains_key("retry-after"), problem.retry_after_ms.is_some(), "{}", answer.what);
        problem
    }

    /// The field that a refusal blames.
    #[track_caller]
    fn blames(self, status: u16) -> String {
        let what = self.what.clone();
        let problem = self.problem(status);
        problem.field.unwrap_or_else(|| panic!("{what}: {} blames no field", problem.detail))
    }

    /// The lines of an export.
    #[track_caller]
    fn lines(self) -> Vec<Value> {
        let answer = self.is(200);
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let lines: Vec<Value> =
            answer.text().lines().map(|line| serde_json::from_str(line).expect("a JSON value a line")).collect();
        let (end, rest) = lines.split_last().expect("an export has lines");
        assert_eq!(*end, json!({"type": "end", "lines": rest.len()}), "{}", answer.what);
        rest.to_vec()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Ada's group room with Ben as a member.
async fn room_of_two(server: &Server, id: &str) -> (Asker, Asker) {
    let (ada, ben) = (Asker::user(server, "ada"), Asker::user(server, "ben"));
    ada.put(&format!("/v1/rooms/{id}"), json!({"kind": "group", "members": [{"user": "ben"}]})).await.is(201);
    (ada, ben)
}

/// Says something; its place.
async fn say(asker: &Asker, room: &str, text: &str) -> u64 {
    let sent: Value = asker.post(&format!("/v1/rooms/{room}/messages"), json!({"text": text})).await.json(201);
    sent["seq"].as_u64().expect("a place")
}

/// The texts of a page of messages.
fn texts(page: &Value) -> Vec<&str> {
    let rows = page["messages"].as_array().expect("messages");
    rows.iter().map(|message| message["text"].as_str().expect("a text")).collect()
}
