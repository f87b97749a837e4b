//! The client, and the sums that make machines, disks and traffic out of parts.

use async_trait::async_trait;
use novacron_provider::{
    ErrorKind, ProviderError, Result,
    prices::{
        Decimal, OnPriceProgress, PriceGroup, PriceProgress, PriceRequest, PriceSheet, PriceSource, SheetBuilder, Term,
        TransferPrice, TransferTier, TransferTo, per,
    },
};
use novacron_provider_http::{HttpClient, Limits};
use novacron_types::ProviderKind;

use crate::{
    list::{OPERATION, PriceList, read_list},
    shapes::{Billed, billed, parts},
};

const ENDPOINT: &str = "https://apexapps.oracle.com/pls/apex";
const PATH: &str = "/cetools/api/v1/products/?currencyCode=USD";
/// A GB of a block volume, and a performance unit of one.
const BLOCK: (&str, &str) = ("B91961", "B91962");

const ON_DEMAND: usize = 0;
const SPOT: usize = 1;
const DISKS: usize = 2;
const TRAFFIC: usize = 3;

#[derive(Debug, Clone, Default)]
pub struct OciPricesSettings {
    /// Another address than Oracle's, up to `/cetools`.
    pub endpoint: Option<String>,
    pub limits: Limits,
}

/// Prices of machines, block volumes and traffic in USD. One list holds for all commercial regions; only those may be asked for.
pub struct OciPrices {
    http: HttpClient,
}

impl OciPrices {
    pub fn new(settings: &OciPricesSettings) -> Result<Self> {
        let endpoint = settings.endpoint.as_deref().unwrap_or(ENDPOINT);
        Ok(Self { http: HttpClient::new(OPERATION, endpoint, settings.limits)? })
    }
}

#[async_trait]
impl PriceSource for OciPrices {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Oci
    }

    fn name(&self) -> &'static str {
        "oci-list"
    }

    async fn fetch(&self, request: &PriceRequest, progress: OnPriceProgress<'_>) -> Result<PriceSheet> {
        let list = self.http.get(PATH, |body| read_list(body).and_then(whole)).await?;
        let sheet = assemble(&list, request)?;
        progress(PriceProgress { pages: 1, rows: sheet.rows.len() });
        Ok(sheet)
    }
}

/// The list does not say how long it is; one that lacks half of the parts that it always had was cut.
fn whole(list: PriceList) -> Result<PriceList> {
    let (all, there) =
        parts().fold((0, 0), |(all, there), part| (all + 1, there + usize::from(list.contains_key(part))));
    if there * 2 > all {
        return Ok(list);
    }
    let text = format!("the list has {there} of the {all} parts that machines are billed as");
    Err(ProviderError::new(ErrorKind::Unavailable, OPERATION, text))
}

fn assemble(list: &PriceList, request: &PriceRequest) -> Result<PriceSheet> {
    let mut sheet = SheetBuilder::new(ProviderKind::Oci, *b"USD", groups());
    for machine in &request.machines {
        let Some(billed) = billed(&machine.name) else {
            sheet.unpriced(&machine.name);
            continue;
        };
        let Some(nanos) = machine_nanos(list, billed) else {
            sheet.odd("machines one of whose parts has no price", || format!("{}, of {billed:?}", machine.name));
            sheet.unpriced(&machine.name);
            continue;
        };
        for region in &request.regions {
            sheet.row(region, &machine.name, Term::OnDemand, Decimal(nanos.into()), ON_DEMAND, None);
            if billed.preemptible {
                sheet.row(region, &machine.name, Term::Spot, Decimal(per(nanos, 2).into()), SPOT, None);
            }
        }
    }
    for region in &request.regions {
        [Term::OnDemand, Term::Spot].into_iter().for_each(|term| sheet.whole(term, region));
        disks(list, region, &mut sheet);
        traffic(list, region, &request.regions, &mut sheet);
    }
    sheet.finish(OPERATION)
}

/// `None` when the list has no price for a part, or has it by another measure.
fn machine_nanos(list: &PriceList, billed: Billed) -> Option<u64> {
    let sum = |(part, count): (&str, u64)| paid(list, part, "Per Hour")?.checked_mul(count);
    let memory = billed.memory.map_or(Some(0), sum)?;
    sum(billed.unit)?.checked_add(memory)
}

fn paid(list: &PriceList, part: &str, measure: &str) -> Option<u64> {
    list.get(part).filter(|part| part.metric.ends_with(measure))?.paid()
}

fn disks(list: &PriceList, region: &str, sheet: &mut SheetBuilder) {
    let (Some(gb), Some(unit)) = (paid(list, BLOCK.0, "Per Month"), paid(list, BLOCK.1, "Per Month")) else {
        sheet.odd("block volumes one of whose parts has no price", || format!("{BLOCK:?}"));
        return;
    };
    for units in [0, 10, 20] {
        if let Some(nanos) = unit.checked_mul(units).and_then(|units| units.checked_add(gb)) {
            sheet.disk(region, &format!("block-{units}-vpu"), nanos, DISKS);
        }
    }
}

/// What leaves a region costs the same to the internet and to another region.
fn traffic(list: &PriceList, region: &str, regions: &[String], sheet: &mut SheetBuilder) {
    let part = match region.split('-').next().unwrap_or_default() {
        "us" | "ca" | "mx" | "eu" | "uk" => "B88327",
        "ap" | "sa" => "B93455",
        "me" | "il" | "af" => "B93456",
        _ => return sheet.odd("regions of a continent that is not known", || region.to_owned()),
    };
    let found = list.get(part).filter(|part| part.metric.ends_with("Per Month"));
    // A list of free tiers alone is one that was cut: nobody gives everything away.
    let Some(found) = found.filter(|part| part.paid().is_some()) else {
        return sheet.odd("traffic that has no price", || format!("{part} for {region}"));
    };
    let tier = |tier: &crate::Tier| Some(TransferTier { from_gb: tier.from, nanos_per_gb: tier.price.nanos()? });
    let Some(tiers) = found.tiers.iter().map(tier).collect::<Option<Vec<_>>>() else { return };
    let from = sheet.name(region);
    let others = regions.iter().filter(|to| *to != region).map(|to| TransferTo::Region(to.as_str().into()));
    for to in std::iter::once(TransferTo::Internet).chain(others) {
        sheet.transfer(TransferPrice { from: from.clone(), to, tiers: tiers.clone(), group: TRAFFIC });
    }
}

fn groups() -> Vec<PriceGroup> {
    let group = |name: &str, rule: Option<&str>| PriceGroup {
        name: name.to_owned(),
        source: "Oracle's price list".to_owned(),
        rule: rule.map(str::to_owned),
    };
    let sum = "OCPUs (or GPUs) × their price + GB × theirs, at the price beyond a free allowance, as the shape is billed; the same in every commercial region";
    let units = "the price of a GB + performance units (0, 10 or 20 a GB) × theirs, as block volumes are billed";
    vec![
        group("oci-list-on-demand", Some(sum)),
        group("oci-list-preemptible", Some("half of on-demand")),
        group("oci-list-disks", Some(units)),
        group("oci-list-traffic", None),
    ]
}
