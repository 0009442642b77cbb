//! Every value that can be wrong, wrong: the process names the key, where it came from, and ends with 64.

use super::{Ended, stoa};
use crate::auth::{Folder, SECRET, TestKey};
use std::net::TcpListener;

/// The usage error of `sysexits.h`.
const USAGE: i32 = 64;

fn assert_names(ended: &Ended, key: &str, source: &str, case: &str) {
    assert_eq!(ended.code, USAGE, "{case}: {}{}", ended.out, ended.err);
    assert!(ended.out.is_empty(), "{case}: {}", ended.out);
    let lines: Vec<&str> = ended.err.lines().collect();
    assert_eq!(lines.len(), 1, "{case}: {}", ended.err);
    let names = format!("stoa: {key} ({source}): ");
    assert!(lines[0].starts_with(&names) && lines[0].len() > names.len(), "{case}: {}", ended.err);
}

#[test]
fn a_bad_flag_is_named() {
    let folder = Folder::new();
    let key = folder.file("key.pem", TestKey::es256().public);
    let text = folder.file("text", "not a key at all, but long enough to be a secret");
    let short = folder.file("short", "short");
    let cases: &[(&str, &str)] = &[
        ("--listen", "8080"),
        ("--listen", "example.com:80"),
        ("--listen", "127.0.0.1:99999"),
        ("--listen", ""),
        ("--database-url", "mysql://x"),
        ("--database-url", "sqlite::memory:"),
        ("--redis-url", "redis://127.0.0.1"),
        ("--redis-url", "http://127.0.0.1"),
        ("--redis-prefix", "a b"),
        ("--redis-prefix", "stoa"),
        ("--cluster-key-file", "missing"),
        ("--cluster-key-file", &short),
        ("--cluster-key-file", &text),
        ("--key-file", "missing.pem"),
        ("--key-file", &text),
        ("--key-file", &format!("{key}:alg=RS256")),
        ("--key-file", &format!("{key}:alg=none")),
        ("--key-file", &format!("{key}:alg=HS256")),
        ("--key-file", &format!("{short}:alg=HS256")),
        ("--key-file", ":kid=x"),
        ("--jwks-url", "http://id.example/keys"),
        ("--jwks-url", "https://user:pw@id.example/keys"),
        ("--jwks-url", "id.example"),
        ("--jwks-url", "file:///etc/passwd"),
        ("--jwks-file", "missing.json"),
        ("--jwks-file", &text),
        ("--secret-file", "missing"),
        ("--secret-file", &short),
        ("--secret-file", &key),
        ("--issuer", ""),
        ("--realm", "Big School"),
        ("--realm", "a:b"),
        ("--public-url", "app.example"),
        ("--public-url", "https://app.example/?q"),
        ("--allowed-origin", "*"),
        ("--allowed-origin", "null"),
        ("--allowed-origin", "https://app.example/path"),
        ("--trusted-proxy", "10.0.0.0/40"),
        ("--trusted-proxy", "proxy.example"),
        ("--tls-cert", "missing.pem"),
        ("--log-format", "xml"),
        ("--drain-seconds", "soon"),
        ("--drain-seconds", "-1"),
        ("--drain-seconds", "99999"),
    ];
    for (flag, value) in cases {
        let mut arguments = vec!["serve", "--dev", flag, value];
        if *flag == "--tls-cert" {
            arguments.extend(["--tls-key", "missing.pem"]);
        }
        // An empty flag of clap is given with `=`.
        let joined = format!("{flag}={value}");
        if value.is_empty() || value.starts_with('-') {
            arguments = vec!["serve", "--dev", &joined];
        }
        let ended = stoa(&folder, &arguments, &[]);
        assert_names(&ended, &flag[2..].replace('-', "_"), flag, &joined);
    }
}

