//! A volume served for writing by `qemu-nbd`, which this process starts and which ends with it.
//!
//! `qemu-nbd` is started to end with its last client: when the writer is dropped, or when this process dies however
//! that may be, it closes the disk properly and lets it go.

use std::{fs, io, path::Path, process::Stdio, sync::Arc, time::Duration};

use async_trait::async_trait;
use novacron_provider::{BlockWriter, Buf, ErrorKind, ProviderError, Result, StoredCheck, end_within};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    sync::oneshot,
    time::Instant,
};

use crate::{
    create::VolumeLocator,
    fault::{conflict, unavailable},
    nbd,
    xml::Server,
};

const PROGRAM: &str = "qemu-nbd";
const MESSAGES: &str = "messages";
/// How long it may take to open the disk.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long it may take to write out what it has when its last client is gone.
const END_LIMIT: Duration = Duration::from_secs(120);

/// Starts `qemu-nbd` for the volume and connects to it. One that a dead mover left is ended first.
pub async fn open(place: &VolumeLocator, size: u64) -> Result<Arc<dyn BlockWriter>> {
    end_serving(&place.path).await?;
    // Past the page cache, so that what is read back comes from the disk; some file systems can't.
    let (inner, served) = match serve(place, "none").await {
        Err(error) if error.message.contains("O_DIRECT") => serve(place, "writeback").await?,
        served => served?,
    };
    if inner.size() < size {
        let message = format!("{} holds {} bytes, not {size}", place.path, inner.size());
        return Err(conflict(PROGRAM, message));
    }
    Ok(Arc::new(VolumeWriter { inner, size, _served: served }))
}

struct VolumeWriter {
    // Dropped before the process is waited for.
    inner: Arc<dyn BlockWriter>,
    size: u64,
    _served: Served,
}

#[async_trait]
impl BlockWriter for VolumeWriter {
    fn size(&self) -> u64 {
        self.size
    }
    fn granularity(&self) -> u64 {
        self.inner.granularity()
    }
    fn max_write(&self) -> u64 {
        self.inner.max_write()
    }
    fn starts_zeroed(&self) -> bool {
        self.inner.starts_zeroed()
    }
    fn stored_check(&self) -> StoredCheck {
        StoredCheck::ReadBack
    }
    async fn write(&self, offset: u64, buf: Buf) -> Result<Buf> {
        let len = self.within(offset, buf.len() as u64)?;
        if len == buf.len() as u64 {
            return self.inner.write(offset, buf).await;
        }
        let mut whole = Buf::zeroed(len as usize);
        whole[..buf.len()].copy_from_slice(&buf);
        self.inner.write(offset, whole).await?;
        Ok(buf)
    }
    async fn zero(&self, offset: u64, len: u64) -> Result<()> {
        let len = self.within(offset, len)?;
        self.inner.zero(offset, len).await
    }
    async fn flush(&self) -> Result<()> {
        self.inner.flush().await
    }
    async fn read_back(&self, offset: u64, buf: Buf) -> Result<Buf> {
        self.within(offset, buf.len() as u64)?;
        self.inner.read_back(offset, buf).await
    }
}

impl VolumeWriter {
    /// The length, up to the end of the last sector: the volume is whole sectors, and reads zero beyond the size.
    fn within(&self, offset: u64, len: u64) -> Result<u64> {
        let end = end_within(self.size, offset, len, PROGRAM)?;
        if end < self.size {
            return Ok(len);
        }
        Ok(end.next_multiple_of(self.granularity()).min(self.inner.size()) - offset)
    }
}

/// A running `qemu-nbd`. When it is dropped, the process is given time to end, then killed.
struct Served {
    _end: oneshot::Sender<()>,
}

