//! Whose word is taken for a client's address: only that of the proxies that the operator named.

use super::Peer;
use crate::config::Cidr;
use axum::http::HeaderMap;
use std::net::IpAddr;

/// Addresses and networks of reverse proxies in front of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<Cidr>,
}

impl TrustedProxies {
    /// Those of the list, each an address or a network like `10.0.0.0/8` or `fd00::/8`.
    ///
    /// # Errors
    /// A sentence that names the one that is neither.
    pub fn new<S: AsRef<str>>(list: impl IntoIterator<Item = S>) -> Result<Self, String> {
        let networks = list.into_iter().map(|item| item.as_ref().parse()).collect::<Result<_, _>>()?;
        Ok(Self { networks })
    }

    /// Those of the configuration.
    pub fn of(networks: &[Cidr]) -> Self {
        Self { networks: networks.to_vec() }
    }

    /// Whether `address` is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Who a request comes from: the other end of the socket, unless that is a trusted proxy. Then
    /// `X-Forwarded-For` is read from its end, over the proxies in it that are trusted too, up to the first address
    /// that is not: what stands before it anybody may have written.
    pub fn peer(&self, socket: IpAddr, tls: bool, headers: &HeaderMap) -> Peer {
        let mut address = socket.to_canonical();
        if !self.contains(address) {
            return Peer { address, secure: tls };
        }
        let forwarded: Vec<&str> =
            headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
        for hop in forwarded.iter().flat_map(|value| value.split(',')).rev() {
            // A hop that is no address says that whoever wrote it is not to be believed further.
            let Some(hop) = hop_address(hop.trim()) else { break };
            address = hop;
            if !self.contains(address) {
                break;
            }
        }
        let protocol = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        Peer { address, secure: tls || protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("https")) }
    }
}

/// An address, which some proxies write with a port.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.split_once(']')).map(|(address, _port)| address);
    let address = bare.unwrap_or(hop).parse().ok();
    let with_port = || hop.parse().ok().map(|socket: std::net::SocketAddr| socket.ip());
    address.or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn peer(proxies: &[&str], socket: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a value"));
        }
        let proxies = TrustedProxies::new(proxies).expect("networks");
        proxies.peer(address(socket), false, &headers).address.to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        assert_eq!(peer(&[], "1.2.3.4", &["9.9.9.9"]), "1.2.3.4");
        assert_eq!(peer(&["10.0.0.0/8"], "1.2.3.4", &["9.9.9.9"]), "1.2.3.4");
        assert_eq!(peer(&["10.0.0.0/8"], "10.1.1.1", &["9.9.9.9, 5.6.7.8"]), "5.6.7.8", "the proxy added the last");
        assert_eq!(peer(&["10.0.0.0/8"], "10.1.1.1", &["9.9.9.9", "5.6.7.8, 10.2.2.2"]), "5.6.7.8");
        assert_eq!(peer(&["10.0.0.0/8"], "10.1.1.1", &["9.9.9.9, nonsense, 10.2.2.2"]), "10.2.2.2");
        assert_eq!(peer(&["10.0.0.0/8"], "10.1.1.1", &[]), "10.1.1.1");
        assert_eq!(peer(&["::1"], "::1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(peer(&["127.0.0.1"], "::ffff:127.0.0.1", &["5.6.7.8:99"]), "5.6.7.8");
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_about_tls() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-proto", "https".parse().expect("a value"));
        let proxies = TrustedProxies::new(["10.0.0.1"]).expect("an address");
        assert!(proxies.peer(address("10.0.0.1"), false, &headers).secure);
        assert!(!proxies.peer(address("10.0.0.2"), false, &headers).secure);
    }

    #[test]
    fn networks_are_compared_by_their_prefix() {
        let proxies = TrustedProxies::new(["10.0.0.0/8", "fd00::/8", "0.0.0.0/32"]).expect("networks");
        for inside in ["10.255.0.1", "fdff::1", "0.0.0.0", "::ffff:10.0.0.1"] {
            assert!(proxies.contains(address(inside)), "{inside}");
        }
        for outside in ["11.0.0.1", "fe00::1", "0.0.0.1", "::1"] {
            assert!(!proxies.contains(address(outside)), "{outside}");
        }
        assert!(TrustedProxies::new(["0.0.0.0/0"]).expect("a network").contains(address("8.8.8.8")));
        for wrong in ["10.0.0.0/33", "ten", "::/129", "10.0.0.0/", ""] {
            assert!(TrustedProxies::new([wrong]).is_err(), "{wrong}");
        }
    }
}
