//! One link: a peer connection in one epoch, and the negotiation on it as docs/protocol.md says.

use crate::{
    media::Media,
    numbers::{Incoming, Outgoing},
    sdp::{Dtls, tracks_of, ufrags, within_offer},
};
use anyhow::Context;
use async_trait::async_trait;
use std::sync::Arc;
use stoa_protocol::{CallLinkId, IceServers, Signal};
use tokio::sync::mpsc;
use webrtc::{
    data_channel::{DataChannel, DataChannelEvent},
    media_stream::track_remote::{TrackRemote, TrackRemoteEvent},
    peer_connection::{
        MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
        RTCIceCandidateInit, RTCIceGatheringState, RTCIceServer, RTCPeerConnectionIceEvent, RTCPeerConnectionState,
        RTCSessionDescription, Registry, register_default_interceptors,
    },
};

/// Candidates that wait for their description; a browser has some tens.
const EARLY_CANDIDATES: usize = 200;

/// What a connection reports, with the link and the epoch that it is of.
pub type Reported = (CallLinkId, u32, Happened);

/// What happened on a connection.
pub enum Happened {
    /// A candidate was found, or no more will be.
    Candidate(Option<RTCIceCandidateInit>),
    /// The connection is up, or down.
    State(RTCPeerConnectionState),
    /// The other end has opened a data channel.
    Channel(Arc<dyn DataChannel>),
    /// Words came over the data channel.
    Words(String),
    /// The data channel can be written to.
    Open,
    /// A packet of media came; whether of pictures.
    Packet {
        /// Of pictures, else of sound.
        video: bool,
    },
}

/// Where links are to listen and what they use.
#[derive(Debug, Clone)]
pub struct Network {
    /// The local address of sockets, with port 0.
    pub local: String,
    /// STUN and TURN.
    pub ice: IceServers,
}

/// One peer connection.
pub struct Link {
    pub epoch: u32,
    is_polite: bool,
    pc: Arc<dyn PeerConnection>,
    media: Media,
    channel: Option<Arc<dyn DataChannel>>,
    reporter: Reporter,
    pub outgoing: Outgoing,
    pub incoming: Incoming,
    /// The number of the own offer that has no answer yet.
    offered: Option<u32>,
    /// The own side wants to negotiate, as soon as it may.
    wants: bool,
    /// Which side of DTLS this end is, once that was agreed on.
    dtls: Option<Dtls>,
    /// The ICE names of the remote description.
    remote: Vec<String>,
    /// Of offers that were passed over: their candidates are too.
    passed_over: Vec<String>,
    early: Vec<RTCIceCandidateInit>,
}

/// Passes on what the connection reports.
struct Reporter {
    link: CallLinkId,
    epoch: u32,
    reports: mpsc::Sender<Reported>,
}

impl Reporter {
    async fn tell(&self, happened: Happened) {
        // The peer is gone: then nobody wants to know.
        let _ = self.reports.send((self.link.clone(), self.epoch, happened)).await;
    }

    fn copy(&self) -> Self {
        Self { link: self.link.clone(), epoch: self.epoch, reports: self.reports.clone() }
    }

    async fn read_channel(self, channel: Arc<dyn DataChannel>) {
        while let Some(event) = channel.poll().await {
            match event {
                DataChannelEvent::OnOpen => self.tell(Happened::Open).await,
                DataChannelEvent::OnMessage(message) => {
                    self.tell(Happened::Words(String::from_utf8_lossy(&message.data).into_owned())).await;
                }
                DataChannelEvent::OnClose => return,
                // The library's own, and open: nothing else matters here.
                _ => {}
            }
        }
    }

    async fn read_track(self, track: Arc<dyn TrackRemote>) {
        let video = track.kind().await == rtc::rtp_transceiver::rtp_sender::RtpCodecKind::Video;
        while let Some(event) = track.poll().await {
            if let TrackRemoteEvent::OnRtpPacket(packet) = event
                && !packet.payload.is_empty()
            {
                self.tell(Happened::Packet { video }).await;
            }
        }
    }
}

