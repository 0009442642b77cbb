//! One thread with its share of the connections, on one epoll instance.
//!
//! A worker owns connection `index + k * threads` for every k. It sleeps in epoll until a socket is ready, an order
//! comes or something is due, and reads into one buffer that all its connections share.

mod conn;
mod receive;
mod send;

use crate::{
    engine::{Counts, Cut, Order, Outcome, Plan, Shared},
    journal::{Acked, RoomLog},
    process::{self, Cpu},
};
use conn::{Conn, Stage};
use mio::{Events, Poll, Token, Waker};
use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering, mpsc},
    time::Duration,
};

/// The waker's token; connections are counted from 0.
const WAKE: Token = Token(usize::MAX);
/// How often connections that need no event are looked after: slow readers, retries, new connections.
const SWEEP_US: u64 = 10_000;
/// How often connections are looked through for who must say something.
const PINGS_US: u64 = 1_000_000;
/// Bytes that one read takes at most.
const READ: usize = 256 * 1024;
/// Events between two looks at the schedule.
const STRIDE: usize = 64;

pub(crate) struct Worker {
    shared: Arc<Shared>,
    index: usize,
    poll: Poll,
    orders: mpsc::Receiver<Order>,
    published: Arc<Mutex<Counts>>,
    conns: Vec<Conn>,
    /// Who is to be connected as soon as the limits allow.
    queue: VecDeque<usize>,
    /// Who comes back, and when.
    retries: Vec<(u64, usize)>,
    handshakes: usize,
    /// When the next connection may be started.
    connect_at_us: u64,
    plan: Option<Plan>,
    /// When the plan began, and the message that is next.
    plan_from_us: u64,
    next_k: u64,
    counts: Counts,
    outcome: Outcome,
    /// By room; readers of this worker only.
    rooms: Vec<RoomLog>,
    acked: Vec<Acked>,
    buffer: Vec<u8>,
    frame: String,
    /// Masks and waits need no more than this (xorshift64).
    random: u64,
    sweep_at_us: u64,
    ping_at_us: u64,
    /// CPU at the window's start.
    cpu_from: Option<Cpu>,
    cpu_told: bool,
    finished: bool,
}

