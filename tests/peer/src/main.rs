//! `stoa-peer`: a participant without a browser, for tests and for trying a deployment out. It tells what happens as
//! JSON, one object a line, answers every word on the data channel with the same word, and ends when its standard input
//! does.

use anyhow::Context;
use clap::Parser;
use serde_json::json;
use stoa_peer::{Options, Peer, Report};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[derive(Debug, Parser)]
#[command(name = "stoa-peer", version, about = "Takes part in a call without a browser.")]
struct Flags {
    /// The server: host and port, without TLS
    #[arg(long, value_name = "HOST:PORT")]
    server: String,
    /// The variable that holds the token; flags show in the process list
    #[arg(long, value_name = "NAME", default_value = "STOA_PEER_TOKEN")]
    token_variable: String,
    /// The room
    #[arg(long)]
    room: String,
    /// Start a call where none runs, instead of waiting for one
    #[arg(long)]
    start: bool,
    /// The address for media
    #[arg(long, value_name = "HOST:PORT", default_value = "0.0.0.0:0")]
    local: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let name = &flags.token_variable;
    let token = std::env::var(name).with_context(|| format!("{name} holds no token"))?;
    let (server, room, start, local) = (flags.server, flags.room.parse()?, flags.start, flags.local);
    let mut peer = Peer::join(Options { server, token, room, start, local }).await?;
    let mut orders = BufReader::new(stdin()).lines();
    loop {
        tokio::select! {
            report = peer.next() => {
                let report = report?;
                println!("{}", line(&report));
                if let Report::Words { words, .. } = &report {
                    peer.say(words).await;
                }
            }
            order = orders.next_line() => match order?.as_deref() {
                None | Some("leave") => return peer.leave().await,
                Some("cut") => peer.cut().await,
                Some("renegotiate") => peer.renegotiate(false).await,
                Some("relink") => peer.relink().await,
                Some("restart") => peer.renegotiate(true).await,
                Some(words) => peer.say(words).await,
            }
        }
    }
}

fn line(report: &Report) -> serde_json::Value {
    match report {
        Report::Joined { call, session } => json!({"kind": "joined", "call": call, "session": session}),
        Report::Linked { link, epoch, polite } => {
            json!({"kind": "linked", "link": link, "epoch": epoch, "polite": polite})
        }
        Report::Up { link } => json!({"kind": "up", "link": link}),
        Report::Words { link, words } => json!({"kind": "words", "link": link, "words": words}),
        Report::Open { link } => json!({"kind": "open", "link": link}),
        Report::Packets { link, video, audio } => {
            json!({"kind": "packets", "link": link, "video": video, "audio": audio})
        }
        Report::Settled { link } => json!({"kind": "settled", "link": link}),
        Report::Unlinked { link } => json!({"kind": "unlinked", "link": link}),
        Report::Back => json!({"kind": "back"}),
        Report::Over => json!({"kind": "over"}),
    }
}
