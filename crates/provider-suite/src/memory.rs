//! The harness of the provider in memory, bare or inside a layer.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use novacron_provider::{
    Provider,
    memory::{MemoryCloud, MemoryOptions, MemoryProvider},
};
use novacron_types::{DiskId, ImageId, InstanceId, VmSpec};

use crate::{Harness, Trouble};

pub struct MemoryHarness {
    memory: MemoryProvider,
    again: MemoryProvider,
    outer: Arc<dyn Provider>,
    loses_answers: bool,
}

impl MemoryHarness {
    pub fn new(options: MemoryOptions) -> Self {
        let cloud = MemoryCloud::default();
        let memory = MemoryProvider::in_cloud(&cloud, "memory", options.clone());
        let again = MemoryProvider::in_cloud(&cloud, "again", options);
        memory.seed_image("base", &[0x42; 10_000]);
        Self { outer: Arc::new(memory.clone()), memory, again, loses_answers: false }
    }

    /// The same provider inside a layer.
    pub fn inside(mut self, wrap: impl FnOnce(Arc<dyn Provider>) -> Arc<dyn Provider>) -> Self {
        self.outer = wrap(self.outer);
        self
    }

    /// Says that a layer makes some calls happen twice.
    pub fn losing_answers(mut self) -> Self {
        self.loses_answers = true;
        self
    }
}

#[async_trait]
impl Harness for MemoryHarness {
    fn provider(&self) -> Arc<dyn Provider> {
        self.outer.clone()
    }
    async fn seed(&self, name: &str, disks: &[&[u8]]) -> Result<InstanceId, Trouble> {
        let spec = VmSpec { vcpus: Some(2), memory_bytes: Some(2 << 30), ..VmSpec::default() };
        Ok(self.memory.seed_instance(name, spec, disks))
    }
    async fn write(&self, disk: &DiskId, offset: u64, bytes: &[u8]) -> Result<(), Trouble> {
        Ok(self.memory.write_disk(disk, offset, bytes)?)
    }
    async fn leftovers(&self) -> Result<BTreeMap<String, u64>, Trouble> {
        let counts = self.memory.counts();
        let entry = |name: &str, count: usize| (name.to_owned(), count as u64);
        Ok(BTreeMap::from([
            entry("instances", counts.instances),
            entry("disks", counts.disks),
            entry("snapshots", counts.snapshots),
            entry("images", counts.images),
        ]))
    }
    async fn again(&self) -> Option<Arc<dyn Provider>> {
        Some(Arc::new(self.again.clone()))
    }
    fn image(&self) -> Option<String> {
        Some("base".to_owned())
    }
    #[expect(clippy::expect_used, reason = "fixed, valid ids")]
    fn absent(&self) -> (InstanceId, ImageId) {
        (InstanceId::new("i-absent").expect("an id"), ImageId::new("image-absent").expect("an id"))
    }
    fn loses_answers(&self) -> bool {
        self.loses_answers
    }
}
