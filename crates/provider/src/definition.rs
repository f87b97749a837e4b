//! From configuration to a provider: definitions, factories and their registry.

use std::{collections::BTreeMap, fmt, sync::Arc};

use futures::future::BoxFuture;
use novacron_types::{ProviderKind, ProviderName};
use serde_json::Value;

use crate::{ErrorKind, Provider, ProviderError, Result};

/// A configured provider that has not been connected yet. Its settings may hold secrets: it prints without them,
/// and can only be serialised on purpose.
#[derive(Clone, PartialEq)]
pub struct ProviderDefinition {
    pub name: ProviderName,
    pub kind: ProviderKind,
    /// The keys of the provider's own block in the configuration, as an object.
    pub settings: Value,
}

impl fmt::Debug for ProviderDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.settings.as_object().map(|map| map.keys().collect()).unwrap_or_default();
        f.debug_struct("ProviderDefinition")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("keys", &keys)
            .finish()
    }
}

/// A key of a provider's settings, for checking, redacting and documenting configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyInfo {
    pub name: &'static str,
    /// Shown as `***` wherever configuration is shown.
    pub secret: bool,
    pub doc: &'static str,
}

pub type BuildFuture = BoxFuture<'static, Result<Arc<dyn Provider>>>;

/// Makes providers of one kind.
pub trait ProviderFactory: Send + Sync {
    fn kind(&self) -> ProviderKind;

    /// Every key that [`build`](Self::build) reads.
    fn keys(&self) -> &'static [KeyInfo];

    /// Checks the settings and makes a client. It asks nothing of the network, so that a cloud that is down does
    /// not keep the control plane from starting.
    fn build(&self, definition: ProviderDefinition) -> BuildFuture;

    /// Refuses what [`build`](Self::build) would refuse, in the same words, and writes nothing. A kind whose `build`
    /// makes folders has its own.
    fn check(&self, definition: ProviderDefinition) -> BoxFuture<'static, Result<()>> {
        let built = self.build(definition);
        Box::pin(async move { built.await.map(drop) })
    }
}

/// The kinds of provider that this executable was built with.
#[derive(Clone, Default)]
pub struct Registry {
    factories: BTreeMap<ProviderKind, Arc<dyn ProviderFactory>>,
}

impl Registry {
    pub fn with(mut self, factory: impl ProviderFactory + 'static) -> Self {
        self.factories.insert(factory.kind(), Arc::new(factory));
        self
    }

    pub fn kinds(&self) -> impl Iterator<Item = ProviderKind> {
        self.factories.keys().copied()
    }

    pub fn factory(&self, kind: ProviderKind) -> Option<&Arc<dyn ProviderFactory>> {
        self.factories.get(&kind)
    }

    pub async fn build(&self, definition: ProviderDefinition) -> Result<Arc<dyn Provider>> {
        let name = definition.name.clone();
        self.of_kind(&definition)?.build(definition).await.map_err(|error| error.at(&name))
    }

    /// See [`ProviderFactory::check`].
    pub async fn check(&self, definition: ProviderDefinition) -> Result<()> {
        let name = definition.name.clone();
        self.of_kind(&definition)?.check(definition).await.map_err(|error| error.at(&name))
    }

    fn of_kind(&self, definition: &ProviderDefinition) -> Result<&Arc<dyn ProviderFactory>> {
        self.factory(definition.kind).ok_or_else(|| {
            let kinds: Vec<&str> = self.kinds().map(ProviderKind::as_str).collect();
            ProviderError::new(
                ErrorKind::Invalid,
                "configure",
                format!("this build has no support for providers of kind `{}`", definition.kind),
            )
            .advice(format!(
                "It was built with: {}. Install a package with all kinds, or build with the feature `{}`.",
                kinds.join(", "),
                definition.kind
            ))
            .at(&definition.name)
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds()).finish()
    }
}
