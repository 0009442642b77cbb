//! Invites and join links: made, looked at, used and revoked.
//!
//! The one invariant: a code opens a room only while whoever made it may still let people in with its role, as the
//! room's record has it at that moment. Codes are known to those who hold them; the store has keyed hashes.

use super::{Hub, RoomCell};
use crate::{
    auth::Ticket,
    identity::Identity,
    random::bytes as random,
    storage::links::{CodeHash, LinkKind, NewGuest, StoredLink},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::sync::{Arc, atomic::Ordering};
use stoa_protocol::{
    Capability, CloseCode, ErrorCode, Fault, GUEST_REALM, LinkId, Millis, Profile, Role, RoomId, RoomKind, Seq, UserId,
    http::{LinkExchanged, LinkState},
    limits,
};
use stoa_rooms::{Actor, Capabilities, Grant, Intent};

/// How long a guest's token holds, seconds: what a revocation that no node hears would cost at most.
const GUEST_TOKEN_S: u64 = 15 * 60;
/// Most characters of a guest's name.
const GUEST_NAME_CHARS: usize = 64;
/// Bytes of randomness in a code: 144 bits, more than can ever be guessed, and 24 characters in an address.
const CODE_BYTES: usize = 18;
/// Guests that are taken out of a room at once.
const LEAVING: u32 = 200;

/// What a new link is to be.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What it is for.
    pub kind: LinkKind,
    /// The role of those who come by it.
    pub role: Role,
    /// What its guest is called.
    pub name: Option<String>,
    /// When its window begins.
    pub not_before: Option<Millis>,
    /// When its window ends.
    pub expires_at: Option<Millis>,
    /// How many may come by it.
    pub uses: Option<u32>,
}

/// What a code leads to.
#[derive(Debug, Clone)]
pub struct Lead {
    /// The link.
    pub link: StoredLink,
    /// Whether it opens the room to one more, the rights of whoever made it included.
    pub state: LinkState,
    /// What the room is for.
    pub kind: RoomKind,
    /// The room's title.
    pub title: String,
    /// How many members it has.
    pub member_count: u32,
}

impl LinkKind {
    /// What is needed to make, see and revoke one.
    fn needs(self) -> Capability {
        match self {
            Self::Invite => Capability::Invite,
            Self::Join => Capability::Manage,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Join => "link",
        }
    }
}

impl Hub {
    /// Makes a link; tells it and its code, which is known nowhere else.
    ///
    /// # Errors
    /// `bad_request`, `not_found`, `forbidden`, `conflict`, `unavailable`.
    pub async fn make_link(
        self: &Arc<Self>,
        who: &Identity,
        room: &RoomId,
        terms: Terms,
    ) -> Result<(StoredLink, String), Fault> {
        let now = self.clock.now();
        let cell = self.may_let_in(who, room, terms.kind).await?;
        let by = {
            let live = cell.lock();
            if live.room.info().kind == RoomKind::Direct {
                return Err(Fault::conflict("the people of a direct room do not change"));
            }
            if live.room.info().archived {
                return Err(Fault::conflict("the room is archived"));
            }
            let access = live.room.access(&who.actor(room), now).map_err(|_| Fault::not_found("room"))?;
            if !access.capabilities.contains(Capabilities::of(terms.role)) {
                return Err(Fault::forbidden("these are more rights than your own"));
            }
            match (who.grants.service, access.member) {
                (true, _) => None,
                // Their right is looked at again at every use, and only a membership can be.
                (false, true) => Some(who.user.clone()),
                (false, false) => return Err(Fault::forbidden("only members let others in")),
            }
        };
        let Terms { kind, role, name, not_before, expires_at, uses } = terms;
        let id = format!("{now:012x}{}", hex(&random::<4>()));
        let id = LinkId::new(id).expect("hexadecimal digits are unreserved");
        let (created_at, used, revoked_at, room) = (now, 0, None, room.clone());
        let link =
            StoredLink { id, room, kind, role, name, by, created_at, not_before, expires_at, uses, used, revoked_at };
        let code = URL_SAFE_NO_PAD.encode(random::<CODE_BYTES>());
        let kept = self.store.put_link(&link, &self.hash_of(&code)).await.map_err(|error| self.store_fault(error))?;
        match kept {
            true => Ok((link, code)),
            false => Err(Fault::conflict("the room has too many links; those that are over are forgotten in time")),
        }
    }

