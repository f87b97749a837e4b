//! One page of the Retail Prices API, and what each of its items means.

use std::borrow::Cow;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use novacron_provider::{
    ErrorKind, ProviderError, Result,
    prices::{Decimal, Term, per_term},
};
use novacron_provider_http::read_json;
use serde::Deserialize;

pub(crate) const OPERATION: &str = "RetailPrices";

/// What is read of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    pub readings: Vec<Reading>,
    /// As the vendor wrote it, and so not to be followed before it is known where it leads.
    pub next: Option<String>,
}

/// What an item says.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    Price {
        region: String,
        machine: String,
        term: Term,
        price: Decimal,
        since: Option<Date>,
    },
    /// Something else than what a Linux machine costs today.
    Other,
    /// It should have been a price.
    Odd(&'static str, String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    billing_currency: Option<Cow<'a, str>>,
    #[serde(borrow)]
    items: Vec<Item<'a>>,
    #[serde(borrow)]
    next_page_link: Option<Cow<'a, str>>,
    count: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow)]
    currency_code: Cow<'a, str>,
    retail_price: Decimal,
    tier_minimum_units: Option<Decimal>,
    #[serde(borrow)]
    arm_region_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    arm_sku_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sku_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    meter_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    product_name: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    reservation_term: Option<Cow<'a, str>>,
    #[serde(borrow)]
    unit_of_measure: Cow<'a, str>,
    effective_start_date: Option<Timestamp>,
    effective_end_date: Option<Timestamp>,
}

/// Reads a page as it was on `today`.
///
/// # Errors
/// `Unavailable` for a page that is broken or has not as many items as it says; `Invalid` for one in another currency than USD.
pub fn read_page(body: &[u8], today: Date) -> Result<Page> {
    let page: Envelope<'_> = read_json(OPERATION, body)?;
    if page.items.len() != page.count {
        let text = format!("a page says that it has {} items and has {}", page.count, page.items.len());
        return Err(ProviderError::new(ErrorKind::Unavailable, OPERATION, text));
    }
    let currencies = page.billing_currency.iter().chain(page.items.iter().map(|item| &item.currency_code));
    if let Some(other) = currencies.into_iter().find(|currency| *currency != "USD") {
        let other: String = other.chars().take(20).collect();
        let text = format!("prices in USD were asked for, and the answer has some in {other:?}");
        return Err(ProviderError::new(ErrorKind::Invalid, OPERATION, text));
    }
    let readings = page.items.iter().map(|item| read(item, today)).collect();
    let next = page.next_page_link.filter(|link| !link.is_empty()).map(Cow::into_owned);
    Ok(Page { readings, next })
}

