//! The engine on disks in memory: equal bytes whatever the extents, sizes, units, faults and crashes.

#![allow(clippy::unwrap_used, reason = "a test that can't go on ends there")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{Changed, Luck, MemoryReader, MemoryWriter, extents_of, job};
use novacron_provider::{BlockReader, ErrorKind, Extent, StoredCheck};
use novacron_transfer::{
    CopyControl, TransferError,
    content::{CHUNK, content_root_of},
    copy,
};
use novacron_types::VerifyLevel;
use proptest::prelude::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A disk: its size and runs of one byte in it.
fn disk(size: u64, parts: &[(u64, u64, u8)]) -> Vec<u8> {
    let mut bytes = vec![0; size as usize];
    for (at, len, byte) in parts {
        let start = at % size;
        let end = (start + len).min(size);
        for (index, slot) in bytes[start as usize..end as usize].iter_mut().enumerate() {
            *slot = if *byte == 0 { 0 } else { byte.wrapping_add((index / 512) as u8) };
        }
    }
    bytes
}

fn parts() -> impl Strategy<Value = Vec<(u64, u64, u8)>> {
    prop::collection::vec((0u64..3_000_000, 1u64..500_000, prop_oneof![Just(0u8), 1u8..]), 0..8)
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![1u64..2000, 1u64..3_000_000, (1u64..40).prop_map(|chunks| chunks * CHUNK)]
}

