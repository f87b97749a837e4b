//! qcow2 images beside those of qemu-img: read, written, refused, and written by a process that is killed.

#![allow(clippy::unwrap_used, reason = "a test that can't go on ends there")]

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use novacron_provider::{BlockReader, ErrorKind};
use novacron_transfer::{
    CopyControl, CopyJob, CopyOptions,
    content::{content_root_of, content_root_of_disk},
    copy,
    format::{self, ImageFormat},
    ledger::{LedgerIdentity, SyncIdentity},
};
use rand::Rng;

/// Runs a program of QEMU's; absent, with a word why, where it is not installed.
fn qemu(program: &str, arguments: &[&str], paths: &[&Path]) -> Option<bool> {
    let status = Command::new(program).args(arguments).args(paths).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if status.is_err() {
        eprintln!("left out: {program} is not installed");
    }
    status.ok().map(|status| status.success())
}

/// A raw disk with data here and there; its last sector is written too.
fn raw(path: &Path, size: u64) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::create(path).unwrap();
    file.set_len(size).unwrap();
    let mut bytes = vec![0; 300_000];
    for at in [0, size / 3, size / 2, size - 300_000] {
        rand::rng().fill(&mut bytes[..]);
        file.write_all_at(&bytes, at).unwrap();
    }
    file.write_all_at(&[9; 3 << 20], size / 4).unwrap();
}

fn reader(path: &Path) -> novacron_provider::Result<Arc<dyn BlockReader>> {
    format::open_reader(std::fs::File::open(path).unwrap(), "image", ImageFormat::Qcow2)
}

fn job(source: &Path, target: &Path, ledger: &Path) -> CopyJob {
    let reader = format::open_reader(std::fs::File::open(source).unwrap(), "source", ImageFormat::Raw).unwrap();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(target).unwrap();
    let writer = format::open_writer(file, "target", ImageFormat::Qcow2, reader.size(), true).unwrap();
    CopyJob {
        identity: LedgerIdentity { source: "a".into(), target: "b".into(), size_bytes: reader.size() },
        new_target: true,
        reader,
        writer,
        changes: None,
        ledger: ledger.to_owned(),
        sync: SyncIdentity { snapshot: "1".into(), base: None },
        options: CopyOptions::default(),
    }
}

