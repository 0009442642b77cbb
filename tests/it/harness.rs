//! The server as a user has it: the real binary on a real port with a real database, and a client that speaks the
//! protocol's types.
//!
//! Nothing here waits for time to pass: every wait is for an event, and ends in a failure with context when the event
//! does not come within [`PATIENCE`].

mod client;
pub mod commands;
#[path = "../dice.rs"]
mod dice;
mod journal;
mod postgres;
mod proxy;
mod redis;
mod server;
mod token;

pub use client::{Client, Memory, request};
pub use dice::Dice;
pub use journal::{Entry, Journal};
pub use postgres::Postgres;
pub use proxy::Proxy;
pub use redis::{Redis, redis_cli};
use server::free_port;
pub use server::{Backend, Server, Setup, fresh_database};
pub use token::Token;

use std::{future::Future, time::Duration};
use stoa_protocol::{Key, RoomId, Seq, UserId};

/// How long a test waits for something that must happen. Two busy cores are slow; a lost event is lost for ever.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits, and fails when it takes longer than [`PATIENCE`]; `context` is asked what there is to tell then.
pub async fn within<T>(what: &str, context: impl Fn() -> String, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {} s in vain for {what}\n{}", PATIENCE.as_secs(), context()),
    }
}

/// A legal room id.
pub fn room(id: &str) -> RoomId {
    RoomId::new(id).expect("a legal room id")
}

/// A legal user id.
pub fn user(id: &str) -> UserId {
    UserId::new(id).expect("a legal user id")
}

/// A legal sequence.
pub fn seq(number: u64) -> Seq {
    Seq::new(number).expect("a legal sequence")
}

/// A key that nobody else uses.
pub fn fresh_key() -> Key {
    Key::new(format!("{:032x}", u128::from_le_bytes(random_bytes()))).expect("hexadecimal digits are unreserved")
}

fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

impl Dice {
    /// A seed of its own, or the one of `STOA_SEED`; printed, so that a failing run can be played again.
    pub fn new(what: &str) -> Self {
        let drawn = u64::from_le_bytes(random_bytes()[..8].try_into().expect("eight bytes"));
        let seed = std::env::var("STOA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(drawn);
        println!("{what}: STOA_SEED={seed}");
        Self::from(seed)
    }
}

/// Whether the long forms are wanted (`make test-long`).
pub fn is_long() -> bool {
    std::env::var("STOA_LONG").is_ok_and(|long| long == "1")
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_millis()).expect("before the year 292 million")
}
