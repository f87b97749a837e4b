//! Capabilities beside disks: machine images and metrics.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_types::{ImageId, InstanceId};
use serde::{Deserialize, Serialize};

use crate::{OperationTag, Readiness, Result};

/// What is asked of a machine's metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricQuery {
    pub instance: InstanceId,
    /// The vendor's name of the metric (`CPUUtilization`).
    pub metric: String,
    pub period: Duration,
    pub start: Timestamp,
    pub end: Timestamp,
}

/// One period of a metric, as the vendor gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Datapoint {
    pub at: Timestamp,
    pub average: Option<f64>,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    pub unit: Option<String>,
}

#[async_trait]
pub trait Metrics: Send + Sync {
    /// In order of time. A machine without data gives an empty list.
    async fn datapoints(&self, query: &MetricQuery) -> Result<Vec<Datapoint>>;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageStatus {
    pub image_id: ImageId,
    pub readiness: Readiness,
}

/// Machine images: how a machine moves inside one vendor without its bytes leaving it.
#[async_trait]
pub trait Images: Send + Sync {
    /// Makes an image of a machine, or finds the one made with this tag. `no_reboot` leaves the machine running
    /// and makes the image crash-consistent only.
    async fn create_image(&self, tag: &OperationTag, instance: &InstanceId, no_reboot: bool) -> Result<ImageId>;

    /// Copies an image of the same vendor and account from another region into this provider's, or finds the copy.
    async fn copy_image(&self, tag: &OperationTag, image: &ImageId, from_region: &str) -> Result<ImageId>;

    /// An image that the provider says has failed is an error.
    async fn image_status(&self, image: &ImageId) -> Result<ImageStatus>;

    /// Deletes an image and the snapshots that only it used, or succeeds if it is gone.
    async fn delete_image(&self, image: &ImageId) -> Result<()>;
}
