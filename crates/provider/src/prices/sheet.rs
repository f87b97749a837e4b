//! What a fetch brought home, and the checks that every row and every sheet passes on the way.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use jiff::civil::Date;
use novacron_types::ProviderKind;

use super::{Decimal, Term};
use crate::{ErrorKind, ProviderError, Result};

/// More rows than any vendor has.
const MOST_ROWS: usize = 4_000_000;
/// 10,000 units an hour: 20 times the dearest machine there is.
const MOST_NANOS: u64 = 10_000 * 1_000_000_000;

/// Rows that one vendor states in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceGroup {
    /// Short, unique within the vendor's: `azure-retail-spot`.
    pub name: String,
    /// Who states the figures, and where.
    pub source: String,
    /// `None`: each figure is the vendor's own. Else how it follows from the vendor's figures.
    pub rule: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRow {
    pub region: Arc<str>,
    /// The vendor's name of the machine type.
    pub machine: Arc<str>,
    pub term: Term,
    /// 10⁻⁹ units of the sheet's currency, an hour.
    pub nanos: u64,
    /// Index into [`PriceSheet::groups`].
    pub group: usize,
    /// Since when, where the vendor says so.
    pub effective: Option<Date>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskPrice {
    pub region: Arc<str>,
    /// The catalog's name of the disk type.
    pub name: String,
    pub nanos_per_gb_month: u64,
    pub group: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransferTo {
    Internet,
    /// Another region of the vendor.
    Region(Arc<str>),
}

/// From so many GB a month on, each GB costs this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferTier {
    pub from_gb: u64,
    pub nanos_per_gb: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferPrice {
    pub from: Arc<str>,
    pub to: TransferTo,
    /// The first begins at 0 and each later one beyond the one before.
    pub tiers: Vec<TransferTier>,
    pub group: usize,
}

/// Rows that were not used as they are, for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oddity {
    pub count: usize,
    /// The first of them.
    pub example: String,
}

/// All that a vendor said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceSheet {
    pub kind: ProviderKind,
    /// ISO 4217, of every amount.
    pub currency: [u8; 3],
    pub groups: Vec<PriceGroup>,
    /// At most one of each region, machine and term, in that order.
    pub rows: Vec<PriceRow>,
    pub disks: Vec<DiskPrice>,
    pub transfers: Vec<TransferPrice>,
    /// Of these terms and regions the sheet has all that is sold there, but for what the next two name.
    pub whole: BTreeSet<(Term, Arc<str>)>,
    /// Machines whose parts the source does not price in a way that is known.
    pub unpriced: BTreeSet<Arc<str>>,
    /// Region, machine and term of rows that the vendor has and that can't be used.
    pub unusable: HashSet<(Arc<str>, Arc<str>, Term)>,
    pub oddities: BTreeMap<&'static str, Oddity>,
}

/// Takes rows in any order and from several pages at once.
#[derive(Debug)]
pub struct SheetBuilder {
    sheet: PriceSheet,
    rows: HashMap<(Arc<str>, Arc<str>, Term), PriceRow>,
    names: HashSet<Arc<str>>,
    /// How many were absurd: negative, or beyond any price.
    absurd: usize,
}

