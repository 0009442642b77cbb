//! Bytes that nobody can guess, and maps in which nobody can choose names that collide.

use dashmap::DashMap;
use std::hash::Hash;

/// How maps hash. In tests always alike, so that what goes through them replays in the same order.
#[cfg(not(test))]
pub type Hashing = std::hash::RandomState;
/// How maps hash. In tests always alike, so that what goes through them replays in the same order.
#[cfg(test)]
pub type Hashing = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;

/// A map for many threads.
pub type SharedMap<K, V> = DashMap<K, V, Hashing>;

/// An empty [`SharedMap`].
pub fn shared_map<K: Eq + Hash, V>() -> SharedMap<K, V> {
    #[cfg(test)]
    return DashMap::with_capacity_and_hasher_and_shard_amount(0, Hashing::default(), 8);
    #[cfg(not(test))]
    DashMap::with_hasher(Hashing::default())
}

/// Random bytes of the system.
///
/// # Panics
/// When the system has no randomness: nothing secret and nothing unique can be made then.
pub fn bytes<const N: usize>() -> [u8; N] {
    #[cfg(test)]
    if let Some(seeded) = seeded::bytes() {
        return seeded;
    }
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("without randomness nothing secret can be made");
    bytes
}

/// For the simulation, which replays: randomness of a thread that follows from a seed.
#[cfg(test)]
pub mod seeded {
    use std::cell::Cell;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// From now on this thread's bytes follow from `seed`; `None` gives it the system's again.
    pub fn set(seed: Option<u64>) {
        STATE.set(seed);
    }

    pub(super) fn bytes<const N: usize>() -> Option<[u8; N]> {
        let mut state = STATE.get()?;
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mixed = (state ^ (state >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
            chunk.copy_from_slice(&mixed.to_be_bytes()[..chunk.len()]);
        }
        STATE.set(Some(state));
        Some(bytes)
    }
}
