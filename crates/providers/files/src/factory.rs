//! From settings to a provider.

use std::{path::PathBuf, sync::Arc};

use novacron_provider::{
    BuildFuture, ErrorKind, KeyInfo, Provider, ProviderDefinition, ProviderError, ProviderFactory, Result,
};
use novacron_transfer::format::ImageFormat;
use novacron_types::ProviderKind;
use serde::Deserialize;

use crate::Files;

/// Every key of the settings.
pub const KEYS: &[KeyInfo] = &[
    KeyInfo { name: "path", secret: false, doc: "The folder that holds the disks. It is made if it is not there." },
    KeyInfo { name: "format", secret: false, doc: "The format of new disks: `raw` (the default) or `qcow2`." },
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    path: PathBuf,
    #[serde(default)]
    format: ImageFormat,
}

/// Makes providers of kind `files`.
#[derive(Debug, Clone, Copy, Default)]
pub struct FilesFactory;

impl ProviderFactory for FilesFactory {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Files
    }

    fn keys(&self) -> &'static [KeyInfo] {
        KEYS
    }

    fn build(&self, definition: ProviderDefinition) -> BuildFuture {
        Box::pin(async move { build(definition).map(|files| Arc::new(files) as Arc<dyn Provider>) })
    }
}

fn build(definition: ProviderDefinition) -> Result<Files> {
    let settings: Settings = serde_json::from_value(definition.settings).map_err(|error| {
        ProviderError::new(ErrorKind::Invalid, "configure", format!("the settings are not valid: {error}"))
            .advice("A provider of kind `files` takes `path` and, if wanted, `format: raw` or `format: qcow2`.")
    })?;
    Files::open(definition.name, &settings.path, settings.format)
}
