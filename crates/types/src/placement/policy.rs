//! Policies: what a team has decided for all its machines.

use serde::{Deserialize, Serialize};

use super::{Operator, Scalar};

/// One rule. Where its condition holds, its action is done; of those that set the same thing, the higher priority wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub name: String,
    #[serde(default)]
    pub priority: u32,
    /// Absent: for every machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    pub action: Action,
    /// Times the score of each place that the condition and the action's places match; more than 1 is better.
    #[serde(default, alias = "scoreMultiplier", skip_serializing_if = "Option::is_none")]
    pub score_multiplier: Option<f64>,
}

/// What a condition looks at. The first two look at the machine, the others at each place that it might go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ConditionKind {
    /// A label (tag) of the machine, named by `key`.
    Label,
    /// The machine's workload, such as `batch`: its `workload`, or the label of that name.
    Workload,
    /// Dollars an hour.
    Cost,
    /// The performance part of the score, 0 to 100.
    Performance,
    /// The programmes that the region is listed for.
    Compliance,
    /// The region, or a group that it is in.
    Location,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: ConditionKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default)]
    pub operator: Operator,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Scalar>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Scalar>,
}

impl Condition {
    /// `value` and `values` together.
    pub fn all_values(&self) -> impl Iterator<Item = &Scalar> {
        self.value.iter().chain(&self.values)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// Nowhere else than at the action's places.
    Restrict,
    /// Rather at the action's places: their score is multiplied, by 1.25 unless `score_multiplier` says otherwise.
    Prefer,
    /// The machines that match are spread over at least `min_providers` providers, `min_zones` zones, or both.
    Distribute,
    /// As `restrict`, of new machines only: those that exist stay where they are.
    Place,
    /// Those that exist and match should be moved to the action's places; rebalancing plans it.
    Migrate,
    /// The machine's CPU and memory, times `factor`.
    Scale,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Action {
    #[serde(rename = "type")]
    pub kind: ActionKind,
    /// Names or kinds of providers; a pricing model such as `spot-instances` too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// Regions, zones or groups of regions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// A provider, region or zone: one more place beside those two lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(default, alias = "minProviders", skip_serializing_if = "Option::is_none")]
    pub min_providers: Option<u32>,
    #[serde(default, alias = "minZones", skip_serializing_if = "Option::is_none")]
    pub min_zones: Option<u32>,
    /// Of `distribute`: machines with the same value of this label are spread among themselves. Absent: all that match.
    #[serde(default, alias = "groupBy", skip_serializing_if = "Option::is_none")]
    pub group_by: Option<String>,
    /// Of `scale`: more than 1 is larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
}

impl Action {
    /// Every place that it names.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().chain(&self.regions).chain(&self.target).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_manifests_policies() {
        let policy: Policy = serde_json::from_value(serde_json::json!({
            "name": "high-availability", "priority": 90,
            "condition": { "type": "label", "key": "tier", "value": "critical" },
            "action": { "type": "distribute", "minProviders": 2 },
        }))
        .unwrap();
        assert_eq!(policy.action.min_providers, Some(2));
        assert_eq!(policy.condition.unwrap().operator, Operator::Equal);
        let unknown = serde_json::json!({ "name": "x", "action": { "type": "prefer", "provider": ["aws"] } });
        assert!(serde_json::from_value::<Policy>(unknown).unwrap_err().to_string().contains("provider"));
    }
}
