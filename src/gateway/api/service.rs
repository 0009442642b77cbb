//! The server itself: whether it lives, whether it takes work, what it counts, who it lets in by name.

use super::{
    Api,
    call::{Call, json, with_type},
};
use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::Response,
};
use std::{sync::atomic::Ordering, time::Duration};
use stoa_protocol::{
    Fault, VERSION,
    http::{Alive, Info, LoggedIn, LoginBody, Readiness},
};

/// The document that is made of the table by `protocol/src/bin/generate.rs`.
const OPENAPI: &str = include_str!("../../../protocol/generated/openapi.json");
/// How long the store may take to say that it is well.
const STORE_ANSWERS: Duration = Duration::from_secs(2);

pub async fn health() -> Result<Response, Fault> {
    json(StatusCode::OK, &Alive { alive: true })
}

pub async fn ready(call: Call) -> Result<Response, Fault> {
    let (api, probe) = (&call.shared.api, &call.shared.readiness);
    let readiness = match probe.last(api.hub.clock().now()) {
        Some(last) => last,
        None => look(api).await,
    };
    probe.answered(&readiness);
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &readiness)
}

async fn look(api: &Api) -> Readiness {
    let draining = !api.ready.load(Ordering::Acquire);
    let store = tokio::time::timeout(STORE_ANSWERS, api.hub.store_health()).await;
    let store = store.ok().and_then(Result::ok);
    let (bus, wedged) = api.bus.as_ref().map(|probe| probe()).unzip();
    Readiness {
        ready: store.is_some() && !draining && !wedged.unwrap_or(false),
        draining,
        store,
        bus,
        vouched: api.config.store.vouched,
        missing_key_sets: api.hub.verifier().missing_sets(),
    }
}

pub async fn info(call: Call) -> Result<Response, Fault> {
    let config = &call.shared.api.config;
    let public_url = config.public_url.as_ref().map(ToString::to_string);
    let dev = call.shared.api.login.is_some();
    let login_url = dev.then(|| format!("{}/v1/dev/login", public_url.as_deref().unwrap_or_default()));
    let version = env!("CARGO_PKG_VERSION").to_owned();
    json(StatusCode::OK, &Info { dev, version, protocol: VERSION, public_url, login_url })
}

pub async fn openapi() -> Result<Response, Fault> {
    Ok(with_type(StatusCode::OK, "application/json", Body::from(OPENAPI)))
}

pub async fn metrics(call: Call) -> Result<Response, Fault> {
    let (hub, probe) = (call.hub(), &call.shared.metrics);
    let text = probe.last(hub.clock().now()).unwrap_or_else(|| {
        hub.measure();
        Bytes::from(hub.metrics.text())
    });
    probe.answered(&text);
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(with_type(StatusCode::OK, media, Body::from(text)))
}

pub async fn login(call: Call) -> Result<Response, Fault> {
    let minter = call.shared.api.login.clone().ok_or_else(|| Fault::not_found("page"))?;
    let LoginBody { name } = call.body()?;
    let (user, token) = minter.login(&name, call.hub().clock().now())?;
    json(StatusCode::OK, &LoggedIn { user, token })
}
