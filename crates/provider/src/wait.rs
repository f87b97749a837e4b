//! Waiting for a provider to finish what it has accepted, where all it offers is to be asked again.

use std::{future::Future, time::Duration};

use novacron_types::{ImageId, Instance, InstanceId, InstanceState};

use crate::{
    DiskSink, DiskSnapshot, DiskSource, ErrorKind, Images, Provider, ProviderError, Readiness, Result, TargetDisk,
};

/// How often to ask, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The pause after the first question; each later one is half as long again.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
    /// After this it is given up.
    pub limit: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first: Duration::from_millis(200), most: Duration::from_secs(10), limit: Duration::from_secs(3600) }
    }
}

/// Waits until the machine is in `wanted`. A machine that has failed, or has been terminated meanwhile, is an error.
pub async fn wait_for_state(
    provider: &dyn Provider,
    id: &InstanceId,
    wanted: InstanceState,
    patience: Patience,
) -> Result<Instance> {
    poll(patience, &format!("{id} to be {wanted}"), || async {
        match provider.get(id).await {
            Ok(instance) if instance.state == wanted => Ok(Some(instance)),
            Ok(instance) if matches!(instance.state, InstanceState::Failed | InstanceState::Terminated) => {
                let why = instance.details.get("state_reason").map(|why| format!(": {why}")).unwrap_or_default();
                Err(ProviderError::new(
                    ErrorKind::Conflict,
                    "wait",
                    format!("{id} is {} instead of {wanted}{why}", instance.state),
                ))
            }
            Ok(_) => Ok(None),
            Err(error) if error.is_not_found() && wanted == InstanceState::Terminated => Err(error),
            Err(error) => Err(error),
        }
    })
    .await
}

/// Waits until the snapshot can be read; `progress` is told the provider's own percentage.
pub async fn wait_for_snapshot(
    source: &dyn DiskSource,
    snapshot: &DiskSnapshot,
    patience: Patience,
    progress: impl Fn(Readiness) + Sync,
) -> Result<()> {
    poll(patience, &format!("snapshot {} to be ready", snapshot.snapshot_id), || async {
        let readiness = source.snapshot_ready(snapshot).await?;
        progress(readiness);
        Ok(readiness.ready.then_some(()))
    })
    .await
}

/// Waits until a completed disk can be used.
pub async fn wait_for_disk(sink: &dyn DiskSink, disk: &TargetDisk, patience: Patience) -> Result<()> {
    poll(patience, &format!("disk {} to be ready", disk.disk_id), || async {
        Ok(sink.disk_ready(disk).await?.ready.then_some(()))
    })
    .await
}

/// Waits until an image can be used; `progress` is told the provider's own percentage.
pub async fn wait_for_image(
    images: &dyn Images,
    image: &ImageId,
    patience: Patience,
    progress: impl Fn(u8) + Sync,
) -> Result<()> {
    poll(patience, &format!("image {image} to be ready"), || async {
        let readiness = images.image_status(image).await?.readiness;
        if let Some(percent) = readiness.percent {
            progress(percent);
        }
        Ok(readiness.ready.then_some(()))
    })
    .await
}

async fn poll<T, F, Fut>(patience: Patience, what: &str, mut ask: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    let started = tokio::time::Instant::now();
    let mut pause = patience.first;
    loop {
        if let Some(done) = ask().await? {
            return Ok(done);
        }
        if started.elapsed() + pause > patience.limit {
            let message = format!("gave up after {} s of waiting for {what}", started.elapsed().as_secs());
            return Err(ProviderError::new(ErrorKind::Unavailable, "wait", message));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(patience.most);
    }
}
