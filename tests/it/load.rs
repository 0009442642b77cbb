//! People who talk without a break, come again when their server dies, and keep a journal.

mod person;
mod times;
pub mod verdict;

use crate::harness::{Dice, Journal, Server, commands, room, user, within};
use parking_lot::Mutex;
use person::Person;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use stoa_protocol::{Command, Control, Key, NewMember, Role, RoomId, RoomKind, Seq, UserId};
use times::Times;
use tokio::{sync::watch, task::JoinHandle};

const PEOPLE: u64 = 8;
const ROOMS: u64 = 3;

/// How much people say.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As much as is taken.
    Flood,
    /// One message in this time each.
    Each(Duration),
}

/// A message that was acknowledged.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    pub from: UserId,
    pub room: RoomId,
    pub key: Key,
    pub text: String,
    pub seq: Seq,
}

/// What a run came to.
pub struct Outcome {
    pub rooms: Vec<RoomId>,
    /// The ends of the rooms' logs.
    pub heads: BTreeMap<RoomId, Seq>,
    pub journals: BTreeMap<UserId, Journal>,
    pub acknowledged: Vec<Acknowledged>,
    /// Answers to nothing that was asked, or to what was answered before.
    pub surplus: Vec<String>,
    /// Whenever somebody was told that another one is not there, who was there all the time.
    pub flaps: Vec<String>,
    shared: Arc<Shared>,
}

impl Outcome {
    /// Counts and times.
    pub fn summary(&self) -> String {
        let told: usize =
            self.journals.values().map(|j| self.rooms.iter().map(|r| j.events(r).count()).sum::<usize>()).sum();
        let connections = self.shared.connections.load(Ordering::Relaxed);
        let (acknowledged, flaps) = (self.acknowledged.len(), self.flaps.len());
        let times = &self.shared.times;
        format!("{acknowledged} acknowledged, {told} deliveries over {connections} connections, {flaps} flaps\n{times}")
    }
}

/// What a run is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not everybody has the rooms open. Who opened one after the first message would have that in a snapshot, and
    /// not in the journal.
    Gathering,
    /// New messages are sent.
    Talking,
    /// What was said is still to be acknowledged.
    Resting,
}

/// A server as clients know it.
struct Door {
    port: u16,
    log: Arc<Mutex<String>>,
}

/// What the people of a run share.
struct Shared {
    rooms: Vec<RoomId>,
    people: Vec<UserId>,
    doors: Vec<Door>,
    pace: Pace,
    acknowledged: watch::Sender<u64>,
    /// The servers' lives: who finds all of them dead waits for the next.
    life: watch::Sender<u64>,
    phase: watch::Sender<Phase>,
    /// People who have every room open, for the first time.
    gathered: watch::Sender<u64>,
    /// People whose every message is acknowledged, after the talk.
    quiet: watch::Sender<u64>,
    /// Where every room ends; known when all are quiet.
    heads: watch::Sender<Option<BTreeMap<RoomId, Seq>>>,
    /// The last that was acknowledged in each room.
    last: Mutex<BTreeMap<RoomId, Seq>>,
    connections: AtomicU64,
    flaps: Mutex<Vec<String>>,
    /// Where everybody is, or was last, and since when: for what a flap is told with.
    places: Mutex<BTreeMap<UserId, (String, Instant)>>,
    began: Instant,
    times: Times,
}

