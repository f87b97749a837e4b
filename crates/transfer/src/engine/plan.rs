//! What is to be done, in order: extents of data and holes, cut so that no two share a unit.

use std::{collections::VecDeque, sync::Arc};

use novacron_provider::{BlockReader, Extent, ExtentPage, ProviderError};

use super::Changes;

/// A run of whole units; only the last of a disk may be cut short by its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Data { offset: u64, len: u64 },
    Hole { offset: u64, len: u64 },
}

/// Where the extents come from.
pub(super) enum Origin {
    /// The whole disk: what is in no extent is a hole.
    Disk(Arc<dyn BlockReader>),
    /// Only what changed: what is in no extent stays as it is.
    Changes(Arc<dyn Changes>),
}

pub(super) struct Plan {
    origin: Origin,
    size: u64,
    unit: u64,
    most: u64,
    queue: VecDeque<Extent>,
    /// Where the next page begins; absent when all have been had.
    from: Option<u64>,
    /// Everything before this has been given out.
    at: u64,
}

impl Plan {
    /// `unit` is a power of two; `most` is what one task may hold.
    pub fn new(origin: Origin, size: u64, unit: u64, most: u64) -> Self {
        let most = (most / unit).max(1) * unit;
        Self { origin, size, unit, most, queue: VecDeque::new(), from: Some(0), at: 0 }
    }

    /// The next task. Asking again after an error goes on where it was.
    pub async fn next(&mut self) -> Result<Option<Task>, ProviderError> {
        loop {
            if self.at >= self.size {
                return Ok(None);
            }
            let Some(extent) = self.queue.front().copied() else {
                match self.from {
                    Some(from) => self.fill(from).await?,
                    None => return Ok(self.rest()),
                }
                continue;
            };
            let start = (extent.offset / self.unit * self.unit).max(self.at);
            let end = extent.end().next_multiple_of(self.unit).min(self.size);
            if start >= end {
                self.queue.pop_front();
                continue;
            }
            if start > self.at {
                let hole = Task::Hole { offset: self.at, len: start - self.at };
                self.at = start;
                if matches!(self.origin, Origin::Disk(_)) {
                    return Ok(Some(hole));
                }
            }
            if extent.zero {
                self.queue.pop_front();
                self.at = end;
                return Ok(Some(Task::Hole { offset: start, len: end - start }));
            }
            let mut end = end.min(start + self.most);
            if end >= extent.end() {
                self.queue.pop_front();
                end = self.absorb(start, end);
            }
            self.at = end;
            return Ok(Some(Task::Data { offset: start, len: end - start }));
        }
    }

    /// Takes in neighbours that touch what ends at `end`.
    fn absorb(&mut self, start: u64, mut end: u64) -> u64 {
        while let Some(next) = self.queue.front().copied() {
            let touches = next.offset / self.unit * self.unit <= end && !next.zero;
            let new_end = next.end().next_multiple_of(self.unit).min(self.size);
            if !touches || new_end.saturating_sub(start) > self.most {
                break;
            }
            end = end.max(new_end);
            self.queue.pop_front();
        }
        end
    }

    fn rest(&mut self) -> Option<Task> {
        let hole = Task::Hole { offset: self.at, len: self.size - self.at };
        self.at = self.size;
        matches!(self.origin, Origin::Disk(_)).then_some(hole)
    }

    async fn fill(&mut self, from: u64) -> Result<(), ProviderError> {
        let page = match &self.origin {
            Origin::Disk(reader) => reader.extents(from).await?,
            Origin::Changes(changes) => changes.changed(from).await?,
        };
        self.take(from, page);
        Ok(())
    }

