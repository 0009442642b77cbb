//! How much of something each user has running at once.

use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use stoa_protocol::UserId;

/// Who has how many of one kind of thing running.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<HashMap<UserId, usize>>>);

/// One of them, until this is dropped.
pub struct Turn {
    turns: Turns,
    user: UserId,
}

/// Why one more may not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowded {
    /// The user has as many as one may have.
    User,
    /// All together have as many as there may be.
    All,
}

impl Turns {
    /// Begins one more, unless the user has `most` or all together have `all`.
    ///
    /// # Errors
    /// [`Crowded`].
    pub fn begin(&self, user: &UserId, most: usize, all: usize) -> Result<Turn, Crowded> {
        let mut running = self.0.lock();
        if running.values().sum::<usize>() >= all {
            return Err(Crowded::All);
        }
        let own = running.entry(user.clone()).or_default();
        if *own >= most {
            return Err(Crowded::User);
        }
        *own += 1;
        Ok(Turn { turns: self.clone(), user: user.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut running = self.turns.0.lock();
        if let Some(own) = running.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                running.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_so_many_and_all_together_so_many_and_nobody_is_remembered_afterwards() {
        let turns = Turns::default();
        let [ada, ben] = ["ada", "ben"].map(|name| UserId::new(name).expect("legal"));
        let first = turns.begin(&ada, 1, 2).expect("the first");
        assert_eq!(turns.begin(&ada, 1, 2).err(), Some(Crowded::User));
        let second = turns.begin(&ben, 2, 2).expect("there is room");
        assert_eq!(turns.begin(&ben, 2, 2).err(), Some(Crowded::All));
        drop((first, second));
        assert!(turns.0.lock().is_empty());
    }
}
