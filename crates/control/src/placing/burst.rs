//! Overflow: machines that the local hosts have no room for go to clouds, placed together.

mod answer;
mod machines;
mod moving;
mod plan;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod undoing;

use jiff::Timestamp;
use novacron_types::{
    ProviderName,
    placement::{BurstAnswer, BurstPlaced, BurstRequest, PlacementRequest, PlacementStatus, PlanMode},
};
use serde_json::json;

pub(super) use self::plan::plan;
use self::{machines::Bursting, plan::places};
use super::{answered::Key, decide, records::Keep};
use crate::{
    Caller, Control, ControlError, request,
    workflow::{BurstMove, BurstState, Making, NewMachine},
};

/// Of more machines a dry run says where they go, and of none what speaks against the moves of each.
const EXPLAINED: usize = 1000;

const ALL_OR_NOTHING: &str = "All or nothing: if one fails, what is on its way is undone, what has moved is moved home again, and \
                              what was made is removed.";

impl Control {
    /// Places machines at clouds together, at the least cost; makes those that are to be made, and moves those that run on
    /// a local host. A dry run says where they would go.
    pub async fn burst(
        &self,
        request: BurstRequest,
        caller: Caller,
        dry_run: bool,
    ) -> Result<BurstAnswer, ControlError> {
        let count = request.requests.len();
        let mut before = false;
        let answer = self.burst_once(request, &caller, dry_run, &mut before).await;
        // What was answered before was noted before.
        if !dry_run && !before {
            let detail = json!({ "machines": count });
            let target = answer.as_ref().map_or("", |answer| answer.burst_id.as_str());
            self.note(&caller.actor, "burst", target, detail, answer.as_ref().err()).await;
        }
        answer
    }

    /// The same key and request are answered as they were; `before` says so.
    async fn burst_once(
        &self,
        asked: BurstRequest,
        caller: &Caller,
        dry_run: bool,
        before: &mut bool,
    ) -> Result<BurstAnswer, ControlError> {
        let Some(key) = request::idempotency(caller, &asked)?.filter(|_| !dry_run) else {
            let burst_id = format!("burst-{}", uuid::Uuid::now_v7().simple());
            return self.bursted(asked, burst_id, &caller.actor, dry_run, None, None).await;
        };
        let key = Key::new("burst", key);
        match self.answered(&key).await? {
            Some(answer) => {
                *before = true;
                self.told(answer).await
            }
            None => {
                let burst_id = format!("burst-{}", key.token);
                self.bursted(asked, burst_id, &caller.actor, dry_run, None, Some(&key)).await
            }
        }
    }

    /// `sent_by`: the host that sends its machines away, to take them back when there is room.
    pub(super) async fn bursted(
        &self,
        asked: BurstRequest,
        burst_id: String,
        actor: &str,
        dry_run: bool,
        sent_by: Option<&ProviderName>,
        key: Option<&Key>,
    ) -> Result<BurstAnswer, ControlError> {
        let mode = asked.mode.unwrap_or(self.inner.tools.placing.settings.bursting.mode);
        let machines = self.machines(asked.requests, &burst_id, dry_run).await?;
        let requests: Vec<PlacementRequest> = machines.iter().map(|machine| machine.request.clone()).collect();
        let now = Timestamp::now();
        let (market, mut settings) = self.question(now).await?;
        // Who moves does not stand in their own way.
        let moves = |vm_id: &str| machines.iter().any(|machine| machine.moves.is_some() && machine.is(vm_id));
        settings.peers.retain(|peer| !moves(&peer.vm_id));
        let computing = &self.inner.tools.placing.computing;
        let called: Vec<String> = machines.iter().map(|machine| machine.called.clone()).collect();
        if dry_run && requests.len() > EXPLAINED {
            let plan = computing.run(move |stop| places(&market, &settings, &requests, &called, mode, stop)).await?;
            let placed = plan.placements.iter().map(|placement| BurstPlaced {
                vm_id: placement.vm_id.clone(),
                placement: placement.clone(),
                migration_id: None,
            });
            let placed = placed.collect();
            return Ok(BurstAnswer { burst_id, mode, operation_id: None, placed, plan });
        }
        let planned = computing.run(move |stop| plan(&market, &settings, &requests, &called, mode, now, stop));
        let (plan, records) = planned.await?;
        let mut answer = BurstAnswer { burst_id, mode, operation_id: None, placed: Vec::new(), plan };
        let (mut making, mut moving, mut keep) = (Vec::new(), Vec::new(), Keep::default());
        let mut only_decided = 0;
        for mut record in records {
            let Some(placement) = record.decision.primary_placement.clone() else { continue };
            let machine = machines.iter().find(|machine| machine.is(&record.vm_id));
            answer.placed.push(BurstPlaced { vm_id: record.vm_id.clone(), placement, migration_id: None });
            if let Some(Bursting { asked, moves: Some(vm), .. }) = machine {
                record.request = asked.clone();
                moving.extend(self.movable(vm, &record, sent_by, &mut answer).await?.map(|moving| (moving, record)));
            } else {
                if record.request.create {
                    record.status = PlacementStatus::Creating;
                    making.push(NewMachine::new(&Making::new(&record, decide::vm_id(Some(&record.vm_id))?)));
                } else {
                    only_decided += 1;
                }
                keep.placements.push(record);
            }
        }
        if only_decided > 0 {
            answer.plan.notes.push(format!(
                "Of {only_decided} new machines only the places are decided, and nothing is made: a request makes its machine with \
                 `create` and an `image`."
            ));
        }
        if mode == PlanMode::AllOrNothing && !moving.is_empty() {
            answer.plan.notes.push(ALL_OR_NOTHING.to_owned());
        }
        if dry_run {
            return Ok(answer);
        }
        let (moves, decisions): (Vec<BurstMove>, Vec<_>) = moving.into_iter().unzip();
        keep.placements.extend(decisions);
        if making.is_empty() && moves.is_empty() {
            // Nothing is made and nothing moves: the decisions are kept.
            let answer = self.answer(&keep, answer, key).await?;
            return self.told(answer).await;
        }
        let burst_id = answer.burst_id.clone();
        let state = BurstState::new(burst_id, actor, mode, making, moves);
        self.carry_out(state, answer, &keep, key).await
    }
}
