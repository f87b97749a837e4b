//! Merging, keeping and running, on a catalog of three types in two regions.

use std::{fs, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::StreamExt;
use jiff::civil::Date;
use novacron_provider::{
    ErrorKind, ProviderError,
    prices::{
        Decimal, OnPriceProgress, PriceGroup, PriceRequest, PriceSheet, PriceSource, SheetBuilder, Term, TransferPrice,
        TransferTier, TransferTo,
    },
};
use novacron_types::{Architecture, GIB, ProviderKind};
use proptest::prelude::*;

use super::*;
use crate::{
    Beside, Catalog, Change, Draft, DraftOffer, Group, InstanceType, Per, Pricing, Region, diff, diff_beside,
    refresh::{groups, last_good::LastGood},
};

const KIND: ProviderKind = ProviderKind::Azure;
const OTHER: ProviderKind = ProviderKind::Gcp;
const TODAY: Date = Date::constant(2026, 11, 28);
const REGIONS: [&str; 2] = ["eastus", "westus"];
const TYPES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn group(name: &str, rule: Option<&str>, per: Per) -> Group {
    Group {
        name: name.into(),
        source: "test".into(),
        licence: "MIT".into(),
        as_of: "2026-01".into(),
        rule: rule.map(Into::into),
        currency: *b"USD",
        per,
    }
}

fn region(kind: ProviderKind, name: &str, group: crate::GroupId) -> Region {
    Region {
        kind,
        name: name.into(),
        display: String::new(),
        country: String::new(),
        sector: Sector::Commercial,
        point: None,
        zones: 0,
        compliance: Vec::new(),
        grid: None,
        group,
        compliance_group: group,
    }
}

/// Each type costs a dollar an hour on demand, and spot a fifth of it by a rule; one type of another vendor is beside them.
fn catalog() -> Catalog {
    let mut draft = Draft::default();
    let hourly = draft.group(group("hourly", None, Per::Hour));
    let spot = draft.group(group("spot", Some("a fifth"), Per::Hour));
    let monthly = draft.group(group("monthly", None, Per::Month));
    REGIONS.into_iter().for_each(|name| draft.region(region(KIND, name, hourly)));
    draft.region(region(OTHER, "us-east1", monthly));
    for (kind, name) in TYPES.map(|name| (KIND, name)).into_iter().chain([(OTHER, "a")]) {
        draft.instance_type(InstanceType {
            kind,
            name: name.into(),
            vcpus: 2,
            sustained_milli_vcpus: 2000,
            memory_bytes: 4 * GIB,
            architecture: Architecture::X86_64,
            gpu: None,
            network_mbps: 0,
            network_peak_mbps: 0,
            network_group: hourly,
            local_disk_gb: 0,
            burstable: false,
            shared_core: false,
            bare_metal: false,
            power: None,
            embodied: None,
            group: hourly,
        });
    }
    for name in TYPES {
        for region in REGIONS {
            let zones = |group, nanos| DraftOffer { zones: 3, ..DraftOffer::new(group, nanos) };
            draft.offer(KIND, name, Pricing::OnDemand, region, zones(hourly, 1_000_000_000));
            draft.offer(KIND, name, Pricing::Spot, region, DraftOffer { band: 2, ..zones(spot, 200_000_000) });
        }
    }
    draft.offer(OTHER, "a", Pricing::OnDemand, "us-east1", DraftOffer::new(monthly, 730_000_000));
    draft.disk(KIND, "eastus", "Standard SSD", 75_000_000, spot);
    draft.finish().unwrap().0
}

fn builder() -> SheetBuilder {
    let group = |name: &str| PriceGroup { name: name.into(), source: "the vendor".into(), rule: None };
    SheetBuilder::new(KIND, *b"USD", vec![group("vendor-on-demand"), group("vendor-spot")])
}

fn row(builder: &mut SheetBuilder, ty: &str, term: Term, region: &str, nanos: i128) {
    builder.row(region, ty, term, Decimal(nanos), usize::from(term == Term::Spot), None);
}

/// Every on-demand price, and the sheet says that it has them all.
fn full(nanos: impl Fn(&str, &str) -> Option<i128>) -> SheetBuilder {
    let mut builder = builder();
    for region in REGIONS {
        for ty in TYPES {
            if let Some(nanos) = nanos(ty, region) {
                row(&mut builder, ty, Term::OnDemand, region, nanos);
            }
        }
        builder.whole(Term::OnDemand, region);
        builder.whole(Term::Spot, region);
    }
    builder
}

fn done(builder: SheetBuilder) -> PriceSheet {
    builder.finish("Prices").unwrap()
}

fn merged(sheet: &PriceSheet) -> Result<(Catalog, RefreshReport), RefreshError> {
    merge(&catalog(), sheet, TODAY, &MergePolicy::default())
}

#[test]
fn prices_are_replaced_and_the_rest_stays() {
    let mut builder = full(|ty, _| Some(if ty == "a" { 1_100_000_000 } else { 1_000_000_000 }));
    row(&mut builder, "b", Term::Commit1Year, "eastus", 600_000_000);
    row(&mut builder, "unheard-of", Term::OnDemand, "eastus", 5);
    row(&mut builder, "a", Term::OnDemand, "mars", 5);
    let (new, report) = merged(&done(builder)).unwrap();
    assert_eq!((report.changed, report.confirmed, report.added, report.removed), (2, 8, 1, 0));
    assert_eq!((report.kept, report.without_prices.as_slice()), (10, [Pricing::Spot].as_slice()));
    assert_eq!(
        (report.unknown_types.count, report.unknown_regions.names.as_slice()),
        (1, ["mars".to_owned()].as_slice())
    );

    let changes = diff(&catalog(), &new);
    assert!(matches!(&changes[..], [Change::Price { .. }, Change::Added { .. }, Change::Price { .. }]), "{changes:?}");
    let find = |ty, pricing| {
        let (ty, region) = (new.find_type(KIND, ty).unwrap(), new.find_region(KIND, "eastus").unwrap());
        let (_, offer) = new.find_offer(ty, region, pricing).unwrap();
        (new.group(offer.group), offer)
    };
    let (group, offer) = find("a", Pricing::OnDemand);
    assert_eq!((group.as_of.as_str(), group.source.as_str(), offer.zones), ("2026-11-28", "the vendor", 3));
    let (group, offer) = find("a", Pricing::Spot);
    assert_eq!((group.as_of.as_str(), offer.band), ("2026-01", 2));
    assert_eq!(find("b", Pricing::Commit1Year).1.zones, 3);
    assert!(new.parts().groups.iter().any(|group| group.per == Per::Month), "the other vendor's");
    assert!(report.to_string().contains("1 types that are not known: unheard-of"), "{report}");
}

#[test]
fn what_is_not_sold_any_more_goes_only_if_the_sheet_has_all() {
    let gone = |ty: &str, region: &str| (ty, region) != ("a", "eastus");
    let builder = full(|ty, region| gone(ty, region).then_some(1_000_000_000));
    let (new, report) = merged(&done(builder)).unwrap();
    assert_eq!(report.removed, 1);
    assert!(matches!(&diff(&catalog(), &new)[..], [Change::Removed { .. }]));
    assert!(new.find_type(KIND, "a").is_some());

    let mut in_part = done(full(|ty, region| gone(ty, region).then_some(1_000_000_000)));
    in_part.whole.clear();
    assert_eq!(merged(&in_part).unwrap().1.removed, 0);
    // The vendor has the row, but it says nothing, or its parts are not priced in a way that is known.
    for spoil in
        [|b: &mut SheetBuilder| row(b, "a", Term::OnDemand, "eastus", 0), |b: &mut SheetBuilder| b.unpriced("a")]
    {
        let mut builder = full(|ty, region| gone(ty, region).then_some(1_000_000_000));
        spoil(&mut builder);
        assert_eq!(merged(&done(builder)).unwrap().1.removed, 0);
    }
}

#[test]
fn a_region_without_an_answer_is_kept_and_named() {
    let builder = full(|_, region| (region == "eastus").then_some(1_000_000_000));
    let (new, report) = merged(&done(builder)).unwrap();
    assert_eq!((report.removed, report.silent_regions.names.as_slice()), (0, ["westus".to_owned()].as_slice()));
    assert!(diff(&catalog(), &new).is_empty());
}

#[test]
fn a_region_whose_list_ends_early_keeps_its_offers() {
    // Three of five are missing in one region, which is a part of all that would be believed.
    let loose = MergePolicy { most_removed_permille: 400, ..MergePolicy::default() };
    let cut = done(full(|ty, region| (region != "eastus" || ty < "c").then_some(1_000_000_000)));
    let (new, report) = merge(&catalog(), &cut, TODAY, &loose).unwrap();
    assert_eq!((report.removed, report.missing.count), (0, 3), "{report}");
    assert!(report.to_string().contains("missing in lists that lack most of a region, kept"), "{report}");
    assert!(diff(&catalog(), &new).is_empty());
    let forced = MergePolicy { forced: true, ..loose };
    assert_eq!(merge(&catalog(), &cut, TODAY, &forced).unwrap().1.removed, 3);
}

#[test]
fn a_sheet_that_is_not_believed_changes_nothing() {
    let forced = MergePolicy { forced: true, ..MergePolicy::default() };
    let half = done(full(|ty, _| (ty < "c").then_some(1_000_000_000)));
    assert!(matches!(merged(&half), Err(RefreshError::TooManyRemoved { removed: 6, of: 10, .. })));
    assert_eq!(merge(&catalog(), &half, TODAY, &forced).unwrap().1.removed, 6);

    for factor in [730, 3] {
        let month = done(full(|_, _| Some(1_000_000_000 * factor)));
        let error = merged(&month).unwrap_err();
        assert!(matches!(error, RefreshError::MedianMoved { .. }), "{error}");
        assert!(error.to_string().contains(&format!("{factor}.000 times")), "{error}");
        assert_eq!(merge(&catalog(), &month, TODAY, &forced).unwrap().1.changed, 10);
    }
    // Once refreshed, prices that follow from the vendor's by a rule are guarded as well.
    let mut all = done(full(|_, _| Some(1_000_000_000)));
    all.groups[0].rule = Some("a sum".into());
    let (refreshed, _) = merged(&all).unwrap();
    let again = merge(&refreshed, &half, TODAY, &MergePolicy::default());
    assert!(matches!(again, Err(RefreshError::TooManyRemoved { removed: 6, of: 10, .. })), "{again:?}");

    let mut euros = done(full(|_, _| Some(1_000_000_000)));
    euros.currency = *b"EUR";
    assert!(matches!(merge(&catalog(), &euros, TODAY, &forced), Err(RefreshError::Currency { .. })));
}

#[test]
fn a_single_price_far_from_the_one_before_is_held_back() {
    let builder = full(|ty, region| Some(if (ty, region) == ("a", "eastus") { 11_000_000_000 } else { 1_000_000_000 }));
    let (new, report) = merged(&done(builder)).unwrap();
    assert_eq!(report.held_back.names, ["a in eastus on-demand"]);
    assert!(diff(&catalog(), &new).is_empty());
}

#[test]
fn a_derived_price_is_no_easier_to_move() {
    // Most of the spot prices, which the catalog has by a rule, are as they were: the middle of them shows nothing.
    let mut builder = full(|_, _| Some(1_000_000_000));
    for (ty, region) in TYPES.into_iter().flat_map(|ty| REGIONS.map(|region| (ty, region))) {
        let absurd = (ty, region) == ("a", "eastus");
        row(&mut builder, ty, Term::Spot, region, if absurd { 200_000_000_000 } else { 200_000_000 });
    }
    let (new, report) = merged(&done(builder)).unwrap();
    assert_eq!(report.held_back.names, ["a in eastus spot"]);
    assert!(diff(&catalog(), &new).is_empty());
}

#[test]
fn disks_and_traffic_far_from_before_are_held_back() {
    let sheet = |disk: u64, gb: u64| {
        let mut builder = full(|_, _| Some(1_000_000_000));
        builder.disk("eastus", "Standard SSD", disk, 0);
        let free = TransferTier { from_gb: 0, nanos_per_gb: 0 };
        let tiers = vec![free, TransferTier { from_gb: 100, nanos_per_gb: gb }];
        builder.transfer(TransferPrice { from: "eastus".into(), to: TransferTo::Internet, tiers, group: 0 });
        done(builder)
    };
    let (known, _) = merged(&sheet(75_000_000, 90_000_000)).unwrap();
    let absurd = sheet(75_000_000_000, 90_000_000_000);
    let (new, report) = merge(&known, &absurd, TODAY, &MergePolicy::default()).unwrap();
    assert_eq!((report.disks, report.transfers), (0, 0));
    assert_eq!(report.held_back.names, ["the disk Standard SSD in eastus", "traffic from eastus to the internet"]);
    assert!(report.to_string().contains("2 prices too far from the one before, not taken"), "{report}");
    let disk = |catalog: &Catalog| catalog.parts().disks[0].nanos_per_gb_month;
    let traffic = |catalog: &Catalog| catalog.parts().transfers[0].tiers[1].nanos_per_gb;
    assert_eq!((disk(&new), traffic(&new)), (75_000_000, 90_000_000));
    let forced = MergePolicy { forced: true, ..MergePolicy::default() };
    let (new, _) = merge(&known, &absurd, TODAY, &forced).unwrap();
    assert_eq!((disk(&new), traffic(&new)), (75_000_000_000, 90_000_000_000));
    // No offer has another price, and what is beside them has.
    assert!(diff(&known, &new).is_empty() && diff_beside(&known, &known).is_empty());
    let [disk_change, traffic_change] = &diff_beside(&known, &new)[..] else {
        panic!("{:?}", diff_beside(&known, &new))
    };
    assert_eq!((disk_change.region.as_str(), &disk_change.what), ("eastus", &Beside::Disk("Standard SSD".into())));
    assert_eq!(disk_change.old.zip(disk_change.new).map(|(a, b)| b.nanos / a.nanos), Some(1000));
    assert_eq!(traffic_change.what, Beside::Traffic { to: "the internet".into(), from_gb: 100 });
    // All free, as where a list was cut.
    let (new, report) = merge(&known, &sheet(75_000_000, 0), TODAY, &MergePolicy::default()).unwrap();
    assert_eq!((report.held_back.count, traffic(&new)), (1, 90_000_000));
}

#[test]
fn disks_and_transfers() {
    let mut builder = full(|_, _| Some(1_000_000_000));
    builder.disk("eastus", "Standard SSD", 80_000_000, 0);
    builder.disk("westus", "Premium SSD", 120_000_000, 0);
    let tiers =
        vec![TransferTier { from_gb: 0, nanos_per_gb: 0 }, TransferTier { from_gb: 100, nanos_per_gb: 87_000_000 }];
    for to in [TransferTo::Internet, TransferTo::Region("westus".into()), TransferTo::Region("mars".into())] {
        builder.transfer(TransferPrice { from: "eastus".into(), to, tiers: tiers.clone(), group: 0 });
    }
    let (new, report) = merged(&done(builder)).unwrap();
    assert_eq!((report.disks, report.transfers), (2, 2));
    assert_eq!(new.parts().disks.len(), 2);
    let disk = new.find_disk(new.find_region(KIND, "eastus").unwrap(), "Standard SSD").unwrap();
    assert_eq!((disk.nanos_per_gb_month, new.group(disk.group).is_derived()), (80_000_000, false));
}

#[test]
fn groups_do_not_pile_up() {
    let mut now = catalog();
    let mut day = TODAY;
    // Each day one price of another type is stated, so that rows of many days are left over.
    for i in 0..600usize {
        let mut builder = builder();
        row(&mut builder, TYPES[i % 5], Term::OnDemand, REGIONS[i % 2], 1_000_000_000);
        now = merge(&now, &done(builder), day, &MergePolicy::default()).unwrap().0;
        day = day.tomorrow().unwrap();
    }
    assert!(now.parts().groups.len() <= 14, "{}", now.parts().groups.len());

    let mut parts = now.into_parts();
    groups::compact(&mut parts, 3);
    let fresh: Vec<_> = parts.groups.iter().filter(|group| group.licence == groups::LICENCE).collect();
    assert_eq!(fresh.len(), 1, "{fresh:?}");
    assert!(fresh[0].as_of_date().unwrap() < day.saturating_sub(jiff::Span::new().days(9)), "{fresh:?}");
    Catalog::new(parts).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a sheet says: what it states is in the catalog, what it does not is as before or gone, and saying it again
    /// changes nothing.
    #[test]
    fn merging_is_faithful_and_idempotent(
        rows in prop::collection::vec((0usize..6, 0usize..3, 0usize..4, 500_000_000i128..1_500_000_000), 1..40),
        whole in any::<bool>(),
    ) {
        let mut builder = builder();
        for (ty, region, term, nanos) in rows {
            let (ty, region) = (TYPES.get(ty).unwrap_or(&"unknown"), REGIONS.get(region).unwrap_or(&"mars"));
            row(&mut builder, ty, Term::ALL[term], region, nanos);
        }
        if whole {
            REGIONS.into_iter().for_each(|region| Term::ALL.into_iter().for_each(|term| builder.whole(term, region)));
        }
        let sheet = done(builder);
        let forced = MergePolicy { forced: true, ..MergePolicy::default() };
        let old = catalog();
        let (new, report) = merge(&old, &sheet, TODAY, &forced).unwrap();
        for row in &sheet.rows {
            let (Some(ty), Some(region)) = (new.find_type(KIND, &row.machine), new.find_region(KIND, &row.region)) else { continue };
            let (id, offer) = new.find_offer(ty, region, row.term.into()).unwrap();
            prop_assert_eq!(new.hourly(id).nanos, i128::from(row.nanos));
            prop_assert_eq!(new.group(offer.group).as_of.as_str(), "2026-11-28");
        }
        prop_assert_eq!(new.offers().len(), old.offers().len() + report.added - report.removed);
        prop_assert_eq!(diff(&old, &new).len(), report.added + report.removed + report.changed);
        prop_assert!(whole || report.removed == 0);
        let (again, second) = merge(&new, &sheet, TODAY, &forced).unwrap();
        prop_assert_eq!(again.parts(), new.parts());
        prop_assert_eq!((second.added, second.removed, second.changed), (0, 0, 0));
    }
}

/// A source that answers, says why not, or says nothing.
#[derive(Clone)]
enum Told {
    Sheet(Box<PriceSheet>),
    Down,
    Nothing,
}

#[async_trait]
impl PriceSource for Told {
    fn kind(&self) -> ProviderKind {
        KIND
    }
    fn name(&self) -> &'static str {
        match self {
            Self::Sheet(_) => "good",
            Self::Down => "down",
            Self::Nothing => "silent",
        }
    }
    async fn fetch(&self, request: &PriceRequest, _: OnPriceProgress<'_>) -> novacron_provider::Result<PriceSheet> {
        assert_eq!(request.regions, REGIONS);
        assert_eq!(request.machines.len(), TYPES.len());
        match self {
            Self::Sheet(sheet) => Ok((**sheet).clone()),
            Self::Down => Err(ProviderError::new(ErrorKind::Unavailable, "Prices", "it is down")),
            Self::Nothing => std::future::pending().await,
        }
    }
}

