//! A page of a vendor's price list: what comes out of it can be added up, and its link leads nowhere else.
#![no_main]

use jiff::civil::Date;
use libfuzzer_sys::fuzz_target;
use novacron_provider::prices::Decimal;
use novacron_provider_azure::Reading as Azure;
use novacron_provider_gcp::Reading as Google;
use novacron_provider_http::Origin;

const TODAY: Date = Date::constant(2026, 11, 28);

fuzz_target!(|data: &[u8]| {
    let Some((vendor, body)) = data.split_first() else { return };
    match vendor {
        b'a' => azure(body),
        b'g' => google(body),
        b'o' => oracle(body),
        _ => decimal(body),
    }
});

fn azure(body: &[u8]) {
    let Ok(page) = novacron_provider_azure::read_page(body, TODAY) else { return };
    for reading in &page.readings {
        if let Azure::Price { region, machine, since, .. } = reading {
            assert!(!region.is_empty() && !machine.is_empty());
            assert!(since.is_none_or(|since| since <= TODAY));
        }
    }
    let origin = Origin::parse("https://prices.azure.com").expect("an origin");
    if let Some(path) = page.next.and_then(|link| origin.same_place(&link)) {
        let url: http::Uri = origin.url(&path).parse().expect("a URL");
        assert_eq!(url.authority().expect("a host").as_str(), "prices.azure.com");
    }
}

fn google(body: &[u8]) {
    let Ok(page) = novacron_provider_gcp::read_page(body, TODAY) else { return };
    assert!(page.readings.len() <= page.skus);
    for reading in page.readings {
        if let Google::Rate { nanos, .. } = reading {
            assert!(nanos > 0);
        }
    }
}

fn oracle(body: &[u8]) {
    for part in novacron_provider_oci::read_list(body).unwrap_or_default().values() {
        assert_eq!(part.tiers[0].from, 0);
        assert!(part.tiers.windows(2).all(|pair| pair[0].from < pair[1].from));
        assert!(part.paid().is_none_or(|nanos| nanos > 0));
    }
}

/// What is shown of an amount is the amount.
fn decimal(body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    if let Ok(amount) = text.parse::<Decimal>() {
        assert_eq!(amount.to_string().parse::<Decimal>(), Ok(amount));
    }
}
