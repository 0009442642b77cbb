//! A document as the server has it, for the walk, and as yrs has it, to look at what follows.

use crate::{dice::Dice, honest::Editor};
use std::collections::{BTreeMap, HashSet};
use stoa_rooms::document::{Claim, Known, Place, Places, survey};

/// What the server knows of a document.
pub struct Server {
    /// The state.
    pub state: Vec<u8>,
    clocks: BTreeMap<u64, u32>,
    places: Places,
    own: HashSet<u64>,
    holders: Vec<(u64, u64)>,
}

impl Server {
    /// Of a state; these client ids are the sender's.
    pub fn of(state: &[u8], own: &[u64]) -> Self {
        let own = own.iter().copied().collect();
        let mut server =
            Self { state: state.to_vec(), clocks: BTreeMap::new(), places: Places::default(), own, holders: vec![] };
        let walked = survey(state, &server).expect("what yrs encodes is surveyed");
        server.clocks = walked.new.iter().map(|span| (span.client, span.to)).collect();
        server.places.extend(&walked.places);
        for (client, end) in &server.clocks {
            let holders = (0..*end).filter(|clock| server.places.at(*client, *clock).holds);
            server.holders.extend(holders.map(|clock| (*client, u64::from(clock))));
        }
        server
    }

    /// The clocks by client, in order.
    pub fn clocks(&self) -> Vec<(u64, u32)> {
        self.clocks.iter().map(|(client, clock)| (*client, *clock)).collect()
    }

    /// The first clock of a client that is lacking.
    pub fn clock_of(&self, client: u64) -> u32 {
        self.clocks.get(&client).copied().unwrap_or_default()
    }

    /// A struct that it has.
    pub fn any_id(&self, dice: &mut Dice) -> (u64, u64) {
        let (client, end) = self.clocks().swap_remove(dice.below(self.clocks.len() as u64) as usize);
        (client, dice.below(u64::from(end)))
    }

    /// A struct in which others may be.
    pub fn any_holder(&self, dice: &mut Dice) -> (u64, u64) {
        self.holders[dice.below(self.holders.len() as u64) as usize]
    }

    /// A client id of the sender's.
    pub fn own(&self, dice: &mut Dice) -> u64 {
        let mut own: Vec<_> = self.own.iter().copied().collect();
        own.sort_unstable();
        own[dice.below(own.len() as u64) as usize]
    }

    /// A replica of it.
    pub fn replica(&self) -> Editor {
        let replica = Editor::new(77);
        replica.apply(&self.state);
        replica
    }
}

impl Known for Server {
    fn clock(&self, client: u64) -> u32 {
        self.clock_of(client)
    }

    fn claim(&self, client: u64) -> Claim {
        match (self.own.contains(&client), self.clocks.contains_key(&client)) {
            (true, _) => Claim::Own,
            (false, true) => Claim::Foreign,
            (false, false) => Claim::Free,
        }
    }

    fn place(&self, client: u64, clock: u32) -> Place {
        self.places.at(client, clock)
    }
}
