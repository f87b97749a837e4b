//! Running a sync: its lanes, its barrier, its phases.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use novacron_provider::{BlockReader, BlockWriter, ErrorKind, StoredCheck, Written};
use novacron_types::{MIB, VerifyLevel};
use tokio::{sync::Mutex, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    CopyControl, CopyJob, CopyOptions, CopyReport, Phase, Progress, TransferError,
    barrier::Barrier,
    gate::Gate,
    meter::Meter,
    patience::Patience,
    plan::{Origin, Plan, Task},
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
/// How long what was moved may take to be made safe after a sync was broken off.
const LAST_FLUSH: Duration = Duration::from_secs(30);

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

        let read_back = self.options.verify == VerifyLevel::Stored && !self.checked_store;
        let verify_all = self.options.verify_all;
        if read_back || verify_all {
            self.publish(Phase::Verifying);
            let copier = self.clone();
            self.with_barrier(move |lanes| copier.clone().spawn_verify(verify_all, lanes)).await?;
        }
        self.on_ledger(Ledger::finish).await?;
        let root = self.on_ledger(Ledger::root).await?;
        Ok(CopyReport {
            size_bytes: self.size,
            source_root: root,
            target_root: root,
            verified: self.options.verify,
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

    fn spawn_copy(self: Arc<Self>, plan: Arc<Mutex<Plan>>, lanes: &mut JoinSet<Result<(), TransferError>>) {
        for _ in 0..self.options.workers.max(1) {
            let extent = Arc::new(Mutex::new(None));
            for _ in 0..self.depth {
                let (copier, plan, extent) = (self.clone(), plan.clone(), extent.clone());
                lanes.spawn(async move {
                    while let Some(task) = copier.next_piece(&plan, &extent).await? {
                        copier.may_go_on().await?;
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

    /// Waits while the sync is paused.
    pub async fn may_go_on(&self) -> Result<(), TransferError> {
        if *self.control.paused.borrow() {
            let mut paused = self.control.paused.subscribe();
            let _ = paused.wait_for(|paused| !paused).await;
        }
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

    async fn written(&self) -> Result<Written, TransferError> {
        let (block, size) = (self.writer.granularity(), self.size);
        self.on_ledger(move |ledger| {
            let (mut blocks, mut last) = (0, None);
            ledger.scan(|chunk, state| {
                if !state.written {
                    return;
                }
                let start = chunk * CHUNK;
                if block <= CHUNK {
                    blocks += (size - start).min(CHUNK).div_ceil(block);
                } else if last != Some(start / block) {
                    last = Some(start / block);
                    blocks += 1;
                }
            })?;
            Ok(Written { blocks })
        })
        .await
    }

    fn method(&self, used_changed_blocks: bool, opened: &Opened) -> String {
        let read = match (used_changed_blocks, opened) {
            (true, _) => {
                "the blocks that the source lists as changed were read, the rest is known from the sync before"
            }
            (false, Opened::Next) => "the whole source was read and compared by digests with the sync before",
            (false, _) => "the whole source was read",
        };
        let checked = match (self.options.verify, self.checked_store) {
            (_, true) => "the store compared a checksum with each block that it took",
            (VerifyLevel::Stored, false) if self.options.verify_all => {
                "the whole target was read back and its BLAKE3 digests compared with the source's"
            }
            (VerifyLevel::Stored, false) => {
                "what was written was read back from the target and its BLAKE3 digests compared with the source's"
            }
            (VerifyLevel::Transit, false) if self.options.verify_all => "the whole target was read back and compared",
            (VerifyLevel::Transit, false) => "what the target stored was not read again",
        };
        format!("{read}; {checked} (chunks of {} KiB)", CHUNK / 1024)
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
