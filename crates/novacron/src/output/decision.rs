//! A decision as a person reads it: the place, the table of what was considered, what each constraint ruled out, and what to
//! relax.

use std::fmt::Write;

use novacron_types::placement::{
    CostBreakdown, Decision, Dollars, Placed, PlacementRecord, Relaxation, ScoreParts, Source, WhyNotAnswer,
};

use super::{grid::Grid, human};

/// What of the machine is known beside the decision.
pub struct About<'a> {
    pub name: &'a str,
    pub record: Option<&'a PlacementRecord>,
    pub why_not: &'a [WhyNotAnswer],
}

/// `wide` has the points of each place, the rules of derived figures, and the licences' groups.
pub fn text(about: &About<'_>, decision: &Decision, wide: bool) -> String {
    let mut out = String::new();
    head(&mut out, about, decision);
    if let Some(placed) = &decision.primary_placement {
        cost(&mut out, placed, &decision.sources);
    }
    considered(&mut out, decision, wide);
    clouds(&mut out, decision);
    rejected(&mut out, decision);
    relax(&mut out, decision);
    about.why_not.iter().for_each(|answer| why_not(&mut out, answer));
    list(&mut out, "POLICIES", &decision.policies);
    sources(&mut out, &decision.sources, wide);
    list(&mut out, "NOTES", &decision.notes);
    out
}

fn head(out: &mut String, about: &About<'_>, decision: &Decision) {
    let name = if about.name.is_empty() { "The machine" } else { about.name };
    let name = name.replace(|c: char| c.is_control(), "?");
    match &decision.primary_placement {
        Some(placed) => {
            let _ = writeln!(out, "{name} → {}", title(placed));
            let provider = placed.provider.as_ref().map_or("none is configured".to_owned(), ToString::to_string);
            let _ = writeln!(out, "  {}", price(placed.cost.as_ref(), placed.cost_per_hour));
            let _ = writeln!(
                out,
                "  {} vCPU, {} memory; provider: {provider}",
                placed.vcpus,
                human::bytes(placed.memory_bytes),
            );
            let _ = writeln!(out, "  {}", score(placed, decision));
            let mut more = Vec::new();
            if let (Some(ms), Some(basis)) = (placed.latency_ms, &placed.latency_basis) {
                more.push(format!("{ms:.1} ms there and back ({basis})"));
            }
            if let Some(grams) = placed.carbon_grams_per_hour {
                more.push(format!("~{grams:.1} g CO2e/h at half load"));
            }
            if let Some(band) = &placed.interruption {
                more.push(format!("taken away: {band} a month"));
            }
            if let Some(zone) = &placed.zone {
                more.push(format!("zone {zone}"));
            }
            if !more.is_empty() {
                let _ = writeln!(out, "  {}", more.join("; "));
            }
        }
        None => {
            let _ = writeln!(out, "{name} → NO PLACE WILL DO");
        }
    }
    if let Some(record) = about.record {
        let _ =
            writeln!(out, "  placement {}, {}, {}", record.placement_id, record.status, human::time(record.created_at));
    }
}

/// `m5.large in us-east-1 (aws), on-demand`
pub fn title(placed: &Placed) -> String {
    let Placed { instance_type, region, cloud_provider, pricing, .. } = placed;
    match (cloud_provider.as_str(), &placed.provider) {
        ("local", Some(provider)) => format!("host {provider} ({})", placed.kind),
        _ => format!("{instance_type} in {region} ({cloud_provider}), {pricing}"),
    }
}

fn price(cost: Option<&CostBreakdown>, hourly: Dollars) -> String {
    match cost {
        Some(cost) => {
            let mark = if cost.modelled { "~" } else { "" };
            format!("{mark}{}, {mark}{} of 730 h", human::hourly(cost.hourly), human::monthly(cost.monthly))
        }
        None if hourly.nanos > 0 => format!("{}, not all of its cost is known", human::hourly(hourly.money())),
        None => "its cost is not known".to_owned(),
    }
}

