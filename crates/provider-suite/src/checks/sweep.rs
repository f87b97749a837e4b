//! Sweeping: the undo of whole operations.

use novacron_provider::{NewDisk, ProviderExt, SnapshotRequest, SweepScope};
use novacron_types::{DiskSpec, InstanceState};

use super::{Group, check};
use crate::{Trouble, context::Context, ensure};

type Result = std::result::Result<(), Trouble>;

pub const CHECKS: Group = || {
    vec![
        check!(sweeping_nothing_succeeds),
        check!(sweeping_removes_what_carries_the_tag),
        check!(sweeping_between_keeps_the_machine),
    ]
};

async fn sweeping_nothing_succeeds(context: &Context<'_>) -> Result {
    let tag = context.tag()?;
    for scope in [SweepScope::Intermediates, SweepScope::Everything] {
        let removed = context.provider.sweep(&tag, scope).await?;
        ensure!(removed.is_empty(), "there was nothing, and it removed {removed:?}");
    }
    Ok(())
}

async fn sweeping_removes_what_carries_the_tag(context: &Context<'_>) -> Result {
    let seed = context.seed("stays", &[&[1; 4096]]).await?;
    let before = context.harness.leftovers().await?;
    let tag = context.tag()?;
    let mut made = 0;
    if let Some(source) = context.provider.disk_source() {
        let request = SnapshotRequest { tag: tag.clone(), instance: seed.clone(), sequence: 0 };
        source.snapshot(&request).await?;
        made += 1;
    }
    if let Some(sink) = context.provider.disk_sink() {
        // Never completed, as after a crash.
        let request = NewDisk {
            tag: tag.clone(),
            index: 0,
            name: "half".to_owned(),
            size_bytes: 1 << 20,
            spec: DiskSpec::default(),
            base: None,
        };
        sink.create_disk(&request).await?;
        made += 1;
    }
    if let Some(image) = context.harness.image() {
        context.provider.create(&context.machine_of(&tag, image, true)).await?;
        made += 1;
    }
    let removed = context.provider.sweep(&tag, SweepScope::Everything).await?;
    let name = &context.provider.identity().name;
    ensure!(removed.len() >= made || !quiet(context), "{name}: {made} things were made, it removed {removed:?}");
    context.leaves(&before).await?;
    context.provider.sweep(&tag, SweepScope::Everything).await?;
    context.provider.get(&seed).await?;
    Ok(())
}

/// A layer that loses answers makes a sweep run twice; then the second says that nothing was left.
fn quiet(context: &Context<'_>) -> bool {
    !context.harness.loses_answers()
}

async fn sweeping_between_keeps_the_machine(context: &Context<'_>) -> Result {
    let Some(image) = context.harness.image() else { return context.skip("there is no image to make machines from") };
    let tag = context.tag()?;
    let machine = context.provider.create(&context.machine_of(&tag, image, true)).await?;
    let capabilities = context.provider.capabilities();
    context.settle(&machine.instance_id, InstanceState::Running).await?;
    let with_machine = context.harness.leftovers().await?;
    if capabilities.contains(&novacron_provider::Capability::DiskSource) {
        let request = SnapshotRequest { tag: tag.clone(), instance: machine.instance_id.clone(), sequence: 0 };
        context.source()?.snapshot(&request).await?;
    }
    context.provider.sweep(&tag, SweepScope::Intermediates).await?;
    context.leaves(&with_machine).await?;
    context.settle(&machine.instance_id, InstanceState::Running).await?;
    Ok(())
}
