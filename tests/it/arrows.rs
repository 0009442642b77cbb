//! The arrows between the crates and inside the server, and what must stand nowhere in the tree.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Which crates of the workspace each may use.
const ARROWS: [(&str, &[&str]); 5] = [
    ("stoa-protocol", &[]),
    ("stoa-rooms", &["stoa-protocol"]),
    ("stoa-signaling", &["stoa-protocol"]),
    ("stoa", &["stoa-protocol", "stoa-rooms", "stoa-signaling"]),
    ("stoa-load", &["stoa-protocol"]),
];

const PURE: [&str; 3] = ["stoa-protocol", "stoa-rooms", "stoa-signaling"];

/// What brings IO, a clock or randomness along; names that begin so.
const IMPURE_CRATES: [&str; 18] = [
    "tokio",
    "mio",
    "async-std",
    "sqlx",
    "redis",
    "tungstenite",
    "hyper",
    "axum",
    "webrtc",
    "str0m",
    "quinn",
    "ureq",
    "reqwest",
    "getrandom",
    "rand",
    "fastrand",
    "chrono",
    "time",
];

/// What a pure source must not say. Whole words.
const IMPURE_WORDS: [&str; 10] = [
    "SystemTime",
    "Instant",
    "UNIX_EPOCH",
    "std::net",
    "std::fs",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "thread_rng",
];

/// Lines of a source file. The style asks for about 500; this is where "about" ends.
const FILE_LINES: usize = 600;

#[test]
fn the_crates_of_the_workspace_use_each_other_along_the_arrows_only() {
    let metadata = metadata();
    let members: BTreeMap<&str, BTreeSet<&str>> = packages(&metadata)
        .filter(|package| package["source"].is_null())
        .map(|package| {
            let used = list(&package["dependencies"]).map(|dependency| text(&dependency["name"]));
            (text(&package["name"]), used.filter(|name| name.starts_with("stoa")).collect())
        })
        .collect();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(members.keys().copied().collect::<BTreeSet<_>>(), known, "a crate without arrows");
    for (name, allowed) in ARROWS {
        let used = &members[name];
        let beyond: Vec<_> = used.iter().filter(|other| !allowed.contains(other)).collect();
        assert!(beyond.is_empty(), "{name} must not use {beyond:?}");
    }
}

