//! Attacks on a document while others work in it: the attackers get what they are to get, memory is bounded, and the
//! others go on. How long their edits take meanwhile is told.

use super::{
    a_room_of,
    peer::{Peer, item},
};
use crate::harness::{Backend, Server, Setup, is_long};
use std::{sync::Arc, time::Instant};
use stoa_protocol::{Refusal, Role, RoomId, limits};
use stoa_rooms::document::{put_bytes, put_varuint};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// KiB by which the server may grow under all attacks at once: many times what its bounded queues hold.
const GROWTH_KIB: u64 = 128 * 1024;
/// Edits of the two who draw, before the attacks.
const PEACE: u32 = 100;

/// Frames of one flood, and connections that one attacker loses.
fn size() -> (u32, u32) {
    if is_long() { (20_000, 200) } else { (600, 10) }
}

/// Two who draw, and how long each edit took to be with the other, milliseconds.
struct Workers {
    ada: Peer,
    ben: Peer,
    drawn: u32,
    took: Vec<f64>,
}

impl Workers {
    async fn of(server: &Server, room: &RoomId) -> Self {
        let (ada, ben) = (Peer::open(server, "ada", room).await, Peer::open(server, "ben", room).await);
        Self { ada, ben, drawn: 0, took: vec![] }
    }

    /// One edit by each; the other gets it.
    async fn draw(&mut self) {
        self.drawn += 1;
        self.took.push(drawn(&mut self.ada, &mut self.ben, "adas", self.drawn).await);
        self.took.push(drawn(&mut self.ben, &mut self.ada, "bens", self.drawn).await);
    }

    /// Tells how long the edits took since it was told last.
    fn tell(&mut self, what: &str) {
        let mut took = std::mem::take(&mut self.took);
        took.sort_by(f64::total_cmp);
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        let (half, most, all) = (at(0.5), at(0.99), took.len());
        println!("{what}: {all} edits, with the other after {half:.1} ms (p50), {most:.1} ms (p99)");
    }
}

/// Draws until it is saved; milliseconds until the other has it.
async fn drawn(from: &mut Peer, to: &mut Peer, key: &str, value: u32) -> f64 {
    let begun = Instant::now();
    from.draw(key, value).await;
    to.has_drawn(key, value).await;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    from.all_saved().await;
    took
}

/// A server and a room under attack.
#[derive(Clone)]
struct Siege {
    server: Arc<Server>,
    room: RoomId,
    /// Where another's Yjs client goes on.
    foreign: (u64, u32),
}

impl Siege {
    async fn enter(&self, name: &str) -> Peer {
        Peer::open(&self.server, name, &self.room).await
    }

    /// Sends one edit after the other and reads what is there; each is refused for this reason.
    async fn flood(self, name: &'static str, make: fn(u32) -> Vec<u8>, reason: Refusal) {
        let (mut peer, (frames, _)) = (self.enter(name).await, size());
        for round in 0..frames {
            peer.send_edit(&make(round)).await;
            peer.read_waiting().await;
        }
        peer.all_saved().await;
        let refused = peer.refusals();
        assert_eq!(refused.len() as u32, frames, "each was answered");
        assert!(refused.iter().all(|one| *one == reason), "{refused:?}");
    }

    /// Sends what no honest client sends, until the connection is closed, and comes again.
    async fn strikes(self, bytes: Vec<u8>, reason: Refusal) {
        for _ in 0..size().1 {
            let mut peer = self.enter("mallory").await;
            for _ in 0..30 {
                peer.send_edit(&bytes).await;
            }
            assert_eq!(peer.ended().await, "1008");
            let refused = peer.refusals();
            assert!(refused.len() >= 10 && refused.iter().all(|one| *one == reason), "{refused:?}");
        }
    }

    /// Frames larger than they may be: the connection is closed, and nothing is kept for them.
    async fn oversized(self) {
        for _ in 0..size().1 {
            let mut peer = self.enter("mallory").await;
            peer.send_frame(vec![1; limits::BINARY_FRAME_BYTES + 1]).await;
            // The server closes while the rest is still being sent: the code may be lost with the socket.
            let end = peer.ended().await;
            assert!(end == "1009" || end.contains("Err"), "closed as too large: {end}");
        }
        // An update may be this large, and no larger, though its frame is.
        let mut peer = self.enter("mallory").await;
        let mut update = item(u64::from(u32::MAX), 0, b"x");
        update.resize(limits::UPDATE_BYTES + 1, 0);
        peer.send_edit(&update).await;
        assert_eq!(peer.refused().await, Refusal::TooLarge);
    }

