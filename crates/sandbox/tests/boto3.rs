//! The vendor's own Python client drives a sandbox: `boto3_drive.py` walks through what the sandbox offers.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use novacron_sandbox::{Credentials, DiskSeed, Identity, InstanceSeed, Sandbox, SandboxConfig};
use tokio::process::Command;

/// A Python that can import boto3, if there is one.
async fn python() -> Option<PathBuf> {
    let python = std::env::var_os("NOVACRON_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let mut probe = Command::new(&python);
    probe.args(["-c", "import boto3"]).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().await.is_ok_and(|s| s.success()).then_some(python)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_drives_the_sandbox() {
    let Some(python) = python().await else {
        println!("skipped: boto3 cannot be imported; set NOVACRON_PYTHON to a Python that has it");
        return;
    };
    let reader = Credentials::generate();
    let config = SandboxConfig { identities: vec![Identity::read_only(reader.clone())], ..SandboxConfig::default() };
    let sandbox = Sandbox::start(config).await.expect("the sandbox starts");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let image = dir.path().join("web.raw");
    let disk: Vec<u8> = (0..3 * 1024 * 1024u32).map(|n| (n / 4096 * 7 + n % 251) as u8).collect();
    tokio::fs::write(&image, &disk).await.expect("an image file");
    let web = InstanceSeed {
        disks: vec![DiskSeed::image(&image), DiskSeed::blank(2)],
        user_data: Some(b"#cloud-config\n".to_vec()),
        ..InstanceSeed::named("web")
    };
    let web = sandbox.seed_instance("us-east-1", web).await.expect("a seeded instance");
    sandbox.seed_many("us-west-2", 60).expect("many instances");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto3_drive.py");
    let key = sandbox.credentials();
    let mut drive = Command::new(python);
    drive
        .arg(script)
        .env("SANDBOX_ENDPOINT", sandbox.endpoint())
        .env("SANDBOX_KEY", key.access_key)
        .env("SANDBOX_SECRET", key.secret_key)
        .env("SANDBOX_READER_KEY", reader.access_key)
        .env("SANDBOX_READER_SECRET", reader.secret_key)
        .env("SANDBOX_WEB", web)
        .env("SANDBOX_IMAGE", image)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("AWS_PROFILE")
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(240), drive.output()).await;
    let output = output.expect("the script ends in time").expect("the script runs");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    sandbox.shutdown().await;
}
