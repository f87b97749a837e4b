//! The contract of providers, on a folder, for both formats.

#![allow(clippy::unwrap_used, reason = "a test that can't go on ends there")]

use std::{
    collections::BTreeMap,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use novacron_provider::Provider;
use novacron_provider_files::Files;
use novacron_provider_suite::{Deviation, Harness, Trouble, run};
use novacron_transfer::format::ImageFormat;
use novacron_types::{DiskId, ImageId, InstanceId, ProviderName};

struct Folder {
    dir: tempfile::TempDir,
    links: tempfile::TempDir,
    provider: Arc<dyn Provider>,
    seeds: AtomicU32,
}

impl Folder {
    fn new(format: ImageFormat) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(ProviderName::new("local").unwrap(), dir.path(), format).unwrap();
        Self { dir, links: tempfile::tempdir().unwrap(), provider: Arc::new(files), seeds: AtomicU32::new(0) }
    }
}

#[async_trait]
impl Harness for Folder {
    fn provider(&self) -> Arc<dyn Provider> {
        self.provider.clone()
    }

    async fn seed(&self, name: &str, disks: &[&[u8]]) -> Result<InstanceId, Trouble> {
        let id = format!("seed-{}", self.seeds.fetch_add(1, Ordering::Relaxed));
        let folder = self.dir.path().join(&id);
        let fail = |error: std::io::Error| Trouble(error.to_string());
        std::fs::create_dir(&folder).map_err(fail)?;
        let mut records = Vec::new();
        for (index, bytes) in disks.iter().enumerate() {
            let file = format!("disk-{index}.raw");
            let size = bytes.len().max(512);
            let disk = std::fs::File::create(folder.join(&file)).map_err(fail)?;
            disk.set_len(size as u64).and_then(|()| disk.write_all_at(bytes, 0)).map_err(fail)?;
            records.push(serde_json::json!({ "file": file, "format": "raw", "size_bytes": size }));
        }
        let record = serde_json::json!({
            "version": 1, "id": id, "name": name, "tag": id, "spec": {}, "disks": records,
            "created_at": "2026-01-01T00:00:00Z",
        });
        std::fs::write(folder.join("vm.json"), record.to_string()).map_err(fail)?;
        InstanceId::new(id).map_err(|error| Trouble(error.to_string()))
    }

    async fn write(&self, disk: &DiskId, offset: u64, bytes: &[u8]) -> Result<(), Trouble> {
        let file = std::fs::OpenOptions::new().write(true).open(self.dir.path().join(disk.as_str()));
        file.and_then(|file| file.write_all_at(bytes, offset)).map_err(|error| Trouble(error.to_string()))
    }

    async fn leftovers(&self) -> Result<BTreeMap<String, u64>, Trouble> {
        let count = |path: &Path| std::fs::read_dir(path).unwrap().count() as u64;
        let root = self.dir.path();
        let parts = [("machines", root.to_owned()), ("staged", root.join(".staging")), ("pins", root.join(".pins"))];
        Ok(parts.into_iter().map(|(name, path)| (name.to_owned(), count(&path))).collect())
    }

    /// Through a link.
    async fn again(&self) -> Option<Arc<dyn Provider>> {
        let link = self.links.path().join("link");
        std::os::unix::fs::symlink(self.dir.path(), &link).unwrap();
        Some(Arc::new(Files::open(ProviderName::new("again").unwrap(), &link, ImageFormat::Raw).unwrap()))
    }

    fn absent(&self) -> (InstanceId, ImageId) {
        (InstanceId::new("vm-0123456789abcdef").unwrap(), ImageId::new("none").unwrap())
    }

    fn deviations(&self) -> &[Deviation] {
        &[Deviation {
            check: "a_snapshot_does_not_change",
            why: "a snapshot here is a pin on a disk at rest; one that was written meanwhile is refused, not kept",
        }]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract() {
    for format in [ImageFormat::Raw, ImageFormat::Qcow2] {
        let report = run(&Folder::new(format)).await;
        println!("{format}:\n{report}");
        report.assert();
        assert!(report.passed() >= 17, "{report}");
    }
}
