//! Many people on one board while everything goes wrong that may: at the end everybody has the same, it is what is on
//! disk, and nothing that was reported saved is gone.

use super::{a_room_of, peer::Peer};
use crate::harness::{Backend, Dice, Server, Setup, is_long, within};
use stoa_protocol::{Refusal, Role, RoomId};
use yrs::{Map, Transact};

const PEOPLE: [&str; 8] = ["ada", "bea", "cem", "dan", "eva", "fay", "gus", "hal"];
/// What happens of one plan, and how often the server is killed meanwhile.
const STEPS: u64 = 900;
const KILLS: u64 = 3;
/// Plans of the short form and of the long one.
const PLANS: [u32; 2] = [1, 30];

struct Storm {
    server: Server,
    room: RoomId,
    people: Vec<Peer>,
    /// Who reads nothing, and until which step.
    slow: Vec<u64>,
    /// The last edit of each, to be sent again.
    last: Vec<Option<Vec<u8>>>,
}

impl Storm {
    async fn begin(backend: Backend, name: &str) -> Self {
        let server = Setup::new(backend).without_rates().start().await;
        let others: Vec<_> = PEOPLE[1..].iter().map(|who| (*who, Role::Member)).collect();
        let (_host, room) = a_room_of(&server, name, &others).await;
        let mut people = vec![];
        for who in PEOPLE {
            people.push(Peer::open(&server, who, &room).await);
        }
        let (slow, last) = (vec![0; people.len()], vec![None; people.len()]);
        Self { server, room, people, slow, last }
    }

    async fn step(&mut self, at: u64, dice: &mut Dice) {
        let who = dice.below(PEOPLE.len() as u64) as usize;
        let peer = &mut self.people[who];
        match dice.below(100) {
            0..=54 => {
                let update = peer.editor.edit(&mut |end| dice.below(end));
                peer.send_edit(&update).await;
                self.last[who] = Some(update);
            }
            55..=61 => {
                // What the server has already, or will have, once more.
                if let (Some(update), true) = (self.last[who].clone(), peer.is_connected()) {
                    peer.send_edit(&update).await;
                }
            }
            62..=65 => out_of_order(peer, dice).await,
            66..=68 => {
                // A few of these are more than a mailbox holds.
                let words = "0123456789abcdef".repeat(1_000 + dice.below(5_000) as usize);
                let map = peer.editor.doc.get_or_insert_map("map");
                let update = {
                    let mut txn = peer.editor.doc.transact_mut();
                    map.insert(&mut txn, "large", words);
                    txn.encode_update_v1()
                };
                peer.send_edit(&update).await;
            }
            69..=73 => peer.close().await,
            74..=76 => peer.break_off().await,
            77..=79 => self.slow[who] = at + 20 + dice.below(150),
            _ => {
                if !self.people[who].is_connected() {
                    self.people[who].reopen(&self.server).await;
                    self.slow[who] = 0;
                }
            }
        }
        for (peer, slow_until) in self.people.iter_mut().zip(&self.slow) {
            if *slow_until <= at {
                peer.read_waiting().await;
            }
        }
    }

    /// The server dies; what was reported saved is there for whoever comes next.
    async fn kill(&mut self) {
        self.server.kill().await;
        for peer in &mut self.people {
            // What was told before the end is known.
            peer.read_waiting().await;
            peer.close().await;
        }
        self.server.restart().await;
        let mut reader = Peer::open(&self.server, "ada", &self.room).await;
        reader.settle().await;
        for (peer, who) in self.people.iter().zip(PEOPLE) {
            for update in &peer.saved {
                assert!(reader.holds(update), "what {who} was told is saved is not: {update:?}\n{}", self.server.log());
            }
        }
    }

    async fn end(mut self) {
        for peer in &mut self.people {
            if !peer.is_connected() {
                peer.reopen(&self.server).await;
            }
            peer.all_saved().await;
            let refused = peer.refusals();
            assert!(refused.iter().all(|reason| *reason == Refusal::Gap), "nobody did anything else: {refused:?}");
        }
        // Behind everything else on every connection.
        self.people[0].draw("end", 1).await;
        self.people[0].all_saved().await;
        let (content, snapshot) = (self.people[0].editor.content(), self.people[0].snapshot());
        for (peer, who) in self.people.iter_mut().zip(PEOPLE) {
            peer.has_drawn("end", 1).await;
            assert_eq!(peer.snapshot(), snapshot, "{who} and ada; {}", self.server.log());
            assert_eq!(peer.editor.content(), content, "{who} and ada");
        }
        self.server.stop().await;
        self.server.restart().await;
        let mut fresh = Peer::open(&self.server, "bea", &self.room).await;
        fresh.settle().await;
        assert_eq!((fresh.snapshot(), fresh.editor.content()), (snapshot, content), "from disk alone");
        assert!(!self.server.log().contains("broke the replica"), "{}", self.server.log());
    }

    /// Everybody goes, and the document leaves memory.
    async fn unload(&mut self) {
        for peer in &mut self.people {
            peer.close().await;
        }
        let base = format!("http://127.0.0.1:{}/metrics", self.server.port());
        let gone = async {
            loop {
                let metrics = base.clone();
                let asked =
                    tokio::task::spawn_blocking(move || ureq::get(&metrics).call()?.body_mut().read_to_string());
                let text = asked.await.expect("asked").expect("metrics");
                if text.lines().any(|line| line.trim() == "stoa_documents 0") {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
        };
        within("the document to leave memory", || self.server.log(), gone).await;
    }
}

/// Two edits, of which the second comes first: it builds on what is not there yet.
async fn out_of_order(peer: &mut Peer, dice: &mut Dice) {
    if !peer.is_connected() {
        return;
    }
    let (first, second) = (peer.editor.edit(&mut |end| dice.below(end)), peer.editor.edit(&mut |end| dice.below(end)));
    for update in [&second, &first, &second] {
        peer.send_edit(update).await;
    }
}

async fn weathered(backend: Backend) {
    let mut dice = Dice::new("storm");
    for plan in 0..PLANS[usize::from(is_long())] {
        let mut own = Dice::from(dice.below(u64::MAX));
        let mut storm = Storm::begin(backend, "storm").await;
        let kills: Vec<u64> = (0..KILLS).map(|_| own.below(STEPS)).collect();
        for at in 0..STEPS {
            storm.step(at, &mut own).await;
            if kills.contains(&at) {
                storm.kill().await;
            }
            if is_long() && at == STEPS / 2 {
                storm.unload().await;
            }
        }
        println!("{backend:?}: plan {plan}, killed at {kills:?}");
        storm.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_ends_with_what_is_on_disk_whatever_goes_wrong_on_sqlite() {
    weathered(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_ends_with_what_is_on_disk_whatever_goes_wrong_on_postgres() {
    weathered(Backend::Postgres).await;
}
