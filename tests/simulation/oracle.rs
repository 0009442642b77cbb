//! What must be true when everything is at rest.

use super::{client::Client, view::Open, world::World};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use stoa_protocol::{Seq, UserId};

/// The longest of the graces in which somebody is held for present: of a lost network, of a dead node.
pub const GRACES: Duration = Duration::from_secs(8);

/// Asks everything.
pub fn ask(world: &Arc<World>) {
    let clients = world.clients.lock().clone();
    for client in &clients {
        ask_client(world, client);
    }
    ask_presence(world, &clients);
    ask_words(world);
}

/// A client is connected, nothing waits, and what it has is what is committed.
fn ask_client(world: &World, client: &Client) {
    let mind = client.mind.lock();
    let wrong = |kind, seen: String| world.trace.wrong(kind, format!("client {}: {seen}", client.at));
    if !mind.is_welcome || !mind.waiting.is_empty() {
        let waiting = mind.waiting.len();
        return wrong("stuck", format!("welcome: {}, {waiting} commands without an answer", mind.is_welcome));
    }
    let tables = world.database.tables.lock();
    for view in &mind.rooms {
        let head = tables.head(&view.room).expect("a room");
        let Some((epoch, cursor)) = view.cursor.as_ref().filter(|_| view.open == Open::Yes) else {
            wrong("stuck", format!("{} is not open", view.room));
            continue;
        };
        if *epoch != head.epoch || *cursor != head.seq.value() {
            wrong("behind", format!("{} is at {cursor}, and the log at {}", view.room, head.seq.value()));
            continue;
        }
        let whole = (view.base + 1..=*cursor).all(|seq| view.log.contains_key(&seq));
        if !whole || view.log.len() as u64 != cursor - view.base {
            wrong("holes", format!("{} has {} events from {} to {cursor}", view.room, view.log.len(), view.base));
        }
        for (seq, told) in &view.log {
            let stored = tables.event(&view.room, *seq).and_then(|(event, _)| event.body.as_ref());
            let stored = stored.map(|body| serde_json::to_value(body).expect("JSON"));
            let (Some(stored), Some(told)) = (stored, told) else { continue };
            let same = stored.as_object().into_iter().flatten().all(|(name, value)| told[name] == *value);
            if !same {
                wrong("altered", format!("{}#{seq} is {stored}, and not {told}", view.room));
            }
        }
        let markers = tables.markers(&view.room, &client.user, u32::MAX);
        for marker in markers {
            let told = view.markers.get(marker.user.as_str()).copied().unwrap_or_default();
            if told != marker.seq.value() {
                let (room, user, seq) = (&view.room, &marker.user, marker.seq.value());
                wrong("marker", format!("{user} has read {room} up to {seq}, and not {told}"));
            }
        }
        if !view.typing.is_empty() {
            wrong("typing", format!("{:?} are said to type in {}", view.typing, view.room));
        }
    }
    for answered in &mind.answered {
        let room = &world.rooms[answered.room];
        let event = tables.event(room, answered.seq).map(|(event, _)| event);
        let is_own = event.is_some_and(|event| event.from.as_ref() == Some(&client.user));
        let words = event.and_then(|event| event.body.as_ref()).map(|body| serde_json::to_value(body).expect("JSON"));
        let is_it = words.is_none_or(|words| answered.body["text"].is_null() || words["text"] == answered.body["text"]);
        if !is_own || !is_it {
            wrong("lost", format!("{} was acknowledged as {room}#{}, which is {event:?}", answered.key, answered.seq));
        }
    }
    let stream = tables.user(&client.user).head;
    let place = mind.stream.cursor.as_ref().map(|(_, seq)| *seq);
    if place != Some(stream.seq.value()) {
        wrong("stream", format!("the stream is at {place:?}, and the log at {}", stream.seq.value()));
    }
}

/// Everybody is told of everybody what is so.
fn ask_presence(world: &World, clients: &[Arc<Client>]) {
    let mut expected: BTreeMap<UserId, Vec<String>> = BTreeMap::new();
    for client in clients {
        let mind = client.mind.lock();
        let state = if mind.is_welcome { mind.state.clone() } else { "offline".into() };
        expected.entry(client.user.clone()).or_default().push(state);
    }
    for client in clients {
        let mind = client.mind.lock();
        for view in &mind.rooms {
            for (user, states) in &expected {
                let state = most_present(states);
                let told = view.presence.get(user.as_str()).map_or("offline", String::as_str);
                if told != state {
                    let seen = format!("client {} holds {user} for {told} in {}, who is {state}", client.at, view.room);
                    world.trace.wrong("presence", seen);
                }
            }
        }
    }
}

/// `busy` beats `online`, else the most present device counts.
fn most_present(states: &[String]) -> &'static str {
    ["busy", "online", "away"].into_iter().find(|state| states.iter().any(|s| s == state)).unwrap_or("offline")
}

/// No message is in a log twice, whatever key it came under.
fn ask_words(world: &World) {
    let tables = world.database.tables.lock();
    for room in tables.rooms() {
        let mut seen: BTreeMap<String, Seq> = BTreeMap::new();
        for event in tables.events(room, Seq::ZERO, u32::MAX) {
            let Some(body) = event.body.as_ref().filter(|body| body.kind() == "chat.sent") else { continue };
            let body = serde_json::to_value(body).expect("JSON");
            let words = body.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
            if let Some(first) = seen.insert(words.clone(), event.seq) {
                world
                    .trace
                    .wrong("twice", format!("{words:.40} is {room}#{} and #{}", first.value(), event.seq.value()));
            }
        }
    }
}
