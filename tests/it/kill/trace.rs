//! The order of system calls: the commit is on disk before its acknowledgement is written to the socket.

use crate::harness::{Backend, Setup, commands, room, within};
use std::path::Path;
use stoa_protocol::{Command, RoomKind};

/// Messages of one run.
const MESSAGES: u64 = 20;

/// A run under strace; what is wrong with the order of its system calls.
pub async fn run(setup: Setup) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("trace");
    let path = file.to_str().expect("UTF-8").to_owned();
    // -D keeps the server our own child, so that it can be stopped; -y names the files behind the numbers.
    let calls = "trace=pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg";
    let setup = setup.through(&["strace", "-D", "-f", "-y", "-s", "1048576", "-e", calls, "-o", &path]);
    let mut server = setup.start().await;
    let id = room("r");
    let mut ada = server.client("ada").await;
    ada.commit(Command::RoomCreate(commands::create(&id, RoomKind::Group))).await;
    let mut sent = Vec::new();
    for n in 0..MESSAGES {
        let marker = format!("marker{n}remarked");
        let frame = ada.send(commands::say(&id, &marker)).await;
        ada.reply(frame, "chat.send").await.expect("acknowledged");
        sent.push((marker, frame));
    }
    server.stop().await;
    let trace = finished_trace(&file).await;
    sent.iter().filter_map(|(marker, frame)| out_of_order(&trace, marker, *frame)).collect()
}

/// strace writes its last line when the last thread has ended.
async fn finished_trace(file: &Path) -> String {
    let is_end = |line: &str| line.contains("+++ exited with") || line.contains("+++ killed by");
    let read = || std::fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let ends = |text: &str| {
        let process = text.split_whitespace().next().unwrap_or_default().to_owned();
        text.lines().any(|line| line.starts_with(&process) && is_end(line))
    };
    within("the end of the trace", read, async {
        loop {
            let text = read();
            if ends(&text) {
                return text;
            }
            // A file gives no sign when it has grown.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await
}

/// What is wrong with one message: no fsync of the log that begins after its words were written to it and ends before
/// the acknowledgement goes out.
fn out_of_order(trace: &str, marker: &str, frame: u64) -> Option<String> {
    let lines: Vec<&str> = trace.lines().collect();
    let is_wal = |line: &str| line.contains("-wal>");
    let acks = [format!(r#"\"type\":\"ack\",\"id\":{frame},"#), format!(r#"\"type\":\"ack\",\"id\":{frame}}}"#)];
    let Some(ack) = lines.iter().position(|line| acks.iter().any(|ack| line.contains(ack))) else {
        return Some(format!("{marker}: no acknowledgement in the trace"));
    };
    let written = lines.iter().position(|line| line.contains("pwrite64(") && is_wal(line) && line.contains(marker));
    let Some(written) = written.filter(|written| *written < ack) else {
        return Some(format!("{marker}: acknowledged before it was written to the log"));
    };
    let mut syncing: Vec<&str> = Vec::new();
    for line in &lines[written..ack] {
        let thread = line.split_whitespace().next().unwrap_or_default();
        let is_sync = line.contains("fsync(") || line.contains("fdatasync(");
        match () {
            () if is_sync && is_wal(line) && line.ends_with("= 0") => return None,
            () if is_sync && is_wal(line) && line.contains("<unfinished") => syncing.push(thread),
            () if line.contains("sync resumed>") && line.ends_with("= 0") && syncing.contains(&thread) => return None,
            () => {}
        }
    }
    Some(format!("{marker}: acknowledged before the log was synced"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commit_is_synced_to_disk_before_its_acknowledgement_is_written() {
    let wrong = run(Setup::new(Backend::Sqlite)).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_trace_without_the_sync_in_between_is_found() {
    let wal = "5</x/stoa.db-wal>";
    let write = format!(r#"7 pwrite64({wal}, "..m1..", 4096, 0) = 4096"#);
    let sync = format!("7 fdatasync({wal}) = 0");
    let ack = r#"8 write(9<socket:[1]>, "\201\"{\"type\":\"ack\",\"id\":4,\"seq\":3}", 30) = 30"#.to_owned();
    let begin = format!("7 fdatasync({wal} <unfinished ...>");
    let end = "7 <... fdatasync resumed>) = 0".to_owned();
    let check = |lines: &[&String]| {
        let text: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
        out_of_order(&text.join("\n"), "m1", 4)
    };
    assert_eq!(check(&[&write, &sync, &ack]), None);
    assert_eq!(check(&[&write, &begin, &end, &ack]), None);
    assert!(check(&[&write, &ack, &sync]).is_some());
    assert!(check(&[&write, &begin, &ack, &end]).is_some());
    assert!(check(&[&begin, &write, &end, &ack]).is_some());
    assert!(check(&[&ack, &write, &sync]).is_some());
    assert!(check(&[&write, &sync]).is_some());
}
