//! The price client against the sandbox: every figure, every trap, every fault.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, time::Duration};

use novacron_catalog::{
    Catalog, Change, Pricing, diff,
    refresh::{self, MergePolicy, RefreshError},
};
use novacron_provider::{
    ErrorKind, ProviderError,
    prices::{PriceSheet, PriceSource},
    retry::RetryPolicy,
};
use novacron_provider_gcp::{GcpPrices, GcpPricesSettings};
use novacron_provider_http::Limits;
use novacron_sandbox::{Effect, Fault, PriceDrift, PriceFault, Sandbox, SandboxConfig};
use novacron_types::ProviderKind;

const KIND: ProviderKind = ProviderKind::Gcp;
const ACTION: &str = "GcpListSkus";
const TODAY: jiff::civil::Date = jiff::civil::Date::constant(2026, 11, 28);

async fn start() -> (Sandbox, GcpPrices) {
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let ms = Duration::from_millis;
    let retry = RetryPolicy { attempts: 3, first_pause: ms(1), longest_pause: ms(5), ..RetryPolicy::default() };
    let limits = Limits { per_second: 1000.0, retry, ..Limits::default() };
    let endpoint = Some(sandbox.endpoint());
    let client = GcpPrices::new(&GcpPricesSettings { api_key: "hunter2".into(), endpoint, limits }).unwrap();
    (sandbox, client)
}

async fn fetch(client: &GcpPrices) -> Result<PriceSheet, ProviderError> {
    client.fetch(&refresh::request(Catalog::embedded().unwrap(), KIND, TODAY), &|_| {}).await
}

/// Of a few regions, where it is enough.
async fn fetch_some(client: &GcpPrices) -> Result<PriceSheet, ProviderError> {
    let mut request = refresh::request(Catalog::embedded().unwrap(), KIND, TODAY);
    request.regions.retain(|region| region.starts_with("us-"));
    client.fetch(&request, &|_| {}).await
}

