//! Stands between a server and NATS, and breaks off right after the log has taken a report's commit.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// What happens once the log has said yes to the commit; the yes is never passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The connection ends; a new one works.
    Connection,
    /// Nothing gets through any more, in either direction: to the log this server is dead.
    Everything,
}

/// Passes on what the NATS protocol says, message by message.
pub struct Proxy {
    /// Where the server connects to.
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    to: u16,
    how: Break,
    armed: AtomicBool,
    /// Subject that the awaited yes will come on.
    reply: watch::Sender<Option<String>>,
    broken: watch::Sender<bool>,
}

impl Proxy {
    /// Passes everything on, until it is armed.
    pub async fn start(to: u16, how: Break) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            to,
            how,
            armed: AtomicBool::new(false),
            reply: watch::Sender::new(None),
            broken: watch::Sender::new(false),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&accepting), client));
            }
        });
        Self { port, shared }
    }

    /// The next report's commit is the one to break off after.
    pub fn arm(&self) {
        self.shared.armed.store(true, Ordering::SeqCst);
    }

    /// Returns once the commit is in the log and its yes is swallowed.
    pub async fn broken(&self) {
        self.shared.broken.subscribe().wait_for(|broken| *broken).await.unwrap();
    }
}

impl Shared {
    fn is_dead(&self) -> bool {
        self.how == Break::Everything && *self.broken.borrow()
    }

    async fn dead(&self) {
        self.broken.subscribe().wait_for(|broken| *broken && self.how == Break::Everything).await.unwrap();
    }
}

async fn serve(shared: Arc<Shared>, client: TcpStream) {
    if shared.is_dead() {
        return;
    }
    let server = TcpStream::connect(("127.0.0.1", shared.to)).await.unwrap();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = upwards(&shared, from_client, to_server) => {}
        () = downwards(&shared, from_server, to_client) => {}
        () = shared.dead() => {}
    }
}

async fn upwards(shared: &Shared, from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut from = BufReader::new(from);
    while let Some((line, message)) = next(&mut from, &["PUB", "HPUB"]).await {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [_, subject, reply, ..] = words[..]
            && subject.starts_with("ev.")
            && subject.contains(".report.")
            && shared.armed.swap(false, Ordering::SeqCst)
        {
            shared.reply.send_replace(Some(reply.to_owned()));
        }
        if to.write_all(&message).await.is_err() {
            return;
        }
    }
}

async fn downwards(shared: &Shared, from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut from = BufReader::new(from);
    while let Some((line, message)) = next(&mut from, &["MSG", "HMSG"]).await {
        let subject = line.split_whitespace().nth(1).map(str::to_owned);
        if subject.is_some() && subject == *shared.reply.borrow() {
            let yes = String::from_utf8_lossy(&message).into_owned();
            assert!(yes.contains("\"seq\""), "the log took the commit: {yes}");
            shared.broken.send_replace(true);
            return;
        }
        if to.write_all(&message).await.is_err() {
            return;
        }
    }
}

/// One operation of the protocol: its first line, and all of it. Those of `with_payload` end with the payload's size.
async fn next(from: &mut (impl AsyncBufRead + Unpin), with_payload: &[&str]) -> Option<(String, Vec<u8>)> {
    let mut message = Vec::new();
    from.read_until(b'\n', &mut message).await.ok().filter(|read| *read > 0)?;
    let line = String::from_utf8_lossy(&message).into_owned();
    let mut words = line.split_whitespace();
    if words.next().is_some_and(|word| with_payload.contains(&word)) {
        let start = message.len();
        let size: usize = words.next_back()?.parse().ok()?;
        message.resize(start + size + b"\r\n".len(), 0);
        from.read_exact(&mut message[start..]).await.ok()?;
    }
    Some((line, message))
}
