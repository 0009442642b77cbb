//! The WebSocket: frames of the protocol's types, over plain TCP.

use anyhow::{Context, bail};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use stoa_protocol::{ClientFrame, Command, Control, Hello, SUBPROTOCOL, ServerFrame, SessionResume, Welcome};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// The half that frames come from.
pub type Frames = SplitStream<WebSocketStream<TcpStream>>;

/// The half that commands go to.
pub struct Commands {
    sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    next_id: u64,
}

/// Connects to `address` (host and port) and says hello.
///
/// # Errors
/// When the server is not there or does not welcome the token.
pub async fn connect(
    address: &str,
    token: &str,
    device: &str,
    session: Option<SessionResume>,
) -> anyhow::Result<(Commands, Frames, Welcome)> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("the server at {address}"))?;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{address}/v1/ws").into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse()?);
    let (socket, _) = client_async(request, stream).await?;
    let (sink, mut frames) = socket.split();
    let mut commands = Commands { sink, next_id: 1 };
    let hello = Hello {
        token: token.to_owned(),
        session,
        user: None,
        list: false,
        device: Some(device.parse()?),
        client: Some("stoa-peer".into()),
    };
    commands.send(Command::Hello(hello)).await?;
    match next(&mut frames).await?.context("the server hung up")? {
        ServerFrame::Control(control) => match *control {
            Control::Welcome(welcome) => Ok((commands, frames, *welcome)),
            other => bail!("hello was answered by {other:?}"),
        },
        other @ (ServerFrame::Room(_) | ServerFrame::User(_) | ServerFrame::Document(_)) => {
            bail!("hello was answered by {other:?}")
        }
    }
}

impl Commands {
    /// Sends a command and tells the id of its reply.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, command: Command) -> anyhow::Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        let text = serde_json::to_string(&ClientFrame { id, command })?;
        self.sink.send(Message::text(text)).await?;
        Ok(id)
    }
}

/// The next frame; `None` when the connection has ended.
///
/// # Errors
/// When the connection broke, or the frame is none of the protocol's.
pub async fn next(frames: &mut Frames) -> anyhow::Result<Option<ServerFrame>> {
    loop {
        match frames.next().await {
            Some(Ok(Message::Text(text))) => {
                return Ok(Some(serde_json::from_str(&text).with_context(|| text.as_str().to_owned())?));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_))) | None => return Ok(None),
            Some(Ok(other @ (Message::Binary(_) | Message::Frame(_)))) => bail!("the server sent {other:?}"),
            Some(Err(error)) => return Err(error.into()),
        }
    }
}
