//! One connection's conversation: `hello`, then commands.
//!
//! Identity comes from the token alone. A command that reads is answered before the next is looked at; a durable one
//! is handed to the writer and answered when it is committed, so a client may have many on the way.

mod documents;
mod marks;

use super::{
    Hub, RoomCell, commands,
    conn::Conn,
    encode,
    stale::Stale,
    state::Origin,
    users::UserCell,
    writer::{Answer, Draft, Job, ReplyTo},
};
use crate::{
    gateway::{Mailbox, Peer, Session},
    identity::Identity,
    storage::UserState,
};
use async_trait::async_trait;
use std::sync::{Arc, atomic::Ordering};
use stoa_protocol::{
    AppSend, Capability, ChatRead, CloseCode, Command, Control, Cursor, ErrorCode, Fault, Hello, Millis, PresenceSet,
    ProfileList, Reply, RoomId, Typing, UserId, VERSION, Welcome, limits, parse_client,
};
use stoa_rooms::Bucket;

/// Durable commands of one connection that may be unanswered; beyond it they are refused as `rate_limited`.
const IN_FLIGHT: u32 = 512;
/// The token's end is told this long before, milliseconds.
const EXPIRING_MS: Millis = 60_000;
/// Further behind than this in the user's own log a client starts anew; the room list restores what it missed.
const STREAM_EVENTS: u64 = 1_000;

mod calls;

/// The gateway's session over the hub.
pub struct HubSession {
    hub: Arc<Hub>,
    mailbox: Arc<Mailbox>,
    peer: Peer,
    strikes: u32,
    frames: Bucket,
    state: State,
}

enum State {
    /// Nobody knows who this is yet.
    Stranger {
        /// When `hello` must have come.
        deadline: Millis,
    },
    /// A verified token.
    Known(Box<Known>),
}

struct Known {
    conn: Arc<Conn>,
    user: Arc<UserCell>,
    rooms: Vec<Arc<RoomCell>>,
    documents: documents::Open,
    reads: Bucket,
    passing: Bucket,
    /// Whether the token's end was told.
    told_expiring: bool,
}

impl HubSession {
    /// A connection that has said nothing yet.
    pub fn new(hub: Arc<Hub>, peer: &Peer, mailbox: Arc<Mailbox>) -> Self {
        let deadline = hub.clock.now() + hub.limits.hello_ms;
        hub.metrics.connections.inc();
        let state = State::Stranger { deadline };
        Self { hub, mailbox, peer: peer.clone(), strikes: 0, frames: Bucket::new(), state }
    }

    fn reply(&self, frame: crate::gateway::Frame) -> Result<(), CloseCode> {
        let pushed = self.mailbox.push_reply(frame);
        self.mailbox.flush();
        pushed.map_err(|_| CloseCode::SlowConsumer)
    }

    fn refuse(&mut self, id: Option<u64>, fault: Fault) -> Result<(), CloseCode> {
        self.hub.metrics.error(fault.code);
        let strike = fault.code == ErrorCode::BadRequest;
        self.reply(encode::error(id, fault))?;
        self.strikes += u32::from(strike);
        if self.strikes > self.hub.limits.strikes {
            tracing::info!(address = %self.peer.address, "closed after too many illegal frames");
            return Err(CloseCode::BadRequest);
        }
        Ok(())
    }

    async fn hello(&mut self, id: u64, hello: Hello) -> Result<(), CloseCode> {
        let now = self.hub.clock.now();
        let identity = match self.hub.verifier.verify(&hello.token, now) {
            Ok(identity) => identity,
            Err(fault) => {
                self.refuse(Some(id), fault)?;
                return Err(CloseCode::Unauthorized);
            }
        };
        let revocations = self.hub.revocations.load(Ordering::Acquire);
        let state = match self.hub.user_reads.user(&identity.user).await {
            Ok(state) => state,
            Err(error) => {
                let fault = self.hub.store_fault(error);
                self.refuse(Some(id), fault)?;
                return Err(CloseCode::Unavailable);
            }
        };
        if identity.issued_at < state.revoked_before {
            self.refuse(Some(id), Fault::new(ErrorCode::Unauthorized, "the token was revoked"))?;
            return Err(CloseCode::Revoked);
        }
        let issued_at = identity.issued_at;
        self.welcome(id, hello, identity, state).await?;
        match self.hub.revocations.load(Ordering::Acquire) == revocations {
            true => Ok(()),
            false => self.was_revoked_meanwhile(issued_at).await,
        }
    }

