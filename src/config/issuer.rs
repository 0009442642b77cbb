//! Issuers: whose tokens are believed, by which keys, and how their claims are read.

use super::{
    claims::ClaimMap,
    net::is_loopback,
    secret::{Secret, read_small},
    source::{ConfigError, Reader, text},
};
use crate::auth::{Algorithm, Key};
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};
use stoa_protocol::GUEST_REALM;
use toml::Value;
use url::Url;

/// A short name of a population of users, which outlives the addresses of its issuers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm(String);

impl Realm {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The realm of guests, which no issuer can be given.
    pub(crate) fn guests() -> Self {
        Self(GUEST_REALM.to_owned())
    }

    /// Whether a text could be the name of a realm: 1 to 32 of `a-z`, `0-9` and `-`.
    pub fn is_legal(text: &str) -> bool {
        (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
}

impl FromStr for Realm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match Self::is_legal(text) {
            true if text == GUEST_REALM => Err(format!("`{text}` is the realm of the server's own guests")),
            true => Ok(Self(text.to_owned())),
            false => Err(format!("`{text}` is no realm: 1 to 32 of a-z, 0-9 and -")),
        }
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a key set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksSource {
    /// Fetched, over https or from this machine.
    Url(Url),
    /// A file, read again at the same interval.
    File(PathBuf),
}

impl fmt::Display for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A query may carry a secret.
            Self::Url(url) => write!(f, "{}{}", url.origin().ascii_serialization(), url.path()),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// One issuer of tokens.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// What the log calls it.
    pub label: String,
    /// What `iss` must be; without it the claim is not looked at.
    pub issuer: Option<String>,
    /// What `aud` must have one of; without any a token that names an audience is refused.
    pub audience: Vec<String>,
    /// The realm of its users; `None` is the default realm.
    pub realm: Option<Realm>,
    /// Keys from files, and the shared secret.
    pub keys: Vec<Key>,
    /// The shared secret, for signing.
    pub secret: Option<Secret>,
    /// Key sets.
    pub jwks: Vec<JwksSource>,
    /// How its claims are read.
    pub claims: ClaimMap,
}

impl IssuerConfig {
    /// An issuer that signs with a secret, native claims, default realm.
    pub fn with_secret(label: &str, secret: Secret) -> Self {
        Self {
            label: label.to_owned(),
            issuer: None,
            audience: Vec::new(),
            realm: None,
            keys: vec![Key::secret(&secret, None)],
            secret: Some(secret),
            jwks: Vec::new(),
            claims: ClaimMap::default(),
        }
    }

    /// Reads one; `None` when nothing about it is set.
    pub(super) fn read(reader: &mut Reader, label: &str) -> Result<Option<Self>, ConfigError> {
        let claims_set = reader.has_table("claims");
        let issuer = reader.optional("issuer", text)?;
        let audience = reader.list("audience", text)?;
        let realm = reader.optional("realm", |v| text(v)?.parse::<Realm>())?;
        let files = reader.list("key_file", KeyFile::of)?;
        let secret = read_secret(reader)?;
        let jwks = read_jwks(reader)?;
        let claims = ClaimMap::read(reader)?;
        claims.check(reader)?;

        let mut keys = secret.iter().map(|secret| Key::secret(secret, None)).collect::<Vec<_>>();
        for file in files {
            keys.push(file.read().map_err(|message| reader.error_at("key_file", message))?);
        }
        if keys.is_empty() && jwks.is_empty() {
            let set = ["issuer", "audience", "realm"].into_iter().find(|key| reader.is_set(key));
            return match set.or(claims_set.then_some("claims")) {
                Some(key) => {
                    Err(reader.error_at(key, "has no key beside it: set key_file, jwks_url, jwks_file or a secret"))
                }
                None => Ok(None),
            };
        }
        // An identity provider signs for all its customers' applications with the same keys.
        if let (false, Some(missing)) = (jwks.is_empty(), missing(&issuer, &audience)) {
            return Err(reader.error(missing, "is missing; a key set may sign for others too, so tokens must name it"));
        }
        let label = issuer.clone().unwrap_or_else(|| label.to_owned());
        Ok(Some(Self { label, issuer, audience, realm, keys, secret, jwks, claims }))
    }
}

fn missing(issuer: &Option<String>, audience: &[String]) -> Option<&'static str> {
    match (issuer, audience) {
        (None, _) => Some("issuer"),
        (Some(_), []) => Some("audience"),
        (Some(_), [_, ..]) => None,
    }
}

