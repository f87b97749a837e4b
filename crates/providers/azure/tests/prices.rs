//! The price client against the sandbox: every figure, every trap, every fault.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use novacron_catalog::{
    Catalog, Pricing, diff,
    refresh::{self, MergePolicy, RefreshError},
};
use novacron_provider::{
    ErrorKind, ProviderError,
    prices::{PriceRequest, PriceSheet, PriceSource, Term},
    retry::RetryPolicy,
};
use novacron_provider_azure::{AzurePrices, AzurePricesSettings};
use novacron_provider_http::Limits;
use novacron_sandbox::{Effect, Fault, PriceDrift, PriceFault, Sandbox, SandboxConfig};
use novacron_types::ProviderKind;

const KIND: ProviderKind = ProviderKind::Azure;
const ACTION: &str = "AzureRetailPrices";
const REGIONS: [&str; 4] = ["eastus", "japaneast", "usgovvirginia", "westeurope"];
const TODAY: jiff::civil::Date = jiff::civil::Date::constant(2026, 11, 28);

async fn start() -> (Sandbox, AzurePrices) {
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let client = client(&sandbox);
    (sandbox, client)
}

fn client(sandbox: &Sandbox) -> AzurePrices {
    let ms = Duration::from_millis;
    let retry = RetryPolicy { attempts: 3, first_pause: ms(1), longest_pause: ms(5), ..RetryPolicy::default() };
    let limits = Limits { per_second: 1000.0, retry, ..Limits::default() };
    AzurePrices::new(&AzurePricesSettings { endpoint: Some(sandbox.endpoint()), limits }).unwrap()
}

async fn fetch(client: &AzurePrices, regions: &[&str]) -> Result<PriceSheet, ProviderError> {
    let regions = regions.iter().map(|name| (*name).to_owned()).collect();
    client.fetch(&PriceRequest { today: TODAY, regions, machines: Vec::new() }, &|_| {}).await
}

/// How many offers the catalog has in a region.
fn known(region: &str) -> usize {
    let catalog = Catalog::embedded().unwrap();
    let region = catalog.find_region(KIND, region).unwrap();
    catalog.offers().region.iter().filter(|r| **r == region).count()
}

fn check(sandbox: &Sandbox, sheet: &PriceSheet) {
    for row in &sheet.rows {
        let stated = sandbox.price(KIND, &row.region, &row.machine, row.term.into());
        assert_eq!(stated, Some(row.nanos), "{row:?}");
    }
}

#[tokio::test]
async fn every_row_is_what_the_list_states() {
    let (sandbox, client) = start().await;
    let sheet = fetch(&client, &["eastus", "westeurope"]).await.unwrap();
    assert_eq!(sheet.rows.len(), known("eastus") + known("westeurope"));
    check(&sandbox, &sheet);
    let derived = |term: Term| sheet.rows.iter().any(|row| row.term == term && sheet.groups[row.group].rule.is_some());
    assert_eq!(Term::ALL.map(derived), [false, false, true, true]);
    assert!(sheet.oddities.is_empty(), "{:?}", sheet.oddities);
    assert_eq!(sheet.whole.len(), 8);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_refresh_takes_what_moved_and_a_second_one_nothing() {
    let (sandbox, client) = start().await;
    sandbox.set_price_drift(PriceDrift { seed: 1, permille: 200 });
    let old = Catalog::embedded().unwrap();
    let sheet = fetch(&client, &REGIONS).await.unwrap();
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
            let committed = matches!(offer.pricing, Pricing::Commit1Year | Pricing::Commit3Years);
            assert_eq!((group.as_of.as_str(), group.is_derived()), ("2026-11-28", committed));
        } else {
            assert_ne!(group.as_of, "2026-11-28");
        }
    }
    let again = fetch(&client, &REGIONS).await.unwrap();
    let (second, _) = refresh::merge(&new, &again, TODAY, &MergePolicy::default()).unwrap();
    assert_eq!(second.parts(), new.parts());
    sandbox.shutdown().await;
}