    /// A revocation closes the connections that it finds. One that became known after the store was asked and before
    /// the connection could be found is seen here.
    async fn was_revoked_meanwhile(&self, issued_at: Millis) -> Result<(), CloseCode> {
        let State::Known(known) = &self.state else { return Ok(()) };
        match self.hub.user_reads.user(&known.conn.user).await {
            Ok(state) if issued_at < state.revoked_before => Err(CloseCode::Revoked),
            Ok(_) => Ok(()),
            Err(error) => {
                self.hub.store_fault(error);
                Err(CloseCode::Unavailable)
            }
        }
    }

    async fn welcome(&mut self, id: u64, hello: Hello, identity: Identity, state: UserState) -> Result<(), CloseCode> {
        let hub = self.hub.clone();
        let profile = hub.settle_profile(&identity, state.profile.as_ref()).await;
        let (session, secret) = hub.session(&identity.user, hello.session.as_ref());
        let identity = Arc::new(identity);
        let number = hub.next_conn.fetch_add(1, Ordering::Relaxed);
        let device = hello.device.as_ref().map(|device| hub.device_tag(&identity.user, device));
        let origin = Origin { session: session.clone(), device };
        let conn = Conn::new(number, origin, self.mailbox.clone(), identity.clone(), hello.list);
        let conn = Arc::new(conn);
        let Some((user, cursor, reset)) = hub.connect(&conn, state, hello.user.as_ref()) else {
            self.refuse(Some(id), Fault::rate_limited("the user has too many connections", 10_000))?;
            return Err(CloseCode::TooMany);
        };
        if hello.list {
            hub.list_watchers.fetch_add(1, Ordering::Relaxed);
        }
        self.state = State::Known(Box::new(Known {
            conn: conn.clone(),
            user: user.clone(),
            rooms: Vec::new(),
            documents: documents::Open::default(),
            reads: Bucket::new(),
            passing: Bucket::new(),
            told_expiring: false,
        }));
        self.hub.metrics.authenticated.inc();
        tracing::debug!(user = %identity.user, %session, client = hello.client, "welcome");
        let welcome = Welcome {
            id,
            version: VERSION,
            features: vec!["threads".into(), "search".into(), "app".into(), "calls".into(), "documents".into()],
            at: hub.clock.now(),
            user: identity.user.clone(),
            profile,
            session,
            secret,
            cursor: cursor.clone(),
            expires_at: identity.expires_at,
            idle_ms: hub.limits.idle_ms,
            frame_bytes: limits::FRAME_BYTES as u32,
            may_create: identity.grants.create || identity.grants.service,
        };
        self.reply(encode::control(&Control::Welcome(Box::new(welcome))))?;
        if reset {
            self.reply(encode::control(&Control::UserReset { cursor }))?;
        }
        hub.user_moved(&identity.user);
        self.catch_up_stream().await
    }

    /// Reads what the user's own stream is behind.
    async fn catch_up_stream(&mut self) -> Result<(), CloseCode> {
        let State::Known(known) = &self.state else { return Ok(()) };
        let (conn, user) = (known.conn.id, &known.user);
        let mut behind = user.lock().behind(conn);
        while let Some(from) = behind {
            let head = user.lock().head.clone();
            if from >= head.seq || head.seq.value() - from.value() > STREAM_EVENTS {
                user.lock().skip_to_head(conn);
                if from < head.seq {
                    let cursor = Cursor { epoch: head.epoch, seq: head.seq };
                    self.reply(encode::control(&Control::UserReset { cursor }))?;
                }
                return Ok(());
            }
            let events = self.hub.store.user_events(&user.id, from, limits::PAGE).await.map_err(|error| {
                tracing::warn!(%error, "a user's stream could not be read");
                CloseCode::Unavailable
            })?;
            behind = match events.is_empty() {
                // Numbers without events: those of an erased user.
                true => {
                    user.lock().skip_to_head(conn);
                    None
                }
                false => user.lock().push_stored(conn, from, &events),
            };
            self.mailbox.flush();
        }
        Ok(())
    }