    /// Links of a room, the oldest first; the last value tells whether there are more.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `unavailable`.
    pub async fn links(
        self: &Arc<Self>,
        who: &Identity,
        room: &RoomId,
        kind: LinkKind,
        after: Option<&LinkId>,
        limit: u32,
    ) -> Result<(Vec<(StoredLink, LinkState)>, bool), Fault> {
        let cell = self.may_let_in(who, room, kind).await?;
        let found = self.store.links(room, kind, after, limit + 1).await.map_err(|error| self.store_fault(error))?;
        let more = found.len() > limit as usize;
        let told = found.into_iter().take(limit as usize).map(|link| {
            let state = self.settled(&cell, &link, link.state(self.clock.now()));
            (link, state)
        });
        Ok((told.collect(), more))
    }

    /// Revokes a link. Guests who came by it are closed out, their tokens refused, their memberships taken away.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `unavailable`.
    pub async fn revoke_link(
        self: &Arc<Self>,
        who: &Identity,
        room: &RoomId,
        kind: LinkKind,
        id: &LinkId,
    ) -> Result<(), Fault> {
        self.may_let_in(who, room, kind).await?;
        let link = self.store.link(id).await.map_err(|error| self.store_fault(error))?;
        if !link.is_some_and(|link| link.room == *room && link.kind == kind) {
            return Err(Fault::not_found(kind.word()));
        }
        self.store.revoke_link(id, self.clock.now()).await.map_err(|error| self.store_fault(error))?;
        if kind == LinkKind::Join {
            self.close_guests(id);
            self.ring_link_revoked(id);
            self.remove_guests(who, room, id).await;
        }
        Ok(())
    }

    /// Whoever says hello at this moment looks again, see [`Hub::was_revoked_meanwhile`].
    pub(super) fn close_guests(&self, link: &LinkId) {
        self.revocations.fetch_add(1, Ordering::AcqRel);
        let begin = format!("{GUEST_REALM}:{link}.");
        let cells: Vec<_> = self
            .users
            .iter()
            .filter(|cell| cell.key().as_str().starts_with(&begin))
            .map(|cell| cell.value().clone())
            .collect();
        for cell in cells {
            let conns: Vec<_> = cell.lock().conns().cloned().collect();
            conns.iter().for_each(|conn| conn.mailbox.close(CloseCode::Revoked));
        }
    }

    async fn remove_guests(self: &Arc<Self>, who: &Identity, room: &RoomId, link: &LinkId) {
        let mut after: Option<UserId> = None;
        loop {
            let page = match self.store.guests_of(link, after.as_ref(), LEAVING).await {
                Ok(page) => page,
                Err(error) => return tracing::warn!(%error, %link, "guests of a revoked link stay in the member list"),
            };
            let Some(last) = page.last().cloned() else { return };
            let Ok(cell) = self.room(room).await else { return };
            let members: Vec<UserId> = {
                let live = cell.lock();
                page.into_iter().filter(|guest| live.room.members().contains_key(guest)).collect()
            };
            let leaving = members.into_iter().map(|guest| {
                let actor = Actor::service(who.user.clone());
                self.commit(room, actor, Intent::RemoveMember(guest), None)
            });
            for outcome in futures_util::future::join_all(leaving).await {
                if let Err(fault) = outcome {
                    tracing::warn!(%fault, %link, "a guest of a revoked link stays in the member list");
                }
            }
            after = Some(last);
        }
    }

    /// What a code leads to.
    ///
    /// # Errors
    /// `not_found` for a code that is none of this kind, `unavailable`.
    pub async fn lead(self: &Arc<Self>, kind: LinkKind, code: &str) -> Result<Lead, Fault> {
        let unknown = || Fault { field: Some("code".into()), ..Fault::not_found(kind.word()) };
        let link = self.store.link_by_code(&self.hash_of(code)).await.map_err(|error| self.store_fault(error))?;
        let link = link.filter(|link| link.kind == kind).ok_or_else(unknown)?;
        let cell = self.room(&link.room).await.map_err(|fault| match fault.code {
            ErrorCode::NotFound => unknown(),
            _ => fault,
        })?;
        let state = self.settled(&cell, &link, link.state(self.clock.now()));
        let live = cell.lock();
        let info = live.room.info();
        Ok(Lead {
            state,
            kind: info.kind,
            title: info.title.clone(),
            member_count: live.room.members().len() as u32,
            link,
        })
    }

