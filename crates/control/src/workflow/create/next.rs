//! Where a machine is tried next, and the end of it where there is no such place.

use novacron_operations::{StepContext, StepError};
use novacron_placement::{Ask, decide};
use novacron_types::{
    ProviderName,
    placement::{Constraint, ConstraintKind, Operator, PlacementRequest, PlacementStatus, PlanMode, Scalar},
};

use super::{
    make::Make,
    state::{CreateState, Making, Target},
};
use crate::{error::step_error_of, placing::Question};

/// Places are tried for one machine until so many have failed.
const MOST_TRIED: usize = 16;

impl Make {
    /// Where it is to be made: stored before anything is asked there. `None`: it was given up.
    pub(super) async fn target(
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
            let error = StepError::permanent("no_place_left", message)
                .advice("The placement says what was tried. Relax what is asked, or try again later.");
            self.give_up(cx, state, index, error).await?;
            return Ok(None);
        };
        cx.log(format!("{} is tried at {} ({})", making.vm_id, target.provider, target.region));
        let making = &mut state.machines[index];
        making.current = Some(target.clone());
        making.stumbles = 0;
        cx.save(state).await?;
        Ok(Some(target))
    }

    /// It is the end of all, or the others are made all the same.
    pub(super) async fn give_up(
        &self,
        cx: &StepContext,
        state: &mut CreateState,
        index: usize,
        error: StepError,
    ) -> Result<(), StepError> {
        if state.mode == PlanMode::AllOrNothing {
            return Err(error);
        }
        let making = &mut state.machines[index];
        cx.log(error.to_string());
        making.given_up = Some(error.to_string());
        cx.save(state).await?;
        self.tools.conclude(cx, cx.operation_id(), &state.machines[index], PlacementStatus::Failed).await
    }

    /// The best place that was not tried yet.
    async fn next(&self, cx: &StepContext, making: &Making) -> Result<Option<Target>, StepError> {
        let Question { market, settings, .. } = self.tools.placing.question(cx.now()).await.map_err(step_error_of)?;
        let mut request = making.request.clone();
        request.configured_only = Some(true);
        leave_out(&mut request, making.not_swept().filter(|name| self.tools.provider(name).is_ok()));
        let ask = Ask::new(&market, &settings, &request)
            .map_err(|error| StepError::permanent(error.code(), error.to_string()))?;
        // Each way of paying for each type is there once, so a few more than were tried are enough.
        let choices = decide(&ask, making.tried.len() + 1 + market.hosts().len());
        let mut targets = choices.iter().filter_map(|choice| Target::of(&ask.placed(choice.candidate, choice.score)));
        Ok(targets.find(|target| making.tried.iter().all(|tried| tried.target != *target)))
    }
}

/// What these may have made would be taken for what is asked of them next.
fn leave_out<'n>(request: &mut PlacementRequest, not_swept: impl Iterator<Item = &'n ProviderName>) {
    let values: Vec<Scalar> = not_swept.map(|name| Scalar::Text(name.to_string())).collect();
    if !values.is_empty() {
        let (kind, operator) = (ConstraintKind::Provider, Operator::NotIn);
        request.constraints.push(Constraint { kind, operator, value: None, values, max_latency: None });
    }
}
