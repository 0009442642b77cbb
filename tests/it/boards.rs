//! Shared documents over real sockets: replicas converge, what was saved survives SIGKILL, and nobody writes who may not.

mod differential;
#[path = "../../rooms/tests/honest/mod.rs"]
mod honest;
mod lives;
mod peer;
mod plain;
mod providers;
mod siege;
mod storm;
mod unsaved;
mod versions;

use crate::harness::{Backend, Client, Dice, Server, Setup, commands::*, fresh_key, room, user};
pub use peer::Peer;
use stoa_protocol::{
    Command, DocCreate, DocUpdate, DocumentId, DocumentKind, EditRight, NewMember, Refusal, Role, RoomId, RoomKind,
};

/// A room of Ada's, with Ben as a member and Vic as a viewer.
async fn a_room(server: &Server, name: &str) -> (Client, RoomId) {
    a_room_of(server, name, &[("ben", Role::Member), ("vic", Role::Viewer)]).await
}

/// A room of Ada's with these people.
async fn a_room_of(server: &Server, name: &str, people: &[(&str, Role)]) -> (Client, RoomId) {
    let id = room(name);
    let mut ada = server.client("ada").await;
    let mut made = create(&id, RoomKind::Group);
    let member =
        |(who, role): &(&str, Role)| NewMember { user: user(who), role: *role, capabilities: None, data: None };
    made.members = people.iter().map(member).collect();
    ada.commit(Command::RoomCreate(made)).await;
    ada.open(&id).await;
    (ada, id)
}

/// A document of notes.
fn notes(room: &RoomId) -> Command {
    Command::DocCreate(DocCreate {
        room: room.clone(),
        key: fresh_key(),
        document: DocumentId::new("notes").expect("legal"),
        kind: DocumentKind::Notes,
        title: String::new(),
        edit: EditRight::default(),
        locked: false,
        data: None,
    })
}

fn lock(room: &RoomId, locked: bool) -> Command {
    Command::DocUpdate(DocUpdate {
        room: room.clone(),
        key: fresh_key(),
        document: DocumentId::new("board").expect("legal"),
        title: None,
        edit: None,
        locked: Some(locked),
        data: None,
    })
}