fn read_secret(reader: &mut Reader) -> Result<Option<Secret>, ConfigError> {
    let file = reader.optional("secret_file", text)?;
    let given = reader.variable("secret", |text| Secret::new(text.as_bytes()))?;
    match (file, given) {
        (Some(_), Some(_)) => Err(reader.error_at("secret_file", "is set together with STOA_SECRET; give one")),
        (Some(file), None) => {
            Secret::read(Path::new(&file)).map(Some).map_err(|message| reader.error_at("secret_file", message))
        }
        (None, given) => Ok(given),
    }
}

fn read_jwks(reader: &mut Reader) -> Result<Vec<JwksSource>, ConfigError> {
    let urls = reader.list("jwks_url", |v| jwks_url(&text(v)?))?;
    let files = reader.list("jwks_file", |v| {
        let path = PathBuf::from(text(v)?);
        crate::auth::check_set(&read_small(&path)?).map_err(|e| format!("`{}` {e}", path.display()))?;
        Ok(JwksSource::File(path))
    })?;
    Ok(urls.into_iter().chain(files).collect())
}

fn jwks_url(text: &str) -> Result<JwksSource, String> {
    let url = Url::parse(text).map_err(|_| "is no address such as https://id.example/.well-known/jwks.json")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user or password".into());
    }
    match url.scheme() {
        "https" => Ok(JwksSource::Url(url)),
        // Whoever can change the keys on their way can be anybody.
        "http" if is_loopback(&url) => Ok(JwksSource::Url(url)),
        _ => Err("must begin with https:// (http:// is taken for this machine alone)".into()),
    }
}

/// A key in a file: `path`, `path:kid=2024`, `path:alg=HS256`, or a table of `file`, `kid` and `algorithm`.
struct KeyFile {
    path: PathBuf,
    algorithm: Option<Algorithm>,
    kid: Option<String>,
}

impl KeyFile {
    fn of(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(spec) => Self::of_text(spec),
            Value::Table(table) => {
                let mut known = Self { path: PathBuf::new(), algorithm: None, kid: None };
                for (key, value) in table {
                    match key.as_str() {
                        "file" => known.path = text(value)?.into(),
                        "kid" => known.kid = Some(text(value)?),
                        "algorithm" => known.algorithm = Some(text(value)?.parse()?),
                        other => return Err(format!("has the key `{other}`; known are file, kid, algorithm")),
                    }
                }
                known.named()
            }
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) => {
                Err("is no path and no table of file, kid and algorithm".into())
            }
        }
    }

    fn of_text(spec: &str) -> Result<Self, String> {
        let mut known = Self { path: PathBuf::new(), algorithm: None, kid: None };
        let mut rest = spec;
        while let Some((before, option)) = rest.rsplit_once(':') {
            if let Some(kid) = option.strip_prefix("kid=") {
                known.kid = Some(kid.to_owned());
            } else if let Some(algorithm) = option.strip_prefix("alg=") {
                known.algorithm = Some(algorithm.parse()?);
            } else {
                break;
            }
            rest = before;
        }
        known.path = rest.into();
        known.named()
    }

    fn named(self) -> Result<Self, String> {
        if self.path.as_os_str().is_empty() { Err("names no file".into()) } else { Ok(self) }
    }

    fn read(self) -> Result<Key, String> {
        let of_file = |e: String| format!("`{}` {e}", self.path.display());
        if self.algorithm == Some(Algorithm::Hs256) {
            return Secret::read(&self.path).map(|secret| Key::secret(&secret, self.kid.clone())).map_err(of_file);
        }
        let key = Key::pem(&read_small(&self.path)?, self.kid.clone()).map_err(of_file)?;
        match self.algorithm {
            Some(wanted) if wanted != key.algorithm() => {
                Err(of_file(format!("holds a key for {}, not {}", key.algorithm().as_str(), wanted.as_str())))
            }
            Some(_) | None => Ok(key),
        }
    }
}

impl fmt::Display for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(kid) = &self.kid {
            write!(f, ":kid={kid}")?;
        }
        if let Some(algorithm) = self.algorithm {
            write!(f, ":alg={}", algorithm.as_str())?;
        }
        Ok(())
    }
}
