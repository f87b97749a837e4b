//! What the vendors promise, written by hand from their public agreements: no file has it.

use novacron_catalog::{Draft, Sla, SlaScope};
use novacron_types::ProviderKind;

use crate::sources;

pub fn add(draft: &mut Draft) {
    let aws = "Amazon Compute SLA: 99.5 % an instance, 99.99 % over two or more zones of a region";
    let azure = "SLA for Virtual Machines: 99.99 % over two or more zones, 99.95 % in an availability set; one machine by its \
                 worst disk: 99.9 % Premium SSD or Ultra Disk, 99.5 % Standard SSD, 95 % Standard HDD";
    let gcp = "Compute Engine SLA: 99.99 % over two or more zones, 99.9 % a single instance, 99.95 % of the memory-optimized \
               families";
    let oci = "Oracle's service level objectives for Compute: 99.99 % over availability domains, 99.95 % over fault domains, \
               99.9 % an instance";
    let any = || SlaScope::Any;
    let mut add = |kind, name, rule, rows: Vec<(SlaScope, [u32; 3])>| {
        let group = draft.group(sources::by_hand(name, rule));
        for (scope, [single_milli_percent, spread_milli_percent, multi_zone_milli_percent]) in rows {
            draft.sla(scope, Sla { kind, single_milli_percent, spread_milli_percent, multi_zone_milli_percent, group });
        }
    };
    add(ProviderKind::Aws, "aws-sla", aws, vec![(any(), [99_500, 0, 99_990])]);
    let disk = |name: &str, single| (SlaScope::Disk(name.into()), [single, 99_950, 99_990]);
    add(
        ProviderKind::Azure,
        "azure-sla",
        azure,
        vec![
            (any(), [99_500, 99_950, 99_990]),
            disk("Standard HDD", 95_000),
            disk("Standard SSD", 99_500),
            disk("Premium SSD", 99_900),
            disk("Ultra Disk", 99_900),
        ],
    );
    let memory = ["m1", "m2", "m3", "m4", "m4n", "x4"].map(|f| (SlaScope::Family(f.into()), [99_950, 0, 99_990]));
    add(ProviderKind::Gcp, "gcp-sla", gcp, [(any(), [99_900, 0, 99_990])].into_iter().chain(memory).collect());
    add(ProviderKind::Oci, "oci-sla", oci, vec![(any(), [99_900, 99_950, 99_990])]);
}
