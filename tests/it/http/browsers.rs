use super::{Asker, server, setup};
use serde_json::json;

const APP: &str = "https://app.example";

#[tokio::test]
async fn pages_of_listed_origins_may_call_and_no_others() {
    let server = setup().variable("STOA_ALLOWED_ORIGIN", APP).start().await;
    let ada = Asker::user(&server, "ada");
    let preflight = |origin: &str| {
        let asker = Asker::nobody(&server).header("Origin", origin);
        asker
            .header("Access-Control-Request-Method", "PUT")
            .header("Access-Control-Request-Headers", "authorization,content-type,idempotency-key")
    };
    let answer = preflight(APP).send("OPTIONS", "/v1/rooms/r", vec![]).await.is(204);
    assert_eq!(answer.header("access-control-allow-origin"), APP);
    assert!(answer.header("access-control-allow-methods").contains("PUT"));
    for name in ["authorization", "content-type", "idempotency-key"] {
        assert!(answer.header("access-control-allow-headers").contains(name), "{name}");
    }
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    let body = json!({"kind": "group"});
    let answer = ada.header("Origin", APP).put("/v1/rooms/r", body.clone()).await.is(201);
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (APP, "Origin"));
    assert!(answer.header("access-control-expose-headers").contains("location"));
    let answer = ada.header("Origin", APP).get("/v1/rooms/none").await;
    assert_eq!(answer.header("access-control-allow-origin"), APP, "a page may read its refusals");

    for evil in ["https://evil.example", "null", "https://app.example.evil.example", "http://app.example"] {
        let answer = preflight(evil).send("OPTIONS", "/v1/rooms/r", vec![]).await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{evil}");
        answer.problem(403);
        let answer = ada.header("Origin", evil).put("/v1/rooms/evil", body.clone()).await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{evil}");
        answer.problem(403);
    }
    ada.get("/v1/rooms/evil").await.problem(404);
    let answer = Asker::nobody(&server).header("Origin", "https://evil.example").get("/v1/info").await.is(200);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn the_page_comes_with_a_strict_policy_at_every_depth() {
    let server = setup().variable("STOA_ALLOWED_ORIGIN", APP).start().await;
    let nobody = Asker::nobody(&server);
    for path in ["/", "/r/lobby", "/r/lobby/m/7"] {
        let answer = nobody.get(path).await.is(200);
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'self'", "script-src 'self'", "base-uri 'none'", "object-src 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(policy.ends_with("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert!(answer.header("content-type").starts_with("text/html"));
        assert!(!answer.text().contains("=\"./"), "{path}: its addresses are of the root");
        let answer = nobody.get(&format!("/embed{path}")).await.is(200);
        let policy = answer.header("content-security-policy");
        assert!(policy.ends_with(&format!("frame-ancestors 'self' {APP}")), "{policy}");
        nobody.send("POST", path, vec![]).await.problem(405);
    }
    assert!(nobody.send("HEAD", "/", vec![]).await.is(200).body.is_empty());
}

#[tokio::test]
async fn the_page_is_told_its_configuration_and_where_it_may_be_shown() {
    let server = setup()
        .variable("STOA_ALLOWED_ORIGIN", "https://other.example")
        .variable("STOA_FRAME_ANCESTOR", format!("{APP}, https://two.example:8443"))
        .variable("STOA_LOGIN_URL", "https://app.example/login?a=\"<b>&c")
        .variable("STOA_PUBLIC_URL", "https://live.example/stoa")
        .start()
        .await;
    let nobody = Asker::nobody(&server);
    for path in [
        "/",
        "/r/x",
        "/r/x/m/7",
        "/r/x/call",
        "/r/x/board",
        "/r/x/board/notes",
        "/join",
        "/invite",
        "/embed",
        "/embed/join",
    ] {
        let answer = nobody.get(&format!("/stoa{path}")).await.is(200);
        let policy = answer.header("content-security-policy").to_owned();
        let framed = path.starts_with("/embed");
        let ancestors = if framed { format!("'self' {APP} https://two.example:8443") } else { "'none'".into() };
        assert!(policy.ends_with(&format!("frame-ancestors {ancestors}")), "{path}: {policy}");
        assert!(policy.contains("connect-src 'self' wss://live.example;"), "{policy}");
        assert_eq!(answer.header("x-frame-options"), if framed { "" } else { "DENY" }, "{path}");
        let permissions = answer.header("permissions-policy");
        assert!(permissions.contains("camera=(self)") && permissions.contains("display-capture=(self)"));
        let html = answer.text();
        let told = html.split("<meta name=\"stoa-config\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
        let told = told.unwrap_or_else(|| panic!("{path}: {html}"));
        assert!(!told.contains(['<', '>']), "{told}");
        let told = told.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&told).expect("JSON"),
            json!({
                "dev": false, "base": "/stoa/", "public_url": "https://live.example/stoa",
                "login_url": "https://app.example/login?a=%22%3Cb%3E&c",
                "parent_origins": [APP, "https://two.example:8443"],
            })
        );
    }
    assert_eq!(nobody.get("/v1/info").await.header("x-frame-options"), "DENY");
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_the_page_is_asked_for_again() {
    let server = setup().variable("STOA_PUBLIC_URL", "https://app.example/live").start().await;
    let nobody = Asker::nobody(&server);
    let page = nobody.get("/live/").await.is(200).text();
    if page.contains("built without its page") {
        // The tests run without node too; `make test` builds the page before.
        assert!(page.contains("make run"), "{page}");
        return;
    }
    let script = page.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
    assert!(script.starts_with("/live/assets/"), "{script}");
    let answer = nobody.get(script).await.is(200);
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
    let client = nobody.header("Origin", "https://other.example").get("/client/v1.js").await.is(200);
    assert_eq!(client.header("access-control-allow-origin"), "*", "a module script of another site's page");
    let known = nobody.header("If-None-Match", client.header("etag"));
    assert!(known.get("/client/v1.js").await.is(304).body.is_empty());
    nobody.get("/live/assets/..%2f..%2fpackage.json").await.problem(404);
}

#[tokio::test]
async fn an_answer_of_the_api_is_never_kept_by_caches() {
    let server = server().await;
    let answer = Asker::nobody(&server).get("/v1/rooms").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.problem(401);
}
