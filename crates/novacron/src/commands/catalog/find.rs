//! Types and regions by the names that people give.

use novacron_catalog::{Catalog, RegionId, TypeId};
use novacron_types::{ProviderKind, nearest};

use crate::exit::{Failure, Result};

const KINDS: [&str; 4] = ["aws", "azure", "gcp", "oci"];

/// A kind of which the catalog has offers.
pub fn kind(text: &str) -> Result<ProviderKind> {
    match text.parse::<ProviderKind>() {
        Ok(kind) if KINDS.contains(&kind.as_str()) => Ok(kind),
        _ => {
            let near = nearest(text, KINDS).map(|near| format!("Did you mean `{near}`?"));
            Err(Failure::usage(format!("the catalog has no prices of {text:?}"))
                .hint(near.unwrap_or_else(|| format!("It has those of {}.", KINDS.join(", ")))))
        }
    }
}

/// Every region that any of the names stands for; of all kinds or one. No names: every region.
pub fn regions(catalog: &Catalog, names: &[String], kind: Option<ProviderKind>) -> Result<Vec<bool>> {
    let all = &catalog.parts().regions;
    if names.is_empty() {
        return Ok(all.iter().map(|region| kind.is_none_or(|kind| kind == region.kind)).collect());
    }
    let mut wanted = vec![false; all.len()];
    for name in names {
        let ids: Vec<RegionId> = catalog.places(name, kind).map_err(|unknown| {
            Failure::usage(unknown.to_string()).hint("`novacron catalog regions` lists the regions and groups of them.")
        })?;
        ids.iter().for_each(|id| wanted[usize::from(id.0)] = true);
    }
    Ok(wanted)
}

/// The types of a name, of each kind that has one; never none.
pub fn types(catalog: &Catalog, name: &str, kind: Option<ProviderKind>) -> Result<Vec<TypeId>> {
    let all = catalog.parts().types.iter().enumerate();
    let all: Vec<_> = all.filter(|(_, ty)| kind.is_none_or(|kind| kind == ty.kind)).collect();
    let found: Vec<TypeId> =
        all.iter().filter(|(_, ty)| ty.name.eq_ignore_ascii_case(name)).map(|(i, _)| TypeId(*i as u16)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let lower = name.to_ascii_lowercase();
    let begins: Vec<&str> = all
        .iter()
        .filter(|(_, ty)| lower.len() > 1 && ty.name.to_ascii_lowercase().starts_with(&lower))
        .map(|(_, ty)| ty.name.as_str())
        .take(5)
        .collect();
    let failure = Failure::usage(format!("there is no instance type {name:?}"));
    let near = nearest(name, all.iter().map(|(_, ty)| ty.name.as_str()));
    Err(match (begins.is_empty(), near) {
        (false, _) => failure.hint(format!("There are {} …: novacron catalog list --type {name}", begins.join(", "))),
        (true, Some(near)) => failure.hint(format!("Did you mean `{near}`?")),
        (true, None) => failure.hint("`novacron catalog list --type BEGINNING` lists types."),
    })
}

/// One type in one region, as both names allow: `m5.large` tells AWS, and that tells the region.
pub fn pair(catalog: &Catalog, name: &str, region: &str) -> Result<(TypeId, RegionId)> {
    let types = types(catalog, name, None)?;
    let mut unknown = None;
    for ty in &types {
        let kind = catalog.instance_type(*ty).kind;
        match catalog.places(region, Some(kind)).as_deref() {
            Ok([one]) => return Ok((*ty, *one)),
            Ok([]) => {}
            Ok(several) => {
                let names: Vec<&str> = several.iter().map(|id| catalog.region(*id).name.as_str()).collect();
                return Err(Failure::usage(format!("{region:?} stands for several regions of {kind}"))
                    .hint(format!("Name one: {}.", names.join(", "))));
            }
            Err(error) => unknown = Some((kind, error.clone())),
        }
    }
    let kind = catalog.instance_type(types[0]).kind;
    Err(match (catalog.places(region, None), unknown) {
        // It is a region, of another vendor.
        (Ok(_), _) => Failure::usage(format!("{name} is {kind}'s, and {kind} has no region {region:?}"))
            .hint(format!("novacron catalog show {name}")),
        (Err(_), Some((_, unknown))) => {
            Failure::usage(unknown.to_string()).hint("`novacron catalog regions` lists them.")
        }
        (Err(unknown), None) => Failure::usage(unknown.to_string()).hint("`novacron catalog regions` lists them."),
    })
}
