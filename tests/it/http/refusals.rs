use super::{Asker, room_of_two, server};
use serde_json::json;
use stoa_protocol::ErrorCode;

#[tokio::test]
async fn a_bad_body_is_blamed_on_its_field() {
    let server = server().await;
    let (ada, _) = room_of_two(&server, "r").await;
    let json = ada.header("Content-Type", "application/json; charset=utf-8");
    let deep = format!(r#"{{"text":"x","later":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    for (body, field) in [
        ("", "text"),
        ("{", "."),
        ("[]", "."),
        ("7", "."),
        ("{} {}", "text"),
        (r#"{"text":"x"} {}"#, "."),
        (r#"{"text":7}"#, "text"),
        (r#"{"text":" "}"#, "text"),
        (r#"{"text":"\u0000"}"#, "text"),
        (r#"{"text":"\ud800"}"#, "text"),
        (r#"{"text":"x","text":"y"}"#, "text"),
        (r#"{"text":"x","mentions":["ben","b b"]}"#, "mentions[1]"),
        (r#"{"text":"x","reply_to":-1}"#, "reply_to"),
        (r#"{"text":"x","reply_to":9007199254740992}"#, "reply_to"),
        (r#"{"text":"x","data":[]}"#, "data"),
        (r#"{"text":"x","data":{"a":1,"a":2}}"#, "data"),
        (r#"{"text":"x","key":"a/b"}"#, "key"),
        (deep.as_str(), "."),
    ] {
        let answer = json.send("POST", "/v1/rooms/r/messages", body.as_bytes().to_vec()).await;
        let shown: String = body.chars().take(60).collect();
        assert!(answer.blames(400).starts_with(field), "{shown}");
    }
    let invalid = json.send("POST", "/v1/rooms/r/messages", b"{\"text\":\"\xff\"}".to_vec()).await;
    assert_eq!(invalid.problem(400).code, ErrorCode::BadRequest);
    ada.post("/v1/rooms/r/messages", json!({"text": "x", "of a later version": {"y": 1}})).await.is(201);
    let long = "x".repeat(16 * 1024 + 1);
    assert_eq!(ada.post("/v1/rooms/r/messages", json!({"text": long})).await.blames(400), "text");
    for (body, field) in [
        (json!({}), "kind"),
        (json!({"kind": "direct"}), "kind"),
        (json!({"kind": "group", "title": "x".repeat(257)}), "title"),
        (json!({"kind": "group", "topic": "a\u{0}"}), "topic"),
        (json!({"kind": "group", "slow_mode_s": 21_601}), "slow_mode_s"),
        (json!({"kind": "group", "members": [{"user": ""}]}), "members[0].user"),
    ] {
        assert_eq!(ada.post("/v1/rooms", body.clone()).await.blames(400), field, "{body}");
        assert_eq!(ada.put("/v1/rooms/new", body.clone()).await.blames(400), field, "{body}");
    }
    ada.get("/v1/rooms/new").await.problem(404);
}

#[tokio::test]
async fn a_body_of_another_kind_or_size_is_refused() {
    let server = server().await;
    let (ada, _) = room_of_two(&server, "r").await;
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let asker = ada.header("Content-Type", media);
        let problem = asker.send("POST", "/v1/rooms/r/messages", b"{\"text\":\"x\"}".to_vec()).await.problem(415);
        assert_eq!(problem.code, ErrorCode::Unsupported);
    }
    let json = ada.header("Content-Type", "application/json");
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(1_100_000));
    let problem = json.send("POST", "/v1/rooms/r/messages", large.into_bytes()).await.problem(413);
    assert_eq!(problem.code, ErrorCode::TooLarge);
}

#[tokio::test]
async fn a_wrong_address_or_method_is_a_problem_too() {
    let server = server().await;
    let (ada, _) = room_of_two(&server, "r").await;
    for path in ["/v1", "/v1/nothing", "/v1/rooms/r/nothing", "/nothing", "/v1/rooms/", "/assets/nothing.js"] {
        ada.get(path).await.problem(404);
    }
    let answer = ada.send("DELETE", "/v1/rooms", vec![]).await;
    let allowed: Vec<_> = answer.header("allow").split(',').map(str::to_owned).collect();
    assert!(allowed.contains(&"GET".to_owned()) && allowed.contains(&"POST".to_owned()), "{allowed:?}");
    assert_eq!(answer.problem(405).code, ErrorCode::Unsupported);
    ada.send("TRACE", "/v1/rooms", vec![]).await.problem(405);
    for (path, field) in [
        ("/v1/rooms/a%20b", "room"),
        ("/v1/rooms/%2e%2e%2fmetrics", "room"),
        ("/v1/rooms/a%00", "room"),
        ("/v1/rooms/r/members/%E2%80%AEnimda", "user"),
        ("/v1/rooms/r/members?after=%20", "after"),
        ("/v1/rooms/r/messages/1e3", "seq"),
        ("/v1/rooms/r/messages/-1", "seq"),
    ] {
        assert_eq!(ada.get(path).await.blames(400), field, "{path}");
    }
    assert_eq!(ada.get(&format!("/v1/rooms/{}", "x".repeat(129))).await.blames(400), "room");
    ada.get("/v1/rooms/%ff").await.problem(400);
    let head = ada.send("HEAD", "/v1/rooms/r", vec![]).await.is(200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn an_address_that_guesses_tokens_is_slowed_down_and_its_neighbours_are_not() {
    let server = server().await;
    let ada = Asker::user(&server, "ada");
    let forged = Asker { token: Some("e30.e30.e30".into()), ..ada.clone() };
    let mut slowed = false;
    for _ in 0..400 {
        let answer = forged.get("/v1/rooms").await;
        match answer.status {
            401 => {}
            _ => {
                assert!(answer.problem(429).retry_after_ms.is_some());
                slowed = true;
                break;
            }
        }
    }
    assert!(slowed, "four hundred wrong tokens at once are too many");
    ada.get("/v1/rooms").await.is(200);
}
