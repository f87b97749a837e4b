//! The prices of EC2: on demand and reserved from the price list service, spot from the price history.
//!
//! Of a machine's spot prices in the zones of a region the dearest counts, so that no quote is too low; of its reservations the
//! standard one with the least to pay at once.

mod product;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use aws_config::{Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_pricing::types::{Filter, FilterType};
use futures::{StreamExt, TryStreamExt, stream};
use novacron_provider::{
    Call, ErrorKind, Layer, ProviderError, Result,
    prices::{
        Decimal, OnPriceProgress, PriceGroup, PriceProgress, PriceRequest, PriceSheet, PriceSource, SheetBuilder, Term,
    },
    retry::{Retry, RetryPolicy},
};
use novacron_types::ProviderKind;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{client, error::failed, settings::Settings};
use product::OPERATION;
pub use product::{Product, Reading, Volume, read_product, read_volume};

const HISTORY: &str = "DescribeSpotPriceHistory";
/// The price list service is in a few regions only, and each has the prices of all.
const PRICING_REGION: &str = "us-east-1";
/// Pages of one region; the largest has about 12 of products and 5 of spot prices.
const MOST_PAGES: usize = 500;
/// Regions at once.
const AT_ONCE: usize = 4;

/// In the order of the sheet's groups.
const ON_DEMAND: usize = 0;
const SPOT: usize = 1;
const RESERVED: usize = 2;
const SPREAD: usize = 3;
const DISKS: usize = 4;

/// Makes the source of EC2's prices from the settings of a provider of kind `aws`. It needs `pricing:GetProducts`, and
/// `ec2:DescribeSpotPriceHistory` for spot.
pub async fn price_source(settings: &Value) -> Result<Arc<dyn PriceSource>> {
    let settings = Settings::parse(settings)?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(60))
        .build();
    let config = client::sdk_config(&settings, PRICING_REGION).await;
    // The retries are here, one budget for all.
    let config = config.to_builder().retry_config(RetryConfig::disabled()).timeout_config(timeouts).build();
    let mut pricing = config.to_builder().region(Region::new(PRICING_REGION));
    if let Some(url) = settings.endpoints.pricing.as_ref().or(settings.endpoint.as_ref()) {
        pricing = pricing.endpoint_url(url);
    }
    let ec2_url = settings.endpoints.ec2.clone().or(settings.endpoint.clone());
    Ok(Arc::new(AwsPrices {
        pricing: aws_sdk_pricing::Client::new(&pricing.build()),
        config,
        ec2_url,
        retry: Retry::new(RetryPolicy::default()),
    }))
}

struct AwsPrices {
    pricing: aws_sdk_pricing::Client,
    config: aws_config::SdkConfig,
    ec2_url: Option<String>,
    retry: Retry,
}

struct Collected {
    sheet: SheetBuilder,
    pages: usize,
    /// Regions whose spot prices were told to the end.
    spot: Vec<String>,
}

impl AwsPrices {
    async fn region(
        &self,
        request: &PriceRequest,
        region: &str,
        to: &Mutex<Collected>,
        progress: OnPriceProgress<'_>,
    ) -> Result<()> {
        self.products(request, region, to, progress).await?;
        if is_local_zone(region) { Ok(()) } else { self.spot(region, to, progress).await }
    }

    /// Machines, and then disks.
    async fn products(
        &self,
        request: &PriceRequest,
        region: &str,
        to: &Mutex<Collected>,
        progress: OnPriceProgress<'_>,
    ) -> Result<()> {
        let machines = [
            ("operatingSystem", "Linux"),
            ("tenancy", "Shared"),
            ("capacitystatus", "Used"),
            ("preInstalledSw", "NA"),
            ("regionCode", region),
        ];
        let read = |text: &str| read_product(text, request.today);
        self.list(region, &machines, to, progress, read, |to, product| to.machine(region, product)).await?;
        let disks = [("productFamily", "Storage"), ("regionCode", region)];
        let read = |text: &str| read_volume(text, request.today);
        self.list(region, &disks, to, progress, read, |to, volume| to.disk(region, volume)).await
    }

