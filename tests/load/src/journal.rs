//! What was acknowledged and what arrived, and whether the two agree.
//!
//! Every acknowledged message must reach every member of its room once, in the order of the room's sequence. A
//! [`MemberLog`] judges one reader's order; a [`RoomLog`] holds which message each number carried, so that two
//! readers who were told different words under one number are found; [`audit`] compares both with the
//! acknowledgements, by the identity in the text.

use crate::scan::MessageId;
use serde::Serialize;
use std::collections::HashMap;

/// Ranges that one reader's log keeps apart. A reader with more holes than this is broken beyond counting: further
/// ones widen the last, and [`Audit::saturated`] says so.
const RANGES: usize = 65_536;
/// A number whose event is none of the generator's messages.
const FOREIGN: u64 = u64::MAX;

/// How an event arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The next number.
    InOrder,
    /// Numbers before it have not arrived.
    Gap,
    /// A number from a gap, after a later one: an inversion.
    Late,
    /// A number that had arrived.
    Repeated,
}

/// The order in which one reader got one room.
#[derive(Debug, Clone)]
pub struct MemberLog {
    start: u64,
    next: u64,
    /// Half-open ranges below `next` that have not arrived, ascending.
    missing: Vec<(u64, u64)>,
    /// Half-open ranges that the server said this reader does not get: skips and resets.
    excused: Vec<(u64, u64)>,
    /// Events that arrived more than once.
    pub duplicates: u64,
    /// Events that arrived after a later one.
    pub inversions: u64,
    /// Times at which numbers were passed over, filled later or not.
    pub jumps: u64,
    /// Whether the reader was attached at the end; one who was not need not have the end of the log.
    pub attached: bool,
    saturated: bool,
}

impl MemberLog {
    /// A log whose reader has everything up to `seq`.
    pub fn starting_after(seq: u64) -> Self {
        Self {
            start: seq + 1,
            next: seq + 1,
            missing: Vec::new(),
            excused: Vec::new(),
            duplicates: 0,
            inversions: 0,
            jumps: 0,
            attached: true,
            saturated: false,
        }
    }

    /// The number that should come next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Notes an event.
    pub fn arrive(&mut self, seq: u64) -> Arrival {
        if seq == self.next {
            self.next += 1;
            return Arrival::InOrder;
        }
        if seq > self.next {
            self.jumps += 1;
            self.miss(self.next, seq);
            self.next = seq + 1;
            return Arrival::Gap;
        }
        if self.fill(seq) {
            self.inversions += 1;
            Arrival::Late
        } else {
            self.duplicates += 1;
            Arrival::Repeated
        }
    }

    /// The server moved the cursor to `seq` without telling what is between.
    pub fn excuse_to(&mut self, seq: u64) {
        if seq >= self.next {
            self.excused.push((self.next, seq + 1));
            self.next = seq + 1;
        }
    }

    fn miss(&mut self, from: u64, to: u64) {
        if self.missing.len() < RANGES {
            self.missing.push((from, to));
        } else if let Some(last) = self.missing.last_mut() {
            last.1 = to;
            self.saturated = true;
        }
    }

    fn fill(&mut self, seq: u64) -> bool {
        let at = self.missing.partition_point(|range| range.1 <= seq);
        match self.missing.get(at).copied() {
            Some((from, to)) if from <= seq => {
                self.missing.remove(at);
                for range in [(seq + 1, to), (from, seq)] {
                    if range.0 < range.1 {
                        self.missing.insert(at, range);
                    }
                }
                true
            }
            Some(_) | None => false,
        }
    }

    /// Numbers that were passed over and never came.
    pub fn gaps(&self) -> u64 {
        self.missing.iter().map(|(from, to)| to - from).sum()
    }

    /// Whether the event reached this reader, or never had to.
    fn has(&self, seq: u64) -> bool {
        if seq < self.start {
            return true;
        }
        if seq >= self.next {
            return !self.attached;
        }
        !holds(&self.missing, seq) && !holds(&self.excused, seq)
    }
}

fn holds(ranges: &[(u64, u64)], seq: u64) -> bool {
    let at = ranges.partition_point(|range| range.1 <= seq);
    ranges.get(at).is_some_and(|range| range.0 <= seq)
}

/// Which message each number of one room carried, as its readers saw it.
#[derive(Debug, Clone, Default)]
pub struct RoomLog {
    base: u64,
    /// By number from `base`; 0 where nobody has seen it.
    ids: Vec<u64>,
    /// Times that a reader saw other words than the first one did.
    pub disagreements: u64,
}

impl RoomLog {
    /// Notes what a reader saw under a number; `None` for an event that is no message of the generator.
    pub fn witness(&mut self, seq: u64, id: Option<MessageId>) {
        let packed = id.map_or(FOREIGN, MessageId::packed);
        if let Some(slot) = self.slot(seq) {
            if *slot == 0 {
                *slot = packed;
            } else if *slot != packed {
                self.disagreements += 1;
            }
        }
    }

