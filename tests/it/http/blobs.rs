//! Images beside the documents of a room: who may add and see them, and what is no image.

use super::{Answer, Asker, server, setup};
use crate::harness::{Backend, Server, Setup};
use serde_json::{Value, json};
use stoa_protocol::{ErrorCode, http::Blob, limits};

const PLACE: &str = "/v1/rooms/r/blobs";

/// The beginning of a PNG of this size, and whatever comes behind it.
fn png(width: u32, height: u32, rest: &[u8]) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", &width.to_be_bytes()[..], &height.to_be_bytes(), b"\x08\x06\0\0\0", rest]
        .concat()
}

async fn put(asker: &Asker, media: &str, content: &[u8]) -> Answer {
    asker.header("Content-Type", media).send("POST", PLACE, content.to_vec()).await
}

/// Ada's room with Ben, who may edit, and Vic, who may not.
async fn room(server: &Server) -> [Asker; 4] {
    let [ada, ben, vic, eve] = ["ada", "ben", "vic", "eve"].map(|name| Asker::user(server, name));
    let members = json!([{"user": "ben"}, {"user": "vic", "role": "viewer"}]);
    ada.put("/v1/rooms/r", json!({"kind": "group", "members": members})).await.is(201);
    [ada, ben, vic, eve]
}

async fn an_image_is_kept_and_seen_by_the_room(setup: Setup) {
    let mut server = setup.start().await;
    let [_ada, ben, _vic, _eve] = room(&server).await;
    let content = png(640, 480, b"<script>alert(1)</script>");
    let answer = put(&ben, "text/html", &content).await;
    let address = answer.header("location").to_owned();
    let blob: Blob = answer.json(201);
    assert_eq!(
        (blob.media.as_str(), blob.width, blob.height, blob.size),
        ("image/png", 640, 480, content.len() as u64)
    );
    assert_eq!(address, format!("{PLACE}/{}", blob.hash));
    let again: Blob = put(&ben, "image/png", &content).await.json(201);
    assert_eq!(again, blob, "the same image is the same image");
    server.kill().await;
    server.restart().await;
    // The port is another one now.
    let [vic, eve] = ["vic", "eve"].map(|name| Asker::user(&server, name));
    let seen = vic.get(&address).await.is(200);
    assert_eq!(seen.body, content);
    for (name, value) in [
        ("content-type", "image/png"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("content-disposition", "inline; filename=\"image.png\""),
        ("cache-control", "private, no-cache"),
    ] {
        assert_eq!(seen.header(name), value);
    }
    let known = vic.header("If-None-Match", seen.header("etag")).get(&address).await.is(304);
    assert!(known.body.is_empty());
    eve.get(&address).await.problem(404);
    eve.header("If-None-Match", seen.header("etag")).get(&address).await.problem(404);
    vic.get(&format!("{PLACE}/{}", "0".repeat(64))).await.problem(404);
    vic.get(&format!("{PLACE}/..%2f..%2fhealth")).await.problem(404);
}

#[tokio::test]
async fn an_image_is_kept_and_seen_by_the_room_on_sqlite() {
    an_image_is_kept_and_seen_by_the_room(setup()).await;
}

#[tokio::test]
async fn an_image_is_kept_and_seen_by_the_room_on_postgres() {
    an_image_is_kept_and_seen_by_the_room(Setup::new(Backend::Postgres).without_rates()).await;
}

#[tokio::test]
async fn images_are_added_by_those_who_may_edit() {
    let server = server().await;
    let [ada, _ben, vic, eve] = room(&server).await;
    let content = png(1, 1, b"");
    assert_eq!(put(&vic, "image/png", &content).await.problem(403).code, ErrorCode::Forbidden);
    put(&eve, "image/png", &content).await.problem(404);
    put(&Asker::nobody(&server), "image/png", &content).await.problem(401);
    ada.patch("/v1/rooms/r", json!({"archived": true})).await.is(200);
    put(&ada, "image/png", &content).await.problem(403);
    ada.get("/v1/rooms/r").await.json::<Value>(200);
}

#[tokio::test]
async fn what_is_no_image_or_too_large_is_refused() {
    let server = setup().variable("STOA_LIMITS_ROOM_IMAGES_MIB", 6).start().await;
    let [_ada, ben, _vic, _eve] = room(&server).await;
    let svg = br#"<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>"#;
    for (media, content) in [
        ("image/svg+xml", &svg[..]),
        ("image/png", svg),
        ("image/png", b"<!doctype html><script>alert(1)</script>"),
        ("image/png", b"\x89PNG\r\n\x1a\n"),
        ("image/png", b""),
        ("image/avif", b"\0\0\0\x1cftypavif\0\0\0\0"),
    ] {
        assert_eq!(put(&ben, media, content).await.problem(400).code, ErrorCode::BadRequest, "{media} {content:?}");
    }
    for (width, height) in [(limits::IMAGE_SIDE + 1, 1), (1, u32::MAX), (8_000, 8_000)] {
        assert_eq!(put(&ben, "image/png", &png(width, height, b"")).await.problem(413).code, ErrorCode::TooLarge);
    }
    assert_eq!(put(&ben, "image/png", &png(0, 5, b"")).await.problem(400).code, ErrorCode::BadRequest);
    let large = |letter: u8, size: usize| {
        let head = png(2, 2, b"");
        [head.as_slice(), &vec![letter; size - head.len()]].concat()
    };
    put(&ben, "image/png", &large(b'a', limits::BLOB_BYTES + 1)).await.problem(413);
    let first = large(b'a', limits::BLOB_BYTES);
    put(&ben, "image/png", &first).await.is(201);
    let full = put(&ben, "image/png", &large(b'b', 2 << 20)).await.problem(413);
    assert!(full.detail.contains("room"), "{}", full.detail);
    put(&ben, "image/png", &first).await.is(201);
    put(&ben, "image/png", &large(b'c', 1 << 19)).await.is(201);
}
