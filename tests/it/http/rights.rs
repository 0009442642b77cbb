use super::{Answer, Asker, room_of_two, say, server, setup};
use crate::harness::Token;
use serde_json::{Value, json};
use stoa_protocol::{
    ErrorCode,
    http::{Access, MemberOutcomes, Operation},
};

/// A legal body of each operation.
fn body(operation: Operation) -> Option<Value> {
    match operation {
        Operation::VersionPost | Operation::DocumentPatch => Some(json!({"title": "x"})),
        Operation::DocumentPut => Some(json!({"kind": "notes"})),
        Operation::DevLogin => Some(json!({"name": "x"})),
        Operation::RoomPost | Operation::RoomPut => Some(json!({"kind": "group"})),
        Operation::RoomPatch => Some(json!({"title": "x"})),
        Operation::DirectPost => Some(json!({"user": "ben"})),
        Operation::MemberPost => Some(json!({"members": [{"user": "cem"}]})),
        Operation::MemberPut | Operation::BanPut | Operation::UserRevoke => Some(json!({})),
        Operation::MemberPatch => Some(json!({"role": "viewer"})),
        Operation::MessagePost | Operation::MessagePatch => Some(json!({"text": "x"})),
        Operation::ReadPut => Some(json!({"seq": 1})),
        Operation::RoomEventPost | Operation::UserEventPost => Some(json!({"name": "app.x"})),
        Operation::UserPut => Some(json!({"name": "x"})),
        Operation::ProfilesPut => Some(json!({"profiles": {}})),
        Operation::InvitePost | Operation::LinkPost => Some(json!({})),
        Operation::InviteLook | Operation::InviteAccept | Operation::LinkLook | Operation::LinkExchange => {
            Some(json!({"code": "x", "name": "x"}))
        }
        Operation::Health
        | Operation::Ready
        | Operation::ServerInfo
        | Operation::ConnectionCheck
        | Operation::OpenApi
        | Operation::Metrics
        | Operation::RoomList
        | Operation::RoomGet
        | Operation::RoomDelete
        | Operation::RoomExport
        | Operation::RoomIce
        | Operation::MemberList
        | Operation::MemberGet
        | Operation::MemberDelete
        | Operation::BanList
        | Operation::BanDelete
        | Operation::PresenceList
        | Operation::InviteList
        | Operation::InviteDelete
        | Operation::LinkList
        | Operation::LinkDelete
        | Operation::CallList
        | Operation::MessageList
        | Operation::MessageGet
        | Operation::MessageDelete
        | Operation::ReactionPut
        | Operation::ReactionDelete
        | Operation::PinPut
        | Operation::PinDelete
        | Operation::Search
        | Operation::UserGet
        | Operation::UserDelete
        | Operation::UserExport
        | Operation::DocumentList
        | Operation::DocumentGet
        | Operation::DocumentDelete
        | Operation::DocumentTicket
        | Operation::DocumentContent
        | Operation::DocumentJson
        | Operation::VersionList
        | Operation::VersionContent
        | Operation::VersionJson
        | Operation::VersionDelete
        | Operation::VersionRestore
        | Operation::BlobPost
        | Operation::BlobGet => None,
    }
}

async fn ask(asker: &Asker, operation: Operation, room: &str) -> Answer {
    let path = operation.path().replace("{room}", room).replace("{user}", "ben").replace("{seq}", "3");
    let path = path
        .replace("{emoji}", "+1")
        .replace("{link}", "0123")
        .replace("{document}", "board")
        .replace("{version}", "1")
        .replace("{hash}", &"0".repeat(64));
    let path = if operation == Operation::Search { format!("{path}?q=x&room={room}") } else { path };
    asker.ask(operation.method(), &path, body(operation)).await
}

#[tokio::test]
async fn every_operation_but_the_open_ones_asks_for_a_token() {
    let server = server().await;
    let nobody = Asker::nobody(&server);
    let forged = Asker { token: Some("e30.e30.e30".into()), ..nobody.clone() };
    let expired = Asker::with(&server, &Token::of("ada").claim("exp", json!(1_000_000)));
    let in_the_address = Asker { base: nobody.base.clone(), ..nobody.clone() };
    for operation in Operation::ALL.iter().filter(|operation| operation.access() != Access::Open) {
        for asker in [&nobody, &forged, &expired] {
            let answer = ask(asker, *operation, "r").await;
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{}", operation.name());
            assert_eq!(answer.problem(401).code, ErrorCode::Unauthorized);
        }
    }
    let token = Token::of("ada").sign();
    in_the_address.get(&format!("/v1/rooms?access_token={token}")).await.problem(401);
    assert!(!server.log().contains(&token), "no token reaches the log");
}

