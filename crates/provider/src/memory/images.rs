//! Machine images and metrics of the provider in memory.

use async_trait::async_trait;
use novacron_types::{ImageId, InstanceId};

use super::{
    MemoryProvider, not_found,
    state::{Image, State},
};
use crate::{Datapoint, ImageStatus, Images, MetricQuery, Metrics, OperationTag, Readiness, Result};

#[async_trait]
impl Images for MemoryProvider {
    async fn create_image(&self, tag: &OperationTag, instance: &InstanceId, _: bool) -> Result<ImageId> {
        let mut state = self.state();
        if let Some(id) = tagged(&state, tag) {
            return Ok(id);
        }
        let machine = state.machine_mut(instance, "create_image")?.instance.clone();
        let mut disks = Vec::new();
        for disk in &machine.disks {
            disks.push(state.disk_mut(&disk.disk_id, "create_image")?.content.clone());
        }
        let id: ImageId = state.new_id("image");
        let image = Image { name: None, disks, tag: Some(tag.clone()), asks: self.options.settle_after };
        state.images.insert(id.as_str().to_owned(), image);
        Ok(id)
    }

    async fn copy_image(&self, tag: &OperationTag, image: &ImageId, from_region: &str) -> Result<ImageId> {
        let mut state = self.state();
        if let Some(id) = tagged(&state, tag) {
            return Ok(id);
        }
        let found = state.regions.get(from_region).and_then(|region| region.images.get(image.as_str()));
        let original = found.ok_or_else(|| not_found("copy_image", "image", image.as_str()))?;
        let copy = Image { tag: Some(tag.clone()), asks: self.options.settle_after, ..original.clone() };
        let id: ImageId = state.new_id("image");
        state.images.insert(id.as_str().to_owned(), copy);
        Ok(id)
    }

    async fn image_status(&self, image: &ImageId) -> Result<ImageStatus> {
        let mut state = self.state();
        let found = state.images.get_mut(image.as_str());
        let found = found.ok_or_else(|| not_found("image_status", "image", image.as_str()))?;
        Ok(ImageStatus { image_id: image.clone(), readiness: ask(&mut found.asks) })
    }

    async fn delete_image(&self, image: &ImageId) -> Result<()> {
        self.state().images.remove(image.as_str());
        Ok(())
    }
}

#[async_trait]
impl Metrics for MemoryProvider {
    async fn datapoints(&self, query: &MetricQuery) -> Result<Vec<Datapoint>> {
        let state = self.state();
        let key = (query.instance.as_str().to_owned(), query.metric.clone());
        let points = state.datapoints.get(&key).into_iter().flatten();
        let mut points: Vec<Datapoint> =
            points.filter(|point| point.at >= query.start && point.at < query.end).cloned().collect();
        points.sort_by_key(|point| point.at);
        Ok(points)
    }
}

/// Whether it is ready, after one more question.
pub(super) fn ask(left: &mut u32) -> Readiness {
    if *left == 0 {
        return Readiness::READY;
    }
    *left -= 1;
    Readiness { ready: false, percent: None }
}

#[expect(clippy::expect_used, reason = "it was an id when it was stored")]
fn tagged(state: &State, tag: &OperationTag) -> Option<ImageId> {
    let (id, _) = state.images.iter().find(|(_, image)| image.tag.as_ref() == Some(tag))?;
    Some(ImageId::new(id.as_str()).expect("it was an id when it was stored"))
}