/// One that never answers delays nobody, and is given up when its time is over.
#[tokio::test(start_paused = true)]
async fn each_source_by_itself() {
    let good = done(full(|_, _| Some(1_100_000_000)));
    let told = [Told::Nothing, Told::Down, Told::Sheet(Box::new(good))];
    let sources: Vec<Arc<dyn PriceSource>> = told.into_iter().map(|told| Arc::new(told) as _).collect();
    let (catalog, limit, begun) = (catalog(), Duration::from_secs(600), tokio::time::Instant::now());
    let mut fetching = fetch(&catalog, &sources, TODAY, limit, &|_, _| {});
    let mut first = [fetching.next().await.unwrap(), fetching.next().await.unwrap()];
    assert_eq!(begun.elapsed(), Duration::ZERO);
    first.sort_by_key(|fetched| fetched.source);
    assert_eq!(first[0].sheet.as_ref().unwrap_err().to_string(), "Prices: it is down");
    let mut after = catalog.clone();
    let results = first.map(|fetched| put_over(&mut after, fetched, TODAY, &MergePolicy::default()));
    assert!(results[0].outcome.is_err() && results[1].outcome.as_ref().unwrap().changed == 10);
    assert_eq!(diff(&catalog, &after).len(), 10);

    let late = fetching.next().await.unwrap();
    assert_eq!((late.source, begun.elapsed()), ("silent", limit));
    let late = late.sheet.unwrap_err().to_string();
    assert!(late.contains("within 600 s"), "{late}");
    assert!(fetching.next().await.is_none());
}

