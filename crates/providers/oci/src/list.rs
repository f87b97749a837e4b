//! The price list: part numbers, each with the tiers of its price.

use std::{borrow::Cow, collections::BTreeMap};

use novacron_provider::{ErrorKind, ProviderError, Result, prices::Decimal};
use novacron_provider_http::read_json;
use serde::Deserialize;

pub(crate) const OPERATION: &str = "ListProducts";

/// Parts with a price in USD, paid as one goes, by part number.
pub type PriceList = BTreeMap<String, Part>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What one pays for: `OCPU Per Hour`.
    pub metric: String,
    /// At least one, sorted, the first from 0 on.
    pub tiers: Vec<Tier>,
}

/// From so many units a month on, each costs this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    pub from: u64,
    pub price: Decimal,
}

impl Part {
    /// The price of what is not given away: that of the first tier which costs something. `None` when all of it is free, and
    /// when a tier has an absurd price.
    pub fn paid(&self) -> Option<u64> {
        let prices: Option<Vec<u64>> = self.tiers.iter().map(|tier| tier.price.nanos()).collect();
        prices?.into_iter().find(|nanos| *nanos > 0)
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
    #[serde(default, rename = "hasMore")]
    has_more: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow)]
    part_number: Cow<'a, str>,
    #[serde(borrow)]
    metric_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    currency_code_localizations: Vec<Localization<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Localization<'a> {
    #[serde(borrow)]
    currency_code: Cow<'a, str>,
    #[serde(borrow, default)]
    prices: Vec<Price<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Price<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    value: Decimal,
    range_min: Option<Decimal>,
}

/// Reads the list. Parts without a price in USD and the model `PAY_AS_YOU_GO` are left out.
///
/// # Errors
/// `Unavailable` for a list that is broken or says that there is more of it; `Invalid` for one without any price in USD.
pub fn read_list(body: &[u8]) -> Result<PriceList> {
    let list: Envelope<'_> = read_json(OPERATION, body)?;
    if list.has_more {
        let text = "the list says that there is more of it, which it never had";
        return Err(ProviderError::new(ErrorKind::Unavailable, OPERATION, text));
    }
    let mut parts = PriceList::new();
    let mut other = None;
    for item in &list.items {
        let dollars = item.currency_code_localizations.iter().find(|local| local.currency_code == "USD");
        match dollars {
            Some(local) => {
                if let Some(part) = read_part(item, local) {
                    parts.insert(item.part_number.to_string(), part);
                }
            }
            None => other = other.or(item.currency_code_localizations.first()),
        }
    }
    match other.filter(|_| parts.is_empty()) {
        Some(other) => {
            let code: String = other.currency_code.chars().take(20).collect();
            let text = format!("prices in USD were asked for, and the answer has them in {code:?}");
            Err(ProviderError::new(ErrorKind::Invalid, OPERATION, text))
        }
        None => Ok(parts),
    }
}

fn read_part(item: &Item<'_>, local: &Localization<'_>) -> Option<Part> {
    let mut tiers = Vec::new();
    for price in local.prices.iter().filter(|price| price.model == "PAY_AS_YOU_GO") {
        let whole = price.range_min.map_or(Some(0), |min| min.nanos())?;
        tiers.push(Tier { from: whole / 1_000_000_000, price: price.value });
    }
    tiers.sort_unstable_by_key(|tier| tier.from);
    let ordered = tiers.windows(2).all(|pair| pair[0].from < pair[1].from);
    let good = ordered && tiers.first().is_some_and(|tier| tier.from == 0);
    good.then(|| Part { metric: item.metric_name.as_deref().unwrap_or_default().to_owned(), tiers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIST: &str = r#"{"lastUpdated": "2026-11-20T00:00:00Z", "items": [
        {"partNumber": "B93297", "displayName": "Compute - Standard - A1 - OCPU", "metricName": "OCPU Per Hour",
         "serviceCategory": "Compute - Virtual Machine", "currencyCodeLocalizations": [
            {"currencyCode": "EUR", "prices": [{"model": "PAY_AS_YOU_GO", "value": 9}]},
            {"currencyCode": "USD", "prices": [
                {"model": "MONTHLY_FLEX", "value": 0.001},
                {"model": "PAY_AS_YOU_GO", "rangeMin": 3000, "rangeMax": 999999999, "value": 0.01},
                {"model": "PAY_AS_YOU_GO", "rangeMin": 0, "rangeMax": 3000, "value": 0}]}]},
        {"partNumber": "B97384", "displayName": "Compute - Standard - E5 - OCPU", "metricName": "OCPU Per Hour",
         "currencyCodeLocalizations": [{"currencyCode": "USD", "prices": [{"model": "PAY_AS_YOU_GO", "value": 0.03}]}]},
        {"partNumber": "B1", "metricName": "Each", "currencyCodeLocalizations": [{"currencyCode": "USD", "prices": []}]},
        {"partNumber": "B2", "metricName": null, "currencyCodeLocalizations": [{"currencyCode": "USD", "prices": [
            {"model": "PAY_AS_YOU_GO", "rangeMin": 5, "value": 1}]}]}]}"#;

    #[test]
    fn the_tier_that_costs_something() {
        let list = read_list(LIST.as_bytes()).unwrap();
        assert_eq!(list.keys().collect::<Vec<_>>(), ["B93297", "B97384"]);
        assert_eq!(list["B93297"].paid(), Some(10_000_000));
        assert_eq!(list["B93297"].tiers.iter().map(|tier| tier.from).collect::<Vec<_>>(), [0, 3000]);
        assert_eq!(list["B97384"].paid(), Some(30_000_000));
        let free = Part { metric: String::new(), tiers: vec![Tier { from: 0, price: Decimal(0) }] };
        assert_eq!(free.paid(), None);
        let absurd =
            Part { tiers: vec![Tier { from: 0, price: Decimal(5) }, Tier { from: 9, price: Decimal(-1) }], ..free };
        assert_eq!(absurd.paid(), None);
    }

    #[test]
    fn lists_that_are_not_to_be_used() {
        let kind = |text: &str| read_list(text.as_bytes()).unwrap_err().kind;
        assert_eq!(kind(&LIST[..LIST.len() / 2]), ErrorKind::Unavailable);
        assert_eq!(kind(&LIST.replace("USD", "JPY")), ErrorKind::Invalid);
        assert_eq!(kind(r#"{"items": [], "hasMore": true}"#), ErrorKind::Unavailable);
        assert!(read_list(br#"{"items": []}"#).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn a_damaged_list_never_panics(at in any::<prop::sample::Index>(), byte: u8) {
            let mut body = LIST.as_bytes().to_vec();
            let at = at.index(body.len());
            let _ = read_list(&body[..at]);
            body[at] = byte;
            for part in read_list(&body).unwrap_or_default().values() {
                prop_assert!(!part.tiers.is_empty() && part.tiers[0].from == 0);
            }
        }
    }
}
