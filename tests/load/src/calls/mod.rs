//! Many calls at once: offers, answers and candidates of a browser's size through the server, by the clock, and every
//! one of them accounted for.

mod drive;
mod end;
mod report;
mod setup;
mod words;

pub use report::CallsReport;

use crate::{commands::Source, histogram::Histogram, metrics, process};
use anyhow::Context as _;
use drive::Drive;
use setup::Connected;
use std::time::{Duration, Instant};

/// What is driven.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// Calls, each in a room of its own.
    pub calls: usize,
    /// Participants of each, from 2 to 6; each has a link to every other.
    pub participants: usize,
    /// Signals per second in all; answers come on top.
    pub rate: f64,
    /// Of so many signals of an end one is an offer; the others are candidates.
    pub offer_every: u32,
    /// Before the measurement.
    pub warmup: Duration,
    /// What is measured.
    pub measured: Duration,
    /// Longest wait for what is on its way.
    pub drain: Duration,
}

/// What was counted and timed.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Signals that were said, the first time.
    pub said: u64,
    /// Of them, descriptions.
    pub descriptions: u64,
    /// Said again, because no confirmation had come for two seconds.
    pub again: u64,
    /// Signals that came to their recipient in order.
    pub relayed: u64,
    /// Of them, within the measurement.
    pub relayed_measured: u64,
    /// Came a second time although they had been said once.
    pub duplicates: u64,
    /// Came before one that was said earlier.
    pub misordered: u64,
    /// Came to another end than the one that they were said to, or as something else.
    pub strayed: u64,
    /// Were not confirmed within 15 s, as the server told.
    pub unconfirmed: u64,
    /// Were due while too many of their end were unconfirmed.
    pub held: u64,
    /// Refusals by code.
    pub refused: std::collections::BTreeMap<String, u64>,
    /// Bytes of frames that came.
    pub bytes: u64,
    /// From the time at which a signal was due until it came.
    pub due: Histogram,
    /// From when it was written.
    pub sent: Histogram,
    /// From when it was written until its end knew that it had been handled.
    pub confirmed: Histogram,
}

impl Calls {
    /// Connects everybody, drives the rate and counts.
    ///
    /// # Errors
    /// The server cannot be driven.
    pub fn run(&self, source: &Source) -> anyhow::Result<CallsReport> {
        let target = source.lease()?;
        let connections = self.calls * self.participants;
        process::allow_connections(connections)?;
        target.check_open_files(connections)?;
        let rss = || target.rss_bytes();
        let cpu = || target.cpu();
        let Connected { seats, rss_before, rss_rooms } = setup::connect(&target, self)?;
        let rss_joined = rss();
        let mut drive = Drive::new(self, seats)?;
        drive.pass(self.warmup, self.rate)?;
        let (cpu_before, own_before) = (cpu(), process::thread_cpu()?);
        let metrics_before = metrics::read(&target);
        drive.measuring(true);
        let begun = Instant::now();
        drive.pass(self.measured, self.rate)?;
        drive.measuring(false);
        let passed = begun.elapsed();
        let used = cpu_before.zip(cpu()).map(|(before, after)| after.since(before));
        let own = process::thread_cpu()?.since(own_before);
        let moved = metrics::moved(&metrics_before, &metrics::read(&target));
        drive.drain(self.drain)?;
        let rss_after = rss();
        let (lost, tally) = drive.finish();
        let report = report::Figures {
            target: target.name.clone(),
            shape: *self,
            passed,
            used,
            own,
            rss: rss_before.zip(rss_rooms).zip(rss_joined).zip(rss_after),
            lost,
            tally,
            moved,
        };
        Ok(report.report())
    }
}

/// A time since the start of the process, microseconds.
fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Counts below the limits of a mesh.
///
/// # Errors
/// Says which number is none.
pub fn check(calls: &Calls) -> anyhow::Result<()> {
    anyhow::ensure!(calls.calls > 0, "--calls must be above 0");
    let most = stoa_protocol::limits::MESH_PARTICIPANTS;
    anyhow::ensure!((2..=most).contains(&calls.participants), "--participants must be from 2 to {most}");
    anyhow::ensure!(calls.rate.is_finite() && calls.rate > 0.0, "--rate must be above 0");
    anyhow::ensure!(calls.offer_every > 0, "--offer-every must be above 0");
    u32::try_from(calls.calls * calls.participants).context("too many participants")?;
    Ok(())
}
