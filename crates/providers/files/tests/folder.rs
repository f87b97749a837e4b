//! What the folder holds, and what in it is refused.

#![allow(clippy::unwrap_used, reason = "a test that can't go on ends there")]

use std::{os::unix::fs::symlink, path::Path};

use novacron_provider::{
    ErrorKind, ListFilter, NewDisk, OperationTag, Provider, ProviderExt, SnapshotRequest, SweepScope, TargetDisk,
};
use novacron_provider_files::Files;
use novacron_transfer::format::ImageFormat;
use novacron_types::{InstanceId, InstanceState, OperationId, ProviderName};
use tokio::runtime::Runtime;

fn files(path: &Path) -> Files {
    Files::open(ProviderName::new("local").unwrap(), path, ImageFormat::Raw).unwrap()
}

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    Runtime::new().unwrap().block_on(work)
}

#[test]
fn shows_images_that_a_person_put_there() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    for number in 0..250 {
        std::fs::write(dir.path().join(format!("vm{number:03}.img")), vec![1; 4096]).unwrap();
    }
    std::fs::write(dir.path().join("notes.txt"), "x").unwrap();
    std::fs::write(dir.path().join("with space.raw"), "x").unwrap();
    let all: Vec<_> = run(async {
        use futures_lite::collect;
        collect(files.list(&ListFilter::default())).await
    });
    assert_eq!(all.len(), 250);
    assert!(all.iter().all(|vm| vm.state == InstanceState::Stopped && vm.disks[0].size_bytes == Some(4096)));
    let filter = ListFilter { filters: [("name".to_owned(), vec!["vm007".to_owned()])].into() };
    assert_eq!(run(async { futures_lite::collect(files.list(&filter)).await }).len(), 1);
    let unknown = ListFilter { filters: [("nmae".to_owned(), vec![])].into() };
    assert_eq!(run(files.list_page(&unknown, None)).unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(run(files.start(&id("vm001"))).unwrap_err().kind, ErrorKind::Conflict);
    run(files.stop(&id("vm001"))).unwrap();
    run(files.delete(&id("vm001"))).unwrap();
    run(files.delete(&id("vm001"))).unwrap();
    assert!(run(files.get(&id("vm001"))).unwrap_err().is_not_found());
}

/// Enough of a stream's end for this test.
mod futures_lite {
    use std::{future::poll_fn, pin::Pin};

    use futures::Stream;
    use novacron_provider::Result;

    pub async fn collect<T>(mut stream: Pin<Box<dyn Stream<Item = Result<T>> + Send + '_>>) -> Vec<T> {
        let mut all = Vec::new();
        while let Some(item) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            all.push(item.unwrap());
        }
        all
    }
}

#[test]
fn refuses_what_leads_out_or_lies() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), vec![1; 4096]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    symlink(outside.path().join("secret"), dir.path().join("link.raw")).unwrap();
    std::fs::write(dir.path().join("liar.raw"), b"QFI\xfb and more").unwrap();
    std::fs::write(dir.path().join("torn.qcow2"), b"QFI\xfb\0\0\0\x03").unwrap();
    std::fs::write(dir.path().join("empty.raw"), b"").unwrap();
    let record = |id: &str, file: &str| {
        std::fs::create_dir(dir.path().join(id)).unwrap();
        let json = serde_json::json!({
            "version": 1, "id": id, "name": "x", "tag": "op", "spec": {}, "created_at": "2026-01-01T00:00:00Z",
            "disks": [{ "file": file, "format": "raw", "size_bytes": 4096 }],
        });
        std::fs::write(dir.path().join(id).join("vm.json"), json.to_string()).unwrap();
    };
    record("out", "../../secret");
    record("via", "disk-0.raw");
    symlink(outside.path().join("secret"), dir.path().join("via/disk-0.raw")).unwrap();
    std::fs::create_dir(dir.path().join("bad")).unwrap();
    std::fs::write(dir.path().join("bad/vm.json"), vec![b'['; 100_000]).unwrap();
    symlink(outside.path(), dir.path().join("folder")).unwrap();

    for (name, word) in [
        ("link", "link"),
        ("liar", "qcow2"),
        ("torn", "ends within"),
        ("empty", "empty"),
        ("out", "not disks"),
        ("bad", "not valid"),
    ] {
        let error = run(files.get(&id(name))).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{name}: {error}");
        assert!(error.message.contains(word), "{name}: {error}");
    }
    let request =
        SnapshotRequest { tag: OperationTag(OperationId::new("op").unwrap()), instance: id("via"), sequence: 0 };
    let error = run(files.disk_source().unwrap().snapshot(&request)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    for name in ["folder", "../x", "..", "none"] {
        let error = run(files.get(&id(name))).unwrap_err();
        assert!(error.is_not_found(), "{name}: {error}");
    }
}

