//! From the claims of a signed token to an identity.

use super::{Refusal, clip};
use crate::{
    config::{ClaimMap, IssuerConfig, Pointer, Realm, Rights},
    identity::{Direct, Grants, Identity, RoomGrants},
};
use serde_json::{Map, Value};
use stoa_protocol::{Capability, Millis, Profile, Role, RoomId, UserId, limits};
use stoa_rooms::Grant;

/// The last second of the year 9999. What is later was meant as milliseconds and would never expire.
const LAST_SECOND: u64 = 253_402_300_799;

/// Reads an identity; the signature has been verified.
pub(super) fn identity(
    claims: &Value,
    issuer: &IssuerConfig,
    rights: Rights,
    now: Millis,
    leeway: Millis,
) -> Result<Identity, Refusal> {
    let (issued_at, expires_at) = times(claims, now, leeway)?;
    audience(claims, issuer)?;
    required(claims, &issuer.claims)?;
    let user = user(claims, issuer)?;
    Ok(Identity {
        profile: profile(claims, &issuer.claims).map(|profile| Profile { guest: user.is_guest(), ..profile }),
        user,
        grants: grants(claims, &issuer.claims, rights)?,
        issued_at,
        expires_at,
    })
}

/// When it was issued and when it expires, the leeway included (RFC 7519, sections 4.1.4 to 4.1.6).
fn times(claims: &Value, now: Millis, leeway: Millis) -> Result<(Millis, Millis), Refusal> {
    let expires_at = date(claims, "exp")?.ok_or_else(|| Refusal::claim("exp", "is missing"))? + leeway;
    if expires_at <= now {
        return Err(Refusal::claim("exp", "is past"));
    }
    if date(claims, "nbf")?.is_some_and(|from| from > now + leeway) {
        return Err(Refusal::claim("nbf", "is still to come"));
    }
    let issued_at = date(claims, "iat")?.unwrap_or(0);
    // A token from the future would outlive every revocation.
    if issued_at > now + leeway {
        return Err(Refusal::claim("iat", "is still to come"));
    }
    Ok((issued_at, expires_at))
}

/// A NumericDate (RFC 7519, section 2): seconds since the epoch as a number, with or without a fraction.
fn date(object: &Value, claim: &str) -> Result<Option<Millis>, Refusal> {
    let Some(value) = object.get(claim) else { return Ok(None) };
    let millis = match (value.as_u64(), value.as_f64()) {
        (Some(seconds), _) => seconds.checked_mul(1000),
        (None, Some(seconds)) if seconds >= 0.0 => Some((seconds * 1000.0) as u64),
        (None, Some(_) | None) => None,
    };
    let millis = millis.ok_or_else(|| Refusal::claim(claim, "is no number of seconds since 1970"))?;
    match millis / 1000 <= LAST_SECOND {
        true => Ok(Some(millis)),
        false => Err(Refusal::claim(claim, "is after the year 9999; it is to be in seconds")),
    }
}

/// RFC 7519, section 4.1.3: who is not named refuses, and so does who does not know its own name.
fn audience(claims: &Value, issuer: &IssuerConfig) -> Result<(), Refusal> {
    let place = issuer.claims.audience.iter().find_map(|pointer| pointer.find(claims).map(|found| (pointer, found)));
    let Some((place, found)) = place else {
        return match issuer.audience.is_empty() {
            true => Ok(()),
            false => Err(Refusal::claim(&issuer.claims.audience[0], "is missing")),
        };
    };
    let named = texts(found).ok_or_else(|| Refusal::claim(place, "is no string and no list of strings"))?;
    match named.iter().any(|name| issuer.audience.iter().any(|own| own == name)) {
        true => Ok(()),
        false if issuer.audience.is_empty() => Err(Refusal::claim(place, "is there, but no audience is configured")),
        false => Err(Refusal::claim(place, format!("is {}, none of the configured", clip(&named.join(" "))))),
    }
}