/// Each source is kept when it is there; what to compare with is the catalog before all of them; and what another process kept
/// meanwhile stays.
#[test]
fn sources_are_kept_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = LastGood::with_base(folder.path(), b"one");
    store.save(&catalog()).unwrap();
    let said = |ty: &'static str, nanos| {
        let mut builder = builder();
        row(&mut builder, ty, Term::OnDemand, "eastus", nanos);
        Fetched { kind: KIND, source: "told", sheet: Ok(done(builder)) }
    };
    let keep = |keeping: &mut Keeping, fetched| {
        let result = keeping.keep(fetched, TODAY, &MergePolicy::default()).unwrap();
        assert_eq!(result.outcome.unwrap().changed, 1);
    };
    let mut one = Keeping::new(store.clone());
    keep(&mut one, said("a", 1_100_000_000));
    keep(&mut one, said("b", 1_200_000_000));
    assert_eq!(store.previous().unwrap().parts(), catalog().parts());
    keep(&mut Keeping::new(store.clone()), said("c", 1_300_000_000));
    keep(&mut one, said("d", 1_400_000_000));
    assert_eq!(diff(&catalog(), &store.load().catalog.unwrap()).len(), 4);

    let down = || RefreshError::Fetch(Box::new(ProviderError::new(ErrorKind::Unavailable, "Prices", "it is down")));
    let empty = folder.path().join("none");
    let mut nothing = Keeping::new(LastGood::with_base(&empty, b"one"));
    let failed = Fetched { kind: KIND, source: "told", sheet: Err(down()) };
    assert!(nothing.keep(failed, TODAY, &MergePolicy::default()).unwrap().outcome.is_err());
    assert!(!empty.exists());
}

