//! Updates that nobody honest makes, by the hundred thousand: what the walk lets through, yrs integrates whole, at a cost
//! that follows from the bytes; the rest is refused for a reason. And what honest editors make is never refused.
//!
//! `STOA_SEED` plays a run again, `STOA_LONG=1` runs millions.

#[path = "hostile/bytes.rs"]
mod bytes;
#[path = "hostile/counted.rs"]
mod counted;
#[path = "../../tests/dice.rs"]
mod dice;
mod honest;
#[path = "hostile/server.rs"]
mod server;

use bytes::{forge, mutate};
use counted::{Cost, Counted, counted};
use dice::Dice;
use honest::Editor;
use server::Server;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};
use stoa_protocol::Refusal;
use stoa_rooms::document::{Walked, count_structs, survey, walk};
use yrs::{StateVector, Update, updates::decoder::Decode};

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Updates of the short form and of the long one.
const MUTATED: [u32; 2] = [120_000, 4_000_000];
const FORGED: [u32; 2] = [24_000, 2_000_000];
const DOCUMENTS: u32 = 24;

fn is_long() -> bool {
    std::env::var("STOA_LONG").is_ok_and(|long| long == "1")
}

fn how_many(forms: [u32; 2]) -> u32 {
    forms[usize::from(is_long())]
}

