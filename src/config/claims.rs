//! Where in a token its parts are: JSON pointers, so that the tokens of any identity provider can be read.

use super::source::{ConfigError, Reader, text};
use serde_json::Value as Json;
use std::{fmt, str::FromStr};
use toml::Value;

/// Bounds the work per token.
const DEEPEST: usize = 8;

/// A place in the claims: a JSON pointer (RFC 6901), or the bare name of a claim on top, which needs no escapes
/// (`https://app.example/grants`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// What is there. `null` counts as nothing.
    pub fn find<'c>(&self, claims: &'c Json) -> Option<&'c Json> {
        let found = self.0.iter().try_fold(claims, |here, step| match here {
            Json::Object(map) => map.get(step),
            Json::Array(items) => step.parse::<usize>().ok().and_then(|n| items.get(n)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
        });
        found.filter(|value| !value.is_null())
    }

    /// Puts a value there, making objects on the way. Does nothing where something else stands in the way.
    pub fn put(&self, claims: &mut serde_json::Map<String, Json>, value: Json) {
        let Some((last, path)) = self.0.split_last() else { return };
        let mut here = claims;
        for step in path {
            let next = here.entry(step.clone()).or_insert_with(|| Json::Object(serde_json::Map::new()));
            let Json::Object(map) = next else { return };
            here = map;
        }
        here.insert(last.clone(), value);
    }

    fn is_self_written(&self) -> bool {
        // Supabase lets users write theirs.
        self.0.first().is_some_and(|step| step == "user_metadata")
    }
}

impl FromStr for Pointer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let steps: Vec<String> = match text.strip_prefix('/') {
            Some(path) => path.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect(),
            None => vec![text.to_owned()],
        };
        if steps.iter().any(String::is_empty) || steps.len() > DEEPEST {
            return Err(format!("`{text}` is no claim's name and no JSON pointer of up to {DEEPEST} steps"));
        }
        Ok(Self(steps))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

/// Where each part of an identity is. The defaults read what `docs/tokens.md` calls the native token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimMap {
    /// The subject.
    pub user: Pointer,
    /// For whom the token is; the first that is there counts.
    pub audience: Vec<Pointer>,
    /// The display name; the first that is there counts.
    pub name: Vec<Pointer>,
    /// The URL of a picture; the first that is there counts.
    pub avatar: Vec<Pointer>,
    /// The object with `rooms`, `create`, `direct`, `join` and `service`.
    pub grants: Pointer,
    /// The rooms, when they are not in that object: an object by room, or an array of room ids.
    pub rooms: Option<Pointer>,
    /// The groups of the user: an array of strings, or a string of them with spaces or commas between.
    pub groups: Option<Pointer>,
    /// Groups that make a token a service's.
    pub service_groups: Vec<String>,
    /// Groups that may create rooms.
    pub create_groups: Vec<String>,
    /// Groups that may open direct rooms with anybody.
    pub direct_groups: Vec<String>,
    /// Groups whose role is host in the rooms that their token names without a role.
    pub host_groups: Vec<String>,
    /// Claims that must have one of these values.
    pub require: Vec<(Pointer, Vec<String>)>,
}

impl Default for ClaimMap {
    fn default() -> Self {
        let at = |name: &str| Pointer(vec![name.to_owned()]);
        Self {
            user: at("sub"),
            audience: vec![at("aud")],
            name: vec![at("name")],
            avatar: vec![at("picture")],
            grants: at("stoa"),
            rooms: None,
            groups: None,
            service_groups: Vec::new(),
            create_groups: Vec::new(),
            direct_groups: Vec::new(),
            host_groups: Vec::new(),
            require: Vec::new(),
        }
    }
}

impl ClaimMap {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ConfigError> {
        let usual = Self::default();
        Ok(Self {
            user: reader.or("claims.user", usual.user, right)?,
            audience: reader.list_or("claims.audience", usual.audience, right)?,
            name: reader.list_or("claims.name", usual.name, pointer)?,
            avatar: reader.list_or("claims.avatar", usual.avatar, pointer)?,
            grants: reader.or("claims.grants", usual.grants, right)?,
            rooms: reader.optional("claims.rooms", right)?,
            groups: reader.optional("claims.groups", right)?,
            service_groups: reader.list("claims.service_groups", text)?,
            create_groups: reader.list("claims.create_groups", text)?,
            direct_groups: reader.list("claims.direct_groups", text)?,
            host_groups: reader.list("claims.host_groups", text)?,
            require: required(reader)?,
        })
    }

    pub(super) fn check(&self, reader: &Reader) -> Result<(), ConfigError> {
        let by_group = [
            ("claims.service_groups", &self.service_groups),
            ("claims.create_groups", &self.create_groups),
            ("claims.direct_groups", &self.direct_groups),
            ("claims.host_groups", &self.host_groups),
        ];
        match by_group.into_iter().find(|(_, groups)| !groups.is_empty() && self.groups.is_none()) {
            Some((key, _)) => Err(reader.error_at(key, "needs claims.groups, which says where the groups are")),
            None => Ok(()),
        }
    }
}

fn pointer(value: &Value) -> Result<Pointer, String> {
    text(value)?.parse()
}

/// A pointer to what decides about rights.
fn right(value: &Value) -> Result<Pointer, String> {
    let pointer = pointer(value)?;
    match pointer.is_self_written() {
        true => Err("is in user_metadata, which users write themselves; rights belong into app_metadata".into()),
        false => Ok(pointer),
    }
}

fn required(reader: &mut Reader) -> Result<Vec<(Pointer, Vec<String>)>, ConfigError> {
    let entries = reader.entries("claims.require")?;
    let pairs = entries.into_iter().map(|(name, value)| {
        let values = match &value {
            Value::Array(items) if !items.is_empty() => items.iter().map(text).collect(),
            Value::String(_) => text(&value).map(|one| vec![one]),
            Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)
            | Value::Table(_) => Err("is no string and no list of strings".into()),
        };
        let wrong = |message: String| reader.error(&format!("claims.require.{name}"), message);
        let pointer = right(&Value::String(name.clone())).map_err(wrong)?;
        Ok((pointer, values.map_err(wrong)?))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pointer_finds_nested_and_oddly_named_claims() {
        let claims = json!({"a": {"b": ["x", "y"]}, "https://e.example/r": 1, "cognito:groups": ["g"], "n": null});
        let find = |text: &str| text.parse::<Pointer>().expect("legal").find(&claims).cloned();
        assert_eq!(find("/a/b/1"), Some(json!("y")));
        assert_eq!(find("https://e.example/r"), Some(json!(1)));
        assert_eq!(find("/https:~1~1e.example~1r"), Some(json!(1)));
        assert_eq!(find("cognito:groups"), Some(json!(["g"])));
        for nothing in ["/n", "/a/c", "/a/b/2", "/a/b/x", "b"] {
            assert_eq!(find(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_pointer_puts_where_it_finds() {
        let mut claims = serde_json::Map::new();
        let place: Pointer = "/app_metadata/stoa/rooms".parse().expect("legal");
        place.put(&mut claims, json!(["r"]));
        assert_eq!(place.find(&Json::Object(claims)), Some(&json!(["r"])));
    }
}
