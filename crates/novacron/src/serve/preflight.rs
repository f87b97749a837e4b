//! What `serve` needs of its configuration, found out before anything is made or opened: `config check` and `serve` both
//! go through here, so that they refuse the same in the same words.

use std::{
    fmt, fs,
    io::{self, Read},
    os::unix::fs::FileTypeExt as _,
    path::Path,
};

use novacron_config::{Config, Loaded, LogOutput};
use novacron_provider_files::can_hold_files;
use novacron_store::OpenError;
use secrecy::ExposeSecret;

use super::{api_config, local, logging, store_refused};
use crate::{
    exit::{Failure, Result},
    placing::{self, Placing},
    registry,
};

/// Refuses what `serve` could not use, and returns how places are decided. It writes nothing, and asks nothing of the network.
pub async fn check(loaded: &Loaded) -> Result<Placing> {
    let config = &loaded.config;
    let file = shown(loaded);
    local(config)?;
    log(config)?;
    can_hold_files(&config.data_dir).map_err(|error| super::lock::unusable(&config.data_dir, &error).into_usage())?;
    store(config)?;
    server(&file, config)?;
    providers(&file, config).await?;
    placing::placing(config, &file)
}

/// The file that the configuration came from, for people.
pub fn shown(loaded: &Loaded) -> String {
    loaded.file.as_deref().map_or_else(|| "built-in defaults".to_owned(), |path| path.display().to_string())
}

fn log(config: &Config) -> Result<()> {
    logging::filter(&config.logging, 0)?;
    let LogOutput::File(path) = &config.logging.output else { return Ok(()) };
    can_append(path).map_err(|error| logging::unwritable(path, &error))
}

fn store(config: &Config) -> Result<()> {
    let Some(url) = &config.store.url else { return Ok(()) };
    let file = novacron_store::check_url(url.expose_secret()).map_err(|error| store_refused(error).into_usage())?;
    let Some(path) = file else { return Ok(()) };
    let found = match is_there(&path) {
        Ok(true) => can_append(&path).and_then(|()| is_database(&path)),
        Ok(false) => can_hold_files(parent(&path)).map(|()| true),
        Err(error) => Err(error),
    };
    let refused = match found {
        Ok(true) => return Ok(()),
        Ok(false) => OpenError::NotAStore { path, why: "it does not begin as an SQLite database does".to_owned() },
        Err(error) => OpenError::File { path, error },
    };
    Err(store_refused(refused).into_usage())
}

/// The address, who may call, and the certificate.
fn server(file: &str, config: &Config) -> Result<()> {
    let api = api_config(config)?;
    let refused = |why: &dyn fmt::Display| Failure::usage(format!("{file}: `server` can't be used")).why(why);
    novacron_api::check_exposure(config.server.listen, &api).map_err(|exposed| refused(&exposed))?;
    novacron_api::check_tls(&api).map_err(|error| refused(&error))
}

async fn providers(file: &str, config: &Config) -> Result<()> {
    let registry = registry::registry();
    for definition in &config.providers {
        let name = definition.name.clone();
        registry.check(definition.clone()).await.map_err(|error| {
            let hint = error.advice.clone().unwrap_or_else(|| "docs/configuration.md lists every key.".to_owned());
            Failure::usage(format!("{file}: provider `{name}` can't be used")).why(error.message).hint(hint)
        })?;
    }
    Ok(())
}

/// Whether lines can be appended to a file, which is not made if it is not there.
fn can_append(path: &Path) -> io::Result<()> {
    if is_there(path)? {
        return fs::OpenOptions::new().append(true).open(path).map(drop);
    }
    let parent = parent(path);
    fs::metadata(parent)?;
    can_hold_files(parent)
}

/// Whether there is a file. What is no regular one is refused before it is opened: a pipe would keep who opens it waiting
/// for its other end. So is a link to what is not there.
pub(super) fn is_there(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        // `/dev/null` keeps nobody waiting.
        Ok(found) if found.is_file() || found.file_type().is_char_device() => Ok(true),
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => Err(io::Error::other("it is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => {
            Err(io::Error::other("it is a link to what is not there"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a file is empty or begins as an SQLite database does.
fn is_database(path: &Path) -> io::Result<bool> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let mut start = Vec::new();
    fs::File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    Ok(start.is_empty() || start == MAGIC)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
