//! Bounded JSON of the host application's own.

use crate::limits;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};
use std::fmt;

/// A JSON object of the host application's own, kept as data and never interpreted: at most 8 KiB, 16 levels deep,
/// no duplicate keys and no NUL.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Data(Map<String, Value>);

impl Data {
    /// Takes an object when it is within the bounds.
    pub fn new(object: Map<String, Value>) -> Result<Self, &'static str> {
        let value = Value::Object(object);
        check(&value, limits::DATA_DEPTH)?;
        // Writing a `Value` to a string cannot fail.
        if value.to_string().len() > limits::DATA_BYTES {
            return Err("is larger than 8192 bytes");
        }
        match value {
            Value::Object(object) => Ok(Self(object)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err("is not an object")
            }
        }
    }

    /// The object.
    pub fn as_object(&self) -> &Map<String, Value> {
        &self.0
    }
}

fn check(value: &Value, depth: usize) -> Result<(), &'static str> {
    if depth == 0 {
        return Err("is nested deeper than 16 levels");
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(text) => check_text(text),
        Value::Array(items) => items.iter().try_for_each(|item| check(item, depth - 1)),
        Value::Object(map) => map.iter().try_for_each(|(key, item)| {
            check_text(key)?;
            check(item, depth - 1)
        }),
    }
}

fn check_text(text: &str) -> Result<(), &'static str> {
    if text.contains('\0') { Err("has a NUL character") } else { Ok(()) }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Unique::deserialize(deserializer)?.0 {
            Value::Object(object) => Self::new(object).map_err(de::Error::custom),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(de::Error::custom("is not an object"))
            }
        }
    }
}

/// A JSON value whose objects name no key twice: readers differ in which of the two they believe (RFC 8259,
/// section 4).
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Unique)
    }
}

struct UniqueVisitor;

impl<'de> de::Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Unique(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: de::MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let Unique(value) = access.next_value()?;
            if map.insert(key, value).is_some() {
                return Err(de::Error::custom("names a key twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(feature = "generate")]
impl schemars::JsonSchema for Data {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Data".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object", "additionalProperties": true})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_a_bounded_object_without_tricks() {
        assert!(serde_json::from_str::<Data>(r#"{"a":[1,{"b":null}]}"#).is_ok());
        let deep = format!("{}1{}", "{\"a\":".repeat(17), "}".repeat(17));
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(limits::DATA_BYTES));
        for bad in ["[]", "1", r#"{"a":1,"a":2}"#, r#"{"a":{"b":1,"b":1}}"#, r#"{"a":"\u0000"}"#, &deep, &large] {
            assert!(serde_json::from_str::<Data>(bad).is_err(), "{bad:.40}");
        }
    }
}
