//! Spreads over more domains than there are.

use std::collections::HashSet;

use crate::model::{Candidate, Model, NO_DOMAIN};

/// Those that are placed are then as many as there are domains at most, each in another one. The bound sees that only if it is
/// said.
pub(crate) fn keep_apart(model: &mut Model) {
    for spread in model.spreads.iter_mut().filter(|spread| spread.at_least > 1) {
        let (mut classes, mut domains) = (HashSet::new(), HashSet::new());
        let fresh =
            spread.items.iter().map(|&item| model.items[item as usize].class).filter(|class| classes.insert(*class));
        let fits = |at: &&Candidate| {
            let mut takes = at.takes.iter().chain(&model.places[at.place as usize].takes);
            takes.all(|take| take.amount <= model.limits[take.limit as usize])
        };
        let candidates = fresh.flat_map(|class| &model.classes[class as usize].candidates).filter(fits);
        let all = candidates.map(|at| model.places[at.place as usize].domains[spread.dimension as usize]);
        let mut found = all.filter(|domain| *domain != NO_DOMAIN && domains.insert(*domain));
        let enough = found.nth(spread.at_least as usize - 1);
        if enough.is_none() {
            spread.at_most_each = spread.at_most_each.min(Some(1)).or(Some(1));
        }
    }
}
