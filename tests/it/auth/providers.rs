//! Tokens of the kinds that identity providers make, read by the mappings that `docs/tokens.md` shows.

use super::{Folder, NOW, NOW_S, TestKey, verifier};
use serde_json::{Value, json};
use stoa::{
    auth::{Refusal, Verifier},
    identity::Direct,
};
use stoa_protocol::{Role, RoomId};

/// The mapping of this title in the documentation, so that what it shows is what is tested.
fn documented(title: &str) -> String {
    let docs = include_str!("../../../docs/tokens.md");
    let section = docs.split_once(&format!("### {title}\n")).expect(title).1;
    let section = section.split("\n### ").next().expect("split gives one at least");
    let toml = section.split_once("```toml\n").expect("a mapping").1;
    toml.split_once("```").expect("its end").0.to_owned()
}

/// A verifier of a documented mapping, with a key in the place of the published ones.
async fn mapped(title: &str, key: &TestKey, folder: &Folder) -> Verifier {
    let set = folder.file("keys.json", json!({"keys": [key.published("k")]}).to_string());
    let toml: String = documented(title)
        .lines()
        .map(|line| if line.starts_with("jwks_url") { format!("jwks_file = '{set}'\n") } else { format!("{line}\n") })
        .collect();
    let verifier = verifier(false, &toml);
    verifier.refresh().await;
    assert!(verifier.missing_sets().is_empty());
    verifier
}

fn changed(claims: &Value, pointer: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    *claims.pointer_mut(pointer).expect(pointer) = value;
    claims
}

fn refused(verifier: &Verifier, key: &TestKey, claims: &Value) -> String {
    match verifier.examine(&key.sign_kid("k", claims), NOW) {
        Err(Refusal::Claim { claim, .. }) => claim,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_supabase_token_is_read() {
    let (folder, key) = (Folder::new(), TestKey::es256());
    let verifier = mapped("Supabase", &key, &folder).await;
    let claims = json!({
        "iss": "https://abcdefghij.supabase.co/auth/v1",
        "sub": "7c1a2f1e-9c39-4f43-9b70-6a0ad0c37d10",
        "aud": "authenticated",
        "exp": NOW_S + 3600,
        "iat": NOW_S,
        "email": "ada@example.com",
        "phone": "",
        "app_metadata": {"provider": "google", "providers": ["google"], "stoa": {
            "create": true,
            "rooms": {"cohort-7": "host"},
        }},
        "user_metadata": {
            "full_name": "Ada Lovelace",
            "avatar_url": "https://lh3.example/a.png",
            "stoa": {"service": true},
        },
        "role": "authenticated",
        "aal": "aal1",
        "session_id": "4a7e4a4e-7fb2-4f0f-9cf1-ce4b0c9f1d5b",
        "is_anonymous": false,
    });
    let identity = verifier.examine(&key.sign_kid("k", &claims), NOW).expect("legal");
    assert_eq!(identity.user.as_str(), "7c1a2f1e-9c39-4f43-9b70-6a0ad0c37d10");
    let profile = identity.profile.expect("named");
    assert_eq!((profile.name.as_str(), profile.avatar.as_deref()), ("Ada Lovelace", Some("https://lh3.example/a.png")));
    assert!(identity.grants.create && !identity.grants.service);
    assert_eq!(identity.grants.rooms.expect("rooms")[&RoomId::new("cohort-7").expect("legal")].role, Role::Host);

    assert_eq!(refused(&verifier, &key, &changed(&claims, "/role", json!("anon"))), "/role");
    assert_eq!(refused(&verifier, &key, &changed(&claims, "/is_anonymous", json!(true))), "/is_anonymous");
    assert_eq!(refused(&verifier, &key, &changed(&claims, "/aud", json!("another"))), "/aud");
}

#[tokio::test]
async fn a_cognito_access_token_is_read() {
    let (folder, key) = (Folder::new(), TestKey::rs256(0));
    let verifier = mapped("Amazon Cognito", &key, &folder).await;
    let claims = json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "cognito:groups": ["students", "mentors"],
        "iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example",
        "version": 2,
        "client_id": "1example23456789",
        "origin_jti": "a",
        "event_id": "b",
        "token_use": "access",
        "scope": "openid profile",
        "auth_time": NOW_S,
        "exp": NOW_S + 3600,
        "iat": NOW_S,
        "jti": "c",
        "username": "ada",
    });
    let identity = verifier.examine(&key.sign_kid("k", &claims), NOW).expect("legal");
    assert_eq!(identity.user.as_str(), "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
    assert_eq!(identity.profile.expect("named").name, "ada");
    assert!(identity.grants.create && !identity.grants.service);
    assert_eq!(identity.grants.direct, Direct::Anybody);

    let service = changed(&claims, "/cognito:groups", json!(["stoa-service"]));
    assert!(verifier.examine(&key.sign_kid("k", &service), NOW).expect("legal").grants.service);
    let student = changed(&claims, "/cognito:groups", json!(["students"]));
    let grants = verifier.examine(&key.sign_kid("k", &student), NOW).expect("legal").grants;
    assert!(!grants.create && !grants.service && grants.direct == Direct::Nobody);
    // An ID token is for the client alone; another client's token is for that one.
    assert_eq!(refused(&verifier, &key, &changed(&claims, "/token_use", json!("id"))), "/token_use");
    assert_eq!(refused(&verifier, &key, &changed(&claims, "/client_id", json!("another"))), "/client_id");
}

#[tokio::test]
async fn an_auth0_token_is_read() {
    let (folder, key) = (Folder::new(), TestKey::rs256(1));
    let verifier = mapped("Auth0", &key, &folder).await;
    let claims = json!({
        "https://stoa.example/grants": {"create": true, "direct": ["auth0|bob"]},
        "https://stoa.example/rooms": ["cohort-7", "cohort-8"],
        "https://stoa.example/roles": ["mentor"],
        "https://stoa.example/name": "Ada Lovelace",
        "https://stoa.example/picture": "https://s.gravatar.example/a.png",
        "iss": "https://school.eu.auth0.com/",
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "aud": ["https://stoa.example", "https://school.eu.auth0.com/userinfo"],
        "iat": NOW_S,
        "exp": NOW_S + 86400,
        "azp": "my_client_id",
        "scope": "openid profile",
    });
    let identity = verifier.examine(&key.sign_kid("k", &claims), NOW).expect("legal");
    assert_eq!(identity.user.as_str(), "auth0|5f7c8ec7c33c6c004bbafe82");
    assert_eq!(identity.profile.expect("named").name, "Ada Lovelace");
    let rooms = identity.grants.rooms.expect("rooms");
    assert_eq!(rooms.keys().map(RoomId::as_str).collect::<Vec<_>>(), ["cohort-7", "cohort-8"]);
    assert!(rooms.values().all(|grant| grant.role == Role::Host));
    assert!(matches!(identity.grants.direct, Direct::Some(users) if users[0].as_str() == "auth0|bob"));

    let student = changed(&claims, "/https:~1~1stoa.example~1roles", json!(["student"]));
    let grants = verifier.examine(&key.sign_kid("k", &student), NOW).expect("legal").grants;
    assert!(grants.rooms.expect("rooms").values().all(|grant| grant.role == Role::Member));
    assert_eq!(
        refused(&verifier, &key, &changed(&claims, "/aud", json!("https://school.eu.auth0.com/userinfo"))),
        "/aud"
    );
}
