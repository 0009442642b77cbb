//! From an address to a connection that may be used.

use super::Options;
use crate::{
    cluster::resp::{self, Garbled, Reply},
    config::RedisUrl,
};
use bytes::BytesMut;
use std::{io, sync::Arc};
use stoa_protocol::Millis;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

/// How long connecting, TLS and the password may take together, milliseconds.
const DIAL_MS: Millis = 3_000;

/// A connection's two directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to Redis.
pub type Stream = Box<dyn Duplex>;

/// Why there is no connection, or no more. None of its texts has a secret in it.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The network says.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Something else listens there.
    #[error(transparent)]
    Garbled(#[from] Garbled),
    /// Redis says.
    #[error("Redis refuses: {0}")]
    Refused(String),
    /// The other side ended it: it was restarted, or this node did not read for too long.
    #[error("the connection was closed")]
    Closed,
    /// Nothing comes back.
    #[error("no answer")]
    Silent,
}

/// Trust in what the system trusts (`SSL_CERT_FILE` names another file).
///
/// # Errors
/// When there is no certificate to trust, or the library cannot be set up.
pub fn trust() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("the system trusts no certificate at all; SSL_CERT_FILE may name a file of some".into());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Connects, and says the password where there is one.
pub async fn dial(options: &Options) -> Result<Stream, Trouble> {
    let deadline = options.clock.now() + DIAL_MS;
    tokio::select! {
        stream = connect(options) => stream,
        () = options.clock.sleep_until(deadline) => Err(Trouble::Silent),
    }
}

async fn connect(options: &Options) -> Result<Stream, Trouble> {
    let RedisUrl { host, port, .. } = &options.address;
    let socket = TcpStream::connect((host.as_str(), *port)).await?;
    // Each message is wanted at once.
    socket.set_nodelay(true)?;
    let mut stream: Stream = match &options.tls {
        None => Box::new(socket),
        Some(config) => {
            let name = ServerName::try_from(host.clone()).map_err(|error| io::Error::other(error.to_string()))?;
            Box::new(TlsConnector::from(config.clone()).connect(name, socket).await?)
        }
    };
    login(&mut stream, &options.address).await?;
    Ok(stream)
}

async fn login(stream: &mut Stream, address: &RedisUrl) -> Result<(), Trouble> {
    let Some(password) = &address.password else { return Ok(()) };
    let mut out = BytesMut::new();
    match &address.user {
        Some(user) => resp::command(&mut out, &[b"AUTH", user.as_bytes(), password.expose().as_bytes()]),
        None => resp::command(&mut out, &[b"AUTH", password.expose().as_bytes()]),
    }
    stream.write_all(&out).await?;
    stream.flush().await?;
    let mut inbox = BytesMut::new();
    loop {
        match resp::take(&mut inbox)? {
            // Nothing else was asked, so nothing else was said.
            Some(Reply::Error(text)) => return Err(Trouble::Refused(text)),
            Some(_) => return Ok(()),
            None if stream.read_buf(&mut inbox).await? == 0 => return Err(Trouble::Closed),
            None => {}
        }
    }
}

/// Writes some of what is to be written; when there is nothing left, makes sure that it is on its way, and then tells
/// true. May be dropped at any time.
pub async fn push(write: &mut (impl AsyncWrite + Unpin), out: &mut BytesMut) -> io::Result<bool> {
    if !out.is_empty() {
        return write.write_buf(out).await.map(|_| false);
    }
    write.flush().await.map(|()| true)
}
