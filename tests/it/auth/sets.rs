//! Published key sets: rotated, broken, unreachable.

use super::{Folder, NOW, TestKey, claims, config, provider::Provider};
use serde_json::{Value, json};
use std::sync::Arc;
use stoa::auth::{Auth, Refusal, Verifier};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

fn toml(source: &str) -> String {
    format!("jwks_refresh_seconds = 1\nissuer = 'https://id.example'\naudience = 'stoa'\n{source}")
}

fn of(provider: &Provider) -> Verifier {
    Verifier::new(&config(false, &toml(&format!("jwks_url = '{}'", provider.url()))), None)
}

fn good() -> Value {
    claims(json!({"iss": "https://id.example", "aud": "stoa"}))
}

fn no_key(verifier: &Verifier, token: &str) -> bool {
    matches!(verifier.examine(token, NOW), Err(Refusal::NoKey { .. }))
}

#[tokio::test]
async fn each_kind_of_key_is_taken_from_a_set() {
    let keys = TestKey::each();
    let published: Vec<Value> = keys.iter().map(|key| key.published(key.alg)).collect();
    let provider = Provider::serving(&published);
    let verifier = of(&provider);
    assert_eq!(verifier.missing_sets(), [provider.url()]);
    verifier.refresh().await;
    assert!(verifier.missing_sets().is_empty());
    for key in &keys {
        assert!(verifier.verify(&key.sign_kid(key.alg, &good()), NOW).is_ok(), "{}", key.alg);
        assert!(verifier.verify(&key.sign(&good()), NOW).is_ok(), "{} without kid", key.alg);
        assert!(no_key(&verifier, &key.sign_kid("another", &good())), "{}", key.alg);
    }
}

/// A look that is under way may still see the former set; the one after it does not.
async fn two_more(looks: &mut watch::Receiver<u64>) {
    looks.borrow_and_update();
    for _ in 0..2 {
        looks.changed().await.expect("the verifier lives");
    }
}

#[tokio::test]
async fn a_set_rotates_in_the_background() {
    let (old, new) = (TestKey::es256(), TestKey::rs256(0));
    let provider = Provider::serving(&[old.published("old")]);
    let auth =
        Auth::start(&config(false, &toml(&format!("jwks_url = '{}'", provider.url()))), None).await.expect("started");
    let verifier = auth.verifier;
    let stop = CancellationToken::new();
    let loops = tokio::spawn(Arc::clone(&verifier).keep_fresh(stop.clone()));
    let mut looks = verifier.looks();
    assert!(verifier.verify(&old.sign_kid("old", &good()), NOW).is_ok());
    assert!(no_key(&verifier, &new.sign_kid("new", &good())));

    provider.serve(&[old.published("old"), new.published("new")]);
    two_more(&mut looks).await;
    assert!(verifier.verify(&old.sign_kid("old", &good()), NOW).is_ok());
    assert!(verifier.verify(&new.sign_kid("new", &good()), NOW).is_ok());

    provider.serve(&[new.published("new")]);
    two_more(&mut looks).await;
    assert!(no_key(&verifier, &old.sign_kid("old", &good())));
    assert!(verifier.verify(&new.sign_kid("new", &good()), NOW).is_ok());
    stop.cancel();
    loops.await.expect("ended");
}

#[tokio::test]
async fn a_provider_that_comes_late_is_found() {
    let key = TestKey::es256();
    let provider = Provider::serving(&[]);
    provider.say("503 Service Unavailable", b"");
    let auth =
        Auth::start(&config(false, &toml(&format!("jwks_url = '{}'", provider.url()))), None).await.expect("started");
    assert_eq!(auth.verifier.missing_sets(), [provider.url()]);
    let stop = CancellationToken::new();
    let loops = tokio::spawn(Arc::clone(&auth.verifier).keep_fresh(stop.clone()));
    let mut looks = auth.verifier.looks();
    looks.changed().await.expect("the verifier lives");
    provider.serve(&[key.published("k")]);
    while !auth.verifier.missing_sets().is_empty() {
        looks.changed().await.expect("the verifier lives");
    }
    assert!(auth.verifier.verify(&key.sign_kid("k", &good()), NOW).is_ok());
    stop.cancel();
    loops.await.expect("ended");
}

