//! Plans of many machines as a person reads them: manifests, moves, bursts, counts.

use std::fmt::Write;

use novacron_types::{
    Money,
    placement::{
        ApplyAction, ApplyAnswer, BurstAnswer, BurstOutcome, FieldChange, ManyPlan, PlanRecord, PlanStatus,
        PlannedPlace, Statistics, Work,
    },
};
use serde_json::Value;

use super::{decision, detail::Lines, grid::Grid, human};

/// `+ web  create  m5.large in us-east-1 (aws), on-demand`, and under each what changes.
pub fn applied(answer: &ApplyAnswer) -> String {
    let mut out = String::new();
    for machine in &answer.machines {
        let (sign, word) = match machine.action {
            ApplyAction::Create => ('+', "create"),
            ApplyAction::Update => ('~', "update"),
            ApplyAction::Unchanged => (' ', "unchanged"),
        };
        let name = clean(&machine.name);
        let placed = machine.placement.as_ref().map(|record| match &record.decision.primary_placement {
            Some(placed) => {
                let cost = placed.cost.as_ref().map(|cost| cost.monthly);
                let nobody =
                    if placed.provider.is_none() { "; NO PROVIDER is configured that can make it there" } else { "" };
                format!("{}, {}{nobody}", decision::title(placed), cost_words(cost))
            }
            None => "NO PLACE WILL DO".to_owned(),
        });
        let at = placed.map(|words| format!(" → {words}")).unwrap_or_default();
        let _ = writeln!(out, "{sign} {name}  {word}{at}");
        for change in &machine.changes {
            for line in changed(change) {
                let _ = writeln!(out, "    {line}");
            }
        }
        if let Some(record) = &machine.placement
            && record.decision.primary_placement.is_none()
        {
            for way in record.decision.relaxations.iter().take(3) {
                let _ = writeln!(
                    out,
                    "    relax {}: {} in {} at {}",
                    way.constraints.join(" and "),
                    way.instance_type,
                    way.region,
                    human::hourly(way.cost_per_hour.money())
                );
            }
        }
    }
    let count = |action| answer.machines.iter().filter(|machine| machine.action == action).count();
    let _ = writeln!(
        out,
        "\n{} to create, {} to update, {} unchanged",
        count(ApplyAction::Create),
        count(ApplyAction::Update),
        count(ApplyAction::Unchanged)
    );
    out
}

fn cost_words(monthly: Option<Money>) -> String {
    monthly.map_or("cost not known".to_owned(), human::monthly)
}

/// A line for each leaf that is new, gone or another.
fn changed(change: &FieldChange) -> Vec<String> {
    let mut lines = Vec::new();
    match (&change.old, &change.new) {
        (None, Some(new)) => leaves('+', &change.path, new, &mut lines),
        (Some(old), None) => leaves('-', &change.path, old, &mut lines),
        (Some(old), Some(new)) => {
            let path = &change.path;
            lines.push(format!("~ {}: {} → {}", clean(path), leaf(path, old), leaf(path, new)));
        }
        (None, None) => lines.push(clean(&change.path)),
    }
    lines
}

fn leaves(sign: char, path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            map.iter().for_each(|(key, value)| leaves(sign, &below(key), value, lines));
        }
        // The first two are the same for all.
        _ if matches!(path, "apiVersion" | "kind") => {}
        value => lines.push(format!("{sign} {}: {}", clean(path), leaf(path, value))),
    }
}

