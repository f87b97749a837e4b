//! What is promised, on instances made here; and on the challenge's own, where a variable says where they are.

use crate::rng::Rng;
use crate::testing::{Shape, random};
use crate::*;
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

fn steps(problem: &Problem, steps: u64, seed: u64) -> Outcome {
    solve(problem, &options(Budget::Steps(steps), seed, &AtomicBool::new(false)))
}

fn options(budget: Budget, seed: u64, stop: &AtomicBool) -> Options<'_> {
    Options { budget, walks: 2, seed, max_moves: None, stop }
}

fn moved(problem: &Problem, at: &[u32]) -> usize {
    at.iter().zip(problem.initial()).filter(|(at, home)| at != home).count()
}

/// The cheapest of all feasible assignments with at most so many moves, by trying each.
fn cheapest(problem: &Problem, most: usize) -> i128 {
    let machines = problem.model().machines.len() as u32;
    let mut at = vec![0; problem.initial().len()];
    let mut best = problem.cost(problem.initial()).total();
    loop {
        if moved(problem, &at) <= most && problem.violations(&at, 1).is_empty() {
            best = best.min(problem.cost(&at).total());
        }
        let Some(next) = at.iter().position(|&m| m + 1 < machines) else { return best };
        at[next] += 1;
        at[..next].fill(0);
    }
}

