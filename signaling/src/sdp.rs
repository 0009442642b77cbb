//! Session descriptions and candidates, looked at only as far as it takes to refuse what could hurt a recipient
//! (RFC 8866, RFC 8839). What passes is opaque.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use stoa_protocol::{Fault, Signal, limits};

/// Addresses of cloud metadata services beside the link-local ones: a peer must not be made to send there. AWS over
/// IPv6, Alibaba, Azure's wire server, Oracle.
const METADATA: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// A signal as it may be passed on: bad candidates are taken out singly.
///
/// # Errors
/// `bad_request` naming the field.
pub fn clean(signal: Signal, loopback: bool) -> Result<Signal, Fault> {
    match signal {
        Signal::Offer { sdp, tracks } => Ok(Signal::Offer { sdp: description(sdp, loopback)?, tracks }),
        Signal::Answer { sdp, offer, tracks } => Ok(Signal::Answer { sdp: description(sdp, loopback)?, offer, tracks }),
        Signal::Candidate { candidate, mid, mline, ufrag } => {
            let names = [&mid, &ufrag];
            if names.into_iter().flatten().any(|name| name.len() > 256 || !is_token(name)) {
                return Err(Fault::bad_request("signal.mid", "is not a token"));
            }
            check_candidate_text(&candidate)?;
            match candidate.is_empty() || passes(&candidate, loopback) {
                true => Ok(Signal::Candidate { candidate, mid, mline, ufrag }),
                false => Ok(Signal::Dropped),
            }
        }
        Signal::Dropped => Ok(Signal::Dropped),
    }
}

fn bad(message: impl Into<String>) -> Fault {
    Fault::bad_request("signal.sdp", message)
}

fn description(sdp: String, loopback: bool) -> Result<String, Fault> {
    if sdp.len() > limits::SDP_BYTES {
        return Err(bad(format!("is longer than {} bytes", limits::SDP_BYTES)));
    }
    let Some(body) = sdp.strip_suffix("\r\n") else { return Err(bad("does not end with CR LF")) };
    let mut look = Look::default();
    let mut dropped = false;
    for line in body.split("\r\n") {
        look.line(line)?;
        dropped |= is_bad_candidate_line(line, loopback);
    }
    look.finish()?;
    if !dropped {
        return Ok(sdp);
    }
    let kept = body.split("\r\n").filter(|line| !is_bad_candidate_line(line, loopback));
    Ok(kept.flat_map(|line| [line, "\r\n"]).collect())
}

fn is_bad_candidate_line(line: &str, loopback: bool) -> bool {
    line.strip_prefix("a=").is_some_and(|rest| rest.starts_with("candidate:") && !passes(rest, loopback))
}

/// What a description was found to have so far.
#[derive(Default)]
struct Look {
    lines: usize,
    sections: usize,
    candidates: usize,
    /// A fingerprint of the whole session.
    session_fingerprint: bool,
    /// The section that is being read: whether it is in use, and whether it has a fingerprint of its own.
    section: Option<(bool, bool)>,
}

impl Look {
    fn line(&mut self, line: &str) -> Result<(), Fault> {
        let mut letters = line.chars();
        let kind = match (letters.next(), letters.next()) {
            (Some(kind), Some('=')) if kind.is_ascii_lowercase() => kind,
            _ => return Err(bad("has a line that is none")),
        };
        if line.chars().any(char::is_control) {
            return Err(bad("has a control character in a line"));
        }
        if (self.lines == 0) != (line == "v=0") {
            return Err(bad("does not begin with its version, once"));
        }
        self.lines += 1;
        match kind {
            'm' => self.begin_section(line),
            'a' => self.attribute(&line[2..]),
            _ => Ok(()),
        }
    }

    fn begin_section(&mut self, line: &str) -> Result<(), Fault> {
        self.end_section()?;
        self.sections += 1;
        if self.sections > limits::SDP_SECTIONS {
            return Err(bad(format!("has more than {} media sections", limits::SDP_SECTIONS)));
        }
        let port = line.split(' ').nth(1).unwrap_or_default();
        self.section = Some((port != "0", false));
        Ok(())
    }

