//! What is said in rooms, and what the host application tells.

use super::{
    call::{Call, json, located},
    members::committed,
    rooms::unexpected,
};
use axum::{http::StatusCode, response::Response};
use stoa_protocol::{
    AppSend, CallHistory, ChatDelete, ChatEdit, ChatHistory, ChatPin, ChatReact, ChatSearch, ChatSend, Command, Fault,
    Reply,
    http::{
        AppBody, AppSent, CallPage, CallsQuery, Committed, FoundPage, HistoryPage, HistoryQuery, MessageBody,
        MessageChange, ReadBody, WordsQuery,
    },
};

pub async fn list(call: Call) -> Result<Response, Fault> {
    let HistoryQuery { before, after, around, thread, limit } = call.query()?;
    let ask = ChatHistory { room: call.room()?, before, after, around, thread, limit };
    Command::ChatHistory(ask.clone()).check()?;
    match call.hub().history(call.who()?, &ask).await? {
        Reply::Messages { messages, more_before, more_after, next: _, profiles } => {
            json(StatusCode::OK, &HistoryPage { messages, more_before, more_after, profiles })
        }
        other => Err(unexpected(&other)),
    }
}

pub async fn calls(call: Call) -> Result<Response, Fault> {
    let CallsQuery { before, limit } = call.query()?;
    let ask = CallHistory { room: call.room()?, before, limit };
    Command::CallHistory(ask.clone()).check()?;
    match call.hub().call_history(call.who()?, &ask).await? {
        Reply::Calls { calls, more, profiles } => json(StatusCode::OK, &CallPage { calls, more, profiles }),
        other => Err(unexpected(&other)),
    }
}

pub async fn post(call: Call) -> Result<Response, Fault> {
    let room = call.room()?;
    let MessageBody { text, mentions, mention_all, reply_to, thread, announcement, data, key, from } = call.body()?;
    let who = call.speaking_for(from)?;
    let key = call.key_or_fresh(key)?;
    let send = ChatSend { room: room.clone(), key, text, mentions, mention_all, reply_to, thread, announcement, data };
    let seq = call.hub().command(&who, Command::ChatSend(send)).await?;
    let place = call.location(&format!("/v1/rooms/{room}/messages/{seq}"));
    Ok(located(json(StatusCode::CREATED, &Committed { room, seq })?, place))
}

pub async fn get(call: Call) -> Result<Response, Fault> {
    let message = call.hub().message(call.who()?, &call.room()?, call.seq()?).await?;
    json(StatusCode::OK, &message)
}

pub async fn patch(call: Call) -> Result<Response, Fault> {
    let (room, target) = (call.room()?, call.seq()?);
    let MessageChange { text, mentions, data } = call.body()?;
    let edit = ChatEdit { room: room.clone(), key: call.key_or_fresh(None)?, target, text, mentions, data };
    committed(room, call.hub().command(call.who()?, Command::ChatEdit(edit)).await?)
}

pub async fn delete(call: Call) -> Result<Response, Fault> {
    let (room, target) = (call.room()?, call.seq()?);
    let delete = ChatDelete { room: room.clone(), key: call.key_or_fresh(None)?, target };
    committed(room, call.hub().command(call.who()?, Command::ChatDelete(delete)).await?)
}

pub async fn react(call: Call, on: bool) -> Result<Response, Fault> {
    let (room, target, emoji) = (call.room()?, call.seq()?, call.path("emoji")?);
    let react = ChatReact { room: room.clone(), key: call.key_or_fresh(None)?, target, emoji, on };
    committed(room, call.hub().command(call.who()?, Command::ChatReact(react)).await?)
}

pub async fn pin(call: Call, on: bool) -> Result<Response, Fault> {
    let (room, target) = (call.room()?, call.seq()?);
    let pin = ChatPin { room: room.clone(), key: call.key_or_fresh(None)?, target, on };
    committed(room, call.hub().command(call.who()?, Command::ChatPin(pin)).await?)
}

pub async fn read(call: Call) -> Result<Response, Fault> {
    let room = call.room()?;
    let ReadBody { seq } = call.body()?;
    let seq = call.hub().read_to(call.who()?, &room, seq).await?;
    committed(room, seq)
}

pub async fn search(call: Call) -> Result<Response, Fault> {
    let WordsQuery { q, room, from, after, limit } = call.query()?;
    let ask = ChatSearch { query: q, room, from, after, limit };
    Command::ChatSearch(ask.clone()).check().map_err(|fault| match fault.field.as_deref() {
        Some("query") => Fault { field: Some("q".into()), ..fault },
        Some(_) | None => fault,
    })?;
    match call.hub().search(call.who()?, &ask).await? {
        Reply::Messages { messages, more_before: _, more_after: _, next, profiles } => {
            json(StatusCode::OK, &FoundPage { messages, next, profiles })
        }
        other => Err(unexpected(&other)),
    }
}

pub async fn room_event(call: Call) -> Result<Response, Fault> {
    let room = call.room()?;
    let AppBody { name, data, key } = call.body()?;
    let key = call.key(key)?;
    app(call, AppSend { room: Some(room), user: None, key, name, data }).await
}

pub async fn user_event(call: Call) -> Result<Response, Fault> {
    let user = call.path("user")?;
    let AppBody { name, data, key } = call.body()?;
    let key = call.key(key)?;
    app(call, AppSend { room: None, user: Some(user), key, name, data }).await
}

async fn app(call: Call, send: AppSend) -> Result<Response, Fault> {
    let who = call.who()?;
    if let Some(room) = &send.room {
        call.hub().pace(&who.user, room, who.grants.service)?;
    }
    let seq = call.hub().app(who, send, None).await?;
    // What is passing was handed on, and nobody promises more.
    let status = if seq.is_some() { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    json(status, &AppSent { seq })
}
