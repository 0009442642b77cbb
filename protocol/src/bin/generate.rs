//! Writes the JSON Schemas of the wire and the OpenAPI document to the folder that it is given
//! (`protocol/generated`).

use std::{fs, path::PathBuf};
use stoa_protocol::{ClientFrame, ServerFrame, http};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: generate FOLDER")?);
    fs::create_dir_all(&folder)?;
    let files = [
        ("client.schema.json", serde_json::to_string_pretty(&schemars::schema_for!(ClientFrame))?),
        ("server.schema.json", serde_json::to_string_pretty(&schemars::schema_for!(ServerFrame))?),
        ("openapi.json", serde_json::to_string_pretty(&http::openapi())?),
    ];
    for (name, mut text) in files {
        text.push('\n');
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}
