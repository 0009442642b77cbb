//! `class`: one room with a large audience. What an arrival costs in bytes must not grow with those who are there.

use super::{Rig, Source};
use crate::{
    engine::{Counts, Options},
    plan::Shape,
};
use serde::Serialize;
use std::{fmt, time::Duration};
use stoa_protocol::RoomKind;

/// How long nothing must arrive for a step to be over.
const QUIET: Duration = Duration::from_millis(2_500);
/// How long a step is waited for, at most.
const STEP: Duration = Duration::from_secs(30);

/// Some arrivals.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Members before.
    pub from: usize,
    /// Members after.
    pub to: usize,
    /// Bytes that an arriving one received until it was in, on average.
    pub bytes_to_the_arriving: f64,
    /// Bytes that all others together received per arrival.
    pub bytes_to_the_others: f64,
    /// The same for each of the others, on average.
    pub bytes_to_each_other: f64,
}

/// A class that fills.
#[derive(Debug, Serialize)]
pub struct ClassReport {
    /// Which server.
    pub target: String,
    /// Arrivals per second.
    pub arrivals_per_s: f64,
    /// In order.
    pub steps: Vec<Step>,
    /// Bytes to the arriving one, last step over first.
    pub growth_to_the_arriving: f64,
    /// Bytes to each of the others, last step over first.
    pub growth_to_each_other: f64,
}

/// Fills a class in steps.
///
/// # Errors
/// Not everybody can join.
pub fn class(source: &Source, members: usize, steps: usize, options: &Options) -> anyhow::Result<ClassReport> {
    let target = source.lease()?;
    let shape = Shape { rooms: 1, members, senders: 1, payload: 0 };
    let mut rig = Rig::build(&target, shape, RoomKind::Class, options)?;
    let steps = steps.clamp(1, members);
    let mut told = Vec::with_capacity(steps);
    for step in 0..steps {
        let (from, to) = (members * step / steps, members * (step + 1) / steps);
        let before = rig.engine.counts();
        rig.join(from, to)?;
        let after = settle(&mut rig)?;
        let arrivals = (to - from) as f64;
        let joining = (after.joining_bytes - before.joining_bytes) as f64;
        let others = (after.bytes - before.bytes) as f64 - joining;
        told.push(Step {
            from,
            to,
            bytes_to_the_arriving: joining / arrivals,
            bytes_to_the_others: others / arrivals,
            bytes_to_each_other: others / arrivals / ((from + to) as f64 / 2.0),
        });
    }
    let growth = |value: fn(&Step) -> f64| match (told.first().map(value), told.last().map(value)) {
        (Some(first), Some(last)) if first > 0.0 => last / first,
        (_, _) => 0.0,
    };
    Ok(ClassReport {
        target: target.name.clone(),
        arrivals_per_s: options.connect_rate,
        growth_to_the_arriving: growth(|step| step.bytes_to_the_arriving),
        growth_to_each_other: growth(|step| step.bytes_to_each_other),
        steps: told,
    })
}

/// Waits until nothing arrives any more.
fn settle(rig: &mut Rig) -> anyhow::Result<Counts> {
    let mut last = (std::time::Instant::now(), rig.engine.counts().bytes);
    let progress = &mut rig.progress;
    rig.engine.wait(
        STEP,
        |counts| progress.tell(counts),
        |counts| {
            if counts.bytes != last.1 {
                last = (std::time::Instant::now(), counts.bytes);
            }
            last.0.elapsed() > QUIET
        },
    )?;
    Ok(rig.engine.counts())
}

impl fmt::Display for ClassReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: a class that fills at {:.0} arrivals/s; bytes per arrival", self.target, self.arrivals_per_s)?;
        writeln!(f, "  {:>13} {:>14} {:>14} {:>14}", "members", "to the arriving", "to the others", "to each other")?;
        for Step { from, to, bytes_to_the_arriving, bytes_to_the_others, bytes_to_each_other } in &self.steps {
            writeln!(
                f,
                "  {from:>6}-{to:<6} {bytes_to_the_arriving:>14.0} {bytes_to_the_others:>14.0} {bytes_to_each_other:>14.2}"
            )?;
        }
        writeln!(
            f,
            "  last step over first: {:.2} to the arriving, {:.2} to each other",
            self.growth_to_the_arriving, self.growth_to_each_other
        )
    }
}
