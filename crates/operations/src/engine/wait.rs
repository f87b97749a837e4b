//! Waiting for the end of an operation, wherever it runs.

use std::time::Duration;

use novacron_types::OperationId;
use tokio::time::Instant;

use super::Engine;
use crate::{EngineError, OperationRecord, StoreError, backoff::STORE_TROUBLE};

/// A store that is in trouble is waited for so long.
const LIMIT: Duration = Duration::from_secs(5 * 60);

impl Engine {
    /// Waits until the operation has ended. A store that is in trouble for minutes is no error yet.
    pub async fn wait(&self, id: &OperationId) -> Result<OperationRecord, EngineError> {
        let mut trouble = Trouble::default();
        loop {
            match self.follow(id, &mut trouble).await {
                Err(error) => trouble.ride_out(error).await?,
                ended => return ended,
            }
        }
    }

    async fn follow(&self, id: &OperationId, trouble: &mut Trouble) -> Result<OperationRecord, EngineError> {
        let mut watch = self.watch(id).await?;
        let mut last = None;
        while let Some(record) = watch.next().await {
            last = Some(record?);
            *trouble = Trouble::default();
        }
        last.ok_or_else(|| StoreError::NotFound(id.clone()).into())
    }
}

#[derive(Default)]
struct Trouble {
    since: Option<Instant>,
    retries: u32,
}

impl Trouble {
    /// Pauses, where looking again may help.
    async fn ride_out(&mut self, error: EngineError) -> Result<(), EngineError> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let may_pass = matches!(&error, EngineError::Store(StoreError::Unavailable(_) | StoreError::Full(_)));
        if !may_pass || since.elapsed() > LIMIT {
            return Err(error);
        }
        tokio::time::sleep(STORE_TROUBLE.delay(self.retries, None, 0.5)).await;
        self.retries += 1;
        Ok(())
    }
}