    fn take(&mut self, from: u64, page: ExtentPage) {
        // A page that does not lead on would be asked for without end; what it leaves out is then read.
        self.from = page.next.filter(|next| *next > from && *next < self.size);
        let stuck = page.next.is_some_and(|next| next <= from && next < self.size);
        for extent in page.extents {
            let end = extent.offset.saturating_add(extent.len).min(self.size);
            let extent = Extent { len: end.saturating_sub(extent.offset), ..extent };
            if extent.len == 0 {
                continue;
            }
            // In a whole disk a known zero is a hole like any other. In a list of changes it counts only in whole units.
            let whole = extent.offset.is_multiple_of(self.unit) && (end.is_multiple_of(self.unit) || end == self.size);
            match (&self.origin, extent.zero) {
                (Origin::Disk(_), true) => {}
                (Origin::Changes(_), true) if !whole => self.queue.push_back(Extent { zero: false, ..extent }),
                _ => self.queue.push_back(extent),
            }
        }
        if stuck {
            let offset = self.queue.back().map_or(from, Extent::end);
            self.queue.push_back(Extent { offset, len: self.size - offset, zero: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use novacron_provider::{Buf, Result};
    use proptest::prelude::*;

    use super::*;

    struct Pages(Vec<Extent>, u64, usize);

    impl Pages {
        fn page(&self, from: u64) -> ExtentPage {
            let mut rest = self.0.iter().copied().filter(|extent| extent.offset >= from);
            let extents: Vec<Extent> = rest.by_ref().take(self.2).collect();
            ExtentPage { extents, next: rest.next().map(|extent| extent.offset) }
        }
    }

    #[async_trait]
    impl BlockReader for Pages {
        fn size(&self) -> u64 {
            self.1
        }
        fn granularity(&self) -> u64 {
            512
        }
        async fn extents(&self, from: u64) -> Result<ExtentPage> {
            Ok(self.page(from))
        }
        async fn read(&self, _: u64, buf: Buf) -> Result<Buf> {
            Ok(buf)
        }
    }

    #[async_trait]
    impl Changes for Pages {
        async fn changed(&self, from: u64) -> Result<ExtentPage> {
            Ok(self.page(from))
        }
    }

    fn all(mut plan: Plan) -> Vec<Task> {
        futures::executor::block_on(async {
            let mut tasks = Vec::new();
            while let Some(task) = plan.next().await.unwrap() {
                tasks.push(task);
            }
            tasks
        })
    }

    proptest! {
        #[test]
        fn covers_every_byte_once(
            parts in prop::collection::vec((0u64..300, 1u64..300, any::<bool>()), 0..30),
            tail in 0u64..300, page in 1usize..5, most in 1u64..1000, disk: bool,
        ) {
            let unit = 64;
            let mut at = 0;
            let mut extents = Vec::new();
            for (gap, len, zero) in parts {
                extents.push(Extent { offset: at + gap, len, zero });
                at += gap + len;
            }
            let size = at + tail + 1;
            let pages = Arc::new(Pages(extents.clone(), size, page));
            let origin = if disk { Origin::Disk(pages) } else { Origin::Changes(pages) };
            let tasks = all(Plan::new(origin, size, unit, most));
            let mut covered = vec![0u8; size as usize];
            let mut end = 0;
            for task in tasks {
                let (offset, len, mark) = match task {
                    Task::Data { offset, len } => (offset, len, 1),
                    Task::Hole { offset, len } => (offset, len, 2),
                };
                prop_assert!(offset >= end && offset % unit == 0 && len > 0);
                if disk { prop_assert_eq!(offset, end); }
                end = offset + len;
                prop_assert!(end % unit == 0 || end == size);
                prop_assert!(mark == 2 || len <= (most / unit).max(1) * unit);
                covered[offset as usize..end as usize].fill(mark);
            }
            if disk { prop_assert_eq!(end, size); }
            for extent in &extents {
                for byte in extent.offset..extent.end() {
                    if !extent.zero { prop_assert_eq!(covered[byte as usize], 1); }
                    else if !disk { prop_assert!(covered[byte as usize] > 0); }
                }
            }
        }
    }
}
