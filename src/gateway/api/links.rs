//! Invites and join links.

use super::call::Call;
use axum::response::Response;
use stoa_protocol::{ErrorCode, Fault};

macro_rules! later { ($($name:ident)*) => { $(
    pub async fn $name(call: Call) -> Result<Response, Fault> {
        if let Ok(room) = call.room() {
            call.hub().look(call.who()?, &room).await?;
        }
        Err(Fault::new(ErrorCode::Unsupported, "this server has no links yet"))
    }
)* } }
later! { invite invites uninvite look_at_invite accept make list revoke look exchange }
