//! What is told after a run, as text and as JSON.

use crate::{
    engine::Outcome,
    histogram::Histogram,
    journal::Audit,
    plan::Shape,
    process::{self, Cpu},
    target::Target,
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt::{self, Display, Write as _},
    time::Instant,
};

/// Share of a processor from which on a thread of the generator may be what is measured.
const NEAR_SATURATION: f64 = 0.85;
/// Lateness (p99) from which on the figures say more of the generator than of the server, milliseconds.
const LATE_MS: f64 = 10.0;

/// A distribution of times, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// Values.
    pub count: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 90 % are at most this.
    pub p90_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
    /// 99.9 %.
    pub p999_ms: f64,
    /// The largest.
    pub max_ms: f64,
}

impl Quantiles {
    /// Of a histogram of microseconds.
    pub fn of(histogram: &Histogram) -> Self {
        let ms = |us: u64| us as f64 / 1e3;
        Self {
            count: histogram.count(),
            mean_ms: histogram.mean() / 1e3,
            p50_ms: ms(histogram.quantile(0.5)),
            p90_ms: ms(histogram.quantile(0.9)),
            p99_ms: ms(histogram.quantile(0.99)),
            p999_ms: ms(histogram.quantile(0.999)),
            max_ms: ms(histogram.max()),
        }
    }
}

impl Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = self;
        write!(f, "p50 {p50_ms:.2}  p90 {p90_ms:.2}  p99 {p99_ms:.2}  p99.9 {p999_ms:.2}  max {max_ms:.2} ms")
    }
}

/// What the system says at one moment.
#[derive(Debug, Clone)]
pub struct Sample {
    at: Instant,
    server: Option<Cpu>,
    /// By name.
    services: BTreeMap<String, Cpu>,
    own: Cpu,
    machine_us: u64,
    rss_bytes: Option<u64>,
}

impl Sample {
    /// Reads it.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn take(target: &Target) -> anyhow::Result<Self> {
        Ok(Self {
            at: Instant::now(),
            server: target.cpu(),
            services: target
                .services
                .iter()
                .filter_map(|service| Some((service.name.clone(), process::cpu_with_children(service.pid).ok()?)))
                .collect(),
            own: process::cpu(std::process::id())?,
            machine_us: process::machine_busy_us()?,
            rss_bytes: target.rss_bytes(),
        })
    }
}

/// Who used the processors in the window, in processors (1 is one whole).
#[derive(Debug, Clone, Default, Serialize)]
pub struct Usage {
    /// The window, seconds.
    pub seconds: f64,
    /// The server, in user mode; absent when its process is not known.
    pub server_user: Option<f64>,
    /// The server, in the kernel.
    pub server_system: Option<f64>,
    /// The generator.
    pub generator: f64,
    /// Its busiest thread.
    pub generator_thread: f64,
    /// What the server stands on, by name.
    pub services: BTreeMap<String, f64>,
    /// Everything else: the kernel's own work, strangers, and a database whose process is not known.
    pub others: f64,
    /// Processors that there are.
    pub processors: usize,
    /// The server's resident memory at the end, bytes.
    pub rss_bytes: Option<u64>,
}

impl Usage {
    /// Between two readings.
    pub fn between(before: &Sample, after: &Sample) -> Self {
        let seconds = (after.at - before.at).as_secs_f64();
        let share = |us: u64| us as f64 / 1e6 / seconds;
        let server = before.server.zip(after.server).map(|(before, after)| after.since(before));
        let own = after.own.since(before.own).total_us();
        let machine = after.machine_us.saturating_sub(before.machine_us);
        let services = before
            .services
            .iter()
            .filter_map(|(name, before)| Some((name.clone(), after.services.get(name)?.since(*before).total_us())));
        let services: BTreeMap<String, u64> = services.collect();
        let known = own + server.unwrap_or_default().total_us() + services.values().sum::<u64>();
        let others = machine.saturating_sub(known);
        Self {
            seconds,
            server_user: server.map(|cpu| share(cpu.user_us)),
            server_system: server.map(|cpu| share(cpu.system_us)),
            generator: share(own),
            generator_thread: 0.0,
            services: services.into_iter().map(|(name, us)| (name, share(us))).collect(),
            others: share(others),
            processors: process::processors(),
            rss_bytes: after.rss_bytes,
        }
    }