#[async_trait]
impl PeerConnectionEventHandler for Reporter {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(candidate) = event.candidate.to_json() {
            self.tell(Happened::Candidate(Some(candidate))).await;
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.tell(Happened::Candidate(None)).await;
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.tell(Happened::State(state)).await;
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        self.tell(Happened::Channel(channel.clone())).await;
        tokio::spawn(self.copy().read_channel(channel));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        tokio::spawn(self.copy().read_track(track));
    }
}

impl Link {
    /// A connection that has not been negotiated. The polite end makes the first offer.
    pub async fn new(
        link: CallLinkId,
        epoch: u32,
        is_polite: bool,
        network: &Network,
        ssrc: u32,
        reports: mpsc::Sender<Reported>,
    ) -> anyhow::Result<Self> {
        let mut engine = MediaEngine::default();
        engine.register_default_codecs()?;
        let registry = register_default_interceptors(Registry::new(), &mut engine)?;
        let reporter = Reporter { link, epoch, reports };
        let own_reporter = reporter.copy();
        let configuration = RTCConfigurationBuilder::new().with_ice_servers(ice_servers(&network.ice)).build();
        let pc = PeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(reporter))
            .with_udp_addrs(vec![network.local.clone()])
            .build()
            .await?;
        let pc: Arc<dyn PeerConnection> = Arc::new(pc);
        let media = Media::add_to(&*pc, ssrc).await?;
        let mut link = Self {
            epoch,
            is_polite,
            pc,
            media,
            channel: None,
            reporter: own_reporter,
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            offered: None,
            wants: is_polite,
            dtls: None,
            remote: vec![],
            passed_over: vec![],
            early: vec![],
        };
        if is_polite {
            link.open_channel().await?;
        }
        Ok(link)
    }

    /// Before the first negotiation: this stack brings a data channel up in no later one.
    async fn open_channel(&mut self) -> anyhow::Result<()> {
        let channel = self.pc.create_data_channel("words", None).await?;
        tokio::spawn(self.reporter.copy().read_channel(channel.clone()));
        self.channel = Some(channel);
        Ok(())
    }

    /// The other end has opened this data channel; one is enough.
    pub fn channel(&mut self, channel: Arc<dyn DataChannel>) {
        self.channel.get_or_insert(channel);
    }

    /// Wants to negotiate, with new ICE names where the network has changed.
    pub async fn renegotiate(&mut self, restart: bool) -> anyhow::Result<()> {
        if restart {
            self.pc.restart_ice().await?;
        }
        self.wants = true;
        Ok(())
    }

    /// An offer, when one is wanted and may be made. The impolite end waits for the other's first one.
    pub async fn offer(&mut self) -> anyhow::Result<Option<u32>> {
        let is_first = self.pc.remote_description().await.is_none();
        if !self.wants || self.offered.is_some() || (is_first && !self.is_polite) {
            return Ok(None);
        }
        self.wants = false;
        let offer = self.pc.create_offer(None).await?;
        let (sdp, tracks) = (offer.sdp.clone(), tracks_of(&offer.sdp)?);
        self.pc.set_local_description(offer).await?;
        let n = self.outgoing.say(Signal::Offer { sdp, tracks });
        self.offered = Some(n);
        Ok(Some(n))
    }

    /// Handles the signal of number `n`; what there is to say because of it has been put into `outgoing`.
    pub async fn handle(&mut self, n: u32, signal: Signal) -> anyhow::Result<()> {
        match signal {
            Signal::Offer { sdp, .. } => self.offered_to(n, sdp).await,
            Signal::Answer { sdp, offer, .. } if self.offered == Some(offer) => {
                self.offered = None;
                self.dtls = self.dtls.or_else(|| Dtls::of(&sdp).map(Dtls::other));
                self.take_remote(RTCSessionDescription::answer(sdp)?).await
            }
            // To an offer that was given up.
            Signal::Answer { .. } => Ok(()),
            Signal::Candidate { candidate, .. } if candidate.is_empty() => Ok(()),
            Signal::Candidate { candidate, mid, mline, ufrag } => {
                let sdp_mline_index = mline.map(u16::try_from).transpose()?;
                let init = RTCIceCandidateInit {
                    candidate,
                    sdp_mid: mid,
                    sdp_mline_index,
                    username_fragment: ufrag,
                    url: None,
                };
                self.candidate(init).await
            }
            Signal::Dropped => Ok(()),
        }
    }

    async fn offered_to(&mut self, n: u32, sdp: String) -> anyhow::Result<()> {
        if self.offered.is_some() {
            if !self.is_polite {
                self.passed_over.extend(ufrags(&sdp));
                return Ok(());
            }
            self.pc.set_local_description(RTCSessionDescription::rollback(None)?).await?;
            self.offered = None;
            self.wants = true;
        }
        self.take_remote(RTCSessionDescription::offer(sdp.clone())?).await?;
        let answer = self.pc.create_answer(None).await?;
        let tracks = tracks_of(&answer.sdp)?;
        let dtls = *self.dtls.get_or_insert(Dtls::of(&answer.sdp).context("an answer names its side of DTLS")?);
        let sdp = within_offer(&sdp, &dtls.put_into(&answer.sdp));
        self.pc.set_local_description(answer).await?;
        self.outgoing.say(Signal::Answer { sdp, offer: n, tracks });
        Ok(())
    }

    async fn take_remote(&mut self, description: RTCSessionDescription) -> anyhow::Result<()> {
        self.remote = ufrags(&description.sdp);
        self.pc.set_remote_description(description).await?;
        for init in std::mem::take(&mut self.early) {
            self.candidate(init).await?;
        }
        Ok(())
    }

    /// Adds a candidate to the description that it belongs to, keeps it until that comes, or passes over it.
    async fn candidate(&mut self, init: RTCIceCandidateInit) -> anyhow::Result<()> {
        let ufrag = init.username_fragment.as_ref();
        let is_known = |known: &[String]| ufrag.is_none_or(|ufrag| known.contains(ufrag));
        if ufrag.is_some_and(|ufrag| self.passed_over.contains(ufrag)) {
            return Ok(());
        }
        if !self.remote.is_empty() && is_known(&self.remote) {
            // A candidate that this stack does not understand is one way less.
            let _ = self.pc.add_ice_candidate(init).await;
        } else if self.early.len() < EARLY_CANDIDATES {
            self.early.push(init);
        }
        Ok(())
    }

    /// The connection is up: media flows from now on.
    pub async fn connected(&mut self) -> anyhow::Result<()> {
        self.media.start().await
    }

    /// Says something over the data channel; `false` where there is none yet.
    pub async fn say(&self, words: &str) -> anyhow::Result<bool> {
        match &self.channel {
            Some(channel) => channel.send_text(words).await.map(|()| true).map_err(Into::into),
            None => Ok(false),
        }
    }

    /// Whether nothing is being negotiated and nothing is wanted.
    pub async fn is_settled(&self) -> bool {
        let stable = self.pc.pending_local_description().await.is_none();
        stable && self.offered.is_none() && !self.wants && self.outgoing.unconfirmed().count() == 0
    }

    /// Ends it.
    pub async fn close(&self) {
        let _ = self.pc.close().await;
    }
}

/// How a state is told to whoever looks.
pub fn is_up(state: RTCPeerConnectionState) -> bool {
    state == RTCPeerConnectionState::Connected
}

fn ice_servers(ice: &IceServers) -> Vec<RTCIceServer> {
    let server = |server: &stoa_protocol::IceServer| RTCIceServer {
        urls: server.urls.clone(),
        username: server.username.clone().unwrap_or_default(),
        credential: server.credential.clone().unwrap_or_default(),
    };
    ice.servers.iter().map(server).collect()
}
