//! Who is connected to other nodes: each node's slice, as it told it last. Pure: no clock, no bus.
//!
//! A node numbers what it says of its slice. A number that does not follow is a gap: then the whole slice is asked for.
//! A slice outlives its node by a grace, in which its people come back on another node without having left.

use crate::{cluster::BootId, random::Hashing};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use stoa_protocol::{Millis, Presence, PresenceState, RoomId, UserId};

/// How long the people of a dead node are held for present after its lease ran out, milliseconds: with the lease and a
/// look at the leases each second this is within the 15 s of promise 7.
pub const DEAD_GRACE_MS: Millis = 8_000;
/// A node that gave no sign of life for so long, milliseconds, is cut off, or dead: what it does not say again may still
/// be so.
const SILENT_MS: Millis = 3_000;
/// Most users of one slice. A node has no more connections than this.
const USERS: usize = 200_000;

/// A user as one node sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct There {
    /// Over their connections of that node.
    pub state: PresenceState,
    /// Their own words, and when they were set.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// When the words were set.
    #[serde(default)]
    pub text_at: Millis,
    /// Rooms in whose calls they are from there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub calls: BTreeSet<RoomId>,
    /// Whether a connection wants its room list told.
    #[serde(default)]
    pub list: bool,
}

/// One user of a slice; nobody any more when there is nothing to say.
pub type Entry = (UserId, Option<There>);

#[derive(Debug, Default)]
struct Slice {
    /// The number of what was said last; `None` before the whole was heard.
    at: Option<u64>,
    users: HashMap<UserId, There, Hashing>,
    /// A whole slice that is being told in parts.
    coming: Option<(u64, HashMap<UserId, There, Hashing>)>,
    /// When its node was found dead or said that it goes.
    dead_at: Option<Millis>,
    /// When its node gave a sign of life last.
    beat_at: Millis,
}

/// What was heard did not follow on what is known: the whole slice is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap;

/// All slices but one's own.
#[derive(Debug, Default)]
pub struct Elsewhere {
    slices: BTreeMap<BootId, Slice>,
    /// On which nodes each user is.
    users: HashMap<UserId, Vec<BootId>, Hashing>,
}

impl Elsewhere {
    /// A node's changes, the `n`-th thing that it says; tells whose presence may have changed.
    ///
    /// # Errors
    /// [`Gap`]; nothing was changed.
    pub fn diff(&mut self, node: BootId, n: u64, entries: Vec<Entry>) -> Result<Vec<UserId>, Gap> {
        let slice = self.slices.entry(node).or_default();
        match slice.at {
            Some(at) if n <= at => return Ok(vec![]),
            Some(at) if n == at + 1 => {}
            Some(_) | None => return Err(Gap),
        }
        slice.at = Some(n);
        slice.dead_at = None;
        let changed = entries.iter().map(|(user, _)| user.clone()).collect();
        for (user, there) in entries {
            self.put(node, user, there);
        }
        Ok(changed)
    }

    /// A node is there and has said `n` things.
    ///
    /// # Errors
    /// [`Gap`].
    pub fn beat(&mut self, node: BootId, n: u64, now: Millis) -> Result<(), Gap> {
        let slice = self.slices.entry(node).or_default();
        slice.dead_at = None;
        slice.beat_at = now;
        let known = slice.at == Some(n) || (slice.at.is_some() && super::super::planted("beat-unheeded"));
        if known { Ok(()) } else { Err(Gap) }
    }

    /// A part of a whole slice as of the `n`-th thing; the last one tells whose presence may have changed.
    pub fn part(&mut self, node: BootId, n: u64, first: bool, last: bool, entries: Vec<Entry>) -> Vec<UserId> {
        let slice = self.slices.entry(node).or_default();
        if first {
            slice.coming = Some((n, HashMap::default()));
        }
        let Some((of, users)) = slice.coming.as_mut().filter(|(of, _)| *of == n) else { return vec![] };
        users.extend(entries.into_iter().filter_map(|(user, there)| Some((user, there?))).take(USERS));
        if !last {
            return vec![];
        }
        let (of, now) = (*of, std::mem::take(users));
        slice.coming = None;
        // An older whole than what is known would take back what has changed since.
        if slice.at.is_some_and(|at| at > of) {
            return vec![];
        }
        slice.at = Some(of);
        slice.dead_at = None;
        let gone: Vec<UserId> = slice.users.keys().filter(|user| !now.contains_key(*user)).cloned().collect();
        let mut changed = gone.clone();
        for user in gone {
            self.put(node, user, None);
        }
        for (user, there) in now {
            let known = self.slices.get(&node).and_then(|slice| slice.users.get(&user));
            if known != Some(&there) {
                changed.push(user.clone());
                self.put(node, user, Some(there));
            }
        }
        changed
    }

