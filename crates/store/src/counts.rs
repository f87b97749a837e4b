//! How many there are of what, for metrics: counted by the database, however long the lists are.

use std::collections::HashMap;

use async_trait::async_trait;
use novacron_operations::{Status, StoreError};
use novacron_types::placement::PlacementStatus;

/// Counts what is stored.
#[async_trait]
pub trait Counts: Send + Sync + 'static {
    async fn vm_counts(&self) -> Result<Vec<VmCount>, StoreError>;

    /// Placements, by the statuses that any has.
    async fn placement_counts(&self) -> Result<HashMap<PlacementStatus, u64>, StoreError>;

    /// Of operations of these kinds that have ended; `source` and `destination` are those fields of their summaries.
    async fn ended_counts(&self, kinds: &[&str]) -> Result<Vec<EndedCount>, StoreError>;
}

/// VMs at one provider, in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmCount {
    pub provider: String,
    /// Empty where the provider has none.
    pub region: String,
    pub count: u64,
}

/// Operations that have ended in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedCount {
    pub source: String,
    pub destination: String,
    pub status: Status,
    pub count: u64,
}
