//! The configuration: flags before `STOA_` variables before a TOML file.
//!
//! The one invariant: a [`Config`] is whole and legal. It is parsed, and every file that it names is read, before a
//! port is bound; what is wrong is a [`ConfigError`] that names its key.
//!
//! ```
//! use stoa::config::{Config, Layers};
//!
//! let config = Config::read(Layers::new().flag("dev", true).flag("listen", "127.0.0.1:0")).unwrap();
//! assert!(config.dev.is_some());
//!
//! let wrong = Config::read(Layers::new().flag("dev", true).flag("listen", "0.0.0.0:80")).unwrap_err();
//! assert_eq!(wrong.key, "listen");
//! ```

mod claims;
mod ice;
mod issuer;
mod limits;
mod net;
mod page;
mod redis;
mod secret;
mod source;
mod store;
mod tls;

pub use claims::{ClaimMap, Pointer};
pub use issuer::{IssuerConfig, JwksSource, Realm};
pub use limits::Limits;
pub use net::{Cidr, Origin, Origins, PublicUrl};
pub use page::{LoginUrl, PageConfig};
pub use redis::{ClusterConfig, Password, Prefix, RedisUrl};
pub use secret::Secret;
pub(crate) use secret::read_small;
pub use source::{ConfigError, Layers, Setting, Source, flag_of, variable_of};
pub use store::{Database, DatabaseUrl, StoreConfig};
pub use tls::TlsFiles;

use source::{Reader, text};
use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};
use stoa_signaling::turn::IceSet;

/// Largest leeway, seconds: clocks that are further apart than that are broken.
const LEEWAY_MAX_S: u64 = 30;
/// The file of the secret that `--dev` makes for itself.
const DEV_SECRET_FILE: &str = "dev-secret";

/// Said when there is no source of keys at all.
const NO_KEYS: &str = "is missing: nobody could log in. Set key_file, jwks_url, jwks_file, secret_file or STOA_SECRET, \
                       or try it out with --dev";

/// Everything that an operator decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Where what is said is kept.
    pub store: StoreConfig,
    /// Where other nodes are rung; `None` is a node that is alone.
    pub cluster: Option<ClusterConfig>,
    /// Whose tokens are believed. Empty only with `--dev`.
    pub issuers: Vec<IssuerConfig>,
    /// Allowed difference between the issuers' clocks and this one.
    pub leeway: Duration,
    /// How often key sets are looked at again.
    pub jwks_refresh: Duration,
    /// What a token allows that does not say.
    pub rights: Rights,
    /// Which pages may call the server.
    pub origins: Origins,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Cidr>,
    /// Certificates of the server itself.
    pub tls: Option<TlsFiles>,
    /// Where browsers find the server.
    pub public_url: Option<PublicUrl>,
    /// What the server's own page needs to know.
    pub page: PageConfig,
    /// Servers that help the peers of a call to find each other.
    pub ice: IceSet,
    /// Set with `--dev`.
    pub dev: Option<Dev>,
    /// How the log looks.
    pub log_format: LogFormat,
    /// How long clients have to go when the server stops.
    pub drain: Duration,
    /// The bounds on what strangers, users, connections and rooms may take.
    pub limits: Limits,
    /// Every key with its value and source, for `stoa config check`.
    pub settings: Vec<Setting>,
    /// Variables that begin with `STOA_` and that nothing reads.
    pub unread_variables: Vec<String>,
}

/// What a token allows that does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// Whether users may create rooms.
    pub create: bool,
    /// Whether users may open direct rooms with anybody.
    pub direct: bool,
    /// Whether users may join any room but direct ones by its id.
    pub join: bool,
}

/// Where the secret of `--dev` comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dev {
    /// The configured one.
    Configured(Secret),
    /// Made at the first start and kept in this file, so that a restart logs nobody out.
    File(PathBuf),
    /// Made at every start.
    Memory,
}

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Human,
    /// A JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            other => Err(format!("`{other}` is neither human nor json")),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

