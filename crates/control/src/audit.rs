//! Who wanted which change, and what came of it.

use novacron_store::{AuditEntry, AuditQuery};
use serde_json::Value;

use crate::{Control, ControlError};

/// Callers choose what they name: no more of it is kept.
const MOST_TARGET: usize = 255;

#[derive(Debug, Clone, PartialEq)]
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

    /// Notes what came of a change that somebody asked for. What was accepted stays so when it can't be noted: then it
    /// is in the process's own log.
    pub(crate) async fn note(
        &self,
        actor: &str,
        action: &str,
        target: &str,
        detail: Value,
        refused: Option<&ControlError>,
    ) {
        let entry = AuditEntry {
            at: jiff::Timestamp::now(),
            actor: actor.to_owned(),
            action: action.to_owned(),
            target: target.chars().take(MOST_TARGET).collect(),
            outcome: refused.map_or_else(|| "accepted".to_owned(), |error| error.code.clone()),
            detail,
        };
        if let Err(error) = self.store().audit().append(&entry).await {
            let AuditEntry { actor, action, target, outcome, detail, .. } = entry;
            tracing::error!(%error, actor, action, target, outcome, %detail, "the audit log could not be written");
        }
    }
}
