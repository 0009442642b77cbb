//! What is driven: an address, a process, and who may speak there.

use crate::{process, token::Mint};
use anyhow::{Context as _, bail, ensure};
use std::net::{SocketAddr, ToSocketAddrs as _};

/// The path of the WebSocket endpoint.
pub const PATH: &str = "/v1/ws";

/// A running server.
#[derive(Debug, Clone)]
pub struct Target {
    /// How reports call it.
    pub name: String,
    /// Where it listens.
    pub addr: SocketAddr,
    /// The path of its WebSocket endpoint.
    pub path: String,
    /// Its process, for CPU and memory; without it those figures are missing.
    pub pid: Option<u32>,
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
        Ok(Self { name: "stoa".into(), addr, path, pid: process::listener(addr), mint })
    }

    /// Whether the server's process may open so many sockets.
    ///
    /// # Errors
    /// It may not; the sentence says what is lacking.
    pub fn check_open_files(&self, connections: usize) -> anyhow::Result<()> {
        let limit = self.pid.and_then(process::open_files_of);
        match limit {
            Some(limit) if limit < connections as u64 => {
                bail!("{} may open {limit} files, fewer than {connections} connections", self.name)
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
        assert_eq!((target.addr.to_string().as_str(), target.path.as_str()), ("127.0.0.1:8080", PATH));
        assert_eq!(parse("ws://[::1]:9/prefix/v1/ws").expect("loopback").path, "/prefix/v1/ws");
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
