//! The decision with its reasons: the table, what each rule ruled out, what to relax.

use novacron_types::{
    Money,
    placement::{Alternative, Considered, Decision, Dollars, Rejection, Relaxation, Source},
};

use crate::{
    Ask, Candidate, Choice,
    decide::{decide, decide_among},
    rule::Kind,
    survey::{self, Near, Survey, survey},
};

/// Answers a question in full. Without a place that will do, `primary_placement` is absent and `relaxations` has the
/// smallest sets of rules that must give way.
pub fn explain(ask: &Ask<'_>) -> Decision {
    let wanted = ask.request.alternatives.unwrap_or(5).min(50) as usize;
    let choices = decide(ask, wanted + 1);
    let winner = choices.first();
    let survey = survey(ask, winner);
    let alternatives =
        winner.map(|winner| choices[1..].iter().map(|choice| alternative(ask, winner, choice)).collect());
    let candidates: Vec<Candidate> = choices.iter().map(|choice| choice.candidate).collect();
    Decision {
        primary_placement: winner.map(|winner| ask.placed(winner.candidate, winner.score)),
        alternative_placements: alternatives.unwrap_or_default(),
        strategy: ask.strategy,
        weights: ask.weights,
        considered: considered(ask, &survey),
        rejections: rejections(ask, &survey),
        relaxations: relaxations(ask, &survey, winner),
        policies: ask.applied.iter().map(|applied| format!("{}: {}", applied.name, applied.words)).collect(),
        notes: notes(ask, &survey, winner),
        sources: sources(ask, &candidates),
    }
}

fn alternative(ask: &Ask<'_>, winner: &Choice, choice: &Choice) -> Alternative {
    Alternative { place: ask.placed(choice.candidate, choice.score), lost_by: lost_by(ask, winner, choice) }
}

/// In what the winner is better, the most important first, and in what it is not.
fn lost_by(ask: &Ask<'_>, winner: &Choice, choice: &Choice) -> String {
    let dearer = i128::from(choice.hourly_nanos) - i128::from(winner.hourly_nanos);
    let money = |nanos: i128| Money::usd_nanos(nanos.abs()).words();
    let price = match dearer {
        0 => "costs the same".to_owned(),
        dearer if dearer > 0 => format!("costs {} more an hour", money(dearer)),
        cheaper => format!("costs {} less an hour", money(cheaper)),
    };
    let points = winner.score - choice.score;
    if points <= 0.0 {
        return if ask.is_default(winner.candidate) && !ask.is_default(choice.candidate) {
            format!("{price}; as good, but not in the default cloud")
        } else {
            format!("{price}; as good, and later in the order of ties")
        };
    }
    let (ours, our_carbon) = ask.parts(winner.candidate);
    let (theirs, their_carbon) = ask.parts(choice.candidate);
    let share = ask.share;
    let mut parts = vec![
        ("cost", share.cost * (ours[0] - theirs[0])),
        ("performance", share.performance * (ours[1] - theirs[1])),
        ("compliance", share.compliance * (ours[2] - theirs[2])),
        ("location", share.location * (ours[3] - theirs[3])),
        ("carbon", share.carbon * (our_carbon.unwrap_or(0.0) - their_carbon.unwrap_or(0.0))),
    ];
    parts.retain(|(_, lost)| lost.abs() > 0.005);
    parts.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let (lost, won): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(_, lost)| *lost > 0.0);
    let mut worse: Vec<String> = lost.iter().map(|(name, lost)| format!("{name} −{lost:.2}")).collect();
    let mut better: Vec<String> = won.iter().map(|(name, lost)| format!("{name} +{:.2}", -lost)).collect();
    let (our_times, their_times) = (ask.times(winner.candidate), ask.times(choice.candidate));
    let times = format!("multiplied by {their_times:.2} instead of {our_times:.2}");
    if our_times > their_times {
        worse.push(times);
    } else if their_times > our_times {
        better.push(times);
    }
    let (worse, better) = (worse.join(", "), better.join(", "));
    let why = match (worse.is_empty(), better.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!(" ({worse})"),
        (true, false) => format!(" (though {better})"),
        (false, false) => format!(" ({worse}; though {better})"),
    };
    format!("{price}; {points:.2} points less{why}")
}

fn considered(ask: &Ask<'_>, survey: &Survey) -> Vec<Considered> {
    let row = |(kind, found): (&novacron_types::ProviderKind, &survey::OfKind)| Considered {
        cloud_provider: kind.to_string(),
        offers: found.offers,
        feasible: found.feasible,
        best_score: decide_among(ask, 1, Some(*kind)).first().map(|choice| choice.score),
        cheapest_per_hour: found.cheapest.map(|nanos| Dollars { nanos: nanos.into() }),
    };
    survey.kinds.iter().map(row).collect()
}

fn rejections(ask: &Ask<'_>, survey: &Survey) -> Vec<Rejection> {
    let mut rows: Vec<Rejection> = Vec::new();
    for (place, (rule, fails)) in ask.rules.iter().zip(&survey.fails).enumerate() {
        if fails.all == 0 {
            continue;
        }
        let example = survey.beyond(place).or(fails.nearest).map(|near| {
            let title = ask.title(near.candidate);
            format!("{title}: {}", ask.instead(place, near.candidate))
        });
        rows.push(Rejection {
            constraint: rule.name.clone(),
            asks: rule.asks(),
            offers: fails.all,
            alone: fails.alone,
            example,
        });
    }
    rows.sort_by(|a, b| (b.offers, &a.constraint).cmp(&(a.offers, &b.constraint)));
    rows
}

