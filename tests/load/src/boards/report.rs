//! What is told after a run of boards.

use super::{
    Boards, Memory, Tally,
    join::{Join, Quiet},
};
use crate::{
    commands::Source,
    report::{Quantiles, Usage},
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// Lateness (p99) from which on the figures say more of the generator than of the server, milliseconds.
const LATE_MS: f64 = 10.0;
/// Share of a processor from which on the generator's thread may be what is measured.
const NEAR_SATURATION: f64 = 0.85;

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct BoardsReport {
    /// Which server.
    pub target: String,
    /// Editors of each board.
    pub editors: usize,
    /// Boards.
    pub boards: usize,
    /// Edits per second of each editor.
    pub rate: f64,
    /// Shapes that stood on each board before.
    pub shapes: usize,
    /// What chance began with.
    pub seed: u64,
    /// Edits times others who were to get them, per second; erasures, which cannot be followed, apart.
    pub due_per_s: f64,
    /// The same, that came.
    pub deliveries_per_s: f64,
    /// Edits in an update that a reader got, in the mean.
    pub edits_per_update: f64,
    /// Bytes that a reader got for each edit.
    pub bytes_per_delivery: f64,
    /// From when an edit was due until another editor had it.
    pub delivery: Quantiles,
    /// From when it was due until its author knew that it is on disk.
    pub saved: Option<Quantiles>,
    /// From when it was due until it was written.
    pub late: Quantiles,
    /// The server's CPU time for each edit that another editor got, microseconds.
    pub server_us_per_delivery: Option<f64>,
    /// The server's CPU time for each edit, microseconds.
    pub server_us_per_edit: Option<f64>,
    /// Who used the processors.
    pub usage: Usage,
    /// The server's memory.
    pub memory: Option<Memory>,
    /// Joins before anybody drew.
    pub quiet: Option<Quiet>,
    /// Joins while everybody drew, from asking until the board was there.
    pub joins: Option<Quantiles>,
    /// Edits that were sent, in the whole run.
    pub said: u64,
    /// Edits times others who never got them.
    pub undelivered: u64,
    /// Edits whose saving was never told.
    pub unsaved: u64,
    /// Updates that came before what they build on.
    pub gaps: u64,
    /// Edits that were not made, because the server did not read.
    pub held: u64,
    /// Refusals by reason.
    pub refused: BTreeMap<String, u64>,
    /// Counters of the server that moved while it was measured.
    pub moved: BTreeMap<String, f64>,
    /// What is wrong with the server.
    pub findings: Vec<String>,
    /// What is wrong with the measurement.
    pub warnings: Vec<String>,
}

/// What a report is made of.
pub struct Figures {
    pub target: String,
    pub shape: Boards,
    pub usage: Usage,
    pub memory: Option<Memory>,
    pub quiet: Option<Quiet>,
    pub joins: Option<Quantiles>,
    pub undelivered: u64,
    pub unsaved: u64,
    pub differences: Vec<String>,
    pub tally: Tally,
    pub moved: BTreeMap<String, f64>,
}

impl Figures {
    pub fn report(self) -> BoardsReport {
        let Self { shape, usage, tally, .. } = self;
        let Boards { editors, boards, rate, shapes, seed, .. } = shape;
        let edits_per_s = rate * (editors * boards) as f64;
        let per = |count: f64| usage.server().filter(|_| count > 0.0).map(|cpu| cpu * usage.seconds * 1e6 / count);
        let ratio = |of: u64, by: u64| if by == 0 { 0.0 } else { of as f64 / by as f64 };
        let mut report = BoardsReport {
            target: self.target,
            editors,
            boards,
            rate,
            shapes,
            seed,
            due_per_s: (tally.followed * (editors as u64 - 1)) as f64 / usage.seconds,
            deliveries_per_s: tally.delivered as f64 / usage.seconds,
            edits_per_update: ratio(tally.delivered, tally.updates),
            bytes_per_delivery: ratio(tally.bytes, tally.delivered),
            delivery: Quantiles::of(&tally.delivery),
            saved: (tally.saved.count() > 0).then(|| Quantiles::of(&tally.saved)),
            late: Quantiles::of(&tally.late),
            server_us_per_delivery: per(tally.delivered as f64),
            server_us_per_edit: per(edits_per_s * usage.seconds),
            usage,
            memory: self.memory,
            quiet: self.quiet,
            joins: self.joins,
            said: tally.said,
            undelivered: self.undelivered,
            unsaved: self.unsaved,
            gaps: tally.gaps,
            held: tally.held,
            refused: tally.refused,
            moved: self.moved,
            findings: self.differences,
            warnings: vec![],
        };
        report.judge();
        report
    }
}

impl BoardsReport {
    fn judge(&mut self) {
        let refused: u64 = self.refused.values().sum();
        for (count, what) in [
            (self.undelivered, "edits times readers were not there when the time was up"),
            (self.unsaved, "edits were not told to be saved"),
            (self.gaps, "updates came before what they build on"),
            (refused, "edits were refused"),
        ] {
            if count > 0 {
                self.findings.push(format!("{count} {what}"));
            }
        }
        if self.delivery.count == 0 {
            self.findings.push("no edit came while it was measured".into());
        }
        if self.held > 0 {
            self.warnings.push(format!("{} edits were not made: the server did not read", self.held));
        }
        if self.usage.generator_thread > NEAR_SATURATION {
            self.warnings.push(format!("the generator used {:.2} of its one processor", self.usage.generator_thread));
        }
        if self.late.p99_ms > LATE_MS {
            self.warnings.push(format!("edits left the generator late (p99 {:.1} ms)", self.late.p99_ms));
        }
        let busy = self.usage.server().unwrap_or(0.0) + self.usage.generator + self.usage.others;
        let all = self.usage.processors as f64;
        if busy > 0.95 * all {
            self.warnings.push(format!("the machine was saturated ({busy:.2} of {all} processors)"));
        }
    }
}

/// Bytes as they are read.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ms) = self.server_ms {
            write!(f, "{ms:.1} ms of the server, ")?;
        }
        write!(f, "{:.1} ms until all was there, {:.2} MiB", self.wall_ms, mib(self.bytes))
    }
}