    /// Everything that may be behind moves on.
    async fn catch_up(&mut self) -> Result<(), CloseCode> {
        let State::Known(known) = &mut self.state else { return Ok(()) };
        known.conn.take_behind();
        if self.mailbox.take_dropped() {
            known.rooms.iter().for_each(|cell| cell.lock().mark_stale(known.conn.id, &Stale::ALL));
        }
        let mut at = 0;
        while at < known.rooms.len() {
            let cell = known.rooms[at].clone();
            if self.hub.catch_up(&cell, &known.conn).await? {
                at += 1;
            } else {
                known.rooms.swap_remove(at);
            }
        }
        self.catch_up_stream().await
    }

    async fn command(&mut self, id: u64, command: Command) -> Result<(), CloseCode> {
        let command = match commands::durable(command) {
            Ok(durable) => {
                return self.submit(id, durable).await;
            }
            Err(command) => *command,
        };
        match command {
            Command::RoomCreate(create) => {
                let (room, key, intent) = commands::creation(create);
                self.create(id, room, key, intent).await
            }
            Command::RoomOpen(open) => self.open(id, open).await,
            Command::RoomClose(close) => {
                self.close_documents_of(&close.room);
                self.leave_room(&close.room);
                self.reply(encode::ack(id, None, None))
            }
            Command::DocOpen(open) => self.open_document(id, open).await,
            Command::DocClose(close) => self.close_document(id, close.channel).await,
            Command::ChatRead(read) => self.read(id, read).await,
            Command::Typing(typing) => self.typing(id, typing),
            Command::PresenceSet(set) => self.presence(id, set),
            Command::AppSend(send) => self.app(id, send).await,
            Command::CallSignal(_)
            | Command::CallConfirm(_)
            | Command::CallAway(_)
            | Command::CallTracks(_)
            | Command::CallHand(_)
            | Command::CallRelink(_)
            | Command::CallReport(_) => self.call(id, command),
            Command::TokenRefresh(refresh) => self.refresh(id, &refresh.token),
            Command::Ping(_) => {
                let at = self.hub.clock.now();
                self.reply(encode::control(&Control::Pong { id, at }))
            }
            Command::Hello(_) => self.refuse(Some(id), Fault::conflict("this connection has said hello")),
            command => self.query(id, command).await,
        }
    }

    /// Commands that read.
    async fn query(&mut self, id: u64, command: Command) -> Result<(), CloseCode> {
        let State::Known(known) = &mut self.state else { return Ok(()) };
        let (hub, now) = (&self.hub, self.hub.clock.now());
        let rate = hub.limits.history_per_s;
        if let Err(wait) = known.reads.take(now, rate, rate * hub.limits.burst_s) {
            return self.refuse(Some(id), Fault::rate_limited("too many reads", wait));
        }
        let who = known.conn.identity();
        let reply = match command {
            Command::RoomList(ask) => hub.list(&who, &ask).await,
            Command::DocList(_)
            | Command::DocVersions(_)
            | Command::DocVersionSave(_)
            | Command::DocVersionDelete(_)
            | Command::DocRestore(_) => hub.document_query(&who, &command).await,
            Command::RoomDirect(ask) => hub.direct(&who, &ask.user).await.map(|room| Reply::Room { room }),
            Command::MemberList(ask) => hub.members(&who, &ask).await,
            Command::ChatHistory(ask) => hub.history(&who, &ask).await,
            Command::ChatSearch(ask) => hub.search(&who, &ask).await,
            Command::PresenceList(ask) => hub.presences(&who, &ask).await,
            Command::CallGet(ask) => hub.call_get(&known.conn, &ask.room).await,
            Command::CallIce(ask) => hub.call_ice(&known.conn, &ask.room, ask.call),
            Command::CallHistory(ask) => hub.call_history(&who, &ask).await,
            Command::ProfileList(ask) => {
                let users = ask.users.into_iter().filter(|user| known.shares_a_room_with(user)).collect();
                hub.profile_list(&ProfileList { users }).await
            }
            other => Err(Fault::new(ErrorCode::Unsupported, format!("{} is not a command here", other.name()))),
        };
        match reply {
            Ok(reply) => self.reply(encode::ack(id, None, Some(reply))),
            Err(fault) => self.refuse(Some(id), fault),
        }
    }

