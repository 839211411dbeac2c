//! What GitHub says of somebody.

use super::{IdToken, Profile, Provider};
use crate::{
    accounts::{
        email::Email,
        outbound::{Outbound, OutboundError},
    },
    config::Github,
};
use oauth2::{StandardTokenResponse, TokenResponse, basic::BasicTokenType};
use serde::Deserialize;

#[derive(Deserialize)]
struct Person {
    id: u64,
    login: String,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    #[serde(default)]
    primary: bool,
    #[serde(default)]
    verified: bool,
}

/// The person behind a token. The e-mail of the public profile is not looked at: nothing says that it is verified.
pub(super) async fn profile(
    outbound: &Outbound,
    github: &Github,
    answer: &StandardTokenResponse<IdToken, BasicTokenType>,
) -> Result<Profile, OutboundError> {
    let token = Some(answer.access_token().secret().as_str());
    let person: Person = outbound.get(&format!("{}/user", github.api_url), token).await?;
    let addresses: Vec<Address> = outbound.get(&format!("{}/user/emails", github.api_url), token).await?;
    let address = addresses.into_iter().find(|address| address.primary && address.verified);
    Ok(Profile {
        provider: Provider::Github,
        issuer: github.url.clone(),
        // Not the login, which can be given up and taken by somebody else.
        subject: person.id.to_string(),
        email: address.and_then(|address| Email::parse(&address.email)),
        name: person.name.filter(|name| !name.trim().is_empty()).or(Some(person.login)),
        groups: None,
    })
}
