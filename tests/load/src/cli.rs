//! The command line.

mod boards;

use crate::{
    calls::{self, Calls},
    commands::{self, Source, beside::Comparison, class, idle::IdleComparison, run::Run, storm},
    engine::{Cut, Options, Plan},
    floor::Floor,
    plan::{Schedule, Shape},
    process,
    spawn::Stoa,
    target::Target,
    token::Mint,
};
use anyhow::{Context as _, bail, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{fs, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

/// Files that the floor and the generator may have open without asking how many connections come.
const FEW: usize = 0;

/// Silence between the last arrival and the first message.
const SETTLE: Duration = Duration::from_secs(2);

#[derive(Debug, Parser)]
#[command(name = "stoa-load", version, about = "Drives rooms of concurrent members at a Stoa server.")]
struct Cli {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(Debug, Subcommand)]
enum Cmd {
    /// Rooms x members at a rate, by the clock
    Run(RunArgs),
    /// Connections that are joined and silent: memory per connection
    Idle(IdleArgs),
    /// Durable messages acknowledged per second, with pipelined senders
    Acks(AcksArgs),
    /// Everybody is cut at once and comes back with a cursor
    Storm(StormArgs),
    /// One class that fills: bytes per arrival
    Class(ClassArgs),
    /// Calls that exchange offers, answers and candidates at a rate
    Calls(CallsArgs),
    /// Boards that many people draw on at once, or hours of a session in minutes
    Boards(boards::BoardsArgs),
    /// The bare broadcast server that Stoa is compared with
    Floor(FloorArgs),
}

#[derive(Debug, Args)]
struct TargetArgs {
    /// A running server: ws://127.0.0.1:8080
    #[arg(long, value_name = "URL", conflicts_with = "spawn")]
    url: Option<String>,
    /// Start this `stoa` binary for each run, in a folder of its own
    #[arg(long, value_name = "BINARY")]
    spawn: Option<PathBuf>,
    /// Database of the started server; SQLite in its folder without it
    #[arg(long, value_name = "URL", env = "STOA_LOAD_DATABASE_URL", hide_env_values = true, requires = "spawn")]
    database_url: Option<String>,
    /// Nodes to start; connections take them in turn
    #[arg(long, default_value_t = 1, requires = "redis_url", value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: u8,
    /// Redis of the started nodes; several need Postgres too
    #[arg(long, value_name = "URL", env = "STOA_LOAD_REDIS_URL", hide_env_values = true, requires = "database_url")]
    redis_url: Option<String>,
    /// A further argument of the started server
    #[arg(long, value_name = "ARG", allow_hyphen_values = true, requires = "spawn")]
    spawn_arg: Vec<String>,
    /// A further variable of the started server: NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE", requires = "spawn")]
    spawn_env: Vec<String>,
    /// The file with the running server's secret, to mint tokens with
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The `iss` of the tokens
    #[arg(long)]
    issuer: Option<String>,
    /// The `aud` of the tokens
    #[arg(long)]
    audience: Option<String>,
    /// The running server's process; found by its port without it
    #[arg(long)]
    pid: Option<u32>,
    /// Allow a server on another machine
    #[arg(long)]
    i_own_this_target: bool,
    /// Write the report as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Threads of the generator
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Source addresses (127.1.0.1 and up) that connections are spread over
    #[arg(long, default_value_t = 200)]
    sources: u32,
    /// Connections on their way in at a time
    #[arg(long, default_value_t = 256)]
    handshakes: usize,
    /// New connections per second, at most
    #[arg(long, value_name = "PER_SECOND")]
    connect_rate: Option<f64>,
}

#[derive(Debug, Args)]
struct BesideArgs {
    /// Peers that are run in turn with the server
    #[arg(long, value_delimiter = ',', value_enum)]
    beside: Vec<Peer>,
    /// How often each is run
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// The folder of ws.mjs
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/peers"), hide_default_value = true)]
    peers_dir: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Peer {
    /// The bare broadcast server
    Floor,
    /// A script on npm's ws
    Ws,
}

#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    beside: BesideArgs,
    /// Rooms
    #[arg(long, default_value_t = 10)]
    rooms: usize,
    /// Members of each room, one connection each
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// Members of each room that send; all without it
    #[arg(long)]
    senders: Option<usize>,
    /// Messages per second in all
    #[arg(long, default_value_t = 500.0)]
    rate: f64,
    /// Bytes of a message's text
    #[arg(long, default_value_t = 128)]
    payload: usize,
    /// Seconds that are measured
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Seconds in which the rate grows from nothing
    #[arg(long, default_value_t = 3.0)]
    ramp: f64,
    /// Seconds at the full rate before the measurement
    #[arg(long, default_value_t = 2.0)]
    warmup: f64,
    /// Seconds that are waited for the last deliveries, at most
    #[arg(long, default_value_t = 30.0)]
    drain: f64,
    /// Members who read slowly
    #[arg(long, default_value_t = 0)]
    slow: usize,
    /// Bytes per second that a slow reader reads
    #[arg(long, default_value_t = 2_000)]
    slow_bytes: u64,
    /// Cut connections this often, seconds
    #[arg(long, value_name = "SECONDS")]
    storm_every: Option<f64>,
    /// The share of connections that a storm cuts, 0 to 1
    #[arg(long, default_value_t = 0.5)]
    storm_share: f64,
    /// Longest random wait before a reconnect, milliseconds
    #[arg(long, default_value_t = 500)]
    storm_jitter_ms: u64,
}

#[derive(Debug, Args)]
struct IdleArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    beside: BesideArgs,
    /// Connections
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Members of each room
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// Seconds of silence before the reading
    #[arg(long, default_value_t = 10.0)]
    settle: f64,
}

#[derive(Debug, Args)]
struct AcksArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Rooms
    #[arg(long, default_value_t = 1_000)]
    rooms: usize,
    /// Members of each room
    #[arg(long, default_value_t = 2)]
    members: usize,
    /// Members of each room that send; all without it
    #[arg(long)]
    senders: Option<usize>,
    /// Unacknowledged messages that each sender keeps
    #[arg(long, default_value_t = 4)]
    in_flight: usize,
    /// Bytes of a message's text
    #[arg(long, default_value_t = 128)]
    payload: usize,
    /// Seconds that are measured
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
}

