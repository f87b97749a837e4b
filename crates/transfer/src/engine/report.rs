//! What a sync can say of itself when it has ended.

use novacron_provider::Written;
use novacron_types::{ContentRoot, VerifyLevel};

use super::{TransferError, copier::Copier};
use crate::{
    content::CHUNK,
    ledger::{Ledger, Opened},
};

impl Copier {
    /// The root of what the target holds, where somebody has looked: the target's own store, which compared a checksum
    /// with each block, or we, who have read back what was written. Else there is none.
    pub(super) async fn target_root(&self) -> Result<Option<ContentRoot>, TransferError> {
        if self.options.verify == VerifyLevel::Transit && !self.checked_store {
            return Ok(None);
        }
        let root = self.on_ledger(Ledger::checked_root).await?;
        let unchecked = || TransferError::Internal("something was written that has not been checked".into());
        root.ok_or_else(unchecked).map(Some)
    }

    pub(super) async fn written(&self) -> Result<Written, TransferError> {
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

    pub(super) fn method(&self, used_changed_blocks: bool, opened: &Opened) -> String {
        let read = match (used_changed_blocks, opened) {
            (true, _) => {
                "the blocks that the source lists as changed were read, the rest is known from the sync before"
            }
            (false, Opened::Next) => "the whole source was read and compared by digests with the sync before",
            (false, _) => "the whole source was read",
        };
        let checked = match (self.options.verify, self.checked_store) {
            (_, true) => "the store compared a checksum with each block that it took",
            (VerifyLevel::Stored, false) => {
                "what was written was read back from the target and its BLAKE3 digests compared with the source's"
            }
            (VerifyLevel::Transit, false) => "what the target stored was not read again",
        };
        format!("{read}; {checked} (chunks of {} KiB)", CHUNK / 1024)
    }
}