    fn slot(&mut self, seq: u64) -> Option<&mut u64> {
        if self.ids.is_empty() {
            self.base = seq;
        }
        if seq < self.base {
            // A reader who began earlier than the first one.
            let shift = usize::try_from(self.base - seq).ok()?;
            self.ids.splice(0..0, std::iter::repeat_n(0, shift));
            self.base = seq;
        }
        let at = usize::try_from(seq - self.base).ok()?;
        if at >= self.ids.len() {
            self.ids.resize(at + 1, 0);
        }
        self.ids.get_mut(at)
    }

    fn at(&self, seq: u64) -> Option<u64> {
        let at = usize::try_from(seq.checked_sub(self.base)?).ok()?;
        self.ids.get(at).copied().filter(|id| *id != 0)
    }

    /// Takes over what other readers of the same room saw.
    pub fn merge(&mut self, other: &Self) {
        self.disagreements += other.disagreements;
        for (at, id) in other.ids.iter().copied().enumerate().filter(|(_, id)| *id != 0) {
            if let Some(slot) = self.slot(other.base + at as u64) {
                if *slot == 0 {
                    *slot = id;
                } else if *slot != id {
                    self.disagreements += 1;
                }
            }
        }
    }

    /// Messages that stand in the log under more than one number.
    fn stored_twice(&self) -> u64 {
        let mut ids: Vec<u64> = self.ids.iter().copied().filter(|id| *id != 0 && *id != FOREIGN).collect();
        ids.sort_unstable();
        ids.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64
    }
}

/// An acknowledged message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked {
    /// Which room, by index.
    pub room: u32,
    /// The place that the acknowledgement named.
    pub seq: u64,
    /// Which message.
    pub id: MessageId,
}

/// Everything that is known after a run.
#[derive(Debug, Default)]
pub struct Journal {
    /// By room.
    pub rooms: HashMap<u32, RoomLog>,
    /// Every reader, with its room.
    pub members: Vec<(u32, MemberLog)>,
    /// Every acknowledgement.
    pub acked: Vec<Acked>,
}

/// What the journal found. All zeros but the first three is a clean run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Messages that were acknowledged.
    pub acked: u64,
    /// Deliveries that the acknowledged messages called for.
    pub owed: u64,
    /// Readers that were away at the end; they owe nothing after their last event.
    pub away: u64,
    /// Acknowledged messages that did not reach a reader, one for each such reader.
    pub losses: u64,
    /// Events that a reader got more than once.
    pub duplicates: u64,
    /// Messages that stand in a log twice, or were acknowledged at two places.
    pub stored_twice: u64,
    /// Events that a reader got after a later one.
    pub inversions: u64,
    /// Numbers that a reader never got while later ones came.
    pub gaps: u64,
    /// Readers who saw different events under one number, and acknowledgements that named the place of another.
    pub disagreements: u64,
    /// Whether a reader had so many holes that `gaps` and `losses` are lower bounds.
    pub saturated: bool,
}

impl Audit {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        let faults = [self.losses, self.duplicates, self.stored_twice, self.inversions, self.gaps, self.disagreements];
        faults.iter().all(|count| *count == 0) && !self.saturated
    }
}

impl Journal {
    /// Takes over what another worker saw.
    pub fn merge(&mut self, other: Self) {
        for (room, log) in other.rooms {
            self.rooms.entry(room).or_default().merge(&log);
        }
        self.members.extend(other.members);
        self.acked.extend(other.acked);
    }

    /// Compares acknowledgements with arrivals.
    pub fn audit(&self) -> Audit {
        let mut audit = Audit { acked: self.acked.len() as u64, ..Audit::default() };
        for log in self.rooms.values() {
            audit.stored_twice += log.stored_twice();
            audit.disagreements += log.disagreements;
        }
        for (_, log) in &self.members {
            audit.duplicates += log.duplicates;
            audit.inversions += log.inversions;
            audit.gaps += log.gaps();
            audit.away += u64::from(!log.attached);
            audit.saturated |= log.saturated;
        }
        self.compare(&mut audit);
        audit
    }

    fn compare(&self, audit: &mut Audit) {
        let mut readers: HashMap<u32, Vec<&MemberLog>> = HashMap::new();
        for (room, log) in &self.members {
            readers.entry(*room).or_default().push(log);
        }
        let mut places: HashMap<(u32, MessageId), u64> = HashMap::with_capacity(self.acked.len());
        for acked in &self.acked {
            match places.insert((acked.room, acked.id), acked.seq) {
                // The same message acknowledged again, after it was sent again under its key.
                Some(seq) if seq == acked.seq => {
                    audit.acked -= 1;
                    continue;
                }
                Some(_) => audit.stored_twice += 1,
                None => {}
            }
            let seen = self.rooms.get(&acked.room).and_then(|log| log.at(acked.seq));
            if seen.is_some_and(|id| id != acked.id.packed()) {
                audit.disagreements += 1;
            }
            let readers = readers.get(&acked.room).map(Vec::as_slice).unwrap_or_default();
            audit.owed += readers.len() as u64;
            audit.losses += readers.iter().filter(|log| !log.has(acked.seq)).count() as u64;
        }
    }
}

#[cfg(test)]
mod tests;
