//! Tokens: who gets in and who does not, with keys made here and key sets served here.

mod claims;
mod folder;
mod hostile;
mod keys;
mod provider;
mod providers;
mod sets;

pub(crate) use folder::Folder;
pub(crate) use keys::TestKey;

use serde_json::{Value, json};
use std::path::Path;
use stoa::{
    auth::Verifier,
    config::{Config, Layers},
};
use stoa_protocol::Millis;

/// Now, in all these tests.
pub(crate) const NOW_S: u64 = 1_800_000_000;
pub(crate) const NOW: Millis = NOW_S * 1000;
/// A shared secret of the right size.
pub(crate) const SECRET: &str = "correct horse battery staple, twice over";

/// The configuration of a file's text, with the shared secret when `secret` is set.
pub(crate) fn config(secret: bool, toml: &str) -> Config {
    let variables = secret.then(|| ("STOA_SECRET".to_owned(), SECRET.to_owned()));
    let layers = Layers::new().variables(variables).text(Path::new("test.toml"), toml).expect("TOML");
    Config::read(layers).expect("legal")
}

/// A verifier of such a configuration.
pub(crate) fn verifier(secret: bool, toml: &str) -> Verifier {
    Verifier::new(&config(secret, toml), None)
}

/// Claims that hold for an hour, with `more` in them; `null` takes one away.
pub(crate) fn claims(more: Value) -> Value {
    let mut claims = json!({"sub": "ada", "iat": NOW_S, "exp": NOW_S + 3600});
    let all = claims.as_object_mut().expect("an object");
    for (name, value) in more.as_object().expect("an object") {
        match value {
            Value::Null => drop(all.remove(name)),
            other => drop(all.insert(name.clone(), other.clone())),
        }
    }
    claims
}
