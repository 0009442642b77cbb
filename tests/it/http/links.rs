//! Invites and join links over HTTP, on both databases: their codes, their races, their refusals.

use super::{Answer, Asker};
use crate::harness::{Backend, Server, Setup, Token};
use serde_json::{Value, json};
use stoa_protocol::http::{InviteAccepted, InviteMade, InvitePreview, LinkExchanged, LinkMade, LinkPreview, LinkState};

fn setup(backend: Backend) -> Setup {
    Setup::new(backend)
        .without_rates()
        .variable("STOA_LIMITS_HTTP_PER_S", 1_000_000)
        .variable("STOA_PUBLIC_URL", "https://live.example")
}

async fn room(server: &Server) -> Asker {
    let ada = Asker::user(server, "ada");
    ada.put("/v1/rooms/r", json!({"kind": "group", "title": "Maths"})).await.is(201);
    ada
}

async fn links_and_invites(backend: Backend) {
    let mut server = setup(backend).start().await;
    let ada = room(&server).await;
    let service = Asker::service(&server);
    let invited: InviteMade = ada.post("/v1/rooms/r/invites", json!({"expires_in_s": 60})).await.json(201);
    assert_eq!(invited.url, format!("https://live.example/invite#{}", invited.code));
    assert!(invited.code.len() >= 22, "128 bits");
    let ben = Asker::user(&server, "ben");
    let code = json!({"code": invited.code});
    let look: InvitePreview = ben.post("/v1/invites/preview", code.clone()).await.json(200);
    assert_eq!((look.state, look.title.as_deref(), look.member), (LinkState::Open, Some("Maths"), false));
    let accepted: InviteAccepted = ben.post("/v1/invites/accept", code.clone()).await.json(200);
    assert_eq!((accepted.room.as_str(), accepted.url.as_str()), ("r", "https://live.example/r/r"));
    ben.post("/v1/rooms/r/messages", json!({"text": "I am in"})).await.is(201);

    let made: LinkMade = service.post("/v1/rooms/r/links", json!({"role": "viewer", "uses": 1})).await.json(201);
    assert_eq!(made.url, format!("https://live.example/join#{}", made.code));
    let nobody = Asker::nobody(&server);
    let look: LinkPreview = nobody.post("/v1/links/preview", json!({"code": made.code})).await.json(200);
    assert_eq!((look.state, look.title.as_deref(), look.name), (LinkState::Open, Some("Maths"), None));
    let exchange = json!({"code": made.code, "name": " Gil\u{202e} "});
    let gil: LinkExchanged = nobody.post("/v1/links/exchange", exchange.clone()).await.json(200);
    assert_eq!((gil.room.as_str(), gil.name.as_str()), ("r", "Gil"));
    assert_eq!(nobody.post("/v1/links/exchange", exchange).await.blames(409), "code", "used up");
    nobody.post("/v1/links/exchange", json!({"code": made.code, "guest": gil.guest})).await.is(200);
    let as_gil = Asker { token: Some(gil.token.clone()), ..nobody.clone() };
    let view: Value = as_gil.get("/v1/rooms/r").await.json(200);
    assert_eq!((&view["access"]["role"], &view["info"]["url"]), (&json!("viewer"), &json!("https://live.example/r/r")));
    as_gil.post("/v1/rooms/r/messages", json!({"text": "x"})).await.problem(403);
    // The key of a code is the code of the other kind of link to nobody.
    nobody.post("/v1/links/exchange", json!({"code": invited.code, "name": "x"})).await.problem(404);
    ben.post("/v1/invites/accept", json!({"code": made.code})).await.problem(404);

    server.kill().await;
    server.restart().await;
    let nobody = Asker::nobody(&server);
    let as_gil = Asker { token: Some(gil.token.clone()), ..nobody.clone() };
    as_gil.get("/v1/rooms/r").await.is(200);
    nobody.post("/v1/links/exchange", json!({"code": made.code, "guest": gil.guest})).await.is(200);
    let ada = Asker::user(&server, "ada");
    let list = ada.get("/v1/rooms/r/invites").await.is(200).text() + &ada.get("/v1/rooms/r/links").await.is(200).text();
    for secret in [&invited.code, &made.code, &gil.guest, &gil.token] {
        assert!(!list.contains(secret.as_str()), "codes are told once");
        assert!(!server.log().contains(secret.as_str()), "nor do they reach the log");
    }
    ada.delete(&format!("/v1/rooms/r/links/{}", made.link.id)).await.is(204);
    as_gil.get("/v1/rooms/r").await.problem(401);
    ada.delete(&format!("/v1/rooms/r/invites/{}", invited.invite.id)).await.is(204);
    let cem = Asker::user(&server, "cem");
    let look: InvitePreview = cem.post("/v1/invites/preview", code.clone()).await.json(200);
    assert_eq!((look.state, look.title, look.room), (LinkState::Revoked, None, None), "the state and no more");
    cem.post("/v1/invites/accept", code).await.problem(409);
    ada.delete(&format!("/v1/rooms/r/invites/{}", made.link.id)).await.problem(404);
}

#[tokio::test]
async fn a_code_lets_in_whom_it_says_until_it_is_revoked_on_sqlite() {
    links_and_invites(Backend::Sqlite).await;
}

#[tokio::test]
async fn a_code_lets_in_whom_it_says_until_it_is_revoked_on_postgres() {
    links_and_invites(Backend::Postgres).await;
}

