//! The client: the SKUs of Compute Engine to the last page.

use std::collections::HashSet;

use async_trait::async_trait;
use novacron_provider::{
    ErrorKind, ProviderError, Result,
    prices::{OnPriceProgress, PriceGroup, PriceProgress, PriceRequest, PriceSheet, PriceSource, SheetBuilder},
};
use novacron_provider_http::{HttpClient, Limits};
use novacron_types::ProviderKind;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    assemble::{Rates, assemble, disks},
    page::{OPERATION, Reading, read_page},
};

const ENDPOINT: &str = "https://cloudbilling.googleapis.com";
/// Of the service Compute Engine.
const PATH: &str = "/v1/services/6F81-5844-456A/skus?currencyCode=USD&pageSize=5000";
/// There are about 10 pages.
const MOST_PAGES: usize = 200;
/// More parts, terms and regions than there are by far.
const MOST_RATES: usize = 1_000_000;

#[derive(Debug, Clone, Default)]
pub struct GcpPricesSettings {
    /// A key of any project in which the Cloud Billing API is enabled. It is sent in a header, and never in an address.
    pub api_key: SecretString,
    /// Another address than Google's.
    pub endpoint: Option<String>,
    pub limits: Limits,
}

/// On-demand, spot and committed prices of machines without a licence, and those of disks, in USD.
pub struct GcpPrices {
    http: HttpClient,
}

impl GcpPrices {
    pub fn new(settings: &GcpPricesSettings) -> Result<Self> {
        if settings.api_key.expose_secret().is_empty() {
            let error = ProviderError::new(ErrorKind::Invalid, "configure", "Google's price API needs an API key");
            return Err(
                error.advice("Make one in any project: APIs & Services, Credentials; enable the Cloud Billing API.")
            );
        }
        let endpoint = settings.endpoint.as_deref().unwrap_or(ENDPOINT);
        let http = HttpClient::new(OPERATION, endpoint, settings.limits)?;
        Ok(Self { http: http.with_secret("x-goog-api-key", settings.api_key.clone())? })
    }
}

#[async_trait]
impl PriceSource for GcpPrices {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Gcp
    }

    fn name(&self) -> &'static str {
        "gcp-billing"
    }

    async fn fetch(&self, request: &PriceRequest, progress: OnPriceProgress<'_>) -> Result<PriceSheet> {
        let mut sheet = SheetBuilder::new(ProviderKind::Gcp, *b"USD", groups());
        let mut rates = Rates::default();
        let mut tokens = HashSet::new();
        let mut path = PATH.to_owned();
        loop {
            let page = self.http.get(&path, |body| read_page(body, request.today)).await?;
            for reading in page.readings {
                add(reading, &mut rates, &mut sheet);
            }
            progress(PriceProgress { pages: tokens.len() + 1, rows: rates.len() });
            if rates.len() > MOST_RATES {
                return Err(never_ends("has more prices than there are"));
            }
            let Some(token) = page.next else { break };
            if tokens.len() + 1 >= MOST_PAGES {
                return Err(never_ends("has more pages than there are"));
            }
            let quoted: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
            path = format!("{PATH}&pageToken={quoted}");
            if !tokens.insert(token) {
                return Err(never_ends("leads back to a page before"));
            }
        }
        assemble(&rates, request, &mut sheet);
        disks(&rates, request, &mut sheet);
        sheet.finish(OPERATION)
    }
}

fn add(reading: Reading, rates: &mut Rates, sheet: &mut SheetBuilder) {
    match reading {
        Reading::Rate { part, term, regions, nanos } => {
            for region in regions {
                if rates.add(part, term, &region, nanos) {
                    let example = || format!("{part:?} in {region}, {}", term.as_str());
                    sheet.odd("two prices for the same, of which the higher was taken", example);
                }
            }
        }
        Reading::Odd(why, example) => sheet.odd(why, || example),
    }
}

fn never_ends(why: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, OPERATION, format!("the list of SKUs {why}"))
}

fn groups() -> Vec<PriceGroup> {
    let rule =
        "vCPUs × the price of a core + GiB × that of memory + GPUs and local disks × theirs, of the machine's series";
    let group = |name: &str, rule: Option<&str>| PriceGroup {
        name: name.to_owned(),
        source: "Google Cloud Billing".to_owned(),
        rule: rule.map(str::to_owned),
    };
    vec![
        group("gcp-billing-on-demand", Some(rule)),
        group("gcp-billing-spot", Some(rule)),
        group("gcp-billing-committed", Some(rule)),
        group("gcp-billing-disks", None),
    ]
}
