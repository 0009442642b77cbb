//! Somebody who comes new: what that costs the server, and how long it takes.

use super::guest::{Guest, Wire};
use crate::{histogram::Histogram, metrics, report::Quantiles, target::Target};
use anyhow::{Context as _, ensure};
use serde::Serialize;
use std::{
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long a server may keep a board in memory that nobody uses.
const UNLOADED: Duration = Duration::from_secs(90);

/// One join, or the mean of some.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Join {
    /// The server's CPU time, milliseconds; absent when its process is not known.
    pub server_ms: Option<f64>,
    /// From asking until the whole board was there, milliseconds.
    pub wall_ms: f64,
    /// Bytes that the server sent.
    pub bytes: u64,
}

/// Joins while nobody draws.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Quiet {
    /// The board was in the store only; absent where nothing tells that it is.
    pub from_store: Option<Join>,
    /// The first join of a board in memory.
    pub first: Join,
    /// The mean of further ones.
    pub further: Join,
    /// How many they were.
    pub joins: usize,
    /// The server's memory behind them, bytes.
    pub rss: Option<u64>,
}

/// Opens a board once.
///
/// # Errors
/// The server refuses.
pub fn once(target: &Target, mut guest: Guest) -> anyhow::Result<Join> {
    let cpu = || target.run_ns();
    let (before, begun) = (cpu(), Instant::now());
    let opened = guest.open()?;
    let wall = begun.elapsed();
    let used = before.zip(cpu()).map(|(before, after)| after.saturating_sub(before) as f64 / 1e6);
    Ok(Join { server_ms: used, wall_ms: wall.as_secs_f64() * 1e3, bytes: opened.bytes })
}

fn mean(joins: &[Join]) -> Join {
    let count = joins.len().max(1) as f64;
    Join {
        server_ms: joins.iter().map(|join| join.server_ms).sum::<Option<f64>>().map(|sum| sum / count),
        wall_ms: joins.iter().map(|join| join.wall_ms).sum::<f64>() / count,
        bytes: joins.first().map_or(0, |join| join.bytes),
    }
}

/// Lets somebody come so many times, one after the other; first when the server has taken the board out of memory.
///
/// # Errors
/// The server refuses, or keeps the board.
pub fn quiet(
    target: &Target,
    wire: Wire,
    joins: usize,
    newcomer: impl Fn() -> anyhow::Result<Guest>,
) -> anyhow::Result<Quiet> {
    let from_store = match wire {
        Wire::Stoa => {
            unloaded(target)?;
            Some(once(target, newcomer()?)?)
        }
        Wire::Plain => None,
    };
    let first = once(target, newcomer()?)?;
    let further = (1..joins).map(|_| once(target, newcomer()?)).collect::<anyhow::Result<Vec<Join>>>()?;
    let rss = target.rss_bytes();
    Ok(Quiet { from_store, first, further: mean(&further), joins: further.len(), rss })
}

/// Waits until no board is in the server's memory.
fn unloaded(target: &Target) -> anyhow::Result<()> {
    let begun = Instant::now();
    eprintln!("{} is given time to take the boards out of memory", target.name);
    loop {
        let documents =
            metrics::read(target).get("stoa_documents").copied().context("no stoa_documents in /metrics")?;
        if documents < 0.5 {
            return Ok(());
        }
        ensure!(begun.elapsed() < UNLOADED, "{documents} boards stay in memory");
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// Joins while others draw, from a thread of their own.
pub struct Joins {
    stop: mpsc::Sender<()>,
    thread: Option<JoinHandle<anyhow::Result<Histogram>>>,
}

impl Joins {
    /// Begins, so many times a second; never with 0.
    pub fn begin(per_s: f64, target: &Target, wire: Wire, user: &str, room: &str) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = (per_s > 0.0).then(|| {
            let (target, user, room) = (target.clone(), user.to_owned(), room.to_owned());
            std::thread::spawn(move || {
                let mut walls = Histogram::default();
                let pause = Duration::from_secs_f64(1.0 / per_s);
                while stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                    let join = once(&target, Guest::enter(&target, wire, &user, &room)?)?;
                    walls.record((join.wall_ms * 1e3) as u64);
                }
                Ok(walls)
            })
        });
        Self { stop, thread }
    }

    /// Ends; tells how long they took, when there were any.
    ///
    /// # Errors
    /// The server refused one.
    pub fn end(self) -> anyhow::Result<Option<Quantiles>> {
        // A thread that is gone tells why below.
        let _ = self.stop.send(());
        let Some(thread) = self.thread else { return Ok(None) };
        let walls = thread.join().map_err(|_| anyhow::anyhow!("the thread of the joins panicked"))??;
        Ok(Some(Quantiles::of(&walls)))
    }
}