#[test]
fn a_disk_that_was_cut_is_not_taken_for_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    let json = serde_json::json!({
        "version": 1, "id": "vm", "name": "x", "tag": "op", "spec": {}, "created_at": "2026-01-01T00:00:00Z",
        "disks": [{ "file": "disk-0.raw", "format": "raw", "size_bytes": 8192 }],
    });
    std::fs::create_dir(dir.path().join("vm")).unwrap();
    std::fs::write(dir.path().join("vm/vm.json"), json.to_string()).unwrap();
    std::fs::write(dir.path().join("vm/disk-0.raw"), vec![1; 8192]).unwrap();
    run(files.get(&id("vm"))).unwrap();
    let request =
        SnapshotRequest { tag: OperationTag(OperationId::new("op").unwrap()), instance: id("vm"), sequence: 0 };
    for bytes in [0, 4096, 12288] {
        std::fs::write(dir.path().join("vm/disk-0.raw"), vec![1; bytes]).unwrap();
        let error = run(files.get(&id("vm"))).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
        let error = run(files.disk_source().unwrap().snapshot(&request)).unwrap_err();
        assert!(error.message.contains(&format!("a disk of {bytes} bytes")), "{error}");
    }
    run(files.delete(&id("vm"))).unwrap();
}

#[test]
fn a_disk_is_made_once_and_goes_with_its_operation() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    let sink = files.disk_sink().unwrap();
    let new = NewDisk {
        tag: OperationTag(OperationId::new("an/odd:name").unwrap()),
        index: 0,
        name: "x".into(),
        size_bytes: 1 << 20,
        spec: Default::default(),
        base: None,
    };
    let disk: TargetDisk = run(sink.create_disk(&new)).unwrap();
    assert_eq!(run(sink.create_disk(&new)).unwrap(), disk);
    let other = NewDisk { size_bytes: 1 << 21, ..new };
    assert_eq!(run(sink.create_disk(&other)).unwrap_err().kind, ErrorKind::Conflict);
    run(async {
        let writer = sink.open_writer(&disk).await.unwrap();
        let error = sink.open_writer(&disk).await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert_eq!(sink.delete_disk(&disk).await.unwrap_err().kind, ErrorKind::Conflict);
        drop(writer);
        sink.delete_disk(&disk).await.unwrap();
        sink.delete_disk(&disk).await.unwrap();
    });
    assert!(run(files.health()).unwrap().detail.contains("free"));
}

