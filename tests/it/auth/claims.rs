//! From claims to an identity: rooms, windows, realms, profiles.

use super::{Folder, NOW, NOW_S, SECRET, TestKey, claims, config, verifier};
use serde_json::{Value, json};
use stoa::{
    auth::{Auth, Minter, Refusal, Ticket, Verifier},
    config::{Config, Layers},
    identity::{Direct, Identity},
};
use stoa_protocol::{Capability, ErrorCode, Role, RoomId, UserId};
use stoa_rooms::Grant;

fn examine(toml: &str, more: Value) -> Result<Identity, Refusal> {
    verifier(true, toml).examine(&TestKey::hs256(SECRET.as_bytes()).sign(&claims(more)), NOW)
}

fn identity(toml: &str, more: Value) -> Identity {
    examine(toml, more).expect("legal")
}

fn room(id: &str) -> RoomId {
    RoomId::new(id).expect("legal")
}

#[test]
fn a_native_token_names_rooms_roles_and_windows() {
    let grants = identity(
        "",
        json!({"stoa": {
            "rooms": {
                "class": {"role": "viewer", "from": NOW_S - 60, "until": NOW_S + 60},
                "office": {"role": "host", "unknown": 1},
                "quiet": {"role": "member", "capabilities": ["react"]},
                "short": "host",
                "usual": {},
            },
            "create": true,
            "direct": ["bob", "school:eve"],
            "unknown": {},
        }}),
    )
    .grants;
    let rooms = grants.rooms.expect("names rooms");
    assert_eq!(rooms.len(), 5);
    let window = Grant { from: Some(NOW - 60_000), until: Some(NOW + 60_000), ..Grant::of(Role::Viewer) };
    assert_eq!(rooms[&room("class")], window);
    assert!(window.is_open(NOW) && !window.is_open(NOW + 60_000) && !window.is_open(NOW - 60_001));
    assert_eq!(rooms[&room("office")], Grant::of(Role::Host));
    assert_eq!(rooms[&room("short")], Grant::of(Role::Host));
    assert_eq!(rooms[&room("usual")], Grant::of(Role::Member));
    assert_eq!(rooms[&room("quiet")].capabilities, Some(vec![Capability::React]));
    let users = ["bob", "school:eve"].map(|id| UserId::new(id).expect("legal"));
    assert_eq!(grants.direct, Direct::Some(users.to_vec()));
    assert!(grants.create && !grants.service && !grants.join);
}

#[test]
fn a_token_that_says_nothing_has_the_configured_rights() {
    let plain = identity("", json!({})).grants;
    assert_eq!((plain.rooms, plain.create, plain.direct, plain.join), (None, false, Direct::Nobody, false));
    let open = "[rights]\ncreate = true\ndirect = 'anybody'\njoin = true";
    let plain = identity(open, json!({"stoa": {}})).grants;
    assert_eq!((plain.rooms, plain.create, plain.direct, plain.join), (None, true, Direct::Anybody, true));
    let less = identity(open, json!({"stoa": {"create": false, "direct": false, "join": false}})).grants;
    assert_eq!((less.create, less.direct, less.join), (false, Direct::Nobody, false));
}

#[test]
fn a_list_of_no_rooms_opens_none() {
    assert_eq!(identity("", json!({"stoa": {"rooms": {}}})).grants.rooms.map(|rooms| rooms.len()), Some(0));
    assert_eq!(identity("", json!({"stoa": {"rooms": null}})).grants.rooms, None);
}

#[test]
fn a_service_may_everything() {
    let grants = identity("", json!({"stoa": {"service": true}})).grants;
    assert!(grants.service && grants.create && grants.join && grants.direct == Direct::Anybody);
}

