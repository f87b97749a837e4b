//! The bytes themselves: out of a guest's disks while it writes, and into volumes.

#![allow(clippy::unwrap_used, reason = "a test that can't go on ends there")]

use std::{process::Command, sync::Arc, time::Duration};

use novacron_provider::{
    BlockReader, BlockWriter, Boot, Buf, CreateRequest, DiskSnapshot, ErrorKind, ExtentPage, NewDisk, Patience,
    Provider, ProviderError, SnapshotRequest, TargetDisk, wait_for_state,
};
use novacron_transfer::{
    CopyControl, CopyJob, CopyOptions, CopyReport, copy as engine_copy,
    engine::Changes,
    ledger::{LedgerIdentity, SyncIdentity},
};
use novacron_types::{DiskSpec, InstanceId, InstanceState, KIB, MIB, VerifyLevel, VmSpec};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;

mod host;
use host::{Host, kill, tag};

const SIZE: u64 = 64 * MIB;
const PATIENCE: Patience =
    Patience { first: Duration::from_millis(100), most: Duration::from_millis(500), limit: Duration::from_secs(40) };

async fn new_disk(provider: &Arc<dyn Provider>, operation: &str, size_bytes: u64) -> TargetDisk {
    let (name, spec) = ("disk".to_owned(), DiskSpec::default());
    let new = NewDisk { tag: tag(operation), index: 0, name, size_bytes, spec, base: None };
    provider.disk_sink().unwrap().create_disk(&new).await.unwrap()
}

async fn machine(provider: &Arc<dyn Provider>, operation: &str, disk: TargetDisk) -> InstanceId {
    let spec = VmSpec { vcpus: Some(1), memory_bytes: Some(64 * MIB), ..VmSpec::default() };
    let boot = Boot::Disks { disks: vec![disk] };
    let request = CreateRequest { tag: tag(operation), name: operation.to_owned(), spec, boot, start: true };
    provider.create(&request).await.unwrap().instance_id
}

async fn snapshot(provider: &Arc<dyn Provider>, id: &InstanceId, sequence: u32) -> DiskSnapshot {
    let request = SnapshotRequest { tag: tag("op"), instance: id.clone(), sequence };
    provider.disk_source().unwrap().snapshot(&request).await.unwrap().remove(0)
}

/// A disk as we know it to be, and the guest that writes the same.
struct Guest<'a> {
    host: &'a Host,
    bytes: Vec<u8>,
}

impl Guest<'_> {
    fn writes(&mut self, pattern: u8, offset: u64, len: u64) {
        self.host.guest_writes("source", 0, pattern, offset, len);
        self.bytes[offset as usize..(offset + len) as usize].fill(pattern);
    }
}

/// Reads as the engine does: by extents, in pieces of at most 1 MiB. Gives the bytes and how many were read.
async fn read_all(reader: &dyn BlockReader) -> (Vec<u8>, u64) {
    let mut bytes = vec![0; reader.size() as usize];
    let (mut from, mut read) = (Some(0), 0);
    while let Some(at) = from {
        let page = reader.extents(at).await.unwrap();
        for extent in page.extents.iter().filter(|extent| !extent.zero) {
            read += extent.len;
            copy(reader, extent.offset, extent.len, &mut bytes).await;
        }
        from = page.next;
    }
    (bytes, read)
}

async fn copy(reader: &dyn BlockReader, offset: u64, len: u64, bytes: &mut [u8]) {
    let mut at = offset;
    while at < offset + len {
        let piece = (offset + len - at).min(MIB);
        let buf = reader.read(at, Buf::zeroed(piece as usize)).await.unwrap();
        bytes[at as usize..(at + piece) as usize].copy_from_slice(&buf);
        at += piece;
    }
}

