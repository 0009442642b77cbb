//! Reads what a client says.

use crate::{Command, Fault, Seq, limits};
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    id: Seq,
}

/// Reads one text frame. The id is that of the frame where it could be read, else `None`.
///
/// # Errors
/// `bad_request` with the field that is to blame; `unsupported` for a command that this version does not know.
pub fn parse_client(text: &str) -> Result<(u64, Command), (Option<u64>, Fault)> {
    if nesting(text) > limits::FRAME_DEPTH {
        return Err((None, Fault::bad_request(".", format!("is nested deeper than {} levels", limits::FRAME_DEPTH))));
    }
    let head: Head<'_> = read(text).map_err(|fault| (None, fault))?;
    let id = head.id.value();
    let command = Command::parse(&head.kind, text).map_err(|fault| (Some(id), fault))?;
    command.check().map_err(|fault| (Some(id), fault))?;
    Ok((id, command))
}

/// How deep brackets nest outside strings. serde passes over unknown fields however deep they are, and what is
/// ignored here may be read by a later version, so depth is refused for the whole frame.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0usize, 0usize, false, false);
    for byte in text.bytes() {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (_, _) => {}
        }
    }
    deepest
}

/// Reads JSON and names the field that is wrong.
///
/// # Errors
/// `bad_request`.
pub fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Fault> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(fault_of)?;
    json.end().map_err(|_| Fault::bad_request(".", "more than one JSON value"))?;
    Ok(value)
}

/// Reads a body of the HTTP API, within the same depth as frames.
///
/// # Errors
/// `bad_request`.
pub fn read_body<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::bad_request(".", "is not UTF-8"))?;
    if nesting(text) > limits::FRAME_DEPTH {
        return Err(Fault::bad_request(".", format!("is nested deeper than {} levels", limits::FRAME_DEPTH)));
    }
    read(text)
}

/// What a reader's error is to whoever wrote the text.
pub fn fault_of(error: serde_path_to_error::Error<impl std::fmt::Display>) -> Fault {
    // Where the text broke off, the reader does not know in which field it was.
    let path = error.path().to_string().replace(".?", "");
    let path = if path == "?" { ".".to_owned() } else { path };
    // Positions in the frame help nobody who builds frames with a library.
    let message = error.into_inner().to_string();
    let message = message.split(" at line ").next().unwrap_or_default().to_owned();
    // serde names a missing or doubled field in its sentence and its parent in the path.
    let named = message.strip_prefix("missing field `").or_else(|| message.strip_prefix("duplicate field `"));
    let field = match named.and_then(|rest| rest.split('`').next()) {
        Some(name) if path == "." => name.to_owned(),
        Some(name) => format!("{path}.{name}"),
        None => path,
    };
    Fault::bad_request(&field, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    fn fault(text: &str) -> (Option<u64>, ErrorCode, String) {
        let (id, fault) = parse_client(text).expect_err(text);
        (id, fault.code, fault.field.unwrap_or_default())
    }

    #[test]
    fn a_message_is_read_and_unknown_fields_are_ignored() {
        let (id, command) = parse_client(
            r#"{"type":"chat.send","id":3,"room":"r","key":"k","text":"hi","mentions":["ben"],"later":{"x":1}}"#,
        )
        .expect("legal");
        assert_eq!(id, 3);
        match command {
            Command::ChatSend(c) => assert_eq!((c.text.as_str(), c.mentions.len()), ("hi", 1)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_wrong_field_is_named() {
        use ErrorCode::{BadRequest, Unsupported};
        let cases = [
            (r#"[]"#, None, BadRequest, "."),
            (r#"{"id":1}"#, None, BadRequest, "type"),
            (r#"{"type":"ping"}"#, None, BadRequest, "id"),
            (r#"{"type":"ping","id":-1}"#, None, BadRequest, "id"),
            (r#"{"type":"ping","id":9007199254740993}"#, None, BadRequest, "id"),
            (r#"{"type":"ping","id":1e999}"#, None, BadRequest, "id"),
            (r#"{"type":"ping","type":"ping","id":1}"#, None, BadRequest, "type"),
            (r#"{"type":"no.such","id":1}"#, Some(1), Unsupported, ""),
            (r#"{"type":"chat.send","id":1,"room":"r","key":"k","text":7}"#, Some(1), BadRequest, "text"),
            (r#"{"type":"chat.send","id":1,"room":"r r","key":"k","text":"x"}"#, Some(1), BadRequest, "room"),
            (r#"{"type":"chat.send","id":1,"room":"r","key":"k","text":" "}"#, Some(1), BadRequest, "text"),
            (r#"{"type":"chat.send","id":1,"room":"r","key":"k","text":"\u0000"}"#, Some(1), BadRequest, "text"),
            (r#"{"type":"chat.send","id":1,"room":"r","text":"x"}"#, Some(1), BadRequest, "key"),
            (r#"{"type":"chat.send","id":1,"room":"r","key":"k","text":"\ud800"}"#, None, BadRequest, "text"),
            (r#"{"type":"chat.read","id":1,"room":"r","seq":9007199254740992}"#, Some(1), BadRequest, "seq"),
            (
                r#"{"type":"chat.send","id":1,"room":"r","key":"k","text":"x","data":{"a":{"b":1,"b":2}}}"#,
                Some(1),
                BadRequest,
                "data",
            ),
            (
                r#"{"type":"chat.send","id":1,"room":"r","key":"k","text":"x","mentions":["a","b b"]}"#,
                Some(1),
                BadRequest,
                "mentions[1]",
            ),
            (r#"{"type":"chat.history","id":1,"room":"r","before":1,"after":2}"#, Some(1), BadRequest, "before"),
            (r#"{"type":"ping","id":1} {}"#, None, BadRequest, "."),
        ];
        for (text, id, code, field) in cases {
            let got = fault(text);
            assert_eq!(got.1, code, "{text}");
            assert!(got.2.starts_with(field), "{text}: {}", got.2);
            if id.is_some() {
                assert_eq!(got.0, id, "{text}");
            }
        }
        let deep = format!(r#"{{"type":"ping","id":1,"x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        assert!(parse_client(&deep).is_err());
    }
}
