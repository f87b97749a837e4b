//! Makes the machines: asks for all of them first, then waits for each; what fails goes to the next best place.

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_placement::{Ask, decide};
use novacron_provider::{Boot, CreateRequest, ErrorKind, Patience, ProviderError, SweepScope, wait_for_state};
use novacron_types::{
    DiskSpec, InstanceState, NetworkSpec, OperationId, Spot, VmSpec,
    placement::{PlacementFailure, PlacementStatus, PlanMode},
};

use super::{
    super::Tools,
    state::{CreateState, Making, Target, Tried},
};
use crate::error::step_error;

/// Places are tried for one machine until so many have failed.
const MOST_TRIED: usize = 16;
/// A place that stumbles so often is left for the next.
const MOST_STUMBLES: u32 = 3;
/// For a machine to run once it was accepted.
const PATIENCE: Patience = Patience {
    first: std::time::Duration::from_millis(200),
    most: std::time::Duration::from_secs(5),
    limit: std::time::Duration::from_secs(15 * 60),
};

pub(super) struct Make(pub Tools);

#[async_trait]
impl Step<CreateState> for Make {
    fn name(&self) -> &'static str {
        "create"
    }
    fn status(&self) -> Status {
        Status::Preparing
    }
    fn weight(&self) -> f64 {
        9.0
    }

    async fn run(&self, cx: &StepContext, state: &mut CreateState) -> Result<Outcome, StepError> {
        let count = state.machines.len();
        for index in 0..count {
            self.ask(cx, state, index).await?;
            cx.progress(0.5 * (index + 1) as f64 / count as f64);
        }
        for index in 0..count {
            self.settle(cx, state, index).await?;
            cx.progress(0.5 + 0.5 * (index + 1) as f64 / count as f64);
        }
        self.0.placing.forget_hosts().await;
        Ok(Outcome::Done)
    }

    async fn undo(&self, cx: &StepContext, state: &mut CreateState) -> Result<(), StepError> {
        // First: none of them is being made any more, whatever can't be removed.
        for making in &state.machines {
            self.0.conclude(cx, cx.operation_id(), making, PlacementStatus::Failed).await?;
        }
        for index in 0..state.machines.len() {
            self.0.unmake(cx, cx.operation_id(), &state.machines[index], index).await?;
        }
        Ok(())
    }
}

impl Tools {
    /// Removes what `operation` made for a machine, wherever, and says of its placement that it did not come true.
    pub(super) async fn unmake(
        &self,
        cx: &StepContext,
        operation: &OperationId,
        making: &Making,
        index: usize,
    ) -> Result<(), StepError> {
        self.remove(cx, operation, making, index).await?;
        self.conclude(cx, operation, making, PlacementStatus::Failed).await
    }

    async fn remove(
        &self,
        cx: &StepContext,
        operation: &OperationId,
        making: &Making,
        index: usize,
    ) -> Result<(), StepError> {
        let tag = making.tag(operation, index)?;
        for name in making.providers() {
            let removed = self.provider(&name)?.sweep(&tag, SweepScope::Everything).await.map_err(step_error)?;
            if !removed.is_empty() {
                cx.log(format!("removed at {name}: {}", removed.join(", ")));
            }
        }
        Ok(())
    }

    async fn conclude(
        &self,
        cx: &StepContext,
        operation: &OperationId,
        making: &Making,
        status: PlacementStatus,
    ) -> Result<(), StepError> {
        let placements = self.store.placements();
        if let Some(mut record) = placements.placement(&making.placement_id).await? {
            record.status = status;
            record.operation_id = Some(operation.clone());
            record.updated_at = cx.now();
            placements.put_placement(&record).await?;
        }
        Ok(())
    }
}

impl Make {
    /// Asks for a machine until a place accepts it.
    async fn ask(&self, cx: &StepContext, state: &mut CreateState, index: usize) -> Result<(), StepError> {
        while state.machines[index].created.is_none() && state.machines[index].given_up.is_none() {
            let Some(target) = self.target(cx, state, index).await? else { continue };
            let making = &state.machines[index];
            let asked = match self.0.provider(&target.provider) {
                Ok(provider) => provider.create(&request(making, &target, making.tag(cx.operation_id(), index)?)).await,
                Err(error) => return Err(error),
            };
            match asked {
                Ok(mut created) => {
                    created.spec.user_data = None;
                    cx.log(format!("{} is {} at {}", making.vm_id, created.instance_id, target.provider));
                    state.machines[index].created = Some(created);
                    cx.save(state).await?;
                }
                Err(error) => self.failed(cx, state, index, error).await?,
            }
        }
        Ok(())
    }

    /// Waits until it runs; one that does not is made elsewhere.
    async fn settle(&self, cx: &StepContext, state: &mut CreateState, index: usize) -> Result<(), StepError> {
        while state.machines[index].settled.is_none() && state.machines[index].given_up.is_none() {
            let making = &state.machines[index];
            let (Some(created), Some(target)) = (&making.created, &making.current) else {
                self.ask(cx, state, index).await?;
                continue;
            };
            let provider = self.0.provider(&target.provider)?;
            let wanted = if provider.identity().runs_guests { InstanceState::Running } else { InstanceState::Stopped };
            match wait_for_state(provider, &created.instance_id, wanted, PATIENCE).await {
                Ok(mut running) => {
                    running.spec.user_data = None;
                    state.machines[index].settled = Some(target.clone());
                    state.machines[index].created = Some(running);
                    cx.save(state).await?;
                }
                Err(error) => self.failed(cx, state, index, error).await?,
            }
        }
        Ok(())
    }

