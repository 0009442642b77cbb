//! What a client does when the plan says so.

use super::{Answered, Asked, Body, Command, Expected};
use crate::hub::simulation::{plan::ClientAct, view::Open};
use serde_json::{Value, json};
use std::time::Duration;
use stoa_protocol::Seq;
use tokio::time::Instant;

impl Body {
    pub(super) fn obey(&mut self, act: ClientAct) {
        match act {
            ClientAct::Send { room, count, bytes } => {
                for _ in 0..count {
                    let key = self.fresh_key();
                    let words = format!("{key} {}", "x".repeat(bytes));
                    self.wish(key, room, json!({"type": "chat.send", "text": words}));
                }
            }
            ClientAct::Mention { room, user } => {
                let key = self.fresh_key();
                let mentions = [self.world.users[user].clone()];
                self.wish(key.clone(), room, json!({"type": "chat.send", "text": key, "mentions": mentions}));
            }
            ClientAct::Edit { room } => self.about_own(room, |key| json!({"type": "chat.edit", "text": key})),
            ClientAct::Delete { room } => self.about_own(room, |_| json!({"type": "chat.delete"})),
            ClientAct::React { room, on } => self.react(room, on),
            ClientAct::Read { room } => {
                let mind = self.client.mind.lock();
                let view = &mind.rooms[room];
                let read =
                    json!({"type": "chat.read", "room": view.room, "seq": view.cursor.as_ref().map_or(0, |c| c.1)});
                let may = view.open == Open::Yes && view.cursor.is_some();
                drop(mind);
                if may {
                    self.say(read, Asked::Other);
                }
            }
            ClientAct::Retry => self.again(false),
            ClientAct::Conflict => self.again(true),
            ClientAct::Typing { room } => {
                if self.client.mind.lock().rooms[room].open == Open::Yes {
                    self.say(json!({"type": "typing", "room": self.world.rooms[room], "on": true}), Asked::Other);
                }
            }
            ClientAct::Presence { state } => {
                self.world.presence_is_set(&self.client.user);
                let welcome = {
                    let mut mind = self.client.mind.lock();
                    mind.state.clone_from(&state);
                    mind.is_welcome
                };
                if welcome {
                    self.say(json!({"type": "presence.set", "state": state}), Asked::Other);
                }
            }
            ClientAct::Leave { back_ms, node, silently } => {
                if let Some(link) = &self.link {
                    self.world.trace.say(|| format!("client {} leaves, silently: {silently}", self.client.at));
                    if silently { link.lose() } else { link.close() }
                }
                self.unlink();
                self.client.mind.lock().is_away = true;
                self.node = node;
                self.come_at = Instant::now() + Duration::from_millis(back_ms);
            }
            ClientAct::Stall { for_ms } => {
                if let Some(link) = &self.link {
                    link.stall(true);
                    self.client.mind.lock().stalled_until = Some(Instant::now() + Duration::from_millis(for_ms));
                }
            }
            ClientAct::Reopen { room, forget } => {
                {
                    let view = &mut self.client.mind.lock().rooms[room];
                    if view.open != Open::Yes {
                        return;
                    }
                    view.open = Open::Closing;
                }
                // What was on its way before the close is still told: it is read first.
                self.say(json!({"type": "room.close", "room": self.world.rooms[room]}), Asked::Closed(room, forget));
            }
        }
    }

    fn fresh_key(&mut self) -> String {
        self.next_key += 1;
        format!("c{}k{}", self.client.at, self.next_key)
    }

    fn wish(&mut self, key: String, room: usize, mut body: Value) {
        body["room"] = json!(self.world.rooms[room]);
        body["key"] = json!(key);
        let command = Command { key, room, body, sent: None, due: Instant::now(), expected: Expected::Event };
        self.client.mind.lock().waiting.push_back(command);
        self.send_waiting();
    }

    fn about_own(&mut self, room: usize, body: impl Fn(&str) -> Value) {
        let own = {
            let mind = self.client.mind.lock();
            let sent = mind.answered.iter().filter(|a| a.room == room && a.body["type"] == "chat.send");
            sent.map(|answered| answered.seq).collect::<Vec<_>>()
        };
        if own.is_empty() {
            return;
        }
        let target = own[self.dice.below(own.len() as u64) as usize];
        let key = self.fresh_key();
        let mut body = body(&key);
        body["target"] = target.into();
        self.wish(key, room, body);
    }

    fn react(&mut self, room: usize, on: bool) {
        let newest = {
            let mind = self.client.mind.lock();
            let sent = |told: &Option<Value>| told.as_ref().is_some_and(|told| told["type"] == "chat.sent");
            mind.rooms[room].log.iter().rev().find(|(_, told)| sent(told)).map(|(seq, _)| *seq)
        };
        let Some(target) = newest.and_then(Seq::new) else { return };
        let key = self.fresh_key();
        self.wish(key, room, json!({"type": "chat.react", "target": target, "emoji": "👍", "on": on}));
    }

    /// Sends an answered command again, or another one under its key.
    fn again(&mut self, other: bool) {
        let command = {
            let mind = self.client.mind.lock();
            if mind.answered.is_empty() {
                return;
            }
            let at = self.dice.below(mind.answered.len() as u64) as usize;
            let Answered { key, room, body, seq } = &mind.answered[at];
            let (mut body, mut expected) = (body.clone(), Expected::Same(*seq));
            if other {
                body = json!({"type": "chat.send", "room": body["room"], "key": key, "text": "something else"});
                expected = Expected::Conflict;
            }
            if mind.waiting.iter().any(|waiting| waiting.key == *key) {
                return;
            }
            Command { key: key.clone(), room: *room, body, sent: None, due: Instant::now(), expected }
        };
        self.client.mind.lock().waiting.push_back(command);
        self.send_waiting();
    }
}
