//! OpenID Connect issuers: their discovery documents and keys, remembered for a while, and what their tokens say.

use super::outbound::{Outbound, OutboundError, TIMEOUT};
use crate::http::error::ApiError;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, Jwk, JwkSet, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Mutex as AsyncMutex;

/// How long documents and keys are believed.
const BELIEVED: TimeDelta = TimeDelta::hours(1);
/// Keys are not asked for again within this time, whatever keys tokens name.
const PAUSE: TimeDelta = TimeDelta::minutes(1);
/// How far clocks may differ, seconds.
const LEEWAY: i64 = 60;

/// What an issuer says of itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub issuer: String,
    #[serde(default)]
    pub authorization_endpoint: Option<String>,
    #[serde(default)]
    pub token_endpoint: Option<String>,
    #[serde(default)]
    pub userinfo_endpoint: Option<String>,
    pub jwks_uri: String,
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

/// The claims of a token.
pub(crate) type Claims = Map<String, Value>;

/// Why a token, or an issuer, is not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The issuer is away, or answers nonsense.
    #[error("the issuer {issuer} does not help: {reason}")]
    Issuer { issuer: String, reason: String },
    /// The token is wrong: in which part, and how.
    #[error("{0}: {1}")]
    Token(&'static str, String),
}

impl Fault {
    pub fn token(part: &'static str, message: impl Into<String>) -> Self {
        Self::Token(part, message.into())
    }
}

/// Issuers asked so far: those of the settings only, so there are few.
#[derive(Debug, Default)]
pub(crate) struct Issuers {
    pub outbound: Outbound,
    known: Mutex<HashMap<String, Arc<AsyncMutex<Known>>>>,
}

#[derive(Debug, Default)]
struct Known {
    metadata: Option<(DateTime<Utc>, Arc<Metadata>)>,
    keys: Option<(DateTime<Utc>, Arc<JwkSet>)>,
}

fn believed<T: Clone>(remembered: &Option<(DateTime<Utc>, T)>, now: DateTime<Utc>, life: TimeDelta) -> Option<T> {
    remembered.as_ref().filter(|(at, _)| (*at..*at + life).contains(&now)).map(|(_, value)| value.clone())
}

impl Issuers {
    /// The issuer's discovery document.
    pub async fn metadata(&self, issuer: &str, now: DateTime<Utc>) -> Result<Arc<Metadata>, Fault> {
        let known = self.known(issuer);
        bounded(issuer, async { discovered(&self.outbound, issuer, now, &mut *known.lock().await).await }).await
    }

    /// The claims of a token that this issuer signed. Whom it is for, and when, is not looked at.
    pub async fn claims(
        &self,
        issuer: &str,
        token: &str,
        algorithms: &[Algorithm],
        now: DateTime<Utc>,
    ) -> Result<Claims, Fault> {
        let header = decode_header(token).map_err(|_| Fault::token("header", "it cannot be read"))?;
        if !algorithms.contains(&header.alg) || header.crit.is_some() {
            return Err(Fault::token("alg", format!("{:?} is not accepted", header.alg)));
        }
        let kid = header.kid.as_deref();
        let mut key = pick(&*self.keys(issuer, now, BELIEVED).await?, kid, header.alg);
        if key.is_none() {
            key = pick(&*self.keys(issuer, now, PAUSE).await?, kid, header.alg);
        }
        let key = key.ok_or_else(|| Fault::token("kid", "the issuer has no such key"))?;
        let mut validation = Validation::new(header.alg);
        validation.required_spec_claims.clear();
        // The caller does, with our own clock and with words of its own.
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let decoded = decode::<Claims>(token, &key, &validation);
        decoded.map(|token| token.claims).map_err(|_| Fault::token("signature", "it is not the issuer's"))
    }

    /// The issuer's keys, not older than this.
    async fn keys(&self, issuer: &str, now: DateTime<Utc>, life: TimeDelta) -> Result<Arc<JwkSet>, Fault> {
        let known = self.known(issuer);
        bounded(issuer, async {
            let mut known = known.lock().await;
            if let Some(keys) = believed(&known.keys, now, life) {
                return Ok(keys);
            }
            let metadata = discovered(&self.outbound, issuer, now, &mut known).await?;
            let published = self.outbound.get::<Published>(&metadata.jwks_uri, None).await;
            let published = published.map_err(|error| unhelpful(issuer, &error))?;
            // A key of a kind that we don't know takes none of the others away.
            let keys = published.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
            let keys = Arc::new(JwkSet { keys: keys.collect() });
            known.keys = Some((now, Arc::clone(&keys)));
            Ok(keys)
        })
        .await
    }

    fn known(&self, issuer: &str) -> Arc<AsyncMutex<Known>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(issuer.to_owned()).or_default())
    }
}

/// Whoever waits for others asking the same issuer waits no longer than a call may take.
async fn bounded<T>(issuer: &str, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = |_| unhelpful(issuer, &"no answer in time");
    tokio::time::timeout(TIMEOUT, work).await.map_err(late)?
}

