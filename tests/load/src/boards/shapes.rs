//! Shapes as the page's board keeps them (`web/app/src/board/binding/codec.ts`): a map of texts, one for each group of
//! properties.

use std::fmt::Write as _;

/// Numbers by chance, the same ones for the same seed (splitmix64, as `java.util.SplittableRandom` has it).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `below`, which is above 0.
    pub fn below(&mut self, below: u64) -> u64 {
        self.next() % below
    }

    /// From 0 up to 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, least: i64, most: i64) -> i64 {
        least + self.below((most - least + 1) as u64) as i64
    }
}

/// What can be drawn, by how often it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A line of the pen.
    Freehand,
    /// A rectangle, a diamond or an ellipse.
    Figure,
    /// A text.
    Text,
    /// An arrow.
    Arrow,
}

impl Kind {
    /// As boards have them: of ten thousand shapes, four thousand lines of the pen.
    pub fn any(dice: &mut Dice) -> Self {
        match dice.below(100) {
            0..40 => Self::Freehand,
            40..70 => Self::Figure,
            70..85 => Self::Text,
            85.. => Self::Arrow,
        }
    }
}

const COLOURS: [&str; 6] = ["#e03131", "#2f9e44", "#1971c2", "#f08c00", "#9c36b5", "#343a40"];
const WORDS: [&str; 12] =
    ["slope", "area", "limit", "because", "answer", "page", "two", "derivative", "of", "the", "squared", "minus"];
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new shape: its groups, in the order in which the page writes them.
pub fn shape(kind: Kind, number: u64, dice: &mut Dice) -> Vec<(&'static str, String)> {
    let name = match kind {
        Kind::Freehand => "freedraw",
        Kind::Figure => ["rectangle", "diamond", "ellipse"][dice.below(3) as usize],
        Kind::Text => "text",
        Kind::Arrow => "arrow",
    };
    vec![
        ("type", name.to_owned()),
        ("at", place(dice)),
        ("shape", form(kind, dice)),
        ("style", style(kind, dice)),
        ("etc", format!(r#"{{"seed":{}}}"#, dice.below(1 << 31))),
        ("index", index(number, dice)),
    ]
}

/// Where a shape is: its `at`.
pub fn place(dice: &mut Dice) -> String {
    let mut thousandths = || dice.between(-4_000_000, 4_000_000) as f64 / 1e3;
    format!("[{},{},0]", thousandths(), thousandths())
}

/// How it looks.
pub fn style(kind: Kind, dice: &mut Dice) -> String {
    let colour = COLOURS[dice.below(COLOURS.len() as u64) as usize];
    match kind {
        Kind::Freehand => format!(r#"{{"strokeColor":"{colour}"}}"#),
        Kind::Figure => {
            format!(r##"{{"strokeColor":"{colour}","backgroundColor":"#a5d8ff","roundness":{{"type":3}}}}"##)
        }
        Kind::Text => format!(r#"{{"strokeColor":"{colour}","textAlign":"left","verticalAlign":"top"}}"#),
        Kind::Arrow => format!(r#"{{"strokeColor":"{colour}","roundness":{{"type":2}},"endArrowhead":"arrow"}}"#),
    }
}

fn form(kind: Kind, dice: &mut Dice) -> String {
    let (width, height) = (dice.between(20_000, 400_000) as f64 / 1e3, dice.between(10_000, 300_000) as f64 / 1e3);
    let size = format!(r#""width":{width},"height":{height}"#);
    match kind {
        Kind::Figure => format!("{{{size}}}"),
        Kind::Freehand => {
            let points = line(dice.between(15, 70), dice);
            format!(r#"{{{size},"points":"{points}","simulatePressure":true}}"#)
        }
        Kind::Text => {
            let words: Vec<&str> = (0..dice.between(1, 6)).map(|_| WORDS[dice.below(12) as usize]).collect();
            let text = words.join(" ");
            format!(
                r#"{{{size},"text":"{text}","originalText":"{text}","fontSize":20,"fontFamily":5,"lineHeight":1.25,"autoResize":true}}"#
            )
        }
        Kind::Arrow => format!(r#"{{{size},"points":"0 0 {} {}"}}"#, (width * 100.0) as i64, (height * 100.0) as i64),
    }
}

/// The points of a line of the pen, as differences in hundredths of a pixel.
fn line(points: i64, dice: &mut Dice) -> String {
    let mut line = String::from("0 0");
    for _ in 1..points {
        // Writing to a string cannot fail.
        let _ = write!(line, " {} {}", dice.between(-900, 900), dice.between(-900, 900));
    }
    line
}

/// The fractional index of the `number`th shape, above all before it, with the chance that keeps those apart that two
/// people place at once.
fn index(number: u64, dice: &mut Dice) -> String {
    let mut digits: Vec<u8> = (0..4)
        .scan(number, |rest, _| {
            let digit = DIGITS[(*rest % 62) as usize];
            *rest /= 62;
            Some(digit)
        })
        .collect();
    digits.push(b'd');
    digits.reverse();
    digits.extend((0..3).map(|_| DIGITS[dice.below(62) as usize]));
    // One that ends with the lowest digit is illegal.
    digits.push(DIGITS[1 + dice.below(61) as usize]);
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn later_shapes_lie_above_earlier_ones_and_their_groups_are_json() {
        let mut dice = Dice::new(1);
        let mut below = String::new();
        for number in 0..5_000 {
            let groups: BTreeMap<_, _> = shape(Kind::any(&mut dice), number, &mut dice).into_iter().collect();
            let index = &groups["index"];
            assert!(*index > below && index.starts_with('d') && !index.ends_with('0'), "{below} {index}");
            below.clone_from(index);
            for group in ["at", "shape", "style", "etc"] {
                let parsed: serde_json::Value = serde_json::from_str(&groups[group]).expect("JSON");
                assert!(parsed.is_object() || parsed.is_array());
            }
        }
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed() {
        let draw = |seed| shape(Kind::Freehand, 1, &mut Dice::new(seed));
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
        assert!((0..1_000).all(|seed| (0.0..1.0).contains(&Dice::new(seed).share())));
    }
}
