//! What is driven: an address, a process, and who may speak there.

use crate::{
    process::{self, Cpu},
    token::Mint,
};
use anyhow::{Context as _, bail, ensure};
use std::{
    iter::Sum,
    net::{SocketAddr, ToSocketAddrs as _},
};

/// The path of the WebSocket endpoint.
pub const PATH: &str = "/v1/ws";

/// One process of a server.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its process, for CPU and memory; without it those figures are missing.
    pub pid: Option<u32>,
}

/// What a server stands on, as its database.
#[derive(Debug, Clone)]
pub struct Service {
    /// How reports call it.
    pub name: String,
    /// Its first process; those that it started count with it.
    pub pid: u32,
}

impl Service {
    /// The service that listens on this machine where a URL says; `None` when its process cannot be seen.
    #[must_use]
    pub fn of_url(name: &str, url: &str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let host = rest.split(['/', '?']).next()?.rsplit('@').next()?;
        let pid = process::listener(host.to_socket_addrs().ok()?.find(|addr| addr.ip().is_loopback())?)?;
        Some(Self { name: name.into(), pid })
    }
}

/// A running server.
#[derive(Debug, Clone)]
pub struct Target {
    /// How reports call it.
    pub name: String,
    /// Its only process, or the first.
    pub node: Node,
    /// The further ones.
    pub others: Vec<Node>,
    /// What it stands on.
    pub services: Vec<Service>,
    /// The path of its WebSocket endpoint.
    pub path: String,
    /// Who mints tokens for it.
    pub mint: Mint,
}

impl Target {
    /// A server by its URL, `ws://host:port/path`; the path defaults to [`PATH`].
    ///
    /// # Errors
    /// Another scheme (the generator speaks no TLS), a name that does not resolve, or an address beyond this machine
    /// when `anywhere` is not set: load on somebody else's server is an attack.
    pub fn parse(url: &str, mint: Mint, anywhere: bool) -> anyhow::Result<Self> {
        let rest = ["ws://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.with_context(|| format!("{url} is no ws:// address (there is no TLS here)"))?;
        let (host, path) = match rest.split_once('/') {
            Some((host, path)) if !path.is_empty() => (host, format!("/{path}")),
            Some((host, _)) => (host, PATH.to_owned()),
            None => (rest, PATH.to_owned()),
        };
        let mut found = host.to_socket_addrs().with_context(|| format!("{host} is no host:port"))?;
        let addr = found.next().with_context(|| format!("{host} has no address"))?;
        ensure!(
            addr.ip().is_loopback() || anywhere,
            "{addr} is not this machine; if the server is yours, say --i-own-this-target"
        );
        let node = Node { addr, pid: process::listener(addr) };
        Ok(Self { name: "stoa".into(), node, others: vec![], services: vec![], path, mint })
    }

    /// All processes.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.node).chain(&self.others)
    }

    /// Where a connection goes: the nodes in turn.
    pub fn addr_of(&self, connection: usize) -> SocketAddr {
        match connection % (self.others.len() + 1) {
            0 => self.node.addr,
            at => self.others[at - 1].addr,
        }
    }

    /// CPU time of all nodes; `None` when a process is not known.
    pub fn cpu(&self) -> Option<Cpu> {
        self.sum(|pid| process::cpu(pid).ok())
    }

    /// The same in nanoseconds: see [`process::run_ns`].
    pub fn run_ns(&self) -> Option<u64> {
        self.sum(|pid| process::run_ns(pid).ok())
    }

    /// Resident memory of all nodes, bytes; `None` when a process is not known.
    pub fn rss_bytes(&self) -> Option<u64> {
        self.sum(|pid| process::rss_bytes(pid).ok())
    }

    fn sum<T: Sum>(&self, read: impl Fn(u32) -> Option<T>) -> Option<T> {
        self.nodes().map(|node| read(node.pid?)).sum()
    }

    /// Whether each process may open its share of so many sockets.
    ///
    /// # Errors
    /// It may not; the sentence says what is lacking.
    pub fn check_open_files(&self, connections: usize) -> anyhow::Result<()> {
        let share = connections.div_ceil(self.nodes().count());
        match self.nodes().filter_map(|node| process::open_files_of(node.pid?)).min() {
            Some(limit) if limit < share as u64 => {
                bail!("{} may open {limit} files, fewer than {share} connections", self.name)
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> anyhow::Result<Target> {
        Target::parse(url, Mint::new(*b"x"), false)
    }

    #[test]
    fn a_url_names_a_place_on_this_machine() {
        let target = parse("ws://127.0.0.1:8080").expect("loopback");
        assert_eq!((target.node.addr.to_string().as_str(), target.path.as_str()), ("127.0.0.1:8080", PATH));
        assert_eq!(parse("ws://[::1]:9/prefix/v1/ws").expect("loopback").path, "/prefix/v1/ws");
    }

    #[test]
    fn connections_take_the_nodes_in_turn() {
        let mut target = parse("ws://127.0.0.1:8080").expect("loopback");
        assert_eq!(target.addr_of(7).port(), 8080);
        target.others = [8081, 8082].map(|port| Node { addr: ([127, 0, 0, 1], port).into(), pid: None }).into();
        assert_eq!([0, 1, 2, 3].map(|at| target.addr_of(at).port()), [8080, 8081, 8082, 8080]);
        assert!(target.cpu().is_none(), "not all processes are known");
    }

    #[test]
    fn other_machines_are_refused_unless_they_are_ones_own() {
        let error = parse("ws://192.0.2.1:80/").expect_err("not loopback").to_string();
        assert!(error.contains("--i-own-this-target"), "{error}");
        assert!(Target::parse("ws://192.0.2.1:80/", Mint::new(*b"x"), true).is_ok());
        assert!(parse("wss://127.0.0.1:80/").is_err());
        assert!(parse("ws://127.0.0.1").is_err());
    }
}
