//! Many nodes: real processes on one Postgres and one Redis, killed, frozen and cut off from each other.

mod bus;
mod calls;
mod database;
mod kills;

use crate::{
    boards::Peer,
    harness::{Backend, Client, Memory, Redis, Server, Setup, Token, commands::*, fresh_database, room, user},
    load::{Outcome, Pace, verdict},
};
use std::time::Duration;
use stoa_protocol::{
    ChatSend, Command, DocVersions, DocumentId, Hello, Reply, Role, RoomEventBody, RoomId, RoomKind, Seq, SessionResume,
};

/// What people say under the load of these tests: enough to be in the middle of something whenever anything happens, and
/// little enough that delays are the server's.
const PACE: Pace = Pace::Each(Duration::from_millis(100));
/// Longer than whoever was connected to a node that died is held there for.
const GRACE: Duration = Duration::from_secs(14);

/// Nodes of one deployment, with a Redis that a test may end.
struct Cluster {
    redis: Redis,
    database: String,
    nodes: Vec<Server>,
}

impl Cluster {
    async fn start(count: usize) -> Self {
        Self::on(fresh_database().await, count).await
    }

    /// Nodes on this database.
    async fn on(database: String, count: usize) -> Self {
        let mut cluster = Self { redis: Redis::start(&[]).await, database, nodes: vec![] };
        for _ in 0..count {
            cluster.add_node_by(&cluster.redis.url()).await;
        }
        cluster
    }

    /// One node more, which has Redis at this address.
    async fn add_node_by(&mut self, redis: &str) {
        let setup = Setup::node(&self.database, redis).without_rates().variable("STOA_DRAIN_SECONDS", 1);
        self.nodes.push(setup.start().await);
    }