    /// Makes somebody a member by an invite.
    ///
    /// # Errors
    /// `not_found`, `conflict` when the invite opens nothing, `forbidden` for a token that names other rooms.
    pub async fn accept(self: &Arc<Self>, who: &Identity, code: &str) -> Result<(RoomId, Seq), Fault> {
        let Lead { link, .. } = self.lead(LinkKind::Invite, code).await?;
        let StoredLink { id, room, role, by, .. } = link;
        let mut actor = who.actor(&room);
        if actor.confined && actor.grant.is_none() {
            return Err(Fault::forbidden("your token opens other rooms alone"));
        }
        if who.user.is_guest() {
            return Err(Fault::forbidden("a guest stays a guest"));
        }
        // The service is in every room; as a member it is one like others.
        actor.service = false;
        actor.grant = Some(Grant::of(role));
        self.pace(&who.user, &room, who.grants.service)?;
        let seq = self.commit(&room, actor, Intent::Accept { invite: id, by, role }, None).await?;
        Ok((room, seq))
    }

    /// Lets a guest in by a join link, or renews their token.
    ///
    /// # Errors
    /// `not_found` with the field `code` or `guest`; `conflict` when the link opens nothing; `bad_request` for a name.
    pub async fn exchange(
        self: &Arc<Self>,
        code: &str,
        name: Option<&str>,
        guest: Option<&str>,
    ) -> Result<LinkExchanged, Fault> {
        self.need_reach()?;
        let Lead { link, state, .. } = self.lead(LinkKind::Join, code).await?;
        let given = match (&link.name, name) {
            (Some(name), _) => Some(name.clone()),
            (None, Some(name)) => Some(guest_name(name)?),
            (None, None) => None,
        };
        let now = self.clock.now();
        let (user, name, secret) = match guest {
            Some(secret) => self.known_guest(&link, given, secret).await?,
            None => {
                opens(&link, state, now)?;
                let name = given.ok_or_else(|| Fault::bad_request("name", "is missing: the link names nobody"))?;
                self.new_guest(&link, name, now).await?
            }
        };
        let subject = user.as_str().strip_prefix(GUEST_REALM).and_then(|rest| rest.strip_prefix(':'));
        let subject = subject.ok_or_else(Fault::internal)?.to_owned();
        let left_s = link.expires_at.map_or(GUEST_TOKEN_S, |end| end.saturating_sub(now).div_ceil(1000));
        let expires_in_s = left_s.clamp(1, GUEST_TOKEN_S);
        let grant = Grant { from: link.not_before, until: link.expires_at, ..Grant::of(link.role) };
        let ticket = Ticket {
            name: Some(name.clone()),
            rooms: Some(vec![(link.room.clone(), grant)]),
            create: Some(false),
            direct: Some(false),
            join: Some(false),
            expires_in_s,
            ..Ticket::of(subject)
        };
        let token = self.guests.mint(&ticket, now);
        let expires_at = (now / 1000 + expires_in_s) * 1000;
        let url = self.url_of(&link.room);
        Ok(LinkExchanged { token, expires_at, room: link.room, user, name, guest: secret, url })
    }

    async fn known_guest(
        self: &Arc<Self>,
        link: &StoredLink,
        given: Option<String>,
        secret: &str,
    ) -> Result<(UserId, String, String), Fault> {
        let found = self.store.guest(&self.hash_of(secret)).await.map_err(|error| self.store_fault(error))?;
        let unknown = || Fault { field: Some("guest".into()), ..Fault::not_found("guest") };
        let (user, _) = found.filter(|(_, own)| own.id == link.id).ok_or_else(unknown)?;
        let now = self.clock.now();
        let cell = self.room(&link.room).await?;
        opens(link, self.settled(&cell, link, link.state_for_who_came(now)), now)?;
        let known = self.profiles_of(vec![user.clone()]).await?.remove(&user);
        let name = given.or(known.map(|profile| profile.name)).unwrap_or_default();
        Ok((user, name, secret.to_owned()))
    }

