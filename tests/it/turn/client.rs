//! A TURN client of a few requests (RFC 8656), over TCP: nothing is lost on the way, so nothing is sent twice.

use rtc_crypto::providers::RingCrypto;
use rtc_stun::{
    attributes::{
        ATTR_CHANNEL_NUMBER, ATTR_NONCE, ATTR_REALM, ATTR_REQUESTED_ADDRESS_FAMILY, ATTR_REQUESTED_TRANSPORT,
        ATTR_USERNAME, ATTR_XOR_PEER_ADDRESS, ATTR_XOR_RELAYED_ADDRESS,
    },
    error_code::ErrorCodeAttribute,
    fingerprint::FingerprintAttr,
    integrity::MessageIntegrity,
    message::{
        CLASS_ERROR_RESPONSE, CLASS_REQUEST, Getter, METHOD_ALLOCATE, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION,
        Message, MessageType, Method, Setter, TransactionId,
    },
    textattrs::TextAttribute,
    xoraddr::XorMappedAddress,
};
use std::net::IpAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The protocol number of UDP, as REQUESTED-TRANSPORT has it.
const UDP: [u8; 4] = [17, 0, 0, 0];
/// The first channel (RFC 8656, section 12).
const FIRST_CHANNEL: u16 = 0x4000;

/// Which addresses a relay has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// What a server did not want.
#[derive(Debug)]
pub struct Refused {
    pub code: u16,
    #[expect(dead_code, reason = "shown by failures")]
    reason: String,
}

/// A connection to a TURN server.
#[derive(Debug)]
pub struct Turn {
    stream: TcpStream,
}

/// A relay at the server. It ends with the connection.
#[derive(Debug)]
pub struct Allocation {
    turn: Turn,
    key: Key,
    next_channel: u16,
}

/// What every request of an allocation is signed with.
#[derive(Debug)]
struct Key {
    username: String,
    password: String,
    realm: String,
    nonce: String,
}

impl Turn {
    pub async fn connect(port: u16) -> Self {
        Self { stream: TcpStream::connect(("127.0.0.1", port)).await.expect("the TURN server listens") }
    }

    /// Asks for a relay, first without credentials, to be told realm and nonce.
    pub async fn allocate(mut self, username: &str, password: &str, family: Family) -> Result<Allocation, Refused> {
        let anonymous = self.ask(METHOD_ALLOCATE, |message| message.add(ATTR_REQUESTED_TRANSPORT, &UDP), None).await;
        let told = anonymous.expect("an answer");
        assert_eq!(refusal(&told).expect("nothing is given to strangers").code, 401);
        let text = |kind| TextAttribute::get_from_as(&told, kind).expect("realm and nonce").to_string();
        let key = Key {
            username: username.to_owned(),
            password: password.to_owned(),
            realm: text(ATTR_REALM),
            nonce: text(ATTR_NONCE),
        };
        let fill = |message: &mut Message| {
            message.add(ATTR_REQUESTED_TRANSPORT, &UDP);
            if family == Family::V6 {
                message.add(ATTR_REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
            }
        };
        let answer = self.ask(METHOD_ALLOCATE, fill, Some(&key)).await.expect("an answer");
        if let Some(refused) = refusal(&answer) {
            return Err(refused);
        }
        let mut relayed = XorMappedAddress::default();
        relayed.get_from_as(&answer, ATTR_XOR_RELAYED_ADDRESS).expect("the relay's address");
        assert_eq!(relayed.ip.is_ipv6(), family == Family::V6, "the family that was asked for");
        Ok(Allocation { turn: self, key, next_channel: FIRST_CHANNEL })
    }

    async fn ask(&mut self, method: Method, fill: impl FnOnce(&mut Message), key: Option<&Key>) -> Option<Message> {
        let mut message = Message::new();
        message.set_type(MessageType::new(method, CLASS_REQUEST));
        message.new_transaction_id().expect("randomness");
        message.write_header();
        fill(&mut message);
        if let Some(key) = key {
            key.sign(&mut message);
        }
        FingerprintAttr.add_to(&mut message).expect("a fingerprint");
        self.stream.write_all(&message.raw).await.ok()?;
        self.answer(message.transaction_id).await
    }

    async fn answer(&mut self, to: TransactionId) -> Option<Message> {
        // The header (RFC 8489, section 5): type, length of what follows it, and the transaction.
        let mut raw = vec![0; 20];
        self.stream.read_exact(&mut raw).await.ok()?;
        let length = usize::from(u16::from_be_bytes([raw[2], raw[3]]));
        raw.resize(20 + length, 0);
        self.stream.read_exact(&mut raw[20..]).await.ok()?;
        let mut message = Message::new();
        message.unmarshal_binary(&raw).expect("a STUN message");
        assert!(message.transaction_id == to, "requests are answered in order");
        Some(message)
    }
}

impl Allocation {
    /// Lets packets of a peer pass.
    pub async fn permit(&mut self, peer: IpAddr) -> Result<(), Refused> {
        self.change(METHOD_CREATE_PERMISSION, |message| add_peer(message, peer)).await
    }

    /// Binds a channel to a peer, which lets its packets pass too.
    pub async fn bind(&mut self, peer: IpAddr) -> Result<(), Refused> {
        let channel = self.next_channel;
        self.next_channel += 1;
        self.change(METHOD_CHANNEL_BIND, |message| {
            let [high, low] = channel.to_be_bytes();
            message.add(ATTR_CHANNEL_NUMBER, &[high, low, 0, 0]);
            add_peer(message, peer);
        })
        .await
    }

    async fn change(&mut self, method: Method, fill: impl FnOnce(&mut Message)) -> Result<(), Refused> {
        let answer = self.turn.ask(method, fill, Some(&self.key)).await.expect("an answer");
        refusal(&answer).map_or(Ok(()), Err)
    }
}

impl Key {
    fn sign(&self, message: &mut Message) {
        let texts = [(ATTR_USERNAME, &self.username), (ATTR_REALM, &self.realm), (ATTR_NONCE, &self.nonce)];
        for (kind, text) in texts {
            TextAttribute::new(kind, text.clone()).add_to(message).expect("a text that fits");
        }
        let (username, realm, password) = (self.username.clone(), self.realm.clone(), self.password.clone());
        let integrity = MessageIntegrity::new_long_term_integrity_with_provider(username, realm, password, &RingCrypto);
        integrity.expect("a key").add_to(message).expect("a signature");
    }
}

fn add_peer(message: &mut Message, ip: IpAddr) {
    let peer = XorMappedAddress { ip, port: 9 };
    peer.add_to_as(message, ATTR_XOR_PEER_ADDRESS).expect("an address");
}

fn refusal(message: &Message) -> Option<Refused> {
    if message.typ.class != CLASS_ERROR_RESPONSE {
        return None;
    }
    let mut error = ErrorCodeAttribute::default();
    error.get_from(message).expect("a code");
    Some(Refused { code: error.code.0, reason: String::from_utf8_lossy(&error.reason).into_owned() })
}
