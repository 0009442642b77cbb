//! The HTTP API: the table of [`stoa_protocol::http`] as a router.
//!
//! The one invariant: what a request may do is decided by the hub, from the token alone, as on the socket. Every
//! operation of the table has a route, because [`run`] matches all of them; every refusal is a problem (RFC 9457).

mod blobs;
mod call;
mod cors;
mod documents;
mod export;
mod ice;
mod limit;
mod links;
mod members;
mod messages;
mod problem;
mod rooms;
mod service;
mod turns;
mod users;

use super::{Authenticated, Peer, page};
use crate::{auth::Minter, config::Config, hub::Hub, ice::Ice, identity::Identity, metrics::StatusLabel};
use axum::{
    Router,
    body::Bytes,
    extract::{MatchedPath, RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::{HeaderMap, HeaderValue, header},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{MethodFilter, on},
};
use call::{Call, read_whole};
use limit::{Limiter, Probe, Rate};
pub use problem::response as problem;
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::AtomicBool},
};
use stoa_protocol::{
    ErrorCode, Fault, UserId,
    http::{Access, BusReadiness, Method, Operation, Readiness},
    limits,
};

/// What the API needs.
pub struct Api {
    /// Rooms and users.
    pub hub: Arc<Hub>,
    /// Makes the tokens of those who log in by name; only with `--dev`.
    pub login: Option<Arc<Minter>>,
    /// Servers that help the peers of a call to find each other.
    pub ice: Arc<Ice>,
    /// The origins, the limits, the public address.
    pub config: Arc<Config>,
    /// Whether the server takes work; false while it stops.
    pub ready: Arc<AtomicBool>,
    /// Looks at the bus between nodes; `None` where there is one node only.
    pub bus: Option<BusProbe>,
}

/// Tells whether other nodes are heard, and whether that is so much this node's own fault that it should not take work.
pub type BusProbe = Arc<dyn Fn() -> (BusReadiness, bool) + Send + Sync>;

/// What the requests share.
struct Shared {
    api: Api,
    limiter: Limiter,
    transfers: blobs::Transfers,
    readiness: Probe<Readiness>,
    metrics: Probe<Bytes>,
}

/// The router of the API and the page, below the public address's path prefix and at the root too: a proxy may or may
/// not take the prefix away, and probes ask the process itself.
pub fn router(api: Api) -> Router {
    let prefix = api.config.public_url.as_ref().map_or("", |url| url.prefix()).to_owned();
    let limiter = Limiter::new(&api.config.limits);
    let pages = page::router(&api.config);
    let root = page::root(&api.config);
    let (readiness, metrics) = (Probe::default(), Probe::default());
    let transfers = blobs::Transfers::default();
    let shared = Arc::new(Shared { api, limiter, transfers, readiness, metrics });
    let mut routes = Router::new();
    for operation in Operation::ALL.iter().copied() {
        let handler = move |State(shared): State<Arc<Shared>>, path: PathParams, request: Request| {
            answer(shared, operation, path, request)
        };
        routes = routes.route(operation.path(), on(filter(operation.method()), handler));
    }
    let routes = routes.merge(pages);
    let routes = match prefix.as_str() {
        "" => routes,
        prefix => routes.clone().nest(prefix, routes).route(&format!("{prefix}/"), root),
    };
    routes
        .fallback(async || problem(Fault::not_found("page")))
        .method_not_allowed_fallback(async || problem::method_not_allowed())
        .layer(from_fn_with_state(shared.clone(), around))
        .with_state(shared)
}

fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    }
}

/// What every request gets: preflights answered, headers for browsers, a line in the log without names of people and
/// rooms, a count.
async fn around(
    State(shared): State<Arc<Shared>>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let method = request.method().clone();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = match cors::preflight(&shared.api.config.origins, &request) {
        Some(response) => response,
        None => next.run(request).await,
    };
    cors::allow(&shared.api.config.origins, origin.as_ref(), response.headers_mut());
    let status = response.status().as_u16();
    let path = path.as_ref().map_or("-", MatchedPath::as_str);
    tracing::debug!(%method, path, status, "http");
    shared.api.hub.metrics.http.get_or_create(&StatusLabel { status }).inc();
    response
}