#[tokio::test]
async fn what_passes_is_asked_for_again() {
    let (sandbox, client) = start().await;
    let error = |status| Effect::Error { code: "x".into(), status, message: None, reason: None, applied: false };
    for effect in [
        error(500),
        Effect::Drop { applied: false },
        Effect::Truncate { after: 1000 },
        Effect::Prices(PriceFault::HalfPage),
        Effect::Prices(PriceFault::TooMany { retry_after: 0 }),
    ] {
        sandbox.clear_faults();
        sandbox.inject(Fault::nth(ACTION, 2, effect.clone()));
        let sheet = fetch(&client, &["eastus"]).await.unwrap_or_else(|error| panic!("{effect:?}: {error}"));
        assert_eq!(sandbox.faults()[0].happened, 1, "{effect:?}");
        assert_eq!(sheet.rows.len(), known("eastus"), "{effect:?}");
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn what_stays_wrong_is_an_error_and_no_prices() {
    let (sandbox, client) = start().await;
    let error = |status| Effect::Error { code: "x".into(), status, message: None, reason: None, applied: false };
    for (effect, kind, word) in [
        (error(500), ErrorKind::Unavailable, "500"),
        (error(403), ErrorKind::Unauthorised, "403"),
        (Effect::Truncate { after: 1000 }, ErrorKind::Unavailable, ""),
        (Effect::Prices(PriceFault::HalfPage), ErrorKind::Unavailable, "items"),
        (Effect::Prices(PriceFault::Currency { code: "EUR".into() }), ErrorKind::Invalid, "EUR"),
        (Effect::Prices(PriceFault::Times { factor: 0 }), ErrorKind::Invalid, "no price"),
        (Effect::Prices(PriceFault::Times { factor: -1 }), ErrorKind::Invalid, "absurd"),
        (Effect::Prices(PriceFault::Times { factor: 1_000_000_000 }), ErrorKind::Invalid, "absurd"),
        (Effect::Prices(PriceFault::Endless), ErrorKind::Invalid, "leads back"),
        (Effect::Prices(PriceFault::Elsewhere), ErrorKind::Invalid, "prices.example.com"),
    ] {
        sandbox.clear_faults();
        sandbox.inject(Fault::always(ACTION, effect.clone()));
        let error = fetch(&client, &["eastus"]).await.unwrap_err();
        assert!(error.kind == kind && error.message.contains(word), "{effect:?}: {error}");
    }
    let too_long = Effect::Prices(PriceFault::TooMany { retry_after: 3600 });
    sandbox.clear_faults();
    sandbox.inject(Fault::always(ACTION, too_long));
    let error = fetch(&client, &["eastus"]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled { retry_after: Some(Duration::from_secs(3600)) });
    assert_eq!(sandbox.faults()[0].happened, 1);
    sandbox.shutdown().await;
}

/// What a fetch can't tell, the merge does.
#[tokio::test]
async fn a_list_that_is_not_believed_changes_nothing() {
    let (sandbox, client) = start().await;
    let catalog = Catalog::embedded().unwrap();
    sandbox.inject(Fault::always(ACTION, Effect::Prices(PriceFault::LostPages)));
    let sheet = fetch(&client, &["eastus"]).await.unwrap();
    let merged = refresh::merge(catalog, &sheet, TODAY, &MergePolicy::default());
    assert!(matches!(merged, Err(RefreshError::TooManyRemoved { .. })), "{merged:?}");

    sandbox.clear_faults();
    sandbox.inject(Fault::always(ACTION, Effect::Prices(PriceFault::Times { factor: 3 })));
    let sheet = fetch(&client, &["eastus"]).await.unwrap();
    let merged = refresh::merge(catalog, &sheet, TODAY, &MergePolicy::default());
    assert!(matches!(merged, Err(RefreshError::MedianMoved { permille: 3000, .. })), "{merged:?}");
    sandbox.shutdown().await;
}
