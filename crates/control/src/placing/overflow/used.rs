//! How much of a host is used, and what would fit.

use novacron_placement::Host;
use novacron_types::VmRecord;

/// The larger of what is promised of the host's CPUs and memory, and what it measures of its load; with one more machine, if
/// there is one.
pub(super) fn used_percent(host: &Host, here: &[&VmRecord], more: Option<&VmRecord>) -> u32 {
    let sum = |part: fn(&VmRecord) -> u64| {
        let more = more.map_or(0, part);
        (here.iter().map(|record| part(record)).fold(more, u64::saturating_add), more)
    };
    // What is free has the additional machine in it still.
    let part = |(used, more): (u64, u64), free: u64| {
        let all = u128::from(used - more) + u128::from(free);
        (u128::from(used) * 100).checked_div(all).unwrap_or(0).min(1000) as u32
    };
    let load = host.load_permille.unwrap_or(0) / 10;
    part(sum(vcpus), host.vcpus.into()).max(part(sum(memory), host.memory_bytes)).max(load)
}

fn vcpus(record: &VmRecord) -> u64 {
    record.instance.spec.vcpus.unwrap_or(0).into()
}

fn memory(record: &VmRecord) -> u64 {
    record.instance.spec.memory_bytes.unwrap_or(0)
}

/// Where the host's disk is not known, the move finds out, and is undone if it must.
pub(super) fn fits(host: &Host, record: &VmRecord) -> bool {
    vcpus(record) <= host.vcpus.into()
        && memory(record) <= host.memory_bytes
        && (host.disk_bytes == 0 || record.instance.disk_bytes() <= host.disk_bytes)
}
