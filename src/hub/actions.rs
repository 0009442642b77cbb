//! What a user or the host application does to rooms, people and themselves, over socket and HTTP alike.

use super::{
    Hub, encode,
    state::Wish,
    writer::{Draft, Job, ReplyTo},
};
use crate::{
    gateway::SlotKey,
    identity::{Direct, Identity},
    random,
    storage::{Digest, NewUserEvent},
};
use base64::Engine;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::sync::Arc;
use stoa_protocol::{
    AppSend, Capability, CloseCode, Control, DeviceId, Epoch, Fault, Key, Millis, Profile, RoomId, Seq, SessionId,
    SessionResume, UserEvent, UserEventBody, UserId,
};
use stoa_rooms::{Actor, Intent};
use tokio::sync::oneshot;

impl Hub {
    /// Commits an intent and waits for its number.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn commit(
        &self,
        room: &RoomId,
        actor: Actor,
        intent: impl Into<Wish>,
        key: Option<Key>,
    ) -> Result<Seq, Fault> {
        let (reply, outcome) = oneshot::channel();
        let intent = intent.into();
        self.need_reach_for(&intent)?;
        let digest = self.digest(&intent);
        let draft = Draft { room: room.clone(), actor, origin: None, intent, key, digest, reply: ReplyTo::Task(reply) };
        self.writer.submit(Job::Draft(draft))?;
        // The lane drops what it could not answer only when the process ends.
        outcome.await.unwrap_or_else(|_| Err(Fault::unavailable()))
    }

    /// Moves a read marker forward and waits for the commit.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn mark(&self, room: &RoomId, user: &UserId, seq: Seq) -> Result<(), Fault> {
        let (reply, outcome) = oneshot::channel();
        let job = Job::Mark { room: room.clone(), user: user.clone(), seq, reply: ReplyTo::Task(reply) };
        self.writer.submit(job)?;
        outcome.await.unwrap_or_else(|_| Err(Fault::unavailable())).map(|_| ())
    }

    /// Whether somebody may create a room, under this name where they give one.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn may_create(&self, who: &Identity, room: Option<&RoomId>) -> Result<(), Fault> {
        let grants = &who.grants;
        // A token that names rooms creates none but those.
        let named = grants.rooms.as_ref().is_none_or(|rooms| room.is_some_and(|room| rooms.contains_key(room)));
        match grants.service || (grants.create && named) {
            true => Ok(()),
            false => Err(Fault::forbidden("your token does not let you create this room")),
        }
    }

    /// The direct room of two people; created when there is none.
    ///
    /// # Errors
    /// `forbidden`, `bad_request`, `unavailable`.
    pub async fn direct(self: &Arc<Self>, who: &Identity, peer: &UserId) -> Result<RoomId, Fault> {
        if who.user == *peer {
            return Err(Fault::bad_request("user", "a direct room needs somebody else"));
        }
        let mut pair = [&who.user, peer];
        pair.sort_unstable();
        let name = self.mac(&["direct", pair[0].as_str(), pair[1].as_str()]);
        let room = RoomId::new(format!("d.{}", hex(&name[..16]))).expect("hexadecimal digits are unreserved");
        match self.room(&room).await {
            Ok(_) if self.access(who, &room).await.is_ok() => return Ok(room),
            Ok(_) => return Err(Fault::not_found("room")),
            Err(fault) if fault.code == stoa_protocol::ErrorCode::NotFound => {}
            Err(fault) => return Err(fault),
        }
        let allowed = match &who.grants.direct {
            Direct::Nobody => who.grants.service,
            Direct::Some(people) => people.contains(peer),
            Direct::Anybody => who.grants.rooms.is_none(),
        };
        if !allowed {
            return Err(Fault::forbidden("your token does not let you open a direct room with this user"));
        }
        let intent = Intent::CreateDirect { peer: peer.clone() };
        match self.commit(&room, Actor::plain(who.user.clone()), intent, None).await {
            Ok(_) => Ok(room),
            // The other one was faster; it is the same room.
            Err(fault) if fault.code == stoa_protocol::ErrorCode::Conflict => Ok(room),
            Err(fault) => Err(fault),
        }
    }

    /// Sends an event of the host application; `Some` number where it is durable.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `unavailable`.
    pub async fn app(
        self: &Arc<Self>,
        who: &Identity,
        send: AppSend,
        except: Option<u64>,
    ) -> Result<Option<Seq>, Fault> {
        match (send.room.clone(), send.user.clone(), send.key.clone()) {
            (Some(room), _, Some(key)) => {
                let intent = Intent::App { name: send.name, data: send.data };
                self.commit(&room, who.actor(&room), intent, Some(key)).await.map(Some)
            }
            (Some(room), _, None) => self.app_passing(who, &room, send, except).await.map(|()| None),
            (None, Some(_), _) if !who.grants.service => {
                Err(Fault::forbidden("only the host application sends events to a user"))
            }
            (None, Some(user), Some(key)) => self.app_to_user(who, user, key, send).await.map(Some),
            (None, Some(user), None) => {
                let told = passing(None, who, send);
                self.ring_to_user(&user, &told);
                let frame = encode::control(&told);
                if let Some(cell) = self.users.get(&user).map(|cell| cell.clone()) {
                    cell.lock().push_passing(&frame, except);
                }
                Ok(None)
            }
            (None, None, _) => Err(Fault::bad_request("room", "exactly one of room and user")),
        }
    }

    async fn app_passing(
        self: &Arc<Self>,
        who: &Identity,
        room: &RoomId,
        send: AppSend,
        except: Option<u64>,
    ) -> Result<(), Fault> {
        if !self.access(who, room).await?.has(Capability::App) {
            return Err(Fault::forbidden("needs the capability app"));
        }
        let told = passing(Some(room.clone()), who, send);
        self.ring_passing(room, &told);
        if let Some(cell) = self.loaded(room) {
            cell.lock().push_passing(&encode::control(&told), except);
            self.flusher.flush(&cell);
        }
        Ok(())
    }

    async fn app_to_user(&self, who: &Identity, user: UserId, key: Key, send: AppSend) -> Result<Seq, Fault> {
        let digest = self.digest(&(&send.name, &send.data));
        let event = NewUserEvent {
            user,
            at: self.clock.now(),
            from: Some(who.user.clone()),
            key: Some((key, digest)),
            body: UserEventBody::App { name: send.name, data: send.data },
        };
        let (reply, outcome) = oneshot::channel();
        self.writer.submit(Job::Notice { event, reply: ReplyTo::Task(reply) })?;
        outcome.await.unwrap_or_else(|_| Err(Fault::unavailable()))
    }

    /// A committed event of a user's own log reaches their connections, with the name of who it is from: they may have
    /// no room open to ask in.
    pub(super) async fn deliver_user(&self, user: &UserId, event: &UserEvent) {
        let Some(cell) = self.users.get(user).map(|cell| cell.clone()) else { return };
        if let Some(from) = &event.from
            && let Ok(Some(profile)) = self.profile_of(from).await
        {
            let key = SlotKey::of(&("profile", from));
            let frame = encode::control(&Control::Profile { user: from.clone(), profile });
            cell.lock().conns().for_each(|conn| conn.mailbox.push_slot(key, frame.clone()));
        }
        let conns: Vec<_> = {
            let mut live = cell.lock();
            live.deliver(event);
            live.conns().cloned().collect()
        };
        self.flusher.flush_conns(conns);
    }

    /// Durable commands of one user and in one room share budgets.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub fn pace(&self, user: &UserId, room: &RoomId, service: bool) -> Result<(), Fault> {
        let (now, burst) = (self.clock.now(), self.limits.burst_s);
        let limited = |wait| Fault::rate_limited("too many commands", wait);
        if !service && let Some(cell) = self.users.get(user).map(|cell| cell.clone()) {
            let rate = self.limits.commands_per_user_s;
            cell.lock().pace.take(now, rate, rate * burst).map_err(limited)?;
        }
        if let Some(cell) = self.loaded(room) {
            let rate = self.limits.commands_per_room_s;
            cell.lock().pace.take(now, rate, rate * burst).map_err(limited)?;
        }
        Ok(())
    }

    /// Refuses the user's tokens that were issued before `before` and closes their connections.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn revoke(&self, user: &UserId, before: Millis) -> Result<(), Fault> {
        self.store.revoke(user, before).await.map_err(|error| self.store_fault(error))?;
        self.revoked_here(user, before);
        self.ring_revoked(user, before);
        self.expel(user).await
    }

    /// Tokens of a user from before are refused: connections behind them end.
    pub(super) fn revoked_here(&self, user: &UserId, before: Millis) {
        self.revocations.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        self.close_user(user, |conn| conn.identity().issued_at < before, CloseCode::Revoked);
    }

    fn close_user(&self, user: &UserId, which: impl Fn(&super::Conn) -> bool, code: CloseCode) {
        for plain in self.plain.iter().filter(|conn| conn.0.user == *user && which(&conn.0)) {
            plain.0.mailbox.close(code);
        }
        let Some(cell) = self.users.get(user).map(|cell| cell.clone()) else { return };
        let conns: Vec<_> = cell.lock().conns().filter(|conn| which(conn)).cloned().collect();
        conns.iter().for_each(|conn| conn.mailbox.close(code));
    }

    /// Removes a room with everything in it.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn delete_room(&self, room: &RoomId) -> Result<(), Fault> {
        let deleted = self.store.delete_room(room).await.map_err(|error| self.store_fault(error))?;
        self.forget_room(room, &Fault::not_found("room"));
        self.ring_anew(room);
        if deleted { Ok(()) } else { Err(Fault::not_found("room")) }
    }

    /// Erases a user: their words, memberships and names. Numbers stay.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn erase_user(self: &Arc<Self>, user: &UserId) -> Result<(), Fault> {
        self.revoke(user, self.clock.now() + 1).await?;
        let rooms = self.store.erase_user(user).await.map_err(|error| self.store_fault(error))?;
        self.profiles.remove(user);
        for room in rooms {
            self.ring_anew(&room);
            self.reload(&room).await;
        }
        Ok(())
    }

    /// Sets how people are shown, before they ever came or while they are here.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn put_profiles(&self, profiles: &[(UserId, Profile)]) -> Result<(), Fault> {
        let marked =
            |(user, profile): &(UserId, Profile)| (user.clone(), Profile { guest: user.is_guest(), ..profile.clone() });
        let profiles: Vec<_> = profiles.iter().map(marked).collect();
        self.store.put_profiles(&profiles).await.map_err(|error| self.store_fault(error))?;
        for (user, profile) in &profiles {
            self.remember_profile(user.clone(), Some(profile.clone()));
            self.tell_profile(user, profile);
            self.ring_profile(user, profile);
        }
        Ok(())
    }

    /// The token's name wins over what is known; a token without one leaves it.
    pub(super) async fn settle_profile(&self, identity: &Identity, known: Option<&Profile>) -> Profile {
        match (&identity.profile, known) {
            (Some(told), known) if Some(told) != known => {
                if let Err(fault) = self.put_profiles(&[(identity.user.clone(), told.clone())]).await {
                    tracing::warn!(%fault, "a profile could not be kept");
                }
                told.clone()
            }
            (Some(told), _) => told.clone(),
            (None, Some(known)) => known.clone(),
            (None, None) => Profile::default(),
        }
    }

    /// People in small rooms with this user learn the new name.
    pub(super) fn tell_profile(&self, user: &UserId, profile: &Profile) {
        let frame = encode::control(&Control::Profile { user: user.clone(), profile: profile.clone() });
        let rooms = self.told_in.get(user).map(|rooms| rooms.clone()).unwrap_or_default();
        for cell in rooms.iter().filter_map(|room| self.loaded(room)) {
            cell.lock().push_passing(&frame, None);
            self.flusher.flush(&cell);
        }
    }

    /// A session that goes on, when its secret is right and it is this user's, else a new one; and its secret.
    pub(super) fn session(&self, user: &UserId, resume: Option<&SessionResume>) -> (SessionId, String) {
        let secret = |id: &SessionId| self.mac(&["session", user.as_str(), id.as_str()]);
        if let Some(resume) = resume {
            let told = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&resume.secret).unwrap_or_default();
            let parts = ["session", user.as_str(), resume.id.as_str()];
            if self.mac_of(&parts).verify_slice(&told).is_ok() {
                return (resume.id.clone(), resume.secret.clone());
            }
        }
        let id = SessionId::new(hex(&random::bytes::<16>())).expect("hexadecimal digits are unreserved");
        let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(secret(&id));
        (id, secret)
    }

    /// A name of a user's device that tells others nothing, and is the same on every node.
    pub(super) fn device_tag(&self, user: &UserId, device: &DeviceId) -> DeviceId {
        let name = self.mac(&["device", user.as_str(), device.as_str()]);
        DeviceId::new(hex(&name[..8])).expect("hexadecimal digits are unreserved")
    }

    /// A name for a room whose creator gives none: the same for the same user and key.
    pub fn name_room(&self, user: &UserId, key: &Key) -> RoomId {
        let name = self.mac(&["room", user.as_str(), key.as_str()]);
        RoomId::new(format!("r.{}", hex(&name[..16]))).expect("hexadecimal digits are unreserved")
    }

    /// A new life of a log.
    pub(super) fn fresh_epoch(&self) -> Epoch {
        Epoch::new(hex(&random::bytes::<16>())).expect("hexadecimal digits are unreserved")
    }

    /// The keyed digest of a command's body.
    pub(super) fn digest(&self, body: &impl serde::Serialize) -> Digest {
        let json = serde_json::to_string(body).expect("intents have string keys only");
        let mac = self.mac(&["digest", &json]);
        mac[..16].try_into().expect("a SHA-256 has 32 bytes")
    }

    /// Whether bytes are the code of these parts.
    pub(super) fn is_mac(&self, parts: &[&str], told: &[u8]) -> bool {
        self.mac_of(parts).verify_slice(told).is_ok()
    }

    pub(super) fn mac(&self, parts: &[&str]) -> [u8; 32] {
        self.mac_of(parts).finalize().into_bytes().into()
    }

    /// Parts are told apart by their lengths, so that no two lists are the same bytes.
    fn mac_of(&self, parts: &[&str]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

fn passing(room: Option<RoomId>, who: &Identity, send: AppSend) -> Control {
    Control::App { room, from: who.user.clone(), name: send.name, data: send.data }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
