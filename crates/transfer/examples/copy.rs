//! Copies a raw image, a block device or an NBD export: `copy [options] SRC DST`. Prints the content root, and a report
//! as JSON. An NBD export is written `nbd+unix:///export?socket=/path` or `nbd://host:port/export`.
//! Options: `--verify stored|transit`, `--workers N`, `--depth N`, `--extent-mib N`, `--ledger PATH` (kept, so that a
//! second run goes on or moves only what differs), `--snapshot NAME`, `--base NAME --changed FILE` (lines of offset and length that differ from that
//! snapshot), `--keep` (do not empty DST), `--rate BYTES`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use novacron_provider::{BlockReader, BlockWriter, Extent, ExtentPage, ProviderError};
use novacron_transfer::{
    CopyControl, CopyJob, CopyOptions, copy,
    engine::Changes,
    file::{FileReader, FileWriter},
    ledger::{LedgerIdentity, SyncIdentity},
    nbd::{NbdAddress, NbdOptions, NbdReader, NbdWriter},
};
use novacron_types::{MIB, VerifyLevel};

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<(), Error> {
    let mut options = CopyOptions { verify: VerifyLevel::Transit, ..CopyOptions::default() };
    let (mut paths, mut ledger, mut keep) = (Vec::new(), None, false);
    let (mut snapshot, mut base, mut changes) = ("1".to_owned(), None, None);
    let control = CopyControl::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--verify" if value()? == "stored" => options.verify = VerifyLevel::Stored,
            "--verify" => {}
            "--workers" => options.workers = value()?.parse()?,
            "--depth" => options.depth = Some(value()?.parse()?),
            "--extent-mib" => options.extent_bytes = value()?.parse::<u64>()? * MIB,
            "--ledger" => ledger = Some(PathBuf::from(value()?)),
            "--snapshot" => snapshot = value()?,
            "--base" => base = Some(value()?),
            "--changed" => changes = Some(Arc::new(Listed::read(&value()?)?) as Arc<dyn Changes>),
            "--keep" => keep = true,
            "--rate" => control.rate.set(Some(value()?.parse()?)),
            path => paths.push(path.to_owned()),
        }
    }
    let [source, target] = paths.as_slice() else { return Err("usage: copy [options] SRC DST".into()) };
    let reader: Arc<dyn BlockReader> = match source.parse::<NbdAddress>() {
        Ok(address) => Arc::new(NbdReader::connect(address, NbdOptions::default()).await?),
        Err(_) => Arc::new(FileReader::open(Path::new(source))?),
    };
    let size = reader.size();
    let writer: Arc<dyn BlockWriter> = match target.parse::<NbdAddress>() {
        Ok(address) => Arc::new(NbdWriter::connect(address, NbdOptions::default(), !keep).await?),
        Err(_) if keep => Arc::new(FileWriter::open(Path::new(target), size)?),
        Err(_) => Arc::new(FileWriter::create(Path::new(target), size)?),
    };
    let scratch = std::env::temp_dir().join(format!("copy-{}.ledger", std::process::id()));
    let path = ledger.clone().unwrap_or_else(|| scratch.clone());
    let job = CopyJob {
        new_target: writer.starts_zeroed(),
        reader,
        writer,
        changes,
        ledger: path,
        identity: LedgerIdentity { source: source.clone(), target: target.clone(), size_bytes: size },
        sync: SyncIdentity { snapshot, base },
        options,
    };
    let report = copy(job, control).await;
    if ledger.is_none() {
        std::fs::remove_file(scratch)?;
    }
    let report = report?;
    println!("{}", report.source_root);
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// A list of changes from a file.
struct Listed(Vec<Extent>);

impl Listed {
    fn read(path: &str) -> Result<Self, Error> {
        let parse = |line: &str| -> Result<Extent, Error> {
            let (offset, len) = line.split_once(' ').ok_or("a line needs an offset and a length")?;
            Ok(Extent { offset: offset.parse()?, len: len.parse()?, zero: false })
        };
        std::fs::read_to_string(path)?.lines().map(parse).collect::<Result<_, _>>().map(Self)
    }
}

#[async_trait]
impl Changes for Listed {
    async fn changed(&self, from: u64) -> Result<ExtentPage, ProviderError> {
        let mut rest = self.0.iter().copied().filter(|extent| extent.offset >= from);
        let extents = rest.by_ref().take(4096).collect();
        Ok(ExtentPage { extents, next: rest.next().map(|extent| extent.offset) })
    }
}
