//! The machines of a burst, as they are asked for and as they are placed: new ones, and VMs that move.

use novacron_catalog::Pricing;
use novacron_types::{
    ProviderKind, VmId, VmRecord, nearest,
    placement::{Constraint, ConstraintKind, Operator, PlacementRequest, Scalar},
};

use super::super::{decide, statistics::BURST_LABEL};
use crate::{Control, ControlError, ErrorClass};

/// What is made or moves is work of one operation.
const MOST_MACHINES: usize = 1000;
/// A dry run only weighs.
const MOST_WEIGHED: usize = 10_000;

/// A machine of a burst: one that is new, or one that moves.
pub(super) struct Bursting {
    /// As it is asked for, and kept.
    pub asked: PlacementRequest,
    /// The same within the burst: only at its targets.
    pub request: PlacementRequest,
    pub moves: Option<VmRecord>,
    /// What it is called in answers: its name, or which of the requests it is.
    pub called: String,
}

impl Bursting {
    pub fn is(&self, vm_id: &str) -> bool {
        self.request.vm_id.as_deref() == Some(vm_id)
    }
}

impl Control {
    /// Each request made whole: of a VM that there is, what it was placed by and its size; for all, only clouds.
    pub(super) async fn machines(
        &self,
        requests: Vec<PlacementRequest>,
        burst_id: &str,
        dry_run: bool,
    ) -> Result<Vec<Bursting>, ControlError> {
        let most = if dry_run { MOST_WEIGHED } else { MOST_MACHINES };
        if requests.is_empty() || requests.len() > most {
            let message = format!("a burst has 1 to {most} machines, not {}", requests.len());
            return Err(ControlError::invalid("invalid_burst", message)
                .advice(format!("Burst them in parts; a dry run weighs up to {MOST_WEIGHED} together.")));
        }
        let targets = &self.inner.tools.placing.settings.bursting.targets;
        let clouds: Vec<Scalar> = match targets.is_empty() {
            true => ProviderKind::CLOUDS.map(|kind| Scalar::Text(kind.to_string())).to_vec(),
            false => targets.iter().cloned().map(Scalar::Text).collect(),
        };
        let mut machines = Vec::new();
        for (index, asked) in requests.into_iter().enumerate() {
            let called = match &asked.vm_id {
                Some(name) => format!("machine {name}"),
                None => format!("requests[{index}]"),
            };
            let named = |error: ControlError| ControlError { message: format!("{called}: {}", error.message), ..error };
            decide::check(&asked).map_err(named)?;
            let moves = self.existing(&asked).await?;
            // Of a repeated request the same, whoever repeats it.
            let unnamed = format!("{burst_id}-{index}");
            let vm_id = match &moves {
                Some(record) => record.vm_id.clone(),
                None => decide::vm_id(Some(asked.vm_id.as_deref().unwrap_or(&unnamed))).map_err(named)?,
            };
            machines.push(self.bursting(asked, vm_id, moves, called, burst_id, &clouds).await?);
        }
        Ok(machines)
    }

    async fn bursting(
        &self,
        mut asked: PlacementRequest,
        vm_id: VmId,
        moves: Option<VmRecord>,
        called: String,
        burst_id: &str,
        clouds: &[Scalar],
    ) -> Result<Bursting, ControlError> {
        if let Some(record) = &moves {
            self.check_moves(record, &asked)?;
            asked = self.placed_by(asked, record).await?;
        }
        asked.vm_id = Some(vm_id.to_string());
        let mut request = asked.clone();
        if moves.is_some() || request.create {
            request.configured_only = Some(true);
        }
        if moves.is_some() {
            // A migration makes its machine so, whatever was asked for.
            request.pricing = vec![Pricing::OnDemand.to_string()];
        }
        request.tags.insert(BURST_LABEL.to_owned(), burst_id.to_owned());
        request.constraints.push(Constraint {
            kind: ConstraintKind::Provider,
            operator: Operator::In,
            value: None,
            values: clouds.to_vec(),
            max_latency: None,
        });
        Ok(Bursting { asked, request, moves, called })
    }

    /// The VM that a request names: by its id or, where it says nothing else, by its name.
    async fn existing(&self, asked: &PlacementRequest) -> Result<Option<VmRecord>, ControlError> {
        let Some(name) = asked.vm_id.as_deref() else { return Ok(None) };
        if !only_named(asked) {
            return Ok(self.store().vms().vm(&decide::vm_id(Some(name))?).await?);
        }
        if let Some(found) = self.find_vm(name).await? {
            return Ok(Some(found));
        }
        let known = self.inner.tools.placing.records().await?;
        let names = known.iter().flat_map(|record| [record.vm_id.as_str(), record.name.as_str()]);
        let near = nearest(name, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Err(ControlError::not_found("unknown_vm", format!("there is no VM `{name}`{near}")).advice(
            "`novacron vm list` shows the VMs. A new machine is described by how large it is: `required_cpu` and \
             `required_memory_gb`, or an `instance_type`; `novacron burst -f FILE` takes such requests and manifests.",
        ))
    }

    fn check_moves(&self, record: &VmRecord, asked: &PlacementRequest) -> Result<(), ControlError> {
        if asked.create {
            let message = format!("there is a VM {} already", record.vm_id);
            return Err(ControlError::new(ErrorClass::Conflict, "vm_exists", message)
                .advice("Choose another `vm_id`, or leave out `create` to move the one that there is."));
        }
        let hosts = &self.inner.tools.placing.settings.hosts;
        if hosts.iter().all(|host| host.provider != record.provider) {
            let message = format!("{} is at {}, and not on a host of one's own", record.vm_id, record.provider);
            return Err(ControlError::new(ErrorClass::Conflict, "not_local", message).advice(
                "A burst moves what runs on local hosts. `novacron plan` looks for better places for all machines.",
            ));
        }
        Ok(())
    }

    /// A VM that is only named is still bound by what it was placed by.
    async fn placed_by(&self, asked: PlacementRequest, record: &VmRecord) -> Result<PlacementRequest, ControlError> {
        let known = match only_named(&asked) {
            true => self.store().placements().placement_of(record.vm_id.as_str()).await?,
            false => None,
        };
        let mut request = known.map_or(asked, |known| known.request);
        decide::fill(&mut request, record);
        request.create = false;
        Ok(request)
    }
}

fn only_named(asked: &PlacementRequest) -> bool {
    *asked == PlacementRequest { vm_id: asked.vm_id.clone(), ..PlacementRequest::default() }
}
