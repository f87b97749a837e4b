//! Backup jobs on a real host: what they leave in every order of events.
#![allow(clippy::unwrap_used, reason = "a test that can't go on ends there")]

use std::{sync::Arc, time::Duration};

use novacron_provider::{
    Boot, CreateRequest, DiskSnapshot, ErrorKind, NewDisk, Patience, Provider, SnapshotRequest, SweepScope,
    wait_for_state,
};
use novacron_types::{DiskSpec, InstanceId, InstanceState, MIB, VmSpec};
use serde_json::json;

mod host;
use host::{Host, kill, tag};

const PATIENCE: Patience =
    Patience { first: Duration::from_millis(100), most: Duration::from_millis(500), limit: Duration::from_secs(40) };

/// A machine with one qcow2 disk, and another that is raw, so can't tell what changed.
async fn machine(host: &Host, provider: &Arc<dyn Provider>, start: bool) -> InstanceId {
    let sink = provider.disk_sink().unwrap();
    let mut disks = Vec::new();
    for (index, size_bytes) in [(0, 64 * MIB), (1, 8 * MIB)] {
        let (name, spec) = ("disk".to_owned(), DiskSpec::default());
        let new = NewDisk { tag: tag("make"), index, name, size_bytes, spec, base: None };
        let sink_for = if index == 0 { provider.clone() } else { host.provider(json!({"disk_format": "raw"})).await };
        disks.push(sink_for.disk_sink().unwrap().create_disk(&new).await.unwrap());
    }
    assert!(sink.disk_ready(&disks[1]).await.unwrap().ready);
    let spec = VmSpec { vcpus: Some(1), memory_bytes: Some(64 * MIB), ..VmSpec::default() };
    let boot = Boot::Disks { disks };
    let request = CreateRequest { tag: tag("make"), name: "source".to_owned(), spec, boot, start };
    provider.create(&request).await.unwrap().instance_id
}

async fn snapshot(provider: &Arc<dyn Provider>, id: &InstanceId, operation: &str, sequence: u32) -> Vec<DiskSnapshot> {
    let request = SnapshotRequest { tag: tag(operation), instance: id.clone(), sequence };
    let taken = provider.disk_source().unwrap().snapshot(&request).await.unwrap();
    assert_eq!(taken.len(), 2);
    assert!(taken[0].boot && !taken[1].boot);
    taken
}

async fn gone(provider: &Arc<dyn Provider>, snapshot: &DiskSnapshot) -> bool {
    match provider.disk_source().unwrap().snapshot_ready(snapshot).await {
        Ok(readiness) => !readiness.ready,
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
            true
        }
    }
}

async fn delete(provider: &Arc<dyn Provider>, snapshots: &[DiskSnapshot]) {
    for snapshot in snapshots {
        provider.disk_source().unwrap().delete_snapshot(snapshot).await.unwrap();
    }
}

fn base(snapshot: &DiskSnapshot) -> Option<&str> {
    snapshot.locator["base"].as_str()
}

fn left(host: &Host) -> (String, Vec<String>) {
    let files = ["images", "sockets"].into_iter().flat_map(|folder| std::fs::read_dir(host.path(folder)).unwrap());
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    (
        host.ask(&["checkpoint-list", "source", "--name"]),
        names.filter(|name| !name.ends_with(".raw") && !name.ends_with(".qcow2")).collect(),
    )
}