fn relaxations(ask: &Ask<'_>, survey: &Survey, winner: Option<&Choice>) -> Vec<Relaxation> {
    let Some(winner) = winner else {
        return survey.sets.iter().map(|(bits, near)| relaxation(ask, *bits, near, None)).collect();
    };
    let cheaper = survey.fails.iter().enumerate().filter_map(|(place, fails)| {
        let near = fails.nearest.filter(|_| !survey::is_firm(&ask.rules[place].kind))?;
        Some((place, near))
    });
    let mut offered: Vec<(usize, Near)> = cheaper.collect();
    // Who gives way on the latency asks for the next nearest, and not only for what is cheaper.
    for (place, near) in &survey.beyond {
        if !offered.iter().any(|(known, other)| known == place && other.candidate == near.candidate) {
            offered.push((*place, *near));
        }
    }
    let instead_of = survey.cheapest.map_or(winner.hourly_nanos, |(hourly, _)| hourly);
    let relaxed = |(place, near): &(usize, Near)| relaxation(ask, 1 << place, near, Some(instead_of));
    let mut rows: Vec<Relaxation> = offered.iter().map(relaxed).collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.saves_per_hour), row.constraints.clone()));
    rows
}

fn relaxation(ask: &Ask<'_>, bits: u64, near: &Near, instead_of: Option<u64>) -> Relaxation {
    let places = (0..ask.rules.len()).filter(|place| bits >> place & 1 == 1);
    let changes: Vec<String> = places.clone().map(|place| ask.instead(place, near.candidate)).collect();
    let placed = ask.placed(near.candidate, 0.0);
    Relaxation {
        constraints: places.map(|place| ask.rules[place].name.clone()).collect(),
        change: changes.join("; and "),
        cloud_provider: placed.cloud_provider,
        region: placed.region,
        instance_type: placed.instance_type,
        pricing: placed.pricing,
        cost_per_hour: Dollars { nanos: near.hourly_nanos.into() },
        saves_per_hour: instead_of.map(|old| Dollars { nanos: i128::from(old) - i128::from(near.hourly_nanos) }),
    }
}

fn sources(ask: &Ask<'_>, candidates: &[Candidate]) -> Vec<Source> {
    let mut all: Vec<Source> = candidates.iter().flat_map(|candidate| ask.sources(*candidate)).collect();
    all.sort_by(|a, b| a.group.cmp(&b.group));
    all.dedup_by(|a, b| a.group == b.group);
    all
}

fn notes(ask: &Ask<'_>, survey: &Survey, winner: Option<&Choice>) -> Vec<String> {
    let mut notes = ask.notes.clone();
    let Some(winner) = winner else {
        if survey.more_sets > 0 {
            let (told, more) = (survey.sets.len(), survey.more_sets);
            notes.push(format!(
                "{more} more {} of as few constraints would do as well; the {told} with the cheapest places are told.",
                if more == 1 { "set" } else { "sets" }
            ));
        }
        return notes;
    };
    if let Some((hourly, candidate)) = survey.cheapest.filter(|(hourly, _)| *hourly < winner.hourly_nanos) {
        let (title, cost) = (ask.title(candidate), Money::usd_nanos(hourly.into()).words());
        notes.push(format!(
            "The cheapest place that breaks no rule is {title}, at {cost} an hour; it has fewer points. What relaxing saves is counted from there."
        ));
    }
    if let Candidate::Offer(id) = winner.candidate
        && ask.rules.iter().any(|rule| matches!(rule.kind, Kind::Bandwidth(_)))
    {
        let ty = ask.catalog().instance_type(ask.offer(id).ty);
        if ty.network_mbps == 0 {
            notes.push(format!(
                "The bandwidth of {} is the most that {} documents: a limit, and no promise.",
                ty.name, ty.kind
            ));
        }
    }
    let placed = ask.placed(winner.candidate, winner.score);
    if placed.cost.as_ref().is_some_and(|cost| cost.modelled) {
        notes.push(
            "A figure of the cost is modelled, not stated by the vendor: see the rules of its sources.".to_owned(),
        );
    }
    if placed.cost.is_none() {
        notes.push(format!(
            "What a machine on {} costs is not known: give it a `cost` in the configuration.",
            placed.region
        ));
    }
    if placed.provider.is_none() {
        notes.push(format!(
            "No provider of kind {} is configured for {}: it can't be created from here.",
            placed.kind, placed.region
        ));
    }
    if ask.sources(winner.candidate).iter().any(|source| source.stale) {
        notes.push(
            "Some of its figures are older than the configuration allows: `novacron catalog refresh`.".to_owned(),
        );
    }
    if ask.share.carbon > 0.0 && placed.carbon_grams_per_hour.is_none() {
        notes.push("The carbon of the place is not known, and counted as the worst.".to_owned());
    }
    notes
}