#[tokio::test]
async fn a_stranger_is_told_the_same_of_a_room_that_exists_and_of_one_that_does_not() {
    let server = server().await;
    let (_, ben) = room_of_two(&server, "r").await;
    assert_eq!(say(&ben, "r", "hello").await, 4);
    let eve = Asker::with(&server, &Token::of("eve").grant("create", json!(false)));
    for operation in Operation::ALL.iter().copied().filter(|operation| operation.path().contains("{room}")) {
        let status = match (operation.access(), operation) {
            (Access::Service, _) | (_, Operation::RoomPut) => 403,
            (Access::Open | Access::Token | Access::Own, _) => 404,
        };
        let there = ask(&eve, operation, "r").await.problem(status);
        let nowhere = ask(&eve, operation, "nowhere").await.problem(status);
        assert_eq!(there, nowhere, "{}", operation.name());
    }
    ask(&eve, Operation::Search, "r").await.problem(404);
    let banned = Asker::user(&server, "ben");
    Asker::user(&server, "ada").put("/v1/rooms/r/bans/ben", json!({})).await.is(200);
    banned.get("/v1/rooms/r/messages").await.problem(404);
}

#[tokio::test]
async fn a_member_may_not_do_what_hosts_do() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    let message = say(&ada, "r", "ada's").await;
    let other = format!("/v1/rooms/r/messages/{message}");
    for answer in [
        ben.patch("/v1/rooms/r", json!({"title": "mine"})).await,
        ben.patch("/v1/rooms/r", json!({"archived": true})).await,
        ben.put("/v1/rooms/r/members/cem", json!({})).await,
        ben.put("/v1/rooms/r/members/ben", json!({"role": "host"})).await,
        ben.patch("/v1/rooms/r/members/ben", json!({"role": "host"})).await,
        ben.delete("/v1/rooms/r/members/ada").await,
        ben.get("/v1/rooms/r/bans").await,
        ben.put("/v1/rooms/r/bans/ada", json!({})).await,
        ben.delete("/v1/rooms/r/bans/ada").await,
        ben.patch(&other, json!({"text": "changed"})).await,
        ben.delete(&other).await,
        ben.put(&format!("{other}/pin"), json!({})).await,
        ben.post("/v1/rooms/r/messages", json!({"text": "x", "announcement": true})).await,
        ben.post("/v1/rooms/r/messages", json!({"text": "x", "mention_all": true})).await,
        ben.post("/v1/rooms/r/events", json!({"name": "app.x"})).await,
        ben.post("/v1/rooms/r/events", json!({"name": "app.x", "key": "k"})).await,
    ] {
        assert_eq!(answer.problem(403).code, ErrorCode::Forbidden);
    }
    let rows: MemberOutcomes =
        ben.post("/v1/rooms/r/members", json!({"members": [{"user": "cem"}, {"user": "ben"}]})).await.json(200);
    let codes: Vec<_> = rows.results.iter().map(|row| row.error.as_ref().map(|fault| fault.code)).collect();
    assert_eq!(codes, [Some(ErrorCode::Forbidden); 2]);
    for operation in Operation::ALL.iter().filter(|operation| operation.access() == Access::Service) {
        ask(&ada, *operation, "r").await.problem(403);
    }
    ada.get("/v1/users/ben").await.problem(403);
    let viewer = Asker::with(&server, &Token::of("vic").rooms(&[("r", "viewer")]));
    viewer.get("/v1/rooms/r/messages").await.is(200);
    viewer.post("/v1/rooms/r/messages", json!({"text": "x"})).await.problem(403);
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_again() {
    let server = setup().variable("STOA_LIMITS_HTTP_PER_S", 1).variable("STOA_LIMITS_BURST_S", 3).start().await;
    let (ada, ben) = (Asker::user(&server, "ada"), Asker::user(&server, "ben"));
    let mut refused = None;
    for _ in 0..10 {
        let answer = ada.get("/v1/rooms").await;
        if answer.status == 429 {
            let wait = answer.header("retry-after").to_owned();
            let problem = answer.problem(429);
            assert_eq!(problem.code, ErrorCode::RateLimited);
            refused = Some((wait, problem.retry_after_ms));
            break;
        }
        answer.is(200);
    }
    assert_eq!(refused.expect("ten at once are too many").0, "1");
    ben.get("/v1/rooms").await.is(200);
    let service = Asker::service(&server);
    for _ in 0..10 {
        service.get("/v1/rooms").await.is(200);
    }
}
