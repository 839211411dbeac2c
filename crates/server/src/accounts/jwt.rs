//! Access tokens: JWT, HS256, short-lived, and good only as long as the session that they name.

use crate::{http::error::ApiError, secrets::Secrets};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use scaledtest_domain::{InstanceRole, TeamId, UserId};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};
use uuid::Uuid;

/// Who issues.
const ISSUER: &str = "scaledtest";
/// How far the clocks of replicas may differ, seconds.
const LEEWAY: i64 = 60;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub iss: String,
    pub sub: UserId,
    /// Seconds since the epoch.
    pub iat: i64,
    /// Seconds since the epoch.
    pub exp: i64,
    /// Seconds since the epoch; we write none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    pub uid: UserId,
    pub email: String,
    /// `owner` for the instance owner, `maintainer` for everybody else.
    pub role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<TeamId>,
    /// The session: a token without one is none.
    pub sid: Uuid,
}

/// The keys, ready for use.
pub(crate) struct Keys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    life: TimeDelta,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// The word for an account's standing that clients expect.
pub(crate) fn role_word(role: InstanceRole) -> &'static str {
    match role {
        InstanceRole::Owner => "owner",
        InstanceRole::Member => "maintainer",
    }
}

impl Keys {
    pub fn new(secrets: &Secrets, life: Duration) -> Self {
        let secret = secrets.jwt.expose_secret();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // The expiry is compared with our own clock, in `verify`; this library would ask the system's.
        validation.validate_exp = false;
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            life: TimeDelta::from_std(life).unwrap_or(TimeDelta::MAX),
        }
    }

    /// A new token and when it expires.
    pub fn issue(
        &self,
        user: UserId,
        email: &str,
        role: InstanceRole,
        team: Option<TeamId>,
        session: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(String, DateTime<Utc>), ApiError> {
        let expires_at = now.checked_add_signed(self.life).unwrap_or(DateTime::<Utc>::MAX_UTC);
        // Whole seconds, as the token says it.
        let expires_at = DateTime::from_timestamp(expires_at.timestamp(), 0).unwrap_or(expires_at);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: user,
            iat: now.timestamp(),
            exp: expires_at.timestamp(),
            nbf: None,
            uid: user,
            email: email.to_owned(),
            role: role_word(role).to_owned(),
            tid: team,
            sid: session,
        };
        let token = encode(&Header::new(Algorithm::HS256), &claims, &self.encoding);
        Ok((token.map_err(|error| ApiError::internal(&error))?, expires_at))
    }

    /// What a token says, if it is ours, its time has come, and it has not expired.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, ApiError> {
        let decoded = decode::<Claims>(token, &self.decoding, &self.validation);
        let invalid = || ApiError::unauthenticated("invalid_token", "invalid token");
        let claims = decoded.map_err(|_| invalid())?.claims;
        if claims.iat.max(claims.nbf.unwrap_or(claims.iat)) > now.timestamp().saturating_add(LEEWAY) {
            return Err(invalid());
        }
        if claims.exp <= now.timestamp() {
            return Err(ApiError::unauthenticated("token_expired", "the access token has expired"));
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(secret: u8) -> Keys {
        let secrets = Secrets::new(vec![secret; 32], vec![secret; 32]).unwrap();
        Keys::new(&secrets, Duration::from_secs(900))
    }

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_262_400, 0).unwrap()
    }

    fn issue(keys: &Keys) -> String {
        keys.issue(UserId::derived(&[b"ada"]), "ada@example.com", InstanceRole::Owner, None, Uuid::nil(), noon())
            .unwrap()
            .0
    }

    #[test]
    fn a_token_is_good_until_the_second_it_expires() {
        let keys = keys(1);
        let token = issue(&keys);
        let claims = keys.verify(&token, noon() + TimeDelta::seconds(899)).unwrap();
        assert_eq!((claims.role.as_str(), claims.tid), ("owner", None));
        assert_eq!(keys.verify(&token, noon() + TimeDelta::seconds(900)).unwrap_err().code(), "token_expired");
    }

    #[test]
    fn a_token_from_the_future_is_refused_and_a_minute_is_none() {
        let keys = keys(1);
        let claims = keys.verify(&issue(&keys), noon()).unwrap();
        let second = noon().timestamp();
        for (iat, nbf, good) in [
            (second + 60, None, true),
            (second + 61, None, false),
            (second, Some(second + 60), true),
            (second, Some(second + 61), false),
        ] {
            let token = encode(&Header::default(), &Claims { iat, nbf, ..claims.clone() }, &keys.encoding).unwrap();
            assert_eq!(keys.verify(&token, noon()).is_ok(), good, "{iat} {nbf:?}");
        }
    }

    #[test]
    fn another_key_another_algorithm_another_issuer_and_no_session_are_refused() {
        let (keys, other) = (keys(1), keys(2));
        assert!(keys.verify(&issue(&other), noon()).is_err());
        let mut claims = keys.verify(&issue(&keys), noon()).unwrap();
        let mut homeless = serde_json::to_value(&claims).unwrap();
        homeless.as_object_mut().unwrap().remove("sid");
        let homeless = encode(&Header::default(), &homeless, &keys.encoding).unwrap();
        assert_eq!(keys.verify(&homeless, noon()).unwrap_err().code(), "invalid_token");
        let strong = encode(&Header::new(Algorithm::HS512), &claims, &keys.encoding).unwrap();
        assert!(keys.verify(&strong, noon()).is_err());
        claims.iss = "somebody".to_owned();
        let foreign = encode(&Header::default(), &claims, &keys.encoding).unwrap();
        assert!(keys.verify(&foreign, noon()).is_err());
        // {"alg":"none","typ":"JWT"} with the claims of a real token, and no signature.
        let payload = issue(&keys).split('.').nth(1).unwrap().to_owned();
        assert!(keys.verify(&format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."), noon()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_changed_byte_passes(at in any::<prop::sample::Index>(), byte in prop::char::range('A', 'z')) {
            let keys = keys(1);
            let token = issue(&keys);
            let mut changed: Vec<char> = token.chars().collect();
            // The last character of a part holds bits that are not decoded.
            let ends: Vec<_> = token.match_indices('.').map(|(dot, _)| dot - 1).chain([token.len() - 1]).collect();
            let at = at.index(changed.len());
            prop_assume!(!ends.contains(&at) && changed[at] != byte);
            changed[at] = byte;
            let changed: String = changed.into_iter().collect();
            prop_assert!(keys.verify(&changed, noon()).is_err());
        }
    }
}
