//! A whole qcow2 image that may lie: it is refused, or tells where its data is in order and within its size, and reads.
#![no_main]

use std::{io::Write, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use novacron_provider::{BlockReader, Buf};
use novacron_transfer::format::{self, ImageFormat};
use tokio::runtime::{Builder, Runtime};

/// Enough for an image with clusters of 512 bytes and some data; more only slows the search down.
const MOST: usize = 256 * 1024;
/// Pages of extents that are looked at: a disk's size is not bounded by its image's.
const PAGES: usize = 3;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

fuzz_target!(|data: &[u8]| {
    if data.len() > MOST {
        return;
    }
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(data).expect("room");
    let probed = format::probe(&file).expect("its first bytes");
    let size = format::disk_size(&file, "image", ImageFormat::Qcow2);
    let Ok(reader) = format::open_reader(file, "image", ImageFormat::Qcow2) else { return };
    assert_eq!(probed, Some("qcow2"));
    assert_eq!(size.expect("it was opened"), reader.size());
    RUNTIME.block_on(look(reader.as_ref()));
});

async fn look(reader: &dyn BlockReader) {
    let size = reader.size();
    let (mut from, mut at) = (0, 0);
    for _ in 0..PAGES {
        let Ok(page) = reader.extents(from).await else { return };
        for (index, extent) in page.extents.iter().enumerate() {
            assert!(extent.offset >= at && extent.len > 0 && extent.end() <= size, "{extent:?} of {size} after {at}");
            at = extent.end();
            if index < 4 {
                let len = extent.len.min(64 * 1024) as usize;
                if let Ok(buf) = reader.read(extent.offset, Buf::zeroed(len)).await {
                    assert_eq!(buf.len(), len);
                }
            }
        }
        let Some(next) = page.next else { break };
        assert!(next > from && next >= at && next < size, "it goes on");
        from = next;
    }
    assert!(reader.read(size, Buf::zeroed(512)).await.is_err(), "nothing is read beyond the end");
}
