//! The server's replica of one document: the only place that calls yrs.
//!
//! The one invariant: only what the walk let through is applied, and a panic or an error of yrs makes the replica
//! useless but nothing else: it is built anew from the store.

use std::{
    collections::{BTreeSet, HashMap},
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
};
use stoa_protocol::{Refusal, UserId};
use stoa_rooms::document::{Claim, Known, Place, Places, Walked, count_structs, survey, walk, write_state_vector};
use yrs::{
    Any, ClientID, Doc, GetString, Map, Options, ReadTxn, StateVector, Transact, Update,
    types::ToJson,
    undo::{self, UndoManager},
    updates::decoder::Decode,
};

/// Updates that are merged at a time: for each struct that it writes yrs sorts all that it merges.
const TOGETHER: usize = 64;

/// yrs failed, or kept something pending: the replica is not what the store has.
#[derive(Debug, thiserror::Error)]
#[error("the replica is broken: {0}")]
pub struct Broken(String);

/// A replica with what the guard has to know of it.
pub struct Replica {
    doc: Doc,
    /// The first clock that is lacking, by Yjs client id; what waits for its save included.
    vector: HashMap<u64, u32>,
    /// Whose the ids are; `None` is an erased user.
    owners: HashMap<u64, Option<UserId>>,
    /// Where its structs are.
    places: Places,
    /// Structs that were taken since the replica was made, and those that it began with.
    structs: u32,
}

struct Sender<'r> {
    replica: &'r Replica,
    user: &'r UserId,
}

impl Known for Sender<'_> {
    fn clock(&self, client: u64) -> u32 {
        self.replica.vector.get(&client).copied().unwrap_or_default()
    }

    fn claim(&self, client: u64) -> Claim {
        match self.replica.owners.get(&client) {
            Some(Some(owner)) if owner == self.user => Claim::Own,
            Some(_) => Claim::Foreign,
            // Written before ids had owners: nobody goes on under it.
            None if self.clock(client) > 0 => Claim::Foreign,
            None => Claim::Free,
        }
    }

    fn place(&self, client: u64, clock: u32) -> Place {
        self.replica.places.at(client, clock)
    }
}

/// Seen from the store: whose an id is was looked at when the update came.
struct Stored<'r>(&'r Replica);

impl Known for Stored<'_> {
    fn clock(&self, client: u64) -> u32 {
        self.0.vector.get(&client).copied().unwrap_or_default()
    }

    fn claim(&self, _: u64) -> Claim {
        Claim::Own
    }

    fn place(&self, client: u64, clock: u32) -> Place {
        self.0.places.at(client, clock)
    }
}

