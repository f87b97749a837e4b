//! `novacron catalog estimate`: what a machine costs with its disks and its traffic.

use novacron_catalog::{
    Catalog, Destination, EstimateRequest, GroupId, HOURS_PER_MONTH, Part, Quote, RegionId, TypeId,
};
use novacron_types::{ByteSize, GIB, Money};
use serde::Serialize;

use super::find;
use crate::{
    commands::place::today,
    exit::{Failure, Result},
    output::{Output, grid::Grid, human},
};

#[derive(Serialize)]
struct Shown {
    kind: novacron_types::ProviderKind,
    instance_type: String,
    region: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<u32>,
    /// One for each way of paying.
    quotes: Vec<ShownQuote>,
}

#[derive(Serialize)]
struct ShownQuote {
    pricing: String,
    compute: ShownPart,
    storage: ShownPart,
    network: ShownPart,
    /// Absent where a part of it is not known.
    hourly: Option<Money>,
    monthly: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    for_hours: Option<Money>,
    modelled: bool,
}

#[derive(Serialize)]
struct ShownPart {
    hourly: Money,
    monthly: Money,
    sources: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<String>,
}

pub fn run(
    output: &Output,
    catalog: &Catalog,
    name: &str,
    region: &str,
    disks: &[String],
    traffic: &[String],
    hours: Option<u32>,
) -> Result<()> {
    let (ty, region) = find::pair(catalog, name, region)?;
    let request = EstimateRequest {
        ty,
        region,
        disks: disks.iter().map(|text| disk(catalog, ty, region, text)).collect::<Result<_>>()?,
        traffic: traffic.iter().map(|text| leaving(catalog, ty, text)).collect::<Result<_>>()?,
    };
    let estimate = catalog.estimate(&request).map_err(|error| {
        Failure::refused(error.to_string()).hint(format!("`novacron catalog show {name}` shows where it is offered."))
    })?;
    let part = |part: &Part| ShownPart {
        hourly: part.hourly,
        monthly: part.monthly,
        sources: part.groups.iter().map(|group| catalog.group(*group).name.clone()).collect(),
        unknown: part.unknown.clone(),
    };
    let quote = |quote: &Quote| ShownQuote {
        pricing: quote.pricing.to_string(),
        compute: part(&quote.compute),
        storage: part(&quote.storage),
        network: part(&quote.network),
        hourly: quote.hourly,
        monthly: quote.monthly,
        for_hours: hours.zip(quote.monthly).map(|(hours, monthly)| of_hours(monthly, hours)),
        modelled: quote.derived,
    };
    let shown = Shown {
        kind: catalog.instance_type(ty).kind,
        instance_type: catalog.instance_type(ty).name.clone(),
        region: catalog.region(region).name.clone(),
        hours,
        quotes: estimate.quotes.iter().map(quote).collect(),
    };
    output.one(&shown, || text(catalog, &shown, &estimate.quotes))
}

/// Rounded half up. Of a machine alone it is the hourly price times the hours, exactly.
fn of_hours(monthly: Money, hours: u32) -> Money {
    let month = i128::from(HOURS_PER_MONTH);
    Money { nanos: (monthly.nanos * i128::from(hours) * 2 + month).div_euclid(2 * month), ..monthly }
}

/// `100`, `100:gp3` or `2Ti:gp3`; a bare number is GB.
fn disk(catalog: &Catalog, ty: TypeId, region: RegionId, text: &str) -> Result<(Option<String>, u64)> {
    let (size, name) = text.split_once(':').map_or((text, None), |(size, name)| (size, Some(name)));
    let size = gigabytes("--disk", size, text)?;
    let Some(name) = name else { return Ok((None, size)) };
    let known = catalog.parts().disks.iter().filter(|disk| disk.region == region).map(|disk| disk.name.as_str());
    let known: Vec<&str> = known.filter(|name| catalog.takes_disk(ty, name)).collect();
    let exact = known.iter().find(|known| known.eq_ignore_ascii_case(name));
    match exact {
        Some(exact) => Ok((Some((*exact).to_owned()), size)),
        None => {
            let at = &catalog.region(region).name;
            let near = novacron_types::nearest(name, known.iter().copied());
            let hint = near
                .map_or_else(|| format!("There are {}.", known.join(", ")), |near| format!("Did you mean `{near}`?"));
            Err(Failure::usage(format!("{} takes no disk {name:?} in {at}", catalog.instance_type(ty).name)).hint(hint))
        }
    }
}

