//! Tokens as the host application would mint them: JSON Web Tokens signed with HS256 (RFC 7515, RFC 7519).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

/// How long a token lasts, seconds: longer than any run.
const LIFE_S: u64 = 24 * 3600;

/// Mints tokens under one secret.
#[derive(Clone)]
pub struct Mint {
    secret: Vec<u8>,
    /// The `iss` claim.
    pub issuer: Option<String>,
    /// The `aud` claim.
    pub audience: Option<String>,
}

/// The secret must not be printed.
impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mint").field("issuer", &self.issuer).field("audience", &self.audience).finish_non_exhaustive()
    }
}

impl Mint {
    /// Signs with this secret: the bytes that the server was given.
    pub fn new(secret: impl Into<Vec<u8>>) -> Self {
        Self { secret: secret.into(), issuer: None, audience: None }
    }

    /// A token of a user that opens one room as a member, when the room is not open to them yet.
    pub fn member(&self, user: &str, room: &str) -> String {
        self.token(user, &json!({ "rooms": { room: { "role": "member" } } }))
    }

    /// A token of the host application.
    pub fn service(&self, user: &str) -> String {
        self.token(user, &json!({ "service": true, "create": true }))
    }

    /// A token with these grants in its `stoa` claim.
    pub fn token(&self, user: &str, grants: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut claims = json!({ "sub": user, "iat": now, "exp": now + LIFE_S, "stoa": grants });
        if let Some(issuer) = &self.issuer {
            claims["iss"] = json!(issuer);
        }
        if let Some(audience) = &self.audience {
            claims["aud"] = json!(audience);
        }
        let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_carries_its_claims_and_the_signature_of_the_rfc() {
        let mut mint = Mint::new(*b"secret");
        mint.issuer = Some("load".into());
        let token = mint.member("u1", "r1");
        let parts: Vec<&str> = token.split('.').collect();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).expect("base64")).expect("json");
        assert_eq!(claims["sub"], "u1");
        assert_eq!(claims["iss"], "load");
        assert_eq!(claims["stoa"]["rooms"]["r1"]["role"], "member");
        assert_eq!(claims["exp"].as_u64(), claims["iat"].as_u64().map(|iat| iat + LIFE_S));
        let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").expect("any length");
        mac.update(format!("{}.{}", parts[0], parts[1]).as_bytes());
        mac.verify_slice(&URL_SAFE_NO_PAD.decode(parts[2]).expect("base64")).expect("signed");
        assert!(!format!("{mint:?}").contains("secret"));
    }
}
