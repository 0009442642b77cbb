//! Rooms: their list, their records, their lives.

use super::call::{Call, json, located, nothing};
use crate::{hub::RoomNow, identity::Identity};
use axum::{http::StatusCode, response::Response};
use stoa_protocol::{
    Command, ErrorCode, Fault, Key, Reply, RoomArchive, RoomCreate, RoomId, RoomList, RoomUpdate,
    http::{DirectBody, RoomBody, RoomChange, RoomPage, RoomView, RoomsQuery},
};

/// The key of a creation under the host application's own id when the request names none: the same body again is the
/// same creation.
const PUT_KEY: &str = "http.room.put";

pub async fn list(call: Call) -> Result<Response, Fault> {
    let RoomsQuery { after, limit, archived } = call.query()?;
    let ask = RoomList { after, limit, archived };
    Command::RoomList(ask.clone()).check()?;
    match call.hub().list(call.who()?, &ask).await? {
        Reply::Rooms { rooms, next, profiles } => json(StatusCode::OK, &RoomPage { rooms, next, profiles }),
        other => Err(unexpected(&other)),
    }
}

pub async fn post(call: Call) -> Result<Response, Fault> {
    let body: RoomBody = call.body()?;
    let key = call.key_or_fresh(None)?;
    let room = call.hub().create(call.who()?, creation(body, None, key)).await?;
    let view = view(&call, call.who()?, &room).await?;
    Ok(located(json(StatusCode::CREATED, &view)?, call.location(&format!("/v1/rooms/{room}"))))
}

pub async fn put(call: Call) -> Result<Response, Fault> {
    let room = call.room()?;
    let body: RoomBody = call.body()?;
    let key = call.key(None)?.unwrap_or_else(|| Key::new(PUT_KEY).expect("the name is unreserved"));
    let status = match call.hub().look(call.who()?, &room).await {
        Ok(_) => StatusCode::OK,
        Err(fault) if fault.code == ErrorCode::NotFound => StatusCode::CREATED,
        Err(fault) => return Err(fault),
    };
    call.hub().create(call.who()?, creation(body, Some(room.clone()), key)).await.map_err(|fault| {
        match fault.code {
            // Two words for one thing: the room is there, and not as this body has it.
            ErrorCode::Conflict => Fault::conflict("the room exists and was created otherwise"),
            _ => fault,
        }
    })?;
    let view = view(&call, call.who()?, &room).await?;
    Ok(located(json(status, &view)?, call.location(&format!("/v1/rooms/{room}"))))
}

fn creation(body: RoomBody, room: Option<RoomId>, key: Key) -> RoomCreate {
    let RoomBody { kind, title, topic, history, slow_mode_s, retention_days, members, data } = body;
    RoomCreate { key, room, kind, title, topic, history, slow_mode_s, retention_days, members, data }
}

pub async fn get(call: Call) -> Result<Response, Fault> {
    let view = view(&call, call.who()?, &call.room()?).await?;
    json(StatusCode::OK, &view)
}

pub async fn patch(call: Call) -> Result<Response, Fault> {
    let room = call.room()?;
    let change: RoomChange = call.body()?;
    let key = call.key_or_fresh(None)?;
    let command = match change {
        RoomChange { archived: None, title, topic, history, slow_mode_s, retention_days, data } => {
            let room = room.clone();
            Command::RoomUpdate(RoomUpdate { room, key, title, topic, history, slow_mode_s, retention_days, data })
        }
        RoomChange {
            archived: Some(archived),
            title: None,
            topic: None,
            history: None,
            slow_mode_s: None,
            retention_days: None,
            data: None,
        } => Command::RoomArchive(RoomArchive { room: room.clone(), key, archived }),
        // They are two events, and a key names one.
        RoomChange { archived: Some(_), .. } => {
            return Err(Fault::bad_request("archived", "changes alone, without other fields"));
        }
    };
    call.hub().command(call.who()?, command).await?;
    let view = view(&call, call.who()?, &room).await?;
    json(StatusCode::OK, &view)
}

pub async fn delete(call: Call) -> Result<Response, Fault> {
    call.hub().delete_room(&call.room()?).await?;
    Ok(nothing())
}

pub async fn direct(call: Call) -> Result<Response, Fault> {
    let DirectBody { user, from } = call.body()?;
    let who = call.speaking_for(from)?;
    let room = call.hub().direct(&who, &user).await?;
    json(StatusCode::OK, &view(&call, &who, &room).await?)
}

async fn view(call: &Call, who: &Identity, room: &RoomId) -> Result<RoomView, Fault> {
    let RoomNow { info, epoch, head, member_count, pins, access } = call.hub().look(who, room).await?;
    let url = call.hub().url_of(room);
    Ok(RoomView { info, epoch, head, member_count, pins, access: access.view(), url })
}

/// The hub answered another question than the one that was asked.
pub fn unexpected(reply: &Reply) -> Fault {
    tracing::error!(reply = ?std::mem::discriminant(reply), "a reply of the wrong kind");
    Fault::internal()
}