fn granularity() -> impl Strategy<Value = u64> {
    prop_oneof![Just(512), Just(4096), Just(65_536), Just(524_288)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn makes_targets_equal(
        size in size(), parts in parts(), old in parts(), zeroed: bool, stored: bool,
        units in (granularity(), granularity()), fails in prop_oneof![Just(0u64), 5u64..40],
    ) {
        let source = disk(size, &parts);
        let before = if zeroed { vec![0; size as usize] } else { disk(size, &old) };
        let mut reader = MemoryReader::new(source.clone(), units.0);
        reader.luck = Luck { fails, ..Luck::default() };
        let check = if stored { StoredCheck::StoreChecksum } else { StoredCheck::ReadBack };
        let mut writer = MemoryWriter::new(before, units.1, check, zeroed);
        writer.luck = Luck { fails, ..Luck::default() };
        let writer = Arc::new(writer);
        let dir = tempfile::tempdir().unwrap();
        let job = job(Arc::new(reader), writer.clone(), &dir.path().join("ledger"), "s1");
        let report = runtime().block_on(copy(job, CopyControl::default())).unwrap();
        prop_assert!(writer.bytes() == source);
        let (root, _) = content_root_of(&source[..]).unwrap();
        prop_assert_eq!(report.source_root, root);
        prop_assert_eq!(report.target_root, Some(root));
        prop_assert_eq!(report.stats.bytes_done, size);
        if fails == 0 {
            // Units of less than a chunk are written in whole chunks.
            prop_assert_eq!(report.written.blocks, writer.blocks_written());
        }
        prop_assert!(writer.state.lock().unwrap().durable == source);
    }

    #[test]
    fn goes_on_after_crashes_and_over_other_snapshots(
        size in size(), snapshots in prop::collection::vec((parts(), 0u64..60, any::<bool>(), any::<bool>()), 1..5),
        unit in granularity(), stored: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("ledger");
        let mut held = vec![0; size as usize];
        let check = if stored { StoredCheck::StoreChecksum } else { StoredCheck::ReadBack };
        let mut source = Vec::new();
        let mut number = 0;
        for (index, (parts, polls, keep, repeat)) in snapshots.iter().enumerate() {
            if index == 0 || !repeat {
                source = disk(size, parts);
                number += 1;
            }
            let writer = Arc::new(MemoryWriter::new(held, unit, check, true));
            let job = job(Arc::new(MemoryReader::new(source.clone(), 512)), writer.clone(), &ledger, &format!("s{number}"));
            runtime().block_on(async {
                let _ = tokio::time::timeout(Duration::from_micros(polls * 100), copy(job, CopyControl::default())).await;
            });
            held = writer.after_crash(*keep);
        }
        let writer = Arc::new(MemoryWriter::new(held, unit, check, true));
        let job = job(Arc::new(MemoryReader::new(source.clone(), 512)), writer.clone(), &ledger, &format!("s{number}"));
        let report = runtime().block_on(copy(job, CopyControl::default())).unwrap();
        prop_assert!(writer.bytes() == source);
        prop_assert_eq!(report.target_root, Some(content_root_of(&source[..]).unwrap().0));
    }

    #[test]
    fn follows_a_list_of_changes(size in size(), first in parts(), second in parts(), unit in granularity(), honest: bool) {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("ledger");
        let old = disk(size, &first);
        let mut new = old.clone();
        let mut changed = Vec::new();
        for (at, len, byte) in &second {
            let start = at % size;
            let end = (start + len).min(size);
            new[start as usize..end as usize].fill(*byte);
            changed.push(Extent { offset: start, len: end - start, zero: *byte == 0 });
        }
        changed.sort_by_key(|extent| extent.offset);
        let mut merged: Vec<Extent> = Vec::new();
        for extent in changed {
            match merged.last_mut() {
                Some(last) if last.end() >= extent.offset => {
                    last.len = last.end().max(extent.end()) - last.offset;
                    last.zero = false;
                }
                _ => merged.push(Extent { zero: false, ..extent }),
            }
        }
        let writer = Arc::new(MemoryWriter::new(vec![0; size as usize], unit, StoredCheck::ReadBack, true));
        let one = job(Arc::new(MemoryReader::new(old, 512)), writer.clone(), &ledger, "s1");
        runtime().block_on(copy(one, CopyControl::default())).unwrap();
        let reader = Arc::new(MemoryReader::new(new.clone(), 512));
        let mut two = job(reader.clone(), writer.clone(), &ledger, "s2");
        let most: u64 = merged.iter().map(|extent| (extent.len / unit.max(CHUNK) + 2) * unit.max(CHUNK)).sum();
        two.changes = Some(Arc::new(Changed(merged)));
        two.sync.base = Some(if honest { "s1".into() } else { "s0".into() });
        let report = runtime().block_on(copy(two, CopyControl::default())).unwrap();
        prop_assert!(writer.bytes() == new);
        prop_assert_eq!(report.used_changed_blocks, honest);
        prop_assert_eq!(report.target_root, Some(content_root_of(&new[..]).unwrap().0));
        if honest {
            prop_assert!(reader.read_bytes.load(std::sync::atomic::Ordering::SeqCst) <= most);
        }
    }
}

#[test]
fn a_second_run_moves_nothing_and_a_third_only_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger");
    let size = 8 << 20;
    let mut source = disk(size, &[(0, size / 2, 9)]);
    let writer = Arc::new(MemoryWriter::new(vec![0; size as usize], 4096, StoredCheck::ReadBack, true));
    for (snapshot, moved, unchanged) in
        [("1", size / 2, 0), ("1", 0, 0), ("2", 0, size / 2), ("3", CHUNK, size / 2 - CHUNK)]
    {
        if snapshot == "3" {
            source[100_000] ^= 1;
        }
        let job = job(Arc::new(MemoryReader::new(source.clone(), 512)), writer.clone(), &ledger, snapshot);
        let report = runtime().block_on(copy(job, CopyControl::default())).unwrap();
        assert_eq!(report.stats.bytes_transferred, moved, "{snapshot}");
        assert_eq!(report.stats.bytes_unchanged, unchanged, "{snapshot}");
        assert!(writer.bytes() == source);
    }
}

