//! Published key sets: looked at when the server starts and then in the background, never because of a token.

use super::key::{Key, read_set};
use crate::config::{JwksSource, read_small};
use parking_lot::RwLock;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};
use url::Url;

/// Largest answer, bytes: a set of 32 keys with certificates fits several times.
const SET_BYTES: u64 = 256 * 1024;
/// A look takes no longer.
const LOOK: Duration = Duration::from_secs(10);
/// The pause after a first failure; it doubles with every further one.
const RETRY: Duration = Duration::from_secs(1);
/// The longest pause while there are no keys at all.
const RETRY_WITHOUT_KEYS: Duration = Duration::from_secs(30);

/// A key set and the last good keys of it.
pub(super) struct KeySet {
    source: JwksSource,
    /// Swapped as a whole; held for the copy of a pointer.
    keys: RwLock<Arc<[Key]>>,
}

impl KeySet {
    pub(super) fn new(source: JwksSource) -> Self {
        Self { source, keys: RwLock::new(Arc::new([])) }
    }

    pub(super) fn keys(&self) -> Arc<[Key]> {
        self.keys.read().clone()
    }

    pub(super) fn source(&self) -> &JwksSource {
        &self.source
    }
}

/// Looks once; tells whether it went well.
pub(super) async fn look(set: Arc<KeySet>) -> bool {
    let source = set.source.clone();
    let looked = tokio::task::spawn_blocking(move || match &source {
        JwksSource::Url(url) => fetch(url),
        JwksSource::File(path) => read_small(path),
    });
    let read = match looked.await {
        Ok(bytes) => bytes.and_then(|bytes| read_set(&bytes)),
        Err(stopped) => Err(stopped.to_string()),
    };
    match read {
        Ok((keys, passed_over)) => {
            tracing::debug!(source = %set.source, keys = keys.len(), passed_over, "key set read");
            *set.keys.write() = keys.into();
            true
        }
        Err(reason) => {
            let kept = set.keys().len();
            tracing::warn!(source = %set.source, reason, kept, "key set not read");
            false
        }
    }
}

/// Looks again and again, for ever. The first look has been taken at the start.
pub(super) async fn keep_fresh(set: Arc<KeySet>, refresh: Duration, looks: watch::Sender<u64>) {
    let mut failures = u32::from(set.keys().is_empty());
    loop {
        tokio::time::sleep(pause(refresh, failures, set.keys().is_empty())).await;
        failures = if look(set.clone()).await { 0 } else { failures.saturating_add(1) };
        looks.send_modify(|n| *n += 1);
    }
}

/// The time to the next look, spread by a fifth so that a fleet that was started together does not ask together.
fn pause(refresh: Duration, failures: u32, without_keys: bool) -> Duration {
    let most = if without_keys { refresh.min(RETRY_WITHOUT_KEYS) } else { refresh };
    let base = match failures {
        0 => refresh,
        n => RETRY.saturating_mul(1 << (n - 1).min(12)).min(most),
    };
    let mut byte = [0];
    // Without randomness there is no spread, which is no reason to stop.
    let _ = getrandom::fill(&mut byte);
    base.mul_f64(0.8 + 0.4 * f64::from(byte[0]) / 255.0)
}

/// Fetches a set. The address is the operator's, and only it: no redirect leads elsewhere.
fn fetch(url: &Url) -> Result<Vec<u8>, String> {
    let mut config = Agent::config_builder()
        .timeout_global(Some(LOOK))
        .max_redirects(0)
        .max_redirects_will_error(true)
        .max_response_header_size(16 * 1024)
        .tls_config(TlsConfig::builder().root_certs(roots()).build())
        .user_agent(concat!("stoa/", env!("CARGO_PKG_VERSION")));
    if url.scheme() == "http" {
        // Only this machine is asked without TLS, and no proxy stands in between.
        config = config.proxy(None);
    }
    let agent: Agent = config.build().into();
    // The library's errors quote the address, whose query may carry a secret.
    let failed = |error: ureq::Error| match error {
        ureq::Error::StatusCode(status) => format!("it answered {status}"),
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        ureq::Error::HostNotFound => "its host was not found".to_owned(),
        ureq::Error::TooManyRedirects => "it redirects elsewhere".to_owned(),
        ureq::Error::BodyExceedsLimit(_) => format!("its answer is larger than {SET_BYTES} bytes"),
        ureq::Error::Io(error) => format!("it could not be reached: {error}"),
        other => format!("it could not be read: {other}").replace(url.as_str(), "(address)"),
    };
    let mut response = agent.get(url.as_str()).header("accept", "application/json").call().map_err(failed)?;
    response.body_mut().with_config().limit(SET_BYTES).read_to_vec().map_err(failed)
}

/// The authorities that this machine trusts, for a school's own provider may have a certificate of its own authority;
/// on a machine that trusts none, as in a bare container, those that browsers do.
fn roots() -> RootCerts {
    let trusted = rustls_native_certs::load_native_certs().certs;
    if trusted.is_empty() {
        return RootCerts::WebPki;
    }
    let trusted: Vec<Certificate<'static>> =
        trusted.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    RootCerts::new_with_certs(&trusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_set_is_asked_less_and_less_often() {
        let refresh = Duration::from_secs(300);
        let near = |pause: Duration, base: u64| {
            let base = Duration::from_secs(base);
            (base.mul_f64(0.79)..=base.mul_f64(1.21)).contains(&pause)
        };
        for (failures, base) in [(0, 300), (1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (u32::MAX, 300)] {
            assert!(near(pause(refresh, failures, false), base), "{failures}");
        }
        assert!(near(pause(refresh, 20, true), 30));
        assert!(near(pause(Duration::from_secs(2), 20, true), 2));
    }
}
