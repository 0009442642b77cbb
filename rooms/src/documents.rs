//! The records of a room's shared documents, and who may edit. Their content is elsewhere.

use crate::{Facts, Room, rights::Access};
use serde::Serialize;
use std::sync::Arc;
use stoa_protocol::{
    Capability, Data, DocumentId, DocumentInfo, DocumentKind, EditRight, Fault, Millis, RoomEventBody, UserId, limits,
};

/// The document that every room has from its first moment.
pub const BOARD: &str = "board";

/// A wish about a document's record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum DocumentIntent {
    /// Create it; the time of its creation is the commit's.
    Create(DocumentInfo),
    /// Change it; absent fields stay.
    Update {
        /// Which.
        document: DocumentId,
        /// Its title.
        title: Option<String>,
        /// Who may edit.
        edit: Option<EditRight>,
        /// Whether only those who manage the room may edit.
        locked: Option<bool>,
        /// The host application's own.
        data: Option<Data>,
    },
    /// Delete it with everything in it.
    Delete(DocumentId),
}

impl Room {
    /// A document's record. The first board is there before anything was written about it.
    pub fn document(&self, document: &DocumentId) -> Option<DocumentInfo> {
        match self.documents.get(document) {
            Some(info) => Some(info.clone()),
            None if document.as_str() == BOARD => Some(self.first_board()),
            None => None,
        }
    }

    /// Every document's record, the first board at first, then by name.
    pub fn documents(&self) -> Vec<DocumentInfo> {
        let board = DocumentId::new(BOARD).expect("a legal name");
        let others = self.documents.values().filter(|info| info.document != board).cloned();
        self.document(&board).into_iter().chain(others).collect()
    }

    /// Whether somebody with this access may edit a document now. An archived room is read only.
    pub fn may_edit(&self, user: &UserId, access: &Access, info: &DocumentInfo) -> bool {
        let EditRight { role, capability, allow, deny } = &info.edit;
        match () {
            () if self.info().archived => false,
            () if access.has(Capability::Manage) => true,
            () if info.locked || deny.contains(user) => false,
            () if allow.contains(user) => true,
            () => access.role >= *role && capability.is_none_or(|needed| access.has(needed)),
        }
    }

    fn first_board(&self) -> DocumentInfo {
        DocumentInfo {
            document: DocumentId::new(BOARD).expect("a legal name"),
            kind: DocumentKind::Board,
            title: String::new(),
            edit: EditRight::default(),
            locked: false,
            data: None,
            created_at: self.info().created_at,
        }
    }

    pub(crate) fn decide_document(&self, access: &Access, wish: &DocumentIntent, now: Millis) -> Result<Facts, Fault> {
        if !access.has(Capability::Manage) {
            return Err(Fault::forbidden("needs the capability manage"));
        }
        let body = match wish {
            DocumentIntent::Create(info) => self.create_document(info, now)?,
            DocumentIntent::Update { document, title, edit, locked, data } => {
                let old = self.document(document).ok_or_else(|| Fault::not_found("document"))?;
                let info = DocumentInfo {
                    title: title.clone().unwrap_or_else(|| old.title.clone()),
                    edit: edit.clone().unwrap_or_else(|| old.edit.clone()),
                    locked: locked.unwrap_or(old.locked),
                    data: data.clone().or_else(|| old.data.clone()),
                    ..old.clone()
                };
                if info == old {
                    return Ok(Facts::default());
                }
                RoomEventBody::DocumentUpdated(info)
            }
            DocumentIntent::Delete(document) if document.as_str() == BOARD => {
                return Err(Fault::conflict("every room has its board"));
            }
            DocumentIntent::Delete(document) => match self.documents.contains_key(document) {
                true => RoomEventBody::DocumentDeleted { document: document.clone() },
                false => return Err(Fault::not_found("document")),
            },
        };
        Ok(Facts { bodies: vec![body], notices: vec![] })
    }

    fn create_document(&self, info: &DocumentInfo, now: Millis) -> Result<RoomEventBody, Fault> {
        if self.document(&info.document).is_some() {
            return Err(Fault::conflict("the document exists"));
        }
        // The first board counts, whether anything was written about it or not.
        if self.documents().len() >= limits::DOCUMENTS {
            let most = limits::DOCUMENTS;
            return Err(Fault::conflict(format!("the room has {most} documents, which is the most")));
        }
        Ok(RoomEventBody::DocumentCreated(DocumentInfo { created_at: now, ..info.clone() }))
    }

    pub(crate) fn put_document(&mut self, info: &DocumentInfo) {
        Arc::make_mut(&mut self.documents).insert(info.document.clone(), info.clone());
    }

    pub(crate) fn drop_document(&mut self, document: &DocumentId) {
        Arc::make_mut(&mut self.documents).remove(document);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actor, Grant, Intent};
    use stoa_protocol::{Epoch, MemberJoined, Role, RoomCreated, RoomId, RoomKind};

