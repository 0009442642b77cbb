//! An identity provider's key set over HTTP on the loopback, which counts who asks.

use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// It listens until the tests end.
#[derive(Clone)]
pub(crate) struct Provider {
    answer: Arc<Mutex<Vec<u8>>>,
    asked: Arc<AtomicUsize>,
    port: u16,
}

impl Provider {
    /// Serves these keys.
    pub(crate) fn serving(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let provider = Self { answer: Arc::default(), asked: Arc::default(), port };
        provider.serve(keys);
        let own = provider.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                own.asked.fetch_add(1, Ordering::SeqCst);
                // One that went away gets nothing.
                let _ = own.answer(socket);
            }
        });
        provider
    }

    fn answer(&self, socket: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(socket.try_clone()?).lines();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let answer = self.answer.lock().clone();
        (&socket).write_all(&answer)
    }

    /// From now on answers with these keys.
    pub(crate) fn serve(&self, keys: &[Value]) {
        self.say("200 OK", json!({ "keys": keys }).to_string().as_bytes());
    }

    /// From now on answers so.
    pub(crate) fn say(&self, status: &str, body: &[u8]) {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        *self.answer.lock() = [head.as_bytes(), body].concat();
    }

    /// From now on sends elsewhere.
    pub(crate) fn redirect(&self, to: &str) {
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        *self.answer.lock() = answer.into_bytes();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/keys.json", self.port)
    }

    /// How often somebody connected.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
