use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use queue::SLOTS;
use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};

fn text(frame: &str) -> Frame {
    Frame::text(frame)
}

fn kib(count: usize) -> Frame {
    Frame::text(vec![b'x'; count * 1024])
}

#[test]
fn what_is_pushed_leaves_in_order_and_slots_leave_last() {
    let (mailbox, sink) = Mailbox::for_test();
    mailbox.push_slot(SlotKey::of(&"typing"), text("typing 1"));
    mailbox.push(text("event 1")).expect("room");
    mailbox.push_reply(text("reply 1")).expect("room");
    mailbox.push_slot(SlotKey::of(&"typing"), text("typing 2"));
    mailbox.push(text("event 2")).expect("room");
    assert!(sink.take().is_empty(), "a push alone writes nothing");
    mailbox.flush();
    assert_eq!(sink.take(), ["event 1", "reply 1", "event 2", "typing 2"]);
    assert_eq!(mailbox.queued_bytes(), 0);
}

#[test]
fn a_full_mailbox_refuses_events_keeps_a_reserve_for_replies_and_tells_when_there_is_room() {
    let (mailbox, sink) = Mailbox::for_test();
    sink.block();
    let mut accepted = 0;
    while mailbox.push(kib(1)).is_ok() {
        accepted += 1;
    }
    assert_eq!(accepted, 255, "256 KiB with 4 bytes of header each");
    assert_eq!(mailbox.push(kib(1)), Err(Full));
    mailbox.push_reply(text("overloaded")).expect("the reserve is for replies");
    while mailbox.push_reply(kib(1)).is_ok() {
        accepted += 1;
    }
    assert!(mailbox.queued_bytes() <= 384 * 1024);
    assert!(!sink.take_woken());
    sink.unblock();
    assert!(sink.take_woken(), "a refused push is followed by a wake when there is room");
    assert!(!sink.take_woken(), "told once");
    assert_eq!(sink.take().len(), accepted + 1);
    mailbox.push(text("again")).expect("room again");
}

#[test]
fn an_empty_mailbox_takes_one_frame_of_any_size() {
    let (mailbox, sink) = Mailbox::for_test();
    mailbox.push(kib(1024)).expect("it is empty");
    assert_eq!(mailbox.push(text("x")), Err(Full));
    mailbox.flush();
    assert_eq!(sink.take().len(), 1);
    assert!(sink.take_woken());
}

#[test]
fn slots_are_dropped_before_an_event_is_refused() {
    let (mailbox, sink) = Mailbox::for_test();
    mailbox.push(kib(200)).expect("room");
    mailbox.push_slot(SlotKey::of(&1), kib(50));
    mailbox.push_slot(SlotKey::of(&2), kib(50));
    assert_eq!(mailbox.queued_bytes(), 250 * 1024 + 10 + 4, "the second slot does not fit and is dropped");
    mailbox.push(kib(40)).expect("the slot makes room");
    mailbox.flush();
    assert_eq!(sink.take().iter().map(String::len).collect::<Vec<_>>(), [200 * 1024, 40 * 1024]);
}

#[test]
fn slots_are_bounded_in_number_and_the_oldest_goes_first() {
    let (mailbox, sink) = Mailbox::for_test();
    for key in 0..SLOTS + 3 {
        mailbox.push_slot(SlotKey::of(&key), text(&key.to_string()));
    }
    mailbox.flush();
    let sent = sink.take();
    assert_eq!(sent.len(), SLOTS);
    assert_eq!(sent[0], "3");
}

#[test]
fn the_close_frame_goes_last_and_nothing_is_taken_behind_it() {
    let (mailbox, sink) = Mailbox::for_test();
    mailbox.push(text("before")).expect("room");
    mailbox.close(CloseCode::Replaced);
    mailbox.push(text("after")).expect("a closed mailbox takes and drops");
    mailbox.push_slot(SlotKey::of(&1), text("slot"));
    mailbox.close(CloseCode::GoingAway);
    mailbox.flush();
    assert_eq!(sink.take(), ["before"]);
    assert_eq!(sink.close_code(), Some(4505), "the first close counts");
    assert!(mailbox.is_closed());
    assert_eq!(mailbox.queued_bytes(), 0);
}

