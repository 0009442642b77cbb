//! What promises time, on a virtual clock: sessions over mailboxes without sockets, a real SQLite store.

use super::{Cluster, Hub, HubHandler, Parts};
use crate::{
    auth::{Minter, Ticket, Verifier},
    clock::{Clock, VirtualClock},
    config::{Config, Layers, Limits},
    gateway::{Handler, Mailbox, Peer, Session, TestSink},
    metrics::Metrics,
    storage::{SharedStore, sqlite},
};
use serde_json::{Value, json};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use stoa_protocol::{CloseCode, Millis, Role, RoomId};
use stoa_rooms::Grant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

mod arrive;
mod links;
mod nodes;
mod reach;

const START: Millis = 1_700_000_000_000;

mod calls;

struct World {
    hub: Arc<Hub>,
    clock: VirtualClock,
    minter: Minter,
    /// How much longer than they say tokens hold.
    leeway: Duration,
    stop: CancellationToken,
    _folder: Arc<tempfile::TempDir>,
}

/// What the worlds of one deployment share.
struct Shared {
    folder: Arc<tempfile::TempDir>,
    store: SharedStore,
    clock: VirtualClock,
}

impl Shared {
    async fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let store = sqlite::open(&folder.path().join("stoa.db"), true).await.expect("a store");
        Self { folder, store, clock: VirtualClock::new(START) }
    }
}

/// What an operator would say.
pub(super) fn config() -> Config {
    let secret = "a secret of thirty-two characters";
    let layers = Layers::new().variables([("STOA_SECRET".to_owned(), secret.to_owned())]);
    Config::read(layers).expect("a legal configuration")
}

/// What a node is made of.
pub(super) fn parts(config: &Config, store: SharedStore, clock: Arc<dyn Clock>, cluster: Cluster) -> Parts {
    let guests = crate::config::Secret::new(b"the secret of guests, thirty-two bytes").expect("long enough");
    Parts {
        store,
        clock,
        verifier: Arc::new(Verifier::new(config, None).with_guests(guests.clone())),
        limits: Limits { frames_per_s: 10_000, ..Limits::default() },
        metrics: Arc::new(Metrics::new()),
        lanes: 1,
        secret: [7; 32],
        guests: Minter::guests(guests),
        public_url: "https://live.example".into(),
        ice: Arc::new(super::NoIce),
        loopback: false,
        cluster,
    }
}

impl World {
    async fn new() -> Self {
        Self::among(&Shared::new().await, Cluster::alone()).await
    }

    /// One node of a deployment.
    async fn among(shared: &Shared, cluster: Cluster) -> Self {
        let (config, clock) = (config(), shared.clock.clone());
        let (hub, tasks) = Hub::new(parts(&config, shared.store.clone(), Arc::new(clock.clone()), cluster));
        hub.join().await.expect("the store answers");
        let stop = CancellationToken::new();
        tasks.spawn(&hub, &TaskTracker::new(), &stop, &stop);
        let minter = Minter::new(&config.issuers[0]).expect("a secret mints");
        Self { hub, clock, minter, leeway: config.leeway, stop, _folder: shared.folder.clone() }
    }

    /// Moves the clock in steps of the timer, and lets every task run in between.
    async fn pass(&self, time: Duration) {
        let steps = time.as_millis().div_ceil(250);
        for _ in 0..steps {
            self.clock.advance(Duration::from_millis(250));
            self.settle().await;
        }
    }

    /// Runs until the tasks have nothing left to do at this time: the store works on threads of its own, so a
    /// write that is on its way is waited for by one behind it.
    async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.hub.store.health().await.expect("the store answers");
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    fn token(&self, ticket: Ticket) -> String {
        self.minter.mint(&ticket, self.clock.now())
    }

    async fn enter(&self, user: &str) -> Client {
        let ticket = Ticket { create: Some(true), direct: Some(true), ..Ticket::of(user) };
        self.enter_with(ticket).await
    }

    async fn enter_with(&self, ticket: Ticket) -> Client {
        let token = self.token(ticket);
        let mut client = self.connect();
        client.say(json!({"type": "hello", "token": token})).await.expect("welcome");
        client
    }

    fn connect(&self) -> Client {
        let (mailbox, sink) = Mailbox::for_test();
        let peer = Peer { address: Ipv4Addr::LOCALHOST.into(), secure: false };
        let session = HubHandler(self.hub.clone()).accept(&peer, mailbox);
        Client { session, sink, next: 1, got: Vec::new() }
    }
}

struct Client {
    session: Box<dyn Session>,
    sink: TestSink,
    next: u64,
    got: Vec<Value>,
}