#[tokio::test]
async fn a_running_machine() {
    let Some(host) = Host::start().await else { return };
    let provider = host.provider(json!({})).await;
    let id = machine(&host, &provider, true).await;
    let before = std::fs::read_dir(host.path("images")).unwrap().count();

    let first = snapshot(&provider, &id, "op", 0).await;
    assert_eq!((first[0].size_bytes, first[1].size_bytes), (64 * MIB, 8 * MIB));
    assert_eq!(first[0].disk_id, provider.get(&id).await.unwrap().disks[0].disk_id);
    assert_eq!(snapshot(&provider, &id, "op", 0).await, first);
    assert!(!gone(&provider, &first[0]).await);
    assert_eq!(provider.get(&id).await.unwrap().state, InstanceState::Running);

    // Somebody else's turn comes later.
    let request = SnapshotRequest { tag: tag("other"), instance: id.clone(), sequence: 0 };
    let error = provider.disk_source().unwrap().snapshot(&request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);

    // The next one tells changes since the first where it can, and ends its reading.
    let second = snapshot(&provider, &id, "op", 1).await;
    assert_eq!(base(&second[0]), first[0].locator["snapshot"].as_str());
    assert_eq!(base(&second[1]), None);
    assert!(gone(&provider, &first[0]).await);

    // Deleted in any order, twice, one disk after the other.
    delete(&provider, &first).await;
    assert!(!gone(&provider, &second[0]).await);
    delete(&provider, &second[..1]).await;
    assert!(gone(&provider, &second[0]).await && !gone(&provider, &second[1]).await);
    delete(&provider, &second).await;
    delete(&provider, &second).await;
    assert!(gone(&provider, &second[1]).await);
    assert_eq!(left(&host).0, "");
    assert_eq!(std::fs::read_dir(host.path("images")).unwrap().count(), before);
    assert_eq!(provider.get(&id).await.unwrap().state, InstanceState::Running);

    // Its QEMU dies: no bitmap can be trusted any more, and the next snapshot is a full one.
    let third = snapshot(&provider, &id, "op", 2).await;
    assert_eq!(base(&third[0]), None);
    kill("-KILL", host.qemu("source").unwrap());
    wait_for_state(&*provider, &id, InstanceState::Stopped, PATIENCE).await.unwrap();
    assert!(gone(&provider, &third[0]).await);
    provider.start(&id).await.unwrap();
    let fourth = snapshot(&provider, &id, "op", 3).await;
    assert_eq!(base(&fourth[0]), None);
    let changed = provider.changed_blocks().unwrap().changed(&third[0], &fourth[0], 0).await.unwrap_err();
    assert_eq!(changed.kind, ErrorKind::Conflict);

    // A snapshot that was lost is made again under its name, and is another one.
    kill("-KILL", host.qemu("source").unwrap());
    wait_for_state(&*provider, &id, InstanceState::Stopped, PATIENCE).await.unwrap();
    provider.start(&id).await.unwrap();
    let again = snapshot(&provider, &id, "op", 3).await;
    assert_ne!(again[0].snapshot_id, fourth[0].snapshot_id);
    assert!(gone(&provider, &fourth[0]).await && !gone(&provider, &again[0]).await);

    let removed = provider.sweep(&tag("op"), SweepScope::Intermediates).await.unwrap();
    assert!(!removed.is_empty());
    assert!(gone(&provider, &again[0]).await);
    assert_eq!(provider.sweep(&tag("op"), SweepScope::Everything).await.unwrap(), Vec::<String>::new());
    assert_eq!(left(&host), (String::new(), Vec::new()));
    assert_eq!(provider.get(&id).await.unwrap().state, InstanceState::Running);
    assert!(!host.ask(&["dumpxml", "source"]).contains("urn:novacron:snapshots"));
}

#[tokio::test]
async fn a_stopped_machine() {
    let Some(host) = Host::start().await else { return };
    let provider = host.provider(json!({})).await;
    let id = machine(&host, &provider, true).await;
    let first = snapshot(&provider, &id, "op", 0).await;
    provider.stop(&id).await.unwrap();
    wait_for_state(&*provider, &id, InstanceState::Stopped, PATIENCE).await.unwrap();
    assert!(gone(&provider, &first[0]).await);

    // It is held while it is read: as stopped as before for whoever asks, and what it changed until it stopped is told.
    let last = snapshot(&provider, &id, "op", 1).await;
    assert_eq!(base(&last[0]), first[0].locator["snapshot"].as_str());
    assert_eq!(host.ask(&["domstate", "source"]), "paused");
    assert_eq!(provider.get(&id).await.unwrap().state, InstanceState::Stopped);
    provider.stop(&id).await.unwrap();
    assert_eq!(snapshot(&provider, &id, "op", 1).await, last);
    delete(&provider, &last).await;
    assert_eq!(host.ask(&["domstate", "source"]), "shut off");
    // The first one's bitmap is still in the disk of the stopped machine.
    assert_ne!(left(&host).0, "");
    delete(&provider, &first).await;
    assert_eq!(host.ask(&["domstate", "source"]), "shut off");
    assert_eq!(left(&host), (String::new(), Vec::new()));
    let disk = std::fs::read_dir(host.path("images")).unwrap().map(|entry| entry.unwrap().path());
    for disk in disk.filter(|disk| disk.extension().is_some_and(|extension| extension == "qcow2")) {
        let info = std::process::Command::new("qemu-img").arg("info").arg(disk).output().unwrap();
        assert!(!String::from_utf8_lossy(&info.stdout).contains("bitmaps"));
    }

    // Started while it is held, it runs, and the snapshot stays what it was.
    let held = snapshot(&provider, &id, "op", 2).await;
    provider.start(&id).await.unwrap();
    assert_eq!(provider.get(&id).await.unwrap().state, InstanceState::Running);
    assert!(!gone(&provider, &held[0]).await);
    delete(&provider, &held).await;
    assert_eq!(provider.get(&id).await.unwrap().state, InstanceState::Running);

    // The undo of an operation that died while it held a machine.
    provider.stop(&id).await.unwrap();
    wait_for_state(&*provider, &id, InstanceState::Stopped, PATIENCE).await.unwrap();
    snapshot(&provider, &id, "op", 3).await;
    provider.sweep(&tag("op"), SweepScope::Everything).await.unwrap();
    assert_eq!(host.ask(&["domstate", "source"]), "shut off");
    assert_eq!(left(&host), (String::new(), Vec::new()));
    provider.start(&id).await.unwrap();
    assert_eq!(provider.get(&id).await.unwrap().state, InstanceState::Running);
}