#[test]
fn images_of_one_name_are_ambiguous() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    for name in ["web.raw", "web.img", "web.qcow2", "db.img", "vm.raw"] {
        std::fs::write(dir.path().join(name), vec![1; 4096]).unwrap();
    }
    // A machine with a record of its own is what the record says, whatever lies beside it.
    let json = serde_json::json!({
        "version": 1, "id": "vm", "name": "x", "tag": "op", "spec": {}, "created_at": "2026-01-01T00:00:00Z",
        "disks": [{ "file": "disk-0.raw", "format": "raw", "size_bytes": 8192 }],
    });
    std::fs::create_dir(dir.path().join("vm")).unwrap();
    std::fs::write(dir.path().join("vm/vm.json"), json.to_string()).unwrap();
    std::fs::write(dir.path().join("vm/disk-0.raw"), vec![1; 8192]).unwrap();
    run(files.get(&id("vm"))).unwrap();

    let names = || {
        let page = run(files.list_page(&ListFilter::default(), None)).unwrap();
        page.items.into_iter().map(|vm| vm.instance_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["db", "vm"]);
    let request =
        SnapshotRequest { tag: OperationTag(OperationId::new("op").unwrap()), instance: id("web"), sequence: 0 };
    for error in [
        run(files.get(&id("web"))).unwrap_err(),
        run(files.stop(&id("web"))).unwrap_err(),
        run(files.delete(&id("web"))).unwrap_err(),
        run(files.disk_source().unwrap().snapshot(&request)).unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
        assert!(error.message.contains("web.raw, web.img, web.qcow2"), "{error}");
        assert!(error.advice.as_ref().is_some_and(|advice| advice.contains("ename")), "{error}");
    }
    for name in ["web.raw", "web.qcow2"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    assert_eq!(names(), ["db", "vm", "web"]);
}

#[test]
fn drafts_that_a_killed_writer_left_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    let put = |name: &str, minutes: u64| {
        let file = std::fs::File::create(dir.path().join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(minutes * 60)).unwrap();
    };
    put(".pins/snap-0123456789abcdef.json.0000000100000000.tmp", 61);
    put(".pins/snap-0123456789abcdee.json.0000000100000001.tmp", 5);
    put(".pins/snap-0123456789abcded.json", 600);
    put(".pins/mine.tmp", 600);
    put(".staging/.health.0000000100000002.tmp", 61);
    run(files.sweep(&OperationTag(OperationId::new("op").unwrap()), SweepScope::Everything)).unwrap();
    let left = |part: &str| {
        let entries = std::fs::read_dir(dir.path().join(part)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let young = "snap-0123456789abcdee.json.0000000100000001.tmp";
    assert_eq!(left(".pins"), ["mine.tmp", "snap-0123456789abcded.json", young]);
    assert!(left(".staging").is_empty(), "{:?}", left(".staging"));
}

#[test]
fn a_link_to_nothing_is_no_place_for_files() {
    let dir = tempfile::tempdir().unwrap();
    symlink(dir.path().join("none/at/all"), dir.path().join("link")).unwrap();
    for path in ["link", "link/disks"] {
        let error = novacron_provider_files::can_hold_files(&dir.path().join(path)).unwrap_err();
        assert!(error.to_string().contains("link"), "{error}");
        let made = Files::open(ProviderName::new("local").unwrap(), &dir.path().join(path), ImageFormat::Raw);
        assert!(made.unwrap_err().message.contains("link to what is not there"));
    }
    novacron_provider_files::can_hold_files(&dir.path().join("not/yet")).unwrap();
    symlink(dir.path(), dir.path().join("fine")).unwrap();
    novacron_provider_files::can_hold_files(&dir.path().join("fine/disks")).unwrap();
}

#[test]
fn the_room_is_that_of_the_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let files = files(dir.path());
    let host = run(files.host_capacity().unwrap().capacity()).unwrap();
    let disk = rustix::fs::statvfs(dir.path()).unwrap();
    assert_eq!(host.disk_bytes, Some(disk.f_blocks * disk.f_frsize));
    assert!(host.disk_free_bytes.unwrap() <= host.disk_bytes.unwrap());
    assert_eq!((host.vcpus, host.memory_bytes), (0, 0), "nothing runs here");
    assert_eq!((host.load_permille, host.load_window_ms, host.architecture), (None, None, None));
}
