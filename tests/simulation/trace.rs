//! What happened, in order, and what was found to be wrong.

use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::time::Instant;

/// Happenings that are kept to be shown.
const KEPT: usize = 5_000;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Which, in one word: a smaller plan that fails otherwise is another failure.
    pub kind: &'static str,
    /// What was seen.
    pub seen: String,
}

/// How much is kept of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What is wrong.
    Nothing,
    /// Everything that happened too.
    Told,
}

/// The trace of one run.
pub struct Trace {
    detail: Detail,
    epoch: Instant,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<String>,
    wrong: Vec<Wrong>,
}

impl Trace {
    /// Nothing has happened.
    pub fn new(detail: Detail, epoch: Instant) -> Self {
        Self { detail, epoch, kept: Mutex::default() }
    }

    /// Something happened.
    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.detail == Detail::Nothing {
            return;
        }
        let line = format!("{:>7} {}", self.epoch.elapsed().as_millis(), what());
        let mut kept = self.kept.lock();
        kept.lines.push_back(line);
        if kept.lines.len() > KEPT {
            kept.lines.pop_front();
        }
    }

    /// A promise was broken.
    pub fn wrong(&self, kind: &'static str, seen: impl Into<String>) {
        let seen = seen.into();
        self.say(|| format!("WRONG {kind}: {seen}"));
        let seen = format!("at {} ms: {seen}", self.epoch.elapsed().as_millis());
        let mut kept = self.kept.lock();
        // The first ones tell; a broken log goes on being broken.
        if kept.wrong.len() < 20 {
            kept.wrong.push(Wrong { kind, seen });
        }
    }

    /// Whether something is wrong.
    pub fn is_wrong(&self) -> bool {
        !self.kept.lock().wrong.is_empty()
    }

    /// What is wrong, and what happened.
    pub fn end(&self) -> (Vec<Wrong>, Vec<String>) {
        let kept = self.kept.lock();
        (kept.wrong.clone(), kept.lines.iter().cloned().collect())
    }
}
