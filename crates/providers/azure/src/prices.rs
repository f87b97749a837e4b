//! The client: each region's list to its last page.

use std::collections::HashSet;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use novacron_provider::{
    ErrorKind, ProviderError, Result,
    prices::{OnPriceProgress, PriceGroup, PriceProgress, PriceRequest, PriceSheet, PriceSource, SheetBuilder, Term},
};
use novacron_provider_http::{HttpClient, Limits};
use novacron_types::ProviderKind;
use tokio::sync::Mutex;

use crate::item::{OPERATION, Page, Reading, read_page};

const ENDPOINT: &str = "https://prices.azure.com";
const PATH: &str = "/api/retail/prices";
/// Of one region; the largest has about 30.
const MOST_PAGES: usize = 1_000;
/// Regions at once.
const AT_ONCE: usize = 4;

#[derive(Debug, Clone, Default)]
pub struct AzurePricesSettings {
    /// Another address than Microsoft's.
    pub endpoint: Option<String>,
    pub limits: Limits,
}

/// On-demand, spot and reserved prices of Linux machines, without licences, in USD.
pub struct AzurePrices {
    http: HttpClient,
}

impl AzurePrices {
    pub fn new(settings: &AzurePricesSettings) -> Result<Self> {
        let endpoint = settings.endpoint.as_deref().unwrap_or(ENDPOINT);
        Ok(Self { http: HttpClient::new(OPERATION, endpoint, settings.limits)? })
    }

    async fn region(
        &self,
        request: &PriceRequest,
        region: &str,
        to: &Mutex<Collected>,
        progress: OnPriceProgress<'_>,
    ) -> Result<()> {
        let mut path = first_page(region);
        let mut asked = HashSet::new();
        loop {
            if asked.len() >= MOST_PAGES {
                return Err(never_ends(region, "has more pages than any region"));
            }
            let page = self.http.get(&path, |body| read_page(body, request.today)).await?;
            let next = page.next.as_deref().map(|link| self.follow(link)).transpose()?;
            to.lock().await.add(region, page, progress)?;
            asked.insert(std::mem::take(&mut path));
            match next {
                None => return Ok(()),
                Some(again) if asked.contains(&again) => return Err(never_ends(region, "leads back to a page before")),
                Some(next) => path = next,
            }
        }
    }

    /// The path of a link to the next page.
    fn follow(&self, link: &str) -> Result<String> {
        // The vendor writes blanks and quotes of the filter as they are.
        let link = link.replace(' ', "%20").replace('\'', "%27");
        let path = self.http.origin().same_place(&link).filter(|path| path.starts_with(&format!("{PATH}?")));
        path.ok_or_else(|| {
            let shown: String = link.chars().take(100).collect();
            let text = format!("the next page is said to be at {shown:?}, and we do not go there");
            ProviderError::new(ErrorKind::Invalid, OPERATION, text)
        })
    }
}

fn first_page(region: &str) -> String {
    let filter = format!("serviceName eq 'Virtual Machines' and armRegionName eq '{}'", region.replace('\'', "''"));
    let filter: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    format!("{PATH}?api-version=2023-01-01-preview&currencyCode='USD'&$filter={}", filter.replace('+', "%20"))
        .replace('\'', "%27")
}

fn never_ends(region: &str, why: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, OPERATION, format!("the list of {region} {why}"))
}

struct Collected {
    sheet: SheetBuilder,
    pages: usize,
}

impl Collected {
    fn add(&mut self, asked: &str, page: Page, progress: OnPriceProgress<'_>) -> Result<()> {
        for reading in page.readings {
            match reading {
                Reading::Price { region, machine, term, price, since } if region == asked => {
                    self.sheet.row(&region, &machine, term, price, group(term), since);
                }
                Reading::Price { region, machine, .. } => {
                    self.sheet.odd("prices of a region that was not asked for", || format!("{machine} in {region}"));
                }
                Reading::Other => {}
                Reading::Odd(why, example) => self.sheet.odd(why, || example),
            }
        }
        self.pages += 1;
        progress(PriceProgress { pages: self.pages, rows: self.sheet.len() });
        self.sheet.check_size(OPERATION)
    }
}

fn group(term: Term) -> usize {
    term as usize
}

/// In the order of [`Term`].
fn groups() -> Vec<PriceGroup> {
    let group = |name: &str, rule: Option<&str>| PriceGroup {
        name: name.to_owned(),
        source: "Azure Retail Prices".to_owned(),
        rule: rule.map(str::to_owned),
    };
    vec![
        group("azure-retail-on-demand", None),
        group("azure-retail-spot", None),
        group("azure-retail-reserved-1y", Some("the reservation's price ÷ 8,760 hours")),
        group("azure-retail-reserved-3y", Some("the reservation's price ÷ 26,280 hours")),
    ]
}

#[async_trait]
impl PriceSource for AzurePrices {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Azure
    }

    fn name(&self) -> &'static str {
        "azure-retail"
    }

    async fn fetch(&self, request: &PriceRequest, progress: OnPriceProgress<'_>) -> Result<PriceSheet> {
        let sheet = SheetBuilder::new(ProviderKind::Azure, *b"USD", groups());
        let collected = Mutex::new(Collected { sheet, pages: 0 });
        let region = |i: usize| self.region(request, &request.regions[i], &collected, progress);
        let each = stream::iter((0..request.regions.len()).map(region));
        each.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        let mut sheet = collected.into_inner().sheet;
        for region in &request.regions {
            Term::ALL.into_iter().for_each(|term| sheet.whole(term, region));
        }
        sheet.finish(OPERATION)
    }
}
