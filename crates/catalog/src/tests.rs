//! A damaged snapshot is refused; nothing panics; what is written comes back.

use novacron_types::{Architecture, GIB, ProviderKind};
use proptest::prelude::*;

use crate::{
    Catalog, Change, Destination, Draft, DraftDestination, DraftOffer, EstimateRequest, Gpu, Group, InstanceType,
    LatencyBasis, Per, Point, Pricing, Region, Sector, Sla, SlaScope, SnapshotError, Tier, diff, snapshot,
};

const KIND: ProviderKind = ProviderKind::Aws;

fn group(name: &str, per: Per, rule: Option<&str>) -> Group {
    Group {
        name: name.into(),
        source: "made up".into(),
        licence: "MIT".into(),
        as_of: "2026-01".into(),
        rule: rule.map(str::to_owned),
        currency: *b"USD",
        per,
    }
}

fn draft(prices: &[u64]) -> Draft {
    let mut draft = Draft::default();
    let hourly = draft.group(group("hourly", Per::Hour, None));
    let monthly = draft.group(group("monthly", Per::Month, Some("halved")));
    for (scope, single_milli_percent) in
        [(SlaScope::Any, 99_500), (SlaScope::Family("t0".into()), 99_950), (SlaScope::Disk("io".into()), 99_900)]
    {
        let (spread_milli_percent, multi_zone_milli_percent) = (0, 99_990);
        let sla =
            Sla { kind: KIND, single_milli_percent, spread_milli_percent, multi_zone_milli_percent, group: hourly };
        draft.sla(scope, sla);
    }
    for (i, name) in ["us-east-1", "eu-west-1", "us-west-2"].iter().enumerate() {
        draft.region(Region {
            kind: KIND,
            name: (*name).into(),
            display: String::new(),
            country: "US".into(),
            sector: Sector::Commercial,
            point: Some(Point { lat_micro: 1_000_000 * i as i32, lon_micro: 0 }),
            zones: 3,
            compliance: vec!["SOC2".into()],
            grid: None,
            group: hourly,
            compliance_group: hourly,
        });
        draft.disk(KIND, name, "gp3", 80_000_000, hourly);
        draft.transfer(
            KIND,
            name,
            DraftDestination::Internet,
            vec![Tier { from_gb: 0, nanos_per_gb: 90_000_000 }],
            hourly,
        );
    }
    for (i, price) in prices.iter().enumerate() {
        let name = format!("t{i}");
        draft.instance_type(InstanceType {
            kind: KIND,
            name: name.clone(),
            vcpus: 2,
            sustained_milli_vcpus: 2000,
            memory_bytes: 4 * GIB,
            architecture: Architecture::Arm64,
            gpu: (i == 1).then(|| Gpu { model: "L4".into(), milli: 125, memory_bytes: GIB }),
            network_mbps: 100,
            network_peak_mbps: 1000,
            network_group: hourly,
            local_disk_gb: 0,
            burstable: false,
            shared_core: false,
            bare_metal: false,
            power: None,
            embodied: None,
            group: hourly,
        });
        draft.offer(KIND, &name, Pricing::OnDemand, "us-east-1", DraftOffer::new(hourly, *price));
        draft.offer(KIND, &name, Pricing::Commit1Year, "us-east-1", DraftOffer::new(monthly, *price * 365));
        draft.offer(KIND, &name, Pricing::OnDemand, "eu-west-1", DraftOffer::new(hourly, *price + 1));
    }
    draft
}

fn small() -> Catalog {
    draft(&[41_600_000, 83_200_000, 5]).finish().unwrap().0
}

#[test]
fn a_catalog_comes_back_and_the_bytes_are_the_same_each_time() {
    let bytes = small().to_snapshot().unwrap();
    let again = Catalog::from_snapshot(&bytes).unwrap();
    assert_eq!(again.parts(), small().parts());
    assert_eq!(again.to_snapshot().unwrap(), bytes);
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let bytes = small().to_snapshot().unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert!(Catalog::from_snapshot(&damaged).is_err(), "byte {at}, bit {bit}");
        }
        assert!(Catalog::from_snapshot(&bytes[..at]).is_err(), "cut at {at}");
    }
    let longer = [bytes.as_slice(), b"x"].concat();
    assert!(Catalog::from_snapshot(&longer).is_err());
}

