//! Exports: one JSON value a line, read from the store page by page as fast as the reader takes them, so that an
//! export of any length costs one page of memory.

use super::{
    call::{Call, with_type},
    turns::Turn,
};
use crate::hub::{ExportPage, Hub};
use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::Response,
};
use futures_util::stream;
use serde::Serialize;
use std::{future::Future, io, sync::Arc};
use stoa_protocol::{Fault, Millis, RoomId, Seq, UserId, http::ExportLine};

/// Everything of a room that the reader may see.
pub async fn room(call: Call) -> Result<Response, Fault> {
    let (hub, who, room) = (call.hub().clone(), call.who()?.clone(), call.room()?);
    let permit = call.shared.limiter.export(&who)?;
    let now = hub.look(&who, &room).await?;
    let first = ExportLine::Room { info: now.info, epoch: now.epoch, head: now.head };
    let name = format!("{room}.ndjson");
    lines(permit, &name, &first, Seq::ZERO, move |after: Seq, out: Lines| {
        let (hub, who, room) = (hub.clone(), who.clone(), room.clone());
        async move {
            let page = hub.room_log(&who, &room, after).await?;
            out.with(page, |event| event)
        }
    })
}

/// Everything that is kept about a user.
pub async fn user(call: Call) -> Result<Response, Fault> {
    let (hub, user) = (call.hub().clone(), call.path::<UserId>("user")?);
    let permit = call.shared.limiter.export(call.who()?)?;
    let (view, status) = hub.user_view(&user).await?;
    let last_seen = view.presence.last_seen;
    let first = ExportLine::User { user: user.clone(), profile: view.profile, status, last_seen };
    lines(permit, "user.ndjson", &first, Stage::Memberships(None), move |stage: Stage, out: Lines| {
        let (hub, user) = (hub.clone(), user.clone());
        async move { stage.page(&hub, &user, out).await }
    })
}

/// How far the export of a user is.
enum Stage {
    Memberships(Option<(Millis, RoomId)>),
    Messages(Option<(RoomId, Seq)>),
    Stream(Seq),
}

impl Stage {
    async fn page(self, hub: &Arc<Hub>, user: &UserId, out: Lines) -> Result<(Lines, Option<Self>), Fault> {
        match self {
            Self::Memberships(after) => {
                let page = hub.memberships(user, after).await?;
                let line = |(info, member, read)| ExportLine::Membership { info, member, read };
                let (out, next) = out.with(page, line)?;
                Ok((out, Some(next.map_or(Self::Messages(None), |next| Self::Memberships(Some(next))))))
            }
            Self::Messages(after) => {
                let page = hub.messages_of(user, after).await?;
                let (out, next) = out.with(page, |message| ExportLine::Message { message })?;
                Ok((out, Some(next.map_or(Self::Stream(Seq::ZERO), |next| Self::Messages(Some(next))))))
            }
            Self::Stream(after) => {
                let (out, next) = out.with(hub.stream_of(user, after).await?, |event| event)?;
                Ok((out, next.map(Self::Stream)))
            }
        }
    }
}

/// Lines that are not sent yet, and how many there were in all.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
}

impl Lines {
    fn add(&mut self, line: &impl Serialize) -> Result<(), Fault> {
        serde_json::to_writer(&mut self.bytes, line).map_err(|error| {
            tracing::error!(%error, "a line could not be written");
            Fault::internal()
        })?;
        self.bytes.push(b'\n');
        self.count += 1;
        Ok(())
    }

    /// These and a page's rows, and where the next page begins.
    fn with<T, C, L: Serialize>(
        mut self,
        page: ExportPage<T, C>,
        line: impl Fn(T) -> L,
    ) -> Result<(Self, Option<C>), Fault> {
        for row in page.rows {
            self.add(&line(row))?;
        }
        Ok((self, page.next))
    }
}

/// The answer: the first line, then what `page` adds from `start` on, then the end.
fn lines<C, F, P>(permit: Turn, name: &str, first: &ExportLine, start: C, page: P) -> Result<Response, Fault>
where
    C: Send + 'static,
    P: Fn(C, Lines) -> F + Send + 'static,
    F: Future<Output = Result<(Lines, Option<C>), Fault>> + Send + 'static,
{
    let mut out = Lines::default();
    out.add(first)?;
    let begin = Some((out, start, page, permit));
    let pages = stream::try_unfold(begin, |state| async move {
        let Some((out, at, page, permit)) = state else { return Ok::<_, io::Error>(None) };
        let (mut out, next) = page(at, out).await.map_err(broken)?;
        if next.is_none() {
            let lines = out.count;
            out.add(&ExportLine::End { lines }).map_err(broken)?;
        }
        let bytes = Bytes::from(std::mem::take(&mut out.bytes));
        Ok(Some((bytes, next.map(|next| (out, next, page, permit)))))
    });
    let mut response = with_type(StatusCode::OK, "application/x-ndjson", Body::from_stream(pages));
    if let Ok(value) = format!("attachment; filename=\"{name}\"").try_into() {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// The status was sent long ago: the connection breaks off before the last line.
fn broken(fault: Fault) -> io::Error {
    tracing::warn!(%fault, "an export broke off");
    io::Error::other(fault)
}
