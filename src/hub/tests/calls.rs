//! Calls on the virtual clock: rings, graces, confirmations, powers.

use super::*;

const PRINT: &str = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

fn offer() -> Value {
    let sdp = format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=fingerprint:sha-256 {PRINT}\r\n"
    );
    json!({"kind": "offer", "sdp": sdp})
}

/// A client with a session that can be taken up again.
struct Caller {
    client: Client,
    user: String,
    session: String,
    secret: String,
    keys: u64,
}

impl Caller {
    async fn enter(world: &World, user: &str, device: &str) -> Self {
        let hello = json!({"type": "hello", "device": device});
        Self::hello(world, user, hello).await
    }

    async fn hello(world: &World, user: &str, hello: Value) -> Self {
        let ticket = Ticket { create: Some(true), direct: Some(true), ..Ticket::of(user) };
        Self::with(world, ticket, hello).await
    }

    async fn with(world: &World, ticket: Ticket, mut hello: Value) -> Self {
        hello["token"] = world.token(ticket).into();
        let mut client = world.connect();
        client.say(hello).await.expect("welcome");
        let welcome = client.wait(|got| got["type"] == "welcome").await;
        let text = |name: &str| welcome[name].as_str().expect("a text").to_owned();
        Self { user: text("user"), session: text("session"), secret: text("secret"), client, keys: 0 }
    }

    /// The same session on a new connection.
    async fn again(self, world: &World) -> Self {
        let session = json!({"id": self.session, "secret": self.secret});
        let mut again = Self::hello(world, &self.user, json!({"type": "hello", "session": session})).await;
        assert_eq!(again.session, self.session);
        again.keys = self.keys + 1_000;
        again
    }

    /// Says something about the call with a fresh key.
    async fn call(&mut self, mut frame: Value) -> Value {
        self.keys += 1;
        frame["key"] = format!("{}-{}", &self.session[..8], self.keys).into();
        frame["room"] = json!(frame["room"].as_str().unwrap_or("r"));
        self.client.ask(frame).await
    }

    async fn start(&mut self) -> u64 {
        let reply = self.call(json!({"type": "call.start"})).await;
        assert_eq!(reply["result"]["place"], "in", "{reply}");
        reply["result"]["call"]["call"].as_u64().expect("a call")
    }

    async fn join(&mut self, call: u64) -> Value {
        self.call(json!({"type": "call.join", "call": call})).await
    }

    async fn event(&mut self, kind: &str) -> Value {
        self.client.wait(|got| got["type"] == kind && got["id"].is_null()).await
    }

    async fn opened(&mut self) -> Value {
        self.client.open("r").await
    }

    async fn now(&mut self) -> Value {
        self.client.ask(json!({"type": "call.get", "room": "r"})).await["result"].clone()
    }

    fn close(mut self) {
        self.client.session.closed(false);
    }
}

/// A room with a host and members, all of whom have it open.
async fn room(world: &World, users: &[&str]) -> Vec<Caller> {
    let mut callers = Vec::new();
    for (at, user) in users.iter().enumerate() {
        let mut caller = Caller::enter(world, user, "laptop").await;
        match at {
            0 => caller.client.create("r", &users[1..]).await,
            _ => drop(caller.opened().await),
        }
        callers.push(caller);
    }
    callers
}

fn pair(mut callers: Vec<Caller>) -> (Caller, Caller) {
    let second = callers.pop().expect("two");
    (callers.pop().expect("two"), second)
}

async fn linked(world: &World) -> (Caller, Caller, u64, String) {
    let (mut ada, mut ben) = pair(room(world, &["ada", "ben"]).await);
    let call = ada.start().await;
    let joined = ben.join(call).await;
    let link = joined["result"]["call"]["links"][0]["link"].as_str().expect("a link").to_owned();
    assert_eq!(joined["result"]["call"]["links"][0]["polite"]["session"], *ben.session);
    let told = ada.event("call.link").await;
    assert_eq!((told["link"].as_str(), told["epoch"].as_u64()), (Some(&*link), Some(1)));
    (ada, ben, call, link)
}

fn signal(call: u64, link: &str, epoch: u64, n: u64, signal: &Value) -> Value {
    json!({"type": "call.signal", "room": "r", "call": call, "link": link, "epoch": epoch, "n": n, "signal": signal})
}

