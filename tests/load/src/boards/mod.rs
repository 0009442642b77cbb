//! Boards that many people draw on at once: every edit is followed from its author to everybody else, and what true
//! replicas have at the end is compared with what the server tells somebody who comes new.

mod bytes;
mod check;
mod drive;
mod guest;
mod join;
mod plot;
mod read;
mod report;
mod session;
mod shapes;
mod sheet;
mod soak;

pub use report::{BoardsComparison, BoardsReport};
pub use soak::{Soak, SoakReport};

use crate::{
    client::Client,
    commands::{Leased, Source},
    histogram::Histogram,
    metrics,
    plan::Names,
    process,
    report::{Sample, Usage},
};
use anyhow::{Context as _, ensure};
use drive::{Board, Drive};
use guest::{Guest, Wire};
use join::Joins;
use shapes::Dice;
use std::{collections::BTreeMap, time::Duration};
use stoa_protocol::RoomKind;

/// Shapes that are drawn with one edit before anything is measured: some 60 KB.
const AT_ONCE: usize = 200;
/// Joins of a filled board that are measured while nobody draws: the first finds it in the store only.
const JOINS: usize = 10;
/// True replicas of each board.
const REPLICAS: usize = 3;

/// What is driven.
#[derive(Debug, Clone, Copy)]
pub struct Boards {
    /// Editors of each board, one connection each.
    pub editors: usize,
    /// Boards, each in a room of its own.
    pub boards: usize,
    /// Edits per second of each editor.
    pub rate: f64,
    /// Shapes that stand on each board before.
    pub shapes: usize,
    /// Joins per second of somebody new while everybody draws.
    pub joins: f64,
    /// Before the measurement.
    pub warmup: Duration,
    /// What is measured.
    pub measured: Duration,
    /// Longest wait for what is on its way.
    pub drain: Duration,
    /// What chance begins with.
    pub seed: u64,
}

/// What was counted and timed.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Edits that were sent.
    pub said: u64,
    /// Edits that bring clocks, and so can be followed, within the measurement.
    pub followed: u64,
    /// Of these, edits times others who got them, within the measurement.
    pub delivered: u64,
    /// Updates that came, within the measurement: each may hold many edits.
    pub updates: u64,
    /// Bytes that came, within the measurement.
    pub bytes: u64,
    /// Updates that came before what they build on.
    pub gaps: u64,
    /// Edits that were due while too much waited for a server that does not read.
    pub held: u64,
    /// Refusals by reason.
    pub refused: BTreeMap<String, u64>,
    /// From when an edit was due until it was at another editor.
    pub delivery: Histogram,
    /// From when it was due until its author knew that it is on disk.
    pub saved: Histogram,
    /// From when it was due until it was written.
    pub late: Histogram,
}

/// The server's memory at the moments that tell something, bytes.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Memory {
    /// Before any board was opened.
    pub before: u64,
    /// With the boards drawn, and whoever drew them gone.
    pub drawn: u64,
    /// With everybody in and nobody drawing.
    pub joined: u64,
    /// At the end.
    pub after: u64,
}

/// Rooms whose boards are driven.
struct Rooms {
    names: Names,
    rooms: Vec<String>,
}

impl Rooms {
    /// Creates them where the server needs that, with so many users in each.
    fn create(target: &Leased, wire: Wire, rooms: usize, users: usize) -> anyhow::Result<Self> {
        let names = Names::new()?;
        let named: Vec<(String, Vec<String>)> = (0..rooms)
            .map(|room| {
                let first = room * users;
                let granted = users.min(stoa_protocol::limits::BULK_MEMBERS);
                (names.room(room), (first..first + granted).map(|user| names.user(user)).collect())
            })
            .collect();
        if wire == Wire::Stoa {
            let mut service = Client::connect(target, &target.mint.service(&names.service()))?;
            service.create_rooms(&named, RoomKind::Session).context("the rooms could not be created")?;
        }
        Ok(Self { names, rooms: named.into_iter().map(|(room, _)| room).collect() })
    }
}

