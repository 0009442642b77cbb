//! A relay between a server and what it depends on: one address for whatever is behind it at the time.

use parking_lot::Mutex;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// Decides by its channel whether a message is lost.
type Loses = Box<dyn FnMut(&[u8]) -> bool + Send>;

struct Inner {
    target: Mutex<Option<u16>>,
    /// Grows when every connection is to be cut.
    cuts: watch::Sender<u64>,
    loses: Mutex<Loses>,
    lost: AtomicU64,
}

/// A running relay; it ends when this is dropped.
pub struct Proxy {
    inner: Arc<Inner>,
    port: u16,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Passes everything on to a port of this machine.
    pub async fn start(target: u16) -> Self {
        Self::begin(target, false).await
    }

    /// The same in front of a Redis, where [`Proxy::lose`] takes messages out.
    pub async fn before_redis(target: u16) -> Self {
        Self::begin(target, true).await
    }

    async fn begin(target: u16, redis: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let inner = Arc::new(Inner {
            target: Mutex::new(Some(target)),
            cuts: watch::Sender::new(0),
            loses: Mutex::new(Box::new(|_| false)),
            lost: AtomicU64::new(0),
        });
        let shared = inner.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Nothing is behind it: whoever dials is hung up on.
                let Some(target) = *shared.target.lock() else { continue };
                let (shared, mut cuts) = (shared.clone(), shared.cuts.subscribe());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        // However a connection ends, both sides are dropped.
                        _ = relay(client, target, redis, &shared) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { inner, port, accepting }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Leads elsewhere from now on, or nowhere; connections that stand are cut.
    pub fn lead_to(&self, target: Option<u16>) {
        *self.inner.target.lock() = target;
        self.inner.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Messages are lost as this decides by their channels.
    pub fn lose(&self, loses: impl FnMut(&[u8]) -> bool + Send + 'static) {
        *self.inner.loses.lock() = Box::new(loses);
    }

    /// How many messages were lost.
    pub fn lost(&self) -> u64 {
        self.inner.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.lead_to(None);
    }
}

async fn relay(client: TcpStream, target: u16, redis: bool, shared: &Inner) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", target)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((mut from_client, to_client), (from_server, mut to_server)) = (client.into_split(), server.into_split());
    let forth = async {
        match redis {
            true => pass_commands(from_client, to_server, shared).await,
            false => copy(&mut from_client, &mut to_server).await.map(drop),
        }
    };
    // One side that has ended is the end of both.
    tokio::select! {
        ended = forth => ended,
        ended = pass_back(from_server, to_client) => ended,
    }
}

async fn pass_back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    copy(&mut from, &mut to).await.map(drop)
}

/// Passes commands on one by one. A message that is to be lost goes to a channel that nobody listens to, so that its
/// sender gets an answer in its turn.
async fn pass_commands(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Inner) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        if from.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        let mut start = 0;
        while let Some((end, words)) = command(&buffer, start) {
            if let [name, channel, _] = words.as_slice()
                && buffer[name.clone()].eq_ignore_ascii_case(b"PUBLISH")
                && shared.loses.lock()(&buffer[channel.clone()])
            {
                shared.lost.fetch_add(1, Ordering::Relaxed);
                buffer[channel.clone()].fill(b'-');
            }
            start = end;
        }
        to.write_all(&buffer[..start]).await?;
        buffer.drain(..start);
    }
}

/// The command that begins at `start`, when it is all there: where it ends and where its words are.
fn command(buffer: &[u8], start: usize) -> Option<(usize, Vec<std::ops::Range<usize>>)> {
    let line = |from: usize, kind: u8| -> Option<(usize, usize)> {
        let rest = buffer.get(from..)?;
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        assert_eq!(rest[0], kind, "commands are lists of strings");
        let number = std::str::from_utf8(&rest[1..end]).ok()?.parse().expect("a length");
        Some((from + end + 2, number))
    };
    let (mut at, count) = line(start, b'*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (begin, length) = line(at, b'$')?;
        at = begin + length + 2;
        if at > buffer.len() {
            return None;
        }
        words.push(begin..begin + length);
    }
    Some((at, words))
}

#[test]
fn commands_are_taken_one_by_one_and_only_whole() {
    let bytes = b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$2\r\n\r\n\r\n";
    let (first, words) = command(bytes, 0).expect("whole");
    assert_eq!((first, words.len()), (21, 2));
    let (second, words) = command(bytes, first).expect("whole");
    assert_eq!((second, &bytes[words[1].clone()]), (bytes.len(), &b"c"[..]));
    for end in first..bytes.len() {
        assert_eq!(command(&bytes[..end], first), None, "{end}");
    }
}