proptest! {
    /// Past the checksum: rows that were written by an enemy.
    #[test]
    fn damaged_rows_never_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut rows = crate::rows::write(small().parts()).unwrap();
        for (at, byte) in edits {
            let at = at.index(rows.len());
            rows[at] = byte;
        }
        if let Ok(catalog) = snapshot::decode_rows(&rows) {
            let bytes = catalog.to_snapshot().unwrap();
            let again = Catalog::from_snapshot(&bytes).unwrap();
            prop_assert_eq!(again.parts(), catalog.parts());
        }
    }

    #[test]
    fn noise_never_panics(rows in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = snapshot::decode_rows(&rows);
        let _ = Catalog::from_snapshot(&rows);
    }

    #[test]
    fn every_offer_is_found_and_a_diff_is_what_changed(old in prop::collection::vec(1u64..1000, 1..8), new in prop::collection::vec(1u64..1000, 1..8)) {
        let (old, new) = (draft(&old).finish().unwrap().0, draft(&new).finish().unwrap().0);
        for (i, offer) in old.offers().iter().enumerate() {
            let (id, found) = old.find_offer(offer.ty, offer.region, offer.pricing).unwrap();
            prop_assert_eq!((id.0 as usize, found), (i, offer));
        }
        prop_assert!(diff(&old, &old).is_empty());
        let (there, back) = (diff(&old, &new), diff(&new, &old));
        prop_assert_eq!(there.len(), back.len());
        let added = |changes: &[Change]| changes.iter().filter(|c| matches!(c, Change::Added { .. })).count();
        let removed = |changes: &[Change]| changes.iter().filter(|c| matches!(c, Change::Removed { .. })).count();
        prop_assert_eq!(old.offers().len() + added(&there), new.offers().len() + removed(&there));
        prop_assert_eq!(added(&there), removed(&back));
    }
}

