//! Models that are damaged are refused, in exact words.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Random, small};
use novacron_fleet::{Fleet, Model, NO_DOMAIN, Options, Placement, Take, Violation, limits, solve};

/// A small model that has everything.
fn model() -> Model {
    let full = |m: &Model| {
        let takes = m.places.iter().any(|p| !p.takes.is_empty()) && m.items.iter().any(|i| !i.pays.is_empty());
        takes
            && m.classes[0].candidates.iter().any(|c| !c.takes.is_empty())
            && m.spreads.iter().any(|s| s.items.len() > 1)
    };
    (0..1000).map(small).find(full).unwrap()
}

fn refused(damage: impl FnOnce(&mut Model)) -> String {
    let mut model = model();
    damage(&mut model);
    Fleet::new(model).unwrap_err().to_string()
}

#[test]
fn every_damage_has_its_words() {
    assert!(Fleet::new(model()).is_ok());
    let words = refused(|m| m.limits[0] = -1);
    assert_eq!(words, "limit 0 has capacity -1; it must be from 0 to 1000000000000000000");
    let words = refused(|m| m.classes[0].candidates[0].cost = i64::MAX);
    assert!(words.starts_with("candidate 0 of class 0 has the cost 9223372036854775807; it must be from 0"), "{words}");
    let words = refused(|m| m.classes[0].candidates[0].price = -5);
    assert!(words.starts_with("candidate 0 of class 0 has the price -5"), "{words}");
    let words = refused(|m| m.classes[0].candidates[0].place = 99);
    assert!(words.starts_with("candidate 0 of class 0 names place 99; there are "), "{words}");
    let words = refused(|m| m.classes[0].candidates.iter_mut().flat_map(|c| &mut c.takes).for_each(|t| t.limit = 77));
    assert!(words.contains("names limit 77; there are "), "{words}");
    let words = refused(|m| m.places.iter_mut().flat_map(|p| &mut p.takes).for_each(|t| t.amount = -2));
    assert!(words.contains("has an amount of -2; it must be from 0"), "{words}");
    let words = refused(|m| m.places[0].domains[0] = 50);
    assert!(words.starts_with("place 0 names domain 50; there are "), "{words}");
    let words = refused(|m| m.places[0].domains.push(NO_DOMAIN));
    assert_eq!(words, "place 0 has 3 domains; there are 2 dimensions, and it needs one for each");
    let words = refused(|m| m.items[0].class = 44);
    assert!(words.starts_with("item 0 names class 44; there are "), "{words}");
    let words = refused(|m| m.items[0].pays = vec![0, 0]);
    assert_eq!(words, "item 0 names limit 0 twice");
    let words = refused(|m| m.items[0].unplaced_cost = Some(-1));
    assert!(words.starts_with("item 0 has the unplaced cost -1"), "{words}");
    let words = refused(|m| m.items[0].fixed = Some(9));
    assert!(words.starts_with("item 0 names candidate 9; there are "), "{words}");
    let words = refused(|m| m.spreads[0].dimension = 2);
    assert_eq!(words, "spread 0 names dimension 2; there are 2, counted from 0");
    let words = refused(|m| m.spreads[0].items = vec![0, 1, 0]);
    assert_eq!(words, "spread 0 names item 0 twice");
    let words = refused(|m| m.dimensions = vec![1; limits::DIMENSIONS + 1]);
    assert_eq!(words, "17 dimensions; at most 16 are taken");
    let words = refused(|m| m.places[0].takes = vec![Take { limit: 0, amount: 1 }; limits::TAKES + 1]);
    assert_eq!(words, "1001 takes of a place; at most 1000 are taken");
    let words = refused(|m| m.dimensions[m.spreads[0].dimension as usize] = u32::MAX);
    assert!(words.contains("domains of all spreads; at most 16000000 are taken"), "{words}");
}

/// Whatever is in it: it is refused, or solved without a panic.
#[test]
fn the_largest_amounts_are_computed_exactly() {
    for seed in 0..60 {
        let r = &mut Random(seed);
        let mut model = small(seed);
        let huge = |r: &mut Random| limits::AMOUNT - r.below(3) as i64;
        model.classes.iter_mut().flat_map(|c| &mut c.candidates).for_each(|c| (c.cost, c.price) = (huge(r), huge(r)));
        model.places.iter_mut().flat_map(|p| &mut p.takes).for_each(|t| t.amount = huge(r));
        model.limits.iter_mut().for_each(|l| *l = huge(r) - (r.below(2) as i64) * *l);
        let stop = false.into();
        let options = Options { until: None, steps: None, gap: 0.0, threads: 1, seed, stop: &stop, progress: None };
        let outcome = solve(&Fleet::new(model.clone()).unwrap(), &options);
        assert_eq!(outcome.objective, common::brute_force(&model), "{seed}");
    }
}

#[test]
fn a_check_names_what_is_broken() {
    let model = model();
    let fleet = Fleet::new(model.clone()).unwrap();
    let short: Placement = vec![None];
    let n = model.items.len();
    assert_eq!(fleet.check(&short), [Violation::Length { expected: n, count: 1 }]);
    let wrong = vec![Some(u32::MAX); n];
    assert!(fleet.check(&wrong).contains(&Violation::Unknown { item: 0, candidate: u32::MAX }));
    assert_eq!(fleet.cost(&wrong), None);
}

#[test]
fn a_check_agrees_with_the_words_of_the_model() {
    for seed in 0..300 {
        let model = small(seed);
        let fleet = Fleet::new(model.clone()).unwrap();
        let r = &mut Random(seed);
        for _ in 0..20 {
            let at: Placement = model
                .items
                .iter()
                .map(|i| (r.below(6) > 0).then(|| r.below(model.classes[i.class as usize].candidates.len()) as u32))
                .collect();
            let stays = model.items.iter().zip(&at).all(|(i, at)| i.fixed.is_none() || i.fixed == *at);
            assert_eq!(fleet.check(&at).is_empty(), stays && common::value(&model, &at).is_some(), "{seed} {at:?}");
        }
    }
}