impl Worker {
    pub fn new(
        shared: Arc<Shared>,
        index: usize,
        orders: mpsc::Receiver<Order>,
        published: Arc<Mutex<Counts>>,
    ) -> anyhow::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let threads = shared.options.threads.max(1);
        let conns = (index..shared.shape.connections()).step_by(threads).map(|user| Conn::new(user, &shared)).collect();
        let rooms = vec![RoomLog::default(); shared.shape.rooms];
        let random = getrandom::u64().map_err(|error| anyhow::anyhow!("no randomness: {error}"))? | 1;
        let worker = Self {
            shared,
            index,
            poll,
            orders,
            published,
            conns,
            queue: VecDeque::new(),
            retries: Vec::new(),
            handshakes: 0,
            connect_at_us: 0,
            plan: None,
            plan_from_us: 0,
            next_k: 0,
            counts: Counts::default(),
            outcome: Outcome::default(),
            rooms,
            acked: Vec::new(),
            buffer: vec![0; READ],
            frame: String::with_capacity(1024),
            random,
            sweep_at_us: 0,
            ping_at_us: 0,
            cpu_from: None,
            cpu_told: false,
            finished: false,
        };
        Ok((worker, waker))
    }

    pub fn run(mut self) -> anyhow::Result<Outcome> {
        let mut events = Events::with_capacity(1024);
        loop {
            let wait = self.wait_us();
            match self.poll.poll(&mut events, Some(Duration::from_micros(wait))) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
            for (count, event) in events.iter().enumerate() {
                if count % STRIDE == 0 {
                    self.send_due();
                }
                let Token(at) = event.token();
                if at < self.conns.len() {
                    self.ready(
                        at,
                        event.is_writable(),
                        event.is_readable(),
                        event.is_read_closed() || event.is_error(),
                    );
                }
            }
            self.obey();
            if self.finished {
                return self.tell();
            }
            self.send_due();
            self.sweep();
            self.window();
            *self.published.lock().unwrap_or_else(PoisonError::into_inner) = self.counts;
        }
    }

    /// How long nothing is due.
    fn wait_us(&self) -> u64 {
        let next = match self.plan {
            Some(Plan::Open(schedule)) => self.sweep_at_us.min(self.plan_from_us + schedule.due_us(self.next_k)),
            Some(Plan::Closed(_)) | None => self.sweep_at_us,
        };
        next.saturating_sub(self.shared.now_us()).min(SWEEP_US)
    }

    fn obey(&mut self) {
        loop {
            let order = match self.orders.try_recv() {
                Ok(order) => order,
                Err(mpsc::TryRecvError::Empty) => return,
                // Whoever gave the orders has given up.
                Err(mpsc::TryRecvError::Disconnected) => Order::Finish,
            };
            match order {
                Order::Connect(range) => {
                    let own = (0..self.conns.len()).filter(|at| range.contains(&self.conns[*at].user));
                    self.queue.extend(own);
                }
                Order::Begin(plan) => self.begin(plan),
                Order::Hush => self.plan = None,
                Order::Cut(cut) => self.cut(cut),
                Order::Finish => {
                    self.finished = true;
                    return;
                }
            }
        }
    }

    /// A storm: some are gone at once, and come back as fast as they may.
    fn cut(&mut self, cut: Cut) {
        let now = self.shared.now_us();
        let jitter_us = self.shared.options.jitter_ms * 1_000;
        let share = (cut.share.clamp(0.0, 1.0) * u64::MAX as f64) as u64;
        for at in 0..self.conns.len() {
            let conn = &self.conns[at];
            let spared = cut.spare_senders && self.shared.shape.is_sender(conn.user);
            if spared || conn.stage != Stage::Joined || self.random() > share {
                continue;
            }
            self.detach(at, now);
            self.counts.cut += 1;
            let wait = if jitter_us == 0 { 0 } else { self.random() % jitter_us };
            let back_us = now + cut.away.as_micros() as u64 + wait;
            self.conns[at].back_us = back_us;
            self.retries.push((back_us, at));
        }
    }

    fn sweep(&mut self) {
        let now = self.shared.now_us();
        if now < self.sweep_at_us {
            return self.connect_some(now);
        }
        let passed_us = SWEEP_US + (now - self.sweep_at_us).min(PINGS_US);
        self.sweep_at_us = now + SWEEP_US;
        let queue = &mut self.queue;
        self.retries.retain(|(when, at)| {
            let wait = *when > now;
            if !wait {
                queue.push_back(*at);
            }
            wait
        });
        self.connect_some(now);
        if self.shared.options.slow > 0 {
            let most = (self.shared.options.slow_bytes * passed_us / 1_000_000).max(1) as usize;
            for at in (0..self.conns.len()).filter(|at| self.conns[*at].slow).collect::<Vec<_>>() {
                self.read(at, most.min(READ), false);
            }
        }
        if let Some(Plan::Closed(most)) = self.plan {
            self.refill_paused(most, now);
        }
        if now >= self.ping_at_us {
            self.ping_at_us = now + PINGS_US;
            self.ping(now);
        }
    }

    fn connect_some(&mut self, now: u64) {
        let options = &self.shared.options;
        let (most, threads) = (options.handshakes.div_ceil(options.threads.max(1)), options.threads.max(1));
        let spacing_us = 1e6 * threads as f64 / options.connect_rate;
        // No credit is saved up while nobody waits.
        self.connect_at_us = self.connect_at_us.max(now.saturating_sub(SWEEP_US));
        while self.handshakes < most && self.connect_at_us <= now {
            let Some(at) = self.queue.pop_front() else { return };
            self.connect_at_us += spacing_us as u64;
            if matches!(self.conns[at].stage, Stage::Away) {
                self.connect(at);
            }
        }
    }

    /// Notes the worker's own CPU at both ends of the window.
    fn window(&mut self) {
        let now = self.shared.now_us();
        let (from, to) = (self.shared.from_us.load(Ordering::Relaxed), self.shared.to_us.load(Ordering::Relaxed));
        if now < from || self.cpu_told {
            return;
        }
        match self.cpu_from {
            None => self.cpu_from = process::thread_cpu().ok(),
            Some(before) if now >= to => {
                let used = process::thread_cpu().unwrap_or(before).since(before).total_us();
                self.outcome.busiest = used as f64 / (to - from).max(1) as f64;
                self.cpu_told = true;
            }
            Some(_) => {}
        }
    }

    fn tell(mut self) -> anyhow::Result<Outcome> {
        for conn in &mut self.conns {
            if let Some(mut log) = conn.log.take() {
                log.attached = conn.stage == Stage::Joined;
                self.outcome.journal.members.push((conn.room, log));
            }
        }
        self.outcome.journal.rooms = (0u32..).zip(std::mem::take(&mut self.rooms)).collect();
        self.outcome.journal.acked = std::mem::take(&mut self.acked);
        self.outcome.counts = self.counts;
        Ok(self.outcome)
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn mask(&mut self) -> [u8; 4] {
        (self.random() as u32).to_be_bytes()
    }
}
