//! `run`: rooms, members, a rate, by the clock.

use super::{Rig, Source};
use crate::{
    engine::{Cut, Options, Plan},
    plan::{Schedule, Shape},
    report::{RunReport, Sample, Usage},
    target::Target,
};
use std::time::Duration;
use stoa_protocol::RoomKind;

/// What to drive.
#[derive(Debug, Clone)]
pub struct Run {
    /// Rooms and members.
    pub shape: Shape,
    /// How messages are sent.
    pub plan: Plan,
    /// How long everybody is silent after the last arrival, until presence has been told.
    pub settle: Duration,
    /// How long is measured.
    pub measured: Duration,
    /// How long messages are sent before.
    pub warmup: Duration,
    /// How long is waited for what was sent, at most.
    pub drain: Duration,
    /// Reconnect storms, and how often.
    pub storm: Option<(Cut, Duration)>,
    /// How the connections behave.
    pub options: Options,
}

impl Run {
    /// Starts a server, drives it and reports.
    ///
    /// # Errors
    /// It does not start, or not everybody can join.
    pub fn once(&self, source: &Source) -> anyhow::Result<RunReport> {
        self.drive(&*source.lease()?)
    }

    /// Drives a server and reports.
    ///
    /// # Errors
    /// Not everybody can join.
    pub fn drive(&self, target: &Target) -> anyhow::Result<RunReport> {
        let connections = self.shape.connections();
        let mut rig = Rig::build(target, self.shape, RoomKind::Group, &self.options)?;
        rig.join(0, connections)?;
        rig.pass(self.settle)?;
        let rss = target.rss_bytes();
        let grown = rss.zip(rig.rss_before).map(|(after, before)| after.saturating_sub(before));

        rig.engine.begin(self.plan);
        rig.pass(self.ramp() + self.warmup)?;
        let from_us = rig.engine.now_us();
        rig.engine.measure(from_us..from_us + self.measured.as_micros() as u64);
        let before = Sample::take(target)?;
        self.storms(&mut rig)?;
        let after = Sample::take(target)?;
        rig.engine.hush();
        rig.drain(self.drain, self.shape.members, connections)?;

        let outcome = rig.engine.finish()?;
        let usage = Usage::between(&before, &after);
        let mut report =
            RunReport::new(target, self.shape, &outcome, usage, grown.map(|bytes| bytes as f64 / connections as f64));
        match self.plan {
            Plan::Open(schedule) => report.rate = Some(schedule.rate),
            Plan::Closed(in_flight) => report.in_flight = Some(in_flight),
        }
        Ok(report)
    }

    fn ramp(&self) -> Duration {
        match self.plan {
            Plan::Open(Schedule { ramp, .. }) => ramp,
            Plan::Closed(_) => Duration::ZERO,
        }
    }

    /// The measured time, with its storms.
    fn storms(&self, rig: &mut Rig) -> anyhow::Result<()> {
        let mut left = self.measured;
        if let Some((cut, every)) = self.storm {
            // None in the last interval, so that those of the last one are back before the end.
            while left > every * 2 {
                rig.pass(every)?;
                left -= every;
                rig.engine.cut(cut);
            }
        }
        rig.pass(left)
    }
}
