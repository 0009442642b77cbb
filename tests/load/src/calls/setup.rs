//! Everybody into their calls, one after the other.

use super::{Calls, end::End};
use crate::{client::Client, plan::Names, target::Target};
use anyhow::{Context as _, ensure};
use std::{collections::HashMap, net::TcpStream, time::Instant};
use stoa_protocol::{
    CallGet, CallJoin, CallMedia, CallReply, CallStart, Command, Key, LinkEnd, RoomId, RoomKind, RoomOpen, Seq,
};

/// One participant's connection.
pub struct Seat {
    pub stream: TcpStream,
    /// What was received already and not read.
    pub received: Vec<u8>,
    pub room: String,
    pub call: u64,
    pub ends: Vec<End>,
}

/// Everybody, and what the server's memory was before.
pub struct Connected {
    pub seats: Vec<Seat>,
    pub rss_before: Option<u64>,
    pub rss_rooms: Option<u64>,
}

struct Joined {
    client: Client,
    session: String,
}

/// Creates the rooms, connects everybody and lets them join.
///
/// # Errors
/// The server refused something.
pub fn connect(target: &Target, calls: &Calls) -> anyhow::Result<Connected> {
    let rss = || target.rss_bytes();
    let names = Names::new()?;
    let rss_before = rss();
    let rooms: Vec<(String, Vec<String>)> = (0..calls.calls)
        .map(|call| {
            let first = call * calls.participants;
            (names.room(call), (first..first + calls.participants).map(|user| names.user(user)).collect())
        })
        .collect();
    let mut service = Client::connect(target, &target.mint.service(&names.service()))?;
    service.create_rooms(&rooms, RoomKind::Session).context("the rooms could not be created")?;
    let rss_rooms = rss();
    let mut seats = Vec::with_capacity(calls.calls * calls.participants);
    let mut told = Instant::now();
    for (at, (room, users)) in rooms.iter().enumerate() {
        call(target, room, users, &mut seats).with_context(|| format!("call {at} of {}", calls.calls))?;
        if told.elapsed().as_secs() >= 1 {
            eprintln!("{} calls {} of {}", target.name, at + 1, calls.calls);
            told = Instant::now();
        }
    }
    Ok(Connected { seats, rss_before, rss_rooms })
}

/// One call: the first starts it, the others join, and then each asks for its links.
fn call(target: &Target, room: &str, users: &[String], seats: &mut Vec<Seat>) -> anyhow::Result<()> {
    let id = RoomId::new(room)?;
    let mut joined: Vec<Joined> = Vec::new();
    let mut number: Option<Seq> = None;
    for user in users {
        let mut client = Client::connect(target, &target.mint.member(user, room))?;
        let session = client.welcome["session"].as_str().context("a session")?.to_owned();
        client.command(&Command::RoomOpen(RoomOpen { room: id.clone(), since: None }))?;
        let key = Key::new(format!("join-{user}"))?;
        let room = id.clone();
        let command = match number {
            None => Command::CallStart(CallStart {
                room,
                key,
                media: CallMedia::Video,
                ring: vec![],
                ring_all: false,
                lobby: false,
            }),
            Some(call) => Command::CallJoin(CallJoin { room, key, call }),
        };
        let reply = reply(&client.command(&command)?)?;
        number = Some(reply.call.context("the call")?.call);
        joined.push(Joined { client, session });
    }
    let call = number.context("a call has participants")?;
    let first = seats.len();
    // Which end of which link each session has; the other end's number is filled in when all are known.
    let mut found: HashMap<(String, String), (usize, usize)> = HashMap::new();
    let mut others = Vec::new();
    for Joined { mut client, session } in joined {
        let now = reply(&client.command(&Command::CallGet(CallGet { room: id.clone() }))?)?.call.context("the call")?;
        ensure!(now.links.len() == users.len() - 1, "{} links instead of {}", now.links.len(), users.len() - 1);
        let seat = seats.len();
        let mut ends = Vec::with_capacity(now.links.len());
        for link in &now.links {
            let is_own = |end: &LinkEnd| matches!(end, LinkEnd::Session { session: s } if s.as_str() == session);
            let other = if is_own(&link.polite) { &link.impolite } else { &link.polite };
            let LinkEnd::Session { session: other } = other else { anyhow::bail!("a link to the server") };
            let name = link.link.as_str().to_owned();
            found.insert((name.clone(), session.clone()), (seat, ends.len()));
            others.push(((seat, ends.len()), (name.clone(), other.as_str().to_owned())));
            ends.push(End {
                seat,
                other: 0,
                link: name,
                epoch: link.epoch,
                last: 0,
                unconfirmed: Default::default(),
                heard: 0,
                again: 0,
            });
        }
        let (stream, received) = client.into_parts();
        seats.push(Seat { stream, received, room: room.to_owned(), call: call.value(), ends });
    }
    let per_seat = users.len() - 1;
    for ((seat, at), other) in others {
        let (other_seat, other_at) = *found.get(&other).context("a link whose other end is nobody")?;
        ensure!(other_seat >= first && other_seat != seat, "a link to oneself");
        seats[seat].ends[at].other = u32::try_from(other_seat * per_seat + other_at)?;
    }
    Ok(())
}

fn reply(ack: &serde_json::Value) -> anyhow::Result<CallReply> {
    let reply: CallReply = serde_json::from_value(ack["result"].clone()).context("the reply of a call")?;
    ensure!(reply.place == stoa_protocol::CallPlace::In, "not in the call: {:?}", reply.place);
    Ok(reply)
}
