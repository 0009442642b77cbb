//! Who is there in a document: the newest state of each Yjs client, told in ticks.
//!
//! A slow reader's waiting frame is replaced by one that holds everything since what it has for certain, so that nothing
//! piles up and nothing is lost but what is old.

use super::{Line, attachment::Attachment, wire};
use crate::cluster::BootId;
use serde_json::{Map, Value};
use std::collections::HashMap;
use stoa_protocol::{UserId, limits};
use stoa_rooms::document::write_awareness;

/// Most Yjs clients that one connection speaks for.
const CLIENTS: usize = 4;
/// Most clients of one message of another node.
const HEARD: usize = 2_000;
/// Ticks after which nobody needs to be told any more that a client has gone: about two minutes.
const FORGET: u64 = 4_000;

/// Who speaks for a Yjs client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    /// A connection of this node.
    Conn(u64),
    /// Another node.
    Node(BootId),
}

struct State {
    /// Who speaks for it.
    by: Speaker,
    clock: u32,
    /// JSON; `null` is gone.
    json: String,
    /// When it changed last.
    tick: u64,
}

/// The states of a document.
#[derive(Default)]
pub struct Awareness {
    states: HashMap<u64, State>,
    tick: u64,
    /// The tick up to which other nodes were told.
    told_nodes: u64,
    dirty: bool,
}

impl Awareness {
    /// Whether there is something to tell.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Takes what a connection says of a client of its own; what it says of others is passed over.
    pub fn set(&mut self, from: &mut Attachment, client: u64, clock: u32, json: &str) {
        let by = Speaker::Conn(from.conn.id);
        let known = self.states.get(&client);
        // A client that comes to this node is still another node's until that has seen it go.
        let taken = |state: &State| state.by != by && state.json != "null" && matches!(state.by, Speaker::Conn(_));
        if known.is_some_and(taken) || json.len() > limits::AWARENESS_BYTES {
            return;
        }
        if known
            .is_some_and(|state| state.by == by && clock <= state.clock && !(clock == state.clock && json == "null"))
        {
            return;
        }
        if !from.speaks_for.contains(&client) && from.speaks_for.len() >= CLIENTS {
            return;
        }
        let Some(json) = signed(json, &from.conn.user, &from.name) else { return };
        from.speaks_for.insert(client);
        let clock = clock.max(known.map_or(0, |state| state.clock + u32::from(state.by != by)));
        self.put(client, State { by, clock, json, tick: 0 });
    }

    fn put(&mut self, client: u64, state: State) {
        self.states.insert(client, State { tick: self.tick + 1, ..state });
        self.dirty = true;
    }

    /// A connection has ended: its clients are gone.
    pub fn gone(&mut self, of: &Attachment) {
        let by = Speaker::Conn(of.conn.id);
        for client in &of.speaks_for {
            if let Some(state) = self.states.get(client).filter(|state| state.by == by) {
                let clock = state.clock + 1;
                self.put(*client, State { by, clock, json: "null".into(), tick: 0 });
            }
        }
    }

    /// What clients of another node say; the newest clock wins.
    pub fn heard(&mut self, from: BootId, states: Vec<(u64, u32, String)>) {
        let by = Speaker::Node(from);
        for (client, clock, json) in states.into_iter().take(HEARD) {
            let known = self.states.get(&client);
            // What a node says of a client that has gone from it does not end one that is here now.
            let older = |state: &State| clock < state.clock || (clock == state.clock && state.json == json);
            if json.len() <= 2 * limits::AWARENESS_BYTES && !known.is_some_and(older) {
                self.put(client, State { by, clock, json, tick: 0 });
            }
        }
    }

    /// Nodes are gone: so are their clients.
    pub fn nodes_gone(&mut self, nodes: &[BootId]) {
        let gone: Vec<(u64, Speaker, u32)> = self
            .states
            .iter()
            .filter(|(_, state)| {
                matches!(state.by, Speaker::Node(node) if nodes.contains(&node)) && state.json != "null"
            })
            .map(|(client, state)| (*client, state.by, state.clock + 1))
            .collect();
        for (client, by, clock) in gone {
            self.put(client, State { by, clock, json: "null".into(), tick: 0 });
        }
    }

    /// What connections of this node say, since it was told other nodes, or all of it.
    pub fn own(&mut self, all: bool) -> Vec<(u64, u32, String)> {
        let since = if all { 0 } else { std::mem::replace(&mut self.told_nodes, self.tick + 1) };
        self.states
            .iter()
            .filter(|(_, state)| matches!(state.by, Speaker::Conn(_)) && state.tick > since)
            .filter(|(_, state)| !all || state.json != "null")
            .map(|(client, state)| (*client, state.clock, state.json.clone()))
            .collect()
    }

    /// Everybody who is there, as a message; `None` when nobody is.
    pub fn everybody(&self) -> Option<Vec<u8>> {
        self.since(0, true)
    }

    fn since(&self, tick: u64, there: bool) -> Option<Vec<u8>> {
        let states: Vec<_> = self
            .states
            .iter()
            .filter(|(_, state)| state.tick > tick && !(there && state.json == "null"))
            .map(|(client, state)| (*client, state.clock, state.json.as_str()))
            .collect();
        (!states.is_empty()).then(|| wire::awareness(&write_awareness(states.into_iter())))
    }

    /// Tells everybody what changed.
    pub fn tell(&mut self, to: &mut [Attachment]) {
        self.tick += 1;
        self.dirty = false;
        let mut frames: HashMap<(u64, Line), Option<crate::gateway::Frame>> = HashMap::new();
        for attachment in to.iter_mut().filter(|attachment| attachment.welcomed) {
            let (certain, sent) = attachment.aware;
            let certain = if attachment.conn.mailbox.has_slot(attachment.slot()) { certain } else { sent };
            let line = attachment.line;
            let frame = frames
                .entry((certain, line))
                .or_insert_with(|| self.since(certain, false).map(|message| wire::frame(line, &message)));
            if let Some(frame) = frame {
                attachment.conn.mailbox.push_slot(attachment.slot(), frame.clone());
                attachment.conn.mailbox.flush();
            }
            attachment.aware = (certain, self.tick);
        }
        let now = self.tick;
        self.states.retain(|_, state| state.json != "null" || state.tick + FORGET > now);
    }
}

/// The state with the identity of its user; `None` when it is no object.
fn signed(json: &str, user: &UserId, name: &str) -> Option<String> {
    if json == "null" {
        return Some(json.to_owned());
    }
    let mut state: Map<String, Value> = serde_json::from_str(json).ok()?;
    let told = match state.remove("user") {
        Some(Value::Object(told)) => told,
        Some(_) | None => Map::new(),
    };
    let mut own = Map::new();
    for field in ["color", "colorLight"] {
        if let Some(Value::String(color)) =
            told.get(field).filter(|color| color.as_str().is_some_and(|c| c.len() <= 64))
        {
            own.insert(field.into(), color.clone().into());
        }
    }
    own.insert("id".into(), user.as_str().into());
    own.insert("name".into(), name.into());
    state.insert("user".into(), own.into());
    Some(Value::Object(state).to_string())
}