#[test]
fn grants_that_cannot_be_read_are_refused_whole() {
    for wrong in [
        json!({"stoa": []}),
        json!({"stoa": "host"}),
        json!({"stoa": {"rooms": "class"}}),
        json!({"stoa": {"rooms": {"a/b": "host"}}}),
        json!({"stoa": {"rooms": {"": "host"}}}),
        json!({"stoa": {"rooms": {"r": "admin"}}}),
        json!({"stoa": {"rooms": {"r": {"role": "Host"}}}}),
        json!({"stoa": {"rooms": {"r": {"role": 1}}}}),
        json!({"stoa": {"rooms": {"r": {"capabilities": ["fly"]}}}}),
        json!({"stoa": {"rooms": {"r": {"capabilities": "send"}}}}),
        json!({"stoa": {"rooms": {"r": {"until": (NOW_S + 60).to_string()}}}}),
        json!({"stoa": {"rooms": {"r": {"from": -1}}}}),
        json!({"stoa": {"rooms": {"r": {"until": NOW}}}}),
        json!({"stoa": {"rooms": {"r": null}}}),
        json!({"stoa": {"rooms": ["a", 1]}}),
        json!({"stoa": {"create": "yes"}}),
        json!({"stoa": {"service": 1}}),
        json!({"stoa": {"service": "true"}}),
        json!({"stoa": {"direct": "anybody"}}),
        json!({"stoa": {"direct": ["a b"]}}),
    ] {
        match examine("", wrong.clone()) {
            Err(Refusal::Claim { claim, .. }) => assert!(claim.starts_with("/stoa"), "{claim} for {wrong}"),
            other => panic!("{other:?} for {wrong}"),
        }
    }
}

#[test]
fn a_profile_is_what_can_be_shown() {
    let profile = |more: Value| identity("", more).profile;
    let full = profile(json!({"name": " Ada\nLovelace ", "picture": "https://img.example/a.png"})).expect("named");
    assert_eq!((full.name.as_str(), full.avatar.as_deref()), ("Ada Lovelace", Some("https://img.example/a.png")));
    for nobody in [json!({}), json!({"name": ""}), json!({"name": " \u{7}"}), json!({"name": 7})] {
        assert_eq!(profile(nobody), None);
    }
    for bad in ["javascript:alert(1)", "http://img.example/a.png", "data:image/png;base64,AA", "//x", "a.png", ""] {
        assert_eq!(profile(json!({"name": "Ada", "picture": bad})).expect("named").avatar, None, "{bad}");
    }
    let long = profile(json!({"name": "é".repeat(300)})).expect("named");
    assert_eq!(long.name, "é".repeat(128));
}

#[test]
fn a_subject_of_the_default_realm_never_looks_like_another_realms() {
    for good in ["ada", "auth0|5f7c", "google-oauth2|1", "Ada:x", "a_b:x", ":x", "a.b:c", "é:x", "a|b:c"] {
        assert_eq!(identity("", json!({"sub": good})).user.as_str(), good);
    }
    let longest = format!("{}:x", "a".repeat(33));
    assert_eq!(identity("", json!({"sub": longest})).user.as_str(), longest);
    let realm = format!("{}:x", "a".repeat(32));
    for bad in ["school:ada", "school:", "twitter:1", "a:b:c", "0-9:x", realm.as_str()] {
        assert!(
            matches!(examine("", json!({"sub": bad})), Err(Refusal::Claim { claim, .. }) if claim == "/sub"),
            "{bad}"
        );
    }
}