/// How the score comes about: `score 59.72 by balanced = cost 67.2 × 40 % + performance 51.0 × 30 % + …`.
fn score(placed: &Placed, decision: &Decision) -> String {
    let (weights, parts) = (&decision.weights, &placed.score_parts);
    let sum = weights.cost + weights.performance + weights.compliance + weights.location + weights.carbon;
    let all = [
        ("cost", weights.cost, Some(parts.cost)),
        ("performance", weights.performance, Some(parts.performance)),
        ("compliance", weights.compliance, Some(parts.compliance)),
        ("location", weights.location, Some(parts.location)),
        ("carbon", weights.carbon, parts.carbon),
    ];
    let counted = all.iter().filter(|(_, weight, _)| *weight > 0.0);
    let terms: Vec<String> = counted
        .map(|(name, weight, points)| {
            let points = points.map_or("unknown".to_owned(), |points| format!("{points:.1}"));
            format!("{name} {points} × {:.0} %", weight / sum * 100.0)
        })
        .collect();
    let (open, close) = match parts.multiplier {
        1.0 => ("", String::new()),
        times => ("(", format!(") × {times:.2}")),
    };
    let by = &placed.placement_reason;
    format!("score {:.2} by {by} = {open}{}{close}", placed.placement_score, terms.join(" + "))
}

fn cost(out: &mut String, placed: &Placed, known: &[Source]) {
    let Some(cost) = &placed.cost else { return };
    let mut grid = Grid::new(&["", ">USD/HOUR", ">USD/MONTH", "WHOSE FIGURES"]);
    let parts = [("compute", &cost.compute), ("storage", &cost.storage), ("network", &cost.network)];
    for (name, part) in parts.into_iter().filter(|(name, part)| *name == "compute" || part.hourly.nanos != 0) {
        let whose = part.sources.iter().map(|name| whose(name, known)).collect::<Vec<_>>().join(", ");
        let modelled = part.sources.iter().any(|name| known.iter().any(|s| s.group == *name && s.rule.is_some()));
        let mark = if modelled { "~" } else { "" };
        let amount = |text: String| format!("{mark}{text}");
        grid.row(vec![name.to_owned(), amount(human::hour(part.hourly)), amount(human::month(part.monthly)), whose]);
    }
    let mark = if cost.modelled { "~" } else { "" };
    grid.row(vec![
        "together".to_owned(),
        format!("{mark}{}", human::hour(cost.hourly)),
        format!("{mark}{}", human::month(cost.monthly)),
        " ".to_owned(),
    ]);
    for other in &cost.other_pricing {
        let mark = if other.modelled { "~" } else { "" };
        let month = novacron_types::Money { nanos: other.hourly.nanos.saturating_mul(730), ..other.hourly };
        grid.row(vec![
            format!("if {}", other.pricing),
            format!("{mark}{}", human::hour(other.hourly)),
            format!("{mark}{}", human::month(month)),
            percent(cost.hourly.nanos, other.hourly.nanos),
        ]);
    }
    let _ = write!(out, "\nWHAT IT COSTS\n{}", grid.text());
}

fn whose(name: &str, known: &[Source]) -> String {
    match known.iter().find(|source| source.group == name) {
        Some(source) => {
            format!("{name} ({}{})", human::age(source.age_days), if source.stale { ", STALE" } else { "" })
        }
        None => name.to_owned(),
    }
}

/// By how much the second is more or less than the first.
fn percent(old: i128, new: i128) -> String {
    if old == 0 {
        return String::new();
    }
    let percent = (new - old) as f64 / old as f64 * 100.0;
    format!("{}{:.0} %", if percent < 0.0 { "−" } else { "+" }, percent.abs())
}