/// A search proves nothing, so what is found within a budget is checked on the same instances each time.
fn same_each_time() -> ProptestConfig {
    ProptestConfig { cases: 64, rng_seed: proptest::test_runner::RngSeed::Fixed(2012), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(same_each_time())]

    #[test]
    fn finds_what_brute_force_finds(seed in any::<u64>()) {
        let problem = random(seed, &Shape { machines: 4, processes: 6, services: 4, resources: 3 });
        let best = cheapest(&problem, usize::MAX);
        prop_assert!(lower_bound(problem.model()) <= best);
        prop_assert_eq!(i128::from(steps(&problem, 600_000, seed).cost), best);
    }

    #[test]
    fn finds_it_with_few_moves(seed in any::<u64>()) {
        let problem = random(seed, &Shape { machines: 4, processes: 6, services: 4, resources: 3 });
        let (most, stop) = (seed as u32 % 5, AtomicBool::new(false));
        let options = Options { max_moves: Some(most), ..options(Budget::Steps(600_000), seed, &stop) };
        let found = solve(&problem, &options);
        prop_assert!(moved(&problem, &found.assignment) <= most as usize);
        prop_assert_eq!(i128::from(found.cost), cheapest(&problem, most as usize));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn never_violates_and_never_is_worse(seed in any::<u64>()) {
        let problem = random(seed, &Shape { machines: 30, processes: 200, services: 40, resources: 8 });
        let found = steps(&problem, 20_000, seed);
        prop_assert_eq!(problem.violations(&found.assignment, 5), vec![]);
        prop_assert_eq!(problem.cost(&found.assignment).total(), i128::from(found.cost));
        prop_assert!(i128::from(found.cost) <= problem.cost(problem.initial()).total());
        prop_assert!(i128::from(found.cost) >= lower_bound(problem.model()));
        prop_assert_eq!(&steps(&problem, 20_000, seed), &found, "the same seed and steps");
    }

    #[test]
    fn text_that_is_damaged_is_refused_or_read_but_never_trusted(seed in any::<u64>()) {
        let problem = random(seed, &Shape::small());
        let mut model = problem.model().clone();
        model.placement_costs.clear();
        model.processes.iter_mut().for_each(|p| p.cost_class = 0);
        let mut text = write(&model).into_bytes();
        prop_assert_eq!(parse_model(&text).unwrap(), model);
        let rng = &mut Rng::new(seed);
        match rng.below(3) {
            0 => text.truncate(rng.below(text.len())),
            1 => { let at = rng.below(text.len()); text[at] = rng.next() as u8; }
            _ => { let at = rng.below(text.len()); text.splice(at..at, b"99999999".iter().copied()); }
        }
        if let Ok(model) = parse_model(&text) {
            // May be another model; it is checked before it is used.
            let _ = Problem::new(model, problem.initial().to_vec());
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_model(&bytes);
    }
}

/// The format that is read.
fn write(model: &Model) -> String {
    let mut out = format!("{}\n", model.resources.len());
    let list = |of: &[u32]| of.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    for r in &model.resources {
        out += &format!("{} {}\n", u32::from(r.transient), r.load_weight);
    }
    out += &format!("{}\n", model.machines.len());
    for (m, ways) in model.machines.iter().zip(model.machine_move_cost.chunks(model.machines.len())) {
        let (capacity, safety) = (list(&m.capacity), list(&m.safety));
        out += &format!("{} {} {capacity} {safety} {}\n", m.neighbourhood, m.location, list(ways));
    }
    out += &format!("{}\n", model.services.len());
    for s in &model.services {
        out += &format!("{} {} {}\n", s.spread, s.depends_on.len(), list(&s.depends_on));
    }
    out += &format!("{}\n", model.processes.len());
    for p in &model.processes {
        out += &format!("{} {} {}\n", p.service, list(&p.needs), p.move_cost);
    }
    out += &format!("{}\n", model.balances.len());
    for b in &model.balances {
        out += &format!("{} {} {} {}\n", b.first, b.second, b.target, b.weight);
    }
    let w = model.weights;
    out + &format!("{} {} {}\n", w.process_move, w.service_move, w.machine_move)
}

#[test]
fn errors_say_where_and_what() {
    let said = |text: &str| parse_model(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(said(""), "line 1, column 1: the text ends; expected the number of resources");
    assert_eq!(
        said("1\n2 10"),
        "line 2, column 1: 2 is out of range; expected 0 or 1: whether the resource is transient (there are 2, counted from 0)"
    );
    assert!(said("1\n0 -1 0").starts_with("line 2, column 3: \"-1\" is not a whole number"));
    assert!(said("1 0 1 20000 0 0 0").contains("20000 is more than the rest of the text can hold"));
    assert!(said("4000000000").contains("4000000000 is too many"));
}

#[test]
fn a_model_that_could_overflow_is_refused() {
    let problem = random(7, &Shape::small());
    let mut model = problem.model().clone();
    model.balances = vec![Balance { first: 0, second: 0, target: u32::MAX, weight: u32::MAX }];
    assert!(matches!(check_model(&model), Err(ProblemError::Cost(_))));
}

#[test]
fn a_deadline_and_a_stop_end_the_search_in_time() {
    let problem = random(3, &Shape { machines: 30, processes: 300, services: 60, resources: 8 });
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    let budget = Budget::Until(start + Duration::from_millis(100));
    solve(&problem, &options(budget, 1, &stop));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let stopped = AtomicBool::new(true);
    let found = solve(&problem, &options(Budget::Steps(u64::MAX), 1, &stopped));
    assert_eq!(found.assignment, problem.initial());
}

/// `NOVACRON_REASSIGNMENT` is the folder of the challenge's set A: `model_*`, `assignment_*`, `original_cost_*`.
#[test]
fn original_costs_are_those_of_the_challenge() {
    let Some(folder) = std::env::var_os("NOVACRON_REASSIGNMENT").map(std::path::PathBuf::from) else {
        eprintln!("skipped: NOVACRON_REASSIGNMENT names no folder");
        return;
    };
    let read = |kind: &str, name: &str| std::fs::read(folder.join(format!("{kind}_{name}.txt"))).unwrap();
    for name in ["a1_1", "a1_2", "a1_3", "a1_4", "a1_5", "a2_1", "a2_2", "a2_3", "a2_4", "a2_5"] {
        let model = parse_model(&read("model", name)).unwrap();
        let initial = parse_assignment(&read("assignment", name), &model).unwrap();
        let problem = Problem::new(model, initial).unwrap();
        let cost = String::from_utf8(read("original_cost", name)).unwrap();
        assert_eq!(problem.cost(problem.initial()).total(), cost.trim().parse::<i128>().unwrap(), "{name}");
        let found = steps(&problem, 50_000, 1);
        assert!(problem.violations(&found.assignment, 1).is_empty());
    }
}
