//! Copies a raw image into an EBS snapshot, or one out of it, through EBS direct: `ebs_copy upload FILE` prints the
//! snapshot's id, `ebs_copy download SNAPSHOT FILE` the content root. For measuring beside other tools: the endpoint,
//! region and credentials come from the environment, as the AWS CLI reads them.

use std::{path::PathBuf, sync::Arc};

use novacron_provider::{
    BlockReader, DiskSnapshot, DiskSource, NewDisk, OperationTag, Patience, Provider, ProviderDefinition,
    ProviderFactory, wait_for_disk,
};
use novacron_transfer::{
    CopyControl, CopyJob, CopyOptions, CopyReport, copy,
    file::{FileReader, FileWriter},
    ledger::{LedgerIdentity, SyncIdentity},
};
use novacron_types::{DiskId, OperationId, ProviderKind, ProviderName, SnapshotId, VerifyLevel};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let definition = ProviderDefinition {
        name: ProviderName::new("aws")?,
        kind: ProviderKind::Aws,
        settings: serde_json::json!({
            "region": std::env::var("AWS_REGION").unwrap_or_else(|_| "us-east-1".to_owned()),
            "endpoint": std::env::var("AWS_ENDPOINT_URL").ok(),
            "ebs_requests_per_second": 0.0,
        }),
    };
    let provider = novacron_provider_aws::factory().build(definition).await?;
    match arguments[..] {
        ["upload", file] => upload(provider.as_ref(), file).await,
        ["download", snapshot, file] => download(provider.as_ref(), snapshot, file).await,
        _ => Err("usage: ebs_copy upload FILE | ebs_copy download SNAPSHOT FILE".into()),
    }
}

async fn upload(provider: &dyn Provider, file: &str) -> Result<(), Error> {
    let sink = provider.disk_sink().ok_or("no disk sink")?;
    let reader = FileReader::open(&PathBuf::from(file))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
    let request = NewDisk {
        tag: OperationTag(OperationId::new(format!("bench-{now}"))?),
        index: 0,
        name: "bench".to_owned(),
        size_bytes: reader.size(),
        spec: Default::default(),
        base: None,
    };
    let disk = sink.create_disk(&request).await?;
    let writer = sink.open_writer(&disk).await?;
    let report = run(Arc::new(reader), writer, file, disk.disk_id.as_str()).await?;
    sink.complete_disk(&disk, report.written).await?;
    wait_for_disk(sink, &disk, Patience::default()).await?;
    println!("{}", disk.disk_id);
    Ok(())
}

async fn download(provider: &dyn Provider, snapshot: &str, file: &str) -> Result<(), Error> {
    let source: &dyn DiskSource = provider.disk_source().ok_or("no disk source")?;
    let size_bytes: u64 = std::env::var("SIZE_BYTES")?.parse()?;
    let snapshot = DiskSnapshot {
        snapshot_id: SnapshotId::new(snapshot)?,
        disk_id: DiskId::new(snapshot)?,
        device: "disk".to_owned(),
        boot: true,
        size_bytes,
        locator: serde_json::json!({}),
    };
    let reader = source.open_reader(&snapshot).await?;
    let writer = FileWriter::create(&PathBuf::from(file), size_bytes)?;
    let report = run(reader, Arc::new(writer), snapshot.snapshot_id.as_str(), file).await?;
    println!("{}", report.source_root);
    Ok(())
}

async fn run(
    reader: Arc<dyn BlockReader>,
    writer: Arc<dyn novacron_provider::BlockWriter>,
    source: &str,
    target: &str,
) -> Result<CopyReport, Error> {
    let folder = tempfile::tempdir()?;
    let size_bytes = reader.size();
    let job = CopyJob {
        reader,
        writer,
        changes: None,
        ledger: folder.path().join("ledger"),
        identity: LedgerIdentity { source: source.to_owned(), target: target.to_owned(), size_bytes },
        sync: SyncIdentity { snapshot: "1".to_owned(), base: None },
        new_target: true,
        options: CopyOptions { verify: VerifyLevel::Transit, ..CopyOptions::default() },
    };
    Ok(copy(job, CopyControl::default()).await?)
}
