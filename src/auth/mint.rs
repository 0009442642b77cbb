//! Tokens of our own: for `stoa token`, and for those who log in by name with `--dev`.

use super::{Algorithm, claims::display_name};
use crate::config::{Dev, IssuerConfig, Realm, Secret};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, crypto};
use serde_json::{Map, Value, json};
use std::{io, io::Write, os::unix::fs::OpenOptionsExt, path::Path};
use stoa_protocol::{Fault, GUEST_REALM, Millis, RoomId, UserId};
use stoa_rooms::Grant;

/// The issuer and audience of tokens made with `--dev`.
const DEV: &str = "stoa-dev";
/// How long a login by name holds, seconds: a day of development.
const DEV_EXPIRES_S: u64 = 24 * 3600;
/// How long a token holds when nobody says, seconds.
const EXPIRES_S: u64 = 3600;

/// What a token shall say.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    /// The subject, without its realm.
    pub subject: String,
    /// The display name.
    pub name: Option<String>,
    /// The rooms that it opens; `None` names none.
    pub rooms: Option<Vec<(RoomId, Grant)>>,
    /// Whether its user may create rooms; `None` leaves it to the configuration.
    pub create: Option<bool>,
    /// Whether its user may open direct rooms with anybody; `None` leaves it to the configuration.
    pub direct: Option<bool>,
    /// Whether its user may join rooms by their id; `None` leaves it to the configuration.
    pub join: Option<bool>,
    /// Whether it is the host application's.
    pub service: bool,
    /// Seconds until it expires.
    pub expires_in_s: u64,
}

impl Ticket {
    /// A user and nothing else.
    pub fn of(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            name: None,
            rooms: None,
            create: None,
            direct: None,
            join: None,
            service: false,
            expires_in_s: EXPIRES_S,
        }
    }
}

/// Signs tokens with an issuer's shared secret, with the claims where that issuer's mapping looks for them.
pub struct Minter {
    issuer: IssuerConfig,
    key: EncodingKey,
}

impl Minter {
    /// Signs for an issuer; `None` when it has no shared secret.
    pub fn new(issuer: &IssuerConfig) -> Option<Self> {
        let key = EncodingKey::from_secret(issuer.secret.as_ref()?.expose());
        Some(Self { issuer: issuer.clone(), key })
    }

    /// Signs for those who log in by name.
    pub(crate) fn dev(secret: Secret) -> Self {
        let key = EncodingKey::from_secret(secret.expose());
        Self { issuer: dev_issuer(secret), key }
    }

    /// Signs for guests.
    pub fn guests(secret: Secret) -> Self {
        let key = EncodingKey::from_secret(secret.expose());
        Self { issuer: guest_issuer(secret), key }
    }

    /// Makes a token, issued now.
    pub fn mint(&self, ticket: &Ticket, now: Millis) -> String {
        let header = json!({"alg": Algorithm::Hs256.as_str(), "typ": "JWT"});
        let claims = Value::Object(self.claims(ticket, now / 1000));
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = crypto::sign(message.as_bytes(), &self.key, jsonwebtoken::Algorithm::HS256)
            .expect("HMAC takes keys of any length");
        format!("{message}.{signature}")
    }

    /// Lets somebody in by name alone: the same name is the same user.
    pub fn login(&self, name: &str, now: Millis) -> Result<(UserId, String), Fault> {
        let wrong = || Fault::bad_request("name", "is no name");
        let name = display_name(name).ok_or_else(wrong)?;
        let words: Vec<String> = name.split_whitespace().map(str::to_lowercase).collect();
        // A colon would make it a user of another realm.
        let user = UserId::new(words.join("-").replace(':', "-")).map_err(|_| wrong())?;
        let ticket = Ticket { name: Some(name), expires_in_s: DEV_EXPIRES_S, ..Ticket::of(user.as_str()) };
        Ok((user, self.mint(&ticket, now)))
    }

