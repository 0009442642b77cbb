//! ICE servers: addresses of STUN and TURN, and time-limited credentials for the latter.
//!
//! The one invariant: nothing that leaves here tells who somebody is. A TURN server logs user names, so users have a
//! pseudonym there, a keyed hash that is the same in every call: limits per user hold, and nobody reads a name in it.
//!
//! ```
//! use stoa_protocol::UserId;
//! use stoa_signaling::turn::{IceSet, Relay};
//!
//! let relay = Relay { urls: vec!["turn:relay.example".parse().unwrap()], secret: b"shared with coturn".to_vec().into() };
//! let set = IceSet { stun: vec![], relay: Some(relay), ttl_s: 3600 };
//! let servers = set.servers(b"a key", &UserId::new("ada").unwrap(), 1_000_000);
//! assert_eq!(servers.expires_at, Some(4_600_000));
//! assert!(servers.servers[0].username.as_ref().unwrap().starts_with("4600:"));
//! ```

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use std::{fmt, str::FromStr, sync::Arc};
use stoa_protocol::{IceServer, IceServers, Millis, UserId};

/// Bytes of a pseudonym: two users share one by chance not before some 10^19.
const PSEUDONYM_BYTES: usize = 16;
/// Longest URL, characters: the longest name of the DNS has 253.
const URL_CHARS: usize = 300;

/// A user name and a password that a TURN server takes until they expire.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The end, in seconds since the Unix epoch, a colon, and whose they are.
    pub username: String,
    /// Base64 of the HMAC-SHA1 over the name.
    pub password: String,
}

impl Credentials {
    /// Makes them as draft-uberti-behave-turn-rest-00, section 2.2 says, and as coturn's `use-auth-secret` wants them.
    /// `whom` must have no colon; `expires_s` is in seconds since the Unix epoch.
    pub fn new(secret: &[u8], whom: &str, expires_s: u64) -> Self {
        let username = format!("{expires_s}:{whom}");
        let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("HMAC takes a key of any length");
        mac.update(username.as_bytes());
        let password = STANDARD.encode(mac.finalize().into_bytes());
        Self { username, password }
    }
}

/// The password is shown to nobody.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).field("password", &"(hidden)").finish()
    }
}

/// What a user is called at the TURN server: hexadecimal digits of a keyed hash.
pub fn pseudonym(key: &[u8], user: &UserId) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(b"turn user\0");
    mac.update(user.as_str().as_bytes());
    mac.finalize().into_bytes()[..PSEUDONYM_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// TURN servers that share a secret with this one.
#[derive(Clone, PartialEq, Eq)]
pub struct Relay {
    /// Where they are; `turn` and `turns`.
    pub urls: Vec<IceUrl>,
    /// The secret, byte for byte as coturn's `static-auth-secret` has it.
    pub secret: Arc<[u8]>,
}

/// The secret is shown to nobody.
impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("urls", &self.urls).field("secret", &"(hidden)").finish()
    }
}

/// The servers of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IceSet {
    /// STUN servers; `stun` and `stuns`. A TURN server is one too.
    pub stun: Vec<IceUrl>,
    /// TURN servers.
    pub relay: Option<Relay>,
    /// For how long credentials are good, seconds.
    pub ttl_s: u64,
}

impl IceSet {
    /// What one user is handed at `now`. `key` makes the pseudonym; it must be the same on every node.
    pub fn servers(&self, key: &[u8], user: &UserId, now: Millis) -> IceServers {
        self.servers_for(key, user, now, self.ttl_s)
    }

    /// As [`IceSet::servers`], for at most `ttl_s` seconds.
    pub fn servers_for(&self, key: &[u8], user: &UserId, now: Millis, ttl_s: u64) -> IceServers {
        let stun =
            (!self.stun.is_empty()).then(|| IceServer { urls: texts(&self.stun), username: None, credential: None });
        let Some(relay) = &self.relay else {
            return IceServers { servers: stun.into_iter().collect(), expires_at: None, refresh_at: None };
        };
        let ttl_s = ttl_s.min(self.ttl_s);
        let expires_s = now / 1000 + ttl_s;
        let Credentials { username, password } = Credentials::new(&relay.secret, &pseudonym(key, user), expires_s);
        let turn = IceServer { urls: texts(&relay.urls), username: Some(username), credential: Some(password) };
        IceServers {
            servers: stun.into_iter().chain([turn]).collect(),
            expires_at: Some(expires_s * 1000),
            // Half: whoever cannot ask just then has as long again to try.
            refresh_at: Some(now + ttl_s * 1000 / 2),
        }
    }
}

