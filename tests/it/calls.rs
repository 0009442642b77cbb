//! Calls over real sockets, on both stores: coming and going, signals, what happens when a server dies.

pub mod person;
mod powers;

use crate::harness::{Backend, Client, Server, Setup, Token, commands::*, fresh_key, room, user};
use person::{Person, candidate, description, offer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use stoa_protocol::{
    CallEvent, CallHistory, CallLeave, CallLeaveReason, CallLink, CallMedia, CallPlace, CallRelink, CallStart,
    CallTracks, Command, Control, ErrorCode, Hello, NewMember, Reply, Role, RoomKind, RoomList, Seq, ServerFrame,
    Signal, Track, TrackId, TrackSource,
};

const BACKENDS: [Backend; 2] = [Backend::Sqlite, Backend::Postgres];

/// A room with these people in it, each on a laptop.
async fn people(server: &Server, names: &[&str]) -> Vec<Person> {
    let id = room("calls");
    let mut all = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let mut person = Person::enter(server, name, "laptop", &id).await;
        if at == 0 {
            let member =
                |name: &&str| NewMember { user: user(name), role: Role::Member, capabilities: None, data: None };
            let mut create = create(&id, RoomKind::Group);
            create.members = names[1..].iter().map(member).collect();
            person.client.commit(Command::RoomCreate(create)).await;
        }
        person.client.open(&id).await;
        all.push(person);
    }
    all
}

async fn two(server: &Server) -> (Person, Person, Seq, CallLink) {
    let mut all = people(server, &["ada", "ben"]).await;
    let (mut ben, mut ada) = (all.pop().expect("two"), all.pop().expect("two"));
    let call = ada.start().await.call.expect("it runs").call;
    let joined = ben.join(call).await;
    let link = joined.call.expect("it runs").links[0].clone();
    assert_eq!(ada.link().await, link);
    (ada, ben, call, link)
}

