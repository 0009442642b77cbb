//! The documents tell the truth: every frame in `docs/protocol.md` is legal, and every kind of frame is shown.

use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};
use stoa_protocol::{ClientFrame, ServerFrame, parse_client};

#[test]
fn every_frame_in_the_protocols_document_is_read_as_it_stands_there() {
    for text in shown_frames() {
        let shown: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let kind = shown["type"].as_str().expect("a type");
        let read = match is_commands(kind, &shown) {
            true => {
                let (id, command) = parse_client(&text).unwrap_or_else(|(_, fault)| panic!("{fault}: {text}"));
                serde_json::to_value(ClientFrame { id, command })
            }
            false => serde_json::from_str::<ServerFrame>(&text)
                .map_err(|error| panic!("{error}: {text}"))
                .and_then(serde_json::to_value),
        };
        let read = read.expect("frames are JSON");
        // A field that nobody reads would be lost on the way.
        if let Some(path) = missing(&shown, &read) {
            panic!("`{path}` is no field of {kind}: {text}");
        }
    }
}

#[test]
fn every_kind_of_frame_is_shown_in_the_protocols_document() {
    let shown: BTreeSet<(bool, String)> = shown_frames()
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).expect("JSON"))
        .map(|frame| (is_commands(frame["type"].as_str().expect("a type"), &frame), text(&frame["type"])))
        .collect();
    for (schema, from_client) in [("client", true), ("server", false)] {
        let kinds = kinds(&parsed(&format!("protocol/generated/{schema}.schema.json")));
        assert!(kinds.len() > 25, "the kinds of {schema} frames were found");
        let absent: Vec<_> = kinds.iter().filter(|kind| !shown.contains(&(from_client, (*kind).clone()))).collect();
        assert!(absent.is_empty(), "not shown: {absent:?}");
    }
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = fs::read_dir(root.join("docs")).expect("docs").map(|e| e.expect("a file").path()).collect();
    files.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root.join(name)));
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "md")) {
        let text = fs::read_to_string(file).expect("a document");
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = file.parent().expect("a folder").join(target);
            assert!(path.exists(), "{} names {target}, which is not there", file.display());
        }
    }
}

/// `typing` is both a command and an event: what has an `id` and is no reply is a command.
fn is_commands(kind: &str, frame: &Value) -> bool {
    !frame["id"].is_null() && !["ack", "error", "welcome", "pong"].contains(&kind)
}

/// The lines of the blocks that are marked as JSON; each is a frame.
fn shown_frames() -> Vec<String> {
    let document =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol.md")).expect("the document");
    let blocks = document.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let frames: Vec<String> = blocks.flat_map(str::lines).map(str::to_owned).collect();
    assert!(frames.len() > 60, "only {} frames were found", frames.len());
    frames
}

fn parsed(file: &str) -> Value {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a generated file");
    serde_json::from_str(&text).expect("JSON")
}

/// Every constant that a `type` may be, wherever in the schema.
fn kinds(schema: &Value) -> BTreeSet<String> {
    let own = schema["properties"]["type"]["const"].as_str().map(str::to_owned);
    let below: Vec<&Value> = match schema {
        Value::Object(map) => map.values().collect(),
        Value::Array(items) => items.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    };
    own.into_iter().chain(below.into_iter().flat_map(kinds)).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The first field of `shown` that `read` lacks or has otherwise; what says the default may be left out.
fn missing(shown: &Value, read: &Value) -> Option<String> {
    match (shown, read) {
        (Value::Object(shown), Value::Object(read)) => shown.iter().find_map(|(name, value)| match read.get(name) {
            Some(read) => missing(value, read).map(|path| format!("{name}.{path}")),
            None if *value == Value::Bool(false) => None,
            None => Some(name.clone()),
        }),
        (Value::Array(shown), Value::Array(read)) if shown.len() == read.len() => {
            shown.iter().zip(read).find_map(|(shown, read)| missing(shown, read))
        }
        _ => (shown != read).then(|| format!("{shown}")),
    }
}
