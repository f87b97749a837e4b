//! The machine itself, and what placement is asked for it.

use serde::{Deserialize, Serialize};

use super::{ApiVersion, Failover, MachineKind, Metadata, PlacementRules, replica_name};
use crate::{
    Architecture, ByteSize,
    placement::{Constraint, ConstraintKind, Gigabytes, GpuNeed, Operator, PlacementRequest, Scalar},
};

/// One document of `kind: VirtualMachine`: a machine, or several that are alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all(serialize = "camelCase"), deny_unknown_fields)]
pub struct VirtualMachine {
    #[serde(alias = "apiVersion")]
    pub api_version: ApiVersion,
    pub kind: MachineKind,
    pub metadata: Metadata,
    pub spec: MachineSpec,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MachineSpec {
    #[serde(default)]
    pub federation: Federation,
    /// How many machines there are of this description.
    #[serde(default = "one")]
    pub replicas: u32,
    pub template: Template,
}

/// The federation's part in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Federation {
    /// False: the machine stays on the federation's own host, `local`.
    pub enabled: bool,
    pub placement: PlacementRules,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover: Option<Failover>,
}

impl Default for Federation {
    fn default() -> Self {
        Self { enabled: true, placement: PlacementRules::default(), failover: None }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Template {
    pub spec: TemplateSpec,
}

/// What the machine is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all(serialize = "camelCase"), deny_unknown_fields)]
pub struct TemplateSpec {
    pub resources: Resources,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// Exactly this one.
    #[serde(default, alias = "instanceType", skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// What it starts from: the provider's image id, or a name that its configuration maps to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Given to cloud-init at first boot.
    #[serde(default, alias = "userData", skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
    /// Such as `batch`; policies ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The vendor's word for the disk. Absent: the kind's usual one.
    #[serde(default, alias = "diskType", skip_serializing_if = "Option::is_none")]
    pub disk_type: Option<String>,
    /// GB a month to the internet.
    #[serde(default, alias = "trafficGbPerMonth", skip_serializing_if = "Option::is_none")]
    pub traffic_gb_per_month: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Whole virtual CPUs.
    pub cpu: u32,
    pub memory: ByteSize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<ByteSize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuNeed>,
}

fn one() -> u32 {
    1
}

impl VirtualMachine {
    /// The machines' names: the document's own where it describes one, else `web-0`, `web-1` and so on.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let (name, replicas) = (&self.metadata.name, self.spec.replicas);
        (0..replicas).map(move |index| if replicas == 1 { name.clone() } else { replica_name(name, index) })
    }

    /// What placement is asked for one of its machines, which has the document's name for its id; where there are several,
    /// give each its own of [`names`](Self::names).
    pub fn request(&self) -> PlacementRequest {
        let rules = self.spec.federation.placement.clone();
        let template = self.spec.template.spec.clone();
        let size = |bytes: ByteSize| Gigabytes { bytes: bytes.0 };
        let mut constraints = rules.constraints;
        if !self.spec.federation.enabled {
            constraints.push(Constraint {
                kind: ConstraintKind::Provider,
                operator: Operator::Equal,
                value: Some(Scalar::Text("local".into())),
                values: Vec::new(),
                max_latency: None,
            });
        }
        PlacementRequest {
            vm_id: Some(self.metadata.name.clone()),
            required_cpu: Some(template.resources.cpu),
            required_memory_gb: Some(size(template.resources.memory)),
            required_disk_gb: template.resources.disk.map(size),
            disk_type: template.disk_type,
            traffic_gb_per_month: template.traffic_gb_per_month,
            max_cost_per_hour: rules.max_cost_per_hour,
            tags: self.metadata.labels.clone(),
            workload: template.workload,
            performance_targets: rules.performance_targets,
            compliance_requirements: rules.compliance_requirements,
            preferred_regions: rules.preferred_regions,
            near: rules.near,
            strategy: rules.strategy,
            weights: rules.weights,
            constraints,
            architecture: template.architecture,
            gpu: template.resources.gpu,
            instance_type: template.instance_type,
            pricing: rules.pricing,
            allow_burstable: rules.allow_burstable,
            image: template.image,
            user_data: template.user_data,
            ..PlacementRequest::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::GIB;

    fn machine(camel: bool) -> VirtualMachine {
        let key = |camels: &str, snake: &str| if camel { camels.to_owned() } else { snake.to_owned() };
        serde_json::from_value(json!({
            "apiVersion": "novacron.io/v1alpha1", "kind": "VirtualMachine",
            "metadata": { "name": "web", "labels": { "tier": "critical" } },
            "spec": {
                "replicas": 2,
                "federation": {
                    "enabled": false,
                    "placement": {
                        "strategy": "cost",
                        key("maxCostPerHour", "max_cost_per_hour"): 0.1,
                        key("performanceTargets", "performance_targets"): { key("minCpu", "min_cpu"): 2 },
                        "constraints": [
                            { "type": "region", "operator": "near", "value": "us-east-1",
                              key("maxLatency", "max_latency"): "10ms" },
                        ],
                    },
                },
                "template": { "spec": {
                    "resources": { "cpu": 4, "memory": "8Gi", "disk": "100Gi", "gpu": { "count": 1 } },
                    key("userData", "user_data"): "#cloud-config",
                    key("trafficGbPerMonth", "traffic_gb_per_month"): 5,
                }},
            },
        }))
        .unwrap()
    }

    #[test]
    fn what_is_written_is_asked() {
        let machine = machine(true);
        let request = machine.request();
        assert_eq!(request.vm_id.as_deref(), Some("web"));
        assert_eq!((request.required_cpu, request.tags["tier"].as_str()), (Some(4), "critical"));
        assert_eq!(request.required_memory_gb.unwrap().bytes, 8 * GIB);
        assert_eq!(request.required_disk_gb.unwrap().bytes, 100 * GIB);
        assert_eq!(request.max_cost_per_hour.unwrap().nanos, 100_000_000);
        assert_eq!((request.user_data.as_deref(), request.traffic_gb_per_month), (Some("#cloud-config"), Some(5)));
        assert_eq!(request.performance_targets.unwrap().min_cpu, Some(2));
        assert_eq!(request.constraints[0].max_latency.unwrap().micros, 10_000);
        // Not federated: at home.
        assert_eq!(request.constraints[1].all_values().next().unwrap().to_string(), "local");
        assert_eq!(machine.names().collect::<Vec<_>>(), ["web-0", "web-1"]);
    }

    #[test]
    fn both_ways_of_writing_mean_the_same_and_it_is_printed_as_it_is_read() {
        assert_eq!(machine(true), machine(false));
        let printed = serde_json::to_value(machine(false)).unwrap();
        assert_eq!(printed["apiVersion"], "novacron.io/v1alpha1");
        assert_eq!(printed["spec"]["template"]["spec"]["userData"], "#cloud-config");
        assert_eq!(serde_json::from_value::<VirtualMachine>(printed).unwrap(), machine(true));
    }
}