#[test]
fn issuers_of_one_realm_share_its_users_and_realms_are_apart() {
    let folder = Folder::new();
    let keys = [TestKey::es256(), TestKey::es256(), TestKey::es256()];
    let [old, new, other] = [0, 1, 2].map(|n| folder.file(&format!("{n}.pem"), &keys[n].public));
    let verifier = verifier(
        false,
        &format!(
            "
            [[issuers]]
            issuer = 'https://old.example'
            realm = 'school'
            key_file = '{old}'
            [[issuers]]
            issuer = 'https://new.example'
            realm = 'school'
            key_file = '{new}'
            [[issuers]]
            issuer = 'https://other.example'
            key_file = '{other}'
            "
        ),
    );
    let user = |key: usize, iss: &str, sub: &str| {
        let token = keys[key].sign(&claims(json!({"iss": iss, "sub": sub})));
        verifier.examine(&token, NOW).map(|identity| identity.user.to_string())
    };
    assert_eq!(user(0, "https://old.example", "ada"), Ok("school:ada".into()));
    assert_eq!(user(1, "https://new.example", "ada"), Ok("school:ada".into()));
    assert_eq!(user(2, "https://other.example", "ada"), Ok("ada".into()));
    // Inside a realm a colon is the subject's own.
    assert_eq!(user(0, "https://old.example", "lab:ada"), Ok("school:lab:ada".into()));
    // Nobody speaks for another issuer, nor, by a subject, for another realm.
    assert_eq!(user(0, "https://new.example", "ada"), Err(Refusal::Signature));
    assert_eq!(user(2, "https://old.example", "ada"), Err(Refusal::Signature));
    assert!(matches!(user(2, "https://other.example", "school:ada"), Err(Refusal::Claim { .. })));
    // The whole id has the limit, not the subject alone.
    assert!(user(0, "https://old.example", &"x".repeat(248)).is_ok());
    assert!(matches!(user(0, "https://old.example", &"x".repeat(249)), Err(Refusal::Claim { .. })));
    assert!(matches!(user(0, "https://old.example", ""), Err(Refusal::Claim { .. })));
}

#[test]
fn a_token_of_our_own_says_what_it_was_told() {
    let toml = "
        issuer = 'https://id.example'
        audience = ['stoa', 'other']
        [claims]
        user = '/identity/id'
        name = ['/profile/full', 'name']
        grants = 'https://stoa.example/grants'
        rooms = '/app/rooms'
        audience = 'client_id'
        [claims.require]
        token_use = ['access', 'id']
        '/a/b' = 'c'
    ";
    let config = config(true, toml);
    let minter = Minter::new(&config.issuers[0]).expect("a secret");
    let grant = Grant { from: Some(NOW), until: Some(NOW + 1000), ..Grant::of(Role::Host) };
    let ticket = Ticket {
        name: Some("Ada".into()),
        rooms: Some(vec![(room("r"), grant.clone())]),
        create: Some(true),
        direct: Some(true),
        join: Some(true),
        expires_in_s: 60,
        ..Ticket::of("ada")
    };
    let verifier = Verifier::new(&config, None);
    let identity = verifier.examine(&minter.mint(&ticket, NOW), NOW).expect("legal");
    assert_eq!(identity.user.as_str(), "ada");
    assert_eq!(identity.profile.expect("named").name, "Ada");
    assert_eq!(identity.grants.rooms.expect("rooms")[&room("r")], grant);
    assert!(identity.grants.create && identity.grants.join && identity.grants.direct == Direct::Anybody);
    assert_eq!((identity.issued_at, identity.expires_at), (NOW, NOW + 70_000));
    let service = minter.mint(&Ticket { service: true, ..Ticket::of("app") }, NOW);
    assert!(verifier.examine(&service, NOW).expect("legal").grants.service);
}

#[tokio::test]
async fn with_dev_a_name_logs_in_also_after_a_restart() {
    let folder = Folder::new();
    let start = || async {
        let dir = folder.path().join("data").display().to_string();
        let config = Config::read(Layers::new().flag("dev", true).flag("data_dir", dir)).expect("legal");
        Auth::start(&config, None).await.expect("started")
    };
    let auth = start().await;
    let (user, token) = auth.login.expect("dev").login("  Ada:  Lovelace ", NOW).expect("a name");
    assert_eq!(user.as_str(), "ada--lovelace");
    let identity = auth.verifier.verify(&token, NOW).expect("legal");
    assert_eq!(identity.user, user);
    assert_eq!(identity.profile.expect("named").name, "Ada:  Lovelace");
    assert!(identity.grants.create && identity.grants.join && identity.grants.direct == Direct::Anybody);

    let restarted = start().await;
    assert!(restarted.verifier.verify(&token, NOW).is_ok());
    let login = restarted.login.expect("dev");
    for bad in ["", "  ", "\u{7}", "\u{202e}ada"] {
        let fault = login.login(bad, NOW).expect_err(bad);
        assert_eq!((fault.code, fault.field.as_deref()), (ErrorCode::BadRequest, Some("name")));
    }
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(folder.path().join("data/dev-secret")).expect("kept").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
