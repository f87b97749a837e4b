//! What the demo does and says, in order.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use novacron_types::{ExportRequest, ImportRequest, Instance, InstanceId, Migration, MigrationAccepted, VmRecord};
use serde_json::{Map, Value};

use super::{
    cloud::{Cloud, REGION, WITNESS},
    disk::FileSystem,
    proof::{self, Evidence, agree, hex},
};
use crate::{
    client::{API, Client, types::ProviderSummary},
    exit::{Failure, Result},
    output::{Output, detail, human},
    progress,
};

/// Where things are.
pub struct Facts {
    pub url: String,
    pub config: PathBuf,
    pub disks: PathBuf,
}

/// The type that the machine comes back as.
const NEW_TYPE: &str = "m5.large";

fn say(text: impl std::fmt::Display) {
    let stdout = &mut std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

fn head(output: &Output, text: &str) {
    let (bold, plain) = if output.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    say(format_args!("\n{bold}== {text}{plain}"));
}

pub fn opening(output: &Output, dir: &Path, filesystem: FileSystem) {
    say("NovaCron demo: a VM moves from AWS to this host and back, and every byte is proved.");
    say(
        "The AWS is an emulation in this process; disks, file systems, the server, its mover, its API and the bytes are real.",
    );
    say(format_args!("No guest runs anywhere. Everything is in {}.", dir.display()));
    head(output, "Making a cloud: three instances with real disks");
    if filesystem == FileSystem::Fat32 {
        say("mke2fs (package e2fsprogs) is not here, so all disks get FAT32.");
    }
}

pub async fn run(output: &Output, cloud: &Cloud, facts: &Facts) -> Result<()> {
    let client = Client::new(&facts.url, None, None)?;
    let endpoint = cloud.sandbox.endpoint();
    say(format_args!("Sandbox AWS (emulated): {endpoint}, region {REGION}"));
    say(format_args!("NovaCron:               {}", facts.url));
    let before = cloud.sandbox.counts();

    head(output, "Discovering");
    output.rows(&client.page::<ProviderSummary>("/providers", &[]).await?.items)?;
    say("");
    output.rows(&client.page::<Instance>("/providers/aws/discover", &[]).await?.items)?;

    head(output, "Importing web-1 to this host; it keeps running");
    let instance_id = InstanceId::new(cloud.instance.as_str()).map_err(|error| Failure::failed(error.to_string()))?;
    let request = ImportRequest { instance_id, target: None, name: None, options: Map::new() };
    let accepted: MigrationAccepted = client.post("/providers/aws/import", &request).await?;
    let import = follow(&client, output, &accepted).await?;
    let vm_id = import.vm_id.clone().ok_or_else(|| Failure::failed("the import made no VM"))?;
    let vm: VmRecord = client.get(&format!("/vms/{vm_id}")).await?;
    let local = facts.disks.join(vm.instance.instance_id.as_str()).join("disk-0.raw");

    head(output, &format!("Exporting it back to AWS as {NEW_TYPE}"));
    let options = Map::from_iter([("instance_type".to_owned(), Value::from(NEW_TYPE))]);
    let request = ExportRequest { vm_id: vm_id.clone(), name: Some("web-1-moved".to_owned()), options };
    let accepted: MigrationAccepted = client.post("/providers/aws/export", &request).await?;
    let export = follow(&client, output, &accepted).await?;
    let made = export.target_instance_id.clone().ok_or_else(|| Failure::failed("the export made no instance"))?;

    head(output, "The proof: all three disks read again from end to end by the demo itself");
    let evidence = [
        proof::of_instance(cloud, &format!("{} at AWS, the source", cloud.instance), &cloud.instance).await?,
        proof::of_file(cloud, &format!("{vm_id} on this host"), &local).await?,
        proof::of_instance(cloud, &format!("{made} at AWS, {NEW_TYPE}"), made.as_str()).await?,
    ];
    show(cloud, &evidence);
    let claimed = [&import, &export].iter().all(|migration| claims(migration, &evidence));
    if !claimed || !agree(&evidence, &cloud.witness) {
        return Err(Failure::failed("the proofs do NOT agree")
            .hint(format!("Please report it with the log beside {}.", facts.config.display())));
    }
    say("All agree, with each other, with what the migrations say, and with the file as it was made.");

    head(output, "History");
    for migration in [&import, &export] {
        say(detail::migration(migration).trim_end());
        say("");
    }
    let after = cloud.sandbox.counts();
    say(format_args!(
        "At the cloud now: {} instances (one more), {} volumes, {} snapshots, {} images; before: {}, {}, {}, {}.",
        after.instances,
        after.volumes,
        after.snapshots,
        after.images,
        before.instances,
        before.volumes,
        before.snapshots,
        before.images,
    ));
    Ok(())
}

async fn follow(client: &Client, output: &Output, accepted: &MigrationAccepted) -> Result<Migration> {
    let began = Instant::now();
    let migration = progress::watch(client, output, &accepted.migration_id).await?;
    progress::outcome(&migration)?;
    let stats = &migration.transfer_stats;
    let rate = stats.bytes_transferred as f64 / 1e6 / began.elapsed().as_secs_f64().max(0.001);
    say(format_args!(
        "{}: {} in {}, {rate:.0} MB/s of data over the whole of it; {}",
        migration.migration_id,
        migration.status,
        human::seconds(began.elapsed().as_secs_f64()),
        detail::moved(stats),
    ));
    Ok(migration)
}

fn show(cloud: &Cloud, evidence: &[Evidence]) {
    say("Content root of the disk:");
    for place in evidence {
        say(format_args!("  {}  {}", place.root, place.place));
    }
    say(format_args!("SHA-256 of {WITNESS}, read through each disk's {} file system:", cloud.filesystem));
    say(format_args!("  {}  as it was made", hex(&cloud.witness)));
    for place in evidence {
        say(format_args!("  {}  {}", hex(&place.witness), place.place));
    }
}

/// Whether a migration's own proof says what was found.
fn claims(migration: &Migration, evidence: &[Evidence]) -> bool {
    let Some(proof) = &migration.proof else { return false };
    !proof.disks.is_empty()
        && proof.disks.iter().all(|disk| {
            evidence
                .iter()
                .all(|e| e.root == disk.source_root && Some(e.root) == disk.target_root && e.size == disk.size_bytes)
        })
}

pub fn what_next(output: &Output, cloud: &Cloud, facts: &Facts) {
    head(output, "What to try next, in another terminal");
    let exe = std::env::current_exe().unwrap_or_default();
    if let Some(dir) = exe.parent() {
        say(format_args!("  export PATH={}:\"$PATH\" NOVACRON_SERVER={}", dir.display(), facts.url));
    }
    for line in [
        "novacron provider list -o wide",
        "novacron provider discover aws -f instance-state-name=running",
        "novacron vm list",
        "novacron migration list",
        &format!("novacron migrate import aws {} --name web-2 --dry-run", cloud.instance),
        &format!("novacron migrate import aws {} --name web-2 -y --bandwidth-limit 20MB", cloud.instance),
        &format!("novacron config show --config {}", facts.config.display()),
        &format!("curl {}{API}/health", facts.url),
        &format!("curl {}{API}/migrations", facts.url),
        &format!("curl {}/metrics", facts.url),
    ] {
        say(format_args!("  {line}"));
    }
    say(format_args!("  The API, to browse: {}/api/docs", facts.url));
    say("\nIt keeps serving. Ctrl-C ends it and removes what it made.");
}
