//! One task over the socket, the links, and what the participant is told to do.

use crate::{
    handle::{Options, Order, REPORTS, Report},
    link::{Happened, Link, Network, Reported, is_up},
    media::{CAMERA, MICROPHONE},
    socket::{self, Commands, Frames},
};
use anyhow::{Context, bail};
use std::{collections::HashMap, time::Duration};
use stoa_protocol::{
    CallConfirm, CallEvent, CallJoin, CallLeave, CallLinkId, CallNow, CallPlace, CallRelink, CallReply, CallSignal,
    CallStart, CallTracks, Command, Control, Cursor, IceServers, Key, LinkEnd, Opened, Reply, RoomEventBody, RoomOpen,
    Seq, ServerFrame, SessionId, SessionResume, Track, TrackId, TrackSource, Welcome,
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};

/// What is unconfirmed is said again after so long.
const RESEND: Duration = Duration::from_secs(2);
/// Between two attempts to reach the server again.
const REDIAL: Duration = Duration::from_millis(200);
/// Attempts, after which the server is taken to be gone for good: some 20 s.
const REDIALS: u32 = 100;

/// What was heard of a link's media.
#[derive(Debug, Default, Clone, Copy)]
struct Heard {
    video: u64,
    audio: u64,
}

/// The participant itself.
pub struct Participant {
    options: Options,
    device: String,
    commands: Commands,
    frames: Option<Frames>,
    session: SessionResume,
    cursor: Option<Cursor>,
    call: Option<Seq>,
    is_in: bool,
    ice: IceServers,
    links: HashMap<CallLinkId, Link>,
    heard: HashMap<CallLinkId, Heard>,
    happenings: (mpsc::Sender<Reported>, mpsc::Receiver<Reported>),
    reports: mpsc::Sender<Report>,
    /// Links whose settling is to be told.
    watched: Vec<CallLinkId>,
    /// The id of the command whose answer may fail without harm: it crossed with the end of a call.
    last_key: u64,
}

fn resume(welcome: &Welcome) -> SessionResume {
    SessionResume { id: welcome.session.clone(), secret: welcome.secret.clone() }
}

fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // The standard library seeds every such state from the system's randomness.
    RandomState::new().build_hasher().finish()
}

