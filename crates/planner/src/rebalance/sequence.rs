//! Steps in a sequence that quotas allow: what leaves a place goes before what comes there.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    quota::Quotas,
    settle::{Ground, Step},
    table::Table,
};

/// Takes again and again the first step that is possible. The steps are in an order in which everything but quotas holds, so
/// that without quotas it stays as it is. Those for which there never is a turn are left out, each machine with the reason.
pub(super) fn in_turn(
    g: &Ground<'_, '_>,
    table: &Table,
    quotas: &Quotas,
    steps: Vec<Step>,
) -> (Vec<Step>, BTreeMap<usize, String>) {
    let mut used = quotas.used();
    if used.is_empty() {
        return (steps, BTreeMap::new());
    }
    let mut at = table.initial.clone();
    let (mut pending, mut done) = (steps, Vec::new());
    loop {
        let (mut waiting, mut why) = (BTreeSet::new(), BTreeMap::new());
        let mut next = None;
        for (place, step) in pending.iter().enumerate() {
            // A machine's steps keep their order.
            if !waiting.insert(step.machine) {
                continue;
            }
            let site = table.site(g.market, step.to);
            if !table.lets_in(&at, step.machine, site) {
                why.insert(step.machine, "others would have to leave first, and quotas do not let them".to_owned());
                continue;
            }
            match quotas.take(g, &mut used, step) {
                Ok(()) => {
                    next = Some((place, site));
                    break;
                }
                Err(quota) => drop(why.insert(step.machine, format!("the quota of {quota} has too little left"))),
            }
        }
        let Some((place, site)) = next else { return (done, why) };
        let step = pending.remove(place);
        at[step.machine] = site;
        done.push(step);
    }
}
