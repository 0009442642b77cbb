//! Documents of a room by way of HTTP: made, renamed, locked, deleted; and versions that are deleted.

use super::{Asker, server};
use serde_json::{Value, json};
use stoa_protocol::{DocumentInfo, DocumentKind, DocumentVersion, ErrorCode, http::DocumentPage};

const NOTES: &str = "/v1/rooms/r/documents/notes";

/// Ada's room with Ben, who may edit, Vic, who may not, and Eve, who is not in it.
async fn room(server: &crate::harness::Server) -> [Asker; 4] {
    let [ada, ben, vic, eve] = ["ada", "ben", "vic", "eve"].map(|name| Asker::user(server, name));
    let members = json!([{"user": "ben"}, {"user": "vic", "role": "viewer"}]);
    ada.put("/v1/rooms/r", json!({"kind": "group", "members": members})).await.is(201);
    [ada, ben, vic, eve]
}

#[tokio::test]
async fn a_document_is_made_once_changed_and_deleted_by_those_who_manage() {
    let server = server().await;
    let [ada, ben, vic, eve] = room(&server).await;
    let body = json!({"kind": "notes", "title": "Minutes", "edit": {"role": "viewer", "deny": ["ben"]}});
    let made = ada.put(NOTES, body.clone()).await;
    assert_eq!(made.header("location"), NOTES);
    let info: DocumentInfo = made.json(201);
    assert_eq!((info.kind, info.title.as_str(), info.edit.deny.len()), (DocumentKind::Notes, "Minutes", 1));
    let again: DocumentInfo = ada.put(NOTES, body.clone()).await.json(200);
    assert_eq!(again, info, "the same again changes nothing");
    let other = json!({"kind": "code"});
    assert_eq!(ada.put(NOTES, other).await.problem(409).code, ErrorCode::Conflict);
    assert_eq!(ben.put("/v1/rooms/r/documents/mine", body.clone()).await.problem(403).code, ErrorCode::Forbidden);
    eve.get(NOTES).await.problem(404);
    let seen: DocumentInfo = vic.get(NOTES).await.json(200);
    assert_eq!(seen, info);

    let change = json!({"title": "Decisions", "locked": true});
    assert_eq!(ben.patch(NOTES, change.clone()).await.problem(403).code, ErrorCode::Forbidden);
    let changed: DocumentInfo = ada.patch(NOTES, change).await.json(200);
    let wanted = DocumentInfo { title: "Decisions".into(), locked: true, ..info.clone() };
    assert_eq!(changed, wanted, "what is not named stays");
    // The whole body is checked, and where it is wrong is said.
    assert_eq!(ada.patch(NOTES, json!({"title": "x".repeat(300)})).await.problem(400).field.as_deref(), Some("title"));
    let all: DocumentPage = vic.get("/v1/rooms/r/documents").await.json(200);
    assert_eq!(all.documents.iter().map(|info| info.document.as_str()).collect::<Vec<_>>(), ["board", "notes"]);

    assert_eq!(ben.delete(NOTES).await.problem(403).code, ErrorCode::Forbidden);
    ada.delete(NOTES).await.is(200);
    ada.delete(NOTES).await.problem(404);
    ada.get(NOTES).await.problem(404);
    assert_eq!(ada.delete("/v1/rooms/r/documents/board").await.problem(409).code, ErrorCode::Conflict);
}

#[tokio::test]
async fn a_version_is_deleted_by_whoever_kept_it_and_by_those_who_manage() {
    let server = server().await;
    let [ada, ben, vic, eve] = room(&server).await;
    let versions = "/v1/rooms/r/documents/board/versions";
    let mut kept = Vec::new();
    for (who, title) in [(&ada, "Ada's"), (&ben, "Ben's"), (&ben, "Ben's other")] {
        kept.push(who.post(versions, json!({"title": title})).await.json::<DocumentVersion>(201));
    }
    let place = |version: &DocumentVersion| format!("{versions}/{}", version.version);
    assert_eq!(ben.delete(&place(&kept[0])).await.problem(403).code, ErrorCode::Forbidden);
    assert_eq!(vic.delete(&place(&kept[1])).await.problem(403).code, ErrorCode::Forbidden);
    eve.delete(&place(&kept[1])).await.problem(404);
    ben.delete(&place(&kept[1])).await.is(204);
    ben.delete(&place(&kept[1])).await.problem(404);
    ada.delete(&place(&kept[2])).await.is(204);
    let left: Value = vic.get(versions).await.json(200);
    let titles: Vec<_> = left["versions"].as_array().expect("rows").iter().map(|row| row["title"].clone()).collect();
    assert_eq!(titles, ["Ada's"]);
    vic.get(&format!("{}/content", place(&kept[1]))).await.problem(404);
}
