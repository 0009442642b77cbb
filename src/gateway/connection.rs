//! One WebSocket: a task that reads, hands messages to the session, and writes what a flush could not.
//!
//! While the socket takes nothing the task does not read either: that is the back-pressure towards one peer. An
//! idle connection is this future, a session and a mailbox, without a buffer.

use super::{
    Mailbox, Peer, Session, SlotKey, Wanted, WsEndpoint,
    endpoint::Counters,
    frame::Frame,
    guard::{Most, Violation},
    mailbox::{Bounds, Duties, End},
    reader::{Incoming, Reader},
    strangers::Stranger,
    transport::Transport,
};
use crate::clock::{Clock, Sleep};
use std::{
    future::{Future, poll_fn},
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};
use stoa_protocol::{CloseCode, Millis};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// A socket that can become a WebSocket.
pub(super) trait Wire {
    /// Who reads, and who writes.
    fn open(self, bounds: Bounds) -> (Transport, Arc<Mailbox>);
}

impl Wire for TcpStream {
    fn open(self, bounds: Bounds) -> (Transport, Arc<Mailbox>) {
        let (read, write) = self.into_split();
        (Transport::Plain(read), Mailbox::of_socket(Arc::new(write), bounds))
    }
}

impl Wire for TlsStream<TcpStream> {
    fn open(self, bounds: Bounds) -> (Transport, Arc<Mailbox>) {
        (Transport::of_tls(self), Mailbox::of_task(bounds))
    }
}

/// An open WebSocket.
pub(super) struct Connection {
    line: Line,
    conversation: Conversation,
    /// The share of the peer's address, until the session knows who it is.
    stranger: Option<Stranger>,
    address: IpAddr,
    heard_at: Millis,
    /// A ping was sent since something was heard.
    pinged: bool,
    /// Since when the socket takes nothing, and what it had taken by then.
    blocked: Option<(Millis, u64)>,
    /// When the next control frame would be free of charge: a bucket that fills with time.
    control_at: Millis,
    /// The deadline for which the session was ticked last; a session that leaves it standing is not ticked forever.
    ticked: Option<Millis>,
}

/// Both ways of the wire. Dropped, it gives up the mailbox, whoever else still holds that.
struct Line {
    transport: Transport,
    reader: Reader,
    mailbox: Arc<Mailbox>,
    endpoint: Arc<WsEndpoint>,
}

/// The session, and the promise that `closed` is called once, even when a call panics or the task is dropped.
struct Conversation {
    session: Option<Box<dyn Session>>,
}

/// What the task does next.
enum Event {
    Heard(Incoming),
    Illegal(Violation),
    Woken,
    Tick,
    /// The mailbox is closed or its socket is broken.
    Over,
}

/// How a connection's end was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Farewell {
    /// The peer sent a close frame.
    Heard,
    /// The peer is still to answer the close frame.
    Awaited,
    /// Nothing sensible can be heard any more.
    Deaf,
}

impl Connection {
    /// Introduces a socket, right after its handshake, to the handler. `read_past` was read behind the handshake.
    pub(super) fn open(
        wire: impl Wire,
        read_past: &[u8],
        endpoint: Arc<WsEndpoint>,
        peer: Peer,
        stranger: Option<Stranger>,
        wanted: Option<Wanted>,
    ) -> Self {
        let (transport, mailbox) = wire.open(endpoint.limits.mailbox);
        let session = match wanted {
            None => endpoint.handler.accept(&peer, mailbox.clone()),
            Some(wanted) => endpoint.handler.accept_document(&peer, mailbox.clone(), wanted),
        };
        Counters::count(&endpoint.counters().opened);
        let now = endpoint.clock.now();
        Self {
            line: Line { transport, reader: Reader::new(read_past), mailbox, endpoint },
            conversation: Conversation { session: Some(session) },
            stranger,
            address: peer.address,
            heard_at: now,
            pinged: false,
            blocked: None,
            control_at: now,
            ticked: None,
        }
    }

