//! Names and numbers that identify things. Each checks itself when it is read.

use crate::limits;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// Why a name is not legal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// It has no characters.
    #[error("is empty")]
    Empty,
    /// It has more than the limit that the variant carries.
    #[error("is longer than {0}")]
    TooLong(usize),
    /// It has a character that this kind of name must not have.
    #[error("has a character that is not allowed")]
    Character,
}

fn check_unreserved(text: &str, most: usize) -> Result<(), IdError> {
    match () {
        () if text.is_empty() => Err(IdError::Empty),
        () if text.len() > most => Err(IdError::TooLong(most)),
        () if !text.bytes().all(is_unreserved) => Err(IdError::Character),
        // A path segment of dots alone is removed by URL normalisation (RFC 3986, section 5.2.4).
        () if text == "." || text == ".." => Err(IdError::Character),
        () => Ok(()),
    }
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn check_user(text: &str) -> Result<(), IdError> {
    match () {
        () if text.is_empty() => Err(IdError::Empty),
        () if text.len() > limits::USER_ID_BYTES => Err(IdError::TooLong(limits::USER_ID_BYTES)),
        () if text.chars().any(|c| c.is_control() || c.is_whitespace() || is_invisible(c)) => Err(IdError::Character),
        () => Ok(()),
    }
}

/// Characters that make two different names look alike: directional and zero-width formatting.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:expr, $pattern:literal, $most:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads a name; the error says what is wrong with it.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                $check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The name as it travels.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(de::Error::custom)
            }
        }

        #[cfg(feature = "generate")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "pattern": $pattern, "minLength": 1, "maxLength": $most})
            }
        }
    };
}

text_id! {
    /// A room: the host application's id, else a generated one. Up to 128 unreserved URL characters
    /// (RFC 3986, section 2.3).
    RoomId, |t| check_unreserved(t, limits::ROOM_ID_CHARS), "^[A-Za-z0-9._~-]+$", 128
}
text_id! {
    /// A shared document in its room: up to 64 unreserved URL characters. `board` is in every room.
    DocumentId, |t| check_unreserved(t, limits::DOCUMENT_ID_CHARS), "^[A-Za-z0-9._~-]+$", 64
}
text_id! {
    /// A user: the subject of the token, or `realm:subject` outside the default realm. Up to 255 bytes without
    /// spaces, controls or invisible characters.
    UserId, check_user, "^[^\\s]+$", 255
}
text_id! {
    /// What makes a durable command idempotent: unique per user and room, up to 64 unreserved characters.
    Key, |t| check_unreserved(t, limits::KEY_CHARS), "^[A-Za-z0-9._~-]+$", 64
}
text_id! {
    /// One life of a log: it changes when the store was set back, and every cursor of another epoch is void.
    Epoch, |t| check_unreserved(t, 32), "^[A-Za-z0-9._~-]+$", 32
}
text_id! {
    /// One session of a user: a tab or a device, across its reconnects.
    SessionId, |t| check_unreserved(t, 64), "^[A-Za-z0-9._~-]+$", 64
}
text_id! {
    /// An invite or a join link, as lists and revocations name it. It opens nothing; its code does.
    LinkId, |t| check_unreserved(t, 32), "^[A-Za-z0-9._~-]+$", 32
}
text_id! {
    /// A device as its client names it; told to nobody else.
    DeviceId, |t| check_unreserved(t, 64), "^[A-Za-z0-9._~-]+$", 64
}
text_id! {
    /// A link of a call, between two ends; never used again in its room.
    CallLinkId, |t| check_unreserved(t, 64), "^[A-Za-z0-9._~-]+$", 64
}
text_id! {
    /// A track of a participant, of its client's choosing; the same on every link that carries it.
    TrackId, |t| check_unreserved(t, 64), "^[A-Za-z0-9._~-]+$", 64
}
text_id! {
    /// The name of an event of the host application: `app.` and up to 60 unreserved characters.
    Name, check_name, "^app\\.[A-Za-z0-9._~-]+$", 64
}

/// The realm of people without an account, who came by a join link. No issuer can be given it.
pub const GUEST_REALM: &str = "stoa-guest";

impl UserId {
    /// Whether this is somebody without an account, who came by a join link.
    pub fn is_guest(&self) -> bool {
        self.0.strip_prefix(GUEST_REALM).is_some_and(|rest| rest.starts_with(':'))
    }
}

fn check_name(text: &str) -> Result<(), IdError> {
    check_unreserved(text, limits::KEY_CHARS)?;
    match text.strip_prefix("app.") {
        Some(rest) if !rest.is_empty() => Ok(()),
        Some(_) | None => Err(IdError::Character),
    }
}

/// A place in a log: 1 for the first event, 0 for the place before it, at most 2^53 - 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// The place before the first event.
    pub const ZERO: Seq = Seq(0);
    /// The last number.
    pub const MAX: Seq = Seq(limits::SEQ_MAX);

    /// A place, or `None` above 2^53 - 1.
    pub const fn new(number: u64) -> Option<Self> {
        if number <= limits::SEQ_MAX { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The place after this one. A log at a million events a second fills in 285 years, so it never wraps.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Seq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        Self::new(number).ok_or_else(|| de::Error::custom("is above 2^53 - 1"))
    }
}

#[cfg(feature = "generate")]
impl schemars::JsonSchema for Seq {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Seq".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "integer", "minimum": 0, "maximum": limits::SEQ_MAX})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_id_is_unreserved_characters_only() {
        assert!(RoomId::new("Cohort-7.b_~").is_ok());
        for bad in ["", "a/b", "a b", "a%20", "é", ".", "..", "a\0"] {
            assert!(RoomId::new(bad).is_err(), "{bad:?}");
        }
        assert!(RoomId::new("x".repeat(128)).is_ok());
        assert_eq!(RoomId::new("x".repeat(129)), Err(IdError::TooLong(128)));
    }

    #[test]
    fn a_user_id_takes_what_identity_providers_use() {
        for good in ["auth0|5f7c", "a1b2-uuid", "google-oauth2|1", "guest:x", "álvaro"] {
            assert!(UserId::new(good).is_ok(), "{good:?}");
        }
        for bad in ["", "a b", "a\n", "\u{202E}nimda", "a\u{200B}"] {
            assert!(UserId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_sequence_stays_an_exact_javascript_integer() {
        assert!(serde_json::from_str::<Seq>("9007199254740991").is_ok());
        for bad in ["9007199254740992", "-1", "1.5", "\"1\"", "1e3"] {
            assert!(serde_json::from_str::<Seq>(bad).is_err(), "{bad}");
        }
    }
}
