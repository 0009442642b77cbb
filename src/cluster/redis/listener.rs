//! The connection that listens.

use super::{
    CANARY_MS, Shared, TICK_MS, count,
    dial::{Stream, Trouble, push},
    dialer::Dialer,
    line::read_canary,
    topics::Order,
};
use crate::cluster::{
    Heard,
    resp::{self, Garbled, Reply},
};
use bytes::{Bytes, BytesMut};
use std::{collections::VecDeque, sync::Arc};
use stoa_protocol::Millis;
use tokio::{io::AsyncReadExt, sync::mpsc};
use tokio_util::sync::CancellationToken;

/// Channels of one command.
const CHANNELS: usize = 256;
/// Room for what is read at once; it is kept while the connection stands.
const READ_BYTES: usize = 32 * 1024;
/// A subscription that takes effect later than this, milliseconds, may have missed more than the look at the store
/// finds within its second.
const LATE_MS: Millis = 1_000;

/// Listens until shutdown, or until nobody takes what is heard.
pub async fn run(shared: Arc<Shared>, heard: mpsc::Sender<Heard>, shutdown: CancellationToken) {
    let mut dialer = Dialer::new(shared.clone(), shutdown.clone(), "listening");
    while let Some(dialed) = dialer.next().await {
        let Some(stream) = dialed else { continue };
        let mut listening = Listening::new(&shared, &heard);
        let ended = tokio::select! {
            ended = listening.serve(stream) => ended,
            () = shutdown.cancelled() => Ok(()),
        };
        let worked = listening.listens;
        shared.listens_no_more();
        match ended {
            Ok(()) => return,
            Err(trouble) => dialer.ended(worked, &trouble),
        }
    }
}

/// A connection that stands.
struct Listening<'a> {
    shared: &'a Shared,
    heard: &'a mpsc::Sender<Heard>,
    out: BytesMut,
    /// Channels that were asked for so far, and those that Redis has confirmed.
    asked: u64,
    confirmed: u64,
    /// Commands that are not confirmed: the count that confirms each, and when it was written.
    open: VecDeque<(u64, Millis)>,
    /// The count that confirms everything that was wanted when the connection was made.
    whole: u64,
    listens: bool,
    since: Millis,
}

impl<'a> Listening<'a> {
    fn new(shared: &'a Shared, heard: &'a mpsc::Sender<Heard>) -> Self {
        let whole = 1 + shared.topics.lock().anew() as u64;
        let (out, open) = (BytesMut::new(), VecDeque::new());
        Self { shared, heard, out, asked: 0, confirmed: 0, open, whole, listens: false, since: shared.now() }
    }

    /// Ends well when nobody takes what is heard.
    async fn serve(&mut self, stream: Stream) -> Result<(), Trouble> {
        let shared = self.shared;
        let (mut read, mut write) = tokio::io::split(stream);
        let mut inbox = BytesMut::new();
        let mut unflushed = true;
        let mut tick = shared.now() + TICK_MS;
        self.ask(b"SUBSCRIBE", std::slice::from_ref(&shared.own));
        loop {
            inbox.reserve(READ_BYTES);
            if !unflushed {
                self.say();
                unflushed = !self.out.is_empty();
            }
            tokio::select! {
                biased;
                got = read.read_buf(&mut inbox) => {
                    if got? == 0 {
                        return Err(Trouble::Closed);
                    }
                    while let Some(reply) = resp::take(&mut inbox)? {
                        if self.hear(reply).await?.is_none() {
                            return Ok(());
                        }
                    }
                }
                flushed = push(&mut write, &mut self.out), if unflushed => unflushed = !flushed?,
                () = shared.options.clock.sleep_until(tick) => {
                    tick = shared.now() + TICK_MS;
                    shared.topics.lock().sweep(shared.now());
                    self.look()?;
                }
                () = shared.orders.notified() => {}
            }
        }
    }

