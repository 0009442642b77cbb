//! People: how they are shown, their tokens, their erasure.

use super::call::{Call, json, nothing};
use axum::{http::StatusCode, response::Response};
use stoa_protocol::{
    Fault, Profile, UserId,
    http::{ProfilesBody, RevocationBody, Revoked},
    limits,
};

pub async fn get(call: Call) -> Result<Response, Fault> {
    let (view, _) = call.hub().user_view(&call.path("user")?).await?;
    json(StatusCode::OK, &view)
}

pub async fn put(call: Call) -> Result<Response, Fault> {
    let user: UserId = call.path("user")?;
    let profile: Profile = call.body()?;
    profile.check()?;
    call.hub().put_profiles(&[(user, profile.clone())]).await?;
    json(StatusCode::OK, &profile)
}

pub async fn put_many(call: Call) -> Result<Response, Fault> {
    let ProfilesBody { profiles } = call.body()?;
    if profiles.len() > limits::BULK_MEMBERS {
        return Err(Fault::bad_request("profiles", format!("has more than {} entries", limits::BULK_MEMBERS)));
    }
    for (user, profile) in &profiles {
        profile.check().map_err(|fault| {
            let field = fault.field.as_deref().unwrap_or_default();
            Fault { field: Some(format!("profiles.{user}.{field}")), ..fault }
        })?;
    }
    let profiles: Vec<_> = profiles.into_iter().collect();
    call.hub().put_profiles(&profiles).await?;
    Ok(nothing())
}

pub async fn delete(call: Call) -> Result<Response, Fault> {
    call.hub().erase_user(&call.path("user")?).await?;
    Ok(nothing())
}

pub async fn revoke(call: Call) -> Result<Response, Fault> {
    let user: UserId = call.path("user")?;
    let RevocationBody { before } = call.body()?;
    let now = call.hub().clock().now();
    let before = before.unwrap_or(now);
    if before > now {
        return Err(Fault::bad_request("before", "is still to come"));
    }
    call.hub().revoke(&user, before).await?;
    json(StatusCode::OK, &Revoked { before })
}