#[test]
fn a_bad_variable_is_named() {
    let folder = Folder::new();
    for (variable, key, value) in [
        ("STOA_LISTEN", "listen", "nowhere"),
        ("STOA_DEV", "dev", "maybe"),
        ("STOA_DATABASE_VOUCHED", "database_vouched", "2"),
        ("STOA_SECRET", "secret", "short"),
        ("STOA_REDIS_URL", "redis_url", "redis://127.0.0.1"),
        ("STOA_FRAME_ANCESTOR", "frame_ancestor", "https://good.example,https://*.example"),
        ("STOA_LOGIN_URL", "login_url", "javascript:alert(1)"),
        ("STOA_ALLOWED_ORIGIN", "allowed_origin", "https://good.example,bad.example"),
        ("STOA_LEEWAY_SECONDS", "leeway_seconds", "31"),
        ("STOA_JWKS_REFRESH_SECONDS", "jwks_refresh_seconds", "0"),
        ("STOA_RIGHTS_DIRECT", "rights.direct", "some"),
        ("STOA_LIMITS_IDLE_MS", "limits.idle_ms", "1"),
        ("STOA_LIMITS_MAILBOX_BYTES", "limits.mailbox_bytes", "1e6"),
        ("STOA_CLAIMS_USER", "claims.user", "/user_metadata/id"),
        ("STOA_CLAIMS_NAME", "claims.name", "//"),
        ("STOA_CLAIMS_SERVICE_GROUPS", "claims.service_groups", "a, b"),
    ] {
        let ended = stoa(&folder, &["serve", "--data-dir", "data"], &[("STOA_JWKS_FILE", ""), (variable, value)]);
        assert_names(&ended, key, variable, value);
    }
}

#[test]
fn a_bad_file_is_named_with_its_key() {
    let folder = Folder::new();
    let secret = folder.file("secret", SECRET);
    let pem = folder.file("key.pem", TestKey::es256().public);
    let first = format!("secret_file = '{secret}'\n");
    let issuer = format!("[[issuers]]\nissuer = 'https://a.example'\nkey_file = '{pem}'\n");
    let cases: &[(&str, String)] = &[
        ("lisen", format!("{first}lisen = '127.0.0.1:1'")),
        ("listen", format!("{first}listen = 8080")),
        ("secret", format!("secret = '{SECRET}'")),
        ("limits.idel_ms", format!("{first}[limits]\nidel_ms = 1")),
        ("limits.idle_ms", format!("{first}[limits]\nidle_ms = 'long'")),
        ("limits.idle_ms", format!("{first}[limits]\nidle_ms = 30000.5")),
        ("limits.strikes", format!("{first}[limits]\nstrikes = -1")),
        ("limits.a.b", format!("{first}[limits.a]\nb = 1")),
        ("limits", format!("{first}limits = 1")),
        ("rights.create", format!("{first}[rights]\ncreate = 'maybe'")),
        ("unknown.a", format!("{first}[unknown]\na = 1")),
        ("claims.usr", format!("{first}[claims]\nusr = 'sub'")),
        ("claims.groups", format!("{first}[claims]\ngroups = 7")),
        ("claims.host_groups", format!("{first}[claims]\nhost_groups = ['a']")),
        ("claims.grants", format!("{first}[claims]\ngrants = '/user_metadata/stoa'")),
        ("key_file", "key_file = [7]".into()),
        ("key_file", format!("key_file = [{{ file = '{pem}', kind = 'x' }}]")),
        ("key_file", "key_file = [{ kid = 'x' }]".into()),
        ("issuers", format!("{first}issuers = 7")),
        ("issuers[0].realm", format!("{issuer}realm = 'Not A Realm'")),
        ("issuers[0].claims.nme", format!("{issuer}[issuers.claims]\nnme = 'x'")),
        ("issuers[0].secret", format!("{issuer}secret = '{SECRET}'")),
        ("issuers[1].key_file", format!("{issuer}[[issuers]]\nkey_file = 'missing.pem'")),
        ("issuers[1].listen", format!("{issuer}{issuer}listen = '127.0.0.1:1'")),
        ("issuer", "issuer = 'https://a.example'".into()),
        ("data_dir", format!("{first}data_dir = 'a'\ndatabase_url = 'sqlite://b'")),
    ];
    for (key, text) in cases {
        let file = folder.file("stoa.toml", text);
        let ended = stoa(&folder, &["serve", "--config", &file], &[]);
        assert_names(&ended, key, &file, text);
    }
}