    /// What everybody of a run was told, what newcomers read at each node, and what the tables have, are one.
    async fn is_flawless(&mut self, outcome: &Outcome) {
        let logs = self.nodes.iter().map(Server::log).collect::<Vec<_>>().join("\n");
        let wrong = verdict::judge(outcome);
        assert!(wrong.is_empty(), "{} things are wrong:\n{}\n{logs}", wrong.len(), wrong.join("\n"));
        for node in &self.nodes {
            let wrong = verdict::compare_with_history(outcome, node).await;
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }
        for node in &mut self.nodes {
            node.stop().await;
        }
        let wrong = verdict::compare_with_tables(outcome, &self.database, Backend::Postgres).await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// Whoever moved between nodes, or was held while they did, was there all the time.
fn nobody_left(outcome: &Outcome) {
    assert!(outcome.flaps.is_empty(), "nobody left:\n{}", outcome.flaps.join("\n"));
}

/// Somebody with a room open, who comes again to any node.
struct Person {
    name: &'static str,
    room: RoomId,
    client: Option<Client>,
    memory: Option<(Memory, SessionResume)>,
    /// What was sent and not answered.
    waiting: Vec<ChatSend>,
    acknowledged: Vec<(Seq, String)>,
    said: usize,
}

impl Person {
    async fn enter(node: &Server, name: &'static str, room: &RoomId) -> Self {
        let mut client = node.client(name).await;
        client.open(room).await;
        let (client, room) = (Some(client), room.clone());
        Self { name, room, client, memory: None, waiting: vec![], acknowledged: vec![], said: 0 }
    }

    fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("connected")
    }

    /// The connection is gone.
    fn leave(&mut self) {
        if let Some(client) = self.client.take() {
            let session = client.session();
            self.memory = Some((client.hang_up(), session));
        }
    }

    /// Comes to a node with everything that was had, and says again what was not answered.
    async fn come(&mut self, node: &Server) {
        let (memory, session) = self.memory.take().expect("was there before");
        let mut client = Client::dial(node).await;
        let token = Token::of(self.name).sign();
        let hello = Hello { token, session: Some(session), user: None, list: false, device: None, client: None };
        client.hello_with(hello).await;
        client.carry_on(memory);
        let cursor = client.cursor(&self.room);
        let opened = client.open_since(&self.room, Some(cursor)).await;
        assert!(opened.snapshot.is_none() && !opened.reset, "{}: the cursor is taken up", self.name);
        self.client = Some(client);
        for send in std::mem::take(&mut self.waiting) {
            self.send(send).await;
        }
    }

    async fn say(&mut self) {
        self.said += 1;
        let text = format!("{} {}", self.name, self.said);
        self.send(words(&self.room, &text)).await;
    }

    /// Sends, and waits for the answer; without one it is for the next connection.
    async fn send(&mut self, send: ChatSend) {
        let id = match self.client().try_send(Command::ChatSend(send.clone())).await {
            Ok(id) => id,
            Err(_) => return self.waiting.push(send),
        };
        match self.client().try_reply(id).await {
            Some(Ok(ack)) => self.acknowledged.push((ack.seq.expect("a number"), send.text)),
            // The database or the node was not to be had: the same key again.
            Some(Err(_)) | None => self.waiting.push(send),
        }
    }

    fn texts(&mut self) -> Vec<(Seq, String)> {
        let room = self.room.clone();
        let sent = self.client().journal.events(&room).filter_map(|event| match &event.body {
            RoomEventBody::ChatSent(sent) => Some((event.seq, sent.text.clone())),
            _ => None,
        });
        sent.collect()
    }
}

/// A room of these people, each on a node of their own.
async fn gathered(cluster: &Cluster, names: &[&'static str]) -> Vec<Person> {
    let id = room("r");
    let mut host = cluster.nodes[0].client("host").await;
    host.commit(Command::RoomCreate(create(&id, RoomKind::Group))).await;
    for name in names {
        host.commit(add(&id, &user(name), Role::Member)).await;
    }
    let mut people = Vec::new();
    for (at, name) in names.iter().enumerate() {
        people.push(Person::enter(&cluster.nodes[at % cluster.nodes.len()], name, &id).await);
    }
    people
}

/// Everybody has everything, once and in one order, and nothing that was acknowledged is missing.
async fn agree(people: &mut [Person]) {
    let last = people.iter().flat_map(|person| &person.acknowledged).map(|(seq, _)| *seq).max().expect("some was said");
    let mut logs = Vec::new();
    for person in people.iter_mut() {
        let room = person.room.clone();
        person.client().reach(&room, last).await;
        assert_eq!(person.client().journal.faults(), Vec::<String>::new(), "{}", person.name);
        logs.push(person.texts());
    }
    // Who opened the room earlier has been told more.
    let shortest = logs.iter().map(Vec::len).min().expect("there are some");
    let tails: Vec<_> = logs.iter().map(|log| &log[log.len() - shortest..]).collect();
    assert!(tails.windows(2).all(|pair| pair[0] == pair[1]), "one log for all");
    for person in people.iter() {
        assert!(person.waiting.is_empty(), "{}: everything was answered in the end", person.name);
        for said in &person.acknowledged {
            let times = logs[0].iter().filter(|known| *known == said).count();
            assert_eq!(times, 1, "{}: {said:?} was acknowledged", person.name);
        }
    }
}

#[tokio::test]
async fn people_on_three_nodes_have_one_conversation() {
    let cluster = Cluster::start(3).await;
    let mut people = gathered(&cluster, &["ada", "ben", "cyd"]).await;
    for _ in 0..20 {
        for person in &mut people {
            person.say().await;
        }
    }
    agree(&mut people).await;
}

#[tokio::test]
async fn a_frozen_node_holds_nobody_up_and_goes_on_afterwards() {
    let cluster = Cluster::start(2).await;
    let mut people = gathered(&cluster, &["ada", "ben"]).await;
    cluster.nodes[1].freeze(true);
    for _ in 0..5 {
        people[0].say().await;
    }
    assert!(people[0].waiting.is_empty(), "the other node's room answers");
    cluster.nodes[1].freeze(false);
    people[1].say().await;
    if !people[1].waiting.is_empty() {
        // Its lease may have run out: then the first try is refused, and the same key goes through.
        people[1].leave();
        people[1].come(&cluster.nodes[1]).await;
    }
    agree(&mut people).await;
}

#[tokio::test]
async fn a_board_is_drawn_on_two_nodes_at_once_and_survives_the_death_of_one() {
    let mut cluster = Cluster::start(2).await;
    let _people = gathered(&cluster, &["ada", "ben"]).await;
    let id = room("r");
    let mut ada = Peer::open(&cluster.nodes[0], "ada", &id).await;
    let mut ben = Peer::open(&cluster.nodes[1], "ben", &id).await;
    for n in 0..50 {
        ada.draw(&format!("a{}", n % 7), n).await;
        ben.draw(&format!("b{}", n % 5), n).await;
        ada.draw("both", n).await;
        ben.draw("both", 1_000 + n).await;
    }
    ada.all_saved().await;
    ben.all_saved().await;
    ada.same_as(&mut ben).await;
    cluster.nodes[1].kill().await;
    ben.close().await;
    ben.draw_offline("late", 1);
    ada.draw("late too", 2).await;
    ben.reopen(&cluster.nodes[0]).await;
    ben.all_saved().await;
    ada.all_saved().await;
    ada.same_as(&mut ben).await;
    assert!(ada.entries().iter().any(|(key, _)| key == "late"));
}

#[tokio::test]
async fn what_was_drawn_is_kept_as_one_version_by_all_nodes_together() {
    let mut cluster = Cluster::start(3).await;
    let _people = gathered(&cluster, &["ada", "ben"]).await;
    let id = room("r");
    let mut ada = Peer::open(&cluster.nodes[0], "ada", &id).await;
    let mut ben = Peer::open(&cluster.nodes[1], "ben", &id).await;
    ada.draw("key", 1).await;
    ben.has_drawn("key", 1).await;
    ben.draw("key", 2).await;
    ada.has_drawn("key", 2).await;
    // Each node keeps what it has when it ends, unless another one has done so.
    for at in [0, 1] {
        assert!(cluster.nodes[at].stop().await.success());
    }
    let versions =
        DocVersions { room: id.clone(), document: DocumentId::new("board").expect("legal"), before: None, limit: None };
    match cluster.nodes[2].client("ada").await.ask(Command::DocVersions(versions)).await {
        Reply::Versions { versions, .. } => assert_eq!(versions.len(), 1, "{versions:?}"),
        other => panic!("versions were asked for, and not {other:?}"),
    }
}

/// SQLite belongs to one process: a Redis beside it is refused before anything starts.
#[tokio::test]
async fn a_redis_beside_sqlite_is_refused() {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_stoa"))
        .args(["serve", "--dev", "--redis-url", "redis://127.0.0.1:1"])
        .env_remove("STOA_DATABASE_URL")
        .output()
        .await
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("redis_url"), "{said}");
}
