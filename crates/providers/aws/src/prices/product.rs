//! One entry of the price list service: a JSON document inside a text.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use novacron_provider::{
    ErrorKind, ProviderError, Result,
    prices::{Decimal, Term, per_term},
};
use serde::Deserialize;

pub const OPERATION: &str = "GetProducts";

/// A price of a Linux machine without licences, shared, by the hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub term: Term,
    pub price: Decimal,
    /// A part of it is paid at once, and spread over the term here.
    pub spread: bool,
    pub since: Option<Date>,
}

/// A machine, where it is sold, and what it costs there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    pub machine: String,
    pub region: String,
    pub readings: Vec<Reading>,
}

/// An EBS disk, where it is sold, and what a GB and month of it costs there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `gp3`.
    pub name: String,
    pub region: String,
    pub price: Decimal,
}

type Map<'a, T> = BTreeMap<Cow<'a, str>, T>;

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    product: Described<'a>,
    #[serde(borrow, default)]
    terms: Terms<'a>,
}

#[derive(Deserialize)]
struct Described<'a> {
    #[serde(borrow)]
    attributes: Map<'a, Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Terms<'a> {
    #[serde(borrow)]
    on_demand: Map<'a, Offered<'a>>,
    #[serde(borrow)]
    reserved: Map<'a, Offered<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Offered<'a> {
    effective_date: Option<Timestamp>,
    #[serde(borrow)]
    price_dimensions: Map<'a, Dimension<'a>>,
    #[serde(borrow, default)]
    term_attributes: Map<'a, Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dimension<'a> {
    #[serde(borrow)]
    unit: Cow<'a, str>,
    #[serde(borrow, default)]
    begin_range: Cow<'a, str>,
    #[serde(borrow)]
    price_per_unit: Map<'a, Decimal>,
}

/// Reads an entry as it was on `today`; `None` for something else than a plain Linux machine.
///
/// # Errors
/// `Unavailable` for an entry that is broken; `Invalid` for one in another currency than USD.
pub fn read_product(text: &str, today: Date) -> Result<Option<Product>> {
    let entry = Entry::read(text)?;
    let attribute = |name: &str| entry.attribute(name);
    let is = |name: &str, wanted: &str| attribute(name) == wanted;
    let or_absent = |name: &str, wanted: &str| is(name, wanted) || attribute(name).is_empty();
    let plain = is("operatingSystem", "Linux")
        && is("tenancy", "Shared")
        && is("capacitystatus", "Used")
        && is("preInstalledSw", "NA")
        && or_absent("licenseModel", "No License required")
        && or_absent("marketoption", "OnDemand")
        && or_absent("operation", "RunInstances");
    let (machine, region) = (attribute("instanceType"), attribute("regionCode"));
    if !plain || machine.is_empty() || region.is_empty() {
        return Ok(None);
    }
    let mut readings = Vec::new();
    for offered in entry.terms.on_demand.values() {
        let (hourly, _) = offered.amounts()?;
        readings.extend(offered.reading(Term::OnDemand, hourly.map(|price| (price, false)), today));
    }
    for term in [Term::Commit1Year, Term::Commit3Years] {
        readings.extend(reserved(&entry.terms, term, today)?);
    }
    Ok(Some(Product { machine: machine.to_owned(), region: region.to_owned(), readings }))
}

/// As [`read_product`], for the size of an EBS disk; what its IOPS cost is something else.
pub fn read_volume(text: &str, today: Date) -> Result<Option<Volume>> {
    let entry = Entry::read(text)?;
    let (name, region) = (entry.attribute("volumeApiName"), entry.attribute("regionCode"));
    if name.is_empty() || region.is_empty() || !entry.attribute("usagetype").contains("EBS:VolumeUsage") {
        return Ok(None);
    }
    let begun = entry.terms.on_demand.values().filter(|offered| offered.has_begun(today));
    let size = begun.flat_map(|offered| offered.price_dimensions.values()).find(|dimension| dimension.unit == "GB-Mo");
    let price = size.map(Dimension::usd).transpose()?;
    Ok(price.map(|price| Volume { name: name.to_owned(), region: region.to_owned(), price }))
}

impl<'a> Entry<'a> {
    fn read(text: &'a str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            let text = format!("an entry of the price list can't be read: {error}");
            ProviderError::new(ErrorKind::Unavailable, OPERATION, text)
        })
    }

    fn attribute(&self, name: &str) -> &str {
        self.product.attributes.get(name).map_or("", |value| value.as_ref())
    }
}

