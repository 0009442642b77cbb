//! How often users may ask, and how often an address may fail to say who it is.

use super::turns::{Crowded, Turn, Turns};
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

/// Looks at join links per second of one address.
const STRANGERS_PER_S: u32 = 20;
/// Looks at join links of one address at once: a class of a thousand behind one address that opens its link.
const STRANGERS_BURST: u32 = 2_000;

/// Rows of a bulk change that cost as much as one command: they share transactions. A class of a thousand is within
/// the burst of the default limits.
const ROWS_PER_COMMAND: usize = 20;
/// New answers to probes per second: some orchestrators, a monitor and a person.
const PROBES_PER_S: u32 = 20;
/// New answers to probes at once.
const PROBES_BURST: u32 = 100;
/// Exports that run at once: each reads the store page by page and holds one page.
const EXPORTS: usize = 32;
/// KiB of images per second of one user: each is read from the store or written into it.
const IMAGE_KIB_PER_S: u32 = 4 * 1024;
/// KiB of images at once: all that a room may have by default.
const IMAGE_KIB_BURST: u32 = 256 * 1024;
/// When an export may be tried again, milliseconds.
const EXPORT_RETRY_MS: Millis = 5_000;

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
    strangers: Remembered<IpAddr>,
    images: Remembered<UserId>,
    exports: Turns,
}

/// What costs more than a look at memory and asks for no token. Whoever asks too often for it gets the last answer, so
/// that nobody can keep the operator's own probes from theirs.
pub struct Probe<T> {
    /// Held to take from the bucket and to copy the answer.
    last: Mutex<(Bucket, Option<T>)>,
}

impl<T> Default for Probe<T> {
    fn default() -> Self {
        Self { last: Mutex::new((Bucket::new(), None)) }
    }
}

impl<T: Clone> Probe<T> {
    /// The last answer when it will do; `None` when it is time for a new one.
    pub fn last(&self, now: Millis) -> Option<T> {
        let mut last = self.last.lock();
        match last.0.take(now, PROBES_PER_S, PROBES_BURST) {
            Ok(()) => None,
            Err(_) => last.1.clone(),
        }
    }

    /// A new answer.
    pub fn answered(&self, answer: &T) {
        self.last.lock().1 = Some(answer.clone());
    }
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
            strangers: Remembered::default(),
            images: Remembered::default(),
            exports: Turns::default(),
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

    /// One request does the work of many: rows of a bulk change beyond the first few are charged too.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn rows(&self, hub: &Hub, who: &Identity, rows: usize) -> Result<(), Fault> {
        let (commands, burst) = (self.limits.commands_per_user_s, self.limits.burst_s);
        let most = commands * burst;
        let cost = u32::try_from(rows.div_ceil(ROWS_PER_COMMAND)).unwrap_or(u32::MAX).min(most);
        if who.grants.service || cost <= 1 {
            return Ok(());
        }
        let taken = self.commands.take_many(&who.user, hub.clock().now(), cost, commands, most);
        taken.map_err(|wait| Fault::rate_limited("too many rows", wait))
    }

    /// A user sends or fetches an image of so many bytes. The host application's are bounded in memory alone.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn image(&self, who: &Identity, bytes: usize, now: Millis) -> Result<(), Fault> {
        if who.grants.service {
            return Ok(());
        }
        let kib = u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX).max(1);
        let taken = self.images.take_many(&who.user, now, kib, IMAGE_KIB_PER_S, IMAGE_KIB_BURST);
        taken.map_err(|wait| Fault::rate_limited("too many bytes of images", wait))
    }

    /// Begins an export: one by each user at a time, for it reads the store as long as its reader likes.
    ///
    /// # Errors
    /// `rate_limited`, `overloaded`.
    pub fn export(&self, who: &Identity) -> Result<Turn, Fault> {
        let most = if who.grants.service { EXPORTS } else { 1 };
        self.exports.begin(&who.user, most, EXPORTS).map_err(|crowded| match crowded {
            Crowded::User => Fault::rate_limited("another export of yours is running", EXPORT_RETRY_MS),
            Crowded::All => Fault::overloaded(EXPORT_RETRY_MS),
        })
    }

    /// Somebody without a token asks for what is in the store.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn stranger(&self, address: IpAddr, now: Millis) -> Result<(), Fault> {
        let taken = self.strangers.take(&address, now, STRANGERS_PER_S, STRANGERS_BURST);
        taken.map_err(|wait| Fault::rate_limited("too many requests from this address", wait))
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
        self.take_many(who, now, 1, rate, burst)
    }

    fn take_many(&self, who: &K, now: Millis, count: u32, rate: u32, burst: u32) -> Result<(), Millis> {
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
        bucket.take_many(now, count, rate, burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(name: &str, service: bool) -> Identity {
        Identity {
            user: UserId::new(name).expect("legal"),
            profile: None,
            grants: crate::identity::Grants { service, ..Default::default() },
            issued_at: 0,
            expires_at: Millis::MAX,
        }
    }

    #[test]
    fn a_user_exports_once_at_a_time_and_all_together_are_bounded() {
        let limiter = Limiter::new(&Limits::default());
        let ada = limiter.export(&somebody("ada", false)).expect("the first");
        assert!(limiter.export(&somebody("ada", false)).is_err());
        drop(ada);
        let _ada = limiter.export(&somebody("ada", false)).expect("the first has ended");
        let service = somebody("backend", true);
        let running: Vec<_> = (1..EXPORTS).map(|_| limiter.export(&service).expect("there is room")).collect();
        let full = limiter.export(&service).err().map(|fault| fault.code);
        assert_eq!(full, Some(stoa_protocol::ErrorCode::Overloaded));
        drop(running);
        assert!(limiter.export(&service).is_ok());
    }

    #[test]
    fn who_probes_too_often_gets_the_last_answer() {
        let probe = Probe::default();
        for _ in 0..PROBES_BURST + 10 {
            assert_eq!(probe.last(5_000), None, "there is no answer yet");
        }
        probe.answered(&7);
        assert_eq!(probe.last(5_000), Some(7));
        assert_eq!(probe.last(5_000 + 1_000 / Millis::from(PROBES_PER_S)), None);
    }

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
