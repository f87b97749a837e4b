//! The price source against the sandbox: every figure, every trap, every fault.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, sync::Arc};

use novacron_catalog::{
    Catalog, Pricing, diff,
    refresh::{self, MergePolicy, RefreshError},
};
use novacron_provider::{
    ErrorKind, ProviderError,
    prices::{PriceRequest, PriceSheet, PriceSource, Term},
};
use novacron_sandbox::{Effect, Fault, PriceDrift, PriceFault, Sandbox, SandboxConfig};
use novacron_types::ProviderKind;
use serde_json::json;

const KIND: ProviderKind = ProviderKind::Aws;
const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "us-gov-west-1"];
const TODAY: jiff::civil::Date = jiff::civil::Date::constant(2026, 11, 28);

async fn start() -> (Sandbox, Arc<dyn PriceSource>) {
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let key = sandbox.credentials();
    let settings = json!({
        "region": "us-east-1", "endpoint": sandbox.endpoint(),
        "access_key_id": key.access_key, "secret_access_key": key.secret_key,
    });
    let source = novacron_provider_aws::price_source(&settings).await.unwrap();
    (sandbox, source)
}

async fn fetch(source: &Arc<dyn PriceSource>, regions: &[&str]) -> Result<PriceSheet, ProviderError> {
    let regions = regions.iter().map(|name| (*name).to_owned()).collect();
    source.fetch(&PriceRequest { today: TODAY, regions, machines: Vec::new() }, &|_| {}).await
}

fn known(region: &str) -> usize {
    let catalog = Catalog::embedded().unwrap();
    let region = catalog.find_region(KIND, region).unwrap();
    catalog.offers().region.iter().filter(|r| **r == region).count()
}

