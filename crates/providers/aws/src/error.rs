//! What AWS says went wrong, in the words of providers.

use std::{error::Error, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use novacron_provider::{ErrorKind, ProviderError};

/// Which request it was: the service's prefix in IAM and the request's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request(pub &'static str, pub &'static str);

/// For `map_err`: an error of any service's client as a provider's.
pub fn failed<E>(service: &'static str, name: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> ProviderError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    move |error| from_sdk(Request(service, name), &error)
}

/// As [`failed`], for EC2.
pub fn ec2<E>(name: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> ProviderError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    failed("ec2", name)
}

/// The vendor's own code, where the service answered.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    match error {
        SdkError::ServiceError(context) => context.err().meta().code(),
        _ => None,
    }
}

pub fn from_sdk<E>(request: Request, error: &SdkError<E, HttpResponse>) -> ProviderError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let id = error.request_id().map(str::to_owned);
    match error {
        SdkError::ServiceError(context) => {
            let (meta, raw) = (context.err().meta(), context.raw());
            let code = meta.code().unwrap_or_default();
            let message = meta.message().unwrap_or_default();
            let retry_after = raw.headers().get("retry-after").and_then(|text| text.parse().ok());
            let answer = Answer { code, message, status: raw.status().as_u16(), retry_after };
            answered(request, &answer).request_id(id)
        }
        // What is between here and AWS, a proxy for one, answers in words of its own: the status has to do.
        SdkError::ResponseError(context) if context.raw().status().as_u16() >= 400 => {
            let status = context.raw().status().as_u16();
            answered(request, &Answer { code: "", message: &chain(error), status, retry_after: None }).request_id(id)
        }
        other => unanswered(request, other).request_id(id),
    }
}

/// What a service answered.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    pub code: &'a str,
    pub message: &'a str,
    pub status: u16,
    pub retry_after: Option<u64>,
}

/// The pure half of the mapping.
pub fn answered(request: Request, answer: &Answer<'_>) -> ProviderError {
    let Request(service, name) = request;
    let mut kind = kind(answer);
    if let ErrorKind::Throttled { retry_after } = &mut kind {
        *retry_after = answer.retry_after.map(Duration::from_secs);
    }
    let code = if answer.code.is_empty() { format!("HTTP {}", answer.status) } else { answer.code.to_owned() };
    let error = ProviderError::new(kind, name, format!("{code}: {}", readable(answer)));
    match (answer.code, kind) {
        ("UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException", _) => {
            let action = missing_action(answer.message).unwrap_or_else(|| format!("{service}:{name}"));
            error.advice(format!("Allow the action `{action}` in the IAM policy of these credentials."))
        }
        ("RequestExpired" | "RequestTimeTooSkewed", _) => {
            error.advice("Set this machine's clock right: AWS refuses requests that are minutes off.")
        }
        ("ExpiredToken" | "ExpiredTokenException", _) => error.advice("Renew the temporary credentials."),
        ("OptInRequired", _) => error.advice("Enable this region or service for the account."),
        (_, ErrorKind::Unauthorised) => error.advice(
            "Check `access_key_id`, `secret_access_key` and `session_token`, or the profile or role that is used.",
        ),
        (_, ErrorKind::Quota) => error.advice("Ask for a higher limit in the Service Quotas console, or free some."),
        (_, ErrorKind::NoCapacity) => error.advice("Try another zone or instance type, or later."),
        _ => error,
    }
}

fn kind(answer: &Answer<'_>) -> ErrorKind {
    const THROTTLED: ErrorKind = ErrorKind::Throttled { retry_after: None };
    match answer.code {
        "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "EC2ThrottledException"
        | "TooManyRequestsException"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "ConcurrentLimitExceededException"
        | "ConcurrentSnapshotLimitExceeded"
        | "SnapshotCreationPerVolumeRateExceeded" => THROTTLED,
        "UnauthorizedOperation"
        | "AuthFailure"
        | "AccessDenied"
        | "AccessDeniedException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "UnrecognizedClientException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "OptInRequired"
        | "PendingVerification"
        | "Blocked" => ErrorKind::Unauthorised,
        "InsufficientInstanceCapacity"
        | "InsufficientHostCapacity"
        | "InsufficientReservedInstanceCapacity"
        | "InsufficientCapacity"
        | "InsufficientVolumeCapacity"
        | "InsufficientAddressCapacity"
        | "SpotMaxPriceTooLow" => ErrorKind::NoCapacity,
        "Unsupported" if answer.message.contains("Availability Zone") => ErrorKind::NoCapacity,
        "IncorrectState"
        | "IncorrectInstanceState"
        | "IncorrectModificationState"
        | "InvalidState"
        | "InvalidSnapshot.InUse"
        | "InvalidAMIID.Unavailable"
        | "VolumeInUse"
        | "VolumeModificationInProgress"
        | "ResourceInUse"
        | "DependencyViolation"
        | "OperationNotPermitted"
        | "IdempotentParameterMismatch"
        | "IdempotentInstanceTerminated"
        | "ConflictException" => ErrorKind::Conflict,
        "InternalError"
        | "InternalFailure"
        | "InternalServerException"
        | "Unavailable"
        | "ServiceUnavailable"
        | "RequestTimeout"
        | "Server.InternalError" => ErrorKind::Unavailable,
        "ServiceQuotaExceededException" | "LimitExceededException" | "ResourceCountExceeded" => ErrorKind::Quota,
        code if code.ends_with("NotFound") || code.ends_with("NotFoundException") || code == "NoSuchEntity" => {
            ErrorKind::NotFound
        }
        code if code.ends_with("Duplicate") || code.ends_with("AlreadyExists") => ErrorKind::AlreadyExists,
        code if code.ends_with("LimitExceeded") || code.ends_with("CountExceeded") => ErrorKind::Quota,
        _ if answer.status == 429 => THROTTLED,
        _ if answer.status == 408 || answer.status >= 500 => ErrorKind::Unavailable,
        _ if answer.status == 401 || answer.status == 403 => ErrorKind::Unauthorised,
        "" if answer.status == 404 => ErrorKind::NotFound,
        _ => ErrorKind::Invalid,
    }
}