impl Boards {
    /// Counts that can be driven.
    ///
    /// # Errors
    /// Says which number is none.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(self.boards > 0, "--boards must be above 0");
        ensure!((2..=60_000).contains(&self.editors), "--editors must be from 2 to 60,000");
        ensure!(self.rate.is_finite() && self.rate > 0.0, "--rate must be above 0");
        ensure!(self.joins.is_finite() && self.joins >= 0.0, "--joins must not be below 0");
        Ok(())
    }

    /// Draws the boards, lets everybody in, drives the rate and compares.
    ///
    /// # Errors
    /// The server cannot be driven.
    pub fn run(&self, source: &Source) -> anyhow::Result<BoardsReport> {
        let wire = if matches!(source, Source::YWebsocket(_)) { Wire::Plain } else { Wire::Stoa };
        let target = source.lease()?;
        let connections = self.boards * (self.editors + 2);
        process::allow_connections(connections)?;
        target.check_open_files(connections)?;
        let rss = || target.rss_bytes();
        let mut memory = Memory { before: rss().unwrap_or_default(), ..Memory::default() };
        // The last two of each board's users draw it before, and come new.
        let users = self.editors + 2;
        let rooms = Rooms::create(&target, wire, self.boards, users)?;
        let user = |board: usize, number: usize| rooms.names.user(board * users + number);
        let mut dice = Dice::new(self.seed);
        let mut boards = Vec::new();
        for (at, room) in rooms.rooms.iter().enumerate() {
            let mut board = Board::new(dice.next() as u32);
            let mut painter = Guest::enter(&target, wire, &user(at, self.editors), room)?;
            painter.open()?;
            draw(&mut painter, &mut board, self.shapes, &mut dice)?;
            boards.push(board);
            eprintln!("{} board {} of {} has {} shapes", target.name, at + 1, self.boards, self.shapes);
        }
        memory.drawn = rss().unwrap_or_default();
        let newcomer = |board: usize| Guest::enter(&target, wire, &user(board, self.editors + 1), &rooms.rooms[board]);
        let quiet = match self.shapes {
            0 => None,
            _ => Some(join::quiet(&target, wire, JOINS, || newcomer(0))?),
        };
        let mut drive = Drive::new(boards, dice)?;
        for (board, room) in rooms.rooms.iter().enumerate() {
            for editor in 0..self.editors {
                let mut guest = Guest::enter(&target, wire, &user(board, editor), room)?;
                let opened = guest.open()?;
                drive.seat(board, None, guest.into_seat(), opened, editor < REPLICAS)?;
                drive.turn(Duration::ZERO)?;
            }
        }
        memory.joined = rss().unwrap_or_default();
        eprintln!("{} everybody is in", target.name);
        let rate = self.rate * (self.boards * self.editors) as f64;
        drive.pass(self.warmup, rate)?;
        let metrics_before = metrics::read(&target);
        let joins = Joins::begin(self.joins, &target, wire, &user(0, self.editors + 1), &rooms.rooms[0]);
        let before = Sample::take(&target)?;
        let own = process::thread_cpu()?;
        drive.measuring(true);
        drive.pass(self.measured, rate)?;
        drive.measuring(false);
        let mut usage = Usage::between(&before, &Sample::take(&target)?);
        usage.generator_thread = process::thread_cpu()?.since(own).total_us() as f64 / 1e6 / usage.seconds;
        let joins = joins.end()?;
        let moved = metrics::moved(&metrics_before, &metrics::read(&target));
        drive.drain(self.drain)?;
        memory.after = rss().unwrap_or_default();
        let (undelivered, unsaved) = drive.missing();
        let mut differences = Vec::new();
        // Replicas that were told to be incomplete would only say so again.
        if undelivered == 0 {
            for board in 0..self.boards {
                let fresh = newcomer(board)?.open()?;
                let words = check::differences(drive.replicas(board), &fresh, drive.boards[board].sheet.len())?;
                differences.extend(words.into_iter().map(|words| format!("board {board}: {words}")));
            }
        }
        let figures = report::Figures {
            target: target.name.clone(),
            shape: *self,
            usage,
            memory: target.node.pid.map(|_| memory),
            quiet,
            joins,
            undelivered,
            unsaved,
            differences,
            tally: drive.tally,
            moved,
        };
        Ok(figures.report())
    }
}

/// Draws shapes as one who is there before everybody.
fn draw(painter: &mut Guest, board: &mut Board, shapes: usize, dice: &mut Dice) -> anyhow::Result<()> {
    let author = board.author();
    let mut left = shapes;
    while left > 0 {
        let count = left.min(AT_ONCE);
        let update = board.prepare(author, |sheet, pen| sheet.draw_many(count, pen, dice));
        painter.draw(&update)?;
        left -= count;
    }
    painter.settle()
}
