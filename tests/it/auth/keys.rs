//! Keys of each kind, and tokens signed with them, honest or not.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::pkcs8::{EncodePrivateKey, EncodePublicKey, spki::der::pem::LineEnding};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use rand::{RngCore, rngs::OsRng};
use rsa::{
    RsaPrivateKey,
    pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey},
    traits::PublicKeyParts,
};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A key pair, or a shared secret.
#[derive(Clone)]
pub(crate) struct TestKey {
    /// The name of its algorithm.
    pub(crate) alg: &'static str,
    /// The public half as PEM; the secret itself for HS256.
    pub(crate) public: String,
    /// The public half as a published key, without an id.
    pub(crate) jwk: Value,
    signing: EncodingKey,
}

/// Making RSA keys takes long, so the tests share two.
static RSA: LazyLock<[TestKey; 2]> = LazyLock::new(|| [rsa_key(2048), rsa_key(2048)]);

impl TestKey {
    pub(crate) fn hs256(secret: &[u8]) -> Self {
        let jwk = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(secret)});
        let public = String::from_utf8_lossy(secret).into_owned();
        Self { alg: "HS256", public, jwk, signing: EncodingKey::from_secret(secret) }
    }

    /// One of two RSA keys.
    pub(crate) fn rs256(which: usize) -> Self {
        RSA[which].clone()
    }

    pub(crate) fn es256() -> Self {
        let key = p256::ecdsa::SigningKey::random(&mut OsRng);
        let der = key.to_pkcs8_der().expect("PKCS#8");
        let point = key.verifying_key().to_encoded_point(false);
        let [x, y] = [point.x(), point.y()].map(|c| URL_SAFE_NO_PAD.encode(c.expect("not at infinity")));
        Self {
            alg: "ES256",
            public: key.verifying_key().to_public_key_pem(LineEnding::LF).expect("PEM"),
            jwk: json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}),
            signing: EncodingKey::from_ec_der(der.as_bytes()),
        }
    }

    pub(crate) fn eddsa() -> Self {
        let mut seed = [0; 32];
        OsRng.fill_bytes(&mut seed);
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        let der = key.to_pkcs8_der().expect("PKCS#8");
        let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        Self {
            alg: "EdDSA",
            public: key.verifying_key().to_public_key_pem(LineEnding::LF).expect("PEM"),
            jwk: json!({"kty": "OKP", "crv": "Ed25519", "x": x}),
            signing: EncodingKey::from_ed_der(der.as_bytes()),
        }
    }

    /// One of each kind that has a public half.
    pub(crate) fn each() -> Vec<Self> {
        vec![Self::rs256(0), Self::es256(), Self::eddsa()]
    }

    /// The published key under an id.
    pub(crate) fn published(&self, kid: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.alg.into();
        jwk
    }

    /// An honest token.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"alg": self.alg, "typ": "JWT"}), claims)
    }

    /// An honest token that names its key.
    pub(crate) fn sign_kid(&self, kid: &str, claims: &Value) -> String {
        self.sign_as(&json!({"alg": self.alg, "typ": "JWT", "kid": kid}), claims)
    }

    /// A token with any header at all, signed by this key's own algorithm.
    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// A token of any two texts.
    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        let algorithm = match self.alg {
            "HS256" => Algorithm::HS256,
            "RS256" => Algorithm::RS256,
            "ES256" => Algorithm::ES256,
            "EdDSA" => Algorithm::EdDSA,
            other => panic!("no key has {other}"),
        };
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = crypto::sign(message.as_bytes(), &self.signing, algorithm).expect("signed");
        format!("{message}.{signature}")
    }
}

/// A key of this size; small ones are quick to make and refused.
pub(crate) fn rsa_key(bits: usize) -> TestKey {
    let key = RsaPrivateKey::new(&mut OsRng, bits).expect("an RSA key");
    let public = key.to_public_key();
    let [n, e] = [public.n(), public.e()].map(|number| URL_SAFE_NO_PAD.encode(number.to_bytes_be()));
    let der = key.to_pkcs1_der().expect("PKCS#1");
    TestKey {
        alg: "RS256",
        public: public.to_pkcs1_pem(LineEnding::LF).expect("PEM"),
        jwk: json!({"kty": "RSA", "n": n, "e": e}),
        signing: EncodingKey::from_rsa_der(der.as_bytes()),
    }
}
