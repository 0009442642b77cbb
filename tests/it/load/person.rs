//! One of the people of a run.

use super::{Acknowledged, Pace, Phase, ROOMS, Shared};
use crate::harness::{Client, Dice, Memory, Token, commands, user, within};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use stoa_protocol::{
    Command, Control, ErrorCode, Hello, Key, Opened, PresenceState, Reply, RoomEvent, RoomEventBody, RoomId, RoomOpen,
    Seq, ServerFrame, SessionResume, UserId,
};

/// Messages that one person sends before the first is acknowledged.
const WINDOW: usize = 12;
/// One in this many frames makes a person hang up and come again, beside the faults.
const HANG_UP: u64 = 300;
/// Before something is tried again that was not to be had.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a connection's loop ended.
enum End {
    /// The connection is gone, by the server's death or at its wish.
    Gone,
    /// Hung up.
    HungUp,
    /// What was to be done is done.
    Finished,
}

/// Something that waits for an answer.
#[derive(Debug)]
enum Asked {
    Hello,
    Open(RoomId),
    Say(Key),
}

/// On the way back from a broken connection.
struct Return {
    stage: usize,
    since: Instant,
    /// What was not acknowledged when it broke.
    keys: BTreeSet<Key>,
}

pub struct Person {
    shared: Arc<Shared>,
    pub name: String,
    dice: Dice,
    said: u64,
    next_words: Instant,
    unacknowledged: BTreeMap<Key, (RoomId, String)>,
    pub acknowledged: Vec<Acknowledged>,
    session: Option<SessionResume>,
    pub memory: Memory,
    gathered: bool,
    quiet: bool,
    returning: Option<Return>,
    /// Answers to nothing that was asked, or to what was answered before.
    pub surplus: Vec<String>,
    /// Who was there, as this person was told.
    seen: BTreeSet<UserId>,
    now: Now,
}

/// What ends with the connection.
#[derive(Default)]
struct Now {
    node: usize,
    /// Commands on the way, by frame id.
    on_the_way: BTreeMap<u64, Asked>,
    /// What the server could not do, and when to ask again.
    again: Vec<Asked>,
    again_at: Option<Instant>,
    /// The rooms' ends when they were opened.
    opened: BTreeMap<RoomId, Seq>,
    /// Since when everything that was missed is known.
    caught_up: Option<Instant>,
    /// When the server wants to be left.
    leave_at: Option<Instant>,
}

impl Person {
    pub fn new(shared: Arc<Shared>, name: String, dice: Dice) -> Self {
        Self {
            shared,
            name,
            dice,
            said: 0,
            next_words: Instant::now(),
            unacknowledged: BTreeMap::new(),
            acknowledged: vec![],
            session: None,
            memory: Memory::default(),
            gathered: false,
            quiet: false,
            returning: None,
            surplus: vec![],
            seen: BTreeSet::new(),
            now: Now::default(),
        }
    }