/// The parts are found again from machines, and make the same machines: the model of parts holds for every size.
#[tokio::test]
async fn an_unmoved_list_confirms_the_catalog() {
    let (sandbox, client) = start().await;
    let old = Catalog::embedded().unwrap();
    let sheet = fetch(&client).await.unwrap();
    assert!(sheet.oddities.is_empty(), "{:?}", sheet.oddities);
    let (new, report) = refresh::merge(old, &sheet, TODAY, &MergePolicy::default()).unwrap();
    // The source has no price of local disks there, and states an `m1` or `m2` to ten places in some regions.
    for change in diff(old, &new) {
        match change {
            Change::Removed { offer, .. } => {
                assert!(offer.region == "asia-southeast3" && offer.ty.contains("lssd"), "{offer:?}");
            }
            Change::Price { offer, old, new } => {
                assert!(offer.ty.starts_with("m1-") || offer.ty.starts_with("m2-"), "{offer:?}");
                assert!((old.nanos - new.nanos).abs() < 20_000, "{offer:?}: {old}, {new}");
            }
            Change::Added { offer, .. } => panic!("{offer:?}"),
        }
    }
    assert!(report.changed < 200, "{report}");
    let offers = old.offers().iter().filter(|offer| old.region(offer.region).kind == KIND).count();
    assert!(report.confirmed * 10 > offers * 9, "{} of {offers}: {report}", report.confirmed);
    let named = |catalog: &Catalog| {
        let disks = catalog.parts().disks.iter().filter(|disk| catalog.region(disk.region).kind == KIND);
        disks.map(|disk| ((disk.region, disk.name.clone()), disk.nanos_per_gb_month)).collect::<Vec<_>>()
    };
    let (before, after) = (named(old), named(&new));
    assert!(before.len() == after.len() && report.disks * 10 > before.len() * 9, "{report}");
    assert!(before.iter().zip(&after).all(|(b, a)| b.0 == a.0 && b.1.abs_diff(a.1) * 100_000 < b.1));
    let series: BTreeSet<&str> = sheet.rows.iter().filter_map(|row| row.machine.split('-').next()).collect();
    for one in ["c2", "c3", "c4", "e2", "f1", "g1", "g2", "m1", "m2", "n1", "n2d", "n4", "t2a", "t2d"] {
        assert!(series.contains(one), "{one} of {series:?}");
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_refresh_takes_what_moved_and_a_second_one_nothing() {
    let (sandbox, client) = start().await;
    sandbox.set_price_drift(PriceDrift { seed: 5, permille: 300 });
    sandbox.set_price_page(700);
    let old = Catalog::embedded().unwrap();
    let sheet = fetch(&client).await.unwrap();
    let (new, report) = refresh::merge(old, &sheet, TODAY, &MergePolicy::default()).unwrap();
    assert!(report.changed > 1000 && diff(old, &new).len() == report.changed + report.removed, "{report}");
    let mut seen = 0;
    for (offer, hourly) in new.offers().iter().zip(&new.offers().hourly_nanos) {
        let (ty, region) = (new.instance_type(offer.ty), new.region(offer.region));
        let group = new.group(offer.group);
        if region.kind == KIND && group.name.starts_with("gcp-billing") {
            assert_eq!(sandbox.price(KIND, &region.name, &ty.name, offer.pricing), Some(*hourly), "{}", ty.name);
            assert!(group.is_derived() && group.as_of == "2026-11-28");
            assert_eq!(group.name.contains("spot"), offer.pricing == Pricing::Spot);
            seen += 1;
        }
    }
    assert_eq!(seen, report.changed + report.confirmed);
    let again = fetch(&client).await.unwrap();
    let (second, _) = refresh::merge(&new, &again, TODAY, &MergePolicy::default()).unwrap();
    assert_eq!(second.parts(), new.parts());
    sandbox.shutdown().await;
}

#[tokio::test]
async fn faults() {
    let (sandbox, client) = start().await;
    sandbox.set_price_page(2000);
    let error = |status| Effect::Error { code: "x".into(), status, message: None, reason: None, applied: false };
    for (effect, kind, word) in [
        (error(500), ErrorKind::Unavailable, "500"),
        (error(403), ErrorKind::Unauthorised, "403"),
        (Effect::Truncate { after: 1000 }, ErrorKind::Unavailable, ""),
        (Effect::Prices(PriceFault::Currency { code: "EUR".into() }), ErrorKind::Invalid, "EUR"),
        (Effect::Prices(PriceFault::Times { factor: 0 }), ErrorKind::Invalid, "no price"),
        (Effect::Prices(PriceFault::Times { factor: -1 }), ErrorKind::Invalid, "no price"),
        (Effect::Prices(PriceFault::Times { factor: 1_000_000_000 }), ErrorKind::Invalid, "absurd"),
        (Effect::Prices(PriceFault::Endless), ErrorKind::Invalid, "leads back"),
    ] {
        sandbox.clear_faults();
        sandbox.inject(Fault::always(ACTION, effect.clone()));
        let error = fetch_some(&client).await.unwrap_err();
        assert!(error.kind == kind && error.message.contains(word), "{effect:?}: {error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    // A fetch can't tell that SKUs are missing: the merge refuses what would take away too much, and changes no price.
    for (fault, refused) in
        [(PriceFault::HalfPage, false), (PriceFault::LostPages, false), (PriceFault::Times { factor: 3 }, true)]
    {
        sandbox.clear_faults();
        sandbox.inject(Fault::always(ACTION, Effect::Prices(fault.clone())));
        let sheet = match fetch_some(&client).await {
            Ok(sheet) => sheet,
            // The first page has cores alone.
            Err(error) => {
                assert!(fault == PriceFault::LostPages && error.message.contains("no price"), "{fault:?}: {error}");
                continue;
            }
        };
        match refresh::merge(Catalog::embedded().unwrap(), &sheet, TODAY, &MergePolicy::default()) {
            Err(RefreshError::TooManyRemoved { .. }) => {}
            Err(RefreshError::MedianMoved { .. }) => assert!(refused, "{fault:?}"),
            Ok((_, report)) => {
                let all = report.confirmed + report.changed + report.removed + report.kept;
                assert!(!refused && report.removed * 5 < all && report.changed < 200, "{fault:?}: {report}");
            }
            Err(other) => panic!("{fault:?}: {other}"),
        }
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_key_is_needed() {
    let error = GcpPrices::new(&GcpPricesSettings::default()).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Invalid);
}
