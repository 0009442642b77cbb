//! Servers that help two peers to find each other, and for how long a user may use them.

use super::{
    secret::read_small,
    source::{ConfigError, Reader, text},
};
use std::{fmt, ops::RangeInclusive, path::Path, str::FromStr, sync::Arc};
use stoa_signaling::turn::{IceSet, IceUrl, Relay};

/// How long credentials are good when the operator names nothing. Who was thrown out of a call can use the relay for
/// so long; who is in one is handed new ones after half of it.
const TTL_S: u64 = 3_600;
/// Least and most. Below, a slow call could outlive its credentials before it asks again.
const TTL_BOUNDS_S: RangeInclusive<u64> = 60..=7 * 86_400;
/// A shorter secret can be guessed from one pair of credentials, which every user has.
const SECRET_LEAST_BYTES: usize = 16;

/// Reads `stun_url`, `turn_url`, `turn_secret_file` and `turn_ttl`.
pub(super) fn read(r: &mut Reader) -> Result<IceSet, ConfigError> {
    let stun = r.list("stun_url", |v| url(&text(v)?, false))?;
    let turn = r.list("turn_url", |v| url(&text(v)?, true))?;
    let file = r.optional("turn_secret_file", |v| SecretFile::read(text(v)?))?;
    let ttl = r.or("turn_ttl", Ttl(TTL_S), |value| match value {
        toml::Value::Integer(seconds) => seconds.to_string().parse(),
        other => text(other)?.parse(),
    })?;
    let relay = match (turn.is_empty(), file) {
        (true, None) => None,
        (false, Some(file)) => Some(Relay { urls: turn, secret: file.secret }),
        (false, None) => {
            return Err(r.error("turn_secret_file", "is missing, while turn_url is set: credentials are made from it"));
        }
        (true, Some(_)) => return Err(r.error("turn_url", "is missing, while turn_secret_file is set")),
    };
    Ok(IceSet { stun, relay, ttl_s: ttl.0 })
}

fn url(text: &str, turn: bool) -> Result<IceUrl, String> {
    let url: IceUrl = text.parse()?;
    match (url.is_turn(), turn) {
        (true, true) | (false, false) => Ok(url),
        (true, false) => Err(format!("`{text}` is a TURN server's; set turn_url")),
        (false, true) => Err(format!("`{text}` is a STUN server's; set stun_url")),
    }
}

/// A file with the secret of the TURN server; shown as its path.
struct SecretFile {
    path: String,
    secret: Arc<[u8]>,
}

impl SecretFile {
    fn read(path: String) -> Result<Self, String> {
        let bytes = read_small(Path::new(&path))?;
        // Editors end files with a newline, which is not part of the secret.
        let secret = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
        // The TURN server reads it from a line of its configuration, and would cut it off there.
        if !secret.iter().all(u8::is_ascii_graphic) {
            return Err(format!("`{path}` has more than one line of visible ASCII characters"));
        }
        if secret.len() < SECRET_LEAST_BYTES {
            return Err(format!("`{path}` has {} bytes; at least {SECRET_LEAST_BYTES} are needed", secret.len()));
        }
        Ok(Self { secret: secret.into(), path })
    }
}

impl fmt::Display for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// A span of time: seconds, or a number with s, m, h or d.
struct Ttl(u64);

impl FromStr for Ttl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = super::seconds(text)?;
        match TTL_BOUNDS_S.contains(&seconds) {
            true => Ok(Self(seconds)),
            false => Err(format!("`{text}` is not within 1m and {}d", TTL_BOUNDS_S.end() / 86_400)),
        }
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError, Layers};
    use stoa_signaling::turn::IceSet;
    use toml::Value;

    fn read(layers: Layers) -> Result<IceSet, ConfigError> {
        Config::read(layers.flag("dev", true)).map(|config| config.ice)
    }

    fn turn() -> Layers {
        Layers::new().flag("turn_url", vec![Value::from("turn:turn.example")])
    }

    fn secret(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, text).expect("a file");
        let path = path.to_str().expect("UTF-8").to_owned();
        (folder, path)
    }

    #[test]
    fn without_any_key_there_are_no_servers() {
        let ice = read(Layers::new()).expect("legal");
        assert_eq!((ice.stun.len(), ice.relay, ice.ttl_s), (0, None, 3_600));
    }

    #[test]
    fn a_relay_has_addresses_a_secret_and_a_time() {
        let (_folder, path) = secret("0123456789abcdef\r\n");
        let layers = turn().flag("turn_secret_file", path.as_str()).flag("turn_ttl", "2h");
        let config = Config::read(layers.flag("dev", true)).expect("legal");
        let relay = config.ice.relay.expect("a relay");
        assert_eq!((&*relay.secret, config.ice.ttl_s), (&b"0123456789abcdef"[..], 7_200));
        let shown = format!("{:?}", config.settings);
        assert!(shown.contains(&path) && !shown.contains("0123456789abcdef"), "{shown}");
    }

    #[test]
    fn what_is_wrong_names_its_key_and_never_the_secret() {
        let (_short, short) = secret("tooshort");
        let (_lines, lines) = secret("0123456789abcdef\n0123456789abcdef\n");
        let (_good, good) = secret("0123456789abcdef");
        let stun = |url: &str| Layers::new().flag("stun_url", vec![Value::from(url)]);
        for (layers, key) in [
            (stun("turn:turn.example"), "stun_url"),
            (stun("stun://stun.example"), "stun_url"),
            (Layers::new().flag("turn_url", vec![Value::from("stun:stun.example")]), "turn_url"),
            (turn(), "turn_secret_file"),
            (turn().flag("turn_secret_file", "nowhere/at/all"), "turn_secret_file"),
            (turn().flag("turn_secret_file", short.as_str()), "turn_secret_file"),
            (turn().flag("turn_secret_file", lines.as_str()), "turn_secret_file"),
            (Layers::new().flag("turn_secret_file", good.as_str()), "turn_url"),
            (turn().flag("turn_secret_file", good.as_str()).flag("turn_ttl", "59"), "turn_ttl"),
            (turn().flag("turn_secret_file", good.as_str()).flag("turn_ttl", "8d"), "turn_ttl"),
            (turn().flag("turn_secret_file", good.as_str()).flag("turn_ttl", -1), "turn_ttl"),
            (turn().flag("turn_secret_file", good.as_str()).flag("turn_ttl", "soon"), "turn_ttl"),
        ] {
            let error = read(layers).expect_err(key);
            assert_eq!(error.key, key, "{error}");
            assert!(!error.to_string().contains("0123456789abcdef"), "{error}");
        }
    }
}
