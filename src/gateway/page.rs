//! The page and the client script, embedded in the binary.
//!
//! A debug build reads the files from the tree, so that the page can be built anew beside a running server.

use crate::config::{Config, LoginUrl};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
    routing::{MethodRouter, get},
};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde::Serialize;
use sha2::{Digest, Sha256};
use stoa_protocol::Fault;

/// `web/app`, as built.
#[derive(RustEmbed)]
#[folder = "web/app/dist"]
#[allow_missing = true]
struct App;

/// `web/client`, as built.
#[derive(RustEmbed)]
#[folder = "web/client/dist"]
#[allow_missing = true]
struct Client;

/// What stands in the page's place when it was not built.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Stoa</title>\
    <h1>Stoa runs</h1><p>This server was built without its page. <code>make run</code> builds both.</p></html>\n";
/// Names in `assets/` have a hash of what is in them.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// Where the page is; it reads the rest of the address itself.
const PATHS: [&str; 8] = [
    "/",
    "/r/{room}",
    "/r/{room}/m/{seq}",
    "/r/{room}/call",
    "/r/{room}/board",
    "/r/{room}/board/{document}",
    "/join",
    "/invite",
];
/// The client's files: rooms, calls, shared documents, and the look at what works before a call.
const CLIENT: [&str; 4] = ["v1.js", "call.v1.js", "documents.v1.js", "check.v1.js"];
/// What a call needs, for the page itself; nothing else of the machine. A page that embeds it passes these on by the
/// frame's attribute `allow`.
const PERMISSIONS: &str = "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), autoplay=(self), \
    screen-wake-lock=(self), geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=()";

/// The page's routes, and the same below `/embed`, where other pages may show it inside of them.
pub fn router<S: Clone + Send + Sync + 'static>(config: &Config) -> Router<S> {
    let whole = Page::new(config, false);
    let embedded = Page::new(config, true);
    let mut routes = Router::new();
    for (page, base) in [(whole, ""), (embedded, "/embed")] {
        for path in PATHS {
            routes = routes.route(&format!("{base}{path}"), page.clone().route());
        }
        if !base.is_empty() {
            routes = routes.route(base, page.route());
        }
    }
    routes.route("/assets/{*path}", get(asset)).route("/client/{file}", get(client))
}

/// The page at the prefix with a slash behind it, which nesting leaves out.
pub fn root<S: Clone + Send + Sync + 'static>(config: &Config) -> MethodRouter<S> {
    Page::new(config, false).route()
}

/// What the page is told of the configuration, in its `<meta name="stoa-config">`.
#[derive(Serialize)]
struct Told<'a> {
    /// Whether anybody may log in by name.
    dev: bool,
    /// Where the server's addresses begin: a path with slashes around it.
    base: &'a str,
    /// Where browsers find the server, where it knows.
    public_url: Option<String>,
    /// Where somebody without a token is sent.
    login_url: Option<&'a str>,
    /// Whose messages with tokens are believed: origins, and with `--dev` those of this machine with `*` for the port.
    parent_origins: &'a [String],
}

/// The page below a path prefix.
#[derive(Clone)]
struct Page {
    /// What its relative addresses are made: it is served at paths of different depths.
    root: String,
    /// The configuration, as a tag.
    meta: String,
    policy: HeaderValue,
    framed: bool,
}

impl Page {
    fn new(config: &Config, framed: bool) -> Self {
        let root = format!("{}/", config.public_url.as_ref().map_or("", |url| url.prefix()));
        let told = Told {
            dev: config.dev.is_some(),
            base: &root,
            public_url: config.public_url.as_ref().map(ToString::to_string),
            login_url: config.page.login_url.as_ref().map(LoginUrl::as_str),
            parent_origins: &config.page.parents,
        };
        let told = serde_json::to_string(&told).expect("strings and flags are JSON");
        let meta = format!("<meta name=\"stoa-config\" content=\"{}\">", escaped(&told));
        let policy = HeaderValue::try_from(policy(config, framed)).expect("origins and keywords are ASCII");
        Self { root, meta, policy, framed }
    }

