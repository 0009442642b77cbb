//! What the participant sends: coloured frames of VP8 and silence in Opus; and its tracks.

use anyhow::Context;
use bytes::Bytes;
use rtc::{
    media::{Sample, io::ivf_reader::IVFReader},
    media_stream::MediaStreamTrack,
    peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MIME_TYPE_VP8},
    rtp_transceiver::rtp_sender::{
        RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
    },
};
use std::{
    io::Cursor,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};
use webrtc::{
    media_stream::{
        Track,
        track_local::{TrackLocal, static_sample::TrackLocalStaticSample},
    },
    peer_connection::PeerConnection,
    rtp_transceiver::RtpSender,
};

/// Eight key frames, made by `tests/browser/colours.mjs`.
const COLOURS: &[u8] = include_bytes!("../media/colours.ivf");
/// A frame of 20 ms of silence (RFC 6716, section 3.1: CELT, full band, one frame).
const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];
const FRAME: Duration = Duration::from_millis(66);
const SOUND: Duration = Duration::from_millis(20);

/// The ids of the tracks that every participant of this kind has.
pub const CAMERA: &str = "camera";
/// As [`CAMERA`].
pub const MICROPHONE: &str = "microphone";

/// The frames, each of which can be decoded by itself.
fn colours() -> anyhow::Result<Vec<Bytes>> {
    let (mut reader, _) = IVFReader::new(Cursor::new(COLOURS))?;
    let mut frames = Vec::new();
    while let Ok((frame, _)) = reader.parse_next_frame() {
        frames.push(frame.freeze());
    }
    anyhow::ensure!(!frames.is_empty(), "the file has frames");
    Ok(frames)
}

fn track(
    id: &str,
    kind: RtpCodecKind,
    mime_type: &str,
    clock_rate: u32,
    channels: u16,
    ssrc: u32,
) -> anyhow::Result<Arc<TrackLocalStaticSample>> {
    let codec = RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate,
        channels,
        sdp_fmtp_line: String::new(),
        rtcp_feedback: vec![],
    };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        codec,
        ..Default::default()
    };
    let track = MediaStreamTrack::new("stoa-peer".to_owned(), id.to_owned(), id.to_owned(), kind, vec![encoding]);
    Ok(Arc::new(TrackLocalStaticSample::new(Instant::now(), track)?))
}

/// Camera and microphone of one connection, sending from the moment at which they are negotiated until this is
/// dropped.
pub struct Media {
    tasks: Vec<JoinHandle<()>>,
    camera: (Arc<TrackLocalStaticSample>, Arc<dyn RtpSender>),
    microphone: (Arc<TrackLocalStaticSample>, Arc<dyn RtpSender>),
}

impl Media {
    /// Adds the tracks to a connection; they send nothing yet.
    pub async fn add_to(pc: &dyn PeerConnection, ssrc: u32) -> anyhow::Result<Self> {
        let camera = track(CAMERA, RtpCodecKind::Video, MIME_TYPE_VP8, 90_000, 0, ssrc)?;
        let microphone = track(MICROPHONE, RtpCodecKind::Audio, MIME_TYPE_OPUS, 48_000, 2, ssrc.wrapping_add(1))?;
        let camera_sender = pc.add_track(camera.clone() as Arc<dyn TrackLocal>).await?;
        let microphone_sender = pc.add_track(microphone.clone() as Arc<dyn TrackLocal>).await?;
        Ok(Self { tasks: vec![], camera: (camera, camera_sender), microphone: (microphone, microphone_sender) })
    }

    /// Begins to send, once.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        if !self.tasks.is_empty() {
            return Ok(());
        }
        for ((track, sender), mime_type, samples, every) in [
            (&self.camera, MIME_TYPE_VP8, colours()?, FRAME),
            (&self.microphone, MIME_TYPE_OPUS, vec![Bytes::from_static(&SILENCE)], SOUND),
        ] {
            let ssrc = *track.ssrcs().await.first().context("a track has an SSRC")?;
            let parameters = sender.get_parameters().await?;
            // Others may have been negotiated before it.
            let is_own = |codec: &&RTCRtpCodecParameters| codec.rtp_codec.mime_type.eq_ignore_ascii_case(mime_type);
            let codec = parameters.rtp_parameters.codecs.iter().find(is_own);
            let codec = codec.with_context(|| format!("{mime_type} was not negotiated"))?;
            let task = send(track.clone(), ssrc, codec.payload_type, samples, every);
            self.tasks.push(tokio::spawn(task));
        }
        Ok(())
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn send(track: Arc<TrackLocalStaticSample>, ssrc: u32, payload: u8, samples: Vec<Bytes>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for data in samples.iter().cycle() {
        ticks.tick().await;
        let sample = Sample { data: data.clone(), duration: every, ..Sample::new(Instant::now()) };
        // A connection that is gone takes nothing more.
        if track.sample_writer(ssrc, payload).write_sample(&sample).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frames_are_key_frames() {
        let frames = colours().expect("readable");
        assert_eq!(frames.len(), 8);
        // RFC 6386, section 9.1: the lowest bit of a key frame is clear, and the start code follows the tag.
        assert!(frames.iter().all(|frame| frame[0] & 1 == 0 && frame[3..6] == [0x9d, 0x01, 0x2a]));
    }
}