fn considered(out: &mut String, decision: &Decision, wide: bool) {
    let Some(winner) = &decision.primary_placement else { return };
    let mut titles =
        vec!["", "CLOUD", "REGION", "TYPE", ">vCPU", ">MEMORY", "PAID", ">USD/HOUR", ">USD/MONTH", ">SCORE"];
    if wide {
        titles.extend([">COST", ">PERF", ">COMPL", ">LOC", ">CARBON", ">TIMES", ">g CO2e/h", ">ms"]);
    }
    titles.push("WHY");
    let mut grid = Grid::new(&titles);
    let why_won = if decision.alternative_placements.is_empty() { "CHOSEN ✔" } else { "CHOSEN ✔ highest score" };
    let others = decision.alternative_placements.iter().map(|other| (&other.place, other.lost_by.as_str()));
    for (rank, (placed, why)) in std::iter::once((winner, why_won)).chain(others).enumerate() {
        let (hour, month) = amounts(placed);
        let mut cells = vec![
            if rank == 0 { "✔".to_owned() } else { (rank + 1).to_string() },
            placed.cloud_provider.clone(),
            placed.region.clone(),
            placed.instance_type.clone(),
            placed.vcpus.to_string(),
            human::bytes(placed.memory_bytes),
            placed.pricing.clone(),
            hour,
            month,
            format!("{:.2}", placed.placement_score),
        ];
        if wide {
            cells.extend(points(&placed.score_parts));
            cells.push(placed.carbon_grams_per_hour.map(|grams| format!("{grams:.1}")).unwrap_or_default());
            cells.push(placed.latency_ms.map(|ms| format!("{ms:.1}")).unwrap_or_default());
        }
        cells.push(why.to_owned());
        grid.row(cells);
    }
    let _ = write!(out, "\nCONSIDERED, the best first\n{}", grid.text());
}

fn points(parts: &ScoreParts) -> Vec<String> {
    let point = |points: f64| format!("{points:.1}");
    vec![
        point(parts.cost),
        point(parts.performance),
        point(parts.compliance),
        point(parts.location),
        parts.carbon.map(point).unwrap_or_default(),
        format!("{:.2}", parts.multiplier),
    ]
}

/// An hour and a month, marked where a figure is modelled.
fn amounts(placed: &Placed) -> (String, String) {
    match &placed.cost {
        Some(cost) => {
            let mark = if cost.modelled { "~" } else { "" };
            (format!("{mark}{}", human::hour(cost.hourly)), format!("{mark}{}", human::month(cost.monthly)))
        }
        None => ("unknown".to_owned(), "unknown".to_owned()),
    }
}

fn clouds(out: &mut String, decision: &Decision) {
    let mut grid = Grid::new(&["CLOUD", ">OFFERS", ">WILL DO", ">BEST SCORE", ">CHEAPEST USD/HOUR", ""]);
    let chosen = decision.primary_placement.as_ref().map(|placed| placed.cloud_provider.as_str());
    for row in &decision.considered {
        // Hosts of one's own are chosen as `local`, whatever runs them.
        let is_chosen = match chosen {
            Some("local") => decision.primary_placement.as_ref().is_some_and(|p| p.kind.as_str() == row.cloud_provider),
            chosen => chosen == Some(row.cloud_provider.as_str()),
        };
        grid.row(vec![
            row.cloud_provider.clone(),
            human::thousands(row.offers.into()),
            human::thousands(row.feasible.into()),
            row.best_score.map(|score| format!("{score:.2}")).unwrap_or_default(),
            row.cheapest_per_hour.map(|cost| human::hour(cost.money())).unwrap_or_default(),
            if is_chosen { "CHOSEN ✔".to_owned() } else { " ".to_owned() },
        ]);
    }
    if !grid.is_empty() {
        let _ = write!(out, "\nBY CLOUD\n{}", grid.text());
    }
}

fn rejected(out: &mut String, decision: &Decision) {
    let mut grid = Grid::new(&["CONSTRAINT", "ASKS FOR", ">OFFERS OUT", ">BY IT ALONE", "THE NEAREST OF THOSE"]);
    for row in &decision.rejections {
        grid.row(vec![
            row.constraint.clone(),
            row.asks.clone(),
            human::thousands(row.offers.into()),
            human::thousands(row.alone.into()),
            row.example.clone().unwrap_or_default(),
        ]);
    }
    if !grid.is_empty() {
        let _ = write!(out, "\nRULED OUT, by constraint\n{}", grid.text());
    }
}

