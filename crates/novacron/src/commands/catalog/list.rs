//! `novacron catalog list`

use novacron_catalog::{Catalog, OfferId, Pricing};

use super::{find, rows::OfferRow};
use crate::{
    cli::ListArgs,
    commands::place::words,
    exit::{Failure, Result},
    output::{Output, human},
};

pub fn run(output: &Output, catalog: &Catalog, args: &ListArgs) -> Result<()> {
    let kind = args.kind.as_deref().map(find::kind).transpose()?;
    let regions = find::regions(catalog, &args.region, kind)?;
    let pricing = pricing(&args.pricing)?;
    let types = types(catalog, args, kind.map(|kind| kind.as_str()))?;
    let offers = catalog.offers();
    let mut found: Vec<u32> = (0..offers.len())
        .filter(|i| {
            types[usize::from(offers.ty[*i].0)]
                && regions[usize::from(offers.region[*i].0)]
                && pricing.contains(&offers.pricing[*i])
        })
        .map(|i| i as u32)
        .collect();
    // Equals stay in the catalog's order.
    found.sort_by_key(|i| offers.hourly_nanos[*i as usize]);
    let shown = if args.limit == 0 { found.len() } else { args.limit.min(found.len()) };
    let mut printer = output.list::<OfferRow>();
    for page in found[..shown].chunks(1_000) {
        let rows: Vec<OfferRow> = page.iter().filter_map(|i| OfferRow::new(catalog, OfferId(*i))).collect();
        printer.page(&rows)?;
    }
    printer.end()?;
    if shown < found.len() {
        let count = |n: usize| human::thousands(n as u128);
        output.note(format_args!("The {} cheapest of {}; -n 0 lists all.", count(shown), count(found.len())));
    }
    Ok(())
}

fn pricing(words: &[String]) -> Result<Vec<Pricing>> {
    if words.is_empty() {
        return Ok(vec![Pricing::OnDemand]);
    }
    let parse = |word: &String| match word.as_str() {
        "all" => Ok(Pricing::ALL.to_vec()),
        word => word.parse::<Pricing>().map(|one| vec![one]).map_err(|error| {
            let near = novacron_types::nearest(word, Pricing::ALL.map(Pricing::as_str));
            Failure::usage(error.to_string()).maybe_hint(near.map(|near| format!("Did you mean `{near}`?")))
        }),
    };
    Ok(words.iter().map(parse).collect::<Result<Vec<_>>>()?.concat())
}

/// Which types are meant, by their numbers.
fn types(catalog: &Catalog, args: &ListArgs, kind: Option<&str>) -> Result<Vec<bool>> {
    let memory = args.min_memory.map_or(0, |size| size.0);
    let architecture = args.arch.as_deref().map(words::architecture);
    let begins = |name: &str, with: &String| {
        name.get(..with.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(with))
    };
    let named = |name: &str| args.types.is_empty() || args.types.iter().any(|with| begins(name, with));
    let all = &catalog.parts().types;
    for with in &args.types {
        if !all.iter().any(|ty| begins(&ty.name, with) && kind.is_none_or(|kind| kind == ty.kind.as_str())) {
            find::types(catalog, with, kind.and_then(|kind| kind.parse().ok()))?;
        }
    }
    let has_gpu = |ty: &novacron_catalog::InstanceType| match (&args.gpu, &ty.gpu) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wanted), Some(_)) if wanted == "any" => true,
        (Some(wanted), Some(gpu)) => gpu.model.to_ascii_lowercase().contains(&wanted.to_ascii_lowercase()),
    };
    let fits = |ty: &novacron_catalog::InstanceType| {
        named(&ty.name)
            && ty.vcpus >= args.min_cpu.unwrap_or(0)
            && ty.memory_bytes >= memory
            && architecture.is_none_or(|architecture| architecture == ty.architecture)
            && has_gpu(ty)
    };
    Ok(all.iter().map(fits).collect())
}