    /// Runs it to its end. `stop` closes it as `going_away`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let clock = self.line.endpoint.clock.clone();
        let mut alarm = Alarm { clock: &*clock, sleep: None };
        let farewell = {
            let mut stop = pin!(stop.cancelled());
            loop {
                let event = poll_fn(|cx| {
                    if stop.as_mut().poll(cx).is_ready() {
                        self.line.mailbox.close(CloseCode::GoingAway);
                    }
                    self.poll_event(cx, &mut alarm)
                })
                .await;
                if let Some(farewell) = self.handle(event).await {
                    break farewell;
                }
                // One read may hold a thousand messages, and a session that never waits would handle them all
                // before anybody else of this thread has its turn.
                tokio::task::consume_budget().await;
            }
        };
        // The hub hears of it now, not after the peer has taken its time.
        tracing::debug!(address = %self.address, ?farewell, "websocket ends");
        self.conversation.end(farewell == Farewell::Heard);
        drop(self.stranger.take());
        self.line.finish(&mut alarm, farewell).await;
    }

    fn poll_event(&mut self, cx: &mut Context<'_>, alarm: &mut Alarm<'_>) -> Poll<Event> {
        loop {
            let duties = self.line.poll_write(cx);
            if duties.end != End::Open {
                return Poll::Ready(Event::Over);
            }
            if duties.woken {
                self.line.mailbox.take_woken();
                return Poll::Ready(Event::Woken);
            }
            let now = self.line.endpoint.clock.now();
            let (deadline, limit) = self.conversation.wants();
            if deadline.is_some_and(|deadline| deadline <= now) && self.ticked != deadline {
                self.ticked = deadline;
                return Poll::Ready(Event::Tick);
            }
            let stalled_at = self.watch_writing(duties, now);
            if self.blocked.is_none()
                && let Poll::Ready(heard) = self.line.reader.poll_next(cx, &mut self.line.transport, limit)
            {
                self.heard_at = now;
                self.pinged = false;
                return Poll::Ready(heard.map_or_else(Event::Illegal, Event::Heard));
            }
            let silent_at = self.watch_silence(now);
            let tick_at = deadline.filter(|deadline| self.ticked != Some(*deadline));
            let next = [stalled_at, tick_at, Some(silent_at)].into_iter().flatten().min().unwrap_or(silent_at);
            ready!(alarm.poll(cx, next));
        }
    }

    /// Notes whether the peer takes what is written; when it would be given up if it takes no more.
    fn watch_writing(&mut self, duties: Duties, now: Millis) -> Option<Millis> {
        if !duties.write {
            self.blocked = None;
            return None;
        }
        let since = match self.blocked {
            Some((since, written)) if written == duties.written => since,
            Some(_) => {
                // It takes what is written, slowly: a sign of life, and the only one that is looked at now.
                self.heard_at = now;
                self.pinged = false;
                now
            }
            None => now,
        };
        self.blocked = Some((since, duties.written));
        let stalled_at = since + self.line.endpoint.limits.stall_ms;
        if duties.refused && now >= stalled_at {
            Counters::count(&self.line.endpoint.counters().slow_consumers);
            tracing::info!(address = %self.address, "slow consumer");
            self.line.mailbox.close_stalled(CloseCode::SlowConsumer);
        }
        duties.refused.then_some(stalled_at)
    }

    /// Asks a silent peer whether it is there, and closes when it does not answer; when to look again.
    fn watch_silence(&mut self, now: Millis) -> Millis {
        let idle_ms = self.line.endpoint.limits.idle_ms;
        if self.pinged && now >= self.heard_at + idle_ms {
            Counters::count(&self.line.endpoint.counters().timeouts);
            self.line.mailbox.close(CloseCode::Timeout);
        } else if !self.pinged && now >= self.heard_at + idle_ms / 2 {
            self.pinged = true;
            // Asked late, because the process stood still say, the peer still gets its time to answer.
            self.heard_at = now - idle_ms / 2;
            self.line.mailbox.push_slot(SlotKey::of(&"ping"), Frame::ping());
            self.line.mailbox.flush();
        }
        self.heard_at + if self.pinged { idle_ms } else { idle_ms / 2 }
    }

    /// Does what an event asks for; `Some` when the connection ends.
    async fn handle(&mut self, event: Event) -> Option<Farewell> {
        let call = match event {
            Event::Heard(Incoming::Text(text)) => self.converse(Call::Text(&text)).await,
            Event::Heard(Incoming::Binary(bytes)) => self.converse(Call::Binary(&bytes)).await,
            Event::Woken => self.converse(Call::Woken).await,
            Event::Tick => self.converse(Call::Tick).await,
            Event::Heard(Incoming::Ping(payload)) => {
                let pong = Frame::pong(&payload);
                return self.spend_control().or_else(|| {
                    // Only the latest ping needs its answer (RFC 6455, section 5.5.3).
                    self.line.mailbox.push_slot(SlotKey::of(&"pong"), pong);
                    self.line.mailbox.flush();
                    None
                });
            }
            Event::Heard(Incoming::Pong) => return self.spend_control(),
            Event::Heard(Incoming::Close(code)) => {
                self.line.mailbox.close_with(code, "");
                return Some(Farewell::Heard);
            }
            Event::Heard(Incoming::End) => {
                return Some(self.refuse(Violation::protocol("ended without a close frame")));
            }
            Event::Illegal(violation) => {
                Counters::count(&self.line.endpoint.counters().violations);
                let Violation { code, reason } = violation;
                tracing::info!(address = %self.address, code, reason, "illegal frame");
                return Some(self.refuse(violation));
            }
            Event::Over => return Some(Farewell::Awaited),
        };
        if let Err(code) = call {
            self.line.mailbox.close(code);
        }
        if self.conversation.is_authenticated() {
            drop(self.stranger.take());
        }
        None
    }

    /// Ends with a code of the protocol.
    fn refuse(&mut self, violation: Violation) -> Farewell {
        self.line.mailbox.close_with(violation.code, violation.reason);
        Farewell::Deaf
    }

    /// Takes one control frame off the peer's share.
    fn spend_control(&mut self) -> Option<Farewell> {
        let limits = &self.line.endpoint.limits;
        let now = self.line.endpoint.clock.now();
        self.control_at = self.control_at.max(now) + limits.control_every_ms;
        if self.control_at <= now + limits.control_every_ms * Millis::from(limits.control_burst) {
            return None;
        }
        Counters::count(&self.line.endpoint.counters().violations);
        tracing::info!(address = %self.address, "too many control frames");
        Some(self.refuse(Violation::policy("too many control frames")))
    }

    /// Calls the session; what waits is written meanwhile.
    async fn converse(&mut self, call: Call<'_>) -> Result<(), CloseCode> {
        let Some(session) = &mut self.conversation.session else { return Ok(()) };
        let mut answer = call.of(&mut **session);
        let line = &mut self.line;
        poll_fn(move |cx| {
            line.poll_write(cx);
            answer.as_mut().poll(cx)
        })
        .await
    }
}

