//! The command line, as a process: what it refuses, what it shows, and what it never shows.

mod refusals;
mod serving;
mod storing;

use crate::auth::{Folder, SECRET};
use std::{
    collections::BTreeSet,
    process::{Command, Output},
    time::{SystemTime, UNIX_EPOCH},
};
use stoa::{
    auth::Verifier,
    config::{Config, Layers, flag_of, variable_of},
};
use stoa_protocol::{Role, RoomId};

/// What a run ended with.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

/// Runs `stoa` in its own folder, with nothing of the tests' environment but these variables.
fn stoa(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stoa"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).current_dir(folder.path());
    let Output { status, stdout, stderr } = command.output().expect("started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: status.code().expect("no signal"), out: text(stdout), err: text(stderr) }
}

#[test]
fn without_a_command_the_usage_is_shown() {
    let folder = Folder::new();
    for arguments in [[].as_slice(), &["dance"], &["serve", "--dance"], &["serve", "--secret", SECRET], &["token"]] {
        let ended = stoa(&folder, arguments, &[]);
        assert_eq!(ended.code, 64, "{arguments:?}");
        assert!(ended.err.contains("Usage: stoa") && ended.out.is_empty(), "{}", ended.err);
    }
    for arguments in [["--help"].as_slice(), &["--version"], &["serve", "--help"], &["config", "check", "--help"]] {
        let ended = stoa(&folder, arguments, &[]);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{arguments:?}");
        assert!(ended.out.contains("stoa"), "{}", ended.out);
    }
}

#[test]
fn every_command_and_flag_is_explained() {
    let folder = Folder::new();
    let lists = |arguments: &[&str]| -> Vec<String> {
        let help = stoa(&folder, arguments, &[]).out;
        let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        lines.map(|line| line.trim().to_owned()).collect()
    };
    let mut seen = 0;
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        for line in lists(&arguments) {
            let (name, about) = line.split_once("  ").unwrap_or((&line, ""));
            assert!(!about.trim().is_empty(), "`stoa {} {name}` is not explained", path.join(" "));
            if name != "help" {
                open.push(path.iter().cloned().chain([name.to_owned()]).collect());
            }
        }
        for line in stoa(&folder, &arguments, &[]).out.lines().map(str::trim).filter(|line| line.starts_with("--")) {
            assert!(line.contains("  "), "`stoa {}`: `{line}` is not explained", path.join(" "));
        }
        seen += 1;
    }
    assert!(seen >= 5, "{seen} commands");
}

#[test]
fn the_check_shows_every_value_with_its_source() {
    let folder = Folder::new();
    let file = folder.file("stoa.toml", "listen = '127.0.0.1:1'\ndrain_seconds = 7\n[limits]\nidle_ms = 20000\n");
    let variables = [("STOA_LISTEN", "127.0.0.1:2"), ("STOA_SECRET", SECRET), ("STOA_LIMITS_STRIKES", "3")];
    let check = |more: &[&str]| {
        let arguments = [&["config", "check", "--config", &file], more].concat();
        let ended = stoa(&folder, &arguments, &variables);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""));
        ended.out
    };
    let line = |out: &str, key: &str| {
        let line = out.lines().find(|line| line[2..].starts_with(&format!("{key} "))).expect(key);
        line.split_once(" = ").expect("a value").1.to_owned()
    };
    let out = check(&[]);
    assert_eq!(line(&out, "listen"), "127.0.0.1:2  # STOA_LISTEN");
    assert_eq!(line(&out, "drain_seconds"), format!("7  # {file}"));
    assert_eq!(line(&out, "limits.idle_ms"), format!("20000  # {file}"));
    assert_eq!(line(&out, "limits.strikes"), "3  # STOA_LIMITS_STRIKES");
    assert_eq!(line(&out, "limits.hello_ms"), "5000  # default");
    assert_eq!(line(&out, "secret"), "(hidden)  # STOA_SECRET");
    assert_eq!(line(&check(&["--listen", "127.0.0.1:3"]), "listen"), "127.0.0.1:3  # --listen");

    // Misspelt variables cannot be refused, since platforms set some of their own; they are told.
    let ended =
        stoa(&folder, &["config", "check", "--dev"], &[("STOA_LISTN", "x"), ("STOA_PORT", "tcp://10.0.0.1:80")]);
    assert_eq!(ended.code, 0);
    assert!(ended.out.contains("# STOA_LISTN is set, but no key has this variable"), "{}", ended.out);
    // Nothing was made or started.
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["stoa.toml"]);
}