impl Replica {
    /// A replica of what was stored.
    ///
    /// # Errors
    /// [`Broken`] when yrs does not take it.
    pub fn build<'a>(
        updates: impl Iterator<Item = &'a [u8]>,
        owners: HashMap<u64, Option<UserId>>,
    ) -> Result<Self, Broken> {
        let (doc, vector) = (Doc::new(), HashMap::new());
        let mut replica = Self { doc, vector, owners, places: Places::default(), structs: 0 };
        for update in updates {
            let surveyed = survey(update, &Stored(&replica));
            replica.integrate(update)?;
            match surveyed {
                Ok(walked) => replica.note(&walked),
                // What was taken in by other rules is still served; of its places nothing is known.
                Err(_) => {
                    replica.structs += count_structs(update).unwrap_or_default();
                    replica.vector = replica.read_clocks()?;
                }
            }
        }
        replica.vector = replica.read_clocks()?;
        Ok(replica)
    }

    fn read_clocks(&self) -> Result<HashMap<u64, u32>, Broken> {
        guarded(|| Ok(clocks(&self.doc.transact().state_vector())))
    }

    fn note(&mut self, walked: &Walked) {
        for span in &walked.new {
            self.vector.insert(span.client, span.to);
        }
        self.places.extend(&walked.places);
        self.structs += walked.structs;
    }

    /// Looks at an update of somebody's; changes nothing.
    ///
    /// # Errors
    /// Why it is not to be taken.
    pub fn examine(&self, update: &[u8], user: &UserId) -> Result<Walked, Refusal> {
        walk(update, &Sender { replica: self, user })
    }

    /// Looks at an update of the server's own; changes nothing. It goes under a client id that nobody has, and nobody
    /// goes on under it.
    ///
    /// # Errors
    /// Why it cannot be taken.
    pub fn examine_own(&self, update: &[u8]) -> Result<Walked, Refusal> {
        survey(update, &Stored(self))
    }

    /// Takes what [`Replica::examine`] let through.
    ///
    /// # Errors
    /// [`Broken`]; the replica is of no more use.
    pub fn take(&mut self, update: &[u8], walked: &Walked, user: &UserId) -> Result<(), Broken> {
        self.integrate(update)?;
        self.note(walked);
        self.owners.extend(walked.claims.iter().map(|client| (*client, Some(user.clone()))));
        Ok(())
    }

    /// Takes what another node's guard let through and saved; everything before it is here.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn take_others(&mut self, update: &[u8], claims: &[(u64, UserId)]) -> Result<(), Broken> {
        self.integrate(update)?;
        self.structs += count_structs(update).unwrap_or_default();
        self.owners.extend(claims.iter().map(|(client, user)| (*client, Some(user.clone()))));
        self.vector = guarded(|| Ok(clocks(&self.doc.transact().state_vector())))?;
        Ok(())
    }

    /// Takes everything that is stored beside what it has; tells the clocks of what is stored.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn take_stored<'a>(
        &mut self,
        updates: impl Iterator<Item = &'a [u8]>,
        owners: HashMap<u64, Option<UserId>>,
    ) -> Result<HashMap<u64, u32>, Broken> {
        let mut stored: HashMap<u64, u32> = HashMap::new();
        for update in updates {
            self.integrate(update)?;
            for (client, clock) in upper_clocks(update)? {
                let known = stored.entry(client).or_default();
                *known = clock.max(*known);
            }
        }
        self.owners.extend(owners);
        self.vector = guarded(|| Ok(clocks(&self.doc.transact().state_vector())))?;
        Ok(stored)
    }

    fn integrate(&mut self, update: &[u8]) -> Result<(), Broken> {
        guarded(|| apply(&self.doc, update))
    }

    /// Structs, at most: neighbours that were joined since are counted apart until the replica is built anew.
    pub fn structs(&self) -> u32 {
        self.structs
    }

    /// The number of structs of now, where it was counted.
    pub fn set_structs(&mut self, structs: u32) {
        self.structs = structs;
    }

    /// Whether a client id may be used by somebody, for what is not stored.
    pub fn may_appear(&self, client: u64, user: &UserId) -> bool {
        self.owners.get(&client).is_none_or(|owner| owner.as_ref() == Some(user))
    }

    /// The state vector as it travels.
    pub fn vector(&self) -> Vec<u8> {
        write_state_vector(self.vector.iter().map(|(client, clock)| (*client, *clock)))
    }

    /// The clocks that it has.
    pub fn clocks(&self) -> &HashMap<u64, u32> {
        &self.vector
    }

    /// What a state vector lacks, as one update.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn lacking(&self, vector: &HashMap<u64, u32>) -> Result<Vec<u8>, Broken> {
        let vector: StateVector = vector.iter().map(|(client, clock)| (ClientID::new(*client), *clock)).collect();
        guarded(|| Ok(self.doc.transact().encode_diff_v1(&vector)))
    }

    /// The edit that sets the document back to an older state, made under a client id of its own.
    ///
    /// The older state is loaded beside, what came since is applied to it as one step, and that step is undone: so
    /// whatever was added goes, and whatever was deleted comes again, in every kind of shared type.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn setting_back(&self, version: &[u8]) -> Result<Vec<u8>, Broken> {
        let now = self.lacking(&HashMap::new())?;
        let vector: StateVector = self.vector.iter().map(|(client, clock)| (ClientID::new(*client), *clock)).collect();
        guarded(|| set_back(&now, &vector, version))
    }

    /// Many updates as one.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn merge(mut updates: Vec<Vec<u8>>) -> Result<Vec<u8>, Broken> {
        guarded(|| {
            while updates.len() > 1 {
                let merged = updates.chunks(TOGETHER).map(yrs::merge_updates_v1);
                updates = merged.collect::<Result<_, _>>().map_err(|error| Broken(error.to_string()))?;
            }
            Ok(updates.pop().unwrap_or_default())
        })
    }

    /// The content as JSON, by the names of its roots.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn json(update: &[u8]) -> Result<String, Broken> {
        guarded(|| {
            let doc = Doc::new();
            apply(&doc, update)?;
            let names = roots(&doc);
            let mut object = serde_json::Map::new();
            for name in names {
                object.insert(name.clone(), root_json(&doc, &name));
            }
            Ok(serde_json::Value::Object(object).to_string())
        })
    }
}

