//! From settings to a provider.

use std::{path::PathBuf, pin::Pin, sync::Arc};

use novacron_provider::{
    BuildFuture, ErrorKind, KeyInfo, Provider, ProviderDefinition, ProviderError, ProviderFactory, Result,
};
use novacron_transfer::format::ImageFormat;
use novacron_types::ProviderKind;
use serde::Deserialize;

use crate::{Files, folder};

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
        Box::pin(async move {
            let name = definition.name.clone();
            let settings = settings(definition)?;
            Ok(Arc::new(Files::open(name, &settings.path, settings.format)?) as Arc<dyn Provider>)
        })
    }

    fn check(&self, definition: ProviderDefinition) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
        Box::pin(async move { folder::check(&settings(definition)?.path) })
    }
}

fn settings(definition: ProviderDefinition) -> Result<Settings> {
    serde_json::from_value(definition.settings).map_err(|error| {
        ProviderError::new(ErrorKind::Invalid, "configure", format!("the settings are not valid: {error}"))
            .advice("A provider of kind `files` takes `path` and, if wanted, `format: raw` or `format: qcow2`.")
    })
}
