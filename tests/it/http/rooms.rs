use super::{Asker, room_of_two, say, server, setup};
use crate::harness::Token;
use serde_json::{Value, json};
use stoa_protocol::{
    Role,
    http::{RoomPage, RoomView},
};

#[tokio::test]
async fn a_room_under_the_host_applications_id_is_created_once() {
    let server = server().await;
    let service = Asker::service(&server);
    let body = json!({
        "kind": "session", "title": "Booking 7", "topic": "Rust", "data": {"booking": 7},
        "members": [{"user": "ada", "role": "host"}, {"user": "ben"}],
    });
    let first = service.put("/v1/rooms/booking-7", body.clone()).await;
    assert_eq!(first.header("location"), "/v1/rooms/booking-7");
    let first: RoomView = first.json(201);
    assert_eq!((first.info.title.as_str(), first.member_count, first.head.value()), ("Booking 7", 2, 3));
    assert_eq!((first.url.as_str(), first.access.role), ("/r/booking-7", Role::Host));
    let again: RoomView = service.put("/v1/rooms/booking-7", body.clone()).await.json(200);
    assert_eq!(again, first);
    let mut other = body.clone();
    other["title"] = json!("Booking 8");
    service.put("/v1/rooms/booking-7", other).await.problem(409);

    service.patch("/v1/rooms/booking-7", json!({"title": "Moved"})).await.is(200);
    let later: RoomView = service.put("/v1/rooms/booking-7", body).await.json(200);
    assert_eq!(later.info.title, "Moved", "creating again takes nothing back");
    let ben: RoomView = Asker::user(&server, "ben").get("/v1/rooms/booking-7").await.json(200);
    assert_eq!((ben.access.role, ben.info.data), (Role::Member, first.info.data));
}

#[tokio::test]
async fn a_room_with_a_generated_id_is_created_once_for_a_key() {
    let server = server().await;
    let ada = Asker::user(&server, "ada");
    let body = json!({"kind": "group", "title": "Rust"});
    let first: RoomView = ada.key("k1").post("/v1/rooms", body.clone()).await.json(201);
    let again: RoomView = ada.key("\"k1\"").post("/v1/rooms", body.clone()).await.json(201);
    assert_eq!(first, again, "quotes around a key are the header's own");
    ada.key("k1").post("/v1/rooms", json!({"kind": "group", "title": "Go"})).await.problem(409);
    let other: RoomView = ada.post("/v1/rooms", body.clone()).await.json(201);
    assert_ne!(first.info.room, other.info.room);
    let may_not = Asker::with(&server, &Token::of("eve").grant("create", json!(false)));
    may_not.post("/v1/rooms", body.clone()).await.problem(403);
    let confined = Asker::with(&server, &Token::of("eve").rooms(&[("class-1", "host")]));
    confined.put("/v1/rooms/class-2", body.clone()).await.problem(403);
    confined.put("/v1/rooms/class-1", body).await.is(201);
}

#[tokio::test]
async fn rooms_are_listed_page_by_page_with_what_is_unread() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r0").await;
    for n in 1..5 {
        room_of_two_more(&ada, n).await;
    }
    say(&ada, "r2", "hello ben").await;
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let page: RoomPage = ben.get(&format!("/v1/rooms?limit=2{after}")).await.json(200);
        assert!(page.rooms.len() <= 2);
        seen.extend(page.rooms.into_iter().map(|entry| (entry.info.room.to_string(), entry.unread)));
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let names: Vec<_> = seen.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["r2", "r4", "r3", "r1", "r0"]);
    assert_eq!(seen[0].1, 1, "the message is unread");
    ada.patch("/v1/rooms/r4", json!({"archived": true})).await.is(200);
    let page: RoomPage = ben.get("/v1/rooms").await.json(200);
    assert_eq!(page.rooms.len(), 4);
    let page: RoomPage = ben.get("/v1/rooms?archived=true").await.json(200);
    assert_eq!(page.rooms.len(), 5);
    let page: RoomPage = Asker::user(&server, "eve").get("/v1/rooms").await.json(200);
    assert!(page.rooms.is_empty());
    let page: RoomPage = Asker::service(&server).get("/v1/rooms?archived=true").await.json(200);
    assert_eq!(page.rooms.len(), 5, "the host application sees all");
    assert_eq!(ben.get("/v1/rooms?after=nonsense").await.blames(400), "after");
}

async fn room_of_two_more(ada: &Asker, n: u32) {
    let body = json!({"kind": "group", "members": [{"user": "ben"}]});
    ada.put(&format!("/v1/rooms/r{n}"), body).await.is(201);
}

