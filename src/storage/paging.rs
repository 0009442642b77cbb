//! Arithmetic of pages and queries, the same on both databases.

use super::{
    Place, Result,
    projection::{millis, seq},
    rows::{self, Cells},
};
use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};
use stoa_protocol::{Millis, Seq};

/// Longest word of an index that keeps words, characters; the rest of a longer one does not count.
const WORD_CHARS: usize = 64;

/// How many rows to look for on either side of a border.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    place: Place,
    /// The first place of the newer side.
    pub border: i64,
    /// Rows to look for below the border; one more than wanted, to know whether there are more.
    pub older: i64,
    /// Rows to look for from the border up.
    pub newer: i64,
}

/// Which messages a page has.
pub struct Picked {
    /// Places, oldest first.
    pub seqs: Vec<Seq>,
    /// Whether there are older ones.
    pub more_before: bool,
    /// Whether there are newer ones.
    pub more_after: bool,
}

impl Window {
    /// The window of a page.
    pub fn of(place: Place, limit: u32) -> Self {
        let limit = i64::from(limit);
        let (border, older, newer) = match place {
            Place::Newest => (seq(Seq::MAX) + 1, limit, 0),
            Place::Before(at) => (seq(at), limit, 0),
            Place::After(at) => (seq(at) + 1, 0, limit),
            Place::Around(at) => (seq(at), limit, limit),
        };
        Self { place, border, older: older + 1, newer: newer + 1 }
    }

    /// Chooses from rows of `side, seq`: side 0 is below the border, newest first; 1 is above, oldest first.
    pub fn balance<R: Cells>(&self, rows: &[R], limit: u32) -> Result<Picked> {
        let (mut older, mut newer) = (Vec::new(), Vec::new());
        for row in rows {
            let side = if row.int(0)? == Some(0) { &mut older } else { &mut newer };
            side.push(rows::seq(row, 1)?);
        }
        older.sort_unstable_by(|a, b| b.cmp(a));
        newer.sort_unstable();
        let limit = limit as usize;
        let (take_older, take_newer) = match self.place {
            Place::Newest | Place::Before(_) => (older.len().min(limit), 0),
            Place::After(_) => (0, newer.len().min(limit)),
            Place::Around(_) => {
                // Half on either side; what one side lacks, the other gives.
                let above = newer.len().min(limit - (limit / 2).min(older.len()));
                (older.len().min(limit - above), above)
            }
        };
        let (more_before, more_after) = (older.len() > take_older, newer.len() > take_newer);
        older.truncate(take_older);
        newer.truncate(take_newer);
        older.reverse();
        older.append(&mut newer);
        Ok(Picked { seqs: older, more_before, more_after })
    }
}

/// Wall time, by which lists and searches tell whether a ban has lapsed; no promise times that.
pub fn now() -> i64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as Millis)
}

/// Cuts a list that was read one row too far; tells whether it was.
pub fn cut<T>(rows: &mut Vec<T>, limit: u32) -> bool {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    more
}

/// The plain words of a text: runs of letters, digits and the marks that combine with them, in lower case. What is not
/// a word is not there, so no database can take it for an operator.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|c: char| !(c.is_alphanumeric() || is_combining(c)));
    parts.filter(|part| part.chars().any(char::is_alphanumeric)).map(str::to_lowercase)
}

/// The different words of a text, cut to what an index takes.
pub fn lexemes(text: &str) -> BTreeSet<String> {
    words(text).map(|word| word.chars().take(WORD_CHARS).collect()).collect()
}

/// Combining diacritical marks (Unicode block U+0300 to U+036F) belong to the letter before them.
fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// A page of calls, the newest first.
pub const CALLS: &str = "SELECT call, started_at, started_by, media, ended_at, reason FROM calls
    WHERE room = $1 AND call > $2 AND call < $3 ORDER BY call DESC LIMIT $4";
/// The participants of a page of calls. A call has some; one in whose door people come and go for days has many, of
/// which the first are named.
pub const ATTENDANCES: &str = "SELECT call, user_id, joined_at, left_at, reason, quality FROM call_participants
    WHERE room = $1 AND call >= $2 AND call < $3 ORDER BY call, joined LIMIT 10000";

#[cfg(test)]
mod tests {
    use super::*;

    struct Pick(i64, i64);

    impl Cells for Pick {
        fn text(&self, _: usize) -> Result<Option<&str>> {
            Ok(None)
        }
        fn int(&self, column: usize) -> Result<Option<i64>> {
            Ok(Some([self.0, self.1][column]))
        }
        fn flag(&self, _: usize) -> Result<bool> {
            Ok(false)
        }
        fn bytes(&self, _: usize) -> Result<Option<&[u8]>> {
            Ok(None)
        }
    }

    fn around(older: i64, newer: i64, limit: u32) -> (usize, Vec<u64>) {
        let at = Seq::new(100).expect("small");
        let window = Window::of(Place::Around(at), limit);
        let below = (1..=older.min(window.older)).map(|n| Pick(0, 100 - n));
        let above = (0..newer.min(window.newer)).map(|n| Pick(1, 100 + n));
        let rows: Vec<_> = below.chain(above).collect();
        let picked = window.balance(&rows, limit).expect("numbers");
        let seqs: Vec<_> = picked.seqs.iter().map(|seq| seq.value()).collect();
        (seqs.iter().filter(|seq| **seq < 100).count(), seqs)
    }

    #[test]
    fn a_page_around_a_message_is_filled_from_either_side() {
        assert_eq!(around(50, 50, 5), (2, vec![98, 99, 100, 101, 102]));
        assert_eq!(around(1, 50, 5), (1, vec![99, 100, 101, 102, 103]));
        assert_eq!(around(50, 1, 5), (4, vec![96, 97, 98, 99, 100]));
        assert_eq!(around(1, 1, 5), (1, vec![99, 100]));
        assert_eq!(around(50, 50, 1), (0, vec![100]));
    }

    #[test]
    fn a_query_is_its_words() {
        let plain = |text: &str| words(text).collect::<Vec<_>>();
        assert_eq!(plain("Hello, WORLD"), ["hello", "world"]);
        assert_eq!(plain("NEAR(a b) OR* c:d \"e' -f"), ["near", "a", "b", "or", "c", "d", "e", "f"]);
        assert_eq!(plain("* ( ) \" ' : ^ - + \u{301}"), Vec::<String>::new());
        assert_eq!(plain("Élan don't 42"), ["élan", "don", "t", "42"]);
        assert_eq!(lexemes(&"x".repeat(1000)).first().map(String::len), Some(WORD_CHARS));
        assert_eq!(lexemes("b a B").into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