fn read(item: &Item<'_>, today: Date) -> Reading {
    let text = |field: &Option<Cow<'_, str>>| field.as_deref().unwrap_or_default().trim().to_owned();
    let (sku, meter, product) = (text(&item.sku_name), text(&item.meter_name), text(&item.product_name));
    let (region, machine) = (text(&item.arm_region_name), text(&item.arm_sku_name));
    let named = |word: &str| sku.contains(word) || meter.contains(word);
    let other = product.contains("Windows")
        || product.contains("CloudServices")
        || product.contains("Cloud Services")
        || product.contains("Dedicated Host")
        || named("Low Priority");
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let since = item.effective_start_date.map(day);
    let over = item.effective_end_date.is_some_and(|end| day(end) <= today);
    if other || region.is_empty() || machine.is_empty() || over || since.is_some_and(|since| since > today) {
        return Reading::Other;
    }
    let odd = |why| Reading::Odd(why, format!("{machine} in {region}: {product}, {sku}"));
    let term = match (item.kind.as_ref(), item.reservation_term.as_deref()) {
        ("Consumption", _) if named("Spot") => Term::Spot,
        ("Consumption", _) => Term::OnDemand,
        ("Reservation", Some("1 Year")) => Term::Commit1Year,
        ("Reservation", Some("3 Years")) => Term::Commit3Years,
        ("Reservation", Some("5 Years")) => return Reading::Other,
        ("Reservation", _) => return odd("reservations of a term that is not known"),
        // `DevTestConsumption` is for subscriptions of developers alone.
        _ => return Reading::Other,
    };
    if item.unit_of_measure != "1 Hour" {
        return odd("prices for another unit than an hour");
    }
    if item.tier_minimum_units.is_some_and(|units| units.0 != 0) {
        return odd("prices from a number of units on");
    }
    // The price of a reservation is for all its hours, though its unit says one.
    let price = match item.retail_price.nanos() {
        Some(total) if term.hours().is_some() => Decimal(per_term(total, term).into()),
        _ => item.retail_price,
    };
    Reading::Price { region, machine, term, price, since }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const TODAY: Date = Date::constant(2026, 11, 28);

    fn item(changes: Value) -> Value {
        let mut item = json!({
            "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": 0.096, "unitPrice": 0.096,
            "armRegionName": "eastus", "location": "US East", "effectiveStartDate": "2021-11-01T00:00:00Z",
            "meterName": "D2s v5", "productName": "Virtual Machines Dsv5 Series", "skuName": "D2s v5",
            "serviceName": "Virtual Machines", "unitOfMeasure": "1 Hour", "type": "Consumption",
            "isPrimaryMeterRegion": true, "armSkuName": "Standard_D2s_v5",
        });
        let (all, changed) = (item.as_object_mut().unwrap(), changes.as_object().unwrap().clone());
        all.extend(changed);
        item
    }

    fn page(items: Vec<Value>) -> Value {
        let count = items.len();
        json!({"BillingCurrency": "USD", "CustomerEntityId": "Default", "Items": items, "NextPageLink": null, "Count": count})
    }

    fn reading(changes: Value) -> Reading {
        let body = page(vec![item(changes)]).to_string();
        read_page(body.as_bytes(), TODAY).unwrap().readings.remove(0)
    }

    fn price(changes: Value) -> Option<(Term, i128)> {
        match reading(changes) {
            Reading::Price { term, price, .. } => Some((term, price.0)),
            _ => None,
        }
    }

    #[test]
    fn what_a_machine_costs() {
        assert_eq!(price(json!({})), Some((Term::OnDemand, 96_000_000)));
        assert_eq!(price(json!({"skuName": "D2s v5 Spot"})), Some((Term::Spot, 96_000_000)));
        assert_eq!(price(json!({"meterName": "D2s v5 Spot"})), Some((Term::Spot, 96_000_000)));
        let reservation =
            |term, total: f64| json!({"type": "Reservation", "reservationTerm": term, "retailPrice": total});
        assert_eq!(price(reservation("1 Year", 578.16)), Some((Term::Commit1Year, 66_000_000)));
        assert_eq!(price(reservation("3 Years", 1051.2)), Some((Term::Commit3Years, 40_000_000)));
    }

    #[test]
    fn what_is_something_else() {
        for other in [
            json!({"skuName": "D2s v5 Low Priority"}),
            json!({"meterName": "D2s v5 Low Priority"}),
            json!({"productName": "Virtual Machines Dsv5 Series Windows"}),
            json!({"productName": "Virtual Machines Dsv5 Series CloudServices"}),
            json!({"type": "DevTestConsumption"}),
            json!({"effectiveStartDate": "2026-12-01T00:00:00Z"}),
            json!({"effectiveEndDate": "2026-11-01T00:00:00Z"}),
            json!({"armSkuName": null}),
            json!({"armRegionName": ""}),
            json!({"type": "Reservation", "reservationTerm": "5 Years"}),
        ] {
            assert_eq!(reading(other.clone()), Reading::Other, "{other}");
        }
        for odd in [
            json!({"unitOfMeasure": "1/Month"}),
            json!({"tierMinimumUnits": 10}),
            json!({"type": "Reservation", "reservationTerm": null}),
        ] {
            assert!(matches!(reading(odd.clone()), Reading::Odd(..)), "{odd}");
        }
    }

    #[test]
    fn pages_that_are_not_whole_or_not_dollars() {
        let kind = |page: Value| read_page(page.to_string().as_bytes(), TODAY).unwrap_err().kind;
        let mut half = page(vec![item(json!({})), item(json!({}))]);
        half["Items"].as_array_mut().unwrap().pop();
        assert_eq!(kind(half), ErrorKind::Unavailable);
        assert_eq!(kind(json!({"Items": []})), ErrorKind::Unavailable);
        assert_eq!(kind(json!({"error": "x"})), ErrorKind::Unavailable);
        assert_eq!(kind(page(vec![item(json!({})), item(json!({"currencyCode": "EUR"}))])), ErrorKind::Invalid);
        let mut yen = page(vec![item(json!({}))]);
        yen["BillingCurrency"] = "JPY".into();
        assert_eq!(kind(yen), ErrorKind::Invalid);
    }

    proptest! {
        #[test]
        fn a_damaged_page_never_panics(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
            let mut body = page(vec![item(json!({})), item(json!({"type": "Reservation", "reservationTerm": "1 Year"}))]).to_string().into_bytes();
            let (at, cut) = (at.index(body.len()), cut.index(body.len()));
            let _ = read_page(&body[..cut], TODAY);
            body[at] = byte;
            let _ = read_page(&body, TODAY);
        }
    }
}