    async fn new_guest(&self, link: &StoredLink, name: String, now: Millis) -> Result<(UserId, String, String), Fault> {
        let user = format!("{GUEST_REALM}:{}.{}", link.id, hex(&random::<8>()));
        let user = UserId::new(user).expect("hexadecimal digits are no spaces");
        let secret = URL_SAFE_NO_PAD.encode(random::<CODE_BYTES>());
        let guest = NewGuest { user: user.clone(), name: name.clone(), secret: self.hash_of(&secret), at: now };
        let admitted = self.store.admit_guest(&link.id, &guest).await.map_err(|error| self.store_fault(error))?;
        if !admitted {
            // Somebody took the last use, or it was revoked, since it was looked at.
            return Err(closed("this link was used as often as it may be, or revoked"));
        }
        self.remember_profile(user.clone(), Some(Profile { name: name.clone(), avatar: None, guest: true }));
        Ok((user, name, secret))
    }

    /// Whether somebody may make, see and revoke links of a kind. Guests may not, or a link would outlive theirs.
    async fn may_let_in(
        self: &Arc<Self>,
        who: &Identity,
        room: &RoomId,
        kind: LinkKind,
    ) -> Result<Arc<RoomCell>, Fault> {
        let cell = self.room(room).await?;
        let access = cell.lock().room.access(&who.actor(room), self.clock.now());
        let access = access.map_err(|_| Fault::not_found("room"))?;
        match access.has(kind.needs()) && !who.user.is_guest() {
            true => Ok(cell),
            false => Err(Fault::forbidden(format!("needs the capability {:?}", kind.needs()).to_lowercase())),
        }
    }

    /// The state with the right of whoever made it as it is now.
    fn settled(&self, cell: &RoomCell, link: &StoredLink, state: LinkState) -> LinkState {
        let now = self.clock.now();
        let holds =
            link.by.as_ref().is_none_or(|by| cell.lock().room.may_let_in(by, link.kind.needs(), link.role, now));
        match state {
            LinkState::Open | LinkState::NotYet | LinkState::UsedUp if !holds => LinkState::Revoked,
            state => state,
        }
    }

    fn hash_of(&self, code: &str) -> CodeHash {
        self.mac(&["code", code])
    }
}

/// # Errors
/// `conflict` unless it is open; a window that is still to come tells when.
fn opens(link: &StoredLink, state: LinkState, now: Millis) -> Result<(), Fault> {
    match state {
        LinkState::Open => Ok(()),
        LinkState::NotYet => {
            let wait = link.not_before.map(|start| start.saturating_sub(now));
            Err(Fault { retry_after_ms: wait, ..closed("this link is not open yet") })
        }
        LinkState::Expired => Err(closed("this link has expired")),
        LinkState::Revoked => Err(closed("this link was revoked")),
        LinkState::UsedUp => Err(closed("this link was used as often as it may be")),
    }
}

/// The refusal of a link that opens nothing. Its preview tells the state by its name.
fn closed(words: &str) -> Fault {
    Fault { field: Some("code".into()), ..Fault::conflict(words) }
}

/// The refusal of an invite under the room's lock; `None` when it is open.
pub(super) fn invite_refused(invite: Option<&StoredLink>, now: Millis) -> Option<Fault> {
    let Some(invite) = invite else { return Some(Fault::not_found("invite")) };
    opens(invite, invite.state(now), now).err()
}

/// A guest's name: one line without invisible characters, which could make it look like another's.
///
/// # Errors
/// `bad_request`.
pub fn guest_name(given: &str) -> Result<String, Fault> {
    let wrong = |problem: &str| Fault::bad_request("name", problem);
    if given.len() > limits::TITLE_BYTES {
        return Err(wrong("is too long"));
    }
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
    };
    let visible: String = given.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    let name = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    match name.chars().count() {
        0 => Err(wrong("is empty")),
        1..=GUEST_NAME_CHARS => Ok(name),
        _ => Err(wrong("is longer than 64 characters")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_name_is_a_line_that_looks_like_what_it_is() {
        assert_eq!(guest_name("  Ben \t\n Bell ").expect("a name"), "Ben Bell");
        assert_eq!(guest_name("a\u{202E}nimda").expect("a name"), "a nimda");
        assert_eq!(guest_name("Zoë 🦀").expect("a name"), "Zoë 🦀");
        for bad in ["", " ", "\u{200B}\u{2060}", &"x".repeat(65), &"é".repeat(200)] {
            assert_eq!(guest_name(bad).expect_err("no name").field.as_deref(), Some("name"), "{bad:?}");
        }
    }
}
