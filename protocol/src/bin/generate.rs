//! Writes the JSON Schemas of the wire to the folder that it is given (`protocol/generated`).

use std::{fs, path::PathBuf};
use stoa_protocol::{ClientFrame, ServerFrame};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: generate FOLDER")?);
    fs::create_dir_all(&folder)?;
    for (name, schema) in
        [("client", schemars::schema_for!(ClientFrame)), ("server", schemars::schema_for!(ServerFrame))]
    {
        let mut text = serde_json::to_string_pretty(&schema)?;
        text.push('\n');
        fs::write(folder.join(format!("{name}.schema.json")), text)?;
    }
    Ok(())
}
