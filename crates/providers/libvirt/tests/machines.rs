//! Making, stopping, starting and deleting machines on a real host.
#![allow(clippy::unwrap_used, reason = "a test that can't go on ends there")]

use std::{collections::BTreeMap, time::Duration};

use novacron_provider::{
    Boot, CreateRequest, ErrorKind, ListFilter, NewDisk, Patience, Provider, ProviderExt as _, SweepScope,
    wait_for_state,
};
use novacron_types::{DiskSpec, Firmware, InstanceState, MIB, VmSpec};
use serde_json::json;

mod host;
use host::{Host, tag};

const PATIENCE: Patience =
    Patience { first: Duration::from_millis(100), most: Duration::from_millis(500), limit: Duration::from_secs(40) };

fn disk(operation: &str, index: u32, size_bytes: u64) -> NewDisk {
    let name = "disk".to_owned();
    NewDisk { tag: tag(operation), index, name, size_bytes, spec: DiskSpec::default(), base: None }
}

#[tokio::test]
async fn a_machine_from_its_making_to_its_end() {
    let Some(host) = Host::start().await else { return };
    let provider = host.provider(json!({"tags": {"team": "blue"}})).await;
    let health = provider.health().await.unwrap();
    assert!(health.detail.contains("QEMU") && health.detail.contains("libvirt"), "{health:?}");

    let sink = provider.disk_sink().unwrap();
    // Not a multiple of a sector, nor of libvirt's kibibyte.
    let odd = 20 * MIB + 513;
    let mut disks = Vec::new();
    for (index, size) in [(0, 64 * MIB), (1, odd)] {
        let made = sink.create_disk(&disk("op-1", index, size)).await.unwrap();
        assert_eq!(made.size_bytes, size);
        assert_eq!(sink.create_disk(&disk("op-1", index, size)).await.unwrap(), made);
        sink.complete_disk(&made, Default::default()).await.unwrap();
        sink.complete_disk(&made, Default::default()).await.unwrap();
        assert!(sink.disk_ready(&made).await.unwrap().ready);
        disks.push(made);
    }
    let request = CreateRequest {
        tag: tag("op-1"),
        name: "web".to_owned(),
        spec: VmSpec {
            vcpus: Some(2),
            memory_bytes: Some(64 * MIB),
            labels: BTreeMap::from([("role".to_owned(), "web".to_owned())]),
            ..VmSpec::default()
        },
        boot: Boot::Disks { disks: disks.clone() },
        start: true,
    };
    let made = provider.create(&request).await.unwrap();
    let id = made.instance_id.clone();
    assert_eq!(made.state, InstanceState::Running);
    assert_eq!(provider.create(&request).await.unwrap().instance_id, id);

    let got = provider.get(&id).await.unwrap();
    assert_eq!(got.name.as_deref(), Some("web"));
    assert_eq!((got.spec.vcpus, got.spec.memory_bytes), (Some(2), Some(64 * MIB)));
    assert_eq!(got.spec.firmware, Firmware::Bios);
    assert_eq!(got.spec.labels.len(), 2);
    assert_eq!(got.disks.len(), 2);
    assert!(got.disks[0].boot && !got.disks[1].boot);
    for (got, made) in got.disks.iter().zip(&disks) {
        assert_eq!(got.disk_id, made.disk_id);
        let beyond = got.size_bytes.unwrap() - made.size_bytes;
        assert!(beyond < 1024, "{beyond} bytes more than asked for");
    }
    let blue = ListFilter { filters: BTreeMap::from([("tag:team".to_owned(), vec!["blue".to_owned()])]) };
    assert_eq!(provider.list_page(&blue, None).await.unwrap().items.len(), 1);

    // Another machine may have the same name elsewhere; here names are unique.
    let other = disk("op-2", 0, MIB);
    let other = sink.create_disk(&other).await.unwrap();
    let same_name = CreateRequest {
        tag: tag("op-2"),
        boot: Boot::Disks { disks: vec![other.clone()] },
        start: false,
        ..request.clone()
    };
    let second = provider.create(&same_name).await.unwrap();
    assert_eq!(second.state, InstanceState::Stopped);
    assert!(second.name.as_deref().unwrap().starts_with("web-"), "{second:?}");

    // Nothing in it listens to ACPI, so it is switched off after its grace.
    provider.start(&id).await.unwrap();
    provider.stop(&id).await.unwrap();
    assert_eq!(provider.get(&id).await.unwrap().state, InstanceState::Running);
    provider.stop(&id).await.unwrap();
    wait_for_state(&*provider, &id, InstanceState::Stopped, PATIENCE).await.unwrap();
    provider.stop(&id).await.unwrap();

    // Started again within its grace, it is left alone.
    provider.start(&id).await.unwrap();
    provider.stop(&id).await.unwrap();
    provider.start(&id).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(provider.get(&id).await.unwrap().state, InstanceState::Running);

    provider.delete(&id).await.unwrap();
    provider.delete(&id).await.unwrap();
    assert_eq!(provider.get(&id).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(sink.disk_ready(&disks[0]).await.unwrap_err().kind, ErrorKind::NotFound);
    sink.delete_disk(&disks[0]).await.unwrap();

    let removed = provider.sweep(&tag("op-2"), SweepScope::Intermediates).await.unwrap();
    assert_eq!(removed, Vec::<String>::new());
    let removed = provider.sweep(&tag("op-2"), SweepScope::Everything).await.unwrap();
    assert!(removed.contains(&second.instance_id.to_string()), "{removed:?}");
    assert_eq!(provider.sweep(&tag("op-2"), SweepScope::Everything).await.unwrap(), Vec::<String>::new());
    assert_eq!(host.ask(&["list", "--all", "--name"]), "");
    assert_eq!(std::fs::read_dir(host.path("images")).unwrap().count(), 0);
    assert_eq!(provider.capabilities().len(), 4);
}

#[tokio::test]
async fn what_a_host_lacks_is_said() {
    let Some(host) = Host::start().await else { return };
    let provider = host.provider(json!({"path": null, "pool": "absent", "network": "absent"})).await;
    let sink = provider.disk_sink().unwrap();
    let error = sink.create_disk(&disk("op-1", 0, MIB)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.advice.as_deref().unwrap().contains("pool-list"), "{error:?}");

    let provider = host.provider(json!({"emulator": "/nonexistent/qemu"})).await;
    let made = provider.disk_sink().unwrap().create_disk(&disk("op-1", 0, MIB)).await.unwrap();
    let request = CreateRequest {
        tag: tag("op-1"),
        name: "x".to_owned(),
        spec: VmSpec::default(),
        boot: Boot::Disks { disks: vec![made] },
        start: true,
    };
    let error = provider.create(&request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");

    // One host, found again after its libvirtd was restarted, is not simulated here; a dead socket is.
    let provider = host.provider(json!({"uri": "qemu+unix:///system?socket=/nonexistent/sock"})).await;
    let error = provider.health().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.to_string().starts_with("kvm: "), "{error}");
}

#[tokio::test]
async fn a_host_is_measured() {
    let Some(host) = Host::start().await else { return };
    let provider = host.provider(json!({ "cpu_overcommit": 2.5 })).await;
    let ask = async || provider.host_capacity().unwrap().capacity().await.unwrap();
    let first = ask().await;
    println!("{first:?}");
    let node = host.ask(&["nodeinfo"]);
    let figure = |name: &str| {
        let line = node.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().find_map(|word| word.parse::<u64>().ok()).unwrap()
    };
    assert_eq!(u64::from(first.vcpus), figure("CPU(s)") * 5 / 2);
    assert_eq!(first.memory_bytes, figure("Memory size") << 10);
    assert_eq!((first.vcpus_used, first.memory_used_bytes), (0, 0));
    assert!(first.memory_free_bytes.unwrap() > 0);
    let folder = rustix::fs::statvfs(host.path("images")).unwrap();
    assert_eq!(first.disk_bytes.unwrap(), folder.f_blocks * folder.f_frsize);
    assert!(first.disk_free_bytes.unwrap() <= first.disk_bytes.unwrap());
    assert!(first.load_permille.is_some() && first.load_window_ms.unwrap() >= 250, "{first:?}");

    // A host that is watched is measured from one question to the next.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let second = ask().await;
    println!("{second:?}");
    assert!(second.load_window_ms.unwrap() >= 1000, "{second:?}");

    // A machine that is paused has its memory; one that is off has none.
    let disk = provider.disk_sink().unwrap().create_disk(&disk("op-1", 0, MIB)).await.unwrap();
    let request = CreateRequest {
        tag: tag("op-1"),
        name: "counted".to_owned(),
        spec: VmSpec { vcpus: Some(2), memory_bytes: Some(48 * MIB), ..VmSpec::default() },
        boot: Boot::Disks { disks: vec![disk] },
        start: false,
    };
    let id = provider.create(&request).await.unwrap().instance_id;
    let promised = async || {
        let host = ask().await;
        (host.vcpus_used, host.memory_used_bytes)
    };
    assert_eq!(promised().await, (0, 0));
    provider.start(&id).await.unwrap();
    assert_eq!(promised().await, (2, 48 * MIB));
    host.ask(&["suspend", "counted"]);
    assert_eq!(promised().await, (2, 48 * MIB));
    host.ask(&["destroy", "counted"]);
    assert_eq!(promised().await, (0, 0));

    // Without a pool, the room for disks is not known; the rest is.
    let provider = host.provider(json!({ "path": null, "pool": "absent" })).await;
    let host = provider.host_capacity().unwrap().capacity().await.unwrap();
    assert_eq!((host.disk_bytes, host.disk_free_bytes), (None, None));
    assert!(host.vcpus > 0);
}
