//! Figures that everyone knows, from the snapshot that ships. They hold whatever else a new ingest changes.

use novacron_catalog::{Catalog, Pricing};
use novacron_types::ProviderKind::{self, Aws};

fn hourly(kind: ProviderKind, region: &str, ty: &str) -> String {
    let catalog = Catalog::embedded().unwrap();
    let ty = catalog.find_type(kind, ty).unwrap_or_else(|| panic!("no type {ty}"));
    let region = catalog.find_region(kind, region).unwrap();
    let (id, offer) = catalog.find_offer(ty, region, Pricing::OnDemand).unwrap();
    assert!(!catalog.group(offer.group).source.is_empty());
    catalog.hourly(id).to_string()
}

#[test]
fn aws() {
    for (ty, price) in [
        ("t3.medium", "0.0416"),
        ("t3.large", "0.0832"),
        ("m5.large", "0.096"),
        ("m5.xlarge", "0.192"),
        ("c5.xlarge", "0.17"),
    ] {
        assert_eq!(hourly(Aws, "us-east-1", ty), format!("{price} USD"), "{ty}");
    }
}