    async fn create(
        &mut self,
        id: u64,
        room: Option<RoomId>,
        key: stoa_protocol::Key,
        intent: stoa_rooms::Intent,
    ) -> Result<(), CloseCode> {
        let State::Known(known) = &self.state else { return Ok(()) };
        let who = known.conn.identity();
        if let Err(fault) = self.hub.may_create(&who, room.as_ref()) {
            return self.refuse(Some(id), fault);
        }
        let room = room.unwrap_or_else(|| self.hub.name_room(&who.user, &key));
        let answer = Answer::Fixed(Box::new(Reply::Room { room: room.clone() }));
        self.submit(id, commands::Durable { room, key, intent: intent.into(), answer }).await
    }

    async fn submit(&mut self, id: u64, durable: commands::Durable) -> Result<(), CloseCode> {
        let commands::Durable { room, key, intent, answer } = durable;
        let State::Known(known) = &self.state else { return Ok(()) };
        let conn = known.conn.clone();
        if let Err(fault) = self.hub.need_reach_for(&intent) {
            return self.refuse(Some(id), fault);
        }
        if let Err(fault) = self.hub.pace(&conn.user, &room, conn.identity().grants.service) {
            return self.refuse(Some(id), fault);
        }
        if !conn.begin(IN_FLIGHT) {
            return self.refuse(Some(id), Fault::rate_limited("too many commands are unanswered", 100));
        }
        let actor = conn.actor(&room);
        let digest = self.hub.digest(&intent);
        let reply = ReplyTo::Conn { conn: conn.clone(), id, answer };
        let draft = Draft { room, actor, origin: Some(conn.origin()), intent, key: Some(key), digest, reply };
        if let Err(fault) = self.hub.writer.submit(Job::Draft(draft)) {
            conn.end();
            return self.refuse(Some(id), fault);
        }
        Ok(())
    }

    async fn open(&mut self, id: u64, open: stoa_protocol::RoomOpen) -> Result<(), CloseCode> {
        let State::Known(known) = &mut self.state else { return Ok(()) };
        let most = self.hub.limits.rooms_per_connection as usize;
        let again = known.rooms.iter().any(|cell| cell.id == open.room);
        if known.rooms.len() >= most && !again {
            return self
                .refuse(Some(id), Fault::rate_limited(format!("a connection opens {most} rooms at most"), 1_000));
        }
        let now = self.hub.clock.now();
        let rate = self.hub.limits.frames_per_s;
        if let Err(wait) = known.reads.take(now, rate, rate.max(self.hub.limits.rooms_per_connection)) {
            return self.refuse(Some(id), Fault::rate_limited("too many rooms are opened", wait));
        }
        let conn = known.conn.clone();
        match self.hub.open(&conn, id, &open).await {
            Ok(cell) => {
                // Kept before it is caught up: whatever fails from here on, the end of the connection detaches it.
                if let State::Known(known) = &mut self.state {
                    known.rooms.retain(|old| old.id != cell.id);
                    known.rooms.push(cell.clone());
                }
                if !self.hub.catch_up(&cell, &conn).await?
                    && let State::Known(known) = &mut self.state
                {
                    known.rooms.retain(|gone| gone.id != cell.id);
                }
                Ok(())
            }
            Err(fault) => self.refuse(Some(id), fault),
        }
    }