#[test]
fn a_refresh_changes_what_it_says_and_nothing_else() {
    let old = small();
    let (same, left_out) = Draft::from_catalog(&old).finish().unwrap();
    assert_eq!((same.parts(), left_out), (old.parts(), 0));

    let mut draft = Draft::from_catalog(&old);
    let fresh = draft.group(group("fresh", Per::Hour, None));
    draft.offer(KIND, "t0", Pricing::OnDemand, "us-east-1", DraftOffer::new(fresh, 50_000_000));
    draft.offer(KIND, "unheard-of", Pricing::OnDemand, "us-east-1", DraftOffer::new(fresh, 1));
    draft.retain_offers(|_, ty, pricing, _, _| (ty, pricing) != ("t1", Pricing::Commit1Year));
    let (new, left_out) = draft.finish().unwrap();
    assert_eq!(left_out, 1);
    match diff(&old, &new).as_slice() {
        [Change::Price { offer, old, new }, Change::Removed { offer: gone, .. }] => {
            assert_eq!((offer.ty.as_str(), old.amount(), new.amount()), ("t0", "0.0416".into(), "0.05".into()));
            assert_eq!((gone.ty.as_str(), gone.pricing), ("t1", Pricing::Commit1Year));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_estimate_adds_what_can_be_bought_together() {
    let catalog = small();
    let (ty, region) = (catalog.find_type(KIND, "t0").unwrap(), catalog.find_region(KIND, "us-east-1").unwrap());
    let request = EstimateRequest { ty, region, disks: vec![(None, 100)], traffic: vec![(Destination::Internet, 10)] };
    let estimate = catalog.estimate(&request).unwrap();
    assert_eq!(
        estimate.quotes.iter().map(|q| q.pricing).collect::<Vec<_>>(),
        [Pricing::OnDemand, Pricing::Commit1Year]
    );
    let (full, committed) = (&estimate.quotes[0], &estimate.quotes[1]);
    assert_eq!(full.monthly.unwrap().to_string(), "39.268 USD"); // 730 × 0.0416 + 100 × 0.08 + 10 × 0.09
    assert_eq!(full.compute.hourly.to_string(), "0.0416 USD");
    assert_eq!(committed.compute.hourly.to_string(), "0.0208 USD");
    assert!(committed.derived && !full.derived);

    let unpriced = EstimateRequest { disks: vec![(Some("tape".into()), 1)], ..request.clone() };
    let quote = &catalog.estimate(&unpriced).unwrap().quotes[0];
    assert!(quote.monthly.is_none() && quote.storage.unknown.len() == 1);
    let elsewhere = EstimateRequest { region: catalog.find_region(KIND, "us-west-2").unwrap(), ..request };
    assert_eq!(catalog.estimate(&elsewhere).unwrap_err().to_string(), "t0 is not offered in us-west-2");
}

#[test]
fn places() {
    let catalog = small();
    let names = |name: &str| {
        let found = catalog.places(name, None).unwrap();
        found.into_iter().map(|id| catalog.region(id).name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("us-east-1"), ["us-east-1"]);
    assert_eq!(names("us-east-1b"), ["us-east-1"]);
    assert_eq!(names("us-east"), ["us-east-1"]);
    assert_eq!(names("us"), ["us-east-1", "us-west-2"]);
    assert_eq!(names("sa"), Vec::<String>::new());
    let unknown = catalog.places("us-eest-1", None).unwrap_err();
    assert!(unknown.to_string().contains("us-east-1"), "{unknown}");
}

#[test]
fn latency_says_what_it_stands_on() {
    let catalog = small();
    let id = |name| catalog.find_region(KIND, name).unwrap();
    let far = catalog.latency(id("us-east-1"), id("us-west-2")).unwrap();
    assert_eq!(far.basis, LatencyBasis::Modelled);
    assert_eq!(far.micros, 18_900 + (222.39 * 15.1) as u32);
    assert_eq!(catalog.latency(id("us-east-1"), id("us-east-1")).unwrap().basis, LatencyBasis::SameRegion);
}

#[test]
fn a_promise_is_of_the_disk_then_of_the_family_then_of_the_kind() {
    let catalog = draft(&[1]).finish().unwrap().0;
    let ty = catalog.find_type(KIND, "t0").unwrap();
    let single = |sla: Option<Sla>| sla.map(|sla| sla.single_milli_percent);
    assert_eq!(single(catalog.sla(KIND)), Some(99_500));
    assert_eq!(single(catalog.sla_of(ty, Some("io"))), Some(99_900));
    // A family is more than the beginning of a name.
    assert_eq!(single(catalog.sla_of(ty, None)), Some(99_500));
    assert_eq!(catalog.sla(ProviderKind::Libvirt), None);
}

#[test]
fn a_snapshot_of_another_format_says_so() {
    let mut bytes = small().to_snapshot().unwrap();
    bytes[8] = 1;
    let error = Catalog::from_snapshot(&bytes).unwrap_err();
    assert!(matches!(error, SnapshotError::Version(1)));
    assert!(error.to_string().contains("has format 1, and this program reads format 2"), "{error}");
}

#[test]
fn rows_that_do_not_hold_together_are_refused() {
    let spoil = |change: fn(&mut crate::Parts)| {
        let mut parts = small().into_parts();
        change(&mut parts);
        Catalog::new(parts).unwrap_err().to_string()
    };
    assert!(spoil(|p| p.offers.price_nanos[3] = 0).contains("row 3"));
    assert!(spoil(|p| p.offers.region[0] = crate::RegionId(99)).contains("does not exist"));
    assert!(spoil(|p| p.regions.swap(0, 1)).contains("out of order"));
    assert!(spoil(|p| p.groups.clear()).contains("regions"));
    assert!(spoil(|p| p.slas[0].sla.single_milli_percent = 100_001).contains("promises"));
    assert!(spoil(|p| p.slas.swap(0, 1)).contains("promises"));
    assert!(spoil(|p| p.types[0].kind = ProviderKind::Gcp).contains("out of order"));
}
