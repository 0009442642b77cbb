//! A deployment in one thread of virtual time: its database, its wires, its nodes' processes and its clients.

use super::{
    Dice,
    client::Client,
    database::{Change, Database},
    link::Link,
    oracle,
    plan::{Act, ClientAct, Plan},
    process::{Life, Process, ProcessClock},
    trace::Trace,
    view::list,
    wire::{Weather, Wires},
};
use crate::{
    auth::{Minter, Ticket},
    config::{Config, Limits},
    hub::{
        Cluster, Hub, Parts,
        tests::{config, parts},
    },
    node::BootId,
    storage::NewEvent,
};
use parking_lot::Mutex;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use stoa_protocol::{Epoch, MemberJoined, Role, RoomCreated, RoomEventBody, RoomId, RoomKind, Seq, UserId};
use tokio::time::{Instant, sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A node that runs.
struct Node {
    process: Arc<Process>,
    hub: Arc<Hub>,
}

/// The deployment.
pub struct World {
    /// What everything follows from.
    pub seed: u64,
    /// What happens.
    pub trace: Arc<Trace>,
    /// The one database.
    pub database: Arc<Database>,
    /// The rooms.
    pub rooms: Vec<RoomId>,
    /// The users; each is a member of each room.
    pub users: Vec<UserId>,
    /// The clients.
    pub clients: Mutex<Vec<Arc<Client>>>,
    wires: Arc<Wires>,
    epoch: Instant,
    nodes: Mutex<Vec<Option<Node>>>,
    /// The clock's distance of each node.
    clocks: Vec<i64>,
    lives: Mutex<u64>,
    config: Config,
    minter: Minter,
    /// Nothing of the plan makes somebody look absent who is there.
    is_clear: bool,
    /// Since when each user is connected, or was last.
    present: Mutex<BTreeMap<UserId, Presence>>,
    /// Faults are over: nodes that die come back at once.
    is_calm: Mutex<bool>,
}

#[derive(Clone, Copy)]
struct Presence {
    /// Since when the user was there, with gaps that are within every grace.
    since: Instant,
    /// When they were last seen there.
    last: Instant,
}

/// A gap within which somebody comes back without having left.
const GAP: Duration = Duration::from_secs(6);

impl World {
    /// The deployment of a plan, with its rooms, before anybody has come.
    pub fn new(plan: &Plan, trace: Arc<Trace>, epoch: Instant) -> Arc<Self> {
        let count = plan.clients.iter().map(|(user, _)| user + 1).max().unwrap_or(0);
        let users: Vec<_> = (0..count).map(|at| UserId::new(format!("u{at}")).expect("legal")).collect();
        let rooms: Vec<_> = (0..plan.rooms).map(|at| RoomId::new(format!("r{at}")).expect("legal")).collect();
        let database = Database::new(trace.clone(), epoch);
        found(&database, &rooms, &users);
        let config = config();
        let minter = Minter::new(&config.issuers[0]).expect("a secret mints");
        Arc::new(Self {
            seed: plan.seed,
            wires: Wires::new(trace.clone()),
            trace,
            database,
            rooms,
            users,
            clients: Mutex::default(),
            epoch,
            nodes: Mutex::new(plan.clocks.iter().map(|_| None).collect()),
            clocks: plan.clocks.clone(),
            lives: Mutex::new(0),
            config,
            minter,
            is_clear: plan.is_clear(),
            present: Mutex::default(),
            is_calm: Mutex::new(false),
        })
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> u64 {
        self.clocks.len() as u64
    }

    /// A user's token.
    pub fn token(&self, user: &UserId) -> String {
        self.minter.mint(&Ticket::of(user.as_str()), self.database.now())
    }

    /// Begins another life of a node. It serves when it has its lease.
    pub fn boot(self: &Arc<Self>, node: usize) {
        let life = {
            let mut lives = self.lives.lock();
            *lives += 1;
            *lives
        };
        let dice = Dice::from(self.seed.wrapping_mul(1_000_003) ^ life);
        let process = Process::new(node, self.clocks[node], self.epoch, dice, self.trace.clone());
        self.trace.say(|| format!("node {node} begins its life {life}"));
        let boot = BootId::fresh();
        let (bus, heard) = self.wires.join(&process, boot);
        let cluster = Cluster { bus, heard, boot, name: format!("node {node}"), alone: false };
        let store = Arc::new(self.database.reached_by(&process));
        let made = parts(&self.config, store, Arc::new(ProcessClock(process.clone())), cluster);
        let (hub, tasks) = Hub::new(Parts { limits: tight(), lanes: 2, ..made });
        let world = self.clone();
        let reborn = (Arc::downgrade(self), process.clone());
        process.at_death(move || {
            if let Some(world) = reborn.0.upgrade() {
                world.buried(&reborn.1);
            }
        });
        tokio::spawn(async move {
            while hub.join().await.is_err() {
                sleep(Duration::from_millis(500)).await;
            }
            if process.is_dead() {
                return;
            }
            let stop = CancellationToken::new();
            tasks.spawn(&hub, &TaskTracker::new(), &stop, &stop);
            hub.arrive().await;
            world.nodes.lock()[node] = Some(Node { process, hub });
        });
    }

    /// A process has died: nobody reaches it any more, and in the end there is a next life.
    fn buried(self: &Arc<Self>, process: &Arc<Process>) {
        let node = process.node;
        {
            let mut nodes = self.nodes.lock();
            if nodes[node].as_ref().is_some_and(|node| Arc::ptr_eq(&node.process, process)) {
                nodes[node] = None;
            }
        }
        let (world, wait) = (self.clone(), if *self.is_calm.lock() { 0 } else { process.chance(8_000) });
        tokio::spawn(async move {
            sleep(Duration::from_millis(wait)).await;
            world.boot(node);
        });
    }

    fn process(&self, node: usize) -> Option<Arc<Process>> {
        self.nodes.lock()[node].as_ref().map(|node| node.process.clone())
    }

    /// Connects to a node; `None` when nobody accepts there.
    pub fn connect(&self, node: usize) -> Option<Arc<Link>> {
        let nodes = self.nodes.lock();
        let node = nodes[node].as_ref().filter(|node| node.process.life() != Life::Dead)?;
        Some(Link::open(&node.process, &node.hub))
    }

    /// Begins: nodes, and then clients.
    pub async fn begin(self: &Arc<Self>, plan: &Plan) {
        (0..plan.clocks.len()).for_each(|node| self.boot(node));
        sleep(Duration::from_millis(1_500)).await;
        for (at, (user, home)) in plan.clients.iter().enumerate() {
            let client = Client::start(self, at, self.users[*user].clone(), *home);
            self.clients.lock().push(client);
        }
        sleep(Duration::from_millis(2_500)).await;
    }

    /// Does one thing of the plan.
    pub fn act(self: &Arc<Self>, act: &Act) {
        self.trace.say(|| format!("-- {act:?}"));
        match act.clone() {
            Act::Client { client, act } => self.clients.lock()[client].order(act),
            Act::Kill { node } => {
                if let Some(process) = self.process(node) {
                    process.die();
                }
            }
            Act::Freeze { node, for_ms, clock_stands } => {
                let Some(process) = self.process(node) else { return };
                process.freeze();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(for_ms)).await;
                    process.thaw(if clock_stands { for_ms } else { 0 });
                });
            }
            Act::Harm { node, point, harm } => {
                if let Some(process) = self.process(node) {
                    process.arm(point, harm);
                }
            }
            Act::LoseStore { node, for_ms } => {
                if let Some(process) = self.process(node) {
                    process.lose_store(for_ms);
                }
            }
            Act::Cut { node, for_ms, silently } => {
                self.wires.cut(node, silently);
                let world = self.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(for_ms)).await;
                    world.wires.heal(node);
                });
            }
            Act::Lose { node, count } => self.wires.lose(node, count),
            Act::Weather(weather) => self.wires.turn(weather),
            Act::ClockStep { node, by_ms } => {
                if let Some(process) = self.process(node) {
                    process.step_clock(i64::try_from(by_ms).expect("a step is short"));
                }
            }
        }
    }

    /// Everything heals: what is asked at rest must be true some time later.
    pub fn calm(self: &Arc<Self>) {
        self.trace.say(|| "-- everything heals".into());
        *self.is_calm.lock() = true;
        self.wires.turn(Weather::FAIR);
        for node in 0..self.clocks.len() {
            self.wires.heal(node);
            self.wires.lose(node, 0);
            if let Some(process) = self.process(node) {
                process.disarm();
                process.thaw(0);
            }
        }
    }

    /// The wires take messages and deliver none; nobody notices.
    pub fn silence(&self) {
        self.wires.turn(Weather { lost: 1_000, ..Weather::FAIR });
    }

    /// Every client says something of each kind, everywhere.
    pub fn everybody_speaks(&self) {
        for client in self.clients.lock().iter() {
            for room in 0..self.rooms.len() {
                client.order(ClientAct::Read { room });
                client.order(ClientAct::Send { room, count: 1, bytes: 0 });
                client.order(ClientAct::Mention { room, user: room % self.users.len() });
            }
        }
    }

    /// What a client is told of who is there: nobody has left who came back in time.
    pub fn watch_presence(&self, client: &Client, frame: &Value) {
        if frame["type"] != "presence" || !self.is_clear {
            return;
        }
        for told in list(&frame["changed"]).filter(|told| told["state"] == "offline") {
            let Some(user) = self.users.iter().find(|user| told["user"] == user.as_str()) else { continue };
            let known = self.present.lock().get(user).copied();
            let is_there = known.is_some_and(|p| p.last.elapsed() < GAP && p.since.elapsed() > 2 * oracle::GRACES);
            if is_there {
                let seen = format!("client {} is told that {user} has left, who has not", client.at);
                self.trace.wrong("left", seen);
            }
        }
    }

    /// A user says how present they are: what is told of them now and a while later is so.
    pub fn presence_is_set(&self, user: &UserId) {
        self.present.lock().remove(user);
    }

    /// Notes who is there now; called often enough.
    pub fn look_who_is_there(&self) {
        let now = Instant::now();
        let there = |client: &Arc<Client>| {
            let mind = client.mind.lock();
            (mind.is_welcome && mind.state != "offline").then(|| client.user.clone())
        };
        let there: Vec<UserId> = self.clients.lock().iter().filter_map(there).collect();
        let mut present = self.present.lock();
        for user in there {
            let known = present.entry(user).or_insert(Presence { since: now, last: now });
            if known.last + GAP < now {
                known.since = now;
            }
            known.last = now;
        }
        // Who hides is gone at once.
        for client in self.clients.lock().iter() {
            if client.mind.lock().state == "offline" {
                present.remove(&client.user);
            }
        }
    }
}