#[test]
fn heals_what_was_stored_wrongly_or_fails_loudly() {
    let size = 6 << 20;
    let source = disk(size, &[(0, size, 3)]);
    // An attempt to heal is three calls (write, flush, read), so that of two in a row one is not corrupted.
    for (corrupts, heals) in [(2, true), (1, false)] {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = MemoryWriter::new(vec![0; size as usize], 4096, StoredCheck::ReadBack, true);
        writer.luck = Luck { corrupts, ..Luck::default() };
        let writer = Arc::new(writer);
        let job = job(Arc::new(MemoryReader::new(source.clone(), 512)), writer.clone(), &dir.path().join("l"), "s");
        let result = runtime().block_on(copy(job, CopyControl::default()));
        if heals {
            let report = result.unwrap();
            assert!(report.healed > 0 && writer.bytes() == source);
        } else {
            assert!(matches!(result, Err(TransferError::StoredWrongly { .. })), "{result:?}");
        }
    }
}

#[test]
fn what_is_healed_is_written_as_all_else() {
    let size = 2 << 20;
    let source = disk(size, &[(0, size, 3)]);
    let dir = tempfile::tempdir().unwrap();
    // The source's unit is larger than what the target takes at once.
    let reader = Arc::new(MemoryReader::new(source.clone(), 524_288));
    let mut writer = MemoryWriter::new(vec![0; size as usize], 4096, StoredCheck::ReadBack, true);
    writer.max_write = CHUNK;
    // The second damage is done by the healing itself, to a chunk beside the first one.
    writer.luck = Luck { corrupts: 20, ..Luck::default() };
    let writer = Arc::new(writer);
    let job = job(reader.clone(), writer.clone(), &dir.path().join("l"), "s");
    let control = CopyControl::default();
    let rate = 8 << 20;
    control.rate.set(Some(rate));
    let started = std::time::Instant::now();
    let report = runtime().block_on(copy(job, control)).unwrap();
    let took = started.elapsed().as_secs_f64();
    assert!(report.healed > 0 && writer.bytes() == source);
    let read = reader.read_bytes.load(std::sync::atomic::Ordering::SeqCst);
    assert!(read > size, "nothing was read again");
    // The last piece is not waited for, and the limiter allows a burst.
    let least = (read - size / 4) as f64 / rate as f64 - 0.1;
    assert!(took >= least, "{read} bytes were read in {took} s; the limit allows that in {least} s");
}

/// Gives an image out that somebody writes to once so much of it has been read.
struct WrittenMeanwhile {
    image: Arc<dyn BlockReader>,
    path: std::path::PathBuf,
    left: std::sync::atomic::AtomicI64,
}

#[async_trait::async_trait]
impl BlockReader for WrittenMeanwhile {
    fn size(&self) -> u64 {
        self.image.size()
    }
    fn granularity(&self) -> u64 {
        self.image.granularity()
    }
    async fn extents(&self, from: u64) -> novacron_provider::Result<novacron_provider::ExtentPage> {
        self.image.extents(from).await
    }
    async fn read(
        &self,
        offset: u64,
        buf: novacron_provider::Buf,
    ) -> novacron_provider::Result<novacron_provider::Buf> {
        let buf = self.image.read(offset, buf).await?;
        let len = buf.len() as i64;
        let left = self.left.fetch_sub(len, std::sync::atomic::Ordering::SeqCst);
        if left > 0 && left <= len {
            let bytes = vec![0xee; self.image.size() as usize];
            std::fs::write(&self.path, bytes).unwrap();
        }
        Ok(buf)
    }
}

#[test]
fn an_image_that_is_written_during_its_transfer_is_noticed_when_it_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.raw");
    let size = 6u64 << 20;
    std::fs::write(&path, disk(size, &[(0, size, 3)])).unwrap();
    let open = || {
        let file = std::fs::File::open(&path).unwrap();
        novacron_transfer::format::open_reader(file, "a.raw", novacron_transfer::format::ImageFormat::Raw).unwrap()
    };
    let mut writer = MemoryWriter::new(vec![0; size as usize], 4096, StoredCheck::ReadBack, true);
    writer.luck = Luck { corrupts: 3, ..Luck::default() };
    let writer = Arc::new(writer);
    let like = Arc::new(MemoryReader::new(vec![0; size as usize], 512));
    let mut job = job(like, writer, &dir.path().join("l"), "s");
    let left = std::sync::atomic::AtomicI64::new(size as i64);
    job.reader = Arc::new(WrittenMeanwhile { image: open(), path: path.clone(), left });
    let result = runtime().block_on(copy(job, CopyControl::default()));
    assert!(matches!(result, Err(TransferError::SourceChanges { .. })), "{result:?}");
}