    fn put(&mut self, node: BootId, user: UserId, there: Option<There>) {
        let Some(slice) = self.slices.get_mut(&node) else { return };
        match there {
            Some(there) if slice.users.len() < USERS || slice.users.contains_key(&user) => {
                slice.users.insert(user.clone(), there);
                let nodes = self.users.entry(user).or_default();
                if !nodes.contains(&node) {
                    nodes.push(node);
                }
            }
            Some(_) => {}
            None => {
                slice.users.remove(&user);
                if let Some(nodes) = self.users.get_mut(&user) {
                    nodes.retain(|other| *other != node);
                    if nodes.is_empty() {
                        self.users.remove(&user);
                    }
                }
            }
        }
    }

    /// A node has ended, by its own word or by its lease: its people are held for the grace. Tells whether that is news.
    pub fn dead(&mut self, node: BootId, now: Millis) -> bool {
        let Some(slice) = self.slices.get_mut(&node) else { return false };
        let news = slice.dead_at.is_none();
        slice.dead_at.get_or_insert(now);
        news
    }

    /// Ends graces that are over; tells the nodes that are gone and whose presence may have changed.
    pub fn tick(&mut self, now: Millis) -> (Vec<BootId>, Vec<UserId>) {
        let over = |slice: &Slice| slice.dead_at.is_some_and(|at| at + DEAD_GRACE_MS <= now);
        let gone: Vec<BootId> = self.slices.iter().filter(|(_, slice)| over(slice)).map(|(node, _)| *node).collect();
        let mut changed = Vec::new();
        for node in &gone {
            let users: Vec<UserId> =
                self.slices.get(node).into_iter().flat_map(|slice| slice.users.keys().cloned()).collect();
            for user in &users {
                self.put(*node, user.clone(), None);
            }
            self.slices.remove(node);
            changed.extend(users);
        }
        (gone, changed)
    }

    /// Nodes whose signs of life come through.
    pub fn beating(&self, now: Millis) -> BTreeSet<BootId> {
        self.slices.iter().filter(|(_, slice)| slice.beat_at + SILENT_MS > now).map(|(node, _)| *node).collect()
    }

    /// Whether a node has told its whole slice.
    pub fn has_slice_of(&self, node: BootId) -> bool {
        self.slices.get(&node).is_some_and(|slice| slice.at.is_some())
    }

    /// Nodes that have said something.
    pub fn nodes(&self) -> impl Iterator<Item = BootId> {
        self.slices.keys().copied()
    }

    /// What other nodes say of a user.
    fn of(&self, user: &UserId) -> impl Iterator<Item = &There> {
        let nodes = self.users.get(user).map_or(&[] as &[BootId], Vec::as_slice);
        nodes.iter().filter_map(|node| self.slices.get(node)?.users.get(user))
    }

    /// Whether a user is connected to another node.
    pub fn has(&self, user: &UserId) -> bool {
        self.users.contains_key(user)
    }

    /// Whether a user wants their room list told on another node.
    pub fn wants_list(&self, user: &UserId) -> bool {
        self.of(user).any(|there| there.list)
    }

    /// Whether a user is in another call than this room's from another node.
    pub fn in_other_call(&self, user: &UserId, room: &RoomId) -> bool {
        self.of(user).any(|there| there.calls.iter().any(|other| other != room))
    }

    /// A user's presence over all nodes: the most present counts, `busy` beats `online`, the newest words hold.
    pub fn merged(&self, user: &UserId, here: Option<(Presence, Millis)>) -> Option<Presence> {
        let mut words_at = here.as_ref().map_or(0, |(_, at)| *at);
        let mut told = here.map(|(presence, _)| presence);
        for there in self.of(user) {
            let presence = told.get_or_insert_with(|| Presence {
                user: user.clone(),
                state: PresenceState::Offline,
                text: String::new(),
                last_seen: None,
            });
            presence.state = more_present(presence.state, there.state);
            if there.text_at > words_at {
                words_at = there.text_at;
                presence.text.clone_from(&there.text);
            }
        }
        if let Some(presence) = told.as_mut().filter(|presence| presence.state != PresenceState::Offline) {
            presence.last_seen = None;
        }
        told
    }

