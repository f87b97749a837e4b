//! AWS over the sandbox.

use std::{collections::BTreeMap, io::Write, sync::Arc, time::Duration};

use async_trait::async_trait;
use novacron_provider::Provider;
use novacron_provider_suite::{Harness, Trouble};
use novacron_sandbox::{DiskSeed, InstanceSeed, Latency, Sandbox, SandboxConfig};
use novacron_types::{DiskId, ImageId, InstanceId};

use super::{Account, REGION};

pub struct SandboxHarness {
    pub sandbox: Sandbox,
    pub account: Account,
    pub provider: Arc<dyn Provider>,
    pub image: String,
    pub loses_answers: bool,
}

/// States take long enough that nothing can rely on their being instant.
pub fn config() -> SandboxConfig {
    let short = Duration::from_millis(30);
    let latency = Latency {
        start: short,
        stop: short,
        terminate: short,
        snapshot: short,
        image: short,
        volume: short,
        ..Latency::none()
    };
    SandboxConfig { latency, ..SandboxConfig::default() }
}

impl SandboxHarness {
    pub async fn new() -> Self {
        Self::with(config()).await
    }

    pub async fn with(config: SandboxConfig) -> Self {
        let sandbox = Sandbox::start(config).await.unwrap();
        let credentials = sandbox.credentials();
        let account =
            Account { endpoint: sandbox.endpoint(), key: credentials.access_key, secret: credentials.secret_key };
        let provider = account.provider().await;
        let images = account.ec2(REGION).describe_images().send().await.unwrap();
        let blank = images.images().iter().find(|image| image.name() == Some("novacron-sandbox-blank-x86_64"));
        let image = blank.and_then(|image| image.image_id()).unwrap().to_owned();
        Self { sandbox, account, provider, image, loses_answers: false }
    }

    pub async fn seed_from(&self, seed: InstanceSeed) -> InstanceId {
        InstanceId::new(self.sandbox.seed_instance(REGION, seed).await.unwrap()).unwrap()
    }
}

#[async_trait]
impl Harness for SandboxHarness {
    fn provider(&self) -> Arc<dyn Provider> {
        self.provider.clone()
    }

    async fn again(&self) -> Option<Arc<dyn Provider>> {
        Some(self.account.again().await)
    }

    async fn seed(&self, name: &str, disks: &[&[u8]]) -> Result<InstanceId, Trouble> {
        let mut seed = InstanceSeed::named(name);
        let mut files = Vec::new();
        for bytes in disks {
            if bytes.is_empty() {
                seed.disks.push(DiskSeed::blank(1));
                continue;
            }
            let mut file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
            file.write_all(bytes).map_err(|error| error.to_string())?;
            seed.disks.push(DiskSeed::image(file.path()));
            files.push(file);
        }
        let id = self.sandbox.seed_instance(REGION, seed).await.map_err(|error| error.to_string())?;
        Ok(InstanceId::new(id).map_err(|error| error.to_string())?)
    }

    async fn write(&self, disk: &DiskId, offset: u64, bytes: &[u8]) -> Result<(), Trouble> {
        let written = self.sandbox.write_volume(disk.as_str(), offset, bytes.to_vec()).await;
        Ok(written.map_err(|error| error.to_string())?)
    }

    async fn leftovers(&self) -> Result<BTreeMap<String, u64>, Trouble> {
        let counts = self.sandbox.counts();
        let entry = |name: &str, count: usize| (name.to_owned(), count as u64);
        Ok(BTreeMap::from([
            entry("instances", counts.instances),
            entry("volumes", counts.volumes),
            entry("snapshots", counts.snapshots),
            entry("images", counts.images),
        ]))
    }

    fn image(&self) -> Option<String> {
        Some(self.image.clone())
    }

    fn absent(&self) -> (InstanceId, ImageId) {
        (InstanceId::new("i-0123456789abcdef0").unwrap(), ImageId::new("ami-0123456789abcdef0").unwrap())
    }

    fn instance_type(&self) -> Option<String> {
        Some("t3.micro".to_owned())
    }

    fn loses_answers(&self) -> bool {
        self.loses_answers
    }
}
