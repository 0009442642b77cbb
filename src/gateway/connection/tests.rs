use super::*;
use crate::{
    clock::VirtualClock,
    gateway::{Handler, Limits, Origins, TrustedProxies},
};
use async_trait::async_trait;
use tokio::net::TcpListener;

struct Quiet;

impl Handler for Quiet {
    fn accept(&self, _peer: &Peer, _mailbox: Arc<Mailbox>) -> Box<dyn Session> {
        Box::new(Self)
    }
}

#[async_trait]
impl Session for Quiet {
    async fn text(&mut self, _text: &str) -> Result<(), CloseCode> {
        Ok(())
    }
    async fn binary(&mut self, _bytes: &[u8]) -> Result<(), CloseCode> {
        Ok(())
    }
    async fn woken(&mut self) -> Result<(), CloseCode> {
        Ok(())
    }
    fn frame_limit(&self) -> usize {
        1024
    }
    fn deadline(&self) -> Option<Millis> {
        None
    }
    async fn tick(&mut self) -> Result<(), CloseCode> {
        Ok(())
    }
    fn closed(&mut self, _clean: bool) {}
}

/// Ten thousand of these wait at once: what grows here grows ten thousand times. `--nocapture` prints the sizes.
#[tokio::test]
async fn a_connection_at_rest_is_small() {
    let (origins, proxies) = (Origins::default(), TrustedProxies::default());
    let clock = Arc::new(VirtualClock::new(0));
    let endpoint = WsEndpoint::new(Arc::new(Quiet), clock, "", origins, proxies, Limits::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let _peer = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("a socket");
    let (socket, address) = listener.accept().await.expect("a socket");
    let peer = Peer { address: address.ip(), secure: false };
    let connection = Connection::open(socket, &[], endpoint, peer, None, None);
    let (state, mailbox) = (size_of_val(&connection), size_of::<Mailbox>());
    let task = connection.run(CancellationToken::new());
    println!("connection {state} bytes, its task {}, its mailbox {mailbox}", size_of_val(&task));
    assert!(size_of_val(&task) <= 1024, "the task has {} bytes", size_of_val(&task));
    assert!(mailbox <= 256, "the mailbox has {mailbox} bytes");
}