    /// The server's processors.
    pub fn server(&self) -> Option<f64> {
        Some(self.server_user? + self.server_system?)
    }
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// What was driven.
    pub target: String,
    /// Rooms, members, senders, payload.
    pub shape: Shape,
    /// Messages per second that were asked for; absent when senders wait for acknowledgements.
    pub rate: Option<f64>,
    /// Unacknowledged messages per sender, when they do.
    pub in_flight: Option<usize>,
    /// Messages that were due, in the whole run.
    pub due: u64,
    /// Messages that were never sent, because their sender's queue was full.
    pub unsent: u64,
    /// Messages acknowledged per second, in the window.
    pub acks_per_s: f64,
    /// Deliveries per second, in the window.
    pub deliveries_per_s: f64,
    /// From due to delivered.
    pub delivery: Quantiles,
    /// The same for slow readers.
    pub slow_delivery: Option<Quantiles>,
    /// The same for what was due while its reader was away.
    pub missed_delivery: Option<Quantiles>,
    /// From due to acknowledged.
    pub ack: Quantiles,
    /// From due to sent.
    pub lateness: Quantiles,
    /// The server's CPU time per delivery, microseconds.
    pub server_us_per_delivery: Option<f64>,
    /// The server's CPU time per acknowledged message, microseconds.
    pub server_us_per_ack: Option<f64>,
    /// CPU time of what the server stands on, per acknowledged message, microseconds.
    pub services_us_per_ack: BTreeMap<String, f64>,
    /// The server's resident memory per connection, joined and idle, bytes.
    pub rss_per_connection: Option<f64>,
    /// Who used the processors.
    pub usage: Usage,
    /// What the journal found.
    pub audit: Audit,
    /// Refusals by code.
    pub refusals: BTreeMap<String, u64>,
    /// Ends of connections by close code.
    pub closes: BTreeMap<String, u64>,
    /// Connections that were lost, and those that came back.
    pub lost: u64,
    /// Connections that came back.
    pub rejoined: u64,
    /// Cursors that the server declared void.
    pub resets: u64,
    /// Events that went to readers outside the room.
    pub strays: u64,
    /// What is wrong with the server: any makes the run fail.
    pub findings: Vec<String>,
    /// What is wrong with the measurement.
    pub warnings: Vec<String>,
    /// What was said when something failed.
    pub notes: Vec<String>,
}

impl RunReport {
    /// Puts together what was found.
    pub fn new(target: &Target, shape: Shape, outcome: &Outcome, mut usage: Usage, rss: Option<f64>) -> Self {
        usage.generator_thread = outcome.busiest;
        let counts = &outcome.counts;
        let per = |count: u64| usage.server().filter(|_| count > 0).map(|cpu| cpu * usage.seconds * 1e6 / count as f64);
        let some = |histogram: &Histogram| (histogram.count() > 0).then(|| Quantiles::of(histogram));
        let mut report = Self {
            target: target.name.clone(),
            shape,
            rate: None,
            in_flight: None,
            due: counts.due,
            unsent: counts.unsent,
            acks_per_s: counts.acked_in_window as f64 / usage.seconds,
            deliveries_per_s: counts.delivered_in_window as f64 / usage.seconds,
            delivery: Quantiles::of(&outcome.delivery),
            slow_delivery: some(&outcome.slow_delivery),
            missed_delivery: some(&outcome.missed_delivery),
            ack: Quantiles::of(&outcome.ack),
            lateness: Quantiles::of(&outcome.lateness),
            server_us_per_delivery: per(counts.delivered_in_window),
            server_us_per_ack: per(counts.acked_in_window),
            services_us_per_ack: match counts.acked_in_window {
                0 => BTreeMap::new(),
                acked => {
                    let each = |share: &f64| share * usage.seconds * 1e6 / acked as f64;
                    usage.services.iter().map(|(name, share)| (name.clone(), each(share))).collect()
                }
            },
            rss_per_connection: rss,
            usage,
            audit: outcome.journal.audit(),
            refusals: outcome.refusals.clone(),
            closes: outcome.closes.clone(),
            lost: counts.lost,
            rejoined: counts.rejoined,
            resets: counts.resets,
            strays: counts.strays,
            findings: Vec::new(),
            warnings: Vec::new(),
            notes: outcome.notes.clone(),
        };
        report.judge(counts.pending);
        report
    }

