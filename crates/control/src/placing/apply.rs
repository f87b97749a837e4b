//! Machines as manifests declare them: what applying changes, and doing it. Applying the same again changes nothing.

use jiff::Timestamp;
use novacron_placement::{Ask, Market, Peer, Settings, explain};
use novacron_store::Declared;
use novacron_types::{
    VmRecord,
    manifest::{MACHINE_NAME, VirtualMachine, is_machine_name},
    placement::{
        Applied, ApplyAction, ApplyAnswer, ApplyRequest, Placed, PlacementRecord, PlacementRequest, PlacementStatus,
    },
};
use serde_json::{Value, json};

use super::{answered::Key, decide, diff::diff, records::Keep};
use crate::{Caller, Control, ControlError, request, workflow::Making};

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
        let applied = self.applied(&request, &caller, dry_run).await;
        if !dry_run {
            let detail = json!({ "machines": names });
            let refused = applied.as_ref().err();
            self.note(&caller.actor, "apply", &names.join(","), detail, refused).await;
        }
        Ok(ApplyAnswer { machines: applied? })
    }

    /// The same key and request are answered as they were.
    async fn applied(
        &self,
        request: &ApplyRequest,
        caller: &Caller,
        dry_run: bool,
    ) -> Result<Vec<Applied>, ControlError> {
        let wanted = expand(&request.machines)?;
        let key = request::idempotency(caller, request)?.filter(|_| !dry_run).map(|key| Key::new("applied", key));
        if let Some(key) = &key
            && let Some(before) = self.answered(key).await?
        {
            return self.applied_before(before).await;
        }
        let now = Timestamp::now();
        let (market, mut settings) = self.question(now).await?;
        let before_all = settings.clone();
        let (mut answers, mut making, mut declared) = (Vec::new(), Vec::new(), Vec::new());
        for (request, manifest) in wanted {
            let name = request.vm_id.clone().unwrap_or_default();
            let before = self.store().placements().declared(&name).await?;
            let known = self.store().placements().placement_of(&name).await?;
            let changes = diff(before.as_ref().map_or(&Value::Null, |before| &before.manifest), &manifest);
            let action = match (&before, changes.is_empty()) {
                (Some(_), true) if known.as_ref().is_some_and(came_true) => ApplyAction::Unchanged,
                (None, _) => ApplyAction::Create,
                _ => ApplyAction::Update,
            };
            let vm = self.store().vms().vm(&decide::vm_id(Some(&name))?).await?;
            let only_decided = (vm.is_none() && request.image.is_none()).then(|| {
                format!("No machine {name} is made, only its place is decided: `template.spec` names no `image`.")
            });
            if action == ApplyAction::Unchanged {
                let notes = only_decided.into_iter().collect();
                answers.push(Applied { name, action, changes, placement: known, notes });
                continue;
            }
            let record = self.declare(&market, &mut settings, request, now, vm.is_some(), &mut making).await?;
            let stays = vm.as_ref().and_then(|vm| stays(vm, &record));
            let notes = stays.into_iter().chain(only_decided).collect();
            declared.push(Declared { name: name.clone(), manifest, updated_at: now });
            answers.push(Applied { name, action, changes, placement: Some(record), notes });
        }
        self.together(market, before_all, &mut answers, &mut making, now).await?;
        if dry_run {
            return Ok(answers);
        }
        self.keep_applied(answers, making, Keep { declared, ..Keep::default() }, key.as_ref()).await
    }

    /// Decides for one machine; those after it know of it.
    async fn declare(
        &self,
        market: &Market,
        settings: &mut Settings,
        mut request: PlacementRequest,
        now: Timestamp,
        exists: bool,
        making: &mut Vec<Making>,
    ) -> Result<PlacementRecord, ControlError> {
        let vm_id = decide::vm_id(request.vm_id.as_deref())?;
        request.create = request.image.is_some() && !exists;
        decide::check(&request)?;
        // It does not stand in its own way.
        let own = settings.peers.iter().position(|peer| peer.vm_id == vm_id.as_str());
        let own = own.map(|index| settings.peers.remove(index));
        let decision = explain(&Ask::new(market, settings, &request)?);
        let mut record = decide::record(vm_id.clone(), request, decision, now);
        if let Some(placed) = &record.decision.primary_placement {
            settings.peers.push(peer(&record, placed));
            if record.request.create {
                record.status = PlacementStatus::Creating;
                making.push(Making::new(&record, vm_id));
            }
        } else {
            settings.peers.extend(own);
        }
        Ok(record)
    }
}