#[tokio::test]
async fn a_broken_set_leaves_the_last_good_one() {
    let key = TestKey::es256();
    let provider = Provider::serving(&[key.published("k")]);
    let elsewhere = Provider::serving(&[TestKey::es256().published("evil")]);
    let verifier = of(&provider);
    verifier.refresh().await;
    let token = key.sign_kid("k", &good());
    let many: Vec<Value> = (0..33).map(|n| key.published(&n.to_string())).collect();
    let huge = json!({"keys": [key.published("huge")], "pad": "x".repeat(256 * 1024)}).to_string();
    for (status, body) in [
        ("500 Internal Server Error", b"".as_slice()),
        ("404 Not Found", b"{}".as_slice()),
        ("200 OK", b"not JSON".as_slice()),
        ("200 OK", b"{}".as_slice()),
        ("200 OK", b"{\"keys\":[]}".as_slice()),
        ("200 OK", b"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}".as_slice()),
        ("200 OK", json!({ "keys": many }).to_string().as_bytes()),
        ("200 OK", huge.as_bytes()),
    ] {
        provider.say(status, body);
        let before = provider.asked();
        verifier.refresh().await;
        assert_eq!(provider.asked(), before + 1);
        assert!(verifier.verify(&token, NOW).is_ok(), "{status} {:.40}", String::from_utf8_lossy(body));
        assert!(no_key(&verifier, &key.sign_kid("huge", &good())));
    }
    provider.redirect(&elsewhere.url());
    verifier.refresh().await;
    assert_eq!(elsewhere.asked(), 0, "a redirect is not followed");
    assert!(verifier.verify(&token, NOW).is_ok());
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_passed_over() {
    let good_key = TestKey::es256();
    let change = |kid: &str, name: &str, value: Value| {
        let mut jwk = good_key.published(kid);
        jwk[name] = value;
        jwk
    };
    let kids = ["enc", "ops", "alg", "crv", "x", "y", "kty", "kid"];
    let odd = [
        change("enc", "use", json!("enc")),
        change("ops", "key_ops", json!(["sign"])),
        change("alg", "alg", json!("ES384")),
        change("crv", "crv", json!("P-384")),
        change("x", "x", json!("AAAA")),
        change("y", "y", json!(URL_ZERO)),
        change("kty", "kty", json!("new")),
        change("kid", "kid", json!(7)),
        json!("no key"),
        good_key.published("good"),
    ];
    let provider = Provider::serving(&odd);
    let verifier = of(&provider);
    verifier.refresh().await;
    assert!(verifier.verify(&good_key.sign_kid("good", &good()), NOW).is_ok());
    for kid in kids {
        assert!(no_key(&verifier, &good_key.sign_kid(kid, &good())), "{kid}");
    }
}

/// 32 bytes that are no coordinate of the point.
const URL_ZERO: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn tokens_with_unknown_keys_ask_nobody() {
    let key = TestKey::es256();
    let provider = Provider::serving(&[key.published("k")]);
    let verifier = of(&provider);
    verifier.refresh().await;
    let asked = provider.asked();
    for n in 0..50 {
        assert!(no_key(&verifier, &key.sign_kid(&format!("new-{n}"), &good())));
    }
    verifier.refresh().await;
    assert_eq!(provider.asked(), asked + 1, "the look above is the only one");
}

#[tokio::test]
async fn a_set_in_a_file_is_read_again() {
    let folder = Folder::new();
    let (old, new) = (TestKey::eddsa(), TestKey::eddsa());
    let file = folder.file("keys.json", json!({"keys": [old.published("old")]}).to_string());
    let verifier = Verifier::new(&config(false, &toml(&format!("jwks_file = '{file}'"))), None);
    verifier.refresh().await;
    assert!(verifier.verify(&old.sign_kid("old", &good()), NOW).is_ok());
    folder.file("keys.json", json!({"keys": [new.published("new")]}).to_string());
    verifier.refresh().await;
    assert!(no_key(&verifier, &old.sign_kid("old", &good())));
    assert!(verifier.verify(&new.sign_kid("new", &good()), NOW).is_ok());
    std::fs::remove_file(&file).expect("removed");
    verifier.refresh().await;
    assert!(verifier.verify(&new.sign_kid("new", &good()), NOW).is_ok());
}