impl Config {
    /// Makes a configuration of what was given.
    pub fn read(layers: Layers) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(layers);
        let r = &mut reader;
        let dev = r.switch("dev", false)?;
        let listen = r.or("listen", SocketAddr::from(([127, 0, 0, 1], 8080)), |v| net::listen(&text(v)?))?;
        if dev && !listen.ip().is_loopback() {
            let message = format!("is {listen}, but --dev lets anybody in and binds to this machine alone");
            return Err(r.error_at("listen", message));
        }
        let store = StoreConfig::read(r)?;
        let cluster = ClusterConfig::read(r, &store.database)?;
        let (issuers, tables) = read_issuers(r)?;
        let leeway = Duration::from_secs(r.number("leeway_seconds", 10, 0..=LEEWAY_MAX_S)?);
        let jwks_refresh = Duration::from_secs(r.number("jwks_refresh_seconds", 300, 1..=86_400)?);
        let rights = Rights::read(r, dev)?;
        let public_url = r.optional("public_url", |v| text(v)?.parse::<PublicUrl>())?;
        let mut listed = r.list("allowed_origin", |v| text(v)?.parse::<Origin>())?;
        listed.extend(public_url.iter().map(|url| url.origin().clone()));
        let page = PageConfig::read(r, &listed, dev)?;
        let trusted_proxies = r.list("trusted_proxy", |v| text(v)?.parse::<Cidr>())?;
        let tls = TlsFiles::read(r)?;
        let ice = ice::read(r)?;
        let log_format = r.or("log_format", LogFormat::default(), |v| text(v)?.parse())?;
        let drain = Duration::from_secs(r.number("drain_seconds", 20, 0..=3_600)?);
        let limits = Limits::read(r)?;
        let unread_variables = r.unread_variables();
        let mut settings = reader.finish()?;
        settings.extend(tables);
        // Last, because a key that is misspelt explains why there is none.
        if issuers.is_empty() && !dev {
            return Err(ConfigError::new("key_file", NO_KEYS));
        }
        Ok(Self {
            listen,
            dev: dev.then(|| Dev::of(&issuers, &store)),
            store,
            cluster,
            issuers,
            leeway,
            jwks_refresh,
            rights,
            origins: Origins { listed, loopback: dev },
            trusted_proxies,
            tls,
            ice,
            public_url,
            page,
            log_format,
            drain,
            limits,
            settings,
            unread_variables,
        })
    }
}

/// A span of time in seconds: a number alone, or with s, m, h or d behind it.
///
/// # Errors
/// Says what is wrong with the text.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        other => return Err(format!("`{other}` is none of s, m, h, d")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("`{text}` is no time such as 90, 15m or 2h"))?;
    number.checked_mul(unit).ok_or_else(|| format!("`{text}` is too long"))
}

/// The issuer of the flags, then those of the tables, with the settings of the tables.
fn read_issuers(r: &mut Reader) -> Result<(Vec<IssuerConfig>, Vec<Setting>), ConfigError> {
    let mut issuers: Vec<IssuerConfig> = IssuerConfig::read(r, "issuer")?.into_iter().collect();
    let mut settings = Vec::new();
    for (n, mut table) in r.tables("issuers")?.into_iter().enumerate() {
        let issuer = IssuerConfig::read(&mut table, &format!("issuers[{n}]"))?;
        issuers
            .push(issuer.ok_or_else(|| table.error("key_file", "is missing, and so is every other source of keys"))?);
        settings.extend(table.finish()?);
    }
    Ok((issuers, settings))
}

impl Rights {
    fn read(r: &mut Reader, dev: bool) -> Result<Self, ConfigError> {
        let create = r.switch("rights.create", dev)?;
        let direct = r.or("rights.direct", DirectDefault(dev), |v| match text(v)?.as_str() {
            "anybody" => Ok(DirectDefault(true)),
            "nobody" => Ok(DirectDefault(false)),
            other => Err(format!("`{other}` is neither nobody nor anybody")),
        })?;
        let join = r.switch("rights.join", dev)?;
        Ok(Self { create, direct: direct.0, join })
    }
}

struct DirectDefault(bool);

impl fmt::Display for DirectDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "anybody" } else { "nobody" })
    }
}

impl Dev {
    fn of(issuers: &[IssuerConfig], store: &StoreConfig) -> Self {
        match (issuers.iter().find_map(|issuer| issuer.secret.clone()), &store.data_dir) {
            (Some(secret), _) => Self::Configured(secret),
            (None, Some(dir)) => Self::File(dir.join(DEV_SECRET_FILE)),
            (None, None) => Self::Memory,
        }
    }
}