impl Dimension<'_> {
    fn usd(&self) -> Result<Decimal> {
        self.price_per_unit.get("USD").copied().ok_or_else(|| {
            let code = self.price_per_unit.keys().next().map_or("no currency", |code| code.as_ref());
            let code: String = code.chars().take(20).collect();
            let text = format!("prices in USD were asked for, and the answer has some in {code:?}");
            ProviderError::new(ErrorKind::Invalid, OPERATION, text)
        })
    }
}

/// The standard reservation of a term with the least to pay at once.
fn reserved(terms: &Terms<'_>, term: Term, today: Date) -> Result<Option<Reading>> {
    let length = if term == Term::Commit1Year { "1yr" } else { "3yr" };
    for option in ["No Upfront", "Partial Upfront", "All Upfront"] {
        let wanted = |offered: &&Offered<'_>| {
            let is = |name: &str, value: &str| offered.term_attributes.get(name).is_some_and(|own| own == value);
            is("LeaseContractLength", length) && is("OfferingClass", "standard") && is("PurchaseOption", option)
        };
        for offered in terms.reserved.values().filter(wanted) {
            let (hourly, upfront) = offered.amounts()?;
            let price = effective(hourly, upfront, term).map(|price| (price, upfront.is_some()));
            if let Some(reading) = offered.reading(term, price, today) {
                return Ok(Some(reading));
            }
        }
    }
    Ok(None)
}

/// The hourly part and the part that is paid at once, spread over the hours of the term.
fn effective(hourly: Option<Decimal>, upfront: Option<Decimal>, term: Term) -> Option<Decimal> {
    let spread = match upfront.map(|amount| amount.nanos()) {
        None => 0,
        Some(amount) => per_term(amount?, term),
    };
    let hourly = hourly.unwrap_or_default().nanos()?;
    Some(Decimal(i128::from(hourly) + i128::from(spread)))
}

