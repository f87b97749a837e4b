//! Hosts that are too busy send machines to clouds; what was sent comes home when there is room.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use novacron_placement::Host;
use novacron_store::Declared;
use novacron_types::{
    ExportRequest, ProviderName, VmId, VmRecord,
    placement::{BurstRequest, PlacementRequest},
};
use serde_json::{Map, Value, json};

use super::settings::BurstWatch;
use crate::{Caller, Control, ControlError, MoveRequest};

/// Looks at the hosts, again and again.
pub(super) async fn watch(control: Control, settings: BurstWatch, every: Duration) {
    let mut minutes = tokio::time::interval(every);
    minutes.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut busy = HashMap::new();
    loop {
        minutes.tick().await;
        if let Err(error) = look(&control, &settings, every, &mut busy).await {
            tracing::warn!(%error, "the hosts' use could not be looked at; the next try is in a minute");
        }
    }
}

/// One look at all hosts. `busy` has how long each has been over the threshold.
pub(crate) async fn look(
    control: &Control,
    settings: &BurstWatch,
    every: Duration,
    busy: &mut HashMap<ProviderName, Duration>,
) -> Result<(), ControlError> {
    let now = Timestamp::now();
    let due = Timestamp::from_second(now.as_second() / every.as_secs().max(1) as i64 * every.as_secs() as i64);
    let due = due.unwrap_or(now);
    let placing = &control.inner.tools.placing;
    placing.forget_hosts().await;
    let market = placing.market().await?;
    let records = placing.records().await?;
    for host in market.hosts() {
        let here: Vec<&VmRecord> = records.iter().filter(|record| record.provider == host.provider).collect();
        let percent = used_percent(host, &here);
        let long = busy.entry(host.provider.clone()).or_default();
        *long = if percent >= settings.threshold_percent { *long + every } else { Duration::ZERO };
        let name = format!("overflow:{}", host.provider);
        if *long >= settings.window && !here.is_empty() {
            if control.store().placements().claim_run(&name, due).await? {
                away(control, host, &here).await?;
            }
            *long = Duration::ZERO;
        } else if percent < settings.return_percent && control.store().placements().claim_run(&name, due).await? {
            home(control, host, &records).await?;
        }
    }
    Ok(())
}

/// The larger of what is promised of the host's CPUs and memory, and what it measures of its load.
fn used_percent(host: &Host, here: &[&VmRecord]) -> u32 {
    let vcpus: u64 = here.iter().filter_map(|record| record.instance.spec.vcpus).map(u64::from).sum();
    let memory: u64 = here.iter().filter_map(|record| record.instance.spec.memory_bytes).sum();
    let part = |used: u64, free: u64| (used * 100).checked_div(used + free).unwrap_or(0) as u32;
    let load = host.load_permille.unwrap_or(0) / 10;
    part(vcpus, host.vcpus.into()).max(part(memory, host.memory_bytes)).max(load)
}

fn caller() -> Caller {
    Caller { actor: "bursting".to_owned(), idempotency_key: None }
}

/// Sends the machine away that came last: the others have been here longer.
async fn away(control: &Control, host: &Host, here: &[&VmRecord]) -> Result<(), ControlError> {
    let Some(newest) = here.iter().max_by_key(|record| (record.created_at, record.vm_id.as_str())) else {
        return Ok(());
    };
    let request = PlacementRequest { vm_id: Some(newest.vm_id.to_string()), ..PlacementRequest::default() };
    // It is noted first: a machine that was sent is always known to be.
    let home = json!({ "home": host.provider, "vm_id": newest.vm_id });
    let note = Declared { name: sent(&newest.vm_id), manifest: home, updated_at: Timestamp::now() };
    control.store().placements().put_declared(&note).await?;
    let answer = control.burst(BurstRequest { requests: vec![request], mode: None }, caller(), false).await?;
    match answer.placed.first() {
        Some(placed) => {
            tracing::info!(vm = %newest.vm_id, host = %host.provider, to = placed.placement.region, "a busy host sends a machine away");
        }
        None => {
            tracing::warn!(vm = %newest.vm_id, host = %host.provider, "a busy host has a machine that fits nowhere")
        }
    }
    Ok(())
}

/// Takes one machine back that was sent from here and fits now.
async fn home(control: &Control, host: &Host, records: &[VmRecord]) -> Result<(), ControlError> {
    for record in records.iter().filter(|record| record.provider != host.provider) {
        let note = control.store().placements().declared(&sent(&record.vm_id)).await?;
        let from = note.and_then(|note| note.manifest["home"].as_str().map(str::to_owned));
        let spec = &record.instance.spec;
        let fits = spec.vcpus.unwrap_or(0) <= host.vcpus && spec.memory_bytes.unwrap_or(0) <= host.memory_bytes;
        if from.as_deref() != Some(host.provider.as_str()) || !fits {
            continue;
        }
        let options = Map::from_iter([("delete_source".to_owned(), Value::from(true))]);
        let request = ExportRequest { vm_id: record.vm_id.clone(), name: None, options };
        let asked = MoveRequest::Export { provider: host.provider.to_string(), request };
        match control.take_on(asked, caller()).await {
            Ok(accepted) => {
                tracing::info!(vm = %record.vm_id, host = %host.provider, migration = %accepted.migration_id, "a machine comes home");
                let gone = Declared { name: sent(&record.vm_id), manifest: json!({}), updated_at: Timestamp::now() };
                return Ok(control.store().placements().put_declared(&gone).await?);
            }
            // It is on its way already.
            Err(error) if error.code == "already_at_work" => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn sent(vm_id: &VmId) -> String {
    format!("sent:{vm_id}")
}