#[tokio::test]
async fn a_room_is_changed_archived_and_deleted() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    let change =
        json!({"title": "T", "topic": "about", "history": "since_join", "slow_mode_s": 5, "retention_days": 30});
    let view: RoomView = ada.patch("/v1/rooms/r", change).await.json(200);
    assert_eq!((view.info.title.as_str(), view.info.slow_mode_s, view.info.retention_days), ("T", 5, Some(30)));
    let head = view.head;
    let view: RoomView = ada.key("k").patch("/v1/rooms/r", json!({"title": "U"})).await.json(200);
    let again: RoomView = ada.key("k").patch("/v1/rooms/r", json!({"title": "U"})).await.json(200);
    assert_eq!((view.head.value(), again.head), (head.value() + 1, view.head), "the key makes it one change");
    ada.key("k").patch("/v1/rooms/r", json!({"title": "V"})).await.problem(409);

    let view: RoomView = ada.patch("/v1/rooms/r", json!({"archived": true})).await.json(200);
    assert!(view.info.archived);
    ben.post("/v1/rooms/r/messages", json!({"text": "x"})).await.problem(409);
    ada.patch("/v1/rooms/r", json!({"archived": false})).await.is(200);
    say(&ben, "r", "x").await;
    let both = ada.patch("/v1/rooms/r", json!({"archived": true, "title": "x"})).await;
    assert_eq!(both.blames(400), "archived");

    ada.delete("/v1/rooms/r").await.problem(403);
    let service = Asker::service(&server);
    let mut socket = server.client("ben").await;
    socket.open(&crate::harness::room("r")).await;
    service.delete("/v1/rooms/r").await.is(204);
    let closed = |control: &stoa_protocol::Control| match control {
        stoa_protocol::Control::RoomClosed { reason, .. } => Some(reason.code),
        _ => None,
    };
    assert_eq!(socket.expect_control("the room's end", closed).await, stoa_protocol::ErrorCode::NotFound);
    service.delete("/v1/rooms/r").await.problem(404);
    ada.get("/v1/rooms/r").await.problem(404);
    let fresh: RoomView = ada.put("/v1/rooms/r", json!({"kind": "group"})).await.json(201);
    assert_eq!(fresh.head.value(), 2, "the id begins a new life");
}

#[tokio::test]
async fn a_direct_room_is_the_same_for_both() {
    let server = server().await;
    let (ada, ben) = (Asker::user(&server, "ada"), Asker::user(&server, "ben"));
    let first: RoomView = ada.post("/v1/direct", json!({"user": "ben"})).await.json(200);
    let second: RoomView = ben.post("/v1/direct", json!({"user": "ada"})).await.json(200);
    assert_eq!(first.info, second.info);
    let service = Asker::service(&server);
    let third: RoomView = service.post("/v1/direct", json!({"from": "ben", "user": "ada"})).await.json(200);
    assert_eq!(third.info, first.info);
    let other: RoomView = service.post("/v1/direct", json!({"from": "ben", "user": "cem"})).await.json(200);
    let members: Value = service.get(&format!("/v1/rooms/{}/members", other.info.room)).await.json(200);
    assert_eq!((&members["members"][0]["user"], &members["members"][1]["user"]), (&json!("ben"), &json!("cem")));
    assert_eq!(ada.post("/v1/direct", json!({"user": "ada"})).await.blames(400), "user");
    assert_eq!(ada.post("/v1/direct", json!({"from": "ben", "user": "cem"})).await.blames(403), "from");
    let shy = Asker::with(&server, &Token::of("eve").grant("direct", json!(false)));
    shy.post("/v1/direct", json!({"user": "ada"})).await.problem(403);
}

#[tokio::test]
async fn an_address_of_a_room_has_the_public_addresss_prefix() {
    let server = setup().variable("STOA_PUBLIC_URL", "https://app.example/live").start().await;
    let service = Asker::service(&server);
    for (root, status) in [("/live", 201), ("", 200)] {
        let answer = service.put(&format!("{root}/v1/rooms/r"), json!({"kind": "group"})).await;
        assert_eq!(answer.header("location"), "/live/v1/rooms/r");
        let view: RoomView = answer.json(status);
        assert_eq!(view.url, "https://app.example/live/r/r");
    }
    service.get("/live/v1/nothing").await.problem(404);
}

#[tokio::test]
async fn a_room_is_exported_as_its_reader_may_see_it() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    for n in 0..120 {
        say(&ben, "r", &format!("message {n}")).await;
    }
    let gone = say(&ben, "r", "regretted").await;
    ben.delete(&format!("/v1/rooms/r/messages/{gone}")).await.is(200);
    ada.put("/v1/rooms/r/bans/eve", json!({"reason": "noise"})).await.is(200);
    ada.patch("/v1/rooms/r", json!({"history": "since_join"})).await.is(200);
    ada.put("/v1/rooms/r/members/cem", json!({})).await.is(200);
    say(&ada, "r", "hello cem").await;

    let lines = ada.get("/v1/rooms/r/export").await.lines();
    assert_eq!((&lines[0]["type"], &lines[0]["info"]["room"]), (&json!("room"), &json!("r")));
    let kinds = |lines: &[Value], kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((kinds(&lines, "chat.sent"), kinds(&lines, "member.banned")), (121, 1));
    let seqs: Vec<_> = lines[1..].iter().map(|line| line["seq"].as_u64().expect("a place")).collect();
    assert!(seqs.is_sorted() && !seqs.contains(&gone), "in order, without what was erased");
    assert!(lines.iter().all(|line| !line.to_string().contains("regretted")));

    let lines = ben.get("/v1/rooms/r/export").await.lines();
    assert_eq!(kinds(&lines, "member.banned"), 0, "bans are for those who moderate");
    let lines = Asker::user(&server, "cem").get("/v1/rooms/r/export").await.lines();
    let texts: Vec<_> = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(texts, ["hello cem"], "a newcomer sees what came after");
}
