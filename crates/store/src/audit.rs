//! Who changed what, and what came of it.

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::{Page, PageCursor, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Takes entries, and never changes one; old ones go all together.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    async fn append(&self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Removes up to `limit` entries from before `before`, oldest first, and says how many.
    async fn prune(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Newest first.
    async fn entries(&self, query: &AuditQuery) -> Result<Page<AuditEntry>, StoreError>;
}

/// One change that somebody asked for. Holds no secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub at: Timestamp,
    pub actor: String,
    /// `migration.cancel`
    pub action: String,
    /// What it was done to.
    pub target: String,
    /// `accepted`, `refused`, or an error's code.
    pub outcome: String,
    pub detail: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AuditQuery {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub target: Option<String>,
    pub cursor: Option<PageCursor>,
    pub limit: u32,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self { actor: None, action: None, target: None, cursor: None, limit: 50 }
    }
}
