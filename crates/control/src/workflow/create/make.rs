//! Makes the machines: asks for all of them first, then waits for each; what fails goes to the next best place.

use std::time::Duration;

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError};
use novacron_placement::{Ask, decide};
use novacron_provider::{Boot, CreateRequest, ErrorKind, Patience, ProviderError, wait_for_state};
use novacron_types::{
    DiskSpec, InstanceState, NetworkSpec, Spot, VmSpec,
    placement::{Constraint, ConstraintKind, Operator, PlacementFailure, PlacementStatus, PlanMode, Scalar},
};

use super::{
    super::Tools,
    state::{CreateState, Making, Target, Tried},
};

/// Places are tried for one machine until so many have failed.
const MOST_TRIED: usize = 16;

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
            self.ask(cx, state, index).await?;
            cx.progress(0.5 * (index + 1) as f64 / count as f64);
        }
        for index in 0..count {
            self.settle(cx, state, index).await?;
            cx.progress(0.5 + 0.5 * (index + 1) as f64 / count as f64);
        }
        self.tools.placing.forget_hosts().await;
        Ok(Outcome::Done)
    }

    async fn undo(&self, cx: &StepContext, state: &mut CreateState) -> Result<(), StepError> {
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
            self.tools.conclude(cx, cx.operation_id(), &state.machines[index], PlacementStatus::Failed).await?;
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
        let placing = &self.tools.placing;
        let unavailable = |error: crate::ControlError| StepError::transient(error.code, error.message);
        let market = placing.market().await.map_err(unavailable)?;
        let settings = placing.settings(cx.now()).await.map_err(unavailable)?;
        let mut request = making.request.clone();
        request.configured_only = Some(true);
        // What one of these may have made would be taken for what is asked of it next.
        let not_swept = making.not_swept().filter(|name| self.tools.provider(name).is_ok());
        let not_swept: Vec<Scalar> = not_swept.map(|name| Scalar::Text(name.to_string())).collect();
        if !not_swept.is_empty() {
            request.constraints.push(Constraint {
                kind: ConstraintKind::Provider,
                operator: Operator::NotIn,
                value: None,
                values: not_swept,
                max_latency: None,
            });
        }
        let ask = Ask::new(&market, &settings, &request)
            .map_err(|error| StepError::permanent(error.code(), error.to_string()))?;
        // Each way of paying for each type is there once, so a few more than were tried are enough.
        let choices = decide(&ask, making.tried.len() + 1 + market.hosts().len());
        let mut targets = choices.iter().filter_map(|choice| Target::of(&ask.placed(choice.candidate, choice.score)));
        Ok(targets.find(|target| making.tried.iter().all(|tried| tried.target != *target)))
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
        labels: asked.tags.clone(),
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