/// AWS adds an encoded blob to denials, and the signed headers, a session's token among them, to wrong signatures.
fn readable<'a>(answer: &Answer<'a>) -> &'a str {
    let cut = [" Encoded authorization failure message", "\n", "The Canonical String", "The canonical string"];
    let end = cut.iter().filter_map(|mark| answer.message.find(mark)).min().unwrap_or(answer.message.len());
    let message = answer.message[..end].trim_end();
    if message.is_empty() { "no message" } else { message }
}

/// `… is not authorized to perform: ec2:RunInstances on resource …`
fn missing_action(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("not authorized to perform: ")?;
    let action = rest.split_whitespace().next()?;
    action.contains(':').then(|| action.to_owned())
}

fn unanswered<E: Error + 'static>(Request(_, name): Request, error: &SdkError<E, HttpResponse>) -> ProviderError {
    let chain = chain(error);
    if find::<CredentialsError>(error).is_some() {
        let message = format!("no credentials could be had ({chain})");
        return ProviderError::new(ErrorKind::Unauthorised, name, message)
            .advice("Set `access_key_id` and `secret_access_key`, or a profile, or run where the machine has a role.");
    }
    match error {
        SdkError::ConstructionFailure(_) => ProviderError::new(ErrorKind::Invalid, name, chain),
        SdkError::TimeoutError(_) => {
            ProviderError::new(ErrorKind::Unavailable, name, format!("no answer in time ({chain})"))
        }
        SdkError::ResponseError(_) => {
            ProviderError::new(ErrorKind::Unavailable, name, format!("the answer could not be read ({chain})"))
        }
        _ => ProviderError::new(ErrorKind::Unavailable, name, format!("the service could not be reached ({chain})"))
            .advice("Check the network and the configured region and endpoint."),
    }
}

/// The causes, outermost first, each once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next.filter(|_| texts.len() < 8) {
        let text = cause.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        next = cause.source();
    }
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// An answer that lacks what the protocol says is always there.
pub fn incomplete(name: &'static str, what: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, name, format!("the answer has no {what}"))
}

pub fn invalid(name: impl Into<String>, message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, name, message)
}

pub fn conflict(name: impl Into<String>, message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::Conflict, name, message)
}

pub fn not_found(name: impl Into<String>, message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::NotFound, name, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(code: &str, message: &str, status: u16) -> ProviderError {
        answered(Request("ec2", "RunInstances"), &Answer { code, message, status, retry_after: Some(7) })
    }

    #[test]
    fn tells_kinds_apart() {
        let throttled = ErrorKind::Throttled { retry_after: Some(Duration::from_secs(7)) };
        for (code, status, kind) in [
            ("RequestLimitExceeded", 503, throttled),
            ("RequestThrottledException", 400, throttled),
            ("InvalidInstanceID.NotFound", 400, ErrorKind::NotFound),
            ("ResourceNotFoundException", 404, ErrorKind::NotFound),
            ("InvalidInstanceID.Malformed", 400, ErrorKind::Invalid),
            ("InvalidAMIName.Duplicate", 400, ErrorKind::AlreadyExists),
            ("VcpuLimitExceeded", 400, ErrorKind::Quota),
            ("InsufficientInstanceCapacity", 500, ErrorKind::NoCapacity),
            ("IncorrectInstanceState", 400, ErrorKind::Conflict),
            ("InvalidSnapshot.InUse", 400, ErrorKind::Conflict),
            ("SignatureDoesNotMatch", 403, ErrorKind::Unauthorised),
            ("InternalError", 500, ErrorKind::Unavailable),
            ("", 502, ErrorKind::Unavailable),
            ("SomethingNew", 400, ErrorKind::Invalid),
        ] {
            assert_eq!(map(code, "m", status).kind, kind, "{code}");
        }
        assert_eq!(map("Unsupported", "not in your requested Availability Zone (x)", 400).kind, ErrorKind::NoCapacity);
        assert_eq!(map("Unsupported", "EBS-optimized is not supported", 400).kind, ErrorKind::Invalid);
    }

    #[test]
    fn names_the_missing_permission_and_cuts_the_blob() {
        let error = map(
            "UnauthorizedOperation",
            "You are not authorized to perform this operation. User: arn:aws:iam::1:user/a is not authorized to perform: \
             iam:PassRole on resource: x. Encoded authorization failure message: AAAA",
            403,
        );
        assert_eq!(error.kind, ErrorKind::Unauthorised);
        assert!(error.advice.as_deref().unwrap_or_default().contains("`iam:PassRole`"));
        assert!(!error.to_string().contains("AAAA"));
        let plain = map("UnauthorizedOperation", "You are not authorized to perform this operation.", 403);
        assert!(plain.advice.unwrap_or_default().contains("`ec2:RunInstances`"));
    }

    #[test]
    fn keeps_the_canonical_string_out() {
        let error = map("SignatureDoesNotMatch", "Wrong.\n\nThe Canonical String was x-amz-security-token:SECRET", 403);
        assert!(!error.to_string().contains("SECRET"));
    }
}