#[test]
fn giving_up_a_peer_that_does_not_read_keeps_only_the_frame_that_was_begun() {
    let mut queue = Queue::new(Sink::Test(Arc::default()));
    for name in ["one", "two", "three"] {
        queue.push(text(name).into_bytes(), 1000).0.expect("room");
    }
    let batch = queue.take(false).expect("frames wait");
    // Three bytes of the first frame are out when the socket refuses.
    queue.put_back(batch, Ok(3), 0);
    assert!(queue.close(Frame::close(4001, "").into_bytes(), true).is_none());
    let batch = queue.take(true).expect("the rest and the close frame");
    let rest = batch.with_slices(|slices| {
        assert_eq!(slices.len(), 2);
        assert_eq!(&slices[0][..], b"ne");
        assert_eq!(slices[1][0], 0x88);
        Ok(slices.iter().map(|slice| slice.len()).sum())
    });
    queue.put_back(batch, rest, 0);
    assert_eq!(queue.bytes(), 0);
}

#[test]
fn a_frame_pushed_while_somebody_writes_is_written_by_that_writer() {
    let mut queue = Queue::new(Sink::Test(Arc::default()));
    queue.push(text("one").into_bytes(), 1000).0.expect("room");
    let batch = queue.take(false).expect("a frame waits");
    queue.push(text("two").into_bytes(), 1000).0.expect("room");
    assert!(queue.take(false).is_none(), "one writer at a time");
    let (more, _) = queue.put_back(batch, Ok(5), 0);
    assert!(more, "the writer is told to go on");
}

/// A step of the random test.
#[derive(Debug, Clone)]
enum Step {
    Push(usize),
    Slot(u8, usize),
    /// Take, push this many frames meanwhile, then so many bytes were sent; `None` is a socket that refuses.
    Write(usize, Option<usize>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..200).prop_map(Step::Push),
        (0u8..5, 0usize..200).prop_map(|(key, length)| Step::Slot(key, length)),
        (0usize..3, proptest::option::of(1usize..600)).prop_map(|(pushes, sent)| Step::Write(pushes, sent)),
    ]
}

/// What the peer gets, byte by byte, and what it must get.
struct Model {
    queue: Queue,
    wire: Vec<u8>,
    next: usize,
    pushed: Vec<usize>,
    newest: BTreeMap<u8, usize>,
}

impl Model {
    fn new() -> Self {
        let queue = Queue::new(Sink::Test(Arc::default()));
        Self { queue, wire: Vec::new(), next: 0, pushed: Vec::new(), newest: BTreeMap::new() }
    }

    /// A frame that names itself: a number, and for slots its key.
    fn frame(&mut self, kind: &str, length: usize) -> (usize, Bytes) {
        self.next += 1;
        (self.next, Frame::text(format!("{kind} {} {}", self.next, "x".repeat(length))).into_bytes())
    }

    fn push(&mut self, length: usize) {
        let (number, frame) = self.frame("event", length);
        if self.queue.push(frame, 4096).0.is_ok() {
            self.pushed.push(number);
        }
    }

    fn write(&mut self, by_task: bool, pushes: usize, sent: Option<usize>) {
        let Some(batch) = self.queue.take(by_task) else { return };
        for _ in 0..pushes {
            self.push(10);
        }
        let wire = &mut self.wire;
        let outcome = batch.with_slices(|slices| {
            let Some(sent) = sent else { return Err(io::ErrorKind::WouldBlock.into()) };
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            let sent = sent.min(all.len());
            wire.extend_from_slice(&all[..sent]);
            Ok(sent)
        });
        self.queue.put_back(batch, outcome, 1024);
        self.queue.check_invariants();
    }
}

