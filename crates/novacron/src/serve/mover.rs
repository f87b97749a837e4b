//! The mover: as a child of the server, and as that child.

use std::{ffi::OsString, io, path::Path};

use novacron_config::{LogFormat, LogOutput, Logging};
use novacron_transfer::mover::{self, ChildConfig, MoverChild, MoverConfig};
use tokio_util::sync::CancellationToken;

use super::{DataDir, logging, stop_signal};
use crate::{
    cli::MoverArgs,
    exit::{Failure, Result},
    registry,
};

/// A socket's path has room for so many bytes.
const MAX_SOCKET_PATH: usize = 100;

/// A mover that runs, and the directory of its socket.
pub struct Mover {
    pub child: MoverChild,
    directory: tempfile::TempDir,
}

impl Mover {
    /// Starts `novacron mover` beside this process and waits until it answers.
    pub async fn start(data: &DataDir, logging: &Logging, verbose: u8, memory: u64) -> Result<Self> {
        let failed = |error: io::Error| {
            Failure::failed("cannot start the mover")
                .why(error)
                .hint("Its own messages are in the log above; `novacron mover` is started by `novacron serve` only.")
        };
        let directory = socket_directory(data.path()).map_err(failed)?;
        let socket = directory.path().join("mover.sock");
        let mut arguments: Vec<OsString> = vec!["mover".into(), "--listen-unix".into(), socket.clone().into()];
        arguments.extend(["--ledgers".into(), data.path().join("ledgers").into()]);
        arguments.extend(["--buffer-bytes".into(), memory.to_string().into()]);
        arguments.extend(["--log-level".into(), logging.level.clone().into()]);
        if logging.format == LogFormat::Json {
            arguments.push("--log-json".into());
        }
        if let LogOutput::File(path) = &logging.output {
            arguments.extend(["--log-file".into(), path.clone().into()]);
        }
        arguments.extend(std::iter::repeat_n(OsString::from("-v"), verbose.into()));
        let program = std::env::current_exe().map_err(failed)?;
        let child = MoverChild::start(ChildConfig::new(program, arguments, socket)).await.map_err(failed)?;
        Ok(Self { child, directory })
    }

    pub async fn stop(self) {
        self.child.stop().await;
        if let Err(error) = self.directory.close() {
            tracing::debug!(%error, "the mover's socket could not be removed");
        }
    }
}

/// A new directory that only this user can enter, in the data directory if the path is short enough for a socket.
fn socket_directory(data: &Path) -> io::Result<tempfile::TempDir> {
    let run = data.join("run");
    let mut builder = tempfile::Builder::new();
    builder.prefix("mover-");
    if run.as_os_str().len() + "/mover-123456/mover.sock".len() > MAX_SOCKET_PATH {
        return builder.tempdir();
    }
    // What a killed server left behind: the directory is ours alone.
    match std::fs::remove_dir_all(&run) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::create_dir(&run)?;
    builder.tempdir_in(&run)
}

/// `novacron mover`: moves disks until its lifeline is cut.
pub async fn run(args: MoverArgs, verbose: u8) -> Result<()> {
    let logging = Logging {
        level: args.log_level,
        format: if args.log_json { LogFormat::Json } else { LogFormat::Text },
        output: args.log_file.map_or(LogOutput::Stderr, LogOutput::File),
    };
    logging::install(&logging, verbose)?;
    let failed = |error: io::Error| Failure::failed("the mover cannot serve").why(error);
    let listener = mover::bind(&args.listen_unix).map_err(failed)?;
    let stop = CancellationToken::new();
    let config = MoverConfig { memory_bytes: args.buffer_bytes, ..MoverConfig::new(args.ledgers) };
    let serving = mover::serve(listener, registry::registry(), config, stop.clone());
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return served.map_err(failed),
        () = mover::lifeline() => {}
        // A terminal's ctrl-C goes to the whole group; the server then says when to stop.
        () = stop_signal::terminated() => {}
    }
    stop.cancel();
    serving.await.map_err(failed)
}
