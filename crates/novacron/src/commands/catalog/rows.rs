//! How offers, regions and groups look as rows.

use novacron_catalog::{Catalog, Interruption, OfferId, Region, Sector, area_of};
use novacron_types::Architecture;
use serde::Serialize;

use crate::{
    commands::place::today,
    output::{Column, Row, human},
};

/// Something that can be bought.
#[derive(Debug, Serialize)]
pub struct OfferRow {
    pub kind: String,
    pub region: String,
    pub instance_type: String,
    pub vcpus: u32,
    pub memory_bytes: u64,
    pub architecture: Architecture,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    pub pricing: String,
    pub hourly: novacron_types::Money,
    pub monthly: novacron_types::Money,
    /// Derived by a rule, and not stated by the vendor.
    pub modelled: bool,
    /// How often spot machines are taken away in a month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interruption: Option<String>,
    pub zones: Vec<String>,
    pub source: String,
    pub as_of: String,
    pub age_days: Option<i32>,
}

impl OfferRow {
    pub fn new(catalog: &Catalog, id: OfferId) -> Option<Self> {
        let offer = catalog.offers().get(id)?;
        let (ty, region, group) =
            (catalog.instance_type(offer.ty), catalog.region(offer.region), catalog.group(offer.group));
        let hourly = catalog.hourly(id);
        let stated = match group.per {
            novacron_catalog::Per::Hour => hourly.nanos.saturating_mul(730),
            novacron_catalog::Per::Month => offer.price_nanos.into(),
        };
        Some(Self {
            kind: region.kind.to_string(),
            region: region.name.clone(),
            instance_type: ty.name.clone(),
            vcpus: ty.vcpus,
            memory_bytes: ty.memory_bytes,
            architecture: ty.architecture,
            gpu: ty.gpu.as_ref().map(gpu),
            pricing: offer.pricing.to_string(),
            hourly,
            monthly: novacron_types::Money { nanos: stated, ..hourly },
            modelled: group.is_derived(),
            interruption: Interruption::from_code(offer.band).map(|band| band.as_str().to_owned()),
            zones: catalog.zones(id),
            source: group.name.clone(),
            as_of: group.as_of.clone(),
            age_days: group.age_days(today()),
        })
    }
}

pub fn gpu(gpu: &novacron_catalog::Gpu) -> String {
    let memory = if gpu.memory_bytes > 0 { format!(" ({})", human::bytes(gpu.memory_bytes)) } else { String::new() };
    format!("{}×{}{memory}", f64::from(gpu.milli) / 1e3, gpu.model)
}

pub fn architecture(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64",
        Architecture::Arm64 => "arm64",
    }
}

impl Row for OfferRow {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("CLOUD"),
            Column::new("REGION"),
            Column::new("TYPE"),
            Column::new("vCPU"),
            Column::new("MEMORY"),
            Column::wide("ARCH"),
            Column::wide("GPU"),
            Column::new("PAID"),
            Column::new("PER HOUR"),
            Column::new("PER MONTH"),
            Column::new("AGE"),
            Column::wide("TAKEN AWAY"),
            Column::wide("SOURCE"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        let mark = if self.modelled { "~" } else { "" };
        let currency = self.hourly.currency();
        vec![
            self.kind.clone(),
            self.region.clone(),
            self.instance_type.clone(),
            self.vcpus.to_string(),
            human::bytes(self.memory_bytes),
            architecture(self.architecture).to_owned(),
            self.gpu.clone().unwrap_or_default(),
            self.pricing.clone(),
            format!("{mark}{} {currency}", human::hour(self.hourly)),
            format!("{mark}{} {currency}", human::month(self.monthly)),
            human::age(self.age_days),
            self.interruption.clone().unwrap_or_default(),
            self.source.clone(),
        ]
    }
}

#[derive(Debug, Serialize)]
pub struct RegionRow {
    pub kind: String,
    pub region: String,
    pub name: String,
    /// The group that it is in, such as `us-east`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    pub country: String,
    pub sector: String,
    pub zones: u8,
    /// Grams of CO2-equivalent per kWh of its electricity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid_g_per_kwh: Option<f64>,
    pub offers: u64,
    /// Degrees, north and east positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    /// Percent that the vendor promises for machines over two zones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sla_percent: Option<f64>,
    pub compliance: Vec<String>,
}

impl RegionRow {
    pub fn new(catalog: &Catalog, region: &Region, offers: u64) -> Self {
        let sla = catalog.sla(region.kind).map(|sla| match region.zones {
            0 | 1 => sla.spread_milli_percent.max(sla.single_milli_percent),
            _ => sla.multi_zone_milli_percent,
        });
        Self {
            kind: region.kind.to_string(),
            region: region.name.clone(),
            name: region.display.clone(),
            group: area_of(region),
            country: region.country.clone(),
            sector: sector(region.sector).to_owned(),
            zones: region.zones,
            grid_g_per_kwh: region.grid.map(|grid| f64::from(grid.mg_per_kwh) / 1e3),
            offers,
            latitude: region.point.map(|point| f64::from(point.lat_micro) / 1e6),
            longitude: region.point.map(|point| f64::from(point.lon_micro) / 1e6),
            sla_percent: sla.filter(|milli| *milli > 0).map(|milli| f64::from(milli) / 1e3),
            compliance: region.compliance.clone(),
        }
    }
}

pub fn sector(sector: Sector) -> &'static str {
    match sector {
        Sector::Commercial => "everyone",
        Sector::Government => "government",
        Sector::China => "China",
        Sector::Sovereign => "sovereign",
        Sector::LocalZone => "local zone",
    }
}

impl Row for RegionRow {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("CLOUD"),
            Column::new("REGION"),
            Column::new("GROUP"),
            Column::new("COUNTRY"),
            Column::new("NAME"),
            Column::new("ZONES"),
            Column::new("OFFERS"),
            Column::new("g CO2e/kWh"),
            Column::new("FOR"),
            Column::wide("SLA"),
            Column::wide("COMPLIANCE (not complete)"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        vec![
            self.kind.clone(),
            self.region.clone(),
            self.group.clone().unwrap_or_default(),
            self.country.clone(),
            self.name.clone(),
            if self.zones == 0 { String::new() } else { self.zones.to_string() },
            human::thousands(self.offers.into()),
            self.grid_g_per_kwh.map(|grams| format!("{grams:.0}")).unwrap_or_default(),
            self.sector.clone(),
            self.sla_percent.map(|percent| format!("{percent} %")).unwrap_or_default(),
            self.compliance.join(","),
        ]
    }
}

/// Rows of one source, one date and one way of getting at them.
#[derive(Debug, Serialize)]
pub struct SourceRow {
    pub group: String,
    pub source: String,
    pub licence: String,
    pub as_of: String,
    pub age_days: Option<i32>,
    /// How many rows are the group's, of all lists of the catalog.
    pub rows: u64,
    /// By which the figures were derived; absent: they are the source's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    pub currency: String,
}

impl Row for SourceRow {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("FIGURES"),
            Column::new("ROWS"),
            Column::new("AS OF"),
            Column::new("AGE"),
            Column::new("LICENCE"),
            Column::new("STATED BY"),
            Column::wide("DERIVED BY"),
            Column::wide("CURRENCY"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        let mark = if self.rule.is_some() { "~ " } else { "" };
        vec![
            self.group.clone(),
            human::thousands(self.rows.into()),
            self.as_of.clone(),
            human::age(self.age_days),
            self.licence.clone(),
            format!("{mark}{}", self.source),
            self.rule.clone().unwrap_or_default(),
            self.currency.clone(),
        ]
    }
}