/// As those see it that are placed after it.
fn peer(record: &PlacementRecord, placed: &Placed) -> Peer {
    Peer {
        vm_id: record.vm_id.clone(),
        provider: placed.provider.clone(),
        kind: placed.kind,
        region: placed.region.clone(),
        zone: placed.zone.clone(),
        vcpus: placed.vcpus,
        monthly_nanos: placed.cost_per_hour.nanos * 730,
        labels: record.request.labels(),
    }
}

/// A machine that there is does not move because it would be made elsewhere today: that stops it, and costs.
fn stays(vm: &VmRecord, record: &PlacementRecord) -> Option<String> {
    let placed = record.decision.primary_placement.as_ref()?;
    let of_type = vm.instance.spec.instance_type.as_deref();
    let same_type = placed.pricing == "own" || of_type == Some(&placed.instance_type);
    if placed.provider.as_ref() == Some(&vm.provider) && same_type {
        return None;
    }
    let of_type = of_type.map(|name| format!(" ({name})")).unwrap_or_default();
    Some(format!(
        "{} is at {}{of_type}, and is not moved or resized by applying. `novacron plan` shows where it would be better by \
         what is declared now, and `novacron apply --plan` moves it.",
        vm.vm_id, vm.provider
    ))
}

/// What was decided of it holds: it was placed, and nothing that was to be made has failed.
fn came_true(record: &PlacementRecord) -> bool {
    !matches!(record.status, PlacementStatus::Infeasible | PlacementStatus::Failed)
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
            if !is_machine_name(&name) {
                let message = format!("a machine's name has {MACHINE_NAME}, which {name:?} has not");
                return Err(ControlError::invalid("invalid_name", message)
                    .advice("Name it so in `metadata.name`; replicas get `-0`, `-1` and so on behind it."));
            }
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
    ControlError::invalid("too_many_machines", format!("at most {MOST_MACHINES} machines are applied at once")).advice(
        "Apply them in parts: files of their own, or fewer replicas. `novacron burst -f FILE --dry-run` weighs up to 10,000 \
         together.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where policies group by workload, machines of one manifest are a group.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_declared_machine_is_a_peer_with_its_workload() {
        let stage = crate::placing::tests::Stage::new(64).await;
        let request: PlacementRequest =
            serde_json::from_value(json!({ "required_cpu": 1, "workload": "batch", "tags": { "app": "x" } })).unwrap();
        let (market, mut settings) = stage.control.question(Timestamp::now()).await.unwrap();
        let labels = request.labels();
        assert_eq!(
            labels.into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(),
            ["app=x", "workload=batch"]
        );
        let named = PlacementRequest { vm_id: Some("one".into()), ..request.clone() };
        let made = &mut Vec::new();
        stage.control.declare(&market, &mut settings, named, Timestamp::now(), false, made).await.unwrap();
        assert_eq!(settings.peers.last().unwrap().labels, request.labels());
        stage.control.shutdown(std::time::Duration::from_secs(5)).await;
    }

    #[test]
    fn no_machine_has_a_name_that_breaks_the_rule_of_manifests() {
        let named = |name: &str| -> VirtualMachine {
            serde_json::from_value(json!({
                "apiVersion": "novacron.io/v1alpha1", "kind": "VirtualMachine", "metadata": { "name": name },
                "spec": { "template": { "spec": { "resources": { "cpu": 1, "memory": "1Gi" } } } },
            }))
            .unwrap()
        };
        assert_eq!(expand(&[named("web")]).unwrap().len(), 1);
        for name in ["plan:plan-1", "sent:web", "", "a b", "-web", "a/b", "w\u{1b}[2J", &"x".repeat(129)] {
            assert_eq!(expand(&[named(name)]).unwrap_err().code, "invalid_name", "{name}");
        }
    }
}
