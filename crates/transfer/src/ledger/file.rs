//! The ledger's file.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};

use rustix::{fs::SeekFrom, io::Errno};

use super::{
    ChunkState, LedgerIdentity, SyncIdentity,
    header::{BLOCK, Header},
    page::{Decoded, PER_PAGE, Page},
};
use crate::content::{ContentRoot, Digest, RootBuilder, chunk_count};

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("the ledger {} belongs to another transfer: {what}", path.display())]
    Another { path: PathBuf, what: String },
    #[error("another transfer is using the ledger {}", path.display())]
    InUse { path: PathBuf },
    #[error("the ledger {} is damaged in its page {page}", path.display())]
    Damaged { path: PathBuf, page: u64 },
    #[error("the ledger {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// How a ledger was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// There was none.
    New,
    /// The same sync goes on.
    Resumed,
    /// Another snapshot is synced; what the target holds is known.
    Next,
    /// It could not be used and was begun anew; nothing is assumed about the target.
    Restarted { why: String },
}

/// One chunk that has been settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub chunk: u64,
    pub digest: Digest,
    /// It was written just now, in this sync.
    pub wrote: bool,
    /// What was stored is known to have this digest.
    pub verified: bool,
}

/// An open ledger. It is locked, so that no two transfers use it. Its calls block.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    header: Mutex<Header>,
    /// It had no pages when it was opened.
    blank: bool,
}