async fn races(backend: Backend) {
    let server = setup(backend).start().await;
    let ada = room(&server).await;
    let invited: InviteMade = ada.post("/v1/rooms/r/invites", json!({"uses": 3})).await.json(201);
    let made: LinkMade = ada.post("/v1/rooms/r/links", json!({"uses": 3, "name": "Guest"})).await.json(201);
    let asking = (0..12).map(|n| {
        let (server, invite, link) = (&server, json!({"code": invited.code}), json!({"code": made.code}));
        async move {
            let someone = Asker::with(server, &Token::of(&format!("user-{n}")));
            let accepted = someone.post("/v1/invites/accept", invite).await.status;
            (accepted, Asker::nobody(server).post("/v1/links/exchange", link).await.status)
        }
    });
    let statuses = futures_util::future::join_all(asking).await;
    for place in [0, 1] {
        let of = |status: u16| statuses.iter().filter(|both| [both.0, both.1][place] == status).count();
        assert_eq!((of(200), of(409)), (3, 9), "{statuses:?}");
    }
    let members: Value = ada.get("/v1/rooms/r/members").await.json(200);
    assert_eq!(members["count"], 4, "Ada and three more; guests have not entered");
}

#[tokio::test]
async fn the_last_use_is_taken_once_on_sqlite() {
    races(Backend::Sqlite).await;
}

#[tokio::test]
async fn the_last_use_is_taken_once_on_postgres() {
    races(Backend::Postgres).await;
}

#[tokio::test]
async fn who_guesses_codes_is_slowed_down_and_learns_nothing() {
    let server = setup(Backend::Sqlite).start().await;
    let ada = room(&server).await;
    let made: LinkMade = ada.post("/v1/rooms/r/links", json!({})).await.json(201);
    let nobody = Asker::nobody(&server);
    let look = |code: String| {
        let nobody = nobody.clone();
        async move { nobody.post("/v1/links/preview", json!({"code": code})).await }
    };
    let first = look("wrong".into()).await.problem(404);
    let mut other = made.code.clone();
    other.pop();
    assert_eq!(look(other).await.problem(404), first, "near is as wrong as far");
    look("x".repeat(129)).await.problem(400);
    let mut limited: Option<Answer> = None;
    for n in 0..2_000 {
        let answer = look(format!("guess-{n}")).await;
        if answer.status == 429 {
            limited = Some(answer);
            break;
        }
    }
    let problem = limited.expect("guessing does not go on for ever").problem(429);
    assert!(problem.retry_after_ms.is_some());
    assert_eq!(look(made.code).await.status, 200, "who has a code is not held up by who guesses");
}

#[tokio::test]
async fn a_link_is_made_within_bounds_by_those_who_may() {
    let server = setup(Backend::Sqlite).start().await;
    let ada = room(&server).await;
    ada.put("/v1/rooms/r/members/ben", json!({})).await.is(200);
    let ben = Asker::user(&server, "ben");
    for path in ["/v1/rooms/r/invites", "/v1/rooms/r/links"] {
        ben.post(path, json!({})).await.problem(403);
        ben.get(path).await.problem(403);
        for (body, field) in [
            (json!({"uses": 0}), "uses"),
            (json!({"uses": 10_001}), "uses"),
            (json!({"expires_in_s": 0}), "expires_in_s"),
            (json!({"expires_in_s": u64::from(u32::MAX)}), "expires_in_s"),
            (json!({"role": "king"}), "role"),
        ] {
            assert_eq!(ada.post(path, body).await.blames(400), field);
        }
    }
    for (body, field) in [
        (json!({"expires_at": 1}), "expires_at"),
        (json!({"expires_at": 9_007_199_254_740_991u64}), "expires_at"),
        (json!({"expires_at": 9_007_199_254_740_991u64, "expires_in_s": 9}), "expires_in_s"),
        (json!({"not_before": 9_007_199_254_740_991u64}), "not_before"),
        (json!({"name": "\u{200b}"}), "name"),
    ] {
        assert_eq!(ada.post("/v1/rooms/r/links", body).await.blames(400), field);
    }
    let view: Value = ben.get("/v1/rooms/r").await.json(200);
    let mut capabilities = view["access"]["capabilities"].as_array().expect("a member's").clone();
    capabilities.push(json!("invite"));
    let inviter = json!({"role": "member", "capabilities": capabilities});
    ada.put("/v1/rooms/r/members/ben", inviter).await.is(200);
    ben.post("/v1/rooms/r/invites", json!({"role": "host"})).await.problem(403);
    ben.post("/v1/rooms/r/invites", json!({"role": "member"})).await.is(201);
    let direct: Value = ada.post("/v1/direct", json!({"user": "ben"})).await.json(200);
    let direct = direct["info"]["room"].as_str().expect("a room").to_owned();
    Asker::service(&server).post(&format!("/v1/rooms/{direct}/links"), json!({})).await.problem(409);
    for _ in 0..3 {
        ada.post("/v1/rooms/r/links", json!({})).await.is(201);
    }
    let page: Value = ada.get("/v1/rooms/r/links?limit=2").await.json(200);
    let next = page["next"].as_str().expect("there is more");
    let rest: Value = ada.get(&format!("/v1/rooms/r/links?limit=2&after={next}")).await.json(200);
    assert_eq!((page["links"].as_array().map(Vec::len), rest["links"].as_array().map(Vec::len)), (Some(2), Some(1)));
    assert_eq!(rest.get("next"), None);
}
