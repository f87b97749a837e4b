//! The market of the catalog as it is kept, indexed once, and again when its files have changed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use novacron_catalog::{
    Catalog, EMBEDDED,
    refresh::{LastGood, Stamp},
};
use novacron_placement::{Binding, Market};

use super::CatalogSource;
use crate::{ControlError, ErrorClass};

/// Questions look at the files this often at most.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Without hosts.
pub(super) struct Prices {
    source: CatalogSource,
    bindings: Vec<Binding>,
    look_every: Duration,
    /// Held for moments only.
    known: Mutex<Option<Known>>,
    /// Held by the one who reads.
    looking: Arc<tokio::sync::Mutex<()>>,
}

struct Known {
    market: Arc<Market>,
    /// Of the files as they were before they were read. Absent: it can't change.
    stamp: Option<Stamp>,
    looked: Instant,
}

impl Prices {
    pub fn new(source: CatalogSource, bindings: Vec<Binding>) -> Self {
        Self { source, bindings, look_every: LOOK_EVERY, known: Mutex::default(), looking: Arc::default() }
    }

    /// The market by the files as they are now, or were seconds ago.
    pub async fn market(self: &Arc<Self>) -> Result<Arc<Market>, ControlError> {
        if let Some(market) = self.fresh() {
            return Ok(market);
        }
        let turn = match self.last() {
            None => self.looking.clone().lock_owned().await,
            Some(last) => match self.looking.clone().try_lock_owned() {
                Ok(turn) => turn,
                // Somebody reads already: what was known is good enough until that is done.
                Err(_) => return Ok(last),
            },
        };
        // Reading and indexing take a while, which would keep this thread from all else.
        let this = Arc::clone(self);
        let looked = tokio::task::spawn_blocking(move || {
            let looked = this.look();
            drop(turn);
            looked
        });
        looked.await.map_err(|error| unreadable(error.to_string()))?
    }

    /// The market that the last question was answered by.
    pub fn last(&self) -> Option<Arc<Market>> {
        self.known().as_ref().map(|known| known.market.clone())
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> Option<Arc<Market>> {
        let known = self.known();
        let known = known.as_ref()?;
        (known.stamp.is_none() || known.looked.elapsed() < self.look_every).then(|| known.market.clone())
    }

    /// Reads files, and so blocks. One does at a time.
    fn look(&self) -> Result<Arc<Market>, ControlError> {
        // Another question may have looked meanwhile.
        if let Some(market) = self.fresh() {
            return Ok(market);
        }
        let looked = Instant::now();
        let before = self.known().as_ref().map(|known| (known.market.clone(), known.stamp.clone()));
        let (market, stamp) = match (&self.source, &before) {
            (CatalogSource::Fixed(catalog), _) => (self.indexed(catalog.clone()), None),
            (CatalogSource::Kept(kept), before) => {
                let stamp = Some(kept.stamp());
                let catalog = match before {
                    Some((_, known)) if *known == stamp => None,
                    before => read(kept, before.is_none())?,
                };
                let market = match (catalog, before) {
                    (Some(catalog), _) => self.indexed(Arc::new(catalog)),
                    // The files are as they were, or no good, which was said: what is known is, until they change again.
                    (None, Some((market, _))) => market.clone(),
                    (None, None) => return Err(unreadable("there is none".to_owned())),
                };
                (market, stamp)
            }
        };
        if before.is_some_and(|(before, _)| !Arc::ptr_eq(&before, &market)) {
            tracing::info!("other prices are kept than before: they are decided by from now on");
        }
        *self.known() = Some(Known { market: market.clone(), stamp, looked });
        Ok(market)
    }

    fn indexed(&self, catalog: Arc<Catalog>) -> Arc<Market> {
        Arc::new(Market::new(catalog, Vec::new(), self.bindings.clone()))
    }
}

/// `None` where the files can't be used and there is something better than the program's own catalog.
fn read(kept: &LastGood, first: bool) -> Result<Option<Catalog>, ControlError> {
    let loaded = kept.load();
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match loaded.catalog {
        Some(catalog) => Ok(Some(catalog)),
        None if !first && !loaded.warnings.is_empty() => Ok(None),
        None => Catalog::from_snapshot(EMBEDDED).map(Some).map_err(|why| unreadable(why.to_string())),
    }
}

fn unreadable(why: String) -> ControlError {
    ControlError::new(ErrorClass::Internal, "catalog", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheaper(by: u64) -> Catalog {
        let mut parts = Catalog::from_snapshot(EMBEDDED).unwrap().into_parts();
        parts.offers.price_nanos.iter_mut().for_each(|nanos| *nanos = (*nanos).saturating_sub(by).max(1));
        Catalog::new(parts).unwrap()
    }

    fn first_price(market: &Market) -> u64 {
        market.catalog().offers().price_nanos[0]
    }

    #[tokio::test]
    async fn what_is_kept_later_is_decided_by_and_what_was_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let kept = LastGood::new(folder.path());
        let prices = Prices::new(CatalogSource::Kept(kept.clone()), Vec::new());
        let prices = Arc::new(Prices { look_every: Duration::ZERO, ..prices });
        let shipped = prices.market().await.unwrap();
        let (price, gone) = (first_price(&shipped), Arc::downgrade(shipped.catalog()));
        assert!(Arc::ptr_eq(&shipped, &prices.market().await.unwrap()), "it is read once");
        drop(shipped);

        kept.save(&cheaper(7)).unwrap();
        let market = prices.market().await.unwrap();
        assert_eq!(first_price(&market), price - 7);
        assert_eq!(first_price(&prices.last().unwrap()), price - 7);
        assert!(gone.upgrade().is_none(), "the old catalog is still in memory");

        // A file that is damaged takes nothing away, and a good one after it counts.
        std::fs::write(kept.path(), b"nonsense").unwrap();
        assert!(Arc::ptr_eq(&market, &prices.market().await.unwrap()));
        kept.save(&cheaper(9)).unwrap();
        assert_eq!(first_price(&prices.market().await.unwrap()), price - 9);
        // Without any there is the program's own.
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(first_price(&prices.market().await.unwrap()), price);
    }

    /// On one thread, which has to go on while prices are read.
    #[tokio::test]
    async fn who_asks_while_prices_are_read_is_answered_by_those_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let kept = LastGood::new(folder.path());
        let prices = Prices::new(CatalogSource::Kept(kept.clone()), Vec::new());
        let prices = Arc::new(Prices { look_every: Duration::ZERO, ..prices });
        let (first, same) = tokio::join!(prices.market(), prices.market());
        let first = first.unwrap();
        assert!(Arc::ptr_eq(&first, &same.unwrap()), "it is read twice");

        kept.save(&cheaper(7)).unwrap();
        let (reads, meanwhile) = tokio::join!(prices.market(), prices.market());
        assert!(Arc::ptr_eq(&first, &meanwhile.unwrap()), "it waits");
        assert_eq!(first_price(&reads.unwrap()), first_price(&first) - 7);
    }

    #[tokio::test]
    async fn files_are_looked_at_now_and_then_only() {
        let folder = tempfile::tempdir().unwrap();
        let kept = LastGood::new(folder.path());
        let prices = Prices::new(CatalogSource::Kept(kept.clone()), Vec::new());
        let prices = Arc::new(Prices { look_every: Duration::from_secs(3600), ..prices });
        let first = prices.market().await.unwrap();
        kept.save(&cheaper(7)).unwrap();
        assert!(Arc::ptr_eq(&first, &prices.market().await.unwrap()));
    }
}
