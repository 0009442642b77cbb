//! What people do on a board in a tutoring session, and when.

use super::{
    shapes::{Dice, Kind},
    sheet::{Change, Edit, Pen, Sheet},
};

/// Time between two strokes of somebody who writes, seconds.
const STROKE_S: (f64, f64) = (0.5, 1.6);
/// How long somebody writes at a stretch.
const WRITING_S: (f64, f64) = (15.0, 90.0);
/// How long they listen then.
const PAUSE_S: (f64, f64) = (15.0, 120.0);
/// Between two pages.
const PAGE_S: (f64, f64) = (600.0, 1_200.0);
/// Between two reloads of somebody's page, or losses of their connection.
const RETURN_S: (f64, f64) = (1_200.0, 3_600.0);

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A line of the pen.
    Stroke,
    /// Anything else that is drawn.
    Figure,
    /// A shape of this page is moved.
    Move,
    /// Some shapes of this page are erased.
    Erase,
    /// What they did last is undone.
    Undo,
    /// Everything of this page is erased.
    Turn,
    /// They come back under a new client id.
    Return,
}

/// The last act of somebody, as far as it can be undone.
#[derive(Debug, Clone, Copy)]
enum Done {
    Drew(usize),
    Moved(usize),
    Erased(usize),
}

struct Person {
    next_s: f64,
    until_s: f64,
    return_s: f64,
    done: Option<Done>,
}

/// A session.
pub struct Session {
    people: Vec<Person>,
    now_s: f64,
    turn_s: f64,
    /// Shapes that were drawn on this page.
    page: Vec<usize>,
    dice: Dice,
}

fn within(dice: &mut Dice, (least, most): (f64, f64)) -> f64 {
    least + (most - least) * dice.share()
}

impl Session {
    /// Of so many people, the first of whom turns the pages.
    pub fn new(people: usize, mut dice: Dice) -> Self {
        let people = (0..people)
            .map(|_| Person {
                next_s: within(&mut dice, PAUSE_S),
                until_s: 0.0,
                return_s: within(&mut dice, RETURN_S),
                done: None,
            })
            .collect();
        let turn_s = within(&mut dice, PAGE_S);
        Self { people, now_s: 0.0, turn_s, page: Vec::new(), dice }
    }

    /// The time of the session.
    pub fn now_s(&self) -> f64 {
        self.now_s
    }

    /// Who does what next, and when; nothing before `until_s` when there is none.
    pub fn next(&mut self, until_s: f64) -> Option<(f64, usize, Act)> {
        let next = self.people.iter().enumerate().min_by(|(_, one), (_, other)| one.next_s.total_cmp(&other.next_s));
        let (number, at_s) = next.map(|(number, person)| (number, person.next_s))?;
        if at_s >= until_s {
            self.now_s = until_s;
            return None;
        }
        self.now_s = at_s;
        let (dice, person) = (&mut self.dice, &mut self.people[number]);
        if person.return_s <= at_s {
            person.return_s = at_s + within(dice, RETURN_S);
            person.done = None;
            return Some((at_s, number, Act::Return));
        }
        if number == 0 && self.turn_s <= at_s {
            self.turn_s = at_s + within(dice, PAGE_S);
            person.done = None;
            return Some((at_s, number, Act::Turn));
        }
        if person.until_s <= at_s {
            person.until_s = at_s + within(dice, WRITING_S);
        }
        person.next_s += within(dice, STROKE_S);
        if person.next_s > person.until_s {
            person.next_s += within(dice, PAUSE_S);
            person.until_s = person.next_s;
        }
        let act = match dice.below(100) {
            0..74 => Act::Stroke,
            74..82 => Act::Figure,
            82..90 => Act::Move,
            90..95 => Act::Erase,
            95.. => Act::Undo,
        };
        Some((at_s, number, act))
    }

