//! A client of the server under measurement.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// Signed up, with an API token.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    /// Registers the first account and makes a token.
    pub async fn sign_up(url: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(120)).build()?;
        let account =
            json!({"email": "bench@example.test", "password": "correct horse battery", "display_name": "Bench"});
        let session: Value =
            http.post(format!("{url}/auth/register")).json(&account).send().await?.error_for_status()?.json().await?;
        let access = session["access_token"].as_str().context("no access token")?;
        let teams: Value = http
            .get(format!("{url}/api/v1/teams"))
            .bearer_auth(access)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let team = teams["teams"][0]["id"].as_str().context("no team")?;
        let made: Value = http
            .post(format!("{url}/api/v1/teams/{team}/tokens"))
            .bearer_auth(access)
            .json(&json!({"name": "bench"}))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let token = made["token"].as_str().context("no token")?.to_owned();
        Ok(Self { http, url: url.to_owned(), token })
    }

    /// Uploads a report; `respond_async` asks for the durable acknowledgement alone. Gives its id.
    pub async fn upload(&self, body: bytes::Bytes, respond_async: bool) -> anyhow::Result<String> {
        let mut request = self.http.post(format!("{}/api/v1/reports", self.url)).bearer_auth(&self.token).body(body);
        if respond_async {
            request = request.header("Prefer", "respond-async");
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "upload answered {status}: {text}");
        let answer: Value = serde_json::from_str(&text)?;
        Ok(answer["id"].as_str().context("no id")?.to_owned())
    }

    /// A connection of its own for uploads of this report that ask for the durable acknowledgement.
    pub fn wire(&self, body: &[u8]) -> anyhow::Result<Wire> {
        let host = self.url.strip_prefix("http://").context("an address without TLS")?;
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut request = format!(
            "POST /api/v1/reports HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\nprefer: respond-async\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.token,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        Ok(Wire { stream: BufReader::new(stream), request })
    }

    /// Uploads a report of another day.
    pub async fn upload_at(&self, body: bytes::Bytes, at: chrono::DateTime<chrono::Utc>) -> anyhow::Result<()> {
        let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let url = format!("{}/api/v1/reports?created_at={at}", self.url);
        let answer = self.http.post(url).bearer_auth(&self.token).body(body).send().await?;
        let status = answer.status();
        ensure!(status.is_success(), "upload answered {status}: {}", answer.text().await?);
        Ok(())
    }

    /// Waits until the read models have all that the log has, those that have to do with reports. (The audit log gathers for a
    /// while.)
    pub async fn wait_level(&self, limit: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + limit;
        while Instant::now() < until {
            let ready: Value = self.http.get(format!("{}/readyz", self.url)).send().await?.json().await?;
            let projections = ready["projections"].as_array().context("projections")?;
            let level = |name| projections.iter().any(|one| one["name"] == name && one["lag"] == 0);
            if ["reports", "history"].into_iter().all(level) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the read models aren't level with the log after {limit:?}")
    }

    /// Reads something below `/api/v1`; the status decides.
    pub async fn get(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let answer = self.http.get(format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token).send().await?;
        if answer.status() == 404 {
            return Ok(None);
        }
        Ok(Some(answer.error_for_status()?.json().await?))
    }

    /// Waits until a report is visible with that many results.
    pub async fn wait_visible(&self, report: &str, results: u64, limit: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + limit;
        while Instant::now() < until {
            if let Some(page) = self.get(&format!("/reports/{report}/results?limit=1")).await?
                && page["total"].as_u64() == Some(results)
            {
                return Ok(());
            }
            // Often enough for seconds, and not so often that asking takes the time.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the report isn't visible after {limit:?}")
    }
}

/// HTTP without a client: what a full one does between its threads takes a quarter of what is measured here.
pub struct Wire {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Wire {
    /// Uploads the report. How long it took until it was acknowledged.
    pub fn upload(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        self.stream.get_mut().write_all(&self.request)?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            ensure!(self.stream.read_line(&mut head)? > 0, "the connection ended after {head}");
        }
        let took = started.elapsed();
        ensure!(head.starts_with("HTTP/1.1 202 "), "upload answered {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.context("no length")?.parse()?];
        self.stream.read_exact(&mut body)?;
        Ok(took)
    }
}

/// The middle of some durations, milliseconds.
pub fn p50_ms(mut durations: Vec<Duration>) -> f64 {
    durations.sort();
    durations.get(durations.len() / 2).map_or(f64::NAN, |duration| duration.as_secs_f64() * 1000.0)
}

/// The 95th percentile of some durations, milliseconds.
pub fn p95_ms(mut durations: Vec<Duration>) -> f64 {
    durations.sort();
    durations.get(durations.len() * 95 / 100).map_or(f64::NAN, |duration| duration.as_secs_f64() * 1000.0)
}
