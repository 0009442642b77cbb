//! Stoa and its peers in turn, on the same machine within the same minutes, so that ratios exist.

use super::{Source, run::Run};
use crate::report::{RunReport, median};
use serde::Serialize;
use std::fmt;

/// The runs of one server, and their medians.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Which.
    pub target: String,
    /// The server's CPU time per delivery, microseconds.
    pub server_us_per_delivery: Option<f64>,
    /// Stoa's CPU time per delivery as a multiple of this one's.
    pub cpu_ratio: Option<f64>,
    /// Resident memory per connection, bytes.
    pub rss_per_connection: Option<f64>,
    /// Stoa's memory per connection as a multiple of this one's.
    pub rss_ratio: Option<f64>,
    /// Deliveries per second.
    pub deliveries_per_s: Option<f64>,
    /// From due to delivered, milliseconds.
    pub p50_ms: Option<f64>,
    /// The same.
    pub p99_ms: Option<f64>,
    /// Every run.
    pub runs: Vec<RunReport>,
}

/// All servers; the first is the one that the others are compared with.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// One per server.
    pub rows: Vec<Row>,
}

impl Comparison {
    /// Runs every server in turn, so many times.
    ///
    /// # Errors
    /// One of them does not start, or not everybody can join it.
    pub fn make(run: &Run, sources: &[Source], rounds: usize) -> anyhow::Result<Self> {
        let mut runs: Vec<Vec<RunReport>> = sources.iter().map(|_| Vec::new()).collect();
        for round in 1..=rounds.max(1) {
            for (source, runs) in sources.iter().zip(&mut runs) {
                eprintln!("round {round} of {rounds}: {}", source.name());
                let report = run.once(source)?;
                eprint!("{report}");
                runs.push(report);
            }
        }
        let mut rows: Vec<Row> = sources.iter().zip(runs).map(|(source, runs)| Row::of(source.name(), runs)).collect();
        let first = rows.first().map(|row| (row.server_us_per_delivery, row.rss_per_connection)).unwrap_or_default();
        for row in &mut rows {
            row.cpu_ratio = first.0.zip(row.server_us_per_delivery).map(|(first, own)| first / own);
            row.rss_ratio = first.1.zip(row.rss_per_connection).map(|(first, own)| first / own);
        }
        Ok(Self { rows })
    }

    /// Whether the first server did anything wrong.
    pub fn is_clean(&self) -> bool {
        self.rows.first().is_none_or(|row| row.runs.iter().all(|run| run.findings.is_empty()))
    }
}

impl Row {
    fn of(target: &str, runs: Vec<RunReport>) -> Self {
        let over = |value: fn(&RunReport) -> Option<f64>| median(runs.iter().filter_map(value));
        Self {
            target: target.into(),
            server_us_per_delivery: over(|run| run.server_us_per_delivery),
            cpu_ratio: None,
            rss_per_connection: over(|run| run.rss_per_connection),
            rss_ratio: None,
            deliveries_per_s: over(|run| Some(run.deliveries_per_s)),
            p50_ms: over(|run| Some(run.delivery.p50_ms)),
            p99_ms: over(|run| Some(run.delivery.p99_ms)),
            runs,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: Option<f64>, digits: usize| value.map_or("-".into(), |value| format!("{value:.digits$}"));
        let rounds = self.rows.first().map_or(0, |row| row.runs.len());
        writeln!(f, "medians of {rounds} rounds; ratios say how many times the row the first server takes")?;
        writeln!(
            f,
            "{:8} {:>12} {:>7} {:>12} {:>7} {:>13} {:>9} {:>9}",
            "server", "us/delivery", "ratio", "KiB/conn", "ratio", "deliveries/s", "p50 ms", "p99 ms"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:8} {:>12} {:>7} {:>12} {:>7} {:>13} {:>9} {:>9}",
                row.target,
                number(row.server_us_per_delivery, 2),
                number(row.cpu_ratio, 2),
                number(row.rss_per_connection.map(|bytes| bytes / 1024.0), 2),
                number(row.rss_ratio, 2),
                number(row.deliveries_per_s, 0),
                number(row.p50_ms, 2),
                number(row.p99_ms, 2),
            )?;
        }
        Ok(())
    }
}