fn required(claims: &Value, map: &ClaimMap) -> Result<(), Refusal> {
    for (pointer, allowed) in &map.require {
        let found = pointer.find(claims).ok_or_else(|| Refusal::claim(pointer, "is missing"))?;
        let named = match found {
            Value::Bool(_) | Value::Number(_) => vec![found.to_string()],
            Value::String(_) | Value::Array(_) | Value::Null | Value::Object(_) => {
                texts(found).unwrap_or_default().into_iter().map(str::to_owned).collect()
            }
        };
        if !named.iter().any(|name| allowed.contains(name)) {
            return Err(Refusal::claim(pointer, format!("is {}, none of the required", clip(&named.join(" ")))));
        }
    }
    Ok(())
}

/// A string, or an array of nothing but strings.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// The subject, with its realm in front outside the default realm.
fn user(claims: &Value, issuer: &IssuerConfig) -> Result<UserId, Refusal> {
    let place = &issuer.claims.user;
    let wrong = |problem: &str| Refusal::claim(place, problem);
    let subject = place.find(claims).ok_or_else(|| wrong("is missing"))?;
    let subject = subject.as_str().ok_or_else(|| wrong("is no string"))?;
    let id = UserId::new(subject).map_err(|e| wrong(&e.to_string()))?;
    match &issuer.realm {
        Some(realm) => UserId::new(format!("{}:{subject}", realm.as_str())).map_err(|e| wrong(&e.to_string())),
        // Else a subject `school:ada` of the default realm would be the user `ada` of the realm `school`.
        None => match subject.split_once(':') {
            Some((before, _)) if Realm::is_legal(before) => {
                Err(wrong("begins like a user of another realm; give its issuer a realm of its own"))
            }
            Some(_) | None => Ok(id),
        },
    }
}

/// The name and picture. What is not usable is left out: a person is not locked out for the picture's sake.
fn profile(claims: &Value, map: &ClaimMap) -> Option<Profile> {
    let first = |places: &[Pointer]| places.iter().find_map(|p| p.find(claims)?.as_str()).map(str::to_owned);
    let name = display_name(&first(&map.name)?)?;
    let avatar = first(&map.avatar).filter(|url| is_picture(url));
    Some(Profile { name, avatar, guest: false })
}

/// A name of one line within the limit.
pub(super) fn display_name(text: &str) -> Option<String> {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    let mut end = line.len().min(limits::TITLE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let name = line[..end].trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Pictures come over https: a page served so shows no others, and `javascript:` is no picture.
fn is_picture(text: &str) -> bool {
    text.len() <= limits::URL_BYTES && url::Url::parse(text).is_ok_and(|url| url.scheme() == "https")
}

fn grants(claims: &Value, map: &ClaimMap, rights: Rights) -> Result<Grants, Refusal> {
    let empty = Map::new();
    let own = match map.grants.find(claims) {
        None => &empty,
        Some(Value::Object(own)) => own,
        Some(_) => return Err(Refusal::claim(&map.grants, "is no object")),
    };
    let groups = groups(claims, map)?;
    let in_any = |wanted: &[String]| groups.iter().any(|group| wanted.contains(group));
    let at = |name: &str| format!("{}/{name}", map.grants);

    let service = flag(own, "service", at)?.unwrap_or(false) || in_any(&map.service_groups);
    let create = flag(own, "create", at)?.unwrap_or(rights.create || in_any(&map.create_groups));
    let join = flag(own, "join", at)?.unwrap_or(rights.join);
    let direct = match own.get("direct").filter(|value| !value.is_null()) {
        Some(value) => direct(value).ok_or_else(|| Refusal::claim(at("direct"), "is neither a boolean nor users"))?,
        None if rights.direct || in_any(&map.direct_groups) => Direct::Anybody,
        None => Direct::Nobody,
    };
    let usual = if in_any(&map.host_groups) { Role::Host } else { Role::Member };
    let found = match &map.rooms {
        Some(pointer) => pointer.find(claims).map(|value| (pointer.to_string(), value)),
        None => own.get("rooms").filter(|value| !value.is_null()).map(|value| (at("rooms"), value)),
    };
    let rooms = found.map(|(place, value)| rooms(value, usual, &place)).transpose()?;
    let direct = if service { Direct::Anybody } else { direct };
    Ok(Grants { rooms, create: create || service, direct, join: join || service, service })
}

fn flag(own: &Map<String, Value>, name: &str, at: impl Fn(&str) -> String) -> Result<Option<bool>, Refusal> {
    match own.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(yes)) => Ok(Some(*yes)),
        Some(_) => Err(Refusal::claim(at(name), "is neither true nor false")),
    }
}