#[test]
fn no_secret_is_shown() {
    let folder = Folder::new();
    let secret_file = folder.file("secret", format!("{SECRET}\n"));
    let url = "postgres://stoa:hunter2hunter2@db.example/stoa?password=hunter2hunter2";
    let redis = "rediss://stoa:hunter2hunter2@cache.example:6380";
    let by_variable = [("STOA_SECRET", SECRET), ("STOA_DATABASE_URL", url), ("STOA_REDIS_URL", redis)];
    let by_file = [("STOA_SECRET_FILE", secret_file.as_str()), ("STOA_DATABASE_URL", url)];
    let broken = [("STOA_SECRET", SECRET), ("STOA_DATABASE_URL", url), ("STOA_DRAIN_SECONDS", "x")];
    let both = [("STOA_SECRET", SECRET), ("STOA_SECRET_FILE", &secret_file)];
    let no_scheme = [("STOA_DATABASE_URL", "hunter2hunter2@db"), ("STOA_SECRET", SECRET)];
    let wrong_port = [("STOA_DATABASE_URL", "postgres://a:hunter2hunter2@db:x/"), ("STOA_SECRET", SECRET)];
    let no_redis = [("STOA_SECRET", SECRET), ("STOA_REDIS_URL", "hunter2hunter2@cache")];
    let no_cluster = [("STOA_SECRET", SECRET), ("STOA_REDIS_URL", redis)];
    for variables in [&by_variable[..], &by_file, &broken, &both, &no_scheme, &wrong_port, &no_redis, &no_cluster] {
        for arguments in
            [["config", "check"].as_slice(), &["config", "check", "--help"], &["serve", "--help"], &["serve", "--x"]]
        {
            let ended = stoa(&folder, arguments, variables);
            let all = format!("{}{}", ended.out, ended.err);
            assert!(!all.contains(SECRET) && !all.contains("hunter2"), "{arguments:?}: {all}");
        }
    }
    let shown = stoa(&folder, &["config", "check"], &by_variable).out;
    assert!(shown.contains("db.example/stoa"), "{shown}");
    assert!(shown.contains("rediss://stoa@cache.example:6380 (password hidden)"), "{shown}");
    // A file that cannot be read must not be quoted either.
    let file = folder.file("broken.toml", format!("database_url = '{url}'\nsecret_file = {SECRET}\n"));
    let ended = stoa(&folder, &["config", "check", "--config", &file], &[]);
    assert_eq!(ended.code, 64);
    assert!(ended.err.contains("line 2") && !ended.err.contains(SECRET), "{}", ended.err);
}

