//! Hours of a tutoring session in minutes: a few people who write by hand, pause, move, erase, undo, turn the page and
//! come back, on a board that has shapes already. What is looked at is whether the server is at the end as it was at
//! the beginning.

use super::{
    Rooms, check, draw,
    drive::{Board, Drive},
    guest::{Guest, Wire},
    join::{self, Join},
    plot::{self, Line, Panel},
    report::mib,
    session::{Act, Session},
    shapes::Dice,
};
use crate::{
    commands::{Leased, Source},
    report::{Quantiles, median},
};
use anyhow::{Context as _, ensure};
use serde::Serialize;
use std::{fmt, fs, path::Path, time::Duration};

/// Joins at each look, each after an edit, so that the server has nothing ready.
const JOINS: usize = 3;
/// Longest wait until everything is saved and everywhere.
const SETTLED: Duration = Duration::from_secs(30);

/// What is driven.
#[derive(Debug, Clone, Copy)]
pub struct Soak {
    /// People who draw.
    pub people: usize,
    /// Hours of the session.
    pub hours: f64,
    /// How much faster than life it goes.
    pub speed: f64,
    /// Shapes that stand on the board before, and stay.
    pub shapes: usize,
    /// Looks at the server, evenly over the time; one more before it begins.
    pub looks: usize,
    /// Whether joins of a board that is in the store only are measured too: the server is given time to unload it.
    pub stored: bool,
    /// What chance begins with.
    pub seed: u64,
}

/// What a look found.
#[derive(Debug, Clone, Serialize)]
pub struct Look {
    /// Hours of the session.
    pub hours: f64,
    /// Edits so far.
    pub edits: u64,
    /// Shapes on the board.
    pub shapes: usize,
    /// The server's memory, bytes.
    pub rss: Option<u64>,
    /// Somebody who comes new, the median of some.
    pub join: Join,
    /// From when an edit was due until another editor had it, since the last look.
    pub delivery: Quantiles,
    /// From when it was due until its author knew that it is on disk.
    pub saved: Quantiles,
    /// Bytes of the store's files; absent where they are another server's.
    pub store: Option<u64>,
}

/// A soak.
#[derive(Debug, Clone, Serialize)]
pub struct SoakReport {
    /// Which server.
    pub target: String,
    /// People who drew.
    pub people: usize,
    /// How much faster than life it went.
    pub speed: f64,
    /// What chance began with.
    pub seed: u64,
    /// What was found, from before the beginning to the end.
    pub looks: Vec<Look>,
    /// Somebody who comes when the board is in the store only: before, and behind it all.
    pub from_store: Option<[Join; 2]>,
    /// What is wrong with the server.
    pub findings: Vec<String>,
}

impl Soak {
    /// Counts that can be driven.
    ///
    /// # Errors
    /// Says which number is none.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!((2..=20).contains(&self.people), "--people must be from 2 to 20");
        ensure!(self.hours > 0.0 && self.hours <= 24.0, "--hours must be above 0 and at most 24");
        ensure!(
            self.speed >= 1.0 && self.speed <= 80.0,
            "--speed must be from 1 to 80: nobody may send more than 100/s"
        );
        ensure!(self.looks > 0, "--looks must be above 0");
        Ok(())
    }

    /// Draws the session.
    ///
    /// # Errors
    /// The server cannot be driven.
    pub fn run(&self, source: &Source) -> anyhow::Result<SoakReport> {
        let target = source.lease()?;
        let users = self.people + 2;
        let rooms = Rooms::create(&target, Wire::Stoa, 1, users)?;
        let room = rooms.rooms.first().context("a room")?;
        let enter = |user: usize| Guest::enter(&target, Wire::Stoa, &rooms.names.user(user), room);
        let newcomer = || enter(self.people + 1);
        let mut dice = Dice::new(self.seed);
        let mut board = Board::new(dice.next() as u32);
        let mut painter = enter(self.people)?;
        painter.open()?;
        draw(&mut painter, &mut board, self.shapes, &mut dice)?;
        drop(painter);
        let stored = || self.stored.then(|| stored(&target, &newcomer)).transpose();
        let stored_before = stored()?;
        let mut drive = Drive::new(vec![board], dice.clone())?;
        drive.measuring(true);
        for person in 0..self.people {
            let mut guest = enter(person)?;
            let opened = guest.open()?;
            drive.seat(0, None, guest.into_seat(), opened, true)?;
        }
        let mut session = Session::new(self.people, dice);
        let mut looks = vec![look(&target, &mut drive, &mut session, 0.0, &newcomer)?];
        for number in 1..=self.looks {
            let until_s = self.hours * 3600.0 * number as f64 / self.looks as f64;
            self.pass(&mut drive, &mut session, until_s, &enter)?;
            looks.push(look(&target, &mut drive, &mut session, until_s / 3600.0, &newcomer)?);
            if let Some(look) = looks.last() {
                eprintln!("{} {look}", target.name);
            }
        }
        let fresh = newcomer()?.open()?;
        let mut findings = check::differences(drive.replicas(0), &fresh, drive.boards[0].sheet.len())?;
        let (undelivered, unsaved) = drive.missing();
        let refused: u64 = drive.tally.refused.values().sum();
        for (count, what) in [
            (undelivered, "edits times readers were not there when the time was up"),
            (unsaved, "edits were not told to be saved"),
            (drive.tally.gaps, "updates came before what they build on"),
            (refused, "edits were refused"),
        ] {
            if count > 0 {
                findings.push(format!("{count} {what}"));
            }
        }
        drop(drive);
        Ok(SoakReport {
            target: target.name.clone(),
            people: self.people,
            speed: self.speed,
            seed: self.seed,
            looks,
            from_store: stored_before.zip(stored()?).map(|(before, after)| [before, after]),
            findings,
        })
    }

    /// Draws until a time of the session.
    fn pass(
        &self,
        drive: &mut Drive,
        session: &mut Session,
        until_s: f64,
        enter: &impl Fn(usize) -> anyhow::Result<Guest>,
    ) -> anyhow::Result<()> {
        let begun_s = session.now_s();
        let begun_us = drive.now_us();
        while let Some((at_s, person, act)) = session.next(until_s) {
            let due_us = begun_us + ((at_s - begun_s) / self.speed * 1e6) as u64;
            while drive.now_us() < due_us {
                let wait_us = due_us.saturating_sub(drive.now_us());
                drive.turn(Duration::from_micros(wait_us.min(50_000)))?;
            }
            if act == Act::Return {
                drive.drain(SETTLED)?;
                let mut guest = enter(person)?;
                let opened = guest.open()?;
                drive.seat(0, Some(person), guest.into_seat(), opened, true)?;
                continue;
            }
            drive.say(person, due_us, |sheet, pen| session.edit(person, act, sheet, pen));
        }
        drive.drain(SETTLED)
    }
}

