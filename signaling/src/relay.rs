//! Signals on their way: numbered by their sender, relayed, confirmed by their recipient.
//!
//! Nothing is stored but numbers. The sender's client sends a signal again until it is confirmed, so a lost node loses
//! nothing; what is kept here finds the signal that is not confirmed in time.

use std::collections::{BTreeMap, VecDeque};
use stoa_protocol::{CallLink, CallLinkId, Fault, LinkEnd, Millis, SessionId, limits};

/// Both ends are told of a signal that is not confirmed this long after it was first seen, milliseconds.
pub const CONFIRM_MS: Millis = 15_000;

/// The numbers of every link end.
#[derive(Debug, Clone, Default)]
pub struct Relay {
    lanes: BTreeMap<(CallLinkId, SessionId), Lane>,
}

/// What one end has said in one epoch.
#[derive(Debug, Clone)]
struct Lane {
    epoch: u32,
    confirmed: u32,
    /// Seen and not confirmed, by number, with the time when each was first seen.
    pending: VecDeque<(u32, Millis)>,
    /// Both ends were told that one was not confirmed.
    told: bool,
}

/// What is to be done with a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It goes to the other end.
    Forward,
    /// It was confirmed before: its sender is told again, up to this number.
    Confirmed(u32),
}

/// A signal that was not confirmed in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconfirmed {
    /// The link.
    pub link: CallLinkId,
    /// In which life of it.
    pub epoch: u32,
    /// Who said it.
    pub sender: SessionId,
    /// Its number.
    pub n: u32,
}

impl Relay {
    /// A signal came from an end.
    ///
    /// # Errors
    /// `rate_limited` when too many of the end are unconfirmed.
    pub fn signal(&mut self, link: &CallLink, from: &SessionId, n: u32, now: Millis) -> Result<Taken, Fault> {
        let lane = self.lane(link, from);
        if n <= lane.confirmed {
            return Ok(Taken::Confirmed(lane.confirmed));
        }
        match lane.pending.binary_search_by_key(&n, |(n, _)| *n) {
            Ok(_) => {}
            Err(_) if lane.pending.len() >= limits::SIGNAL_WINDOW as usize => {
                return Err(Fault::rate_limited("too many signals are unconfirmed", 1_000));
            }
            Err(at) => lane.pending.insert(at, (n, now)),
        }
        Ok(Taken::Forward)
    }

    /// The end `by` has handled everything of the other end up to `n`; tells whom to tell.
    pub fn confirm(&mut self, link: &CallLink, by: &SessionId, n: u32) -> Option<SessionId> {
        let sender = crate::session_of(crate::other_end(link, by))?.clone();
        let lane = self.lane(link, &sender);
        lane.confirmed = lane.confirmed.max(n);
        while lane.pending.pop_front_if(|(seen, _)| *seen <= n).is_some() {}
        Some(sender)
    }

    fn lane(&mut self, link: &CallLink, sender: &SessionId) -> &mut Lane {
        let fresh = || Lane { epoch: link.epoch, confirmed: 0, pending: VecDeque::new(), told: false };
        let lane = self.lanes.entry((link.link.clone(), sender.clone())).or_insert_with(fresh);
        if lane.epoch != link.epoch {
            *lane = fresh();
        }
        lane
    }

    /// Forgets what is not of these links in these epochs.
    pub fn keep(&mut self, links: &[CallLink]) {
        if self.lanes.is_empty() {
            return;
        }
        let alive: BTreeMap<_, _> = links.iter().map(|link| (&link.link, link.epoch)).collect();
        self.lanes.retain(|(link, _), lane| alive.get(link) == Some(&lane.epoch));
    }

    /// Signals that have waited too long; each end's first of an epoch is told once.
    pub fn overdue(&mut self, now: Millis) -> Vec<Unconfirmed> {
        let overdue = |((link, sender), lane): (&(CallLinkId, SessionId), &mut Lane)| {
            let (n, _) = lane.pending.iter().find(|(_, since)| *since + CONFIRM_MS <= now)?;
            let first = !std::mem::replace(&mut lane.told, true);
            let (link, sender) = (link.clone(), sender.clone());
            first.then_some(Unconfirmed { link, epoch: lane.epoch, sender, n: *n })
        };
        self.lanes.iter_mut().filter_map(overdue).collect()
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.lanes.values().all(|lane| lane.told || lane.pending.is_empty())
    }
}

/// The end that is this session.
pub fn end_of(session: &SessionId) -> LinkEnd {
    LinkEnd::Session { session: session.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(name: &str) -> SessionId {
        SessionId::new(name).expect("legal")
    }

    fn link(epoch: u32) -> CallLink {
        let link = CallLinkId::new("1-2").expect("legal");
        CallLink { link, epoch, polite: end_of(&session("b")), impolite: end_of(&session("a")) }
    }

    #[test]
    fn a_signal_is_pending_from_its_first_sight_to_its_confirmation() {
        let (mut relay, link) = (Relay::default(), link(1));
        assert_eq!(relay.signal(&link, &session("a"), 1, 0), Ok(Taken::Forward));
        assert_eq!(relay.signal(&link, &session("a"), 1, 9_000), Ok(Taken::Forward), "sent again");
        assert!(relay.overdue(CONFIRM_MS - 1).is_empty());
        let told = relay.overdue(CONFIRM_MS);
        assert_eq!((told.len(), told[0].n, &told[0].sender), (1, 1, &session("a")));
        assert!(relay.overdue(CONFIRM_MS + 1).is_empty(), "told once");
        assert_eq!(relay.confirm(&link, &session("b"), 1), Some(session("a")));
        assert_eq!(relay.signal(&link, &session("a"), 1, 99_000), Ok(Taken::Confirmed(1)));
        assert!(relay.is_idle());
    }

    #[test]
    fn a_new_epoch_counts_anew_and_an_old_one_is_forgotten() {
        let mut relay = Relay::default();
        relay.signal(&link(1), &session("a"), 1, 0).expect("taken");
        relay.confirm(&link(1), &session("b"), 1);
        assert_eq!(relay.signal(&link(2), &session("a"), 1, 0), Ok(Taken::Forward));
        relay.keep(&[link(3)]);
        assert!(relay.overdue(CONFIRM_MS).is_empty());
    }

    #[test]
    fn an_end_has_a_window_and_one_that_was_restarted_goes_on_where_it_was() {
        let (mut relay, link) = (Relay::default(), link(1));
        for n in 900..900 + limits::SIGNAL_WINDOW {
            relay.signal(&link, &session("a"), n, 0).expect("within the window");
        }
        let refused = relay.signal(&link, &session("a"), 5_000, 0).expect_err("beyond the window");
        assert_eq!(refused.retry_after_ms, Some(1_000));
        assert_eq!(relay.signal(&link, &session("a"), 900, 0), Ok(Taken::Forward), "what is in it may come again");
    }
}
