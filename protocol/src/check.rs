//! What types alone cannot say of a command: lengths, numbers, exclusive fields.

use crate::{ChatHistory, ChatReact, Command, EditRight, Fault, Profile, RoomCreate, RoomKind, UserId, limits};

impl Command {
    /// Refuses what a reader of the types would let pass; the HTTP API asks the same.
    ///
    /// # Errors
    /// `bad_request` with the field.
    pub fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Hello(c) => {
                within("token", &c.token, limits::HELLO_FRAME_BYTES)?;
                optional("client", c.client.as_deref(), limits::TITLE_BYTES)
            }
            Self::TokenRefresh(c) => within("token", &c.token, limits::HELLO_FRAME_BYTES),
            Self::RoomCreate(c) => c.check(),
            Self::RoomUpdate(c) => {
                optional("title", c.title.as_deref(), limits::TITLE_BYTES)?;
                optional("topic", c.topic.as_deref(), limits::TOPIC_BYTES)?;
                slow_mode(c.slow_mode_s.unwrap_or(0))
            }
            Self::RoomList(c) => page(c.limit),
            Self::MemberList(c) => page(c.limit),
            Self::PresenceList(c) => page(c.limit),
            Self::MemberBan(c) => within("reason", &c.reason, limits::TITLE_BYTES),
            Self::ChatSend(c) => {
                words(&c.text, c.data.is_some())?;
                mentions(&c.mentions)
            }
            Self::ChatEdit(c) => {
                words(&c.text, c.data.is_some())?;
                mentions(&c.mentions)
            }
            Self::ChatReact(c) => c.check(),
            Self::ChatHistory(c) => c.check(),
            Self::ChatSearch(c) => {
                page(c.limit)?;
                match c.query.trim().is_empty() {
                    true => Err(Fault::bad_request("query", "is empty")),
                    false => within("query", &c.query, limits::QUERY_BYTES),
                }
            }
            Self::PresenceSet(c) => optional("text", c.text.as_deref(), limits::STATUS_BYTES),
            Self::ProfileList(c) => at_most("users", c.users.len(), limits::PROFILES),
            Self::AppSend(c) => match (&c.room, &c.user) {
                (Some(_), None) | (None, Some(_)) => Ok(()),
                (Some(_), Some(_)) | (None, None) => Err(Fault::bad_request("room", "exactly one of room and user")),
            },
            Self::CallStart(c) => at_most("ring", c.ring.len(), limits::RINGS),
            Self::CallRing(c) => at_most("users", c.users.len(), limits::RINGS),
            Self::CallMute(c) => at_most("users", c.users.len(), limits::RINGS),
            Self::CallTracks(c) => c.check(),
            Self::CallSignal(c) => c.check(),
            Self::CallReport(c) => c.check(),
            Self::CallHistory(c) => c.check(),
            Self::DocCreate(c) => {
                within("title", &c.title, limits::TITLE_BYTES)?;
                c.edit.check()
            }
            Self::DocUpdate(c) => {
                optional("title", c.title.as_deref(), limits::TITLE_BYTES)?;
                c.edit.as_ref().map_or(Ok(()), EditRight::check)
            }
            Self::DocVersions(c) => page(c.limit),
            Self::DocVersionSave(c) => within("title", &c.title, limits::TITLE_BYTES),
            Self::DocOpen(_)
            | Self::DocClose(_)
            | Self::DocList(_)
            | Self::DocDelete(_)
            | Self::DocVersionDelete(_)
            | Self::DocRestore(_)
            | Self::Ping(_)
            | Self::RoomDirect(_)
            | Self::RoomOpen(_)
            | Self::RoomClose(_)
            | Self::RoomArchive(_)
            | Self::RoomLeave(_)
            | Self::MemberAdd(_)
            | Self::MemberUpdate(_)
            | Self::MemberRemove(_)
            | Self::MemberUnban(_)
            | Self::ChatDelete(_)
            | Self::ChatPin(_)
            | Self::ChatRead(_)
            | Self::Typing(_)
            | Self::CallDecline(_)
            | Self::CallJoin(_)
            | Self::CallLeave(_)
            | Self::CallEnd(_)
            | Self::CallUpdate(_)
            | Self::CallAdmit(_)
            | Self::CallRefuse(_)
            | Self::CallRemove(_)
            | Self::CallHand(_)
            | Self::CallRelink(_)
            | Self::CallConfirm(_)
            | Self::CallAway(_)
            | Self::CallGet(_)
            | Self::CallIce(_) => Ok(()),
        }
    }
}

