//! Several nodes on one store and one clock, with a bus that a test cuts.

use super::*;
use crate::cluster::{BootId, Bus, BusHealth, Heard, Topic};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use tokio::sync::{mpsc, watch};

/// Messages that wait for one node.
const WAITING: usize = 10_000;

/// The wires between all nodes.
#[derive(Default)]
struct Wires {
    lines: Vec<Line>,
}

struct Line {
    boot: BootId,
    topics: BTreeSet<Topic>,
    heard: mpsc::Sender<Heard>,
    is_cut: bool,
    generation: watch::Sender<u64>,
}

/// One node's end.
struct TestBus {
    at: usize,
    wires: Arc<Mutex<Wires>>,
}

impl TestBus {
    fn with<T>(&self, act: impl FnOnce(&mut Line) -> T) -> T {
        act(&mut self.wires.lock().lines[self.at])
    }
}

impl Bus for TestBus {
    fn publish(&self, topic: Topic, body: Bytes) {
        let wires = self.wires.lock();
        let own = &wires.lines[self.at];
        let others = wires.lines.iter().enumerate().filter(|(at, _)| *at != self.at).map(|(_, line)| line);
        for line in others.filter(|line| !own.is_cut && !line.is_cut && line.topics.contains(&topic)) {
            let heard = Heard { from: own.boot, topic: topic.clone(), body: body.clone() };
            line.heard.try_send(heard).expect("a test says no more than fits");
        }
    }

    fn subscribe(&self, topic: Topic) {
        self.with(|line| line.topics.insert(topic));
    }

    fn unsubscribe(&self, topic: Topic) {
        self.with(|line| line.topics.remove(&topic));
    }

    fn speak_as(&self, boot: BootId) {
        self.with(|line| line.boot = boot);
    }

    fn health(&self) -> BusHealth {
        let up = self.with(|line| !line.is_cut);
        BusHealth { up, wedged: false, says: "wires".into() }
    }

    fn generation(&self) -> watch::Receiver<u64> {
        self.with(|line| line.generation.subscribe())
    }
}

/// Nodes of one deployment.
pub(super) struct Nodes {
    shared: Shared,
    wires: Arc<Mutex<Wires>>,
    pub(super) nodes: Vec<World>,
}

impl Nodes {
    async fn new(count: usize) -> Self {
        let mut nodes = Self { shared: Shared::new().await, wires: Arc::default(), nodes: vec![] };
        for _ in 0..count {
            nodes.begin().await;
        }
        nodes
    }

    /// One more node; tells its place.
    pub(super) async fn begin(&mut self) -> usize {
        let (sender, heard) = mpsc::channel(WAITING);
        let boot = BootId::fresh();
        let at = {
            let mut wires = self.wires.lock();
            let line =
                Line { boot, topics: BTreeSet::new(), heard: sender, is_cut: false, generation: watch::Sender::new(0) };
            wires.lines.push(line);
            wires.lines.len() - 1
        };
        let bus = Arc::new(TestBus { at, wires: self.wires.clone() });
        let cluster = Cluster { bus, heard, boot, name: format!("node {at}"), alone: false };
        self.nodes.push(World::among(&self.shared, cluster).await);
        at
    }

    /// Cuts a node off the bus, or takes it back.
    pub(super) fn cut(&self, at: usize, is_cut: bool) {
        let mut wires = self.wires.lock();
        let line = &mut wires.lines[at];
        line.is_cut = is_cut;
        if !is_cut {
            line.generation.send_modify(|generation| *generation += 1);
        }
    }

    /// Ends a node without a word: its tasks stop, its lease runs out.
    fn kill(&self, at: usize) {
        self.cut(at, true);
        self.nodes[at].stop.cancel();
    }

    pub(super) async fn pass(&self, time: Duration) {
        for _ in 0..time.as_millis().div_ceil(250) {
            self.shared.clock.advance(Duration::from_millis(250));
            self.settle().await;
        }
    }

    async fn settle(&self) {
        for _ in 0..3 {
            for node in &self.nodes {
                node.settle().await;
            }
        }
    }
}

