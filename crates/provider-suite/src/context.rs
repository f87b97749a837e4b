//! What a check works with. It remembers what was made, so that it can be removed whatever happens.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use novacron_provider::{
    Boot, CreateRequest, DiskSink, DiskSnapshot, DiskSource, OperationTag, Provider, SnapshotRequest, SweepScope,
    wait_for_snapshot, wait_for_state,
};
use novacron_types::{DiskSpec, Instance, InstanceId, InstanceState, OperationId, VmSpec};

use crate::{Harness, Trouble};

pub struct Context<'a> {
    pub harness: &'a dyn Harness,
    pub provider: Arc<dyn Provider>,
    tags: Mutex<Vec<OperationTag>>,
    seeds: Mutex<Vec<InstanceId>>,
    skipped: Mutex<Option<String>>,
}

impl<'a> Context<'a> {
    pub fn new(harness: &'a dyn Harness) -> Self {
        Self {
            harness,
            provider: harness.provider(),
            tags: Mutex::default(),
            seeds: Mutex::default(),
            skipped: Mutex::default(),
        }
    }

    /// A tag that was never used.
    pub fn tag(&self) -> Result<OperationTag, Trouble> {
        let id = OperationId::new(format!("suite-{}", uuid::Uuid::now_v7())).map_err(|error| error.to_string())?;
        let tag = OperationTag(id);
        lock(&self.tags).push(tag.clone());
        Ok(tag)
    }

    pub async fn seed(&self, name: &str, disks: &[&[u8]]) -> Result<InstanceId, Trouble> {
        let id = self.harness.seed(name, disks).await?;
        lock(&self.seeds).push(id.clone());
        Ok(id)
    }

    pub fn skip(&self, why: &str) -> Result<(), Trouble> {
        *lock(&self.skipped) = Some(why.to_owned());
        Ok(())
    }

    pub fn skipped(&self) -> Option<String> {
        lock(&self.skipped).clone()
    }

    pub fn source(&self) -> Result<&dyn DiskSource, Trouble> {
        self.provider.disk_source().ok_or_else(|| "the disk source is gone".into())
    }

    pub fn sink(&self) -> Result<&dyn DiskSink, Trouble> {
        self.provider.disk_sink().ok_or_else(|| "the disk sink is gone".into())
    }

    pub fn spec(&self) -> VmSpec {
        VmSpec { instance_type: self.harness.instance_type(), ..VmSpec::default() }
    }

    pub fn machine_of(&self, tag: &OperationTag, image: String, start: bool) -> CreateRequest {
        let boot = Boot::Image { image, root: DiskSpec::default(), root_size_bytes: None };
        CreateRequest { tag: tag.clone(), name: "suite".to_owned(), spec: self.spec(), boot, start }
    }

    pub async fn settle(&self, id: &InstanceId, state: InstanceState) -> Result<Instance, Trouble> {
        Ok(wait_for_state(&*self.provider, id, state, self.harness.patience()).await?)
    }

    /// The disks of a machine at this moment, readable.
    pub async fn snapshot(
        &self,
        tag: &OperationTag,
        instance: &InstanceId,
        sequence: u32,
    ) -> Result<Vec<DiskSnapshot>, Trouble> {
        let request = SnapshotRequest { tag: tag.clone(), instance: instance.clone(), sequence };
        let disks = self.source()?.snapshot(&request).await?;
        for disk in &disks {
            wait_for_snapshot(self.source()?, disk, self.harness.patience(), |_| ()).await?;
        }
        Ok(disks)
    }

    pub async fn clean_up(&self) -> Result<(), Trouble> {
        let (tags, seeds) = (lock(&self.tags).clone(), lock(&self.seeds).clone());
        let mut first = Ok(());
        for tag in tags {
            let swept = self.provider.sweep(&tag, SweepScope::Everything).await;
            first = first.and(swept.map(drop).map_err(Trouble::from));
        }
        for id in seeds {
            let deleted = self.provider.delete(&id).await;
            first = first.and(deleted.map_err(Trouble::from));
        }
        first
    }

    /// Waits, for what is going away may take a while, until there is as much of everything as before.
    pub async fn leaves(&self, before: &BTreeMap<String, u64>) -> Result<(), Trouble> {
        let mut now = self.harness.leftovers().await?;
        for _ in 0..100 {
            if now == *before {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            now = self.harness.leftovers().await?;
        }
        Err(Trouble(format!("it left something behind: there was {before:?}, there is {now:?}")))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