    fn user(name: &str) -> UserId {
        UserId::new(name).expect("legal")
    }

    fn room() -> Room {
        let mut room = Room::unborn(RoomId::new("r").expect("legal"), Epoch::new("e").expect("legal"));
        apply(&mut room, &RoomEventBody::RoomCreated(RoomCreated::new(RoomKind::Group)));
        for (name, role) in [("ann", Role::Host), ("ben", Role::Member), ("vic", Role::Viewer)] {
            let joined = MemberJoined { user: user(name), role, capabilities: None, data: None };
            apply(&mut room, &RoomEventBody::MemberJoined(joined));
        }
        room
    }

    fn apply(room: &mut Room, body: &RoomEventBody) {
        room.apply(room.head().next(), 7, None, body);
        room.check_invariants();
    }

    fn wish(room: &mut Room, who: &str, wish: DocumentIntent) -> Result<(), stoa_protocol::ErrorCode> {
        let facts = room.decide(&Actor::plain(user(who)), &Intent::Document(wish), None, 7).map_err(|f| f.code)?;
        facts.bodies.iter().for_each(|body| apply(room, body));
        Ok(())
    }

    fn editors(room: &Room) -> Vec<&'static str> {
        let info = room.document(&DocumentId::new(BOARD).expect("legal")).expect("is in every room");
        let may = |name: &&str| {
            let access = room.access(&Actor::plain(user(name)), 7).expect("a member");
            room.may_edit(&user(name), &access, &info)
        };
        ["ann", "ben", "vic"].into_iter().filter(may).collect()
    }

    fn update(edit: Option<EditRight>, locked: Option<bool>) -> DocumentIntent {
        let document = DocumentId::new(BOARD).expect("legal");
        DocumentIntent::Update { document, title: None, edit, locked, data: None }
    }

    #[test]
    fn the_board_is_there_and_members_draw_on_it_until_the_host_locks_it() {
        let mut room = room();
        assert_eq!(editors(&room), ["ann", "ben"]);
        wish(&mut room, "ann", update(None, Some(true))).expect("the host may");
        assert_eq!(editors(&room), ["ann"]);
        wish(&mut room, "ann", update(None, Some(false))).expect("the host may");
        assert_eq!(editors(&room), ["ann", "ben"]);
        assert!(wish(&mut room, "ben", update(None, Some(true))).is_err());
        apply(&mut room, &RoomEventBody::RoomArchived { archived: true });
        assert_eq!(editors(&room), [""; 0], "an archived room is read only");
    }

    #[test]
    fn people_win_over_roles_and_refusals_over_permissions() {
        let mut room = room();
        let edit = EditRight { allow: vec![user("vic")], deny: vec![user("ben")], ..EditRight::default() };
        wish(&mut room, "ann", update(Some(edit), None)).expect("the host may");
        assert_eq!(editors(&room), ["ann", "vic"]);
        let edit = EditRight { allow: vec![user("vic")], deny: vec![user("vic")], ..EditRight::default() };
        wish(&mut room, "ann", update(Some(edit), None)).expect("the host may");
        assert_eq!(editors(&room), ["ann", "ben"]);
        let edit = EditRight { role: Role::Viewer, capability: Some(Capability::Send), ..EditRight::default() };
        wish(&mut room, "ann", update(Some(edit), None)).expect("the host may");
        assert_eq!(editors(&room), ["ann", "ben"], "a viewer has no right to send");
    }

    #[test]
    fn documents_are_bounded_and_the_board_stays() {
        let mut room = room();
        let info = |name: String| DocumentInfo {
            document: DocumentId::new(name).expect("legal"),
            kind: DocumentKind::Notes,
            ..room.document(&DocumentId::new(BOARD).expect("legal")).expect("there")
        };
        let infos: Vec<_> = (0..limits::DOCUMENTS).map(|n| info(format!("n{n}"))).collect();
        let made = infos.iter().filter(|i| wish(&mut room, "ann", DocumentIntent::Create((*i).clone())).is_ok());
        assert_eq!(made.count(), limits::DOCUMENTS - 1, "the board counts");
        assert!(wish(&mut room, "ann", DocumentIntent::Create(infos[0].clone())).is_err(), "it exists");
        assert!(wish(&mut room, "ann", DocumentIntent::Delete(DocumentId::new(BOARD).expect("legal"))).is_err());
        wish(&mut room, "ann", DocumentIntent::Delete(infos[0].document.clone())).expect("the host may");
        assert_eq!(room.documents().len(), limits::DOCUMENTS - 1);
        let grant = Grant::of(Role::Viewer);
        assert!(!room.access(&Actor::granted(user("zoe"), grant), 7).expect("granted").has(Capability::Manage));
    }
}
