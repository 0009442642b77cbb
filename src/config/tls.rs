//! Certificates of the server itself, for those who run it without a proxy.

use super::source::{ConfigError, Reader, text};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

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
        files.load().map_err(|(key, message)| reader.error_at(key, message))?;
        Ok(Some(files))
    }

    /// Reads the files as they are now: TLS 1.2 and 1.3, HTTP/1.1 alone, no client certificates. The error names the
    /// key that is to blame.
    pub fn load(&self) -> Result<Arc<ServerConfig>, (&'static str, String)> {
        let chain = certificates(&self.cert).map_err(|message| ("tls_cert", message))?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|e| ("tls_key", format!("`{}` holds no private key: {e}", self.key.display())))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of both versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| ("tls_key", format!("does not fit tls_cert: {e}")))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match chain {
        Ok(chain) if chain.is_empty() => Err(format!("`{}` holds no certificate", path.display())),
        Ok(chain) => Ok(chain),
        Err(e) => Err(format!("`{}` cannot be read: {e}", path.display())),
    }
}
