//! What one client was told of its rooms, in the order in which it was told.

use std::collections::BTreeMap;
use stoa_protocol::{RoomEvent, RoomId, Seq};

/// One step of a room's log at one client.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// An event.
    Event(RoomEvent),
    /// The cursor was moved up to here.
    Skip(Seq),
    /// The cursor was void; what follows begins here.
    Reset(Seq),
}

impl Entry {
    fn seq(&self) -> Seq {
        match self {
            Self::Event(event) => event.seq,
            Self::Skip(seq) | Self::Reset(seq) => *seq,
        }
    }
}

/// All steps, by room; the first is where the room was opened.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    rooms: BTreeMap<RoomId, Vec<Entry>>,
}

impl Journal {
    /// One more step.
    pub fn push(&mut self, room: &RoomId, entry: Entry) {
        self.rooms.entry(room.clone()).or_default().push(entry);
    }

    /// The steps of a room.
    pub fn entries(&self, room: &RoomId) -> &[Entry] {
        self.rooms.get(room).map_or(&[], Vec::as_slice)
    }

    /// The events of a room.
    pub fn events(&self, room: &RoomId) -> impl Iterator<Item = &RoomEvent> {
        self.entries(room).iter().filter_map(|entry| match entry {
            Entry::Event(event) => Some(event),
            Entry::Skip(_) | Entry::Reset(_) => None,
        })
    }

    /// Where the client is in a room.
    pub fn cursor(&self, room: &RoomId) -> Seq {
        self.entries(room).last().map_or(Seq::ZERO, Entry::seq)
    }

    /// What is wrong with the order: gaps, doubled events, events out of order. A reset begins anew.
    pub fn faults(&self) -> Vec<String> {
        self.rooms.iter().flat_map(|(room, entries)| faults(room, entries)).collect()
    }
}

fn faults(room: &RoomId, entries: &[Entry]) -> Vec<String> {
    let mut faults = Vec::new();
    for pair in entries.windows(2) {
        let (before, now) = (pair[0].seq(), pair[1].seq());
        match &pair[1] {
            Entry::Reset(_) => {}
            Entry::Skip(_) if now > before => {}
            Entry::Event(_) if now == before.next() => {}
            Entry::Event(_) if now > before => faults.push(format!("{room}: a gap between {before} and {now}")),
            Entry::Event(_) if now == before => faults.push(format!("{room}: {now} twice")),
            Entry::Event(_) | Entry::Skip(_) => faults.push(format!("{room}: {now} after {before}")),
        }
    }
    faults
}

#[test]
fn a_journal_finds_gaps_doubles_and_inversions() {
    let room = super::room("r");
    let event = |n: u64| {
        let json = format!(r#"{{"room":"r","seq":{n},"at":1,"type":"chat.deleted","target":1}}"#);
        Entry::Event(serde_json::from_str(&json).expect("an event"))
    };
    let skip = |n: u64| Entry::Skip(super::seq(n));
    let count = |entries: &[Entry]| faults(&room, entries).len();
    assert_eq!(count(&[skip(4), event(5), event(6), skip(9), event(10)]), 0);
    assert_eq!(count(&[event(5), event(7)]), 1);
    assert_eq!(count(&[event(5), event(5)]), 1);
    assert_eq!(count(&[event(5), event(4)]), 1);
    assert_eq!(count(&[event(5), skip(5)]), 1);
    assert_eq!(count(&[event(5), Entry::Reset(super::seq(2)), event(3)]), 0);
}
