//! Between two regions of one vendor a machine moves as an image, and its bytes stay inside the vendor.

use async_trait::async_trait;
use novacron_operations::{Outcome, Step, StepContext, StepError};
use novacron_provider::{Images, SweepScope, wait_for_image};
use novacron_types::{MigrationType, ProviderName};

use super::{
    super::{MoveState, Tools},
    PATIENCE, lacks, tag,
};
use crate::error::step_error;

/// Makes an image of the source, in its own region.
pub(super) struct CreateImage(pub Tools);

#[async_trait]
impl Step<MoveState> for CreateImage {
    fn name(&self) -> &'static str {
        "create_image"
    }
    fn weight(&self) -> f64 {
        40.0
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        let images = images(&self.0, &state.params.source)?;
        let runs_on = state.params.migration_type == MigrationType::Snapshot;
        let image = images.create_image(&tag(cx), &state.params.instance, runs_on).await.map_err(step_error)?;
        cx.log(format!("image {image} of {}", state.params.instance));
        wait_for_image(images, &image, PATIENCE, |percent| cx.progress(f64::from(percent) / 100.0))
            .await
            .map_err(step_error)?;
        state.source_image = Some(image);
        Ok(Outcome::Done)
    }

    async fn undo(&self, cx: &StepContext, state: &mut MoveState) -> Result<(), StepError> {
        self.0.sweep(cx, &state.params.source, SweepScope::Everything).await
    }
}

/// Copies the image into the target's region.
pub(super) struct CopyImage(pub Tools);

#[async_trait]
impl Step<MoveState> for CopyImage {
    fn name(&self) -> &'static str {
        "copy_image"
    }
    fn weight(&self) -> f64 {
        50.0
    }

    async fn run(&self, cx: &StepContext, state: &mut MoveState) -> Result<Outcome, StepError> {
        let source = self.0.provider(&state.params.source)?.identity();
        let (Some(region), Some(image)) = (&source.region, &state.source_image) else {
            return Err(StepError::permanent("state_unreadable", "the operation has no image to copy"));
        };
        let images = images(&self.0, &state.params.target)?;
        let copy = images.copy_image(&tag(cx), image, region).await.map_err(step_error)?;
        cx.log(format!("copying image {image} from {region} to {copy}"));
        wait_for_image(images, &copy, PATIENCE, |percent| cx.progress(f64::from(percent) / 100.0))
            .await
            .map_err(step_error)?;
        state.target_image = Some(copy);
        Ok(Outcome::Done)
    }

    async fn undo(&self, cx: &StepContext, state: &mut MoveState) -> Result<(), StepError> {
        self.0.sweep(cx, &state.params.target, SweepScope::Everything).await
    }
}

fn images<'a>(tools: &'a Tools, name: &ProviderName) -> Result<&'a dyn Images, StepError> {
    tools.provider(name)?.images().ok_or_else(|| lacks(name, "copy images"))
}
