//! Calls to other providers: bounded in time and size, never redirected, and over https unless they stay on this machine.

use axum::http::{self, StatusCode, header};
use reqwest::{Client, Url, redirect::Policy};
use serde::de::DeserializeOwned;
use std::{net::IpAddr, pin::Pin, time::Duration};
use tokio::sync::OnceCell;

/// How long one call may take, from the name's resolution to the last byte.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer, bytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// GitHub answers nobody without a name.
const USER_AGENT: &str = "ScaledTest";

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    #[error("{0} is no https address")]
    Insecure(String),
    #[error("cannot be reached: {0}")]
    Http(#[from] reqwest::Error),
    #[error("the answer has more than {MAX_ANSWER} bytes")]
    TooLarge,
    #[error("the answer has status {0}")]
    Status(StatusCode),
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("the request cannot be built: {0}")]
    Request(#[from] http::Error),
}

/// The client, made at its first use.
#[derive(Debug, Default)]
pub(crate) struct Outbound(OnceCell<Client>);

impl Outbound {
    /// Sends a request; any status is an answer.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let url = secure(&request.uri().to_string())?;
        let client = self.0.get_or_try_init(|| async {
            Client::builder().redirect(Policy::none()).timeout(TIMEOUT).user_agent(USER_AGENT).build()
        });
        let (parts, body) = request.into_parts();
        let call = client.await?.request(parts.method, url).headers(parts.headers).body(body);
        let mut answer = call.send().await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(OutboundError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = http::Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }

    /// Fetches a JSON document, as the bearer of a token where there is one.
    pub async fn get<T: DeserializeOwned>(&self, url: &str, token: Option<&str>) -> Result<T, OutboundError> {
        let mut request = http::Request::get(url).header(header::ACCEPT, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let answer = self.send(request.body(Vec::new())?).await?;
        if answer.status() != StatusCode::OK {
            return Err(OutboundError::Status(answer.status()));
        }
        Ok(serde_json::from_slice(answer.body())?)
    }
}

impl<'c> oauth2::AsyncHttpClient<'c> for Outbound {
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<oauth2::HttpResponse, OutboundError>> + Send + 'c>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// The address, if nobody on the way can read along.
pub(crate) fn secure(text: &str) -> Result<Url, OutboundError> {
    let insecure = || OutboundError::Insecure(text.to_owned());
    let url = Url::parse(text).map_err(|_| insecure())?;
    let host = url.host_str().unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let here = host == "localhost" || address.is_some_and(|address| address.is_loopback());
    match url.scheme() {
        "https" if !host.is_empty() => Ok(url),
        "http" if here => Ok(url),
        _ => Err(insecure()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_very_machine_is_called() {
        for good in ["https://id.example/x", "http://127.0.0.1:80/", "http://[::1]:8080", "http://localhost/realms/a"] {
            assert!(secure(good).is_ok(), "{good}");
        }
        let bad =
            ["http://id.example", "http://10.0.0.1", "http://localhost.example", "ftp://localhost", "file:///etc", "x"];
        for bad in bad {
            assert!(secure(bad).is_err(), "{bad}");
        }
    }
}