    fn leave_room(&mut self, room: &RoomId) {
        let State::Known(known) = &mut self.state else { return };
        let Some(at) = known.rooms.iter().position(|cell| cell.id == *room) else { return };
        let cell = known.rooms.swap_remove(at);
        cell.lock().detach(known.conn.id);
        self.hub.presence_moved(&cell);
    }

    /// Passing commands share a small budget: more of them is no more information.
    fn passing(&mut self) -> Result<(), Fault> {
        let State::Known(known) = &mut self.state else { return Ok(()) };
        let (now, rate) = (self.hub.clock.now(), self.hub.limits.typing_per_s);
        let taken = known.passing.take(now, rate, rate * self.hub.limits.burst_s);
        taken.map_err(|wait| Fault::rate_limited("too many passing events", wait))
    }

    fn typing(&mut self, id: u64, typing: Typing) -> Result<(), CloseCode> {
        if let Err(fault) = self.passing() {
            return self.refuse(Some(id), fault);
        }
        let State::Known(known) = &self.state else { return Ok(()) };
        let Some(cell) = known.rooms.iter().find(|cell| cell.id == typing.room) else {
            return self.refuse(Some(id), Fault::not_found("room"));
        };
        {
            let mut live = cell.lock();
            // The right to the room may have been taken away since it was opened: then it does not exist either.
            let may = live.attachment(known.conn.id).map(|a| a.access.has(Capability::Send));
            let refusal = match may {
                None => Some(Fault::not_found("room")),
                Some(false) => Some(Fault::forbidden("needs the capability send")),
                Some(true) => None,
            };
            if let Some(fault) = refusal {
                drop(live);
                return self.refuse(Some(id), fault);
            }
            live.typing.set(&known.conn.user, typing.on, self.hub.clock.now());
        }
        self.hub.ring_typing(&cell.id, &known.conn.user, typing.on);
        self.hub.tick_later(cell);
        self.reply(encode::ack(id, None, None))
    }

    fn presence(&mut self, id: u64, set: PresenceSet) -> Result<(), CloseCode> {
        if let Err(fault) = self.passing() {
            return self.refuse(Some(id), fault);
        }
        let State::Known(known) = &self.state else { return Ok(()) };
        {
            let mut live = known.user.lock();
            live.devices.set(known.conn.id, set.state);
            if let Some(text) = set.text {
                (live.status, live.status_at) = (text, self.hub.clock.now());
            }
        }
        self.hub.user_moved(&known.conn.user);
        self.reply(encode::ack(id, None, None))
    }

    async fn app(&mut self, id: u64, send: AppSend) -> Result<(), CloseCode> {
        if let Err(fault) = self.passing() {
            return self.refuse(Some(id), fault);
        }
        let State::Known(known) = &self.state else { return Ok(()) };
        let (who, except) = (known.conn.identity(), Some(known.conn.id));
        match self.hub.app(&who, send, except).await {
            Ok(seq) => self.reply(encode::ack(id, seq, None)),
            Err(fault) => self.refuse(Some(id), fault),
        }
    }

    fn refresh(&mut self, id: u64, token: &str) -> Result<(), CloseCode> {
        let now = self.hub.clock.now();
        let identity = match self.hub.verifier.verify(token, now) {
            Ok(identity) => identity,
            Err(fault) => return self.refuse(Some(id), fault),
        };
        let State::Known(known) = &mut self.state else { return Ok(()) };
        if identity.user != known.conn.user {
            return self.refuse(Some(id), Fault::forbidden("the token is another user's"));
        }
        let expires_at = identity.expires_at;
        known.conn.set_identity(Arc::new(identity));
        known.told_expiring = false;
        let user = known.conn.user.clone();
        for cell in &known.rooms {
            cell.lock().reconsider(&user, now);
        }
        self.reply(encode::ack(id, None, Some(Reply::Token { expires_at })))
    }
}

