//! The row "tokens" of the hostile inputs, and its neighbours. Every one gets the same words; the log alone knows why.

use super::{Folder, NOW, NOW_S, SECRET, TestKey, claims, config, keys::rsa_key, verifier};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    net::TcpListener,
    sync::Arc,
};
use stoa::auth::{Algorithm, Refusal, Verifier};
use stoa_protocol::{ErrorCode, Fault};

const STRICT: &str = r#"
    issuer = "https://id.example"
    audience = ["stoa"]
"#;

fn own() -> TestKey {
    TestKey::hs256(SECRET.as_bytes())
}

fn good() -> Value {
    claims(json!({"iss": "https://id.example", "aud": "stoa"}))
}

fn with(more: Value) -> Value {
    let mut all = good();
    for (name, value) in more.as_object().expect("an object") {
        match value {
            Value::Null => drop(all.as_object_mut().expect("an object").remove(name)),
            other => all[name] = other.clone(),
        }
    }
    all
}

fn refusal(verifier: &Verifier, token: &str) -> Refusal {
    let refusal = verifier.examine(token, NOW).expect_err(token);
    let fault = verifier.verify(token, NOW).expect_err(token);
    assert_eq!(fault, Fault::new(ErrorCode::Unauthorized, "there is no valid token"), "{refusal}");
    refusal
}

fn claim_of(refusal: Refusal) -> String {
    match refusal {
        Refusal::Claim { claim, .. } => claim,
        other => panic!("not for a claim: {other}"),
    }
}

#[test]
fn an_honest_token_gets_in() {
    let identity = verifier(true, STRICT).verify(&own().sign(&good()), NOW).expect("honest");
    assert_eq!(identity.user.as_str(), "ada");
    assert_eq!(identity.issued_at, NOW);
    assert_eq!(identity.expires_at, NOW + 3_600_000 + 10_000);
}

#[test]
fn alg_none_is_refused_however_it_is_spelled() {
    let verifier = verifier(true, STRICT);
    for alg in ["none", "None", "nOnE", "", "HS384", "HS512", "RS512", "PS256", "ES384", "ES256K", "hs256"] {
        let honest = own().sign_as(&json!({"alg": alg}), &good());
        let unsigned = format!("{}.", honest.rsplit_once('.').expect("three parts").0);
        for token in [honest, unsigned] {
            assert_eq!(refusal(&verifier, &token), Refusal::Algorithm(format!("{alg:?}")));
        }
    }
    for alg in [json!(null), json!(1), json!(["HS256"]), json!({})] {
        let token = own().sign_as(&json!({ "alg": alg }), &good());
        assert!(matches!(refusal(&verifier, &token), Refusal::Malformed(_)));
    }
}

