use super::{Asker, room_of_two, say, server};
use crate::harness::{room, user};
use serde_json::{Value, json};
use stoa_protocol::{
    Capability, ErrorCode, LeaveReason, Member, Role, RoomEventBody,
    http::{BanPage, Committed, MemberOutcomes, MemberPage, PresencePage},
};

#[tokio::test]
async fn a_membership_is_set_changed_and_taken_away() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    let path = "/v1/rooms/r/members/cem";
    let added: Committed = ada.put(path, json!({"data": {"seat": 3}})).await.json(200);
    let member: Member = ada.get(path).await.json(200);
    assert_eq!((member.role, member.joined_seq), (Role::Member, added.seq));
    let again: Committed = ada.put(path, json!({"data": {"seat": 3}})).await.json(200);
    assert_eq!(again.seq, added.seq, "nothing had to change");
    let raised: Committed = ada.put(path, json!({"role": "host"})).await.json(200);
    assert_eq!(raised.seq, added.seq.next());
    let member: Member = ben.get(path).await.json(200);
    assert_eq!((member.role, member.data), (Role::Host, stoa_protocol::Data::new(object(json!({"seat": 3}))).ok()));
    ada.patch(path, json!({"capabilities": ["send"]})).await.is(200);
    let member: Member = ada.get(path).await.json(200);
    assert_eq!(member.capabilities, Some(vec![Capability::Send]));
    ada.delete(path).await.is(200);
    ada.delete(path).await.problem(404);
    ada.get(path).await.problem(404);
    ben.delete("/v1/rooms/r/members/ben").await.is(200);
    ben.get("/v1/rooms/r").await.problem(404);
}

fn object(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().expect("an object").clone()
}

#[tokio::test]
async fn a_mute_silences_and_is_told_on_the_socket() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    let mut socket = server.client("ben").await;
    socket.open(&room("r")).await;
    let until = crate::harness::now_ms() + 3_600_000;
    let muted: Committed = ada.patch("/v1/rooms/r/members/ben", json!({"muted_until": until})).await.json(200);
    socket.reach(&room("r"), muted.seq).await;
    let problem = ben.post("/v1/rooms/r/messages", json!({"text": "x"})).await.problem(403);
    assert!(problem.retry_after_ms.is_some_and(|wait| wait > 3_000_000));
    ada.patch("/v1/rooms/r/members/ben", json!({"muted_until": 0})).await.is(200);
    say(&ben, "r", "x").await;
}

#[tokio::test]
async fn a_thousand_members_are_added_by_one_request_each_with_its_outcome() {
    let server = server().await;
    let service = Asker::service(&server);
    service.put("/v1/rooms/class", json!({"kind": "class"})).await.is(201);
    service.put("/v1/rooms/class/bans/u0007", json!({})).await.is(200);
    service.put("/v1/rooms/class/members/u0008", json!({"role": "viewer"})).await.is(200);
    let members: Vec<_> = (0..1000).map(|n| json!({"user": format!("u{n:04}")})).collect();
    let outcomes: MemberOutcomes =
        service.post("/v1/rooms/class/members", json!({ "members": members })).await.json(200);
    assert_eq!(outcomes.results.len(), 1000);
    for (n, outcome) in outcomes.results.iter().enumerate() {
        assert_eq!(outcome.user.as_str(), format!("u{n:04}"));
        match n {
            7 => assert_eq!(outcome.error.as_ref().map(|fault| fault.code), Some(ErrorCode::Conflict)),
            _ => assert!(outcome.seq.is_some() && outcome.error.is_none(), "{outcome:?}"),
        }
    }
    let raised: Member = service.get("/v1/rooms/class/members/u0008").await.json(200);
    assert_eq!(raised.role, Role::Member, "a row sets what is there");
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let page: MemberPage = service.get(&format!("/v1/rooms/class/members?limit=200{after}")).await.json(200);
        assert_eq!(page.count, 999);
        seen.extend(page.members.into_iter().map(|member| member.user));
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 999);
    assert!(seen.is_sorted());
    let too_many: Vec<_> = (0..1001).map(|n| json!({"user": format!("v{n}")})).collect();
    assert_eq!(service.post("/v1/rooms/class/members", json!({ "members": too_many })).await.blames(400), "members");
    let wrong = service.post("/v1/rooms/class/members", json!({"members": [{"user": "a"}, {"user": "b b"}]})).await;
    assert_eq!(wrong.blames(400), "members[1].user");
}

#[tokio::test]
async fn a_ban_is_set_listed_and_lifted() {
    let server = server().await;
    let (ada, ben) = room_of_two(&server, "r").await;
    let mut socket = server.client("ada").await;
    socket.open(&room("r")).await;
    let far = crate::harness::now_ms() + 3_600_000;
    let banned: Committed = ada.put("/v1/rooms/r/bans/ben", json!({"until": far, "reason": "spam"})).await.json(200);
    socket.reach(&room("r"), banned.seq.next()).await;
    let left = socket.journal.events(&room("r")).find(|event| event.seq == banned.seq.next()).expect("told");
    assert_eq!(left.body, RoomEventBody::MemberLeft { user: user("ben"), reason: LeaveReason::Banned });
    ben.get("/v1/rooms/r").await.problem(404);
    for name in ["x1", "x2"] {
        ada.put(&format!("/v1/rooms/r/bans/{name}"), json!({})).await.is(200);
    }
    ada.put("/v1/rooms/r/bans/past", json!({"until": 1})).await.is(200);
    let page: BanPage = ada.get("/v1/rooms/r/bans?limit=2").await.json(200);
    assert_eq!((page.bans[0].reason.as_str(), page.bans[0].until, page.bans.len()), ("spam", Some(far), 2));
    let next = page.next.expect("there is another page");
    let page: BanPage = ada.get(&format!("/v1/rooms/r/bans?limit=2&after={next}")).await.json(200);
    assert_eq!((page.bans.len(), page.bans[0].user.as_str(), page.next), (1, "x2", None), "a lapsed ban is none");
    ada.put("/v1/rooms/r/members/ben", json!({})).await.problem(409);
    ada.delete("/v1/rooms/r/bans/ben").await.is(200);
    ada.put("/v1/rooms/r/members/ben", json!({})).await.is(200);
    say(&ben, "r", "back").await;
}

#[tokio::test]
async fn who_is_there_is_told() {
    let server = server().await;
    let (ada, _) = room_of_two(&server, "r").await;
    let page: PresencePage = ada.get("/v1/rooms/r/presence").await.json(200);
    assert_eq!((page.online, page.presence.len()), (0, 0), "a request is no device");
    let mut ben = server.client("ben").await;
    ben.open(&room("r")).await;
    let page: PresencePage = ada.get("/v1/rooms/r/presence").await.json(200);
    assert_eq!((page.online, page.presence[0].user.as_str()), (1, "ben"));
    assert_eq!(page.profiles.get(&user("ben")).map(|profile| profile.name.as_str()), Some("ben"));
}
