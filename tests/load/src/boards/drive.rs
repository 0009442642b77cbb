//! One thread over all editors: draws what is due, reads what comes, and notes which edit reached whom and when.

use super::{
    Tally,
    bytes::{number, put_number},
    guest::{Opened, Seat, edit},
    read::{Message, Readings, Seen, message},
    shapes::Dice,
    sheet::{Change, Edit, Pen, Sheet},
};
use crate::ws::{self, Opcode};
use anyhow::{Context as _, bail};
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use serde::Deserialize;
use std::{
    collections::VecDeque,
    io::{self, Read as _, Write as _},
    rc::Rc,
    time::{Duration, Instant},
};

/// Bytes that one read takes at most.
const READ: usize = 64 * 1024;
/// Edits that are drawn between two looks at the sockets.
const STRIDE: usize = 32;
/// Bytes that may wait for a server that does not read; then its editor holds back.
const WAITING: usize = 4 * 1024 * 1024;
/// A mask that everybody may know: it protects proxies, of which there are none on the way.
const MASK: [u8; 4] = [0x21, 0x7b, 0x94, 0x5e];
/// Authors of one board: the lower bits of a Yjs client id tell which one.
const AUTHOR_BITS: u32 = 16;

/// An edit that was sent and brings something new.
struct Said {
    /// The clock behind it.
    to: u32,
    due_us: u64,
    measured: bool,
    change: Change,
}

/// Somebody under one Yjs client id.
struct Author {
    pen: Pen,
    said: Vec<Said>,
    /// How far anybody has heard of it.
    landed: u32,
}

/// One board and those who have written on it.
pub struct Board {
    pub sheet: Sheet,
    /// The upper bits of the Yjs client ids.
    base: u64,
    authors: Vec<Author>,
}

impl Board {
    /// An empty board. The lower bits of `base` are passed over.
    pub fn new(base: u32) -> Self {
        let base = u64::from(base >> AUTHOR_BITS << AUTHOR_BITS);
        Self { sheet: Sheet::default(), base, authors: Vec::new() }
    }

    /// A new author; tells the number.
    pub fn author(&mut self) -> usize {
        let number = self.authors.len();
        let pen = Pen { client: self.base | number as u64, clock: 0 };
        self.authors.push(Author { pen, said: Vec::new(), landed: 0 });
        number
    }

    /// Draws outside the measurement: what is made is there at once.
    pub fn prepare(&mut self, author: usize, make: impl FnOnce(&mut Sheet, &mut Pen) -> Vec<u8>) -> Vec<u8> {
        let update = make(&mut self.sheet, &mut self.authors[author].pen);
        self.authors[author].landed = self.authors[author].pen.clock;
        update
    }

    fn author_of(&self, client: u64) -> Option<usize> {
        let number = (client ^ self.base) as usize;
        (number < self.authors.len()).then_some(number)
    }
}

/// An editor's connection.
struct Line {
    stream: TcpStream,
    received: Vec<u8>,
    out: Vec<u8>,
    board: usize,
    author: usize,
    channel: Option<u64>,
    batch: u64,
    /// How far it has heard of each author.
    have: Vec<u32>,
    parts: Vec<u8>,
    /// Edits whose saving was not told.
    unsaved: VecDeque<Unsaved>,
    /// Of a true replica: everything that it has got and drawn, to be put together at the end.
    log: Option<Vec<Rc<Seen>>>,
}

struct Unsaved {
    batch: u64,
    due_us: u64,
    measured: bool,
}

/// Everything that is driven.
pub struct Drive {
    poll: Poll,
    lines: Vec<Line>,
    pub boards: Vec<Board>,
    readings: Readings,
    pub dice: Dice,
    start: Instant,
    measuring: bool,
    next: usize,
    pub tally: Tally,
}

/// What is told in words.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    batch: Option<u64>,
    reason: Option<&'a str>,
    code: Option<&'a str>,
}

