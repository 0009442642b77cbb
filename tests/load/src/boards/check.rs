//! Whether replicas that were pushed every edit, and one that came at the end, have the same.

use super::{guest::Opened, read::Seen};
use anyhow::Context as _;
use std::rc::Rc;
use yrs::{
    Any, Doc, Map as _, ReadTxn as _, StateVector, Transact as _, types::ToJson as _, updates::decoder::Decode as _,
};

/// A document put together.
struct Replica {
    vector: StateVector,
    content: Any,
    shapes: usize,
    is_pending: bool,
}

impl Replica {
    fn of<'a>(updates: impl Iterator<Item = &'a [u8]>) -> anyhow::Result<Self> {
        let doc = Doc::new();
        let elements = doc.get_or_insert_map("elements");
        let mut txn = doc.transact_mut();
        for update in updates {
            let update = yrs::Update::decode_v1(update).context("an update that cannot be read")?;
            txn.apply_update(update).context("an update that cannot be applied")?;
        }
        Ok(Self {
            vector: txn.state_vector(),
            content: elements.to_json(&txn),
            shapes: elements.len(&txn) as usize,
            is_pending: txn.has_missing_updates(),
        })
    }
}

/// What the replicas, the newcomer and the generator's own account differ in; nothing when they are equal.
///
/// # Errors
/// An update cannot be read.
pub fn differences<'a>(
    replicas: impl Iterator<Item = &'a [Rc<Seen>]>,
    fresh: &Opened,
    shapes: usize,
) -> anyhow::Result<Vec<String>> {
    let fresh = Replica::of(std::iter::once(&fresh.state[..]))?;
    let mut words = Vec::new();
    if fresh.shapes != shapes {
        words.push(format!("somebody new finds {} shapes, and {shapes} were drawn and not erased", fresh.shapes));
    }
    for (number, seen) in replicas.enumerate() {
        let replica = Replica::of(seen.iter().map(|seen| &seen.update[..]))?;
        for (is, what) in [
            (replica.is_pending, "waits for edits that never came"),
            (replica.vector != fresh.vector, "has other edits than somebody new gets"),
            (replica.content != fresh.content, "shows another board than somebody new sees"),
        ] {
            if is {
                words.push(format!("replica {number} {what}"));
            }
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boards::{
        shapes::Dice,
        sheet::{Pen, Sheet},
    };

    #[test]
    fn a_lost_edit_is_found_and_equal_replicas_are_not_complained_of() {
        let (mut sheet, mut dice, mut pen) = (Sheet::default(), Dice::new(3), Pen { client: 5, clock: 0 });
        let mut seen = vec![Rc::new(Seen { update: sheet.draw_many(20, &mut pen, &mut dice), spans: vec![] })];
        for _ in 0..200 {
            let edit = sheet.any(&mut pen, &mut dice);
            sheet.land(edit.change);
            seen.push(Rc::new(Seen { update: edit.update, spans: vec![] }));
        }
        let updates: Vec<&[u8]> = seen.iter().map(|seen| &seen.update[..]).collect();
        let opened = |state| Opened { state, vector: vec![], bytes: 0 };
        let whole = opened(yrs::merge_updates_v1(&updates).expect("legal"));
        let compare = |seen: &[Rc<Seen>], opened: &Opened, shapes| {
            differences(std::iter::once(seen), opened, shapes).expect("legal updates").len()
        };
        assert_eq!(compare(&seen, &whole, sheet.len()), 0);
        assert_eq!(compare(&seen, &whole, sheet.len() + 1), 1);
        let part = opened(yrs::merge_updates_v1(&updates[..150]).expect("legal"));
        assert!(compare(&seen, &part, sheet.len()) >= 2);
        seen.remove(100);
        assert!(compare(&seen, &whole, sheet.len()) >= 2);
    }
}
