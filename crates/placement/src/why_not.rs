//! Why a place that somebody has in mind did not win.

use novacron_types::{nearest, placement::Placed};

use crate::{Ask, Candidate, PlacementError, Places, decide};
use novacron_catalog::OfferId;

/// The best of the places that somebody meant, and what speaks against it.
#[derive(Debug, Clone, PartialEq)]
pub struct WhyNot {
    pub place: Placed,
    /// Rules that it breaks, in words; empty where it would do.
    pub breaks: Vec<String>,
    /// Points that it lacks to the winner; absent where nothing will do.
    pub points_less: Option<f64>,
    /// How many places the words stand for.
    pub places: u64,
}

/// A word that is near no place may be meant as a type.
fn perhaps_a_type(ask: &Ask<'_>, word: &str, error: PlacementError) -> PlacementError {
    let types = ask.catalog().parts().types.iter().map(|ty| ty.name.as_str());
    match (&error, nearest(word, types)) {
        (PlacementError::UnknownPlace { nearest, .. }, Some(near)) if nearest.is_empty() => {
            PlacementError::UnknownType { name: word.chars().take(64).collect(), nearest: vec![near.to_owned()] }
        }
        _ => error,
    }
}

/// `words` are up to three names, in any order: a provider, region or pricing model, and an instance type.
/// Of the places that they stand for the one with the fewest broken rules is told, and of those the best.
pub fn why_not(ask: &Ask<'_>, words: &[String]) -> Result<WhyNot, PlacementError> {
    let market = ask.market;
    let mut places: Option<Places> = None;
    let mut pricing = u8::MAX;
    let mut types: Option<Vec<bool>> = None;
    for word in words {
        let named: Vec<bool> =
            ask.catalog().parts().types.iter().map(|ty| ty.name.eq_ignore_ascii_case(word)).collect();
        if named.contains(&true) {
            types = Some(named);
            continue;
        }
        let one = Places::of(market, word).map_err(|error| perhaps_a_type(ask, word, error))?;
        if let Some(bits) = one.pricing {
            pricing &= bits;
            continue;
        }
        places = Some(match places {
            None => one,
            Some(mut all) => {
                all.regions.iter_mut().zip(&one.regions).for_each(|(a, b)| *a &= b);
                all.hosts.iter_mut().zip(&one.hosts).for_each(|(a, b)| *a &= b);
                all
            }
        });
    }
    let offers = ask.catalog().offers();
    let meant = |i: usize| {
        types.as_ref().is_none_or(|types| types[usize::from(offers.ty[i].0)])
            && places.as_ref().is_none_or(|places| places.regions[usize::from(offers.region[i].0)])
            && pricing & (1 << offers.pricing[i] as u8) != 0
    };
    let of_offers = (0..offers.len()).filter(|i| meant(*i)).map(|i| Candidate::Offer(OfferId(i as u32)));
    let of_hosts = (0..market.hosts.len())
        .filter(|i| types.is_none() && pricing == u8::MAX && places.as_ref().is_none_or(|places| places.hosts[*i]));
    let mut count = 0;
    let best = of_offers
        .chain(of_hosts.map(Candidate::Host))
        .inspect(|_| count += 1)
        .max_by_key(|candidate| (std::cmp::Reverse(ask.broken(*candidate).count_ones()), ask.rank(*candidate)));
    let Some(best) = best else {
        return Err(PlacementError::invalid("why-not", format!("nothing in the catalog is {}", words.join(" "))));
    };
    let bits = ask.broken(best);
    let breaks = (0..ask.rules.len()).filter(|place| bits >> place & 1 == 1);
    let breaks = breaks.map(|place| format!("{}: {}", ask.rules[place].name, ask.instead(place, best))).collect();
    let score = ask.score(best) as f64 / 1e6;
    let winner = decide(ask, 1);
    Ok(WhyNot {
        place: ask.placed(best, score),
        breaks,
        points_less: winner.first().map(|winner| winner.score - score),
        places: count,
    })
}
