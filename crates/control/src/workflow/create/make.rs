//! Makes the machines: asks for all of them first, then waits for each; what fails goes to the next best place.

use std::time::Duration;

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_provider::{Boot, CreateRequest, ErrorKind, Patience, ProviderError, wait_for_state};
use novacron_types::{
    DiskSpec, InstanceState, NetworkSpec, Spot, VmId, VmSpec,
    placement::{PlacementFailure, PlacementStatus},
};

use super::{
    super::Tools,
    state::{CreateState, Making, Target, Tried},
};

pub(super) struct Make {
    pub tools: Tools,
    /// For a machine to run once it was accepted; after a stumble, the longest pause of it.
    pub patience: Patience,
}

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
            // Who asked for it looked before it was theirs alone to make.
            if self.tools.is_anothers(cx.operation_id(), &state.machines[index]).await? {
                self.give_up(cx, state, index, taken(&state.machines[index].vm_id)).await?;
            }
            self.ask(cx, state, index).await?;
            cx.progress(0.5 * (index + 1) as f64 / count as f64);
        }
        for index in 0..count {
            self.settle(cx, state, index).await?;
            cx.progress(0.5 + 0.5 * (index + 1) as f64 / count as f64);
        }
        self.tools.placing.forget_hosts();
        Ok(Outcome::Done)
    }

    async fn undo(&self, cx: &StepContext, state: &mut CreateState) -> Result<(), StepError> {
        // First: none of them is being made any more, whatever can't be removed.
        for making in &state.machines {
            self.tools.conclude(cx, cx.operation_id(), making, PlacementStatus::Failed).await?;
        }
        // One that can't be removed yet keeps no other.
        let mut failed = None;
        for (index, making) in state.machines.iter().enumerate() {
            failed = failed.or(self.tools.unmake(cx, cx.operation_id(), making, index).await.err());
        }
        failed.map_or(Ok(()), Err)
    }
}

impl Make {
    /// Asks for a machine until a place accepts it.
    async fn ask(&self, cx: &StepContext, state: &mut CreateState, index: usize) -> Result<(), StepError> {
        while state.machines[index].created.is_none() && state.machines[index].given_up.is_none() {
            let Some(target) = self.target(cx, state, index).await? else { continue };
            let making = &state.machines[index];
            let asked = match self.tools.provider(&target.provider) {
                Ok(provider) => provider.create(&request(making, &target, making.tag(cx.operation_id(), index)?)).await,
                Err(error) => Err(ProviderError::new(ErrorKind::NotFound, "create", error.to_string())),
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
            let provider = self.tools.provider(&target.provider)?;
            let wanted = if provider.identity().runs_guests { InstanceState::Running } else { InstanceState::Stopped };
            let limit = self.patience.limit;
            let running = Patience { limit: Duration::MAX, ..self.patience };
            let running = wait_for_state(provider, &created.instance_id, wanted, running);
            match tokio::time::timeout(limit, running).await {
                Ok(Ok(mut running)) => {
                    running.spec.user_data = None;
                    state.machines[index].settled = Some(target.clone());
                    state.machines[index].created = Some(running);
                    cx.save(state).await?;
                }
                Ok(Err(error)) => self.failed(cx, state, index, error).await?,
                Err(_) => {
                    let message = format!("{} is not {wanted} after {} s", created.instance_id, limit.as_secs());
                    let error = ProviderError::new(ErrorKind::Unavailable, "wait", message);
                    self.leave(cx, state, index, error).await?;
                }
            }
        }
        Ok(())
    }

    /// What may go away by itself is asked again a few times; after that, and for all else, the place is left.
    async fn failed(
        &self,
        cx: &StepContext,
        state: &mut CreateState,
        index: usize,
        error: ProviderError,
    ) -> Result<(), StepError> {
        if !error.kind.is_transient() || state.machines[index].stumbles >= state.most_stumbles(index) {
            return self.leave(cx, state, index, error).await;
        }
        state.machines[index].stumbles += 1;
        cx.log(format!("{} is asked for again: {error}", state.machines[index].vm_id));
        cx.save(state).await?;
        let asked = match error.kind {
            ErrorKind::Throttled { retry_after } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        tokio::time::sleep(asked.min(self.patience.limit).max(self.patience.most)).await;
        Ok(())
    }

    /// The place is remembered, and another is to be tried.
    async fn leave(
        &self,
        cx: &StepContext,
        state: &mut CreateState,
        index: usize,
        error: ProviderError,
    ) -> Result<(), StepError> {
        let making = &state.machines[index];
        let Some(target) = making.current.clone() else { return Ok(()) };
        cx.log(format!("{} can't be made at {}: {error}", making.vm_id, target.provider));
        let swept = self.tools.remove_at(cx, &making.tag(cx.operation_id(), index)?, &target.provider).await;
        if let Err(error) = &swept {
            cx.log(format!("what may be left of {} at {} is removed later: {error}", making.vm_id, target.provider));
        }
        let (code, message) = (error.kind.code().to_owned(), error.to_string());
        let tried = Tried { target, code, message, may_be_left: swept.is_err() };
        // A wrong image is no fault of the place.
        if error.kind != ErrorKind::Invalid {
            self.tools.store.placements().note_failure(&failure(&tried, cx.now())).await?;
        }
        let making = &mut state.machines[index];
        making.tried.push(tried);
        (making.current, making.created) = (None, None);
        cx.save(state).await
    }
}

/// A machine of that name was made or taken in by somebody else.
pub(super) fn taken(vm_id: &VmId) -> StepError {
    StepError::permanent("vm_exists", format!("there is a VM {vm_id} already")).advice("Choose another `vm_id`.")
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
