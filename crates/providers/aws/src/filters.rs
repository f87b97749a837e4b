//! The filters of DescribeInstances: passed through, after a check that EC2 knows them.
//!
//! EC2 refuses an unknown filter too, but doesn't say which names there are.

use aws_sdk_ec2::types::Filter;
use novacron_provider::{ListFilter, ProviderError, Result};

use crate::{error::invalid, tags};

const STATE: &str = "instance-state-name";
const LIVE: [&str; 4] = ["pending", "running", "stopping", "stopped"];

/// EC2's form of a filter. Where it says nothing of states, terminated machines are left out.
pub fn to_ec2(filter: &ListFilter) -> Result<Vec<Filter>> {
    let mut filters = Vec::new();
    for (name, values) in &filter.filters {
        if !KNOWN.contains(&name.as_str()) && name.strip_prefix("tag:").is_none_or(str::is_empty) {
            return Err(unknown(name));
        }
        filters.push(tags::filter(name, values.iter().map(String::as_str)));
    }
    if !filter.filters.contains_key(STATE) && !filter.filters.contains_key("instance-state-code") {
        filters.push(tags::filter(STATE, LIVE));
    }
    Ok(filters)
}

/// What people mean most, where two are as near.
const COMMON: [&str; 7] =
    [STATE, "instance-id", "instance-type", "availability-zone", "vpc-id", "subnet-id", "image-id"];

fn unknown(name: &str) -> ProviderError {
    let far = |known: &&&str| (!known.starts_with(name), distance(name, known), !COMMON.contains(*known));
    let nearest = KNOWN.iter().min_by_key(far).copied().unwrap_or(STATE);
    invalid("DescribeInstances", format!("EC2 has no filter `{name}`")).advice(format!(
        "Did you mean `{nearest}`? Much used are {}, private-ip-address, tag-key and tag:KEY; EC2's documentation of \
         DescribeInstances has them all.",
        COMMON.join(", ")
    ))
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(100).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

const KNOWN: &[&str] = &[
    "affinity",
    "architecture",
    "availability-zone",
    "availability-zone-id",
    "block-device-mapping.attach-time",
    "block-device-mapping.delete-on-termination",
    "block-device-mapping.device-name",
    "block-device-mapping.status",
    "block-device-mapping.volume-id",
    "boot-mode",
    "capacity-reservation-id",
    "capacity-reservation-specification.capacity-reservation-preference",
    "capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id",
    "capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn",
    "client-token",
    "current-instance-boot-mode",
    "dns-name",
    "ebs-optimized",
    "ena-support",
    "enclave-options.enabled",
    "group-name",
    "hibernation-options.configured",
    "host-id",
    "hypervisor",
    "iam-instance-profile.arn",
    "iam-instance-profile.id",
    "image-id",
    "instance-id",
    "instance-lifecycle",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "instance.group-id",
    "instance.group-name",
    "ip-address",
    "ipv6-address",
    "kernel-id",
    "key-name",
    "launch-index",
    "launch-time",
    "maintenance-options.auto-recovery",
    "metadata-options.http-endpoint",
    "metadata-options.http-protocol-ipv4",
    "metadata-options.http-protocol-ipv6",
    "metadata-options.http-put-response-hop-limit",
    "metadata-options.http-tokens",
    "metadata-options.instance-metadata-tags",
    "metadata-options.state",
    "monitoring-state",
    "network-interface.addresses.association.allocation-id",
    "network-interface.addresses.association.association-id",
    "network-interface.addresses.association.carrier-ip",
    "network-interface.addresses.association.customer-owned-ip",
    "network-interface.addresses.association.ip-owner-id",
    "network-interface.addresses.association.public-dns-name",
    "network-interface.addresses.association.public-ip",
    "network-interface.addresses.primary",
    "network-interface.addresses.private-dns-name",
    "network-interface.addresses.private-ip-address",
    "network-interface.association.allocation-id",
    "network-interface.association.association-id",
    "network-interface.association.carrier-ip",
    "network-interface.association.customer-owned-ip",
    "network-interface.association.ip-owner-id",
    "network-interface.association.public-dns-name",
    "network-interface.association.public-ip",
    "network-interface.attachment.attach-time",
    "network-interface.attachment.attachment-id",
    "network-interface.attachment.delete-on-termination",
    "network-interface.attachment.device-index",
    "network-interface.attachment.instance-id",
    "network-interface.attachment.instance-owner-id",
    "network-interface.attachment.network-card-index",
    "network-interface.attachment.status",
    "network-interface.availability-zone",
    "network-interface.deny-all-igw-traffic",
    "network-interface.description",
    "network-interface.group-id",
    "network-interface.group-name",
    "network-interface.ipv4-prefixes.ipv4-prefix",
    "network-interface.ipv6-address",
    "network-interface.ipv6-addresses.ipv6-address",
    "network-interface.ipv6-addresses.is-primary-ipv6",
    "network-interface.ipv6-native",
    "network-interface.ipv6-prefixes.ipv6-prefix",
    "network-interface.mac-address",
    "network-interface.network-interface-id",
    "network-interface.operator.managed",
    "network-interface.operator.principal",
    "network-interface.outpost-arn",
    "network-interface.owner-id",
    "network-interface.private-dns-name",
    "network-interface.private-ip-address",
    "network-interface.public-dns-name",
    "network-interface.requester-id",
    "network-interface.requester-managed",
    "network-interface.source-dest-check",
    "network-interface.status",
    "network-interface.subnet-id",
    "network-interface.tag-key",
    "network-interface.tag-value",
    "network-interface.vpc-id",
    "network-performance-options.bandwidth-weighting",
    "operator.managed",
    "operator.principal",
    "outpost-arn",
    "owner-id",
    "placement-group-name",
    "placement-partition-number",
    "platform",
    "platform-details",
    "private-dns-name",
    "private-dns-name-options.enable-resource-name-dns-a-record",
    "private-dns-name-options.enable-resource-name-dns-aaaa-record",
    "private-dns-name-options.hostname-type",
    "private-ip-address",
    "product-code",
    "product-code.type",
    "ramdisk-id",
    "reason",
    "requester-id",
    "reservation-id",
    "root-device-name",
    "root-device-type",
    "source-dest-check",
    "spot-instance-request-id",
    "state-reason-code",
    "state-reason-message",
    "subnet-id",
    "tag-key",
    "tenancy",
    "tpm-support",
    "usage-operation",
    "usage-operation-update-time",
    "virtualization-type",
    "vpc-id",
];

#[cfg(test)]
mod tests {
    use super::*;
    use novacron_provider::ErrorKind;
    use std::collections::BTreeMap;

    fn list(name: &str, value: &str) -> ListFilter {
        ListFilter { filters: BTreeMap::from([(name.to_owned(), vec![value.to_owned()])]) }
    }

    #[test]
    fn leaves_out_the_terminated_unless_states_are_asked_for() {
        let filters = to_ec2(&list("tag:Owner", "me")).unwrap();
        assert_eq!(filters.len(), 2);
        assert_eq!(filters[1].values(), LIVE);
        assert_eq!(to_ec2(&list(STATE, "running")).unwrap().len(), 1);
    }

    #[test]
    fn names_the_nearest() {
        for (typo, meant) in [("instance-state", STATE), ("instance_type", "instance-type"), ("vpcid", "vpc-id")] {
            let error = to_ec2(&list(typo, "x")).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid);
            assert!(error.advice.unwrap().contains(&format!("`{meant}`")), "{typo}");
        }
        assert!(to_ec2(&list("tag:", "x")).is_err());
    }
}
