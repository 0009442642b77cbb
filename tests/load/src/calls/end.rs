//! One end of a link: what it has said, what it has heard, and whether that was right.

use super::{Tally, words::Tag};
use std::collections::VecDeque;

/// Unconfirmed signals from which on nothing more is said: the server takes 128.
const WINDOW: usize = 100;

/// A signal that its recipient has not confirmed.
#[derive(Debug)]
pub struct Said {
    pub n: u32,
    pub frame: String,
    pub at_us: u64,
}

/// One end.
#[derive(Debug)]
pub struct End {
    /// The connection that it is on.
    pub seat: usize,
    /// The number of the end at the other side.
    pub other: u32,
    /// The link's name.
    pub link: String,
    pub epoch: u32,
    pub last: u32,
    pub unconfirmed: VecDeque<Said>,
    /// Heard in order up to here.
    pub heard: u32,
    /// Up to here signals were said again, so that they may come again.
    pub again: u32,
}

impl End {
    /// Whether one more may be said.
    pub fn has_room(&self) -> bool {
        self.unconfirmed.len() < WINDOW
    }

    /// Everything up to `n` was handled.
    pub fn confirmed(&mut self, n: u32, now_us: u64, tally: &mut Tally, measuring: bool) {
        while self.unconfirmed.front().is_some_and(|said| said.n <= n) {
            if let Some(said) = self.unconfirmed.pop_front()
                && measuring
                && said.n > self.again
            {
                tally.confirmed.record(now_us.saturating_sub(said.at_us));
            }
        }
    }

    /// Hears signal `n`; `may_repeat` up to which number the other end has said things twice. Whether it is new.
    pub fn hear(&mut self, n: u32, tag: Option<Tag>, may_repeat: u32, tally: &mut Tally) -> bool {
        if tag.is_none_or(|tag| tag.n != n || tag.end != self.other) {
            tally.strayed += 1;
        }
        if n == self.heard + 1 {
            self.heard = n;
            tally.relayed += 1;
            return true;
        }
        if n > self.heard {
            tally.misordered += 1;
        } else if n > may_repeat {
            tally.duplicates += 1;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end() -> End {
        let unconfirmed = VecDeque::new();
        End { seat: 0, other: 1, link: "l".into(), epoch: 1, last: 0, unconfirmed, heard: 0, again: 0 }
    }

    fn tag(n: u32) -> Option<Tag> {
        Some(Tag { end: 1, n, due_us: 0 })
    }

    #[test]
    fn what_comes_twice_early_or_astray_is_found() {
        let (mut end, mut tally) = (end(), Tally::default());
        assert!(end.hear(1, tag(1), 0, &mut tally));
        assert!(!end.hear(1, tag(1), 0, &mut tally));
        assert!(!end.hear(3, tag(3), 0, &mut tally));
        assert!(end.hear(2, tag(9), 0, &mut tally));
        assert!(!end.hear(2, tag(2), 2, &mut tally), "said again, so it may come again");
        assert_eq!((tally.relayed, tally.duplicates, tally.misordered, tally.strayed), (2, 1, 1, 1));
        assert!(end.hear(3, Some(Tag { end: 5, n: 3, due_us: 0 }), 0, &mut tally));
        assert_eq!(tally.strayed, 2);
    }

    #[test]
    fn a_confirmation_settles_everything_before_it() {
        let (mut end, mut tally) = (end(), Tally::default());
        for n in 1..=3 {
            end.unconfirmed.push_back(Said { n, frame: String::new(), at_us: 10 });
        }
        end.confirmed(2, 30, &mut tally, true);
        assert_eq!((end.unconfirmed.len(), tally.confirmed.count(), tally.confirmed.max()), (1, 2, 20));
    }
}
