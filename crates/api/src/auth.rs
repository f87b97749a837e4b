//! Who is calling, and what that one may do.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::Next,
    response::Response,
};
use novacron_types::Role;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::{
    config::Token,
    problem::{Failure, Result},
};

/// The actor's name where nobody has to say who they are.
const LOCAL: &str = "local";

/// Whoever sent the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub name: String,
    pub role: Role,
}

/// Puts the [`Actor`] into the request, or refuses it.
pub async fn authenticate(State(tokens): State<Arc<[Token]>>, mut request: Request, next: Next) -> Result<Response> {
    let actor = identify(&tokens, request.headers())?;
    request.extensions_mut().insert(actor);
    Ok(next.run(request).await)
}

fn identify(tokens: &[Token], headers: &HeaderMap) -> Result<Actor> {
    if tokens.is_empty() {
        return Ok(Actor { name: LOCAL.to_owned(), role: Role::Admin });
    }
    let refuse = |code: &str, detail: &str| {
        Failure::new(StatusCode::UNAUTHORIZED, code, detail)
            .advice("Send `Authorization: Bearer TOKEN` with a token of the configuration's `server.tokens`.")
    };
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refuse("missing_token", "the request has no token, or several"));
    };
    let token = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| refuse("missing_token", "the request has no bearer token"))?;
    find(tokens, token).ok_or_else(|| refuse("wrong_token", "the token is not known"))
}

/// Compares with every token in the same time, whichever fits.
fn find(tokens: &[Token], token: &str) -> Option<Actor> {
    let digest: [u8; 32] = Sha256::digest(token).into();
    let mut found = u32::MAX;
    for (index, token) in (0u32..).zip(tokens) {
        let equal: Choice = token.sha256.ct_eq(&digest);
        found.conditional_assign(&index, equal);
    }
    let token = tokens.get(usize::try_from(found).ok()?)?;
    Some(Actor { name: token.name.clone(), role: token.role })
}

fn require(parts: &Parts, role: Role) -> Result<Actor> {
    let actor = parts.extensions.get::<Actor>().cloned().ok_or_else(|| {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the route is not behind authentication")
    })?;
    if actor.role >= role {
        return Ok(actor);
    }
    let detail = format!("this needs the role {role}, and the token `{}` has the role {}", actor.name, actor.role);
    Err(Failure::new(StatusCode::FORBIDDEN, "forbidden", detail).advice("Use a token with that role."))
}

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        pub struct $name(pub Actor);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Failure;
            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
                require(parts, Role::$name).map(Self)
            }
        }
    )*};
}

roles!(
    /// Taken by handlers that only read.
    Viewer,
    /// Taken by handlers that start or change work.
    Operator,
    /// Taken by handlers that look inside the process.
    Admin
);

impl Admin {
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    fn token(name: &str, role: Role, secret: &str) -> Token {
        Token { name: name.into(), role, sha256: Sha256::digest(secret).into() }
    }

    #[test]
    fn tokens_are_told_apart() {
        let tokens = [token("a", Role::Viewer, "first-secret"), token("b", Role::Admin, "second-secret")];
        assert_eq!(identify(&tokens, &headers("Bearer second-secret")).unwrap().name, "b");
        assert_eq!(identify(&tokens, &headers("bearer first-secret")).unwrap().role, Role::Viewer);
        for (value, code) in [
            ("Bearer nope", "wrong_token"),
            ("Bearer ", "wrong_token"),
            ("Basic first-secret", "missing_token"),
            ("first-secret", "missing_token"),
        ] {
            assert_eq!(identify(&tokens, &headers(value)).unwrap_err().code, code, "{value}");
        }
        assert_eq!(identify(&tokens, &HeaderMap::new()).unwrap_err().status, StatusCode::UNAUTHORIZED);
        assert_eq!(identify(&[], &HeaderMap::new()).unwrap().role, Role::Admin);
    }
}