#[tokio::test]
async fn two_who_press_call_at_once_meet_and_talk_over_one_link() {
    for backend in BACKENDS {
        let server = Server::start(backend).await;
        let mut all = people(&server, &["ada", "ben", "cleo"]).await;
        let mut starts = Vec::new();
        for person in &mut all[..2] {
            let (room, key) = (person.room.clone(), fresh_key());
            let start = CallStart { room, key, media: CallMedia::Video, ring: vec![], ring_all: false, lobby: false };
            starts.push(person.client.send(Command::CallStart(start)).await);
        }
        let mut calls = Vec::new();
        for (person, id) in all.iter_mut().zip(starts) {
            match person.client.reply(id, "a call").await.expect("started or joined").result {
                Some(Reply::Call(reply)) => calls.push((reply.place, reply.call.expect("it runs").call)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(calls[0], calls[1], "one call");
        assert_eq!(calls[0].0, CallPlace::In);
        let joined = all[2].join(calls[0].1).await.call.expect("it runs");
        assert_eq!((joined.participants.len(), joined.links.len()), (3, 2));
        let own = all[2].session.clone();
        assert!(joined.links.iter().all(|link| stoa_signaling::is_end(link, &own)));
        assert_ne!(joined.links[0].link, joined.links[1].link, "a link for each pair");
    }
}

#[tokio::test]
async fn glare_a_hundred_times_loses_and_doubles_nothing() {
    for backend in BACKENDS {
        let server = Setup::new(backend).without_rates().start().await;
        let (mut ada, mut ben, call, link) = two(&server).await;
        for n in 1..=100 {
            let (from_ada, from_ben) = (ada.say(call, &link, n, offer()), ben.say(call, &link, n, offer()));
            let ids = (ada.client.send(from_ada.clone()).await, ben.client.send(from_ben.clone()).await);
            for (person, id, said) in [(&mut ada, ids.0, from_ada), (&mut ben, ids.1, from_ben)] {
                person.insist(id, said).await;
            }
            for person in [&mut ada, &mut ben] {
                assert_eq!(person.signal().await.n, n);
                person.confirm(call, &link, n).await;
            }
            assert_eq!((ada.confirmed().await, ben.confirmed().await), (n, n));
        }
    }
}

#[tokio::test]
async fn a_call_outlives_the_server_and_signals_go_on_under_their_numbers() {
    for backend in BACKENDS {
        let mut server = Server::start(backend).await;
        let (mut ada, mut ben, call, link) = two(&server).await;
        let track = Track { track: TrackId::new("mic").expect("legal"), source: TrackSource::Microphone, muted: true };
        let tracks = CallTracks { room: ada.room.clone(), call, tracks: vec![track.clone()] };
        ada.client.call(Command::CallTracks(tracks)).await.expect("kept");
        let relink = CallRelink { room: ada.room.clone(), call, link: link.link.clone(), epoch: 1 };
        match ada.client.ask(Command::CallRelink(relink)).await {
            Reply::Link(link) => assert_eq!(link.epoch, 2),
            other => panic!("{other:?}"),
        }
        let link = CallLink { epoch: 2, ..link };
        let first = ben.say(call, &link, 1, offer());
        ben.client.call(first.clone()).await.expect("taken");
        assert_eq!(ada.signal().await.n, 1);
        let (room, sessions) = (ada.room.clone(), [ada.client.session(), ben.client.session()]);
        let cursor = ada.client.cursor(&room);
        server.kill().await;
        server.restart().await;
        let [of_ada, of_ben] = sessions;
        let mut ada = Person::hello(&server, "ada", Some("laptop"), Some(of_ada.clone()), &room).await;
        assert_eq!(ada.session, of_ada.id, "any node knows the secret");
        let opened = ada.client.open_since(&room, Some(cursor)).await;
        let now = opened.call.or(opened.snapshot.and_then(|snapshot| snapshot.call)).expect("the call goes on");
        assert_eq!((now.call, now.participants.len()), (call, 2));
        assert_eq!(now.participants[0].state.tracks, [track], "what is retained is told again");
        assert_eq!(now.links, std::slice::from_ref(&link), "the epoch too");
        // Not confirmed before the server died: sent again under its number, and heard after a moment.
        let mut ben = Person::hello(&server, "ben", Some("laptop"), Some(of_ben), &room).await;
        ben.client.open(&room).await;
        ben.client.call(first).await.expect("taken");
        assert_eq!(ada.signal().await.n, 1);
        ada.confirm(call, &link, 1).await;
        assert_eq!(ben.confirmed().await, 1);
        // A reload takes the place of the old session, and nobody is left behind.
        let mut again = Person::enter(&server, "ben", "laptop", &room).await;
        again.client.open(&room).await;
        let joined = again.join(call).await.call.expect("it runs");
        assert_eq!(joined.participants.len(), 2, "{joined:?}");
        let left = ada.event("the ghost to leave", |event| matches!(event, CallEvent::Left { .. })).await;
        assert!(
            matches!(left, CallEvent::Left { reason: CallLeaveReason::Replaced, session, .. } if session == ben.session)
        );
    }
}

#[tokio::test]
async fn the_seventh_is_refused_with_call_full() {
    let server = Server::start(Backend::Sqlite).await;
    let mut all = people(&server, &["a", "b", "c", "d", "e", "f", "g"]).await;
    let call = all[0].start().await.call.expect("it runs").call;
    for person in &mut all[1..6] {
        assert_eq!(person.join(call).await.place, CallPlace::In);
    }
    let seventh = all[6].joining(call);
    all[6].client.refused(seventh, ErrorCode::CallFull).await;
}

#[tokio::test]
async fn hostile_descriptions_are_refused_and_hostile_candidates_dropped_singly() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, call, link) = two(&server).await;
    let sdp = |sdp: String| Signal::Offer { sdp, tracks: BTreeMap::new() };
    let fat = format!("a=x:{}", "y".repeat(45 * 1024));
    let sections = ["m=audio 9 UDP/TLS/RTP/SAVPF 111"; 500];
    let candidates = ["a=candidate:1 1 udp 1 10.0.0.1 5 typ host"; 600];
    let bad = [
        sdp(description(&[&fat])),
        sdp(description(&sections)),
        sdp(description(&candidates)),
        sdp(description(&[]).replace("a=fingerprint", "a=nothing")),
        sdp(description(&["a=x\na=evil"])),
        Signal::Candidate { candidate: "candidate:1\r\na=evil".into(), mid: None, mline: None, ufrag: None },
    ];
    for signal in bad {
        let say = ben.say(call, &link, 1, signal);
        let fault = ben.client.refused(say, ErrorCode::BadRequest).await;
        assert!(fault.field.is_some_and(|field| field.starts_with("signal")));
    }
    for (n, address) in (1..).zip(["127.0.0.1", "169.254.169.254", "fe80::1", "metadata.google.internal"]) {
        let say = ben.say(call, &link, n, candidate(address));
        ben.client.call(say).await.expect("taken, and not passed on");
        assert_eq!(ada.signal().await.signal, Signal::Dropped, "{address}");
    }
    let say = ben.say(call, &link, 5, candidate("192.168.1.7"));
    ben.client.call(say).await.expect("taken");
    assert_eq!(ada.signal().await.signal, candidate("192.168.1.7"), "the call goes on");
}

#[tokio::test]
async fn a_flood_of_offers_from_both_sides_is_limited_and_harms_nobody_else() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut ada, mut ben, call, link) = two(&server).await;
    let mut ids = Vec::new();
    for n in 1..=120 {
        let (from_ada, from_ben) = (ada.say(call, &link, n, offer()), ben.say(call, &link, n, offer()));
        ids.push((ada.client.send(from_ada).await, ben.client.send(from_ben).await));
    }
    let mut limited = 0;
    for (a, b) in ids {
        for (person, id) in [(&mut ada, a), (&mut ben, b)] {
            if let Err(fault) = person.client.reply(id, "an answer").await {
                assert_eq!(fault.code, ErrorCode::RateLimited, "{fault}");
                assert!(fault.retry_after_ms.is_some_and(|wait| wait > 0));
                limited += 1;
            }
        }
    }
    assert!(limited >= 2 * (120 - 60), "only {limited} were limited");
    let mut other = server.client("cleo").await;
    let id = room("elsewhere");
    other.commit(Command::RoomCreate(create(&id, RoomKind::Group))).await;
    other.open(&id).await;
    other.commit(say(&id, "still here")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_read_over_http_by_members_only() {
    for backend in BACKENDS {
        let server = Server::start(backend).await;
        let (mut ada, ben, call, _) = two(&server).await;
        let end = stoa_protocol::CallEnd { room: ada.room.clone(), key: fresh_key(), call };
        ada.client.commit(Command::CallEnd(end)).await;
        let history = CallHistory { room: ada.room.clone(), before: None, limit: None };
        let told = match ada.client.ask(Command::CallHistory(history)).await {
            Reply::Calls { calls, more, .. } => (calls, more),
            other => panic!("{other:?}"),
        };
        assert_eq!((told.0.len(), told.1, told.0[0].participants.len()), (1, false, 2));
        let asked = |name: &str| {
            let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
            let url = format!("http://127.0.0.1:{}/v1/rooms/calls/calls", server.port());
            let mut answer = agent
                .get(&url)
                .header("authorization", &format!("bearer {}", Token::of(name).sign()))
                .call()
                .expect("an answer");
            let text = answer.body_mut().read_to_string().expect("text");
            (answer.status().as_u16(), serde_json::from_str::<Value>(&text).expect("JSON"))
        };
        let (status, page) = tokio::task::block_in_place(|| asked("ben"));
        assert_eq!(status, 200, "{page}");
        assert_eq!(page["calls"][0]["call"], json!(call));
        assert_eq!(page["calls"][0]["reason"], "ended");
        assert_eq!(tokio::task::block_in_place(|| asked("eve")).0, 404);
        drop(ben);
    }
}

#[tokio::test]
async fn a_row_of_the_list_tells_that_a_call_runs_to_who_has_the_room_closed() {
    for backend in BACKENDS {
        let server = Server::start(backend).await;
        let mut all = people(&server, &["ada", "ben"]).await;
        let mut phone = Client::dial(&server).await;
        let (token, list) = (Token::of("ben").sign(), true);
        phone.hello_with(Hello { token, session: None, user: None, list, device: None, client: None }).await;
        let call = all[0].start().await.call.expect("it runs").call;
        let tells = async |phone: &mut Client, runs: bool| {
            let is_it = |control: &Control| match control {
                Control::List { entry } if entry.call == runs && entry.head >= call => Some(entry.clone()),
                _ => None,
            };
            phone.expect_control("the row of the room", is_it).await
        };
        assert_eq!(tells(&mut phone, true).await.info.room, room("calls"));
        let ask = RoomList { after: None, limit: None, archived: false };
        match phone.ask(Command::RoomList(ask)).await {
            Reply::Rooms { rooms, .. } => assert!(rooms[0].call),
            other => panic!("{other:?}"),
        }
        let (id, key) = (room("calls"), fresh_key());
        all[0].client.commit(Command::CallLeave(CallLeave { room: id, key, call })).await;
        tells(&mut phone, false).await;
    }
}
