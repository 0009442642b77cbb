//! What ends say to each other: descriptions and candidates of a browser's size, with a tag in each from which its
//! recipient sees whose it is, its number and when it was due.

use std::fmt::Write as _;

/// Video formats that a browser offers, each with its feedback; there are as many retransmission formats.
const VIDEO_FORMATS: u32 = 14;
/// Audio formats.
const AUDIO: [&str; 6] = ["opus/48000/2", "red/48000/2", "G722/8000", "PCMU/8000", "PCMA/8000", "CN/8000"];

/// Who said a signal, under which number, and when it was due, microseconds since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    pub end: u32,
    pub n: u32,
    pub due_us: u64,
}

/// The texts of a run, as they stand inside JSON strings.
pub struct Words {
    /// A description behind its first two lines.
    rest: String,
}

impl Words {
    pub fn new() -> Self {
        Self { rest: escaped(&description()) }
    }

    /// An offer or an answer. The tag is the session's id and version (RFC 8866, section 5.2).
    pub fn description(&self, tag: Tag) -> String {
        let Tag { end, n, due_us } = tag;
        format!("v=0\\r\\no=- {due_us} {n} IN IP4 127.0.0.1\\r\\ns={end}\\r\\n{}", self.rest)
    }

    /// A candidate. The tag stands in an extension (RFC 8839, section 5.1).
    pub fn candidate(tag: Tag) -> String {
        let Tag { end, n, due_us } = tag;
        format!(
            "candidate:842163049 1 udp 1677729535 198.51.100.7 51824 typ srflx raddr 192.168.1.23 rport 51824 \
             generation 0 ufrag Zx1y network-cost 999 x-end {end} x-n {n} x-due {due_us}"
        )
    }
}

/// The tag of a signal as it came, still inside JSON.
pub fn tag(signal: &str) -> Option<Tag> {
    if let Some(at) = signal.find("x-end ") {
        let mut words = signal[at..].split([' ', '"']);
        let mut number = || words.nth(1)?.parse::<u64>().ok();
        return Some(Tag { end: number()? as u32, n: number()? as u32, due_us: number()? });
    }
    let origin = &signal[signal.find("o=- ")? + 4..];
    let mut words = origin.split(' ');
    let due_us = words.next()?.parse().ok()?;
    let n = words.next()?.parse().ok()?;
    let name = &origin[origin.find("s=")? + 2..];
    let end = name.split('\\').next()?.parse().ok()?;
    Some(Tag { end, n, due_us })
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace("\r\n", "\\r\\n")
}

/// What a browser says of a microphone and a camera, without the first lines: some 6 KiB.
fn description() -> String {
    let mut sdp =
        String::from("t=0 0\r\na=group:BUNDLE 0 1\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS stream\r\n");
    let fingerprint: String = (0..32u8).map(|byte| format!("{:02X}:", byte.wrapping_mul(37))).collect();
    let transport = |sdp: &mut String, mid: u32| {
        let fingerprint = fingerprint.trim_end_matches(':');
        sdp.push_str("c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:Zx1y\r\n");
        sdp.push_str("a=ice-pwd:a2ORZpzXzO6KFCxBlHnrQSRy\r\na=ice-options:trickle\r\n");
        let _ = write!(sdp, "a=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\na=mid:{mid}\r\n");
        for (id, name) in ["ssrc-audio-level", "abs-send-time", "transport-wide-cc", "sdes:mid"].iter().enumerate() {
            let _ = write!(sdp, "a=extmap:{} urn:ietf:params:rtp-hdrext:{name}\r\n", id + 1);
        }
        let _ = write!(sdp, "a=sendrecv\r\na=msid:stream track-{mid}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n");
    };
    sdp.push_str("m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13\r\n");
    transport(&mut sdp, 0);
    for (format, name) in [111, 63, 9, 0, 8, 13].iter().zip(AUDIO) {
        let _ = write!(sdp, "a=rtpmap:{format} {name}\r\n");
    }
    sdp.push_str("a=fmtp:111 minptime=10;useinbandfec=1\r\na=ssrc:3735928559 cname:load\r\n");
    let formats: String = (0..2 * VIDEO_FORMATS).map(|n| format!(" {}", 96 + n)).collect();
    let _ = write!(sdp, "m=video 9 UDP/TLS/RTP/SAVPF{formats}\r\n");
    transport(&mut sdp, 1);
    for n in 0..VIDEO_FORMATS {
        let (format, again) = (96 + 2 * n, 97 + 2 * n);
        let _ = write!(sdp, "a=rtpmap:{format} VP9/90000\r\n");
        for feedback in ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"] {
            let _ = write!(sdp, "a=rtcp-fb:{format} {feedback}\r\n");
        }
        let _ = write!(
            sdp,
            "a=fmtp:{format} profile-id={n}\r\na=rtpmap:{again} rtx/90000\r\na=fmtp:{again} apt={format}\r\n"
        );
    }
    sdp.push_str("a=ssrc-group:FID 2882400001 2882400002\r\na=ssrc:2882400001 cname:load\r\n");
    sdp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_out_as_it_went_in() {
        let tag_in = Tag { end: 7, n: 42, due_us: 1_234_567 };
        assert_eq!(tag(&format!("{{\"candidate\":\"{}\"}}", Words::candidate(tag_in))), Some(tag_in));
        assert_eq!(tag(&format!("{{\"sdp\":\"{}\"}}", Words::new().description(tag_in))), Some(tag_in));
        assert_eq!(tag("{\"kind\":\"dropped\"}"), None);
    }

    #[test]
    fn a_description_is_of_a_browsers_size_and_legal() {
        let text = Words::new().description(Tag { end: 1, n: 1, due_us: 1 });
        let sdp: String = serde_json::from_str(&format!("\"{text}\"")).expect("the inside of a JSON string");
        assert!((4_000..9_000).contains(&sdp.len()), "{} bytes", sdp.len());
        assert!(sdp.ends_with("\r\n") && !sdp.replace("\r\n", "").contains(['\r', '\n']));
        assert_eq!(sdp.matches("a=fingerprint:").count(), sdp.matches("\r\nm=").count());
    }
}
