//! The `novacron` executable: the control plane, the mover, and the command line, by the first word that it is given.

mod cli;
mod client;
mod commands;
mod confirm;
#[cfg(feature = "sandbox")]
mod demo;
mod exit;
mod output;
mod placing;
mod prices;
mod progress;
mod registry;
mod serve;

use std::{io::Write, process::ExitCode};

use clap::{CommandFactory, Parser};

use cli::{Cli, Command};
use commands::Context;
use exit::{EXIT_CODES, Exit, Failure, Result};
use output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let printed = error.print().and_then(|()| std::io::stdout().flush());
            // Help and version are no mistakes, and data: who asked must know when it did not get out.
            return if error.use_stderr() { Exit::Usage.into() } else { end(printed.map_err(Failure::from)) };
        }
    };
    end(run(cli))
}

fn end(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            if !failure.is_silent() {
                let _ = writeln!(std::io::stderr().lock(), "novacron: {failure}");
            }
            failure.exit.into()
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let Cli { global, command } = cli;
    let output = Output::new(global.output, global.quiet, global.no_color);
    if global.verbose > 0 && command.is_client() {
        serve::log_for_people(global.verbose)?;
    }
    match command {
        Command::Config(command) => client(commands::config::run(&output, command)),
        Command::Completions { shell } => completions(shell),
        Command::Version => version(&output),
        Command::ExitCodes => Ok(writeln!(std::io::stdout(), "{EXIT_CODES}")?),
        Command::Provider(command) => {
            client(async { commands::provider::run(&Context::new(&global, output)?, command).await })
        }
        Command::Vm(command) => client(async { commands::vm::run(&Context::new(&global, output)?, command).await }),
        Command::Migrate(command) => {
            client(async { commands::migrate::run(&Context::new(&global, output)?, command).await })
        }
        Command::Migration(command) => {
            client(async { commands::migration::run(&Context::new(&global, output)?, command).await })
        }
        Command::Operation(command) => {
            client(async { commands::operation::run(&Context::new(&global, output)?, command).await })
        }
        Command::Place(args) => client(async { commands::place::run(&global, output, *args).await }),
        Command::Explain(args) => client(async { commands::explain::run(&Context::new(&global, output)?, args).await }),
        Command::Apply(args) => client(async { commands::apply::run(&Context::new(&global, output)?, args).await }),
        Command::Plan(args) => client(async { commands::plan::run(&Context::new(&global, output)?, args).await }),
        Command::Burst(args) => client(async { commands::burst::run(&Context::new(&global, output)?, args).await }),
        Command::Statistics => client(async { commands::statistics::run(&Context::new(&global, output)?).await }),
        Command::Catalog(args) => client(commands::catalog::run(&output, args)),
        Command::Serve(args) => server(serve::run(args, &output, global.verbose)),
        Command::Mover(args) => server(serve::run_mover(args, global.verbose)),
        Command::Disk(command) => server(commands::disk::run(&output, command)),
        #[cfg(feature = "sandbox")]
        Command::Demo(args) => server(demo::run(args, &output, global.verbose)),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(command) => server(commands::sandbox::run(&output, command)),
    }
}

/// Runs a client command on this thread.
fn client(command: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start the runtime").why(error))?
        .block_on(command)
}

/// Runs what serves: two threads are enough to keep a disk and a network busy, since bytes are hashed on others.
fn server(command: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start the runtime").why(error))?
        .block_on(command)
}

fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "novacron", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(std::io::stdout().flush()?)
}

fn version(output: &Output) -> Result<()> {
    let kinds: Vec<&str> = registry::registry().kinds().map(|kind| kind.as_str()).collect();
    let version = env!("CARGO_PKG_VERSION");
    let value = serde_json::json!({
        "version": version, "providers": kinds, "sandbox": cfg!(feature = "sandbox"), "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
    });
    output.one(&value, || format!("novacron {version}\nproviders: {}", kinds.join(", ")))
}
