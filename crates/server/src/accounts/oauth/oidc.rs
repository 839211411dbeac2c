//! What an OpenID Connect provider says of somebody.

use super::{IdToken, Profile, Provider};
use crate::{
    accounts::{
        email::Email,
        issuers::{Claims, Fault, Metadata, check_times, names, word, words},
    },
    app::App,
    config::Oidc,
};
use jsonwebtoken::Algorithm;
use oauth2::{StandardTokenResponse, TokenResponse, basic::BasicTokenType};
use serde_json::Value;
use subtle::ConstantTimeEq;

/// How ID tokens may be signed: never with a secret that both sides know.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

pub(super) struct Check<'a> {
    pub app: &'a App,
    pub provider: Provider,
    pub oidc: &'a Oidc,
    pub metadata: &'a Metadata,
}

impl Check<'_> {
    /// The person of an answer to our code.
    pub async fn profile(
        &self,
        answer: &StandardTokenResponse<IdToken, BasicTokenType>,
        nonce: &str,
    ) -> Result<Profile, Fault> {
        let missing = || Fault::token("id_token", "there is none");
        let id_token = answer.extra_fields().id_token.as_deref().ok_or_else(missing)?;
        let mut claims = self.id_token(id_token, nonce).await?;
        let subject = word(&claims, "sub").filter(|sub| sub.len() <= 255 && !sub.contains('\0'));
        let subject = subject.ok_or_else(|| Fault::token("sub", "it names nobody"))?.to_owned();
        // Many providers keep ID tokens short, and tell the rest at another address.
        let wants_groups = self.oidc.groups_claim.as_ref().is_some_and(|claim| !claims.contains_key(claim));
        if !claims.contains_key("email") || (wants_groups && !self.oidc.teams.is_empty()) {
            let more = self.user_info(answer.access_token().secret(), &subject).await?;
            more.into_iter().for_each(|(name, value)| {
                claims.entry(name).or_insert(value);
            });
        }
        let email = word(&claims, "email").filter(|_| is_verified(&claims));
        let name = ["name", "preferred_username"].into_iter().find_map(|claim| word(&claims, claim));
        let groups = self.oidc.groups_claim.as_ref().and_then(|claim| claims.get(claim));
        Ok(Profile {
            provider: self.provider,
            issuer: self.metadata.issuer.clone(),
            subject,
            email: email.and_then(Email::parse),
            name: name.map(str::to_owned),
            groups: groups.map(|groups| words(Some(groups)).map(str::to_owned).collect()),
        })
    }

    async fn id_token(&self, token: &str, nonce: &str) -> Result<Claims, Fault> {
        let now = self.app.clock.now();
        let claims = self.app.issuers.claims(&self.oidc.issuer, token, ALGORITHMS, now).await?;
        check_times(&claims, now)?;
        if word(&claims, "iss") != Some(&self.metadata.issuer) {
            return Err(Fault::token("iss", "it is another issuer's"));
        }
        let ours = &self.oidc.credentials.id;
        let others = words(claims.get("aud")).any(|audience| audience != ours);
        let party = word(&claims, "azp");
        if !names(claims.get("aud"), ours) || party.map_or(others, |party| party != ours) {
            return Err(Fault::token("aud", "it is for another program"));
        }
        let given = word(&claims, "nonce").unwrap_or_default();
        if !bool::from(given.as_bytes().ct_eq(nonce.as_bytes())) {
            return Err(Fault::token("nonce", "it belongs to another sign-in"));
        }
        Ok(claims)
    }

    async fn user_info(&self, token: &str, subject: &str) -> Result<Claims, Fault> {
        let Some(place) = &self.metadata.userinfo_endpoint else { return Ok(Claims::new()) };
        let answer = self.app.issuers.outbound.get::<Claims>(place, Some(token)).await;
        let unhelpful = |error: &dyn std::fmt::Display| Fault::Issuer {
            issuer: self.metadata.issuer.clone(),
            reason: format!("user info: {error}"),
        };
        let claims = answer.map_err(|error| unhelpful(&error))?;
        if word(&claims, "sub") == Some(subject) { Ok(claims) } else { Err(unhelpful(&"it is about somebody else")) }
    }
}

/// As the standard says it, as some providers do, or as Microsoft Entra ID says it of whole domains.
fn is_verified(claims: &Claims) -> bool {
    let yes = |value: &Value| match value {
        Value::Bool(yes) => *yes,
        Value::String(word) => matches!(word.as_str(), "true" | "1"),
        Value::Number(number) => number.as_u64() == Some(1),
        _ => false,
    };
    // What the standard's own claim denies, no other can grant.
    claims.get("email_verified").or_else(|| claims.get("xms_edov")).is_some_and(yes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_address_is_verified_only_if_the_provider_says_so() {
        let verified = |claims: Value| is_verified(claims.as_object().unwrap());
        for yes in [json!({"email_verified": true}), json!({"email_verified": "true"}), json!({"xms_edov": 1})] {
            assert!(verified(yes.clone()), "{yes}");
        }
        for no in [
            json!({}),
            json!({"email_verified": false, "xms_edov": true}),
            json!({"email_verified": "no"}),
            json!({"email_verified": null}),
            json!({"email_verified": ["true"]}),
        ] {
            assert!(!verified(no.clone()), "{no}");
        }
    }
}
