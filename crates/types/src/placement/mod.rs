//! What is asked of placement, what is answered, and the policies in between.

mod amount;
mod constraint;
mod decision;
mod plan;
mod policy;
mod record;
mod request;
mod work;

pub use amount::{Dollars, Gigabytes};
pub use constraint::{Constraint, ConstraintKind, Millis, Operator, Scalar};
pub use decision::{
    Alternative, Considered, CostBreakdown, CostPart, Decision, OtherPricing, Placed, Rejection, Relaxation,
    ScoreParts, Source,
};
pub use plan::{
    Kept, LeftOut, ManyPlan, OneTimeCost, PlanBound, PlanMode, PlanStatus, PlannedMove, PlannedPlace, RebalancePlan,
};
pub use policy::{Action, ActionKind, Condition, ConditionKind, Policy};
pub use record::{PlacementFailure, PlacementRecord, PlacementStatus, UnknownPlacementStatus};
pub use request::{GpuNeed, PerformanceTargets, PlacementRequest, Strategy, Weights};
pub use work::{
    Applied, ApplyAction, ApplyAnswer, ApplyRequest, BurstAnswer, BurstOutcome, BurstPlaced, BurstRequest, BurstResult,
    FieldChange, OptimizationRequest, PlanApply, PlanRecord, Statistics, WhyNotAnswer, Work,
};
