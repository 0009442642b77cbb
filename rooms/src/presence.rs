//! One user over many devices.

use stoa_protocol::{Millis, PresenceState};

/// How long a user whose last socket closed is still told as there: a reload or a change of network comes back in
/// this time. With the search for closed sockets it stays within the 10 s that are promised.
pub const GRACE_MS: Millis = 8_000;

/// The devices of one user, and since when there are none.
///
/// Invariant: `gone_at` is set exactly while no device is there and the grace has not been counted out.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    devices: Vec<(u64, PresenceState)>,
    gone_at: Option<Millis>,
    /// What was told when the last device went; it holds through the grace.
    held: PresenceState,
}

impl Devices {
    /// A device comes.
    pub fn come(&mut self, device: u64, state: PresenceState) {
        match self.devices.iter_mut().find(|(id, _)| *id == device) {
            Some(known) => known.1 = state,
            None => self.devices.push((device, state)),
        }
        self.gone_at = None;
    }

    /// A device says how present it is. `Offline` hides it at once, without a grace.
    pub fn set(&mut self, device: u64, state: PresenceState) {
        if let Some(known) = self.devices.iter_mut().find(|(id, _)| *id == device) {
            known.1 = state;
        }
    }

    /// A device's socket closed.
    pub fn go(&mut self, device: u64, now: Millis) {
        let before = self.state();
        self.devices.retain(|(id, _)| *id != device);
        if self.devices.is_empty() && before != PresenceState::Offline {
            self.held = before;
            self.gone_at = Some(now);
        }
    }

    /// Ends a grace that is over; tells whether it did.
    pub fn tick(&mut self, now: Millis) -> bool {
        match self.gone_at {
            Some(at) if now >= at + GRACE_MS => {
                self.gone_at = None;
                true
            }
            Some(_) | None => false,
        }
    }

    /// What others are told: the most present device counts, `busy` beats `online`.
    pub fn state(&self) -> PresenceState {
        if self.gone_at.is_some() {
            return self.held;
        }
        let busy = self.devices.iter().any(|(_, state)| *state == PresenceState::Busy);
        let most = self.devices.iter().map(|(_, state)| *state).max().unwrap_or_default();
        if busy { PresenceState::Busy } else { most }
    }

    /// When [`Devices::tick`] has something to do.
    pub fn deadline(&self) -> Option<Millis> {
        self.gone_at.map(|at| at + GRACE_MS)
    }

    /// Whether nothing is known any more.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.gone_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PresenceState::{Away, Busy, Offline, Online};

    #[test]
    fn the_most_present_device_counts_and_busy_beats_online() {
        let mut devices = Devices::default();
        assert_eq!(devices.state(), Offline);
        devices.come(1, Away);
        devices.come(2, Online);
        assert_eq!(devices.state(), Online);
        devices.set(1, Busy);
        assert_eq!(devices.state(), Busy);
        devices.go(1, 10);
        assert_eq!(devices.state(), Online);
    }

    #[test]
    fn a_reload_is_no_leave_and_a_grace_ends_once() {
        let mut devices = Devices::default();
        devices.come(1, Online);
        devices.go(1, 1_000);
        assert_eq!(devices.state(), Online, "within the grace");
        devices.come(2, Online);
        assert!(!devices.tick(60_000));
        devices.go(2, 60_000);
        assert!(!devices.tick(60_000 + GRACE_MS - 1));
        assert!(devices.tick(60_000 + GRACE_MS));
        assert_eq!(devices.state(), Offline);
        assert!(!devices.tick(90_000) && devices.is_empty());
    }

    #[test]
    fn a_device_that_left_is_gone_without_a_grace() {
        let mut devices = Devices::default();
        devices.come(1, Online);
        devices.set(1, Offline);
        assert_eq!(devices.state(), Offline);
        devices.go(1, 5);
        assert_eq!((devices.state(), devices.deadline()), (Offline, None));
    }
}