impl SheetBuilder {
    pub fn new(kind: ProviderKind, currency: [u8; 3], groups: Vec<PriceGroup>) -> Self {
        Self {
            sheet: PriceSheet {
                kind,
                currency,
                groups,
                rows: Vec::new(),
                disks: Vec::new(),
                transfers: Vec::new(),
                whole: BTreeSet::new(),
                unpriced: BTreeSet::new(),
                unusable: HashSet::new(),
                oddities: BTreeMap::new(),
            },
            rows: HashMap::new(),
            names: HashSet::new(),
            absurd: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The one copy of a name that many rows have.
    pub fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.names.get(text) {
            return Arc::clone(known);
        }
        let name: Arc<str> = Arc::from(text);
        self.names.insert(Arc::clone(&name));
        name
    }

    pub fn odd(&mut self, why: &'static str, example: impl FnOnce() -> String) {
        let oddity = self.sheet.oddities.entry(why).or_insert_with(|| Oddity { count: 0, example: example() });
        oddity.count += 1;
    }

    /// Adds what one hour costs. Of two prices for the same, the one that began later counts; when that is not known or the
    /// same, the higher, so that no quote is too low.
    pub fn row(&mut self, region: &str, machine: &str, term: Term, price: Decimal, group: usize, since: Option<Date>) {
        let (region, machine) = (self.name(region), self.name(machine));
        let key = (Arc::clone(&region), Arc::clone(&machine), term);
        let example = || format!("{machine} in {region}, {}: {price}", term.as_str());
        let Some(nanos) = price.nanos().filter(|nanos| (1..=MOST_NANOS).contains(nanos)) else {
            let why = if price.0 == 0 { "prices of nothing" } else { "absurd prices" };
            self.absurd += usize::from(price.0 != 0);
            self.odd(why, example);
            self.sheet.unusable.insert(key);
            return;
        };
        let row = PriceRow {
            region: Arc::clone(&region),
            machine: Arc::clone(&machine),
            term,
            nanos,
            group,
            effective: since,
        };
        match self.rows.entry(key) {
            Entry::Vacant(free) => {
                free.insert(row);
            }
            Entry::Occupied(mut taken) => {
                let (old, new) = (taken.get(), (row.effective, row.nanos));
                let differ = old.nanos != row.nanos && old.effective == row.effective;
                if new > (old.effective, old.nanos) {
                    taken.insert(row);
                }
                if differ {
                    self.odd("two prices for the same, of which the higher was taken", example);
                }
            }
        }
    }

    pub fn disk(&mut self, region: &str, name: &str, nanos_per_gb_month: u64, group: usize) {
        let region = self.name(region);
        self.sheet.disks.push(DiskPrice { region, name: name.to_owned(), nanos_per_gb_month, group });
    }

    pub fn transfer(&mut self, transfer: TransferPrice) {
        self.sheet.transfers.push(transfer);
    }

    /// Everything that is sold there for this term has been added.
    pub fn whole(&mut self, term: Term, region: &str) {
        let region = self.name(region);
        self.sheet.whole.insert((term, region));
    }

    pub fn unpriced(&mut self, machine: &str) {
        let machine = self.name(machine);
        self.sheet.unpriced.insert(machine);
    }

    pub fn unusable(&mut self, region: &str, machine: &str, term: Term) {
        let key = (self.name(region), self.name(machine), term);
        self.sheet.unusable.insert(key);
    }

    /// More rows than a price list can have, and so one that must not go on.
    pub fn check_size(&self, operation: &str) -> Result<()> {
        if self.rows.len() + self.sheet.unusable.len() <= MOST_ROWS {
            return Ok(());
        }
        Err(invalid(operation, format!("the price list has more than {MOST_ROWS} rows")))
    }

    /// # Errors
    /// `Invalid` when there is no price at all, or so many are absurd that none is to be trusted.
    pub fn finish(mut self, operation: &str) -> Result<PriceSheet> {
        self.check_size(operation)?;
        let rows = self.rows.len();
        if self.absurd > 10 && self.absurd * 100 > rows {
            let example = self.sheet.oddities.get("absurd prices").map_or("", |oddity| oddity.example.as_str());
            let text = format!("{} of {} prices are absurd, such as {example}", self.absurd, rows + self.absurd);
            return Err(invalid(operation, text));
        }
        if rows == 0 {
            return Err(invalid(operation, "the price list has no price that can be used".to_owned()));
        }
        self.sheet.rows = self.rows.into_values().collect();
        let key = |row: &PriceRow| (Arc::clone(&row.region), Arc::clone(&row.machine), row.term);
        self.sheet.rows.sort_unstable_by_key(key);
        Ok(self.sheet)
    }
}

fn invalid(operation: &str, message: String) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, operation, message)
        .advice("The prices that were known before are kept. Look at the vendor's status page and try again later.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> SheetBuilder {
        let group = PriceGroup { name: "g".into(), source: "s".into(), rule: None };
        SheetBuilder::new(ProviderKind::Azure, *b"USD", vec![group])
    }

    fn add(builder: &mut SheetBuilder, machine: &str, nanos: i128, since: Option<Date>) {
        builder.row("eastus", machine, Term::OnDemand, Decimal(nanos), 0, since);
    }

    #[test]
    fn the_later_price_counts_and_then_the_higher() {
        let day = |d| Some(Date::constant(2026, 1, d));
        let mut b = builder();
        add(&mut b, "a", 5, day(2));
        add(&mut b, "a", 9, day(1));
        add(&mut b, "b", 5, day(1));
        add(&mut b, "b", 9, day(1));
        add(&mut b, "b", 7, day(1));
        let sheet = b.finish("Prices").unwrap();
        assert_eq!(sheet.rows.iter().map(|row| row.nanos).collect::<Vec<_>>(), [5, 9]);
        assert_eq!(sheet.oddities.values().map(|oddity| oddity.count).sum::<usize>(), 2);
    }

    #[test]
    fn single_odd_rows_are_counted_and_many_are_an_error() {
        let mut b = builder();
        (0..2000).for_each(|i| add(&mut b, &format!("m{i}"), 1_000_000, None));
        add(&mut b, "free", 0, None);
        add(&mut b, "negative", -1, None);
        add(&mut b, "dear", i128::MAX, None);
        let sheet = b.finish("Prices").unwrap();
        assert_eq!((sheet.rows.len(), sheet.unusable.len()), (2000, 3));
        assert_eq!(sheet.oddities["absurd prices"].count, 2);

        let mut b = builder();
        (0..20).for_each(|i| add(&mut b, &format!("m{i}"), 1_000_000 - i * 100_000, None));
        assert_eq!(b.finish("Prices").unwrap().rows.len(), 10);
        let mut b = builder();
        (0..40).for_each(|i| add(&mut b, &format!("m{i}"), 1_000_000 - i * 40_000, None));
        assert_eq!(b.finish("Prices").unwrap_err().kind, ErrorKind::Invalid);
        assert!(builder().finish("Prices").unwrap_err().message.contains("no price"));
    }
}
