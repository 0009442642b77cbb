//! Links and guests.

use super::{bed::*, contract};
use stoa::storage::links::{CodeHash, FOR_EVER, LinkKind, NewGuest, REMEMBERED_MS, StoredLink};
use stoa_protocol::{LinkId, Role, UserId, http::LinkState};

contract! {
    a_link_is_found_by_its_code_and_listed_in_order,
    a_guest_is_let_in_as_often_as_the_link_allows,
    a_revoked_links_guests_are_refused_for_ever,
    links_go_with_their_room_and_with_whoever_made_them,
    dead_links_are_forgotten_in_time,
}

fn id(name: &str) -> LinkId {
    LinkId::new(name).expect("legal")
}

fn hash(of: u8) -> CodeHash {
    [of; 32]
}

fn link(name: &str, in_room: &str, kind: LinkKind) -> StoredLink {
    StoredLink {
        id: id(name),
        room: room(in_room),
        kind,
        role: Role::Member,
        name: Some("Gil".into()),
        by: Some(user("ann")),
        created_at: START,
        not_before: Some(START + 10),
        expires_at: Some(START + 1_000),
        uses: Some(2),
        used: 0,
        revoked_at: None,
    }
}

fn guest(name: &str, secret: u8) -> NewGuest {
    NewGuest { user: user(&format!("stoa-guest:{name}")), name: "Gil".into(), secret: hash(secret), at: START + 20 }
}

async fn revoked_before(bed: &Bed, who: &UserId) -> u64 {
    bed.store.users(std::slice::from_ref(who)).await.expect("reads")[0].revoked_before
}

async fn a_link_is_found_by_its_code_and_listed_in_order(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    let store = &bed.store;
    let join = link("02", "r", LinkKind::Join);
    assert!(store.put_link(&join, &hash(2)).await.expect("puts"));
    let bare = StoredLink {
        name: None,
        by: None,
        not_before: None,
        expires_at: None,
        uses: None,
        ..link("01", "r", LinkKind::Join)
    };
    assert!(store.put_link(&bare, &hash(1)).await.expect("puts"));
    assert!(store.put_link(&link("03", "r", LinkKind::Invite), &hash(3)).await.expect("puts"));
    assert!(!store.put_link(&link("04", "nowhere", LinkKind::Join), &hash(4)).await.expect("there is no such room"));
    assert_eq!(store.link_by_code(&hash(2)).await.expect("reads"), Some(join.clone()));
    assert_eq!(store.link(&id("01")).await.expect("reads"), Some(bare.clone()));
    assert_eq!(store.link_by_code(&hash(9)).await.expect("reads"), None);
    let all = store.links(&room("r"), LinkKind::Join, None, 9).await.expect("reads");
    assert_eq!(all, [bare, join.clone()]);
    assert_eq!(store.links(&room("r"), LinkKind::Join, Some(&id("01")), 9).await.expect("reads"), [join]);
    assert_eq!(store.links(&room("r"), LinkKind::Join, None, 1).await.expect("reads").len(), 1);
    let mut tx = store.begin().await.expect("begins");
    tx.lock(&[room("r")]).await.expect("locks");
    assert_eq!(tx.links(&[id("03"), id("09")]).await.expect("reads").len(), 1);
    tx.use_links(&[(id("03"), 2), (id("01"), 1)]).await.expect("counts");
    tx.commit().await.expect("commits");
    let used = store.link(&id("03")).await.expect("reads").expect("there");
    assert_eq!((used.used, used.state(START + 20)), (2, LinkState::UsedUp));
    assert_eq!(used.state_for_who_came(START + 20), LinkState::Open);
}

