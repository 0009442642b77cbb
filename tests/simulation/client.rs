//! A scripted client: it keeps what it says until it is answered, comes again with its cursors, and believes nothing.

mod script;

use super::{
    Dice,
    link::Link,
    plan::ClientAct,
    view::{Eyes, Open, RoomView, StreamView, number},
    world::World,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use stoa_protocol::{Key, UserId};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

/// A connection on which nothing was heard for so long is given up.
const DEAF: Duration = Duration::from_secs(12);
/// Something is said at least so often.
const BEAT: Duration = Duration::from_secs(4);
/// Before a command that was refused for now is sent again.
const AGAIN: Duration = Duration::from_millis(300);

/// What the world sees of a client.
pub struct Client {
    /// Which.
    pub at: usize,
    /// Whose.
    pub user: UserId,
    /// What it knows.
    pub mind: Mutex<Mind>,
    orders: mpsc::UnboundedSender<ClientAct>,
}

/// What a client knows.
pub struct Mind {
    eyes: Eyes,
    /// The rooms, by their place.
    pub rooms: Vec<RoomView>,
    /// The user's own stream.
    pub stream: StreamView,
    /// Commands that are not answered yet.
    pub waiting: VecDeque<Command>,
    /// Commands that were acknowledged, with what they said.
    pub answered: Vec<Answered>,
    /// The presence that it has set.
    pub state: String,
    /// Whether it said hello on a connection that stands.
    pub is_welcome: bool,
    /// Whether it wants to be connected.
    pub is_away: bool,
    /// Until when it reads nothing.
    pub stalled_until: Option<Instant>,
}

/// A durable command.
#[derive(Clone)]
pub struct Command {
    key: String,
    room: usize,
    body: Value,
    /// The id that it was sent under on this connection.
    sent: Option<u64>,
    /// Not before.
    due: Instant,
    /// What it must be answered.
    expected: Expected,
}

#[derive(Clone, PartialEq)]
enum Expected {
    /// An event, or none where nothing changes.
    Event,
    /// The same number as before.
    Same(u64),
    /// `conflict`.
    Conflict,
}

/// A command that was acknowledged.
pub struct Answered {
    /// Its key.
    pub key: String,
    /// Where.
    pub room: usize,
    /// What it said.
    pub body: Value,
    /// Under which number.
    pub seq: u64,
}

/// What an id waits for.
enum Asked {
    Hello,
    Open(usize),
    Durable(String),
    /// Whether the room is forgotten then.
    Closed(usize, bool),
    Other,
}

impl Client {
    /// A client that connects to a node.
    pub fn start(world: &Arc<World>, at: usize, user: UserId, home: usize) -> Arc<Self> {
        let (orders, received) = mpsc::unbounded_channel();
        let eyes = Eyes {
            name: format!("client {at} ({user})"),
            database: world.database.clone(),
            trace: world.trace.clone(),
        };
        let mind = Mind {
            eyes,
            rooms: world.rooms.iter().cloned().map(RoomView::new).collect(),
            stream: StreamView::default(),
            waiting: VecDeque::new(),
            answered: vec![],
            state: "online".into(),
            is_welcome: false,
            is_away: false,
            stalled_until: None,
        };
        let client = Arc::new(Self { at, user, mind: Mutex::new(mind), orders });
        let body = Body {
            world: world.clone(),
            client: client.clone(),
            dice: Dice::from(world.seed ^ (at as u64 + 77)),
            node: home,
            link: None,
            session: None,
            asked: BTreeMap::new(),
            next_id: 1,
            next_key: 0,
            heard: Instant::now(),
            spoken: Instant::now(),
            come_at: Instant::now(),
            tries: 0,
        };
        tokio::spawn(body.run(received));
        client
    }

    /// Tells it to do something.
    pub fn order(&self, act: ClientAct) {
        // It lives as long as the run.
        let _heard = self.orders.send(act);
    }
}

/// What a client does.
struct Body {
    world: Arc<World>,
    client: Arc<Client>,
    dice: Dice,
    /// Where it goes next.
    node: usize,
    link: Option<Arc<Link>>,
    session: Option<Value>,
    asked: BTreeMap<u64, Asked>,
    next_id: u64,
    next_key: u64,
    heard: Instant,
    spoken: Instant,
    /// When it comes again.
    come_at: Instant,
    tries: u32,
}

enum Next {
    Order(ClientAct),
    Frames,
    Over,
    Time,
}

impl Body {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<ClientAct>) {
        loop {
            let due = self.due();
            let next = match &self.link {
                Some(link) => tokio::select! {
                    biased;
                    order = orders.recv() => order.map(Next::Order),
                    () = link.changed() => Some(Next::Frames),
                    () = link.ended() => Some(Next::Over),
                    () = sleep_until(due) => Some(Next::Time),
                },
                None => tokio::select! {
                    biased;
                    order = orders.recv() => order.map(Next::Order),
                    () = sleep_until(due) => Some(Next::Time),
                },
            };
            match next {
                Some(Next::Order(act)) => self.obey(act),
                Some(Next::Frames) => {
                    let wait = self.dice.below(12).saturating_sub(6);
                    if wait > 0 {
                        sleep(Duration::from_millis(wait)).await;
                    }
                    self.read();
                }
                Some(Next::Over) => {
                    self.read();
                    self.unlink();
                    let next = self.world.nodes();
                    self.node = (self.node + self.dice.below(next) as usize) % next as usize;
                }
                Some(Next::Time) => self.tick(),
                None => return,
            }
        }
    }

    /// When something is to be done.
    fn due(&self) -> Instant {
        let mind = self.client.mind.lock();
        if self.link.is_none() {
            return self.come_at;
        }
        let again = mind.waiting.iter().find(|c| c.sent.is_none() && mind.is_welcome).map(|c| c.due);
        let deaf = mind.stalled_until.unwrap_or(self.heard + DEAF);
        [Some(self.spoken + BEAT), again].into_iter().flatten().fold(deaf, Instant::min)
    }

    fn tick(&mut self) {
        let now = Instant::now();
        let stalls = self.client.mind.lock().stalled_until;
        if stalls.is_some_and(|until| until <= now) {
            self.client.mind.lock().stalled_until = None;
            if let Some(link) = &self.link {
                link.stall(false);
            }
            self.heard = now;
        }
        match &self.link {
            None if self.come_at <= now => self.come(),
            None => {}
            Some(link) if self.heard + DEAF <= now && self.client.mind.lock().stalled_until.is_none() => {
                link.lose();
                self.unlink();
                self.node += 1;
            }
            Some(_) => {
                if self.spoken + BEAT <= now {
                    self.say(json!({"type": "ping"}), Asked::Other);
                }
                self.open_rooms();
                self.send_waiting();
            }
        }
    }

    fn come(&mut self) {
        self.client.mind.lock().is_away = false;
        self.node %= self.world.nodes() as usize;
        let Some(link) = self.world.connect(self.node) else {
            self.tries += 1;
            self.node += 1;
            self.come_at =
                Instant::now() + Duration::from_millis(50 + self.dice.below(150 * u64::from(self.tries.min(6))));
            return;
        };
        let node = self.node;
        self.client.mind.lock().eyes.trace.say(|| format!("client {} comes to node {node}", self.client.at));
        self.link = Some(link);
        (self.heard, self.spoken) = (Instant::now(), Instant::now());
        let mut hello = json!({"type": "hello", "token": self.world.token(&self.client.user)});
        if let Some(session) = &self.session {
            hello["session"] = session.clone();
        }
        if let Some((epoch, seq)) = &self.client.mind.lock().stream.cursor {
            hello["user"] = json!({"epoch": epoch, "seq": seq});
        }
        self.say(hello, Asked::Hello);
    }

    fn unlink(&mut self) {
        self.link = None;
        self.asked.clear();
        let mut mind = self.client.mind.lock();
        mind.is_welcome = false;
        mind.stalled_until = None;
        mind.rooms.iter_mut().for_each(|view| view.open = Open::No);
        mind.waiting.iter_mut().for_each(|command| command.sent = None);
        self.come_at = Instant::now() + Duration::from_millis(20 + self.dice.below(300));
    }

    fn say(&mut self, mut frame: Value, asked: Asked) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.spoken = Instant::now();
        frame["id"] = id.into();
        self.asked.insert(id, asked);
        if let Some(link) = &self.link {
            link.say(frame.to_string());
        }
        id
    }

    fn open_rooms(&mut self) {
        if !self.client.mind.lock().is_welcome {
            return;
        }
        for at in 0..self.world.rooms.len() {
            let open = {
                let mut mind = self.client.mind.lock();
                let view = &mut mind.rooms[at];
                if view.open != Open::No {
                    continue;
                }
                view.open = Open::Asked;
                let mut open = json!({"type": "room.open", "room": view.room});
                if let Some((epoch, seq)) = &view.cursor {
                    open["since"] = json!({"epoch": epoch, "seq": seq});
                }
                open
            };
            self.say(open, Asked::Open(at));
        }
    }

    fn send_waiting(&mut self) {
        let now = Instant::now();
        if !self.client.mind.lock().is_welcome {
            return;
        }
        let due: Vec<(String, Value)> = {
            let mind = self.client.mind.lock();
            // One in which something waits before it waits too: a client's messages keep their order.
            let ready = mind.waiting.iter().take_while(|c| c.sent.is_some() || c.due <= now);
            ready.filter(|c| c.sent.is_none()).map(|c| (c.key.clone(), c.body.clone())).collect()
        };
        for (key, body) in due {
            let id = self.say(body, Asked::Durable(key.clone()));
            let mut mind = self.client.mind.lock();
            if let Some(command) = mind.waiting.iter_mut().find(|c| c.key == key && c.sent.is_none()) {
                command.sent = Some(id);
            }
        }
    }

    fn read(&mut self) {
        let Some(link) = self.link.clone() else { return };
        for frame in link.take() {
            self.heard = Instant::now();
            self.hear(&serde_json::from_str(&frame).expect("JSON"));
        }
    }

    fn hear(&mut self, frame: &Value) {
        match frame["type"].as_str() {
            Some("welcome") => {
                self.tries = 0;
                self.session = Some(json!({"id": frame["session"], "secret": frame["secret"]}));
                {
                    let mind = &mut *self.client.mind.lock();
                    mind.is_welcome = true;
                    mind.stream.welcome(&mind.eyes, &frame["cursor"]);
                }
                let state = self.client.mind.lock().state.clone();
                if state != "online" {
                    self.say(json!({"type": "presence.set", "state": state}), Asked::Other);
                }
                self.open_rooms();
                self.send_waiting();
            }
            Some("ack" | "error" | "pong") => self.answered(frame),
            Some("user.reset") => self.wrong("stream", "the stream was reset, and nothing was lost"),
            Some("room.reset" | "room.closed") => self.wrong("reset", &frame.to_string()),
            Some(_) if !frame["user_seq"].is_null() => {
                let mind = &mut *self.client.mind.lock();
                mind.stream.event(&mind.eyes, &self.client.user, frame);
            }
            Some(_) => {
                let mind = &mut *self.client.mind.lock();
                let Some(view) = mind.rooms.iter_mut().find(|view| view.room.as_str() == frame["room"]) else { return };
                match frame["seq"].is_u64() {
                    true => view.event(&mind.eyes, frame),
                    false => {
                        self.world.watch_presence(&self.client, frame);
                        view.passing(frame);
                    }
                }
            }
            None => self.wrong("frame", &frame.to_string()),
        }
    }

    fn wrong(&self, kind: &'static str, seen: &str) {
        self.world.trace.wrong(kind, format!("client {}: {seen}", self.client.at));
    }

    fn answered(&mut self, frame: &Value) {
        let Some(asked) = frame["id"].as_u64().and_then(|id| self.asked.remove(&id)) else {
            return self.wrong("answer", &format!("nobody has asked: {frame}"));
        };
        let refused = frame["code"].as_str();
        if refused == Some("internal") {
            self.wrong("internal", &frame.to_string());
        }
        let for_now = matches!(refused, Some("unavailable" | "overloaded" | "rate_limited"));
        match asked {
            Asked::Hello | Asked::Other => {}
            Asked::Open(at) => {
                let mind = &mut *self.client.mind.lock();
                let view = &mut mind.rooms[at];
                match refused {
                    None => view.opened(&mind.eyes, &frame["result"]),
                    Some(_) if for_now => {
                        view.open = Open::No;
                        // Asked again at the next beat.
                        self.spoken = Instant::now() - BEAT + AGAIN;
                    }
                    Some(code) => mind.eyes.trace.wrong("refused", format!("client {}: {code}", self.client.at)),
                }
            }
            Asked::Durable(key) => self.durable(&key, frame, refused, for_now),
            Asked::Closed(at, forget) => {
                let mut mind = self.client.mind.lock();
                let view = &mut mind.rooms[at];
                view.open = Open::No;
                if forget {
                    view.forget();
                }
                drop(mind);
                self.open_rooms();
            }
        }
    }

    /// The answer to a durable command.
    fn durable(&mut self, key: &str, frame: &Value, refused: Option<&str>, for_now: bool) {
        let mind = &mut *self.client.mind.lock();
        let Some(at) = mind.waiting.iter().position(|command| command.key == key) else { return };
        if for_now {
            let command = &mut mind.waiting[at];
            (command.sent, command.due) = (None, Instant::now() + AGAIN);
            return;
        }
        let Some(command) = mind.waiting.remove(at) else { return };
        let is_send = command.body["type"] == "chat.send";
        let name = format!("client {} {}", self.client.at, command.key);
        let wrong = |kind, seen: String| self.world.trace.wrong(kind, format!("{name}: {seen}"));
        match (&command.expected, refused) {
            (Expected::Conflict, Some("conflict")) => {}
            (Expected::Conflict, told) => wrong("conflict", format!("another body under a key gets {told:?}: {frame}")),
            (Expected::Same(before), None) if number(&frame["seq"]) == *before => {}
            (Expected::Same(before), _) => wrong("retry", format!("was answered {before} before, now {frame}")),
            (Expected::Event, Some(code)) if is_send => wrong("refused", code.to_owned()),
            (Expected::Event, Some(_)) => {}
            (Expected::Event, None) => {
                let (room, seq) = (self.world.rooms[command.room].clone(), number(&frame["seq"]));
                let name = (room, self.client.user.clone(), Key::new(key).expect("legal"));
                let stored = self.world.database.tables.lock().hits(std::slice::from_ref(&name));
                match stored.first().copied().flatten() {
                    Some(hit) if hit.seq.value() == seq => {
                        let Command { key, room, body, .. } = command;
                        mind.answered.push(Answered { key, room, body, seq });
                    }
                    // What changes nothing has no event.
                    None if !is_send && command.body["type"] != "chat.edit" => {}
                    found => wrong("early", format!("{seq} was acknowledged, and {found:?} is committed")),
                }
            }
        }
    }
}
