//! Where structs are in the tree of shared types, kept in runs: an update may be checked against it without the replica.

use std::collections::HashMap;

/// Where a struct is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// How many shared types it is in; a root's own are in one.
    pub depth: u8,
    /// Whether others may be in it.
    pub holds: bool,
}

impl Place {
    /// Of what nothing is known: it takes what is put into it.
    pub const UNKNOWN: Self = Self { depth: 0, holds: true };
}

/// Places by client and clock. Neighbours with the same place are one run, of eight bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    runs: HashMap<u64, Vec<(u32, Place)>>,
}

impl Places {
    /// Adds the place of a client's structs from a clock on. Clocks of a client are added in order.
    pub fn add(&mut self, client: u64, from: u32, place: Place) {
        let runs = self.runs.entry(client).or_default();
        if runs.last().is_none_or(|(_, last)| *last != place) {
            runs.push((from, place));
        }
    }

    /// Adds what an update brought.
    pub fn extend(&mut self, others: &Self) {
        for (client, runs) in &others.runs {
            for (from, place) in runs {
                self.add(*client, *from, *place);
            }
        }
    }

    /// The place of a struct.
    pub fn at(&self, client: u64, clock: u32) -> Place {
        let Some(runs) = self.runs.get(&client) else { return Place::UNKNOWN };
        let behind = runs.partition_point(|(from, _)| *from <= clock);
        behind.checked_sub(1).map_or(Place::UNKNOWN, |at| runs[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_reaches_to_the_next() {
        let (flat, holder) = (Place { depth: 1, holds: false }, Place { depth: 1, holds: true });
        let mut places = Places::default();
        places.add(7, 3, flat);
        places.add(7, 5, flat);
        places.add(7, 9, holder);
        assert_eq!([3, 8, 9, 100].map(|clock| places.at(7, clock)), [flat, flat, holder, holder]);
        assert_eq!((places.at(7, 2), places.at(8, 3)), (Place::UNKNOWN, Place::UNKNOWN));
        assert_eq!(places.runs[&7].len(), 2);
    }
}
