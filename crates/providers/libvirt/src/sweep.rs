//! Removing what an operation left at a host.

use novacron_provider::{OperationTag, Result, SweepScope};
use virt::connect::Connect;

use crate::{
    backup,
    fault::fault,
    inner::{Inner, describe, find, made_by},
    names, pool, power,
};

/// Backup jobs, checkpoints and held machines first, on whichever machine they are; then, if all is to go, the
/// machine and the volumes that the operation made.
pub fn sweep(inner: &Inner, connect: &Connect, tag: &OperationTag, scope: SweepScope) -> Result<Vec<String>> {
    let key = names::key(tag);
    let mut removed = Vec::new();
    for domain in connect.list_all_domains(0).map_err(fault("virConnectListAllDomains"))? {
        let mut xml = match describe(&domain) {
            Ok(xml) => xml,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        let _turn = inner.turn(xml.uuid);
        let names = match backup::of_key(&domain, &xml, key) {
            Ok(names) => names,
            // libvirt's test driver has no checkpoints, and so none of ours.
            Err(error) if error.is_not_found() || inner.host.is_mock() => continue,
            Err(error) => return Err(error),
        };
        if !names.is_empty() {
            backup::remove(inner, &domain, &mut xml, &names)?;
            removed.extend(names.iter().map(ToString::to_string));
        }
    }
    if scope == SweepScope::Intermediates {
        return Ok(removed);
    }
    match find(connect, key)? {
        Some(domain) if made_by(&describe(&domain)?, tag) => removed.extend(power::delete(inner, connect, key)?),
        _ => removed.extend(pool::delete_all(connect, &inner.settings, key)?),
    }
    Ok(removed)
}
