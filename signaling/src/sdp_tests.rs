use super::*;
use stoa_protocol::ErrorCode;

const PRINT: &str = "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

fn sdp(lines: &[&str]) -> String {
    let head = ["v=0", "o=- 46117 2 IN IP4 127.0.0.1", "s=-", "t=0 0"];
    head.iter().chain(lines).flat_map(|line| [*line, "\r\n"]).collect()
}

fn offer(sdp: String) -> Signal {
    Signal::Offer { sdp, tracks: Default::default() }
}

fn candidate(address: &str) -> Signal {
    let candidate = format!("candidate:1 1 udp 2122260223 {address} 51000 typ host generation 0 ufrag abcd");
    Signal::Candidate { candidate, mid: Some("0".into()), mline: Some(0), ufrag: None }
}

#[test]
fn what_a_browser_writes_passes_unchanged() {
    let text = sdp(&[
        "a=group:BUNDLE 0 1",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:0",
        PRINT,
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
        "a=bundle-only",
        PRINT,
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
    ]);
    assert_eq!(clean(offer(text.clone()), false), Ok(offer(text)), "a rejected section needs no fingerprint");
    let session = sdp(&[PRINT, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=sctp-port:5000"]);
    assert_eq!(clean(offer(session.clone()), false), Ok(offer(session)));
}

#[test]
fn a_description_that_could_hurt_is_refused() {
    let section = "m=audio 9 UDP/TLS/RTP/SAVPF 111";
    let many_sections: Vec<&str> = [PRINT].into_iter().chain([section; 500]).collect();
    let many_candidates: Vec<&str> =
        [PRINT, section].into_iter().chain(["a=candidate:1 1 udp 1 10.0.0.1 5 typ host"; 1_000]).collect();
    let cases = [
        ("too long", sdp(&[PRINT, section, &format!("a=x:{}", "y".repeat(1 << 20))])),
        ("500 sections", sdp(&many_sections)),
        ("1,000 candidates", sdp(&many_candidates)),
        ("no fingerprint", sdp(&[section])),
        ("one of two without a fingerprint", sdp(&[section, PRINT, section])),
        ("a bundled one without", sdp(&["m=audio 0 UDP/TLS/RTP/SAVPF 111", "a=bundle-only"])),
        (
            "a weak fingerprint",
            sdp(&["a=fingerprint:sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33", section]),
        ),
        ("half a fingerprint", sdp(&["a=fingerprint:sha-256 00:11", section])),
        ("a bare LF", sdp(&[PRINT, section]).replace("s=-\r\n", "s=-\na=evil\r\n")),
        ("a bare CR", sdp(&[PRINT, section]).replace("s=-\r\n", "s=-\ra=evil\r\n")),
        ("only LF", sdp(&[PRINT, section]).replace("\r\n", "\n")),
        ("a NUL", sdp(&[PRINT, section, "a=x\0y"])),
        ("no end", sdp(&[PRINT, section]).trim_end().to_owned()),
        ("an empty line", sdp(&[PRINT, "", section])),
        ("no line", sdp(&[PRINT, "evil", section])),
        ("another version", sdp(&[PRINT, section]).replace("v=0", "v=1")),
        ("two versions", sdp(&[PRINT, "v=0", section])),
        ("no section", sdp(&[PRINT])),
        ("nothing", String::new()),
    ];
    for (name, text) in cases {
        let fault = clean(offer(text), false).expect_err(name);
        assert_eq!((fault.code, fault.field.is_some()), (ErrorCode::BadRequest, true), "{name}");
    }
}

#[test]
fn bad_candidates_are_dropped_singly() {
    let bad = [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
        "::127.0.0.1",
        "metadata.google.internal",
        "a.b.local",
        ".local",
        "0x7f.1",
        "2130706433",
        "[::1]",
        "",
    ];
    for address in bad {
        assert_eq!(clean(candidate(address), false), Ok(Signal::Dropped), "{address}");
    }
    let good = [
        "192.168.1.7",
        "10.0.0.9",
        "172.16.3.4",
        "100.64.0.1",
        "203.0.113.9",
        "fd12::9",
        "2001:db8::5",
        "4d9f6e6c-9c8a-4f0e-8d0a-0d6a3c7c9c11.local",
    ];
    for address in good {
        assert_eq!(clean(candidate(address), false), Ok(candidate(address)), "{address}");
    }
    for address in ["127.0.0.1", "::1"] {
        assert_eq!(clean(candidate(address), true), Ok(candidate(address)), "{address} on a development server");
    }
    let end = Signal::Candidate { candidate: String::new(), mid: None, mline: None, ufrag: None };
    assert_eq!(clean(end.clone(), false), Ok(end), "the end of candidates");
}

#[test]
fn a_candidate_that_is_none_is_refused_or_dropped() {
    let with = |candidate: &str| Signal::Candidate { candidate: candidate.into(), mid: None, mline: None, ufrag: None };
    for text in ["candidate:1 1 udp 1 10.0.0.1 5 typ host\r\na=evil", "candidate:1\0", &"x".repeat(513)] {
        assert_eq!(clean(with(text), false).expect_err("refused").code, ErrorCode::BadRequest, "{text:.20}");
    }
    for text in [
        "evil",
        "candidate:",
        "candidate:1 1 udp 1 10.0.0.1 99999 typ host",
        "candidate:1 1 sctp 1 10.0.0.1 5 typ host",
        "candidate:1 1 udp 1 10.0.0.1 5 typ evil",
        "candidate:1 0 udp 1 10.0.0.1 5 typ host",
    ] {
        assert_eq!(clean(with(text), false), Ok(Signal::Dropped), "{text}");
    }
}

#[test]
fn candidates_inside_a_description_are_taken_out_and_the_rest_stays() {
    let section = ["m=audio 9 UDP/TLS/RTP/SAVPF 111", PRINT];
    let good = "a=candidate:1 1 udp 1 192.168.1.7 5 typ host";
    let evil = "a=candidate:2 1 udp 1 169.254.169.254 80 typ host";
    let text = sdp(&[section[0], section[1], evil, good, "a=mid:0"]);
    assert_eq!(clean(offer(text), false), Ok(offer(sdp(&[section[0], section[1], good, "a=mid:0"]))));
}