#[tokio::test]
async fn every_row_is_what_the_lists_state() {
    let (sandbox, source) = start().await;
    let sheet = fetch(&source, &["us-east-1", "eu-west-1"]).await.unwrap();
    assert_eq!(sheet.rows.len(), known("us-east-1") + known("eu-west-1"));
    for row in &sheet.rows {
        assert_eq!(sandbox.price(KIND, &row.region, &row.machine, row.term.into()), Some(row.nanos), "{row:?}");
    }
    let groups = |term: Term| {
        let rows = sheet.rows.iter().filter(|row| row.term == term);
        rows.map(|row| sheet.groups[row.group].name.as_str()).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(groups(Term::OnDemand), ["aws-list-on-demand"]);
    assert_eq!(groups(Term::Spot), ["aws-history-spot"]);
    // Some are only sold with a part paid at once, and say that their price follows from it.
    assert_eq!(groups(Term::Commit1Year), ["aws-list-reserved", "aws-list-reserved-upfront"]);
    assert!(sheet.oddities.is_empty(), "{:?}", sheet.oddities);
    let catalog = Catalog::embedded().unwrap();
    for disk in &sheet.disks {
        let known = catalog.find_disk(catalog.find_region(KIND, &disk.region).unwrap(), &disk.name).unwrap();
        assert_eq!((disk.nanos_per_gb_month, disk.group), (known.nanos_per_gb_month, 4));
    }
    assert!(sheet.disks.iter().any(|disk| disk.name == "gp3" && &*disk.region == "eu-west-1"));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_refresh_takes_what_moved_and_a_second_one_nothing() {
    let (sandbox, source) = start().await;
    sandbox.set_price_drift(PriceDrift { seed: 9, permille: 200 });
    let old = Catalog::embedded().unwrap();
    let sheet = fetch(&source, &REGIONS).await.unwrap();
    let (new, report) = refresh::merge(old, &sheet, TODAY, &MergePolicy::default()).unwrap();
    let offers: usize = REGIONS.into_iter().map(known).sum();
    assert_eq!((report.changed + report.confirmed, report.added, report.removed), (offers, 0, 0), "{report}");
    assert_eq!(diff(old, &new).len(), report.changed);
    assert!((offers / 10..offers / 3).contains(&report.changed), "{report}");
    for (offer, hourly) in new.offers().iter().zip(&new.offers().hourly_nanos) {
        let (ty, region) = (new.instance_type(offer.ty), new.region(offer.region));
        let group = new.group(offer.group);
        if region.kind == KIND && REGIONS.contains(&region.name.as_str()) {
            let stated = sandbox.price(KIND, &region.name, &ty.name, offer.pricing);
            assert_eq!(stated, Some(*hourly), "{} {}", ty.name, region.name);
            assert_eq!(group.name.starts_with("aws-history-spot"), offer.pricing == Pricing::Spot);
            // What only the Advisor knows stays.
            let (_, before) = old.find_offer(offer.ty, offer.region, offer.pricing).unwrap();
            assert_eq!((before.band, before.zones), (offer.band, offer.zones));
        }
    }
    let again = fetch(&source, &REGIONS).await.unwrap();
    let (second, _) = refresh::merge(&new, &again, TODAY, &MergePolicy::default()).unwrap();
    assert_eq!(second.parts(), new.parts());
    sandbox.shutdown().await;
}

#[tokio::test]
async fn faults() {
    let (sandbox, source) = start().await;
    let error =
        |code: &str, status| Effect::Error { code: code.into(), status, message: None, reason: None, applied: false };
    for (action, effect, kind, word) in [
        ("GetProducts", error("InternalErrorException", 500), ErrorKind::Unavailable, "InternalError"),
        ("GetProducts", error("AccessDeniedException", 400), ErrorKind::Unauthorised, "AccessDenied"),
        ("GetProducts", Effect::Truncate { after: 1000 }, ErrorKind::Unavailable, ""),
        ("GetProducts", Effect::Prices(PriceFault::Currency { code: "CNY".into() }), ErrorKind::Invalid, "CNY"),
        ("GetProducts", Effect::Prices(PriceFault::Times { factor: -1 }), ErrorKind::Invalid, "absurd"),
        ("GetProducts", Effect::Prices(PriceFault::Endless), ErrorKind::Invalid, "leads back"),
        ("DescribeSpotPriceHistory", Effect::Prices(PriceFault::Endless), ErrorKind::Invalid, "leads back"),
        ("DescribeSpotPriceHistory", Effect::Prices(PriceFault::Times { factor: -1 }), ErrorKind::Invalid, "absurd"),
    ] {
        sandbox.clear_faults();
        sandbox.inject(Fault::always(action, effect.clone()));
        let error = fetch(&source, &["us-east-1"]).await.unwrap_err();
        assert!(error.kind == kind && error.message.contains(word), "{effect:?}: {error}");
    }
    for effect in
        [error("InternalErrorException", 500), Effect::Drop { applied: false }, Effect::Truncate { after: 1000 }]
    {
        sandbox.clear_faults();
        sandbox.inject(Fault::nth("GetProducts", 2, effect.clone()));
        sandbox.inject(Fault::nth("DescribeSpotPriceHistory", 2, effect.clone()));
        let sheet = fetch(&source, &["us-east-1"]).await.unwrap_or_else(|error| panic!("{effect:?}: {error}"));
        assert_eq!(sheet.rows.len(), known("us-east-1"), "{effect:?}");
    }
    // Spot prices that an account may not ask for are kept as they were.
    sandbox.clear_faults();
    sandbox.inject(Fault::always("DescribeSpotPriceHistory", error("UnauthorizedOperation", 403)));
    let sheet = fetch(&source, &["us-east-1"]).await.unwrap();
    assert!(sheet.rows.iter().all(|row| row.term != Term::Spot) && sheet.oddities.len() == 1, "{:?}", sheet.oddities);
    // What a fetch can't tell, the merge does.
    for fault in [PriceFault::HalfPage, PriceFault::LostPages, PriceFault::Times { factor: 3 }] {
        sandbox.clear_faults();
        sandbox.inject(Fault::always("GetProducts", Effect::Prices(fault.clone())));
        let sheet = fetch(&source, &["us-east-1"]).await.unwrap();
        let merged = refresh::merge(Catalog::embedded().unwrap(), &sheet, TODAY, &MergePolicy::default());
        assert!(
            matches!(merged, Err(RefreshError::TooManyRemoved { .. } | RefreshError::MedianMoved { .. })),
            "{fault:?}: {merged:?}"
        );
    }
    sandbox.shutdown().await;
}