fn empty(path: &Path, size: u64) {
    let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap();
    format::create(&file, "target", ImageFormat::Qcow2, size).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_what_qemu_writes_and_qemu_reads_what_it_writes() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let size = (50 << 20) + 512 * 3;
    raw(&path("a.raw"), size);
    let root = content_root_of(std::fs::File::open(path("a.raw")).unwrap()).unwrap().0;
    let variants = [
        ("plain", vec![]),
        ("compressed", vec!["-c"]),
        ("small", vec!["-o", "cluster_size=4k"]),
        ("large", vec!["-o", "cluster_size=2M"]),
        ("old", vec!["-o", "compat=0.10"]),
        ("lazy", vec!["-o", "lazy_refcounts=on"]),
    ];
    for (name, options) in variants {
        let arguments = [&["convert", "-f", "raw", "-O", "qcow2"][..], &options].concat();
        let Some(made) = qemu("qemu-img", &arguments, &[&path("a.raw"), &path(name)]) else { return };
        assert!(made, "{name}");
        let reader = reader(&path(name)).unwrap();
        assert_eq!(content_root_of_disk(reader.as_ref()).await.unwrap(), root, "{name}");
    }

    empty(&path("b.qcow2"), size);
    let report = copy(job(&path("a.raw"), &path("b.qcow2"), &path("l")), CopyControl::default()).await.unwrap();
    assert_eq!(report.target_root, Some(root));
    assert!(report.stats.bytes_verified > 3 << 20);
    assert_eq!(qemu("qemu-img", &["compare"], &[&path("a.raw"), &path("b.qcow2")]), Some(true));
    assert_eq!(qemu("qemu-img", &["check"], &[&path("b.qcow2")]), Some(true));
    assert!(std::fs::metadata(path("b.qcow2")).unwrap().len() < 8 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_leads_elsewhere_or_lies() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    raw(&path("a.raw"), 20 << 20);
    let Some(made) = qemu("qemu-img", &["convert", "-f", "raw", "-O", "qcow2"], &[&path("a.raw"), &path("base")])
    else {
        return;
    };
    assert!(made);
    let create = |options: &[&str], name: &str| {
        let arguments = [&["create", "-q", "-f", "qcow2"][..], options].concat();
        assert_eq!(qemu("qemu-img", &arguments, &[&path(name), Path::new("20M")]), Some(true), "{name}");
    };
    let data_file = format!("data_file={}", path("elsewhere").display());
    create(&["-b", path("base").to_str().unwrap(), "-F", "qcow2"], "backed");
    create(&["-o", &data_file], "outside");
    create(&["-o", "extended_l2=on"], "extended");
    for (name, word) in [("backed", "backing file"), ("outside", "another file"), ("extended", "features")] {
        let error = reader(&path(name)).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        assert!(error.message.contains(word), "{error}");
    }

    let whole = std::fs::read(path("base")).unwrap();
    for cut in [0, 10, 100, 70_000, whole.len() / 2, whole.len() - 200_000] {
        std::fs::write(path("cut"), &whole[..cut]).unwrap();
        let result = match reader(&path("cut")) {
            Ok(reader) => content_root_of_disk(reader.as_ref()).await.map(drop),
            Err(error) => Err(error),
        };
        assert_eq!(result.unwrap_err().kind, ErrorKind::Invalid, "cut at {cut}");
    }
    // Damage anywhere gives bytes or an error, and no panic, which would show as `Unavailable`.
    for _ in 0..200 {
        let mut bytes = whole.clone();
        for _ in 0..4 {
            let at = rand::rng().random_range(0..400_000.min(bytes.len()));
            bytes[at] = rand::rng().random();
        }
        std::fs::write(path("damaged"), &bytes).unwrap();
        let result = match reader(&path("damaged")) {
            Ok(reader) => content_root_of_disk(reader.as_ref()).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(!result.is_err_and(|error| error.message.contains("worker thread")));
    }
}

/// Opens and reads all of it.
async fn root(path: &Path) -> novacron_provider::Result<novacron_types::ContentRoot> {
    content_root_of_disk(reader(path)?.as_ref()).await
}

/// Whatever is cut off: the image is refused, or nothing of the disk was in what is missing.
async fn is_read_whole_and_not_cut(image: &Path, wanted: novacron_types::ContentRoot, name: &str) {
    assert_eq!(root(image).await.unwrap(), wanted, "{name}");
    let whole = std::fs::read(image).unwrap();
    let cut = image.with_extension("cut");
    for bytes in [1, 100, 500, 512, 513, 1024, 4096, 5000, 30_000, 65_535] {
        if bytes >= whole.len() {
            break;
        }
        std::fs::write(&cut, &whole[..whole.len() - bytes]).unwrap();
        match root(&cut).await {
            Ok(root) => assert_eq!(root, wanted, "{name}: {bytes} bytes short, it is read as something else"),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Invalid, "{name}, {bytes} bytes short: {error}");
                assert!(error.message.contains("cut short"), "{name}, {bytes} bytes short: {error}");
                assert!(error.advice.is_some(), "{name}, {bytes} bytes short: {error}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_its_last_bytes_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for size in [512u64, 196_608, 197_120, (1 << 20) + 4096] {
        std::fs::write(path("a.raw"), (0..size).map(|_| rand::rng().random::<u8>() | 1).collect::<Vec<u8>>()).unwrap();
        // Every second 64 KiB can be compressed.
        let text: Vec<u8> =
            (0..size).map(|at| if at >> 16 & 1 == 0 { (at % 97) as u8 } else { rand::rng().random() }).collect();
        std::fs::write(path("b.raw"), text).unwrap();
        let root_of = |name: &str| content_root_of(std::fs::File::open(path(name)).unwrap()).unwrap().0;
        for (compat, cluster) in [("1.1", "512"), ("1.1", "4k"), ("0.10", "64k"), ("1.1", "64k"), ("1.1", "2M")] {
            let options = format!("compat={compat},cluster_size={cluster}");
            for (disk, more) in [
                ("a.raw", vec![]),
                ("b.raw", vec!["-c"]),
                ("a.raw", vec!["-o", "preallocation=metadata"]),
                ("a.raw", vec!["-o", "preallocation=falloc"]),
                ("a.raw", vec!["-o", "preallocation=full"]),
            ] {
                let name = format!("{size} {options} {more:?}");
                let arguments = [&["convert", "-f", "raw", "-O", "qcow2", "-o", &options][..], &more].concat();
                let Some(made) = qemu("qemu-img", &arguments, &[&path(disk), &path("c.qcow2")]) else { return };
                assert!(made, "{name}");
                is_read_whole_and_not_cut(&path("c.qcow2"), root_of(disk), &name).await;
            }
            // Written in place, without and with compression: such a file ends with its last compressed byte.
            let bytes = std::fs::read(path("b.raw")).unwrap();
            for how in ["write", "write -c"] {
                let name = format!("{size} {options} {how}");
                let create = ["create", "-q", "-f", "qcow2", "-o", &options];
                assert_eq!(qemu("qemu-img", &create, &[&path("d.qcow2"), Path::new(&size.to_string())]), Some(true));
                let part = bytes.len().min(65_536);
                let command = format!("{how} -s {} 0 {part}", path("b.raw").display());
                let Some(made) = qemu("qemu-io", &["-f", "qcow2", "-c", &command], &[&path("d.qcow2")]) else { return };
                if !made {
                    continue;
                }
                let mut wanted = vec![0; bytes.len()];
                wanted[..part].copy_from_slice(&bytes[..part]);
                let wanted = content_root_of(&wanted[..]).unwrap().0;
                is_read_whole_and_not_cut(&path("d.qcow2"), wanted, &name).await;
            }
        }
        // Ours.
        empty(&path("e.qcow2"), size);
        copy(job(&path("a.raw"), &path("e.qcow2"), &path("l")), CopyControl::default()).await.unwrap();
        is_read_whole_and_not_cut(&path("e.qcow2"), root_of("a.raw"), &format!("{size} ours")).await;
        std::fs::remove_file(path("e.qcow2")).unwrap();
        std::fs::remove_file(path("l")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zero_cluster_in_version_2_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    raw(&path("a.raw"), 20 << 20);
    let wanted = content_root_of(std::fs::File::open(path("a.raw")).unwrap()).unwrap().0;
    for (more, flips) in [(vec![], true), (vec!["-c"], false)] {
        let arguments = [&["convert", "-f", "raw", "-O", "qcow2", "-o", "compat=0.10"][..], &more].concat();
        let Some(made) = qemu("qemu-img", &arguments, &[&path("a.raw"), &path("old")]) else { return };
        assert!(made);
        // Also where a compressed cluster is at an odd place: that is not the bit that says zero.
        assert_eq!(root(&path("old")).await.unwrap(), wanted, "{more:?}");
        if !flips {
            continue;
        }
        let mut bytes = std::fs::read(path("old")).unwrap();
        let be64 = |bytes: &[u8], at: usize| u64::from_be_bytes(*bytes[at..].first_chunk().unwrap()) as usize;
        let table = be64(&bytes, be64(&bytes, 40)) & 0x00ff_ffff_ffff_fe00;
        let entry = (0..8192).map(|number| table + 8 * number).find(|at| be64(&bytes, *at) != 0).unwrap();
        bytes[entry + 7] |= 1;
        std::fs::write(path("old"), &bytes).unwrap();
        assert_eq!(qemu("qemu-img", &["compare"], &[&path("a.raw"), &path("old")]), Some(false));
        let error = reader(&path("old")).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        assert!(error.message.contains("version 2"), "{error}");
        assert!(error.advice.is_some(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_ends_before_its_first_flush_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let size = 4u64 << 20;
    std::fs::write(path("a.raw"), (0..size).map(|_| rand::rng().random::<u8>() | 1).collect::<Vec<u8>>()).unwrap();
    let wanted = content_root_of(std::fs::File::open(path("a.raw")).unwrap()).unwrap().0;
    empty(&path("b.qcow2"), size);
    for _ in 0..3 {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path("b.qcow2")).unwrap();
        let writer = format::open_writer(file, "target", ImageFormat::Qcow2, size, true).unwrap();
        writer.write(1 << 20, novacron_provider::Buf::zeroed(65_536)).await.unwrap();
    }
    copy(job(&path("a.raw"), &path("b.qcow2"), &path("l")), CopyControl::default()).await.unwrap();
    assert_eq!(root(&path("b.qcow2")).await.unwrap(), wanted);
    let Some(equal) = qemu("qemu-img", &["compare"], &[&path("a.raw"), &path("b.qcow2")]) else { return };
    assert!(equal);
    let check = Command::new("qemu-img").arg("check").arg(path("b.qcow2")).output().unwrap();
    assert!(matches!(check.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&check.stdout));
}

/// Run by the next test as a process of its own.
#[test]
fn writes_until_it_is_killed() {
    let Ok(dir) = std::env::var("QCOW2_CRASH_DIR") else { return };
    let path = |name: &str| Path::new(&dir).join(name);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let control = CopyControl::default();
    control.rate.set(Some(60_000_000));
    let _ = runtime.block_on(copy(job(&path("a.raw"), &path("b.qcow2"), &path("l")), control));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_leaves_an_image_that_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let size = 64 << 20;
    std::fs::write(path("a.raw"), (0..size).map(|_| rand::rng().random::<u8>() | 1).collect::<Vec<u8>>()).unwrap();
    empty(&path("b.qcow2"), size);
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writes_until_it_is_killed", "--nocapture"])
            .env("QCOW2_CRASH_DIR", dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(200..900))).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let report = copy(job(&path("a.raw"), &path("b.qcow2"), &path("l")), CopyControl::default()).await.unwrap();
    assert_eq!(Some(report.source_root), report.target_root);
    let Some(equal) = qemu("qemu-img", &["compare"], &[&path("a.raw"), &path("b.qcow2")]) else { return };
    assert!(equal);
    // Leaked clusters are allowed (exit code 3), errors are not.
    let check = Command::new("qemu-img").arg("check").arg(path("b.qcow2")).output().unwrap();
    assert!(matches!(check.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&check.stdout));
}