#[test]
fn the_pure_crates_bring_no_io_no_clock_and_no_randomness_along() {
    let metadata = metadata();
    let names: BTreeMap<&str, &str> = packages(&metadata).map(|p| (text(&p["id"]), text(&p["name"]))).collect();
    let uses: BTreeMap<&str, Vec<&str>> = list(&metadata["resolve"]["nodes"])
        .map(|node| {
            let normal = list(&node["deps"])
                .filter(|dep| list(&dep["dep_kinds"]).any(|kind| kind["kind"].is_null()))
                .map(|dep| text(&dep["pkg"]));
            (text(&node["id"]), normal.collect())
        })
        .collect();
    for pure in PURE {
        let start = names.iter().find(|(_, name)| **name == pure).map(|(id, _)| *id).expect("a member");
        let mut seen = BTreeSet::from([start]);
        let mut open = vec![start];
        while let Some(id) = open.pop() {
            for next in &uses[id] {
                let name = names[next];
                let impure = IMPURE_CRATES.iter().any(|bad| name == *bad || name.starts_with(&format!("{bad}-")));
                assert!(!impure, "{pure} brings {name} along, through {}", names[id]);
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        assert!(seen.len() > 1, "{pure} is read from the metadata");
    }
}

#[test]
fn the_pure_crates_read_no_clock_no_randomness_and_no_file() {
    let mut looked_at = 0;
    for folder in ["protocol/src", "rooms/src", "signaling/src"] {
        // Binaries are tools beside the crate: they write the generated files.
        for file in sources(&root().join(folder), &["rs"]).iter().filter(|file| !has_part(file, "bin")) {
            looked_at += 1;
            let code = code(&read(file));
            for word in IMPURE_WORDS {
                assert!(!has_word(&code, word), "{} says {word}", shown(file));
            }
        }
    }
    assert!(looked_at > 10, "only {looked_at} sources were found");
}

#[test]
fn the_gateway_reaches_storage_and_cluster_only_through_the_hub() {
    let source = root().join("src");
    let mut files = sources(&source.join("gateway"), &["rs"]);
    files.push(source.join("gateway.rs"));
    assert!(files.len() > 1, "the gateway's sources are found");
    for file in files {
        let code = code(&read(&file));
        for name in first_names(&code) {
            assert!(!["storage", "cluster", "sqlx"].contains(&name.as_str()), "{} uses {name}", shown(&file));
        }
    }
}

#[test]
fn no_source_file_is_too_long_to_keep_in_mind() {
    let is_style = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "css");
    for file in every_source().into_iter().filter(|file| !is_style(file)) {
        let lines = read(&file).lines().count();
        assert!(lines <= FILE_LINES, "{} has {lines} lines, more than {FILE_LINES}", shown(&file));
    }
}

#[test]
fn nothing_is_left_half_done_and_nothing_names_a_machine() {
    // Put together here, so that this file does not find itself.
    let unfinished = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!("));
    let folders = ["home", "root", "Users", "work", "tmp"].map(|name| format!("/{name}/"));
    for file in every_source() {
        for (number, line) in read(&file).lines().enumerate() {
            let place = format!("{}:{}", shown(&file), number + 1);
            assert!(!unfinished.iter().any(|word| line.contains(word)), "{place} is unfinished: {line}");
            assert!(!folders.iter().any(|folder| has_absolute(line, folder)), "{place} names a machine's folder");
            assert_eq!(line.trim_end(), line, "{place} ends in blanks");
        }
    }
}

#[test]
fn the_searches_of_this_file_find_what_they_look_for() {
    assert!(has_word("let t = std::time::Instant::now();", "Instant"));
    assert!(!has_word("let instantly = Instantly;", "Instant"));
    assert_eq!(code("a // Instant\nb /* x */"), "a \nb /* x */");
    let names =
        first_names("use crate::{hub::{a, storage}, storage::{b}}; crate :: cluster::x; super::super::clock::y");
    assert_eq!(names, ["hub", "storage", "cluster", "clock"]);
    assert_eq!(first_names("let pool = sqlx::query(x); let _ = my_sqlx::y"), ["sqlx"]);
    assert!(has_absolute("see \"/place/x\"", "/place/"));
    assert!(!has_absolute("src/place/x https://host/place/x", "/place/"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What cargo resolves for this machine; other platforms' crates need not be fetched for it.
fn metadata() -> Value {
    let version = cargo(&["--version", "--verbose"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names its host");
    let json = cargo(&["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host]);
    serde_json::from_str(&json).expect("JSON")
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    list(&metadata["packages"])
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text in cargo's metadata")
}

fn every_source() -> Vec<PathBuf> {
    let files = sources(&root(), &["rs", "ts", "tsx", "mjs", "js", "css", "sh", "sql", "toml"]);
    assert!(files.len() > 30, "only {} sources were found", files.len());
    files
}

/// Files below a folder with one of these endings; made and fetched ones apart.
fn sources(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let skipped = name.starts_with('.') || ["target", "node_modules", "dist", "generated", "data"].contains(&name);
        if path.is_dir() && !skipped {
            found.extend(sources(&path, endings));
        } else if path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| endings.contains(&ending)) {
            found.push(path);
        }
    }
    found
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

fn has_part(file: &Path, part: &str) -> bool {
    file.components().any(|component| component.as_os_str() == part)
}

/// The lines without their `//` comments.
fn code(source: &str) -> String {
    source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

/// A folder's name where an absolute path begins, not inside a longer path or a URL.
fn has_absolute(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| !line[..at].ends_with(|c: char| is_name(c) || ".-~*}/".contains(c)))
}

/// The first name after `crate::` or `super::`, in groups too, and `sqlx` where a path begins with it.
fn first_names(code: &str) -> Vec<String> {
    let dense: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let mut names = Vec::new();
    for prefix in ["crate::", "super::"] {
        for (at, _) in dense.match_indices(prefix) {
            let rest = &dense[at + prefix.len()..];
            match rest.strip_prefix('{') {
                Some(group) => names.extend(group_heads(group)),
                None => names.extend(head(rest)),
            }
        }
    }
    if dense.match_indices("sqlx::").any(|(at, _)| !dense[..at].ends_with(is_name)) {
        names.push("sqlx".to_owned());
    }
    names
}

/// The first name of each entry of a `{...}` group; `group` begins after the bracket.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut heads) = (0usize, 0usize, Vec::new());
    for (at, c) in group.char_indices() {
        match (c, depth) {
            ('{', _) => depth += 1,
            ('}' | ',', 0) => {
                heads.extend(head(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            ('}', _) => depth -= 1,
            (_, _) => {}
        }
    }
    heads
}

fn head(path: &str) -> Option<String> {
    let name: String = path.chars().take_while(|c| is_name(*c)).collect();
    (!name.is_empty() && name != "super" && name != "crate").then_some(name)
}