/// `500` to the internet, or `500:us-west-2`.
fn leaving(catalog: &Catalog, ty: TypeId, text: &str) -> Result<(Destination, u64)> {
    let (size, to) = text.split_once(':').map_or((text, None), |(size, to)| (size, Some(to)));
    let size = gigabytes("--traffic", size, text)?;
    let to = match to {
        None | Some("internet") => Destination::Internet,
        Some(region) => match catalog.places(region, Some(catalog.instance_type(ty).kind)).as_deref() {
            Ok([one]) => Destination::Region(*one),
            Ok(_) => {
                return Err(
                    Failure::usage(format!("{region:?} is not one region")).hint("Name one region, or `internet`.")
                );
            }
            Err(unknown) => {
                return Err(Failure::usage(unknown.to_string()).hint("`novacron catalog regions` lists them."));
            }
        },
    };
    Ok((to, size))
}

fn gigabytes(option: &str, size: &str, whole: &str) -> Result<u64> {
    let wrong =
        || Failure::usage(format!("{option} {whole:?} is not a size")).hint("Write GB, such as 100, or 100Gi, or 2Ti.");
    if let Ok(number) = size.parse::<u64>() {
        return if number <= 1 << 40 { Ok(number) } else { Err(wrong()) };
    }
    let size: ByteSize = size.parse().map_err(|_| wrong())?;
    Ok(size.0.div_ceil(GIB))
}

fn text(catalog: &Catalog, shown: &Shown, quotes: &[Quote]) -> String {
    let mut titles = vec!["".to_owned()];
    for quote in &shown.quotes {
        titles.push(format!(">{}/H", quote.pricing.to_uppercase()));
        titles.push(">/MONTH".to_owned());
    }
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let mut grid = Grid::new(&titles);
    for (row, name) in ["compute", "storage", "network"].into_iter().enumerate() {
        let mut cells = vec![name.to_owned()];
        for quote in quotes {
            let part = [&quote.compute, &quote.storage, &quote.network][row];
            let derived = part.groups.iter().any(|group| catalog.group(*group).is_derived());
            let mark = if derived { "~" } else { "" };
            let open = if part.unknown.is_empty() { "" } else { " + ?" };
            cells.push(format!("{mark}{}{open}", human::hour(part.hourly)));
            cells.push(format!("{mark}{}{open}", human::month(part.monthly)));
        }
        grid.row(cells);
    }
    let mut cells = vec!["together".to_owned()];
    for quote in quotes {
        let mark = if quote.derived { "~" } else { "" };
        cells.push(quote.hourly.map_or("not known".to_owned(), |sum| format!("{mark}{}", human::hour(sum))));
        cells.push(quote.monthly.map_or("not known".to_owned(), |sum| format!("{mark}{}", human::month(sum))));
    }
    grid.row(cells);
    if let Some(hours) = shown.hours {
        let mut cells = vec![format!("for {hours} h")];
        for quote in &shown.quotes {
            let mark = if quote.modelled { "~" } else { "" };
            let sum = quote.for_hours.map_or("not known".to_owned(), |sum| format!("{mark}{}", human::month(sum)));
            cells.extend([String::new(), sum]);
        }
        grid.row(cells);
    }
    let currency = quotes.first().map_or("USD", |quote| quote.compute.hourly.currency()).to_owned();
    let mut out = format!(
        "{} in {} ({}); {currency}; a month is 730 h; disks and traffic are paid on demand\n\n{}",
        shown.instance_type,
        shown.region,
        shown.kind,
        grid.text()
    );
    let mut unknown: Vec<&String> =
        quotes.iter().flat_map(|q| [&q.compute, &q.storage, &q.network]).flat_map(|p| &p.unknown).collect();
    unknown.sort();
    unknown.dedup();
    for what in unknown {
        out.push_str(&format!("\n  not known: {what}"));
    }
    out.push_str(&sources(catalog, quotes));
    out
}

fn sources(catalog: &Catalog, quotes: &[Quote]) -> String {
    let mut groups: Vec<GroupId> =
        quotes.iter().flat_map(|q| [&q.compute, &q.storage, &q.network]).flat_map(|part| part.groups.clone()).collect();
    groups.sort();
    groups.dedup();
    let mut grid = Grid::new(&["FIGURES", "AS OF", ">AGE", "STATED BY"]);
    for group in groups {
        let group = catalog.group(group);
        let stated = match &group.rule {
            Some(rule) => format!("~ {}: {rule}", group.source),
            None => group.source.clone(),
        };
        grid.row(vec![group.name.clone(), group.as_of.clone(), human::age(group.age_days(today())), stated]);
    }
    format!("\n{}", grid.text())
}
