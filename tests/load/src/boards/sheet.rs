//! What stands on a board, as far as editing it needs: which struct each group of each shape was written by last.

use super::{
    bytes::{Id, Update},
    shapes::{self, Dice, Kind},
};

/// The root that the page keeps shapes in.
const ROOT: &str = "elements";
/// Looks for a shape that its editor may change now.
const LOOKS: usize = 16;

/// Somebody's Yjs client id and the clock of their next struct.
#[derive(Debug, Clone, Copy)]
pub struct Pen {
    pub client: u64,
    pub clock: u32,
}

/// A value with what it was written over: of two that were written over the same one, that of the higher client holds.
#[derive(Debug, Clone, Copy)]
struct Cell {
    id: Id,
    over: Option<Id>,
}

impl Cell {
    fn land(&mut self, id: Id, over: Id) {
        if self.id == over || (self.over == Some(over) && id.client > self.id.client) {
            *self = Self { id, over: Some(over) };
        }
    }
}

#[derive(Debug)]
struct Shape {
    kind: Kind,
    map: Id,
    at: Cell,
    style: Cell,
    /// Who changes it, and has not been heard by anybody.
    under_way: Vec<u64>,
    /// Where it stands among those that are there; `None` when it is erased, or nobody has seen it yet.
    place: Option<usize>,
    is_erased: bool,
}

/// What an edit does, for when others have heard of it.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// A shape was moved: its `at` is this.
    Move { shape: usize, id: Id, over: Id },
    /// A shape looks otherwise.
    Style { shape: usize, id: Id, over: Id },
    /// A shape is new.
    New { shape: usize },
    /// Shapes are gone.
    Erase,
}

/// An edit: its bytes, and what it does.
#[derive(Debug)]
pub struct Edit {
    pub update: Vec<u8>,
    pub change: Change,
}

/// One board.
#[derive(Debug, Default)]
pub struct Sheet {
    shapes: Vec<Shape>,
    there: Vec<usize>,
}

impl Sheet {
    /// Shapes that are there, and seen by somebody.
    pub fn len(&self) -> usize {
        self.there.len()
    }

    /// An edit as people make them: mostly moves.
    pub fn any(&mut self, pen: &mut Pen, dice: &mut Dice) -> Edit {
        let roll = dice.below(100);
        let Some(shape) = self.free(pen, dice).filter(|_| roll >= 7) else {
            let kind = Kind::any(dice);
            return self.draw(kind, pen, dice);
        };
        match roll {
            7..12 => self.erase(&[shape], pen),
            12..22 => self.style(shape, pen, dice),
            _ => self.shift(shape, pen, dice),
        }
    }

    fn free(&self, pen: &Pen, dice: &mut Dice) -> Option<usize> {
        let mut found =
            (0..LOOKS.min(self.there.len())).map(|_| self.there[dice.below(self.there.len() as u64) as usize]);
        found.find(|shape| self.is_free(*shape, pen))
    }

    /// Whether a shape is there, and no unheard edit of this editor touches it.
    pub fn is_free(&self, shape: usize, pen: &Pen) -> bool {
        let shape = &self.shapes[shape];
        shape.place.is_some() && !shape.under_way.contains(&pen.client)
    }

    /// Whether a shape was drawn and is gone.
    pub fn is_erased(&self, shape: usize) -> bool {
        self.shapes[shape].is_erased
    }

    /// Draws a new shape.
    pub fn draw(&mut self, kind: Kind, pen: &mut Pen, dice: &mut Dice) -> Edit {
        let mut update = Update::at(Id { client: pen.client, clock: pen.clock });
        let shape = self.add(kind, &mut update, dice);
        finish(update, pen, Change::New { shape })
    }

    /// Draws many shapes with one edit; for the generator they are there at once.
    pub fn draw_many(&mut self, count: usize, pen: &mut Pen, dice: &mut Dice) -> Vec<u8> {
        let mut update = Update::at(Id { client: pen.client, clock: pen.clock });
        for _ in 0..count {
            let shape = self.add(Kind::any(dice), &mut update, dice);
            self.land(Change::New { shape });
        }
        finish(update, pen, Change::Erase).update
    }

