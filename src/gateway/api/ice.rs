//! Calls beside the socket: ICE servers, and what the server can say when somebody asks what works.

use super::call::{Call, json};
use axum::{
    http::{StatusCode, header},
    response::Response,
};
use stoa_protocol::{Capability, ConnectionCheck, Fault, SUBPROTOCOL, VERSION};

pub async fn servers(call: Call) -> Result<Response, Fault> {
    let (who, room) = (call.who()?, call.room()?);
    let now = call.hub().look(who, &room).await?;
    if !now.access.has(Capability::Call) {
        return Err(Fault::forbidden("this needs the capability `call`"));
    }
    json(StatusCode::OK, &call.hub().ice_servers(&who.user))
}

pub async fn check(call: Call) -> Result<Response, Fault> {
    let (who, hub) = (call.who()?, call.hub());
    let config = &call.shared.api.config;
    let peer = call.peer.as_ref().ok_or_else(Fault::internal)?;
    let path = format!("{}/v1/ws", config.public_url.as_ref().map_or("", |url| url.prefix()));
    let origin = call.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let check = ConnectionCheck {
        user: who.user.clone(),
        at: hub.clock().now(),
        address: peer.address.to_string(),
        secure: peer.secure,
        origin: origin.map(str::to_owned),
        websocket: path,
        subprotocol: SUBPROTOCOL.to_owned(),
        protocol: VERSION,
        token_expires_at: who.expires_at,
        ice: call.shared.api.ice.for_check(&who.user, hub.clock().now()),
    };
    json(StatusCode::OK, &check)
}