fn relax(out: &mut String, decision: &Decision) {
    let rows = &decision.relaxations;
    if rows.is_empty() {
        if decision.primary_placement.is_none() {
            out.push_str("\nNo set of constraints could be found that would help.\n");
        }
        return;
    }
    let infeasible = decision.primary_placement.is_none();
    let (heading, last) = match infeasible {
        true => ("WHAT TO RELAX, for any place: the smallest sets", ">USD/HOUR"),
        false if rows.iter().any(|row| row.saves_per_hour.is_some_and(|saved| saved.nanos <= 0)) => {
            ("WHAT TO RELAX, for a cheaper place or the next nearest", ">SAVES USD/HOUR")
        }
        false => ("WHAT TO RELAX, for a cheaper place", ">SAVES USD/HOUR"),
    };
    let mut titles = vec!["CONSTRAINT", "THEN", ">USD/HOUR"];
    if !infeasible {
        titles.push(last);
    }
    titles.push("WHAT WOULD HAVE TO DO");
    let mut grid = Grid::new(&titles);
    for row in rows {
        let mut cells = vec![row.constraints.join(" and "), then(row), human::hour(row.cost_per_hour.money())];
        if !infeasible {
            cells.push(row.saves_per_hour.map(|saved| human::hour(saved.money())).unwrap_or_default());
        }
        cells.push(row.change.clone());
        grid.row(cells);
    }
    let _ = write!(out, "\n{heading}\n{}", grid.text());
}

fn then(row: &Relaxation) -> String {
    match row.cloud_provider.as_str() {
        "local" => format!("host in {}", row.region),
        cloud => format!("{} in {} ({cloud}), {}", row.instance_type, row.region, row.pricing),
    }
}

pub fn why_not(out: &mut String, answer: &WhyNotAnswer) {
    let (hour, month) = amounts(&answer.place);
    let of = if answer.places == 1 {
        String::new()
    } else {
        format!(", the best of {} that you may have meant", human::thousands(answer.places.into()))
    };
    let _ = writeln!(out, "\nWHY NOT {}{of}?", title(&answer.place));
    let _ = writeln!(out, "  {hour} USD/h, {month} USD/month; score {:.2}", answer.place.placement_score);
    for rule in &answer.breaks {
        let _ = writeln!(out, "  it breaks {rule}");
    }
    match answer.points_less {
        Some(points) if answer.breaks.is_empty() && points <= 0.0 => {
            out.push_str("  It is the place that was chosen, or as good.\n")
        }
        Some(points) if answer.breaks.is_empty() => {
            let _ = writeln!(out, "  It would do, and has {points:.2} points less than the place that wins.");
        }
        Some(points) => {
            let words = if points > 0.0 { "less" } else { "more" };
            let _ = writeln!(out, "  It has {:.2} points {words} than the place that wins.", points.abs());
        }
        None if answer.breaks.is_empty() => out.push_str("  It would do.\n"),
        None => {}
    }
    let parts = &answer.place.score_parts;
    let carbon = parts.carbon.map_or("unknown".to_owned(), |points| format!("{points:.1}"));
    let _ = writeln!(
        out,
        "  Its points: cost {:.1}, performance {:.1}, compliance {:.1}, location {:.1}, carbon {carbon}; times {:.2}",
        parts.cost, parts.performance, parts.compliance, parts.location, parts.multiplier
    );
}

fn sources(out: &mut String, sources: &[Source], wide: bool) {
    let mut grid = Grid::new(&["FIGURES", "AS OF", ">AGE", "STATED BY"]);
    for source in sources {
        let stale = if source.stale { ", STALE" } else { "" };
        let rule = match &source.rule {
            Some(rule) if wide => format!("~ {}: {rule}", source.source),
            Some(_) => format!("~ {}", source.source),
            None => source.source.clone(),
        };
        grid.row(vec![
            source.group.clone(),
            source.as_of.clone(),
            format!("{}{stale}", human::age(source.age_days)),
            rule,
        ]);
    }
    if !grid.is_empty() {
        let _ =
            write!(out, "\nSOURCES; ~ is derived from what they state, by a rule that -o wide shows\n{}", grid.text());
    }
}

fn list(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    for line in lines {
        let _ = writeln!(out, "  {}", line.replace(|c: char| c.is_control(), " "));
    }
}