impl Drive {
    pub fn new(boards: Vec<Board>, dice: Dice) -> anyhow::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            lines: Vec::new(),
            boards,
            readings: Readings::default(),
            dice,
            start: Instant::now(),
            measuring: false,
            next: 0,
            tally: Tally::default(),
        })
    }

    /// Takes an editor on; `replaces` is one who is gone. A true replica keeps everything.
    ///
    /// # Errors
    /// The socket cannot be watched.
    pub fn seat(
        &mut self,
        board: usize,
        replaces: Option<usize>,
        seat: Seat,
        opened: Opened,
        is_replica: bool,
    ) -> anyhow::Result<usize> {
        let Seat { stream, received, channel, batch } = seat;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let at = replaces.unwrap_or(self.lines.len());
        self.poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
        let author = self.boards[board].author();
        let mut have = vec![0; author + 1];
        for (client, clock) in opened.vector {
            if let Some(author) = self.boards[board].author_of(client) {
                have[author] = clock;
            }
        }
        let log = if is_replica { Some(vec![self.readings.read(&opened.state)?]) } else { None };
        let line = Line {
            stream,
            received,
            out: Vec::new(),
            board,
            author,
            channel,
            batch,
            have,
            parts: Vec::new(),
            unsaved: VecDeque::new(),
            log,
        };
        match replaces {
            Some(at) => self.lines[at] = line,
            None => self.lines.push(line),
        }
        // What came behind the board was read before there was anybody to ask for it.
        self.read(at)?;
        Ok(at)
    }

    pub fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Whether what is due, and what comes, from now on counts for the figures.
    pub fn measuring(&mut self, on: bool) {
        self.measuring = on;
    }

    /// Draws what is due at this rate in all for a time.
    ///
    /// # Errors
    /// A connection was lost.
    pub fn pass(&mut self, time: Duration, rate: f64) -> anyhow::Result<()> {
        let from_us = self.now_us();
        let until_us = from_us + u64::try_from(time.as_micros())?;
        let due_us = |k: u64| from_us + (k as f64 * 1e6 / rate) as u64;
        let mut k = 0;
        while self.now_us() < until_us {
            let now_us = self.now_us();
            let mut said = 0;
            while due_us(k) <= now_us && said < STRIDE {
                let at = self.next;
                self.next = (self.next + 1) % self.lines.len();
                let mut dice = self.dice.clone();
                self.say(at, due_us(k), |sheet, pen| sheet.any(pen, &mut dice));
                self.dice = dice;
                k += 1;
                said += 1;
            }
            let wait_us = if said == STRIDE { 0 } else { due_us(k).saturating_sub(self.now_us()) };
            self.turn(Duration::from_micros(wait_us.min(100_000)))?;
        }
        Ok(())
    }

    /// An editor makes an edit; the frame is written with the next turn.
    pub fn say(&mut self, at: usize, due_us: u64, make: impl FnOnce(&mut Sheet, &mut Pen) -> Edit) {
        let now_us = self.now_us();
        let line = &mut self.lines[at];
        if line.out.len() > WAITING {
            self.tally.held += 1;
            return;
        }
        let board = &mut self.boards[line.board];
        let author = &mut board.authors[line.author];
        let before = author.pen.clock;
        let Edit { update, change } = make(&mut board.sheet, &mut author.pen);
        let measured = self.measuring;
        if author.pen.clock > before {
            author.said.push(Said { to: author.pen.clock, due_us, measured, change });
            self.tally.followed += u64::from(measured);
        }
        line.batch += 1;
        let batch = line.channel.map(|_| line.batch);
        if let Some(batch) = batch {
            line.unsaved.push_back(Unsaved { batch, due_us, measured });
        }
        let mut frame = Vec::with_capacity(update.len() + 20);
        if let Some(channel) = line.channel {
            put_number(&mut frame, channel);
        }
        frame.append(&mut edit(batch, &update));
        ws::write_frame(&mut line.out, Opcode::Binary, &frame, Some(MASK));
        if let Some(log) = &mut line.log {
            log.push(Rc::new(Seen { update, spans: vec![] }));
        }
        self.tally.said += 1;
        if measured {
            self.tally.late.record(now_us.saturating_sub(due_us));
        }
    }

    /// Writes and reads, once; waits for something to read for a time at most.
    ///
    /// # Errors
    /// A connection was lost.
    pub fn turn(&mut self, wait: Duration) -> anyhow::Result<()> {
        for at in 0..self.lines.len() {
            self.flush(at)?;
        }
        let mut events = Events::with_capacity(256);
        match self.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        for event in &events {
            let Token(at) = event.token();
            if event.is_readable() {
                self.read(at)?;
            }
            self.flush(at)?;
        }
        Ok(())
    }

    /// Waits until everything is saved and everybody has heard of everything, at most for a time.
    ///
    /// # Errors
    /// A connection was lost.
    pub fn drain(&mut self, most: Duration) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < most && !self.is_whole() {
            self.turn(Duration::from_millis(10))?;
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        let mut lines = self.lines.iter();
        lines.all(|line| line.unsaved.is_empty() && line.out.is_empty() && self.lacking(line) == 0)
    }

    /// Edits that this reader has not heard of.
    fn lacking(&self, line: &Line) -> u64 {
        let authors = self.boards[line.board].authors.iter().enumerate().filter(|(number, _)| *number != line.author);
        let lacking = authors.map(|(number, author)| {
            let have = line.have.get(number).copied().unwrap_or_default();
            author.said.len() - author.said.partition_point(|said| said.to <= have)
        });
        lacking.sum::<usize>() as u64
    }

    /// Edits times readers that have not heard of them, and edits whose saving was not told.
    pub fn missing(&self) -> (u64, u64) {
        let unsaved = self.lines.iter().map(|line| line.unsaved.len() as u64).sum();
        (self.lines.iter().map(|line| self.lacking(line)).sum(), unsaved)
    }

    /// What the true replicas of a board have got, in order.
    pub fn replicas(&self, board: usize) -> impl Iterator<Item = &[Rc<Seen>]> {
        self.lines.iter().filter(move |line| line.board == board).filter_map(|line| line.log.as_deref())
    }

    fn flush(&mut self, at: usize) -> anyhow::Result<()> {
        let line = &mut self.lines[at];
        while !line.out.is_empty() {
            match line.stream.write(&line.out) {
                Ok(written) => drop(line.out.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("a connection was lost"),
            }
        }
        Ok(())
    }

    fn read(&mut self, at: usize) -> anyhow::Result<()> {
        let mut buffer = [0; READ];
        loop {
            match self.lines[at].stream.read(&mut buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(count) => {
                    if self.measuring {
                        self.tally.bytes += count as u64;
                    }
                    self.lines[at].received.extend_from_slice(&buffer[..count]);
                    self.frames(at)?;
                    // Less than was asked for: there is no more now, and epoll tells when there is.
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.frames(at),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("a connection was lost"),
            }
        }
    }

    /// Handles the whole frames that were received.
    fn frames(&mut self, at: usize) -> anyhow::Result<()> {
        let mut received = std::mem::take(&mut self.lines[at].received);
        let mut from = 0;
        while let Some(frame) = ws::frame(&received[from..])? {
            let payload = &received[from + frame.from..from + frame.to];
            from += frame.to;
            match frame.opcode {
                Opcode::Binary if frame.fin => self.binary(at, payload)?,
                Opcode::Text if frame.fin => self.text(at, payload)?,
                Opcode::Ping => ws::write_frame(&mut self.lines[at].out, Opcode::Pong, payload, Some(MASK)),
                Opcode::Close => bail!("the server closed with {:?}", ws::close_code(payload)),
                Opcode::Pong => {}
                Opcode::Text | Opcode::Continuation | Opcode::Binary => bail!("a frame in pieces"),
            }
        }
        received.drain(..from);
        self.lines[at].received = received;
        Ok(())
    }

    fn binary(&mut self, at: usize, mut payload: &[u8]) -> anyhow::Result<()> {
        if self.lines[at].channel.is_some() {
            number(&mut payload).context("a frame without a channel")?;
        }
        match message(payload)? {
            Message::Part { piece, more } => {
                self.lines[at].parts.extend_from_slice(piece);
                if more {
                    return Ok(());
                }
                let whole = std::mem::take(&mut self.lines[at].parts);
                let (Message::Update(update) | Message::Step2(update)) = message(&whole)? else { return Ok(()) };
                self.update(at, update)
            }
            Message::Update(update) | Message::Step2(update) => self.update(at, update),
            Message::Step1(_) | Message::Other => Ok(()),
        }
    }

    fn update(&mut self, at: usize, update: &[u8]) -> anyhow::Result<()> {
        let seen = self.readings.read(update)?;
        if self.measuring {
            self.tally.updates += 1;
        }
        let now_us = self.now_us();
        let line = &mut self.lines[at];
        let board = &mut self.boards[line.board];
        for span in &seen.spans {
            let Some(number) = board.author_of(span.client) else { continue };
            let author = &mut board.authors[number];
            if line.have.len() <= number {
                line.have.resize(number + 1, 0);
            }
            let have = &mut line.have[number];
            if span.to <= *have || number == line.author {
                continue;
            }
            if span.from > *have {
                self.tally.gaps += 1;
                continue;
            }
            let first = author.said.partition_point(|said| said.to <= *have);
            for said in author.said[first..].iter().take_while(|said| said.to <= span.to) {
                if said.measured {
                    self.tally.delivery.record(now_us.saturating_sub(said.due_us));
                }
                if self.measuring {
                    self.tally.delivered += 1;
                }
                if said.to > author.landed {
                    author.landed = said.to;
                    board.sheet.land(said.change);
                }
            }
            *have = span.to;
        }
        if let Some(log) = &mut line.log {
            log.push(seen);
        }
        Ok(())
    }

    fn text(&mut self, at: usize, payload: &[u8]) -> anyhow::Result<()> {
        // Names with escapes in them do not borrow; nothing that is looked at here has any.
        let Ok(told) = serde_json::from_slice::<Told>(payload) else { return Ok(()) };
        match (told.kind, told.batch) {
            ("doc.saved", Some(batch)) => {
                let now_us = self.now_us();
                let unsaved = &mut self.lines[at].unsaved;
                while let Some(edit) = unsaved.pop_front_if(|edit| edit.batch <= batch) {
                    if edit.measured {
                        self.tally.saved.record(now_us.saturating_sub(edit.due_us));
                    }
                }
            }
            ("doc.refused", batch) => {
                *self.tally.refused.entry(told.reason.unwrap_or("none").to_owned()).or_default() += 1;
                self.lines[at].unsaved.retain(|edit| Some(edit.batch) != batch);
            }
            ("error", _) => *self.tally.refused.entry(told.code.unwrap_or("none").to_owned()).or_default() += 1,
            ("doc.closed" | "doc.reset" | "bye", _) => bail!("the server ended a board: {}", told.kind),
            (_, _) => {}
        }
        Ok(())
    }
}
