//! What a message looks like on the way: `version u8 | boot id 16 bytes | tag 16 bytes | body`.
//!
//! The tag is HMAC-SHA-256 (RFC 2104), shortened to 16 bytes (its section 5), under the cluster's key over everything
//! else and the channel's name. So nobody who can merely write to Redis can say anything, not even again elsewhere.
//! What is said twice in the same place is the hub's to bear, as it bears what comes late.

use super::BootId;
use bytes::{BufMut, Bytes, BytesMut};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;

/// The format that is written. Others are dropped and counted: two versions of the server run side by side for the
/// time of a deploy, in which the look at the store finds what they do not tell each other.
pub const VERSION: u8 = 1;
const TAG: usize = 16;
/// Bytes in front of the body.
pub const HEADER: usize = 1 + 16 + TAG;

/// What all nodes of a deployment know and nobody else.
#[derive(Clone)]
pub struct ClusterKey(Hmac<Sha256>);

impl ClusterKey {
    /// A key of its own, from a file.
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// One that is made of the deployment's secret, which the store has.
    pub fn derived(secret: &[u8; 32]) -> Self {
        let mut mac = Self::new(secret).0;
        mac.update(b"stoa bus");
        Self::new(&mac.finalize().into_bytes())
    }

    fn mac(&self, boot: &BootId, channel: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(&[VERSION]);
        mac.update(boot.as_bytes());
        // With its length, so that no channel's end passes for a body's beginning.
        mac.update(&(channel.len() as u64).to_be_bytes());
        mac.update(channel.as_bytes());
        mac.update(body);
        mac
    }

    /// Writes a message for a channel behind what is in `out`.
    pub fn seal(&self, boot: &BootId, channel: &str, body: &[u8], out: &mut BytesMut) {
        let tag = self.mac(boot, channel, body).finalize().into_bytes();
        out.reserve(HEADER + body.len());
        out.put_u8(VERSION);
        out.put_slice(boot.as_bytes());
        out.put_slice(&tag[..TAG]);
        out.put_slice(body);
    }

    /// Reads a message that came on a channel: who said it, and what.
    ///
    /// # Errors
    /// Why it is to be dropped.
    pub fn open(&self, channel: &str, message: &Bytes) -> Result<(BootId, Bytes), Refused> {
        match message.first() {
            Some(&VERSION) => {}
            Some(_) => return Err(Refused::Version),
            None => return Err(Refused::Forged),
        }
        let (boot, rest) = message[1..].split_first_chunk::<16>().ok_or(Refused::Forged)?;
        let (tag, body) = rest.split_first_chunk::<TAG>().ok_or(Refused::Forged)?;
        let boot = BootId::from_bytes(*boot);
        // Compared in constant time.
        let checked = self.mac(&boot, channel, body).verify_truncated_left(tag);
        checked.map_err(|_| Refused::Forged)?;
        Ok((boot, message.slice(HEADER..)))
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterKey(hidden)")
    }
}

/// Why a message is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its format is another version's.
    Version,
    /// Nobody with the key wrote it for this channel.
    Forged,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &ClusterKey, channel: &str, body: &[u8]) -> (BootId, Bytes) {
        let boot = BootId::fresh();
        let mut out = BytesMut::new();
        key.seal(&boot, channel, body, &mut out);
        (boot, out.freeze())
    }

    #[test]
    fn a_message_is_read_as_it_was_written_on_its_channel_alone() {
        let key = ClusterKey::new(b"a key of the cluster, 32 bytes long");
        for body in [&b""[..], b"x", &[7; 300_000]] {
            let (boot, message) = sealed(&key, "stoa:r:a", body);
            assert_eq!(key.open("stoa:r:a", &message), Ok((boot, Bytes::copy_from_slice(body))));
            assert_eq!(key.open("stoa:r:b", &message), Err(Refused::Forged));
            assert_eq!(key.open("stoa:r:", &message), Err(Refused::Forged));
        }
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let key = ClusterKey::derived(&[3; 32]);
        let (_, message) = sealed(&key, "c", b"the body");
        for place in 0..message.len() {
            let mut other = message.to_vec();
            other[place] ^= 1;
            let want = if place == 0 { Refused::Version } else { Refused::Forged };
            assert_eq!(key.open("c", &other.into()), Err(want), "{place}");
        }
        for length in 0..message.len() {
            assert_eq!(key.open("c", &message.slice(..length)), Err(Refused::Forged), "{length}");
        }
        for other in [ClusterKey::derived(&[4; 32]), ClusterKey::new(&[3; 32])] {
            assert_eq!(other.open("c", &message), Err(Refused::Forged));
        }
    }

    #[test]
    fn a_key_shows_itself_to_nobody() {
        assert_eq!(format!("{:?}", ClusterKey::new(b"secret")), "ClusterKey(hidden)");
    }
}