impl Participant {
    pub async fn connect(options: Options, reports: mpsc::Sender<Report>) -> anyhow::Result<Self> {
        let device = format!("peer-{:016x}", random());
        let (commands, frames, welcome) = socket::connect(&options.server, &options.token, &device, None).await?;
        let mut participant = Self {
            options,
            device,
            commands,
            frames: Some(frames),
            session: resume(&welcome),
            cursor: None,
            call: None,
            is_in: false,
            ice: IceServers::default(),
            links: HashMap::new(),
            heard: HashMap::new(),
            happenings: mpsc::channel(REPORTS),
            reports,
            watched: vec![],
            last_key: random(),
        };
        participant.open().await?;
        Ok(participant)
    }

    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) -> anyhow::Result<()> {
        let mut resend = interval(RESEND);
        resend.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let Some(mut frames) = self.frames.take() else {
                self.redial().await?;
                continue;
            };
            tokio::select! {
                frame = socket::next(&mut frames) => {
                    // A socket that broke is a socket that ended.
                    if let Ok(Some(frame)) = frame {
                        self.frames = Some(frames);
                        self.frame(frame).await?;
                    }
                }
                Some(reported) = self.happenings.1.recv() => {
                    self.frames = Some(frames);
                    self.happened(reported).await?;
                }
                order = orders.recv() => match order {
                    Some(Order::Cut) => {}
                    Some(Order::Leave) | None => return self.leave().await,
                    Some(Order::Say(words)) => {
                        self.frames = Some(frames);
                        for link in self.links.values() {
                            link.say(&words).await?;
                        }
                    }
                    Some(Order::Relink) => {
                        self.frames = Some(frames);
                        self.relink().await?;
                    }
                    Some(Order::Renegotiate { restart }) => {
                        self.frames = Some(frames);
                        self.watched = self.links.keys().cloned().collect();
                        for link in self.links.values_mut() {
                            link.renegotiate(restart).await?;
                        }
                    }
                },
                _ = resend.tick() => {
                    self.frames = Some(frames);
                    self.send_again().await;
                }
            }
            self.settle().await?;
        }
    }

    async fn tell(&self, report: Report) {
        // Nobody listens while the participant leaves.
        let _ = self.reports.send(report).await;
    }

    fn key(&mut self) -> Key {
        self.last_key = self.last_key.wrapping_add(1);
        Key::new(format!("{}-{:x}", self.device, self.last_key)).expect("letters, digits and dashes")
    }

    async fn open(&mut self) -> anyhow::Result<()> {
        let open = RoomOpen { room: self.options.room.clone(), since: self.cursor.clone() };
        self.commands.send(Command::RoomOpen(open)).await?;
        Ok(())
    }

    /// Asks for the next epoch of every link; the reply or the server's word to both ends makes it.
    async fn relink(&mut self) -> anyhow::Result<()> {
        let Some(call) = self.call else { return Ok(()) };
        let links: Vec<_> = self.links.iter().map(|(id, link)| (id.clone(), link.epoch)).collect();
        for (link, epoch) in links {
            let room = self.options.room.clone();
            self.commands.send(Command::CallRelink(CallRelink { room, call, link, epoch })).await?;
        }
        Ok(())
    }

    /// Reaches the server again, as the same session.
    async fn redial(&mut self) -> anyhow::Result<()> {
        for _ in 0..REDIALS {
            let options = &self.options;
            let session = Some(self.session.clone());
            match socket::connect(&options.server, &options.token, &self.device, session).await {
                Ok((commands, frames, welcome)) => {
                    (self.commands, self.frames) = (commands, Some(frames));
                    self.session = resume(&welcome);
                    self.open().await?;
                    self.send_again().await;
                    self.tell(Report::Back).await;
                    return Ok(());
                }
                Err(_) => sleep(REDIAL).await,
            }
        }
        bail!("the server is gone")
    }

    /// Says again what was not confirmed; a socket that breaks meanwhile is noticed by who reads.
    async fn send_again(&mut self) {
        let again: Vec<_> = self
            .links
            .iter()
            .flat_map(|(id, link)| link.outgoing.unconfirmed().map(move |(n, _)| (id.clone(), *n)))
            .collect();
        for (link, n) in again {
            if self.send_signal(&link, n).await.is_err() {
                return;
            }
        }
    }

    async fn send_signal(&mut self, id: &CallLinkId, n: u32) -> anyhow::Result<()> {
        let (Some(call), Some(link)) = (self.call, self.links.get(id)) else { return Ok(()) };
        let Some((_, signal)) = link.outgoing.unconfirmed().find(|(number, _)| *number == n) else { return Ok(()) };
        let (room, link_id) = (self.options.room.clone(), id.clone());
        let signal = CallSignal { room, call, link: link_id, epoch: link.epoch, n, signal: signal.clone() };
        self.commands.send(Command::CallSignal(signal)).await?;
        Ok(())
    }

    async fn frame(&mut self, frame: ServerFrame) -> anyhow::Result<()> {
        match frame {
            ServerFrame::Room(event) => {
                if let Some(cursor) = &mut self.cursor {
                    cursor.seq = cursor.seq.max(event.seq);
                }
                match &event.body {
                    RoomEventBody::Call(body) => self.call_event(event.seq, body).await,
                    _ => Ok(()),
                }
            }
            ServerFrame::User(_) | ServerFrame::Document(_) => Ok(()),
            ServerFrame::Control(control) => self.control(*control).await,
        }
    }

    async fn control(&mut self, control: Control) -> anyhow::Result<()> {
        match control {
            Control::Ack(ack) => match ack.result {
                Some(Reply::Opened(opened)) => self.opened(*opened).await,
                Some(Reply::Call(reply)) => self.placed(*reply).await,
                Some(Reply::Link(link)) => self.link(link).await,
                Some(_) | None => Ok(()),
            },
            Control::RoomReset(opened) => self.opened(*opened).await,
            Control::CallLink { call, link, .. } if self.call == Some(call) => self.link(link).await,
            Control::CallUnlinked { link, .. } => self.unlink(&link).await,
            Control::CallSignal(signal) => self.signal(*signal).await,
            Control::CallConfirmed { link, epoch, n, .. } => {
                if let Some(link) = self.links.get_mut(&link).filter(|link| link.epoch == epoch) {
                    link.outgoing.confirmed(n);
                }
                Ok(())
            }
            // What ends in one of these codes passes by itself: the call is over or the epoch is old, or it is said
            // again.
            Control::Error(error) => match error.fault.code {
                stoa_protocol::ErrorCode::NotFound
                | stoa_protocol::ErrorCode::Conflict
                | stoa_protocol::ErrorCode::RateLimited
                | stoa_protocol::ErrorCode::Unavailable
                | stoa_protocol::ErrorCode::Overloaded => Ok(()),
                _ => bail!("refused: {}", error.fault),
            },
            _ => Ok(()),
        }
    }

    async fn opened(&mut self, opened: Opened) -> anyhow::Result<()> {
        self.cursor = Some(Cursor { epoch: opened.epoch, seq: opened.seq });
        let call = opened.call.or_else(|| opened.snapshot.and_then(|snapshot| snapshot.call));
        match call {
            Some(call) if call.participants.iter().any(|one| one.session == self.session.id) => self.whole(*call).await,
            Some(call) => self.join(call.call).await,
            None if self.options.start && !self.is_in => {
                let (room, key) = (self.options.room.clone(), self.key());
                let start =
                    CallStart { room, key, media: Default::default(), ring: vec![], ring_all: false, lobby: false };
                self.commands.send(Command::CallStart(start)).await?;
                Ok(())
            }
            None => self.over().await,
        }
    }

    async fn join(&mut self, call: Seq) -> anyhow::Result<()> {
        let join = CallJoin { room: self.options.room.clone(), key: self.key(), call };
        self.commands.send(Command::CallJoin(join)).await?;
        Ok(())
    }

    async fn placed(&mut self, reply: CallReply) -> anyhow::Result<()> {
        if let Some(ice) = reply.ice {
            self.ice = ice;
        }
        match (reply.place, reply.call) {
            (CallPlace::In, Some(call)) => {
                let tracks = [(CAMERA, TrackSource::Camera), (MICROPHONE, TrackSource::Microphone)]
                    .map(|(id, source)| TrackId::new(id).map(|track| Track { track, source, muted: false }));
                let tracks = tracks.into_iter().collect::<Result<_, _>>()?;
                let (room, number) = (self.options.room.clone(), call.call);
                self.commands.send(Command::CallTracks(CallTracks { room, call: number, tracks })).await?;
                self.whole(*call).await
            }
            (CallPlace::Waiting, _) => Ok(()),
            (CallPlace::In | CallPlace::Out, _) => self.over().await,
        }
    }

    /// The whole call: links that it does not list are no more.
    async fn whole(&mut self, call: CallNow) -> anyhow::Result<()> {
        if !self.is_in || self.call != Some(call.call) {
            let session = self.session.id.as_str().to_owned();
            (self.is_in, self.call) = (true, Some(call.call));
            self.tell(Report::Joined { call: call.call.value(), session }).await;
        }
        let gone: Vec<_> = self.links.keys().filter(|id| !call.links.iter().any(|l| l.link == **id)).cloned().collect();
        for id in gone {
            self.unlink(&id).await?;
        }
        for link in call.links {
            self.link(link).await?;
        }
        Ok(())
    }

    async fn call_event(&mut self, seq: Seq, event: &CallEvent) -> anyhow::Result<()> {
        match event {
            CallEvent::Started(_) if !self.is_in && !self.options.start => self.join(seq).await,
            CallEvent::Ended { call, .. } if self.call == Some(*call) => self.over().await,
            CallEvent::Left { session, .. } if *session == self.session.id => self.over().await,
            CallEvent::Admitted { call, .. } if !self.is_in => self.join(*call).await,
            _ => Ok(()),
        }
    }

    async fn over(&mut self) -> anyhow::Result<()> {
        for id in self.links.keys().cloned().collect::<Vec<_>>() {
            self.unlink(&id).await?;
        }
        self.call = None;
        if std::mem::take(&mut self.is_in) {
            self.tell(Report::Over).await;
        }
        Ok(())
    }

    /// A link is there: a higher epoch than the known one is another connection.
    async fn link(&mut self, link: stoa_protocol::CallLink) -> anyhow::Result<()> {
        if self.links.get(&link.link).is_some_and(|known| known.epoch >= link.epoch) {
            return Ok(());
        }
        self.unlink(&link.link).await?;
        let polite = link.polite == self.end();
        let network = Network { local: self.options.local.clone(), ice: self.ice.clone() };
        // SSRCs are numbers of the sender's choosing (RFC 3550, section 8).
        let ssrc = (random() as u32) | 1;
        let made = Link::new(link.link.clone(), link.epoch, polite, &network, ssrc, self.happenings.0.clone()).await?;
        self.tell(Report::Linked { link: link.link.as_str().into(), epoch: link.epoch, polite }).await;
        self.links.insert(link.link, made);
        Ok(())
    }

    fn end(&self) -> LinkEnd {
        let session: SessionId = self.session.id.clone();
        LinkEnd::Session { session }
    }

    async fn unlink(&mut self, id: &CallLinkId) -> anyhow::Result<()> {
        self.heard.remove(id);
        if let Some(link) = self.links.remove(id) {
            link.close().await;
            self.tell(Report::Unlinked { link: id.as_str().into() }).await;
        }
        Ok(())
    }

    async fn signal(&mut self, signal: CallSignal) -> anyhow::Result<()> {
        let CallSignal { room, call, link: id, epoch, n, signal } = signal;
        let Some(link) = self.links.get_mut(&id).filter(|link| link.epoch == epoch) else { return Ok(()) };
        let before: Vec<u32> = link.outgoing.unconfirmed().map(|(n, _)| *n).collect();
        let first = link.incoming.handled() + 1;
        for (signal, n) in link.incoming.came(n, signal).into_iter().zip(first..) {
            link.handle(n, signal).await.with_context(|| format!("signal {n} of link {}", id.as_str()))?;
        }
        let handled = link.incoming.handled();
        let new: Vec<u32> = link.outgoing.unconfirmed().map(|(n, _)| *n).filter(|n| !before.contains(n)).collect();
        self.commands
            .send(Command::CallConfirm(CallConfirm { room, call, link: id.clone(), epoch, n: handled }))
            .await?;
        for n in new {
            self.send_signal(&id, n).await?;
        }
        Ok(())
    }

    async fn happened(&mut self, (id, epoch, happened): Reported) -> anyhow::Result<()> {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.epoch == epoch) else { return Ok(()) };
        let name = id.as_str().to_owned();
        match happened {
            Happened::Candidate(candidate) => {
                let signal = match candidate {
                    Some(init) => stoa_protocol::Signal::Candidate {
                        candidate: init.candidate,
                        mid: init.sdp_mid,
                        mline: init.sdp_mline_index.map(u32::from),
                        ufrag: init.username_fragment,
                    },
                    None => {
                        let candidate = String::new();
                        stoa_protocol::Signal::Candidate { candidate, mid: None, mline: None, ufrag: None }
                    }
                };
                let n = link.outgoing.say(signal);
                self.send_signal(&id, n).await
            }
            Happened::State(state) if is_up(state) => {
                link.connected().await?;
                self.tell(Report::Up { link: name }).await;
                Ok(())
            }
            Happened::State(_) => Ok(()),
            Happened::Channel(channel) => {
                link.channel(channel);
                Ok(())
            }
            Happened::Words(words) => {
                self.tell(Report::Words { link: name, words }).await;
                Ok(())
            }
            Happened::Open => {
                self.tell(Report::Open { link: name }).await;
                Ok(())
            }
            Happened::Packet { video } => {
                let heard = self.heard.entry(id).or_default();
                *(if video { &mut heard.video } else { &mut heard.audio }) += 1;
                let Heard { video, audio } = *heard;
                if (video + audio) % 10 == 0 {
                    self.tell(Report::Packets { link: name, video, audio }).await;
                }
                Ok(())
            }
        }
    }

    /// Makes the offers that may be made now, and tells which links have settled.
    async fn settle(&mut self) -> anyhow::Result<()> {
        for id in self.links.keys().cloned().collect::<Vec<_>>() {
            let Some(link) = self.links.get_mut(&id) else { continue };
            if let Some(n) = link.offer().await? {
                self.send_signal(&id, n).await?;
            }
        }
        for id in std::mem::take(&mut self.watched) {
            match self.links.get(&id) {
                Some(link) if link.is_settled().await => self.tell(Report::Settled { link: id.as_str().into() }).await,
                Some(_) => self.watched.push(id),
                None => {}
            }
        }
        Ok(())
    }

    async fn leave(mut self) -> anyhow::Result<()> {
        if let Some(call) = self.call {
            let leave = CallLeave { room: self.options.room.clone(), key: self.key(), call };
            self.commands.send(Command::CallLeave(leave)).await?;
        }
        for link in self.links.values() {
            link.close().await;
        }
        Ok(())
    }
}
