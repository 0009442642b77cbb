//! The numbers of a link's signals: each is handled once, in order, however often it comes.

use std::collections::{BTreeMap, VecDeque};
use stoa_protocol::Signal;

/// Signals that came before those between; more than the other end may have unconfirmed is a fault of somebody's.
const EARLY: usize = 128;

/// What one end says in an epoch.
#[derive(Debug, Default)]
pub struct Outgoing {
    last: u32,
    unconfirmed: VecDeque<(u32, Signal)>,
}

impl Outgoing {
    /// Numbers a signal and keeps it until it is confirmed.
    pub fn say(&mut self, signal: Signal) -> u32 {
        self.last += 1;
        self.unconfirmed.push_back((self.last, signal));
        self.last
    }

    /// Everything up to `n` was handled.
    pub fn confirmed(&mut self, n: u32) {
        while self.unconfirmed.front().is_some_and(|(first, _)| *first <= n) {
            self.unconfirmed.pop_front();
        }
    }

    /// What is to be said again, oldest first.
    pub fn unconfirmed(&self) -> impl Iterator<Item = &(u32, Signal)> {
        self.unconfirmed.iter()
    }
}

/// What the other end says in an epoch.
#[derive(Debug, Default)]
pub struct Incoming {
    handled: u32,
    early: BTreeMap<u32, Signal>,
}

impl Incoming {
    /// Takes a signal that came; what is to be handled now, in order.
    pub fn came(&mut self, n: u32, signal: Signal) -> Vec<Signal> {
        if n > self.handled && self.early.len() < EARLY {
            self.early.insert(n, signal);
        }
        let mut due = Vec::new();
        while let Some(signal) = self.early.remove(&(self.handled + 1)) {
            self.handled += 1;
            due.push(signal);
        }
        due
    }

    /// The number up to which everything was handled: what is confirmed.
    pub fn handled(&self) -> u32 {
        self.handled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(text: &str) -> Signal {
        Signal::Candidate { candidate: text.to_owned(), mid: None, mline: None, ufrag: None }
    }

    #[test]
    fn signals_are_handled_once_and_in_order_whatever_comes() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.came(2, candidate("b")), vec![]);
        assert_eq!(incoming.handled(), 0);
        assert_eq!(incoming.came(1, candidate("a")), vec![candidate("a"), candidate("b")]);
        assert_eq!(incoming.came(1, candidate("again")), vec![]);
        assert_eq!(incoming.came(2, candidate("again")), vec![]);
        assert_eq!(incoming.handled(), 2);
    }

    #[test]
    fn what_is_unconfirmed_is_said_again_under_its_number() {
        let mut outgoing = Outgoing::default();
        assert_eq!((outgoing.say(candidate("a")), outgoing.say(candidate("b"))), (1, 2));
        outgoing.confirmed(1);
        let again: Vec<_> = outgoing.unconfirmed().cloned().collect();
        assert_eq!(again, vec![(2, candidate("b"))]);
        outgoing.confirmed(2);
        assert_eq!(outgoing.unconfirmed().count(), 0);
        assert_eq!(outgoing.say(candidate("c")), 3);
    }
}
