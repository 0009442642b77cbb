//! Invites and join links.

use super::call::{Call, json, nothing};
use crate::hub::{Lead, LinkKind, StoredLink, Terms, guest_name};
use axum::{http::StatusCode, response::Response};
use stoa_protocol::{
    Fault, LinkId, Millis,
    http::{
        CodeBody, ExchangeBody, Invite, InviteAccepted, InviteBody, InviteMade, InvitePage, InvitePreview, Link,
        LinkBody, LinkMade, LinkPage, LinkPreview, LinkState, LinksQuery,
    },
    limits,
};

/// Longest time that a link may be given, seconds: ten years; beyond it, it is meant for ever.
const LONGEST_S: u64 = 10 * 365 * 24 * 3_600;
/// Most uses of a link: what a room takes.
const MOST_USES: u32 = limits::MEMBERS as u32;
/// Longest code or secret that is looked at, bytes.
const CODE_BYTES: usize = 128;

pub async fn invite(call: Call) -> Result<Response, Fault> {
    let InviteBody { role, uses, expires_in_s } = call.body()?;
    let now = call.hub().clock().now();
    let expires_at = expires_in_s.map(|seconds| after(now, seconds)).transpose()?;
    let uses = uses.map(counted).transpose()?;
    let terms = Terms { kind: LinkKind::Invite, role, name: None, not_before: None, expires_at, uses };
    let (link, code) = call.hub().make_link(call.who()?, &call.room()?, terms).await?;
    let url = address(&call, "invite", &code);
    json(StatusCode::CREATED, &InviteMade { invite: shown_invite(link, LinkState::Open), code, url })
}

pub async fn invites(call: Call) -> Result<Response, Fault> {
    let (found, next) = page(&call, LinkKind::Invite).await?;
    let invites = found.into_iter().map(|(link, state)| shown_invite(link, state)).collect();
    json(StatusCode::OK, &InvitePage { invites, next })
}

pub async fn uninvite(call: Call) -> Result<Response, Fault> {
    call.hub().revoke_link(call.who()?, &call.room()?, LinkKind::Invite, &call.path("link")?).await?;
    Ok(nothing())
}

pub async fn look_at_invite(call: Call) -> Result<Response, Fault> {
    let code = code_of(&call)?;
    let who = call.who()?;
    let Lead { link, state, kind, title, member_count } =
        guessing(&call, call.hub().lead(LinkKind::Invite, &code).await)?;
    let member = call.hub().member(who, &link.room, &who.user).await.ok().flatten().is_some();
    let by = match &link.by {
        Some(by) => call.hub().profile_of(by).await?,
        None => None,
    };
    let preview = match state {
        LinkState::Open => InvitePreview {
            state,
            room: Some(link.room),
            kind: Some(kind),
            title: Some(title),
            member_count: Some(member_count),
            role: Some(link.role),
            expires_at: link.expires_at,
            by,
            member,
        },
        // To a member nothing is told that they do not know.
        _ => InvitePreview {
            state,
            room: member.then_some(link.room),
            kind: None,
            title: None,
            member_count: None,
            role: None,
            expires_at: None,
            by: None,
            member,
        },
    };
    json(StatusCode::OK, &preview)
}

pub async fn accept(call: Call) -> Result<Response, Fault> {
    let code = code_of(&call)?;
    let (room, seq) = guessing(&call, call.hub().accept(call.who()?, &code).await)?;
    let url = call.hub().url_of(&room);
    json(StatusCode::OK, &InviteAccepted { room, seq, url })
}

pub async fn make(call: Call) -> Result<Response, Fault> {
    let LinkBody { name, role, not_before, expires_at, expires_in_s, uses } = call.body()?;
    let now = call.hub().clock().now();
    let expires_at = match (expires_at, expires_in_s) {
        (Some(_), Some(_)) => return Err(Fault::bad_request("expires_in_s", "stands in the place of expires_at")),
        (Some(at), None) if at <= now => return Err(Fault::bad_request("expires_at", "is past")),
        (Some(at), None) => Some(bounded("expires_at", now, at)?),
        (None, Some(seconds)) => Some(after(now, seconds)?),
        (None, None) => None,
    };
    let not_before = not_before.map(|at| bounded("not_before", now, at)).transpose()?;
    if let (Some(start), Some(end)) = (not_before, expires_at)
        && start >= end
    {
        return Err(Fault::bad_request("not_before", "is not before the end"));
    }
    let name = name.map(|name| guest_name(&name)).transpose()?;
    let uses = Some(uses.map(counted).transpose()?.unwrap_or(MOST_USES));
    let terms = Terms { kind: LinkKind::Join, role, name, not_before, expires_at, uses };
    let (link, code) = call.hub().make_link(call.who()?, &call.room()?, terms).await?;
    let url = address(&call, "join", &code);
    let state = link.state(now);
    json(StatusCode::CREATED, &LinkMade { link: shown(link, state), code, url })
}