fn texts(urls: &[IceUrl]) -> Vec<String> {
    urls.iter().map(ToString::to_string).collect()
}

/// The address of a STUN server (RFC 7064) or a TURN server (RFC 7065), as browsers take it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IceUrl {
    scheme: Scheme,
    text: String,
}

/// What is spoken, and whether beneath TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// STUN.
    Stun,
    /// STUN beneath TLS.
    Stuns,
    /// TURN.
    Turn,
    /// TURN beneath TLS.
    Turns,
}

impl IceUrl {
    /// What is spoken there.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether it is a TURN server's.
    pub fn is_turn(&self) -> bool {
        match self.scheme {
            Scheme::Turn | Scheme::Turns => true,
            Scheme::Stun | Scheme::Stuns => false,
        }
    }
}

impl fmt::Display for IceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for IceUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("`{text}` {why}"));
        if text.len() > URL_CHARS {
            return Err(format!("is longer than {URL_CHARS} characters"));
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return wrong("is no address such as turn:turn.example:3478");
        };
        let scheme = match scheme {
            "stun" => Scheme::Stun,
            "stuns" => Scheme::Stuns,
            "turn" => Scheme::Turn,
            "turns" => Scheme::Turns,
            _ => return wrong("begins with none of stun:, stuns:, turn:, turns:"),
        };
        // Nothing like turn://host: browsers refuse it, all servers of the list with it.
        if rest.starts_with("//") {
            return wrong("has slashes; it is written turn:host, not turn://host");
        }
        if rest.contains('@') {
            return wrong("names a user; credentials are made from the secret");
        }
        let (address, query) = match rest.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (rest, None),
        };
        match (scheme, query) {
            (_, None) => {}
            (Scheme::Turn, Some("transport=udp" | "transport=tcp")) | (Scheme::Turns, Some("transport=tcp")) => {}
            // Browsers know no DTLS towards a TURN server.
            (Scheme::Turns, Some("transport=udp")) => return wrong("cannot be: browsers speak turns over TCP alone"),
            (Scheme::Turn | Scheme::Turns, Some(_)) => return wrong("has more than transport=udp or transport=tcp"),
            (Scheme::Stun | Scheme::Stuns, Some(_)) => return wrong("has a query, which STUN does not know"),
        }
        let (host, port) = split_port(address);
        if !is_host(host) {
            return wrong("names no host");
        }
        if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return wrong("has a port that is none");
        }
        Ok(Self { scheme, text: text.to_owned() })
    }
}

