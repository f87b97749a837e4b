//! The contract of providers, on a real host.

#![allow(clippy::unwrap_used, reason = "a test that can't go on ends there")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use novacron_provider::Provider;
use novacron_provider_suite::{Harness, Trouble, run};
use novacron_types::{DiskId, ImageId, InstanceId};
use serde_json::json;

mod host;
use host::Host;

struct Kvm {
    host: Host,
    provider: Arc<dyn Provider>,
    seeds: AtomicU32,
}

#[async_trait]
impl Harness for Kvm {
    fn provider(&self) -> Arc<dyn Provider> {
        self.provider.clone()
    }

    /// By virsh and qemu-img, with disks in a folder that the provider does not know.
    async fn seed(&self, name: &str, disks: &[&[u8]]) -> Result<InstanceId, Trouble> {
        let number = self.seeds.fetch_add(1, Ordering::Relaxed);
        let mut elements = String::new();
        for (index, bytes) in disks.iter().enumerate() {
            let path = self.host.path(&format!("seeds/{number}-{index}.qcow2"));
            let raw = self.host.path("seeds/raw");
            fs::write(&raw, bytes).map_err(|error| error.to_string())?;
            let size = bytes.len().max(512).next_multiple_of(512) as u64;
            let file = fs::OpenOptions::new().write(true).open(&raw).map_err(|error| error.to_string())?;
            file.set_len(size).map_err(|error| error.to_string())?;
            qemu_img(&["convert", "-f", "raw", "-O", "qcow2"], &[&raw, &path])?;
            let letter = char::from(b'a' + index as u8);
            elements += &format!(
                "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{}'/>\
                 <target dev='vd{letter}' bus='virtio'/></disk>",
                path.display()
            );
        }
        let uuid = uuid::Uuid::new_v4();
        let xml = format!(
            "<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>\
             <os><type arch='x86_64' machine='q35'>hvm</type></os><devices>{elements}</devices></domain>"
        );
        let path = self.host.path("seeds/domain.xml");
        fs::write(&path, xml).map_err(|error| error.to_string())?;
        self.host.ask(&["define", &path.to_string_lossy()]);
        self.host.ask(&["start", name]);
        InstanceId::new(uuid.to_string()).map_err(|error| Trouble(error.to_string()))
    }

    async fn write(&self, disk: &DiskId, offset: u64, bytes: &[u8]) -> Result<(), Trouble> {
        let pattern = self.host.path("seeds/pattern");
        fs::write(&pattern, bytes).map_err(|error| error.to_string())?;
        for domain in self.host.ask(&["list", "--name"]).lines().filter(|name| !name.is_empty()) {
            let disks = self.host.ask(&["domblklist", domain]);
            if let Some(index) = disks.lines().position(|line| line.ends_with(disk.as_str())) {
                let command = format!(
                    "qemu-io -d /machine/peripheral/virtio-disk{index}/virtio-backend \"write -s {} {offset} {}\"",
                    pattern.display(),
                    bytes.len()
                );
                let answer = self.host.ask(&["qemu-monitor-command", domain, "--hmp", &command]);
                if answer.contains("ailed") || answer.contains("rror") || answer.contains("nvalid") {
                    return Err(Trouble(answer));
                }
                return Ok(());
            }
        }
        Err(Trouble(format!("no running machine has the disk {disk}")))
    }

    async fn leftovers(&self) -> Result<BTreeMap<String, u64>, Trouble> {
        let domains = self.host.ask(&["list", "--all", "--name"]);
        let domains: Vec<&str> = domains.lines().filter(|name| !name.is_empty()).collect();
        let mut left = BTreeMap::from([("machines".to_owned(), domains.len() as u64)]);
        let mut add = |what: &str, count: usize| *left.entry(what.to_owned()).or_default() += count as u64;
        for domain in domains {
            let checkpoints = self.host.ask(&["checkpoint-list", domain, "--name"]);
            add("checkpoints", checkpoints.lines().filter(|name| !name.is_empty()).count());
            add("jobs", usize::from(self.host.virsh(&["backup-dumpxml", domain]).status.success()));
        }
        for folder in ["images", "sockets"] {
            add(folder, files(&self.host.path(folder)));
        }
        let scratch = fs::read_dir(self.host.path("seeds")).map_err(|error| error.to_string())?;
        add("scratch", scratch.flatten().filter(|entry| entry.path().extension() == Some("scratch".as_ref())).count());
        Ok(left)
    }

    async fn again(&self) -> Option<Arc<dyn Provider>> {
        Some(self.host.named("again", json!({"uri": self.host.uri().replace("/run/", "/run/../run/")})).await)
    }

    fn image(&self) -> Option<String> {
        Some("image.qcow2".to_owned())
    }

    fn absent(&self) -> (InstanceId, ImageId) {
        let id = uuid::Uuid::from_u128(7).to_string();
        (InstanceId::new(id.clone()).unwrap(), ImageId::new(id).unwrap())
    }
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn qemu_img(arguments: &[&str], paths: &[&Path]) -> Result<(), Trouble> {
    let output = Command::new("qemu-img").args(arguments).args(paths).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(Trouble(String::from_utf8_lossy(&output.stderr).into_owned())) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract() {
    let Some(host) = Host::start().await else { return };
    fs::create_dir(host.path("seeds")).unwrap();
    qemu_img(&["create", "-q", "-f", "qcow2"], &[&host.path("images/image.qcow2"), Path::new("4M")]).unwrap();
    let provider = host.provider(json!({"stop_grace_seconds": 1})).await;
    let report = run(&Kvm { host, provider, seeds: AtomicU32::new(0) }).await;
    println!("{report}");
    report.assert();
    assert!(report.passed() >= 25, "{report}");
}