    fn route<S: Clone + Send + Sync + 'static>(self) -> MethodRouter<S> {
        get(async move |headers: HeaderMap| self.answer(&headers))
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let html = match App::get("index.html") {
            Some(file) => String::from_utf8_lossy(&file.data).replace("=\"./", &format!("=\"{}", self.root)),
            None => NOT_BUILT.to_owned(),
        };
        let html = html.replacen("<meta charset=", &format!("{}<meta charset=", self.meta), 1);
        // Another configuration is another page.
        let hash: [u8; 32] = Sha256::digest(&html).into();
        let mut response = cached(asked, hash, "text/html; charset=utf-8", ASK_AGAIN, Bytes::from(html));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS));
        if !self.framed {
            // For browsers that do not know `frame-ancestors`; the header cannot name those who may.
            headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        }
        response
    }
}

/// Level 3 of the Content Security Policy: nothing but the server's own scripts and styles, no frames, no plug-ins;
/// pictures of people come from anywhere over https.
fn policy(config: &Config, framed: bool) -> String {
    let ancestors = match framed {
        true => format!("'self' {}", config.page.parents.join(" ")),
        false => "'none'".to_owned(),
    };
    // `'self'` has the sockets of the same host too; Safari before 15.4 wants them named.
    let socket = config.public_url.as_ref().map(|url| url.origin().as_str().replacen("http", " ws", 1));
    format!(
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; \
         connect-src 'self'{}; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors {}",
        socket.unwrap_or_default(),
        ancestors.trim_end()
    )
}

/// Text inside of an attribute with double quotes (HTML, section 13.1.2.3).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let name = format!("assets/{path}");
    match App::get(&name) {
        Some(plain) => {
            let media = media(&path, &plain);
            let (file, zipped) = packed::<App>(&name, plain, &headers);
            let response = cached(&headers, file.metadata.sha256_hash(), media, FOR_EVER, bytes(&file));
            encoded(response, zipped)
        }
        None => super::api::problem(Fault::not_found("page")),
    }
}

/// The client for pages of other origins: a module script is fetched by the rules of CORS, and this one is public.
async fn client(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let found = CLIENT.contains(&name.as_str()).then(|| Client::get(&name)).flatten();
    let Some(plain) = found else { return super::api::problem(Fault::not_found("page")) };
    let (file, zipped) = packed::<Client>(&name, plain, &headers);
    let media = "text/javascript; charset=utf-8";
    let response = cached(&headers, file.metadata.sha256_hash(), media, ASK_AGAIN, bytes(&file));
    let mut response = encoded(response, zipped);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));
    response
}

/// The file as the build has compressed it, where it has and the browser takes that (RFC 9110, section 12.5.3).
fn packed<Folder: RustEmbed>(name: &str, plain: EmbeddedFile, asked: &HeaderMap) -> (EmbeddedFile, bool) {
    let zipped = takes_gzip(asked).then(|| Folder::get(&format!("{name}.gz"))).flatten();
    let is_zipped = zipped.is_some();
    (zipped.unwrap_or(plain), is_zipped)
}

fn encoded(mut response: Response, zipped: bool) -> Response {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if zipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Whether `Accept-Encoding` names gzip, and not with a weight of nothing.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let values = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| {
        let (coding, weight) = one.split_once(';').unwrap_or((one, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        coding.trim().eq_ignore_ascii_case("gzip") && weight.is_none_or(|weight| weight > 0.0)
    })
}

fn bytes(file: &EmbeddedFile) -> Bytes {
    match &file.data {
        std::borrow::Cow::Borrowed(data) => Bytes::from_static(data),
        std::borrow::Cow::Owned(data) => Bytes::from(data.clone()),
    }
}

fn media(path: &str, file: &EmbeddedFile) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        Some(_) | None => {
            tracing::debug!(media = file.metadata.mimetype(), "a kind of asset without a name");
            "application/octet-stream"
        }
    }
}

/// The file, or 304 when the browser has it (RFC 9110, section 13.1.2).
fn cached(asked: &HeaderMap, hash: [u8; 32], media: &'static str, cache: &'static str, body: Bytes) -> Response {
    let hash: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = known.flat_map(|value| value.split(',')).any(|one| one.trim().trim_start_matches("W/") == tag);
    let mut response = answer(media, cache, if known { Bytes::new() } else { body });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    response.headers_mut().insert(header::ETAG, HeaderValue::try_from(tag).expect("hexadecimal digits are ASCII"));
    response
}

fn answer(media: &'static str, cache: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it_alone() {
        for (accepted, taken) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.8", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("identity", false),
            ("x-gzip2", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted))]);
            assert_eq!(takes_gzip(&headers), taken, "{accepted}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