    /// The edit that an act is. What cannot be done becomes a stroke.
    pub fn edit(&mut self, person: usize, act: Act, sheet: &mut Sheet, pen: &mut Pen) -> Edit {
        let dice = &mut self.dice;
        let shown: Vec<usize> = match act {
            Act::Move | Act::Erase | Act::Turn => {
                self.page.iter().copied().filter(|shape| sheet.is_free(*shape, pen)).collect()
            }
            Act::Stroke | Act::Figure | Act::Undo | Act::Return => vec![],
        };
        let any = |dice: &mut Dice| shown[dice.below(shown.len() as u64) as usize];
        let (edit, done) = match (act, self.people[person].done.take()) {
            (Act::Move, _) if !shown.is_empty() => {
                let shape = any(dice);
                (sheet.shift(shape, pen, dice), Some(Done::Moved(shape)))
            }
            (Act::Erase, _) if !shown.is_empty() => {
                let from = dice.below(shown.len() as u64) as usize;
                let erased = &shown[from..shown.len().min(from + 1 + dice.below(4) as usize)];
                (sheet.erase(erased, pen), Some(Done::Erased(erased[0])))
            }
            (Act::Turn, _) if !shown.is_empty() => {
                let edit = sheet.erase(&shown, pen);
                // What others are just drawing stays, on the next page.
                self.page.retain(|shape| !sheet.is_erased(*shape));
                (edit, None)
            }
            (Act::Undo, Some(Done::Drew(shape))) if !sheet.is_erased(shape) => (sheet.erase(&[shape], pen), None),
            (Act::Undo, Some(Done::Moved(shape))) if sheet.is_free(shape, pen) => (sheet.shift(shape, pen, dice), None),
            (Act::Undo, Some(Done::Erased(shape))) if sheet.is_erased(shape) => {
                (sheet.draw_again(shape, pen, dice), Some(Done::Drew(shape)))
            }
            (Act::Figure, _) => (sheet.draw(Kind::any(dice), pen, dice), None),
            (_, _) => (sheet.draw(Kind::Freehand, pen, dice), None),
        };
        self.people[person].done = done;
        if let Change::New { shape } = edit.change
            && !self.page.contains(&shape)
        {
            self.page.push(shape);
            self.people[person].done = Some(Done::Drew(shape));
        }
        edit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use yrs::{Doc, Map as _, ReadTxn as _, Transact as _, updates::decoder::Decode as _};

    #[test]
    fn four_hours_have_every_act_and_what_was_drawn_and_not_erased_is_there() {
        for seed in 1..=3 {
            let doc = Doc::new();
            let elements = doc.get_or_insert_map("elements");
            let mut session = Session::new(3, Dice::new(seed));
            let mut sheet = Sheet::default();
            let mut pens: Vec<Pen> = (0..3).map(|client| Pen { client, clock: 0 }).collect();
            let mut acts: HashMap<String, u32> = HashMap::new();
            let mut last_s = 0.0;
            while let Some((at_s, person, act)) = session.next(4.0 * 3600.0) {
                assert!(at_s >= last_s);
                last_s = at_s;
                *acts.entry(format!("{act:?}")).or_default() += 1;
                if act == Act::Return {
                    pens[person] = Pen { client: pens[person].client + 3, clock: 0 };
                    continue;
                }
                let edit = session.edit(person, act, &mut sheet, &mut pens[person]);
                sheet.land(edit.change);
                let update = yrs::Update::decode_v1(&edit.update).expect("legal");
                let mut txn = doc.transact_mut();
                txn.apply_update(update).expect("legal");
                assert!(!txn.has_missing_updates());
            }
            assert_eq!(acts.len(), 7, "{acts:?}");
            assert!(acts["Turn"] >= 10 && acts["Return"] >= 12, "{acts:?}");
            assert!((8_000..40_000).contains(&acts["Stroke"]), "{acts:?}");
            assert_eq!(elements.len(&doc.transact()) as usize, sheet.len(), "seed {seed}");
        }
    }
}