#[test]
fn the_last_good_catalog_survives_damage() {
    let folder = tempfile::tempdir().unwrap();
    let store = LastGood::with_base(folder.path().join("catalog"), b"one");
    let loaded = store.load();
    assert!(loaded.catalog.is_none() && loaded.warnings.is_empty());
    let (first, _) = merged(&done(full(|_, _| Some(1_100_000_000)))).unwrap();
    let (second, _) = merged(&done(full(|_, _| Some(1_200_000_000)))).unwrap();
    store.save(&first).unwrap();
    store.save(&second).unwrap();
    assert_eq!(store.load().catalog.unwrap().parts(), second.parts());
    assert_eq!(store.previous().unwrap().parts(), first.parts());
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(store.path()).unwrap().permissions());
        assert_eq!(mode & 0o044, 0o044, "others can't read it: {mode:o}");
    }

    let mut bytes = fs::read(store.path()).unwrap();
    bytes[100] ^= 1;
    fs::write(store.path(), &bytes).unwrap();
    let loaded = store.load();
    assert_eq!(loaded.catalog.unwrap().parts(), first.parts());
    let warning = loaded.warnings[0].to_string();
    assert!(warning.contains(store.path().to_str().unwrap()) && warning.contains("damaged"), "{warning}");
    // The damaged one does not push out the good one.
    store.save(&second).unwrap();
    assert_eq!(store.previous().unwrap().parts(), first.parts());

    fs::write(store.path(), &bytes[..50]).unwrap();
    fs::write(store.previous_path(), b"").unwrap();
    let loaded = store.load();
    assert!(loaded.catalog.is_none() && loaded.warnings.len() == 2, "{:?}", loaded.warnings);

    let newer = LastGood::with_base(folder.path().join("catalog"), b"two");
    let loaded = newer.load();
    assert!(loaded.catalog.is_none() && loaded.warnings[0].to_string().contains("another version"));
    newer.save(&first).unwrap();
    assert_eq!(fs::read_dir(folder.path().join("catalog")).unwrap().count(), 1);
}
