//! What a host says of itself.

use jiff::Timestamp;
use novacron_provider::HostUse;
use novacron_types::InstanceState;

use super::{Group, check};
use crate::{Trouble, context::Context, ensure};

type Result<T = ()> = std::result::Result<T, Trouble>;

pub const CHECKS: Group =
    || vec![check!(a_hosts_figures_agree, HostCapacity), check!(an_active_machine_is_counted, HostCapacity)];

async fn capacity(context: &Context<'_>) -> Result<HostUse> {
    let host = context.provider.host_capacity().ok_or("the host's capacity is gone")?;
    Ok(host.capacity().await?)
}

async fn a_hosts_figures_agree(context: &Context<'_>) -> Result {
    for _ in 0..2 {
        let before = Timestamp::now();
        let host = capacity(context).await?;
        let after = Timestamp::now();
        ensure!(before <= host.measured_at && host.measured_at <= after, "it was not measured now: {host:?}");
        let runs = context.provider.identity().runs_guests;
        ensure!(!runs || (host.vcpus > 0 && host.memory_bytes > 0), "guests run on a host without room: {host:?}");
        ensure!(host.memory_free_bytes.is_none_or(|free| free <= host.memory_bytes), "more memory is free: {host:?}");
        ensure!(host.disk_free_bytes.is_none_or(|free| host.disk_bytes >= Some(free)), "more disk is free: {host:?}");
        ensure!(host.load_permille.is_none_or(|load| load <= 1000), "more than all CPU time was used: {host:?}");
        ensure!(host.load_permille.is_some() == host.load_window_ms.is_some(), "a load needs its window: {host:?}");
        ensure!(host.load_window_ms != Some(0), "nothing is measured in no time: {host:?}");
    }
    Ok(())
}

/// A machine that runs is counted with all that it was promised, and no longer once it is deleted.
async fn an_active_machine_is_counted(context: &Context<'_>) -> Result {
    let before = capacity(context).await?;
    let id = context.seed("counted", &[&[1; 512]]).await?;
    let machine = context.provider.get(&id).await?;
    let runs = machine.state == InstanceState::Running;
    let of = |size: Option<u64>| size.filter(|_| runs).unwrap_or(0);
    let (vcpus, memory) = (of(machine.spec.vcpus.map(u64::from)), of(machine.spec.memory_bytes));
    let during = capacity(context).await?;
    ensure!(
        u64::from(during.vcpus_used) == u64::from(before.vcpus_used) + vcpus
            && during.memory_used_bytes == before.memory_used_bytes + memory,
        "a machine with {vcpus} vCPUs and {memory} bytes of memory made {during:?} of {before:?}"
    );
    let size = |host: &HostUse| (host.vcpus, host.memory_bytes, host.architecture);
    ensure!(size(&before) == size(&during), "with one more machine the host {before:?} has become {during:?}");
    context.provider.delete(&id).await?;
    let after = capacity(context).await?;
    ensure!(
        (after.vcpus_used, after.memory_used_bytes) == (before.vcpus_used, before.memory_used_bytes),
        "a machine that is gone is still counted: {after:?}, and {before:?} before it"
    );
    Ok(())
}
