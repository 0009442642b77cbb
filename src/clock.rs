//! The Clock contract: everything that a promise times asks it, so that tests run those promises on virtual time.

use parking_lot::Mutex;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use stoa_protocol::Millis;
use tokio::sync::Notify;

/// A future that the contract hands out.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Tells the time and waits for it.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch. Never goes back on one node.
    fn now(&self) -> Millis;
    /// Completes when [`Clock::now`] has reached `deadline`.
    fn sleep_until(&self, deadline: Millis) -> Sleep<'_>;
}

/// The machine's clock: wall time at start, monotonic time from there, so that a stepped clock moves nothing.
pub struct SystemClock {
    start_wall: Millis,
    start: tokio::time::Instant,
}

impl SystemClock {
    /// Starts counting now.
    pub fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start_wall: wall.as_millis() as Millis, start: tokio::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        self.start_wall + self.start.elapsed().as_millis() as Millis
    }

    fn sleep_until(&self, deadline: Millis) -> Sleep<'_> {
        let wait = Duration::from_millis(deadline.saturating_sub(self.now()));
        Box::pin(tokio::time::sleep(wait))
    }
}

/// A clock that a test moves by hand.
#[derive(Clone)]
pub struct VirtualClock {
    inner: Arc<Virtual>,
}

struct Virtual {
    now: Mutex<Millis>,
    moved: Notify,
}

impl VirtualClock {
    /// Stands at `now`.
    pub fn new(now: Millis) -> Self {
        Self { inner: Arc::new(Virtual { now: Mutex::new(now), moved: Notify::new() }) }
    }

    /// Moves forward and wakes whoever waits.
    pub fn advance(&self, by: Duration) {
        *self.inner.now.lock() += by.as_millis() as Millis;
        self.inner.moved.notify_waiters();
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Millis {
        *self.inner.now.lock()
    }

    fn sleep_until(&self, deadline: Millis) -> Sleep<'_> {
        Box::pin(async move {
            loop {
                let moved = self.inner.moved.notified();
                tokio::pin!(moved);
                // Registered before the look, so that an advance between the two is not missed.
                moved.as_mut().enable();
                if self.now() >= deadline {
                    return;
                }
                moved.await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_virtual_sleep_ends_when_the_clock_is_moved_past_it() {
        let clock = VirtualClock::new(1_000);
        let sleeper = clock.clone();
        let task = tokio::spawn(async move { sleeper.sleep_until(1_500).await });
        clock.advance(Duration::from_millis(499));
        tokio::task::yield_now().await;
        assert!(!task.is_finished());
        clock.advance(Duration::from_millis(1));
        task.await.expect("woken");
    }
}
