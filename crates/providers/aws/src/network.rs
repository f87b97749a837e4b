//! Where a new machine is plugged in.

use aws_sdk_ec2::types::InstanceNetworkInterfaceSpecification;
use novacron_provider::Result;
use novacron_types::NetworkSpec;

use crate::{
    AwsProvider,
    error::{ec2, not_found},
    tags::filter,
};

/// As RunInstances wants it: one interface said in full, or nothing said of one.
#[derive(Debug, Default, PartialEq)]
pub struct Plug {
    pub interface: Option<InstanceNetworkInterfaceSpecification>,
    pub security_groups: Vec<String>,
    pub zone: Option<String>,
}

impl AwsProvider {
    pub async fn plug(&self, network: &NetworkSpec) -> Result<Plug> {
        let groups = if network.security_groups.is_empty() {
            self.settings.security_groups.clone()
        } else {
            network.security_groups.clone()
        };
        Ok(plug(network, self.subnet(network).await?, groups))
    }

    /// The subnet that is said; else one of the VPC that is said, in the zone that is said; else the default.
    async fn subnet(&self, network: &NetworkSpec) -> Result<Option<String>> {
        if network.subnet.is_some() {
            return Ok(network.subnet.clone());
        }
        let default = self.settings.default_subnet.clone();
        if default.is_some() && network.network.is_none() && network.zone.is_none() {
            return Ok(default);
        }
        let Some(vpc) = network.network.as_ref().or(self.settings.default_vpc.as_ref()) else { return Ok(default) };
        let mut request = self.clients.ec2.describe_subnets().filters(filter("vpc-id", [vpc.as_str()]));
        if let Some(zone) = &network.zone {
            request = request.filters(filter("availability-zone", [zone.as_str()]));
        }
        let answer = request.send().await.map_err(ec2("DescribeSubnets"))?;
        let roomiest = answer
            .subnets()
            .iter()
            .max_by_key(|subnet| (subnet.subnet_id() == default.as_deref(), subnet.available_ip_address_count()));
        let found = roomiest.and_then(|subnet| subnet.subnet_id()).map(str::to_owned);
        found.map(Some).ok_or_else(|| {
            let zone = network.zone.as_deref().map(|zone| format!(" in zone {zone}")).unwrap_or_default();
            not_found("DescribeSubnets", format!("VPC {vpc} has no subnet{zone}")).advice("Name a `subnet`.")
        })
    }
}

fn plug(network: &NetworkSpec, subnet: Option<String>, groups: Vec<String>) -> Plug {
    let zone = if subnet.is_none() { network.zone.clone() } else { None };
    if subnet.is_none() && network.public_ip.is_none() && network.private_ip.is_none() {
        return Plug { interface: None, security_groups: groups, zone };
    }
    let interface = InstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .delete_on_termination(true)
        .set_subnet_id(subnet)
        .set_associate_public_ip_address(network.public_ip)
        .set_private_ip_address(network.private_ip.clone())
        .set_groups((!groups.is_empty()).then_some(groups))
        .build();
    Plug { interface: Some(interface), security_groups: Vec::new(), zone }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_an_interface_only_where_something_is_to_be_said() {
        let groups = || vec!["sg-1".to_owned()];
        let plain = plug(&NetworkSpec { zone: Some("a".into()), ..Default::default() }, None, groups());
        assert_eq!(plain, Plug { interface: None, security_groups: groups(), zone: Some("a".into()) });
        let network = NetworkSpec { public_ip: Some(true), zone: Some("a".into()), ..Default::default() };
        let full = plug(&network, Some("subnet-1".into()), groups());
        let interface = full.interface.unwrap();
        assert_eq!(interface.associate_public_ip_address(), Some(true));
        assert_eq!(interface.groups(), groups());
        assert!(full.zone.is_none() && full.security_groups.is_empty());
    }
}
