//! One connection between a client and a node: what the gateway's task does, over a mailbox without a socket.

use super::process::{Life, Process};
use crate::{
    clock::Clock,
    gateway::{Due, Handler, Mailbox, Peer, Session, TestSink},
    hub::{Hub, HubHandler},
};
use parking_lot::Mutex;
use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use stoa_protocol::CloseCode;
use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

/// After this long a server takes a connection for lost on which nothing is heard, milliseconds; its task pings in
/// between (`limits.idle_ms`).
const IDLE: Duration = Duration::from_secs(30);

/// The client's end.
pub struct Link {
    to_server: Mutex<Option<mpsc::UnboundedSender<String>>>,
    sink: TestSink,
    /// What had arrived when the other side died.
    last: Mutex<Option<Vec<String>>>,
    is_over: AtomicBool,
    over: Notify,
    /// Packets vanish, both ways.
    is_lost: AtomicBool,
    process: Arc<Process>,
}

impl Link {
    /// Connects to a node that accepts.
    pub fn open(process: &Arc<Process>, hub: &Arc<Hub>) -> Arc<Self> {
        let (mailbox, sink) = Mailbox::for_test();
        let peer = Peer { address: Ipv4Addr::LOCALHOST.into(), secure: false };
        let session = HubHandler(hub.clone()).accept(&peer, mailbox.clone());
        let (to_server, said) = mpsc::unbounded_channel();
        let link = Arc::new(Self {
            to_server: Mutex::new(Some(to_server)),
            sink: sink.clone(),
            last: Mutex::default(),
            is_over: AtomicBool::new(false),
            over: Notify::new(),
            is_lost: AtomicBool::new(false),
            process: process.clone(),
        });
        let weak: Weak<Self> = Arc::downgrade(&link);
        process.at_death(move || {
            if let Some(link) = weak.upgrade() {
                link.cut_off();
            }
        });
        let clock = hub.clock().clone();
        tokio::spawn(serve(process.clone(), clock, session, mailbox, sink, said, link.clone()));
        link
    }

    /// Says something to the server.
    pub fn say(&self, text: String) {
        if let Some(to_server) = &*self.to_server.lock() {
            // A server that is gone hears nothing.
            let _heard = to_server.send(text);
        }
    }

    /// What has come since the last call.
    pub fn take(&self) -> Vec<String> {
        if self.is_lost.load(Ordering::Relaxed) {
            return vec![];
        }
        let mut last = self.last.lock();
        match last.as_mut() {
            Some(last) => std::mem::take(last),
            None => self.sink.take(),
        }
    }

    /// Completes when there is something to take.
    pub async fn changed(&self) {
        self.sink.changed().await;
    }

    /// Completes when the other side has ended it.
    pub async fn ended(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            self.over.notified().await;
        }
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.over.notify_waiters();
    }

    /// The client reads nothing from now on, or again.
    pub fn stall(&self, stalls: bool) {
        if stalls { self.sink.block() } else { self.sink.unblock() }
    }

    /// The client closes it.
    pub fn close(&self) {
        *self.to_server.lock() = None;
        self.sink.block();
    }

    /// The network is gone: neither side is told.
    pub fn lose(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
        self.sink.block();
    }

    /// The process at the other end died. What it had written may have been lost on the way.
    fn cut_off(&self) {
        let arrived = if self.process.chance(2) == 0 { self.sink.take() } else { vec![] };
        *self.last.lock() = Some(arrived);
        self.end();
    }
}

/// What the gateway's task does: one thing at a time, and nothing is read while a command waits.
async fn serve(
    process: Arc<Process>,
    clock: Arc<dyn Clock>,
    mut session: Box<dyn Session>,
    mailbox: Arc<Mailbox>,
    sink: TestSink,
    mut said: mpsc::UnboundedReceiver<String>,
    link: Arc<Link>,
) {
    let mut clean = false;
    loop {
        let deadline = session.deadline().unwrap_or(u64::MAX).min(clock.now() + 3_600_000);
        let outcome = tokio::select! {
            biased;
            due = sink.due() => {
                process.gate().await;
                match due {
                    Due::Woken => session.woken().await,
                    Due::Over => break,
                }
            }
            text = said.recv() => {
                let Some(text) = text else {
                    process.gate().await;
                    clean = true;
                    break;
                };
                travel(&process).await;
                process.gate().await;
                session.text(&text).await
            }
            () = clock.sleep_until(deadline) => session.tick().await,
            () = vanished(&link) => {
                process.gate().await;
                break;
            }
        };
        if let Err(code) = outcome {
            mailbox.close(code);
            break;
        }
    }
    if process.life() == Life::Dead {
        return;
    }
    session.closed(clean);
    mailbox.close(CloseCode::GoingAway);
    link.end();
}

/// Completes when nothing was heard for as long as a server waits.
async fn vanished(link: &Link) {
    loop {
        sleep(IDLE).await;
        if link.is_lost.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// One way between a client and its node.
async fn travel(process: &Process) {
    let wait = process.chance(12).saturating_sub(6);
    if wait > 0 {
        sleep(Duration::from_millis(wait)).await;
    }
}