    /// The newest words of a user and when they were set, where another node knows them.
    pub fn words(&self, user: &UserId) -> Option<(String, Millis)> {
        self.of(user).max_by_key(|there| there.text_at).map(|there| (there.text.clone(), there.text_at))
    }

    /// How many users are connected to other nodes.
    pub fn count(&self) -> usize {
        self.users.len()
    }
}

/// `busy` beats `online`, else the more present one counts.
fn more_present(one: PresenceState, other: PresenceState) -> PresenceState {
    match (one, other) {
        (PresenceState::Busy, _) | (_, PresenceState::Busy) => PresenceState::Busy,
        _ => one.max(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PresenceState::{Away, Busy, Offline, Online};

    fn node(n: u8) -> BootId {
        BootId::from_bytes([n; 16])
    }

    fn user(name: &str) -> UserId {
        UserId::new(name).expect("legal")
    }

    fn there(state: PresenceState) -> There {
        There { state, text: String::new(), text_at: 0, calls: BTreeSet::new(), list: false }
    }

    fn state(others: &Elsewhere, name: &str) -> Option<PresenceState> {
        others.merged(&user(name), None).map(|presence| presence.state)
    }

    #[test]
    fn changes_count_from_a_whole_slice_on_and_a_number_that_is_missing_is_a_gap() {
        let mut others = Elsewhere::default();
        assert_eq!(others.diff(node(1), 1, vec![]), Err(Gap), "nothing is known of this node");
        assert_eq!(others.part(node(1), 4, true, false, vec![(user("ada"), Some(there(Online)))]), vec![]);
        assert_eq!(others.count(), 0, "half a slice is none");
        let mut changed = others.part(node(1), 4, false, true, vec![(user("ben"), Some(there(Away)))]);
        changed.sort();
        assert_eq!(changed, [user("ada"), user("ben")]);
        assert_eq!(others.diff(node(1), 5, vec![(user("ada"), None)]), Ok(vec![user("ada")]));
        assert_eq!((state(&others, "ada"), state(&others, "ben")), (None, Some(Away)));
        assert_eq!(others.diff(node(1), 5, vec![(user("ben"), None)]), Ok(vec![]), "heard before");
        assert_eq!(others.diff(node(1), 7, vec![]), Err(Gap));
        assert_eq!(others.beat(node(1), 5, 0), Ok(()));
        assert_eq!(others.beat(node(1), 6, 0), Err(Gap), "the last one was lost");
        let whole = vec![(user("cyd"), Some(there(Online)))];
        assert_eq!(others.part(node(1), 4, true, true, whole.clone()), vec![], "older than what is known");
        let mut changed = others.part(node(1), 7, true, true, whole);
        changed.sort();
        assert_eq!(changed, [user("ben"), user("cyd")], "who is not in the whole is gone");
    }

    #[test]
    fn a_user_is_what_all_nodes_say_together() {
        let mut others = Elsewhere::default();
        for (n, state) in [(1, Away), (2, Online)] {
            others.part(node(n), 0, true, true, vec![(user("ada"), Some(there(state)))]);
        }
        assert_eq!(state(&others, "ada"), Some(Online));
        let busy = There { text: "in a lesson".into(), text_at: 7, ..there(Busy) };
        others.diff(node(1), 1, vec![(user("ada"), Some(busy))]).expect("in order");
        assert_eq!(state(&others, "ada"), Some(Busy));
        let here = Presence { user: user("ada"), state: Offline, text: "old".into(), last_seen: Some(5) };
        let merged = others.merged(&user("ada"), Some((here, 6))).expect("there");
        assert_eq!((merged.state, merged.text.as_str(), merged.last_seen), (Busy, "in a lesson", None));
        assert_eq!(state(&others, "ben"), None);
    }

    #[test]
    fn people_of_a_dead_node_are_held_for_a_grace_and_a_sign_of_life_ends_it() {
        let mut others = Elsewhere::default();
        others.part(node(1), 0, true, true, vec![(user("ada"), Some(there(Online)))]);
        assert!(others.dead(node(1), 1_000) && !others.dead(node(1), 2_000), "it is news once");
        assert_eq!(others.tick(1_000 + DEAD_GRACE_MS - 1), (vec![], vec![]));
        others.beat(node(1), 0, 3_000).expect("nothing was missed");
        assert_eq!(others.tick(100_000), (vec![], vec![]), "it lives");
        assert!(others.dead(node(1), 100_000));
        assert_eq!(others.tick(100_000 + DEAD_GRACE_MS), (vec![node(1)], vec![user("ada")]));
        assert_eq!((state(&others, "ada"), others.count()), (None, 0));
    }
}
