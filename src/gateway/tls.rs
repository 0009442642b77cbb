//! TLS from PEM files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::rustls::{
    self, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
};

/// The certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or is not PEM of the expected kind.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: pem::Error,
    },
    /// The file holds no certificate.
    #[error("{}: there is no certificate in it", .0.display())]
    NoCertificate(PathBuf),
    /// The two do not fit together, or are of a kind that is not supported.
    #[error("the certificate and its key: {0}")]
    Pair(#[from] rustls::Error),
}

/// A configuration from a certificate chain (the server's own first) and its private key (PKCS #8, PKCS #1 or SEC1),
/// both PEM. It speaks TLS 1.2 and 1.3, and HTTP/1.1 alone, since WebSockets need it.
///
/// # Errors
/// [`TlsError`] names the file or says what does not fit.
pub fn load(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let in_file = |path: &Path| {
        let path = path.to_owned();
        move |problem| TlsError::File { path: path.clone(), problem }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(in_file(certificate))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(in_file(key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
