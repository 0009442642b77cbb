//! What is said when something is refused, and how a connection ends.

use crate::Millis;
use serde::{Deserialize, Serialize};

/// Stable codes of refusal. A client may switch on them; sentences may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame is not legal; `field` names what is wrong. Sending it again cannot help.
    BadRequest,
    /// There is no valid token.
    Unauthorized,
    /// The user may not do this.
    Forbidden,
    /// It does not exist, or the user may not know that it does.
    NotFound,
    /// The key was used for another body, or the thing is not in the state that the command presupposes.
    Conflict,
    /// Too often; `retry_after_ms` tells when again.
    RateLimited,
    /// The server has too much to do; nothing was accepted. `retry_after_ms` tells when again.
    Overloaded,
    /// The store did not answer: whether the command took effect is unknown. Send it again with the same key.
    Unavailable,
    /// The server does not know this command.
    Unsupported,
    /// It is larger than the limit.
    TooLarge,
    /// A fault of the server; the log has the details.
    Internal,
    /// The call has as many participants as it carries.
    CallFull,
}

impl ErrorCode {
    /// The code as it travels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too_large",
            Self::Internal => "internal",
            Self::CallFull => "call_full",
        }
    }

    /// The HTTP status that says the same (RFC 9110, section 15).
    pub fn http_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict | Self::CallFull => 409,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Unsupported => 501,
            Self::Overloaded | Self::Unavailable => 503,
        }
    }
}

/// A refusal: a stable code, a sentence for the developer, the field where one is to blame, and when to try again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Fault {
    /// What kind of refusal it is.
    pub code: ErrorCode,
    /// A sentence for the developer; not for end users, not stable.
    pub message: String,
    /// The field that is to blame, as a path (`data.x[3]`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Milliseconds after which the same command may be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<Millis>,
}

impl Fault {
    /// A refusal with a sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, retry_after_ms: None }
    }
    /// An illegal frame.
    pub fn bad_request(field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(ErrorCode::BadRequest, message) }
    }
    /// A thing that does not exist, or that the user must not know of: always the same words.
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("no such {what}, or not for you"))
    }
    /// A thing that the user may not do.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }
    /// A state that contradicts the command.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Conflict, message)
    }
    /// Too often.
    pub fn rate_limited(message: impl Into<String>, retry_after_ms: Millis) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..Self::new(ErrorCode::RateLimited, message) }
    }
    /// Too much to do; nothing was accepted.
    pub fn overloaded(retry_after_ms: Millis) -> Self {
        Self {
            retry_after_ms: Some(retry_after_ms),
            ..Self::new(ErrorCode::Overloaded, "the server has too much to do; nothing was accepted")
        }
    }
    /// The outcome is unknown.
    pub fn unavailable() -> Self {
        Self {
            retry_after_ms: Some(1000),
            ..Self::new(ErrorCode::Unavailable, "the store did not answer; send the command again with the same key")
        }
    }
    /// A fault of the server.
    pub fn internal() -> Self {
        Self::new(ErrorCode::Internal, "the server failed; its log has the details")
    }
}

/// Why the server closed a connection. From 4000 to 4499 the client reconnects, from 4500 to 4999 it does not:
/// something must change first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The server goes; a `bye` frame with the delay came before.
    GoingAway = 4000,
    /// The client read too slowly; it reconnects and catches up from its cursors.
    SlowConsumer = 4001,
    /// Nothing was heard from the client for too long.
    Timeout = 4002,
    /// The server cannot serve now.
    Unavailable = 4003,
    /// The token is not valid.
    Unauthorized = 4500,
    /// The token has expired; a new one is needed.
    Expired = 4501,
    /// The token was revoked.
    Revoked = 4502,
    /// No `hello` came in time.
    HelloTimeout = 4503,
    /// Too many illegal frames: the policy violation of RFC 6455, section 7.4.1.
    BadRequest = 1008,
    /// Another connection took this session over.
    Replaced = 4505,
    /// The user has too many connections.
    TooMany = 4506,
    /// The right to the one thing that the connection is for was taken away, or it is gone.
    NoAccess = 4510,
}

impl CloseCode {
    /// The number on the wire.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// Whether the client may reconnect by itself.
    pub fn is_reconnect(self) -> bool {
        (4000..4500).contains(&self.code())
    }

    /// The reason on the wire.
    pub fn reason(self) -> &'static str {
        match self {
            Self::GoingAway => "going_away",
            Self::SlowConsumer => "slow_consumer",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Unauthorized => "unauthorized",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::HelloTimeout => "hello_timeout",
            Self::BadRequest => "bad_request",
            Self::Replaced => "replaced",
            Self::TooMany => "too_many",
            Self::NoAccess => "no_access",
        }
    }
}
