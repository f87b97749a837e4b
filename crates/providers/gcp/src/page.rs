//! One page of `services.skus.list`.

use std::borrow::Cow;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use novacron_provider::{
    ErrorKind, ProviderError, Result,
    prices::{Decimal, Term},
};
use novacron_provider_http::read_json;
use serde::Deserialize;

use crate::part::{Part, read_part};

pub(crate) const OPERATION: &str = "ListSkus";

#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    pub readings: Vec<Reading>,
    /// How many SKUs there were, read or not.
    pub skus: usize,
    pub next: Option<String>,
}

/// What a SKU of a part says.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    Rate {
        part: Part,
        term: Term,
        regions: Vec<String>,
        nanos: u64,
    },
    /// It should have been a price.
    Odd(&'static str, String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    skus: Vec<Sku<'a>>,
    #[serde(borrow, default)]
    next_page_token: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sku<'a> {
    #[serde(borrow)]
    description: Cow<'a, str>,
    #[serde(borrow)]
    category: Category<'a>,
    #[serde(borrow, default)]
    service_regions: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    pricing_info: Vec<PricingInfo<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Category<'a> {
    #[serde(borrow, default)]
    usage_type: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PricingInfo<'a> {
    effective_time: Option<Timestamp>,
    #[serde(borrow)]
    pricing_expression: Expression<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expression<'a> {
    #[serde(borrow, default)]
    usage_unit: Cow<'a, str>,
    #[serde(borrow, default)]
    tiered_rates: Vec<Rate<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rate<'a> {
    #[serde(default)]
    start_usage_amount: Decimal,
    #[serde(borrow)]
    unit_price: Price<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Price<'a> {
    #[serde(borrow)]
    currency_code: Cow<'a, str>,
    /// Whole units, as text.
    #[serde(borrow, default)]
    units: Cow<'a, str>,
    /// And so many 10⁻⁹ of one.
    #[serde(default)]
    nanos: i64,
}

/// Reads a page as it was on `today`.
///
/// # Errors
/// `Unavailable` for a page that is broken; `Invalid` for one with a part in another currency than USD.
pub fn read_page(body: &[u8], today: Date) -> Result<Page> {
    let page: Envelope<'_> = read_json(OPERATION, body)?;
    let mut readings = Vec::new();
    for sku in &page.skus {
        readings.extend(read(sku, today)?);
    }
    let next = page.next_page_token.filter(|token| !token.is_empty()).map(Cow::into_owned);
    Ok(Page { readings, skus: page.skus.len(), next })
}

/// `None` for a SKU of something else.
fn read(sku: &Sku<'_>, today: Date) -> Result<Option<Reading>> {
    let term = match sku.category.usage_type.as_ref() {
        "OnDemand" => Term::OnDemand,
        "Preemptible" => Term::Spot,
        "Commit1Yr" => Term::Commit1Year,
        "Commit3Yr" => Term::Commit3Years,
        _ => return Ok(None),
    };
    let Some(part) = read_part(&sku.description, term.hours().is_some()) else { return Ok(None) };
    let odd = |why| Ok(Some(Reading::Odd(why, sku.description.to_string())));
    let begun =
        |info: &&PricingInfo<'_>| info.effective_time.is_none_or(|since| since.to_zoned(TimeZone::UTC).date() <= today);
    let Some(info) = sku.pricing_info.iter().filter(begun).max_by_key(|info| info.effective_time) else {
        return odd("parts whose price has not begun");
    };
    let expression = &info.pricing_expression;
    if let Some(rate) = expression.tiered_rates.iter().find(|rate| rate.unit_price.currency_code != "USD") {
        let code: String = rate.unit_price.currency_code.chars().take(20).collect();
        let text = format!("prices in USD were asked for, and the answer has some in {code:?}");
        return Err(ProviderError::new(ErrorKind::Invalid, OPERATION, text));
    }
    if expression.usage_unit != part.unit() {
        return odd("parts that are priced by another unit");
    }
    let Some(mut rates) = expression.tiered_rates.iter().map(amount).collect::<Option<Vec<_>>>() else {
        return odd("parts with an absurd price");
    };
    rates.sort_unstable();
    // A first tier that costs nothing is an allowance, and not the price.
    match rates.into_iter().find(|(_, nanos)| *nanos > 0) {
        Some((_, nanos)) => {
            let regions = sku.service_regions.iter().map(|region| region.to_string()).collect();
            Ok(Some(Reading::Rate { part, term, regions, nanos }))
        }
        None => odd("parts that cost nothing"),
    }
}

