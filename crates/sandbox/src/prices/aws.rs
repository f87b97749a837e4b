//! AWS's price list service and its spot price history.

use http::request::Parts;
use novacron_catalog::Pricing;
use novacron_types::ProviderKind;
use serde_json::{Map, Value, json};

use super::book::{Book, Listed, decimal};
use super::fault::PriceFault;
use crate::clock::{Millis, iso};
use crate::error::{ApiError, ApiResult};
use crate::params::Scope;
use crate::reply::Reply;
use crate::xml::Xml;

const KIND: ProviderKind = ProviderKind::Aws;
pub(crate) const TARGET: &str = "AWSPriceListService.";
/// The most products on a page.
const PAGE: usize = 100;
/// The most spot prices on a page.
const SPOT_PAGE: usize = 1000;

pub(crate) fn action_of(parts: &Parts) -> Option<String> {
    let target = parts.headers.get("x-amz-target").and_then(|v| v.to_str().ok())?;
    target.strip_prefix(TARGET).map(str::to_owned)
}

/// `GetProducts` of EC2, by region and the usual filters.
pub(crate) fn get_products(book: Book, action: &str, body: &[u8], faults: &[PriceFault]) -> ApiResult<Reply> {
    if action != "GetProducts" {
        return Err(ApiError::bad("UnknownOperationException", format!("Unknown operation {action}")));
    }
    let input: Value =
        serde_json::from_slice(body).map_err(|e| ApiError::bad("SerializationException", e.to_string()))?;
    if input["ServiceCode"] != "AmazonEC2" {
        return Err(ApiError::bad("InvalidParameterException", "The sandbox has the prices of AmazonEC2 only"));
    }
    let mut filters: Vec<(&str, &str)> = Vec::new();
    for filter in input["Filters"].as_array().into_iter().flatten() {
        match (filter["Field"].as_str(), filter["Value"].as_str()) {
            (Some(field), Some(value)) => filters.push((field, value)),
            _ => return Err(ApiError::bad("InvalidParameterException", "A filter needs Field and Value")),
        }
    }
    let region = filters.iter().find(|(field, _)| *field == "regionCode").map(|(_, value)| *value);
    let region =
        region.ok_or_else(|| ApiError::bad("InvalidParameterException", "The sandbox wants a filter by regionCode"))?;
    let begin = match input["NextToken"].as_str() {
        None => 0,
        Some(token) => open(token)
            .ok_or_else(|| ApiError::bad("InvalidNextTokenException", "The NextToken is not one that was given"))?,
    };
    let size = input["MaxResults"].as_u64().map_or(PAGE, |size| size.clamp(1, PAGE as u64) as usize).min(book.page);

    if filters.iter().any(|(field, value)| (*field, *value) == ("productFamily", "Storage")) {
        return Ok(volumes(book, region, faults));
    }
    let offers = book.offers(KIND, region);
    let machines: Vec<&Listed> = offers.iter().filter(|listed| listed.offer.pricing == Pricing::OnDemand).collect();
    let products = machines.iter().enumerate().flat_map(|(i, listed)| Row::ALL.map(|row| (i, *listed, row)));
    let wanted = products.filter(|(_, listed, row)| {
        filters.iter().all(|(field, value)| {
            *field == "regionCode" || row.attribute(field, listed).is_none_or(|own| own == *value)
        })
    });
    let mut page: Vec<_> = wanted.skip(begin).take(size + 1).collect();
    let more = page.len() > size && !faults.contains(&PriceFault::LostPages);
    page.truncate(if faults.contains(&PriceFault::HalfPage) { size / 2 } else { size });
    let list: Vec<String> =
        page.into_iter().map(|(i, listed, row)| product(i, listed, row, region, &offers, faults).to_string()).collect();
    let mut answer = json!({ "FormatVersion": "aws_v1", "PriceList": list });
    if faults.contains(&PriceFault::Endless) {
        answer["NextToken"] = format!("page-{begin}").into();
    } else if more {
        answer["NextToken"] = format!("page-{}", begin + size).into();
    }
    Ok(Reply::new(200, "application/x-amz-json-1.1", answer.to_string()))
}

