//! Machines as manifests declare them: what applying changes, and doing it. Applying the same again changes nothing.

use jiff::Timestamp;
use novacron_placement::{Ask, Market, Peer, Settings, explain};
use novacron_store::Declared;
use novacron_types::{
    manifest::VirtualMachine,
    placement::{
        Applied, ApplyAction, ApplyAnswer, ApplyRequest, PlacementRecord, PlacementRequest, PlacementStatus, PlanMode,
    },
};
use serde_json::{Value, json};

use super::{decide, diff::diff};
use crate::{Caller, Control, ControlError, workflow::Making};

/// More in one request are a mistake.
const MOST_MACHINES: usize = 1000;

impl Control {
    /// Compares each machine with what was last applied under its name, and decides anew where those run that are new or
    /// changed. A new one with an image is made. A dry run only says what would be done.
    pub async fn apply(
        &self,
        request: ApplyRequest,
        caller: Caller,
        dry_run: bool,
    ) -> Result<ApplyAnswer, ControlError> {
        let names: Vec<String> = request.machines.iter().map(|machine| machine.metadata.name.clone()).collect();
        let applied = self.applied(&request.machines, &caller, dry_run).await;
        if !dry_run {
            let detail = json!({ "machines": names });
            let refused = applied.as_ref().err();
            self.note(&caller.actor, "apply", &names.join(","), detail, refused).await;
        }
        Ok(ApplyAnswer { machines: applied? })
    }

    async fn applied(
        &self,
        machines: &[VirtualMachine],
        caller: &Caller,
        dry_run: bool,
    ) -> Result<Vec<Applied>, ControlError> {
        let wanted = expand(machines)?;
        let now = Timestamp::now();
        let (market, mut settings) = self.question(now).await?;
        let (mut answers, mut making, mut declared) = (Vec::new(), Vec::new(), Vec::new());
        for (request, manifest) in wanted {
            let name = request.vm_id.clone().unwrap_or_default();
            let before = self.store().placements().declared(&name).await?;
            let known = self.store().placements().placement_of(&name).await?;
            let changes = diff(before.as_ref().map_or(&Value::Null, |before| &before.manifest), &manifest);
            let action = match (&before, changes.is_empty()) {
                (Some(_), true) if known.is_some() => ApplyAction::Unchanged,
                (None, _) => ApplyAction::Create,
                _ => ApplyAction::Update,
            };
            if action == ApplyAction::Unchanged {
                answers.push(Applied { name, action, changes, placement: known });
                continue;
            }
            let record = self.declare(&market, &mut settings, request, now, &mut making).await?;
            declared.push(Declared { name: name.clone(), manifest, updated_at: now });
            answers.push(Applied { name, action, changes, placement: Some(record) });
        }
        if !dry_run {
            self.keep(&mut answers, making, declared, caller).await?;
        }
        Ok(answers)
    }

    /// Decides for one machine; those after it know of it.
    async fn declare(
        &self,
        market: &Market,
        settings: &mut Settings,
        mut request: PlacementRequest,
        now: Timestamp,
        making: &mut Vec<Making>,
    ) -> Result<PlacementRecord, ControlError> {
        let vm_id = decide::vm_id(request.vm_id.as_deref())?;
        let exists = self.store().vms().vm(&vm_id).await?.is_some();
        request.create = request.image.is_some() && !exists;
        decide::check(&request)?;
        let decision = explain(&Ask::new(market, settings, &request)?);
        let mut record = decide::record(vm_id.clone(), request, decision, now);
        if let Some(placed) = &record.decision.primary_placement {
            settings.peers.retain(|peer| peer.vm_id != record.vm_id);
            settings.peers.push(Peer {
                vm_id: record.vm_id.clone(),
                provider: placed.provider.clone(),
                kind: placed.kind,
                region: placed.region.clone(),
                zone: placed.zone.clone(),
                vcpus: placed.vcpus,
                monthly_nanos: placed.cost_per_hour.nanos * 730,
                labels: record.request.tags.clone(),
            });
            if record.request.create {
                record.status = PlacementStatus::Creating;
                making.push(Making::new(&record, vm_id));
            }
        }
        Ok(record)
    }

    /// Stores the decisions, takes on what is to be made, and only then notes the manifests as applied.
    async fn keep(
        &self,
        answers: &mut [Applied],
        making: Vec<Making>,
        declared: Vec<Declared>,
        caller: &Caller,
    ) -> Result<(), ControlError> {
        let placements = self.store().placements();
        let changed = |applied: &&mut Applied| applied.action != ApplyAction::Unchanged;
        for applied in answers.iter_mut().filter(changed) {
            if let Some(record) = &applied.placement {
                placements.put_placement(record).await?;
            }
        }
        if !making.is_empty() {
            let id = self.make(making, PlanMode::BestEffort, caller).await?;
            let records = answers.iter_mut().filter_map(|applied| applied.placement.as_mut());
            for record in
                records.filter(|record| record.status == PlacementStatus::Creating && record.operation_id.is_none())
            {
                // The operation may have been quicker; what it wrote stays.
                record.operation_id = Some(id.clone());
            }
        }
        for declared in &declared {
            placements.put_declared(declared).await?;
        }
        Ok(())
    }
}

/// Each machine that the documents describe, with its document.
fn expand(machines: &[VirtualMachine]) -> Result<Vec<(PlacementRequest, Value)>, ControlError> {
    let mut wanted = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for machine in machines {
        let manifest = serde_json::to_value(machine)
            .map_err(|error| ControlError::invalid("invalid_manifest", error.to_string()))?;
        if machine.spec.replicas as usize > MOST_MACHINES {
            return Err(too_many());
        }
        for name in machine.names() {
            if !names.insert(name.clone()) {
                return Err(ControlError::invalid("duplicate_name", format!("two machines are named `{name}`"))
                    .advice("Give each its own name; replicas are named `NAME-0`, `NAME-1` and so on."));
            }
            wanted.push((PlacementRequest { vm_id: Some(name), ..machine.request() }, manifest.clone()));
            if wanted.len() > MOST_MACHINES {
                return Err(too_many());
            }
        }
    }
    Ok(wanted)
}

fn too_many() -> ControlError {
    ControlError::invalid("too_many_machines", format!("at most {MOST_MACHINES} machines are applied at once"))
}
