//! The page and the client script, embedded in the binary.
//!
//! A debug build reads the files from the tree, so that the page can be built anew beside a running server.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
    routing::{MethodRouter, get},
};
use rust_embed::{EmbeddedFile, RustEmbed};
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

/// The page's routes. `frame_ancestors` are the sources that may show `embed/` inside of them.
pub fn router<S: Clone + Send + Sync + 'static>(prefix: &str, frame_ancestors: &str) -> Router<S> {
    let whole = Page::new(prefix, "'none'");
    let embedded = Page::new(prefix, frame_ancestors);
    let mut routes = Router::new();
    for (page, base) in [(whole, ""), (embedded, "/embed")] {
        for path in ["/", "/r/{room}", "/r/{room}/m/{seq}"] {
            routes = routes.route(&format!("{base}{path}"), page.clone().route());
        }
        if !base.is_empty() {
            routes = routes.route(base, page.route());
        }
    }
    routes.route("/assets/{*path}", get(asset)).route("/client/v1.js", get(client))
}

/// The page at the prefix with a slash behind it, which nesting leaves out.
pub fn root<S: Clone + Send + Sync + 'static>(prefix: &str) -> MethodRouter<S> {
    Page::new(prefix, "'none'").route()
}

/// The page below a path prefix.
#[derive(Clone)]
struct Page {
    /// What its relative addresses are made: it is served at paths of different depths.
    root: String,
    policy: HeaderValue,
}

impl Page {
    fn new(prefix: &str, frame_ancestors: &str) -> Self {
        // Level 3 of the Content Security Policy: nothing but the server's own scripts and styles, no frames, no
        // plug-ins; pictures of people come from anywhere over https.
        let policy = format!(
            "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; \
             connect-src 'self' ws: wss:; base-uri 'none'; object-src 'none'; form-action 'self'; \
             frame-ancestors {frame_ancestors}"
        );
        let policy = HeaderValue::try_from(policy).expect("origins and keywords are ASCII");
        Self { root: format!("{prefix}/"), policy }
    }

    fn route<S: Clone + Send + Sync + 'static>(self) -> MethodRouter<S> {
        get(async move |headers: HeaderMap| self.answer(&headers))
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let mut response = match App::get("index.html") {
            Some(file) => {
                let html = String::from_utf8_lossy(&file.data).replace("=\"./", &format!("=\"{}", self.root));
                cached(headers, &file, "text/html; charset=utf-8", ASK_AGAIN, Bytes::from(html))
            }
            None => answer("text/html; charset=utf-8", ASK_AGAIN, Bytes::from_static(NOT_BUILT.as_bytes())),
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match App::get(&format!("assets/{path}")) {
        Some(file) => {
            let media = media(&path, &file);
            let data = bytes(&file);
            cached(&headers, &file, media, FOR_EVER, data)
        }
        None => super::api::problem(Fault::not_found("page")),
    }
}

/// The client for pages of other origins: a module script is fetched by the rules of CORS, and this one is public.
async fn client(headers: HeaderMap) -> Response {
    let Some(file) = Client::get("v1.js") else { return super::api::problem(Fault::not_found("page")) };
    let data = bytes(&file);
    let mut response = cached(&headers, &file, "text/javascript; charset=utf-8", ASK_AGAIN, data);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));
    response
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
fn cached(asked: &HeaderMap, file: &EmbeddedFile, media: &'static str, cache: &'static str, body: Bytes) -> Response {
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
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