/// A seed of its own, or the one of `STOA_SEED`; printed, so that a failing run can be played again.
fn dice(what: &str) -> Dice {
    let drawn = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos();
    let seed = std::env::var("STOA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(drawn as u64);
    println!("{what}: STOA_SEED={seed}");
    Dice::from(seed)
}

/// A document that some clients have edited honestly, and what the sender, one of them, would send next.
struct Case {
    server: Server,
    updates: Vec<Vec<u8>>,
}

fn case(dice: &mut Dice) -> Case {
    let editors: Vec<_> = (1..=3 + dice.below(3)).map(Editor::new).collect();
    for _ in 0..40 {
        let at = dice.below(editors.len() as u64) as usize;
        editors[at].edit(&mut |end| dice.below(end));
        if dice.below(3) == 0 {
            let from = dice.below(editors.len() as u64) as usize;
            editors[at].apply(&editors[from].lacking(&editors[at].vector()));
        }
    }
    let (sender, others) = editors.split_first().expect("at least three");
    for other in others {
        sender.apply(&other.lacking(&sender.vector()));
    }
    let server = Server::of(&sender.everything(), &[1]);
    // Single edits, all of them at once, and everything there is.
    let mut updates: Vec<_> = (0..6).map(|_| sender.edit(&mut |end| dice.below(end))).collect();
    updates.push(sender.lacking(&server.replica().vector()));
    updates.push(sender.everything());
    updates.retain(|update| update.len() > 2);
    Case { server, updates }
}

/// Looks at one update; why it was refused, if it was.
fn judge(server: &Server, update: &[u8]) -> Result<Walked, Refusal> {
    let (walked, cost) = counted(|| walk(update, server));
    within(cost, Cost { peak: 4_096 + 256 * update.len(), times: 64 + 16 * update.len() as u64 }, "the walk");
    let walked = walked?;
    let replica = server.replica();
    let (outcome, cost) = counted(|| Update::decode_v1(update));
    within(cost, Cost { peak: 4_096 + 512 * update.len(), times: 64 + 16 * update.len() as u64 }, "decoding");
    let decoded = outcome.expect("what the walk lets through is decoded");
    let ((), cost) = counted(|| {
        let mut txn = yrs::Transact::transact_mut(&replica.doc);
        txn.apply_update(decoded).expect("what the walk lets through is integrated");
    });
    // Splitting what is there copies it, and a list of structs may double.
    let known = server.state.len();
    let most =
        Cost { peak: 65_536 + 1_024 * update.len() + 64 * known, times: 1_024 + 64 * (update.len() + known) as u64 };
    within(cost, most, "integrating");
    is_whole(server, &replica, &walked);
    Ok(walked)
}

fn within(cost: Cost, most: Cost, what: &str) {
    assert!(cost.peak <= most.peak && cost.times <= most.times, "{what} costs {cost:?}, more than {most:?}");
}

/// Nothing is pending, the clocks are those that the walk told, and what is stored of it and sent to others is whole.
/// Where a struct comes to stand is not compared: Yjs promises it for neighbours that were neighbours.
fn is_whole(server: &Server, replica: &Editor, walked: &Walked) {
    assert!(!yrs::ReadTxn::has_missing_updates(&yrs::Transact::transact(&replica.doc)), "something is pending");
    let mut expected: BTreeMap<u64, u32> = server.clocks().into_iter().collect();
    expected.extend(walked.new.iter().map(|span| (span.client, span.to)));
    assert_eq!(replica.clocks(), expected.into_iter().collect::<Vec<_>>(), "the clocks that the walk told");
    let state = replica.everything();
    let stored = Server::of(&state, &[]);
    assert_eq!(stored.clocks(), replica.clocks(), "what is encoded is surveyed whole");
    count_structs(&state).expect("and counted");
    assert_eq!(stored.replica().clocks(), replica.clocks(), "and integrated whole");
    let passed_on = replica.lacking(&server.replica().vector());
    survey(&passed_on, server).expect("what others are sent builds on what they have");
    let other = server.replica();
    other.apply(&passed_on);
    assert_eq!(other.clocks(), replica.clocks());
}

/// Judges many updates of each document; counts what came of them.
fn many(what: &str, count: u32, mut make: impl FnMut(&Case, &mut Dice) -> Vec<u8>) -> BTreeMap<String, u32> {
    let mut dice = dice(what);
    let mut counts = BTreeMap::new();
    for _ in 0..DOCUMENTS {
        let case = case(&mut dice);
        for _ in 0..count / DOCUMENTS {
            let before = dice.clone();
            let update = make(&case, &mut dice);
            let judged = catch_unwind(AssertUnwindSafe(|| judge(&case.server, &update)));
            let Ok(judged) = judged else {
                panic!("{what}, at {before:?}: {update:?}\non {:?}", case.server.state);
            };
            let outcome = match judged {
                Ok(walked) if walked.is_idle() => "nothing new".to_owned(),
                Ok(_) => "taken".to_owned(),
                Err(reason) => format!("{reason:?}"),
            };
            *counts.entry(outcome).or_default() += 1;
        }
    }
    println!("{what}: {counts:?}");
    counts
}

#[test]
fn of_mutated_updates_yrs_integrates_whole_what_the_walk_lets_through() {
    let counts = many("mutated updates", how_many(MUTATED), |case, dice| {
        let mut update = case.updates[dice.below(case.updates.len() as u64) as usize].clone();
        mutate(&mut update, &case.updates, dice);
        update
    });
    for outcome in ["taken", "nothing new", "Malformed", "Gap", "Foreign"] {
        assert!(counts.contains_key(outcome), "none was {outcome}: {counts:?}");
    }
}

#[test]
fn of_updates_that_are_legal_to_the_letter_yrs_integrates_whole_what_the_walk_lets_through() {
    let counts = many("forged updates", how_many(FORGED), |case, dice| forge(&case.server, dice));
    assert!(counts["taken"] > how_many(FORGED) / 20, "most forgeries are refused: {counts:?}");
}

#[test]
fn what_honest_editors_make_is_never_refused() {
    let mut dice = dice("honest updates");
    let runs = if is_long() { 5_000 } else { 120 };
    for _ in 0..runs {
        let before = dice.clone();
        let editors: Vec<_> = (1..=3).map(Editor::new).collect();
        let mut state = StateVector::default();
        let replica = Editor::new(77);
        for _ in 0..60 {
            let at = dice.below(3) as usize;
            let editor = &editors[at];
            // What it lacks is taken first, sometimes.
            if dice.below(3) == 0 {
                editor.apply(&replica.lacking(&editor.vector()));
            }
            editor.edit(&mut |end| dice.below(end));
            if dice.below(2) == 0 {
                let server = Server::of(&replica.everything(), &[at as u64 + 1]);
                // What the server lacks, or, as after a long time, everything.
                let vector = if dice.below(4) == 0 { StateVector::default() } else { state };
                let update = editor.lacking(&vector);
                let walked = walk(&update, &server);
                assert!(walked.is_ok(), "{walked:?} for an honest update, at {before:?}: {update:?}");
                replica.apply(&update);
                state = replica.vector();
            }
        }
    }
}