#[tokio::test]
async fn libvirt_dies_and_comes_back() {
    let Some(mut host) = Host::start().await else { return };
    let provider = host.provider(json!({})).await;
    let id = machine(&host, &provider, true).await;
    let first = snapshot(&provider, &id, "op", 0).await;
    host.restart().await;
    // The connection that was open is dead, and is opened again; the guest and its job have gone on.
    assert_eq!(provider.get(&id).await.unwrap().state, InstanceState::Running);
    assert!(!gone(&provider, &first[0]).await);
    assert_eq!(snapshot(&provider, &id, "op", 0).await, first);
    provider.disk_source().unwrap().open_reader(&first[0]).await.unwrap();
    let second = snapshot(&provider, &id, "op", 1).await;
    assert_eq!(base(&second[0]), first[0].locator["snapshot"].as_str());
    delete(&provider, &second).await;
    delete(&provider, &first).await;
    assert_eq!(left(&host), (String::new(), Vec::new()));

    // The same over TCP, which the host's own network has.
    let provider = host.provider(json!({"nbd_listen": "127.0.0.1", "nbd_port": 20809})).await;
    let taken = snapshot(&provider, &id, "tcp", 0).await;
    assert_eq!(snapshot(&provider, &id, "tcp", 0).await, taken);
    let port = taken[0].locator["server"]["tcp"]["port"].as_u64().unwrap();
    assert!((20809..20873).contains(&port));
    let daemon = std::fs::read_to_string(host.path("virtlogd.pid")).unwrap();
    let address = format!("nbd://127.0.0.1:{port}/vda");
    let info = ["-t", daemon.trim(), "-n", "qemu-img", "info", &address];
    let info = std::process::Command::new("nsenter").args(info).output().unwrap();
    assert!(String::from_utf8_lossy(&info.stdout).contains("67108864"), "{info:?}");
    delete(&provider, &taken).await;
    assert!(gone(&provider, &taken[0]).await);
}

#[tokio::test]
async fn a_backup_that_can_not_begin() {
    let Some(host) = Host::start().await else { return };
    let provider = host.provider(json!({})).await;
    let id = machine(&host, &provider, true).await;
    let wrong = host.provider(json!({"socket_dir": "/nonexistent"})).await;
    let request = SnapshotRequest { tag: tag("op"), instance: id.clone(), sequence: 0 };
    for state in [InstanceState::Running, InstanceState::Stopped] {
        let error = wrong.disk_source().unwrap().snapshot(&request).await.unwrap_err();
        assert!(error.advice.as_deref().unwrap_or_default().contains("socket_dir"), "{error:?}");
        assert_eq!(provider.get(&id).await.unwrap().state, state);
        assert_eq!(left(&host), (String::new(), Vec::new()));
        assert!(!host.ask(&["dumpxml", "source", "--inactive"]).contains("urn:novacron:snapshots"));
        provider.stop(&id).await.unwrap();
        wait_for_state(&*provider, &id, InstanceState::Stopped, PATIENCE).await.unwrap();
    }
    assert_eq!(host.ask(&["domstate", "source"]), "shut off");

    // Its memory is kept on disk: starting it for a backup would lose that.
    provider.start(&id).await.unwrap();
    host.ask(&["managedsave", "source"]);
    let error = provider.disk_source().unwrap().snapshot(&request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.advice.unwrap().contains("managedsave-remove"));

    // Somebody else's backup is left alone.
    provider.start(&id).await.unwrap();
    let job = format!(
        "<domainbackup mode='pull'><server transport='unix' socket='{}'/></domainbackup>",
        host.path("sockets/theirs.sock").display()
    );
    std::fs::write(host.path("job.xml"), job).unwrap();
    host.ask(&["backup-begin", "source", &host.path("job.xml").to_string_lossy()]);
    let error = provider.disk_source().unwrap().snapshot(&request).await.unwrap_err();
    assert!(error.kind == ErrorKind::Conflict && error.message.contains("not ours"), "{error}");
    provider.sweep(&tag("op"), SweepScope::Everything).await.unwrap();
    host.ask(&["backup-dumpxml", "source"]);
}