#[tokio::test]
async fn a_signal_goes_to_the_other_end_and_its_confirmation_back() {
    let world = World::new().await;
    let (mut ada, mut ben, call, link) = linked(&world).await;
    let reply = ben.client.ask(signal(call, &link, 1, 1, &offer())).await;
    assert_eq!(reply["type"], "ack", "{reply}");
    let got = ada.event("call.signal").await;
    assert_eq!((got["n"].as_u64(), &got["signal"]["sdp"]), (Some(1), &offer()["sdp"]));
    let confirm = json!({"type": "call.confirm", "room": "r", "call": call, "link": link, "epoch": 1, "n": 1});
    ada.client.ask(confirm).await;
    assert_eq!(ben.event("call.confirmed").await["n"], 1);
    // Confirmed before: the other end does not hear it again, its sender does.
    ben.client.ask(signal(call, &link, 1, 1, &offer())).await;
    assert_eq!(ben.event("call.confirmed").await["n"], 1);
    assert!(ada.client.rest().iter().all(|got| got["type"] != "call.signal"));
}

#[tokio::test]
async fn a_signal_that_is_not_confirmed_within_fifteen_seconds_is_told_to_both_ends_once() {
    let world = World::new().await;
    let (mut ada, mut ben, call, link) = linked(&world).await;
    ben.client.ask(signal(call, &link, 1, 1, &offer())).await;
    world.pass(Duration::from_secs(14)).await;
    for caller in [&mut ada, &mut ben] {
        assert!(caller.client.rest().iter().all(|got| got["type"] != "call.unconfirmed"));
    }
    world.pass(Duration::from_secs(2)).await;
    for caller in [&mut ada, &mut ben] {
        let told = caller.event("call.unconfirmed").await;
        assert_eq!((told["n"].as_u64(), told["epoch"].as_u64()), (Some(1), Some(1)));
    }
    ben.client.ask(signal(call, &link, 1, 1, &offer())).await;
    world.pass(Duration::from_secs(20)).await;
    assert!(ben.client.rest().iter().all(|got| got["type"] != "call.unconfirmed"), "told once");
    // Both ask for a new epoch, and one comes of it; the old one is closed to signals.
    let relink = json!({"type": "call.relink", "room": "r", "call": call, "link": link, "epoch": 1});
    for caller in [&mut ada, &mut ben] {
        let reply = caller.client.ask(relink.clone()).await;
        assert_eq!(reply["result"]["epoch"], 2, "{reply}");
        assert_eq!(caller.event("call.link").await["epoch"], 2);
    }
    assert_eq!(ben.client.ask(signal(call, &link, 1, 2, &offer())).await["code"], "conflict");
    assert_eq!(ben.client.ask(signal(call, &link, 2, 1, &offer())).await["type"], "ack");
}

#[tokio::test]
async fn a_signal_reaches_only_from_one_end_to_the_other() {
    let world = World::new().await;
    let (mut ada, _ben, call, link) = linked(&world).await;
    let mut eve = Caller::enter(&world, "eve", "laptop").await;
    assert_eq!(eve.client.ask(signal(call, &link, 1, 1, &offer())).await["code"], "not_found");
    assert_eq!(eve.client.ask(json!({"type": "call.ice", "room": "r", "call": call})).await["code"], "not_found");
    let add = json!({"type": "member.add", "room": "r", "key": "add", "user": "eve"});
    ada.client.ask(add).await;
    eve.opened().await;
    assert_eq!(eve.client.ask(signal(call, &link, 1, 1, &offer())).await["code"], "not_found", "not in the call");
    eve.join(call).await;
    assert_eq!(eve.client.ask(signal(call, &link, 1, 1, &offer())).await["code"], "not_found", "not of this link");
}

#[tokio::test]
async fn a_lost_socket_is_no_leaving_for_half_a_minute() {
    let world = World::new().await;
    let (mut ada, ben, call, link) = linked(&world).await;
    let (user, session, secret) = (ben.user.clone(), ben.session.clone(), ben.secret.clone());
    ben.close();
    world.pass(Duration::from_secs(10)).await;
    ada.client.ask(signal(call, &link, 1, 1, &offer())).await;
    let resume = json!({"type": "hello", "session": {"id": session, "secret": secret}});
    let mut ben = Caller::hello(&world, &user, resume).await;
    let opened = ben.opened().await;
    let call_now = &opened["snapshot"]["call"];
    assert_eq!(call_now["participants"].as_array().map(Vec::len), Some(2), "{call_now}");
    assert_eq!(call_now["links"][0]["epoch"], 1);
    // The sender sends again, and now it is heard.
    ada.client.ask(signal(call, &link, 1, 1, &offer())).await;
    assert_eq!(ben.event("call.signal").await["n"], 1);
    ben.close();
    world.pass(Duration::from_secs(29)).await;
    assert!(ada.client.rest().iter().all(|got| got["type"] != "call.left"));
    world.pass(Duration::from_secs(3)).await;
    assert_eq!(ada.event("call.left").await["reason"], "lost");
    assert_eq!(ada.event("call.unlinked").await["link"], *link);
}

