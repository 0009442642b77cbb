//! Boards.

use super::{TargetArgs, seconds};
use crate::{
    boards::{Boards, BoardsComparison, Soak},
    commands::{self, Source},
};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use std::{fs, path::PathBuf};

#[derive(Debug, Args)]
pub struct BoardsArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Peers that are run in turn with the server
    #[arg(long, value_delimiter = ',', value_enum, conflicts_with = "soak")]
    beside: Vec<Peer>,
    /// How often each is run
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// The folder of y-websocket.mjs
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/peers"), hide_default_value = true)]
    peers_dir: PathBuf,
    /// Editors of each board
    #[arg(long, default_value_t = 200)]
    editors: usize,
    /// Boards, each in a room of its own
    #[arg(long, default_value_t = 1)]
    boards: usize,
    /// Edits per second of each editor
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// Shapes that stand on each board before; joins of it are measured then
    #[arg(long, default_value_t = 0)]
    shapes: usize,
    /// Joins per second of somebody new while everybody draws
    #[arg(long, default_value_t = 0.0)]
    joins: f64,
    /// Seconds at the rate before the measurement
    #[arg(long, default_value_t = 5.0)]
    warmup: f64,
    /// Seconds that are measured
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Seconds that are waited for the last edits, at most
    #[arg(long, default_value_t = 30.0)]
    drain: f64,
    /// What chance begins with; random without it
    #[arg(long)]
    seed: Option<u64>,
    /// Draw hours of a session of a few people in minutes instead, and look at the server meanwhile
    #[arg(long)]
    soak: bool,
    /// People of the session
    #[arg(long, default_value_t = 3, requires = "soak")]
    people: usize,
    /// Hours of the session
    #[arg(long, default_value_t = 4.0, requires = "soak")]
    hours: f64,
    /// How much faster than life the session goes
    #[arg(long, default_value_t = 48.0, requires = "soak")]
    speed: f64,
    /// Looks at the server during the session
    #[arg(long, default_value_t = 24, requires = "soak")]
    looks: usize,
    /// Write the looks as a picture too
    #[arg(long, value_name = "FILE", requires = "soak")]
    svg: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Peer {
    /// y-websocket's server, in memory
    YWebsocket,
}

impl BoardsArgs {
    pub fn run(&self) -> anyhow::Result<bool> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|error| anyhow::anyhow!("no randomness: {error}"))?,
        };
        match self.soak {
            true => self.soak(seed),
            false => self.compare(seed),
        }
    }

    fn compare(&self, seed: u64) -> anyhow::Result<bool> {
        let boards = Boards {
            editors: self.editors,
            boards: self.boards,
            rate: self.rate,
            shapes: self.shapes,
            joins: self.joins,
            warmup: seconds(self.warmup)?,
            measured: seconds(self.seconds)?,
            drain: seconds(self.drain)?,
            seed,
        };
        boards.check()?;
        let peers = self.beside.iter().map(|Peer::YWebsocket| Source::YWebsocket(self.peers_dir.clone()));
        let sources: Vec<Source> = std::iter::once(self.target.source()?).chain(peers).collect();
        let comparison = BoardsComparison::make(&boards, &sources, self.rounds)?;
        commands::write_json(self.target.json.as_deref(), &comparison)?;
        Ok(comparison.is_clean())
    }

    fn soak(&self, seed: u64) -> anyhow::Result<bool> {
        let Self { people, hours, speed, shapes, looks, .. } = *self;
        let soak = Soak { people, hours, speed, shapes, looks, stored: true, seed };
        soak.check()?;
        let report = soak.run(&self.target.source()?)?;
        print!("{report}");
        commands::write_json(self.target.json.as_deref(), &report)?;
        if let Some(file) = &self.svg {
            fs::write(file, report.picture()).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(report.findings.is_empty())
    }
}
