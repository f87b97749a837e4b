//! `novacron sandbox serve`: an AWS in a box.

use std::path::PathBuf;

use novacron_sandbox::{Credentials, DiskSeed, InstanceSeed, Sandbox, SandboxConfig, SandboxError};
use serde_json::json;

use crate::{
    cli::SandboxCommand,
    exit::{Failure, Result},
    output::Output,
    serve::StopSignals,
};

const REGION: &str = "us-east-1";

pub async fn run(output: &Output, command: SandboxCommand) -> Result<()> {
    // Before there is anything to clean up: images are read for a while.
    let mut stop = StopSignals::listen().map_err(|error| Failure::failed("cannot listen to signals").why(error))?;
    tokio::select! {
        ended = serve(output, command) => ended,
        () = stop.next() => Ok(()),
    }
}

async fn serve(output: &Output, command: SandboxCommand) -> Result<()> {
    let SandboxCommand::Serve { listen, data_dir, instance, empty_instances } = command;
    let config = SandboxConfig { listen, data_dir, credentials: credentials()?, ..SandboxConfig::default() };
    let sandbox = Sandbox::start(config).await.map_err(cannot_start)?;
    let mut instances = Vec::new();
    for seed in &instance {
        let (name, file) = named_file(seed)?;
        let seed = InstanceSeed { disks: vec![DiskSeed::image(file)], ..InstanceSeed::named(name) };
        let id = sandbox.seed_instance(REGION, seed).await.map_err(cannot_start)?;
        instances.push(json!({ "name": name, "instance_id": id }));
    }
    sandbox.seed_many(REGION, empty_instances).map_err(cannot_start)?;
    let credentials = sandbox.credentials();
    let value = json!({
        "endpoint": sandbox.endpoint(), "region": REGION, "access_key_id": credentials.access_key,
        "secret_access_key": credentials.secret_key, "instances": instances, "empty_instances": empty_instances,
    });
    output.one(&value, || {
        let mut text = format!(
            "export AWS_ENDPOINT_URL={}\nexport AWS_REGION={REGION}\nexport AWS_ACCESS_KEY_ID={}\nexport AWS_SECRET_ACCESS_KEY={}",
            sandbox.endpoint(),
            credentials.access_key,
            credentials.secret_key,
        );
        for instance in &instances {
            text.push_str(&format!("\n# {} is {}", instance["name"], instance["instance_id"]));
        }
        text
    })?;
    output.note("An emulation of AWS serves at that address until ctrl-C; the lines above are for a shell.");
    std::future::pending().await
}

/// The key, where the environment has one; else one is made.
fn credentials() -> Result<Option<Credentials>> {
    match (std::env::var("NOVACRON_SANDBOX_ACCESS_KEY"), std::env::var("NOVACRON_SANDBOX_SECRET_KEY")) {
        (Ok(access_key), Ok(secret_key)) => Ok(Some(Credentials { access_key, secret_key })),
        (Err(_), Err(_)) => Ok(None),
        _ => Err(Failure::usage("one half of the sandbox's key is set")
            .hint("Set both of $NOVACRON_SANDBOX_ACCESS_KEY and $NOVACRON_SANDBOX_SECRET_KEY, or neither.")),
    }
}

fn named_file(text: &str) -> Result<(&str, PathBuf)> {
    text.split_once('=')
        .filter(|(name, file)| !name.is_empty() && !file.is_empty())
        .map(|(name, file)| (name, PathBuf::from(file)))
        .ok_or_else(|| Failure::usage(format!("{text:?} is not NAME=FILE")).hint("--instance web=/tmp/web.raw"))
}

fn cannot_start(error: SandboxError) -> Failure {
    let failure = Failure::failed("cannot start the sandbox").why(&error);
    match error {
        SandboxError::Listen { .. } => failure.hint("novacron sandbox serve --listen 127.0.0.1:PORT"),
        SandboxError::NotLoopback(_) => Failure { exit: crate::exit::Exit::Usage, ..failure },
        _ => failure,
    }
}
