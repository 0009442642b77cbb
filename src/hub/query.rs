//! Commands that read.

use super::{Hub, open};
use crate::{
    identity::Identity,
    storage::{ListQuery, ListRow, ListScope, MessageQuery, Place, SearchQuery, SearchScope},
};
use base64::Engine;
use std::{collections::BTreeSet, sync::Arc};
use stoa_protocol::{
    ChatHistory, ChatSearch, Fault, MemberList, Message, Millis, PresenceList, ProfileList, Reply, Role, RoomEntry,
    RoomId, RoomList, Seq, UserId, limits,
};
use stoa_rooms::Access;

/// Most bytes of one page of messages: half of a mailbox.
const PAGE_BYTES: usize = 128 * 1024;

impl Hub {
    /// What somebody may do in a room now.
    ///
    /// # Errors
    /// `not_found` in the same words whether the room exists or not.
    pub async fn access(self: &Arc<Self>, who: &Identity, room: &RoomId) -> Result<Access, Fault> {
        let cell = self.room(room).await?;
        let access = cell.lock().room.access(&who.actor(room), self.clock.now());
        access.map_err(|_| Fault::not_found("room"))
    }

    /// A page of messages.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn history(self: &Arc<Self>, who: &Identity, ask: &ChatHistory) -> Result<Reply, Fault> {
        let access = self.access(who, &ask.room).await?;
        let place = match (ask.before, ask.after, ask.around) {
            (Some(seq), _, _) => Place::Before(seq),
            (None, Some(seq), _) => Place::After(seq),
            (None, None, Some(seq)) => Place::Around(seq),
            (None, None, None) => Place::Newest,
        };
        let query = MessageQuery {
            room: ask.room.clone(),
            reader: who.user.clone(),
            visible_after: access.visible_after,
            place,
            thread: ask.thread,
            limit: ask.limit.unwrap_or(limits::PAGE_DEFAULT),
        };
        let page = self.store.messages(&query).await.map_err(|error| self.store_fault(error))?;
        let (messages, more_before, more_after) = match place {
            Place::After(_) => {
                let (messages, cut) = oldest_within(page.messages, PAGE_BYTES);
                (messages, page.more_before, page.more_after || cut)
            }
            Place::Newest | Place::Before(_) | Place::Around(_) => {
                let (messages, cut) = open::newest_within(page.messages, PAGE_BYTES);
                (messages, page.more_before || cut, page.more_after)
            }
        };
        let profiles = self.profiles_of(open::people_of(&messages, &[], &[])).await?;
        Ok(Reply::Messages { messages, more_before, more_after, next: None, profiles })
    }

    /// Full-text search.
    ///
    /// # Errors
    /// `not_found`, `bad_request` for a cursor that is none, `unavailable`.
    pub async fn search(self: &Arc<Self>, who: &Identity, ask: &ChatSearch) -> Result<Reply, Fault> {
        let scope = match (&ask.room, &who.grants.rooms) {
            (Some(room), _) => {
                let access = self.access(who, room).await?;
                SearchScope::Rooms(vec![(room.clone(), access.visible_after)])
            }
            (None, _) if who.grants.service => SearchScope::All,
            (None, Some(granted)) => {
                let mut rooms = Vec::new();
                for room in granted.keys().take(limits::PAGE as usize) {
                    if let Ok(access) = self.access(who, room).await {
                        rooms.push((room.clone(), access.visible_after));
                    }
                }
                SearchScope::Rooms(rooms)
            }
            (None, None) => SearchScope::MemberOf(who.user.clone()),
        };
        let after = ask.after.as_deref().map(read_place::<(Millis, RoomId, Seq)>).transpose()?;
        let query = SearchQuery {
            query: ask.query.clone(),
            scope,
            reader: who.user.clone(),
            from: ask.from.clone(),
            after,
            limit: ask.limit.unwrap_or(limits::PAGE_DEFAULT),
        };
        let (found, more) = self.store.search(&query).await.map_err(|error| self.store_fault(error))?;
        let (messages, cut) = oldest_within(found, PAGE_BYTES);
        let more = more || cut;
        let next = messages.last().filter(|_| more).map(|last| write_place(&(last.at, &last.room, last.seq)));
        let profiles = self.profiles_of(open::people_of(&messages, &[], &[])).await?;
        Ok(Reply::Messages { messages, more_before: more, more_after: false, next, profiles })
    }

    /// The user's rooms.
    ///
    /// # Errors
    /// `bad_request` for a cursor that is none, `unavailable`.
    pub async fn list(self: &Arc<Self>, who: &Identity, ask: &RoomList) -> Result<Reply, Fault> {
        let scope = match &who.grants.rooms {
            _ if who.grants.service => ListScope::All,
            Some(rooms) => {
                let now = self.clock.now();
                let open = rooms.iter().filter(|(_, grant)| grant.is_open(now));
                ListScope::Rooms(open.map(|(room, _)| room.clone()).take(limits::BULK_MEMBERS).collect())
            }
            None => ListScope::MemberOf,
        };
        let after = ask.after.as_deref().map(read_place::<(Millis, RoomId)>).transpose()?;
        let limit = ask.limit.unwrap_or(limits::PAGE_DEFAULT);
        let query = ListQuery { reader: who.user.clone(), scope, after, archived: ask.archived, limit };
        let (rows, more) = self.store.list(&query).await.map_err(|error| self.store_fault(error))?;
        let next = rows.last().filter(|_| more).map(|last| write_place(&(last.last_at, &last.info.room)));
        let mut rooms = Vec::new();
        for row in rows {
            let access = match (&row.member, who.grants.rooms.is_some() || who.grants.service) {
                (Some(_), false) => None,
                // What a grant gives, and what a ban takes, only the room itself knows.
                (Some(_), true) | (None, _) => match self.access(who, &row.info.room).await {
                    Ok(access) => Some(access),
                    Err(_) => continue,
                },
            };
            let row = ListRow { info: self.told(row.info), ..row };
            rooms.extend(entry(row, access));
        }
        let people: BTreeSet<UserId> = rooms
            .iter()
            .flat_map(|room| room.peer.iter().chain(room.last.iter().filter_map(|last| last.from.as_ref())))
            .cloned()
            .collect();
        let profiles = self.profiles_of(people.into_iter().collect()).await?;
        Ok(Reply::Rooms { rooms, next, profiles })
    }

    /// A page of members.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn members(self: &Arc<Self>, who: &Identity, ask: &MemberList) -> Result<Reply, Fault> {
        let cell = self.room(&ask.room).await?;
        let limit = ask.limit.unwrap_or(limits::PAGE_DEFAULT) as usize;
        let (members, count, more) = {
            let live = cell.lock();
            live.room.access(&who.actor(&ask.room), self.clock.now()).map_err(|_| Fault::not_found("room"))?;
            let all = live.room.members();
            let from = |user: &UserId| (std::ops::Bound::Excluded(user.clone()), std::ops::Bound::Unbounded);
            let mut rows: Vec<_> = match &ask.after {
                Some(user) => all.range(from(user)).take(limit + 1).map(|(_, m)| m.clone()).collect(),
                None => all.values().take(limit + 1).cloned().collect(),
            };
            let more = rows.len() > limit;
            rows.truncate(limit);
            (rows, all.len() as u32, more)
        };
        let profiles = self.profiles_of(members.iter().map(|m| m.user.clone()).collect()).await?;
        Ok(Reply::Members { members, count, more, profiles })
    }

    /// A page of who is there.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn presences(self: &Arc<Self>, who: &Identity, ask: &PresenceList) -> Result<Reply, Fault> {
        let cell = self.room(&ask.room).await?;
        let mut people = {
            let live = cell.lock();
            live.room.access(&who.actor(&ask.room), self.clock.now()).map_err(|_| Fault::not_found("room"))?;
            match live.tells_each() {
                true => super::presence::people(&live),
                false => live.users().keys().cloned().collect(),
            }
        };
        people.sort_unstable();
        let (_, here) = self.presence_now(&cell, &people);
        let online = here.len() as u32;
        let limit = ask.limit.unwrap_or(limits::PAGE_DEFAULT) as usize;
        let mut presence: Vec<_> = here
            .into_iter()
            .filter(|p| ask.after.as_ref().is_none_or(|after| p.user > *after))
            .take(limit + 1)
            .collect();
        let more = presence.len() > limit;
        presence.truncate(limit);
        let profiles = self.profiles_of(presence.iter().map(|p| p.user.clone()).collect()).await?;
        Ok(Reply::Presences { presence, online, more, profiles })
    }

    /// Names of people by their ids. A name is no secret to who knows the id: it comes with every message.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn profile_list(self: &Arc<Self>, ask: &ProfileList) -> Result<Reply, Fault> {
        let users: BTreeSet<UserId> = ask.users.iter().cloned().collect();
        Ok(Reply::Profiles { profiles: self.profiles_of(users.into_iter().collect()).await? })
    }
}