impl Client {
    async fn say(&mut self, mut frame: Value) -> Result<u64, CloseCode> {
        let id = self.next;
        self.next += 1;
        frame["id"] = id.into();
        self.session.text(&frame.to_string()).await?;
        Ok(id)
    }

    /// Says something and waits for its answer.
    async fn ask(&mut self, frame: Value) -> Value {
        let id = self.say(frame).await.expect("the connection lives");
        self.wait(|got| got["id"] == id).await
    }

    fn read(&mut self) {
        let texts = self.sink.take();
        self.got.extend(texts.iter().map(|text| serde_json::from_str::<Value>(text).expect("JSON")));
    }

    /// Takes the first frame that fits, waiting for it.
    async fn wait(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let found = async {
            loop {
                self.read();
                if let Some(at) = self.got.iter().position(&fits) {
                    return self.got.remove(at);
                }
                self.sink.changed().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), found).await.expect("the frame comes")
    }

    /// Everything that came and was not taken.
    fn rest(&mut self) -> Vec<Value> {
        self.read();
        std::mem::take(&mut self.got)
    }

    /// The last that was told of somebody. A reply flushes what was pushed before it, whatever spaces the passes.
    async fn presence_of(&mut self, user: &str) -> Option<String> {
        self.ask(json!({"type": "ping"})).await;
        let told = self.rest().into_iter().filter(|got| got["type"] == "presence").rev();
        let changed = told.flat_map(|got| got["changed"].as_array().cloned().unwrap_or_default());
        changed.into_iter().find(|p| p["user"] == user).map(|p| p["state"].as_str().expect("a state").to_owned())
    }

    async fn create(&mut self, room: &str, members: &[&str]) {
        let members: Vec<_> = members.iter().map(|user| json!({ "user": user })).collect();
        let create = json!({"type": "room.create", "key": "create", "room": room, "kind": "group", "members": members});
        assert_eq!(self.ask(create).await["type"], "ack");
        self.open(room).await;
    }

    async fn open(&mut self, room: &str) -> Value {
        let opened = self.ask(json!({"type": "room.open", "room": room})).await;
        assert_eq!(opened["type"], "ack", "{opened}");
        opened["result"].clone()
    }

    async fn send(&mut self, room: &str, key: &str, text: &str) -> Value {
        self.ask(json!({"type": "chat.send", "room": room, "key": key, "text": text})).await
    }
}

#[tokio::test]
async fn a_stranger_has_five_seconds_to_say_hello() {
    let world = World::new().await;
    let mut client = world.connect();
    assert_eq!(client.session.deadline(), Some(START + 5_000));
    world.clock.advance(Duration::from_millis(4_999));
    assert_eq!(client.session.tick().await, Ok(()));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(client.session.tick().await, Err(CloseCode::HelloTimeout));
}

#[tokio::test]
async fn a_token_is_told_to_end_then_ends_and_a_new_one_goes_on() {
    let world = World::new().await;
    let mut ada = world.enter_with(Ticket { expires_in_s: 120, ..Ticket::of("ada") }).await;
    world.clock.advance(Duration::from_secs(60) + world.leeway);
    assert_eq!(ada.session.tick().await, Ok(()));
    ada.wait(|got| got["type"] == "token.expiring").await;
    let token = world.token(Ticket { expires_in_s: 120, ..Ticket::of("ada") });
    let reply = ada.ask(json!({"type": "token.refresh", "token": token})).await;
    assert_eq!(reply["result"]["kind"], "token", "{reply}");
    world.clock.advance(Duration::from_secs(119) + world.leeway);
    assert_eq!(ada.session.tick().await, Ok(()));
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(ada.session.tick().await, Err(CloseCode::Expired));
    let stolen = world.token(Ticket::of("eve"));
    let mut ada = world.enter("ada").await;
    assert_eq!(ada.ask(json!({"type": "token.refresh", "token": stolen})).await["code"], "forbidden");
}

#[tokio::test]
async fn presence_survives_a_reload_and_ends_within_ten_seconds_of_a_closed_socket() {
    let world = World::new().await;
    let mut ada = world.enter("ada").await;
    ada.create("r", &["ben"]).await;
    let mut ben = world.enter("ben").await;
    ben.open("r").await;
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(ada.presence_of("ben").await.as_deref(), Some("online"));

    // A reload: the socket closes and comes back.
    ben.session.closed(false);
    world.pass(Duration::from_secs(5)).await;
    let mut ben = world.enter("ben").await;
    ben.open("r").await;
    world.pass(Duration::from_secs(10)).await;
    assert!(ada.presence_of("ben").await.is_none_or(|state| state == "online"), "a reload is no leave");

    // The tab is closed.
    ben.session.closed(true);
    world.pass(Duration::from_secs(7)).await;
    assert_eq!(ada.presence_of("ben").await.filter(|state| state == "offline"), None, "within the grace");
    world.pass(Duration::from_secs(3)).await;
    assert_eq!(ada.presence_of("ben").await.as_deref(), Some("offline"));
}

