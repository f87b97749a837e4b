//! Disk bytes: blocks of 512 KiB in files that are named by their own SHA-256, and maps from block index to
//! block. Equal blocks are stored once, zero blocks never, and a block goes away with its last reference.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use aws_lc_rs::digest;

use crate::sigv4::hex;

/// The block of EBS direct, in bytes.
pub const BLOCK: usize = 512 * 1024;

/// Blocks of a GiB.
pub(crate) const BLOCKS_PER_GIB: u64 = (1 << 30) / BLOCK as u64;

pub(crate) type Digest = [u8; 32];

/// Which block holds the data at which index; an absent index reads as zeros.
pub(crate) type BlockMap = BTreeMap<u32, Arc<Block>>;

/// A stored block that is not all zeros.
#[derive(Debug)]
pub(crate) struct Block {
    digest: Digest,
    store: Weak<BlockStore>,
}

impl Block {
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let Some(store) = self.store.upgrade() else { return };
        let mut index = store.index();
        // Another writer may have stored the same content again since our last reference went.
        let ours = index.get(&self.digest).is_some_and(|w| std::ptr::eq(w.as_ptr(), self));
        if ours {
            index.remove(&self.digest);
            if let Err(cause) = fs::remove_file(store.path(&self.digest)) {
                tracing::warn!(%cause, "a block's file could not be removed");
            }
        }
    }
}

/// The folder of blocks. Its methods do blocking I/O.
#[derive(Debug)]
pub(crate) struct BlockStore {
    root: PathBuf,
    index: Mutex<HashMap<Digest, Weak<Block>>>,
    zeros: Digest,
    writes: AtomicU64,
}

impl BlockStore {
    /// Uses `root`, which is to be empty.
    pub fn create(root: &Path) -> io::Result<Arc<Self>> {
        let root = root.to_owned();
        let zeros = sha256(&vec![0u8; BLOCK]);
        Ok(Arc::new(Self { root, index: Mutex::default(), zeros, writes: AtomicU64::new(0) }))
    }

    /// Stores `data` ([`BLOCK`] bytes with the SHA-256 `digest`); `None` stands for a block of zeros.
    pub fn put(self: &Arc<Self>, data: &[u8], digest: Digest) -> io::Result<Option<Arc<Block>>> {
        if data.len() != BLOCK {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a block has 524288 bytes"));
        }
        if digest == self.zeros {
            return Ok(None);
        }
        if let Some(block) = self.index().get(&digest).and_then(Weak::upgrade) {
            return Ok(Some(block));
        }
        let draft = self.root.join(format!("draft-{}", self.writes.fetch_add(1, Ordering::Relaxed)));
        if let Err(cause) = fs::write(&draft, data) {
            let _ = fs::remove_file(&draft);
            return Err(cause);
        }
        let mut index = self.index();
        if let Some(block) = index.get(&digest).and_then(Weak::upgrade) {
            drop(index);
            fs::remove_file(&draft)?;
            return Ok(Some(block));
        }
        fs::rename(&draft, self.path(&digest))?;
        let block = Arc::new(Block { digest, store: Arc::downgrade(self) });
        index.insert(digest, Arc::downgrade(&block));
        Ok(Some(block))
    }

    /// Stores whatever [`BLOCK`] bytes `data` holds.
    pub fn store(self: &Arc<Self>, data: &[u8]) -> io::Result<Option<Arc<Block>>> {
        if is_zero(data) { Ok(None) } else { self.put(data, sha256(data)) }
    }

    pub fn read(&self, block: &Block) -> io::Result<Vec<u8>> {
        let data = fs::read(self.path(&block.digest))?;
        if data.len() == BLOCK { Ok(data) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// How many different blocks are stored.
    pub fn len(&self) -> usize {
        self.index().len()
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join(hex(digest))
    }

    fn index(&self) -> MutexGuard<'_, HashMap<Digest, Weak<Block>>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn sha256(data: &[u8]) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// Whether all bytes are zero, of at most [`BLOCK`] bytes.
pub(crate) fn is_zero(data: &[u8]) -> bool {
    static ZEROS: [u8; BLOCK] = [0; BLOCK];
    // One comparison of memory is fast in builds without optimisation too.
    ZEROS.get(..data.len()).is_some_and(|zeros| zeros == data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Arc<BlockStore>) {
        let dir = tempfile::tempdir().unwrap();
        let store = BlockStore::create(dir.path()).unwrap();
        (dir, store)
    }

    fn files(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).map(|p| if p.is_dir() { files(&p) } else { 1 }).sum()
    }

    #[test]
    fn equal_blocks_share_one_file_and_the_last_reference_removes_it() {
        let (dir, store) = store();
        let data = vec![7; BLOCK];
        let a = store.store(&data).unwrap().unwrap();
        let b = store.put(&data, sha256(&data)).unwrap().unwrap();
        assert!(Arc::ptr_eq(&a, &b));
        assert_eq!((store.len(), files(dir.path())), (1, 1));
        assert_eq!(store.read(&a).unwrap(), data);
        drop(a);
        assert_eq!(files(dir.path()), 1);
        drop(b);
        assert_eq!((store.len(), files(dir.path())), (0, 0));
        assert!(store.store(&data).unwrap().is_some());
    }

    #[test]
    fn zeros_are_stored_nowhere_and_odd_sizes_are_refused() {
        let (dir, store) = store();
        let zeros = vec![0; BLOCK];
        assert!(store.store(&zeros).unwrap().is_none());
        assert!(store.put(&zeros, sha256(&zeros)).unwrap().is_none());
        assert!(store.put(&[1, 2], sha256(&[1, 2])).is_err());
        assert_eq!(files(dir.path()), 0);
        assert!(is_zero(&[0; 100]) && !is_zero(&[0, 0, 1]));
    }

    #[test]
    fn writers_of_the_same_content_do_not_lose_it() {
        let (_dir, store) = store();
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    let data = vec![9; BLOCK];
                    for _ in 0..50 {
                        let block = store.store(&data).unwrap().unwrap();
                        assert_eq!(store.read(&block).unwrap().len(), BLOCK);
                    }
                });
            }
        });
        assert_eq!(store.len(), 0);
    }
}