    /// Where it is to be made: stored before anything is asked there. `None`: it was given up.
    async fn target(
        &self,
        cx: &StepContext,
        state: &mut CreateState,
        index: usize,
    ) -> Result<Option<Target>, StepError> {
        if let Some(target) = &state.machines[index].current {
            return Ok(Some(target.clone()));
        }
        let making = &state.machines[index];
        let next = if making.tried.len() < MOST_TRIED { self.next(cx, making).await? } else { None };
        let Some(target) = next else {
            let last = making.tried.last().map(|tried| format!("; at last: {}", tried.message)).unwrap_or_default();
            let message = format!("no place is left for {} after {} failed{last}", making.vm_id, making.tried.len());
            if state.mode == PlanMode::AllOrNothing {
                return Err(StepError::permanent("no_place_left", message)
                    .advice("The placement says what was tried. Relax what is asked, or try again later."));
            }
            cx.log(message.clone());
            let making = &mut state.machines[index];
            making.given_up = Some(message);
            cx.save(state).await?;
            self.0.conclude(cx, cx.operation_id(), &state.machines[index], PlacementStatus::Failed).await?;
            return Ok(None);
        };
        cx.log(format!("{} is tried at {} ({})", making.vm_id, target.provider, target.region));
        let making = &mut state.machines[index];
        making.current = Some(target.clone());
        making.stumbles = 0;
        cx.save(state).await?;
        Ok(Some(target))
    }

    /// The best place that was not tried yet.
    async fn next(&self, cx: &StepContext, making: &Making) -> Result<Option<Target>, StepError> {
        let placing = &self.0.placing;
        let unavailable = |error: crate::ControlError| StepError::transient(error.code, error.message);
        let market = placing.market().await.map_err(unavailable)?;
        let settings = placing.settings(cx.now()).await.map_err(unavailable)?;
        let mut request = making.request.clone();
        request.configured_only = Some(true);
        let ask = Ask::new(&market, &settings, &request)
            .map_err(|error| StepError::permanent(error.code(), error.to_string()))?;
        // Each way of paying for each type is there once, so a few more than were tried are enough.
        let choices = decide(&ask, making.tried.len() + 1 + market.hosts().len());
        let targets = choices.iter().filter_map(|choice| Target::of(&ask.placed(choice.candidate, choice.score)));
        let mut targets = targets;
        Ok(targets.find(|target| making.tried.iter().all(|tried| tried.target != *target)))
    }

    /// What may go away by itself is tried again a few times; after that, and for all else, the place is remembered and
    /// left.
    async fn failed(
        &self,
        cx: &StepContext,
        state: &mut CreateState,
        index: usize,
        error: ProviderError,
    ) -> Result<(), StepError> {
        if error.kind.is_transient() && state.machines[index].stumbles < MOST_STUMBLES {
            state.machines[index].stumbles += 1;
            cx.save(state).await?;
            return Err(step_error(error));
        }
        let making = &state.machines[index];
        let Some(target) = making.current.clone() else { return Ok(()) };
        cx.log(format!("{} can't be made at {}: {error}", making.vm_id, target.provider));
        self.0.remove(cx, cx.operation_id(), making, index).await?;
        let tried = Tried { code: error.kind.code().to_owned(), message: error.to_string(), target };
        // A wrong image is no fault of the place.
        if error.kind != ErrorKind::Invalid {
            self.0.store.placements().note_failure(&failure(&tried, cx.now())).await?;
        }
        let making = &mut state.machines[index];
        making.tried.push(tried);
        (making.current, making.created) = (None, None);
        cx.save(state).await
    }
}

fn failure(tried: &Tried, now: jiff::Timestamp) -> PlacementFailure {
    PlacementFailure {
        kind: tried.target.kind,
        region: tried.target.region.clone(),
        instance_type: tried.target.instance_type.clone().unwrap_or_default(),
        code: tried.code.clone(),
        message: tried.message.clone(),
        at: now,
    }
}

fn request(making: &Making, target: &Target, tag: novacron_provider::OperationTag) -> CreateRequest {
    let asked = &making.request;
    let spec = VmSpec {
        vcpus: asked.required_cpu,
        memory_bytes: asked.required_memory_gb.map(|gb| gb.bytes),
        architecture: asked.architecture.unwrap_or_default(),
        instance_type: target.instance_type.clone(),
        network: NetworkSpec { zone: target.zone.clone(), ..NetworkSpec::default() },
        labels: asked.labels(),
        spot: (target.pricing == "spot").then(Spot::default),
        ..VmSpec::default()
    };
    CreateRequest {
        tag,
        name: making.vm_id.to_string(),
        spec,
        boot: Boot::Image {
            image: asked.image.clone().unwrap_or_default(),
            root: DiskSpec { disk_type: asked.disk_type.clone(), ..DiskSpec::default() },
            root_size_bytes: asked.required_disk_gb.map(|gb| gb.bytes).filter(|bytes| *bytes > 0),
        },
        start: true,
    }
}
