//! Who belongs to a room, who is banned from it, who is there.

use super::{
    call::{Call, json},
    rooms::unexpected,
};
use axum::{http::StatusCode, response::Response};
use stoa_protocol::{
    Command, Fault, MemberBan, MemberList, MemberRemove, MemberUnban, MemberUpdate, NewMember, PresenceList, Reply,
    RoomId, Seq, UserId,
    http::{
        BanBody, BanPage, Committed, MemberBody, MemberChange, MemberOutcome, MemberOutcomes, MemberPage, MembersBody,
        PeopleQuery, PresencePage,
    },
    limits,
};

pub async fn list(call: Call) -> Result<Response, Fault> {
    let PeopleQuery { after, limit } = call.query()?;
    let ask = MemberList { room: call.room()?, after, limit };
    Command::MemberList(ask.clone()).check()?;
    match call.hub().members(call.who()?, &ask).await? {
        Reply::Members { members, count, more, profiles } => {
            let next = members.last().filter(|_| more).map(|member| member.user.clone());
            json(StatusCode::OK, &MemberPage { members, count, next, profiles })
        }
        other => Err(unexpected(&other)),
    }
}

pub async fn post(call: Call) -> Result<Response, Fault> {
    let room = call.room()?;
    let MembersBody { members } = call.body()?;
    if members.len() > limits::BULK_MEMBERS {
        return Err(Fault::bad_request("members", format!("has more than {} entries", limits::BULK_MEMBERS)));
    }
    call.shared.limiter.rows(call.hub(), call.who()?, members.len())?;
    let users: Vec<UserId> = members.iter().map(|member| member.user.clone()).collect();
    let outcomes = call.hub().put_members(call.who()?, &room, members, None).await?;
    let results = users.into_iter().zip(outcomes).map(|(user, outcome)| match outcome {
        Ok(seq) => MemberOutcome { user, seq: Some(seq), error: None },
        Err(fault) => MemberOutcome { user, seq: None, error: Some(fault) },
    });
    json(StatusCode::OK, &MemberOutcomes { results: results.collect() })
}

pub async fn get(call: Call) -> Result<Response, Fault> {
    let member = call.hub().member(call.who()?, &call.room()?, &call.path("user")?).await?;
    json(StatusCode::OK, &member.ok_or_else(|| Fault::not_found("member"))?)
}

pub async fn put(call: Call) -> Result<Response, Fault> {
    let (room, user) = (call.room()?, call.path("user")?);
    let MemberBody { role, capabilities, data } = call.body()?;
    let member = NewMember { user, role, capabilities, data };
    let key = call.key(None)?;
    let outcomes = call.hub().put_members(call.who()?, &room, vec![member], key).await?;
    let outcome = outcomes.into_iter().next().ok_or_else(Fault::internal)?;
    committed(room, outcome?)
}

pub async fn patch(call: Call) -> Result<Response, Fault> {
    let (room, user) = (call.room()?, call.path("user")?);
    let MemberChange { role, capabilities, muted_until, data } = call.body()?;
    let key = call.key_or_fresh(None)?;
    let update = MemberUpdate { room: room.clone(), key, user, role, capabilities, muted_until, data };
    committed(room, call.hub().command(call.who()?, Command::MemberUpdate(update)).await?)
}

pub async fn delete(call: Call) -> Result<Response, Fault> {
    let (room, user) = (call.room()?, call.path("user")?);
    let remove = MemberRemove { room: room.clone(), key: call.key_or_fresh(None)?, user };
    committed(room, call.hub().command(call.who()?, Command::MemberRemove(remove)).await?)
}

pub async fn bans(call: Call) -> Result<Response, Fault> {
    let PeopleQuery { after, limit } = call.query()?;
    let room = call.room()?;
    Command::MemberList(MemberList { room: room.clone(), after: after.clone(), limit }).check()?;
    let limit = limit.unwrap_or(limits::PAGE_DEFAULT);
    let (bans, more) = call.hub().bans(call.who()?, &room, after.as_ref(), limit).await?;
    let next = bans.last().filter(|_| more).map(|ban| ban.user.clone());
    json(StatusCode::OK, &BanPage { bans, next })
}

pub async fn ban(call: Call) -> Result<Response, Fault> {
    let (room, user) = (call.room()?, call.path("user")?);
    let BanBody { until, reason } = call.body()?;
    let ban = MemberBan { room: room.clone(), key: call.key_or_fresh(None)?, user, until, reason };
    committed(room, call.hub().command(call.who()?, Command::MemberBan(ban)).await?)
}

pub async fn unban(call: Call) -> Result<Response, Fault> {
    let (room, user) = (call.room()?, call.path("user")?);
    let unban = MemberUnban { room: room.clone(), key: call.key_or_fresh(None)?, user };
    committed(room, call.hub().command(call.who()?, Command::MemberUnban(unban)).await?)
}

pub async fn presence(call: Call) -> Result<Response, Fault> {
    let PeopleQuery { after, limit } = call.query()?;
    let ask = PresenceList { room: call.room()?, after, limit };
    Command::PresenceList(ask.clone()).check()?;
    match call.hub().presences(call.who()?, &ask).await? {
        Reply::Presences { presence, online, more, profiles } => {
            let next = presence.last().filter(|_| more).map(|one| one.user.clone());
            json(StatusCode::OK, &PresencePage { presence, online, next, profiles })
        }
        other => Err(unexpected(&other)),
    }
}

/// A change is committed.
pub fn committed(room: RoomId, seq: Seq) -> Result<Response, Fault> {
    json(StatusCode::OK, &Committed { room, seq })
}
