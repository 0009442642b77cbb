use super::{Asker, room_of_two, say, server, setup};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use stoa_protocol::http::{Alive, Info, LoggedIn, Operation, Readiness};

#[tokio::test]
async fn the_server_says_that_it_lives_and_takes_work() {
    let server = server().await;
    let nobody = Asker::nobody(&server);
    let alive: Alive = nobody.get("/v1/health").await.json(200);
    assert!(alive.alive);
    let ready: Readiness = nobody.get("/v1/ready").await.json(200);
    assert!(ready.ready && !ready.draining && !ready.vouched && ready.missing_key_sets.is_empty());
    assert!(ready.store.is_some_and(|store| store.contains("SQLite")));
    let info: Info = nobody.get("/v1/info").await.json(200);
    assert_eq!((info.dev, info.version.as_str(), info.login_url), (false, env!("CARGO_PKG_VERSION"), None));
    nobody.post("/v1/dev/login", json!({"name": "Ada"})).await.problem(404);
}

#[tokio::test]
async fn a_key_set_that_gave_no_key_is_told() {
    let nowhere = "http://127.0.0.1:1/keys.json";
    let server = setup().variable("STOA_JWKS_URL", nowhere).start().await;
    let ready: Readiness = Asker::nobody(&server).get("/v1/ready").await.json(200);
    assert!(ready.ready, "the tokens of the other keys are good");
    assert_eq!(ready.missing_key_sets.len(), 1);
}

#[tokio::test]
async fn on_a_development_server_a_name_is_enough() {
    let server = setup().variable("STOA_DEV", "true").start().await;
    let nobody = Asker::nobody(&server);
    let info: Info = nobody.get("/v1/info").await.json(200);
    assert_eq!((info.dev, info.login_url.as_deref()), (true, Some("/v1/dev/login")));
    let ada: LoggedIn = nobody.post("/v1/dev/login", json!({"name": "Ada Lovelace"})).await.json(200);
    let again: LoggedIn = nobody.post("/v1/dev/login", json!({"name": " ada  lovelace "})).await.json(200);
    assert_eq!((ada.user.as_str(), again.user.as_str()), ("ada-lovelace", "ada-lovelace"));
    let asker = Asker { token: Some(ada.token), ..nobody.clone() };
    asker.get("/v1/rooms").await.is(200);
    assert_eq!(nobody.post("/v1/dev/login", json!({"name": " "})).await.blames(400), "name");
    assert_eq!(nobody.post("/v1/dev/login", json!({})).await.blames(400), "name");
    let foreign = nobody.header("Origin", "https://evil.example");
    foreign.post("/v1/dev/login", json!({"name": "Ada"})).await.problem(403);
}

#[tokio::test]
async fn the_metrics_count_requests_and_connections() {
    let server = server().await;
    let (ada, _) = room_of_two(&server, "r").await;
    say(&ada, "r", "hello").await;
    let _socket = server.client("ada").await;
    ada.get("/v1/rooms/none").await.is(404);
    let answer = Asker::nobody(&server).get("/metrics").await.is(200);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    let text = answer.text();
    for line in [
        "stoa_connections 1\n",
        "stoa_authenticated 1\n",
        "stoa_http_requests_total{status=\"201\"} 2\n",
        "stoa_http_requests_total{status=\"404\"} 1\n",
        "stoa_errors_total{code=\"not_found\"} 1\n",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    for _ in 0..150 {
        Asker::nobody(&server).get("/metrics").await.is(200);
        Asker::nobody(&server).get("/v1/ready").await.is(200);
    }
}

#[tokio::test]
async fn the_document_and_the_table_are_the_same() {
    let server = server().await;
    let nobody = Asker::nobody(&server);
    let document: Value = nobody.get("/v1/openapi.json").await.json(200);
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let name = operation["operationId"].as_str().expect("a name");
            described.insert((method.to_uppercase(), path.clone(), name.to_owned()));
        }
    }
    let of = |operation: &Operation| {
        (operation.method().as_str().to_owned(), operation.path().to_owned(), operation.name().to_owned())
    };
    assert_eq!(described, Operation::ALL.iter().map(of).collect());
    for reference in references(&document) {
        let place = reference.strip_prefix('#').expect("a place in the document");
        assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
    }
}

fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(map) => {
            let own = map.get("$ref").and_then(Value::as_str);
            own.into_iter().chain(map.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    }
}
