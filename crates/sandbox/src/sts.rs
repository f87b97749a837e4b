//! STS: who am I, and temporary keys.

use std::time::Duration;

use crate::blocks::sha256;
use crate::clock::iso;
use crate::config::random_text;
use crate::core::Core;
use crate::error::{ApiError, ApiResult};
use crate::identity::{Caller, Session};
use crate::reply::Reply;
use crate::server::ApiRequest;
use crate::sigv4::hex;
use crate::xml::Xml;

pub(crate) fn handle(core: &Core, request: &ApiRequest) -> ApiResult<Reply> {
    let content = match request.action.as_str() {
        "GetCallerIdentity" => get_caller_identity(core, request),
        "AssumeRole" => assume_role(core, request)?,
        other => {
            let text = format!("Could not find operation {other} for version 2011-06-15");
            return Err(ApiError::bad("InvalidAction", text));
        }
    };
    Ok(Reply::sts(&request.action, &request.id, content))
}

fn get_caller_identity(core: &Core, request: &ApiRequest) -> Xml {
    let mut x = Xml::fragment();
    x.el("Arn", &request.caller.arn);
    x.el("UserId", &request.caller.user_id);
    x.el("Account", &core.config.account);
    x
}

/// Any role of the account can be assumed; the session may do what its caller may.
fn assume_role(core: &Core, request: &ApiRequest) -> ApiResult<Xml> {
    let wrong = |text: String| ApiError::bad("ValidationError", text);
    let p = request.params.root();
    let need = |name: &str| p.get(name).ok_or_else(|| wrong(format!("{name} is missing")));
    let (role_arn, session_name) = (need("RoleArn")?, need("RoleSessionName")?);
    let role = role_arn
        .strip_prefix("arn:aws:iam::")
        .and_then(|r| r.split_once(":role/"))
        .filter(|(account, name)| account.len() == 12 && !name.is_empty())
        .ok_or_else(|| wrong(format!("'{role_arn}' is not the ARN of a role")))?;
    let (account, role_name) = (role.0, role.1.rsplit('/').next().unwrap_or(role.1));
    if account != core.config.account {
        let text = format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
            request.caller.arn
        );
        return Err(ApiError::new("AccessDenied", 403, text));
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if !(2..=64).contains(&session_name.len()) || !session_name.bytes().all(legal) {
        return Err(wrong(format!("'{session_name}' is not a name for a session")));
    }
    let seconds = p.number("DurationSeconds").map_err(|e| wrong(e.message))?.unwrap_or(3600);
    if !(900..=43_200).contains(&seconds) {
        return Err(wrong("DurationSeconds is to be from 900 to 43200".to_owned()));
    }
    if p.get("Policy").is_some() || !p.structs("PolicyArns").is_empty() {
        // Ignoring them would give more rights than were asked for.
        return Err(wrong("The sandbox does not narrow a session by policies".to_owned()));
    }
    const KEY: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let access_key = format!("ASIASANDBOX{}", random_text(KEY, 9));
    let role_id = format!("AROA{}", &hex(&sha256(role_arn.as_bytes())).to_uppercase()[..17]);
    let lifetime = Duration::from_secs(seconds.unsigned_abs());
    let expires = core.now() + i64::try_from(lifetime.as_millis()).unwrap_or(0);
    let caller = Caller {
        secret: random_text(SECRET, 40),
        session: Some(Session { token: random_text(SECRET, 200), expires }),
        arn: format!("arn:aws:sts::{account}:assumed-role/{role_name}/{session_name}"),
        user_id: format!("{role_id}:{session_name}"),
        allow: request.caller.allow.clone(),
    };
    let mut x = Xml::fragment();
    x.wrap("Credentials", |x| {
        x.el("AccessKeyId", &access_key);
        x.el("SecretAccessKey", &caller.secret);
        x.opt("SessionToken", caller.session.as_ref().map(|s| &s.token));
        x.el("Expiration", iso(expires));
    });
    x.wrap("AssumedRoleUser", |x| {
        x.el("AssumedRoleId", &caller.user_id);
        x.el("Arn", &caller.arn);
    });
    core.identities.remember(access_key, caller);
    Ok(x)
}
