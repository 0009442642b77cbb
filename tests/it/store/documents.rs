//! Content of shared documents, their versions, and the images beside them. The store looks into no update, so that
//! these are any bytes.

use super::{bed::*, contract};
use stoa::storage::{
    BlobInfo, DocumentBatch, DocumentKey, NewVersion, Put, Saved, SharedStore, StoreError, StoredDocument,
};
use stoa_protocol::{DocumentId, Epoch, Millis, RoomId, UserId, VersionReason};

contract! {
    what_is_saved_is_loaded_in_order,
    folding_keeps_what_came_later,
    a_batch_of_another_life_or_of_no_room_is_void,
    a_client_id_stays_with_whoever_had_it_first,
    versions_are_paged_and_thinned_by_their_reason,
    images_are_kept_once_and_within_the_quota,
    images_that_nothing_names_go_after_a_grace,
    documents_and_images_go_with_their_room,
}

fn key(in_room: &str) -> DocumentKey {
    DocumentKey { room: room(in_room), document: DocumentId::new("board").expect("legal") }
}

fn epoch(name: &str) -> Epoch {
    Epoch::new(name).expect("legal")
}

fn batch(in_room: &str, life: &str, update: &[u8], claims: &[(u64, &str)]) -> DocumentBatch {
    let claims = claims.iter().map(|(client, who)| (*client, user(who))).collect();
    DocumentBatch { key: key(in_room), epoch: epoch(life), update: update.to_vec(), claims }
}

async fn begun(bed: &Bed, in_room: &str) -> SharedStore {
    found(&*bed.store, in_room, &["ann"]).await;
    let fresh = bed.store.load_document(&key(in_room), &epoch("e1")).await.expect("reads").expect("there is a room");
    assert_eq!((fresh.epoch, fresh.head, fresh.folded, fresh.updates.len()), (epoch("e1"), 0, None, 0));
    bed.store.clone()
}

async fn loaded(store: &SharedStore, in_room: &str) -> StoredDocument {
    store.load_document(&key(in_room), &epoch("unused")).await.expect("reads").expect("there is a room")
}