    fn attribute(&mut self, attribute: &str) -> Result<(), Fault> {
        if attribute.starts_with("candidate:") {
            self.candidates += 1;
            if self.candidates > limits::SDP_CANDIDATES {
                return Err(bad(format!("has more than {} candidates", limits::SDP_CANDIDATES)));
            }
            check_candidate_text(attribute)?;
        }
        if let Some(fingerprint) = attribute.strip_prefix("fingerprint:") {
            if !is_fingerprint(fingerprint) {
                return Err(bad("has a fingerprint that is none"));
            }
            match &mut self.section {
                Some((_, own)) => *own = true,
                None => self.session_fingerprint = true,
            }
        }
        if attribute == "bundle-only"
            && let Some((used, _)) = &mut self.section
        {
            // Port 0 here means: with the others (RFC 9143, section 6).
            *used = true;
        }
        Ok(())
    }

    /// Without a fingerprint nobody knows with whom the keys are made (RFC 8827, section 6.5).
    fn end_section(&mut self) -> Result<(), Fault> {
        match self.section.take() {
            Some((true, false)) if !self.session_fingerprint => Err(bad("has a media section without a fingerprint")),
            Some(_) | None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<(), Fault> {
        self.end_section()?;
        match self.sections {
            0 => Err(bad("has no media section")),
            _ => Ok(()),
        }
    }
}

/// RFC 8122, section 5; what RFC 8827 forbids (MD5, SHA-1) is no fingerprint.
fn is_fingerprint(text: &str) -> bool {
    let Some((hash, digits)) = text.split_once(' ') else { return false };
    let bytes = match hash.to_ascii_lowercase().as_str() {
        "sha-256" => 32,
        "sha-384" => 48,
        "sha-512" => 64,
        _ => return false,
    };
    let parts: Vec<_> = digits.trim_end().split(':').collect();
    parts.len() == bytes && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn check_candidate_text(text: &str) -> Result<(), Fault> {
    match () {
        () if text.len() > limits::CANDIDATE_BYTES => {
            Err(Fault::bad_request("signal.candidate", format!("is longer than {} bytes", limits::CANDIDATE_BYTES)))
        }
        () if text.chars().any(char::is_control) => {
            Err(Fault::bad_request("signal.candidate", "has a control character"))
        }
        () => Ok(()),
    }
}

/// Whether a candidate may reach a peer (RFC 8839, section 5.1): an address that a conversation can go to.
fn passes(candidate: &str, loopback: bool) -> bool {
    let Some(rest) = candidate.strip_prefix("candidate:") else { return false };
    let mut parts = rest.split(' ');
    let mut next = || parts.next().unwrap_or_default();
    let (foundation, component, transport, priority) = (next(), next(), next(), next());
    let (address, port, typ, kind) = (next(), next(), next(), next());
    let numbers = component.parse::<u16>().is_ok_and(|n| (1..=256).contains(&n)) && priority.parse::<u32>().is_ok();
    let known = ["udp", "tcp"].contains(&transport.to_ascii_lowercase().as_str())
        && typ == "typ"
        && ["host", "srflx", "prflx", "relay"].contains(&kind);
    !foundation.is_empty() && numbers && known && port.parse::<u16>().is_ok() && address_passes(address, loopback)
}

fn address_passes(address: &str, loopback: bool) -> bool {
    match address.parse::<IpAddr>() {
        Ok(address) => ip_passes(address, loopback),
        // A name of multicast DNS hides a private address (RFC 8828); others would make a peer ask its resolver.
        Err(_) => address.strip_suffix(".local").is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }),
    }
}

fn ip_passes(address: IpAddr, loopback: bool) -> bool {
    if METADATA.contains(&address) {
        return false;
    }
    match address {
        IpAddr::V4(v4) if v4.is_loopback() => loopback,
        IpAddr::V4(v4) => {
            !(v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.octets()[0] == 0
                || v4.octets()[0] >= 240)
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => ip_passes(IpAddr::V4(v4), loopback),
            None if v6.is_loopback() => loopback,
            // The obsolete v4-compatible range and what translates to v4 reach v4 addresses past the rules above.
            None => {
                let translated = v6.segments()[..2] == [0x64, 0xff9b] || v6.segments()[0] == 0x2002;
                let low = v6.segments()[..6].iter().all(|segment| *segment == 0);
                !(v6.is_multicast() || v6.is_unicast_link_local() || translated || low)
            }
        },
    }
}

#[cfg(test)]
#[path = "sdp_tests.rs"]
mod tests;
