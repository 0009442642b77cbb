//! `storm`: everybody is cut at once and comes back with a cursor, while others go on talking.

use super::{Rig, Source, run::Run};
use crate::{
    engine::Cut,
    journal::Audit,
    metrics,
    report::{Quantiles, Sample, Usage},
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};
use stoa_protocol::RoomKind;

/// What a storm took.
#[derive(Debug, Serialize)]
pub struct StormReport {
    /// Which server.
    pub target: String,
    /// Connections that were cut.
    pub cut: u64,
    /// Of these, caught up in time.
    pub caught_up: u64,
    /// Seconds from when they wanted to be back until 95 % were caught up; absent when fewer were.
    pub p95_s: Option<f64>,
    /// The same for all of them.
    pub all_s: Option<f64>,
    /// The distribution.
    pub catch_up: Quantiles,
    /// Attempts that failed on the way.
    pub failed: u64,
    /// From due to delivered, for those who were there all the time.
    pub delivery: Quantiles,
    /// Counters of the server's `/metrics` that moved during the storm.
    pub server_counters: BTreeMap<String, f64>,
    /// Who used the processors.
    pub usage: Usage,
    /// What the journal found.
    pub audit: Audit,
    /// What was said when something failed.
    pub notes: Vec<String>,
}

/// Joins everybody, cuts all but the senders, and waits until they are caught up.
///
/// # Errors
/// Not everybody can join.
pub fn storm(run: &Run, source: &Source, away: Duration, patience: Duration) -> anyhow::Result<StormReport> {
    let target = source.lease()?;
    let connections = run.shape.connections();
    let mut rig = Rig::build(&target, run.shape, RoomKind::Group, &run.options)?;
    rig.join(0, connections)?;
    rig.engine.begin(run.plan);
    rig.pass(run.warmup)?;
    let from_us = rig.engine.now_us();
    rig.engine.measure(from_us..u64::MAX);
    let counters = metrics::read(&target);
    let failed = rig.engine.counts().failed;
    let before = Sample::take(&target)?;

    rig.engine.cut(Cut { share: 1.0, spare_senders: true, away });
    let begun = Instant::now();
    let progress = &mut rig.progress;
    rig.engine.wait(
        away + patience,
        |counts| progress.tell(counts),
        |counts| counts.cut > 0 && counts.caught_up >= counts.cut,
    )?;
    eprintln!("{} waited {:.1} s for everybody", target.name, begun.elapsed().as_secs_f64());
    let after = Sample::take(&target)?;
    let server_counters = metrics::moved(&counters, &metrics::read(&target));
    rig.engine.hush();
    rig.drain(run.drain, run.shape.members, connections)?;

    let outcome = rig.engine.finish()?;
    let (cut, caught_up) = (outcome.counts.cut, outcome.counts.caught_up);
    // Those who never came count as later than all.
    let within = |share: f64| {
        let rank = share * cut as f64;
        (caught_up as f64 >= rank && caught_up > 0)
            .then(|| outcome.catch_up.quantile((rank / caught_up as f64).min(1.0)) as f64 / 1e6)
    };
    Ok(StormReport {
        target: target.name.clone(),
        cut,
        caught_up,
        p95_s: within(0.95),
        all_s: within(1.0),
        catch_up: Quantiles::of(&outcome.catch_up),
        failed: outcome.counts.failed - failed,
        delivery: Quantiles::of(&outcome.delivery),
        server_counters,
        usage: Usage { generator_thread: outcome.busiest, ..Usage::between(&before, &after) },
        audit: outcome.journal.audit(),
        notes: outcome.notes.clone(),
    })
}

impl fmt::Display for StormReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |value: Option<f64>| value.map_or("never".into(), |value| format!("{value:.2} s"));
        writeln!(
            f,
            "{}: {} connections cut, {} caught up: 95 % after {}, all after {}; {} attempts failed on the way",
            self.target,
            self.cut,
            self.caught_up,
            seconds(self.p95_s),
            seconds(self.all_s),
            self.failed
        )?;
        writeln!(f, "  caught up     {}", self.catch_up)?;
        writeln!(f, "  those present {}", self.delivery)?;
        if let Some(server) = self.usage.server() {
            let Usage { generator, others, processors, services, .. } = &self.usage;
            write!(f, "  processors    server {server:.2}, generator {generator:.2}, ")?;
            for (name, share) in services {
                write!(f, "{name} {share:.2}, ")?;
            }
            writeln!(f, "others {others:.2} of {processors}")?;
        }
        writeln!(f, "  journal       {:?}", self.audit)?;
        for (name, moved) in &self.server_counters {
            writeln!(f, "  {name} +{moved}")?;
        }
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        Ok(())
    }
}
