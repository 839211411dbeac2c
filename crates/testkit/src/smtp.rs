//! A mail server that keeps what it is given, and refuses when it is told to; encrypted or not.

use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_rustls::TlsAcceptor;
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

/// How a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Not at all.
    Never,
    /// From STARTTLS on, which it offers.
    Offered,
    /// From the first byte.
    Always,
}

struct Shared {
    tls: SmtpTls,
    acceptor: TlsAcceptor,
    delivered: Mutex<Vec<Delivered>>,
    refusals: Mutex<VecDeque<String>>,
    login: Mutex<Option<String>>,
    heard: Mutex<Vec<String>>,
    news: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens on loopback until it is dropped.
pub struct Smtp {
    /// Where.
    pub port: u16,
    /// Its certificate, signed by itself, for 127.0.0.1; PEM.
    pub certificate: String,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl Smtp {
    /// On a free port, and never encrypted.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start() -> Self {
        Self::start_with(SmtpTls::Never).await
    }

    /// On a free port.
    ///
    /// # Panics
    /// When there is none.
    #[allow(clippy::expect_used, reason = "for tests only")]
    pub async fn start_with(tls: SmtpTls) -> Self {
        let (acceptor, certificate) = identity();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared {
            tls,
            acceptor,
            delivered: Mutex::default(),
            refusals: Mutex::default(),
            login: Mutex::default(),
            heard: Mutex::default(),
            news: Notify::new(),
        });
        let ours = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let shared = Arc::clone(&ours);
                // A client that does not go on is the client's to tell.
                tokio::spawn(async move { serve(socket, &shared).await.ok() });
            }
        });
        Self { port, certificate, shared, _task: AbortOnDropHandle::new(task) }
    }

    /// The next mail is answered with this line instead of being taken: `451 4.3.0 try again later`.
    pub fn refuse_next(&self, answer: &str) {
        lock(&self.shared.refusals).push_back(answer.to_owned());
    }

    /// Every login is answered with this line: `535 5.7.8 no`.
    pub fn refuse_logins(&self, answer: &str) {
        *lock(&self.shared.login) = Some(answer.to_owned());
    }

    /// The commands that it was given so far, without what follows them: `EHLO`, `MAIL`.
    pub fn heard(&self) -> Vec<String> {
        lock(&self.shared.heard).clone()
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

#[allow(clippy::expect_used, reason = "for tests only")]
fn identity() -> (TlsAcceptor, String) {
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key.into()))
        .expect("settings for TLS");
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// A connection, encrypted or not.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

async fn serve(socket: TcpStream, shared: &Shared) -> std::io::Result<()> {
    if shared.tls == SmtpTls::Always {
        let mut socket = BufReader::new(shared.acceptor.accept(socket).await?);
        socket.write_all(b"220 here\r\n").await?;
        return converse(&mut socket, shared, false).await.map(drop);
    }
    let mut socket = BufReader::new(socket);
    socket.write_all(b"220 here\r\n").await?;
    if converse(&mut socket, shared, shared.tls == SmtpTls::Offered).await? {
        let mut socket = BufReader::new(shared.acceptor.accept(socket.into_inner()).await?);
        converse(&mut socket, shared, false).await?;
    }
    Ok(())
}

/// Whether it ended because the client wants to go on encrypted.
async fn converse<W: Wire>(socket: &mut BufReader<W>, shared: &Shared, offers_tls: bool) -> std::io::Result<bool> {
    let mut mail = Delivered { from: String::new(), to: Vec::new(), data: String::new() };
    let mut line = String::new();
    loop {
        line.clear();
        if socket.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let address = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let command = line.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        lock(&shared.heard).push(command.clone());
        let answer = match command.as_str() {
            "EHLO" if offers_tls => "250-here\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 8BITMIME".to_owned(),
            "EHLO" => "250-here\r\n250-AUTH PLAIN\r\n250 8BITMIME".to_owned(),
            "STARTTLS" if offers_tls => "220 go on".to_owned(),
            "STARTTLS" => "502 5.5.1 not here".to_owned(),
            "AUTH" => lock(&shared.login).clone().unwrap_or_else(|| "235 2.7.0 welcome".to_owned()),
            "MAIL" => {
                mail = Delivered { from: address, to: Vec::new(), data: String::new() };
                "250 ok".to_owned()
            }
            "RCPT" => {
                mail.to.push(address);
                "250 ok".to_owned()
            }
            "DATA" => {
                socket.write_all(b"354 go on\r\n").await?;
                let data = read_data(socket).await?;
                take(shared, Delivered { data, ..mail.clone() })
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "250 ok".to_owned(),
        };
        socket.write_all(format!("{answer}\r\n").as_bytes()).await?;
        socket.flush().await?;
        match command.as_str() {
            "STARTTLS" if offers_tls => return Ok(true),
            "QUIT" => return Ok(false),
            _ => {}
        }
    }
}

async fn read_data<W: Wire>(socket: &mut BufReader<W>) -> std::io::Result<String> {
    let (mut data, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if socket.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = line.trim_end_matches(['\r', '\n']);
        if text == "." {
            return Ok(data);
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