    fn judge(&mut self, pending: u64) {
        let audit = &self.audit;
        let found = [
            (audit.losses, "acknowledged messages did not reach a reader"),
            (audit.duplicates, "events reached a reader twice"),
            (audit.stored_twice, "messages stand in a log twice"),
            (audit.inversions, "events reached a reader after a later one"),
            (audit.gaps, "numbers never reached a reader though later ones did"),
            (audit.disagreements, "numbers carried different events for different readers"),
            (self.strays, "events reached somebody outside the room"),
            (self.resets, "cursors were declared void"),
            (audit.away, "readers were not back at the end"),
        ];
        let found = found.into_iter().filter(|(count, _)| *count > 0);
        self.findings = found.map(|(count, words)| format!("{count} {words}")).collect();
        let refused: u64 = self.refusals.values().sum();
        let mut warn = |is: bool, words: String| {
            if is {
                self.warnings.push(words);
            }
        };
        warn(refused > 0, format!("{refused} messages were refused: {:?}", self.refusals));
        warn(pending > 0, format!("{pending} messages were neither acknowledged nor refused when the time was up"));
        warn(self.unsent > 0, format!("{} messages found their sender's queue full and were never sent", self.unsent));
        warn(
            self.usage.generator_thread > NEAR_SATURATION,
            format!(
                "the generator's busiest thread used {:.0} % of a processor: it may be what was measured",
                self.usage.generator_thread * 100.0
            ),
        );
        warn(
            self.lateness.p99_ms > LATE_MS,
            format!("messages left the generator late (p99 {:.1} ms after they were due)", self.lateness.p99_ms),
        );
        let services: f64 = self.usage.services.values().sum();
        let busy = self.usage.server().unwrap_or(0.0) + self.usage.generator + services + self.usage.others;
        let all = self.usage.processors as f64;
        warn(busy > 0.95 * all, format!("the machine was saturated ({busy:.2} of {all} processors)"));
        warn(self.usage.server_user.is_none(), "the server's process is not known: no CPU, no memory (--pid)".into());
    }
}

impl Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { rooms, members, senders, payload } = self.shape;
        let how = match (self.rate, self.in_flight) {
            (Some(rate), _) => format!("{rate} messages/s in all, due by the clock"),
            (None, Some(most)) => format!("{most} unacknowledged messages per sender"),
            (None, None) => "nothing sent".into(),
        };
        writeln!(
            f,
            "{}: {rooms} rooms x {members} members, {senders} senders each, {payload} bytes, {how}",
            self.target
        )?;
        writeln!(
            f,
            "  throughput    {:.0} deliveries/s, {:.0} acknowledged messages/s over {:.1} s",
            self.deliveries_per_s, self.acks_per_s, self.usage.seconds
        )?;
        writeln!(f, "  due-delivered {}", self.delivery)?;
        for (name, quantiles) in [("slow readers", &self.slow_delivery), ("while away", &self.missed_delivery)] {
            if let Some(quantiles) = quantiles {
                writeln!(f, "  {name:13} {quantiles}")?;
            }
        }
        writeln!(f, "  due-acked     {}", self.ack)?;
        writeln!(f, "  due-sent      {}", self.lateness)?;
        writeln!(f, "  server        {}", self.server_words())?;
        for (name, share) in &self.usage.services {
            let each = self.services_us_per_ack.get(name).copied().unwrap_or_default();
            writeln!(f, "  {name:13} {share:.2} processors, {each:.1} us per acknowledged message")?;
        }
        let Usage { generator, generator_thread, others, processors, .. } = self.usage;
        writeln!(
            f,
            "  processors    generator {generator:.2} (busiest thread {generator_thread:.2}), others {others:.2}, of {processors}"
        )?;
        let Audit { acked, owed, losses, duplicates, stored_twice, inversions, gaps, disagreements, .. } = self.audit;
        writeln!(
            f,
            "  journal       {acked} acked, {owed} deliveries owed: {losses} lost, {duplicates} duplicate, \
             {stored_twice} stored twice, {inversions} inverted, {gaps} gaps, {disagreements} disagreeing"
        )?;
        if self.lost > 0 {
            writeln!(f, "  connections   {} lost, {} came back, closes {:?}", self.lost, self.rejoined, self.closes)?;
        }
        for (sign, lines) in [("FAULT", &self.findings), ("warning", &self.warnings), ("note", &self.notes)] {
            for line in lines {
                writeln!(f, "  {sign}: {line}")?;
            }
        }
        Ok(())
    }
}

impl RunReport {
    fn server_words(&self) -> String {
        let mut words = String::new();
        if let (Some(user), Some(system)) = (self.usage.server_user, self.usage.server_system) {
            let _ = write!(words, "{:.2} processors ({user:.2} user, {system:.2} kernel)", user + system);
        }
        if let Some(us) = self.server_us_per_delivery {
            let _ = write!(words, ", {us:.2} us per delivery");
        }
        if let Some(us) = self.server_us_per_ack {
            let _ = write!(words, ", {us:.1} us per acknowledged message");
        }
        if let Some(bytes) = self.usage.rss_bytes {
            let _ = write!(words, ", RSS {:.1} MiB", bytes as f64 / 1_048_576.0);
        }
        if let Some(bytes) = self.rss_per_connection {
            let _ = write!(words, ", {:.2} KiB per connection", bytes / 1024.0);
        }
        words
    }
}

/// The middle of some values, the mean of the two middle ones when they are even in number; `None` of none.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => values.get(middle).copied(),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
