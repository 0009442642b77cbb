//! Things that must never be printed.

use std::{fmt, path::Path, sync::Arc};

/// RFC 7518, section 3.2: a key for HS256 has at least the size of the hash.
const LEAST_BYTES: usize = 32;
/// A file of that size is no secret but a mistake.
const MOST_BYTES: u64 = 64 * 1024;

/// Bytes that are shown to nobody: neither `Debug` nor `Display` prints them.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// Takes a shared secret; the error says why it cannot be one.
    pub fn new(bytes: &[u8]) -> Result<Self, String> {
        // Editors end files with a newline, which is not part of the secret.
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        // A public key taken for a shared secret would let everybody sign.
        if bytes.starts_with(b"-----BEGIN") {
            return Err("is a PEM file, not a shared secret; give it as key_file".into());
        }
        if bytes.len() < LEAST_BYTES {
            return Err(format!("has {} bytes; HS256 needs at least {LEAST_BYTES}", bytes.len()));
        }
        Ok(Self(bytes.into()))
    }

    /// Reads a shared secret from a file.
    pub fn read(path: &Path) -> Result<Self, String> {
        Self::new(&read_small(path)?)
    }

    /// The bytes, for signing and verifying alone.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Reads a file that should be small; the error names it.
pub(crate) fn read_small(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| format!("`{}` cannot be opened: {e}", path.display()))?;
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|e| format!("`{}` cannot be read: {e}", path.display()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("`{}` is larger than {MOST_BYTES} bytes", path.display()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_to_nobody() {
        let secret = Secret::new(b"0123456789abcdef0123456789abcdef\n").expect("long enough");
        assert_eq!(secret.expose().len(), 32);
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "(hidden) (hidden) Some((hidden))");
    }

    #[test]
    fn a_short_secret_and_a_public_key_are_refused() {
        assert!(Secret::new(b"short").is_err());
        let pem = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n";
        assert!(Secret::new(pem).is_err());
    }
}
