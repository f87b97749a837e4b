//! Disks out: snapshots, what they hold, and what changed between two.

use novacron_provider::{Buf, ErrorKind, SnapshotRequest};

use super::{Group, check};
use crate::{Trouble, bytes, context::Context, ensure};

type Result = std::result::Result<(), Trouble>;

pub const CHECKS: Group = || {
    vec![
        check!(a_snapshot_is_repeatable, DiskSource),
        check!(a_snapshot_holds_the_bytes, DiskSource),
        check!(a_snapshot_is_read_anywhere, DiskSource),
        check!(a_snapshot_does_not_change, DiskSource),
        check!(a_snapshot_of_nothing_is_not_found, DiskSource),
        check!(deleting_a_snapshot_is_repeatable, DiskSource),
        check!(changed_blocks_cover_the_changes, DiskSource, ChangedBlocks),
        check!(a_deleted_base_is_a_conflict, DiskSource, ChangedBlocks),
    ]
};

async fn a_snapshot_is_repeatable(context: &Context<'_>) -> Result {
    let id = context.seed("source", &[&[1; 512], &[2; 512]]).await?;
    let tag = context.tag()?;
    let request = |sequence| SnapshotRequest { tag: tag.clone(), instance: id.clone(), sequence };
    let source = context.source()?;
    let first = source.snapshot(&request(0)).await?;
    let again = source.snapshot(&request(0)).await?;
    let next = source.snapshot(&request(1)).await?;
    ensure!(first == again, "one tag and sequence gave {first:?} and {again:?}");
    ensure!(first.len() == 2 && next.len() == 2, "two disks gave {first:?} and {next:?}");
    ensure!(first[0].boot && !first[1].boot, "the boot disk comes first: {first:?}");
    ensure!(
        first.iter().all(|disk| next.iter().all(|n| n.snapshot_id != disk.snapshot_id)),
        "sequences share a snapshot"
    );
    ensure!(first[0].disk_id == next[0].disk_id, "the same disk has two names");
    Ok(())
}

async fn a_snapshot_holds_the_bytes(context: &Context<'_>) -> Result {
    let (boot, data) = (bytes::content(1, 3_000_000), bytes::content(2, 1_048_576));
    let id = context.seed("source", &[&boot, &data]).await?;
    let disks = context.snapshot(&context.tag()?, &id, 0).await?;
    ensure!(disks.len() == 2, "two disks gave {} snapshots", disks.len());
    for (disk, wanted) in disks.iter().zip([&boot, &data]) {
        let reader = context.source()?.open_reader(disk).await?;
        ensure!(reader.size() == disk.size_bytes, "sizes differ: {} and {}", reader.size(), disk.size_bytes);
        bytes::expect(&*reader, wanted).await?;
    }
    Ok(())
}

async fn a_snapshot_is_read_anywhere(context: &Context<'_>) -> Result {
    let content = bytes::content(3, 2_500_000);
    let id = context.seed("source", &[&content]).await?;
    let disks = context.snapshot(&context.tag()?, &id, 0).await?;
    let reader = context.source()?.open_reader(&disks[0]).await?;
    for (offset, len) in [(0, 1), (1, 4097), (524_287, 2), (500_000, 1_100_000), (2_499_999, 1)] {
        let found = bytes::read(&*reader, offset, len).await?;
        let start = offset as usize;
        ensure!(found[..] == content[start..start + len], "{len} bytes at {offset} are wrong");
    }
    for (offset, len) in [(reader.size(), 1), (reader.size() - 1, 2), (u64::MAX, 1)] {
        let answer = reader.read(offset, Buf::zeroed(len)).await.map(drop);
        let refused = matches!(&answer, Err(error) if error.kind == ErrorKind::Invalid || error.kind.is_transient());
        ensure!(refused, "{len} bytes at {offset}, beyond the end: {answer:?}");
    }
    Ok(())
}

async fn a_snapshot_does_not_change(context: &Context<'_>) -> Result {
    let content = bytes::content(4, 1_200_000);
    let id = context.seed("source", &[&content]).await?;
    let disks = context.snapshot(&context.tag()?, &id, 0).await?;
    context.harness.write(&disks[0].disk_id, 1000, &[0xee; 10_000]).await?;
    let reader = context.source()?.open_reader(&disks[0]).await?;
    bytes::expect(&*reader, &content).await
}

async fn a_snapshot_of_nothing_is_not_found(context: &Context<'_>) -> Result {
    let (instance, _) = context.harness.absent();
    let answer = context.source()?.snapshot(&SnapshotRequest { tag: context.tag()?, instance, sequence: 0 }).await;
    ensure!(matches!(&answer, Err(error) if error.is_not_found()), "it answered {answer:?}");
    Ok(())
}

async fn deleting_a_snapshot_is_repeatable(context: &Context<'_>) -> Result {
    let id = context.seed("source", &[&[1; 512]]).await?;
    let disks = context.snapshot(&context.tag()?, &id, 0).await?;
    let source = context.source()?;
    source.delete_snapshot(&disks[0]).await?;
    source.delete_snapshot(&disks[0]).await?;
    let answer = source.snapshot_ready(&disks[0]).await;
    ensure!(matches!(&answer, Err(error) if error.is_not_found()), "a deleted snapshot is {answer:?}");
    Ok(())
}

async fn changed_blocks_cover_the_changes(context: &Context<'_>) -> Result {
    let content = bytes::content(5, 6_000_000);
    let id = context.seed("source", &[&content]).await?;
    let tag = context.tag()?;
    let base = context.snapshot(&tag, &id, 0).await?;
    let writes = [(0u64, 1usize), (1_048_570, 20), (2_900_000, 600_000), (5_999_999, 1)];
    for (offset, len) in writes {
        context.harness.write(&base[0].disk_id, offset, &vec![0xee; len]).await?;
    }
    let target = context.snapshot(&tag, &id, 1).await?;
    let changes = context.provider.changed_blocks().ok_or("the changed blocks are gone")?;
    let extents = bytes::changed(changes, &base[0], &target[0]).await?;
    for (offset, len) in writes {
        for at in offset..offset + len as u64 {
            let same = content[at as usize] == 0xee;
            let covered = extents.iter().any(|extent| extent.offset <= at && at < extent.end());
            ensure!(same || covered, "the change at {at} is in no extent of {extents:?}");
        }
    }
    let total: u64 = extents.iter().map(|extent| extent.len).sum();
    ensure!(total < target[0].size_bytes, "it calls everything changed: {extents:?}");
    let none = bytes::changed(changes, &target[0], &target[0]).await;
    ensure!(none.as_ref().map_or(true, Vec::is_empty), "between a snapshot and itself: {none:?}");
    Ok(())
}

async fn a_deleted_base_is_a_conflict(context: &Context<'_>) -> Result {
    let id = context.seed("source", &[&[1; 4096]]).await?;
    let tag = context.tag()?;
    let base = context.snapshot(&tag, &id, 0).await?;
    let target = context.snapshot(&tag, &id, 1).await?;
    context.source()?.delete_snapshot(&base[0]).await?;
    let changes = context.provider.changed_blocks().ok_or("the changed blocks are gone")?;
    let answer = changes.changed(&base[0], &target[0], 0).await;
    ensure!(matches!(&answer, Err(error) if error.kind == ErrorKind::Conflict), "it answered {answer:?}");
    Ok(())
}
