//! Who sends a request, and how each protocol refuses those who may not.

use http::Method;
use http::request::Parts;

use crate::blocks::Digest;
use crate::clock::real_now;
use crate::core::Core;
use crate::error::{ApiError, ApiResult};
use crate::identity::Caller;
use crate::reply::Protocol;
use crate::sigv4::{Claim, Refusal};

/// The signature's claim and whose it is, if it is good.
pub(crate) fn authenticate(
    core: &Core,
    parts: &Parts,
    body: &Digest,
    protocol: Protocol,
) -> ApiResult<(Claim, Caller)> {
    let claim = Claim::read(&parts.headers).map_err(|r| refused(protocol, r))?;
    let expected = match protocol {
        Protocol::Ec2 => "ec2",
        Protocol::Sts => "sts",
        Protocol::RestJson => "ebs",
        Protocol::Cbor | Protocol::AwsJson => "monitoring",
        Protocol::Pricing => "pricing",
    };
    if claim.service != expected {
        return Err(refused(protocol, Refusal::Mismatch));
    }
    let Some(caller) = core.identities.find(&claim.access_key) else {
        return Err(unknown_key(protocol));
    };
    let unsigned_body = protocol == Protocol::RestJson && parts.method == Method::PUT;
    claim.verify(&caller.secret, parts, body, unsigned_body, real_now()).map_err(|r| refused(protocol, r))?;
    let token = parts.headers.get("x-amz-security-token").and_then(|v| v.to_str().ok());
    match &caller.session {
        None if token.is_some() => return Err(unknown_key(protocol)),
        None => {}
        Some(session) if token != Some(session.token.as_str()) => return Err(unknown_key(protocol)),
        Some(session) if session.expires <= core.now() => return Err(expired(protocol)),
        Some(_) => {}
    }
    Ok((claim, caller))
}

fn unknown_key(protocol: Protocol) -> ApiError {
    match protocol {
        Protocol::Ec2 => {
            let text = "AWS was not able to validate the provided access credentials";
            ApiError::new("AuthFailure", 401, text)
        }
        Protocol::RestJson => {
            let text = "The security token included in the request is invalid.";
            ApiError::new("UnrecognizedClientException", 403, text)
        }
        _ => {
            let text = "The security token included in the request is invalid.";
            ApiError::new("InvalidClientTokenId", 403, text)
        }
    }
}

fn expired(protocol: Protocol) -> ApiError {
    let text = "The security token included in the request is expired";
    match protocol {
        Protocol::Ec2 => ApiError::bad("RequestExpired", "Request has expired."),
        Protocol::RestJson => ApiError::new("ExpiredTokenException", 403, text),
        _ => ApiError::new("ExpiredToken", 403, text),
    }
}

fn refused(protocol: Protocol, refusal: Refusal) -> ApiError {
    let mismatch = match protocol {
        Protocol::RestJson => "InvalidSignatureException",
        _ => "SignatureDoesNotMatch",
    };
    match refusal {
        Refusal::Missing => {
            let text = "The request must carry a Signature Version 4 in its Authorization header";
            let code = match protocol {
                Protocol::Ec2 => "AuthFailure",
                Protocol::RestJson => "MissingAuthenticationTokenException",
                _ => "MissingAuthenticationToken",
            };
            ApiError::new(code, if protocol == Protocol::Ec2 { 401 } else { 403 }, text)
        }
        Refusal::BadDate => ApiError::new(
            mismatch,
            403,
            "The request's X-Amz-Date is missing, unreadable, or of another day than its credential scope",
        ),
        Refusal::Skewed if protocol == Protocol::Ec2 => ApiError::bad("RequestExpired", "Request has expired."),
        Refusal::Skewed => ApiError::new(
            mismatch,
            403,
            "Signature expired: the request's time differs from the server's by more than 15 minutes",
        ),
        Refusal::Mismatch => ApiError::new(
            mismatch,
            403,
            "The request signature we calculated does not match the signature you provided. Check your AWS \
             Secret Access Key and signing method. Consult the service documentation for details.",
        ),
        Refusal::PayloadMismatch => {
            ApiError::new(mismatch, 403, "The body's SHA-256 is not the one that was signed in x-amz-content-sha256")
        }
    }
}

/// The key is good, but may not do this.
pub(crate) fn unauthorized(protocol: Protocol, arn: &str, service: &str, action: &str) -> ApiError {
    let text = format!("User: {arn} is not authorized to perform: {service}:{action}");
    match protocol {
        Protocol::Ec2 => ApiError::new(
            "UnauthorizedOperation",
            403,
            format!("You are not authorized to perform this operation. {text}"),
        ),
        Protocol::RestJson => ApiError::new("AccessDeniedException", 403, text).with_reason("UNAUTHORIZED_ACCOUNT"),
        _ => ApiError::new("AccessDenied", 403, text),
    }
}

/// The bucket is empty.
pub(crate) fn too_many(protocol: Protocol) -> ApiError {
    match protocol {
        Protocol::Ec2 => ApiError::new("RequestLimitExceeded", 503, "Request limit exceeded."),
        Protocol::RestJson => ApiError::bad("RequestThrottledException", "The request was throttled; try again later")
            .with_reason("ACCOUNT_THROTTLED"),
        _ => ApiError::bad("Throttling", "Rate exceeded"),
    }
}