async fn a_guest_is_let_in_as_often_as_the_link_allows(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    let store = &bed.store;
    store.put_link(&link("01", "r", LinkKind::Join), &hash(1)).await.expect("puts");
    let early = NewGuest { at: START + 9, ..guest("early", 8) };
    assert!(!store.admit_guest(&id("01"), &early).await.expect("too early"));
    let late = NewGuest { at: START + 1_000, ..guest("late", 9) };
    assert!(!store.admit_guest(&id("01"), &late).await.expect("too late"));
    let guests: Vec<_> = (0..6).map(|n| guest(&format!("g{n}"), 10 + n)).collect();
    let admitted = guests.iter().map(|guest| {
        let store = store.clone();
        async move { store.admit_guest(&id("01"), guest).await.expect("answers") }
    });
    let admitted = futures_util::future::join_all(admitted).await;
    assert_eq!(admitted.iter().filter(|in_| **in_).count(), 2, "{admitted:?}");
    let here = store.guests_of(&id("01"), None, 9).await.expect("reads");
    assert_eq!(here.len(), 2);
    assert_eq!(store.guests_of(&id("01"), Some(&here[0]), 9).await.expect("reads"), here[1..]);
    let first = admitted.iter().position(|in_| *in_).expect("one");
    let (who, of) = store.guest(&hash(10 + first as u8)).await.expect("reads").expect("there");
    assert_eq!((who.clone(), of.id, of.used), (guests[first].user.clone(), id("01"), 2));
    let profile = store.profiles(std::slice::from_ref(&who)).await.expect("reads").remove(&who).expect("a name");
    assert_eq!((profile.name.as_str(), profile.guest), ("Gil", true));
    assert_eq!(store.guest(&hash(8)).await.expect("reads"), None);
}

async fn a_revoked_links_guests_are_refused_for_ever(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    let store = &bed.store;
    for (name, code) in [("01", 1), ("02", 2)] {
        store.put_link(&link(name, "r", LinkKind::Join), &hash(code)).await.expect("puts");
        assert!(store.admit_guest(&id(name), &guest(name, 10 + code)).await.expect("comes"));
    }
    store.revoke_link(&id("01"), START + 30).await.expect("revokes");
    store.revoke_link(&id("01"), START + 40).await.expect("revokes again");
    let dead = store.link(&id("01")).await.expect("reads").expect("there");
    assert_eq!((dead.revoked_at, dead.state(START + 50)), (Some(START + 30), LinkState::Revoked));
    assert_eq!(revoked_before(bed, &user("stoa-guest:01")).await, FOR_EVER);
    assert_eq!(revoked_before(bed, &user("stoa-guest:02")).await, 0);
    assert!(!store.admit_guest(&id("01"), &guest("more", 30)).await.expect("answers"));
}

async fn links_go_with_their_room_and_with_whoever_made_them(bed: &Bed) {
    let store = &bed.store;
    for (number, name) in ["r", "s", "t"].into_iter().enumerate() {
        found(&**store, name, &["ann", "ben"]).await;
        let by = if name == "t" { user("ben") } else { user("ann") };
        let link = StoredLink { by: Some(by), ..link(name, name, LinkKind::Join) };
        store.put_link(&link, &hash(number as u8)).await.expect("puts");
        assert!(store.admit_guest(&id(name), &guest(name, 10 + number as u8)).await.expect("comes"));
    }
    assert!(store.delete_room(&room("r")).await.expect("deletes"));
    assert_eq!(store.link(&id("r")).await.expect("reads"), None);
    assert_eq!(revoked_before(bed, &user("stoa-guest:r")).await, FOR_EVER, "a later room r is not theirs");
    store.erase_user(&user("ann")).await.expect("erases");
    assert_eq!(store.link(&id("s")).await.expect("reads"), None);
    assert_eq!(revoked_before(bed, &user("stoa-guest:s")).await, FOR_EVER);
    store.erase_user(&user("stoa-guest:t")).await.expect("erases");
    assert!(store.link(&id("t")).await.expect("reads").is_some(), "the link is not the guest's");
    assert_eq!(bed.dump("guests").await.len(), 0);
}

async fn dead_links_are_forgotten_in_time(bed: &Bed) {
    found(&*bed.store, "r", &["ann"]).await;
    let store = &bed.store;
    store.put_link(&link("01", "r", LinkKind::Join), &hash(1)).await.expect("puts");
    assert!(store.admit_guest(&id("01"), &guest("g", 9)).await.expect("comes"));
    let endless = StoredLink { expires_at: None, ..link("02", "r", LinkKind::Join) };
    store.put_link(&endless, &hash(2)).await.expect("puts");
    let later = |name: &str, at| StoredLink { created_at: at, expires_at: None, ..link(name, "r", LinkKind::Join) };
    store.put_link(&later("03", START + 1_000 + REMEMBERED_MS), &hash(3)).await.expect("puts");
    assert!(store.link(&id("01")).await.expect("reads").is_some(), "its holder is still told what became of it");
    store.put_link(&later("04", START + 1_001 + REMEMBERED_MS), &hash(4)).await.expect("puts");
    assert_eq!(store.link(&id("01")).await.expect("reads"), None);
    assert!(store.link(&id("02")).await.expect("reads").is_some());
    assert_eq!(store.guest(&hash(9)).await.expect("reads"), None);
}