type PathParams = Result<RawPathParams, RawPathParamsRejection>;

async fn answer(shared: Arc<Shared>, operation: Operation, path: PathParams, request: Request) -> Response {
    let hub = shared.api.hub.clone();
    let mut known = false;
    let mut response = match attempt(&shared, operation, path, request, &mut known).await {
        Ok(response) => response,
        Err(fault) => {
            hub.metrics.error(fault.code);
            problem(fault)
        }
    };
    if known {
        response.extensions_mut().insert(Authenticated);
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The answer. `known` is set when somebody has proved who they are, whatever they are answered.
async fn attempt(
    shared: &Arc<Shared>,
    operation: Operation,
    path: PathParams,
    request: Request,
    known: &mut bool,
) -> Result<Response, Fault> {
    let (parts, body) = request.into_parts();
    cors::check(&shared.api.config.origins, operation, &parts.headers)?;
    let path = path.map_err(|_| Fault::bad_request("path", "is not UTF-8"))?;
    let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let who = match operation.access() {
        Access::Open => None,
        Access::Token | Access::Own | Access::Service => {
            Some(identify(shared, &parts.headers, parts.extensions.get()).await?)
        }
    };
    *known = who.is_some();
    let (uri, headers, peer) = (parts.uri, parts.headers, parts.extensions.get().cloned());
    let mut call = Call { shared: shared.clone(), operation, who, path, uri, headers, peer, body: Bytes::new() };
    if let Some(who) = &call.who {
        shared.limiter.user(&shared.api.hub, who, Rate::of(operation))?;
        may_ask(&call, who)?;
    }
    // Nothing of strangers, of the hasty and of the unauthorised is read.
    let _place = blobs::admit(shared, &call).await?;
    if operation.has_body() {
        let most = match operation.takes_image() {
            true => limits::BLOB_BYTES,
            false => shared.api.config.limits.http_body_bytes as usize,
        };
        call.body = read_whole(body, most).await?;
    }
    run(call).await
}

/// Who sends the request.
async fn identify(shared: &Shared, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Identity, Fault> {
    let none = || Fault::new(ErrorCode::Unauthorized, "there is no valid token");
    let outcome = match bearer(headers) {
        Some(token) => shared.api.hub.identify(token).await,
        None => Err(none()),
    };
    outcome.map_err(|fault| match (fault.code, peer) {
        // Who guesses is slowed down; whoever else sits behind the same address is not.
        (ErrorCode::Unauthorized, Some(peer)) => {
            shared.limiter.failure(peer.address, shared.api.hub.clock().now()).err().unwrap_or(fault)
        }
        (_, _) => fault,
    })
}

/// The token (RFC 6750, section 2.1; the other two ways of that document leave it in logs).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn may_ask(call: &Call, who: &Identity) -> Result<(), Fault> {
    let service = || Fault::forbidden("this is for the host application: it needs a token with a service grant");
    match call.operation.access() {
        Access::Open | Access::Token => Ok(()),
        Access::Service if who.grants.service => Ok(()),
        Access::Service => Err(service()),
        Access::Own if who.grants.service => Ok(()),
        Access::Own if who.grants.rooms.is_none() && call.path::<UserId>("user")? == who.user => Ok(()),
        Access::Own => Err(service()),
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response, Fault>> + Send>>;

/// Each operation's handler.
fn run(call: Call) -> Answer {
    match call.operation {
        Operation::Health => Box::pin(service::health(call)),
        Operation::Ready => Box::pin(service::ready(call)),
        Operation::ServerInfo => Box::pin(service::info(call)),
        Operation::ConnectionCheck => Box::pin(ice::check(call)),
        Operation::OpenApi => Box::pin(service::openapi()),
        Operation::Metrics => Box::pin(service::metrics(call)),
        Operation::DevLogin => Box::pin(service::login(call)),
        Operation::RoomList => Box::pin(rooms::list(call)),
        Operation::RoomPost => Box::pin(rooms::post(call)),
        Operation::RoomPut => Box::pin(rooms::put(call)),
        Operation::RoomGet => Box::pin(rooms::get(call)),
        Operation::RoomPatch => Box::pin(rooms::patch(call)),
        Operation::RoomDelete => Box::pin(rooms::delete(call)),
        Operation::RoomExport => Box::pin(export::room(call)),
        Operation::RoomIce => Box::pin(ice::servers(call)),
        Operation::DirectPost => Box::pin(rooms::direct(call)),
        Operation::MemberList => Box::pin(members::list(call)),
        Operation::MemberPost => Box::pin(members::post(call)),
        Operation::MemberGet => Box::pin(members::get(call)),
        Operation::MemberPut => Box::pin(members::put(call)),
        Operation::MemberPatch => Box::pin(members::patch(call)),
        Operation::MemberDelete => Box::pin(members::delete(call)),
        Operation::BanList => Box::pin(members::bans(call)),
        Operation::BanPut => Box::pin(members::ban(call)),
        Operation::BanDelete => Box::pin(members::unban(call)),
        Operation::PresenceList => Box::pin(members::presence(call)),
        Operation::InvitePost => Box::pin(links::invite(call)),
        Operation::InviteList => Box::pin(links::invites(call)),
        Operation::InviteDelete => Box::pin(links::uninvite(call)),
        Operation::InviteLook => Box::pin(links::look_at_invite(call)),
        Operation::InviteAccept => Box::pin(links::accept(call)),
        Operation::LinkPost => Box::pin(links::make(call)),
        Operation::LinkList => Box::pin(links::list(call)),
        Operation::LinkDelete => Box::pin(links::revoke(call)),
        Operation::LinkLook => Box::pin(links::look(call)),
        Operation::LinkExchange => Box::pin(links::exchange(call)),
        Operation::CallList => Box::pin(messages::calls(call)),
        Operation::MessageList => Box::pin(messages::list(call)),
        Operation::MessagePost => Box::pin(messages::post(call)),
        Operation::MessageGet => Box::pin(messages::get(call)),
        Operation::MessagePatch => Box::pin(messages::patch(call)),
        Operation::MessageDelete => Box::pin(messages::delete(call)),
        Operation::ReactionPut => Box::pin(messages::react(call, true)),
        Operation::ReactionDelete => Box::pin(messages::react(call, false)),
        Operation::PinPut => Box::pin(messages::pin(call, true)),
        Operation::PinDelete => Box::pin(messages::pin(call, false)),
        Operation::ReadPut => Box::pin(messages::read(call)),
        Operation::Search => Box::pin(messages::search(call)),
        Operation::DocumentList => Box::pin(documents::list(call)),
        Operation::DocumentPut => Box::pin(documents::put(call)),
        Operation::DocumentGet => Box::pin(documents::get(call)),
        Operation::DocumentPatch => Box::pin(documents::patch(call)),
        Operation::DocumentDelete => Box::pin(documents::delete(call)),
        Operation::DocumentTicket => Box::pin(documents::ticket(call)),
        Operation::DocumentContent => Box::pin(documents::content(call)),
        Operation::DocumentJson => Box::pin(documents::content_as_json(call)),
        Operation::VersionList => Box::pin(documents::versions(call)),
        Operation::VersionPost => Box::pin(documents::keep(call)),
        Operation::VersionContent => Box::pin(documents::version(call)),
        Operation::VersionJson => Box::pin(documents::version_as_json(call)),
        Operation::VersionDelete => Box::pin(documents::forget(call)),
        Operation::VersionRestore => Box::pin(documents::restore(call)),
        Operation::BlobPost => Box::pin(blobs::put(call)),
        Operation::BlobGet => Box::pin(blobs::get(call)),
        Operation::RoomEventPost => Box::pin(messages::room_event(call)),
        Operation::UserEventPost => Box::pin(messages::user_event(call)),
        Operation::UserGet => Box::pin(users::get(call)),
        Operation::UserPut => Box::pin(users::put(call)),
        Operation::UserDelete => Box::pin(users::delete(call)),
        Operation::UserExport => Box::pin(export::user(call)),
        Operation::UserRevoke => Box::pin(users::revoke(call)),
        Operation::ProfilesPut => Box::pin(users::put_many(call)),
    }
}
