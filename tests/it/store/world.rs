//! Random histories of rooms, and what a naive reader makes of them.

use super::bed::*;
use std::collections::{BTreeMap, BTreeSet};
use stoa::storage::{NewEvent, Store};
use stoa_protocol::{
    Capability, ChatBody, HistoryVisibility, LeaveReason, MemberJoined, MemberUpdated, Name, Role, RoomCreated,
    RoomEventBody, RoomKind, RoomUpdated, Seq,
};

/// SplitMix64 (Steele, Lea and Flood, 2014): one seed replays one run.
pub struct Random(u64);

impl Random {
    /// The seed of `STOA_SEED`, else a new one. It is printed, and shown when the test fails.
    pub fn new() -> Self {
        let seed = match std::env::var("STOA_SEED") {
            Ok(seed) => seed.parse().expect("STOA_SEED is a number"),
            Err(_) => {
                let mut bytes = [0; 8];
                getrandom::fill(&mut bytes).expect("randomness");
                u64::from_le_bytes(bytes)
            }
        };
        println!("STOA_SEED={seed}");
        Self(seed)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

pub const PEOPLE: [&str; 6] = ["ann", "ben", "cat", "dan", "eve", "fay"];
pub const ROOMS: [&str; 3] = ["alpha", "beta", "gamma"];

/// A message as the naive reader remembers it.
#[derive(Debug, Clone)]
pub struct Said {
    pub seq: u64,
    pub from: Option<String>,
    pub text: String,
    pub mentions: BTreeSet<String>,
    pub all: bool,
    pub deleted: bool,
    pub thread: Option<u64>,
}

/// A room as the naive reader remembers it.
#[derive(Debug, Default)]
pub struct Memory {
    pub head: u64,
    pub since_join: bool,
    pub members: BTreeMap<String, u64>,
    pub said: Vec<Said>,
    pub read: BTreeMap<String, u64>,
}

/// Rooms that random people talk in.
pub struct World {
    pub random: Random,
    pub rooms: BTreeMap<&'static str, Memory>,
}

impl World {
    pub async fn begin(store: &dyn Store) -> Self {
        let mut world = Self { random: Random::new(), rooms: BTreeMap::new() };
        for id in ROOMS {
            let mut tx = store.begin().await.expect("begins");
            tx.reserve(&[(room(id), epoch(&format!("e-{id}")))]).await.expect("reserves");
            tx.lock(&[room(id)]).await.expect("locks");
            let mut events = vec![("ann", RoomEventBody::RoomCreated(RoomCreated::new(RoomKind::Group)))];
            events.extend(PEOPLE[..4].iter().map(|who| ("ann", joined(who))));
            tx.append(&numbered(id, Seq::ZERO, events)).await.expect("appends");
            tx.commit().await.expect("commits");
            let members = PEOPLE[..4].iter().zip(2..).map(|(who, seq)| ((*who).to_owned(), seq)).collect();
            world.rooms.insert(id, Memory { head: 5, members, ..Memory::default() });
        }
        world
    }

    /// Some batches, each over one or more rooms, and some markers.
    pub async fn live(&mut self, store: &dyn Store, batches: usize) {
        for _ in 0..batches {
            let mut events = Vec::new();
            for _ in 0..=self.random.below(12) {
                let id = *self.random.pick(&ROOMS);
                events.push(self.event(id));
            }
            let mut tx = store.begin().await.expect("begins");
            tx.lock(&ROOMS.map(room)).await.expect("locks");
            tx.append(&events).await.expect("appends");
            if self.random.chance(50) {
                let id = *self.random.pick(&ROOMS);
                let who = *self.random.pick(&PEOPLE);
                let memory = self.rooms.get_mut(id).expect("known");
                let seq = self.random.below(memory.head as usize + 1) as u64;
                tx.mark(&[(room(id), user(who), at(seq))]).await.expect("marks");
                let read = memory.read.entry(who.to_owned()).or_default();
                *read = seq.max(*read);
            }
            tx.commit().await.expect("commits");
        }
    }

    fn event(&mut self, id: &'static str) -> NewEvent {
        let seq = self.rooms[id].head + 1;
        let (from, body) = self.fact(id, seq);
        self.rooms.get_mut(id).expect("known").head = seq;
        let mut event = numbered(id, at(seq - 1), vec![(from, body)]).remove(0);
        if self.random.chance(60) {
            event = keyed(event, &format!("k{seq}"), seq as u8);
        }
        event
    }

    fn fact(&mut self, id: &'static str, seq: u64) -> (&'static str, RoomEventBody) {
        let mut from = *self.random.pick(&PEOPLE);
        let some = self.some_message(id);
        let body = match (self.random.below(20), some) {
            (0..=7, _) | (8..=14, None) => self.send(id, seq, from),
            (8 | 9, Some(target)) => {
                let said = self.rooms[id].said.iter().find(|said| said.seq == target).expect("known");
                from = PEOPLE.into_iter().find(|who| said.from.as_deref() == Some(who)).expect("known");
                self.edit(id, target)
            }
            (10, Some(target)) => {
                self.said(id, target, |said| {
                    said.deleted = true;
                    said.mentions.clear();
                    said.all = false;
                    said.text.clear();
                });
                RoomEventBody::ChatDeleted { target: at(target), thread: None }
            }
            (11..=13, Some(target)) => {
                let emoji = (*self.random.pick(&["👍", "🎉"])).to_owned();
                RoomEventBody::ChatReacted { target: at(target), emoji, on: self.random.chance(65) }
            }
            (14, Some(target)) => RoomEventBody::ChatPinned { target: at(target), on: self.random.chance(70) },
            (15..=17, _) => self.people(id, seq),
            (18, _) => self.record(id),
            (_, _) => RoomEventBody::App { name: Name::new("app.tick").expect("legal"), data: None },
        };
        (from, body)
    }

    fn some_message(&mut self, id: &'static str) -> Option<u64> {
        let living: Vec<u64> = self.rooms[id].said.iter().filter(|said| !said.deleted).map(|said| said.seq).collect();
        (!living.is_empty()).then(|| *self.random.pick(&living))
    }

    fn said(&mut self, id: &'static str, seq: u64, change: impl FnOnce(&mut Said)) {
        let memory = self.rooms.get_mut(id).expect("known");
        change(memory.said.iter_mut().find(|said| said.seq == seq).expect("known"));
    }

    fn mentions(&mut self) -> BTreeSet<String> {
        (0..self.random.below(3)).map(|_| (*self.random.pick(&PEOPLE)).to_owned()).collect()
    }

    fn send(&mut self, id: &'static str, seq: u64, from: &str) -> RoomEventBody {
        let (mentions, all) = (self.mentions(), self.random.chance(5));
        let roots: Vec<u64> =
            self.rooms[id].said.iter().filter(|said| said.thread.is_none()).map(|said| said.seq).collect();
        let thread = (!roots.is_empty() && self.random.chance(30)).then(|| *self.random.pick(&roots));
        let text = format!("word{seq} of {id}");
        let said = Said {
            seq,
            from: Some(from.to_owned()),
            text: text.clone(),
            mentions: mentions.clone(),
            all,
            deleted: false,
            thread,
        };
        self.rooms.get_mut(id).expect("known").said.push(said);
        RoomEventBody::ChatSent(ChatBody {
            text,
            mentions: mentions.iter().map(|who| user(who)).collect(),
            mention_all: all,
            thread: thread.map(at),
            reply_to: thread.map(at),
            ..ChatBody::default()
        })
    }

    fn edit(&mut self, id: &'static str, target: u64) -> RoomEventBody {
        let mentions = self.mentions();
        let text = format!("edit{} of {id}", self.random.below(1000));
        self.said(id, target, |said| {
            said.mentions = mentions.clone();
            said.text = text.clone();
        });
        let mentions: Vec<_> = mentions.iter().map(String::as_str).collect();
        edited(target, &text, &mentions)
    }

    fn people(&mut self, id: &'static str, seq: u64) -> RoomEventBody {
        let who = *self.random.pick(&PEOPLE);
        let memory = self.rooms.get_mut(id).expect("known");
        match self.random.below(5) {
            0 | 1 if memory.members.contains_key(who) => {
                memory.members.remove(who);
                RoomEventBody::MemberLeft { user: user(who), reason: LeaveReason::Removed }
            }
            0 | 1 => {
                memory.members.insert(who.to_owned(), seq);
                let capabilities = self.random.chance(30).then(|| vec![Capability::Pin]);
                RoomEventBody::MemberJoined(MemberJoined {
                    user: user(who),
                    role: Role::Viewer,
                    capabilities,
                    data: None,
                })
            }
            2 => RoomEventBody::MemberUpdated(MemberUpdated {
                user: user(who),
                role: self.random.chance(50).then_some(Role::Host),
                capabilities: self.random.chance(30).then(|| vec![Capability::Send]),
                muted_until: self.random.chance(50).then(|| self.random.below(3) as u64),
                data: None,
            }),
            // Lapsed, so that it keeps nobody out.
            3 => RoomEventBody::MemberBanned { user: user(who), until: Some(seq), reason: format!("for {seq}") },
            _ => RoomEventBody::MemberUnbanned { user: user(who) },
        }
    }

    fn record(&mut self, id: &'static str) -> RoomEventBody {
        let mut change = RoomUpdated::default();
        match self.random.below(3) {
            0 => change.title = Some(format!("title {}", self.random.below(9))),
            1 => {
                let since_join = self.random.chance(50);
                self.rooms.get_mut(id).expect("known").since_join = since_join;
                change.history = Some(if since_join { HistoryVisibility::SinceJoin } else { HistoryVisibility::All });
            }
            _ => return RoomEventBody::RoomArchived { archived: self.random.chance(50) },
        }
        RoomEventBody::RoomUpdated(change)
    }
}