#[test]
fn what_is_missing_is_named() {
    let folder = Folder::new();
    let set = serde_json::json!({"keys": [TestKey::es256().published("k")]}).to_string();
    let set = folder.file("keys.json", set);
    let pem = folder.file("key.pem", TestKey::es256().public);
    let toml = folder.file("issuers.toml", "[[issuers]]\nissuer = 'https://a.example'\n");
    let require = folder.file("require.toml", format!("key_file = '{pem}'\n[claims.require]\na = 7\n"));
    for (arguments, key) in [
        (["serve"].as_slice(), "key_file"),
        (&["serve", "--jwks-file", &set], "issuer"),
        (&["serve", "--jwks-file", &set, "--issuer", "https://a.example"], "audience"),
        (&["serve", "--dev", "--tls-cert", "a"], "tls_key"),
        (&["serve", "--dev", "--tls-key", "a"], "tls_cert"),
        (&["serve", "--config", "missing.toml"], "config"),
        (&["serve", "--config", &set], "config"),
        (&["serve", "--config", &toml], "issuers[0].issuer"),
        (&["serve", "--config", &require], "claims.require.a"),
    ] {
        let ended = stoa(&folder, arguments, &[]);
        assert_eq!((ended.code, ended.out.as_str()), (USAGE, ""), "{arguments:?}");
        assert!(ended.err.starts_with(&format!("stoa: {key}")), "{arguments:?}: {}", ended.err);
    }
    let ended = stoa(&folder, &["serve", "--dev"], &[("STOA_LOG", "stoa=loud")]);
    assert_eq!(ended.code, USAGE);
    assert!(ended.err.starts_with("stoa: STOA_LOG: "), "{}", ended.err);
}

#[test]
fn a_certificate_and_its_key_must_fit() {
    let folder = Folder::new();
    let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let (own, other) = (made(), made());
    let cert = folder.file("cert.pem", own.cert.pem());
    let own_key = folder.file("own.pem", own.signing_key.serialize_pem());
    let other_key = folder.file("other.pem", other.signing_key.serialize_pem());
    let check =
        |cert: &str, key: &str| stoa(&folder, &["config", "check", "--dev", "--tls-cert", cert, "--tls-key", key], &[]);
    assert_eq!(check(&cert, &own_key).code, 0);
    assert_names(&check(&cert, &other_key), "tls_key", "--tls-key", "another's key");
    let no_key = folder.file("no-key.pem", other.cert.pem());
    assert_names(&check(&cert, &no_key), "tls_key", "--tls-key", "no key");
    assert_names(&check(&own_key, &own_key), "tls_cert", "--tls-cert", "no certificate");
}

#[test]
fn dev_binds_to_this_machine_alone() {
    let folder = Folder::new();
    for listen in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080", "[2001:db8::1]:8080", "10.0.0.1:0"] {
        let ended = stoa(&folder, &["serve", "--dev", "--listen", listen], &[]);
        assert_names(&ended, "listen", "--listen", listen);
        let ended = stoa(&folder, &["serve"], &[("STOA_DEV", "true"), ("STOA_LISTEN", listen)]);
        assert_names(&ended, "listen", "STOA_LISTEN", listen);
    }
    for listen in ["127.0.0.1:0", "[::1]:0", "localhost:0", "127.9.9.9:0"] {
        let ended = stoa(&folder, &["config", "check", "--dev", "--listen", listen], &[]);
        assert_eq!(ended.code, 0, "{listen}: {}", ended.err);
    }
}

#[test]
fn the_configuration_is_looked_at_before_a_port_is_bound_or_a_file_made() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let arguments = ["serve", "--dev", "--data-dir", "data", "--listen", &address, "--drain-seconds", "x"];
    let ended = stoa(&folder, &arguments, &[]);
    assert_names(&ended, "drain_seconds", "--drain-seconds", "a port that is taken");
    assert!(!folder.path().join("data").exists());
}
