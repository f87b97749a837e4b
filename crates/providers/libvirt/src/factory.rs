//! From configuration to a provider.

use std::sync::Arc;

use novacron_provider::{BuildFuture, KeyInfo, Provider, ProviderDefinition, ProviderFactory};
use novacron_types::ProviderKind;

use crate::{LibvirtProvider, Settings, settings::KEYS};

/// Makes providers of kind `libvirt`.
#[derive(Debug, Clone, Copy, Default)]
pub struct LibvirtFactory;

impl ProviderFactory for LibvirtFactory {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Libvirt
    }

    fn keys(&self) -> &'static [KeyInfo] {
        KEYS
    }

    fn build(&self, definition: ProviderDefinition) -> BuildFuture {
        Box::pin(async move {
            let settings = Settings::read(&definition.settings).map_err(|error| error.at(&definition.name))?;
            Ok(Arc::new(LibvirtProvider::new(definition.name, settings)) as Arc<dyn Provider>)
        })
    }
}
