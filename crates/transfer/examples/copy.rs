//! Copies a raw image or block device: `copy [options] SRC DST`. Prints the content root, and a report as JSON.
//! Options: `--verify stored|transit`, `--workers N`, `--depth N`, `--extent-mib N`, `--ledger PATH` (kept, so that a
//! second run goes on or moves only what differs), `--snapshot NAME`, `--keep` (do not empty DST), `--rate BYTES`.

use std::{path::PathBuf, sync::Arc};

use novacron_provider::{BlockReader, BlockWriter};
use novacron_transfer::{
    CopyControl, CopyJob, CopyOptions, copy,
    file::{FileReader, FileWriter},
    ledger::{LedgerIdentity, SyncIdentity},
};
use novacron_types::{MIB, VerifyLevel};

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<(), Error> {
    let mut options = CopyOptions { verify: VerifyLevel::Transit, ..CopyOptions::default() };
    let (mut paths, mut ledger, mut keep) = (Vec::new(), None, false);
    let mut snapshot = "1".to_owned();
    let control = CopyControl::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--verify" if value()? == "stored" => options.verify = VerifyLevel::Stored,
            "--verify" => {}
            "--workers" => options.workers = value()?.parse()?,
            "--depth" => options.depth = value()?.parse()?,
            "--extent-mib" => options.extent_bytes = value()?.parse::<u64>()? * MIB,
            "--ledger" => ledger = Some(PathBuf::from(value()?)),
            "--snapshot" => snapshot = value()?,
            "--keep" => keep = true,
            "--rate" => control.rate.set(Some(value()?.parse()?)),
            path => paths.push(PathBuf::from(path)),
        }
    }
    let [source, target] = paths.as_slice() else { return Err("usage: copy [options] SRC DST".into()) };
    let reader = FileReader::open(source)?;
    let size = reader.size();
    let writer = if keep { FileWriter::open(target, size)? } else { FileWriter::create(target, size)? };
    let scratch = target.with_extension("ledger");
    let path = ledger.clone().unwrap_or_else(|| scratch.clone());
    let job = CopyJob {
        new_target: writer.starts_zeroed(),
        reader: Arc::new(reader),
        writer: Arc::new(writer),
        changes: None,
        ledger: path,
        identity: LedgerIdentity {
            source: source.display().to_string(),
            target: target.display().to_string(),
            size_bytes: size,
        },
        sync: SyncIdentity { snapshot, base: None },
        options,
    };
    let report = copy(job, control).await;
    if ledger.is_none() {
        std::fs::remove_file(scratch)?;
    }
    let report = report?;
    println!("{}", report.target_root);
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