async fn drawn_together_and_killed(backend: Backend) {
    let mut dice = Dice::new("boards");
    let mut server = Setup::new(backend).without_rates().start().await;
    let (_ada, id) = a_room(&server, "drawn").await;
    let mut ada = Peer::open(&server, "ada", &id).await;
    let mut ben = Peer::open(&server, "ben", &id).await;
    let mut saved = Vec::new();
    for round in 0..6u32 {
        for step in 0..20 {
            ada.draw(&format!("a{}", dice.below(30)), round * 100 + step).await;
            ben.draw(&format!("b{}", dice.below(30)), round * 100 + step).await;
        }
        if round == 2 {
            // One is offline, and goes on drawing.
            ben.close().await;
            ben.draw_offline("offline", 7);
            ada.draw("online", 8).await;
            ben.reopen(&server).await;
        }
        if round == 4 {
            ada.all_saved().await;
            saved = ada.entries();
            ben.draw("late", 9).await;
            server.kill().await;
            server.restart().await;
            let mut reader = Peer::open(&server, "vic", &id).await;
            reader.settle().await;
            for (key, value) in &saved {
                let there = reader.entries().into_iter().find(|(name, _)| name == key);
                assert!(there.is_some(), "{key}={value} was reported saved and is gone; {}", server.log());
            }
            ada.reopen(&server).await;
            ben.reopen(&server).await;
        }
    }
    ada.all_saved().await;
    ben.all_saved().await;
    ada.same_as(&mut ben).await;
    assert!(ada.entries().iter().any(|(key, value)| key == "offline" && value == "7"), "offline edits are welcome");
    assert!(ada.entries().iter().any(|(key, _)| key == "late"), "what was not saved is sent again");
    // From disk alone.
    server.stop().await;
    server.restart().await;
    let mut fresh = Peer::open(&server, "vic", &id).await;
    fresh.same_as(&mut ada).await;
    assert!(!saved.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_saved_survives_a_kill_and_replicas_are_equal_on_sqlite() {
    drawn_together_and_killed(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_saved_survives_a_kill_and_replicas_are_equal_on_postgres() {
    drawn_together_and_killed(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_edit_is_refused_also_while_connected() {
    let server = Server::start(Backend::Sqlite).await;
    let (mut host, id) = a_room(&server, "rights").await;
    let mut vic = Peer::open(&server, "vic", &id).await;
    vic.draw("vics", 1).await;
    assert_eq!(vic.refused().await, Refusal::Forbidden);
    let mut ben = Peer::open(&server, "ben", &id).await;
    ben.draw("bens", 1).await;
    ben.all_saved().await;
    host.commit(lock(&id, true)).await;
    assert!(!ben.told_rights().await, "the lock is told");
    ben.draw("bens", 2).await;
    assert_eq!(ben.refused().await, Refusal::Forbidden);
    host.commit(lock(&id, false)).await;
    let mut ben = Peer::open(&server, "ben", &id).await;
    ben.draw("bens", 3).await;
    ben.all_saved().await;
    host.commit(remove(&id, &user("ben"))).await;
    ben.told_closed().await;
    let mut ada = Peer::open(&server, "ada", &id).await;
    ada.settle().await;
    assert_eq!(ada.entries(), [("bens".to_owned(), "3".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_updates_are_refused_with_a_reason_and_others_go_on() {
    let server = Server::start(Backend::Sqlite).await;
    let (_host, id) = a_room(&server, "hostile").await;
    let mut ada = Peer::open(&server, "ada", &id).await;
    ada.draw("mine", 1).await;
    ada.all_saved().await;
    let (client, clock) = ada.own_end();
    let cases: [(&str, Vec<u8>, Refusal); 4] = [
        ("a bomb of seven bytes", vec![0xff, 0xff, 0xff, 0x7f, 1, 1, 0], Refusal::Malformed),
        ("a gap", peer::item(12_345, 7, b"x"), Refusal::Gap),
        ("another's client id", peer::item(client, clock, b"x"), Refusal::Foreign),
        ("cut short", vec![1, 1], Refusal::Malformed),
    ];
    for (what, update, reason) in cases {
        let mut ben = Peer::open(&server, "ben", &id).await;
        ben.send_edit(&update).await;
        assert_eq!(ben.refused().await, reason, "{what}");
    }
    // In bulk: mutated bytes of a legal update, and gaps.
    let mut dice = Dice::new("hostile updates");
    let legal = ada.everything();
    let mut mallory = Peer::open(&server, "ben", &id).await;
    for round in 0..200u64 {
        let mut bytes = legal.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len() as u64) as usize;
            bytes[at] = dice.below(256) as u8;
        }
        if round % 10 == 9 {
            mallory = Peer::open(&server, "ben", &id).await;
        }
        mallory.send_edit(&bytes).await;
    }
    // Under a name of its own: whoever may edit may also write over what others drew.
    ada.draw("after", 2).await;
    ada.all_saved().await;
    let mut fresh = Peer::open(&server, "vic", &id).await;
    fresh.settle().await;
    assert!(fresh.entries().iter().any(|(key, value)| key == "after" && value == "2"), "others go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_told_that_a_document_fills_up_and_when_it_is_full_deleting_makes_room() {
    let server = Setup::new(Backend::Sqlite).variable("STOA_LIMITS_DOCUMENT_MIB", 1).start().await;
    let (_host, id) = a_room(&server, "full").await;
    let mut ada = Peer::open(&server, "ada", &id).await;
    let mut told = Vec::new();
    let mut drawn = 0;
    let refusal = loop {
        ada.draw_bytes(&format!("k{drawn}"), 40_000).await;
        match ada.saved_or_refused().await {
            Ok(()) => drawn += 1,
            Err(reason) => break reason,
        }
        told.extend(ada.fills());
    };
    told.extend(ada.fills());
    assert_eq!((drawn, refusal), (26, Refusal::Full), "26 times 40,000 bytes are within a MiB");
    assert_eq!(told.first().copied().flatten(), Some(80), "told from 80 percent on: {told:?}");
    assert_eq!(told.last().copied().flatten(), Some(100));
    assert!(told.is_sorted(), "{told:?}");
    // Who comes now is told at once.
    let mut ben = Peer::open(&server, "ben", &id).await;
    assert_eq!(ben.opened_fill, Some(99));
    ben.has(26).await;
    for key in 0..10 {
        ben.erase(&format!("k{key}")).await;
    }
    ben.all_saved().await;
    ben.until_not_full().await;
    ben.draw_bytes("new", 100_000).await;
    assert_eq!(ben.saved_or_refused().await, Ok(()), "there is room again");
}
