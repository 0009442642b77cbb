//! A connection that publishes.

use super::{
    CANARY_MS, Saying, Shared, TICK_MS, count,
    dial::{Stream, Trouble, push},
    dialer::Dialer,
};
use crate::cluster::resp::{self, Reply};
use bytes::{BufMut, BytesMut};
use std::sync::{Arc, atomic::Ordering};
use stoa_protocol::Millis;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

/// Messages that are written at once.
const BATCH: usize = 64;
/// How long the end waits for what was said before it, milliseconds.
const FAREWELL_MS: Millis = 500;

/// Publishes what is said until shutdown, and what was said before it.
pub async fn run(shared: Arc<Shared>, line: usize, mut queue: mpsc::Receiver<Saying>, shutdown: CancellationToken) {
    let mut dialer = Dialer::new(shared.clone(), shutdown.clone(), "publishing");
    while let Some(dialed) = dialer.next().await {
        if let Some(stream) = dialed {
            let mut standing = Standing::new(&shared, line, stream);
            let ended = standing.serve(&mut queue, &shutdown).await;
            let worked = standing.worked();
            shared.line_fell(line);
            match ended {
                Ok(()) => return,
                Err(trouble) => dialer.ended(worked, &trouble),
            }
        }
        // Said while nobody could hear it: others find what counts in the store.
        while let Ok(saying) = queue.try_recv() {
            shared.lines[line].waiting.fetch_sub(saying.body.len(), Ordering::AcqRel);
            count(&shared.counters.dropped);
        }
    }
}

/// A connection that stands.
struct Standing<'a> {
    shared: &'a Shared,
    line: usize,
    /// Which connection of the line.
    number: u64,
    stream: Option<Stream>,
    out: BytesMut,
    /// A message on its way into `out`.
    message: BytesMut,
    /// Commands that Redis has not answered, and since when it has not answered any.
    unanswered: u64,
    silent_since: Millis,
    answered: bool,
}

impl<'a> Standing<'a> {
    fn new(shared: &'a Shared, line: usize, stream: Stream) -> Self {
        let number = shared.line_stands(line);
        let (out, message) = (BytesMut::new(), BytesMut::new());
        let silent_since = shared.now();
        Self { shared, line, number, stream: Some(stream), out, message, unanswered: 0, silent_since, answered: false }
    }

    /// Whether it was of use: whoever is refused again and again is asked less and less often.
    fn worked(&self) -> bool {
        self.answered
    }

    async fn serve(&mut self, queue: &mut mpsc::Receiver<Saying>, shutdown: &CancellationToken) -> Result<(), Trouble> {
        let shared = self.shared;
        let (mut read, mut write) = tokio::io::split(self.stream.take().expect("it is served once"));
        let mut inbox = BytesMut::new();
        let mut batch = Vec::with_capacity(BATCH);
        let mut unflushed = false;
        let mut tick = shared.now();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                got = read.read_buf(&mut inbox) => {
                    if got? == 0 {
                        return Err(Trouble::Closed);
                    }
                    self.read(&mut inbox)?;
                }
                flushed = push(&mut write, &mut self.out), if unflushed => unflushed = !flushed?,
                () = shared.options.clock.sleep_until(tick) => {
                    tick = shared.now() + TICK_MS;
                    self.look()?;
                    self.canary();
                    unflushed = true;
                }
                () = shared.lines[self.line].nudge.notified() => {
                    self.canary();
                    unflushed = true;
                }
                got = queue.recv_many(&mut batch, BATCH), if !unflushed => {
                    if got == 0 {
                        break;
                    }
                    batch.drain(..).for_each(|saying| self.say(&saying));
                    unflushed = true;
                }
            }
        }
        // What was said before the end, a farewell perhaps, is still sent.
        while let Ok(saying) = queue.try_recv() {
            self.say(&saying);
        }
        let deadline = shared.now() + FAREWELL_MS;
        let rest = async {
            write.write_all(&self.out).await?;
            write.shutdown().await
        };
        tokio::select! {
            // Nobody is left to be told of a failure.
            _ = rest => {}
            () = shared.options.clock.sleep_until(deadline) => {}
        }
        Ok(())
    }

    fn read(&mut self, inbox: &mut BytesMut) -> Result<(), Trouble> {
        while let Some(reply) = resp::take(inbox)? {
            self.unanswered = self.unanswered.saturating_sub(1);
            self.silent_since = self.shared.now();
            match reply {
                // How many heard it, on this server; it is of no use.
                Reply::Number(_) => self.answers(),
                Reply::Error(text) => return Err(Trouble::Refused(text)),
                Reply::Simple(_) | Reply::Bulk(_) | Reply::List(_) => return Err(resp::Garbled.into()),
            }
        }
        Ok(())
    }

    /// Only now is anything taken that is to be said: a frozen server's system would keep it, and tell it late.
    fn answers(&mut self) {
        if !std::mem::replace(&mut self.answered, true) {
            self.shared.line_opens(self.line);
        }
    }

    /// Whether the connection is of use.
    fn look(&self) -> Result<(), Trouble> {
        self.shared.judge();
        let silent = self.unanswered > 0 && self.shared.now().saturating_sub(self.silent_since) > CANARY_MS;
        match silent || self.shared.line_is_silent(self.line) {
            true => Err(Trouble::Silent),
            false => Ok(()),
        }
    }

    fn canary(&mut self) {
        let mut body = [0; 9];
        body[0] = self.line as u8;
        body[1..].copy_from_slice(&self.number.to_be_bytes());
        let boot = self.shared.boots.read().now;
        self.shared.options.key.seal(&boot, &self.shared.own, &body, &mut self.message);
        self.put(&self.shared.own);
    }

    fn say(&mut self, saying: &Saying) {
        let shared = self.shared;
        shared.lines[self.line].waiting.fetch_sub(saying.body.len(), Ordering::AcqRel);
        let channel = shared.channel(&saying.topic);
        shared.options.key.seal(&saying.from, &channel, &saying.body, &mut self.message);
        self.put(&channel);
        count(&shared.counters.published);
    }

    /// Puts the message that is ready behind what is to be written.
    fn put(&mut self, channel: &str) {
        let message = self.message.split();
        resp::head(&mut self.out, b'*', 3);
        resp::bulk(&mut self.out, b"PUBLISH");
        resp::bulk(&mut self.out, channel.as_bytes());
        resp::head(&mut self.out, b'$', message.len());
        self.out.put(message);
        self.out.put_slice(b"\r\n");
        if self.unanswered == 0 {
            self.silent_since = self.shared.now();
        }
        self.unanswered += 1;
    }
}

/// What a canary says: its line and which of the line's connections.
pub fn read_canary(body: &[u8]) -> Option<(usize, u64)> {
    let (line, number) = body.split_first()?;
    Some((usize::from(*line), u64::from_be_bytes(number.try_into().ok()?)))
}
