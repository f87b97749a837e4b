//! What people write for options, made typed.

use novacron_types::{
    Architecture, Money,
    placement::{Dollars, GpuNeed, Strategy, Weights},
};

use crate::exit::{Failure, Result};

/// `1`, `2:A100` or `A100`.
pub fn gpu(text: &str) -> Result<GpuNeed> {
    let (count, model) = match text.split_once(':') {
        Some((count, model)) => (count, Some(model)),
        None if text.starts_with(|c: char| c.is_ascii_digit()) => (text, None),
        None => ("1", Some(text)),
    };
    match (count.parse(), model) {
        (Ok(count), model) if count > 0 && model != Some("") => {
            Ok(GpuNeed { count, model: model.map(str::to_owned), memory_gb: None })
        }
        _ => {
            Err(Failure::usage(format!("{text:?} is not a number of accelerators"))
                .hint("Write --gpu 1, or --gpu 2:A100."))
        }
    }
}

pub fn architecture(text: &str) -> Architecture {
    if matches!(text, "arm64" | "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 }
}

pub fn dollars(option: &str, text: &str) -> Result<Dollars> {
    let money: Money =
        text.parse().map_err(|error: novacron_types::ParseMoneyError| Failure::usage(format!("{option}: {error}")))?;
    if money.nanos < 0 || money.currency != *b"USD" {
        return Err(Failure::usage(format!("{option} takes USD, 0 or more, and not {text}")));
    }
    Ok(Dollars { nanos: money.nanos })
}

pub fn strategy(text: &str) -> Result<Strategy> {
    const WORDS: [&str; 8] =
        ["cost-optimized", "cost", "performance", "latency", "balanced", "compliance", "carbon", "carbon-footprint"];
    text.parse::<Strategy>().map_err(|error| {
        let near = novacron_types::nearest(text, WORDS).map(|near| format!("Did you mean `{near}`?"));
        Failure::usage(error.to_string()).maybe_hint(near)
    })
}

pub fn weights(text: &str) -> Result<Weights> {
    let mut weights = Weights::default();
    let mut named = Vec::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let wrong = || {
            Failure::usage(format!("{pair:?} is not a weight"))
                .hint("Write --weights cost=40,performance=30,compliance=20,location=10,carbon=0.")
        };
        let (name, number) = pair.split_once('=').ok_or_else(wrong)?;
        let number: f64 = number.parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0).ok_or_else(wrong)?;
        if named.contains(&name) {
            return Err(Failure::usage(format!("--weights has {name:?} twice")).hint("Give each part one weight."));
        }
        named.push(name);
        *match name {
            "cost" => &mut weights.cost,
            "performance" => &mut weights.performance,
            "compliance" => &mut weights.compliance,
            "location" => &mut weights.location,
            "carbon" => &mut weights.carbon,
            _ => return Err(wrong()),
        } = number;
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        assert_eq!(gpu("2:A100").unwrap(), GpuNeed { count: 2, model: Some("A100".into()), memory_gb: None });
        assert_eq!(gpu("L4").unwrap().model.as_deref(), Some("L4"));
        assert_eq!(gpu("3").unwrap().count, 3);
        for bad in ["0", "", "1:", "x:y", "1x"] {
            assert!(gpu(bad).is_err(), "{bad}");
        }
        let weights = weights("cost=1, carbon=2.5").unwrap();
        assert_eq!((weights.cost, weights.carbon, weights.location), (1.0, 2.5, 0.0));
        for bad in ["cost", "cost=x", "price=1", "cost=-1", "cost=inf"] {
            assert!(super::weights(bad).is_err(), "{bad}");
        }
        assert_eq!(dollars("--max-cost", "$0.10").unwrap().nanos, 100_000_000);
        assert!(dollars("--max-cost", "-1").is_err() && dollars("--max-cost", "1 EUR").is_err());
        assert_eq!(strategy("cots").unwrap_err().hint.as_deref(), Some("Did you mean `cost`?"));
    }
}