    fn claims(&self, ticket: &Ticket, now_s: u64) -> Map<String, Value> {
        let map = &self.issuer.claims;
        let mut claims = Map::new();
        claims.insert("iat".into(), now_s.into());
        claims.insert("exp".into(), (now_s + ticket.expires_in_s).into());
        if let Some(issuer) = &self.issuer.issuer {
            claims.insert("iss".into(), issuer.as_str().into());
        }
        for (pointer, values) in &map.require {
            pointer.put(&mut claims, values[0].as_str().into());
        }
        if let Some(audience) = self.issuer.audience.first() {
            map.audience[0].put(&mut claims, audience.as_str().into());
        }
        map.user.put(&mut claims, ticket.subject.as_str().into());
        if let Some(name) = &ticket.name {
            map.name[0].put(&mut claims, name.as_str().into());
        }
        let grants = self.grants(ticket, &mut claims);
        if !grants.is_empty() {
            map.grants.put(&mut claims, Value::Object(grants));
        }
        claims
    }

    fn grants(&self, ticket: &Ticket, claims: &mut Map<String, Value>) -> Map<String, Value> {
        let mut grants = Map::new();
        if let Some(rooms) = &ticket.rooms {
            let by_room: Map<String, Value> =
                rooms.iter().map(|(room, grant)| (room.as_str().to_owned(), shown(grant))).collect();
            match &self.issuer.claims.rooms {
                Some(place) => place.put(claims, Value::Object(by_room)),
                None => drop(grants.insert("rooms".into(), Value::Object(by_room))),
            }
        }
        for (name, value) in [("create", ticket.create), ("direct", ticket.direct), ("join", ticket.join)] {
            if let Some(value) = value {
                grants.insert(name.into(), value.into());
            }
        }
        if ticket.service {
            grants.insert("service".into(), true.into());
        }
        grants
    }
}

/// A grant as tokens carry it: dates in seconds.
fn shown(grant: &Grant) -> Value {
    let mut object = Map::new();
    object.insert("role".into(), json!(grant.role));
    if let Some(capabilities) = &grant.capabilities {
        object.insert("capabilities".into(), json!(capabilities));
    }
    for (name, date) in [("from", grant.from), ("until", grant.until)] {
        if let Some(date) = date {
            object.insert(name.into(), (date / 1000).into());
        }
    }
    Value::Object(object)
}

/// The issuer of those who log in by name.
pub(super) fn dev_issuer(secret: Secret) -> IssuerConfig {
    IssuerConfig {
        issuer: Some(DEV.to_owned()),
        audience: vec![DEV.to_owned()],
        ..IssuerConfig::with_secret("--dev", secret)
    }
}

/// The issuer of guests: the server itself, in a realm of their own.
pub(super) fn guest_issuer(secret: Secret) -> IssuerConfig {
    IssuerConfig {
        issuer: Some(GUEST_REALM.to_owned()),
        audience: vec![GUEST_REALM.to_owned()],
        realm: Some(Realm::guests()),
        ..IssuerConfig::with_secret("join links", secret)
    }
}

/// The secret of `--dev`, made where there is none yet.
pub(crate) fn dev_secret(dev: &Dev) -> io::Result<Secret> {
    match dev {
        Dev::Configured(secret) => Ok(secret.clone()),
        Dev::Memory => random_secret(),
        Dev::File(path) => match Secret::read(path) {
            Ok(secret) => Ok(secret),
            Err(_) if !path.exists() => keep(path, random_secret()?),
            Err(reason) => Err(io::Error::new(io::ErrorKind::InvalidData, reason)),
        },
    }
}

fn random_secret() -> io::Result<Secret> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| io::Error::other(e.to_string()))?;
    Secret::new(URL_SAFE_NO_PAD.encode(bytes).as_bytes()).map_err(io::Error::other)
}

/// Writes a secret for the owner's eyes alone, whole or not at all; where another process was faster, its secret
/// counts.
fn keep(path: &Path, secret: Secret) -> io::Result<Secret> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(secret.expose())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Ok(()) => Ok(secret),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Secret::read(path).map_err(io::Error::other),
        Err(error) => Err(error),
    }
}
