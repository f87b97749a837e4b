//! Removing what an operation made.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_ec2::types::{Instance as Ec2Instance, InstanceStateName};
use novacron_provider::{ErrorKind, OperationTag, Result, SweepScope};

use crate::{
    AwsProvider,
    digest::stable_name,
    error::{self, ec2},
    tags::{filter, made_by},
    wait::until,
};

const LIVE: [&str; 5] = ["pending", "running", "shutting-down", "stopping", "stopped"];
const TERMINATED_LIMIT: Duration = Duration::from_secs(600);
/// How long a snapshot may still be in use by an image that is gone, or a volume by a machine that is.
const RELEASE_LIMIT: Duration = Duration::from_secs(120);

impl AwsProvider {
    /// Machines first, for they hold volumes; images before the snapshots they are made of.
    pub async fn remove_made_by(&self, tag: &OperationTag, scope: SweepScope) -> Result<Vec<String>> {
        let mut removed = Vec::new();
        if scope == SweepScope::Everything {
            self.remove_machines(tag, &mut removed).await?;
        }
        self.remove_images(tag, &mut removed).await?;
        self.remove_snapshots(tag, &mut removed).await?;
        if scope == SweepScope::Everything {
            self.remove_volumes(tag, &mut removed).await?;
        }
        Ok(removed)
    }

    async fn live_machines(&self, tag: &OperationTag) -> Result<Vec<Ec2Instance>> {
        let answer = self
            .clients
            .ec2
            .describe_instances()
            .filters(made_by(tag))
            .filters(filter("instance-state-name", LIVE))
            .send()
            .await
            .map_err(ec2("DescribeInstances"))?;
        let reservations = answer.reservations.unwrap_or_default().into_iter();
        Ok(reservations.flat_map(|reservation| reservation.instances.unwrap_or_default()).collect())
    }

    async fn remove_machines(&self, tag: &OperationTag, removed: &mut Vec<String>) -> Result<()> {
        for machine in self.live_machines(tag).await? {
            let id = machine.instance_id().unwrap_or_default();
            if machine.state().and_then(|state| state.name()) != Some(&InstanceStateName::ShuttingDown) {
                self.terminate(id).await?;
            }
            removed.push(id.to_owned());
        }
        until("TerminateInstances", "machines to be terminated", TERMINATED_LIMIT, || async move {
            Ok(self.live_machines(tag).await?.is_empty().then_some(()))
        })
        .await
    }

    async fn remove_images(&self, tag: &OperationTag, removed: &mut Vec<String>) -> Result<()> {
        // By tag or by name: a copy gets its tags only once it is under way.
        let names = ["register", "image", "copy"].map(|purpose| stable_name(&[purpose, tag.as_str()]));
        let by_name = filter("name", names.iter().map(String::as_str));
        let mut images = BTreeMap::new();
        for filter in [made_by(tag), by_name] {
            let request = self.clients.ec2.describe_images().owners("self").filters(filter);
            let answer = request.send().await.map_err(ec2("DescribeImages"))?;
            let found = answer.images.unwrap_or_default().into_iter();
            images.extend(found.filter_map(|image| Some((image.image_id.clone()?, image))));
        }
        for (id, image) in images {
            self.remove_image(&image).await?;
            removed.push(id);
        }
        Ok(())
    }

    async fn remove_snapshots(&self, tag: &OperationTag, removed: &mut Vec<String>) -> Result<()> {
        for snapshot in self.snapshots_with(vec![made_by(tag)]).await? {
            let Some(id) = snapshot.snapshot_id() else { continue };
            let what = format!("snapshot {id} to be released");
            until("DeleteSnapshot", &what, RELEASE_LIMIT, || async move { released(self.remove_snapshot(id).await) })
                .await?;
            removed.push(id.to_owned());
        }
        Ok(())
    }

    async fn remove_volumes(&self, tag: &OperationTag, removed: &mut Vec<String>) -> Result<()> {
        let answer =
            self.clients.ec2.describe_volumes().filters(made_by(tag)).send().await.map_err(ec2("DescribeVolumes"))?;
        for volume in answer.volumes.unwrap_or_default() {
            let Some(id) = volume.volume_id() else { continue };
            let what = format!("volume {id} to be released");
            until("DeleteVolume", &what, RELEASE_LIMIT, || async move {
                released(match self.clients.ec2.delete_volume().volume_id(id).send().await {
                    Ok(_) => Ok(()),
                    Err(error) if error::code(&error) == Some("InvalidVolume.NotFound") => Ok(()),
                    Err(error) => Err(ec2("DeleteVolume")(error)),
                })
            })
            .await?;
            removed.push(id.to_owned());
        }
        Ok(())
    }
}

/// What is still in use is asked for again.
fn released(result: Result<()>) -> Result<Option<()>> {
    match result {
        Ok(()) => Ok(Some(())),
        Err(error) if error.kind == ErrorKind::Conflict => Ok(None),
        Err(error) => Err(error),
    }
}
