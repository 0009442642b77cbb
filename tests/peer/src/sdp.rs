//! What is read from session descriptions, and put right in those of this stack.

use std::collections::BTreeMap;
use stoa_protocol::TrackId;

/// A side of DTLS. It stays for the life of the association (RFC 8842, section 5.5). This stack keeps to it, but its
/// answers always say `active`, also where the other end became that when it answered first: browsers refuse them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtls {
    /// Opens the association.
    Active,
    /// Waits for it.
    Passive,
}

impl Dtls {
    /// The side that an answer says its sender is.
    pub fn of(answer: &str) -> Option<Self> {
        answer.lines().find_map(|line| match line.trim_end() {
            "a=setup:active" => Some(Self::Active),
            "a=setup:passive" => Some(Self::Passive),
            _ => None,
        })
    }

    /// What the other end is then.
    pub fn other(self) -> Self {
        match self {
            Self::Active => Self::Passive,
            Self::Passive => Self::Active,
        }
    }

    /// The answer as one of this side.
    pub fn put_into(self, answer: &str) -> String {
        let [old, new] = match self {
            Self::Active => ["a=setup:passive\r\n", "a=setup:active\r\n"],
            Self::Passive => ["a=setup:active\r\n", "a=setup:passive\r\n"],
        };
        answer.replace(old, new)
    }
}

/// The ICE names in a description.
pub fn ufrags(sdp: &str) -> Vec<String> {
    sdp.lines().filter_map(|line| line.strip_prefix("a=ice-ufrag:")).map(|ufrag| ufrag.trim().to_owned()).collect()
}

/// Which track each section that sends carries: its `a=msid` names the stream and the track (RFC 8830).
pub fn tracks_of(sdp: &str) -> anyhow::Result<BTreeMap<String, TrackId>> {
    let mut tracks = BTreeMap::new();
    for section in sdp.split(SECTION).skip(1) {
        let value = |name: &str| section.lines().find_map(|line| line.strip_prefix(name));
        let track = value("a=msid:").and_then(|msid| msid.split_whitespace().nth(1));
        if let (Some(mid), Some(track)) = (value("a=mid:"), track) {
            tracks.insert(mid.to_owned(), TrackId::new(track)?);
        }
    }
    Ok(tracks)
}

/// The answer, sending and receiving nothing that the offer does not take or give (RFC 3264, section 6.1). This stack
/// goes on saying `recvonly` where the other end has stopped to send, which browsers refuse.
pub fn within_offer(offer: &str, answer: &str) -> String {
    let mut offered = offer.split(SECTION).map(Direction::of);
    let sections = answer.split(SECTION).map(|section| {
        let (Some(Some(theirs)), Some(own)) = (offered.next(), Direction::of(section)) else {
            return section.to_owned();
        };
        let allowed = Direction { sends: own.sends && theirs.receives, receives: own.receives && theirs.sends };
        section.replace(own.line(), allowed.line())
    });
    sections.collect::<Vec<_>>().join(SECTION)
}

/// Begins a section; what stands before the first one is of the whole session.
const SECTION: &str = "\r\nm=";

/// Which ways media goes in a section, for whoever describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Direction {
    sends: bool,
    receives: bool,
}

impl Direction {
    const ALL: [Self; 4] = [
        Self { sends: true, receives: true },
        Self { sends: true, receives: false },
        Self { sends: false, receives: true },
        Self { sends: false, receives: false },
    ];

    fn of(section: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| section.lines().any(|line| line == direction.line()))
    }

    fn line(self) -> &'static str {
        match (self.sends, self.receives) {
            (true, true) => "a=sendrecv",
            (true, false) => "a=sendonly",
            (false, true) => "a=recvonly",
            (false, false) => "a=inactive",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_the_side_of_dtls_that_was_agreed_on() {
        let answer = "m=audio 9 X 0\r\na=setup:active\r\nm=video 9 X 0\r\na=setup:active\r\n";
        assert_eq!(Dtls::of(answer), Some(Dtls::Active));
        assert_eq!(Dtls::Active.put_into(answer), answer);
        let passive = Dtls::Active.other().put_into(answer);
        assert_eq!(passive, answer.replace("active", "passive"));
        assert_eq!(Dtls::of("a=setup:actpass\r\n"), None, "an offer says neither");
    }

    #[test]
    fn a_description_names_its_tracks_and_its_ice() {
        let sdp = "v=0\r\nm=audio 9 X 0\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=msid:s mic\r\nm=video 9 X 0\r\na=mid:1\r\n";
        assert_eq!(ufrags(sdp), ["abcd"]);
        let tracks = tracks_of(sdp).expect("legal ids");
        assert_eq!(tracks.keys().collect::<Vec<_>>(), ["0"]);
        assert_eq!(tracks["0"].as_str(), "mic");
    }

    #[test]
    fn an_answer_stays_within_its_offer() {
        let section = |direction: &str| format!("m=video 9 X 0\r\na={direction}\r\na=rtcp-mux\r\n");
        let sdp = |directions: [&str; 3]| format!("v=0\r\n{}", directions.map(section).concat());
        let offer = sdp(["inactive", "sendonly", "sendrecv"]);
        let answer = sdp(["recvonly", "recvonly", "sendrecv"]);
        assert_eq!(within_offer(&offer, &answer), sdp(["inactive", "recvonly", "sendrecv"]));
        let data = "v=0\r\nm=application 9 X 0\r\na=mid:0\r\n";
        assert_eq!(within_offer(data, data), data, "data has no direction");
    }
}