/// A row as its reader sees it; `None` when there is neither a membership nor an access.
pub(super) fn entry(row: ListRow, access: Option<Access>) -> Option<RoomEntry> {
    let role: Role = access.map(|a| a.role).or(row.member.as_ref().map(|m| m.role))?;
    let ListRow { info, member: _, head, last_at: _, last, read, unread, mentions, peer, call } = row;
    Some(RoomEntry { info, role, head, last, read, unread, mentions, peer, call })
}

/// The first of them that fit; tells whether some did not.
fn oldest_within(mut messages: Vec<Message>, bytes: usize) -> (Vec<Message>, bool) {
    let mut room = bytes;
    let fits = |message: &Message| {
        let size = serde_json::to_vec(message).map_or(usize::MAX, |bytes| bytes.len());
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    let fitting = messages.iter().map(fits).take_while(|fits| *fits).count().max(1).min(messages.len());
    let cut = fitting < messages.len();
    messages.truncate(fitting);
    (messages, cut)
}

/// Where a page ended, as an opaque word.
fn write_place(place: &impl serde::Serialize) -> String {
    let json = serde_json::to_vec(place).expect("a tuple of ids and numbers is JSON");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json)
}

fn read_place<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, Fault> {
    let bad = || Fault::bad_request("after", "is not the `next` of a page");
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(word).map_err(|_| bad())?;
    serde_json::from_slice(&json).map_err(|_| bad())
}
