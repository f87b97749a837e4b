//! Running a sync: what its parts share, and its phases.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use novacron_provider::{BlockReader, BlockWriter, ErrorKind, StoredCheck};
use novacron_types::{MIB, VerifyLevel};
use tokio::sync::{Mutex, RwLock};

use super::{
    CopyControl, CopyJob, CopyOptions, CopyReport, Phase, Progress, TransferError,
    barrier::Barrier,
    gate::Gate,
    meter::Meter,
    patience::Patience,
    plan::{Origin, Plan},
};
use crate::{
    content::{CHUNK, chunk_count},
    ledger::{Ledger, LedgerError, Opened},
};

/// I/O and digests work in pieces of at most this, unless the target's own unit is larger.
const PIECE: u64 = 2 * MIB;
/// A source with blocks of this size is a store at the other end of a network, and slow to answer.
const FAR_BLOCK: u64 = 512 * 1024;
const SAMPLE: Duration = Duration::from_millis(200);

/// Everything that the parts of one sync share.
pub(super) struct Copier {
    pub reader: Arc<dyn BlockReader>,
    pub writer: Arc<dyn BlockWriter>,
    pub ledger: Arc<Ledger>,
    pub options: CopyOptions,
    pub control: CopyControl,
    pub meter: Meter,
    pub gate: Gate,
    pub patience: Patience,
    pub barrier: Barrier,
    pub size: u64,
    /// The unit in which the target is written: whole chunks and whole blocks of the target.
    pub write_unit: u64,
    /// The unit of work: that, and whole blocks of the source.
    pub unit: u64,
    pub piece: u64,
    /// Pieces that one worker has in flight.
    pub depth: usize,
    /// A chunk that the ledger says nothing about is zero at the target.
    pub absent_is_zero: bool,
    /// The target checks what it stores when it is written.
    pub checked_store: bool,
    /// Held alone by who writes again what was stored wrongly, and together by those who look at what is stored.
    pub healing: RwLock<()>,
}

/// Makes the target equal to the source, and proves it as the options say.
pub async fn copy(job: CopyJob, control: CopyControl) -> Result<CopyReport, TransferError> {
    let (source_bytes, target_bytes) = (job.reader.size(), job.writer.size());
    if source_bytes != target_bytes || source_bytes != job.identity.size_bytes {
        return Err(TransferError::Sizes { source_bytes, target_bytes });
    }
    let (path, identity, sync) = (job.ledger.clone(), job.identity.clone(), job.sync.clone());
    let new_target = job.new_target && job.writer.starts_zeroed();
    let (ledger, opened) =
        off_thread(move || Ledger::open(&path, &identity, &sync, new_target).map_err(TransferError::from)).await?;
    if let Opened::Restarted { why } = &opened {
        tracing::warn!(ledger = %job.ledger.display(), why, "the ledger could not be used; the disk is moved from its beginning");
    }
    let copier = Arc::new(Copier::new(&job, control.clone(), ledger));

    let work = copier.clone().run(&job, &opened);
    let result = tokio::select! {
        result = work => result,
        () = copier.sample() => Err(TransferError::Internal("the progress ended".into())),
    };
    copier.publish(if result.is_ok() { Phase::Done } else { copier.control.progress.borrow().phase });
    result
}

impl Copier {
    fn new(job: &CopyJob, control: CopyControl, ledger: Ledger) -> Self {
        let write_unit = job.writer.granularity().max(CHUNK);
        let unit = write_unit.max(job.reader.granularity());
        let most = (job.writer.max_write() / unit * unit).min(PIECE);
        let piece = most.max(unit);
        let size = job.reader.size();
        // A lane holds a piece and, where only parts of it are written, a copy of a part.
        let lanes = (control.budget.total() / (2 * piece)).max(1) as usize;
        let checked_store = job.writer.stored_check() == StoredCheck::StoreChecksum;
        let far = checked_store || job.reader.granularity() >= FAR_BLOCK;
        // What changed is small pieces far apart, and each of them waits for the disk.
        let scattered = job.changes.is_some();
        let depth = job.options.depth.unwrap_or(if far || scattered { 8 } else { 2 }).max(1);
        Self {
            reader: job.reader.clone(),
            writer: job.writer.clone(),
            absent_is_zero: ledger.absent_is_zero(),
            ledger: Arc::new(ledger),
            meter: Meter::new(size),
            gate: Gate::new(lanes.min(job.options.workers.max(1) * depth)),
            depth,
            patience: Patience::new(job.options.attempts),
            barrier: Barrier::new(size),
            size,
            write_unit,
            unit,
            piece,
            checked_store,
            healing: RwLock::default(),
            options: job.options.clone(),
            control,
        }
    }