    /// What `read` finds among the products that pass the filters, to the last page.
    async fn list<T: Send>(
        &self,
        region: &str,
        filters: &[(&str, &str)],
        to: &Mutex<Collected>,
        progress: OnPriceProgress<'_>,
        read: impl Fn(&str) -> Result<Option<T>> + Send + Sync,
        take: impl Fn(&mut Collected, T) + Send + Sync,
    ) -> Result<()> {
        let mut all = Vec::new();
        for (field, value) in filters {
            let filter = Filter::builder().r#type(FilterType::TermMatch).field(*field).value(*value).build();
            all.push(filter.map_err(|error| {
                ProviderError::new(ErrorKind::Invalid, OPERATION, format!("the filter {field} can't be made: {error}"))
            })?);
        }
        let (mut tokens, mut token) = (HashSet::new(), None::<String>);
        loop {
            let ask = || async {
                let asked = self.pricing.get_products().service_code("AmazonEC2").format_version("aws_v1");
                let asked = asked.set_filters(Some(all.clone())).max_results(100).set_next_token(token.clone());
                let answer = asked.send().await.map_err(failed("pricing", OPERATION))?;
                let found: Result<Vec<_>> = answer.price_list().iter().map(|text| read(text)).collect();
                Ok((found?, answer.next_token().map(str::to_owned)))
            };
            let (found, next) = self.retry.call(Call { operation: OPERATION, changes: false }, ask).await?;
            let mut to = to.lock().await;
            found.into_iter().flatten().for_each(|one| take(&mut to, one));
            to.page(progress)?;
            drop(to);
            match follow(next, &mut tokens, OPERATION, region)? {
                None => return Ok(()),
                next => token = next,
            }
        }
    }

    /// The region's own prices, and those of the Local Zones that hang on it. A region that does not answer this account keeps
    /// the spot prices that were known.
    async fn spot(&self, region: &str, to: &Mutex<Collected>, progress: OnPriceProgress<'_>) -> Result<()> {
        let mut config = self.config.to_builder().region(Region::new(region.to_owned()));
        if let Some(url) = &self.ec2_url {
            config = config.endpoint_url(url);
        }
        let ec2 = aws_sdk_ec2::Client::new(&config.build());
        let (mut tokens, mut token) = (HashSet::new(), None::<String>);
        let now = DateTime::from(std::time::SystemTime::now());
        // Zone by zone, the latest price; then the dearest of a region.
        let mut latest: BTreeMap<(String, String), (DateTime, Decimal)> = BTreeMap::new();
        loop {
            let ask = || async {
                let asked = ec2.describe_spot_price_history().product_descriptions("Linux/UNIX").start_time(now);
                asked.max_results(1000).set_next_token(token.clone()).send().await.map_err(failed("ec2", HISTORY))
            };
            let answer = match self.retry.call(Call { operation: HISTORY, changes: false }, ask).await {
                Err(error) if error.kind == ErrorKind::Unauthorised => {
                    let why = "regions whose spot prices this account may not ask for";
                    to.lock().await.sheet.odd(why, || format!("{region}: {error}"));
                    return Ok(());
                }
                answer => answer?,
            };
            for row in answer.spot_price_history() {
                let parts = (row.availability_zone(), row.instance_type(), row.spot_price(), row.timestamp());
                let (Some(zone), Some(machine), Some(price), Some(at)) = parts else { continue };
                match price.parse::<Decimal>() {
                    Ok(price) => {
                        let key = (zone.to_owned(), machine.as_str().to_owned());
                        let newest = latest.entry(key).or_insert((*at, price));
                        *newest = (*newest).max((*at, price));
                    }
                    Err(error) => to.lock().await.sheet.odd("spot prices that can't be read", || error.to_string()),
                }
            }
            to.lock().await.page(progress)?;
            match follow(answer.next_token().map(str::to_owned), &mut tokens, HISTORY, region)? {
                None => break,
                next => token = next,
            }
        }
        to.lock().await.spot_prices(region, latest);
        Ok(())
    }
}

/// The next token, which must be a new one.
fn follow(
    next: Option<String>,
    seen: &mut HashSet<String>,
    operation: &'static str,
    region: &str,
) -> Result<Option<String>> {
    let Some(token) = next.filter(|token| !token.is_empty()) else { return Ok(None) };
    if seen.len() < MOST_PAGES && seen.insert(token.clone()) {
        return Ok(Some(token));
    }
    let text = format!("the list of {region} leads back to a page before, or never ends");
    Err(ProviderError::new(ErrorKind::Invalid, operation, text))
}

impl Collected {
    fn machine(&mut self, asked: &str, product: Product) {
        for Reading { term, price, spread, since } in product.readings {
            let group = match term {
                Term::OnDemand | Term::Spot => ON_DEMAND,
                _ if spread => SPREAD,
                _ => RESERVED,
            };
            if product.region == asked {
                self.sheet.row(asked, &product.machine, term, price, group, since);
            }
        }
    }

    fn disk(&mut self, asked: &str, volume: Volume) {
        match volume.price.nanos().filter(|nanos| *nanos > 0) {
            Some(nanos) if volume.region == asked => self.sheet.disk(asked, &volume.name, nanos, DISKS),
            Some(_) => {}
            None => self.sheet.odd("disks with an absurd price", || format!("{} in {asked}", volume.name)),
        }
    }

