//! The OpenAPI document (version 3.1.0), made of the table.

use super::{Access, Media, Operation, Problem};
use crate::{LinkId, RoomId, Seq, UserId};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// What an image may be.
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

fn binary() -> Value {
    json!({"schema": {"type": "string", "format": "binary"}})
}

/// The document.
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut maker = settings.into_generator();
    let problem = maker.subschema_for::<Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for operation in Operation::ALL {
        let path = paths.entry(operation.path()).or_insert_with(|| json!({}));
        path[operation.method().as_str().to_lowercase()] = described(*operation, &mut maker);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Stoa",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Rooms, members, messages and people. Times are milliseconds since the Unix epoch. \
                            Whatever the socket can do durably can be done here, with the same rights.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": maker.take_definitions(true),
            "responses": {"Problem": {
                "description": "A refusal (RFC 9457).",
                "content": {"application/problem+json": {"schema": problem}},
            }},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    })
}

fn described(operation: Operation, maker: &mut SchemaGenerator) -> Value {
    let [query, body, reply] = operation.schemas(maker);
    let text: Vec<_> = operation.summary().iter().map(|line| line.trim()).collect();
    let text = text.join(" ");
    let (summary, rest) = text.split_once(". ").unwrap_or((text.trim_end_matches('.'), ""));
    let mut parameters = path_parameters(operation, maker);
    parameters.extend(query_parameters(&query));
    if operation.is_keyed() {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "schema": {"$ref": "#/components/schemas/Key"},
            "description": "The same key again gives the same result; with another body it is a conflict.",
        }));
        maker.subschema_for::<crate::Key>();
    }
    let mut described = json!({
        "operationId": operation.name(),
        "summary": summary,
        "responses": responses(operation, &reply),
        "security": security(operation.access()),
    });
    let note = match operation.access() {
        Access::Open | Access::Token => "",
        Access::Own => "For the user themselves, with a token that names no rooms, and for the host application.",
        Access::Service => "For the host application.",
    };
    let description = [rest, note].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ");
    if !description.is_empty() {
        described["description"] = description.into();
    }
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if operation.takes_image() {
        let content: Map<String, Value> = IMAGES.iter().map(|media| ((*media).into(), binary())).collect();
        described["requestBody"] = json!({"required": true, "content": content});
    } else if operation.has_body() {
        described["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": body}}});
    }
    described
}

fn path_parameters(operation: Operation, maker: &mut SchemaGenerator) -> Vec<Value> {
    let names = operation.path().split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters = Vec::new();
    for name in names {
        let schema = match name {
            "room" => maker.subschema_for::<RoomId>(),
            "user" => maker.subschema_for::<UserId>(),
            "link" => maker.subschema_for::<LinkId>(),
            "seq" => maker.subschema_for::<Seq>(),
            _ => maker.subschema_for::<String>(),
        };
        parameters.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
    }
    parameters
}

/// The fields of the query's type are its parameters.
fn query_parameters(query: &Schema) -> Vec<Value> {
    let fields = query.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let required = query.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let parameter = |(name, mut schema): (String, Value)| {
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        json!({
            "name": name, "in": "query", "required": required.contains(&json!(name)),
            "description": description, "schema": without_null(schema),
        })
    };
    fields.into_iter().map(parameter).collect()
}

/// A parameter that is absent is not null.
fn without_null(schema: Value) -> Value {
    let null = json!({"type": "null"});
    match (schema["anyOf"].as_array(), schema["type"].as_array()) {
        (Some(any), _) => any.iter().find(|one| **one != null).cloned().unwrap_or(schema),
        (None, Some(types)) => {
            let kept = types.iter().find(|one| *one != "null").cloned();
            let mut schema = schema;
            schema["type"] = kept.unwrap_or_default();
            schema
        }
        (None, None) => schema,
    }
}

fn responses(operation: Operation, reply: &Schema) -> Value {
    let content = match operation.media() {
        Media::Nothing => None,
        Media::Json => Some(json!({"application/json": {"schema": reply}})),
        Media::Lines => Some(json!({"application/x-ndjson": {"schema": reply}})),
        Media::Update => Some(json!({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}})),
        Media::Image => {
            let content: Map<String, Value> = IMAGES.iter().map(|media| ((*media).into(), binary())).collect();
            Some(content.into())
        }
        Media::Metrics => Some(json!({"application/openmetrics-text": {"schema": {"type": "string"}}})),
    };
    let mut responses = Map::new();
    for status in operation.statuses() {
        let description = match status {
            201 => "Created.",
            202 => "Passed on, not kept.",
            204 => "Done.",
            _ => "Done.",
        };
        let mut response = json!({"description": description});
        if let Some(content) = &content {
            response["content"] = content.clone();
        }
        responses.insert(status.to_string(), response);
    }
    responses.insert("default".into(), json!({"$ref": "#/components/responses/Problem"}));
    responses.into()
}

fn security(access: Access) -> Value {
    match access {
        Access::Open => json!([]),
        Access::Token | Access::Own | Access::Service => json!([{"token": []}]),
    }
}
