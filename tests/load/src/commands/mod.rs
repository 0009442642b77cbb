//! The runs: each starts or finds a server, drives it, and tells what it found.

pub mod acks;
pub mod beside;
pub mod class;
pub mod idle;
pub mod run;
pub mod storm;

use crate::{
    client::Client,
    engine::{Counts, Engine, Options},
    plan::{Names, Shape},
    spawn::{Server, Stoa},
    target::Target,
};
use anyhow::{Context as _, bail};
use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use stoa_protocol::{RoomKind, limits};

/// How long joining may take without any progress.
const STUCK: Duration = Duration::from_secs(30);

/// Where a server comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// It runs.
    Running(Box<Target>),
    /// Stoa, started for each run.
    Stoa(Stoa),
    /// The bare broadcast server, started for each run.
    Floor,
    /// The script on npm's `ws` in this folder, started for each run.
    Ws(PathBuf),
    /// y-websocket's server in this folder, started for each run; it has boards only.
    YWebsocket(PathBuf),
}

/// A server for one run.
pub enum Leased {
    /// One that stays.
    Running(Box<Target>),
    /// One that ends with the run.
    Started(Box<Server>),
}

impl Deref for Leased {
    type Target = Target;

    fn deref(&self) -> &Target {
        match self {
            Self::Running(target) => target,
            Self::Started(server) => &server.target,
        }
    }
}

impl Source {
    /// The name in reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Running(target) => &target.name,
            Self::Stoa(_) => "stoa",
            Self::Floor => "floor",
            Self::Ws(_) => "ws",
            Self::YWebsocket(_) => "y-websocket",
        }
    }

    /// Starts it, where it does not run.
    ///
    /// # Errors
    /// It does not start.
    pub fn lease(&self) -> anyhow::Result<Leased> {
        let started = |server| Ok(Leased::Started(Box::new(server)));
        match self {
            Self::Running(target) => Ok(Leased::Running(target.clone())),
            Self::Stoa(stoa) => started(Server::stoa(stoa)?),
            Self::Floor => started(Server::floor(None)?),
            Self::Ws(folder) => started(Server::ws(folder)?),
            Self::YWebsocket(folder) => started(Server::y_websocket(folder)?),
        }
    }
}

/// Tells on standard error what happens, once a second.
pub struct Progress {
    name: String,
    begun: Instant,
    told: Instant,
    before: Counts,
}

impl Progress {
    /// Of a run against a server.
    pub fn new(name: &str) -> Self {
        let now = Instant::now();
        Self { name: name.into(), begun: now, told: now, before: Counts::default() }
    }

    /// Tells, when a second has passed.
    pub fn tell(&mut self, counts: &Counts) {
        let passed = self.told.elapsed().as_secs_f64();
        if passed < 1.0 {
            return;
        }
        let per_s = |now: u64, before: u64| now.saturating_sub(before) as f64 / passed;
        eprintln!(
            "{} {:4.0} s  joined {}  failed {}  pending {}  acked {:.0}/s  delivered {:.0}/s  refused {}  lost {}",
            self.name,
            self.begun.elapsed().as_secs_f64(),
            counts.joined,
            counts.failed,
            counts.pending,
            per_s(counts.acked, self.before.acked),
            per_s(counts.delivered, self.before.delivered),
            counts.refused,
            counts.lost,
        );
        (self.told, self.before) = (Instant::now(), *counts);
    }
}

/// Rooms with everybody in them.
pub struct Rig {
    /// The connections.
    pub engine: Engine,
    /// Tells what happens.
    pub progress: Progress,
    /// The server's memory before anything was created, bytes.
    pub rss_before: Option<u64>,
    /// The server's memory with the rooms created and nobody in them.
    pub rss_rooms: Option<u64>,
}

impl Rig {
    /// Creates the rooms of a shape; nobody is connected yet.
    ///
    /// # Errors
    /// The server refuses, or a limit of open files is too low.
    pub fn build(target: &Target, shape: Shape, kind: RoomKind, options: &Options) -> anyhow::Result<Self> {
        let rss = || target.rss_bytes();
        let names = Names::new()?;
        let rss_before = rss();
        let engine = Engine::start(target, shape, &names, options)?;
        let rooms: Vec<(String, Vec<String>)> = (0..shape.rooms)
            .map(|room| {
                let first = room * shape.members;
                // A class admits by token; in other rooms the host application would grant membership first.
                let granted = if kind == RoomKind::Class { 0 } else { shape.members.min(limits::BULK_MEMBERS) };
                (names.room(room), (first..first + granted).map(|user| names.user(user)).collect())
            })
            .collect();
        let mut service = Client::connect(target, &target.mint.service(&names.service()))?;
        service.create_rooms(&rooms, kind).context("the rooms could not be created")?;
        Ok(Self { engine, progress: Progress::new(&target.name), rss_before, rss_rooms: rss() })
    }

    /// Connects everybody up to a number and waits until they are joined.
    ///
    /// # Errors
    /// They are not, and nothing moves any more.
    pub fn join(&mut self, from: usize, to: usize) -> anyhow::Result<()> {
        self.engine.connect(from..to);
        let mut last = (Instant::now(), 0);
        let mut stuck = false;
        let progress = &mut self.progress;
        self.engine.wait(
            Duration::MAX,
            |counts| progress.tell(counts),
            |counts| {
                if counts.joined > last.1 {
                    last = (Instant::now(), counts.joined);
                }
                stuck = last.0.elapsed() > STUCK;
                stuck || counts.joined >= to as u64
            },
        )?;
        if stuck {
            bail!("{} of {to} connections are joined and no more come: {}", last.1, self.engine.notes().join("; "));
        }
        Ok(())
    }

    /// Waits, and tells progress.
    ///
    /// # Errors
    /// A worker has failed.
    pub fn pass(&mut self, time: Duration) -> anyhow::Result<()> {
        let progress = &mut self.progress;
        self.engine.wait(time, |counts| progress.tell(counts), |_| false).map(|_| ())
    }

    /// Waits until everything acknowledged is delivered to `readers` members per message and nobody is away, at most
    /// for a time; less when nothing moves any more.
    ///
    /// # Errors
    /// A worker has failed.
    pub fn drain(&mut self, most: Duration, readers: usize, connections: usize) -> anyhow::Result<()> {
        /// How long nothing must arrive for more to be unlikely.
        const QUIET: Duration = Duration::from_secs(3);
        let mut last = (Instant::now(), Counts::default());
        let progress = &mut self.progress;
        self.engine.wait(
            most,
            |counts| progress.tell(counts),
            |counts| {
                if *counts != last.1 {
                    last = (Instant::now(), *counts);
                }
                let settled = counts.pending == 0 && counts.delivered >= counts.acked * readers as u64;
                let whole = counts.joined + counts.dead >= connections as u64;
                (settled && whole) || last.0.elapsed() > QUIET
            },
        )?;
        Ok(())
    }
}

/// Writes a report as JSON.
///
/// # Errors
/// The file cannot be written.
pub fn write_json(file: Option<&Path>, report: &impl serde::Serialize) -> anyhow::Result<()> {
    if let Some(file) = file {
        let mut json = serde_json::to_string_pretty(report)?;
        json.push('\n');
        fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
