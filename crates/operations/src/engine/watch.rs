//! Following an operation, wherever it runs.

use std::sync::Arc;

use tokio::sync::watch;

use super::Inner;
use crate::{EngineError, OperationRecord};

/// See [`Engine::watch`](crate::Engine::watch).
pub struct Watch {
    inner: Arc<Inner>,
    last: OperationRecord,
    shown: bool,
    feed: Option<watch::Receiver<OperationRecord>>,
}

impl Watch {
    pub(super) fn new(inner: Arc<Inner>, now: OperationRecord) -> Self {
        Self { inner, last: now, shown: false, feed: None }
    }

    /// The next state that differs from the one before; `None` after the one in which the operation has ended.
    /// May be dropped and called again. After an error the next call looks again.
    pub async fn next(&mut self) -> Option<Result<OperationRecord, EngineError>> {
        if !self.shown {
            self.shown = true;
            return Some(Ok(self.last.clone()));
        }
        loop {
            if self.last.status.is_terminal() {
                return None;
            }
            let record = match self.look().await {
                Ok(record) => record?,
                Err(error) => return Some(Err(error)),
            };
            if record != self.last {
                self.last = record;
                return Some(Ok(self.last.clone()));
            }
        }
    }

    async fn look(&mut self) -> Result<Option<OperationRecord>, EngineError> {
        if self.feed.is_none()
            && let Some(live) = self.inner.live(&self.last.id)
        {
            self.feed = Some(live.subscribe());
            return Ok(Some(live.record()));
        }
        if let Some(feed) = &mut self.feed {
            if feed.changed().await.is_ok() {
                return Ok(Some(feed.borrow_and_update().clone()));
            }
            // It no longer runs here: it has ended, waits, or is another's now.
            self.feed = None;
        } else {
            tokio::time::sleep(self.inner.config.poll).await;
        }
        Ok(self.inner.store.get(&self.last.id).await?.map(|operation| operation.record))
    }
}