/// Bytes as people write them.
fn leaf(path: &str, value: &Value) -> String {
    let is_size = path.ends_with("resources.memory") || path.ends_with("resources.disk");
    match value.as_u64().filter(|_| is_size) {
        Some(bytes) => human::bytes(bytes),
        None => clean(&value.to_string()),
    }
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Moves in their order, what they save and cost, what stays and why.
pub fn rebalance(record: &PlanRecord, wide: bool) -> String {
    let plan = &record.plan;
    let mut lines = Lines::default();
    lines
        .add("Plan", format_args!("{}, made {}", record.plan_id, human::time(record.made_at)))
        .add("Strategy", plan.strategy)
        .add("Now", human::monthly(plan.current_monthly))
        .add("Afterwards", human::monthly(plan.planned_monthly))
        .add("Saves", human::monthly(plan.saves_per_month))
        .add("Costs once", format_args!("{} {}", human::month(plan.one_time_cost), plan.one_time_cost.currency()))
        .add(
            "Bound",
            format_args!(
                "{} of {}; no plan among the places considered has less than {} (gap {:.3} %)",
                plan.bound.objective,
                plan.bound.of,
                plan.bound.lower_bound,
                plan.bound.gap * 100.0
            ),
        );
    let mut out = lines.0;
    let mut grid = Grid::new(&[">STEP", "VM", "FROM", "TO", ">SAVES/MONTH", ">COSTS ONCE", ">PAYS BACK", "WHY"]);
    for step in &plan.moves {
        let to = match &step.towards {
            Some(towards) => format!("{} (a stop on the way to {})", place(&step.to), place(towards)),
            None => place(&step.to),
        };
        let why = match &step.mandatory_by {
            Some(_) => format!("must: {}", step.reason),
            None => step.reason.clone(),
        };
        // What is not in the total is said.
        let open = if step.one_time_cost.transfer.is_none() { " + transfer" } else { "" };
        grid.row(vec![
            step.step.to_string(),
            step.vm_id.clone(),
            place(&step.from),
            to,
            step.saves_per_month.map_or("unknown".to_owned(), human::month),
            format!("{}{open}", human::month(step.one_time_cost.total)),
            step.payback_days.map_or("never".to_owned(), |days| format!("{days:.1} days")),
            why,
        ]);
    }
    if grid.is_empty() {
        out.push_str("\nNothing is worth moving.\n");
    } else {
        let _ = write!(out, "\nMOVES, in this order; amounts in USD\n{}", grid.text());
    }
    const SHOWN: usize = 20;
    let shown = if wide { plan.kept.len() } else { SHOWN };
    let mut kept = Grid::new(&["STAYS", "WHY"]);
    for machine in plan.kept.iter().take(shown) {
        kept.row(vec![machine.vm_id.clone(), machine.why.clone()]);
    }
    if !kept.is_empty() {
        let _ = write!(out, "\n{}", kept.text());
    }
    if plan.kept.len() > shown {
        let _ = writeln!(out, "  … and {} more, which -o wide shows", plan.kept.len() - shown);
    }
    notes(&mut out, &plan.notes);
    out
}

fn place(place: &PlannedPlace) -> String {
    match (place.pricing.as_str(), &place.provider) {
        ("own", Some(provider)) => format!("host {provider}"),
        (pricing, _) => format!("{} in {} ({}), {pricing}", place.instance_type, place.region, place.kind),
    }
}

fn notes(out: &mut String, notes: &[String]) {
    if notes.is_empty() {
        return;
    }
    out.push_str("\nNOTES\n");
    for note in notes {
        let _ = writeln!(out, "  {}", clean(note));
    }
}

pub fn burst(answer: &BurstAnswer) -> String {
    let mut lines = Lines::default();
    let mode = serde_json::to_value(answer.mode).ok().and_then(|mode| mode.as_str().map(str::to_owned));
    lines.add("Burst", &answer.burst_id).add_some("Mode", mode).add_some("Operation", answer.operation_id.as_ref());
    let mut out = lines.0;
    let mut grid = Grid::new(&["", "VM", "GOES TO", ">USD/HOUR", ">USD/MONTH", ">SCORE", "BY MIGRATION"]);
    for placed in &answer.placed {
        let cost = placed.placement.cost.as_ref();
        grid.row(vec![
            "✔".to_owned(),
            placed.vm_id.clone(),
            decision::title(&placed.placement),
            cost.map_or("unknown".to_owned(), |cost| human::hour(cost.hourly)),
            cost.map_or("unknown".to_owned(), |cost| human::month(cost.monthly)),
            format!("{:.2}", placed.placement.placement_score),
            placed.migration_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]);
    }
    if !grid.is_empty() {
        let _ = write!(out, "\n{}", grid.text());
    }
    many(&mut out, &answer.plan);
    out
}

/// What came of each machine of a burst.
pub fn outcomes(work: &Work) -> Vec<BurstOutcome> {
    let told = work.summary.as_ref().and_then(|summary| summary.get("machines").cloned());
    told.and_then(|told| serde_json::from_value(told).ok()).unwrap_or_default()
}

/// `web  moved`
pub fn outcome(outcome: &BurstOutcome) -> String {
    let word =
        serde_json::to_value(outcome.result).ok().and_then(|word| word.as_str().map(|word| word.replace('_', " ")));
    let home = outcome.home_by.as_ref().map(|id| format!(" by {id}")).unwrap_or_default();
    let why = outcome.why.as_ref().map(|why| format!(": {}", clean(why))).unwrap_or_default();
    format!("{}  {}{home}{why}", clean(&outcome.vm_id), word.unwrap_or_default())
}

fn many(out: &mut String, plan: &ManyPlan) {
    let status = match plan.status {
        PlanStatus::Optimal => "proven: no plan is better",
        PlanStatus::Feasible => "a plan was found; how much better one could be is the gap",
        PlanStatus::Infeasible => "PROVEN: no plan places all",
        PlanStatus::NoneFound => "NO PLAN WAS FOUND in the time that there was; that there is none was not proven",
    };
    let _ = writeln!(out, "\n{status}");
    if let Some(monthly) = plan.monthly {
        let bound = plan.lower_bound.map(|bound| format!("; at least {} by any plan", human::monthly(bound)));
        let gap = plan.gap.map(|gap| format!(" (gap {:.3} %)", gap * 100.0)).unwrap_or_default();
        let _ = writeln!(out, "  together {}{}{gap}", human::monthly(monthly), bound.unwrap_or_default());
    }
    let mut left = Grid::new(&["LEFT OUT", "WHY"]);
    for machine in &plan.left_out {
        left.row(vec![machine.vm_id.clone(), machine.why.clone()]);
    }
    if !left.is_empty() {
        let _ = write!(out, "\n{}", left.text());
    }
    if !plan.in_the_way.is_empty() {
        let smallest = if plan.in_the_way_is_smallest { ", none of which could be left out" } else { "" };
        let _ = writeln!(out, "\nIN THE WAY{smallest}");
        for what in &plan.in_the_way {
            let _ = writeln!(out, "  {}", clean(what));
        }
    }
    notes(out, &plan.notes);
}

pub fn statistics(counts: &Statistics) -> String {
    let mut lines = Lines::default();
    let hourly = counts.cost_per_hour.money();
    let month = Money { nanos: hourly.nanos.saturating_mul(730), ..hourly };
    let unknown = match counts.vms_without_known_cost {
        0 => String::new(),
        some => format!("; of {some} more VMs it is not known"),
    };
    lines
        .add("VMs", counts.total_vms)
        .add("By a burst", counts.bursted_vms)
        .add("Cost", format_args!("{}, {}{unknown}", human::hourly(hourly), human::monthly(month)));
    let mut out = lines.0;
    for (title, counts) in [
        ("CLOUD", &counts.by_provider),
        ("PROVIDER", &counts.by_provider_name),
        ("REGION", &counts.by_region),
        ("PLACEMENTS", &counts.placements),
    ] {
        let mut grid = Grid::new(&[title, ">COUNT"]);
        for (name, count) in counts {
            grid.row(vec![name.clone(), count.to_string()]);
        }
        if !grid.is_empty() {
            let _ = write!(out, "\n{}", grid.text());
        }
    }
    out
}

pub fn work(work: &Work) -> String {
    let mut lines = Lines::default();
    lines
        .add("Operation", format_args!("{} ({})", work.operation_id, work.kind))
        .add("Status", format_args!("{}, {:.1}%", work.status, work.progress))
        .add("Phase", if work.phase.is_empty() { "-" } else { &work.phase })
        .add("Started", human::time(work.start_time));
    if let Some(end) = work.end_time {
        lines.add("Ended", format_args!("{}, after {}", human::time(end), human::between(work.start_time, end)));
    }
    lines.add_some("Held", work.hold_reason.as_ref());
    if let Some(error) = &work.error {
        lines.add("Error", format_args!("{} ({})", error.message, error.code)).add_some("", error.advice.as_ref());
    }
    let outcomes = outcomes(work);
    if let Some(Value::Object(summary)) = &work.summary {
        for (key, value) in summary.iter().filter(|(key, _)| outcomes.is_empty() || *key != "machines") {
            lines.add(key, value);
        }
    }
    if !outcomes.is_empty() {
        lines.head("Machines");
        for of in &outcomes {
            lines.line(outcome(of));
        }
    }
    lines.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_of_moves() {
        let place = |region: &str, cost: &str| {
            json!({ "kind": "aws", "provider": "aws", "region": region, "instance_type": "m5.large",
                    "pricing": "on-demand", "cost_per_month": cost })
        };
        let mut value = json!({
            "plan_id": "p-1", "made_at": "2026-11-28T00:00:00Z", "strategy": "cost-optimized",
            "moves": [{
                "step": 1, "vm_id": "web", "from": place("eu-west-1", "80 USD"), "to": place("us-east-1", "70 USD"),
                "saves_per_month": "10 USD", "payback_days": 3.25, "reason": "cheaper",
                "one_time_cost": { "downtime": "0.5 USD", "risk": "0.5 USD", "total": "1 USD" },
            }],
            "current_monthly": "1080 USD", "planned_monthly": "1070 USD", "saves_per_month": "10 USD",
            "one_time_cost": "1 USD", "kept": [{ "vm_id": "db", "why": "saves less than it costs" }],
            "bound": { "of": "USD a month", "objective": "1070", "lower_bound": "1070", "gap": 0.0 },
            "notes": ["a note"],
        });
        let text = rebalance(&serde_json::from_value(value.clone()).unwrap(), false);
        for says in [
            "p-1",
            "1,080.00 USD/month",
            "m5.large in eu-west-1 (aws), on-demand",
            "1.00 + transfer",
            "3.2 days",
            "db",
            "a note",
        ] {
            assert!(text.contains(says), "{says}\n{text}");
        }
        value["moves"] = json!([]);
        value["kept"] = (0..30).map(|i| json!({ "vm_id": format!("vm-{i}"), "why": "x" })).collect();
        let text = rebalance(&serde_json::from_value(value).unwrap(), false);
        assert!(text.contains("Nothing is worth moving") && text.contains("and 10 more"), "{text}");
    }

    #[test]
    fn what_a_manifest_changes() {
        let answer = json!({ "machines": [
            { "name": "web", "action": "update", "changes": [
                { "path": "spec.replicas", "old": 1, "new": 2 }, { "path": "metadata.labels.a", "new": "b\u{1b}" }] },
            { "name": "db", "action": "unchanged", "changes": [] },
        ]});
        let text = applied(&serde_json::from_value(answer).unwrap());
        assert!(text.starts_with("~ web  update\n    ~ spec.replicas: 1 → 2\n    + metadata.labels.a: "), "{text}");
        assert!(text.contains("0 to create, 1 to update, 1 unchanged") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_burst_that_leaves_machines_out() {
        let answer = json!({
            "burst_id": "b-1", "mode": "all-or-nothing", "placed": [],
            "plan": { "status": "infeasible", "placements": [], "left_out": [{ "vm_id": "a", "why": "too large" }],
                      "left_out_at_least": 1, "in_the_way": ["quota of aws"], "in_the_way_is_smallest": true, "notes": [] },
        });
        let text = burst(&serde_json::from_value(answer).unwrap());
        for says in ["all-or-nothing", "PROVEN: no plan places all", "too large", "quota of aws", "none of which"] {
            assert!(text.contains(says), "{says}\n{text}");
        }
    }
}
