//! One decision: asked, answered, kept, and if wanted carried out.

use jiff::Timestamp;
use novacron_operations::OperationRecord;
use novacron_placement::{Ask, Market, Settings, explain, why_not};
use novacron_types::{
    VmId, VmRecord,
    placement::{Decision, Gigabytes, PlacementRecord, PlacementRequest, PlacementStatus, PlanMode, WhyNotAnswer},
};
use serde_json::json;

use super::{answered::Key, known::Question, records::Keep};
use crate::{Caller, Control, ControlError, error::ANSWERED_BEFORE, request, workflow::Making};

impl Control {
    /// Decides where a machine should run, and keeps the decision; with `create`, the machine is made there or, where that
    /// fails, at the next best place. A dry run keeps and makes nothing.
    pub async fn place(
        &self,
        request: PlacementRequest,
        caller: Caller,
        dry_run: bool,
    ) -> Result<PlacementRecord, ControlError> {
        let target = request.vm_id.clone().unwrap_or_default();
        let mut before = false;
        let placed = self.placed(request, &caller, dry_run, &mut before).await;
        // What was answered before was noted before.
        if !dry_run && !before {
            let detail = placed
                .as_ref()
                .map_or(json!({}), |record| json!({ "placement_id": record.placement_id, "status": record.status }));
            self.note(&caller.actor, "place", &target, detail, placed.as_ref().err()).await;
        }
        placed
    }

    /// The same key and request are answered as they were; `before` says so.
    async fn placed(
        &self,
        mut request: PlacementRequest,
        caller: &Caller,
        dry_run: bool,
        before: &mut bool,
    ) -> Result<PlacementRecord, ControlError> {
        check(&request)?;
        let key = request::idempotency(caller, &request)?.filter(|_| !dry_run);
        // Of a repeated request the same, even if it is repeated before it is answered.
        let key = key.map(|key| Key::new("placed", key));
        let token = key.as_ref().map_or_else(|| uuid::Uuid::now_v7().simple().to_string(), |key| key.token.clone());
        // This comes before every other check: what the first request has made since forbids a second one.
        if let Some(key) = &key {
            if let Some(made) = self.inner.engine.requested(&key.idempotency).await? {
                *before = true;
                return self.made_before(&made).await;
            }
            if let Some(answer) = self.answered(key).await? {
                *before = true;
                return self.as_it_is(answer).await;
            }
        }
        let vm_id = vm_id(Some(request.vm_id.as_deref().unwrap_or(&format!("vm-{token}"))))?;
        request.vm_id = Some(vm_id.to_string());
        if request.create && self.store().vms().vm(&vm_id).await?.is_some() {
            return Err(ControlError::new(
                crate::ErrorClass::Conflict,
                "vm_exists",
                format!("there is a VM {vm_id} already"),
            )
            .advice("Choose another `vm_id`, or leave it out."));
        }
        let now = Timestamp::now();
        let decision = self.decide(&request, now).await?;
        let mut record = record(vm_id.clone(), request, decision, now);
        if dry_run {
            return Ok(record);
        }
        record.placement_id = format!("placement-{token}");
        self.keep_placed(record, vm_id, key).await
    }

    /// Keeps a decision, and takes on the making of the machine. To one key there is one answer: somebody else's may be first,
    /// who saw another market.
    pub(super) async fn keep_placed(
        &self,
        mut record: PlacementRecord,
        vm_id: VmId,
        key: Option<Key>,
    ) -> Result<PlacementRecord, ControlError> {
        if record.status == PlacementStatus::Infeasible || !record.request.create {
            let keep = Keep { placements: vec![record.clone()], ..Keep::default() };
            let answer = self.answer(&keep, record, key.as_ref()).await?;
            return self.as_it_is(answer).await;
        }
        record.status = PlacementStatus::Creating;
        let making = Making::new(&record, vm_id);
        let once = key.as_ref().map(|key| key.declares(&record)).transpose()?;
        let keep = Keep { placements: vec![record.clone()], once, ..Keep::default() };
        let idempotency = key.as_ref().map(|key| key.idempotency.clone());
        let submitted = match (self.make(vec![making], PlanMode::AllOrNothing, idempotency, &keep).await, &key) {
            (Err(error), Some(key)) if error.code == ANSWERED_BEFORE => {
                return self.answered(key).await?.ok_or(error);
            }
            (submitted, _) => submitted?,
        };
        if submitted.existing {
            return self.made_before(&submitted.record).await;
        }
        // From here on the operation keeps the record, and may have written it again already.
        record.operation_id = Some(submitted.record.id);
        Ok(record)
    }

