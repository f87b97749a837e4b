//! Builds a model from streams of offers, and keeps only what can matter of them.

use std::collections::HashMap;

use crate::model::{Candidate, Class, Model, Place, Take};

/// A model in the making. Places are told apart by what they hold, and of candidates that no constraint can tell apart only
/// the cheapest stays: a class of 400,000 offers takes the memory of the few thousand that differ.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub model: Model,
    places: HashMap<Place, u32>,
}

impl Draft {
    pub fn limit(&mut self, capacity: i64) -> u32 {
        self.model.limits.push(capacity);
        (self.model.limits.len() - 1) as u32
    }

    pub fn dimension(&mut self, domains: u32) -> u32 {
        self.model.dimensions.push(domains);
        (self.model.dimensions.len() - 1) as u32
    }

    /// The place that looks like this, made if there is none.
    pub fn place(&mut self, mut place: Place) -> u32 {
        place.takes.sort_unstable();
        if let Some(&known) = self.places.get(&place) {
            return known;
        }
        let id = self.model.places.len() as u32;
        self.model.places.push(place.clone());
        self.places.insert(place, id);
        id
    }

    /// A class of these candidates: the first of the cheapest of each place and takes. Where cost and price do not agree on
    /// which is cheaper, both stay.
    pub fn class(&mut self, candidates: impl IntoIterator<Item = Candidate>) -> u32 {
        let mut kept: Vec<Candidate> = Vec::new();
        let mut alike: HashMap<(u32, Vec<Take>), Vec<u32>> = HashMap::new();
        for candidate in candidates {
            let same = alike.entry((candidate.place, candidate.takes.clone())).or_default();
            let no_worse = |a: &Candidate, b: &Candidate| a.cost <= b.cost && a.price <= b.price;
            if same.iter().any(|&k| no_worse(&kept[k as usize], &candidate)) {
                continue;
            }
            match same.iter().find(|&&k| no_worse(&candidate, &kept[k as usize])) {
                Some(&k) => kept[k as usize] = candidate,
                None => {
                    same.push(kept.len() as u32);
                    kept.push(candidate);
                }
            }
        }
        self.model.classes.push(Class { candidates: kept });
        (self.model.classes.len() - 1) as u32
    }
}