/// Ada and Ben in a room, each on a node of their own.
pub(super) async fn together() -> (Nodes, Client, Client) {
    let nodes = Nodes::new(2).await;
    let mut ada = nodes.nodes[0].enter("ada").await;
    ada.create("r", &["ben"]).await;
    let mut ben = nodes.nodes[1].enter("ben").await;
    ben.open("r").await;
    (nodes, ada, ben)
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn closed(client: &mut Client) -> Option<u16> {
    client.read();
    client.sink.close_code()
}

fn texts(frames: &[Value]) -> Vec<String> {
    let sent = frames.iter().filter(|got| got["type"] == "chat.sent");
    sent.map(|got| got["text"].as_str().expect("words").to_owned()).collect()
}

#[tokio::test]
async fn what_is_said_on_one_node_is_heard_on_another_and_answered_in_order() {
    let (nodes, mut ada, mut ben) = together().await;
    for at in 0..5 {
        ada.send("r", &format!("a{at}"), &format!("from ada {at}")).await;
        ben.send("r", &format!("b{at}"), &format!("from ben {at}")).await;
    }
    nodes.pass(secs(1)).await;
    let last = |got: &Value| got["text"] == "from ben 4" && got["type"] == "chat.sent";
    let (mut told_ada, mut told_ben) = (vec![], vec![]);
    for (client, told) in [(&mut ada, &mut told_ada), (&mut ben, &mut told_ben)] {
        let end = client.wait(last).await;
        told.extend(client.rest());
        told.push(end);
    }
    let (at_ada, at_ben) = (texts(&told_ada), texts(&told_ben));
    assert_eq!(at_ada.len(), 10);
    assert_eq!(at_ada, at_ben, "one order on both nodes");
}

#[tokio::test]
async fn a_lost_ring_costs_a_second_and_no_message() {
    let (nodes, mut ada, mut ben) = together().await;
    nodes.pass(secs(2)).await;
    nodes.cut(0, true);
    ada.send("r", "k", "not rung").await;
    // The node that does not hear does not know it; the other one's look finds it.
    nodes.pass(secs(1)).await;
    // Time stands still from here on: what comes now has come within it.
    assert_eq!(ben.wait(|got| got["type"] == "chat.sent").await["text"], "not rung");
}

#[tokio::test]
async fn a_mention_reaches_its_user_on_another_node_also_when_the_ring_is_lost() {
    let nodes = Nodes::new(2).await;
    let mut ada = nodes.nodes[0].enter("ada").await;
    ada.create("r", &["ben"]).await;
    let mut ben = nodes.nodes[1].enter("ben").await;
    nodes.pass(secs(2)).await;
    let mention = |key: &str| json!({"type": "chat.send", "room": "r", "key": key, "text": "hi", "mentions": ["ben"]});
    ada.ask(mention("one")).await;
    let is_mention = |got: &Value| got["type"] == "user.mentioned";
    ben.wait(is_mention).await;
    nodes.cut(0, true);
    ada.ask(mention("two")).await;
    nodes.pass(secs(1)).await;
    ben.session.woken().await.expect("the stream is read");
    ben.wait(is_mention).await;
    assert!(!ben.rest().iter().any(is_mention), "each is told once");
}

#[tokio::test]
async fn presence_is_one_over_all_nodes_and_a_change_of_node_is_no_leave() {
    let nodes = Nodes::new(3).await;
    let mut ada = nodes.nodes[0].enter("ada").await;
    ada.create("r", &["ben"]).await;
    let mut ben = nodes.nodes[1].enter("ben").await;
    ben.open("r").await;
    nodes.pass(secs(2)).await;
    assert_eq!(ada.presence_of("ben").await.as_deref(), Some("online"));
    ben.session.closed(false);
    let mut again = nodes.nodes[2].enter("ben").await;
    again.open("r").await;
    nodes.pass(secs(15)).await;
    assert_ne!(ada.presence_of("ben").await.as_deref(), Some("offline"), "no leave was told");
    again.session.closed(false);
    nodes.pass(secs(10)).await;
    assert_eq!(ada.presence_of("ben").await.as_deref(), Some("offline"));
}

#[tokio::test]
async fn people_of_a_dead_node_are_gone_within_fifteen_seconds_and_not_before_they_could_come_back() {
    let nodes = Nodes::new(3).await;
    let mut ada = nodes.nodes[0].enter("ada").await;
    ada.create("r", &["ben", "cyd"]).await;
    let mut ben = nodes.nodes[1].enter("ben").await;
    let mut cyd = nodes.nodes[1].enter("cyd").await;
    ben.open("r").await;
    cyd.open("r").await;
    nodes.pass(secs(10)).await;
    assert_eq!(ada.presence_of("ben").await.as_deref(), Some("online"));
    nodes.kill(1);
    nodes.pass(secs(7)).await;
    assert_ne!(ada.presence_of("ben").await.as_deref(), Some("offline"), "within lease and grace");
    let mut cyd = nodes.nodes[2].enter("cyd").await;
    cyd.open("r").await;
    nodes.pass(secs(8)).await;
    let told = ada.rest();
    let states = |user: &str| -> Vec<String> {
        let told = told.iter().filter(|got| got["type"] == "presence");
        let changed = told.flat_map(|got| got["changed"].as_array().cloned().unwrap_or_default());
        changed.filter(|p| p["user"] == user).map(|p| p["state"].as_str().expect("a state").to_owned()).collect()
    };
    assert_eq!(states("ben").last().map(String::as_str), Some("offline"));
    assert!(!states("cyd").contains(&"offline".to_owned()), "who came back elsewhere never left");
}

#[tokio::test]
async fn without_the_bus_presence_stays_as_last_known_and_is_mended_when_it_is_back() {
    let (nodes, mut ada, mut ben) = together().await;
    nodes.pass(secs(8)).await;
    nodes.cut(1, true);
    ben.session.closed(false);
    nodes.pass(secs(20)).await;
    assert_ne!(ada.presence_of("ben").await.as_deref(), Some("offline"));
    nodes.cut(1, false);
    nodes.pass(secs(3)).await;
    assert_eq!(ada.presence_of("ben").await.as_deref(), Some("offline"));
}

#[tokio::test]
async fn typing_and_read_markers_are_told_on_every_node() {
    let nodes = Nodes::new(2).await;
    let mut ada = nodes.nodes[0].enter("ada").await;
    ada.create("r", &["ben"]).await;
    ada.send("r", "k", "words").await;
    let mut ben = nodes.nodes[1].enter("ben").await;
    let opened = ben.open("r").await;
    let head = opened["head"].clone();
    ben.ask(json!({"type": "typing", "room": "r", "on": true})).await;
    nodes.pass(secs(1)).await;
    assert_eq!(ada.wait(|got| got["type"] == "typing").await["users"], json!(["ben"]));
    ben.ask(json!({"type": "chat.read", "room": "r", "seq": head})).await;
    nodes.pass(secs(1)).await;
    let read = |got: &Value| got["type"] == "read" && got["markers"][0]["user"] == "ben";
    ada.wait(read).await;
    // And when the ring is lost, by the look.
    ada.send("r", "k2", "more words").await;
    nodes.pass(secs(1)).await;
    nodes.cut(1, true);
    let head = head.as_u64().expect("a number") + 1;
    ben.ask(json!({"type": "chat.read", "room": "r", "seq": head})).await;
    nodes.pass(secs(1)).await;
    ada.wait(read).await;
}

#[tokio::test]
async fn a_ban_and_a_revoked_token_end_connections_of_other_nodes_within_a_second_with_and_without_the_bus() {
    for cut in [false, true] {
        let (nodes, mut ada, mut ben) = together().await;
        nodes.pass(secs(2)).await;
        nodes.cut(0, cut);
        ada.ask(json!({"type": "member.ban", "room": "r", "key": "ban", "user": "ben"})).await;
        nodes.pass(secs(1)).await;
        ben.session.woken().await.expect("what the wake was for");
        ben.wait(|got| got["type"] == "room.closed").await;
        let user = stoa_protocol::UserId::new("ben").expect("legal");
        nodes.nodes[0].hub.revoke(&user, nodes.shared.clock.now() + 1).await.expect("revoked");
        nodes.pass(secs(1)).await;
        assert_eq!(closed(&mut ben), Some(CloseCode::Revoked as u16), "bus cut: {cut}");
    }
}

#[tokio::test]
async fn a_deleted_room_is_closed_on_every_node() {
    for cut in [false, true] {
        let (nodes, _ada, mut ben) = together().await;
        nodes.pass(secs(2)).await;
        nodes.cut(0, cut);
        nodes.nodes[0].hub.delete_room(&RoomId::new("r").expect("legal")).await.expect("deleted");
        nodes.pass(secs(1)).await;
        ben.wait(|got| got["type"] == "room.closed").await;
    }
}

#[tokio::test]
async fn a_session_that_comes_to_another_node_ends_its_older_connection() {
    let nodes = Nodes::new(2).await;
    let ticket = Ticket { create: Some(true), ..Ticket::of("ada") };
    let token = nodes.nodes[0].token(ticket);
    let mut first = nodes.nodes[0].connect();
    first.say(json!({"type": "hello", "token": token})).await.expect("welcome");
    let welcome = first.wait(|got| got["type"] == "welcome").await;
    let resume = json!({"id": welcome["session"], "secret": welcome["secret"]});
    let mut second = nodes.nodes[1].connect();
    second.say(json!({"type": "hello", "token": token, "session": resume})).await.expect("welcome");
    nodes.settle().await;
    assert_eq!(closed(&mut first), Some(CloseCode::Replaced as u16));
    assert_eq!(closed(&mut second), None);
}

#[tokio::test]
async fn a_node_whose_lease_ran_out_writes_nothing_and_goes_on_under_another_name() {
    let (nodes, mut ada, mut ben) = together().await;
    nodes.pass(secs(6)).await;
    // As after a freeze: time has passed, and this node has done nothing in it.
    nodes.shared.clock.advance(secs(60));
    // Whether it has found that out before the message comes is chance; that it writes under no lost lease, the
    // simulation asks at each commit.
    let first = ada.send("r", "k", "stale").await;
    assert!(first["code"] == "unavailable" || first["type"] == "ack", "{first}");
    nodes.pass(secs(3)).await;
    let taken = ada.send("r", "k", "stale").await;
    assert_eq!(taken["type"], "ack", "{taken}");
    nodes.pass(secs(1)).await;
    assert_eq!(ben.wait(|got| got["type"] == "chat.sent").await["text"], "stale");
    assert_ne!(ada.presence_of("ben").await.as_deref(), Some("offline"));
}

#[tokio::test]
async fn a_call_goes_over_two_nodes_and_outlives_the_bus() {
    let (nodes, mut ada, mut ben) = together().await;
    nodes.pass(secs(2)).await;
    let started =
        ada.ask(json!({"type": "call.start", "room": "r", "key": "start", "ring": ["ben"], "media": "audio"})).await;
    assert_eq!(started["type"], "ack", "{started}");
    let call = ben.wait(|got| got["type"] == "user.ring").await["call"].clone();
    let joined = ben.ask(json!({"type": "call.join", "room": "r", "key": "join", "call": call})).await;
    assert_eq!(joined["type"], "ack", "{joined}");
    nodes.settle().await;
    let link = ada.wait(|got| got["type"] == "call.link").await;
    ben.wait(|got| got["type"] == "call.link").await;
    let signal = json!({"type": "call.signal", "room": "r", "call": call, "link": link["link"], "epoch": link["epoch"], "n": 1,
        "signal": {"kind": "candidate", "candidate": "", "mid": "0"}});
    let sent = ada.ask(signal).await;
    assert_eq!(sent["type"], "ack", "{sent}");
    nodes.settle().await;
    let got = ben.wait(|got| got["type"] == "call.signal").await;
    assert_eq!(got["n"], 1);
    let confirm = json!({"type": "call.confirm", "room": "r", "call": call, "link": link["link"], "epoch": link["epoch"], "n": 1});
    ben.ask(confirm).await;
    nodes.settle().await;
    assert_eq!(ada.wait(|got| got["type"] == "call.confirmed").await["n"], 1);
    // Nobody is declared gone by a node that cannot hear the others.
    nodes.pass(secs(60)).await;
    nodes.cut(0, true);
    nodes.pass(secs(60)).await;
    let gone = |told: &[Value]| told.iter().any(|got| got["type"] == "call.left");
    assert!(!gone(&ada.rest()) && !gone(&ben.rest()));
    nodes.cut(0, false);
    nodes.pass(secs(5)).await;
    nodes.kill(1);
    nodes.pass(secs(60)).await;
    assert!(gone(&ada.rest()), "the other side's node is dead and it did not come back");
}
