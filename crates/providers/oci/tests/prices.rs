//! The price client against the sandbox: every figure, every trap, every fault.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use novacron_catalog::{
    Catalog, diff,
    refresh::{self, MergePolicy, RefreshError},
};
use novacron_provider::{
    ErrorKind, ProviderError,
    prices::{PriceSheet, PriceSource},
    retry::RetryPolicy,
};
use novacron_provider_http::Limits;
use novacron_provider_oci::{OciPrices, OciPricesSettings};
use novacron_sandbox::{Effect, Fault, PriceDrift, PriceFault, Sandbox, SandboxConfig};
use novacron_types::ProviderKind;

const KIND: ProviderKind = ProviderKind::Oci;
const ACTION: &str = "OciListProducts";
const TODAY: jiff::civil::Date = jiff::civil::Date::constant(2026, 11, 28);

async fn start() -> (Sandbox, OciPrices) {
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let ms = Duration::from_millis;
    let retry = RetryPolicy { attempts: 3, first_pause: ms(1), longest_pause: ms(5), ..RetryPolicy::default() };
    let limits = Limits { per_second: 1000.0, retry, ..Limits::default() };
    let endpoint = Some(format!("{}/pls/apex", sandbox.endpoint()));
    let client = OciPrices::new(&OciPricesSettings { endpoint, limits }).unwrap();
    (sandbox, client)
}

async fn fetch(client: &OciPrices) -> Result<PriceSheet, ProviderError> {
    client.fetch(&refresh::request(Catalog::embedded().unwrap(), KIND, TODAY), &|_| {}).await
}

#[tokio::test]
async fn an_unmoved_list_confirms_the_catalog() {
    let (sandbox, client) = start().await;
    let old = Catalog::embedded().unwrap();
    let sheet = fetch(&client).await.unwrap();
    let (new, report) = refresh::merge(old, &sheet, TODAY, &MergePolicy::default()).unwrap();
    let offers = old.offers().iter().filter(|offer| old.region(offer.region).kind == KIND).count();
    assert_eq!((report.confirmed, report.changed, report.added, report.removed), (offers, 0, 0, 0), "{report}");
    assert!(diff(old, &new).is_empty() && report.oddities.is_empty(), "{report}");
    for (before, after) in old.parts().disks.iter().zip(&new.parts().disks) {
        assert_eq!(
            (before.region, &before.name, before.nanos_per_gb_month),
            (after.region, &after.name, after.nanos_per_gb_month)
        );
    }
    for (before, after) in old.parts().transfers.iter().zip(&new.parts().transfers) {
        assert_eq!((before.from, before.to, &before.tiers), (after.from, after.to, &after.tiers));
    }
    assert!(new.parts().disks.iter().any(|disk| new.group(disk.group).name.starts_with("oci-list-disks")));
    assert!(new.parts().transfers.iter().any(|row| new.group(row.group).name.starts_with("oci-list-traffic")));
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_refresh_takes_what_moved_and_a_second_one_nothing() {
    let (sandbox, client) = start().await;
    sandbox.set_price_drift(PriceDrift { seed: 3, permille: 500 });
    let old = Catalog::embedded().unwrap();
    let sheet = fetch(&client).await.unwrap();
    let (new, report) = refresh::merge(old, &sheet, TODAY, &MergePolicy::default()).unwrap();
    assert!(report.changed > 1000 && diff(old, &new).len() == report.changed, "{report}");
    for (offer, hourly) in new.offers().iter().zip(&new.offers().hourly_nanos) {
        let (ty, region) = (new.instance_type(offer.ty), new.region(offer.region));
        if region.kind == KIND {
            assert_eq!(sandbox.price(KIND, &region.name, &ty.name, offer.pricing), Some(*hourly), "{}", ty.name);
            assert!(new.group(offer.group).is_derived());
        }
    }
    let again = fetch(&client).await.unwrap();
    let (second, _) = refresh::merge(&new, &again, TODAY, &MergePolicy::default()).unwrap();
    assert_eq!(second.parts(), new.parts());
    sandbox.shutdown().await;
}

#[tokio::test]
async fn faults() {
    let (sandbox, client) = start().await;
    let error = |status| Effect::Error { code: "x".into(), status, message: None, reason: None, applied: false };
    for (effect, kind, word) in [
        (error(500), ErrorKind::Unavailable, "500"),
        (Effect::Truncate { after: 1000 }, ErrorKind::Unavailable, ""),
        (Effect::Prices(PriceFault::HalfPage), ErrorKind::Unavailable, "parts"),
        (Effect::Prices(PriceFault::Currency { code: "EUR".into() }), ErrorKind::Invalid, "EUR"),
        (Effect::Prices(PriceFault::Times { factor: 0 }), ErrorKind::Invalid, "no price"),
        (Effect::Prices(PriceFault::Times { factor: -1 }), ErrorKind::Invalid, "no price"),
        (Effect::Prices(PriceFault::Times { factor: 1_000_000_000 }), ErrorKind::Invalid, "absurd"),
    ] {
        sandbox.clear_faults();
        sandbox.inject(Fault::always(ACTION, effect.clone()));
        let error = fetch(&client).await.unwrap_err();
        assert!(error.kind == kind && error.message.contains(word), "{effect:?}: {error}");
        // Once is no harm, if it is such that may pass.
        sandbox.clear_faults();
        sandbox.inject(Fault::nth(ACTION, 1, effect.clone()));
        assert_eq!(fetch(&client).await.is_ok(), kind == ErrorKind::Unavailable, "{effect:?}");
    }
    sandbox.clear_faults();
    sandbox.inject(Fault::always(ACTION, Effect::Prices(PriceFault::Times { factor: 730 })));
    let sheet = fetch(&client).await.unwrap();
    let merged = refresh::merge(Catalog::embedded().unwrap(), &sheet, TODAY, &MergePolicy::default());
    assert!(matches!(merged, Err(RefreshError::MedianMoved { .. })), "{merged:?}");
    sandbox.shutdown().await;
}