    fn page(&mut self, progress: OnPriceProgress<'_>) -> Result<()> {
        self.pages += 1;
        progress(PriceProgress { pages: self.pages, rows: self.sheet.len() });
        self.sheet.check_size(OPERATION)
    }

    fn spot_prices(&mut self, asked: &str, latest: BTreeMap<(String, String), (DateTime, Decimal)>) {
        let mut dearest: BTreeMap<(&str, &str), Decimal> = BTreeMap::new();
        for ((zone, machine), (_, price)) in &latest {
            let region = zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
            if region != asked && !region.starts_with(&format!("{asked}-")) {
                self.sheet.odd("spot prices of a zone that was not asked for", || zone.clone());
                continue;
            }
            let most = dearest.entry((region, machine)).or_insert(*price);
            *most = (*most).max(*price);
        }
        for ((region, machine), price) in dearest {
            self.sheet.row(region, machine, Term::Spot, price, SPOT, None);
        }
        self.spot.push(asked.to_owned());
    }
}

/// A Local Zone's name is its region's and more: `us-west-2-lax-1`.
fn is_local_zone(region: &str) -> bool {
    let gov = usize::from(region.contains("-gov-"));
    region.split('-').count() > 3 + gov
}

fn groups() -> Vec<PriceGroup> {
    let group = |name: &str, source: &str, rule: Option<&str>| PriceGroup {
        name: name.to_owned(),
        source: source.to_owned(),
        rule: rule.map(str::to_owned),
    };
    let list = "AWS Price List, GetProducts";
    let spot = "EC2 DescribeSpotPriceHistory, the dearest of the region's zones; interruption bands are older and the Spot Advisor's";
    let spread = "the hourly part + what is paid at once ÷ the hours of the term";
    vec![
        group("aws-list-on-demand", list, None),
        group("aws-history-spot", spot, None),
        group("aws-list-reserved", "AWS Price List, GetProducts: standard, no upfront", None),
        group("aws-list-reserved-upfront", list, Some(spread)),
        group("aws-list-disks", list, None),
    ]
}

#[async_trait]
impl PriceSource for AwsPrices {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Aws
    }

    fn name(&self) -> &'static str {
        "aws-list"
    }

    async fn fetch(&self, request: &PriceRequest, progress: OnPriceProgress<'_>) -> Result<PriceSheet> {
        let sheet = SheetBuilder::new(ProviderKind::Aws, *b"USD", groups());
        let collected = Mutex::new(Collected { sheet, pages: 0, spot: Vec::new() });
        let region = |i: usize| self.region(request, &request.regions[i], &collected, progress);
        let each = stream::iter((0..request.regions.len()).map(region));
        each.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        let Collected { mut sheet, spot, .. } = collected.into_inner();
        for region in &request.regions {
            for term in [Term::OnDemand, Term::Commit1Year, Term::Commit3Years] {
                sheet.whole(term, region);
            }
            let asked = spot
                .iter()
                .any(|asked| region == asked || (is_local_zone(region) && region.starts_with(&format!("{asked}-"))));
            if asked {
                sheet.whole(Term::Spot, region);
            }
        }
        sheet.finish(OPERATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_zones_hang_on_a_region() {
        for (name, local) in
            [("us-east-1", false), ("us-gov-west-1", false), ("us-west-2-lax-1", true), ("ap-southeast-2-akl-1", true)]
        {
            assert_eq!(is_local_zone(name), local, "{name}");
        }
    }

    #[test]
    fn the_dearest_zone_counts() {
        let at = DateTime::from_secs(0);
        let row = |zone: &str, nanos| ((zone.to_owned(), "m5.large".to_owned()), (at, Decimal(nanos)));
        let latest = BTreeMap::from([
            row("us-west-2a", 5),
            row("us-west-2b", 9),
            row("us-west-2-lax-1a", 7),
            row("eu-west-1a", 99),
        ]);
        let mut collected =
            Collected { sheet: SheetBuilder::new(ProviderKind::Aws, *b"USD", groups()), pages: 0, spot: Vec::new() };
        collected.spot_prices("us-west-2", latest);
        let sheet = collected.sheet.finish("Prices").unwrap();
        let rows: Vec<_> = sheet.rows.iter().map(|row| (row.region.as_ref(), row.nanos)).collect();
        assert_eq!(rows, [("us-west-2", 9), ("us-west-2-lax-1", 7)]);
    }

    #[test]
    fn tokens_are_new_each_time() {
        let mut seen = HashSet::new();
        let mut next = |token: &str| follow(Some(token.to_owned()), &mut seen, OPERATION, "r");
        assert_eq!(next("a").unwrap().as_deref(), Some("a"));
        assert_eq!(next("").unwrap(), None);
        assert_eq!(next("a").unwrap_err().kind, ErrorKind::Invalid);
    }
}
