//! Disks in: made empty, written, sealed, and machines made from them.

use novacron_provider::{
    Boot, Buf, CreateRequest, ErrorKind, NewDisk, OperationTag, TargetDisk, Written, wait_for_disk,
};
use novacron_types::{DiskSpec, InstanceState};

use super::{Group, check};
use crate::{Trouble, bytes, context::Context, ensure};

type Result<T = ()> = std::result::Result<T, Trouble>;

pub const CHECKS: Group = || {
    vec![
        check!(making_a_disk_is_repeatable, DiskSink),
        check!(written_disks_become_a_machine, DiskSink, DiskSource),
        check!(what_is_written_twice_holds_the_last, DiskSink, DiskSource),
        check!(an_empty_disk_reads_zero, DiskSink, DiskSource),
        check!(a_disk_begins_as_its_base, DiskSink, DiskSource),
        check!(writes_keep_to_the_grain, DiskSink),
        check!(completing_and_deleting_are_repeatable, DiskSink),
    ]
};

fn new_disk(tag: &OperationTag, index: u32, size_bytes: u64) -> NewDisk {
    let name = format!("suite-{index}");
    NewDisk { tag: tag.clone(), index, name, size_bytes, spec: DiskSpec::default(), base: None }
}

/// A completed disk with this content.
async fn written(context: &Context<'_>, request: &NewDisk, content: &[u8]) -> Result<TargetDisk> {
    let sink = context.sink()?;
    let disk = sink.create_disk(request).await?;
    let writer = sink.open_writer(&disk).await?;
    let blocks = bytes::fill(&*writer, content).await?;
    complete(context, &disk, blocks).await?;
    Ok(disk)
}

async fn complete(context: &Context<'_>, disk: &TargetDisk, blocks: u64) -> Result {
    context.sink()?.complete_disk(disk, Written { blocks }).await?;
    wait_for_disk(context.sink()?, disk, context.harness.patience()).await?;
    Ok(())
}

/// Makes a stopped machine of the disks, and reads them there.
async fn expect(context: &Context<'_>, tag: &OperationTag, disks: &[TargetDisk], contents: &[&[u8]]) -> Result {
    let boot = Boot::Disks { disks: disks.to_vec() };
    let request =
        CreateRequest { tag: tag.clone(), name: "written".to_owned(), spec: context.spec(), boot, start: false };
    let machine = context.provider.create(&request).await?;
    let again = context.provider.create(&request).await?;
    ensure!(machine.instance_id == again.instance_id, "one tag made {} and {}", machine.instance_id, again.instance_id);
    let machine = context.settle(&machine.instance_id, InstanceState::Stopped).await?;
    ensure!(machine.disks.len() == contents.len(), "the machine has the disks {:?}", machine.disks);
    let reading = context.tag()?;
    let snapshots = context.snapshot(&reading, &machine.instance_id, 0).await?;
    ensure!(snapshots.len() == contents.len(), "the machine gave {} snapshots", snapshots.len());
    for (snapshot, content) in snapshots.iter().zip(contents) {
        let wanted = content.len() as u64;
        ensure!(snapshot.size_bytes == wanted, "{wanted} bytes have become {}", snapshot.size_bytes);
        let reader = context.source()?.open_reader(snapshot).await?;
        bytes::expect(&*reader, content).await?;
    }
    Ok(())
}

async fn making_a_disk_is_repeatable(context: &Context<'_>) -> Result {
    let tag = context.tag()?;
    let sink = context.sink()?;
    let first = sink.create_disk(&new_disk(&tag, 0, 1 << 20)).await?;
    let again = sink.create_disk(&new_disk(&tag, 0, 1 << 20)).await?;
    let other = sink.create_disk(&new_disk(&tag, 1, 1 << 20)).await?;
    ensure!(first.disk_id == again.disk_id, "one index made {} and {}", first.disk_id, again.disk_id);
    ensure!(first.disk_id != other.disk_id, "two indices made one disk");
    ensure!(first.size_bytes == 1 << 20, "the size is {}", first.size_bytes);
    Ok(())
}

async fn written_disks_become_a_machine(context: &Context<'_>) -> Result {
    let tag = context.tag()?;
    // A whole number of everything, and one of nothing.
    let contents = [bytes::content(6, 3 << 20), bytes::content(7, 2_000_384)];
    let mut disks = Vec::new();
    for (index, content) in contents.iter().enumerate() {
        disks.push(written(context, &new_disk(&tag, index as u32, content.len() as u64), content).await?);
    }
    expect(context, &tag, &disks, &[&contents[0], &contents[1]]).await
}