impl Ledger {
    /// Opens the ledger of a pair of disks for one sync, or begins one. `new_target` says that the target was made for
    /// this transfer and reads as zeros wherever it has not been written; it is believed only where there is no ledger.
    pub fn open(
        path: &Path,
        identity: &LedgerIdentity,
        sync: &SyncIdentity,
        new_target: bool,
    ) -> Result<(Self, Opened), LedgerError> {
        let fail = |source| LedgerError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        let len = file.metadata().map_err(fail)?.len();
        let mut block = vec![0; (len.min(BLOCK as u64)) as usize];
        file.read_exact_at(&mut block, 0).map_err(fail)?;
        let snapshot = sync.snapshot.clone();
        let pages = chunk_count(identity.size_bytes).div_ceil(PER_PAGE);
        let whole = (pages + 1) * BLOCK as u64;
        let found = Header::decode(&block).and_then(|found| {
            let intact = found.identity != *identity || len == whole;
            if intact { Ok(found) } else { Err(format!("it has {len} bytes instead of {whole}")) }
        });
        let (header, opened) = match found {
            Ok(found) if found.identity != *identity => {
                let what = format!(
                    "it is for {} ({} bytes) to {}",
                    found.identity.source, found.identity.size_bytes, found.identity.target
                );
                return Err(LedgerError::Another { path: path.to_owned(), what });
            }
            Ok(found) if found.snapshot == snapshot => (found, Opened::Resumed),
            Ok(mut found) => {
                found.advance(snapshot);
                (found, Opened::Next)
            }
            Err(_) if len == 0 => (Header::new(identity.clone(), snapshot, new_target), Opened::New),
            Err(why) => (Header::new(identity.clone(), snapshot, false), Opened::Restarted { why }),
        };
        let mut ledger = Self { path: path.to_owned(), file, header: Mutex::new(header), blank: true };
        let opened = match opened {
            Opened::Resumed | Opened::Next => match ledger.scan(|_, _| ()) {
                Ok(()) => opened,
                Err(error @ LedgerError::Damaged { .. }) => {
                    *ledger.header() = Header::new(identity.clone(), sync.snapshot.clone(), false);
                    Opened::Restarted { why: error.to_string() }
                }
                Err(error) => return Err(error),
            },
            other => other,
        };
        if !matches!(opened, Opened::Resumed | Opened::Next) {
            ledger.file.set_len(0).map_err(fail)?;
            ledger.file.set_len(whole).map_err(fail)?;
        }
        ledger.store_header()?;
        ledger.blank = ledger.next_page(0)?.is_none();
        Ok((ledger, opened))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Nothing was recorded before it was opened, so that looking something up is pointless.
    pub fn is_blank(&self) -> bool {
        self.blank
    }

    /// A chunk of which nothing is recorded reads as zeros at the target.
    pub fn absent_is_zero(&self) -> bool {
        let header = self.header();
        header.fresh && header.trusted_epoch.is_none()
    }

    /// The snapshot that the target held when this sync began, if that is known.
    pub fn base(&self) -> Option<String> {
        self.header().base.clone()
    }

    /// What is known of `count` chunks from `first` on.
    pub fn lookup(&self, first: u64, count: u64) -> Result<Vec<ChunkState>, LedgerError> {
        let mut states = Vec::with_capacity(count as usize);
        let header = self.header();
        let mut chunk = first;
        while chunk < first + count {
            let number = chunk / PER_PAGE;
            let end = ((number + 1) * PER_PAGE).min(first + count);
            let page = self.read_page(&header, number)?;
            states.extend((chunk..end).map(|chunk| {
                let slot = (chunk % PER_PAGE) as usize;
                page.as_ref().map_or_else(ChunkState::default, |page| page.state(&header, slot))
            }));
            chunk = end;
        }
        Ok(states)
    }

    /// Records chunks, which a flush of the target has covered. They are taken in the order given.
    pub fn record(&self, entries: &mut [Entry]) -> Result<(), LedgerError> {
        entries.sort_by_key(|entry| entry.chunk);
        let header = self.header();
        for group in entries.chunk_by(|a, b| a.chunk / PER_PAGE == b.chunk / PER_PAGE) {
            let number = group[0].chunk / PER_PAGE;
            let mut page = self.read_page(&header, number)?.unwrap_or_else(|| Page::empty(header.epoch));
            page.renew(&header);
            for entry in group {
                let slot = (entry.chunk % PER_PAGE) as usize;
                let before = page.state(&header, slot);
                let state = ChunkState {
                    digest: Some(entry.digest),
                    done: true,
                    verified: entry.verified || before.verified && !entry.wrote,
                    written: before.written || entry.wrote,
                };
                page.put(slot, state);
            }
            let at = (number + 1) * BLOCK as u64;
            self.file.write_all_at(page.encode(&header, number), at).map_err(|error| self.io(error))?;
        }
        Ok(())
    }

    /// The sync has ended well: every chunk that is not recorded reads as zeros at the target.
    pub fn finish(&self) -> Result<(), LedgerError> {
        // What the header says of the pages must not be there before them. The header itself may be lost: then the sync
        // is merely looked through again.
        self.file.sync_data().map_err(|error| self.io(error))?;
        self.write_header(Header::finish)
    }

    /// Calls `visit` for every chunk of which something is recorded, in order.
    pub fn scan(&self, mut visit: impl FnMut(u64, ChunkState)) -> Result<(), LedgerError> {
        let header = self.header().clone();
        let chunks = chunk_count(header.identity.size_bytes);
        let mut from = 0;
        while let Some(number) = self.next_page(from)? {
            if let Some(page) = self.read_page(&header, number)? {
                let first = number * PER_PAGE;
                for chunk in first..(first + PER_PAGE).min(chunks) {
                    visit(chunk, page.state(&header, (chunk - first) as usize));
                }
            }
            from = number + 1;
        }
        Ok(())
    }

    /// The root of what is recorded; the rest counts as zeros.
    pub fn root(&self) -> Result<ContentRoot, LedgerError> {
        Ok(self.roots()?.0)
    }

    /// The same, if all that was written has been checked since; absent if one chunk has not.
    pub fn checked_root(&self) -> Result<Option<ContentRoot>, LedgerError> {
        let (root, checked) = self.roots()?;
        Ok(checked.then_some(root))
    }

    fn roots(&self) -> Result<(ContentRoot, bool), LedgerError> {
        let mut builder = RootBuilder::new();
        let mut checked = true;
        self.scan(|chunk, state| {
            if let Some(digest) = state.digest {
                builder.push_zeros(chunk - builder.chunks());
                builder.push(digest);
                checked &= state.verified || !state.written;
            }
        })?;
        Ok((builder.finish(self.header().identity.size_bytes), checked))
    }

    fn header(&self) -> MutexGuard<'_, Header> {
        self.header.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Writes the header so that it survives a loss of power.
    fn store_header(&self) -> Result<(), LedgerError> {
        self.write_header(|_| ())?;
        self.file.sync_data().map_err(|error| self.io(error))
    }

    fn write_header(&self, change: impl FnOnce(&mut Header)) -> Result<(), LedgerError> {
        let mut header = self.header();
        change(&mut header);
        let block = header.encode().map_err(|why| self.io(io::Error::new(io::ErrorKind::InvalidInput, why)))?;
        self.file.write_all_at(&block, 0).map_err(|error| self.io(error))
    }

    /// The first page from `from` on that may hold something.
    fn next_page(&self, from: u64) -> Result<Option<u64>, LedgerError> {
        let start = (from + 1) * BLOCK as u64;
        let end = self.file.metadata().map_err(|error| self.io(error))?.len();
        if start >= end {
            return Ok(None);
        }
        match rustix::fs::seek(&self.file, SeekFrom::Data(start)) {
            Ok(at) => Ok(Some(at / BLOCK as u64 - 1)),
            Err(Errno::NXIO) => Ok(None),
            Err(Errno::INVAL) => Ok(Some(from)),
            Err(error) => Err(self.io(error.into())),
        }
    }

    fn read_page(&self, header: &Header, number: u64) -> Result<Option<Page>, LedgerError> {
        let mut bytes = vec![0; BLOCK];
        self.file.read_exact_at(&mut bytes, (number + 1) * BLOCK as u64).map_err(|error| self.io(error))?;
        match Page::decode(header, number, bytes) {
            Decoded::Page(page) => Ok(Some(page)),
            Decoded::Empty => Ok(None),
            Decoded::Torn => Err(LedgerError::Damaged { path: self.path.clone(), page: number }),
        }
    }

    fn io(&self, source: io::Error) -> LedgerError {
        LedgerError::Io { path: self.path.clone(), source }
    }
}
