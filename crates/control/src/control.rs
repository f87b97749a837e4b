//! The control plane's handle: how it starts, stops and finds things.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use novacron_operations::{Engine, EngineConfig};
use novacron_provider::{ListFilter, Page, PageToken, ProviderDefinition, Registry};
use novacron_store::Store;
use novacron_types::{Instance, InstanceId, ProviderName, TransferOptions};

use crate::{
    ControlError, Directory, DiskMover, PlacingSettings, ProviderSummary,
    directory::Entry,
    metrics::Metrics,
    placing::{Background, Placing},
    retention::Retention,
    workflow::{Burst, Create, Export, Import, Migrate, Rebalance, Tools},
};

/// What the configuration says.
#[derive(Debug, Clone)]
pub struct ControlSettings {
    pub providers: Vec<ProviderDefinition>,
    /// The provider that `local` means: the federation's own host.
    pub local: ProviderName,
    /// For what a request's options leave open.
    pub defaults: TransferOptions,
    /// How long a move can still be undone before its source is deleted.
    pub grace: Duration,
    /// How long what has ended is kept. Absent: for ever.
    pub retention: Option<Duration>,
    pub placing: PlacingSettings,
    pub engine: EngineConfig,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The token's name, for the audit log.
    pub actor: String,
    /// The same key and request make one operation, however often they come.
    pub idempotency_key: Option<String>,
}

/// The control plane. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub tools: Tools,
    pub engine: Engine,
    pub metrics: Metrics,
    local: ProviderName,
    defaults: TransferOptions,
    grace: Duration,
    retention: Mutex<Option<Retention>>,
    background: Mutex<Option<Background>>,
    /// When it was last seen whether the store takes writes, and why not.
    pub(crate) writes: tokio::sync::Mutex<Option<(Instant, Option<String>)>>,
}

impl Control {
    /// Builds the providers, which asks nothing of any cloud, and takes up the work that was left.
    pub async fn start(
        settings: ControlSettings,
        registry: &Registry,
        store: Store,
        mover: Arc<dyn DiskMover>,
    ) -> Result<Self, ControlError> {
        let directory = Arc::new(Directory::build(settings.providers, registry).await?);
        directory.find(settings.local.as_str())?;
        let retention = settings.retention.map(|keep| Retention::start(store.clone(), keep));
        let placing = Arc::new(Placing::new(settings.placing, directory.clone(), store.clone()));
        let tools = Tools { directory, store: store.clone(), mover, placing, control: Arc::default() };
        let engine = Engine::builder(store.operations())
            .config(settings.engine)
            .register(Import(tools.clone()))
            .register(Export(tools.clone()))
            .register(Migrate(tools.clone()))
            .register(Create::new(tools.clone()))
            .register(Rebalance(tools.clone()))
            .register(Burst(tools.clone()))
            .build();
        let inner = Inner {
            tools,
            engine,
            metrics: Metrics::new(),
            local: settings.local,
            defaults: settings.defaults,
            grace: settings.grace,
            retention: Mutex::new(retention),
            background: Mutex::default(),
            writes: tokio::sync::Mutex::default(),
        };
        let inner = Arc::new(inner);
        // Before the first step runs, which may ask for it.
        let _ = inner.tools.control.set(Arc::downgrade(&inner));
        inner.engine.start();
        let control = Self { inner };
        let background = Background::start(&control);
        *control.inner.background.lock().unwrap_or_else(PoisonError::into_inner) = Some(background);
        Ok(control)
    }

    /// Stops running steps and gives their operations back, for the next start or another process to carry on.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.background.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.inner.retention.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.inner.engine.shutdown(grace).await;
    }

    pub fn providers(&self) -> Vec<ProviderSummary> {
        self.directory().summaries()
    }

    /// One page of the machines at a provider.
    pub async fn discover(
        &self,
        reference: &str,
        filter: &ListFilter,
        page: Option<&PageToken>,
    ) -> Result<Page<Instance>, ControlError> {
        let entry = self.find(reference)?;
        let found = entry.provider.list_page(filter, page).await?;
        entry.note_page(filter, page, &found);
        Ok(found)
    }

    pub async fn instance(&self, reference: &str, id: &InstanceId) -> Result<Instance, ControlError> {
        Ok(self.find(reference)?.provider.get(id).await?)
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.inner.tools.directory
    }

    /// As [`Directory::find`], with `local` for the federation's own host.
    pub(crate) fn find(&self, reference: &str) -> Result<&Entry, ControlError> {
        match self.directory().find(reference) {
            Err(_) if reference == "local" => self.directory().find(self.inner.local.as_str()),
            found => found,
        }
    }

    /// Where an import goes.
    pub(crate) fn target(&self, reference: Option<&str>) -> Result<&Entry, ControlError> {
        self.find(reference.unwrap_or("local"))
    }

    pub(crate) fn defaults(&self) -> &TransferOptions {
        &self.inner.defaults
    }

    pub(crate) fn grace(&self) -> Duration {
        self.inner.grace
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.tools.store
    }
}