/// From how many units on, and what one costs; `None` for what no price can be.
fn amount(rate: &Rate<'_>) -> Option<(Decimal, u64)> {
    let units = if rate.unit_price.units.is_empty() { 0 } else { rate.unit_price.units.parse::<u64>().ok()? };
    let nanos = u64::try_from(rate.unit_price.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some((rate.start_usage_amount, units.checked_mul(1_000_000_000)?.checked_add(nanos)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const TODAY: Date = Date::constant(2026, 11, 28);

    fn sku(description: &str, usage: &str, unit: &str, rates: Value) -> Value {
        json!({
            "name": "services/6F81-5844-456A/skus/0000", "skuId": "0000", "description": description,
            "category": {"serviceDisplayName": "Compute Engine", "resourceFamily": "Compute", "resourceGroup": "CPU", "usageType": usage},
            "serviceRegions": ["us-central1", "us-east1"],
            "pricingInfo": [{"summary": "", "effectiveTime": "2026-11-01T07:00:00.123456Z",
                "pricingExpression": {"usageUnit": unit, "displayQuantity": 1, "tieredRates": rates}, "currencyConversionRate": 1}],
            "serviceProviderName": "Google",
        })
    }

    fn rate(start: f64, units: &str, nanos: i64) -> Value {
        json!({"startUsageAmount": start, "unitPrice": {"currencyCode": "USD", "units": units, "nanos": nanos}})
    }

    fn read_one(sku: Value) -> Option<Reading> {
        let page = json!({"skus": [sku], "nextPageToken": ""}).to_string();
        let page = read_page(page.as_bytes(), TODAY).unwrap();
        assert_eq!((page.skus, page.next), (1, None));
        page.readings.into_iter().next()
    }

    fn nanos(rates: Value) -> Option<u64> {
        match read_one(sku("E2 Instance Core running in Iowa", "OnDemand", "h", rates)) {
            Some(Reading::Rate { part: Part::Core("e2"), term: Term::OnDemand, regions, nanos }) => {
                assert_eq!(regions, ["us-central1", "us-east1"]);
                Some(nanos)
            }
            _ => None,
        }
    }

    #[test]
    fn units_nanos_and_tiers() {
        assert_eq!(nanos(json!([rate(0.0, "0", 21_811_590)])), Some(21_811_590));
        assert_eq!(nanos(json!([rate(0.0, "3", 500_000_000)])), Some(3_500_000_000));
        assert_eq!(nanos(json!([{"unitPrice": {"currencyCode": "USD", "nanos": 7}}])), Some(7));
        assert_eq!(nanos(json!([rate(744.0, "0", 21), rate(0.0, "0", 0)])), Some(21));
        assert_eq!(nanos(json!([rate(100.0, "0", 5), rate(0.0, "0", 9)])), Some(9));
        for odd in [
            json!([rate(0.0, "0", 0)]),
            json!([]),
            json!([rate(0.0, "-1", 0)]),
            json!([rate(0.0, "0", -5)]),
            json!([rate(0.0, "99999999999999", 0)]),
        ] {
            assert_eq!(nanos(odd.clone()), None, "{odd}");
        }
    }

    #[test]
    fn the_price_that_has_begun() {
        let mut two = sku("E2 Instance Ram running in Iowa", "Preemptible", "GiBy.h", json!([rate(0.0, "0", 5)]));
        let mut later = two["pricingInfo"][0].clone();
        later["effectiveTime"] = "2026-12-24T00:00:00Z".into();
        later["pricingExpression"]["tieredRates"][0]["unitPrice"]["nanos"] = 9.into();
        two["pricingInfo"].as_array_mut().unwrap().insert(0, later);
        assert!(matches!(read_one(two), Some(Reading::Rate { term: Term::Spot, nanos: 5, .. })));
    }

    #[test]
    fn another_unit_or_currency_or_usage() {
        let e2 = "E2 Instance Core running in Iowa";
        assert!(matches!(read_one(sku(e2, "OnDemand", "mo", json!([rate(0.0, "1", 0)]))), Some(Reading::Odd(..))));
        assert_eq!(read_one(sku(e2, "Commit5Yr", "h", json!([rate(0.0, "1", 0)]))), None);
        assert_eq!(read_one(sku("Something", "OnDemand", "h", json!([rate(0.0, "1", 0)]))), None);
        let yen = json!([{"unitPrice": {"currencyCode": "JPY", "units": "1", "nanos": 0}}]);
        let page = json!({"skus": [sku(e2, "OnDemand", "h", yen)]}).to_string();
        assert_eq!(read_page(page.as_bytes(), TODAY).unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(read_page(b"{\"error\": {}}", TODAY).unwrap_err().kind, ErrorKind::Unavailable);
    }

    proptest! {
        #[test]
        fn a_damaged_page_never_panics(at in any::<prop::sample::Index>(), byte: u8) {
            let page = json!({"skus": [sku("E2 Instance Core running in Iowa", "OnDemand", "h", json!([rate(0.5, "1", 5)]))], "nextPageToken": "x"});
            let mut body = page.to_string().into_bytes();
            let at = at.index(body.len());
            let _ = read_page(&body[..at], TODAY);
            body[at] = byte;
            let _ = read_page(&body, TODAY);
        }
    }
}
