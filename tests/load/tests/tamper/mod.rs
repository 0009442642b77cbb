//! A proxy in front of a server that does one thing wrong to one reader.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use stoa_load::{
    scan::{Seen, scan},
    ws::{self, Opcode},
};

/// The delivery, counted over all connections, that is tampered with.
const VICTIM: u64 = 100;

/// What is done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not passed on.
    Lose,
    /// It is passed on twice.
    Double,
    /// It is passed on after the one that follows it.
    Swap,
    /// It is passed on with the words of another message.
    Rewrite,
    /// Everything stands still for so long before it.
    Stall(Duration),
}

/// The proxy. Its threads end with the connections.
pub struct Proxy {
    addr: SocketAddr,
}

impl Proxy {
    pub fn start(server: SocketAddr, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let count = Arc::new(AtomicU64::new(0));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { return };
                let (from, to) = (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
                for stream in [&client, &server] {
                    stream.set_nodelay(true).expect("a socket");
                }
                thread::spawn(move || copy(from, to));
                let count = count.clone();
                thread::spawn(move || tamper(server, client, fault, &count));
            }
        });
        Self { addr }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

fn tamper(mut server: TcpStream, mut client: TcpStream, fault: Fault, count: &AtomicU64) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let mut upgraded = false;
    let mut held: Option<Vec<u8>> = None;
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..read]);
        let mut out = Vec::new();
        if !upgraded {
            let Ok(Some(end)) = ws::response(&bytes) else { continue };
            out.extend(bytes.drain(..end));
            upgraded = true;
        }
        while let Ok(Some(frame)) = ws::frame(&bytes) {
            let whole: Vec<u8> = bytes.drain(..frame.to).collect();
            let is_message = matches!(scan(&whole[frame.from..]), Seen::Message { .. });
            let is_victim = is_message && count.fetch_add(1, Ordering::Relaxed) == VICTIM;
            if !is_victim {
                out.extend_from_slice(&whole);
                if is_message && let Some(earlier) = held.take() {
                    out.extend_from_slice(&earlier);
                }
                continue;
            }
            match fault {
                Fault::Lose => {}
                Fault::Double => [&whole, &whole].iter().for_each(|frame| out.extend_from_slice(frame)),
                Fault::Swap => held = Some(whole),
                Fault::Rewrite => {
                    let text = String::from_utf8_lossy(&whole[frame.from..]).replace("\"text\":\"L", "\"text\":\"L9");
                    ws::write_frame(&mut out, Opcode::Text, text.as_bytes(), None);
                }
                Fault::Stall(time) => {
                    // The victim's connection alone stands still here; its own latencies must tell.
                    thread::sleep(time);
                    out.extend_from_slice(&whole);
                }
            }
        }
        if client.write_all(&out).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}
