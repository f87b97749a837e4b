//! Memory for bytes in flight, shared by all transfers of a process.

use std::sync::{Arc, Mutex};

use novacron_provider::Buf;
use novacron_types::MIB;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const UNIT: u64 = 64 * 1024;

/// Hands out leave to hold bytes in memory, and keeps buffers to be used again.
#[derive(Debug)]
pub struct Budget {
    permits: Arc<Semaphore>,
    total: u64,
    spare: Mutex<Vec<Buf>>,
}

/// Leave to hold some bytes. Dropping it gives it back.
#[derive(Debug)]
pub struct Lease {
    budget: Arc<Budget>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(64 * MIB)
    }
}

impl Budget {
    /// At least 2 MiB, so that any piece can be moved.
    pub fn new(bytes: u64) -> Self {
        let total = bytes.max(2 * MIB);
        let permits = Arc::new(Semaphore::new((total / UNIT) as usize));
        Self { permits, total, spare: Mutex::new(Vec::new()) }
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// Waits for its turn. More than all there is counts as all there is.
    pub async fn lease(self: &Arc<Self>, bytes: u64) -> Lease {
        let units = bytes.div_ceil(UNIT).clamp(1, self.total / UNIT) as u32;
        // The semaphore is never closed, so there is a permit; without one the buffer would merely not be counted.
        let permit = self.permits.clone().acquire_many_owned(units).await.ok();
        Lease { budget: self.clone(), _permit: permit }
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Vec<Buf>> {
        self.spare.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Lease {
    /// A buffer of this length; what it holds is not specified.
    pub fn buf(&self, len: u64) -> Buf {
        let mut buf = self.budget.spare().pop().unwrap_or_else(|| Buf::zeroed(len as usize));
        buf.resize(len as usize);
        buf
    }

    /// Keeps a buffer for the next one who needs it.
    pub fn give_back(&self, buf: Buf) {
        let mut spare = self.budget.spare();
        let kept: usize = spare.iter().map(Buf::capacity).sum();
        if (kept + buf.capacity()) as u64 <= self.budget.total {
            spare.push(buf);
        }
    }
}
