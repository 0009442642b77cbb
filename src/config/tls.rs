//! Certificates of the server itself, for those who run it without a proxy.

use super::source::{ConfigError, Reader, text};
use crate::gateway::tls::{self, TlsError};
use std::path::PathBuf;

/// The certificate chain and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those that lead to its authority.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Both files or none; that they fit each other is seen at once.
    pub(super) fn read(reader: &mut Reader) -> Result<Option<Self>, ConfigError> {
        let cert = reader.optional("tls_cert", text)?;
        let key = reader.optional("tls_key", text)?;
        let files = match (cert, key) {
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(reader.error("tls_key", "is missing, while tls_cert is set")),
            (None, Some(_)) => return Err(reader.error("tls_cert", "is missing, while tls_key is set")),
            (Some(cert), Some(key)) => Self { cert: cert.into(), key: key.into() },
        };
        match tls::load(&files.cert, &files.key) {
            Ok(_) => Ok(Some(files)),
            Err(error) => Err(reader.error_at(files.to_blame(&error), error.to_string())),
        }
    }

    fn to_blame(&self, error: &TlsError) -> &'static str {
        match error {
            TlsError::File { path, .. } | TlsError::NoCertificate(path) if *path == self.cert => "tls_cert",
            TlsError::File { .. } | TlsError::NoCertificate(_) | TlsError::Pair(_) => "tls_key",
        }
    }
}
