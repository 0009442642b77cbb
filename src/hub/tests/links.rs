//! Join links and invites as time passes.

use super::*;
use crate::{
    hub::Terms,
    identity::Identity,
    storage::links::{LinkKind, StoredLink},
};
use stoa_protocol::{ErrorCode, http::LinkState};

fn room() -> RoomId {
    RoomId::new("r").expect("legal")
}

fn terms(kind: LinkKind) -> Terms {
    Terms { kind, role: Role::Member, name: None, not_before: None, expires_at: None, uses: None }
}

impl World {
    async fn identity(&self, ticket: Ticket) -> Identity {
        self.hub.identify(&self.token(ticket)).await.expect("a legal token")
    }

    /// The room `r` of Ada's, and a link of the host application's.
    async fn link(&self, terms: Terms) -> (StoredLink, String) {
        let mut ada = self.enter("ada").await;
        ada.create("r", &[]).await;
        let service = self.identity(Ticket { service: true, ..Ticket::of("app") }).await;
        self.hub.make_link(&service, &room(), terms).await.expect("a link")
    }

    async fn state(&self, kind: LinkKind, code: &str) -> LinkState {
        self.hub.lead(kind, code).await.expect("it exists").state
    }
}

#[tokio::test]
async fn a_guest_enters_within_the_window_and_is_out_when_it_ends() {
    let world = World::new().await;
    let (start, end) = (START + 60_000, START + 20 * 60_000);
    let (_, code) = world.link(Terms { not_before: Some(start), expires_at: Some(end), ..terms(LinkKind::Join) }).await;
    assert_eq!(world.state(LinkKind::Join, &code).await, LinkState::NotYet);
    let early = world.hub.exchange(&code, Some("Gil"), None).await.expect_err("too early");
    assert_eq!((early.code, early.retry_after_ms), (ErrorCode::Conflict, Some(60_000)));
    world.pass(Duration::from_secs(60)).await;
    let gil = world.hub.exchange(&code, Some("Gil"), None).await.expect("the window is open");
    assert_eq!(gil.expires_at, START + 60_000 + 15 * 60_000, "a quarter of an hour");
    assert!(gil.user.is_guest());
    let mut client = world.connect();
    client.say(json!({"type": "hello", "token": gil.token})).await.expect("welcome");
    let welcome = client.wait(|got| got["type"] == "welcome").await;
    assert_eq!((&welcome["profile"]["name"], &welcome["profile"]["guest"]), (&json!("Gil"), &json!(true)));
    assert_eq!(welcome["may_create"], false);
    let opened = client.open("r").await;
    assert_eq!(opened["snapshot"]["info"]["url"], "https://live.example/r/r");
    assert_eq!(client.send("r", "k", "hello").await["type"], "ack");

    world.clock.advance(Duration::from_secs(14 * 60));
    let renewed = world.hub.exchange(&code, None, Some(&gil.guest)).await.expect("renewed");
    assert_eq!((&renewed.user, renewed.name.as_str(), &renewed.guest), (&gil.user, "Gil", &gil.guest));
    assert_eq!(renewed.expires_at, end, "no longer than the window");
    client.ask(json!({"type": "token.refresh", "token": renewed.token})).await;
    world.pass(Duration::from_secs(5 * 60 + 1)).await;
    client.wait(|got| got["type"] == "room.closed").await;
    assert_eq!(world.state(LinkKind::Join, &code).await, LinkState::Expired);
    for guest in [None, Some(gil.guest.as_str())] {
        let late = world.hub.exchange(&code, Some("Gil"), guest).await.expect_err("too late");
        assert_eq!(late.code, ErrorCode::Conflict);
    }
}

#[tokio::test]
async fn revoking_a_link_closes_its_guests_out_for_ever_and_nobody_else() {
    let world = World::new().await;
    let (link, code) = world.link(terms(LinkKind::Join)).await;
    let service = world.identity(Ticket { service: true, ..Ticket::of("app") }).await;
    let (_, other) = world.hub.make_link(&service, &room(), terms(LinkKind::Join)).await.expect("another");
    let gil = world.hub.exchange(&code, Some("Gil"), None).await.expect("a guest");
    let hal = world.hub.exchange(&other, Some("Hal"), None).await.expect("a guest of the other link");
    let mut clients = Vec::new();
    for guest in [&gil, &hal] {
        let mut client = world.connect();
        client.say(json!({"type": "hello", "token": guest.token})).await.expect("welcome");
        client.open("r").await;
        clients.push(client);
    }
    let now = world.clock.now();
    world.hub.revoke_link(&service, &room(), LinkKind::Join, &link.id).await.expect("revoked");
    assert_eq!(world.clock.now(), now, "no time has passed");
    clients[0].rest();
    assert_eq!(clients[0].sink.close_code(), Some(CloseCode::Revoked.code()));
    assert_eq!(clients[1].sink.close_code(), None);
    let mut again = world.connect();
    assert_eq!(again.say(json!({"type": "hello", "token": gil.token})).await, Err(CloseCode::Revoked));
    assert!(world.hub.identify(&gil.token).await.is_err() && world.hub.identify(&hal.token).await.is_ok());
    let renewal = world.hub.exchange(&code, None, Some(&gil.guest)).await.expect_err("revoked");
    assert_eq!(renewal.code, ErrorCode::Conflict);
    assert!(world.hub.exchange(&code, Some("Gil"), None).await.is_err());
    let members = world.hub.member(&service, &room(), &gil.user).await.expect("the room");
    assert_eq!(members, None, "the guest has left the room");
    assert!(world.hub.member(&service, &room(), &hal.user).await.expect("the room").is_some());
    world.hub.revoke_link(&service, &room(), LinkKind::Join, &link.id).await.expect("once more changes nothing");
}