impl RoomCreate {
    /// What types alone cannot say; the HTTP API asks the same.
    ///
    /// # Errors
    /// `bad_request` with the field.
    pub fn check(&self) -> Result<(), Fault> {
        if self.kind == RoomKind::Direct {
            return Err(Fault::bad_request("kind", "direct rooms come from room.direct"));
        }
        within("title", &self.title, limits::TITLE_BYTES)?;
        within("topic", &self.topic, limits::TOPIC_BYTES)?;
        slow_mode(self.slow_mode_s)?;
        at_most("members", self.members.len(), limits::BULK_MEMBERS)
    }
}

impl Profile {
    /// What a profile must be that the host application sets: a name of one line, and a picture over https, for a page
    /// served so shows no others.
    ///
    /// # Errors
    /// `bad_request` with the field.
    pub fn check(&self) -> Result<(), Fault> {
        within("name", &self.name, limits::TITLE_BYTES)?;
        if self.name.trim().is_empty() || self.name.chars().any(char::is_control) {
            return Err(Fault::bad_request("name", "is not a line of text"));
        }
        let Some(avatar) = &self.avatar else { return Ok(()) };
        within("avatar", avatar, limits::URL_BYTES)?;
        let plain = avatar.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c));
        match avatar.strip_prefix("https://") {
            Some(rest) if plain && !rest.starts_with('/') && !rest.is_empty() => Ok(()),
            Some(_) | None => Err(Fault::bad_request("avatar", "is not an https address")),
        }
    }
}

impl EditRight {
    fn check(&self) -> Result<(), Fault> {
        at_most("edit.allow", self.allow.len(), limits::EDITORS)?;
        at_most("edit.deny", self.deny.len(), limits::EDITORS)
    }
}

impl ChatReact {
    fn check(&self) -> Result<(), Fault> {
        within("emoji", &self.emoji, limits::EMOJI_BYTES)?;
        match self.emoji.is_empty() || self.emoji.chars().any(|c| c.is_control() || c.is_whitespace()) {
            true => Err(Fault::bad_request("emoji", "is not an emoji")),
            false => Ok(()),
        }
    }
}

impl ChatHistory {
    fn check(&self) -> Result<(), Fault> {
        page(self.limit)?;
        let places = [self.before, self.after, self.around];
        match places.iter().flatten().count() {
            0 | 1 => Ok(()),
            _ => Err(Fault::bad_request("before", "at most one of before, after and around")),
        }
    }
}

/// A message needs words or data.
///
/// # Errors
/// `bad_request` with the field.
pub fn words(text: &str, has_data: bool) -> Result<(), Fault> {
    if text.trim().is_empty() && !has_data {
        return Err(Fault::bad_request("text", "is empty"));
    }
    within("text", text, limits::TEXT_BYTES)
}

fn within(field: &str, text: &str, most: usize) -> Result<(), Fault> {
    match () {
        () if text.len() > most => Err(Fault::bad_request(field, format!("is longer than {most} bytes"))),
        // Postgres has no NUL in text (its manual, section 8.3), and no person types one.
        () if text.contains('\0') => Err(Fault::bad_request(field, "has a NUL character")),
        () => Ok(()),
    }
}

fn optional(field: &str, text: Option<&str>, most: usize) -> Result<(), Fault> {
    text.map_or(Ok(()), |text| within(field, text, most))
}

pub(crate) fn at_most(field: &str, count: usize, most: usize) -> Result<(), Fault> {
    if count > most { Err(Fault::bad_request(field, format!("has more than {most} entries"))) } else { Ok(()) }
}

fn mentions(users: &[UserId]) -> Result<(), Fault> {
    at_most("mentions", users.len(), limits::MENTIONS)
}

fn page(limit: Option<u32>) -> Result<(), Fault> {
    match limit {
        None => Ok(()),
        Some(1..=limits::PAGE) => Ok(()),
        Some(_) => Err(Fault::bad_request("limit", format!("is not between 1 and {}", limits::PAGE))),
    }
}

fn slow_mode(seconds: u32) -> Result<(), Fault> {
    match seconds {
        0..=limits::SLOW_MODE_MAX_S => Ok(()),
        _ => Err(Fault::bad_request("slow_mode_s", format!("is above {}", limits::SLOW_MODE_MAX_S))),
    }
}