#[derive(Debug, Args)]
struct StormArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Connections that are cut
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Members of each room that are cut; one more stays and talks
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// Messages per second in all, before, during and after
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// Bytes of a message's text
    #[arg(long, default_value_t = 128)]
    payload: usize,
    /// Seconds between the cut and the first reconnect
    #[arg(long, default_value_t = 5.0)]
    away: f64,
    /// Longest random wait before a reconnect, milliseconds
    #[arg(long, default_value_t = 0)]
    jitter_ms: u64,
    /// Seconds that are waited for the last one, at most
    #[arg(long, default_value_t = 120.0)]
    patience: f64,
}

#[derive(Debug, Args)]
struct ClassArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Members
    #[arg(long, default_value_t = 1_000)]
    members: usize,
    /// Steps in which they come
    #[arg(long, default_value_t = 10)]
    steps: usize,
}

#[derive(Debug, Args)]
struct CallsArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Calls, each in a room of its own
    #[arg(long, default_value_t = 500)]
    calls: usize,
    /// Participants of each, 2 to 6; everybody has a link to every other
    #[arg(long, default_value_t = 2)]
    participants: usize,
    /// Signals per second in all; answers come on top
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// Of so many signals of an end one is an offer, the others are candidates
    #[arg(long, default_value_t = 10)]
    offer_every: u32,
    /// Seconds at the rate before the measurement
    #[arg(long, default_value_t = 3.0)]
    warmup: f64,
    /// Seconds that are measured
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Seconds that are waited for the last confirmations, at most
    #[arg(long, default_value_t = 30.0)]
    drain: f64,
}

