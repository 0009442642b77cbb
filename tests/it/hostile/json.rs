//! The row "JSON": `bad_request` that names the field, then 1008 after repeated strikes.

use super::*;
use crate::harness::Setup;
use tokio_tungstenite::tungstenite::Message;

/// A client that may err often, and a server where it can be seen that others do not notice.
async fn patient_server() -> Server {
    Setup::new(Backend::Sqlite).variable("STOA_LIMITS_STRIKES", 1_000).start().await
}

async fn is_refused(client: &mut Client, what: &str, text: &str, field: &str) {
    client.send_text(text).await;
    bad_request(client, what, field).await;
    // The connection goes on.
    client.settle().await;
}

fn send(fields: &str) -> String {
    format!(r#"{{"type":"chat.send","id":1,"room":"bystanders","key":"k",{fields}}}"#)
}

#[tokio::test]
async fn json_that_nests_10_000_deep_is_refused() {
    let server = patient_server().await;
    let bystanders = Bystanders::of(&server).await;
    let mut mallory = server.client("mallory").await;
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        is_refused(&mut mallory, "depth in an unknown field", &send(&format!(r#""text":"x","z":{deep}"#)), ".").await;
        is_refused(&mut mallory, "depth in data", &send(&format!(r#""text":"x","data":{deep}"#)), ".").await;
        is_refused(&mut mallory, "depth on top", &deep, ".").await;
    }
    let seventeen = format!("{}1{}", r#"{"a":"#.repeat(17), "}".repeat(17));
    is_refused(&mut mallory, "data a level too deep", &send(&format!(r#""text":"x","data":{seventeen}"#)), "data")
        .await;
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn json_with_a_key_twice_is_refused() {
    let server = patient_server().await;
    let bystanders = Bystanders::of(&server).await;
    let mut mallory = server.client("mallory").await;
    is_refused(&mut mallory, "two ids", r#"{"type":"ping","id":1,"id":2}"#, "id").await;
    is_refused(&mut mallory, "two types", r#"{"type":"ping","type":"hello","id":1}"#, "type").await;
    is_refused(&mut mallory, "two texts", &send(r#""text":"a","text":"b""#), "text").await;
    is_refused(&mut mallory, "twice in data", &send(r#""text":"a","data":{"x":{"y":1,"y":2}}"#), "data").await;
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn json_numbers_that_are_no_sequence_are_refused() {
    let server = patient_server().await;
    let bystanders = Bystanders::of(&server).await;
    let mut mallory = server.client("mallory").await;
    for number in ["1e999", "-1", "9007199254740992", "18446744073709551616", "1.5", "1e3", "\"1\"", "null", "true"] {
        let read = format!(r#"{{"type":"chat.read","id":1,"room":"bystanders","seq":{number}}}"#);
        // 1e999 is no number to any reader, wherever it stands.
        let field = if number == "1e999" { "" } else { "seq" };
        is_refused(&mut mallory, number, &read, field).await;
        let ping = format!(r#"{{"type":"ping","id":{number}}}"#);
        is_refused(&mut mallory, number, &ping, if number == "1e999" { "" } else { "id" }).await;
        let since =
            format!(r#"{{"type":"room.open","id":1,"room":"bystanders","since":{{"epoch":"e","seq":{number}}}}}"#);
        is_refused(&mut mallory, number, &since, if number == "1e999" { "" } else { "since" }).await;
    }
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn json_texts_that_are_no_text_are_refused() {
    let server = patient_server().await;
    let bystanders = Bystanders::of(&server).await;
    let mut mallory = server.client("mallory").await;
    for (what, text) in [("a lone surrogate", r"\ud800"), ("a lone low surrogate", r"\udc00x"), ("NUL", r"\u0000")] {
        is_refused(&mut mallory, what, &send(&format!(r#""text":"a{text}b""#)), "text").await;
        is_refused(&mut mallory, what, &send(&format!(r#""text":"a","data":{{"x":"{text}"}}"#)), "data").await;
    }
    for room in ["", "a b", "../x", "a/b", "é", "\\u0000", "a%20b"] {
        let open = format!(r#"{{"type":"room.open","id":1,"room":"{room}"}}"#);
        is_refused(&mut mallory, "a room that is no name", &open, "room").await;
    }
    is_refused(&mut mallory, "a bare escape character", "{\"type\":\"ping\",\"id\":1,\"x\":\"\u{1b}[2J\"}", "").await;
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn json_of_a_million_keys_is_refused_by_size_and_of_thousands_by_rule() {
    let server = patient_server().await;
    let bystanders = Bystanders::of(&server).await;
    let mut mallory = server.client("mallory").await;
    let keys = |count: usize| (0..count).map(|n| format!(r#""k{n}":1"#)).collect::<Vec<_>>().join(",");
    let thousands = format!("{{{}}}", keys(5_000));
    is_refused(&mut mallory, "thousands of keys", &send(&format!(r#""text":"x","data":{thousands}"#)), "data").await;
    let million = format!(r#"{{"type":"ping","id":1,{}}}"#, keys(1_000_000));
    mallory.send_text(&million).await;
    assert_eq!(mallory.closed().await.code, Some(1009));
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn json_of_wrong_types_is_refused() {
    let server = patient_server().await;
    let bystanders = Bystanders::of(&server).await;
    let mut mallory = server.client("mallory").await;
    for value in ["7", "null", "true", "[]", "{}", "1.5"] {
        is_refused(&mut mallory, value, &send(&format!(r#""text":{value}"#)), "text").await;
        is_refused(&mut mallory, value, &format!(r#"{{"type":{value},"id":1}}"#), "type").await;
        let key = format!(r#"{{"type":"chat.send","id":1,"room":"bystanders","key":{value},"text":"x"}}"#);
        is_refused(&mut mallory, value, &key, "key").await;
    }
    for mentions in ["{}", r#""ada""#, "[1]", r#"[["ada"]]"#, "[null]"] {
        let text = send(&format!(r#""text":"x","mentions":{mentions}"#));
        is_refused(&mut mallory, mentions, &text, "mentions").await;
    }
    for data in ["[]", "1", r#""x""#] {
        is_refused(&mut mallory, data, &send(&format!(r#""text":"x","data":{data}"#)), "data").await;
    }
    for top in ["[]", r#"[{"type":"ping","id":1}]"#, "1", "\"ping\"", "null", "", " ", "{", "{\"type\":", "nonsense"] {
        is_refused(&mut mallory, "no object on top", top, "").await;
    }
    is_refused(&mut mallory, "two values", r#"{"type":"ping","id":1}{"type":"ping","id":2}"#, ".").await;
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn binary_where_text_belongs_is_refused() {
    let server = patient_server().await;
    let bystanders = Bystanders::of(&server).await;
    let mut mallory = server.client("mallory").await;
    mallory.send_message(Message::binary(br#"{"type":"ping","id":1}"#.to_vec())).await;
    bad_request(&mut mallory, "binary", ".").await;
    mallory.send_message(Message::binary(vec![0xff; 1_000])).await;
    bad_request(&mut mallory, "binary", ".").await;
    mallory.settle().await;
    bystanders.are_unaffected(&server).await;
}

#[tokio::test]
async fn repeated_strikes_close_the_connection_with_1008_and_unknown_commands_are_none() {
    let mut server = server().await;
    let bystanders = Bystanders::of(&server).await;
    let mut newer = server.client("newer").await;
    for n in 0..50 {
        newer.send_text(&format!(r#"{{"type":"call.teleport","id":{n},"room":"r"}}"#)).await;
        let refused = refusal(&mut newer, "an unknown command").await;
        assert_eq!((refused.fault.code, refused.id), (ErrorCode::Unsupported, Some(n)));
    }
    newer.settle().await;

    let mut mallory = server.client("mallory").await;
    let mut strikes = 0;
    let closed = loop {
        mallory.send_text(r#"{"type":"chat.send","id":1,"secret":"squeamish ossifrage"}"#).await;
        match mallory.next("a refusal or the end").await {
            Ok(ServerFrame::Control(_)) => strikes += 1,
            Ok(other) => panic!("{other:?}"),
            Err(closed) => break closed,
        }
        assert!(strikes < 100, "illegal frames go on for ever");
    };
    assert_eq!((closed.code, closed.reason.as_str()), (Some(1008), "bad_request"));
    bystanders.are_unaffected(&server).await;
    server.stop().await;
    let log = server.log();
    assert_eq!(log.lines().filter(|line| line.contains("illegal frames")).count(), 1, "{log}");
    assert!(!log.contains("ossifrage"), "{log}");
}
