//! How long things took, by the stage of a run in which they began. Reported, never asserted.

use parking_lot::Mutex;
use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

/// What a run measures.
pub struct Times(Mutex<Measured>);

#[derive(Default)]
struct Measured {
    stages: Vec<Stage>,
    /// Messages that were sent once.
    said: HashMap<String, Said>,
}

struct Stage {
    name: &'static str,
    answers: Vec<Duration>,
    delays: Vec<Duration>,
    returns: Vec<Duration>,
}

struct Said {
    at: Instant,
    node: usize,
    stage: usize,
}

impl Times {
    /// Begins with this stage.
    pub fn new(stage: &'static str) -> Self {
        let times = Self(Mutex::default());
        times.stage(stage);
        times
    }

    /// What begins from now on belongs to this stage.
    pub fn stage(&self, name: &'static str) {
        self.0.lock().stages.push(Stage { name, answers: vec![], delays: vec![], returns: vec![] });
    }

    /// The stage of now.
    pub fn now(&self) -> usize {
        self.0.lock().stages.len() - 1
    }

    /// A message goes out at a node, for the first time.
    pub fn said(&self, text: &str, node: usize) {
        let mut times = self.0.lock();
        let stage = times.stages.len() - 1;
        times.said.insert(text.to_owned(), Said { at: Instant::now(), node, stage });
    }

    /// A message goes out again: how long it takes says nothing about delivery any more.
    pub fn said_again(&self, text: &str) {
        self.0.lock().said.remove(text);
    }

    /// A message was acknowledged to its sender.
    pub fn answered(&self, text: &str) {
        let mut times = self.0.lock();
        let Some(said) = times.said.get(text) else { return };
        let (stage, delay) = (said.stage, said.at.elapsed());
        times.stages[stage].answers.push(delay);
    }

    /// A message has come, to somebody who is caught up at another node since then.
    pub fn heard(&self, text: &str, node: usize, since: Instant) {
        let mut times = self.0.lock();
        let Some(said) = times.said.get(text).filter(|said| said.node != node && said.at >= since) else { return };
        let (stage, delay) = (said.stage, said.at.elapsed());
        times.stages[stage].delays.push(delay);
    }

    /// Somebody whose connection broke in this stage, so long ago, has everything again.
    pub fn returned(&self, stage: usize, after: Duration) {
        self.0.lock().stages[stage].returns.push(after);
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for stage in &self.0.lock().stages {
            let kinds = [
                ("acknowledged", &stage.answers),
                ("delivered to another node", &stage.delays),
                ("caught up", &stage.returns),
            ];
            for (what, durations) in kinds {
                if !durations.is_empty() {
                    writeln!(f, "  {}: {what} {}", stage.name, spread(durations))?;
                }
            }
        }
        Ok(())
    }
}

fn spread(durations: &[Duration]) -> String {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100].as_secs_f64() * 1_000.0;
    format!("after {:.0} ms (p50), {:.0} ms (p99), {:.0} ms (most), {} times", at(50), at(99), at(100), sorted.len())
}

#[test]
fn a_delay_belongs_to_the_stage_in_which_it_began_and_counts_between_nodes() {
    let times = Times::new("before");
    let since = Instant::now();
    times.said("one", 0);
    times.said("two", 0);
    times.stage("after");
    times.said("three", 0);
    times.said_again("two");
    for text in ["one", "two", "three"] {
        times.heard(text, 1, since);
    }
    times.heard("one", 0, since);
    times.heard("one", 1, Instant::now());
    let counts: Vec<_> = times.0.lock().stages.iter().map(|stage| stage.delays.len()).collect();
    assert_eq!(counts, [1, 1]);
}