/// The join of a board that the server has in its store only.
fn stored(target: &Leased, newcomer: &impl Fn() -> anyhow::Result<Guest>) -> anyhow::Result<Join> {
    let quiet = join::quiet(target, Wire::Stoa, 1, newcomer)?;
    quiet.from_store.context("a join from the store")
}

fn look(
    target: &Leased,
    drive: &mut Drive,
    session: &mut Session,
    hours: f64,
    newcomer: &impl Fn() -> anyhow::Result<Guest>,
) -> anyhow::Result<Look> {
    let rss = target.rss_bytes();
    let (delivery, saved) = (std::mem::take(&mut drive.tally.delivery), std::mem::take(&mut drive.tally.saved));
    drive.measuring(false);
    let mut joins = Vec::new();
    for _ in 0..JOINS {
        drive.say(0, drive.now_us(), |sheet, pen| session.edit(0, Act::Stroke, sheet, pen));
        drive.drain(SETTLED)?;
        joins.push(join::once(target, newcomer()?)?);
    }
    drive.measuring(true);
    let middle = |value: fn(&Join) -> Option<f64>| median(joins.iter().filter_map(value));
    let join = Join {
        server_ms: middle(|join| join.server_ms),
        wall_ms: middle(|join| Some(join.wall_ms)).unwrap_or_default(),
        bytes: joins.last().map_or(0, |join| join.bytes),
    };
    let store = match target {
        Leased::Started(server) => server.data_dir().filter(|folder| folder.is_dir()).map(|folder| size(&folder)),
        Leased::Running(_) => None,
    };
    Ok(Look {
        hours,
        edits: drive.tally.said,
        shapes: drive.boards[0].sheet.len(),
        rss,
        join,
        delivery: Quantiles::of(&delivery),
        saved: Quantiles::of(&saved),
        store,
    })
}

/// Bytes of the files in a folder.
fn size(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hours, edits, shapes, rss, join, delivery, store, .. } = self;
        write!(f, "{hours:4.1} h  {edits:6} edits  {shapes:6} shapes  ")?;
        write!(f, "memory {:6.1} MiB  ", rss.map_or(f64::NAN, mib))?;
        write!(f, "join {:5.1} ms {:.2} MiB  ", join.server_ms.unwrap_or(f64::NAN), mib(join.bytes))?;
        write!(f, "edits p50 {:.1} p99 {:.1} ms  ", delivery.p50_ms, delivery.p99_ms)?;
        write!(f, "store {:.1} MiB", store.map_or(f64::NAN, mib))
    }
}

impl fmt::Display for SoakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, people, speed, seed, .. } = self;
        writeln!(f, "{target}: {people} people, {speed} times as fast as life, seed {seed}")?;
        for look in &self.looks {
            writeln!(f, "  {look}")?;
        }
        if let Some([before, after]) = &self.from_store {
            writeln!(f, "  from the store, before: {before}")?;
            writeln!(f, "  from the store, behind: {after}")?;
        }
        for finding in &self.findings {
            writeln!(f, "  WRONG: {finding}")?;
        }
        Ok(())
    }
}

impl SoakReport {
    /// The looks as a picture.
    pub fn picture(&self) -> String {
        let line = |name, value: &dyn Fn(&Look) -> Option<f64>| Line {
            name,
            points: self.looks.iter().filter_map(|look| Some((look.hours, value(look)?))).collect(),
        };
        // Nothing was drawn before the first look.
        let drawn = |look: &Look| look.delivery.count > 0;
        let panels = [
            Panel { title: "Server memory, MiB", lines: vec![line("resident", &|look| look.rss.map(mib))] },
            Panel {
                title: "Somebody joins, ms",
                lines: vec![
                    line("server CPU", &|look| look.join.server_ms),
                    line("until all is there", &|look| Some(look.join.wall_ms)),
                ],
            },
            Panel {
                title: "From an edit to another editor, ms",
                lines: vec![
                    line("median", &|look| drawn(look).then_some(look.delivery.p50_ms)),
                    line("99 %", &|look| drawn(look).then_some(look.delivery.p99_ms)),
                ],
            },
            Panel {
                title: "Bytes, MiB",
                lines: vec![
                    line("the board, as sent", &|look| Some(mib(look.join.bytes))),
                    line("the store's files", &|look| look.store.map(mib)),
                ],
            },
        ];
        plot::svg("hours of the session", &panels)
    }
}