fn unhelpful(issuer: &str, reason: &dyn std::fmt::Display) -> Fault {
    Fault::Issuer { issuer: issuer.to_owned(), reason: reason.to_string() }
}

async fn discovered(
    outbound: &Outbound,
    issuer: &str,
    now: DateTime<Utc>,
    known: &mut Known,
) -> Result<Arc<Metadata>, Fault> {
    if let Some(metadata) = believed(&known.metadata, now, BELIEVED) {
        return Ok(metadata);
    }
    let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let found: Result<Metadata, OutboundError> = outbound.get(&place, None).await;
    let metadata = Arc::new(found.map_err(|error| unhelpful(issuer, &error))?);
    if metadata.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
        return Err(unhelpful(issuer, &format!("it calls itself {}", metadata.issuer)));
    }
    known.metadata = Some((now, Arc::clone(&metadata)));
    Ok(metadata)
}

/// The key of this name, if it is one for this algorithm; without a name the only such key.
fn pick(keys: &JwkSet, kid: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
    let mut fitting = keys.keys.iter().filter(|key| fits(key, kid, algorithm));
    let key = fitting.next()?;
    (kid.is_some() || fitting.next().is_none()).then(|| DecodingKey::from_jwk(key).ok()).flatten()
}

fn fits(key: &Jwk, kid: Option<&str>, algorithm: Algorithm) -> bool {
    let named = kid.is_none_or(|kid| key.common.key_id.as_deref() == Some(kid));
    let signs = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    let meant = key.common.key_algorithm.is_none_or(|meant| meant.to_string().parse() == Ok(algorithm));
    // A secret in a public list is none.
    let public = !matches!(key.algorithm, AlgorithmParameters::OctetKey(_));
    let family = || DecodingKey::from_jwk(key).is_ok_and(|key| key.family().algorithms().contains(&algorithm));
    named && signs && meant && public && family()
}

/// Whether a token holds now, give or take a minute.
pub(crate) fn check_times(claims: &Claims, now: DateTime<Utc>) -> Result<(), Fault> {
    #[allow(clippy::cast_possible_truncation, reason = "a time that does not fit is far from now either way")]
    let seconds = |name: &str| claims.get(name).and_then(Value::as_f64).map(|seconds| seconds as i64);
    let now = now.timestamp();
    match seconds("exp") {
        None => return Err(Fault::token("exp", "the token does not say when it expires")),
        Some(exp) if exp.saturating_add(LEEWAY) <= now => return Err(Fault::token("exp", "the token has expired")),
        Some(_) => {}
    }
    for name in ["nbf", "iat"] {
        if seconds(name).is_some_and(|time| time.saturating_sub(LEEWAY) > now) {
            return Err(Fault::token(name, "the token is from the future"));
        }
    }
    Ok(())
}

/// Whether a claim that may be one word or a list of them has this word.
pub(crate) fn names(claim: Option<&Value>, word: &str) -> bool {
    words(claim).any(|found| found == word)
}

/// The words of a claim that may be one or a list.
pub(crate) fn words(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = claim.and_then(Value::as_array).map(Vec::as_slice);
    let one = claim.map(std::slice::from_ref);
    list.or(one).unwrap_or_default().iter().filter_map(Value::as_str)
}

/// A claim that is a word, and not an empty one.
pub(crate) fn word<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str).filter(|word| !word.is_empty())
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        match &fault {
            Fault::Issuer { issuer, .. } => {
                tracing::warn!(%fault, "an issuer does not help");
                ApiError::unavailable("issuer_unavailable", format!("{issuer} does not answer as it should; retry"))
            }
            Fault::Token(..) => {
                ApiError::unauthenticated("untrusted_token", format!("the token is not trusted: {fault}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_holds_from_its_beginning_to_its_end_give_or_take_a_minute() {
        let noon = DateTime::from_timestamp(1_795_262_400, 0).unwrap();
        let at = |seconds: i64| noon.timestamp() + seconds;
        let check = |claims: Value| {
            check_times(claims.as_object().unwrap(), noon).map_err(|fault| match fault {
                Fault::Token(part, _) => part,
                Fault::Issuer { .. } => "issuer",
            })
        };
        assert_eq!(check(json!({"exp": at(-59), "nbf": at(60), "iat": at(60)})), Ok(()));
        assert_eq!(check(json!({"exp": at(-60)})), Err("exp"));
        assert_eq!(check(json!({})), Err("exp"));
        assert_eq!(check(json!({"exp": "soon"})), Err("exp"));
        assert_eq!(check(json!({"exp": at(300), "nbf": at(61)})), Err("nbf"));
        assert_eq!(check(json!({"exp": at(300), "iat": at(61)})), Err("iat"));
    }

    #[test]
    fn claims_may_be_a_word_or_a_list() {
        assert!(names(Some(&json!("a")), "a") && names(Some(&json!(["b", "a", 1])), "a"));
        assert!(!names(Some(&json!("ab")), "a") && !names(None, "a") && !names(Some(&json!({"a": 1})), "a"));
    }
}