fn same(left: &[u8], right: &[u8]) {
    let differs = left.iter().zip(right).position(|(left, right)| left != right);
    assert_eq!((left.len(), differs), (right.len(), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_a_guest_that_writes() {
    let Some(host) = Host::start().await else { return };
    let provider = host.provider(json!({})).await;
    let made = new_disk(&provider, "source", SIZE).await;
    let id = machine(&provider, "source", made).await;
    let mut guest = Guest { host: &host, bytes: vec![0; SIZE as usize] };
    guest.writes(0x11, 0, 512);
    guest.writes(0x22, 10 * MIB + 512, 3 * MIB + 7 * 512);
    guest.writes(0x33, SIZE - 4096, 4096);

    let source = provider.disk_source().unwrap();
    let first = snapshot(&provider, &id, 0).await;
    let expected = guest.bytes.clone();
    let reader = source.open_reader(&first).await.unwrap();
    assert_eq!(reader.size(), SIZE);
    // The guest goes on, over what is read and elsewhere; the point in time stays.
    guest.writes(0x44, 0, 64 * KIB);
    guest.writes(0x55, 11 * MIB, 100 * KIB);
    guest.writes(0x66, 40 * MIB, 512);
    let (copied, read) = read_all(&*reader).await;
    same(&copied, &expected);
    assert!(read < 8 * MIB, "{read} bytes were read, where the guest had written less than 4 MiB");
    let edge = reader.read(SIZE - 3, Buf::zeroed(3)).await.unwrap();
    assert_eq!(edge[..], [0x33; 3]);
    let beyond = reader.read(SIZE - 3, Buf::zeroed(4)).await.unwrap_err();
    assert_eq!(beyond.kind, ErrorKind::Invalid);

    // Many at once, out of order.
    let mut tasks = tokio::task::JoinSet::new();
    for piece in (0..64u64).rev() {
        let reader = reader.clone();
        tasks.spawn(async move { (piece, reader.read(piece * MIB, Buf::zeroed(MIB as usize)).await.unwrap()) });
    }
    while let Some(done) = tasks.join_next().await {
        let (piece, buf) = done.unwrap();
        same(&buf, &expected[(piece * MIB) as usize..((piece + 1) * MIB) as usize]);
    }
    drop(reader);

    // The next pass: only what changed, and all that changed.
    let second = snapshot(&provider, &id, 1).await;
    let expected = guest.bytes.clone();
    let changed = provider.changed_blocks().unwrap();
    let mut copied = copied;
    let reader = source.open_reader(&second).await.unwrap();
    let (mut from, mut total) = (Some(0), 0);
    while let Some(at) = from {
        let page = changed.changed(&first, &second, at).await.unwrap();
        for extent in &page.extents {
            total += extent.len;
            copy(&*reader, extent.offset, extent.len, &mut copied).await;
        }
        from = page.next;
    }
    same(&copied, &expected);
    assert!((128 * KIB..=512 * KIB).contains(&total), "{total} bytes are said to have changed");
    let none = changed.changed(&second, &second, 0).await.unwrap();
    assert!(none.extents.is_empty() && none.next.is_none());
    drop(reader);

    // Stopped, and read once more: what was written up to the end.
    guest.writes(0x77, 20 * MIB, MIB);
    provider.stop(&id).await.unwrap();
    wait_for_state(&*provider, &id, InstanceState::Stopped, PATIENCE).await.unwrap();
    let last = snapshot(&provider, &id, 2).await;
    let page = changed.changed(&second, &last, 0).await.unwrap();
    let spans: Vec<(u64, u64)> = page.extents.iter().map(|extent| (extent.offset, extent.len)).collect();
    assert_eq!((spans, page.next), (vec![(20 * MIB, MIB)], None));
    let error = changed.changed(&first, &last, 0).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    let reader = source.open_reader(&last).await.unwrap();
    same(&read_all(&*reader).await.0, &guest.bytes);
    for taken in [&last, &second, &first] {
        source.delete_snapshot(taken).await.unwrap();
    }
    let error = source.open_reader(&last).await.map(drop).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    assert!(reader.read(0, Buf::zeroed(4096)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn into_a_volume() {
    let Some(host) = Host::start().await else { return };
    for (format, size) in [("qcow2", 20 * MIB + 513), ("raw", 20 * MIB + 511), ("qcow2", 16 * MIB)] {
        let provider = host.provider(json!({ "disk_format": format })).await;
        let operation = format!("{format}-{size}");
        let disk = new_disk(&provider, &operation, size).await;
        let sink = provider.disk_sink().unwrap();
        let writer = sink.open_writer(&disk).await.unwrap();
        assert_eq!(writer.size(), size);
        assert!(writer.starts_zeroed());

        let mut random = StdRng::seed_from_u64(size);
        let mut bytes = vec![0u8; size as usize];
        let unit = writer.granularity();
        for _ in 0..60 {
            let offset = random.random_range(0..size / unit) * unit;
            let len = (random.random_range(1..=MIB / unit) * unit).min(size - offset);
            let range = offset as usize..(offset + len) as usize;
            if random.random_bool(0.3) {
                bytes[range].fill(0);
                writer.zero(offset, len).await.unwrap();
            } else {
                random.fill(&mut bytes[range.clone()]);
                write(&*writer, offset, &bytes[range]).await;
            }
        }
        // The end, which is not the end of a block.
        let tail = size - size % unit - unit;
        random.fill(&mut bytes[tail as usize..]);
        write(&*writer, tail, &bytes[tail as usize..]).await;
        writer.flush().await.unwrap();
        for offset in (0..size).step_by(MIB as usize) {
            let len = MIB.min(size - offset) as usize;
            let back = writer.read_back(offset, Buf::zeroed(len)).await.unwrap();
            same(&back, &bytes[offset as usize..offset as usize + len]);
        }
        assert_eq!(writer.write(size, Buf::zeroed(512)).await.unwrap_err().kind, ErrorKind::Invalid);
        drop(writer);

        // It waits for the writer to let go.
        sink.complete_disk(&disk, Default::default()).await.unwrap();
        let raw = host.path("out.raw");
        let path = disk.locator["path"].as_str().unwrap();
        let converted = Command::new("qemu-img").args(["convert", "-f", format, "-O", "raw", path]).arg(&raw).status();
        assert!(converted.unwrap().success());
        let stored = std::fs::read(&raw).unwrap();
        same(&stored[..size as usize], &bytes);
        assert!(stored[size as usize..].iter().all(|byte| *byte == 0));
        sink.delete_disk(&disk).await.unwrap();
        assert_eq!(sink.open_writer(&disk).await.map(drop).unwrap_err().kind, ErrorKind::NotFound);
    }
}

async fn write(writer: &dyn BlockWriter, offset: u64, bytes: &[u8]) {
    let mut buf = Buf::zeroed(bytes.len());
    buf.copy_from_slice(bytes);
    let buf = writer.write(offset, buf).await.unwrap();
    same(&buf, bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_dies() {
    let Some(host) = Host::start().await else { return };
    let provider = host.provider(json!({})).await;
    let sink = provider.disk_sink().unwrap();
    let disk = new_disk(&provider, "op", 8 * MIB).await;
    let path = disk.locator["path"].as_str().unwrap();
    let writer = sink.open_writer(&disk).await.unwrap();
    write(&*writer, 0, &[1; 4096]).await;
    writer.flush().await.unwrap();
    let processes = serving(path);
    assert_eq!(processes.len(), 1);
    kill("-KILL", processes[0]);
    let error = writer.write(4096, Buf::zeroed(4096)).await.unwrap_err();
    assert!(error.kind.is_transient(), "{error}");

    // What was flushed is there, and it is opened as if nothing had been.
    let writer = sink.open_writer(&disk).await.unwrap();
    assert_eq!(writer.read_back(0, Buf::zeroed(4096)).await.unwrap()[..], [1; 4096]);
    // A newer writer takes the disk; the older one can't write any more.
    let newer = sink.open_writer(&disk).await.unwrap();
    assert!(writer.write(0, Buf::zeroed(4096)).await.is_err());
    write(&*newer, 4096, &[2; 4096]).await;
    drop(writer);
    newer.flush().await.unwrap();
    drop(newer);
    sink.complete_disk(&disk, Default::default()).await.unwrap();
    assert_eq!(serving(path).len(), 0);

    // A machine that runs from it keeps it from being written to.
    machine(&provider, "op", disk.clone()).await;
    let error = sink.open_writer(&disk).await.map(drop).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
}

/// The processes of `qemu-nbd` with this disk.
fn serving(path: &str) -> Vec<u32> {
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.starts_with("qemu-nbd") && line.contains(path)
        })
        .collect()
}

/// What a mover does: a machine's disk is kept equal to a volume, pass by pass, while its guest writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_becomes_a_volume() {
    let Some(host) = Host::start().await else { return };
    let provider = host.provider(json!({})).await;
    let size = SIZE + 3 * 512;
    let made = new_disk(&provider, "source", size).await;
    let id = machine(&provider, "source", made).await;
    let target = new_disk(&provider, "target", size).await;
    let mut guest = Guest { host: &host, bytes: vec![0; size as usize] };
    guest.writes(0x11, 0, 5 * MIB + 512);
    guest.writes(0x22, size - 512, 512);

    let first = snapshot(&provider, &id, 0).await;
    let full = sync(&provider, None, &first, &target, &host).await;
    assert!(!full.used_changed_blocks);
    guest.writes(0x33, 3 * MIB, MIB);
    guest.writes(0x44, size - 1024, 1024);
    let second = snapshot(&provider, &id, 1).await;
    let next = sync(&provider, Some(&first), &second, &target, &host).await;
    assert!(next.used_changed_blocks, "{}", next.method);
    assert!(next.stats.bytes_transferred < 3 * MIB, "{:?}", next.stats);

    // QEMU is killed, and nobody knows what changed; digests do.
    guest.writes(0x55, 30 * MIB, MIB);
    host.ask(&[
        "qemu-monitor-command",
        "source",
        "--hmp",
        "qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend flush",
    ]);
    kill("-KILL", host.qemu("source").unwrap());
    wait_for_state(&*provider, &id, InstanceState::Stopped, PATIENCE).await.unwrap();
    let last = snapshot(&provider, &id, 2).await;
    let last_pass = sync(&provider, Some(&second), &last, &target, &host).await;
    assert!(!last_pass.used_changed_blocks, "{}", last_pass.method);
    assert!(last_pass.stats.bytes_transferred < 3 * MIB, "{:?}", last_pass.stats);
    for taken in [&first, &second, &last] {
        provider.disk_source().unwrap().delete_snapshot(taken).await.unwrap();
    }

    let raw = host.path("out.raw");
    let path = target.locator["path"].as_str().unwrap();
    let converted = Command::new("qemu-img").args(["convert", "-f", "qcow2", "-O", "raw", path]).arg(&raw).status();
    assert!(converted.unwrap().success());
    same(&std::fs::read(&raw).unwrap(), &guest.bytes);
    let twin = machine(&provider, "target", target).await;
    assert_eq!(provider.get(&twin).await.unwrap().disks[0].size_bytes, Some(size));
    assert_eq!(provider.get(&id).await.unwrap().state, InstanceState::Stopped);
}

async fn sync(
    provider: &Arc<dyn Provider>,
    base: Option<&DiskSnapshot>,
    snapshot: &DiskSnapshot,
    target: &TargetDisk,
    host: &Host,
) -> CopyReport {
    let changes = base.map(|base| {
        Arc::new(Since { provider: provider.clone(), base: base.clone(), target: snapshot.clone() }) as Arc<dyn Changes>
    });
    let job = CopyJob {
        reader: provider.disk_source().unwrap().open_reader(snapshot).await.unwrap(),
        writer: provider.disk_sink().unwrap().open_writer(target).await.unwrap(),
        changes,
        ledger: host.path("ledger"),
        identity: LedgerIdentity {
            source: snapshot.disk_id.to_string(),
            target: target.disk_id.to_string(),
            size_bytes: snapshot.size_bytes,
        },
        sync: SyncIdentity {
            snapshot: snapshot.snapshot_id.to_string(),
            base: base.map(|base| base.snapshot_id.to_string()),
        },
        new_target: true,
        options: CopyOptions { verify: VerifyLevel::Stored, ..CopyOptions::default() },
    };
    let report = engine_copy(job, CopyControl::default()).await.unwrap();
    assert_eq!(Some(report.source_root), report.target_root);
    provider.disk_sink().unwrap().complete_disk(target, report.written).await.unwrap();
    report
}

struct Since {
    provider: Arc<dyn Provider>,
    base: DiskSnapshot,
    target: DiskSnapshot,
}

#[async_trait::async_trait]
impl Changes for Since {
    async fn changed(&self, from: u64) -> Result<ExtentPage, ProviderError> {
        self.provider.changed_blocks().unwrap().changed(&self.base, &self.target, from).await
    }
}
