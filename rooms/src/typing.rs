//! Who types. Told when it changes, ended by the server, never stored.

use stoa_protocol::{Millis, UserId, limits};

/// How long a sign of typing holds, milliseconds. Clients say it again every few seconds.
pub const TYPING_MS: Millis = 6_000;
/// Most users that are kept; further ones are not told, a room in which more type is noise.
const MOST: usize = 100;

/// Who types in a room.
#[derive(Debug, Clone, Default)]
pub struct Typing {
    /// In the order in which they began.
    users: Vec<(UserId, Millis)>,
    changed: bool,
}

impl Typing {
    /// Somebody types, or has stopped.
    pub fn set(&mut self, user: &UserId, on: bool, now: Millis) {
        let place = self.users.iter().position(|(u, _)| u == user);
        match (place, on) {
            (Some(at), true) => self.users[at].1 = now + TYPING_MS,
            (Some(at), false) => {
                self.users.remove(at);
                self.changed = true;
            }
            (None, true) if self.users.len() < MOST => {
                self.users.push((user.clone(), now + TYPING_MS));
                self.changed = true;
            }
            (None, _) => {}
        }
    }

    /// Ends what has not been said again, and tells whether there is news since the last call: who (the first few)
    /// and how many.
    pub fn tick(&mut self, now: Millis) -> Option<(Vec<UserId>, u32)> {
        let before = self.users.len();
        self.users.retain(|(_, until)| now < *until);
        let changed = std::mem::take(&mut self.changed) || before != self.users.len();
        changed.then(|| self.now())
    }

    /// Who types now.
    pub fn now(&self) -> (Vec<UserId>, u32) {
        let named = self.users.iter().take(limits::TYPING_NAMES).map(|(user, _)| user.clone()).collect();
        (named, self.users.len() as u32)
    }

    /// Whether nothing is left to do.
    pub fn is_idle(&self) -> bool {
        self.users.is_empty() && !self.changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).expect("legal")
    }

    #[test]
    fn typing_is_told_once_per_change_and_ends_by_itself() {
        let mut typing = Typing::default();
        typing.set(&user("ada"), true, 0);
        typing.set(&user("ada"), true, 1_000);
        assert_eq!(typing.tick(1_000), Some((vec![user("ada")], 1)));
        assert_eq!(typing.tick(6_999), None, "said again at 1,000");
        assert_eq!(typing.tick(7_000), Some((vec![], 0)));
        assert!(typing.is_idle());
    }

    #[test]
    fn ten_thousand_signs_of_typing_are_one_piece_of_news() {
        let mut typing = Typing::default();
        for n in 0..10_000u32 {
            typing.set(&user(&format!("u{}", n % 300)), true, 5);
        }
        let (named, count) = typing.tick(5).expect("news");
        assert_eq!((named.len(), count), (limits::TYPING_NAMES, MOST as u32));
        assert_eq!(typing.tick(5), None);
    }
}