#[derive(Debug, Args)]
struct FloorArgs {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

impl TargetArgs {
    fn source(&self) -> anyhow::Result<Source> {
        if let Some(binary) = &self.spawn {
            let pair = |text: &String| {
                let pair = text.split_once('=').with_context(|| format!("--spawn-env {text}: not NAME=VALUE"))?;
                anyhow::Ok((pair.0.to_owned(), pair.1.to_owned()))
            };
            return Ok(Source::Stoa(Stoa {
                binary: binary.clone(),
                nodes: usize::from(self.nodes),
                database_url: self.database_url.clone(),
                redis_url: self.redis_url.clone(),
                args: self.spawn_arg.clone(),
                env: self.spawn_env.iter().map(pair).collect::<anyhow::Result<_>>()?,
            }));
        }
        let url = self.url.as_ref().context("name a server with --url, or a binary to start with --spawn")?;
        let file = self.secret_file.as_ref().context("--secret-file is needed to mint tokens for a running server")?;
        let secret = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut mint = Mint::new(secret.trim_end());
        (mint.issuer, mint.audience) = (self.issuer.clone(), self.audience.clone());
        let mut target = Target::parse(url, mint, self.i_own_this_target)?;
        target.node.pid = self.pid.or(target.node.pid);
        Ok(Source::Running(Box::new(target)))
    }

    fn options(&self) -> Options {
        Options {
            threads: usize::from(self.threads),
            sources: self.sources,
            handshakes: self.handshakes.max(1),
            connect_rate: self.connect_rate.unwrap_or(f64::INFINITY),
            ..Options::default()
        }
    }
}

impl BesideArgs {
    /// The server first, then its peers.
    fn sources(&self, first: Source) -> Vec<Source> {
        let peers = self.beside.iter().map(|peer| match peer {
            Peer::Floor => Source::Floor,
            Peer::Ws => Source::Ws(self.peers_dir.clone()),
        });
        std::iter::once(first).chain(peers).collect()
    }
}

fn shape(rooms: usize, members: usize, senders: Option<usize>, payload: usize) -> anyhow::Result<Shape> {
    ensure!(rooms > 0 && members > 0, "there are no members");
    let senders = senders.unwrap_or(members);
    ensure!((1..=members).contains(&senders), "--senders must be from 1 to the number of members");
    Ok(Shape { rooms, members, senders, payload })
}

fn seconds(value: f64) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(value).with_context(|| format!("{value} is no time"))
}

impl RunArgs {
    fn run(&self) -> anyhow::Result<bool> {
        ensure!(self.rate.is_finite() && self.rate > 0.0, "--rate must be above 0");
        let cut = Cut { share: self.storm_share, spare_senders: false, away: Duration::ZERO };
        let every = self.storm_every.map(seconds).transpose()?;
        ensure!(every != Some(Duration::ZERO), "--storm-every must be above 0");
        let run = Run {
            shape: shape(self.rooms, self.members, self.senders, self.payload)?,
            plan: Plan::Open(Schedule { rate: self.rate, ramp: seconds(self.ramp)? }),
            settle: SETTLE,
            measured: seconds(self.seconds)?,
            warmup: seconds(self.warmup)?,
            drain: seconds(self.drain)?,
            storm: every.map(|every| (cut, every)),
            options: Options {
                slow: self.slow,
                slow_bytes: self.slow_bytes,
                jitter_ms: self.storm_jitter_ms,
                ..self.target.options()
            },
        };
        let sources = self.beside.sources(self.target.source()?);
        let comparison = Comparison::make(&run, &sources, self.beside.rounds)?;
        match &comparison.rows[..] {
            [only] if only.runs.len() == 1 => print!("{}", only.runs[0]),
            [] | [_, ..] => print!("{comparison}"),
        }
        commands::write_json(self.target.json.as_deref(), &comparison)?;
        Ok(comparison.is_clean())
    }
}