fn direct(value: &Value) -> Option<Direct> {
    match value {
        Value::Bool(true) => Some(Direct::Anybody),
        Value::Bool(false) => Some(Direct::Nobody),
        Value::Array(_) => {
            let users: Option<Vec<UserId>> = texts(value)?.into_iter().map(|id| UserId::new(id).ok()).collect();
            users.map(Direct::Some)
        }
        Value::Null | Value::Number(_) | Value::String(_) | Value::Object(_) => None,
    }
}

/// The groups: a list, or one string with spaces or commas between, as scopes are written (RFC 8693, section 4.2).
fn groups(claims: &Value, map: &ClaimMap) -> Result<Vec<String>, Refusal> {
    let Some(place) = &map.groups else { return Ok(Vec::new()) };
    match place.find(claims) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => {
            Ok(text.split([' ', ',']).filter(|group| !group.is_empty()).map(str::to_owned).collect())
        }
        Some(value) => {
            let names = texts(value).ok_or_else(|| Refusal::claim(place, "is no list of strings"))?;
            Ok(names.into_iter().map(str::to_owned).collect())
        }
    }
}

/// The rooms by name: an object of roles or grants, or an array of rooms with the usual role.
fn rooms(value: &Value, usual: Role, place: &str) -> Result<RoomGrants, Refusal> {
    let id = |text: &str| {
        RoomId::new(text).map_err(|e| Refusal::claim(place, format!("names the room {}, which {e}", clip(text))))
    };
    match value {
        Value::Object(map) => {
            let pairs = map.iter().map(|(room, value)| {
                let room = id(room)?;
                let grant = grant(value, usual, &format!("{place}/{room}"))?;
                Ok((room, grant))
            });
            pairs.collect()
        }
        Value::Array(_) => {
            let names = texts(value).ok_or_else(|| Refusal::claim(place, "is no list of rooms"))?;
            names.into_iter().map(|room| Ok((id(room)?, Grant::of(usual)))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(Refusal::claim(place, "is neither an object nor a list of rooms"))
        }
    }
}

fn grant(value: &Value, usual: Role, place: &str) -> Result<Grant, Refusal> {
    let role_of = |value: &Value| {
        serde_json::from_value::<Role>(value.clone()).map_err(|_| Refusal::claim(place, "names a role that is none"))
    };
    match value {
        Value::String(_) => Ok(Grant::of(role_of(value)?)),
        Value::Object(map) => {
            let given = |name: &str| map.get(name).filter(|value| !value.is_null());
            let capabilities = given("capabilities").map(|value| {
                serde_json::from_value::<Vec<Capability>>(value.clone())
                    .map_err(|_| Refusal::claim(place, "names a capability that is none"))
            });
            let moment = |name: &str| match given(name) {
                Some(_) => date(value, name).map_err(|_| Refusal::claim(place, format!("has no date as `{name}`"))),
                None => Ok(None),
            };
            Ok(Grant {
                role: given("role").map_or(Ok(usual), role_of)?,
                capabilities: capabilities.transpose()?,
                from: moment("from")?,
                until: moment("until")?,
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            Err(Refusal::claim(place, "is neither a role nor an object"))
        }
    }
}