#[test]
fn a_public_key_never_verifies_an_hs256_token() {
    let rsa = TestKey::rs256(0);
    let folder = Folder::new();
    let file = folder.file("key.pem", &rsa.public);
    let set = folder.file("keys.json", json!({"keys": [rsa.published("a")]}).to_string());
    let strict = format!("{STRICT}\nkey_file = ['{file}']");
    let modulus = rsa.jwk["n"].as_str().expect("text").to_owned();
    let tricks = [rsa.public.clone(), rsa.public.trim_end().to_owned(), modulus];
    for trick in &tricks {
        let token = TestKey::hs256(trick.as_bytes()).sign(&good());
        // With RSA keys alone there is nothing to try …
        let expected = Refusal::NoKey { algorithm: Algorithm::Hs256, kid: None };
        assert_eq!(refusal(&verifier(false, &strict), &token), expected);
        // … and beside a secret, the secret alone is tried.
        assert_eq!(refusal(&verifier(true, &strict), &token), Refusal::Signature);
    }
    // Nor does a public RSA key that a set publishes as a symmetric one.
    let mut symmetric = TestKey::hs256(rsa.public.as_bytes()).published("b");
    symmetric["alg"] = "HS256".into();
    let both = json!({"keys": [rsa.published("a"), symmetric]});
    std::fs::write(&set, both.to_string()).expect("written");
    let verifier = verifier(false, &format!("{STRICT}\njwks_file = '{set}'"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(verifier.refresh());
    assert!(verifier.verify(&rsa.sign(&good()), NOW).is_ok());
    let token = TestKey::hs256(rsa.public.as_bytes()).sign_kid("b", &good());
    assert!(matches!(refusal(&verifier, &token), Refusal::NoKey { .. }));
}

#[test]
fn a_header_never_changes_the_algorithm_of_a_key() {
    let folder = Folder::new();
    let keys = TestKey::each();
    let files: Vec<String> =
        keys.iter().map(|key| format!("'{}'", folder.file(&format!("{}.pem", key.alg), &key.public))).collect();
    let verifier = verifier(true, &format!("{STRICT}\nkey_file = [{}]", files.join(",")));
    for key in keys.iter().chain([&own()]) {
        assert!(verifier.verify(&key.sign(&good()), NOW).is_ok(), "{}", key.alg);
        for other in ["HS256", "RS256", "ES256", "EdDSA"].into_iter().filter(|other| *other != key.alg) {
            let token = key.sign_as(&json!({"alg": other}), &good());
            assert_eq!(refusal(&verifier, &token), Refusal::Signature, "{} as {other}", key.alg);
        }
    }
}

#[test]
fn dates_are_numbers_of_seconds() {
    let verifier = verifier(true, STRICT);
    let soon = NOW_S + 60;
    let wrong = [json!(soon.to_string()), json!(true), json!([soon]), json!({}), json!(-1), json!(soon * 1000)];
    for claim in ["exp", "nbf", "iat"] {
        for value in &wrong {
            let token = own().sign(&with(json!({ claim: value })));
            assert_eq!(claim_of(refusal(&verifier, &token)), claim, "{value}");
        }
        let mut null = good();
        null[claim] = Value::Null;
        assert_eq!(claim_of(refusal(&verifier, &own().sign(&null))), claim);
    }
    // A fraction is legal (RFC 7519, section 2).
    let token = own().sign(&with(json!({"exp": soon as f64 + 0.5})));
    assert_eq!(verifier.verify(&token, NOW).expect("legal").expires_at, soon * 1000 + 500 + 10_000);
}

#[test]
fn a_token_holds_from_its_beginning_to_its_end_with_the_leeway() {
    let verifier = verifier(true, &format!("leeway_seconds = 30\n{STRICT}"));
    let at = |claims: Value, now: u64| verifier.examine(&own().sign(&with(claims)), now);
    assert!(at(json!({"exp": NOW_S - 30}), NOW - 1).is_ok());
    assert_eq!(at(json!({"exp": NOW_S - 30}), NOW).map_err(claim_of), Err("exp".into()));
    assert!(at(json!({"nbf": NOW_S + 30}), NOW).is_ok());
    assert_eq!(at(json!({"nbf": NOW_S + 30}), NOW - 1).map_err(claim_of), Err("nbf".into()));
    // A token from the future would outlive every revocation.
    assert!(at(json!({"iat": NOW_S + 30}), NOW).is_ok());
    assert_eq!(at(json!({"iat": NOW_S + 31}), NOW).map_err(claim_of), Err("iat".into()));
    assert_eq!(at(json!({"iat": null}), NOW).expect("legal").issued_at, 0);
}

#[test]
fn what_is_configured_must_be_named() {
    let verifier = verifier(true, STRICT);
    for (claim, value) in [
        ("/aud", json!(null)),
        ("/aud", json!("another")),
        ("/aud", json!(["another", "stoa2"])),
        ("/aud", json!([])),
        ("/aud", json!(7)),
        ("/aud", json!(["stoa", 7])),
        ("exp", json!(null)),
        ("/sub", json!(null)),
        ("/sub", json!("")),
        ("/sub", json!(7)),
        ("/sub", json!("with space")),
        ("/sub", json!("\u{202e}ada")),
        ("/sub", json!("x".repeat(256))),
    ] {
        let token = own().sign(&with(json!({ claim.trim_start_matches('/'): value })));
        assert_eq!(claim_of(refusal(&verifier, &token)), claim, "{value}");
    }
    assert!(verifier.verify(&own().sign(&with(json!({"aud": ["another", "stoa"]}))), NOW).is_ok());
    for (iss, shown) in [
        (json!("https://evil.example"), Some("\"https://evil.example\"")),
        (json!("https://id.example/"), Some("\"https://id.example/\"")),
        (json!(null), None),
        (json!(["https://id.example"]), None),
    ] {
        let token = own().sign(&with(json!({ "iss": iss })));
        assert_eq!(refusal(&verifier, &token), Refusal::Issuer(shown.map(str::to_owned)));
    }
}

#[test]
fn a_token_for_somebody_is_refused_by_who_has_no_name() {
    let nameless = verifier(true, "");
    assert!(nameless.verify(&own().sign(&claims(json!({}))), NOW).is_ok());
    let token = own().sign(&claims(json!({"aud": "another"})));
    assert_eq!(claim_of(refusal(&nameless, &token)), "/aud");
}

#[test]
fn a_kid_is_compared_and_nothing_else() {
    let folder = Folder::new();
    let key = TestKey::es256();
    let file = folder.file("key.pem", &key.public);
    let verifier = verifier(false, &format!("{STRICT}\nkey_file = '{file}:kid=k1'"));
    assert!(verifier.verify(&key.sign_kid("k1", &good()), NOW).is_ok());
    assert!(verifier.verify(&key.sign(&good()), NOW).is_ok(), "a token without kid tries the keys");
    for kid in [
        "../../../../dev/null",
        "/etc/passwd",
        file.as_str(),
        "k1' OR '1'='1",
        "k1\"; DROP TABLE rooms; --",
        "http://127.0.0.1/k1",
        "K1",
        "k1\0",
        "",
        "\u{1b}[2J",
    ] {
        let refused = refusal(&verifier, &key.sign_kid(kid, &good()));
        assert!(matches!(&refused, Refusal::NoKey { kid: Some(_), .. }), "{refused}");
        assert!(!refused.to_string().contains(char::is_control), "{refused:?}");
    }
    for kid in [json!(1), json!(["k1"]), json!({})] {
        let token = key.sign_as(&json!({"alg": "ES256", "kid": kid}), &good());
        assert!(matches!(refusal(&verifier, &token), Refusal::Malformed(_)));
    }
}

#[test]
fn a_token_never_makes_the_server_fetch() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("nonblocking");
    let address = format!("http://{}/keys.json", listener.local_addr().expect("bound"));
    let evil = TestKey::es256();
    let verifier = verifier(true, STRICT);
    for (name, value) in [
        ("jku", json!(address)),
        ("x5u", json!(address)),
        ("url", json!(address)),
        ("kid", json!(address)),
        ("jwk", evil.published("evil")),
        ("x5c", json!(["MIIB"])),
    ] {
        let forged = evil.sign_as(&json!({"alg": "ES256", name: value}), &with(json!({"iss": "https://id.example"})));
        assert!(matches!(refusal(&verifier, &forged), Refusal::NoKey { .. }), "{name}");
        // An honest token may carry such a header; it is not looked at, and `kid` fits a key that has none.
        let honest = own().sign_as(&json!({"alg": "HS256", name: value}), &good());
        assert!(verifier.verify(&honest, NOW).is_ok(), "{name}");
        let issuer = own().sign_as(&json!({"alg": "HS256"}), &with(json!({ "iss": address })));
        assert!(matches!(refusal(&verifier, &issuer), Refusal::Issuer(_)), "{name}");
    }
    // Verifying is a plain call that has returned: had it connected, the connection would stand in the queue.
    let nobody = listener.accept().expect_err("nobody has connected");
    assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_token_has_at_most_4_kib() {
    let verifier = verifier(true, STRICT);
    let padded = |pad: usize| own().sign(&with(json!({"pad": "x".repeat(pad)})));
    let fits = (0..4096).rev().map(padded).find(|token| token.len() <= 4096).expect("some length");
    assert!(fits.len() > 4000 && verifier.verify(&fits, NOW).is_ok());
    for pad in [4096, 12_000, 1_000_000] {
        let token = padded(pad);
        assert_eq!(refusal(&verifier, &token), Refusal::TooLong(token.len()));
    }
    assert!(padded(12_000).len() > 16 * 1024 - 500);
}

#[test]
fn what_is_no_token_is_refused() {
    let verifier = verifier(true, STRICT);
    let honest = own().sign(&good());
    let [header, payload, signature] = honest.split('.').collect::<Vec<_>>().try_into().expect("three parts");
    let deep = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
    for token in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        "ada".into(),
        format!("{header}.{payload}"),
        format!("{honest}.{signature}"),
        format!(".{honest}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}\n.{signature}"),
        format!(" {honest}"),
        format!("Bearer {honest}"),
        "é.é.é".into(),
        own().sign_text("[]", &good().to_string()),
        own().sign_text(r#"{"alg":"HS256","alg":"none"}"#, &good().to_string()),
        own().sign_text(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, &good().to_string()),
        own().sign_text(r#"{"alg":"HS256","crit":null,"b64":false}"#, "[]"),
        own().sign_text(r#"{"alg":"HS256"}"#, "[]"),
        own().sign_text(r#"{"alg":"HS256"}"#, "\"ada\""),
        own().sign_text(r#"{"alg":"HS256"}"#, ""),
        own().sign_text(r#"{"alg":"HS256"}"#, &deep),
        own().sign_text(r#"{"alg":"HS256"}"#, "{\"sub\":\"\\ud800\"}"),
        own().sign_text(r#"{"alg":"HS256"}"#, "{\"exp\":1e999}"),
    ] {
        assert!(matches!(refusal(&verifier, &token), Refusal::Malformed(_)), "{token}");
    }
    assert_eq!(refusal(&verifier, &format!("{header}.{payload}.")), Refusal::Signature);
    assert_eq!(refusal(&verifier, &format!("{header}.{payload}.{signature}==")), Refusal::Signature);
}

#[test]
fn a_changed_token_is_refused() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = Folder::new();
    let keys = [own(), TestKey::es256(), TestKey::eddsa(), TestKey::rs256(0)];
    let files: Vec<String> =
        keys[1..].iter().map(|key| format!("'{}'", folder.file(&format!("{}.pem", key.alg), &key.public))).collect();
    let verifier = verifier(true, &format!("{STRICT}\nkey_file = [{}]", files.join(",")));
    for key in &keys {
        let token = key.sign(&good());
        for _ in 0..60 {
            let mut parts: Vec<Vec<u8>> =
                token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url")).collect();
            let part = &mut parts[random.gen_range(0..3)];
            let byte = random.gen_range(0..part.len());
            part[byte] ^= 1 << random.gen_range(0..8);
            let changed: Vec<String> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
            let changed = changed.join(".");
            assert!(verifier.verify(&changed, NOW).is_err(), "{changed}");
        }
        let cut = &token[..random.gen_range(0..token.len())];
        assert!(verifier.verify(cut, NOW).is_err(), "{cut}");
    }
}

/// Any JSON, with numbers and strings that mean something to a token more often than chance.
fn any_json(random: &mut StdRng, depth: u32) -> Value {
    let texts = ["", "host", "send", "a", "a b", "\u{0}", "\u{202e}", "school:ada", "..", "é", "1800000060", "stoa"];
    let numbers =
        [json!(0), json!(-1), json!(1.5), json!(NOW_S + 60), json!(NOW), json!(u64::MAX), json!(1e300), json!(-1e300)];
    match random.gen_range(0..if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => json!(random.gen_bool(0.5)),
        2 => numbers[random.gen_range(0..numbers.len())].clone(),
        3 | 4 => json!(texts[random.gen_range(0..texts.len())]),
        5 => (0..random.gen_range(0..4)).map(|_| any_json(random, depth - 1)).collect(),
        _ => {
            let names = ["rooms", "create", "direct", "join", "service", "role", "from", "until", "capabilities", "a"];
            let pick = |random: &mut StdRng| names[random.gen_range(0..names.len())].to_owned();
            let pairs: serde_json::Map<String, Value> =
                (0..random.gen_range(0..5)).map(|_| (pick(random), any_json(random, depth - 1))).collect();
            Value::Object(pairs)
        }
    }
}

#[test]
fn no_claim_makes_it_panic() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mapped = "
        [claims]
        groups = 'groups'
        host_groups = 'a'
        [claims.require]
        required = ['a', 'true']
    ";
    let verifiers = [verifier(true, STRICT), verifier(true, ""), verifier(true, mapped)];
    let names = ["sub", "aud", "iss", "exp", "nbf", "iat", "name", "picture", "stoa", "groups", "required"];
    let mut let_in = 0;
    for _ in 0..4000 {
        let mut claims = good();
        for _ in 0..random.gen_range(1..4) {
            claims[names[random.gen_range(0..names.len())]] = any_json(&mut random, 4);
        }
        let token = own().sign(&claims);
        for verifier in &verifiers {
            // Whoever gets in has what an identity promises.
            if let Ok(identity) = verifier.examine(&token, NOW) {
                assert!(identity.expires_at > NOW && !identity.user.as_str().is_empty(), "{claims}");
                let_in += 1;
            }
        }
    }
    assert!(let_in > 100, "the claims are too odd to test anything: {let_in}");
}

#[test]
fn another_key_of_the_same_kind_is_refused() {
    let folder = Folder::new();
    for (own, other) in [
        (TestKey::rs256(0), TestKey::rs256(1)),
        (TestKey::es256(), TestKey::es256()),
        (TestKey::eddsa(), TestKey::eddsa()),
    ] {
        let file = folder.file("key.pem", &own.public);
        let verifier = verifier(false, &format!("{STRICT}\nkey_file = '{file}'"));
        assert!(verifier.verify(&own.sign(&good()), NOW).is_ok(), "{}", own.alg);
        assert_eq!(refusal(&verifier, &other.sign(&good())), Refusal::Signature, "{}", own.alg);
    }
    let other = TestKey::hs256(b"another secret that is long enough too");
    assert_eq!(refusal(&verifier(true, STRICT), &other.sign(&good())), Refusal::Signature);
}

#[test]
fn keys_that_are_too_weak_are_passed_over() {
    let weak = rsa_key(1024);
    let strong = TestKey::es256();
    let folder = Folder::new();
    let set = json!({"keys": [weak.published("weak"), strong.published("strong")]});
    let file = folder.file("keys.json", set.to_string());
    let verifier = verifier(false, &format!("{STRICT}\njwks_file = '{file}'"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(verifier.refresh());
    assert!(verifier.verify(&strong.sign_kid("strong", &good()), NOW).is_ok());
    assert!(matches!(refusal(&verifier, &weak.sign_kid("weak", &good())), Refusal::NoKey { .. }));
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_log_has_the_reason_and_nothing_of_the_token() {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let token = own().sign(&with(json!({"exp": NOW_S - 100, "name": "Ada Lovelace"})));
    let config = config(true, STRICT);
    tracing::subscriber::with_default(log.finish(), || {
        assert!(Verifier::new(&config, None).verify(&token, NOW).is_err());
    });
    let log = String::from_utf8(buffer.0.lock().clone()).expect("UTF-8");
    assert!(log.contains("the claim exp is past"), "{log}");
    for part in token.split('.').chain([SECRET, "Ada Lovelace"]) {
        assert!(!log.contains(part), "{log}");
    }
    assert!(!format!("{config:?}").contains(SECRET));
}