/// The host and the port; the colons of an IPv6 address stand in brackets.
fn split_port(address: &str) -> (&str, Option<&str>) {
    match address.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (address, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(v6) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return v6.parse::<core::net::Ipv6Addr>().is_ok();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    !host.is_empty() && host.chars().all(plain) && host.starts_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::new(id).expect("legal")
    }

    fn relay(url: &str) -> Option<Relay> {
        Some(Relay { urls: vec![url.parse().expect("legal")], secret: b"north".as_slice().into() })
    }

    /// Made by OpenSSL: `printf %s 1433895918:alice | openssl dgst -sha1 -hmac SECRET -binary | base64`.
    #[test]
    fn credentials_are_those_that_openssl_makes() {
        for (secret, whom, expires_s, password) in VECTORS {
            let made = Credentials::new(secret.as_bytes(), whom, expires_s);
            assert_eq!(
                (made.username.as_str(), made.password.as_str()),
                (format!("{expires_s}:{whom}").as_str(), password)
            );
        }
    }

    const VECTORS: [(&str, &str, u64, &str); 3] = [
        ("4080218913", "12334939", 1_433_895_918, "IQLPVsVqKIZRv1LnVN/AGlM+Eeo="),
        ("north", "alice", 1_700_000_000, "Cd/49soE35ICqcJF/bCTn8Z4OyE="),
        (
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "bob",
            4_102_444_800,
            "Pxc10/qsvBuaf2XyDxOWhcCoWNo=",
        ),
    ];

    #[test]
    fn a_pseudonym_is_stable_says_nothing_and_differs_by_user_and_key() {
        let ada = pseudonym(b"key", &user("ada@school.example"));
        assert_eq!(ada, pseudonym(b"key", &user("ada@school.example")));
        assert_eq!(ada.len(), 2 * PSEUDONYM_BYTES);
        assert!(ada.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(ada, pseudonym(b"key", &user("bob@school.example")));
        assert_ne!(ada, pseudonym(b"other", &user("ada@school.example")));
    }

    #[test]
    fn a_user_gets_stun_without_and_turn_with_credentials_until_they_expire() {
        let stun: Vec<IceUrl> = vec!["stun:stun.example".parse().expect("legal")];
        let set = IceSet { stun, relay: relay("turn:turn.example:3478?transport=udp"), ttl_s: 600 };
        let handed = set.servers(b"key", &user("ada"), 1_000_500);
        assert_eq!((handed.expires_at, handed.refresh_at), (Some(1_600_000), Some(1_300_500)));
        assert_eq!(
            handed.servers[0],
            IceServer { urls: vec!["stun:stun.example".into()], username: None, credential: None }
        );
        let expected = Credentials::new(b"north", &pseudonym(b"key", &user("ada")), 1_600);
        assert_eq!(
            handed.servers[1],
            IceServer {
                urls: vec!["turn:turn.example:3478?transport=udp".into()],
                username: Some(expected.username),
                credential: Some(expected.password)
            }
        );
        assert_eq!(set.servers_for(b"key", &user("ada"), 1_000_500, 60).expires_at, Some(1_060_000));
        assert_eq!(set.servers_for(b"key", &user("ada"), 1_000_500, 6000).expires_at, Some(1_600_000));
    }

    #[test]
    fn without_servers_nothing_is_handed_out_and_nothing_expires() {
        assert_eq!(IceSet::default().servers(b"key", &user("ada"), 5), IceServers::default());
    }

    #[test]
    fn nothing_that_is_printed_has_a_secret_in_it() {
        let set = IceSet { stun: vec![], relay: relay("turn:turn.example"), ttl_s: 600 };
        let made = Credentials::new(b"north", "ada", 5);
        let shown = format!("{set:?} {made:?} {:?}", set.servers(b"key", &user("ada"), 5));
        assert!(!shown.contains("north") && !shown.contains(&made.password), "{shown}");
        assert_eq!(shown.matches("(hidden)").count(), 3);
    }

    #[test]
    fn addresses_are_what_browsers_take() {
        for good in [
            "stun:stun.example",
            "stuns:stun.example:5349",
            "turn:turn.example?transport=udp",
            "turn:192.0.2.1:3478?transport=tcp",
            "turn:[2001:db8::1]:3478",
            "turn:[2001:db8::1]",
            "turns:turn.example:443?transport=tcp",
        ] {
            assert_eq!(good.parse::<IceUrl>().map(|url| url.to_string()).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "turn",
            "turn:",
            "turn://turn.example",
            "turn.example:3478",
            "http:turn.example",
            "TURN:turn.example",
            "turn:turn.example:0",
            "turn:turn.example:65536",
            "turn:turn.example:",
            "turn:turn.example?transport=sctp",
            "turns:turn.example?transport=udp",
            "stun:stun.example?transport=udp",
            "turn:user@turn.example",
            "turn:[2001:db8::1",
            "turn:2001:db8::1",
            "turn:turn example",
            "turn:turn.example/path",
            "turn:-turn.example",
        ] {
            assert!(bad.parse::<IceUrl>().is_err(), "{bad:?}");
        }
    }
}