#[tokio::test]
async fn a_guest_does_nothing_but_take_part_in_the_one_room() {
    let world = World::new().await;
    let (_, code) = world.link(Terms { role: Role::Host, ..terms(LinkKind::Join) }).await;
    let gil = world.hub.exchange(&code, Some("Gil"), None).await.expect("a guest");
    let mut client = world.connect();
    client.say(json!({"type": "hello", "token": gil.token})).await.expect("welcome");
    client.open("r").await;
    let mut ada = world.enter("ada").await;
    let create = json!({"type": "room.create", "key": "c", "room": "other", "kind": "group"});
    assert_eq!(ada.ask(create.clone()).await["type"], "ack");
    assert_eq!(client.ask(json!({"type": "room.open", "room": "other"})).await["code"], "not_found");
    let create = json!({"type": "room.create", "key": "c", "room": "mine", "kind": "group"});
    assert_eq!(client.ask(create).await["code"], "forbidden");
    assert_eq!(client.ask(json!({"type": "room.direct", "user": "ada"})).await["code"], "forbidden");
    let identity = world.hub.identify(&gil.token).await.expect("a token");
    for kind in [LinkKind::Join, LinkKind::Invite] {
        let made = world.hub.make_link(&identity, &room(), terms(kind)).await;
        assert_eq!(made.expect_err("a guest's link would outlive theirs").code, ErrorCode::Forbidden);
    }
    // Signed by somebody else's key, however right the rest is.
    let foreign = world.token(Ticket::of("stoa-guest:x"));
    assert!(world.hub.identify(&foreign).await.is_err(), "no issuer has the guests' realm");
    let (head, rest) = gil.token.rsplit_once('.').expect("three parts");
    let mut signature: Vec<char> = rest.chars().collect();
    signature[3] = if signature[3] == 'A' { 'B' } else { 'A' };
    let tampered = format!("{head}.{}", signature.into_iter().collect::<String>());
    assert!(world.hub.identify(&tampered).await.is_err());
}

#[tokio::test]
async fn an_invite_holds_as_long_as_whoever_made_it_may_invite() {
    let world = World::new().await;
    let mut ada = world.enter("ada").await;
    ada.create("r", &["ben", "cem"]).await;
    let ada_now = world.identity(Ticket::of("ada")).await;
    let ben = world.identity(Ticket::of("ben")).await;
    let refused = world.hub.make_link(&ben, &room(), terms(LinkKind::Invite)).await.expect_err("a member");
    assert_eq!(refused.code, ErrorCode::Forbidden);
    let rights = json!({"type": "member.update", "room": "r", "key": "m1", "user": "ben", "role": "host"});
    assert_eq!(ada.ask(rights).await["type"], "ack");
    let expires_at = Some(START + 3_600_000);
    let (_, code) =
        world.hub.make_link(&ben, &room(), Terms { expires_at, ..terms(LinkKind::Invite) }).await.expect("a host may");
    let (_, lasting) = world.hub.make_link(&ada_now, &room(), terms(LinkKind::Invite)).await.expect("an invite");
    let dan = world.identity(Ticket::of("dan")).await;
    let (_, seq) = world.hub.accept(&dan, &code).await.expect("accepted");
    let (_, again) = world.hub.accept(&dan, &code).await.expect("once more changes nothing");
    assert!(again >= seq);
    let used = world.hub.lead(LinkKind::Invite, &code).await.expect("it exists").link.used;
    assert_eq!(used, 1);
    let confined = world.identity(Ticket { rooms: Some(vec![]), ..Ticket::of("eve") }).await;
    assert_eq!(world.hub.accept(&confined, &code).await.expect_err("confined").code, ErrorCode::Forbidden);

    let rights = json!({"type": "member.update", "room": "r", "key": "m2", "user": "ben", "role": "member"});
    assert_eq!(ada.ask(rights).await["type"], "ack");
    assert_eq!(world.state(LinkKind::Invite, &code).await, LinkState::Revoked);
    let eve = world.identity(Ticket::of("eve")).await;
    assert_eq!(world.hub.accept(&eve, &code).await.expect_err("the right is gone").code, ErrorCode::Conflict);
    let ban = json!({"type": "member.ban", "room": "r", "key": "b", "user": "eve"});
    assert_eq!(ada.ask(ban).await["type"], "ack");
    assert_eq!(world.hub.accept(&eve, &lasting).await.expect_err("a ban holds").code, ErrorCode::NotFound);
    world.clock.advance(Duration::from_secs(3_600));
    let fay = world.identity(Ticket::of("fay")).await;
    assert_eq!(world.state(LinkKind::Invite, &code).await, LinkState::Expired);
    assert!(world.hub.accept(&fay, &lasting).await.is_ok());
}

#[tokio::test]
async fn who_comes_late_has_nothing_unread() {
    let world = World::new().await;
    let mut ada = world.enter("ada").await;
    ada.create("r", &[]).await;
    for n in 0..3 {
        assert_eq!(ada.send("r", &format!("k{n}"), "before").await["type"], "ack");
    }
    let add = json!({"type": "member.add", "room": "r", "key": "a", "user": "ben"});
    assert_eq!(ada.ask(add).await["type"], "ack");
    assert_eq!(ada.send("r", "k9", "after").await["type"], "ack");
    let mut ben = world.enter("ben").await;
    let list = ben.ask(json!({"type": "room.list"})).await;
    assert_eq!(list["result"]["rooms"][0]["unread"], 1, "{list}");
    assert_eq!(list["result"]["rooms"][0]["info"]["url"], "https://live.example/r/r");
}
