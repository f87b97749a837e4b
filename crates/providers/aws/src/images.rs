//! Machine images: a machine moves inside AWS without its bytes leaving it.

use async_trait::async_trait;
use aws_sdk_ec2::types::{Image, ResourceType};
use novacron_provider::{ImageStatus, Images, OperationTag, Readiness, Result};
use novacron_types::{ImageId, InstanceId};

use crate::{
    AwsProvider,
    boot::is_available,
    digest::stable_name,
    error::{self, ec2, incomplete, invalid},
    tags::Tags,
};

#[async_trait]
impl Images for AwsProvider {
    async fn create_image(&self, tag: &OperationTag, instance: &InstanceId, no_reboot: bool) -> Result<ImageId> {
        let name = stable_name(&["image", tag.as_str()]);
        if let Some(made) = self.image_named(&name).await? {
            return image_id(made);
        }
        let tags = Tags::new(&self.settings.tags, tag).with("Name", format!("novacron-{instance}"));
        let answer = self
            .clients
            .ec2
            .create_image()
            .instance_id(instance.as_str())
            .name(&name)
            .description(format!("NovaCron/{instance}"))
            .no_reboot(no_reboot)
            .tag_specifications(tags.specification(ResourceType::Image))
            .send()
            .await;
        match answer {
            Ok(answer) => image_id(answer.image_id.ok_or_else(|| incomplete("CreateImage", "image id"))?),
            Err(error) if error::code(&error) == Some("InvalidAMIName.Duplicate") => {
                let made = self.image_named(&name).await?;
                image_id(made.ok_or_else(|| ec2("CreateImage")(error))?)
            }
            Err(error) => Err(ec2("CreateImage")(error)),
        }
    }

    async fn copy_image(&self, tag: &OperationTag, image: &ImageId, from_region: &str) -> Result<ImageId> {
        let name = stable_name(&["copy", tag.as_str()]);
        if let Some(made) = self.image_named(&name).await? {
            return image_id(made);
        }
        let tags = Tags::new(&self.settings.tags, tag).with("Name", format!("novacron-{image}"));
        let answer = self
            .clients
            .ec2
            .copy_image()
            .source_image_id(image.as_str())
            .source_region(from_region)
            .name(&name)
            .description(format!("NovaCron/{from_region}/{image}"))
            .client_token(&name)
            .tag_specifications(tags.specification(ResourceType::Image))
            .send()
            .await
            .map_err(ec2("CopyImage"))?;
        image_id(answer.image_id.ok_or_else(|| incomplete("CopyImage", "image id"))?)
    }

    async fn image_status(&self, image: &ImageId) -> Result<ImageStatus> {
        let found = self.image(image.as_str()).await?;
        let readiness =
            if is_available(&found)? { Readiness::READY } else { Readiness { ready: false, percent: None } };
        Ok(ImageStatus { image_id: image.clone(), readiness })
    }

    async fn delete_image(&self, image: &ImageId) -> Result<()> {
        match self.image(image.as_str()).await {
            Ok(found) => self.remove_image(&found).await,
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl AwsProvider {
    /// Deregisters an image, and deletes the snapshots that only it used. AWS does both at once; that the
    /// snapshots are deleted again is for those that it left.
    pub async fn remove_image(&self, image: &Image) -> Result<()> {
        let id = image.image_id().unwrap_or_default();
        match self.clients.ec2.deregister_image().image_id(id).delete_associated_snapshots(true).send().await {
            Ok(_) => {}
            Err(error) if matches!(error::code(&error), Some("InvalidAMIID.NotFound" | "InvalidAMIID.Unavailable")) => {
            }
            Err(error) => return Err(ec2("DeregisterImage")(error)),
        }
        for mapping in image.block_device_mappings() {
            if let Some(snapshot) = mapping.ebs().and_then(|ebs| ebs.snapshot_id()) {
                match self.remove_snapshot(snapshot).await {
                    Err(error) if error.kind == novacron_provider::ErrorKind::Conflict => {}
                    other => other?,
                }
            }
        }
        Ok(())
    }
}

fn image_id(id: String) -> Result<ImageId> {
    ImageId::new(id).map_err(|error| invalid("DescribeImages", error.to_string()))
}