impl Offered<'_> {
    /// By the hour, and at once.
    fn amounts(&self) -> Result<(Option<Decimal>, Option<Decimal>)> {
        let (mut hourly, mut upfront) = (None, None);
        for dimension in self.price_dimensions.values() {
            let amount = dimension.usd()?;
            match dimension.unit.as_ref() {
                "Hrs" if matches!(dimension.begin_range.as_ref(), "" | "0") => hourly = hourly.max(Some(amount)),
                "Quantity" => upfront = upfront.max(Some(amount)),
                _ => {}
            }
        }
        Ok((hourly, upfront))
    }

    fn since(&self) -> Option<Date> {
        self.effective_date.map(|at| at.to_zoned(TimeZone::UTC).date())
    }

    fn has_begun(&self, today: Date) -> bool {
        self.since().is_none_or(|since| since <= today)
    }

    fn reading(&self, term: Term, price: Option<(Decimal, bool)>, today: Date) -> Option<Reading> {
        let (price, spread) = price.filter(|_| self.has_begun(today))?;
        let since = self.since();
        Some(Reading { term, price, spread, since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const TODAY: Date = Date::constant(2026, 11, 28);

    fn entry() -> Value {
        let term = |attributes: Value, dimensions: Value| json!({"offerTermCode": "T", "sku": "S", "effectiveDate": "2026-11-01T00:00:00Z", "priceDimensions": dimensions, "termAttributes": attributes});
        let hours = |usd: &str| json!({"unit": "Hrs", "beginRange": "0", "endRange": "Inf", "pricePerUnit": {"USD": usd}, "appliesTo": []});
        let once = |usd: &str| json!({"unit": "Quantity", "description": "Upfront Fee", "pricePerUnit": {"USD": usd}});
        let kind = |length: &str, class: &str, option: &str| json!({"LeaseContractLength": length, "OfferingClass": class, "PurchaseOption": option});
        json!({
            "product": {"productFamily": "Compute Instance", "sku": "S", "attributes": {
                "instanceType": "m5.large", "vcpu": "2", "memory": "8 GiB", "location": "US East (N. Virginia)", "regionCode": "us-east-1",
                "operatingSystem": "Linux", "tenancy": "Shared", "capacitystatus": "Used", "preInstalledSw": "NA",
                "licenseModel": "No License required", "usagetype": "BoxUsage:m5.large", "operation": "RunInstances", "marketoption": "OnDemand"}},
            "serviceCode": "AmazonEC2",
            "terms": {
                "OnDemand": {"S.T": term(json!({}), json!({"S.T.1": hours("0.0960000000")}))},
                "Reserved": {
                    "a": term(kind("1yr", "standard", "All Upfront"), json!({"1": once("500"), "2": hours("0.0000000000")})),
                    "b": term(kind("1yr", "convertible", "No Upfront"), json!({"1": hours("0.09")})),
                    "c": term(kind("1yr", "standard", "No Upfront"), json!({"1": hours("0.06")})),
                    "d": term(kind("3yr", "standard", "Partial Upfront"), json!({"1": once("262.80"), "2": hours("0.02")})),
                    "e": term(kind("3yr", "standard", "All Upfront"), json!({"1": once("600"), "2": hours("0.0")})),
                }},
        })
    }

    fn prices(entry: &Value) -> Vec<(Term, i128, bool)> {
        let product = read_product(&entry.to_string(), TODAY).unwrap().unwrap();
        assert_eq!((product.machine.as_str(), product.region.as_str()), ("m5.large", "us-east-1"));
        product.readings.iter().map(|r| (r.term, r.price.0, r.spread)).collect()
    }

    #[test]
    fn what_is_paid_at_once_is_spread_over_the_term() {
        let mut entry = entry();
        let (year, three) = ((Term::Commit1Year, 60_000_000, false), (Term::Commit3Years, 30_000_000, true));
        assert_eq!(prices(&entry), [(Term::OnDemand, 96_000_000, false), year, three]);
        entry["terms"]["Reserved"].as_object_mut().unwrap().remove("c");
        assert_eq!(prices(&entry)[1], (Term::Commit1Year, 57_077_626, true)); // 500 ÷ 8,760
        entry["terms"].as_object_mut().unwrap().remove("Reserved");
        assert_eq!(prices(&entry).len(), 1);
    }

    #[test]
    fn only_plain_machines() {
        for (name, other) in [
            ("operatingSystem", "Windows"),
            ("operatingSystem", "RHEL"),
            ("tenancy", "Dedicated"),
            ("tenancy", "Host"),
            ("capacitystatus", "UnusedCapacityReservation"),
            ("capacitystatus", "AllocatedCapacityReservation"),
            ("preInstalledSw", "SQL Std"),
            ("licenseModel", "Bring your own license"),
            ("marketoption", "CapacityBlock"),
            ("operation", "RunInstances:0002"),
            ("instanceType", ""),
        ] {
            let mut entry = entry();
            entry["product"]["attributes"][name] = other.into();
            assert_eq!(read_product(&entry.to_string(), TODAY).unwrap(), None, "{name}: {other}");
        }
        let mut storage = entry();
        storage["product"]["attributes"] = json!({"volumeApiName": "gp3"});
        assert_eq!(read_product(&storage.to_string(), TODAY).unwrap(), None);
    }

    #[test]
    fn disks_by_their_size() {
        let mut disk = entry();
        disk["product"] = json!({"productFamily": "Storage", "sku": "D", "attributes": {
            "volumeApiName": "gp3", "regionCode": "us-east-1", "usagetype": "EBS:VolumeUsage.gp3"}});
        disk["terms"]["OnDemand"]["S.T"]["priceDimensions"]["S.T.1"]["unit"] = "GB-Mo".into();
        let volume = read_volume(&disk.to_string(), TODAY).unwrap().unwrap();
        assert_eq!((volume.name.as_str(), volume.region.as_str(), volume.price.0), ("gp3", "us-east-1", 96_000_000));
        assert_eq!(read_product(&disk.to_string(), TODAY).unwrap(), None);
        assert_eq!(read_volume(&entry().to_string(), TODAY).unwrap(), None);
        disk["product"]["attributes"]["usagetype"] = "EBS:VolumeP-IOPS.gp3".into();
        assert_eq!(read_volume(&disk.to_string(), TODAY).unwrap(), None);
    }

    #[test]
    fn what_can_not_be_used() {
        let text = entry().to_string();
        assert_eq!(read_product(&text[..text.len() / 2], TODAY).unwrap_err().kind, ErrorKind::Unavailable);
        assert_eq!(read_product(&text.replace("USD", "CNY"), TODAY).unwrap_err().kind, ErrorKind::Invalid);
        let mut later = entry();
        later["terms"]["OnDemand"]["S.T"]["effectiveDate"] = "2026-12-01T00:00:00Z".into();
        assert_eq!(prices(&later)[0].0, Term::Commit1Year);
    }

    proptest::proptest! {
        #[test]
        fn a_damaged_entry_never_panics(at in proptest::prelude::any::<proptest::sample::Index>(), letter in "[\\x20-\\x7e]") {
            let mut text = entry().to_string();
            let at = at.index(text.len());
            let _ = read_product(&text[..at], TODAY);
            text.replace_range(at..=at, &letter);
            let _ = (read_product(&text, TODAY), read_volume(&text, TODAY));
        }
    }
}
