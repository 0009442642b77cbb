//! How often users may ask, and how often an address may fail to say who it is.

use crate::{config::Limits, hub::Hub, identity::Identity};
use parking_lot::Mutex;
use std::{collections::HashMap, hash::Hash, net::IpAddr};
use stoa_protocol::{
    Fault, Millis, UserId,
    http::{Method, Operation},
};
use stoa_rooms::Bucket;

/// Most users or addresses that are remembered: some MiB. Beyond it those who have been quiet are forgotten.
const REMEMBERED: usize = 20_000;
/// Wrong tokens per second of one address: a person who pastes one, not a program that guesses.
const FAILURES_PER_S: u32 = 2;
/// Wrong tokens of one address at once: a class behind one address whose tokens have all expired.
const FAILURES_BURST: u32 = 200;

/// Which budget an operation is charged to, beside that of all requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rate {
    /// Reads of the store.
    Read,
    /// Changes.
    Command,
}

impl Rate {
    /// The budget of an operation.
    pub fn of(operation: Operation) -> Self {
        match operation.method() {
            Method::Get => Self::Read,
            Method::Post | Method::Put | Method::Patch | Method::Delete => Self::Command,
        }
    }
}

/// The budgets of everybody who asked lately.
pub struct Limiter {
    limits: Limits,
    requests: Remembered<UserId>,
    reads: Remembered<UserId>,
    commands: Remembered<UserId>,
    failures: Remembered<IpAddr>,
}

impl Limiter {
    /// Nobody has asked yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            requests: Remembered::default(),
            reads: Remembered::default(),
            commands: Remembered::default(),
            failures: Remembered::default(),
        }
    }

    /// A user asks. The host application is asked by its own users and is held by the rooms' limits alone.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn user(&self, hub: &Hub, who: &Identity, rate: Rate) -> Result<(), Fault> {
        if who.grants.service {
            return Ok(());
        }
        let (now, burst, user) = (hub.clock().now(), self.limits.burst_s, &who.user);
        let limited = |wait| Fault::rate_limited("too many requests", wait);
        let all = self.limits.http_per_s;
        self.requests.take(user, now, all, all * burst).map_err(limited)?;
        match rate {
            Rate::Read => {
                let reads = self.limits.history_per_s;
                self.reads.take(user, now, reads, reads * burst).map_err(limited)
            }
            // Their commands share one budget over all connections and HTTP; without a connection it is kept here.
            Rate::Command if hub.is_connected(user) => Ok(()),
            Rate::Command => {
                let commands = self.limits.commands_per_user_s;
                self.commands.take(user, now, commands, commands * burst).map_err(limited)
            }
        }
    }

    /// An address failed to say who it is.
    ///
    /// # Errors
    /// `rate_limited` when it fails too often.
    pub fn failure(&self, address: IpAddr, now: Millis) -> Result<(), Fault> {
        let taken = self.failures.take(&address, now, FAILURES_PER_S, FAILURES_BURST);
        taken.map_err(|wait| Fault::rate_limited("too many requests without a valid token", wait))
    }
}

/// Buckets by somebody, of those who took lately.
struct Remembered<K> {
    /// Held for one look-up, and for one pass over all of them when they are too many.
    buckets: Mutex<HashMap<K, (Bucket, Millis)>>,
}

impl<K> Default for Remembered<K> {
    fn default() -> Self {
        Self { buckets: Mutex::default() }
    }
}

impl<K: Clone + Eq + Hash> Remembered<K> {
    fn take(&self, who: &K, now: Millis, rate: u32, burst: u32) -> Result<(), Millis> {
        let mut buckets = self.buckets.lock();
        if buckets.len() >= REMEMBERED && !buckets.contains_key(who) {
            // A bucket that has not been touched for this long is full again.
            let full_ms = Millis::from(burst.div_ceil(rate.max(1))) * 1_000;
            buckets.retain(|_, (_, last)| *last + full_ms > now);
            if buckets.len() >= REMEMBERED {
                buckets.clear();
            }
        }
        let (bucket, last) = buckets.entry(who.clone()).or_default();
        *last = now;
        bucket.take(now, rate, burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_remembered_is_bounded_and_the_busy_are_kept() {
        let remembered = Remembered::<u32>::default();
        for n in 0..REMEMBERED as u32 {
            assert_eq!(remembered.take(&n, 1_000, 1, 1), Ok(()));
        }
        assert_eq!(remembered.take(&7, 1_500, 1, 1), Err(500));
        assert_eq!(remembered.take(&(REMEMBERED as u32), 2_200, 1, 1), Ok(()));
        assert_eq!(remembered.buckets.lock().len(), 2, "the busy one and the new one");
    }
}