/// The disks of a region, and beside each what its IOPS cost.
fn volumes(book: Book, region: &str, faults: &[PriceFault]) -> Reply {
    let mut list = Vec::new();
    for (name, nanos) in book.disks(KIND, region) {
        for (usage, unit, nanos) in [("EBS:VolumeUsage", "GB-Mo", nanos), ("EBS:VolumeP-IOPS", "IOPS-Mo", nanos / 16)] {
            let usd = format!("{:0<12}", padded(PriceFault::price(faults, nanos)));
            let dimension = json!({ "unit": unit, "beginRange": "0", "endRange": "Inf", "pricePerUnit": { PriceFault::currency(faults): usd } });
            let term = json!({ "effectiveDate": "2026-11-01T00:00:00Z", "termAttributes": {}, "priceDimensions": { "1": dimension } });
            let attributes =
                json!({ "volumeApiName": name, "regionCode": region, "usagetype": format!("{usage}.{name}") });
            let product = json!({
                "product": { "productFamily": "Storage", "sku": "SANDBOX", "attributes": attributes },
                "serviceCode": "AmazonEC2", "terms": { "OnDemand": { "1": term } },
            });
            list.push(product.to_string());
        }
    }
    Reply::new(200, "application/x-amz-json-1.1", json!({ "FormatVersion": "aws_v1", "PriceList": list }).to_string())
}

fn open(token: &str) -> Option<usize> {
    token.strip_prefix("page-")?.parse().ok()
}

pub(crate) fn error(e: &ApiError) -> Reply {
    let code = match e.code.as_ref() {
        "Throttling" => "ThrottlingException",
        "AccessDenied" => "AccessDeniedException",
        other => other,
    };
    Reply::new(e.status, "application/x-amz-json-1.1", json!({ "__type": code, "message": e.message }).to_string())
}

/// A machine as itself, or as one of the products that lie beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    True,
    Windows,
    Dedicated,
    Unused,
    Sql,
}

impl Row {
    const ALL: [Self; 5] = [Self::Windows, Self::True, Self::Dedicated, Self::Unused, Self::Sql];

    fn attribute<'a>(self, field: &str, listed: &'a Listed) -> Option<&'a str> {
        Some(match field {
            "instanceType" => listed.ty,
            "operatingSystem" => {
                if self == Self::Windows {
                    "Windows"
                } else {
                    "Linux"
                }
            }
            "tenancy" => {
                if self == Self::Dedicated {
                    "Dedicated"
                } else {
                    "Shared"
                }
            }
            "capacitystatus" => {
                if self == Self::Unused {
                    "UnusedCapacityReservation"
                } else {
                    "Used"
                }
            }
            "preInstalledSw" => {
                if self == Self::Sql {
                    "SQL Std"
                } else {
                    "NA"
                }
            }
            "licenseModel" => "No License required",
            "marketoption" => "OnDemand",
            _ => return None,
        })
    }
}

