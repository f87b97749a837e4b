//! Who wanted which change, and what came of it.

use novacron_store::{AuditEntry, AuditQuery};
use serde::Serialize;
use serde_json::Value;

use crate::{Control, ControlError};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditPage {
    pub items: Vec<AuditEntry>,
    pub next: Option<String>,
}

impl Control {
    /// The audit log, newest first. `limit` absent: 50; at most 500.
    pub async fn audit(&self, cursor: Option<String>, limit: Option<u32>) -> Result<AuditPage, ControlError> {
        let query = AuditQuery {
            cursor: cursor.map(|cursor| cursor.parse()).transpose()?,
            limit: limit.unwrap_or(50),
            ..AuditQuery::default()
        };
        let page = self.store().audit().entries(&query).await?;
        Ok(AuditPage { items: page.items, next: page.next.map(|cursor| cursor.to_string()) })
    }

    pub(crate) async fn audit_result<T>(
        &self,
        actor: &str,
        action: &str,
        target: &str,
        detail: Value,
        outcome: &Result<T, ControlError>,
    ) -> Result<(), ControlError> {
        let outcome = match outcome {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.code.clone(),
        };
        let entry = AuditEntry {
            at: jiff::Timestamp::now(),
            actor: actor.to_owned(),
            action: action.to_owned(),
            target: target.to_owned(),
            outcome,
            detail,
        };
        Ok(self.store().audit().append(&entry).await?)
    }
}
