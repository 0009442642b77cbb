//! What an open WebSocket may be sent, and what it gets back.

use crate::raw::{Edge, Got, Happened, PATIENCE, Raw, Setup, frame, soon};
use std::{sync::atomic::Ordering, time::Duration};
use stoa::gateway::{Frame, Full, Limits, SlotKey};
use stoa_protocol::CloseCode;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

/// Sends `bytes` on a known connection: it is closed with `code`, as a close frame, and nobody else notices.
async fn is_closed_with(code: u16, what: &str, bytes: &[u8]) {
    let mut edge = Edge::start().await;
    let (mut raw, mailbox) = edge.open_known().await;
    let (mut neighbour, _) = edge.open_known().await;
    raw.send(bytes).await;
    assert_eq!(raw.next_close().await, code, "{what}");
    drop(raw);
    assert!(!edge.closed().await, "{what}: the peer said no goodbye");
    assert!(mailbox.is_closed());
    assert_eq!(mailbox.queued_bytes(), 0);
    neighbour.text("echo:unmoved").await;
    assert_eq!(neighbour.next_text().await, "unmoved");
    assert_eq!(edge.endpoint.counters().violations.load(Ordering::Relaxed), 1, "{what}");
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn an_unmasked_frame_gets_1002() {
    is_closed_with(1002, "unmasked text", b"\x81\x02hi").await;
    is_closed_with(1002, "unmasked ping", b"\x89\x00").await;
}

#[tokio::test]
async fn reserved_bits_get_1002() {
    for bit in [0x40, 0x20, 0x10] {
        is_closed_with(1002, "reserved bit", &frame(0x81 | bit, b"hi")).await;
    }
}

#[tokio::test]
async fn reserved_opcodes_get_1002() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        is_closed_with(1002, "reserved opcode", &frame(0x80 | opcode, b"")).await;
    }
}

#[tokio::test]
async fn a_fragmented_control_frame_gets_1002() {
    for opcode in [8, 9, 10] {
        is_closed_with(1002, "fragmented control frame", &frame(opcode, b"")).await;
    }
}

