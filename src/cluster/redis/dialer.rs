//! One connection after the other, for whoever needs one that stands.

use super::{
    Shared, count,
    dial::{Stream, Trouble, dial},
};
use std::sync::Arc;
use stoa_protocol::Millis;
use tokio_util::sync::CancellationToken;

/// What trouble is about that comes before a connection stands.
pub const DIAL: &str = "dialing";
/// The first pause before dialing again, milliseconds. Each is twice the last.
const PAUSE_MS: Millis = 100;
/// The longest.
const PAUSE_MAX_MS: Millis = 2_000;

/// Dials again and again, with pauses.
pub struct Dialer {
    shared: Arc<Shared>,
    shutdown: CancellationToken,
    /// What the connections are for.
    what: &'static str,
    pauses: Pauses,
    dialed: bool,
    stood: bool,
}

impl Dialer {
    /// Has not dialed yet.
    pub fn new(shared: Arc<Shared>, shutdown: CancellationToken, what: &'static str) -> Self {
        Self { shared, shutdown, what, pauses: Pauses::new(), dialed: false, stood: false }
    }

    /// A connection, or none this time; `None` at shutdown. Waits before all but the first.
    pub async fn next(&mut self) -> Option<Option<Stream>> {
        let pause = if std::mem::replace(&mut self.dialed, true) { self.pauses.take() } else { 0 };
        let deadline = self.shared.now() + pause;
        let dialed = async {
            self.shared.options.clock.sleep_until(deadline).await;
            dial(&self.shared.options).await
        };
        let dialed = tokio::select! {
            dialed = dialed => dialed,
            () = self.shutdown.cancelled() => return None,
        };
        match dialed {
            Ok(stream) => {
                if std::mem::replace(&mut self.stood, true) {
                    count(&self.shared.counters.reconnects);
                }
                Some(Some(stream))
            }
            Err(trouble) => {
                self.shared.trouble(DIAL, &trouble);
                Some(None)
            }
        }
    }

    /// The last one ended. What never answered was never reached: a frozen server's system takes connections for it.
    pub fn ended(&mut self, worked: bool, trouble: &Trouble) {
        if worked {
            self.pauses.reset();
        }
        self.shared.trouble(if worked { self.what } else { DIAL }, trouble);
    }
}

/// Pauses between dials: each twice the last, with jitter, so that nodes do not come back all at once.
struct Pauses {
    next_ms: Millis,
}

impl Pauses {
    fn new() -> Self {
        Self { next_ms: PAUSE_MS }
    }

    fn reset(&mut self) {
        self.next_ms = PAUSE_MS;
    }

    fn take(&mut self) -> Millis {
        let pause = self.next_ms;
        self.next_ms = (2 * pause).min(PAUSE_MAX_MS);
        let mut random = [0; 8];
        // Without randomness every node waits for the whole pause.
        let _ = getrandom::fill(&mut random);
        pause - u64::from_le_bytes(random) % (pause / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        let mut pauses = Pauses::new();
        let all: Vec<_> = (0..10).map(|_| pauses.take()).collect();
        assert!((PAUSE_MS / 2..=PAUSE_MS).contains(&all[0]), "{all:?}");
        assert!(all[5..].iter().all(|pause| (PAUSE_MAX_MS / 2..=PAUSE_MAX_MS).contains(pause)), "{all:?}");
        pauses.reset();
        assert!(pauses.take() <= PAUSE_MS);
    }
}