#[tokio::test]
async fn a_reloaded_page_takes_the_place_of_its_ghost() {
    let world = World::new().await;
    let (mut ada, ben, call, link) = linked(&world).await;
    let ghost = ben.session.clone();
    ben.close();
    let mut ben = Caller::enter(&world, "ben", "laptop").await;
    ben.opened().await;
    let joined = ben.join(call).await;
    let people = joined["result"]["call"]["participants"].as_array().expect("a list").clone();
    assert_eq!(people.len(), 2, "{joined}");
    assert!(people.iter().all(|p| p["session"] != *ghost));
    let left = ada.event("call.left").await;
    assert_eq!((left["session"].as_str(), left["reason"].as_str()), (Some(&*ghost), Some("replaced")));
    assert_eq!(ada.event("call.unlinked").await["link"], *link);
    // Another device of the same user is another participant.
    let mut phone = Caller::enter(&world, "ben", "phone").await;
    phone.opened().await;
    let joined = phone.join(call).await;
    assert_eq!(joined["result"]["call"]["participants"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_ring_is_answered_once_and_ends_by_itself() {
    let world = World::new().await;
    let (mut ada, mut ben) = pair(room(&world, &["ada", "ben"]).await);
    let mut phone = Caller::enter(&world, "ben", "phone").await;
    let ring = json!({"type": "call.start", "ring": ["ben"], "media": "audio"});
    let call = ada.call(ring).await["result"]["call"]["call"].as_u64().expect("a call");
    for device in [&mut ben, &mut phone] {
        let ring = device.event("user.ring").await;
        assert_eq!((ring["call"].as_u64(), &ring["media"]), (Some(call), &json!("audio")));
    }
    ben.join(call).await;
    for device in [&mut ben, &mut phone] {
        assert_eq!(device.event("user.ring_ended").await["reason"], "answered");
    }
    ben.call(json!({"type": "call.leave", "call": call})).await;
    let again = json!({"type": "call.ring", "call": call, "users": ["ben"]});
    ada.call(again).await;
    ben.event("user.ring").await;
    world.pass(Duration::from_secs(44)).await;
    assert!(ben.client.rest().iter().all(|got| got["type"] != "user.ring_ended"));
    world.pass(Duration::from_secs(3)).await;
    assert_eq!(ben.event("user.ring_ended").await["reason"], "missed");
    assert_eq!(ada.event("call.declined").await["reason"], "missed");
    // Who is in a call elsewhere is busy.
    ada.client
        .ask(json!({"type": "room.create", "key": "k", "room": "s", "kind": "group", "members": [{"user": "cleo"}]}))
        .await;
    let mut cleo = Caller::enter(&world, "cleo", "laptop").await;
    cleo.client.open("s").await;
    cleo.call(json!({"type": "call.start", "room": "s", "ring": ["ada"]})).await;
    assert_eq!(cleo.event("call.declined").await["reason"], "busy");
    assert_eq!(ada.event("user.ring_ended").await["reason"], "busy");
}

#[tokio::test]
async fn in_a_direct_room_a_call_that_nobody_takes_is_over() {
    let world = World::new().await;
    let mut ada = Caller::enter(&world, "ada", "laptop").await;
    let mut ben = Caller::enter(&world, "ben", "laptop").await;
    let reply = ada.client.ask(json!({"type": "room.direct", "user": "ben"})).await;
    let direct = reply["result"]["room"].as_str().expect("a room").to_owned();
    ada.client.open(&direct).await;
    ben.client.open(&direct).await;
    for (answer, reason) in [("call.decline", "declined"), ("", "missed"), ("call.join", "ended")] {
        let started = ada.call(json!({"type": "call.start", "room": direct})).await;
        let call = started["result"]["call"]["call"].clone();
        assert_eq!(ben.event("user.ring").await["call"], call);
        match answer {
            "" => world.pass(Duration::from_secs(47)).await,
            answer => {
                let reply = ben.call(json!({"type": answer, "room": direct, "call": call})).await;
                assert_eq!(reply["type"], "ack", "{reply}");
            }
        }
        if answer == "call.join" {
            ada.call(json!({"type": "call.leave", "room": direct, "call": call})).await;
        }
        for caller in [&mut ada, &mut ben] {
            assert_eq!(caller.event("call.ended").await["reason"], reason);
        }
    }
    let history = ada.client.ask(json!({"type": "call.history", "room": direct})).await;
    let calls = history["result"]["calls"].as_array().expect("calls");
    let ends: Vec<_> = calls.iter().map(|call| call["reason"].as_str().expect("a reason")).collect();
    assert_eq!(ends, ["ended", "missed", "declined"]);
    assert_eq!(calls[0]["participants"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_host_mutes_locks_removes_and_admits() {
    let world = World::new().await;
    let (mut ada, mut ben, call, link) = linked(&world).await;
    let tracks = |muted: bool| {
        let mic = json!({"track": "mic", "source": "microphone", "muted": muted});
        json!({"type": "call.tracks", "room": "r", "call": call, "tracks": [mic]})
    };
    assert_eq!(ben.client.ask(tracks(false)).await["type"], "ack");
    assert_eq!(ada.event("call.state").await["tracks"][0]["track"], "mic");
    let mute = json!({"type": "call.mute", "call": call, "source": "microphone", "state": "locked"});
    assert_eq!(ben.call(mute.clone()).await["code"], "forbidden");
    ada.call(mute).await;
    assert_eq!(ben.event("call.muted").await["users"], json!(["ben"]), "whoever moderates is not meant");
    let state = ben.client.wait(|got| got["type"] == "call.state" && got["version"] == 2).await;
    assert_eq!(state["tracks"][0]["muted"], true, "marked, whether it obeys or not");
    assert_eq!(ben.client.ask(tracks(false)).await["code"], "forbidden");
    assert_eq!(ben.client.ask(tracks(true)).await["type"], "ack");
    ada.call(json!({"type": "call.mute", "call": call, "users": ["ben"], "source": "microphone", "state": "free"}))
        .await;
    assert_eq!(ben.client.ask(tracks(false)).await["type"], "ack");

    let hand = json!({"type": "call.hand", "room": "r", "call": call, "on": true});
    ben.client.ask(hand.clone()).await;
    let lower = json!({"type": "call.hand", "room": "r", "call": call, "on": false, "session": ben.session});
    assert_eq!(ada.now().await["call"]["participants"][1]["hand"], world.clock.now());
    assert_eq!(ada.client.ask(lower).await["type"], "ack");
    assert_eq!(ada.now().await["call"]["participants"][1]["hand"], Value::Null);

    ada.call(json!({"type": "call.remove", "call": call, "user": "ben"})).await;
    assert_eq!(ben.event("call.left").await["reason"], "removed");
    assert_eq!(ada.event("call.unlinked").await["link"], *link);
    assert_eq!(ben.client.ask(signal(call, &link, 1, 1, &offer())).await["code"], "not_found");
    assert_eq!(ben.join(call).await["code"], "forbidden");
    ada.call(json!({"type": "call.admit", "call": call, "user": "ben"})).await;
    assert_eq!(ben.join(call).await["result"]["place"], "in");
    ada.call(json!({"type": "call.end", "call": call})).await;
    assert_eq!(ben.event("call.ended").await["reason"], "ended");
    assert_eq!(ben.join(call).await["code"], "not_found");
}

#[tokio::test]
async fn a_lobby_is_waited_in_and_a_lock_keeps_out() {
    let world = World::new().await;
    let mut callers = room(&world, &["ada", "ben", "cleo"]).await;
    let call = callers[0].start().await;
    callers[0].call(json!({"type": "call.update", "call": call, "lobby": true})).await;
    assert_eq!(callers[1].join(call).await["result"]["place"], "waiting");
    assert_eq!(callers[2].join(call).await["result"]["place"], "waiting");
    assert_eq!(callers[0].event("call.knocked").await["user"], "ben");
    callers[0].call(json!({"type": "call.admit", "call": call, "user": "ben"})).await;
    callers[0].call(json!({"type": "call.refuse", "call": call, "user": "cleo"})).await;
    callers[1].event("call.admitted").await;
    assert_eq!(callers[1].join(call).await["result"]["place"], "in");
    assert_eq!(callers[2].now().await["place"], "out");
    callers[0].call(json!({"type": "call.update", "call": call, "lobby": false, "locked": true})).await;
    assert_eq!(callers[2].join(call).await["code"], "forbidden");
    callers[1].call(json!({"type": "call.leave", "call": call})).await;
    assert_eq!(callers[1].join(call).await["result"]["place"], "in", "who was in comes back");
}

#[tokio::test]
async fn the_seventh_gets_call_full() {
    let world = World::new().await;
    let users: Vec<String> = (0..7).map(|n| format!("user-{n}")).collect();
    let mut callers = room(&world, &users.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let call = callers[0].start().await;
    for caller in &mut callers[1..6] {
        assert_eq!(caller.join(call).await["result"]["place"], "in");
    }
    assert_eq!(callers[6].join(call).await["code"], "call_full");
    assert_eq!(callers[5].now().await["call"]["links"].as_array().map(Vec::len), Some(5));
    callers[2].call(json!({"type": "call.leave", "call": call})).await;
    assert_eq!(callers[6].join(call).await["result"]["place"], "in");
}

#[tokio::test]
async fn rights_that_are_taken_away_end_at_once() {
    let world = World::new().await;
    let mut callers = room(&world, &["ada", "ben", "cleo", "dora"]).await;
    let call = callers[0].start().await;
    for caller in &mut callers[1..] {
        caller.join(call).await;
    }
    callers[0].call(json!({"type": "member.ban", "user": "ben"})).await;
    let left = callers[0].event("call.left").await;
    assert_eq!((left["user"].as_str(), left["reason"].as_str()), (Some("ben"), Some("rights")));
    callers[0].call(json!({"type": "member.update", "user": "cleo", "role": "viewer"})).await;
    assert_eq!(callers[0].event("call.left").await["user"], "cleo");
    let dora = stoa_protocol::UserId::new("dora").expect("legal");
    world.hub.revoke(&dora, world.clock.now() + 1).await.expect("revoked");
    assert_eq!(callers[0].event("call.left").await["user"], "dora");
    callers[0].call(json!({"type": "room.archive", "archived": true})).await;
    assert_eq!(callers[0].event("call.ended").await["reason"], "archived");
}

#[tokio::test]
async fn reports_make_a_verdict_that_others_see_and_the_history_keeps() {
    let world = World::new().await;
    let (mut ada, mut ben, call, link) = linked(&world).await;
    let links = json!([{"link": link, "rtt_ms": 700.0, "loss": 0.2, "relayed": true}]);
    let report = json!({"type": "call.report", "room": "r", "call": call, "links": links});
    assert_eq!(ben.client.ask(report.clone()).await["type"], "ack");
    assert_eq!(ada.event("call.state").await["verdict"], "poor");
    assert_eq!(ben.client.ask(report).await["code"], "rate_limited");
    ben.call(json!({"type": "call.leave", "call": call})).await;
    let history = ada.client.ask(json!({"type": "call.history", "room": "r"})).await;
    let quality = &history["result"]["calls"][0]["participants"][1]["quality"];
    assert_eq!(
        (&quality["verdict"], &quality["relayed"], &quality["reports"]),
        (&json!("poor"), &json!(true), &json!(1))
    );
}

#[tokio::test]
async fn what_is_retained_is_told_again_on_resume() {
    let world = World::new().await;
    let (mut ada, ben, call, link) = linked(&world).await;
    let tracks = json!([{"track": "cam", "source": "camera"}]);
    ada.client.ask(json!({"type": "call.tracks", "room": "r", "call": call, "tracks": tracks})).await;
    ada.client.ask(json!({"type": "call.relink", "room": "r", "call": call, "link": link, "epoch": 1})).await;
    let mut ben = ben.again(&world).await;
    let opened = ben.opened().await;
    assert_eq!(opened["snapshot"]["call"]["participants"][0]["tracks"], tracks);
    assert_eq!(opened["snapshot"]["call"]["links"][0]["epoch"], 2);
}

#[tokio::test]
async fn a_flood_of_signals_is_limited_and_told_when_to_come_again() {
    let world = World::new().await;
    let (_ada, mut ben, call, link) = linked(&world).await;
    let mut refused = 0;
    for n in 1..=100 {
        let reply = ben.client.ask(signal(call, &link, 1, n, &offer())).await;
        if reply["code"] == "rate_limited" {
            assert!(reply["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{reply}");
            refused += 1;
        }
    }
    assert_eq!(refused, 60, "forty at once");
}

#[tokio::test]
async fn coming_again_is_no_way_around_the_pace_of_signals() {
    let world = World::new().await;
    let (mut ada, _ben, call, _) = linked(&world).await;
    let hand = |on: bool| json!({"type": "call.hand", "room": "r", "call": call, "on": on});
    for turn in 0..20 {
        let reply = ada.client.ask(hand(turn % 2 == 0)).await;
        assert_eq!(reply["type"], "ack", "{turn}: {reply}");
    }
    assert_eq!(ada.client.ask(hand(true)).await["code"], "rate_limited");
    let mut ada = ada.again(&world).await;
    ada.opened().await;
    assert_eq!(ada.client.ask(hand(true)).await["code"], "rate_limited", "the session is the same");
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(ada.client.ask(hand(true)).await["type"], "ack");
}

#[tokio::test]
async fn who_moderates_by_their_token_alone_is_not_muted_with_everybody() {
    let world = World::new().await;
    let mut ada = Caller::enter(&world, "ada", "laptop").await;
    let create = json!({"type": "room.create", "key": "create", "room": "r", "kind": "class", "members": []});
    assert_eq!(ada.client.ask(create).await["type"], "ack");
    ada.opened().await;
    let call = ada.start().await;
    let mut others = Vec::new();
    for (name, role) in [("tutor", Role::Host), ("kid", Role::Member)] {
        let room = RoomId::new("r").expect("legal");
        let ticket = Ticket { rooms: Some(vec![(room, Grant::of(role))]), ..Ticket::of(name) };
        let mut caller = Caller::with(&world, ticket, json!({"type": "hello", "device": "laptop"})).await;
        caller.opened().await;
        assert_eq!(caller.join(call).await["result"]["place"], "in", "{name}");
        others.push(caller);
    }
    let mute = json!({"type": "call.mute", "call": call, "source": "microphone", "state": "muted"});
    assert_eq!(ada.call(mute).await["type"], "ack");
    let muted = ada.event("call.muted").await;
    assert_eq!(muted["users"], json!([others[1].user]), "{muted}");
}

#[tokio::test]
async fn who_has_no_connection_is_told_within_a_second_and_to_newcomers_too() {
    let world = World::new().await;
    let (mut ada, ben, call, _) = linked(&world).await;
    let session = ben.session.clone();
    let away = |got: &Value, is: bool| got["type"] == "call.away" && got["session"] == *session && got["away"] == is;
    let user = ben.user.clone();
    let again = json!({"id": ben.session.clone(), "secret": ben.secret.clone()});
    ben.close();
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(ada.client.wait(|got| away(got, true)).await["call"], call);
    let mut cleo = Caller::enter(&world, "ada", "phone").await;
    cleo.opened().await;
    cleo.client.wait(|got| away(got, true)).await;
    let mut ben = Caller::hello(&world, &user, json!({"type": "hello", "session": again})).await;
    ben.opened().await;
    world.pass(Duration::from_secs(1)).await;
    for who in [&mut ada, &mut cleo] {
        who.client.wait(|got| away(got, false)).await;
    }
}

#[tokio::test]
async fn who_leaves_the_page_is_lost_after_ten_seconds_unless_it_comes_again() {
    let world = World::new().await;
    let (mut ada, mut ben, call, _) = linked(&world).await;
    let leaving = json!({"type": "call.away", "room": "r", "call": call});
    assert_eq!(ben.client.ask(leaving.clone()).await["type"], "ack");
    // It is back within the time, and the word of before counts no more.
    let mut ben = {
        let (again, user) = (json!({"id": ben.session.clone(), "secret": ben.secret.clone()}), ben.user.clone());
        ben.close();
        world.pass(Duration::from_secs(8)).await;
        Caller::hello(&world, &user, json!({"type": "hello", "session": again})).await
    };
    ben.opened().await;
    let (again, user) = (json!({"id": ben.session.clone(), "secret": ben.secret.clone()}), ben.user.clone());
    ben.close();
    world.pass(Duration::from_secs(20)).await;
    assert_eq!(ada.now().await["call"]["participants"].as_array().map(Vec::len), Some(2));
    let mut ben = Caller::hello(&world, &user, json!({"type": "hello", "session": again})).await;
    ben.opened().await;
    assert_eq!(ben.client.ask(leaving.clone()).await["type"], "ack");
    ben.close();
    world.pass(Duration::from_secs(12)).await;
    assert_eq!(ada.event("call.left").await["reason"], "lost");
    // Only for who is in the call.
    let mut cleo = Caller::enter(&world, "cleo", "laptop").await;
    assert_eq!(cleo.client.ask(leaving).await["code"], "not_found");
}