#[test]
fn a_token_made_here_gets_in() {
    let folder = Folder::new();
    let secret_file = folder.file("secret", SECRET);
    let file = folder.file("stoa.toml", "issuer = 'https://id.example'\naudience = 'stoa'\nrealm = 'school'\n");
    let arguments = ["token", "--config", &file, "--secret-file", &secret_file, "--user", "ada", "--name", "Ada L."];
    let rooms = ["--room", "a", "--room", "b", "--role", "host", "--create", "--join", "--expires-in", "2m"];
    let ended = stoa(&folder, &[&arguments[..], &rooms].concat(), &[]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));

    let text = format!("secret_file = '{secret_file}'\n{}", std::fs::read_to_string(&file).expect("read"));
    let layers = Layers::new().text(file.as_ref(), &text).expect("TOML");
    let verifier = Verifier::new(&Config::read(layers).expect("legal"), None);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let identity = verifier.examine(ended.out.trim_end(), now).expect("legal");
    assert_eq!(identity.user.as_str(), "school:ada");
    assert_eq!(identity.profile.expect("named").name, "Ada L.");
    assert!(identity.grants.create && identity.grants.join && !identity.grants.service);
    let rooms = identity.grants.rooms.expect("rooms");
    assert_eq!(rooms.len(), 2);
    assert_eq!(rooms[&RoomId::new("b").expect("legal")].role, Role::Host);
    assert!((120_000..=131_000).contains(&(identity.expires_at - identity.issued_at)));

    // What the server would refuse is not handed out.
    for (arguments, named) in [
        (["--user", "a b"].as_slice(), "/sub"),
        (&["--user", "ada", "--room", "a/b"], "--room"),
        (&["--user", "ada", "--role", "host"], "--room"),
        (&["--user", "ada", "--expires-in", "1w"], "--expires-in"),
    ] {
        let ended = stoa(&folder, &[["token", "--secret-file", &secret_file].as_slice(), arguments].concat(), &[]);
        assert_eq!((ended.code, ended.out.as_str()), (64, ""), "{arguments:?}");
        assert!(ended.err.contains(named), "{}", ended.err);
    }
    let ended = stoa(&folder, &["token", "--user", "ada"], &[]);
    assert_eq!(ended.code, 64);
}

#[test]
fn with_dev_tokens_are_of_the_server_with_the_same_folder() {
    let folder = Folder::new();
    let token = || stoa(&folder, &["token", "--dev", "--data-dir", "data", "--user", "ada", "--service"], &[]);
    let (first, second) = (token(), token());
    assert_eq!((first.code, second.code), (0, 0), "{}", first.err);
    let data = folder.path().join("data").display().to_string();
    let config = Config::read(Layers::new().flag("dev", true).flag("data_dir", data)).expect("legal");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let auth = runtime.block_on(stoa::auth::Auth::start(&config, None)).expect("started");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    for token in [first.out, second.out] {
        assert!(auth.verifier.examine(token.trim_end(), now).expect("legal").grants.service);
    }
}

#[test]
fn the_documentation_has_every_key_flag_and_variable() {
    let folder = Folder::new();
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).expect("written");
    let config = Config::read(Layers::new().flag("dev", true)).expect("legal");
    let help = stoa(&folder, &["serve", "--help"], &[]).out;
    let mut variables = BTreeSet::from(["STOA_CONFIG".to_owned()]);
    for setting in &config.settings {
        let key = &setting.key;
        let row = docs.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
        let row = row.unwrap_or_else(|| panic!("`{key}` has no row"));
        // The flag is in the help exactly when the documentation shows it.
        let flag = flag_of(key);
        let in_help = help.lines().any(|line| line.trim_start().split([' ', '=']).next() == Some(&flag));
        assert_eq!(in_help, row.contains(&format!("`{flag}`")), "{flag}");
        if setting.source == stoa::config::Source::Default && !setting.value.is_empty() && !key.starts_with("rights.") {
            assert!(row.contains(&format!("`{}`", setting.value)), "`{key}` is {} by default: {row}", setting.value);
        }
        variables.insert(variable_of(key));
    }
    for part in help.split("[env: ").skip(1) {
        let name: String = part.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        assert!(variables.contains(&name), "{name} is read by nobody");
    }
    // And nothing that does not exist.
    for line in docs.lines().filter_map(|line| line.strip_prefix("| `")) {
        let key = line.split('`').next().expect("split gives one at least");
        if let Some(command) = key.strip_prefix("stoa ") {
            let words = command.split(' ').take_while(|word| !word.starts_with('-')).chain(["--help"]);
            let help = stoa(&folder, &words.collect::<Vec<_>>(), &[]);
            assert_eq!(help.code, 0, "`{key}`: {}", help.err);
            for flag in line.split(['`', ' ']).filter(|word| word.starts_with("--")) {
                assert!(
                    help.out.contains(&format!("{flag} ")) || help.out.contains(&format!("{flag}\n")),
                    "{flag}: {key}"
                );
            }
            continue;
        }
        let known = config.settings.iter().any(|setting| setting.key == key);
        assert!(known || key.starts_with("STOA_") || key.starts_with("claims.require"), "`{key}` does not exist");
    }
}
