//! What all requests share.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::blocks::BlockStore;
use crate::clock::{Clock, Millis};
use crate::config::SandboxConfig;
use crate::ebs::Tokens;
use crate::error::{ApiError, ApiResult};
use crate::faults::FaultPlan;
use crate::identity::Identities;
use crate::model::{Counts, Region, State};
use crate::prices::Book;
use crate::throttle::Buckets;

#[derive(Debug)]
pub(crate) struct Core {
    pub config: SandboxConfig,
    pub clock: Clock,
    pub identities: Identities,
    pub tokens: Tokens,
    state: Mutex<State>,
    faults: Mutex<FaultPlan>,
    buckets: Mutex<Buckets>,
    prices: Mutex<Book>,
    pub store: Arc<BlockStore>,
    /// Last, so that the blocks are gone before their directory is.
    pub dir: tempfile::TempDir,
}

impl Core {
    pub fn new(config: SandboxConfig) -> io::Result<Self> {
        let mut folder = tempfile::Builder::new();
        folder.prefix("novacron-sandbox-");
        let dir = match &config.data_dir {
            Some(parent) => {
                std::fs::create_dir_all(parent)?;
                folder.tempdir_in(parent)?
            }
            None => folder.tempdir()?,
        };
        Ok(Self {
            clock: Clock::default(),
            identities: Identities::new(&config),
            tokens: Tokens::new(config.token_ttl),
            state: Mutex::default(),
            faults: Mutex::default(),
            buckets: Mutex::new(Buckets::new(config.throttle)),
            prices: Mutex::default(),
            store: BlockStore::create(dir.path())?,
            dir,
            config,
        })
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub fn faults(&self) -> MutexGuard<'_, FaultPlan> {
        lock(&self.faults)
    }

    pub fn buckets(&self) -> MutexGuard<'_, Buckets> {
        lock(&self.buckets)
    }

    pub fn prices(&self) -> Book {
        *lock(&self.prices)
    }

    pub fn prices_mut(&self) -> MutexGuard<'_, Book> {
        lock(&self.prices)
    }

    /// Runs `work` on a region. Nothing else changes it meanwhile, so `work` must not block.
    pub fn with_region<T>(&self, name: &str, work: impl FnOnce(&mut Region, Millis) -> ApiResult<T>) -> ApiResult<T> {
        let now = self.now();
        let mut state = self.state();
        match state.region(name, now) {
            Some(region) => work(region, now),
            None => Err(ApiError::new("AuthFailure", 401, format!("'{name}' is not a region of the sandbox"))),
        }
    }

    pub fn counts(&self) -> Counts {
        let now = self.now();
        let mut counts = Counts::default();
        for region in self.state().all(now) {
            region.count_into(&mut counts, now);
            counts.mapped_blocks += region.maps().map(|m| m.len()).sum::<usize>();
        }
        counts.stored_blocks = self.store.len();
        counts
    }
}

/// A lock that a panicking holder does not take away from everyone else.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
