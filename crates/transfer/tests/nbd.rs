//! The NBD client against real servers: qemu-nbd and nbdkit.

#![allow(clippy::unwrap_used, reason = "a test that can't go on ends there")]

use std::{
    io::Read,
    os::unix::{fs::FileExt, net::UnixListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use novacron_provider::{BlockReader, BlockWriter, Buf, ErrorKind};
use novacron_transfer::{
    CopyControl, CopyJob, CopyOptions,
    content::content_root_of,
    copy,
    file::{FileReader, FileWriter},
    ledger::{LedgerIdentity, SyncIdentity},
    nbd::{NbdAddress, NbdOptions, NbdReader, NbdWriter},
};

/// Stopped when it is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server and waits for its socket; says why a test is left out where it is not installed.
fn server(socket: &Path, program: &str, arguments: &[&str]) -> Option<Server> {
    let started = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(child) = started else {
        eprintln!("left out: {program} is not installed");
        return None;
    };
    let server = Server(child);
    let start = Instant::now();
    while !socket.exists() {
        assert!(start.elapsed() < Duration::from_secs(20), "{program} does not start");
        std::thread::yield_now();
    }
    Some(server)
}

fn qemu_nbd(socket: &Path, image: &Path, more: &[&str]) -> Option<Server> {
    let mut arguments = vec!["-t", "-e", "8", "-k", socket.to_str().unwrap()];
    arguments.extend(more);
    arguments.push(image.to_str().unwrap());
    server(socket, "qemu-nbd", &arguments)
}

fn image(path: &Path, size: u64) {
    let file = std::fs::File::create(path).unwrap();
    file.set_len(size).unwrap();
    for at in [0, 3 << 20, 9 << 20, size - 100_000] {
        let bytes: Vec<u8> = (0..100_000u64).map(|i| (i * 7 + at) as u8).collect();
        file.write_all_at(&bytes, at).unwrap();
    }
}

fn job(reader: Arc<dyn BlockReader>, writer: Arc<dyn BlockWriter>, ledger: PathBuf) -> CopyJob {
    CopyJob {
        identity: LedgerIdentity { source: "a".into(), target: "b".into(), size_bytes: reader.size() },
        new_target: true,
        reader,
        writer,
        changes: None,
        ledger,
        sync: SyncIdentity { snapshot: "1".into(), base: None },
        options: CopyOptions::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_from_qemu_to_nbdkit_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    image(&path("a.raw"), 20 << 20);
    let root = content_root_of(std::fs::File::open(path("a.raw")).unwrap()).unwrap().0;
    std::fs::File::create(path("b.raw")).unwrap().set_len(20 << 20).unwrap();
    let Some(_a) = qemu_nbd(&path("a.sock"), &path("a.raw"), &["-f", "raw", "-r", "-x", "disk"]) else { return };
    let b = path("b.sock");
    let arguments = ["-f", "-U", b.to_str().unwrap(), "file", path("b.raw").to_str().unwrap()].map(str::to_owned);
    let Some(_b) = server(&b, "nbdkit", &arguments.each_ref().map(String::as_str)) else { return };

    let reader = NbdReader::connect(NbdAddress::unix(path("a.sock"), "disk"), NbdOptions::default()).await.unwrap();
    let extents = reader.extents(0).await.unwrap().extents;
    assert!(extents.iter().map(|extent| extent.len).sum::<u64>() < 4 << 20, "{extents:?}");
    let error = reader.dirty(0).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    let writer = NbdWriter::connect(NbdAddress::unix(&b, ""), NbdOptions::default(), true).await.unwrap();
    writer.zero(5 << 20, 1 << 20).await.unwrap();
    let report = copy(job(Arc::new(reader), Arc::new(writer), path("l1")), CopyControl::default()).await.unwrap();
    assert_eq!((report.source_root, report.target_root), (root, Some(root)));
    assert!(std::fs::read(path("a.raw")).unwrap() == std::fs::read(path("b.raw")).unwrap());

    let back = NbdReader::connect(NbdAddress::unix(&b, ""), NbdOptions { connections: 4, bitmap: None }).await.unwrap();
    let file = FileWriter::create(&path("c.raw"), 20 << 20).unwrap();
    let report = copy(job(Arc::new(back), Arc::new(file), path("l2")), CopyControl::default()).await.unwrap();
    assert_eq!(report.target_root, Some(root));

    let missing = NbdReader::connect(NbdAddress::unix(path("a.sock"), "nothing"), NbdOptions::default()).await;
    assert_eq!(missing.err().unwrap().kind, ErrorKind::NotFound);
    let read_only = NbdWriter::connect(NbdAddress::unix(path("a.sock"), "disk"), NbdOptions::default(), true).await;
    assert_eq!(read_only.err().unwrap().kind, ErrorKind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn lives_through_a_bad_server() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("bad.sock");
    let stats = dir.path().join("off");
    std::fs::write(&stats, "").unwrap();
    // One request in ten fails.
    let arguments =
        ["-f", "--filter=error", "-U", socket.to_str().unwrap(), "memory", "40M", "error-rate=10%", "error=EIO"]
            .map(str::to_owned);
    let Some(_server) = server(&socket, "nbdkit", &arguments.each_ref().map(String::as_str)) else { return };
    image(&dir.path().join("a.raw"), 40 << 20);
    let reader = FileReader::open(&dir.path().join("a.raw")).unwrap();
    let writer = NbdWriter::connect(NbdAddress::unix(&socket, ""), NbdOptions::default(), true).await.unwrap();
    let report =
        copy(job(Arc::new(reader), Arc::new(writer), dir.path().join("l")), CopyControl::default()).await.unwrap();
    assert_eq!(Some(report.source_root), report.target_root);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_dirty_bitmaps() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.qcow2");
    let qemu_img = |arguments: &[&str]| Command::new("qemu-img").args(arguments).stdout(Stdio::null()).status();
    let Ok(status) = qemu_img(&["create", "-q", "-f", "qcow2", path.to_str().unwrap(), "64M"]) else {
        eprintln!("left out: qemu-img is not installed");
        return;
    };
    assert!(status.success());
    assert!(qemu_img(&["bitmap", "--add", path.to_str().unwrap(), "b0"]).unwrap().success());
    let writes = ["-f", "qcow2", "-c", "write -P 5 1M 64k", "-c", "write -P 6 10M 100k", path.to_str().unwrap()];
    match Command::new("qemu-io").args(writes).stdout(Stdio::null()).status() {
        Ok(status) => assert!(status.success()),
        Err(_) => return eprintln!("left out: qemu-io is not installed"),
    }
    let socket = dir.path().join("a.sock");
    let Some(_server) = qemu_nbd(&socket, &path, &["-f", "qcow2", "-B", "b0", "-r"]) else { return };
    let options = NbdOptions { connections: 1, bitmap: Some("qemu:dirty-bitmap:b0".into()) };
    let reader = NbdReader::connect(NbdAddress::unix(&socket, ""), options).await.unwrap();
    let page = reader.dirty(0).await.unwrap();
    let extents: Vec<(u64, u64)> = page.extents.iter().map(|extent| (extent.offset, extent.len)).collect();
    assert_eq!(extents, [(1 << 20, 65_536), (10 << 20, 131_072)]);
    assert_eq!(page.next, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_is_no_server() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("liar.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let liar = std::thread::spawn(move || {
        let answers: [&[u8]; 2] = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"NBDMAGIC"];
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::Write::write_all(&mut stream, answer).unwrap();
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0; 8]);
        }
    });
    for kind in [ErrorKind::Invalid, ErrorKind::Unavailable] {
        let error = NbdReader::connect(NbdAddress::unix(&socket, ""), NbdOptions::default()).await.err().unwrap();
        assert_eq!(error.kind, kind, "{error}");
    }
    liar.join().unwrap();
    let nobody = NbdReader::connect(NbdAddress::unix(dir.path().join("none"), ""), NbdOptions::default()).await;
    assert_eq!(nobody.err().unwrap().kind, ErrorKind::Unavailable);
}