    pub async fn run(mut self) -> Self {
        let mut life = self.shared.life.subscribe();
        loop {
            // Marked as seen before dialling, so that a restart in between is not missed.
            life.borrow_and_update();
            let Some((node, mut client)) = self.dial().await else {
                let shared = self.shared.clone();
                let next = within("a server's next life", move || shared.context(), life.changed());
                next.await.expect("the run goes on");
                continue;
            };
            self.shared.connections.fetch_add(1, Ordering::Relaxed);
            client.carry_on(std::mem::take(&mut self.memory));
            self.now = Now { node, ..Now::default() };
            self.is_at("at");
            let end = self.converse(&mut client).await;
            self.is_at("gone from");
            self.memory = client.hang_up();
            match end {
                End::Finished => return self,
                End::HungUp => continue,
                End::Gone => {}
            }
            let again = self.returning.is_some();
            self.returning.get_or_insert_with(|| Return {
                stage: self.shared.times.now(),
                since: Instant::now(),
                keys: self.unacknowledged.keys().cloned().collect(),
            });
            if again {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Any server that takes connections.
    async fn dial(&mut self) -> Option<(usize, Client)> {
        let doors = self.shared.doors.len();
        let first = usize::try_from(self.dice.below(doors as u64)).expect("few servers");
        for node in (first..doors).chain(0..first) {
            let door = &self.shared.doors[node];
            if let Ok(client) = Client::try_dial(door.port, door.log.clone()).await {
                return Some((node, client));
            }
        }
        None
    }

    /// One connection: hello, rooms at their cursors, what is unacknowledged, then talk.
    async fn converse(&mut self, client: &mut Client) -> End {
        match self.talk(client).await {
            Ok(end) => end,
            Err(()) => End::Gone,
        }
    }

    async fn talk(&mut self, client: &mut Client) -> Result<End, ()> {
        let mut phases = self.shared.phase.subscribe();
        let mut heads = self.shared.heads.subscribe();
        self.ask(client, Asked::Hello).await?;
        for room in self.shared.rooms.clone() {
            self.ask(client, Asked::Open(room)).await?;
        }
        for key in self.unacknowledged.keys().cloned().collect::<Vec<_>>() {
            self.ask(client, Asked::Say(key)).await?;
        }
        self.gather(client).await?;
        loop {
            let phase = *phases.borrow_and_update();
            while phase == Phase::Talking && self.may_speak() {
                self.say_something_new(client).await?;
            }
            if phase == Phase::Resting && self.unacknowledged.is_empty() {
                if !std::mem::replace(&mut self.quiet, true) {
                    self.shared.quiet.send_modify(|quiet| *quiet += 1);
                }
                let heads = heads.borrow_and_update();
                if heads.iter().flatten().all(|(room, head)| client.cursor(room).seq >= *head) && heads.is_some() {
                    return Ok(End::Finished);
                }
            }
            let turn = self.next_turn(phase);
            let what = format!("news for {}", self.name);
            tokio::select! {
                frame = client.next(&what) => {
                    client.forget_told();
                    self.note(client, &frame.map_err(drop)?);
                    if self.dice.below(HANG_UP) == 0 {
                        return Ok(End::HungUp);
                    }
                }
                () = sleep_until(turn), if turn.is_some() => self.take_turn(client).await?,
                _ = phases.changed() => {}
                _ = heads.changed() => {}
            }
        }
    }

    fn may_speak(&self) -> bool {
        let is_time = match self.shared.pace {
            Pace::Flood => true,
            Pace::Each(_) => self.next_words <= Instant::now(),
        };
        is_time && self.unacknowledged.len() < WINDOW
    }

    /// When there is something to do, whatever the server says.
    fn next_turn(&self, phase: Phase) -> Option<Instant> {
        let speaks = phase == Phase::Talking && self.unacknowledged.len() < WINDOW;
        let words = speaks.then_some(self.next_words);
        [words, self.now.again_at, self.now.leave_at].into_iter().flatten().min()
    }

    async fn take_turn(&mut self, client: &mut Client) -> Result<(), ()> {
        let now = Instant::now();
        if self.now.leave_at.is_some_and(|at| at <= now) {
            return Err(());
        }
        if self.now.again_at.is_some_and(|at| at <= now) {
            self.now.again_at = None;
            for asked in std::mem::take(&mut self.now.again) {
                self.ask(client, asked).await?;
            }
        }
        Ok(())
    }

    /// The first time, waits until everybody has every room open.
    async fn gather(&mut self, client: &mut Client) -> Result<(), ()> {
        if std::mem::replace(&mut self.gathered, true) {
            return Ok(());
        }
        while !self.shared.rooms.iter().all(|room| client.is_open(room)) {
            let frame = client.next(&format!("{}'s rooms", self.name)).await.map_err(drop)?;
            self.note(client, &frame);
        }
        self.shared.gathered.send_modify(|gathered| *gathered += 1);
        self.shared.becomes("everybody to gather", &self.shared.phase, |phase| *phase != Phase::Gathering).await;
        Ok(())
    }

    async fn say_something_new(&mut self, client: &mut Client) -> Result<(), ()> {
        self.said += 1;
        let text = format!("{} says {}", self.name, self.said);
        let room = self.shared.rooms[usize::try_from(self.dice.below(ROOMS)).expect("small")].clone();
        let key = Key::new(format!("k{}", self.said)).expect("a legal key");
        if let Pace::Each(pause) = self.shared.pace {
            self.next_words = Instant::now() + pause;
        }
        self.shared.times.said(&text, self.now.node);
        let words = self.words(&key, &room, &text);
        self.unacknowledged.insert(key.clone(), (room, text));
        self.send(client, Asked::Say(key), words).await
    }

    fn words(&self, key: &Key, room: &RoomId, text: &str) -> Command {
        let mut send = commands::words(room, text);
        send.key = key.clone();
        Command::ChatSend(send)
    }

    async fn ask(&mut self, client: &mut Client, asked: Asked) -> Result<(), ()> {
        let command = match &asked {
            Asked::Hello => {
                let (token, session) = (Token::of(&self.name).sign(), self.session.clone());
                Command::Hello(Hello { token, session, user: None, list: false, device: None, client: None })
            }
            Asked::Open(room) => {
                let since = client.is_open(room).then(|| client.cursor(room));
                Command::RoomOpen(RoomOpen { room: room.clone(), since })
            }
            Asked::Say(key) => {
                let (room, text) = &self.unacknowledged[key];
                self.shared.times.said_again(text);
                self.words(key, room, text)
            }
        };
        self.send(client, asked, command).await
    }

    async fn send(&mut self, client: &mut Client, asked: Asked, command: Command) -> Result<(), ()> {
        let id = client.try_send(command).await.map_err(drop)?;
        self.now.on_the_way.insert(id, asked);
        Ok(())
    }

    fn note(&mut self, client: &Client, frame: &ServerFrame) {
        match frame {
            ServerFrame::Room(event) => self.note_event(event),
            ServerFrame::Control(control) => self.note_control(control),
            ServerFrame::User(_) | ServerFrame::Document(_) => {}
        }
        if self.now.caught_up.is_none() && self.has_everything(client) {
            self.now.caught_up = Some(Instant::now());
            if let Some(Return { stage, since, keys: _ }) = self.returning.take() {
                self.shared.times.returned(stage, since.elapsed());
            }
        }
    }

    fn has_everything(&self, client: &Client) -> bool {
        let told = |room| self.now.opened.get(room).is_some_and(|head| client.cursor(room).seq >= *head);
        let is_answered = |key| !self.unacknowledged.contains_key(key);
        self.shared.rooms.iter().all(told) && self.returning.iter().flat_map(|back| &back.keys).all(is_answered)
    }

    fn note_event(&self, event: &RoomEvent) {
        if let (RoomEventBody::ChatSent(sent), Some(since)) = (&event.body, self.now.caught_up) {
            self.shared.times.heard(&sent.text, self.now.node, since);
        }
    }

    fn note_control(&mut self, control: &Control) {
        match control {
            Control::Welcome(welcome) => {
                self.session = Some(SessionResume { id: welcome.session.clone(), secret: welcome.secret.clone() });
                self.now.on_the_way.remove(&welcome.id);
            }
            Control::Ack(ack) => match (self.now.on_the_way.remove(&ack.id), &ack.result) {
                (Some(Asked::Open(room)), Some(Reply::Opened(opened))) => self.note_opened(room, opened),
                (Some(Asked::Say(key)), _) => {
                    let seq = ack.seq.expect("a message has a sequence");
                    let (room, text) = self.unacknowledged.remove(&key).expect("acknowledged once per connection");
                    self.shared.acknowledged(&room, seq);
                    self.shared.times.answered(&text);
                    self.acknowledged.push(Acknowledged { from: user(&self.name), room, key, text, seq });
                }
                (Some(asked), _) => panic!("{}: {ack:?} answers {asked:?}", self.name),
                (None, _) => self.surplus.push(format!("{}: {ack:?}", self.name)),
            },
            Control::Error(error) => {
                let asked = error.id.and_then(|id| self.now.on_the_way.remove(&id));
                match (error.fault.code, asked) {
                    // The server closes the connection itself.
                    (ErrorCode::Unavailable, Some(Asked::Hello)) => {}
                    (ErrorCode::Unavailable | ErrorCode::Overloaded, Some(asked)) => {
                        let pause = error.fault.retry_after_ms.map_or(PAUSE, Duration::from_millis);
                        self.now.again.push(asked);
                        self.now.again_at.get_or_insert(Instant::now() + pause);
                    }
                    (_, _) => panic!("{} was refused: {}", self.name, error.fault),
                }
            }
            Control::Presence { room, changed, .. } => {
                for presence in changed {
                    match presence.state {
                        PresenceState::Offline => self.misses(&presence.user, room),
                        PresenceState::Away | PresenceState::Busy | PresenceState::Online => {
                            self.seen.insert(presence.user.clone());
                        }
                    }
                }
            }
            Control::Bye { reconnect_after_ms } => {
                self.now.leave_at = Some(Instant::now() + Duration::from_millis(*reconnect_after_ms));
            }
            _ => {}
        }
    }

    fn note_opened(&mut self, room: RoomId, opened: &Opened) {
        assert!(!opened.reset, "nothing of the log was lost, so no cursor is void: {opened:?}");
        let snapshot = opened.snapshot.iter().flat_map(|snapshot| &snapshot.presence);
        let here: BTreeSet<_> = opened.presence.iter().chain(snapshot).map(|presence| presence.user.clone()).collect();
        for gone in self.seen.difference(&here) {
            self.misses(gone, &room);
        }
        self.seen.extend(here);
        self.now.opened.insert(room, opened.head);
    }

    /// Everybody is there while they talk: nobody is to be told that somebody whom they saw is not.
    fn misses(&self, gone: &UserId, room: &RoomId) {
        // The host made the rooms and went.
        if self.shared.people.contains(gone) && *self.shared.phase.borrow() == Phase::Talking {
            self.shared.flap(&format!("{} at node {} misses {gone} in {room}", self.name, self.now.node), gone);
        }
    }

    fn is_at(&self, place: &str) {
        let place = format!("{place} node {}", self.now.node);
        self.shared.places.lock().insert(user(&self.name), (place, Instant::now()));
    }
}

/// Never, when there is no time.
async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