#[test]
fn a_target_has_a_root_only_if_somebody_has_looked() {
    let source = disk(1 << 20, &[(0, 1 << 20, 3)]);
    let root = content_root_of(&source[..]).unwrap().0;
    let dir = tempfile::tempdir().unwrap();
    let run = |asked, check, ledger: &str, snapshot: &str| {
        let writer = Arc::new(MemoryWriter::new(vec![0; 1 << 20], 4096, check, true));
        let reader = Arc::new(MemoryReader::new(source.clone(), 512));
        let mut job = job(reader, writer.clone(), &dir.path().join(ledger), snapshot);
        if ledger == "twice" && snapshot == "2" {
            job.writer = Arc::new(MemoryWriter::new(source.clone(), 4096, check, true));
        }
        job.options.verify = asked;
        let report = runtime().block_on(copy(job, CopyControl::default())).unwrap();
        assert_eq!(report.source_root, root);
        report
    };
    let (read_back, by_store) = (StoredCheck::ReadBack, StoredCheck::StoreChecksum);
    let report = run(VerifyLevel::Transit, read_back, "a", "1");
    assert_eq!((report.target_root, report.verified, report.stats.bytes_verified), (None, VerifyLevel::Transit, 0));
    assert!(report.method.contains("not read again"));
    for (asked, check, ledger) in [
        (VerifyLevel::Stored, read_back, "b"),
        (VerifyLevel::Stored, by_store, "c"),
        // The store checks whether it was asked to or not.
        (VerifyLevel::Transit, by_store, "d"),
    ] {
        let report = run(asked, check, ledger, "1");
        assert_eq!((report.target_root, report.verified), (Some(root), VerifyLevel::Stored), "{ledger}");
    }
    // What an earlier sync left unchecked is checked by the next one that is asked to.
    assert_eq!(run(VerifyLevel::Transit, read_back, "twice", "1").target_root, None);
    let report = run(VerifyLevel::Stored, read_back, "twice", "2");
    assert_eq!((report.target_root, report.stats.bytes_verified), (Some(root), 1 << 20));
}

#[test]
fn gives_up_on_what_can_not_pass_and_keeps_what_it_moved() {
    let dir = tempfile::tempdir().unwrap();
    let size = 6 << 20;
    let source = disk(size, &[(0, size, 3)]);
    struct Fails(MemoryReader);
    #[async_trait::async_trait]
    impl BlockReader for Fails {
        fn size(&self) -> u64 {
            self.0.size()
        }
        fn granularity(&self) -> u64 {
            512
        }
        async fn extents(&self, from: u64) -> novacron_provider::Result<novacron_provider::ExtentPage> {
            self.0.extents(from).await
        }
        async fn read(
            &self,
            offset: u64,
            buf: novacron_provider::Buf,
        ) -> novacron_provider::Result<novacron_provider::Buf> {
            if offset >= 4 << 20 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                return Err(novacron_provider::ProviderError::new(ErrorKind::NotFound, "read", "the snapshot is gone"));
            }
            self.0.read(offset, buf).await
        }
    }
    let writer = Arc::new(MemoryWriter::new(vec![0; size as usize], 4096, StoredCheck::ReadBack, true));
    let ledger = dir.path().join("l");
    let good = Arc::new(MemoryReader::new(source.clone(), 512));
    let mut bad = job(good.clone(), writer.clone(), &ledger, "s");
    bad.reader = Arc::new(Fails(MemoryReader::new(source.clone(), 512)));
    let error = runtime().block_on(copy(bad, CopyControl::default())).unwrap_err();
    assert!(matches!(error, TransferError::Provider(error) if error.kind == ErrorKind::NotFound));
    let report = runtime().block_on(copy(job(good, writer.clone(), &ledger, "s"), CopyControl::default())).unwrap();
    assert!(report.stats.bytes_resumed >= 3 << 20, "{:?}", report.stats);
    assert!(writer.bytes() == source);
}