    async fn run(self: Arc<Self>, job: &CopyJob, opened: &Opened) -> Result<CopyReport, TransferError> {
        let started = Instant::now();
        self.publish(Phase::Preparing);
        let origin = self.origin(job).await?;
        let used_changed_blocks = matches!(origin, Origin::Changes(_));
        let plan = Arc::new(Mutex::new(Plan::new(origin, self.size, self.unit, self.options.extent_bytes)));
        self.publish(Phase::Copying);
        let copier = self.clone();
        self.with_barrier(move |lanes| copier.clone().spawn_copy(plan, lanes)).await?;
        if used_changed_blocks {
            let settled = self.meter.stats().bytes_done;
            self.meter.unchanged.fetch_add(self.size - settled.min(self.size), Relaxed);
        }
        let copied = Instant::now();

        if self.options.verify == VerifyLevel::Stored && !self.checked_store {
            self.publish(Phase::Verifying);
            let copier = self.clone();
            self.with_barrier(move |lanes| copier.clone().spawn_verify(lanes)).await?;
        }
        let target_root = self.target_root().await?;
        self.on_ledger(Ledger::finish).await?;
        let source_root = self.on_ledger(Ledger::root).await?;
        Ok(CopyReport {
            size_bytes: self.size,
            source_root,
            target_root,
            verified: if target_root.is_some() { VerifyLevel::Stored } else { VerifyLevel::Transit },
            method: self.method(used_changed_blocks, opened),
            stats: self.meter.stats(),
            written: self.written().await?,
            healed: self.meter.healed.load(Relaxed),
            retries: self.meter.retries.load(Relaxed),
            used_changed_blocks,
            copy_seconds: (copied - started).as_secs_f64(),
            verify_seconds: copied.elapsed().as_secs_f64(),
        })
    }

    /// The list of changes if the target is known to hold what it counts from, else the whole disk.
    async fn origin(&self, job: &CopyJob) -> Result<Origin, TransferError> {
        if let (Some(changes), Some(base)) = (&job.changes, &job.sync.base) {
            let mut tries = 0;
            while self.ledger.base().as_ref() == Some(base) {
                match changes.changed(0).await {
                    Ok(_) => return Ok(Origin::Changes(changes.clone())),
                    Err(error) if error.kind == ErrorKind::Conflict => {
                        tracing::info!(%error, "the source can't tell what changed; all of it is compared by digests");
                        break;
                    }
                    Err(error) => self.patience.wait(error.into(), &mut tries, &self.gate, &self.meter).await?,
                }
            }
        }
        Ok(Origin::Disk(self.reader.clone()))
    }

    pub async fn on_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, TransferError> {
        let ledger = self.ledger.clone();
        off_thread(move || work(&ledger).map_err(TransferError::from)).await
    }

    /// How long a chunk is, the last one of the disk included.
    pub fn span(&self, first: u64, chunks: u64) -> u64 {
        ((first + chunks) * CHUNK).min(self.size) - first * CHUNK
    }

    fn publish(&self, phase: Phase) {
        self.control.progress.send_replace(Progress { phase, stats: self.meter.stats() });
    }

    /// Publishes progress for as long as it is polled.
    async fn sample(&self) {
        let mut ticks = tokio::time::interval(SAMPLE);
        loop {
            ticks.tick().await;
            let phase = self.control.progress.borrow().phase;
            self.publish(phase);
        }
    }

    /// Chunks of the disk.
    pub fn chunks(&self) -> u64 {
        chunk_count(self.size)
    }
}

pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TransferError> + Send + 'static,
) -> Result<T, TransferError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(TransferError::Internal(error.to_string())),
    }
}
