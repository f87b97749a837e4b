//! Requests that are alike are one question.

use std::collections::{BTreeMap, HashMap, HashSet};

use novacron_placement::{Ask, Market, Settings};
use novacron_types::placement::{ActionKind, PlacementRequest};

use crate::PlanError;

pub(crate) struct Questions<'m> {
    pub asks: Vec<Ask<'m>>,
    /// Of each request.
    pub ask_of: Vec<usize>,
    /// The id of each request, or its number where it has none.
    pub names: Vec<String>,
    /// What policies and budgets look at.
    pub labels: Vec<BTreeMap<String, String>>,
}

impl<'m> Questions<'m> {
    pub fn new<'r>(
        market: &'m Market,
        settings: &Settings,
        requests: impl IntoIterator<Item = &'r PlacementRequest>,
    ) -> Result<Self, PlanError> {
        let settings = of_one(settings);
        let told_apart_by = told_apart_by(&settings);
        let (mut asks, mut known) = (Vec::new(), HashMap::new());
        let (mut ask_of, mut names, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (number, request) in requests.into_iter().enumerate() {
            let name = request.vm_id.clone().unwrap_or_else(|| format!("#{}", number + 1));
            // What the answer does not depend on.
            let mut plain =
                PlacementRequest { vm_id: None, image: None, user_data: None, alternatives: None, ..request.clone() };
            plain.tags.retain(|key, _| told_apart_by.contains(key.as_str()));
            // Exact: floats are written in full.
            let key = format!("{plain:?}");
            let ask = match known.get(&key) {
                Some(ask) => *ask,
                None => {
                    let ask = Ask::new(market, &settings, &plain);
                    asks.push(ask.map_err(|error| PlanError::Machine { vm_id: name.clone(), error })?);
                    known.insert(key, asks.len() - 1);
                    asks.len() - 1
                }
            };
            ask_of.push(ask);
            names.push(name);
            labels.push(request.labels());
        }
        let mut seen = HashSet::new();
        match names.iter().find(|name| !seen.insert(name.as_str())) {
            Some(name) => Err(PlanError::Twice(name.clone())),
            None => Ok(Self { asks, ask_of, names, labels }),
        }
    }

    pub fn ask(&self, machine: usize) -> &Ask<'m> {
        &self.asks[self.ask_of[machine]]
    }
}

/// Settings for a machine by itself: quotas and spreads hold for all together, and are seen to by the plan.
fn of_one(settings: &Settings) -> Settings {
    let mut settings = Settings { quotas: Vec::new(), peers: Vec::new(), ..settings.clone() };
    for policy in settings.policies.iter_mut().filter(|p| p.action.kind == ActionKind::Distribute) {
        (policy.action.min_providers, policy.action.min_zones) = (None, None);
    }
    settings
}

/// Labels that policies look at; by all others machines are alike.
fn told_apart_by(settings: &Settings) -> HashSet<&str> {
    let conditions = settings.policies.iter().filter_map(|policy| policy.condition.as_ref()?.key.as_deref());
    conditions.chain(["workload"]).collect()
}
