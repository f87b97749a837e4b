//! Azure's Retail Prices: pages of items, and a link to the next.

use http::request::Parts;
use novacron_catalog::Pricing;
use novacron_types::ProviderKind;
use serde::Serialize;
use serde_json::value::RawValue;

use super::book::{Book, Listed, decimal};
use super::fault::PriceFault;
use super::{Said, query};

pub(super) const PATH: &str = "/api/retail/prices";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Page<'a> {
    billing_currency: &'a str,
    customer_entity_id: &'a str,
    customer_entity_type: &'a str,
    items: Vec<Item<'a>>,
    next_page_link: Option<String>,
    count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    currency_code: &'a str,
    tier_minimum_units: f64,
    retail_price: Box<RawValue>,
    unit_price: Box<RawValue>,
    arm_region_name: &'a str,
    location: &'a str,
    effective_start_date: &'a str,
    meter_id: &'a str,
    meter_name: String,
    product_id: &'a str,
    sku_id: &'a str,
    product_name: String,
    sku_name: String,
    service_name: &'a str,
    service_id: &'a str,
    service_family: &'a str,
    unit_of_measure: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    is_primary_meter_region: bool,
    arm_sku_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_term: Option<&'a str>,
}

/// An offer as itself, or as one of the rows that lie beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    True,
    Windows,
    LowPriority,
    DevTest,
    /// A price that begins in the far future.
    Tomorrow,
    /// The price before the present one.
    Yesterday,
}

pub(super) fn page(book: &Book, parts: &Parts, faults: &[PriceFault]) -> Said {
    let bad = |why: &str| Err((400, why.to_owned()));
    let filter = query(parts, "$filter").unwrap_or_default();
    let (mut region, mut kind) = (None, None);
    for clause in filter.split(" and ").filter(|clause| !clause.trim().is_empty()) {
        match clause.split_once(" eq ").map(|(field, value)| (field.trim(), value.trim().trim_matches('\''))) {
            Some(("serviceName", "Virtual Machines")) => {}
            Some(("armRegionName", name)) => region = Some(name.to_owned()),
            Some(("priceType", name)) => kind = Some(name.to_owned()),
            _ => return bad("the sandbox filters by serviceName (Virtual Machines), armRegionName and priceType only"),
        }
    }
    let Some(region) = region else { return bad("the sandbox wants a filter by armRegionName") };
    let skip = query(parts, "$skip").unwrap_or_else(|| "0".to_owned());
    let Ok(skip) = skip.parse::<usize>() else { return bad("$skip is no number") };

    let offers = book.offers(ProviderKind::Azure, &region);
    let rows: Vec<(Listed, Row)> = offers.iter().enumerate().flat_map(|(i, listed)| rows(i, *listed)).collect();
    let wanted = |(listed, row): &&(Listed, Row)| kind.as_deref().is_none_or(|kind| kind == price_type(listed, *row));
    let mut wanted: Vec<&(Listed, Row)> = rows.iter().filter(wanted).skip(skip).take(book.page + 1).collect();
    let more = wanted.len() > book.page;
    wanted.truncate(book.page);
    let count = wanted.len();
    if faults.contains(&PriceFault::HalfPage) {
        wanted.truncate(count / 2);
    }
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    let host = if faults.contains(&PriceFault::Elsewhere) { "prices.example.com" } else { host };
    let to = if faults.contains(&PriceFault::Endless) { skip } else { skip + book.page };
    let filter = filter.replace(' ', "%20").replace('\'', "%27");
    let link = format!("http://{host}{PATH}?api-version=2023-01-01-preview&$filter={filter}&$skip={to}");
    let last = !more || faults.contains(&PriceFault::LostPages);
    let goes_on = !last || faults.contains(&PriceFault::Endless) || faults.contains(&PriceFault::Elsewhere);
    let page = Page {
        billing_currency: PriceFault::currency(faults),
        customer_entity_id: "Default",
        customer_entity_type: "Retail",
        items: wanted.into_iter().map(|(listed, row)| item(listed, *row, &region, faults)).collect(),
        next_page_link: goes_on.then_some(link),
        count,
    };
    serde_json::to_vec(&page).map_err(|error| (500, error.to_string()))
}

fn rows(i: usize, listed: Listed) -> impl Iterator<Item = (Listed, Row)> {
    let pay_as_you_go = matches!(listed.offer.pricing, Pricing::OnDemand | Pricing::Spot);
    let on_demand = listed.offer.pricing == Pricing::OnDemand;
    [
        (Row::Yesterday, on_demand && i % 13 < 4),
        (Row::True, true),
        (Row::Windows, pay_as_you_go),
        (Row::LowPriority, on_demand && i.is_multiple_of(5)),
        (Row::DevTest, on_demand && i.is_multiple_of(7)),
        (Row::Tomorrow, on_demand && i.is_multiple_of(11)),
    ]
    .into_iter()
    .filter(|(_, there)| *there)
    .map(move |(row, _)| (listed, row))
}

fn price_type(listed: &Listed, row: Row) -> &'static str {
    match (row, listed.offer.pricing) {
        (Row::DevTest, _) => "DevTestConsumption",
        (_, Pricing::OnDemand | Pricing::Spot) => "Consumption",
        (_, Pricing::Commit1Year | Pricing::Commit3Years) => "Reservation",
    }
}

fn item<'a>(listed: &'a Listed, row: Row, region: &'a str, faults: &'a [PriceFault]) -> Item<'a> {
    let short = listed.ty.trim_start_matches("Standard_").replace('_', " ");
    let (hours, term) = match listed.offer.pricing {
        Pricing::Commit1Year => (8_760, Some("1 Year")),
        Pricing::Commit3Years => (3 * 8_760, Some("3 Years")),
        Pricing::OnDemand | Pricing::Spot => (1, None),
    };
    let nanos = match row {
        Row::True | Row::Tomorrow => listed.nanos * hours,
        Row::Windows => listed.nanos * 2,
        Row::LowPriority => listed.nanos / 5,
        Row::DevTest => listed.nanos / 2,
        Row::Yesterday => listed.nanos * 3,
    };
    let suffix = match (row, listed.offer.pricing) {
        (Row::LowPriority, _) => " Low Priority",
        (_, Pricing::Spot) => " Spot",
        _ => "",
    };
    let price = || RawValue::from_string(decimal(PriceFault::price(faults, nanos))).unwrap_or_default();
    Item {
        currency_code: PriceFault::currency(faults),
        tier_minimum_units: 0.0,
        retail_price: price(),
        unit_price: price(),
        arm_region_name: region,
        location: region,
        effective_start_date: match row {
            Row::Tomorrow => "2099-01-01T00:00:00Z",
            Row::Yesterday => "2019-05-14T00:00:00Z",
            _ => "2021-11-01T00:00:00Z",
        },
        meter_id: "00000000-0000-0000-0000-000000000000",
        meter_name: format!("{short}{suffix}"),
        product_id: "SANDBOX",
        sku_id: "SANDBOX/0000",
        product_name: format!("Virtual Machines Series{}", if row == Row::Windows { " Windows" } else { "" }),
        sku_name: format!("{short}{suffix}"),
        service_name: "Virtual Machines",
        service_id: "SANDBOX",
        service_family: "Compute",
        unit_of_measure: "1 Hour",
        kind: price_type(listed, row),
        is_primary_meter_region: true,
        arm_sku_name: listed.ty,
        reservation_term: term,
    }
}