#[tokio::test]
async fn a_leave_is_told_within_a_second() {
    let world = World::new().await;
    let mut ada = world.enter("ada").await;
    ada.create("r", &["ben"]).await;
    let mut ben = world.enter("ben").await;
    ben.open("r").await;
    world.pass(Duration::from_secs(1)).await;
    ada.rest();
    ben.ask(json!({"type": "presence.set", "state": "offline"})).await;
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(ada.presence_of("ben").await.as_deref(), Some("offline"));
}

#[tokio::test]
async fn typing_is_told_and_ends_by_itself() {
    let world = World::new().await;
    let mut ada = world.enter("ada").await;
    ada.create("r", &["ben"]).await;
    let mut ben = world.enter("ben").await;
    ben.open("r").await;
    ben.ask(json!({"type": "typing", "room": "r", "on": true})).await;
    world.pass(Duration::from_secs(1)).await;
    let told = ada.wait(|got| got["type"] == "typing").await;
    assert_eq!(told["users"], json!(["ben"]));
    world.pass(Duration::from_secs(7)).await;
    let told = ada.wait(|got| got["type"] == "typing").await;
    assert_eq!((&told["users"], &told["count"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn a_window_that_closes_ends_an_open_attachment_within_a_second() {
    let world = World::new().await;
    let mut ada = world.enter("ada").await;
    ada.create("r", &[]).await;
    let until = (world.clock.now() / 1_000 + 30) * 1_000;
    let grant = Grant { until: Some(until), ..Grant::of(Role::Member) };
    let rooms = vec![(RoomId::new("r").expect("legal"), grant)];
    let mut ben = world.enter_with(Ticket { rooms: Some(rooms), ..Ticket::of("ben") }).await;
    let opened = ben.open("r").await;
    assert_eq!(opened["access"]["until"], until);
    world.pass(Duration::from_secs(29)).await;
    ben.ask(json!({"type": "ping"})).await;
    assert!(!ben.rest().iter().any(|got| got["type"] == "room.closed"));
    assert_eq!(ben.send("r", "k1", "in time").await["type"], "ack");
    world.pass(Duration::from_secs(2)).await;
    ben.wait(|got| got["type"] == "room.closed").await;
    assert_eq!(ben.send("r", "k2", "too late").await["code"], "not_found");
}

#[tokio::test]
async fn a_mute_ends_by_itself_and_its_reader_is_told() {
    let world = World::new().await;
    let mut ada = world.enter("ada").await;
    ada.create("r", &["ben"]).await;
    let mut ben = world.enter("ben").await;
    ben.open("r").await;
    let until = world.clock.now() + 10_000;
    let mute = json!({"type": "member.update", "room": "r", "key": "m", "user": "ben", "muted_until": until});
    assert_eq!(ada.ask(mute).await["type"], "ack");
    let told = ben.wait(|got| got["type"] == "room.access").await;
    assert!(!told["access"]["capabilities"].as_array().expect("a list").contains(&json!("send")));
    let refused = ben.send("r", "k1", "hm").await;
    assert_eq!((refused["code"].as_str(), refused["retry_after_ms"].as_u64()), (Some("forbidden"), Some(10_000)));
    world.pass(Duration::from_secs(11)).await;
    let told = ben.wait(|got| got["type"] == "room.access").await;
    assert!(told["access"]["capabilities"].as_array().expect("a list").contains(&json!("send")));
    assert_eq!(ben.send("r", "k1", "hm").await["type"], "ack", "a refusal used no key up");
}

#[tokio::test]
async fn a_reader_who_stalls_is_caught_up_in_order_without_holding_others() {
    let world = World::new().await;
    let mut ada = world.enter_with(Ticket { service: true, ..Ticket::of("host") }).await;
    ada.create("r", &["ben"]).await;
    let mut ben = world.enter("ben").await;
    ben.open("r").await;
    ben.sink.block();
    let text = "x".repeat(8 * 1024);
    for n in 0..120 {
        assert_eq!(ada.send("r", &format!("k{n}"), &format!("{n} {text}")).await["type"], "ack");
        world.clock.advance(Duration::from_millis(250));
    }
    let mut numbers = Vec::new();
    while numbers.len() < 120 {
        ben.sink.unblock();
        if ben.sink.take_woken() {
            ben.session.woken().await.expect("the store answers");
        }
        ben.read();
        for got in ben.rest().iter().filter(|got| got["type"] == "chat.sent") {
            let first = got["text"].as_str().and_then(|text| text.split(' ').next()).expect("a number");
            numbers.push(first.parse::<u32>().expect("a number"));
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(numbers, (0..120).collect::<Vec<_>>());
}

#[tokio::test]
async fn revocation_closes_open_connections_and_refuses_old_tokens() {
    let world = World::new().await;
    let old = world.token(Ticket::of("ada"));
    let mut ada = world.enter("ada").await;
    world.clock.advance(Duration::from_secs(2));
    world.hub.revoke(&stoa_protocol::UserId::new("ada").expect("legal"), world.clock.now()).await.expect("revoked");
    ada.rest();
    assert_eq!(ada.sink.close_code(), Some(CloseCode::Revoked.code()));
    let mut again = world.connect();
    let refused = again.say(json!({"type": "hello", "token": old})).await;
    assert_eq!(refused, Err(CloseCode::Revoked));
    world.clock.advance(Duration::from_secs(1));
    world.enter("ada").await;
}

#[tokio::test]
async fn a_log_that_was_set_back_gets_a_new_epoch_and_its_readers_a_snapshot() {
    let world = World::new().await;
    let mut ada = world.enter("ada").await;
    ada.create("r", &[]).await;
    let before = ada.open("r").await;
    for n in 0..3 {
        assert_eq!(ada.send("r", &format!("k{n}"), "lost").await["type"], "ack");
    }
    // A database that was restored behind the server's back.
    let file = world._folder.path().join("stoa.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut database = sqlx::ConnectOptions::connect(&options).await.expect("the file");
    for sql in
        ["DELETE FROM messages WHERE seq > 2", "DELETE FROM events WHERE seq > 2", "UPDATE rooms SET head_seq = 2"]
    {
        sqlx::query(sql).execute(&mut database).await.expect("set back");
    }
    sqlx::Connection::close(database).await.expect("closed");
    ada.rest();
    let acked = ada.send("r", "k9", "after").await;
    assert_eq!(acked["seq"], 3, "{acked}");
    let reset = ada.wait(|got| got["type"] == "room.reset").await;
    assert_ne!(reset["epoch"], before["epoch"]);
    assert_eq!((&reset["seq"], &reset["snapshot"]["messages"][0]["text"]), (&json!(3), &json!("after")));
    let since = json!({"epoch": before["epoch"], "seq": 2});
    let opened = ada.ask(json!({"type": "room.open", "room": "r", "since": since})).await;
    assert_eq!(opened["result"]["reset"], true, "a cursor of the old epoch is void");
}

#[tokio::test]
async fn a_room_comes_into_the_lists_of_its_people_before_anybody_has_opened_it() {
    let world = World::new().await;
    let token = world.token(Ticket::of("ben"));
    let mut ben = world.connect();
    ben.say(json!({"type": "hello", "token": token, "list": true})).await.expect("welcome");
    let mut ada = world.enter_with(Ticket { create: Some(true), ..Ticket::of("ada") }).await;
    let room = json!({"type": "room.create", "key": "c", "room": "r", "kind": "group", "members": [{"user": "ben"}]});
    assert_eq!(ada.ask(room).await["type"], "ack");
    world.pass(Duration::from_secs(2)).await;
    let row = ben.wait(|got| got["type"] == "list").await;
    assert_eq!((&row["entry"]["info"]["room"], &row["entry"]["unread"]), (&json!("r"), &json!(0)));
    assert_eq!(ada.send("r", "k", "hello").await["type"], "ack");
    world.pass(Duration::from_secs(2)).await;
    let row = ben.wait(|got| got["type"] == "list").await;
    assert_eq!((&row["entry"]["unread"], &row["entry"]["last"]["text"]), (&json!(1), &json!("hello")));
}

#[tokio::test]
async fn the_list_tells_rows_and_the_names_in_them_to_who_has_the_room_closed() {
    let world = World::new().await;
    let mut ada = world.enter_with(Ticket { name: Some("Ada".into()), create: Some(true), ..Ticket::of("ada") }).await;
    ada.create("r", &["ben"]).await;
    let token = world.token(Ticket::of("ben"));
    let mut ben = world.connect();
    ben.say(json!({"type": "hello", "token": token, "list": true})).await.expect("welcome");
    assert_eq!(ada.send("r", "k", "hello").await["type"], "ack");
    world.pass(Duration::from_secs(2)).await;
    let row = ben.wait(|got| got["type"] == "list").await;
    assert_eq!((&row["entry"]["unread"], &row["entry"]["last"]["text"]), (&json!(1), &json!("hello")));
    let name = ben.wait(|got| got["type"] == "profile").await;
    assert_eq!((&name["user"], &name["profile"]["name"]), (&json!("ada"), &json!("Ada")));
}