/// Starts the process and connects to it.
async fn serve(place: &VolumeLocator, cache: &str) -> Result<(Arc<dyn BlockWriter>, Served)> {
    let fail = |what: &str, error: &io::Error| ProviderError::from_io(PROGRAM, what, error);
    let folder = tempfile::Builder::new()
        .prefix("novacron-")
        .tempdir()
        .map_err(|error| fail("a folder for its socket", &error))?;
    let socket = folder.path().join("nbd.sock");
    let messages = folder.path().join(MESSAGES);
    let stderr = fs::File::create(&messages).map_err(|error| fail("a file for its messages", &error))?;
    let child = Command::new(PROGRAM)
        .args(["--format", &place.format, "--cache", cache, "--discard", "unmap", "--shared", "16", "--socket"])
        .arg(&socket)
        .args(["--", &place.path])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .map_err(|error| no_program(PROGRAM, &error))?;
    let (end, ended) = oneshot::channel();
    let (told, last_words) = oneshot::channel();
    tokio::spawn(reap(child, ended, told, folder, place.path.clone()));
    let served = Served { _end: end };
    let server = Server::Unix { path: socket.to_string_lossy().into_owned() };
    // Its socket is there before it has opened the disk, and goes when it can't.
    tokio::select! {
        connected = nbd::writer(&server, !place.has_base, START_LIMIT) => Ok((connected?, served)),
        words = last_words => Err(refused(place, &words.unwrap_or_default())),
    }
}

/// Waits for the process, which ends with its last client, and tells its last words; kills it if it does not end.
async fn reap(
    mut child: Child,
    ended: oneshot::Receiver<()>,
    told: oneshot::Sender<String>,
    folder: TempDir,
    path: String,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        _ = ended => match tokio::time::timeout(END_LIMIT, child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                tracing::error!(path, "qemu-nbd did not end in time and is killed; the disk has to be checked");
                child.kill().await.ok();
                return;
            }
        },
    };
    let words = fs::read_to_string(folder.path().join(MESSAGES)).unwrap_or_default();
    let words = words.trim();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::debug!(path, %status, words, "qemu-nbd failed"),
        Err(error) => tracing::warn!(path, %error, "qemu-nbd could not be waited for"),
    }
    // Nobody asks once it has been connected to.
    let _ = told.send(words.to_owned());
}

fn refused(place: &VolumeLocator, messages: &str) -> ProviderError {
    let message = format!("{}: {}", place.path, messages.trim());
    let says = |words: &str| messages.contains(words);
    if says("Permission denied") {
        return ProviderError::new(ErrorKind::Unauthorised, PROGRAM, message)
            .advice("Run the mover as root, or as a user that may write the volumes of the storage pool.");
    }
    if says("lock") {
        return conflict(PROGRAM, message).advice("Another program has the disk open. Wait for it to end, or stop it.");
    }
    if says("No such file") {
        return ProviderError::new(ErrorKind::NotFound, PROGRAM, message);
    }
    unavailable(PROGRAM, message)
}

pub fn no_program(program: &'static str, error: &io::Error) -> ProviderError {
    let fault = ProviderError::from_io(program, "it could not be started", error);
    if error.kind() == io::ErrorKind::NotFound {
        return ProviderError { kind: ErrorKind::Invalid, ..fault }
            .advice("Install it where the mover runs (Debian and Ubuntu: apt-get install qemu-utils).");
    }
    fault
}

/// Ends a `qemu-nbd` that serves this disk: that of a mover which died before it had connected, or of a writer
/// which has been replaced or has written its last.
pub async fn end_serving(path: &str) -> Result<()> {
    let wanted = path.to_owned();
    let found = tokio::task::spawn_blocking(move || serving(&wanted))
        .await
        .map_err(|error| unavailable(PROGRAM, error.to_string()))?;
    for pid in found {
        tracing::debug!(path, ?pid, "ending a qemu-nbd that has the disk open");
        if kill_process(pid, Signal::TERM).is_err() {
            continue;
        }
        let deadline = Instant::now() + START_LIMIT;
        while serves(pid.as_raw_nonzero().get(), path) {
            if Instant::now() > deadline {
                return Err(conflict(PROGRAM, format!("a process, {pid:?}, keeps {path} open and does not end")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

fn serving(path: &str) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| serves(*pid, path))
        .filter_map(Pid::from_raw)
        .collect()
}

/// Whether the process is a `qemu-nbd` started by [`serve`] for this disk.
fn serves(pid: i32, path: &str) -> bool {
    let Ok(line) = fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")) else {
        return false;
    };
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).collect();
    let program =
        words.first().is_some_and(|word| word.rsplit(|byte| *byte == b'/').next() == Some(PROGRAM.as_bytes()));
    let ours = words.windows(2).any(|pair| pair[0] == b"--socket" && contains(pair[1], b"/novacron-"));
    program && ours && words.last() == Some(&path.as_bytes())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