impl Known {
    fn shares_a_room_with(&self, user: &UserId) -> bool {
        self.rooms.iter().any(|cell| {
            let live = cell.lock();
            live.room.members().contains_key(user) || live.users().contains_key(user)
        })
    }
}

#[async_trait]
impl Session for HubSession {
    async fn text(&mut self, text: &str) -> Result<(), CloseCode> {
        let (now, rate) = (self.hub.clock.now(), self.hub.limits.frames_per_s);
        let taken = self.frames.take(now, rate, rate * self.hub.limits.burst_s);
        let parsed = parse_client(text);
        if let Err(wait) = taken {
            let id = parsed.map_or_else(|(id, _)| id, |(id, _)| Some(id));
            return self.refuse(id, Fault::rate_limited("too many frames", wait));
        }
        if let Ok((id, command)) = &parsed {
            tracing::trace!(address = %self.peer.address, command = command.name(), id, "command");
        }
        match (parsed, &self.state) {
            (Err((id, fault)), _) => self.refuse(id, fault),
            (Ok((id, Command::Hello(hello))), State::Stranger { .. }) => self.hello(id, hello).await,
            (Ok((id, _)), State::Stranger { .. }) => {
                self.refuse(Some(id), Fault::new(ErrorCode::Unauthorized, "the first command is hello"))?;
                Err(CloseCode::Unauthorized)
            }
            (Ok((id, command)), State::Known(_)) => self.command(id, command).await,
        }
    }

    async fn binary(&mut self, bytes: &[u8]) -> Result<(), CloseCode> {
        self.hear_document(bytes).await
    }

    async fn woken(&mut self) -> Result<(), CloseCode> {
        self.catch_up_documents().await;
        self.catch_up().await
    }

    fn binary_limit(&self) -> usize {
        self.largest_binary()
    }

    fn frame_limit(&self) -> usize {
        match self.state {
            State::Stranger { .. } => limits::HELLO_FRAME_BYTES,
            State::Known(_) => limits::FRAME_BYTES,
        }
    }

    fn deadline(&self) -> Option<Millis> {
        match &self.state {
            State::Stranger { deadline } => Some(*deadline),
            State::Known(known) => {
                let expires = known.conn.identity().expires_at;
                Some(if known.told_expiring { expires } else { expires.saturating_sub(EXPIRING_MS) })
            }
        }
    }

    async fn tick(&mut self) -> Result<(), CloseCode> {
        let now = self.hub.clock.now();
        match &mut self.state {
            State::Stranger { deadline } if now >= *deadline => Err(CloseCode::HelloTimeout),
            State::Stranger { .. } => Ok(()),
            State::Known(known) => {
                let expires_at = known.conn.identity().expires_at;
                if now >= expires_at {
                    return Err(CloseCode::Expired);
                }
                if known.told_expiring || now + EXPIRING_MS < expires_at {
                    return Ok(());
                }
                known.told_expiring = true;
                self.reply(encode::control(&Control::TokenExpiring { expires_at }))
            }
        }
    }

    fn closed(&mut self, _clean: bool) {
        self.hub.metrics.connections.dec();
        self.close_documents();
        let State::Known(known) = &mut self.state else { return };
        self.hub.metrics.authenticated.dec();
        tracing::debug!(user = %known.conn.user, session = %known.conn.session, "gone");
        if known.conn.wants_list {
            self.hub.list_watchers.fetch_sub(1, Ordering::Relaxed);
        }
        for cell in known.rooms.drain(..) {
            cell.lock().detach(known.conn.id);
            self.hub.presence_moved(&cell);
        }
        let moved = {
            let mut live = known.user.lock();
            let before = live.devices.state();
            if super::planted("no-grace") {
                live.devices.set(known.conn.id, stoa_protocol::PresenceState::Offline);
            }
            live.go(known.conn.id, self.hub.clock.now());
            before != live.devices.state()
        };
        if moved {
            self.hub.user_moved(&known.conn.user);
        }
    }
}
