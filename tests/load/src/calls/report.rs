//! What is told after a run of calls.

use super::{Calls, Tally};
use crate::{process::Cpu, report::Quantiles};
use serde::Serialize;
use std::{collections::BTreeMap, fmt, time::Duration};

/// Lateness (p99) from which on the figures say more of the generator than of the server, milliseconds.
const LATE_MS: f64 = 10.0;
/// Share of a processor from which on the generator's thread may be what is measured.
const NEAR_SATURATION: f64 = 0.85;

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct CallsReport {
    /// Which server.
    pub target: String,
    /// Calls.
    pub calls: usize,
    /// Participants of each.
    pub participants: usize,
    /// Signals per second that were due, answers apart.
    pub rate: f64,
    /// Seconds that were measured.
    pub seconds: f64,
    /// Signals that came to their recipients, per second.
    pub relayed_per_s: f64,
    /// From when a signal was due until it came.
    pub due: Quantiles,
    /// From when it was written until it came.
    pub relay: Quantiles,
    /// From when it was written until its end knew that it had been handled.
    pub confirmed: Quantiles,
    /// Signals that were said in the whole run, and of them descriptions.
    pub said: u64,
    /// As `said`.
    pub descriptions: u64,
    /// Said again after two seconds without a confirmation.
    pub again: u64,
    /// Never came.
    pub lost: u64,
    /// Came twice although they were said once.
    pub duplicates: u64,
    /// Came too early.
    pub misordered: u64,
    /// Came to somebody else, or changed.
    pub strayed: u64,
    /// Told as unconfirmed by the server.
    pub unconfirmed: u64,
    /// Not said, because too much was unconfirmed.
    pub held: u64,
    /// Refusals by code.
    pub refused: BTreeMap<String, u64>,
    /// The server's CPU for each relayed signal, microseconds; confirmations and acknowledgements are in it.
    pub server_us_per_signal: Option<f64>,
    /// The server's share of a processor for each call.
    pub processors_per_call: Option<f64>,
    /// The generator's share of a processor.
    pub own_processors: f64,
    /// Memory that a call added, its connections with it, bytes: before anything was driven.
    pub rss_per_call: Option<f64>,
    /// The same at the end of the run.
    pub rss_per_call_after: Option<f64>,
    /// The server's memory at the end, bytes.
    pub rss: Option<u64>,
    /// Counters of the server that moved while it was measured.
    pub moved: BTreeMap<String, f64>,
    /// What is wrong with the server.
    pub findings: Vec<String>,
    /// What is wrong with the measurement.
    pub warnings: Vec<String>,
}

/// Memory of the server, bytes: before, with the rooms, with everybody in, at the end.
pub type Memory = (((u64, u64), u64), u64);

/// What a report is made of.
pub struct Figures {
    pub target: String,
    pub shape: Calls,
    pub passed: Duration,
    pub used: Option<Cpu>,
    pub own: Cpu,
    /// Where the server is a process of this machine.
    pub rss: Option<Memory>,
    pub lost: u64,
    pub tally: Tally,
    pub moved: BTreeMap<String, f64>,
}

impl Figures {
    pub fn report(self) -> CallsReport {
        let Self { target, shape, passed, used, own, rss, lost, tally, moved } = self;
        let seconds = passed.as_secs_f64();
        let calls = shape.calls as f64;
        let used_us = used.map(|cpu| cpu.total_us() as f64);
        let per_call = |now: u64, before: u64| now.saturating_sub(before) as f64 / calls;
        let mut report = CallsReport {
            target,
            calls: shape.calls,
            participants: shape.participants,
            rate: shape.rate,
            seconds,
            relayed_per_s: tally.relayed_measured as f64 / seconds,
            due: Quantiles::of(&tally.due),
            relay: Quantiles::of(&tally.sent),
            confirmed: Quantiles::of(&tally.confirmed),
            said: tally.said,
            descriptions: tally.descriptions,
            again: tally.again,
            lost,
            duplicates: tally.duplicates,
            misordered: tally.misordered,
            strayed: tally.strayed,
            unconfirmed: tally.unconfirmed,
            held: tally.held,
            refused: tally.refused,
            server_us_per_signal: used_us.map(|us| us / (tally.relayed_measured.max(1) as f64)),
            processors_per_call: used_us.map(|us| us / 1e6 / seconds / calls),
            own_processors: own.total_us() as f64 / 1e6 / seconds,
            rss_per_call: rss.map(|(((_, rooms), joined), _)| per_call(joined, rooms)),
            rss_per_call_after: rss.map(|(((_, rooms), _), after)| per_call(after, rooms)),
            rss: rss.map(|(_, after)| after),
            moved,
            findings: vec![],
            warnings: vec![],
        };
        report.judge();
        report
    }
}

impl CallsReport {
    fn judge(&mut self) {
        for (count, what) in [
            (self.lost, "signals were lost"),
            (self.duplicates, "signals came twice"),
            (self.misordered, "signals came out of order"),
            (self.strayed, "signals came astray or changed"),
            (self.unconfirmed, "signals were told as unconfirmed"),
        ] {
            if count > 0 {
                self.findings.push(format!("{count} {what}"));
            }
        }
        if self.relay.count == 0 {
            self.findings.push("no signal came while it was measured".into());
        }
        for (code, count) in &self.refused {
            self.warnings.push(format!("{count} commands were refused: {code}"));
        }
        if self.held > 0 {
            self.warnings.push(format!("{} signals were not said: too much was unconfirmed", self.held));
        }
        if self.again > 0 {
            self.warnings.push(format!("{} signals were said again after 2 s", self.again));
        }
        if self.own_processors > NEAR_SATURATION {
            self.warnings.push(format!("the generator used {:.2} of its one processor", self.own_processors));
        }
        if self.due.p99_ms - self.relay.p99_ms > LATE_MS {
            self.warnings.push("signals left the generator late".into());
        }
    }
}

impl fmt::Display for CallsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, calls, participants, rate, seconds, .. } = self;
        writeln!(f, "{target}: {calls} calls of {participants}, {rate} signals/s due by the clock, answers on top")?;
        writeln!(
            f,
            "  relayed       {:.0} signals/s over {seconds:.1} s; {} said in all, {} of them descriptions",
            self.relayed_per_s, self.said, self.descriptions
        )?;
        writeln!(f, "  relay         {}", self.relay)?;
        writeln!(f, "  due-handled   {}", self.due)?;
        writeln!(f, "  confirmed     {}", self.confirmed)?;
        if let (Some(us), Some(share)) = (self.server_us_per_signal, self.processors_per_call) {
            writeln!(
                f,
                "  server CPU    {us:.1} us per relayed signal, {:.2} % of a processor per 100 calls",
                share * 1e4
            )?;
        }
        if let (Some(joined), Some(after), Some(rss)) = (self.rss_per_call, self.rss_per_call_after, self.rss) {
            let kib = |bytes: f64| bytes / 1024.0;
            let mib = rss as f64 / 1_048_576.0;
            writeln!(
                f,
                "  memory        {:.1} KiB per call, {:.1} at the end; {mib:.1} MiB in all",
                kib(joined),
                kib(after)
            )?;
        }
        writeln!(
            f,
            "  accounts      lost {}  twice {}  out of order {}  astray {}  unconfirmed {}",
            self.lost, self.duplicates, self.misordered, self.strayed, self.unconfirmed
        )?;
        for finding in &self.findings {
            writeln!(f, "  WRONG: {finding}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "  warning: {warning}")?;
        }
        Ok(())
    }
}