    /// Cursors as fast as they are taken, until the other attacks are over. Tells how many.
    async fn cursors(self, mut over: watch::Receiver<bool>) -> u32 {
        let mut peer = self.enter("mallory").await;
        let (client, _) = peer.own_end();
        let mut sent = 0;
        while !*over.borrow_and_update() {
            sent += 1;
            peer.appear(client, sent, &format!("{{\"cursor\":{{\"x\":{sent}}}}}")).await;
            peer.read_waiting().await;
            assert!(peer.is_connected(), "who is too fast waits");
        }
        sent
    }

    /// Everything at once; the answer is whether it is over.
    fn begin(&self) -> (JoinSet<()>, Vec<JoinHandle<u32>>, watch::Sender<bool>) {
        let over = watch::Sender::new(false);
        let cursors = [(); 2].map(|()| tokio::spawn(self.clone().cursors(over.subscribe())));
        let mut attacks = JoinSet::new();
        attacks.spawn(self.clone().flood("mallory", gap, Refusal::Gap));
        attacks.spawn(self.clone().flood("mallory", unknown_origin, Refusal::Gap));
        attacks.spawn(self.clone().flood("vic", |round| item(60_000, round, b"x"), Refusal::Forbidden));
        // Seven bytes that declare 256 MiB of structs.
        attacks.spawn(self.clone().strikes(vec![0xff, 0xff, 0xff, 0x7f, 1, 1, 0], Refusal::Malformed));
        let (client, clock) = self.foreign;
        attacks.spawn(self.clone().strikes(item(client, clock, b"x"), Refusal::Foreign));
        attacks.spawn(self.clone().oversized());
        (attacks, cursors.into(), over)
    }
}

/// An update that begins beyond what the server has; another one each time, so that none is remembered.
fn gap(round: u32) -> Vec<u8> {
    item(70_000 + u64::from(round), 7, &[b'x'; 2_000])
}

/// An update that stands behind an item that the server does not have.
fn unknown_origin(round: u32) -> Vec<u8> {
    let mut bytes = vec![1, 1];
    put_varuint(&mut bytes, 80_000_000 + u64::from(round));
    bytes.extend([0, 0x84]);
    put_varuint(&mut bytes, 90_000_000 + u64::from(round));
    bytes.push(0);
    put_bytes(&mut bytes, &[b'x'; 2_000]);
    bytes.push(0);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attackers_are_refused_while_others_work_and_memory_stays_bounded() {
    let server = Arc::new(Setup::new(Backend::Sqlite).start().await);
    let people = [("ben", Role::Member), ("mallory", Role::Member), ("vic", Role::Viewer)];
    let (_host, room) = a_room_of(&server, "siege", &people).await;
    let mut workers = Workers::of(&server, &room).await;
    for _ in 0..PEACE {
        workers.draw().await;
    }
    workers.tell("in peace");
    let mut other_tab = Peer::open(&server, "ada", &room).await;
    other_tab.draw("once", 1).await;
    other_tab.all_saved().await;
    let before = server.rss_kib();
    let siege = Siege { server: server.clone(), room, foreign: other_tab.own_end() };
    let (mut attacks, cursors, over) = siege.begin();
    let mut most = before;
    while !attacks.is_empty() {
        workers.draw().await;
        most = most.max(server.rss_kib());
        while let Some(ended) = attacks.try_join_next() {
            ended.expect("each attacker got what it was to get");
        }
    }
    workers.tell("under attack");
    over.send_replace(true);
    let mut moved = 0;
    for cursor in cursors {
        moved += cursor.await.expect("whoever moves a cursor stays connected");
    }
    println!("{moved} cursors were moved; the server had {before} KiB and then {most} KiB at most");
    assert!(most - before < GROWTH_KIB, "the server grew by {} KiB", most - before);
    let mut fresh = siege.enter("vic").await;
    fresh.settle().await;
    assert_eq!(fresh.editor.content(), workers.ada.editor.content(), "what the two drew, and nothing else");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