/// A server that only knows the simple answers, with an export of `size` bytes.
async fn serve_simply(listener: tokio::net::UnixListener, size: u64) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let reply = |option: u32, kind: u32, body: &[u8]| {
        let head = [0x0003_e889_0455_65a9u64.to_be_bytes().to_vec(), option.to_be_bytes().to_vec()].concat();
        [&head[..], &kind.to_be_bytes(), &(body.len() as u32).to_be_bytes(), body].concat()
    };
    let export = [&[0, 0][..], &size.to_be_bytes(), &[0, 1]].concat();
    let talk = [b"NBDMAGICIHAVEOPT\0\x03".to_vec(), reply(8, 1 << 31, &[]), reply(7, 3, &export), reply(7, 1, &[])];
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(&talk.concat()).await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn an_empty_export_has_no_extents() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let server = tokio::spawn(serve_simply(tokio::net::UnixListener::bind(&socket).unwrap(), 0));
    let reader = NbdReader::connect(NbdAddress::unix(&socket, ""), NbdOptions::default()).await.unwrap();
    assert_eq!(reader.extents(0).await.unwrap(), novacron_provider::ExtentPage::default());
    assert!(reader.read(0, Buf::zeroed(0)).await.unwrap().is_empty());
    drop(reader);
    server.await.unwrap();
}
