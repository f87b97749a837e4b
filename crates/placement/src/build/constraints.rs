//! Constraints as manifests and requests write them.

use novacron_catalog::{InstanceType, PROGRAMMES, Pricing};
use novacron_types::{
    Architecture, Money,
    placement::{Constraint, ConstraintKind, Operator},
};

use super::{Builder, programme_bit};
use crate::{PlacementError, Places, near::Near, rule::Kind};

impl<'m> Builder<'m, '_> {
    pub(super) fn constraint(
        &mut self,
        constraint: &Constraint,
        pricing: &mut Vec<Pricing>,
    ) -> Result<(), PlacementError> {
        let names: Vec<String> = constraint.all_values().map(ToString::to_string).collect();
        let field = format!("constraints ({})", kind_name(constraint.kind));
        let Some(first) = names.first().cloned() else {
            return Err(PlacementError::invalid(field, "a constraint needs a `value` or `values`"));
        };
        let misfit = || {
            PlacementError::invalid(
                field.clone(),
                format!("`{}` is no operator for {}", constraint.operator, kind_name(constraint.kind)),
            )
        };
        let choice = || match constraint.operator {
            Operator::In | Operator::Equal | Operator::Contains => Ok(true),
            Operator::NotIn | Operator::NotEqual => Ok(false),
            _ => Err(misfit()),
        };
        let amount = |text: &str| {
            text.parse::<f64>()
                .ok()
                .filter(|n| (0.0..=1e12).contains(n))
                .ok_or_else(|| PlacementError::invalid(field.clone(), format!("{text:?} is not an amount")))
        };
        match constraint.kind {
            ConstraintKind::Provider => {
                let allowed = choice()?;
                let places = self.named(&names, allowed, false)?;
                let kind = Kind::Providers { names, allowed };
                self.at("provider", kind, &places, allowed)
            }
            ConstraintKind::Region if constraint.operator == Operator::Near => {
                self.ask.near = Some(Near::new(self.ask.market, &[&first])?);
                match constraint.max_latency {
                    Some(most) => self.latency(most.micros),
                    None => Ok(()),
                }
            }
            ConstraintKind::Region => {
                let allowed = choice()?;
                let places = self.named(&names, allowed, true)?;
                let kind = Kind::Regions { names, allowed };
                self.at("region", kind, &places, allowed)
            }
            ConstraintKind::Cost => {
                let money: Money = first.parse().map_err(|error: novacron_types::ParseMoneyError| {
                    PlacementError::invalid(&field, error.to_string())
                })?;
                if money.currency != Money::usd_nanos(0).currency {
                    return Err(PlacementError::invalid(&field, format!("{first:?}: prices are compared in USD")));
                }
                match constraint.operator {
                    Operator::Less => self.cost_at_most(money.nanos, true, &field),
                    Operator::AtMost => self.cost_at_most(money.nanos, false, &field),
                    _ => Err(misfit()),
                }
            }
            ConstraintKind::Compliance => {
                choice()?.then_some(()).ok_or_else(misfit)?;
                names.iter().try_for_each(|name| self.programme(name))
            }
            ConstraintKind::Sla => match constraint.operator {
                Operator::AtLeast | Operator::Equal => self.sla(amount(&first)?),
                // Promises are known to a thousandth of a percent.
                Operator::More => self.sla(amount(&first)? + 0.001),
                _ => Err(misfit()),
            },
            ConstraintKind::Bandwidth => match constraint.operator {
                Operator::AtLeast | Operator::Equal => self.bandwidth(amount(&first)? as u32),
                Operator::More => self.bandwidth((amount(&first)? as u32).saturating_add(1)),
                _ => Err(misfit()),
            },
            ConstraintKind::Pricing => {
                let allowed = choice()?;
                let parsed: Result<Vec<Pricing>, _> = names.iter().map(|name| name.parse()).collect();
                let named = parsed.map_err(|error| PlacementError::invalid(&field, error.to_string()))?;
                match allowed {
                    true if self.ask.request.pricing.is_empty() => {
                        *pricing = named;
                        self.spot_at = None;
                    }
                    _ => pricing.retain(|p| named.contains(p) == allowed),
                }
                Ok(())
            }
            ConstraintKind::InstanceType => {
                let allowed = choice()?;
                let of_family = |ty: &InstanceType| {
                    names.iter().any(|name| {
                        let rest = ty.name.get(..name.len()).filter(|head| head.eq_ignore_ascii_case(name));
                        rest.is_some_and(|_| {
                            ty.name[name.len()..].chars().next().is_none_or(|next| !next.is_ascii_alphanumeric())
                        })
                    })
                };
                let types = &self.ask.market.catalog().parts().types;
                if !types.iter().any(of_family) {
                    return Err(PlacementError::UnknownType { name: names.join(", "), nearest: Vec::new() });
                }
                let kind = Kind::Types { names: names.clone(), allowed };
                self.on_types("instance-type", kind, |i, _| of_family(&types[i]) == allowed, |_| !allowed)
            }
            ConstraintKind::Architecture => {
                choice()?.then_some(()).ok_or_else(misfit)?;
                let wanted = match first.as_str() {
                    "x86_64" | "amd64" | "x86-64" => Architecture::X86_64,
                    "arm64" | "aarch64" => Architecture::Arm64,
                    _ => {
                        return Err(PlacementError::invalid(&field, format!("{first:?} is neither x86_64 nor arm64")));
                    }
                };
                // Instead of the usual one, not beside it.
                if self.ask.request.architecture.is_none() {
                    self.drop_rule("architecture");
                }
                self.on_types(
                    "architecture",
                    Kind::Architecture(wanted),
                    |_, ty| ty.architecture == wanted,
                    |host| host.architecture == wanted,
                )
            }
        }
    }

    /// What names stand for; those that are allowed by name are open though not everyone may buy there.
    pub(super) fn named(&mut self, names: &[String], allowed: bool, regions: bool) -> Result<Places, PlacementError> {
        let mut places = Places::none(self.ask.market);
        for name in names {
            let one =
                if regions { Places::of_region(self.ask.market, name)? } else { Places::of(self.ask.market, name)? };
            if one.pricing.is_some() {
                return Err(PlacementError::invalid(
                    "constraints (provider)",
                    format!("{name:?} is a way to pay: write a constraint of type `pricing`"),
                ));
            }
            if allowed && regions {
                self.named.join(&one);
            }
            places.join(&one);
        }
        Ok(places)
    }

    pub(super) fn programmes(&mut self) -> Result<(), PlacementError> {
        self.ask.request.compliance_requirements.clone().iter().try_for_each(|name| self.programme(name))
    }

    pub(super) fn programme(&mut self, name: &str) -> Result<(), PlacementError> {
        let bit = programme_bit(name)?;
        let market = self.ask.market;
        let known = PROGRAMMES[bit.trailing_zeros() as usize];
        self.on_regions(
            &format!("compliance:{known}"),
            Kind::Programme(known),
            |i, _| market.compliance[i] & bit != 0,
            |_, host| host.lists(known),
        )
    }
}

fn kind_name(kind: ConstraintKind) -> &'static str {
    match kind {
        ConstraintKind::Provider => "provider",
        ConstraintKind::Region => "region",
        ConstraintKind::Cost => "cost",
        ConstraintKind::Compliance => "compliance",
        ConstraintKind::Sla => "sla",
        ConstraintKind::Bandwidth => "bandwidth",
        ConstraintKind::Pricing => "pricing",
        ConstraintKind::InstanceType => "instance-type",
        ConstraintKind::Architecture => "architecture",
    }
}
