//! A whole talk with an NBD server that says whatever it likes, and then hangs up: the client ends, with an error or
//! with answers that keep to what was asked.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use libfuzzer_sys::fuzz_target;
use novacron_provider::{BlockReader, Buf, ExtentPage};
use novacron_transfer::nbd::{NbdAddress, NbdOptions, NbdReader};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    runtime::{Builder, Runtime},
};

const BITMAP: &str = "qemu:dirty-bitmap:b";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

fuzz_target!(|data: &[u8]| {
    // What fits into a socket's buffer, so that the server never waits for the client.
    if data.len() > 64 * 1024 {
        return;
    }
    let socket = FOLDER.path().join("s");
    let _ = std::fs::remove_file(&socket);
    RUNTIME.block_on(async {
        let listener = UnixListener::bind(&socket).expect("a socket");
        let data = data.to_vec();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, data.clone()));
            }
        });
        let talk = talk(NbdAddress::unix(&socket, "disk"));
        tokio::time::timeout(Duration::from_secs(8), talk).await.expect("the client ends when the server has hung up");
        server.abort();
    });
});

async fn serve(mut stream: UnixStream, data: Vec<u8>) {
    let _ = stream.write_all(&data).await;
    let _ = stream.shutdown().await;
    let _ = tokio::io::copy(&mut stream.take(1 << 20), &mut tokio::io::sink()).await;
}

async fn talk(address: NbdAddress) {
    let options = NbdOptions { connections: 2, bitmap: Some(BITMAP.into()) };
    let Ok(reader) = NbdReader::connect(address, options).await else { return };
    let size = reader.size();
    assert!(size <= i64::MAX as u64);
    assert!(reader.granularity().is_power_of_two() && reader.granularity() >= 512);
    if let Ok(page) = reader.extents(0).await {
        check(&page, size);
    }
    if let Ok(page) = reader.dirty(0).await {
        check(&page, size);
    }
    let len = size.min(4096);
    if let Ok(buf) = reader.read(0, Buf::zeroed(len as usize)).await {
        assert_eq!(buf.len() as u64, len);
    }
    assert!(reader.read(size, Buf::zeroed(512)).await.is_err(), "nothing is read beyond the end");
}

fn check(page: &ExtentPage, size: u64) {
    let mut at = 0;
    for extent in &page.extents {
        assert!(extent.offset >= at && extent.len > 0 && extent.end() <= size, "{extent:?} of {size} after {at}");
        at = extent.end();
    }
    assert!(page.next.is_none_or(|next| next >= at && next > 0 && next < size));
}