#[test]
fn a_damaged_ledger_is_begun_anew_and_another_s_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger");
    let size = 3 << 20;
    let first = disk(size, &[(0, size, 3)]);
    let second = disk(size, &[(0, size / 2, 4)]);
    let writer = Arc::new(MemoryWriter::new(vec![0; size as usize], 4096, StoredCheck::ReadBack, true));
    let run = |source: &Vec<u8>, snapshot: &str| {
        let job = job(Arc::new(MemoryReader::new(source.clone(), 512)), writer.clone(), &ledger, snapshot);
        runtime().block_on(copy(job, CopyControl::default()))
    };
    run(&first, "1").unwrap();
    let whole = std::fs::read(&ledger).unwrap();
    let flip = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    for (name, bytes) in
        [("head", flip(20)), ("page", flip(5000)), ("short", whole[..6000].to_vec()), ("junk", vec![7; 99])]
    {
        std::fs::write(&ledger, bytes).unwrap();
        let report = run(&second, "2").unwrap();
        assert!(writer.bytes() == second, "{name}");
        assert_eq!(report.stats.bytes_transferred, size / 2, "{name}");
        std::fs::remove_file(&ledger).unwrap();
        let fresh = Arc::new(MemoryWriter::new(vec![0; size as usize], 4096, StoredCheck::ReadBack, true));
        let again = job(Arc::new(MemoryReader::new(first.clone(), 512)), fresh.clone(), &ledger, "1");
        runtime().block_on(copy(again, CopyControl::default())).unwrap();
        writer.state.lock().unwrap().bytes = fresh.bytes();
    }
    let mut other = job(Arc::new(MemoryReader::new(first.clone(), 512)), writer.clone(), &ledger, "1");
    other.identity.target = "c".into();
    let error = runtime().block_on(copy(other, CopyControl::default())).unwrap_err();
    assert!(error.to_string().contains("belongs to another transfer"), "{error}");
}

#[test]
fn memory_stays_within_the_budget() {
    let dir = tempfile::tempdir().unwrap();
    let size = 8 << 20;
    let source = disk(size, &[(0, size, 3)]);
    let writer = Arc::new(MemoryWriter::new(vec![0; size as usize], 4096, StoredCheck::ReadBack, true));
    let budget = Arc::new(novacron_transfer::Budget::new(2 << 20));
    let jobs = (0..3).map(|number| {
        let mut job = job(
            Arc::new(MemoryReader::new(source.clone(), 512)),
            writer.clone(),
            &dir.path().join(format!("l{number}")),
            "s",
        );
        job.options.workers = 16;
        copy(job, CopyControl::new(budget.clone()))
    });
    let results = runtime().block_on(futures::future::join_all(jobs));
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(writer.bytes() == source);
}

#[test]
fn other_extents_than_the_data_s_are_fine() {
    let dir = tempfile::tempdir().unwrap();
    let source = disk(1_000_000, &[(70_000, 10, 3)]);
    let mut reader = MemoryReader::new(source.clone(), 512);
    reader.extents = vec![
        Extent { offset: 1, len: 69_000, zero: false },
        Extent { offset: 69_001, len: 3_000, zero: false },
        Extent { offset: 900_000, len: u64::MAX - 900_000, zero: true },
    ];
    assert_eq!(extents_of(&source).len(), 1);
    let writer = Arc::new(MemoryWriter::new(vec![1; 1_000_000], 4096, StoredCheck::ReadBack, false));
    let job = job(Arc::new(reader), writer.clone(), &dir.path().join("l"), "s");
    runtime().block_on(copy(job, CopyControl::default())).unwrap();
    assert!(writer.bytes() == source);
}
