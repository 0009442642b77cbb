//! What a socket may be sent before it is a WebSocket, and what it gets back.

use crate::raw::{Edge, Got, HANDSHAKE, Happened, Log, Raw, Setup, frame, handshake_with, request, soon};
use std::sync::{Arc, atomic::Ordering};
use stoa::gateway::{Limits, tls};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, ServerConfig, pki_types::ServerName},
};

#[tokio::test]
async fn a_good_handshake_is_answered_as_the_rfc_says() {
    let mut edge = Edge::start().await;
    let mut raw = Raw::connect(edge.address).await;
    let answer = raw
        .ask(&handshake_with(&[
            ("Connection", &["keep-alive, Upgrade"]),
            ("Sec-WebSocket-Protocol", &["chat, stoa.v1"]),
            ("Sec-WebSocket-Extensions", &["permessage-deflate; client_max_window_bits"]),
            ("Origin", &["https://page.example"]),
        ]))
        .await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(answer.header("sec-websocket-protocol"), Some("stoa.v1"));
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("sec-websocket-extensions"), None, "compression is not agreed on");
    assert_eq!(answer.header("server"), None, "nobody is told which server this is");
    let (peer, _) = edge.accepted().await;
    assert_eq!(peer.address.to_string(), "127.0.0.1");
    assert!(!peer.secure);
    edge.stop().await;
}

#[tokio::test]
async fn what_is_sent_right_behind_the_handshake_is_read_first() {
    let mut edge = Edge::start().await;
    let mut raw = Raw::connect(edge.address).await;
    let mut bytes = handshake_with(&[]);
    bytes.extend(frame(0x81, b"hello"));
    let echo = frame(0x81, b"echo:second");
    bytes.extend(&echo[..7]);
    let answer = raw.ask(&bytes).await;
    assert_eq!(answer.status, 101);
    assert_eq!(raw.next_text().await, "welcome");
    raw.send(&echo[7..]).await;
    assert_eq!(raw.next_text().await, "second");
    edge.accepted().await;
    edge.stop().await;
}

