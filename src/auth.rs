//! Tokens: who somebody is, and what they may do.
//!
//! The one invariant: an [`Identity`] comes from a token that a configured key signed, by the algorithm of that key,
//! for this server, now. Verifying does no IO, so nothing in a token makes the server fetch anything: `kid` is
//! compared with the ids of known keys and `jku`, `x5u`, `jwk` are not looked at.
//!
//! ```
//! use stoa::auth::{Minter, Ticket, Verifier};
//! use stoa::config::{Config, Layers};
//!
//! let layers = Layers::new().variables([("STOA_SECRET".into(), "a secret of at least 32 bytes...".into())]);
//! let config = Config::read(layers).unwrap();
//! let minter = Minter::new(&config.issuers[0]).unwrap();
//! let token = minter.mint(&Ticket::of("ada"), 1_700_000_000_000);
//!
//! let verifier = Verifier::new(&config, None);
//! let identity = verifier.verify(&token, 1_700_000_000_000).unwrap();
//! assert_eq!(identity.user.as_str(), "ada");
//! ```

mod claims;
mod jwks;
mod key;
mod mint;

pub use key::{Algorithm, Key};
pub(crate) use mint::dev_secret;
pub use mint::{Minter, Ticket};

use crate::{
    config::{Config, IssuerConfig, Rights, Secret},
    identity::Identity,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jwks::KeySet;
use serde::Deserialize;
use serde_json::Value;
use std::{fmt, sync::Arc};
use stoa_protocol::{ErrorCode, Fault, Millis};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Longest token, bytes: it travels in the first frame, which has 4 KiB.
const TOKEN_BYTES: usize = 4 * 1024;
/// What of a stranger's text gets into the log, characters.
const CLIP_CHARS: usize = 64;

/// What `serve` needs for tokens.
pub struct Auth {
    /// Verifies.
    pub verifier: Arc<Verifier>,
    /// Makes the tokens of those who log in by name. Only with `--dev`.
    pub login: Option<Minter>,
}

impl Auth {
    /// Makes or finds the secret of `--dev` and looks at every key set once, for ten seconds at most. A set that does
    /// not answer does not keep the server from starting: [`Verifier::keep_fresh`] tries again.
    ///
    /// `guests` is the deployment's secret for the tokens of guests.
    pub async fn start(config: &Config, guests: Option<Secret>) -> anyhow::Result<Self> {
        let dev = config.dev.as_ref().map(dev_secret).transpose()?;
        let login = dev.as_ref().map(|secret| Minter::dev(secret.clone()));
        let verifier = Verifier::new(config, dev);
        let verifier = Arc::new(match guests {
            Some(secret) => verifier.with_guests(secret),
            None => verifier,
        });
        verifier.refresh().await;
        Ok(Self { verifier, login })
    }
}

/// Whether bytes are a key set that Stoa can use; for the configuration, which reads files before a port is bound.
pub(crate) fn check_set(json: &[u8]) -> Result<(), String> {
    key::read_set(json).map(|_| ())
}

/// Verifies tokens against the configured issuers. It is shared by all connections.
pub struct Verifier {
    issuers: Vec<Issuer>,
    leeway: Millis,
    refresh: std::time::Duration,
    rights: Rights,
    looks: watch::Sender<u64>,
}

struct Issuer {
    config: IssuerConfig,
    sets: Vec<Arc<KeySet>>,
}

impl Verifier {
    /// The issuers of the configuration; key sets are empty until they are looked at. `dev` is the secret of those
    /// who log in by name.
    pub fn new(config: &Config, dev: Option<Secret>) -> Self {
        let dev = dev.map(mint::dev_issuer);
        let issuers = config.issuers.iter().cloned().chain(dev).map(Issuer::new);
        Self {
            issuers: issuers.collect(),
            leeway: config.leeway.as_millis() as Millis,
            refresh: config.jwks_refresh,
            rights: config.rights,
            looks: watch::Sender::new(0),
        }
    }

    /// Takes the server's own tokens of guests too, which are signed with this secret.
    #[must_use]
    pub fn with_guests(mut self, secret: Secret) -> Self {
        self.issuers.push(Issuer::new(mint::guest_issuer(secret)));
        self
    }

    /// Verifies a token. Every refusal is `unauthorized` in the same words; the log has the reason.
    pub fn verify(&self, token: &str, now: Millis) -> Result<Identity, Fault> {
        self.examine(token, now).map_err(|refusal| {
            tracing::info!(reason = %refusal, "token refused");
            Fault::new(ErrorCode::Unauthorized, "there is no valid token")
        })
    }

    /// Verifies a token and tells the reason of a refusal, which is for the operator and not for the one who sent it.
    pub fn examine(&self, token: &str, now: Millis) -> Result<Identity, Refusal> {
        let parts = Parts::of(token)?;
        let named = parts.claims.get("iss").and_then(Value::as_str);
        let mut refusal = Refusal::Issuer(named.map(clip));
        for issuer in self.issuers.iter().filter(|issuer| issuer.config.may_be(named)) {
            let read = issuer
                .signed(&parts)
                .and_then(|()| claims::identity(&parts.claims, &issuer.config, self.rights, now, self.leeway));
            match read {
                Ok(identity) => return Ok(identity),
                // The issuer that came furthest is the one that was meant.
                Err(further) if further.stage() >= refusal.stage() => refusal = further,
                Err(_) => {}
            }
        }
        Err(refusal)
    }

    /// Looks at every key set once, all at the same time.
    pub async fn refresh(&self) {
        let mut looks = tokio::task::JoinSet::new();
        for set in self.sets() {
            looks.spawn(jwks::look(set));
        }
        while looks.join_next().await.is_some() {
            self.looks.send_modify(|n| *n += 1);
        }
    }

    /// Looks at every key set again and again until told to stop. A set that fails keeps its last good keys.
    pub async fn keep_fresh(self: Arc<Self>, stop: CancellationToken) {
        let mut loops = tokio::task::JoinSet::new();
        for set in self.sets() {
            loops.spawn(jwks::keep_fresh(set, self.refresh, self.looks.clone()));
        }
        // Dropping the set of tasks ends them.
        stop.cancelled().await;
    }

    /// Counts how often key sets were looked at.
    pub fn looks(&self) -> watch::Receiver<u64> {
        self.looks.subscribe()
    }

    /// The key sets that never gave a key so far: their issuers' users cannot log in. For readiness.
    pub fn missing_sets(&self) -> Vec<String> {
        self.sets().filter(|set| set.keys().is_empty()).map(|set| set.source().to_string()).collect()
    }

    fn sets(&self) -> impl Iterator<Item = Arc<KeySet>> {
        self.issuers.iter().flat_map(|issuer| issuer.sets.iter().cloned())
    }
}

impl IssuerConfig {
    /// Whether a token that names this issuer, or none, can be its.
    fn may_be(&self, named: Option<&str>) -> bool {
        self.issuer.is_none() || self.issuer.as_deref() == named
    }
}

impl Issuer {
    fn new(config: IssuerConfig) -> Self {
        let sets = config.jwks.iter().map(|source| Arc::new(KeySet::new(source.clone()))).collect();
        Self { config, sets }
    }

    /// Whether one of the keys signed it. Tries those of the token's algorithm whose id is the token's, where both
    /// have one.
    fn signed(&self, parts: &Parts<'_>) -> Result<(), Refusal> {
        let fits = |key: &Key| {
            let same_kid = parts.kid.is_none() || key.kid().is_none() || key.kid() == parts.kid.as_deref();
            key.algorithm() == parts.algorithm && same_kid
        };
        let sets: Vec<Arc<[Key]>> = self.sets.iter().map(|set| set.keys()).collect();
        let all = self.config.keys.iter().chain(sets.iter().flat_map(|keys| keys.iter()));
        let mut tried = false;
        for key in all.filter(|key| fits(key)) {
            tried = true;
            if key.verifies(parts.message.as_bytes(), parts.signature) {
                return Ok(());
            }
        }
        match tried {
            true => Err(Refusal::Signature),
            false => Err(Refusal::NoKey { algorithm: parts.algorithm, kid: parts.kid.as_deref().map(clip) }),
        }
    }
}

/// Why a token was refused. It quotes the token's words shortened and never the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Longer than 4 KiB; the number is its bytes.
    TooLong(usize),
    /// Not three parts of base64url, the first two JSON objects.
    Malformed(&'static str),
    /// Signed in a way that Stoa does not take.
    Algorithm(String),
    /// Its issuer is not configured.
    Issuer(Option<String>),
    /// No key of its issuer has this algorithm and id.
    NoKey {
        /// The token's.
        algorithm: Algorithm,
        /// The token's.
        kid: Option<String>,
    },
    /// No key that it may be signed with has signed it.
    Signature,
    /// A claim is missing or says no.
    Claim {
        /// Which one.
        claim: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Refusal {
    /// How far verifying came.
    fn stage(&self) -> u8 {
        match self {
            Self::TooLong(_) | Self::Malformed(_) | Self::Algorithm(_) => 0,
            Self::Issuer(_) => 1,
            Self::NoKey { .. } => 2,
            Self::Signature => 3,
            Self::Claim { .. } => 4,
        }
    }

    fn claim(claim: impl fmt::Display, problem: impl Into<String>) -> Self {
        Self::Claim { claim: claim.to_string(), problem: problem.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(bytes) => write!(f, "it has {bytes} bytes, more than {TOKEN_BYTES}"),
            Self::Malformed(what) => write!(f, "{what}"),
            Self::Algorithm(name) => write!(f, "the algorithm {name} is not taken"),
            Self::Issuer(Some(name)) => write!(f, "the issuer {name} is not configured"),
            Self::Issuer(None) => write!(f, "it names no issuer"),
            Self::NoKey { algorithm, kid: Some(kid) } => write!(f, "there is no {} key {kid}", algorithm.as_str()),
            Self::NoKey { algorithm, kid: None } => write!(f, "there is no {} key", algorithm.as_str()),
            Self::Signature => write!(f, "the signature is wrong"),
            Self::Claim { claim, problem } => write!(f, "the claim {claim} {problem}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// A stranger's text for the log: short, in quotes, its control characters escaped.
fn clip(text: &str) -> String {
    let short: String = text.chars().take(CLIP_CHARS).collect();
    format!("{short:?}")
}

/// A token taken apart (RFC 7515, section 3.1), nothing of it believed yet.
struct Parts<'t> {
    algorithm: Algorithm,
    kid: Option<String>,
    claims: Value,
    message: &'t str,
    signature: &'t str,
}

/// What Stoa looks at in a header (RFC 7515, section 4.1).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl<'t> Parts<'t> {
    fn of(token: &'t str) -> Result<Self, Refusal> {
        if token.len() > TOKEN_BYTES {
            return Err(Refusal::TooLong(token.len()));
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed("it is no token"))?;
        let (header, payload) = message.split_once('.').ok_or(Refusal::Malformed("it has two parts, not three"))?;
        let decode = |part: &str, what| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed(what));
        let header = decode(header, "its header is no base64url")?;
        let header: Header =
            serde_json::from_slice(&header).map_err(|_| Refusal::Malformed("its header is not as RFC 7515 says"))?;
        // RFC 7515, section 4.1.11: who does not understand an extension that is critical must refuse.
        if header.crit.is_some() {
            return Err(Refusal::Malformed("its header has critical extensions"));
        }
        let algorithm = header.alg.parse().map_err(|_| Refusal::Algorithm(clip(&header.alg)))?;
        let claims = decode(payload, "its claims are no base64url")?;
        let claims: Value =
            serde_json::from_slice(&claims).map_err(|_| Refusal::Malformed("its claims are no JSON"))?;
        match claims.is_object() {
            true => Ok(Self { algorithm, kid: header.kid, claims, message, signature }),
            false => Err(Refusal::Malformed("its claims are no object")),
        }
    }
}
