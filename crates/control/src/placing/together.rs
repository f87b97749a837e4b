//! New machines of which some find no place after the others: placed together, if that is possible.

use jiff::Timestamp;
use novacron_placement::{Market, Settings};
use novacron_types::placement::{Applied, ApplyAction, PlacementRecord, PlacementRequest, PlacementStatus, PlanMode};

use super::{burst::plan, decide};
use crate::{Control, ControlError, workflow::Making};

impl Control {
    /// One after another each machine has the place that is best for it, and may take what another needs. Where one is left
    /// without a place, all that are new are placed together, at the least cost; where that is not possible either, the
    /// answers stay as they are. `settings` are those from before any of them was placed.
    pub(super) async fn together(
        &self,
        market: Market,
        mut settings: Settings,
        answers: &mut [Applied],
        making: &mut Vec<Making>,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let without = |record: &PlacementRecord| record.decision.primary_placement.is_none();
        let placed = answers.iter().filter_map(|applied| applied.placement.as_ref());
        if !placed.clone().any(without) {
            return Ok(());
        }
        let mut requests: Vec<PlacementRequest> = Vec::new();
        for applied in answers.iter().filter(|applied| applied.action != ApplyAction::Unchanged) {
            let Some(record) = &applied.placement else { continue };
            // What there is is not placed anew.
            if self.store().vms().vm(&decide::vm_id(Some(&record.vm_id))?).await?.is_none() {
                requests.push(record.request.clone());
            }
        }
        if requests.len() < 2 {
            return Ok(());
        }
        let is_new = |vm_id: &str| requests.iter().any(|request| request.vm_id.as_deref() == Some(vm_id));
        settings.peers.retain(|peer| !is_new(&peer.vm_id));
        let (asked, names) = (requests.clone(), requests.iter().filter_map(|r| r.vm_id.clone()).collect::<Vec<_>>());
        let computing = &self.inner.tools.placing.computing;
        let planned = computing
            .run(move |stop| plan(&market, &settings, &asked, &names, PlanMode::AllOrNothing, now, stop))
            .await?;
        if planned.1.len() < requests.len() {
            return Ok(());
        }
        for mut record in planned.1 {
            let Some(applied) = answers.iter_mut().find(|applied| applied.name == record.vm_id) else { continue };
            if record.request.create {
                record.status = PlacementStatus::Creating;
                let vm_id = decide::vm_id(Some(&record.vm_id))?;
                making.retain(|making| making.vm_id != vm_id);
                making.push(Making::new(&record, vm_id));
            }
            applied.placement = Some(record);
        }
        Ok(())
    }
}
