//! From written disks to an image that a machine can start from.

use std::time::Duration;

use aws_sdk_ec2::types::{
    ArchitectureValues, BlockDeviceMapping, BootModeValues, EbsBlockDevice, Image, ImageState, ResourceType, VolumeType,
};
use novacron_provider::{CreateRequest, Result, TargetDisk};
use novacron_types::{Architecture, DiskSpec, GIB};

use crate::{
    AwsProvider,
    create::{Start, is_uefi},
    digest::stable_name,
    error::{self, conflict, ec2, incomplete, invalid, not_found},
    sink,
    tags::{SIZE, Tags, filter},
    wait::until,
};

pub const ROOT: &str = "/dev/sda1";
/// What volumes are where nothing is said: cheaper and faster than EC2's own default.
const VOLUME_TYPE: &str = "gp3";
/// `/dev/sdf` to `/dev/sdp`, as EC2 advises.
const DATA_DISKS: u8 = 11;
const IMAGE_LIMIT: Duration = Duration::from_secs(900);

impl AwsProvider {
    /// Registers an image over the snapshots, or finds it, and waits until it can be used.
    pub async fn start_of_disks(&self, request: &CreateRequest, disks: &[TargetDisk]) -> Result<Start> {
        if disks.is_empty() {
            return Err(invalid("RegisterImage", "a machine needs a disk to boot from"));
        }
        let (mut registered, mut launched, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for (index, disk) in disks.iter().enumerate() {
            let device = device(index)?;
            let snapshot = sink::snapshot(disk, &self.clients.region)?;
            let gib = whole_gib(disk.size_bytes)?;
            registered.push(registration(&device, snapshot, gib));
            launched.push(mapping(&device, &unencrypted(&with_default_type(&disk.spec)), Some(gib), false)?);
            if disk.size_bytes % GIB != 0 {
                sizes.push((format!("{SIZE}:{device}"), disk.size_bytes.to_string()));
            }
        }
        let image = self.registered(request, registered).await?;
        self.available(&image).await?;
        Ok(Start { image, mappings: launched, sizes })
    }

    async fn registered(&self, request: &CreateRequest, mappings: Vec<BlockDeviceMapping>) -> Result<String> {
        let name = stable_name(&["register", request.tag.as_str()]);
        if let Some(id) = self.image_named(&name).await? {
            return Ok(id);
        }
        let spec = &request.spec;
        let tags = Tags::new(&self.settings.tags, &request.tag).with("Name", &request.name);
        let architecture = match spec.architecture {
            Architecture::X86_64 => ArchitectureValues::X8664,
            Architecture::Arm64 => ArchitectureValues::Arm64,
        };
        let mode = if is_uefi(spec) { BootModeValues::Uefi } else { BootModeValues::LegacyBios };
        let answer = self
            .clients
            .ec2
            .register_image()
            .name(&name)
            .description(format!("NovaCron/{}", request.name.chars().take(200).collect::<String>()))
            .architecture(architecture)
            .boot_mode(mode)
            .virtualization_type("hvm")
            .ena_support(true)
            .root_device_name(ROOT)
            .set_block_device_mappings(Some(mappings))
            .tag_specifications(tags.specification(ResourceType::Image))
            .send()
            .await;
        match answer {
            Ok(answer) => answer.image_id.ok_or_else(|| incomplete("RegisterImage", "image id")),
            Err(error) if error::code(&error) == Some("InvalidAMIName.Duplicate") => {
                let found = self.image_named(&name).await?;
                found.ok_or_else(|| ec2("RegisterImage")(error))
            }
            Err(error) => Err(ec2("RegisterImage")(error)),
        }
    }

    /// This account's image of that name.
    pub async fn image_named(&self, name: &str) -> Result<Option<String>> {
        let answer = self
            .clients
            .ec2
            .describe_images()
            .owners("self")
            .filters(filter("name", [name]))
            .send()
            .await
            .map_err(ec2("DescribeImages"))?;
        Ok(answer.images.unwrap_or_default().into_iter().find_map(|image| image.image_id))
    }

    pub async fn image(&self, id: &str) -> Result<Image> {
        let answer = self.clients.ec2.describe_images().image_ids(id).send().await.map_err(ec2("DescribeImages"))?;
        let image = answer.images.unwrap_or_default().into_iter().next();
        let deregistered = |image: &Image| image.state() == Some(&ImageState::Deregistered);
        let image = image.filter(|image| !deregistered(image));
        image.ok_or_else(|| not_found("DescribeImages", format!("there is no image {id}")))
    }

    async fn available(&self, id: &str) -> Result<()> {
        until("RegisterImage", &format!("image {id}"), IMAGE_LIMIT, || async move {
            match self.image(id).await {
                Err(error) if error.is_not_found() => Ok(None),
                image => Ok(is_available(&image?)?.then_some(())),
            }
        })
        .await
    }
}

/// Whether an image can be used; one that has failed is an error.
pub fn is_available(image: &Image) -> Result<bool> {
    match image.state() {
        Some(ImageState::Available) => Ok(true),
        Some(ImageState::Failed | ImageState::Error | ImageState::Invalid | ImageState::Disabled) => {
            let id = image.image_id().unwrap_or_default();
            let state = image.state().map(|state| state.as_str()).unwrap_or_default();
            let why = image.state_reason().and_then(|reason| reason.message()).unwrap_or("no reason given");
            Err(conflict("DescribeImages", format!("image {id} is {state}: {why}")))
        }
        _ => Ok(false),
    }
}

fn device(index: usize) -> Result<String> {
    match u8::try_from(index) {
        Ok(0) => Ok(ROOT.to_owned()),
        Ok(index) if index <= DATA_DISKS => Ok(format!("/dev/sd{}", char::from(b'f' + index - 1))),
        _ => Err(invalid("RegisterImage", format!("a machine made here can have {} disks", DATA_DISKS + 1))),
    }
}

/// The size of the volume that holds so many bytes.
pub fn whole_gib(bytes: u64) -> Result<i32> {
    let gib = bytes.div_ceil(GIB).max(1);
    i32::try_from(gib).map_err(|_| invalid("CreateVolume", format!("no volume can hold {bytes} bytes")))
}

fn registration(device: &str, snapshot: &str, gib: i32) -> BlockDeviceMapping {
    let ebs = EbsBlockDevice::builder().snapshot_id(snapshot).volume_size(gib).delete_on_termination(true).build();
    BlockDeviceMapping::builder().device_name(device).ebs(ebs).build()
}

/// How a volume should be, over what the image says.
pub fn mapping(device: &str, spec: &DiskSpec, gib: Option<i32>, encrypt: bool) -> Result<BlockDeviceMapping> {
    let number = |what: &str, value: Option<u32>| {
        value.map(i32::try_from).transpose().map_err(|_| invalid("RunInstances", format!("{what} is too large")))
    };
    let mut ebs = EbsBlockDevice::builder()
        .delete_on_termination(true)
        .set_volume_size(gib)
        .set_volume_type(spec.disk_type.as_deref().map(VolumeType::from))
        .set_iops(number("`iops`", spec.iops)?)
        .set_throughput(number("`throughput_mibps`", spec.throughput_mibps)?);
    if encrypt {
        ebs = ebs.set_encrypted(spec.encrypted).set_kms_key_id(spec.kms_key.clone());
    }
    Ok(BlockDeviceMapping::builder().device_name(device).ebs(ebs.build()).build())
}

fn with_default_type(spec: &DiskSpec) -> DiskSpec {
    DiskSpec { disk_type: spec.disk_type.clone().or_else(|| Some(VOLUME_TYPE.to_owned())), ..spec.clone() }
}

/// The snapshot was encrypted as it was started, or not; its volumes are as it is.
fn unencrypted(spec: &DiskSpec) -> DiskSpec {
    DiskSpec { encrypted: None, kms_key: None, ..spec.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_sizes() {
        assert_eq!(device(0).unwrap(), "/dev/sda1");
        assert_eq!(device(1).unwrap(), "/dev/sdf");
        assert_eq!(device(11).unwrap(), "/dev/sdp");
        assert!(device(12).is_err());
        for (bytes, gib) in [(0, 1), (1, 1), (GIB, 1), (GIB + 1, 2)] {
            assert_eq!(whole_gib(bytes).unwrap(), gib);
        }
        assert!(whole_gib(u64::MAX).is_err());
    }

    #[test]
    fn volumes_are_as_asked() {
        let spec =
            DiskSpec { iops: Some(4000), encrypted: Some(true), kms_key: Some("k".into()), ..DiskSpec::default() };
        let ours = mapping(ROOT, &with_default_type(&spec), Some(8), true).unwrap();
        let ebs = ours.ebs().unwrap();
        assert_eq!(ebs.volume_type(), Some(&VolumeType::Gp3));
        assert_eq!((ebs.iops(), ebs.volume_size(), ebs.encrypted()), (Some(4000), Some(8), Some(true)));
        let from_snapshot = mapping(ROOT, &spec, Some(8), false).unwrap();
        assert_eq!(from_snapshot.ebs().unwrap().encrypted(), None);
    }
}