/// One entry of the list; the whole of it is a text within the answer.
fn product(i: usize, listed: &Listed, row: Row, region: &str, offers: &[Listed], faults: &[PriceFault]) -> Value {
    let times = if row == Row::True { 1 } else { 3 };
    let sku = format!("SANDBOX{i:05}");
    let dimension = |unit: &str, nanos: u64| {
        let usd = format!("{:0<12}", padded(PriceFault::price(faults, nanos)));
        json!({
            "unit": unit, "beginRange": "0", "endRange": "Inf", "description": "sandbox", "appliesTo": [], "rateCode": sku,
            "pricePerUnit": { PriceFault::currency(faults): usd },
        })
    };
    let term = |attributes: Value, dimensions: Vec<Value>| {
        let dimensions: Map<String, Value> =
            dimensions.into_iter().enumerate().map(|(n, d)| (format!("{sku}.{n}"), d)).collect();
        json!({ "sku": sku, "effectiveDate": "2026-11-01T00:00:00Z", "offerTermCode": "T", "termAttributes": attributes, "priceDimensions": dimensions })
    };
    let mut reserved = Map::new();
    for (pricing, length, hours) in [(Pricing::Commit1Year, "1yr", 8_760), (Pricing::Commit3Years, "3yr", 26_280)] {
        let found = offers.iter().find(|other| other.offer.ty == listed.offer.ty && other.offer.pricing == pricing);
        let Some(nanos) = found.map(|found| found.nanos * times) else { continue };
        let attributes = |class: &str, option: &str| json!({ "LeaseContractLength": length, "OfferingClass": class, "PurchaseOption": option });
        let half = nanos / 2;
        let partial = vec![dimension("Quantity", (nanos - half) * hours), dimension("Hrs", half)];
        let mut put = |name: &str, value: Value| drop(reserved.insert(format!("{sku}.{length}.{name}"), value));
        put("partial", term(attributes("standard", "Partial Upfront"), partial));
        let all = vec![dimension("Quantity", nanos * hours), dimension("Hrs", 0)];
        put("all", term(attributes("standard", "All Upfront"), all));
        put("convertible", term(attributes("convertible", "No Upfront"), vec![dimension("Hrs", nanos * 2)]));
        // Some machines are not sold without a part paid at once.
        if !i.is_multiple_of(9) {
            put("none", term(attributes("standard", "No Upfront"), vec![dimension("Hrs", nanos)]));
        }
    }
    let mut attributes = json!({
        "servicecode": "AmazonEC2", "location": region, "locationType": "AWS Region", "regionCode": region,
        "usagetype": format!("BoxUsage:{}", listed.ty), "operation": "RunInstances", "vcpu": "0", "memory": "0 GiB",
    });
    for field in [
        "instanceType",
        "operatingSystem",
        "tenancy",
        "capacitystatus",
        "preInstalledSw",
        "licenseModel",
        "marketoption",
    ] {
        attributes[field] = row.attribute(field, listed).unwrap_or_default().into();
    }
    let on_demand = term(json!({}), vec![dimension("Hrs", listed.nanos * times)]);
    json!({
        "product": { "productFamily": "Compute Instance", "sku": sku, "attributes": attributes },
        "serviceCode": "AmazonEC2", "version": "20261101000000", "publicationDate": "2026-11-01T00:00:00Z",
        "terms": { "OnDemand": { format!("{sku}.T"): on_demand }, "Reserved": reserved },
    })
}

/// With a point, to be filled up with zeros as the vendor does.
fn padded(nanos: i128) -> String {
    let text = decimal(nanos);
    if text.contains('.') { text } else { format!("{text}.0") }
}

/// `DescribeSpotPriceHistory`: what the region's zones cost now. The dearest zone has the price that is stated elsewhere.
pub(crate) fn spot_history(
    book: Book,
    region: &str,
    p: &Scope<'_>,
    now: Millis,
    faults: &[PriceFault],
) -> ApiResult<Xml> {
    let products = p.list("ProductDescription");
    let linux = products.is_empty() || products.contains(&"Linux/UNIX");
    let types = p.list("InstanceType");
    let begin = match p.get("NextToken") {
        None => 0,
        Some(token) => {
            open(token).ok_or_else(|| ApiError::bad("InvalidNextToken", "The NextToken is not one that was given"))?
        }
    };
    let size = p.number("MaxResults")?.map_or(SPOT_PAGE, |n| n.clamp(1, SPOT_PAGE as i64) as usize).min(book.page);
    let offers = book.offers(KIND, region);
    if offers.is_empty() {
        return Err(ApiError::new("AuthFailure", 401, format!("'{region}' is not a region of the sandbox")));
    }
    let spot = offers.iter().filter(|listed| {
        linux && listed.offer.pricing == Pricing::Spot && (types.is_empty() || types.contains(&listed.ty))
    });
    let rows = spot.flat_map(|listed| {
        let dearest = listed.nanos;
        [('a', dearest / 10 * 9), ('b', dearest), ('c', dearest / 10 * 8)]
            .map(|(zone, nanos)| (listed.ty, zone, nanos.max(1)))
    });
    let mut page: Vec<_> = rows.skip(begin).take(size + 1).collect();
    let more = page.len() > size;
    page.truncate(size);
    let mut x = Xml::fragment();
    x.list("spotPriceHistorySet", page, |x, (ty, zone, nanos)| {
        x.el("instanceType", ty);
        x.el("productDescription", "Linux/UNIX");
        x.el("spotPrice", decimal(PriceFault::price(faults, nanos)));
        x.el("timestamp", iso(now));
        x.el("availabilityZone", format!("{region}{zone}"));
    });
    if faults.contains(&PriceFault::Endless) {
        x.el("nextToken", format!("page-{begin}"));
    } else if more && !faults.contains(&PriceFault::LostPages) {
        x.el("nextToken", format!("page-{}", begin + size));
    } else {
        x.el("nextToken", "");
    }
    Ok(x)
}
