//! `idle`: memory per connection that is authenticated, joined and silent.

use super::{Rig, Source};
use crate::{engine::Options, plan::Shape, report::median};
use anyhow::Context as _;
use serde::Serialize;
use std::{fmt, time::Duration};
use stoa_protocol::RoomKind;

/// One server with everybody in.
#[derive(Debug, Clone, Serialize)]
pub struct IdleReport {
    /// Which.
    pub target: String,
    /// Connections.
    pub connections: usize,
    /// Rooms.
    pub rooms: usize,
    /// Resident memory before anything was created, bytes.
    pub rss_before: u64,
    /// With the rooms created and nobody in them.
    pub rss_rooms: u64,
    /// With everybody in, after a silence.
    pub rss_joined: u64,
    /// What a connection added, the rooms' share included, bytes.
    pub rss_per_connection: f64,
    /// The server's share of a processor while everybody is silent.
    pub idle_processors: f64,
}

/// Joins everybody, waits, and reads the server's memory.
///
/// # Errors
/// The server's process is not known, or not everybody can join.
pub fn idle(source: &Source, shape: Shape, settle: Duration, options: &Options) -> anyhow::Result<IdleReport> {
    let target = source.lease()?;
    let cpu = || target.cpu().context("the server's process is not known (--pid)");
    cpu()?;
    let mut rig = Rig::build(&target, shape, RoomKind::Group, options)?;
    let connections = shape.connections();
    rig.join(0, connections)?;
    rig.pass(settle)?;
    let cpu_before = cpu()?;
    let begun = std::time::Instant::now();
    rig.pass(Duration::from_secs(5))?;
    let idle_us = cpu()?.since(cpu_before).total_us();
    let idle_processors = idle_us as f64 / 1e6 / begun.elapsed().as_secs_f64();
    let rss_joined = target.rss_bytes().context("the server ended")?;
    let rss_before = rig.rss_before.context("no memory was read before")?;
    anyhow::ensure!(rig.engine.counts().joined == connections as u64, "connections were lost in the silence");
    Ok(IdleReport {
        target: target.name.clone(),
        connections,
        rooms: shape.rooms,
        rss_before,
        rss_rooms: rig.rss_rooms.unwrap_or(rss_before),
        rss_joined,
        rss_per_connection: rss_joined.saturating_sub(rss_before) as f64 / connections as f64,
        idle_processors,
    })
}

/// The same for several servers in turn.
#[derive(Debug, Serialize)]
pub struct IdleComparison {
    /// Every reading.
    pub runs: Vec<IdleReport>,
}

impl IdleComparison {
    /// Reads every server in turn, so many times.
    ///
    /// # Errors
    /// As [`idle`].
    pub fn make(
        sources: &[Source],
        rounds: usize,
        shape: Shape,
        settle: Duration,
        options: &Options,
    ) -> anyhow::Result<Self> {
        let mut runs = Vec::new();
        for _ in 0..rounds.max(1) {
            for source in sources {
                runs.push(idle(source, shape, settle, options)?);
            }
        }
        Ok(Self { runs })
    }
}

impl fmt::Display for IdleComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
        for run in &self.runs {
            writeln!(
                f,
                "{:6} {} connections in {} rooms: RSS {:.1} MiB, with the rooms {:.1}, with everybody {:.1}: {:.2} KiB \
                 per connection; {:.1} % of a processor while silent",
                run.target,
                run.connections,
                run.rooms,
                mib(run.rss_before),
                mib(run.rss_rooms),
                mib(run.rss_joined),
                run.rss_per_connection / 1024.0,
                run.idle_processors * 100.0
            )?;
        }
        let mut names: Vec<&str> = self.runs.iter().map(|run| run.target.as_str()).collect();
        names.dedup();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let of = self.runs.iter().filter(|run| run.target == name).map(|run| run.rss_per_connection / 1024.0);
            if let Some(median) = median(of) {
                writeln!(f, "{name:6} median {median:.2} KiB per connection")?;
            }
        }
        Ok(())
    }
}