async fn what_is_saved_is_loaded_in_order(bed: &Bed) {
    let store = begun(bed, "r").await;
    let saved = store.save_documents(&[batch("r", "e1", b"one", &[(7, "ann")])]).await.expect("saves");
    assert_eq!(saved, [Saved::Yes(1)]);
    let two = [batch("r", "e1", b"two", &[]), batch("r", "e1", b"three", &[(u64::from(u32::MAX), "ben")])];
    assert_eq!(store.save_documents(&two).await.expect("saves"), [Saved::Yes(2), Saved::Yes(3)]);
    // As another node or the next process reads it.
    let other = bed.another().await;
    let document = loaded(&other, "r").await;
    assert_eq!((document.epoch, document.head), (epoch("e1"), 3));
    assert_eq!(document.updates, [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
    let mut clients = document.clients;
    clients.sort();
    assert_eq!(clients, [(7, Some(user("ann"))), (u64::from(u32::MAX), Some(user("ben")))]);
    assert_eq!(store.load_document(&key("nowhere"), &epoch("e1")).await.expect("reads"), None);
    other.close().await;
}

async fn folding_keeps_what_came_later(bed: &Bed) {
    let store = begun(bed, "r").await;
    for update in [b"one", b"two", b"six"] {
        store.save_documents(&[batch("r", "e1", update, &[])]).await.expect("saves");
    }
    store.fold_document(&key("r"), &epoch("e1"), 2, b"one and two").await.expect("folds");
    let document = loaded(&store, "r").await;
    assert_eq!(document.folded.as_deref(), Some(b"one and two".as_slice()));
    assert_eq!((document.head, document.updates), (3, vec![b"six".to_vec()]));
    // Late, or of another life: it must not take anything away.
    let _refused_or_passed_over = store.fold_document(&key("r"), &epoch("e2"), 3, b"wrong").await;
    let _refused_or_passed_over = store.fold_document(&key("r"), &epoch("e1"), 1, b"old").await;
    let document = loaded(&store, "r").await;
    assert_eq!(document.folded.as_deref(), Some(b"one and two".as_slice()));
    assert_eq!((document.head, document.updates), (3, vec![b"six".to_vec()]));
}

async fn a_batch_of_another_life_or_of_no_room_is_void(bed: &Bed) {
    let store = begun(bed, "r").await;
    let batches =
        [batch("r", "e2", b"foreign", &[(7, "ann")]), batch("r", "e1", b"own", &[]), batch("nowhere", "e1", b"x", &[])];
    let saved = store.save_documents(&batches).await.expect("saves");
    assert_eq!(saved, [Saved::Void, Saved::Yes(1), Saved::Void]);
    let document = loaded(&store, "r").await;
    assert_eq!((document.updates, document.clients), (vec![b"own".to_vec()], vec![]));
}

async fn a_client_id_stays_with_whoever_had_it_first(bed: &Bed) {
    let store = begun(bed, "r").await;
    store.save_documents(&[batch("r", "e1", b"one", &[(7, "ann")])]).await.expect("saves");
    // The hub lets nobody do this; two nodes may at once.
    match store.save_documents(&[batch("r", "e1", b"two", &[(7, "ben")])]).await {
        Ok(_) | Err(StoreError::Refused(_)) => {}
        Err(error) => panic!("{error}"),
    }
    assert_eq!(loaded(&store, "r").await.clients, [(7, Some(user("ann")))]);
}

async fn versions_are_paged_and_thinned_by_their_reason(bed: &Bed) {
    let store = begun(bed, "r").await;
    store.save_documents(&[batch("r", "e1", b"one", &[])]).await.expect("saves");
    let version = |reason, title: &str, content: &[u8]| NewVersion {
        at: START,
        reason,
        title: title.into(),
        by: Some(user("ann")),
        content: content.to_vec(),
    };
    let named = store.put_version(&key("r"), &version(VersionReason::Named, "mine", b"named"), 9).await.expect("keeps");
    assert_eq!((named.size, named.title.as_str(), named.by), (5, "mine", Some(user("ann"))));
    for n in 0..4u8 {
        store.put_version(&key("r"), &version(VersionReason::Time, "", &[n]), 2).await.expect("keeps");
    }
    let all = store.versions(&key("r"), None, 9).await.expect("reads");
    let numbers: Vec<_> = all.iter().map(|version| version.version).collect();
    assert!(numbers.is_sorted_by(|a, b| a > b), "newest first: {numbers:?}");
    assert_eq!(
        all.iter().map(|version| version.reason).collect::<Vec<_>>(),
        [VersionReason::Time, VersionReason::Time, VersionReason::Named]
    );
    assert_eq!(store.versions(&key("r"), Some(numbers[0]), 1).await.expect("reads"), all[1..2]);
    let (_, content) = store.version(&key("r"), numbers[0]).await.expect("reads").expect("is kept");
    assert_eq!(content, [3]);
    assert!(store.drop_version(&key("r"), numbers[0]).await.expect("drops"));
    assert!(!store.drop_version(&key("r"), numbers[0]).await.expect("is gone"));
    assert_eq!(store.version(&key("r"), numbers[0]).await.expect("reads"), None);
}

async fn put(store: &SharedStore, in_room: &RoomId, hash: &str, content: &[u8], by: &UserId, quota: u64) -> Put {
    let (hash, media) = (hash.to_owned(), "image/png".to_owned());
    let info = BlobInfo { hash, media, size: content.len() as u64, width: 3, height: 4 };
    store.put_blob(in_room, &info, content, by, START, quota).await.expect("puts")
}

async fn images_are_kept_once_and_within_the_quota(bed: &Bed) {
    let store = begun(bed, "r").await;
    let (here, ann) = (room("r"), user("ann"));
    assert_eq!(put(&store, &here, "aa", b"12345", &ann, 8).await, Put::Kept);
    assert_eq!(put(&store, &here, "aa", b"12345", &ann, 8).await, Put::Kept, "again");
    assert_eq!(put(&store, &here, "bb", b"1234", &ann, 8).await, Put::Full);
    assert_eq!(put(&store, &here, "bb", b"123", &ann, 8).await, Put::Kept, "to the last byte");
    assert_eq!(put(&store, &room("nowhere"), "aa", b"1", &ann, 8).await, Put::NoRoom);
    let (info, content) = bed.store.blob(&here, "aa").await.expect("reads").expect("is kept");
    assert_eq!((info.media.as_str(), info.size, info.width, info.height), ("image/png", 5, 3, 4));
    assert_eq!(content, b"12345");
    assert_eq!(store.blob(&room("other"), "aa").await.expect("reads"), None, "names are a room's own");
    assert!(store.drop_blob(&here, "aa").await.expect("drops"));
    assert!(!store.drop_blob(&here, "aa").await.expect("is gone"));
}

async fn images_that_nothing_names_go_after_a_grace(bed: &Bed) {
    const DAY: Millis = 24 * 3600 * 1000;
    const GRACE: Millis = 14 * DAY;
    let store = begun(bed, "r").await;
    let (here, ann) = (room("r"), user("ann"));
    let hashes: Vec<String> = ["a", "b", "c", "d"].map(|letter| letter.repeat(64)).into();
    for hash in &hashes {
        put(&store, &here, hash, b"12345", &ann, 99).await;
    }
    found(&*bed.store, "other", &["ann"]).await;
    put(&store, &room("other"), &hashes[3], b"12345", &ann, 99).await;
    // One is named by the state, one by what was saved since, one by a version; the last by a document of another room.
    let naming = |hash: &str| [b"\0\xff before ".as_slice(), hash.as_bytes(), b" after"].concat();
    store.save_documents(&[batch("r", "e1", b"one", &[])]).await.expect("saves");
    store.fold_document(&key("r"), &epoch("e1"), 1, &naming(&hashes[0])).await.expect("folds");
    store.save_documents(&[batch("r", "e1", &naming(&hashes[1]), &[])]).await.expect("saves");
    let version = NewVersion {
        at: START,
        reason: VersionReason::Named,
        title: String::new(),
        by: None,
        content: naming(&hashes[2]),
    };
    let kept = store.put_version(&key("r"), &version, 9).await.expect("keeps");
    let look = async |at: Millis| {
        let swept = store.sweep_blobs(at, at.saturating_sub(DAY), at.saturating_sub(GRACE), 3).await.expect("looks");
        (swept.looked, swept.dropped)
    };
    let there = async || {
        let mut there = Vec::new();
        for hash in &hashes {
            there.push(store.blob(&here, hash).await.expect("reads").is_some());
        }
        there
    };
    let start = START + DAY;
    assert_eq!((look(start).await, look(start).await, look(start).await), ((3, 0), (2, 0), (0, 0)), "a few at a time");
    assert_eq!((look(start + GRACE).await, look(start + GRACE).await), ((3, 0), (2, 0)), "the grace is not over");
    let late = start + GRACE + 2 * DAY;
    let (first, second) = (look(late).await, look(late).await);
    assert_eq!(first.1 + second.1, 2, "that of this room and that of the other");
    assert_eq!(there().await, [true, true, true, false]);
    assert_eq!(store.blob(&room("other"), &hashes[3]).await.expect("reads"), None);
    // What the last version named goes when that is gone, unless somebody sends it again before the grace is over.
    assert!(store.drop_version(&key("r"), kept.version).await.expect("drops"));
    look(late + 2 * DAY).await;
    put(&store, &here, &hashes[2], b"12345", &ann, 99).await;
    look(late + GRACE + 4 * DAY).await;
    assert_eq!(there().await, [true, true, true, false], "it was wanted again");
    look(late + 2 * GRACE + 6 * DAY).await;
    assert_eq!(there().await, [true, true, false, false]);
}

async fn documents_and_images_go_with_their_room(bed: &Bed) {
    let store = begun(bed, "r").await;
    store.save_documents(&[batch("r", "e1", b"one", &[(7, "ann")])]).await.expect("saves");
    put(&store, &room("r"), "aa", b"12345", &user("ann"), 8).await;
    store.delete_room(&room("r")).await.expect("erases");
    assert_eq!(store.load_document(&key("r"), &epoch("e2")).await.expect("reads"), None);
    assert_eq!(store.blob(&room("r"), "aa").await.expect("reads"), None);
}
