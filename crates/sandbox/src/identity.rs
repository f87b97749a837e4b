//! Who may call, and what: configured keys and the temporary ones that AssumeRole gives.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::clock::Millis;
use crate::config::{Credentials, SandboxConfig};
use crate::core::lock;
use crate::pattern;

#[derive(Debug)]
pub(crate) struct Identities {
    root: Credentials,
    configured: HashMap<String, Caller>,
    temporary: Mutex<HashMap<String, Caller>>,
}

/// One who may call.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub secret: String,
    pub session: Option<Session>,
    pub arn: String,
    pub user_id: String,
    /// `None` may do everything.
    pub allow: Option<Vec<String>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub token: String,
    pub expires: Millis,
}

/// Sessions that are remembered at most; the oldest to expire goes first.
const MAX_SESSIONS: usize = 10_000;

impl Identities {
    pub fn new(config: &SandboxConfig) -> Self {
        let root = config.credentials.clone().unwrap_or_else(Credentials::generate);
        let caller = |c: &Credentials, user: &str, allow: Option<Vec<String>>| Caller {
            secret: c.secret_key.clone(),
            session: None,
            arn: format!("arn:aws:iam::{}:user/{user}", config.account),
            user_id: format!("AIDA{}", c.access_key.trim_start_matches("AKIA")),
            allow,
        };
        let mut configured = HashMap::new();
        for identity in &config.identities {
            let Credentials { access_key, .. } = &identity.credentials;
            let known = caller(&identity.credentials, &identity.user, Some(identity.allow.clone()));
            configured.insert(access_key.clone(), known);
        }
        configured.insert(root.access_key.clone(), caller(&root, "sandbox", None));
        Self { root, configured, temporary: Mutex::default() }
    }

    pub fn root(&self) -> &Credentials {
        &self.root
    }

    pub fn find(&self, access_key: &str) -> Option<Caller> {
        self.configured.get(access_key).cloned().or_else(|| lock(&self.temporary).get(access_key).cloned())
    }

    pub fn remember(&self, access_key: String, caller: Caller) {
        let mut temporary = lock(&self.temporary);
        if temporary.len() >= MAX_SESSIONS {
            let expires = |c: &Caller| c.session.as_ref().map_or(0, |s| s.expires);
            let oldest = temporary.iter().min_by_key(|(_, c)| expires(c)).map(|(k, _)| k.clone());
            oldest.and_then(|k| temporary.remove(&k));
        }
        temporary.insert(access_key, caller);
    }
}

impl Caller {
    pub fn may(&self, service: &str, action: &str) -> bool {
        let asked = format!("{service}:{action}");
        self.allow.as_ref().is_none_or(|allow| allow.iter().any(|p| pattern::matches(p, &asked)))
    }
}