    /// An answer whose machine is being made: the operation keeps the record.
    async fn as_it_is(&self, answer: PlacementRecord) -> Result<PlacementRecord, ControlError> {
        if answer.status != PlacementStatus::Creating {
            return Ok(answer);
        }
        Ok(self.store().placements().placement(&answer.placement_id).await?.unwrap_or(answer))
    }

    /// What the same request led to before.
    async fn made_before(&self, operation: &OperationRecord) -> Result<PlacementRecord, ControlError> {
        let made = self.made_by(operation).await?.pop();
        made.ok_or_else(|| {
            ControlError::not_found("unknown_placement", format!("the placement of {} is gone", operation.id))
        })
    }

    pub(crate) async fn decide(&self, request: &PlacementRequest, now: Timestamp) -> Result<Decision, ControlError> {
        let (market, settings) = self.question(now).await?;
        Ok(explain(&Ask::new(&market, &settings, request)?))
    }

    /// What every question is asked of.
    pub(crate) async fn question(&self, now: Timestamp) -> Result<(Market, Settings), ControlError> {
        let Question { market, settings, .. } = self.inner.tools.placing.question(now).await?;
        Ok((market, settings))
    }

    /// Why a place that somebody has in mind is not the one, as things are now.
    pub async fn why_not(&self, reference: &str, words: &[String]) -> Result<WhyNotAnswer, ControlError> {
        let record = self.placement(reference).await?;
        let (market, settings) = self.question(Timestamp::now()).await?;
        let ask = Ask::new(&market, &settings, &record.request)?;
        let found = why_not(&ask, words)?;
        Ok(WhyNotAnswer {
            place: found.place,
            breaks: found.breaks,
            points_less: found.points_less,
            places: found.places,
        })
    }
}

/// What the engine does not know to refuse.
pub(super) fn check(request: &PlacementRequest) -> Result<(), ControlError> {
    if request.user_data.is_some() {
        return Err(ControlError::invalid(
            "user_data_not_kept",
            "`user_data` may hold secrets, and a machine that is still to be made would have to be kept with it",
        )
        .advice("Bake it into the image, or let the image fetch it at first boot."));
    }
    if request.alternatives.is_some_and(|count| count > 50) {
        return Err(ControlError::invalid("invalid_placement", "`alternatives`: at most 50 are told"));
    }
    if request.create && request.image.as_deref().unwrap_or_default().is_empty() {
        return Err(ControlError::invalid("no_image", "`create` needs an `image` that the machine starts from")
            .advice("Give the provider's image id, or a name that its configuration maps to one."));
    }
    Ok(())
}

/// The id that was asked for, or a new one.
pub(super) fn vm_id(asked: Option<&str>) -> Result<VmId, ControlError> {
    let text = match asked {
        Some(text) if text.len() > 128 => {
            return Err(ControlError::invalid("invalid_vm_id", "a VM's id has at most 128 characters"));
        }
        Some(text) => text.to_owned(),
        None => format!("vm-{}", uuid::Uuid::now_v7().simple()),
    };
    VmId::new(text).map_err(|error| ControlError::invalid("invalid_vm_id", error.to_string()))
}

/// What the request leaves open is as the machine has it.
pub(super) fn fill(request: &mut PlacementRequest, record: &VmRecord) {
    let (spec, disks) = (&record.instance.spec, record.instance.disk_bytes());
    request.required_cpu = request.required_cpu.or(spec.vcpus);
    request.required_memory_gb = request.required_memory_gb.or(spec.memory_bytes.map(|bytes| Gigabytes { bytes }));
    request.required_disk_gb = request.required_disk_gb.or(Some(Gigabytes { bytes: disks }).filter(|_| disks > 0));
    request.architecture = request.architecture.or(Some(spec.architecture));
    for (key, value) in &spec.labels {
        request.tags.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

/// A decision that was just made.
pub(crate) fn record(vm_id: VmId, request: PlacementRequest, decision: Decision, now: Timestamp) -> PlacementRecord {
    let status = match decision.primary_placement {
        Some(_) => PlacementStatus::Decided,
        None => PlacementStatus::Infeasible,
    };
    PlacementRecord {
        placement_id: format!("placement-{}", uuid::Uuid::now_v7().simple()),
        vm_id: vm_id.to_string(),
        status,
        operation_id: None,
        created_at: now,
        updated_at: now,
        decision,
        request,
    }
}
