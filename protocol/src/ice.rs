//! Servers that help two peers to find each other: STUN and TURN, as a browser's `RTCPeerConnection` takes them.

use crate::{Millis, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One entry of `iceServers` (W3C WebRTC, section 4.2.4): pass it to `RTCPeerConnection` as it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct IceServer {
    /// `stun:`, `turn:` and `turns:` URLs (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// The name at the TURN server, with the time until which it is good in front; absent for STUN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Its password; absent for STUN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// The password is shown to nobody.
impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credential = self.credential.as_ref().map(|_| "(hidden)");
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("username", &self.username)
            .field("credential", &credential)
            .finish()
    }
}

/// The servers for one user, and how long they are good.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct IceServers {
    /// `iceServers`; empty when the operator has configured none. Peers in one network connect without any.
    pub servers: Vec<IceServer>,
    /// When the TURN credentials end; absent without TURN. Relays that exist then go on only until their next
    /// refresh, minutes later, so a long call sets new ones before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
    /// When to ask for the next ones: some time before the end, so that a reconnect has time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_at: Option<Millis>,
}

/// What the server can say to somebody who asks what works. The rest only the browser can find out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct ConnectionCheck {
    /// Who asks.
    pub user: UserId,
    /// The server's time. A clock that is minutes off makes tokens and TURN credentials look expired.
    pub at: Millis,
    /// The address that the request came from, behind trusted proxies the one that they forward.
    pub address: String,
    /// Whether TLS protects the way. Browsers give no camera to a page without, this machine's own apart.
    pub secure: bool,
    /// The page's origin as the browser told it; it is allowed, or the request would have been refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The path of the WebSocket at this server.
    pub websocket: String,
    /// The subprotocol to offer there.
    pub subprotocol: String,
    /// The protocol's version.
    pub protocol: u32,
    /// When the token expires.
    pub token_expires_at: Millis,
    /// Servers to try, with credentials that are good for the check alone.
    pub ice: IceServers,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown_and_absent_fields_stay_absent() {
        let server =
            IceServer { urls: vec!["turn:a".into()], username: Some("1:u".into()), credential: Some("pw".into()) };
        assert!(!format!("{server:?}").contains("pw"));
        let stun = IceServer { urls: vec!["stun:a".into()], username: None, credential: None };
        assert_eq!(serde_json::to_string(&stun).expect("JSON"), r#"{"urls":["stun:a"]}"#);
    }
}