impl IdleArgs {
    fn run(&self) -> anyhow::Result<bool> {
        let shape = shape(self.connections.div_ceil(self.members.max(1)), self.members, None, 0)?;
        let sources = self.beside.sources(self.target.source()?);
        let settle = seconds(self.settle)?;
        let report = IdleComparison::make(&sources, self.beside.rounds, shape, settle, &self.target.options())?;
        print!("{report}");
        commands::write_json(self.target.json.as_deref(), &report)?;
        Ok(true)
    }
}

impl AcksArgs {
    fn run(&self) -> anyhow::Result<bool> {
        let shape = shape(self.rooms, self.members, self.senders, self.payload)?;
        ensure!(self.in_flight > 0, "--in-flight must be above 0");
        let run = commands::acks::run(shape, self.in_flight, seconds(self.seconds)?, self.target.options());
        let report = run.once(&self.target.source()?)?;
        print!("{report}");
        commands::write_json(self.target.json.as_deref(), &report)?;
        Ok(report.findings.is_empty())
    }
}

impl StormArgs {
    fn run(&self) -> anyhow::Result<bool> {
        let rooms = self.connections.div_ceil(self.members.max(1));
        let run = Run {
            shape: shape(rooms, self.members + 1, Some(1), self.payload)?,
            plan: Plan::Open(Schedule { rate: self.rate, ramp: Duration::ZERO }),
            settle: SETTLE,
            measured: Duration::ZERO,
            warmup: Duration::from_secs(3),
            drain: Duration::from_secs(30),
            storm: None,
            options: Options { jitter_ms: self.jitter_ms, ..self.target.options() },
        };
        let report = storm::storm(&run, &self.target.source()?, seconds(self.away)?, seconds(self.patience)?)?;
        print!("{report}");
        commands::write_json(self.target.json.as_deref(), &report)?;
        Ok(report.audit.is_clean() && report.caught_up == report.cut)
    }
}

impl ClassArgs {
    fn run(&self) -> anyhow::Result<bool> {
        ensure!(self.members > 0, "there are no members");
        let mut options = self.target.options();
        if options.connect_rate.is_infinite() {
            options.connect_rate = 100.0;
        }
        let report = class::class(&self.target.source()?, self.members, self.steps, &options)?;
        print!("{report}");
        commands::write_json(self.target.json.as_deref(), &report)?;
        Ok(true)
    }
}

impl CallsArgs {
    fn run(&self) -> anyhow::Result<bool> {
        let calls = Calls {
            calls: self.calls,
            participants: self.participants,
            rate: self.rate,
            offer_every: self.offer_every,
            warmup: seconds(self.warmup)?,
            measured: seconds(self.seconds)?,
            drain: seconds(self.drain)?,
        };
        calls::check(&calls)?;
        let report = calls.run(&self.target.source()?)?;
        print!("{report}");
        commands::write_json(self.target.json.as_deref(), &report)?;
        Ok(report.findings.is_empty())
    }
}

impl FloorArgs {
    fn run(&self) -> anyhow::Result<bool> {
        process::allow_connections(FEW)?;
        let floor = Floor::bind(self.listen)?;
        println!("listening on http://{}", floor.addr()?);
        floor.run()?;
        bail!("the floor ended")
    }
}

/// Runs the command. Exits 0 after a clean run, 1 when the server did something wrong, 2 when it could not be driven.
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Cmd::Run(args) => args.run(),
        Cmd::Idle(args) => args.run(),
        Cmd::Acks(args) => args.run(),
        Cmd::Storm(args) => args.run(),
        Cmd::Class(args) => args.run(),
        Cmd::Calls(args) => args.run(),
        Cmd::Boards(args) => args.run(),
        Cmd::Floor(args) => args.run(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("stoa-load: {error:#}");
            ExitCode::from(2)
        }
    }
}
