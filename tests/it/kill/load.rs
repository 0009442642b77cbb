//! People who talk without a break, come again when their server dies, and keep a journal.

use crate::harness::{Client, Dice, Journal, Memory, Server, Token, commands, room, user, within};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use stoa_protocol::{
    Command, Control, ErrorCode, Hello, Key, NewMember, Reply, Role, RoomId, RoomKind, RoomOpen, Seq, ServerFrame,
    SessionResume, UserId,
};
use tokio::{sync::watch, task::JoinHandle};

const PEOPLE: u64 = 8;
const ROOMS: u64 = 3;
/// Messages that one person sends before the first is acknowledged.
const WINDOW: usize = 12;
/// One in this many frames makes a person hang up and come again, beside the kills.
const HANG_UP: u64 = 300;

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
    connections: u64,
}

impl Outcome {
    pub fn summary(&self) -> String {
        let told: usize =
            self.journals.values().map(|j| self.rooms.iter().map(|r| j.events(r).count()).sum::<usize>()).sum();
        format!("{} acknowledged, {told} deliveries over {} connections", self.acknowledged.len(), self.connections)
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

/// What the people of a run share.
struct Shared {
    rooms: Vec<RoomId>,
    port: u16,
    log: Arc<parking_lot::Mutex<String>>,
    acknowledged: watch::Sender<u64>,
    /// The server's life: who finds it dead waits for the next.
    life: watch::Sender<u64>,
    phase: watch::Sender<Phase>,
    /// People who have every room open, for the first time.
    gathered: watch::Sender<u64>,
    /// People whose every message is acknowledged, after the talk.
    quiet: watch::Sender<u64>,
    /// Where every room ends; known when all are quiet.
    heads: watch::Sender<Option<BTreeMap<RoomId, Seq>>>,
    connections: AtomicU64,
}

/// A run.
pub struct Load {
    shared: Arc<Shared>,
    people: Vec<JoinHandle<Person>>,
}

impl Load {
    /// Makes the rooms and lets everybody talk.
    pub async fn start(server: &Server, dice: &mut Dice) -> Self {
        let rooms: Vec<_> = (0..ROOMS).map(|n| room(&format!("room-{n}"))).collect();
        let members: Vec<_> = (0..PEOPLE).map(name).collect();
        let mut host = server.client("host").await;
        for id in &rooms {
            let mut create = commands::create(id, RoomKind::Group);
            let member = |id: &String| NewMember { user: user(id), role: Role::Member, capabilities: None, data: None };
            create.members = members.iter().map(member).collect();
            host.commit(Command::RoomCreate(create)).await;
        }
        let shared = Arc::new(Shared {
            rooms,
            port: server.port(),
            log: server.shared_log(),
            acknowledged: watch::Sender::new(0),
            life: watch::Sender::new(0),
            phase: watch::Sender::new(Phase::Gathering),
            gathered: watch::Sender::new(0),
            quiet: watch::Sender::new(0),
            heads: watch::Sender::new(None),
            connections: AtomicU64::new(0),
        });
        let mut person = |name| Person::new(shared.clone(), name, Dice::from(dice.below(u64::MAX)));
        let people = members.into_iter().map(|name| tokio::spawn(person(name).run())).collect();
        let mut gathered = shared.gathered.subscribe();
        within("everybody to gather", || server.log(), gathered.wait_for(|gathered| *gathered == PEOPLE))
            .await
            .expect("the run goes on");
        shared.phase.send_replace(Phase::Talking);
        Self { shared, people }
    }

    /// Waits for so many acknowledgements more, and tells how many there are in all.
    pub async fn acknowledged_beyond(&self, more: u64) -> u64 {
        let mut count = self.shared.acknowledged.subscribe();
        let goal = *count.borrow_and_update() + more;
        let log = self.shared.log.clone();
        let reached = count.wait_for(|count| *count >= goal);
        *within("acknowledgements", move || log.lock().clone(), reached).await.expect("the run goes on")
    }

    /// The server was started again.
    pub fn next_life(&self) {
        self.shared.life.send_modify(|life| *life += 1);
    }

    /// Ends the talk, waits until everybody has everything, and collects what they know.
    pub async fn finish(self, server: &Server) -> Outcome {
        self.shared.phase.send_replace(Phase::Resting);
        let mut quiet = self.shared.quiet.subscribe();
        within("everybody's last acknowledgement", || server.log(), quiet.wait_for(|quiet| *quiet == PEOPLE))
            .await
            .expect("the run goes on");
        let mut heads = BTreeMap::new();
        let mut host = server.client("host").await;
        for id in &self.shared.rooms {
            heads.insert(id.clone(), host.open(id).await.head);
        }
        self.shared.heads.send_replace(Some(heads.clone()));
        let mut journals = BTreeMap::new();
        let mut acknowledged = Vec::new();
        for person in self.people {
            let person = person.await.expect("nobody of the run fails");
            acknowledged.extend(person.acknowledged);
            journals.insert(user(&person.name), person.memory.journal);
        }
        let connections = self.shared.connections.load(Ordering::Relaxed);
        Outcome { rooms: self.shared.rooms.clone(), heads, journals, acknowledged, connections }
    }
}

fn name(n: u64) -> String {
    format!("person-{n}")
}

/// Why a connection's loop ended.
enum End {
    /// The connection is gone, by the server's death or by hanging up.
    Gone,
    /// What was to be done is done.
    Finished,
}

struct Person {
    shared: Arc<Shared>,
    name: String,
    dice: Dice,
    said: u64,
    unacknowledged: BTreeMap<Key, (RoomId, String)>,
    /// Commands on the way on this connection, by frame id.
    on_the_way: BTreeMap<u64, Key>,
    acknowledged: Vec<Acknowledged>,
    session: Option<SessionResume>,
    memory: Memory,
    gathered: bool,
    quiet: bool,
}

impl Person {
    fn new(shared: Arc<Shared>, name: String, dice: Dice) -> Self {
        Self {
            shared,
            name,
            dice,
            said: 0,
            unacknowledged: BTreeMap::new(),
            on_the_way: BTreeMap::new(),
            acknowledged: vec![],
            session: None,
            memory: Memory::default(),
            gathered: false,
            quiet: false,
        }
    }

    async fn run(mut self) -> Self {
        let mut life = self.shared.life.subscribe();
        loop {
            // Marked as seen before dialling, so that a restart in between is not missed.
            life.borrow_and_update();
            match Client::try_dial(self.shared.port, self.shared.log.clone()).await {
                Ok(mut client) => {
                    self.shared.connections.fetch_add(1, Ordering::Relaxed);
                    client.carry_on(std::mem::take(&mut self.memory));
                    let end = self.converse(&mut client).await;
                    self.memory = client.hang_up();
                    if matches!(end, End::Finished) {
                        return self;
                    }
                }
                Err(_) => {
                    let log = self.shared.log.clone();
                    within("the next life of the server", move || log.lock().clone(), life.changed())
                        .await
                        .expect("the run goes on");
                }
            }
        }
    }

    /// One connection: hello, rooms at their cursors, what is unacknowledged, then talk.
    async fn converse(&mut self, client: &mut Client) -> End {
        self.on_the_way.clear();
        let token = Token::of(&self.name).sign();
        let session = self.session.clone();
        let hello = Hello { token, session, user: None, list: false, device: None, client: None };
        if client.try_send(Command::Hello(hello)).await.is_err() {
            return End::Gone;
        }
        for room in self.shared.rooms.clone() {
            let since = client.is_open(&room).then(|| client.cursor(&room));
            if client.try_send(Command::RoomOpen(RoomOpen { room, since })).await.is_err() {
                return End::Gone;
            }
        }
        for (key, (room, text)) in self.unacknowledged.clone() {
            if self.say(client, key, room, text).await.is_err() {
                return End::Gone;
            }
        }
        if let End::Gone = self.gather(client).await {
            return End::Gone;
        }
        loop {
            let phase = *self.shared.phase.borrow();
            while phase == Phase::Talking && self.unacknowledged.len() < WINDOW {
                if self.say_something_new(client).await.is_err() {
                    return End::Gone;
                }
            }
            if phase == Phase::Resting && self.unacknowledged.is_empty() {
                return self.wait_for_the_rest(client).await;
            }
            let Ok(frame) = client.next(&format!("news for {}", self.name)).await else { return End::Gone };
            client.forget_told();
            if self.note(client, &frame).await.is_err() || self.dice.below(HANG_UP) == 0 {
                return End::Gone;
            }
        }
    }

    /// The first time, waits until everybody has every room open.
    async fn gather(&mut self, client: &mut Client) -> End {
        if std::mem::replace(&mut self.gathered, true) {
            return End::Finished;
        }
        while !self.shared.rooms.iter().all(|room| client.is_open(room)) {
            let Ok(frame) = client.next(&format!("{}'s rooms", self.name)).await else { return End::Gone };
            if self.note(client, &frame).await.is_err() {
                return End::Gone;
            }
        }
        self.shared.gathered.send_modify(|gathered| *gathered += 1);
        let mut phase = self.shared.phase.subscribe();
        let log = self.shared.log.clone();
        let begun = phase.wait_for(|phase| *phase != Phase::Gathering);
        within("everybody to gather", move || log.lock().clone(), begun).await.expect("the run goes on");
        End::Finished
    }

    async fn say_something_new(&mut self, client: &mut Client) -> Result<(), ()> {
        self.said += 1;
        let text = format!("{} says {}", self.name, self.said);
        let room = self.shared.rooms[usize::try_from(self.dice.below(ROOMS)).expect("small")].clone();
        let key = Key::new(format!("k{}", self.said)).expect("a legal key");
        self.unacknowledged.insert(key.clone(), (room.clone(), text.clone()));
        self.say(client, key, room, text).await
    }

    async fn say(&mut self, client: &mut Client, key: Key, room: RoomId, text: String) -> Result<(), ()> {
        let mut send = commands::words(&room, &text);
        send.key = key.clone();
        let id = client.try_send(Command::ChatSend(send)).await.map_err(|_| ())?;
        self.on_the_way.insert(id, key);
        Ok(())
    }

    async fn note(&mut self, client: &mut Client, frame: &ServerFrame) -> Result<(), ()> {
        let ServerFrame::Control(control) = frame else { return Ok(()) };
        match control.as_ref() {
            Control::Welcome(welcome) => {
                self.session = Some(SessionResume { id: welcome.session.clone(), secret: welcome.secret.clone() });
            }
            Control::Ack(ack) => {
                if let Some(Reply::Opened(opened)) = &ack.result {
                    assert!(!opened.reset, "nothing of the log was lost, so no cursor is void: {opened:?}");
                }
                if let Some(key) = self.on_the_way.remove(&ack.id) {
                    let seq = ack.seq.expect("a message has a sequence");
                    let (room, text) = self.unacknowledged.remove(&key).expect("acknowledged once per connection");
                    self.acknowledged.push(Acknowledged { from: user(&self.name), room, key, text, seq });
                    self.shared.acknowledged.send_modify(|count| *count += 1);
                }
            }
            Control::Error(error) => match (error.fault.code, error.id.and_then(|id| self.on_the_way.remove(&id))) {
                (ErrorCode::Unavailable | ErrorCode::Overloaded, Some(key)) => {
                    let (room, text) = self.unacknowledged[&key].clone();
                    return self.say(client, key, room, text).await;
                }
                (_, key) => panic!("{} was refused {key:?}: {}", self.name, error.fault),
            },
            _ => {}
        }
        Ok(())
    }

    /// Everything is acknowledged: what is left is to hear everything.
    async fn wait_for_the_rest(&mut self, client: &mut Client) -> End {
        if !std::mem::replace(&mut self.quiet, true) {
            self.shared.quiet.send_modify(|quiet| *quiet += 1);
        }
        let mut heads = self.shared.heads.subscribe();
        let log = self.shared.log.clone();
        let known = within("the ends of the rooms", move || log.lock().clone(), heads.wait_for(Option::is_some)).await;
        let known = known.expect("the run goes on").clone().unwrap_or_default();
        for (room, head) in known {
            client.reach(&room, head).await;
        }
        End::Finished
    }
}