impl fmt::Display for BoardsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, editors, boards, rate, shapes, seed, .. } = self;
        writeln!(
            f,
            "{target}: {boards} boards x {editors} editors x {rate} edits/s, {shapes} shapes before, seed {seed}"
        )?;
        writeln!(
            f,
            "  throughput    {:.0} deliveries/s of {:.0} due, over {:.1} s; {:.1} edits in an update, {:.0} bytes for each",
            self.deliveries_per_s, self.due_per_s, self.usage.seconds, self.edits_per_update, self.bytes_per_delivery
        )?;
        writeln!(f, "  due-delivered {}", self.delivery)?;
        if let Some(saved) = &self.saved {
            writeln!(f, "  due-saved     {saved}")?;
        }
        writeln!(f, "  due-sent      {}", self.late)?;
        let Usage { generator, others, processors, .. } = self.usage;
        if let (Some(us), Some(per_edit), Some(server)) =
            (self.server_us_per_delivery, self.server_us_per_edit, self.usage.server())
        {
            writeln!(f, "  server CPU    {us:.2} us per delivery, {per_edit:.0} us per edit; {server:.2} processors")?;
        }
        writeln!(f, "  processors    generator {generator:.2}, others {others:.2}, of {processors}")?;
        if let Some(Memory { before, drawn, joined, after }) = self.memory {
            let [before, drawn, joined, after] = [before, drawn, joined, after].map(mib);
            writeln!(
                f,
                "  memory        {before:.1} MiB before, {drawn:.1} drawn, {joined:.1} with everybody in, {after:.1} at the end"
            )?;
        }
        if let Some(Quiet { from_store, first, further, joins, rss }) = &self.quiet {
            if let Some(join) = from_store {
                writeln!(f, "  join, stored  {join}")?;
            }
            writeln!(f, "  join, first   {first}")?;
            writeln!(f, "  join, others  {further}, mean of {joins}")?;
            if let Some(rss) = rss {
                writeln!(f, "  behind them   {:.1} MiB", mib(*rss))?;
            }
        }
        if let Some(joins) = &self.joins {
            writeln!(f, "  joins, busy   {} of {}", joins, joins.count)?;
        }
        writeln!(
            f,
            "  accounts      {} edits, undelivered {}, unsaved {}, out of order {}",
            self.said, self.undelivered, self.unsaved, self.gaps
        )?;
        for (code, count) in &self.refused {
            writeln!(f, "  refused       {count} {code}")?;
        }
        for finding in &self.findings {
            writeln!(f, "  WRONG: {finding}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "  warning: {warning}")?;
        }
        Ok(())
    }
}

/// Stoa and its peers in turn.
#[derive(Debug, Serialize)]
pub struct BoardsComparison {
    /// One report for each run.
    pub runs: Vec<BoardsReport>,
}

impl BoardsComparison {
    /// Runs every server in turn, so many times; each report is told as it comes.
    ///
    /// # Errors
    /// One of them cannot be driven.
    pub fn make(boards: &Boards, sources: &[Source], rounds: usize) -> anyhow::Result<Self> {
        let mut runs = Vec::new();
        for round in 1..=rounds.max(1) {
            for source in sources {
                eprintln!("round {round} of {rounds}: {}", source.name());
                let report = boards.run(source)?;
                print!("{report}");
                runs.push(report);
            }
        }
        Ok(Self { runs })
    }

    /// Whether the first server did anything wrong.
    pub fn is_clean(&self) -> bool {
        let first = self.runs.first().map(|run| &run.target);
        self.runs.iter().filter(|run| Some(&run.target) == first).all(|run| run.findings.is_empty())
    }
}
