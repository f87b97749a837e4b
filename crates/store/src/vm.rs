//! The machines that the federation answers for.

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::{Page, PageCursor, StoreError};
use novacron_types::{InstanceId, InstanceState, ProviderName, VmId, VmRecord};

/// Keeps VMs. An instance of a provider belongs to at most one.
#[async_trait]
pub trait VmStore: Send + Sync + 'static {
    /// Makes or replaces the record of that id. [`StoreError::Duplicate`] if its instance belongs to another VM.
    async fn put_vm(&self, vm: &VmRecord) -> Result<(), StoreError>;

    async fn vm(&self, id: &VmId) -> Result<Option<VmRecord>, StoreError>;

    async fn vm_by_instance(
        &self,
        provider: &ProviderName,
        instance: &InstanceId,
    ) -> Result<Option<VmRecord>, StoreError>;

    /// In the order in which they were first stored.
    async fn vms(&self, query: &VmQuery) -> Result<Page<VmRecord>, StoreError>;

    /// Leaves a tombstone: the id is never given out by a list again, and putting it again brings it back.
    /// `false` if there was none.
    async fn delete_vm(&self, id: &VmId, at: Timestamp) -> Result<bool, StoreError>;
}

/// Which VMs to list. What is absent means any.
#[derive(Debug, Clone, PartialEq)]
pub struct VmQuery {
    pub provider: Option<ProviderName>,
    pub state: Option<InstanceState>,
    /// A part of the name, whatever the case.
    pub name: Option<String>,
    /// The whole name, to the letter.
    pub named: Option<String>,
    pub cursor: Option<PageCursor>,
    pub limit: u32,
}

impl Default for VmQuery {
    fn default() -> Self {
        Self { provider: None, state: None, name: None, named: None, cursor: None, limit: 50 }
    }
}
