//! What `serve` needs of its configuration, found out before anything is made or opened: `config check` and `serve` both
//! go through here, so that they refuse the same in the same words.

use std::{fmt, fs, io, path::Path};

use novacron_config::{Config, Loaded, LogOutput};
use novacron_provider_files::can_hold_files;
use secrecy::ExposeSecret;

use super::{api_config, local, logging, store_refused};
use crate::{
    exit::{Failure, Result},
    registry,
};

/// Refuses what `serve` could not use. It writes nothing, and asks nothing of the network.
pub async fn check(loaded: &Loaded) -> Result<()> {
    let config = &loaded.config;
    let file = shown(loaded);
    local(config)?;
    log(config)?;
    can_hold_files(&config.data_dir).map_err(|error| super::lock::unusable(&config.data_dir, &error).into_usage())?;
    store(config)?;
    server(&file, config)?;
    providers(&file, config).await
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
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let writable = if path.exists() { can_append(&path) } else { can_hold_files(folder) };
    writable.map_err(|error| store_refused(novacron_store::OpenError::File { path, error }).into_usage())
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
    match fs::OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            fs::metadata(parent)?;
            can_hold_files(parent)
        }
        opened => opened.map(drop),
    }
}
