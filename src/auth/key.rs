//! Keys. Each has one algorithm, fixed when it is read: what a token's header says only selects among keys, so a
//! public RSA key never verifies an HS256 token.

use crate::config::Secret;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    DecodingKey, crypto,
    jwk::{AlgorithmParameters, Jwk},
};
use serde::Deserialize;
use serde_json::Value;
use std::{fmt, str::FromStr};

/// Keys of one set: identity providers publish two or three, and each costs a token without `kid` a verification.
const SET_KEYS: usize = 32;
/// RFC 7518, section 3.3 asks for 2048 bits; above 4096 a verification costs too much to offer to strangers.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// How a token is signed (RFC 7518, section 3.1; RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256, by a shared secret.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The name in headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    fn engine(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "HS256" => Ok(Self::Hs256),
            "RS256" => Ok(Self::Rs256),
            "ES256" => Ok(Self::Es256),
            "EdDSA" => Ok(Self::EdDsa),
            other => Err(format!("`{other}` is none of HS256, RS256, ES256, EdDSA")),
        }
    }
}

/// A key that verifies tokens of one algorithm.
#[derive(Clone)]
pub struct Key {
    algorithm: Algorithm,
    kid: Option<String>,
    engine: DecodingKey,
}

impl Key {
    /// A shared secret.
    pub fn secret(secret: &Secret, kid: Option<String>) -> Self {
        Self { algorithm: Algorithm::Hs256, kid, engine: DecodingKey::from_secret(secret.expose()) }
    }

    /// A public key in PEM (SPKI, or PKCS#1 for RSA).
    pub fn pem(pem: &[u8], kid: Option<String>) -> Result<Self, String> {
        let text = std::str::from_utf8(pem).map_err(|_| "is no PEM file")?;
        if text.contains("PRIVATE KEY-----") {
            return Err("holds a private key; Stoa needs the public one alone".into());
        }
        if text.contains("BEGIN CERTIFICATE") {
            return Err("holds a certificate; take its public key out with `openssl x509 -pubkey -noout`".into());
        }
        let (algorithm, engine) = if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
            (Algorithm::Rs256, key)
        } else if let Ok(key) = DecodingKey::from_ec_pem(pem) {
            (Algorithm::Es256, key)
        } else if let Ok(key) = DecodingKey::from_ed_pem(pem) {
            (Algorithm::EdDsa, key)
        } else {
            return Err("holds no public key of RSA, P-256 or Ed25519 in PEM".into());
        };
        let key = Self { algorithm, kid, engine };
        key.check()?;
        Ok(key)
    }

    /// The algorithm of the tokens that it verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its id, where it has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether `signature` (base64url) is this key's over `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        crypto::verify(signature, message, &self.engine, self.algorithm.engine()).unwrap_or(false)
    }

    /// That a key can verify at all is seen when it is read and not when the first user comes.
    fn check(&self) -> Result<(), String> {
        // The library cuts Ed25519 keys to 32 bytes without looking whether they are there.
        let short = self.engine.try_get_as_bytes().is_ok_and(|bytes| bytes.len() < 32);
        if self.algorithm == Algorithm::EdDsa && short {
            return Err("is no key for EdDSA".into());
        }
        // An empty signature is wrong, but a key that is none fails before it.
        let usable = crypto::verify("", b"", &self.engine, self.algorithm.engine()).is_ok();
        let wrong = || format!("is no key for {}", self.algorithm.as_str());
        match self.algorithm {
            Algorithm::Hs256 | Algorithm::Es256 | Algorithm::EdDsa if usable => Ok(()),
            Algorithm::Hs256 | Algorithm::Es256 | Algorithm::EdDsa => Err(wrong()),
            Algorithm::Rs256 => {
                let bytes = modulus_bytes(&self.engine).ok_or_else(wrong)?;
                match RSA_BYTES.contains(&bytes) {
                    true => Ok(()),
                    false => Err(format!("is an RSA key of {} bits; 2048 to 4096 are taken", bytes * 8)),
                }
            }
        }
    }
}

/// Key material is shown to nobody, a public one neither: it says nothing that its id does not.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, {:?})", self.algorithm.as_str(), self.kid)
    }
}

fn modulus_bytes(key: &DecodingKey) -> Option<usize> {
    let jwk = Jwk::from_decoding_key(key, None).ok()?;
    match jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = URL_SAFE_NO_PAD.decode(rsa.n).ok()?;
            Some(modulus.iter().skip_while(|byte| **byte == 0).count())
        }
        // The enum of the library is open.
        _ => None,
    }
}

/// A key as a set publishes it (RFC 7517, section 4), as far as Stoa looks.
#[derive(Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Reads a key set (RFC 7517, section 5). Keys that Stoa cannot use are passed over, as the RFC asks; the second value
/// counts them. A set without any usable key is an error, for it would lock everybody out.
pub(super) fn read_set(json: &[u8]) -> Result<(Vec<Key>, usize), String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(json).map_err(|e| format!("is no key set: {e}"))?;
    if set.keys.len() > SET_KEYS {
        return Err(format!("has {} keys; at most {SET_KEYS} are taken", set.keys.len()));
    }
    let all = set.keys.len();
    let keys: Vec<Key> = set.keys.into_iter().filter_map(published).collect();
    if keys.is_empty() {
        return Err("has no key that Stoa can use".into());
    }
    let passed_over = all - keys.len();
    Ok((keys, passed_over))
}

fn published(value: Value) -> Option<Key> {
    let key: Published = serde_json::from_value(value).ok()?;
    let for_signing = key.usage.as_deref().is_none_or(|usage| usage == "sig")
        && key.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    // A symmetric key (`oct`) in a published set would be a secret that everybody knows.
    let (algorithm, engine) = match (key.kty.as_str(), key.crv.as_deref()) {
        ("RSA", None) => (Algorithm::Rs256, DecodingKey::from_rsa_components(key.n.as_deref()?, key.e.as_deref()?)),
        ("EC", Some("P-256")) => {
            let (x, y) = (coordinate(key.x.as_deref()?)?, coordinate(key.y.as_deref()?)?);
            (Algorithm::Es256, DecodingKey::from_ec_components(x, y))
        }
        ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, DecodingKey::from_ed_components(coordinate(key.x.as_deref()?)?)),
        _ => return None,
    };
    let named = key.alg.as_deref().is_none_or(|alg| alg == algorithm.as_str());
    let key = Key { algorithm, kid: key.kid, engine: engine.ok()? };
    (for_signing && named && key.check().is_ok()).then_some(key)
}

/// A coordinate has 32 bytes on both curves; anything else would shift its neighbour.
fn coordinate(text: &str) -> Option<&str> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 32).map(|_| text)
}
