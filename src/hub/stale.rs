//! What a connection was not told of a room.

use std::collections::BTreeSet;
use stoa_protocol::UserId;

/// Most people whose changes one connection may have missed: one that has missed more comes again.
const MOVED: usize = 1_000;

/// What was not told of a room beside its log, because it was being opened or the mailbox was full: it is told whole
/// when the connection is live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stale {
    /// Who is there, who types, who of a call is how.
    pub people: bool,
    /// Where others have read.
    pub markers: bool,
    /// Whose presence changed meanwhile: these are told also when they are gone.
    pub moved: BTreeSet<UserId>,
}

impl Stale {
    /// Who is there, who types, who of a call is how.
    pub const PEOPLE: Self = Self { people: true, markers: false, moved: BTreeSet::new() };
    /// Where others have read.
    pub const MARKERS: Self = Self { people: false, markers: true, moved: BTreeSet::new() };
    /// Everything.
    pub const ALL: Self = Self { people: true, markers: true, moved: BTreeSet::new() };

    /// Lacks this too.
    pub fn add(&mut self, other: &Self) {
        self.people |= other.people;
        self.markers |= other.markers;
        self.moved.extend(other.moved.iter().cloned());
    }

    /// Whether more was missed than is told again: then the connection comes again.
    pub fn is_too_much(&self) -> bool {
        self.moved.len() > MOVED
    }
}