    /// Whether the connection is of use.
    fn look(&self) -> Result<(), Trouble> {
        let waits = !self.listens && self.shared.now().saturating_sub(self.since) > CANARY_MS;
        match waits || self.shared.listener_is_deaf() {
            true => Err(Trouble::Silent),
            false => Ok(()),
        }
    }

    /// Writes the next orders, as many of one kind as fit into a command.
    fn say(&mut self) {
        let mut topics = self.shared.topics.lock();
        let mut channels = Vec::new();
        let mut leaves = false;
        while channels.len() < CHANNELS {
            let Some(order) = topics.next() else { break };
            let (topic, leave) = match &order {
                Order::Subscribe(topic) => (topic, false),
                Order::Unsubscribe(topic) => (topic, true),
            };
            if !channels.is_empty() && leave != leaves {
                topics.put_back(order);
                break;
            }
            leaves = leave;
            channels.push(self.shared.channel(topic));
        }
        drop(topics);
        match (channels.is_empty(), leaves) {
            (true, _) => {}
            (false, true) => self.put(b"UNSUBSCRIBE", &channels),
            (false, false) => self.ask(b"SUBSCRIBE", &channels),
        }
    }

    fn ask(&mut self, command: &[u8], channels: &[String]) {
        self.put(command, channels);
        self.asked += channels.len() as u64;
        self.open.push_back((self.asked, self.shared.now()));
    }

    fn put(&mut self, command: &[u8], channels: &[String]) {
        resp::head(&mut self.out, b'*', 1 + channels.len());
        resp::bulk(&mut self.out, command);
        channels.iter().for_each(|channel| resp::bulk(&mut self.out, channel.as_bytes()));
    }

    /// Takes what Redis says; `None` when nobody is there any more for what is heard.
    async fn hear(&mut self, reply: Reply) -> Result<Option<()>, Trouble> {
        let parts = match reply {
            Reply::List(parts) => parts,
            Reply::Error(text) => return Err(Trouble::Refused(text)),
            Reply::Simple(_) | Reply::Number(_) | Reply::Bulk(_) => return Err(Garbled.into()),
        };
        match parts.as_slice() {
            [Reply::Bulk(Some(kind)), Reply::Bulk(Some(channel)), Reply::Bulk(Some(message))]
                if &kind[..] == b"message" =>
            {
                return Ok(self.take(channel, message).await);
            }
            [Reply::Bulk(Some(kind)), Reply::Bulk(_), Reply::Number(_)] => match &kind[..] {
                b"subscribe" => self.confirm(),
                b"unsubscribe" => {}
                _ => return Err(Garbled.into()),
            },
            _ => return Err(Garbled.into()),
        }
        Ok(Some(()))
    }

    fn confirm(&mut self) {
        self.confirmed += 1;
        while let Some((upto, at)) = self.open.front().copied().filter(|(upto, _)| *upto <= self.confirmed) {
            self.open.pop_front();
            // Before the whole is there the generation grows anyway.
            if upto > self.whole && self.shared.now().saturating_sub(at) > LATE_MS {
                self.shared.missed();
            }
        }
        if self.confirmed >= self.whole && !self.listens {
            self.listens = true;
            self.shared.listens();
        }
    }

    /// A message. Waits for room, and so holds this connection back.
    async fn take(&self, channel: &Bytes, message: &Bytes) -> Option<()> {
        let shared = self.shared;
        let Ok(channel) = std::str::from_utf8(channel) else { return Some(()) };
        let Some((from, body)) = shared.open(channel, message) else { return Some(()) };
        if channel == shared.own {
            if let Some((line, number)) = read_canary(&body) {
                shared.canary(line, number);
            }
            return Some(());
        }
        if shared.is_own(&from) {
            return Some(());
        }
        let Some(topic) = shared.topic(channel) else { return Some(()) };
        count(&shared.counters.heard);
        self.heard.send(Heard { from, topic, body }).await.ok()
    }
}