#[tokio::test]
async fn an_oversized_control_frame_gets_1002() {
    for opcode in [8, 9, 10] {
        is_closed_with(1002, "oversized control frame", &frame(0x80 | opcode, &[b'x'; 126])).await;
    }
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_refused_by_its_header_alone() {
    let declared = |length: u64| [&[0x82, 0xff][..], &length.to_be_bytes()].concat();
    is_closed_with(1009, "2^63-1", &declared(i64::MAX as u64)).await;
    is_closed_with(1009, "64 KiB and a byte", &declared(64 * 1024 + 1)).await;
    is_closed_with(1002, "2^63", &declared(1 << 63)).await;
    is_closed_with(1002, "not in the shortest form", &declared(5)).await;
}

#[tokio::test]
async fn a_stranger_may_send_4_kib_and_no_more() {
    let mut edge = Edge::start().await;
    let (mut raw, _) = edge.open().await;
    let most = format!("echo:{}", "x".repeat(4 * 1024 - 5));
    raw.text(&most).await;
    assert_eq!(raw.next_text().await.len(), 4 * 1024 - 5);
    raw.send(&[0x81, 0x80 | 126, 0x10, 0x01]).await;
    assert_eq!(raw.next_close().await, 1009);
    edge.stop().await;
}

#[tokio::test]
async fn an_orphan_continuation_gets_1002_and_so_does_a_message_within_another() {
    is_closed_with(1002, "orphan", &frame(0x80, b"x")).await;
    is_closed_with(1002, "orphan that goes on", &frame(0x00, b"x")).await;
    is_closed_with(1002, "within", &[frame(0x01, b"x"), frame(0x81, b"y")].concat()).await;
}

#[tokio::test]
async fn an_endless_continuation_gets_1009_when_it_is_too_large() {
    let mut bytes = frame(0x01, &[b'x'; 8 * 1024]);
    for _ in 0..100 {
        bytes.extend(frame(0x00, &[b'x'; 8 * 1024]));
    }
    is_closed_with(1009, "endless", &bytes).await;
}

#[tokio::test]
async fn a_million_one_byte_fragments_get_1008() {
    let mut edge = Edge::start().await;
    let (raw, _) = edge.open_known().await;
    let (mut read, mut write) = raw.stream.into_split();
    let sender = tokio::spawn(async move {
        let mut many = frame(0x01, b"x");
        many.extend(frame(0x00, b"x").repeat(1_000_000));
        // It may well be cut off on the way.
        let _ = write.write_all(&many).await;
        write
    });
    let mut answer = Vec::new();
    let (_, _) = edge.pass_until(1_000, tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer)).await;
    assert!(answer.len() > 4 && answer[0] == 0x88, "a close frame");
    assert_eq!(u16::from_be_bytes([answer[2], answer[3]]), 1008);
    assert!(!edge.closed().await);
    let _ = soon(sender).await;
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn text_that_is_not_utf8_gets_1007_wherever_it_is_cut() {
    let smile = "😀".as_bytes();
    is_closed_with(1007, "not UTF-8", &frame(0x81, b"\xff\xfe")).await;
    is_closed_with(1007, "cut and wrong", &[frame(0x01, &smile[..2]), frame(0x80, b"x")].concat()).await;
    is_closed_with(1007, "cut and unfinished", &[frame(0x01, &smile[..2]), frame(0x80, &smile[2..3])].concat()).await;
    is_closed_with(1007, "an encoded surrogate", &frame(0x81, b"\xed\xa0\x80")).await;
    is_closed_with(1007, "a close reason", &frame(0x88, b"\x03\xe8\xff")).await;
}

#[tokio::test]
async fn text_may_be_cut_within_a_character_with_a_ping_between() {
    let mut edge = Edge::start().await;
    let (mut raw, _) = edge.open_known().await;
    let words = "echo:😀".as_bytes();
    raw.send(&[frame(0x01, &words[..7]), frame(0x89, b"between"), frame(0x80, &words[7..])].concat()).await;
    assert_eq!(raw.next().await, Got::Pong(b"between".to_vec()));
    assert_eq!(raw.next_text().await, "😀");
    edge.stop().await;
}

#[tokio::test]
async fn close_codes_that_must_not_travel_are_answered_with_1002() {
    let mut edge = Edge::start().await;
    for code in [1005u16, 1006, 1015, 999, 0, 1004, 2000, 5000] {
        let (mut raw, _) = edge.open_known().await;
        raw.send(&frame(0x88, &code.to_be_bytes())).await;
        assert_eq!(raw.next_close().await, 1002, "{code}");
        assert!(edge.closed().await, "a close frame came, if a strange one");
    }
    let (mut raw, _) = edge.open_known().await;
    raw.send(&frame(0x88, b"x")).await;
    assert_eq!(raw.next_close().await, 1002, "a payload of one byte");
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn a_close_is_answered_with_its_code_and_data_behind_it_is_ignored() {
    let mut edge = Edge::start().await;
    for (payload, code) in [(&b"\x03\xe8bye"[..], 1000), (b"\x03\xe9", 1001), (b"\x0f\xa0", 4000), (b"", 1000)] {
        let (mut raw, _) = edge.open_known().await;
        raw.send(&[frame(0x88, payload), frame(0x81, b"echo:too late"), b"noise".to_vec()].concat()).await;
        assert_eq!(soon(raw.next()).await, Got::Close(code, String::new()));
        assert_eq!(soon(raw.next()).await, Got::End);
        match edge.next().await {
            Happened::Closed { clean } => assert!(clean),
            other => panic!("nothing is heard behind a close, but there was a {}", other.name()),
        }
    }
    edge.stop().await;
}

#[tokio::test]
async fn half_close_gets_what_was_asked_for_and_then_1002() {
    let mut edge = Edge::start().await;
    let (mut raw, _) = edge.open_known().await;
    raw.text("echo:last words").await;
    raw.stream.shutdown().await.expect("shut");
    assert_eq!(raw.next_text().await, "last words");
    assert_eq!(raw.next_close().await, 1002);
    assert!(!edge.closed().await);
    edge.stop().await;
}

#[tokio::test]
async fn a_socket_that_vanishes_is_noticed_at_once() {
    let mut edge = Edge::start().await;
    let (raw, mailbox) = edge.open_known().await;
    raw.stream.set_zero_linger().expect("a reset");
    drop(raw);
    assert!(!edge.closed().await);
    let gone = async {
        while !mailbox.is_closed() {
            tokio::task::yield_now().await;
        }
    };
    soon(gone).await;
    edge.stop().await;
}

/// Fills the mailbox and both kernels' buffers of a peer that does not read.
fn fill(mailbox: &stoa::gateway::Mailbox) -> usize {
    let piece = "x".repeat(16 * 1024);
    for number in 0.. {
        if mailbox.push(Frame::text(format!("{number} {piece}"))) == Err(Full) {
            return number;
        }
        mailbox.flush();
    }
    unreachable!("a mailbox is bounded")
}

#[tokio::test]
async fn a_peer_that_never_reads_is_closed_after_10_seconds_and_its_memory_freed() {
    let mut edge = Edge::start().await;
    let (raw, mailbox) = edge.open_known().await;
    fill(&mailbox);
    assert!(mailbox.queued_bytes() <= 384 * 1024, "bounded");
    let (_, passed_ms) = edge
        .pass_until(1_000, async {
            while mailbox.queued_bytes() > 32 * 1024 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    assert!((10_000..13_000).contains(&passed_ms), "after {passed_ms} ms");
    assert!(!edge.closed().await, "the session hears of it at once");
    assert_eq!(edge.endpoint.counters().slow_consumers.load(Ordering::Relaxed), 1);
    assert!(mailbox.is_closed());
    mailbox.push(Frame::text("more")).expect("taken and dropped");
    let ended = async {
        while edge.endpoint.counters().ended.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let (_, passed_ms) = edge.pass_until(1_000, ended).await;
    assert!(passed_ms <= 5_000, "it does not take the peer for the socket to go: {passed_ms} ms");
    assert_eq!(mailbox.queued_bytes(), 0);
    drop(raw);
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn a_peer_that_reads_again_too_late_finds_whole_frames_and_4001() {
    let mut edge = Edge::start().await;
    let (mut raw, mailbox) = edge.open_known().await;
    let pushed = fill(&mailbox);
    let (_, _) = edge
        .pass_until(1_000, async {
            while !mailbox.is_closed() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    let mut number = 0;
    loop {
        match soon(raw.next()).await {
            Got::Text(text) => {
                assert!(text.starts_with(&format!("{number} x")), "in order and whole");
                number += 1;
            }
            Got::Ping => {}
            Got::Close(code, reason) => {
                assert_eq!((code, reason.as_str()), (4001, "slow_consumer"));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(number < pushed, "what waited was dropped");
    edge.stop().await;
}

#[tokio::test]
async fn a_slow_reader_is_told_when_there_is_room_and_loses_nothing() {
    let mut edge = Edge::start().await;
    let (mut raw, mailbox) = edge.open_known().await;
    let pushed = fill(&mailbox);
    let mut number = 0;
    while number < pushed {
        let text = raw.next_text().await;
        assert!(text.starts_with(&format!("{number} x")), "in order");
        number += 1;
    }
    assert!(matches!(edge.next().await, Happened::Woken), "there is room again");
    mailbox.push(Frame::text("caught up")).expect("room");
    mailbox.flush();
    assert_eq!(raw.next_text().await, "caught up");
    raw.text("echo:heard").await;
    assert_eq!(raw.next_text().await, "heard", "it is read from again");
    edge.stop().await;
}

#[tokio::test]
async fn what_the_socket_did_not_take_follows_without_another_push() {
    let mut edge = Edge::start().await;
    let (mut raw, mailbox) = edge.open_known().await;
    let piece = "x".repeat(16 * 1024);
    let mut pushed = 0;
    while mailbox.queued_bytes() == 0 {
        mailbox.push(Frame::text(format!("{pushed} {piece}"))).expect("it is empty");
        mailbox.flush();
        pushed += 1;
    }
    for number in 0..pushed {
        assert!(raw.next_text().await.starts_with(&format!("{number} x")));
    }
    edge.stop().await;
}

#[tokio::test]
async fn nothing_is_read_from_a_peer_that_does_not_read() {
    let mut edge = Edge::start().await;
    let (mut raw, mailbox) = edge.open_known().await;
    fill(&mailbox);
    // Far more than the kernels hold: it can be sent only if somebody reads it.
    let much = frame(0x82, &[0; 32 * 1024]).repeat(1_000);
    let sent = timeout(Duration::from_millis(500), raw.stream.write_all(&much)).await;
    assert!(sent.is_err(), "the server still reads");
    let heard = std::iter::from_fn(|| edge.happened.try_recv().ok()).count();
    assert!(heard <= 2, "{heard} messages were heard");
    edge.stop().await;
}

#[tokio::test]
async fn a_ping_is_answered_and_a_flood_of_them_gets_1008() {
    let mut edge = Edge::start().await;
    let (mut raw, _) = edge.open_known().await;
    raw.send(&frame(0x89, b"are you there")).await;
    assert_eq!(soon(raw.next()).await, Got::Pong(b"are you there".to_vec()));
    raw.send(&frame(0x89, b"").repeat(10_000)).await;
    let mut pongs = 0;
    let code = loop {
        match soon(raw.next()).await {
            Got::Pong(_) => pongs += 1,
            Got::Close(code, _) => break code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, 1008);
    assert!(pongs <= 32, "{pongs} answers");
    assert!(!edge.closed().await);
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn a_flood_of_pongs_gets_1008_and_a_few_are_no_matter() {
    let mut edge = Edge::start().await;
    let (mut raw, _) = edge.open_known().await;
    raw.send(&frame(0x8a, b"nobody asked").repeat(10)).await;
    raw.text("echo:fine").await;
    assert_eq!(raw.next_text().await, "fine");
    raw.send(&frame(0x8a, b"x").repeat(10_000)).await;
    assert_eq!(raw.next_close().await, 1008);
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn pings_at_a_decent_rate_go_on_for_ever() {
    let mut edge = Edge::start().await;
    let (mut raw, _) = edge.open_known().await;
    for _ in 0..200 {
        raw.send(&frame(0x89, b"x")).await;
        assert_eq!(soon(raw.next()).await, Got::Pong(b"x".to_vec()));
        edge.clock.advance(Duration::from_millis(500));
    }
    edge.stop().await;
}

#[tokio::test]
async fn a_silent_peer_is_asked_at_15_seconds_and_closed_at_30() {
    let mut edge = Edge::start().await;
    let (mut raw, _) = edge.open_known().await;
    let (got, asked_ms) = edge.pass_until(1_000, raw.next()).await;
    assert_eq!(got, Got::Ping);
    assert!((15_000..18_000).contains(&asked_ms), "asked after {asked_ms} ms");
    raw.send(&frame(0x8a, b"")).await;
    // It has answered, so all begins anew.
    let (got, asked_ms) = edge.pass_until(1_000, raw.next()).await;
    assert_eq!(got, Got::Ping);
    assert!((14_000..18_000).contains(&asked_ms), "asked again after {asked_ms} ms");
    let (got, closed_ms) = edge.pass_until(1_000, raw.next()).await;
    assert_eq!(got, Got::Close(4002, "timeout".into()));
    assert!((14_000..18_000).contains(&closed_ms), "closed {closed_ms} ms later");
    assert!(!edge.closed().await);
    assert_eq!(edge.endpoint.counters().timeouts.load(Ordering::Relaxed), 1);
    edge.stop().await;
}

#[tokio::test]
async fn a_peer_that_does_not_answer_a_close_is_cut_off() {
    let mut edge = Edge::start().await;
    let (mut raw, mailbox) = edge.open_known().await;
    mailbox.push(Frame::text("before")).expect("room");
    mailbox.close(CloseCode::Revoked);
    assert_eq!(raw.next_text().await, "before");
    assert_eq!(soon(raw.next()).await, Got::Close(4502, "revoked".into()));
    assert!(!edge.closed().await, "the session hears of it before the peer has answered");
    raw.text("echo:too late").await;
    let (got, passed_ms) = edge.pass_until(500, raw.next()).await;
    assert!(matches!(got, Got::End | Got::Reset));
    assert!((2_500..5_000).contains(&passed_ms), "after {passed_ms} ms");
    edge.stop().await;
}

#[tokio::test]
async fn the_session_can_close_and_its_panic_ends_one_connection_only() {
    let mut edge = Edge::start().await;
    let (mut raw, _) = edge.open_known().await;
    raw.text("refuse").await;
    assert_eq!(soon(raw.next()).await, Got::Close(CloseCode::BadRequest.code(), "bad_request".into()));
    raw.send(&frame(0x88, &1000u16.to_be_bytes())).await;
    assert_eq!(soon(raw.next()).await, Got::End);
    assert!(!edge.closed().await);
    let (mut raw, mailbox) = edge.open_known().await;
    raw.text("panic").await;
    assert!(matches!(soon(raw.next()).await, Got::End | Got::Reset));
    assert!(!edge.closed().await, "the hub is told even so");
    assert!(mailbox.is_closed());
    edge.serves_others().await;
    edge.stop().await;
}

#[tokio::test]
async fn a_wake_reaches_the_session_and_slots_reach_the_peer() {
    let mut edge = Edge::start().await;
    let (mut raw, mailbox) = edge.open_known().await;
    mailbox.wake();
    assert!(matches!(edge.next().await, Happened::Woken));
    for number in 0..10 {
        mailbox.push_slot(SlotKey::of(&"cursor"), Frame::text(format!("at {number}")));
    }
    mailbox.flush();
    assert_eq!(raw.next_text().await, "at 9");
    edge.stop().await;
}

#[tokio::test]
async fn many_messages_in_one_segment_are_heard_one_by_one_and_large_ones_whole() {
    let mut edge = Edge::start().await;
    let (mut raw, _) = edge.open_known().await;
    let mut bytes = Vec::new();
    for number in 0..500 {
        bytes.extend(frame(0x81, format!("echo:{number}").as_bytes()));
    }
    let large = "y".repeat(64 * 1024 - 5);
    bytes.extend(frame(0x81, format!("echo:{large}").as_bytes()));
    bytes.extend(frame(0x82, b"binary"));
    let mut sender = Raw::<TcpStream>::open(edge.address).await;
    sender.send(&frame(0x81, b"hello")).await;
    raw.send(&bytes).await;
    for number in 0..500 {
        assert_eq!(raw.next_text().await, number.to_string());
    }
    assert_eq!(raw.next_text().await, large);
    let binary = async {
        loop {
            if let Happened::Binary(bytes) = edge.next().await {
                return bytes;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, binary).await.expect("heard"), b"binary");
    edge.stop().await;
}

#[tokio::test]
async fn a_flood_of_tiny_messages_leaves_others_their_turn() {
    let mut edge = Edge::start().await;
    let (raw, _) = edge.open_known().await;
    let (mut neighbour, _) = edge.open_known().await;
    // Both are in the kernel before the server, which shares this thread, has its turn.
    let many = frame(0x81, b"x").repeat(10_000);
    let sent = raw.stream.try_write(&many).expect("the kernel takes some") / 7;
    assert!(sent > 2_000, "only {sent} messages fit");
    neighbour.stream.try_write(&frame(0x81, b"echo:me too")).expect("the kernel takes it");
    assert_eq!(neighbour.next_text().await, "me too");
    let heard = std::iter::from_fn(|| edge.happened.try_recv().ok()).count();
    assert!(heard < sent / 2, "{heard} of {sent} were handled first");
    edge.stop().await;
}

/// Bytes that this process occupies.
#[cfg(target_os = "linux")]
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages: usize = status.split(' ').nth(1).expect("a field").parse().expect("a number");
    pages * 4096
}

/// Measured in a process of its own, since tests that run beside this one allocate too.
#[cfg(target_os = "linux")]
#[test]
fn hundreds_of_declared_lengths_cost_nothing() {
    const NAME: &str = "frames::hundreds_of_declared_lengths_cost_nothing";
    const ALONE: &str = "STOA_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        return runtime.block_on(declare_lengths());
    }
    let this = std::env::current_exe().expect("the test binary");
    let child = std::process::Command::new(this).args(["--exact", NAME]).env(ALONE, "1").output().expect("run");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}

#[cfg(target_os = "linux")]
async fn declare_lengths() {
    const PEERS: usize = 400;
    let limits = Limits { strangers_per_address: 1_000, ..Limits::default() };
    let mut edge = Edge::start_with(Setup { limits, ..Setup::default() }).await;
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        peers.push(edge.open_known().await.0);
    }
    let before = resident_bytes();
    for raw in &mut peers {
        // A whole text, so that it is known when the server has come to the header behind it.
        raw.send(&[frame(0x81, b"echo:x"), frame(0x81, &[b'x'; 64 * 1024])[..20].to_vec()].concat()).await;
        assert_eq!(raw.next_text().await, "x");
    }
    let grown = resident_bytes().saturating_sub(before);
    // Reserved, it would be 25 MiB. What the clients of this test keep is counted too.
    assert!(grown < PEERS * 8 * 1024, "{grown} bytes for {PEERS} headers");
    edge.stop().await;
}