/// The first clock behind an update, by Yjs client id.
///
/// # Errors
/// [`Broken`] when it cannot be read.
pub fn upper_clocks(update: &[u8]) -> Result<HashMap<u64, u32>, Broken> {
    guarded(|| {
        let update = Update::decode_v1(update).map_err(|error| Broken(error.to_string()))?;
        Ok(clocks(&update.state_vector()))
    })
}

/// Runs what calls yrs; a panic in it is an error.
fn guarded<T>(call: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(Broken("yrs panicked".into())))
}

fn apply(doc: &Doc, update: &[u8]) -> Result<(), Broken> {
    let update = Update::decode_v1(update).map_err(|error| Broken(error.to_string()))?;
    // A transaction commits when it is dropped, and a panic while one unwinds would end the process: it is dropped by
    // hand, and on a panic never.
    let mut txn = ManuallyDrop::new(doc.transact_mut());
    let outcome = txn.apply_update(update);
    let pending = txn.has_missing_updates();
    drop(ManuallyDrop::into_inner(txn));
    outcome.map_err(|error| Broken(error.to_string()))?;
    if pending { Err(Broken("something could not be placed".into())) } else { Ok(()) }
}

fn clocks(vector: &StateVector) -> HashMap<u64, u32> {
    vector.iter().map(|(client, clock)| (client.get(), *clock)).collect()
}

fn roots(doc: &Doc) -> BTreeSet<String> {
    doc.transact().root_refs().map(|(name, _)| name.to_owned()).collect()
}

fn set_back(now: &[u8], vector: &StateVector, version: &[u8]) -> Result<Vec<u8>, Broken> {
    let present = Doc::new();
    apply(&present, now)?;
    let mut client = [0; 4];
    getrandom::fill(&mut client).map_err(|error| Broken(error.to_string()))?;
    // What was deleted must stay whole until it is brought back.
    let client_id = ClientID::new(u64::from(u32::from_le_bytes(client)));
    let options = Options { skip_gc: true, client_id, ..Options::default() };
    let past = Doc::with_options(options);
    apply(&past, version)?;
    let mut undo: UndoManager<()> = UndoManager::with_options(undo::Options::default());
    undo.include_origin("since");
    for name in roots(&present).union(&roots(&past)) {
        undo.expand_scope(&past, &past.get_or_insert_map(name.as_str()));
    }
    let since = present.transact().encode_diff_v1(&past.transact().state_vector());
    let since = Update::decode_v1(&since).map_err(|error| Broken(error.to_string()))?;
    past.transact_mut_with("since").apply_update(since).map_err(|error| Broken(error.to_string()))?;
    while undo.undo_blocking() {}
    Ok(past.transact().encode_diff_v1(vector))
}

/// Roots do not say what they are: one with keys is a map, one with text is text, any other a list.
fn root_json(doc: &Doc, name: &str) -> serde_json::Value {
    let (map, text, list) = (doc.get_or_insert_map(name), doc.get_or_insert_text(name), doc.get_or_insert_array(name));
    let txn = doc.transact();
    let value = match (map.len(&txn), text.get_string(&txn)) {
        (1.., _) => map.to_json(&txn),
        (_, words) if !words.is_empty() => Any::from(words),
        _ => list.to_json(&txn),
    };
    serde_json::to_value(&value).unwrap_or_default()
}