proptest! {
    #[test]
    fn whatever_the_socket_takes_frames_leave_whole_in_order_and_once(steps in proptest::collection::vec(step(), 1..80)) {
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Push(length) => model.push(length),
                Step::Slot(key, length) => {
                    let (number, frame) = model.frame(&format!("slot{key}"), length);
                    model.queue.push_slot(SlotKey::of(&key), frame, 1 << 20);
                    model.newest.insert(key, number);
                }
                Step::Write(pushes, sent) => model.write(true, pushes, sent),
            }
            model.queue.check_invariants();
        }
        while model.queue.bytes() > 0 {
            model.write(true, 0, Some(1000));
        }
        let mut wire = Bytes::from(model.wire);
        let mut events = Vec::new();
        let mut slots = BTreeMap::new();
        while let Some(frame) = Frame::split_from(&mut wire) {
            let payload = String::from_utf8(frame.payload().to_vec()).expect("whole frames");
            let mut words = payload.split(' ');
            let kind = words.next().expect("kind");
            let number: usize = words.next().expect("number").parse().expect("a number");
            if let Some(key) = kind.strip_prefix("slot") {
                slots.insert(key.parse::<u8>().expect("a key"), number);
            } else {
                events.push(number);
            }
        }
        prop_assert!(wire.is_empty());
        prop_assert_eq!(events, model.pushed);
        // A push that found no room may have dropped slots; what was sent last is never older than what was sent.
        for (key, number) in slots {
            prop_assert!(model.newest[&key] >= number);
        }
    }
}

/// Runs what a connection's task does for its mailbox until it is closed and drained.
async fn write_until_drained(mailbox: &Mailbox, socket: &TcpStream, woken: &AtomicUsize) {
    poll_fn(|cx| {
        loop {
            let duties = mailbox.duties(cx.waker());
            if duties.woken && mailbox.take_woken() {
                woken.fetch_add(1, Ordering::Relaxed);
            }
            if duties.end == End::Broken || (duties.end == End::Closing && duties.idle) {
                return Poll::Ready(());
            }
            if !duties.write || socket.poll_write_ready(cx).is_pending() {
                return Poll::Pending;
            }
            mailbox.write_ready();
        }
    })
    .await;
}

/// Threads that push as fast as they can and flush after each, as rooms do, against a peer that reads in small
/// pieces: everything accepted arrives once, in each thread's order, and the end is reached, so no wake-up is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_and_a_slow_reader_keep_order_and_lose_nothing() {
    const THREADS: usize = 4;
    const FRAMES: usize = 5_000;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut peer = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("accepted");
    let (socket, _) = listener.accept().await.expect("a peer");
    let (socket, write) = socket.into_split();
    let mailbox = Mailbox::of_socket(Arc::new(write), Bounds::default());
    let woken = Arc::new(AtomicUsize::new(0));
    let refused = Arc::new(AtomicBool::new(false));

    let task = tokio::spawn({
        let (mailbox, woken) = (mailbox.clone(), woken.clone());
        async move {
            write_until_drained(&mailbox, socket.as_ref(), &woken).await;
        }
    });
    let pushers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (mailbox, refused) = (mailbox.clone(), refused.clone());
            std::thread::spawn(move || {
                for number in 0..FRAMES {
                    let frame = Frame::text(format!("{thread} {number} {}", "x".repeat(number % 700)));
                    while mailbox.push(frame.clone()).is_err() {
                        refused.store(true, Ordering::Relaxed);
                        std::thread::yield_now();
                    }
                    mailbox.flush();
                }
            })
        })
        .collect();
    let reader = tokio::spawn(async move {
        let mut wire = bytes::BytesMut::new();
        let mut next = [0usize; THREADS];
        let mut piece = vec![0; 1500];
        loop {
            let count = peer.read(&mut piece).await.expect("readable");
            assert!(count > 0, "the close frame comes before the end");
            wire.extend_from_slice(&piece[..count]);
            let mut whole = wire.split().freeze();
            while let Some(frame) = Frame::split_from(&mut whole) {
                if frame.close_code().is_some() {
                    return next;
                }
                let payload = String::from_utf8(frame.payload().to_vec()).expect("whole frames");
                let mut words = payload.split(' ').map(|word| word.parse::<usize>());
                let thread = words.next().expect("thread").expect("a number");
                let number = words.next().expect("number").expect("a number");
                assert_eq!(number, next[thread], "order of thread {thread}");
                next[thread] += 1;
            }
            wire = bytes::BytesMut::from(&whole[..]);
        }
    });
    tokio::task::spawn_blocking(|| pushers.into_iter().for_each(|pusher| pusher.join().expect("pushed all")))
        .await
        .expect("joined");
    mailbox.close(CloseCode::GoingAway);
    assert_eq!(reader.await.expect("read all"), [FRAMES; THREADS]);
    task.await.expect("drained");
    assert_eq!(mailbox.queued_bytes(), 0);
    assert!(!refused.load(Ordering::Relaxed) || woken.load(Ordering::Relaxed) > 0, "refused, but never told of room");
}