/// A call of the session.
enum Call<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Woken,
    Tick,
}

impl<'a> Call<'a> {
    fn of(self, session: &'a mut dyn Session) -> Pin<Box<dyn Future<Output = Result<(), CloseCode>> + Send + 'a>> {
        match self {
            Self::Text(text) => session.text(text),
            Self::Binary(bytes) => session.binary(bytes),
            Self::Woken => session.woken(),
            Self::Tick => session.tick(),
        }
    }
}

impl Conversation {
    /// The session's deadline, and the largest message that it reads now.
    fn wants(&self) -> (Option<Millis>, Most) {
        self.session.as_ref().map_or((None, Most::from(0)), |session| {
            (session.deadline(), Most { text: session.frame_limit(), binary: session.binary_limit() })
        })
    }

    fn is_authenticated(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_authenticated())
    }

    fn end(&mut self, clean: bool) {
        if let Some(mut session) = self.session.take() {
            session.closed(clean);
        }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.end(false);
    }
}

impl Line {
    /// Writes what only the task may write, as far as the peer takes it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Duties {
        loop {
            let duties = self.mailbox.duties(cx.waker());
            if !duties.write || self.transport.poll_write(cx, &self.mailbox).is_pending() {
                // What the transport holds back wakes the task by itself.
                let _ = self.transport.poll_flush(cx);
                return duties;
            }
        }
    }

    /// Sends what the mailbox holds with its close frame, hears the peer's, shuts the socket. All within the limit
    /// for closing; a peer that takes longer is cut off.
    async fn finish(mut self, alarm: &mut Alarm<'_>, farewell: Farewell) {
        let limits = &self.endpoint.limits;
        let deadline = alarm.clock.now() + limits.close_ms;
        alarm.sleep = None;
        let mut stage = Stage::Write;
        poll_fn(|cx| {
            while let Poll::Ready(next) = self.poll_stage(cx, stage, farewell) {
                let Some(next) = next else { return Poll::Ready(()) };
                stage = next;
            }
            ready!(alarm.poll(cx, deadline));
            self.transport.abort();
            Poll::Ready(())
        })
        .await;
    }

    fn poll_stage(&mut self, cx: &mut Context<'_>, stage: Stage, farewell: Farewell) -> Poll<Option<Stage>> {
        Poll::Ready(match stage {
            Stage::Write => {
                let duties = self.poll_write(cx);
                match duties.end {
                    End::Broken => None,
                    End::Open | End::Closing if !duties.idle => return Poll::Pending,
                    End::Open | End::Closing => {
                        ready!(self.transport.poll_flush(cx));
                        Some(if farewell == Farewell::Awaited { Stage::Hear } else { Stage::Shut })
                    }
                }
            }
            Stage::Hear => {
                let limit = stoa_protocol::limits::FRAME_BYTES;
                match ready!(self.reader.poll_next(cx, &mut self.transport, limit)) {
                    Ok(Incoming::Close(_) | Incoming::End) | Err(_) => Some(Stage::Shut),
                    // Sent before the peer knew; too late.
                    Ok(Incoming::Text(_) | Incoming::Binary(_) | Incoming::Ping(_) | Incoming::Pong) => {
                        Some(Stage::Hear)
                    }
                }
            }
            Stage::Shut => {
                ready!(self.transport.poll_shutdown(cx, &self.mailbox));
                Some(Stage::Drain)
            }
            // A socket that is closed with unread bytes is reset, and the close frame may be lost with it.
            Stage::Drain => ready!(self.reader.poll_discard(cx, &mut self.transport)).then_some(Stage::Drain),
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.mailbox.break_off();
        Counters::count(&self.endpoint.counters().ended);
    }
}

/// How far a closing connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What waits is written, a close frame last.
    Write,
    /// The peer's close frame is awaited.
    Hear,
    /// Nothing more is written.
    Shut,
    /// What the peer still sends is read and forgotten, until it closes too.
    Drain,
}

/// One timer for all of a connection's deadlines. It is not moved when a deadline moves away, only looked at again
/// when it rings.
struct Alarm<'a> {
    clock: &'a dyn Clock,
    sleep: Option<(Millis, Sleep<'a>)>,
}

impl Alarm<'_> {
    /// Ready when the clock has reached `deadline`, or may have.
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Millis) -> Poll<()> {
        let (_, sleep) = match &mut self.sleep {
            Some(set) if set.0 <= deadline => set,
            unset => unset.insert((deadline, self.clock.sleep_until(deadline))),
        };
        ready!(sleep.as_mut().poll(cx));
        self.sleep = None;
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests;
