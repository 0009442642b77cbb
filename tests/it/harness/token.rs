//! Tokens as a host application makes them.

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// The shared secret of the servers under test.
pub const SECRET: &str = "a secret of the tests, at least thirty-two bytes long";
/// Their `iss`.
pub const ISSUER: &str = "test";
/// Their `aud`.
pub const AUDIENCE: &str = "stoa";

/// A token in the making: a user who may create rooms and direct rooms, and opens what they are a member of.
#[derive(Debug, Clone)]
pub struct Token {
    claims: Value,
}

impl Token {
    /// A token that is valid for an hour.
    pub fn of(user: &str) -> Self {
        let now = now_s();
        let stoa = json!({"create": true, "direct": true});
        let claims = json!({"sub": user, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 3600, "name": user, "stoa": stoa});
        Self { claims }
    }

    /// The host application itself.
    pub fn service(user: &str) -> Self {
        Self::of(user).grant("service", json!(true))
    }

    /// Sets a grant: `rooms`, `create`, `direct`, `join`, `service`.
    pub fn grant(mut self, name: &str, value: Value) -> Self {
        self.claims["stoa"][name] = value;
        self
    }

    /// Opens these rooms alone, with a role each.
    pub fn rooms(self, rooms: &[(&str, &str)]) -> Self {
        let rooms =
            rooms.iter().map(|(room, role)| ((*room).to_owned(), json!(role))).collect::<serde_json::Map<_, _>>();
        self.grant("rooms", rooms.into())
    }

    /// Sets a claim beside the grants.
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    /// Signs it.
    pub fn sign(&self) -> String {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        jsonwebtoken::encode(&Header::default(), &self.claims, &key).expect("claims can be signed")
    }
}

/// Seconds since the Unix epoch.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}
