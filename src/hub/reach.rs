//! Whether the store has answered lately: what was decided by what it said must not be relied on for ever.

use super::{Hub, state::Wish};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use stoa_protocol::{Fault, Millis};
use tokio_util::sync::CancellationToken;

/// A node that has not reached the store for this long, milliseconds, takes nobody in and begins nothing new: rights
/// that were taken away elsewhere may not have come here.
pub const LOST_MS: Millis = 5_000;
/// The store is asked when nothing has reached it for this long, milliseconds.
const PROBE_MS: Millis = 1_000;
/// A question that is younger, milliseconds, may still be answered: it says nothing about the store.
const PATIENCE_MS: Millis = 1_000;
/// When no question is open.
const NONE: u64 = u64::MAX;

/// When the store was reached.
pub struct Reach {
    /// When the last question that was answered was asked.
    last: AtomicU64,
    /// When the first question was asked that was not answered since.
    open: AtomicU64,
}

impl Reach {
    /// The store was reached just now.
    pub fn new(now: Millis) -> Self {
        Self { last: AtomicU64::new(now), open: AtomicU64::new(NONE) }
    }

    /// A question that was asked at `asked` was answered. One that was asked before an open one says nothing of it.
    pub fn answered(&self, asked: Millis) {
        self.last.fetch_max(asked, Ordering::AcqRel);
        let _later =
            self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| (open <= asked).then_some(NONE));
    }

    fn asked(&self, now: Millis) {
        self.open.fetch_min(now, Ordering::AcqRel);
    }

    fn is_lost(&self, now: Millis) -> bool {
        let open = self.open.load(Ordering::Acquire);
        let unanswered = open != NONE && now.saturating_sub(open) >= PATIENCE_MS;
        unanswered && now.saturating_sub(self.last.load(Ordering::Acquire)) >= LOST_MS
    }
}

/// Asks the store when nothing else has, until shutdown.
pub async fn run(hub: Arc<Hub>, shutdown: CancellationToken) {
    loop {
        let deadline = hub.clock.now() + PROBE_MS;
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = hub.clock.sleep_until(deadline) => {}
        }
        let asked = hub.clock.now();
        if asked.saturating_sub(hub.reach.last.load(Ordering::Acquire)) < PROBE_MS {
            continue;
        }
        hub.reach.asked(asked);
        let answer = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            answer = hub.store.health() => answer,
        };
        match answer {
            Ok(_) => hub.reach.answered(asked),
            Err(error) => tracing::warn!(%error, "the store cannot be reached"),
        }
    }
}

impl Hub {
    /// Whether the store has not been reached for so long that nothing new may begin here.
    pub(super) fn is_cut_off(&self) -> bool {
        self.reach.is_lost(self.clock.now())
    }

    /// For what may begin only where rights are known as of now.
    ///
    /// # Errors
    /// `unavailable` while the store is not reached.
    pub(super) fn need_reach(&self) -> Result<(), Fault> {
        match self.is_cut_off() {
            true => Err(Fault::unavailable()),
            false => Ok(()),
        }
    }

    /// The same for what takes somebody in or begins a call; everything else finds the store or fails by itself.
    ///
    /// # Errors
    /// `unavailable`.
    pub(super) fn need_reach_for(&self, wish: &Wish) -> Result<(), Fault> {
        if wish.takes_in() { self.need_reach() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_lost_when_nothing_was_answered_for_five_seconds() {
        let reach = Reach::new(10_000);
        assert!(!reach.is_lost(100_000), "nobody has asked");
        reach.asked(11_000);
        reach.asked(12_000);
        assert!(!reach.is_lost(14_999));
        assert!(reach.is_lost(15_000));
        reach.answered(10_500);
        assert!(reach.is_lost(15_500), "a question of before was answered late");
        reach.answered(12_000);
        assert!(!reach.is_lost(60_000));
    }

    #[test]
    fn a_question_that_was_just_asked_says_nothing() {
        let reach = Reach::new(10_000);
        reach.asked(70_000);
        assert!(!reach.is_lost(70_999));
        assert!(reach.is_lost(71_000));
    }
}
