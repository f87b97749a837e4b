//! A constraint as manifests and requests write it: what, how, and against which value.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a constraint is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ConstraintKind {
    /// A provider's name or kind: `in`, `not-in`, `==`, `!=`.
    Provider,
    /// A vendor's region, a zone or a group of regions: `in`, `not-in`, `==`, `!=`; `near` with `maxLatency`.
    Region,
    /// Dollars an hour of everything that was asked for: `<`, `<=`.
    Cost,
    /// A compliance programme that the region must be listed for: `contains`, `in`, `==`.
    Compliance,
    /// The vendor's promised availability in percent: `>=`, `>`.
    Sla,
    /// Megabits a second, had all the time where the vendor states that, else at most: `>=`, `>`.
    Bandwidth,
    /// A pricing model: `in`, `not-in`, `==`, `!=`.
    Pricing,
    /// An instance type, or a family by its beginning (`m5`): `in`, `not-in`, `==`, `!=`.
    InstanceType,
    /// `x86_64` or `arm64`: `==`, `in`.
    Architecture,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Operator {
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = ">")]
    More,
    #[serde(rename = ">=")]
    AtLeast,
    #[default]
    #[serde(rename = "==", alias = "=", alias = "eq")]
    Equal,
    #[serde(rename = "!=", alias = "ne")]
    NotEqual,
    #[serde(rename = "in")]
    In,
    #[serde(rename = "not-in", alias = "notIn", alias = "not_in", alias = "not in")]
    NotIn,
    #[serde(rename = "contains")]
    Contains,
    #[serde(rename = "exists")]
    Exists,
    #[serde(rename = "near")]
    Near,
}

impl Operator {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::In => "in",
            Self::NotIn => "not-in",
            Self::Contains => "contains",
            Self::Exists => "exists",
            Self::Near => "near",
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged, expecting = "expected a text, a number, true or false")]
pub enum Scalar {
    Bool(bool),
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    Number(serde_json::Number),
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// A time in milliseconds, written as a number (`10`) or with its unit (`10ms`, `0.5s`); kept in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis {
    pub micros: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time; write milliseconds, such as 10 or 10ms")]
pub struct ParseMillisError(String);

impl FromStr for Millis {
    type Err = ParseMillisError;

    fn from_str(text: &str) -> Result<Self, ParseMillisError> {
        let fail = || ParseMillisError(text.chars().take(40).collect());
        let trimmed = text.trim();
        let (number, micros) = match () {
            () if trimmed.ends_with("ms") => (&trimmed[..trimmed.len() - 2], 1e3),
            () if trimmed.ends_with("us") => (&trimmed[..trimmed.len() - 2], 1.0),
            () if trimmed.ends_with('s') => (&trimmed[..trimmed.len() - 1], 1e6),
            () => (trimmed, 1e3),
        };
        let value: f64 = number.trim().parse().map_err(|_| fail())?;
        if !(0.0..=1e9).contains(&value) {
            return Err(fail());
        }
        Ok(Self { micros: (value * micros).round() as u64 })
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}ms", self.micros as f64 / 1e3))
    }
}

impl Serialize for Millis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.micros as f64 / 1e3)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Scalar::deserialize(deserializer)? {
            Scalar::Bool(value) => value.to_string(),
            Scalar::Number(number) => number.to_string(),
            Scalar::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Millis {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::{ObjectBuilder, OneOfBuilder, schema::Type};
        let number = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0)).maximum(Some(1e9));
        let text =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^[0-9]{1,6}(\.[0-9]{1,3})?(ms|us|s)?$"));
        OneOfBuilder::new().item(number).item(text).into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Millis {}

/// What a place must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    #[serde(rename = "type")]
    pub kind: ConstraintKind,
    #[serde(default)]
    pub operator: Operator,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Scalar>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Scalar>,
    /// Of `near`: the longest round trip, in milliseconds or with a unit.
    #[serde(default, alias = "maxLatency", skip_serializing_if = "Option::is_none")]
    pub max_latency: Option<Millis>,
}

impl Constraint {
    /// `value` and `values` together.
    pub fn all_values(&self) -> impl Iterator<Item = &Scalar> {
        self.value.iter().chain(&self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_manifests_forms() {
        let constraint: Constraint = serde_json::from_value(serde_json::json!(
            { "type": "region", "operator": "near", "value": "us-east-1", "maxLatency": "10ms" }
        ))
        .unwrap();
        assert_eq!((constraint.kind, constraint.operator), (ConstraintKind::Region, Operator::Near));
        assert_eq!(constraint.max_latency, Some(Millis { micros: 10_000 }));
        let cost: Constraint = serde_json::from_str(r#"{ "type": "cost", "operator": "<", "value": 0.10 }"#).unwrap();
        assert_eq!(cost.all_values().next().unwrap().to_string(), "0.1");
        for bad in ["", "x", "-1", "1e99", "nan", "10 hours"] {
            assert!(bad.parse::<Millis>().is_err(), "{bad}");
        }
        assert_eq!("0.5s".parse::<Millis>().unwrap().micros, 500_000);
    }
}