async fn what_is_written_twice_holds_the_last(context: &Context<'_>) -> Result {
    let tag = context.tag()?;
    let content = bytes::content(8, 1 << 20);
    let sink = context.sink()?;
    let disk = sink.create_disk(&new_disk(&tag, 0, content.len() as u64)).await?;
    let writer = sink.open_writer(&disk).await?;
    let blocks = bytes::fill(&*writer, &vec![0x55; content.len()]).await?;
    for (index, piece) in content.chunks(writer.max_write() as usize).enumerate() {
        bytes::write(&*writer, index as u64 * writer.max_write(), piece).await?;
    }
    bytes::flush(&*writer).await?;
    complete(context, &disk, blocks).await?;
    expect(context, &tag, &[disk], &[&content]).await
}

async fn an_empty_disk_reads_zero(context: &Context<'_>) -> Result {
    let tag = context.tag()?;
    let size = 1_500_160usize;
    let disk = context.sink()?.create_disk(&new_disk(&tag, 0, size as u64)).await?;
    let writer = context.sink()?.open_writer(&disk).await?;
    let mut blocks = 0;
    if !writer.starts_zeroed() {
        blocks = bytes::fill(&*writer, &vec![0; size]).await?;
    }
    complete(context, &disk, blocks).await?;
    expect(context, &tag, &[disk], &[&vec![0; size]]).await
}

async fn a_disk_begins_as_its_base(context: &Context<'_>) -> Result {
    let (base_tag, tag) = (context.tag()?, context.tag()?);
    let mut content = bytes::content(9, 4 << 20);
    let base = written(context, &new_disk(&base_tag, 0, content.len() as u64), &content).await?;
    let request = NewDisk { base: Some(base), ..new_disk(&tag, 0, content.len() as u64) };
    let disk = context.sink()?.create_disk(&request).await?;
    let writer = context.sink()?.open_writer(&disk).await?;
    ensure!(!writer.starts_zeroed(), "a disk with a base calls itself zeroed");
    let unit = writer.granularity() as usize;
    let (change, zero) = (unit..unit * 2, 0..unit);
    content[change.clone()].fill(0xaa);
    content[zero].fill(0);
    bytes::write(&*writer, unit as u64, &content[change]).await?;
    let mut attempt = 0;
    while let Err(error) = writer.zero(0, unit as u64).await {
        attempt += 1;
        ensure!(error.kind.is_transient() && attempt < 20, "zeroing failed: {error}");
    }
    bytes::flush(&*writer).await?;
    complete(context, &disk, 2).await?;
    expect(context, &tag, &[disk], &[&content]).await
}

async fn writes_keep_to_the_grain(context: &Context<'_>) -> Result {
    let tag = context.tag()?;
    let disk = context.sink()?.create_disk(&new_disk(&tag, 0, 2_000_384)).await?;
    let writer = context.sink()?.open_writer(&disk).await?;
    let unit = writer.granularity();
    for (offset, len) in [(writer.size(), unit), (unit, writer.size()), (u64::MAX - 511, 512)] {
        let answer = writer.write(offset, Buf::zeroed(len as usize)).await.map(drop);
        let refused = matches!(&answer, Err(error) if error.kind == ErrorKind::Invalid || error.kind.is_transient());
        ensure!(refused, "{len} bytes at {offset}, beyond the end: {answer:?}");
    }
    let last = (writer.size() - 1) / unit * unit;
    bytes::write(&*writer, last, &vec![7; (writer.size() - last) as usize]).await?;
    Ok(())
}

async fn completing_and_deleting_are_repeatable(context: &Context<'_>) -> Result {
    let tag = context.tag()?;
    let content = bytes::content(10, 1 << 20);
    let disk = written(context, &new_disk(&tag, 0, content.len() as u64), &content).await?;
    let sink = context.sink()?;
    let unit = sink.open_writer(&disk).await.map(|writer| writer.granularity()).unwrap_or(1 << 20);
    sink.complete_disk(&disk, Written { blocks: (1 << 20) / unit }).await?;
    sink.delete_disk(&disk).await?;
    sink.delete_disk(&disk).await?;
    let answer = sink.disk_ready(&disk).await;
    ensure!(matches!(&answer, Err(error) if error.is_not_found()), "a deleted disk is {answer:?}");
    Ok(())
}
