use super::{Asker, room_of_two, say, server};
use crate::harness::{Backend, Setup, Token, room, user};
use serde_json::{Value, json};
use stoa_protocol::{
    CloseCode, ErrorCode, Message, Profile,
    http::{Revoked, UserView},
};

#[tokio::test]
async fn a_profile_is_set_before_its_user_ever_came() {
    let server = server().await;
    let service = Asker::service(&server);
    let (ada, _) = room_of_two(&server, "r").await;
    service.put("/v1/users/cem", json!({"name": "Cem", "avatar": "https://pics.example/cem.png"})).await.is(200);
    service
        .put("/v1/profiles", json!({"profiles": {"dee": {"name": "Dee"}, "auth0|5": {"name": "Eve"}}}))
        .await
        .is(204);
    service.put("/v1/rooms/r/members/cem", json!({})).await.is(200);
    let page: Value = ada.get("/v1/rooms/r/members").await.json(200);
    assert_eq!(page["profiles"]["cem"], json!({"name": "Cem", "avatar": "https://pics.example/cem.png"}));
    let view: UserView = service.get("/v1/users/auth0%7C5").await.json(200);
    assert_eq!(
        (view.user, view.profile),
        (user("auth0|5"), Some(Profile { name: "Eve".into(), avatar: None, guest: false }))
    );
    let view: UserView = ada.get("/v1/users/ada").await.json(200);
    assert_eq!(view.profile.map(|profile| profile.name), Some("ada".into()), "a token's name is kept");
    for (profile, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"name": "x".repeat(257)}), "name"),
        (json!({"name": "x", "avatar": "javascript:alert(1)"}), "avatar"),
        (json!({"name": "x", "avatar": "http://pics.example/x"}), "avatar"),
        (json!({"name": "x", "avatar": "https://a b"}), "avatar"),
    ] {
        assert_eq!(service.put("/v1/users/cem", profile.clone()).await.blames(400), field, "{profile}");
        let many = service.put("/v1/profiles", json!({"profiles": {"cem": profile}})).await;
        assert_eq!(many.blames(400), format!("profiles.cem.{field}"));
    }
}

#[tokio::test]
async fn a_revocation_closes_the_socket_and_refuses_the_token() {
    let server = server().await;
    let service = Asker::service(&server);
    let token = Token::of("ben");
    let ben = Asker::with(&server, &token);
    ben.get("/v1/rooms").await.is(200);
    let mut socket = server.connect(&token).await;
    service.post("/v1/users/ben/revoke", json!({"before": 1_000})).await.is(200);
    ben.get("/v1/rooms").await.is(200);
    let revoked: Revoked = service.post("/v1/users/ben/revoke", json!({})).await.json(200);
    assert!(revoked.before > 1_000);
    assert_eq!(socket.closed().await.code, Some(CloseCode::Revoked.code()));
    assert_eq!(ben.get("/v1/rooms").await.problem(401).code, ErrorCode::Unauthorized);
    let later = token.claim("iat", json!(revoked.before / 1_000 + 1));
    Asker::with(&server, &later).get("/v1/rooms").await.is(200);
    let future = json!({"before": revoked.before + 3_600_000});
    assert_eq!(service.post("/v1/users/ben/revoke", future).await.blames(400), "before");
}

#[tokio::test]
async fn an_export_has_everything_about_a_user_and_nothing_of_others() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    for n in 0..120 {
        say(&ben, "r", &format!("ben {n}")).await;
    }
    say(&ada, "r", "ada speaks").await;
    ada.post("/v1/rooms/r/messages", json!({"text": "look", "mentions": ["ben"]})).await.is(201);
    let service = Asker::service(&server);
    for asker in [&ben, &service] {
        let lines = asker.get("/v1/users/ben/export").await.lines();
        assert_eq!((&lines[0]["type"], &lines[0]["profile"]["name"]), (&json!("user"), &json!("ben")));
        let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
        assert_eq!((of("membership"), of("message"), of("user.mentioned")), (1, 120, 1));
        assert!(lines.iter().all(|line| !line.to_string().contains("ada speaks")));
    }
    ada.get("/v1/users/ben/export").await.problem(403);
    let confined = Asker::with(&server, &Token::of("ben").rooms(&[("r", "member")]));
    confined.get("/v1/users/ben/export").await.problem(403);
}

#[tokio::test]
async fn an_erasure_leaves_numbers_and_no_words() {
    erases(Backend::Sqlite).await;
}

#[tokio::test]
async fn an_erasure_leaves_numbers_and_no_words_in_postgres() {
    erases(Backend::Postgres).await;
}

async fn erases(backend: Backend) {
    let setup = Setup::new(backend).without_rates().variable("STOA_LIMITS_HTTP_PER_S", 1_000_000);
    let server = setup.start().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    let service = Asker::service(&server);
    let seq = say(&ben, "r", "confidential words").await;
    ben.patch(&format!("/v1/rooms/r/messages/{seq}"), json!({"text": "confidential edit"})).await.is(200);
    let kept = say(&ada, "r", "an answer").await;
    ben.put(&format!("/v1/rooms/r/messages/{kept}/reactions/+1"), json!({})).await.is(200);
    ada.post("/v1/rooms/r/messages", json!({"text": "hi", "mentions": ["ben"]})).await.is(201);
    let mut socket = server.client("ben").await;
    let mut witness = server.client("ada").await;
    witness.open(&room("r")).await;

    service.delete("/v1/users/ben").await.is(204);
    assert_eq!(socket.closed().await.code, Some(CloseCode::Revoked.code()));
    ben.get("/v1/rooms").await.problem(401);
    let reset = |control: &stoa_protocol::Control| match control {
        stoa_protocol::Control::RoomReset(opened) => Some(opened.clone()),
        _ => None,
    };
    let reset = witness.expect_control("a new snapshot for those who have the words", reset).await;
    assert!(!serde_json::to_string(&reset).expect("JSON").contains("confidential"));

    let message: Message = ada.get(&format!("/v1/rooms/r/messages/{seq}")).await.json(200);
    assert_eq!((message.text.as_str(), message.from, message.deleted), ("", None, true));
    let message: Message = ada.get(&format!("/v1/rooms/r/messages/{kept}")).await.json(200);
    assert!(message.reactions.is_empty());
    ada.get("/v1/rooms/r/members/ben").await.problem(404);
    let found: Value = service.get("/v1/search?q=confidential").await.json(200);
    assert_eq!(found["messages"], json!([]));
    for path in ["/v1/rooms/r/export", "/v1/users/ben/export", "/v1/users/ada/export"] {
        let text = service.get(path).await.is(200).text();
        assert!(!text.contains("confidential"), "{path}");
        // The path of the user's own export names them; nothing else may.
        let names = text.lines().skip(1).filter(|line| line.contains("\"ben\"")).count();
        assert_eq!(names, 0, "{path}: {text}");
    }
    service.delete("/v1/users/ben").await.is(204);
    service.delete("/v1/users/nobody").await.is(204);
}
