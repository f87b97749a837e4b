//! [`Provider`] for AWS: each method is a line to the module that does it.

use async_trait::async_trait;
use novacron_provider::{
    ChangedBlocks, CreateRequest, DiskSink, DiskSource, Health, Identity, Images, ListFilter, Metrics, OperationTag,
    Page, PageToken, Provider, Realm, Result, SweepScope,
};
use novacron_types::{Instance, InstanceId};

use crate::AwsProvider;

#[async_trait]
impl Provider for AwsProvider {
    fn identity(&self) -> &Identity {
        &self.identity
    }
    async fn realm(&self) -> Result<Realm> {
        self.account_and_region().await
    }
    async fn health(&self) -> Result<Health> {
        self.caller().await
    }
    async fn list_page(&self, filter: &ListFilter, page: Option<&PageToken>) -> Result<Page<Instance>> {
        self.page(filter, page).await
    }
    async fn get(&self, id: &InstanceId) -> Result<Instance> {
        self.full(id).await
    }
    async fn create(&self, request: &CreateRequest) -> Result<Instance> {
        self.make(request).await
    }
    async fn start(&self, id: &InstanceId) -> Result<()> {
        self.start_instance(id.as_str()).await
    }
    async fn stop(&self, id: &InstanceId) -> Result<()> {
        self.stop_instance(id.as_str()).await
    }
    async fn delete(&self, id: &InstanceId) -> Result<()> {
        self.terminate(id.as_str()).await
    }
    async fn sweep(&self, tag: &OperationTag, scope: SweepScope) -> Result<Vec<String>> {
        self.remove_made_by(tag, scope).await
    }
    fn disk_source(&self) -> Option<&dyn DiskSource> {
        Some(self)
    }
    fn changed_blocks(&self) -> Option<&dyn ChangedBlocks> {
        Some(self)
    }
    fn disk_sink(&self) -> Option<&dyn DiskSink> {
        Some(self)
    }
    fn images(&self) -> Option<&dyn Images> {
        Some(self)
    }
    fn metrics(&self) -> Option<&dyn Metrics> {
        Some(self)
    }
}
