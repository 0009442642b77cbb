//! One request: its parameters, its body, its key; and what it is answered with.

use super::Shared;
use crate::{gateway::Peer, hub::Hub, identity::Identity};
use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::Response,
};
use http_body_util::LengthLimitError;
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Display, str::FromStr, sync::Arc};
use stoa_protocol::{ErrorCode, Fault, Key, RoomId, Seq, fault_of, http::Operation, read_body};

/// The header that makes a request idempotent.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// A request whose sender is known, where the operation asks for it.
pub struct Call {
    pub(super) shared: Arc<Shared>,
    /// What is wanted.
    pub operation: Operation,
    /// Who wants it; `None` where anybody may.
    pub who: Option<Identity>,
    pub(super) path: BTreeMap<String, String>,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// Where it comes from; the edge always says.
    pub(super) peer: Option<Peer>,
    pub(super) body: Bytes,
}

impl Call {
    /// The hub.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.shared.api.hub
    }

    /// A stranger asks for something that costs a look into the store.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn strangers_pace(&self) -> Result<(), Fault> {
        let now = self.hub().clock().now();
        self.peer.as_ref().map_or(Ok(()), |peer| self.shared.limiter.stranger(peer.address, now))
    }

    /// A code was none: what they are told.
    pub fn guessed(&self, fault: Fault) -> Fault {
        let now = self.hub().clock().now();
        let limited = self.peer.as_ref().and_then(|peer| self.shared.limiter.failure(peer.address, now).err());
        limited.unwrap_or(fault)
    }

    /// Who wants it.
    ///
    /// # Errors
    /// `internal` when the table lets anybody ask: then there is nobody to name.
    pub fn who(&self) -> Result<&Identity, Fault> {
        self.who.as_ref().ok_or_else(Fault::internal)
    }

    /// Somebody in whose place the host application speaks, else who wants it.
    ///
    /// # Errors
    /// `forbidden` for everybody else.
    pub fn speaking_for(&self, other: Option<stoa_protocol::UserId>) -> Result<Identity, Fault> {
        let who = self.who()?.clone();
        match other {
            None => Ok(who),
            Some(user) if who.grants.service || user == who.user => Ok(Identity { user, ..who }),
            Some(_) => {
                let fault = Fault::forbidden("only the host application speaks in the place of others");
                Err(Fault { field: Some("from".into()), ..fault })
            }
        }
    }

    /// A parameter of the path.
    ///
    /// # Errors
    /// `bad_request` naming it.
    pub fn path<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, Fault> {
        let text = self.path.get(name).ok_or_else(Fault::internal)?;
        text.parse().map_err(|error: T::Err| Fault::bad_request(name, error.to_string()))
    }

    /// The room of the path.
    ///
    /// # Errors
    /// `bad_request`.
    pub fn room(&self) -> Result<RoomId, Fault> {
        self.path("room")
    }

    /// The place of the path.
    ///
    /// # Errors
    /// `bad_request`.
    pub fn seq(&self) -> Result<Seq, Fault> {
        let number =
            self.path::<u64>("seq").map_err(|fault| Fault { message: "is no place in a log".into(), ..fault })?;
        Seq::new(number).ok_or_else(|| Fault::bad_request("seq", "is above 2^53 - 1"))
    }

    /// The query.
    ///
    /// # Errors
    /// `bad_request` naming the parameter.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let query = self.uri.query().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs)).map_err(fault_of)
    }

    /// The JSON body. A missing one is an empty object.
    ///
    /// # Errors
    /// `bad_request` naming the field, `unsupported` for another media type.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        match self.headers.get(header::CONTENT_TYPE).is_some_and(is_json) {
            _ if self.body.is_empty() => read_body(b"{}"),
            true => read_body(&self.body),
            false => Err(Fault {
                field: Some("Content-Type".into()),
                ..Fault::new(ErrorCode::Unsupported, "the body is to be application/json")
            }),
        }
    }

    /// The key that the request names, in the header or in the body.
    ///
    /// # Errors
    /// `bad_request` when it is not legal or the two differ.
    pub fn key(&self, in_body: Option<Key>) -> Result<Option<Key>, Fault> {
        let Some(value) = self.headers.get(IDEMPOTENCY_KEY) else { return Ok(in_body) };
        let bad = |problem: String| Fault::bad_request(IDEMPOTENCY_KEY, problem);
        let text = value.to_str().map_err(|_| bad("is not ASCII".into()))?;
        // The draft of the header writes it as a string in quotes; many clients do without.
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let key = Key::new(text).map_err(|error| bad(error.to_string()))?;
        match in_body {
            Some(other) if other != key => Err(bad("is another key than the body's".into())),
            Some(_) | None => Ok(Some(key)),
        }
    }

    /// The key that the request names, else one of its own: a request without a key is never the same as another.
    ///
    /// # Errors
    /// As [`Call::key`].
    pub fn key_or_fresh(&self, in_body: Option<Key>) -> Result<Key, Fault> {
        Ok(self.key(in_body)?.unwrap_or_else(fresh_key))
    }

    /// An address below the API, for `Location`; with the prefix under which browsers find the server.
    pub fn location(&self, path: &str) -> Option<HeaderValue> {
        let prefix = self.shared.api.config.public_url.as_ref().map_or("", |url| url.prefix());
        HeaderValue::try_from(format!("{prefix}{path}")).ok()
    }
}

/// Reads a body to its end.
///
/// # Errors
/// `too_large`, `bad_request` when it breaks off.
pub async fn read_whole(body: Body, most: usize) -> Result<Bytes, Fault> {
    to_bytes(body, most).await.map_err(|error| match error.into_inner().is::<LengthLimitError>() {
        true => Fault::new(ErrorCode::TooLarge, format!("the body is longer than {most} bytes")),
        false => Fault::bad_request(".", "the body broke off"),
    })
}

fn is_json(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let media = text.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

fn fresh_key() -> Key {
    let text: String = crate::random::bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    Key::new(text).expect("hexadecimal digits are unreserved")
}

/// A JSON answer.
///
/// # Errors
/// `internal` when it cannot be written.
pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, Fault> {
    let bytes = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Fault::internal()
    })?;
    Ok(with_type(status, "application/json", Body::from(bytes)))
}

/// Done, and nothing to say.
pub fn nothing() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// An answer of some media type.
pub fn with_type(status: StatusCode, media: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// The answer with its place.
pub fn located(mut response: Response, place: Option<HeaderValue>) -> Response {
    if let Some(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}
