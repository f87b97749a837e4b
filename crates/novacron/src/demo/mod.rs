//! `novacron demo`: the main job on real parts, from one command.
//!
//! It starts what a person would: a server with its mover, and beside them an AWS in a box. Then it does what a person
//! would, through the server's HTTP API. What it claims it reads back itself, from all three places.

mod bytes;
mod cloud;
mod disk;
mod proof;
mod story;

use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use novacron_config::Overrides;

use crate::{
    cli::{ConfigFile, DemoArgs},
    commands,
    exit::{Exit, Failure, Result},
    output::Output,
    placing,
    serve::{self, Server, StopSignals},
};
use cloud::Cloud;

/// The usual port, so that the commands that are shown need no address.
const PORT: u16 = 8080;

pub async fn run(args: DemoArgs, output: &Output, verbose: u8) -> Result<()> {
    // Before there is anything to clean up.
    let mut stop = StopSignals::listen().map_err(|error| Failure::failed("cannot listen to signals").why(error))?;
    let dir = Directory::new(args.dir)?;
    let mut parts = Parts::default();
    let told = tokio::select! {
        told = tell(&args.once, args.port, &dir, output, verbose, &mut parts) => told,
        () = stop.next() => Err(Failure::new(Exit::Interrupted, "the demo was interrupted")),
    };
    // Once everything has been shown, ctrl-C is how it ends.
    let told = if parts.shown { Ok(()) } else { told };
    output.note("Cleaning up.");
    let stopped = parts.stop().await;
    cloud::threads_ended().await;
    let removed = dir.remove().await;
    told.and(stopped).and(removed)
}

/// What runs, and has to be stopped however the demo ends.
#[derive(Default)]
struct Parts {
    cloud: Option<Cloud>,
    server: Option<Server>,
    /// Everything has been shown, and all proofs agree.
    shown: bool,
}

impl Parts {
    async fn stop(self) -> Result<()> {
        let stopped = match self.server {
            Some(server) => server.stop().await,
            None => Ok(()),
        };
        if let Some(sandbox) = self.cloud.and_then(|cloud| Arc::into_inner(cloud.sandbox)) {
            sandbox.shutdown().await;
        }
        stopped
    }
}

async fn tell(
    once: &bool,
    port: Option<u16>,
    dir: &Directory,
    output: &Output,
    verbose: u8,
    parts: &mut Parts,
) -> Result<()> {
    story::opening(output, dir.path(), disk::best());
    let cloud = parts.cloud.insert(Cloud::start(dir.path()).await?);
    let port = free_port(port)?;
    let file = write_config(dir.path(), port, cloud)?;
    let loaded = commands::config::load(&ConfigFile { config: Some(file.clone()) }, Overrides::default())?;
    serve::install_log(&loaded.config.logging, verbose)?;
    let placing = placing::placing(&loaded.config, &serve::shown_file(&loaded))?;
    let server = parts.server.insert(Server::start(loaded.config, placing.settings, verbose).await?);
    let facts = story::Facts { url: server.url(), config: file, disks: dir.path().join("disks") };
    story::run(output, cloud, &facts).await?;
    parts.shown = true;
    if *once {
        return Ok(());
    }
    story::what_next(output, cloud, &facts);
    std::future::pending().await
}

/// Where the demo works: a temporary directory, or a new one that is kept.
enum Directory {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Directory {
    fn new(wanted: Option<PathBuf>) -> Result<Self> {
        let cannot = |error: std::io::Error| Failure::failed("cannot make the demo's directory").why(error);
        let Some(path) = wanted else {
            return tempfile::Builder::new().prefix("novacron-demo-").tempdir().map(Self::Temporary).map_err(cannot);
        };
        std::fs::create_dir_all(&path).map_err(cannot)?;
        let path = path.canonicalize().map_err(cannot)?;
        if std::fs::read_dir(&path).map_err(cannot)?.next().is_some() {
            return Err(Failure::refused(format!("{} is not empty", path.display()))
                .hint("Name a new directory, or leave --dir out for a temporary one."));
        }
        Ok(Self::Kept(path))
    }

    /// Removes it, unless it is to be kept. The sandbox may still be reading disks into it: once its folder is gone it
    /// ends, and until then removing is tried again.
    async fn remove(self) -> Result<()> {
        let Self::Temporary(dir) = self else { return Ok(()) };
        let path = dir.path().to_owned();
        for _ in 0..100 {
            match std::fs::remove_dir_all(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {}
                _ => return Ok(()),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        dir.close().map_err(|error| Failure::failed(format!("cannot remove {}", path.display())).why(error))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Kept(path) => path,
        }
    }
}

/// The port that was asked for, else the usual one if it is free, else any.
fn free_port(wanted: Option<u16>) -> Result<u16> {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| listener.local_addr());
    match wanted {
        Some(port) => Ok(port),
        None => free(PORT)
            .or_else(|_| free(0))
            .map(|address| address.port())
            .map_err(|error| Failure::failed("there is no free port on 127.0.0.1").why(error)),
    }
}

/// A configuration as a person would write it. It has the sandbox's key in it, so nobody else may read it.
fn write_config(dir: &Path, port: u16, cloud: &Cloud) -> Result<PathBuf> {
    let path = dir.join("multicloud.yaml");
    let key = cloud.sandbox.credentials();
    let quoted = |path: PathBuf| format!("{:?}", path.display().to_string());
    let text = format!(
        "# The demo's configuration. `endpoint` points at the sandbox; without it, this is how AWS is configured.\n\
         data_dir: {data}\n\
         server:\n  listen: 127.0.0.1:{port}\n\
         local:\n  kind: files\n  path: {disks}\n\
         aws:\n  enabled: true\n  region: {region}\n  endpoint: {endpoint}\n  access_key_id: {access}\n  \
         secret_access_key: {secret}\n\
         logging:\n  level: info\n  format: text\n  output: {log}\n",
        data = quoted(dir.join("data")),
        disks = quoted(dir.join("disks")),
        log = quoted(dir.join("novacron.log")),
        region = cloud::REGION,
        endpoint = cloud.sandbox.endpoint(),
        access = key.access_key,
        secret = key.secret_key,
    );
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map(|()| path).map_err(|error| Failure::failed("cannot write the demo's configuration").why(error))
}
