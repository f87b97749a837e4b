//! Hosts that are too busy send machines to clouds; what was sent comes home when there is room.
//!
//! A host sends or takes back one machine at a time, and does nothing while that is on its way. Nothing comes home that would
//! make the host too busy again, and a move that failed is not tried again for a while.

mod sent;
#[cfg(test)]
pub(crate) mod tests;
mod used;

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use novacron_placement::Host;
use novacron_types::{
    ProviderName, VmRecord,
    placement::{BurstRequest, PlacementRequest, PlanMode},
};

pub(crate) use self::sent::sent;
use self::{
    sent::{Moves, Sent, known},
    used::{fits, used_percent},
};
use super::settings::BurstWatch;
use crate::{Caller, Control, ControlError, MoveRequest, take_on::Follows};

/// Of a host that is too busy so many machines are looked at, the newest first, until one has a place.
const MOST_TRIED: usize = 8;

/// Looks at the hosts, again and again.
pub(super) async fn watch(control: Control, settings: BurstWatch, every: Duration) {
    let mut minutes = tokio::time::interval(every);
    minutes.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut since = HashMap::new();
    loop {
        minutes.tick().await;
        if let Err(error) = look(&control, &settings, every, Timestamp::now(), &mut since).await {
            tracing::warn!(%error, "the hosts' use could not be looked at; the next try is in a minute");
        }
    }
}

/// Since when a host has been over the threshold, and since when below the line of return.
#[derive(Debug, Default)]
struct Since {
    busy: Option<Timestamp>,
    idle: Option<Timestamp>,
}

/// One look at all hosts. `since` has what was seen before.
async fn look(
    control: &Control,
    settings: &BurstWatch,
    every: Duration,
    now: Timestamp,
    since: &mut HashMap<ProviderName, Since>,
) -> Result<(), ControlError> {
    let seconds = every.as_secs().max(1) as i64;
    let due = Timestamp::from_second(now.as_second().div_euclid(seconds) * seconds).unwrap_or(now);
    let placing = &control.inner.tools.placing;
    placing.ask_hosts().await;
    let records = placing.records().await?;
    let market = placing.market(&records).await?;
    let known = known(control, &records, now).await?;
    let window = SignedDuration::try_from(settings.window).unwrap_or(SignedDuration::MAX);
    for host in market.hosts() {
        let since = since.entry(host.provider.clone()).or_default();
        if known.iter().any(|(_, sent, state)| sent.home == host.provider && *state == Moves::OnItsWay) {
            *since = Since::default();
            continue;
        }
        let here: Vec<&VmRecord> = records.iter().filter(|record| record.provider == host.provider).collect();
        let percent = used_percent(host, &here, None);
        since.busy = (percent >= settings.threshold_percent).then(|| since.busy.unwrap_or(now));
        since.idle = (percent < settings.return_percent).then(|| since.idle.unwrap_or(now));
        let long = |since: Option<Timestamp>| since.is_some_and(|since| now.duration_since(since) >= window);
        let claim = async || control.store().placements().claim_run(&format!("overflow:{}", host.provider), due).await;
        if long(since.busy) && !here.is_empty() {
            *since = Since::default();
            if claim().await? {
                let resting = |record: &VmRecord| known.iter().any(|(known, ..)| known.vm_id == record.vm_id);
                away(control, host, here.into_iter().filter(|record| !resting(record)).collect()).await?;
            }
        } else if long(since.idle) {
            let back = known.iter().filter(|(record, sent, state)| {
                sent.home == host.provider
                    && *state == Moves::No
                    && fits(host, record)
                    && used_percent(host, &here, Some(record)) < settings.threshold_percent
            });
            let back: Vec<&Sent> = back.map(|(_, sent, _)| sent).collect();
            if !back.is_empty() && claim().await? {
                for sent in back {
                    if home(control, sent, now).await? {
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

fn caller() -> Caller {
    Caller { actor: "bursting".to_owned(), idempotency_key: None }
}

/// Sends one machine away: the newest that has a place elsewhere.
async fn away(control: &Control, host: &Host, mut here: Vec<&VmRecord>) -> Result<(), ControlError> {
    here.sort_by_key(|record| std::cmp::Reverse((record.created_at, record.vm_id.as_str())));
    for record in here.into_iter().take(MOST_TRIED) {
        let asked = PlacementRequest { vm_id: Some(record.vm_id.to_string()), ..PlacementRequest::default() };
        let request = BurstRequest { requests: vec![asked], mode: Some(PlanMode::BestEffort) };
        let burst_id = format!("overflow-{}", uuid::Uuid::now_v7().simple());
        // What can't be asked of one machine, can of another.
        match control.bursted(request, burst_id, &caller().actor, false, Some(&host.provider), None).await {
            Ok(answer) => match answer.placed.first() {
                Some(placed) => {
                    tracing::info!(vm = %record.vm_id, host = %host.provider, to = placed.placement.region, "a busy host sends a machine away");
                    return Ok(());
                }
                None => {
                    let why = answer.plan.left_out.first().map(|left| left.why.as_str()).unwrap_or_default();
                    tracing::warn!(vm = %record.vm_id, host = %host.provider, why, "a busy host has a machine that fits nowhere");
                }
            },
            Err(error) => {
                tracing::warn!(vm = %record.vm_id, host = %host.provider, %error, "a machine of a busy host can't be sent away");
            }
        }
    }
    Ok(())
}

/// Takes one machine back. False: it stays, and another can be.
async fn home(control: &Control, sent: &Sent, now: Timestamp) -> Result<bool, ControlError> {
    let Sent { home, vm_id, to, .. } = sent.clone();
    let asked = MoveRequest::whole(vm_id.clone(), &home, None);
    let note = sent::sent(home.clone(), vm_id.clone(), to);
    let follows = Follows { placement: None, note: Some(note) };
    match control.take_on_placed(asked, caller(), follows).await {
        Ok(accepted) => {
            tracing::info!(vm = %vm_id, host = %home, migration = %accepted.migration_id, "a machine comes home");
            return Ok(true);
        }
        // Somebody moves it.
        Err(error) if error.code == "already_at_work" => {}
        Err(error) => {
            tracing::warn!(vm = %vm_id, host = %home, %error, "a machine can't come home");
            sent::refused(control, sent, now).await?;
        }
    }
    Ok(false)
}