/// Bounds that are met: a ring that does not reach back, rooms that leave memory, batches that are full.
fn tight() -> Limits {
    Limits {
        frames_per_s: 10_000,
        commands_per_user_s: 10_000,
        commands_per_room_s: 10_000,
        typing_per_s: 1_000,
        ring_events: 12,
        room_idle_ms: 3_000,
        ..Limits::default()
    }
}

/// The rooms with their members, as somebody has made them before.
fn found(database: &Database, rooms: &[RoomId], users: &[UserId]) {
    let now = database.now();
    let mut changes = Vec::new();
    for room in rooms {
        changes.push(Change::Reserve(room.clone(), Epoch::new(format!("life-of-{room}")).expect("legal")));
        let created = RoomEventBody::RoomCreated(RoomCreated::new(RoomKind::Group));
        let joined = users.iter().map(|user| {
            let (user, role) = (user.clone(), Role::Host);
            RoomEventBody::MemberJoined(MemberJoined { user, role, capabilities: None, data: None })
        });
        let bodies = std::iter::once(created).chain(joined).enumerate();
        let events = bodies.map(|(at, body)| NewEvent {
            room: room.clone(),
            seq: Seq::new(at as u64 + 1).expect("legal"),
            at: now,
            from: Some(users[0].clone()),
            key: None,
            body,
        });
        changes.push(Change::Events(events.collect()));
    }
    database.tables.lock().commit(changes, now);
}