    fn add(&mut self, kind: Kind, update: &mut Update, dice: &mut Dice) -> usize {
        let number = self.shapes.len();
        let key = format!("{:016x}{number:05x}", dice.next());
        let map = update.map(ROOT, &key, None);
        let [at, style] = groups(kind, number, map, update, dice);
        self.shapes.push(Shape { kind, map, at, style, under_way: vec![], place: None, is_erased: false });
        number
    }

    /// Draws what stood there again, as undoing an erasure does.
    pub fn draw_again(&mut self, shape: usize, pen: &mut Pen, dice: &mut Dice) -> Edit {
        let mut update = Update::at(Id { client: pen.client, clock: pen.clock });
        let erased = &mut self.shapes[shape];
        // The key follows from what stood there.
        erased.map = update.map(ROOT, "", Some(erased.map));
        [erased.at, erased.style] = groups(erased.kind, shape, erased.map, &mut update, dice);
        erased.is_erased = false;
        finish(update, pen, Change::New { shape })
    }

    /// Moves a shape.
    pub fn shift(&mut self, shape: usize, pen: &mut Pen, dice: &mut Dice) -> Edit {
        let over = self.shapes[shape].at.id;
        let mut update = Update::at(Id { client: pen.client, clock: pen.clock });
        let id = update.replace(over, &shapes::place(dice));
        self.shapes[shape].under_way.push(pen.client);
        finish(update, pen, Change::Move { shape, id, over })
    }

    fn style(&mut self, shape: usize, pen: &mut Pen, dice: &mut Dice) -> Edit {
        let Shape { kind, style: Cell { id: over, .. }, .. } = self.shapes[shape];
        let mut update = Update::at(Id { client: pen.client, clock: pen.clock });
        let id = update.replace(over, &shapes::style(kind, dice));
        self.shapes[shape].under_way.push(pen.client);
        finish(update, pen, Change::Style { shape, id, over })
    }

    /// Erases shapes; for the generator they are gone at once, others may still be changing them.
    pub fn erase(&mut self, shapes: &[usize], pen: &mut Pen) -> Edit {
        let mut update = Update::at(Id { client: pen.client, clock: pen.clock });
        for shape in shapes {
            if std::mem::replace(&mut self.shapes[*shape].is_erased, true) {
                continue;
            }
            update.delete(self.shapes[*shape].map);
            let Some(place) = self.shapes[*shape].place.take() else { continue };
            self.there.swap_remove(place);
            if let Some(moved) = self.there.get(place) {
                self.shapes[*moved].place = Some(place);
            }
        }
        finish(update, pen, Change::Erase)
    }

    /// Somebody has heard of an edit: from now on others build on it.
    pub fn land(&mut self, change: Change) {
        match change {
            Change::Move { shape, id, over } => {
                let shape = &mut self.shapes[shape];
                shape.at.land(id, over);
                shape.under_way.retain(|client| *client != id.client);
            }
            Change::Style { shape, id, over } => {
                let shape = &mut self.shapes[shape];
                shape.style.land(id, over);
                shape.under_way.retain(|client| *client != id.client);
            }
            Change::New { shape } if self.shapes[shape].is_erased => {}
            Change::New { shape } => {
                self.shapes[shape].place = Some(self.there.len());
                self.there.push(shape);
            }
            Change::Erase => {}
        }
    }
}

/// Writes the groups of a new shape; tells where `at` and `style` stand.
fn groups(kind: Kind, number: usize, map: Id, update: &mut Update, dice: &mut Dice) -> [Cell; 2] {
    let mut cells = [Cell { id: map, over: None }; 2];
    for (group, text) in shapes::shape(kind, number as u64, dice) {
        let id = update.set(map, group, &text);
        match group {
            "at" => cells[0].id = id,
            "style" => cells[1].id = id,
            _ => {}
        }
    }
    cells
}

fn finish(update: Update, pen: &mut Pen, change: Change) -> Edit {
    let (update, clock) = update.finish();
    pen.clock = clock;
    Edit { update, change }
}
