//! Where the nodes of a cluster ring each other.

use super::{
    Secret,
    source::{ConfigError, Reader, text},
    store::Database,
};
use std::{fmt, path::Path, str::FromStr};
use url::{Host, Url};

/// What channels begin with when nobody says.
const PREFIX: &str = "stoa";
/// Redis' port.
const PORT: u16 = 6379;

/// How nodes find each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Where Redis is.
    pub redis: RedisUrl,
    /// What the names of channels begin with.
    pub prefix: Prefix,
    /// Signs messages; `None` leaves that to the deployment's secret in the store.
    pub key: Option<Secret>,
}

impl ClusterConfig {
    /// `None` is a node that is alone.
    pub(super) fn read(r: &mut Reader, database: &Database) -> Result<Option<Self>, ConfigError> {
        let redis = r.optional("redis_url", |v| text(v)?.parse::<RedisUrl>())?;
        let prefix = r.or("redis_prefix", Prefix(PREFIX.into()), |v| text(v)?.parse())?;
        let file = r.optional("cluster_key_file", text)?;
        let key = file.map(|file| read_key(Path::new(&file))).transpose();
        let key = key.map_err(|message| r.error_at("cluster_key_file", message))?;
        let Some(redis) = redis else {
            return match ["redis_prefix", "cluster_key_file"].into_iter().find(|key| r.is_set(key)) {
                Some(key) => Err(r.error_at(key, "is set without redis_url, and has no use then")),
                None => Ok(None),
            };
        };
        match database {
            Database::Postgres(_) => Ok(Some(Self { redis, prefix, key })),
            Database::Sqlite(_) => {
                let message =
                    "is set, but several nodes need one database that they share: set database_url to Postgres";
                Err(r.error_at("redis_url", message))
            }
        }
    }
}

/// A file of at least 32 bytes, of which a newline at the end is no part.
fn read_key(file: &Path) -> Result<Secret, String> {
    Secret::read(file).map_err(|problem| problem.replace("HS256", "the key"))
}

/// What the names of channels begin with, so that deployments which share a Redis do not hear each other: 1 to 64 of
/// `A-Z`, `a-z`, `0-9`, `.`, `_`, `:` and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
        match (1..=64).contains(&text.len()) && text.chars().all(plain) {
            true => Ok(Self(text.into())),
            false => Err(format!("`{text}` is not 1 to 64 letters, digits, `.`, `_`, `:` and `-`")),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A password: it is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password, for logging in alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// The address of a Redis. It shows itself without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    /// Whether by TLS.
    pub tls: bool,
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Who logs in; `None` is Redis' default user.
    pub user: Option<String>,
    /// With what; without it nobody logs in.
    pub password: Option<Password>,
}

impl FromStr for RedisUrl {
    type Err = String;

    // No error quotes the address: it may hold a password.
    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|e| format!("is no address such as redis://host:6379: {e}"))?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err("must begin with redis:// or rediss://".into()),
        };
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            Some(Host::Domain(_)) | None => return Err("names no host".into()),
        };
        // A number of a database is allowed, for services write it: channels belong to none.
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.path()[1.min(url.path().len())..].bytes().all(|b| b.is_ascii_digit())
        {
            return Err("must have a host, a port, a user and a password alone".into());
        }
        let user = Some(plain(url.username())).filter(|user| !user.is_empty());
        let password = url.password().map(|password| Password(plain(password)));
        if user.is_some() && password.is_none() {
            return Err("names a user without a password; a password alone is written redis://:password@host".into());
        }
        Ok(Self { tls, host, port: url.port().unwrap_or(PORT), user, password })
    }
}

/// What percent signs stand for. Plus and ampersand stand for themselves in this part of an address.
fn plain(escaped: &str) -> String {
    let escaped = format!("={}", escaped.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(escaped.as_bytes()).next().map_or_else(String::new, |(_, value)| value.into_owned())
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tls, host, port, user, password } = self;
        let scheme = if *tls { "rediss" } else { "redis" };
        let user = user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        write!(f, "{scheme}://{user}{host}:{port}{}", if password.is_some() { " (password hidden)" } else { "" })
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shows_no_password() {
        let url: RedisUrl = "rediss://stoa:p%40ss%2Fw+rd&%25@cache.example:6380/0".parse().expect("legal");
        assert_eq!((url.tls, &*url.host, url.port, url.user.as_deref()), (true, "cache.example", 6380, Some("stoa")));
        assert_eq!(url.password.as_ref().map(Password::expose), Some("p@ss/w+rd&%"));
        let shown = format!("{url} {url:?}");
        assert!(shown.contains("rediss://stoa@cache.example:6380") && !shown.contains("ss/w"), "{shown}");
        let url: RedisUrl = "redis://:secret@[::1]".parse().expect("legal");
        assert_eq!((&*url.host, url.port, url.user), ("::1", 6379, None));
        assert_eq!("redis://127.0.0.1".parse::<RedisUrl>().expect("legal").to_string(), "redis://127.0.0.1:6379");
    }

    #[test]
    fn what_is_no_address_of_a_redis_is_refused_without_a_word_of_the_password() {
        for bad in [
            "localhost:6379",
            "http://h",
            "redis://",
            "redis:///0",
            "redis://h/x",
            "redis://h?password=hunter2",
            "redis://user@h",
            "redis+unix:///run/redis.sock",
            "redis://x:hunter2@[h",
        ] {
            let error = bad.parse::<RedisUrl>().expect_err(bad);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_prefix_is_plain() {
        assert!("stoa:prod-1.a_B".parse::<Prefix>().is_ok());
        for bad in ["", "a b", "a*", "ü", &"x".repeat(65)] {
            assert!(bad.parse::<Prefix>().is_err(), "{bad}");
        }
    }
}
