//! A mail server that keeps what it is given, and refuses when it is told to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_util::task::AbortOnDropHandle;

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Of the envelope.
    pub from: String,
    /// Of the envelope.
    pub to: Vec<String>,
    /// Headers and body, with LF, as they came.
    pub data: String,
}

impl Delivered {
    /// The value of a header; folded lines are joined.
    pub fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.data.split_once("\n\n")?;
        let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
        let mut pairs = unfolded.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    }

    /// The part of a kind, `text/plain` or `text/html`, decoded unless it is base64.
    pub fn part(&self, kind: &str) -> Option<String> {
        let start = self.data.find(&format!("Content-Type: {kind}"))?;
        let (head, rest) = self.data.get(start..)?.split_once("\n\n")?;
        let body = rest.split_once("\n--").map_or(rest, |(body, _)| body);
        Some(if head.contains("quoted-printable") { unquoted(body) } else { body.to_owned() })
    }

    /// The first link of the plain text that contains `part`.
    pub fn link(&self, part: &str) -> Option<String> {
        let text = self.part("text/plain")?;
        text.split_whitespace().find(|word| word.starts_with("http") && word.contains(part)).map(str::to_owned)
    }
}

fn unquoted(text: &str) -> String {
    let joined = text.replace("=\n", "");
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.as_str();
    while let Some((before, after)) = rest.split_once('=') {
        bytes.extend_from_slice(before.as_bytes());
        let (code, tail) = after.split_at_checked(2).unwrap_or((after, ""));
        bytes.extend(u8::from_str_radix(code, 16).ok());
        rest = tail;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[derive(Default)]
struct Shared {
    delivered: Mutex<Vec<Delivered>>,
    refusals: Mutex<VecDeque<String>>,
    news: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens on loopback until it is dropped.
pub struct Smtp {
    /// Where.
    pub port: u16,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl Smtp {
    /// On a free port.
    ///
    /// # Panics
    /// When there is none.
    #[allow(clippy::expect_used, reason = "for tests only")]
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(converse(socket, Arc::clone(&ours)));
            }
        });
        Self { port, shared, _task: AbortOnDropHandle::new(task) }
    }

    /// The next mail is answered with this line instead of being taken: `451 4.3.0 try again later`.
    pub fn refuse_next(&self, answer: &str) {
        lock(&self.shared.refusals).push_back(answer.to_owned());
    }

    /// What it has taken so far.
    pub fn delivered(&self) -> Vec<Delivered> {
        lock(&self.shared.delivered).clone()
    }

    /// Waits until it has taken `count` mails.
    ///
    /// # Panics
    /// When it takes too long.
    pub async fn wait(&self, count: usize) -> Vec<Delivered> {
        let enough = async {
            loop {
                let news = self.shared.news.notified();
                let delivered = self.delivered();
                if delivered.len() >= count {
                    return delivered;
                }
                news.await;
            }
        };
        let Ok(delivered) = tokio::time::timeout(super::PATIENCE, enough).await else {
            panic!("{} of {count} mails came", self.delivered().len())
        };
        delivered
    }
}

async fn converse(socket: TcpStream, shared: Arc<Shared>) {
    let mut socket = BufReader::new(socket);
    let mut mail = Delivered { from: String::new(), to: Vec::new(), data: String::new() };
    let mut answer = "220 here".to_owned();
    let mut line = String::new();
    loop {
        if socket.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() || answer.starts_with("221") {
            return;
        }
        line.clear();
        if !matches!(socket.read_line(&mut line).await, Ok(1..)) {
            return;
        }
        let address = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        answer = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => "250-here\r\n250 8BITMIME".to_owned(),
            "MAIL" => {
                mail = Delivered { from: address, to: Vec::new(), data: String::new() };
                "250 ok".to_owned()
            }
            "RCPT" => {
                mail.to.push(address);
                "250 ok".to_owned()
            }
            "DATA" => {
                if socket.write_all(b"354 go on\r\n").await.is_err() {
                    return;
                }
                let Some(data) = read_data(&mut socket).await else { return };
                take(&shared, Delivered { data, ..mail.clone() })
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "250 ok".to_owned(),
        };
    }
}

async fn read_data(socket: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut data, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        socket.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let text = line.trim_end_matches(['\r', '\n']);
        if text == "." {
            return Some(data);
        }
        data.push_str(text.strip_prefix('.').unwrap_or(text));
        data.push('\n');
    }
}

fn take(shared: &Shared, mail: Delivered) -> String {
    if let Some(refusal) = lock(&shared.refusals).pop_front() {
        return refusal;
    }
    lock(&shared.delivered).push(mail);
    shared.news.notify_waiters();
    "250 taken".to_owned()
}
