//! Logs as the configuration's `logging` block says.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, sync::Arc};

use novacron_config::{LogFormat, LogOutput, Logging};
use tracing_subscriber::{
    Layer, filter::Targets, fmt::writer::BoxMakeWriter, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

use super::preflight::is_there;
use crate::exit::{Failure, Result};

/// Installs the log. `verbose` of the command line goes before the configuration's level, $NOVACRON_LOG before both.
pub fn install(logging: &Logging, verbose: u8) -> Result<()> {
    let filter = filter(logging, verbose)?;
    let (writer, color) = writer(&logging.output)?;
    let layer = match logging.format {
        LogFormat::Json => tracing_subscriber::fmt::layer().json().with_writer(writer).with_filter(filter).boxed(),
        LogFormat::Text => {
            tracing_subscriber::fmt::layer().with_ansi(color).with_writer(writer).with_filter(filter).boxed()
        }
    };
    registry().with(layer).try_init().map_err(|error| Failure::failed("cannot set up the log").why(error))
}

/// What is logged. $NOVACRON_LOG goes before all else.
pub fn filter(logging: &Logging, verbose: u8) -> Result<Targets> {
    let level = match verbose {
        0 => logging.level.as_str(),
        1 => "debug",
        _ => "trace",
    };
    match std::env::var("NOVACRON_LOG") {
        Ok(directives) if !directives.is_empty() => directives.parse::<Targets>().map_err(|error| {
            Failure::usage("$NOVACRON_LOG is not a log filter").why(error).hint("Write a level, or target=level,….")
        }),
        _ => defaults(level)
            .parse::<Targets>()
            .map_err(|error| Failure::usage(format!("{level:?} is not a log level")).why(error)),
    }
}

/// For a client command that is to say more: on standard error, as text.
pub fn install_for_people(verbose: u8) -> Result<()> {
    let logging = Logging { level: "info".to_owned(), format: LogFormat::Text, output: LogOutput::Stderr };
    install(&logging, verbose)
}

/// Ours at `level`. Libraries say less: their debug output is for their own authors, and the HTTP ones would repeat
/// what goes over the wire.
fn defaults(level: &str) -> String {
    let libraries = match level {
        "error" => "error",
        _ => "warn",
    };
    let ours = [
        "novacron",
        "novacron_api",
        "novacron_config",
        "novacron_control",
        "novacron_operations",
        "novacron_provider",
        "novacron_provider_aws",
        "novacron_provider_files",
        "novacron_provider_libvirt",
        "novacron_sandbox",
        "novacron_store",
        "novacron_transfer",
    ];
    ours.iter().fold(libraries.to_owned(), |text, name| format!("{text},{name}={level}"))
}

fn writer(output: &LogOutput) -> Result<(BoxMakeWriter, bool)> {
    use std::io::IsTerminal;
    Ok(match output {
        LogOutput::Stdout => (BoxMakeWriter::new(std::io::stdout), std::io::stdout().is_terminal()),
        LogOutput::Stderr => (BoxMakeWriter::new(std::io::stderr), std::io::stderr().is_terminal()),
        LogOutput::File(path) => (BoxMakeWriter::new(Arc::new(open(path)?)), false),
    })
}

/// Each line is appended by one write, so that the mover may use the same file.
fn open(path: &Path) -> Result<std::fs::File> {
    is_there(path)
        .and_then(|_| OpenOptions::new().append(true).create(true).mode(0o640).open(path))
        .map_err(|error| unwritable(path, &error))
}

pub fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot write the log file {}", path.display())).why(error).hint(
        "Make its directory, give it to this user, or change `logging.output` to a regular file, stdout or stderr.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_of_the_configuration_is_a_filter() {
        for level in ["error", "warn", "info", "debug", "trace"] {
            let filter: Targets = defaults(level).parse().unwrap();
            let wanted = level.parse().unwrap();
            assert!(filter.would_enable("novacron_transfer::mover", &wanted), "{level}");
            assert!(!filter.would_enable("hyper", &tracing::Level::INFO), "{level}");
        }
    }
}