pub async fn list(call: Call) -> Result<Response, Fault> {
    let (found, next) = page(&call, LinkKind::Join).await?;
    let links = found.into_iter().map(|(link, state)| shown(link, state)).collect();
    json(StatusCode::OK, &LinkPage { links, next })
}

pub async fn revoke(call: Call) -> Result<Response, Fault> {
    call.hub().revoke_link(call.who()?, &call.room()?, LinkKind::Join, &call.path("link")?).await?;
    Ok(nothing())
}

pub async fn look(call: Call) -> Result<Response, Fault> {
    call.strangers_pace()?;
    let code = code_of(&call)?;
    let Lead { link, state, kind, title, member_count: _ } =
        guessing(&call, call.hub().lead(LinkKind::Join, &code).await)?;
    let preview = match state {
        LinkState::Open => LinkPreview {
            state,
            not_before: None,
            expires_at: link.expires_at,
            kind: Some(kind),
            title: Some(title),
            name: link.name,
        },
        LinkState::NotYet => {
            let (not_before, expires_at) = (link.not_before, link.expires_at);
            LinkPreview { state, not_before, expires_at, kind: None, title: None, name: None }
        }
        LinkState::Expired | LinkState::Revoked | LinkState::UsedUp => {
            LinkPreview { state, not_before: None, expires_at: None, kind: None, title: None, name: None }
        }
    };
    json(StatusCode::OK, &preview)
}

pub async fn exchange(call: Call) -> Result<Response, Fault> {
    call.strangers_pace()?;
    let ExchangeBody { code, name, guest } = call.body()?;
    short("code", &code)?;
    short("guest", guest.as_deref().unwrap_or_default())?;
    let exchanged = call.hub().exchange(&code, name.as_deref(), guest.as_deref()).await;
    json(StatusCode::OK, &guessing(&call, exchanged)?)
}

async fn page(call: &Call, kind: LinkKind) -> Result<(Vec<(StoredLink, LinkState)>, Option<LinkId>), Fault> {
    let LinksQuery { after, limit } = call.query()?;
    let limit = limit.unwrap_or(limits::PAGE_DEFAULT);
    if !(1..=limits::PAGE).contains(&limit) {
        return Err(Fault::bad_request("limit", format!("is not between 1 and {}", limits::PAGE)));
    }
    let (found, more) = call.hub().links(call.who()?, &call.room()?, kind, after.as_ref(), limit).await?;
    let next = found.last().filter(|_| more).map(|(link, _)| link.id.clone());
    Ok((found, next))
}

fn code_of(call: &Call) -> Result<String, Fault> {
    let CodeBody { code } = call.body()?;
    short("code", &code)?;
    Ok(code)
}

fn short(field: &str, text: &str) -> Result<(), Fault> {
    match text.len() <= CODE_BYTES {
        true => Ok(()),
        false => Err(Fault::bad_request(field, "is too long")),
    }
}

/// Who tries codes that are none is slowed down.
fn guessing<T>(call: &Call, outcome: Result<T, Fault>) -> Result<T, Fault> {
    outcome.map_err(|fault| match fault.field.as_deref() {
        Some("code" | "guest") if fault.code == stoa_protocol::ErrorCode::NotFound => call.guessed(fault),
        Some(_) | None => fault,
    })
}

/// The page with the code in the fragment, which browsers send to nobody.
fn address(call: &Call, page: &str, code: &str) -> String {
    let base = call.shared.api.config.public_url.as_ref().map_or_else(String::new, ToString::to_string);
    format!("{base}/{page}#{code}")
}

fn after(now: Millis, seconds: u64) -> Result<Millis, Fault> {
    match seconds {
        1..=LONGEST_S => Ok(now + seconds * 1_000),
        _ => Err(Fault::bad_request("expires_in_s", format!("is not between 1 and {LONGEST_S}"))),
    }
}

fn bounded(field: &str, now: Millis, at: Millis) -> Result<Millis, Fault> {
    match at <= now + LONGEST_S * 1_000 {
        true => Ok(at),
        false => Err(Fault::bad_request(field, "is more than ten years away; it is to be in milliseconds")),
    }
}

fn counted(uses: u32) -> Result<u32, Fault> {
    match uses {
        1..=MOST_USES => Ok(uses),
        _ => Err(Fault::bad_request("uses", format!("is not between 1 and {MOST_USES}"))),
    }
}

fn shown_invite(link: StoredLink, state: LinkState) -> Invite {
    let StoredLink { id, role, by, created_at, expires_at, uses, used, .. } = link;
    Invite { id, role, state, uses, used, created_at, expires_at, by }
}

fn shown(link: StoredLink, state: LinkState) -> Link {
    let StoredLink { id, role, name, by, created_at, not_before, expires_at, uses, used, .. } = link;
    Link { id, name, role, state, uses, used, created_at, not_before, expires_at, by }
}