#[tokio::test]
async fn a_header_that_does_not_end_closes_the_socket_after_5_seconds() {
    let mut edge = Edge::start().await;
    let mut raw = Raw::connect(edge.address).await;
    // One byte each ten seconds of the server's time, and the socket is gone before the second.
    raw.send(b"G").await;
    let (answer, passed_ms) = edge.pass_until(1_000, raw.answer()).await;
    assert!(answer.is_none(), "closed without a word");
    assert!((5_000..10_000).contains(&passed_ms), "after {passed_ms} ms");
    // The same for a socket that says nothing at all.
    let mut silent = Raw::connect(edge.address).await;
    let (answer, passed_ms) = edge.pass_until(1_000, silent.answer()).await;
    assert!(answer.is_none());
    assert!((5_000..10_000).contains(&passed_ms), "after {passed_ms} ms");
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn a_header_of_64_kib_gets_431() {
    let mut edge = Edge::start().await;
    let mut raw = Raw::connect(edge.address).await;
    let big = "x".repeat(64 * 1024);
    let answer = raw.ask(&handshake_with(&[("Cookie", &[&big])])).await;
    assert_eq!(answer.status, 431);
    assert_eq!(answer.header("server"), None);
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn ten_thousand_headers_get_431_and_a_hundred_and_one_too() {
    let mut edge = Edge::start().await;
    for (count, value) in [(10_000, "y"), (101, "")] {
        let mut raw = Raw::connect(edge.address).await;
        let mut headers = vec![("a", value); count];
        headers.extend(HANDSHAKE);
        let answer = raw.ask(&request("GET /v1/ws HTTP/1.1", &headers)).await;
        assert_eq!(answer.status, 431, "{count} headers");
    }
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn a_wrong_key_gets_400() {
    let mut edge = Edge::start().await;
    let wrong: &[&[&str]] = &[
        &[],
        &[""],
        &["dGhlIHNhbXBsZSBub25jZQ"],
        &["dGhlIHNhbXBsZSBub25j"],
        &["dGhlIHNhbXBsZSBub25jZTEy"],
        &["not base64 at all!!!!==="],
        &["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="],
    ];
    for values in wrong {
        let mut raw = Raw::connect(edge.address).await;
        let answer = raw.ask(&handshake_with(&[("Sec-WebSocket-Key", values)])).await;
        assert_eq!(answer.status, 400, "{values:?}");
        assert!(answer.body.contains("Sec-WebSocket-Key"), "{}", answer.body);
    }
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn another_version_gets_426_and_is_told_the_right_one() {
    let mut edge = Edge::start().await;
    for values in [&["12"][..], &["8"], &[], &["13", "12"], &["013"]] {
        let mut raw = Raw::connect(edge.address).await;
        let answer = raw.ask(&handshake_with(&[("Sec-WebSocket-Version", values)])).await;
        assert_eq!(answer.status, 426, "{values:?}");
        assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    }
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn the_subprotocol_must_be_offered_in_ascii() {
    let mut edge = Edge::start().await;
    for values in [&["stöa.v1"][..], &["stoa.v1", "ü"], &[], &["stoa.v2"], &["stoa.v11, xstoa.v1"], &["STOA.V1"]] {
        let mut raw = Raw::connect(edge.address).await;
        let answer = raw.ask(&handshake_with(&[("Sec-WebSocket-Protocol", values)])).await;
        assert_eq!(answer.status, 400, "{values:?}");
        assert!(answer.body.contains("Sec-WebSocket-Protocol"), "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn only_listed_origins_and_native_clients_are_let_in() {
    let mut edge = Edge::start().await;
    let refused: &[&[&str]] = &[
        &["https://evil.example"],
        &["null"],
        &[""],
        &["https://page.example.evil.org"],
        &["https://evilpage.example"],
        &["https://evil-page.example"],
        &["https://evil.org/https://page.example"],
        &["https://page.example@evil.org"],
        &["http://page.example"],
        &["https://page.example:8443"],
        &["https://page.example, https://evil.example"],
        &["https://page.example", "https://evil.example"],
        &["https://pagé.example"],
    ];
    for values in refused {
        let mut raw = Raw::connect(edge.address).await;
        let answer = raw.ask(&handshake_with(&[("Origin", values)])).await;
        assert_eq!(answer.status, 403, "{values:?}");
    }
    for values in [&["https://page.example"][..], &["http://localhost:5173"], &[]] {
        let mut raw = Raw::connect(edge.address).await;
        let answer = raw.ask(&handshake_with(&[("Origin", values)])).await;
        assert_eq!(answer.status, 101, "{values:?}");
        edge.accepted().await;
    }
    edge.stop().await;
}

#[tokio::test]
async fn what_is_no_websocket_request_is_told_what_is_missing() {
    let mut edge = Edge::start().await;
    let body: &[(&str, &[&str])] = &[("Content-Length", &["2"])];
    let chunked: &[(&str, &[&str])] = &[("Transfer-Encoding", &["chunked"])];
    let cases: Vec<(Vec<u8>, u16)> = vec![
        (request("GET /v1/ws HTTP/1.1", &[("Host", "x")]), 426),
        (handshake_with(&[("Upgrade", &["h2c"])]), 426),
        (handshake_with(&[("Connection", &["keep-alive"])]), 426),
        (request("POST /v1/ws HTTP/1.1", HANDSHAKE), 405),
        (request("GET /v1/ws HTTP/1.0", HANDSHAKE), 400),
        (request("GET /v1/ws HTTP/3.7", HANDSHAKE), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n".to_vec(), 400),
        (request("GET /v1/wss HTTP/1.1", HANDSHAKE), 404),
        ([handshake_with(body), b"{}".to_vec()].concat(), 400),
        ([handshake_with(chunked), b"0\r\n\r\n".to_vec()].concat(), 400),
    ];
    for (request, status) in cases {
        let mut raw = Raw::connect(edge.address).await;
        let answer = raw.ask(&request).await;
        assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&request));
    }
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn a_socket_that_never_authenticates_is_closed_after_5_seconds() {
    let mut edge = Edge::start().await;
    let (mut raw, _) = edge.open().await;
    raw.text("not a hello").await;
    let (code, passed_ms) = edge.pass_until(1_000, raw.next()).await;
    assert_eq!(code, Got::Close(4503, "hello_timeout".into()));
    assert!((5_000..8_000).contains(&passed_ms), "after {passed_ms} ms");
    assert!(!edge.closed().await, "the server closed it");
    edge.stop().await;
}

fn few_strangers() -> Setup {
    Setup { limits: Limits { strangers_per_address: 2, ..Limits::default() }, ..Setup::default() }
}

#[tokio::test]
async fn an_address_has_only_so_many_strangers_and_any_number_of_authenticated() {
    let mut edge = Edge::start_with(few_strangers()).await;
    let mut known = Vec::new();
    for _ in 0..5 {
        known.push(edge.open_known().await);
    }
    let silent = Raw::connect(edge.address).await;
    let (mut stranger, _) = edge.open().await;
    let mut refused = Raw::connect(edge.address).await;
    let answer = soon(refused.answer()).await.expect("an answer before the request");
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert!(answer.body.contains(r#""status":429"#), "{}", answer.body);
    // Whoever says who they are makes room, and so does whoever goes.
    stranger.text("hello").await;
    assert_eq!(stranger.next_text().await, "welcome");
    let mut another = Raw::connect(edge.address).await;
    assert_eq!(another.ask(&request("GET /hello HTTP/1.1", &[("Host", "x")])).await.status, 200);
    drop(silent);
    let mut raw = loop {
        // The server notices by itself that the silent one has gone.
        let mut raw = Raw::connect(edge.address).await;
        if raw.ask(&handshake_with(&[])).await.status == 101 {
            break raw;
        }
    };
    raw.text("hello").await;
    assert_eq!(raw.next_text().await, "welcome");
    for (raw, _) in &mut known {
        raw.text("echo:unmoved").await;
        assert_eq!(raw.next_text().await, "unmoved");
    }
    edge.stop().await;
}

#[tokio::test]
async fn an_http_connection_whose_request_was_authenticated_is_no_stranger() {
    let edge = Edge::start_with(few_strangers()).await;
    let mut kept = Vec::new();
    for _ in 0..5 {
        let mut raw = Raw::connect(edge.address).await;
        let answer = raw.ask(&request("GET /mine HTTP/1.1", &[("Host", "x")])).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "yours"));
        kept.push(raw);
    }
    edge.stop().await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_forwarded_address_counts() {
    let setup = Setup { proxies: vec!["127.0.0.0/8"], ..few_strangers() };
    let mut edge = Edge::start_with(setup).await;
    let mut open = Vec::new();
    for client in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        let mut raw = Raw::connect(edge.address).await;
        let forged = format!("198.51.100.9, {client}");
        let headers: &[(&str, &[&str])] = &[("X-Forwarded-For", &[&forged]), ("X-Forwarded-Proto", &["https"])];
        assert_eq!(raw.ask(&handshake_with(headers)).await.status, 101);
        let (peer, _) = edge.accepted().await;
        assert_eq!(peer.address.to_string(), client);
        assert!(peer.secure);
        open.push(raw);
    }
    let mut raw = Raw::connect(edge.address).await;
    let answer = raw.ask(&handshake_with(&[("X-Forwarded-For", &["192.0.2.1"])])).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), Some("5"));
    edge.stop().await;
}

#[tokio::test]
async fn nobody_else_is_believed_about_addresses() {
    let mut edge = Edge::start().await;
    let mut raw = Raw::connect(edge.address).await;
    let headers: &[(&str, &[&str])] = &[("X-Forwarded-For", &["192.0.2.1"]), ("X-Forwarded-Proto", &["https"])];
    assert_eq!(raw.ask(&handshake_with(headers)).await.status, 101);
    let (peer, _) = edge.accepted().await;
    assert_eq!(peer.address.to_string(), "127.0.0.1");
    assert!(!peer.secure);
    let mut raw = Raw::connect(edge.address).await;
    let answer = raw.ask(&request("GET /who HTTP/1.1", &[("Host", "x"), ("X-Forwarded-For", "192.0.2.1")])).await;
    assert_eq!(answer.body, "Peer { address: 127.0.0.1, secure: false }");
    edge.stop().await;
}

#[tokio::test]
async fn the_router_is_served_beside_and_a_request_that_never_ends_gets_503() {
    let edge = Edge::start().await;
    let mut raw = Raw::connect(edge.address).await;
    for _ in 0..3 {
        let answer = raw.ask(&request("GET /hello HTTP/1.1", &[("Host", "x")])).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
        assert_eq!(answer.header("server"), None);
    }
    raw.send(&request("GET /slow HTTP/1.1", &[("Host", "x")])).await;
    let (answer, passed_ms) = edge.pass_until(10_000, raw.answer()).await;
    assert_eq!(answer.expect("an answer").status, 503);
    assert!(passed_ms >= 60_000);
    edge.stop().await;
}

#[tokio::test]
async fn the_endpoint_may_stand_behind_a_path_prefix() {
    let edge = Edge::start_with(Setup { prefix: "/stoa", ..Setup::default() }).await;
    let mut raw = Raw::connect(edge.address).await;
    assert_eq!(raw.ask(&request("GET /v1/ws HTTP/1.1", HANDSHAKE)).await.status, 404);
    assert_eq!(raw.ask(&request("GET /stoa/v1/ws HTTP/1.1", HANDSHAKE)).await.status, 101);
    edge.stop().await;
}

#[tokio::test]
async fn a_stopping_server_refuses_upgrades_finishes_requests_and_closes_sockets_last() {
    let mut edge = Edge::start().await;
    let (mut raw, _) = edge.open_known().await;
    let mut slow = Raw::connect(edge.address).await;
    slow.send(&request("GET /slow HTTP/1.1", &[("Host", "x")])).await;
    let mut waiting = Raw::connect(edge.address).await;
    assert_eq!(waiting.ask(&request("GET /hello HTTP/1.1", &[("Host", "x")])).await.status, 200);
    edge.life.accepting.cancel();
    assert!(soon(waiting.answer()).await.is_none(), "an idle HTTP connection ends");
    assert!(TcpStream::connect(edge.address).await.is_err(), "nobody new comes in");
    raw.text("echo:still open").await;
    assert_eq!(raw.next_text().await, "still open", "open WebSockets go on until the hub has let them go");
    edge.life.open.cancel();
    assert_eq!(raw.next().await, Got::Close(4000, "going_away".into()));
    raw.send(&frame(0x88, &4000u16.to_be_bytes())).await;
    assert_eq!(soon(raw.next()).await, Got::End);
    assert!(!edge.closed().await);
    assert!(soon(slow.answer()).await.is_none());
    edge.life.tasks.close();
    let (_, passed_ms) = edge.pass_until(500, edge.life.tasks.wait()).await;
    assert!(passed_ms <= 4_000, "closing is bounded, though the clients keep their ends open: {passed_ms} ms");
    let counters = edge.endpoint.counters();
    assert_eq!(counters.opened.load(Ordering::Relaxed), counters.ended.load(Ordering::Relaxed));
}

/// A certificate for `localhost` made for this run, as the server loads it and the client trusts it.
fn certificate(folder: &std::path::Path) -> (ServerConfig, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let server = tls::load(&certificate, &key).expect("a pair");
    assert!(tls::load(&key, &key).is_err(), "a key is no certificate");
    assert!(tls::load(&certificate, &folder.join("none")).is_err());
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (server, Arc::new(client))
}

#[tokio::test]
async fn tls_carries_the_same_and_a_silent_tls_handshake_is_closed() {
    let folder = std::env::temp_dir().join(format!("stoa-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (server, client) = certificate(&folder);
    std::fs::remove_dir_all(&folder).expect("removed");
    let mut edge = Edge::start_with(Setup { tls: Some(server), ..Setup::default() }).await;

    let socket = TcpStream::connect(edge.address).await.expect("the server listens");
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = soon(TlsConnector::from(client).connect(name, socket)).await.expect("TLS");
    let mut raw = Raw::over(stream);
    assert_eq!(raw.ask(&handshake_with(&[])).await.status, 101);
    let (peer, mailbox) = edge.accepted().await;
    assert!(peer.secure);
    raw.text("hello").await;
    assert_eq!(raw.next_text().await, "welcome");
    let large = "x".repeat(60_000);
    raw.text(&format!("echo:{large}")).await;
    assert_eq!(raw.next_text().await, large);
    // Pushed by somebody else than its task, far more than the socket takes at once.
    for number in 0..4 {
        mailbox.push(stoa::gateway::Frame::text(format!("{number}{large}"))).expect("room");
    }
    mailbox.flush();
    for number in 0..4 {
        assert!(raw.next_text().await.starts_with(&number.to_string()));
    }
    raw.send(&frame(0x88, &1000u16.to_be_bytes())).await;
    assert_eq!(raw.next_close().await, 1000);
    assert!(edge.closed().await);

    let mut silent = Raw::connect(edge.address).await;
    silent.send(b"\x16\x03\x01").await;
    let (got, passed_ms) = edge.pass_until(1_000, silent.next()).await;
    assert!(matches!(got, Got::End | Got::Reset));
    assert!((5_000..10_000).contains(&passed_ms), "after {passed_ms} ms");
    let mut plain = Raw::connect(edge.address).await;
    plain.send(&handshake_with(&[])).await;
    assert!(soon(plain.answer()).await.is_none(), "no plain HTTP on a TLS port");
    edge.stop().await;
}

#[tokio::test]
async fn the_handler_hears_of_no_socket_that_was_not_upgraded() {
    let mut edge = Edge::start().await;
    let mut raw = Raw::connect(edge.address).await;
    assert_eq!(raw.ask(&handshake_with(&[("Origin", &["null"])])).await.status, 403);
    // The connection is still there for another try.
    assert_eq!(raw.ask(&handshake_with(&[])).await.status, 101);
    assert!(matches!(edge.next().await, Happened::Accepted(..)));
    assert_eq!(edge.endpoint.counters().refused_handshakes.load(Ordering::Relaxed), 1);
    edge.stop().await;
}

#[tokio::test]
async fn the_log_has_one_line_for_each_refusal_and_no_secret() {
    let log = Log::record();
    let mut edge = Edge::start().await;
    let mut raw = Raw::connect(edge.address).await;
    let headers = [("Authorization", "Bearer topsecret"), ("Cookie", "session=topsecret"), ("Host", "x")];
    assert_eq!(raw.ask(&request("GET /v1/ws?token=topsecret HTTP/1.1", &headers)).await.status, 426);
    assert_eq!(log.lines().len(), 1, "{}", log.text());
    assert!(log.lines()[0].contains("handshake refused address=127.0.0.1 status=426"), "{}", log.text());
    let (mut raw, _) = edge.open_known().await;
    raw.send(&frame(0x81, b"topsecret\xff")).await;
    assert_eq!(raw.next_close().await, 1007);
    edge.closed().await;
    assert_eq!(log.lines().len(), 2, "{}", log.text());
    assert!(log.lines()[1].contains("illegal frame address=127.0.0.1 code=1007"), "{}", log.text());
    assert!(!log.text().contains("topsecret"), "{}", log.text());
    edge.stop().await;
}