impl Shared {
    /// The ends of all servers' logs, for failures.
    fn context(&self) -> String {
        let tail = |door: &Door| {
            let log = door.log.lock();
            let lines: Vec<_> = log.lines().rev().take(20).collect();
            format!("port {}:\n{}", door.port, lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        self.doors.iter().map(tail).collect::<Vec<_>>().join("\n")
    }

    /// Waits until a server knows that everybody is there.
    async fn are_all_seen(&self, server: &Server) {
        let mut host = server.client("host").await;
        let opened = host.open(&self.rooms[0]).await;
        let here = opened.snapshot.expect("a first opening").presence;
        let mut unseen: BTreeSet<_> = self.people.iter().collect();
        unseen.retain(|user| !here.iter().any(|presence| presence.user == **user));
        if unseen.is_empty() {
            return;
        }
        host.expect_control("everybody to be seen", |control| match control {
            Control::Presence { changed, .. } => {
                unseen.retain(|user| !changed.iter().any(|presence| presence.user == **user));
                unseen.is_empty().then_some(())
            }
            _ => None,
        })
        .await;
    }

    /// Somebody was told that another one is not there.
    fn flap(&self, what: &str, gone: &UserId) {
        let place = match self.places.lock().get(gone) {
            Some((place, since)) => format!("{place} for {} ms", since.elapsed().as_millis()),
            None => "never came".into(),
        };
        let at = self.began.elapsed().as_millis();
        self.flaps.lock().push(format!("{at} ms, stage {}: {what}, who is {place}", self.times.now()));
    }

    fn acknowledged(&self, room: &RoomId, seq: Seq) {
        let mut ends = self.last.lock();
        let last = ends.entry(room.clone()).or_default();
        *last = seq.max(*last);
        drop(ends);
        self.acknowledged.send_modify(|count| *count += 1);
    }

    /// Waits until a value of the run is as it is to be.
    async fn becomes<T: Clone>(&self, what: &str, value: &watch::Sender<T>, fits: impl Fn(&T) -> bool) -> T {
        let mut value = value.subscribe();
        let reached = value.wait_for(|value| fits(value));
        within(what, || self.context(), reached).await.expect("the run goes on").clone()
    }
}

/// A run.
pub struct Load {
    shared: Arc<Shared>,
    people: Vec<JoinHandle<Person>>,
}

impl Load {
    /// Makes the rooms and lets everybody talk, each at any of these servers.
    pub async fn start(servers: &[Server], pace: Pace, dice: &mut Dice) -> Self {
        let rooms: Vec<_> = (0..ROOMS).map(|n| room(&format!("room-{n}"))).collect();
        let members: Vec<_> = (0..PEOPLE).map(name).collect();
        let mut host = servers[0].client("host").await;
        for id in &rooms {
            let mut create = commands::create(id, RoomKind::Group);
            let member = |id: &String| NewMember { user: user(id), role: Role::Member, capabilities: None, data: None };
            create.members = members.iter().map(member).collect();
            host.commit(Command::RoomCreate(create)).await;
        }
        let shared = Arc::new(Shared {
            rooms,
            people: members.iter().map(|name| user(name)).collect(),
            doors: servers.iter().map(|server| Door { port: server.port(), log: server.shared_log() }).collect(),
            pace,
            acknowledged: watch::Sender::new(0),
            life: watch::Sender::new(0),
            phase: watch::Sender::new(Phase::Gathering),
            gathered: watch::Sender::new(0),
            quiet: watch::Sender::new(0),
            heads: watch::Sender::new(None),
            last: Mutex::default(),
            connections: AtomicU64::new(0),
            flaps: Mutex::default(),
            places: Mutex::default(),
            began: Instant::now(),
            times: Times::new("all is well"),
        });
        let mut person = |name| Person::new(shared.clone(), name, Dice::from(dice.below(u64::MAX)));
        let people = members.into_iter().map(|name| tokio::spawn(person(name).run())).collect();
        shared.becomes("everybody to gather", &shared.gathered, |gathered| *gathered == PEOPLE).await;
        for server in servers {
            shared.are_all_seen(server).await;
        }
        shared.phase.send_replace(Phase::Talking);
        Self { shared, people }
    }

    /// Waits for so many acknowledgements more, and tells how many there are in all.
    pub async fn acknowledged_beyond(&self, more: u64) -> u64 {
        let goal = *self.shared.acknowledged.borrow() + more;
        self.shared.becomes("acknowledgements", &self.shared.acknowledged, |count| *count >= goal).await
    }

    /// Lets the run go on for this long at least, and until it goes on.
    pub async fn goes_on_for(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.acknowledged_beyond(10).await;
    }

    /// Puts what happens beside the flaps of a run that fails.
    pub fn remark(&self, what: &str) {
        let at = self.shared.began.elapsed().as_millis();
        println!("{at} ms: {what}");
    }

    /// A server was started again.
    pub fn next_life(&self) {
        self.shared.life.send_modify(|life| *life += 1);
    }

    /// What begins from now on is reported under this name.
    pub fn stage(&self, name: &'static str) {
        self.shared.times.stage(name);
    }

    /// Ends the talk, waits until everybody has everything, and collects what they know.
    pub async fn finish(self) -> Outcome {
        let shared = self.shared;
        shared.phase.send_replace(Phase::Resting);
        shared.becomes("everybody's last acknowledgement", &shared.quiet, |quiet| *quiet == PEOPLE).await;
        // Nobody else writes, so the rooms end with what was acknowledged last, whatever a node has heard of that.
        let heads = shared.last.lock().clone();
        assert_eq!(heads.len(), shared.rooms.len(), "something was said in each room");
        shared.heads.send_replace(Some(heads.clone()));
        let mut journals = BTreeMap::new();
        let (mut acknowledged, mut surplus) = (Vec::new(), Vec::new());
        for person in self.people {
            let person = person.await.expect("nobody of the run fails");
            acknowledged.extend(person.acknowledged);
            surplus.extend(person.surplus);
            journals.insert(user(&person.name), person.memory.journal);
        }
        let flaps = std::mem::take(&mut *shared.flaps.lock());
        Outcome { rooms: shared.rooms.clone(), heads, journals, acknowledged, surplus, flaps, shared }
    }
}

fn name(n: u64) -> String {
    format!("person-{n}")
}
