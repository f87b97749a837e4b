//! The lanes of a sync: who takes which piece, and the barrier beside them.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    TransferError,
    copier::Copier,
    plan::{Plan, Task},
};

/// How long what was moved may take to be made safe after a sync was broken off.
const LAST_FLUSH: Duration = Duration::from_secs(30);

impl Copier {
    pub(super) fn spawn_copy(self: Arc<Self>, plan: Arc<Mutex<Plan>>, lanes: &mut JoinSet<Result<(), TransferError>>) {
        for _ in 0..self.options.workers.max(1) {
            let extent = Arc::new(Mutex::new(None));
            for _ in 0..self.depth {
                let (copier, plan, extent) = (self.clone(), plan.clone(), extent.clone());
                lanes.spawn(async move {
                    while let Some(task) = copier.next_piece(&plan, &extent).await? {
                        copier.may_go_on()?;
                        match task {
                            Task::Hole { offset, len } => copier.hole(offset, len).await?,
                            Task::Data { offset, len } => copier.piece(offset, len).await?,
                        }
                    }
                    Ok(())
                });
            }
        }
    }

    /// The next piece of the worker's extent, or the first one of a new extent.
    async fn next_piece(
        &self,
        plan: &Mutex<Plan>,
        extent: &Mutex<Option<(u64, u64)>>,
    ) -> Result<Option<Task>, TransferError> {
        let mut extent = extent.lock().await;
        let (offset, end) = match extent.take() {
            Some(rest) => rest,
            None => {
                let mut tries = 0;
                let task = loop {
                    let next = plan.lock().await.next().await;
                    match next {
                        Ok(task) => break task,
                        Err(error) => self.patience.wait(error.into(), &mut tries, &self.gate, &self.meter).await?,
                    }
                };
                match task {
                    Some(Task::Data { offset, len }) => (offset, offset + len),
                    other => return Ok(other),
                }
            }
        };
        let len = (self.piece - offset % self.piece).min(end - offset);
        *extent = (offset + len < end).then_some((offset + len, end));
        Ok(Some(Task::Data { offset, len }))
    }

    /// Runs lanes beside the barrier. Whatever ends them, what was written is flushed and recorded.
    pub async fn with_barrier(
        self: &Arc<Self>,
        spawn: impl FnOnce(&mut JoinSet<Result<(), TransferError>>),
    ) -> Result<(), TransferError> {
        let no_more = CancellationToken::new();
        let mut lanes = JoinSet::new();
        spawn(&mut lanes);
        let barrier = self.barrier.run(self, &no_more);
        tokio::pin!(barrier);
        let ended = loop {
            tokio::select! {
                result = &mut barrier => break Err(result.err().unwrap_or(TransferError::Cancelled)),
                () = self.control.cancel.cancelled() => break Ok(Err(TransferError::Cancelled)),
                lane = lanes.join_next() => match lane {
                    None => break Ok(Ok(())),
                    Some(Ok(Ok(()))) => {}
                    Some(Ok(Err(error))) => break Ok(Err(error)),
                    Some(Err(error)) => break Ok(Err(TransferError::Internal(error.to_string()))),
                },
            }
        };
        lanes.shutdown().await;
        no_more.cancel();
        match ended {
            Err(failed_to_record) => Err(failed_to_record),
            Ok(Ok(())) => barrier.await,
            Ok(Err(error)) => {
                let _ = tokio::time::timeout(LAST_FLUSH, barrier).await;
                Err(error)
            }
        }
    }

    /// Asked before each new piece.
    pub fn may_go_on(&self) -> Result<(), TransferError> {
        if self.control.cancel.is_cancelled() { Err(TransferError::Cancelled) } else { Ok(()) }
    }

    pub async fn flush(&self) -> Result<(), TransferError> {
        let mut tries = 0;
        loop {
            match self.writer.flush().await {
                Ok(()) => return Ok(()),
                Err(error) => self.patience.wait(error.into(), &mut tries, &self.gate, &self.meter).await?,
            }
        }
    }
}
