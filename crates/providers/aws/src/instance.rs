//! EC2's description of a machine as ours.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_ec2::types::{
    ArchitectureValues, BootModeValues, Instance as Ec2Instance, InstanceBlockDeviceMapping, InstanceBootModeValues,
    InstanceLifecycleType, InstanceNetworkInterface, InstanceStateName, Tag, Volume,
};
use jiff::Timestamp;
use novacron_types::{
    Architecture, DiskId, Firmware, GIB, IdError, Instance, InstanceDisk, InstanceId, InstanceState, MIB,
    NetworkInterface, NetworkSpec, Spot, VmSpec,
};

use crate::{
    sizes::InstanceType,
    tags::{self, SIZE},
};

/// What is known beside the description itself.
#[derive(Default)]
pub struct Beside<'a> {
    pub region: &'a str,
    pub instance_type: Option<&'a InstanceType>,
    pub volumes: HashMap<&'a str, &'a Volume>,
    pub user_data: Option<String>,
}

pub fn map(ec2: &Ec2Instance, beside: Beside<'_>) -> Result<Instance, IdError> {
    let mut labels = BTreeMap::new();
    let mut details = BTreeMap::new();
    for (key, value) in ec2.tags().iter().filter_map(|tag| tag.key().zip(tag.value())) {
        match key {
            "Name" => {}
            key if tags::may_be_set(key) => drop(labels.insert(key.to_owned(), value.to_owned())),
            key => drop(details.insert(key.to_owned(), value.to_owned())),
        }
    }
    let text = |key: &str, value: Option<&str>, details: &mut BTreeMap<String, String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            details.insert(key.to_owned(), value.to_owned());
        }
    };
    text("state_reason", ec2.state_reason().and_then(|reason| reason.message()), &mut details);
    text("platform", ec2.platform_details(), &mut details);
    text("private_dns_name", ec2.private_dns_name(), &mut details);
    text("public_dns_name", ec2.public_dns_name(), &mut details);

    let zone = ec2.placement().and_then(|placement| placement.availability_zone()).map(str::to_owned);
    let groups: Vec<String> =
        ec2.security_groups().iter().filter_map(|group| group.group_id()).map(str::to_owned).collect();
    let spec = VmSpec {
        vcpus: vcpus(ec2, beside.instance_type),
        memory_bytes: beside.instance_type.map(|size| size.memory_mib * MIB),
        architecture: match ec2.architecture() {
            Some(ArchitectureValues::Arm64 | ArchitectureValues::Arm64Mac) => Architecture::Arm64,
            _ => Architecture::X86_64,
        },
        firmware: firmware(ec2),
        instance_type: ec2.instance_type().map(|name| name.as_str().to_owned()),
        network: NetworkSpec {
            zone: zone.clone(),
            network: ec2.vpc_id().map(str::to_owned),
            subnet: ec2.subnet_id().map(str::to_owned),
            security_groups: groups,
            public_ip: ec2.public_ip_address().filter(|ip| !ip.is_empty()).map(|_| true),
            private_ip: ec2.private_ip_address().map(str::to_owned),
        },
        user_data: beside.user_data,
        labels,
        iam_profile: ec2.iam_instance_profile().and_then(|profile| profile.arn()).map(str::to_owned),
        key_pair: ec2.key_name().filter(|name| !name.is_empty()).map(str::to_owned),
        spot: (ec2.instance_lifecycle() == Some(&InstanceLifecycleType::Spot)).then(Spot::default),
        ebs_optimized: ec2.ebs_optimized(),
    };
    Ok(Instance {
        instance_id: InstanceId::new(ec2.instance_id().unwrap_or_default())?,
        name: tags::value(ec2.tags(), "Name").map(str::to_owned),
        state: state(ec2.state().and_then(|state| state.name())),
        region: Some(beside.region.to_owned()),
        zone,
        spec,
        disks: disks(ec2, &beside.volumes)?,
        interfaces: ec2.network_interfaces().iter().map(interface).collect(),
        image: ec2.image_id().map(str::to_owned),
        launched_at: ec2.launch_time().and_then(|at| Timestamp::from_second(at.secs()).ok()),
        details,
    })
}

pub fn state(name: Option<&InstanceStateName>) -> InstanceState {
    match name {
        Some(InstanceStateName::Pending) => InstanceState::Pending,
        Some(InstanceStateName::Running) => InstanceState::Running,
        Some(InstanceStateName::Stopping) => InstanceState::Stopping,
        Some(InstanceStateName::Stopped) => InstanceState::Stopped,
        Some(InstanceStateName::ShuttingDown | InstanceStateName::Terminated) => InstanceState::Terminated,
        _ => InstanceState::Unknown,
    }
}

/// What this machine was given may be less than its type offers.
fn vcpus(ec2: &Ec2Instance, size: Option<&InstanceType>) -> Option<u32> {
    let given = ec2.cpu_options().and_then(|cpu| {
        let cores = u32::try_from(cpu.core_count()?).ok()?;
        let threads = u32::try_from(cpu.threads_per_core()?).ok()?;
        cores.checked_mul(threads).filter(|vcpus| *vcpus > 0)
    });
    given.or(size.map(|size| size.vcpus))
}

fn firmware(ec2: &Ec2Instance) -> Firmware {
    match (ec2.current_instance_boot_mode(), ec2.boot_mode(), ec2.architecture()) {
        (Some(InstanceBootModeValues::Uefi), _, _) => Firmware::Uefi,
        (Some(InstanceBootModeValues::LegacyBios), _, _) => Firmware::Bios,
        (_, Some(BootModeValues::Uefi), _) | (_, _, Some(ArchitectureValues::Arm64)) => Firmware::Uefi,
        _ => Firmware::Bios,
    }
}

/// The disk that starts first, then the others by device.
fn disks(ec2: &Ec2Instance, volumes: &HashMap<&str, &Volume>) -> Result<Vec<InstanceDisk>, IdError> {
    let root = ec2.root_device_name();
    let mut disks = Vec::new();
    for mapping in ec2.block_device_mappings() {
        let Some(volume_id) = mapping.ebs().and_then(|ebs| ebs.volume_id()) else { continue };
        let device = mapping.device_name().unwrap_or_default();
        disks.push(disk(
            mapping,
            volume_id,
            device,
            root == Some(device),
            volumes.get(volume_id).copied(),
            ec2.tags(),
        )?);
    }
    disks.sort_by(|a, b| (!a.boot, &a.device).cmp(&(!b.boot, &b.device)));
    Ok(disks)
}

fn disk(
    mapping: &InstanceBlockDeviceMapping,
    volume_id: &str,
    device: &str,
    boot: bool,
    volume: Option<&Volume>,
    instance_tags: &[Tag],
) -> Result<InstanceDisk, IdError> {
    Ok(InstanceDisk {
        disk_id: DiskId::new(volume_id)?,
        device: device.to_owned(),
        boot,
        size_bytes: volume.and_then(|volume| true_size(volume, device, instance_tags)),
        disk_type: volume.and_then(|volume| volume.volume_type()).map(|kind| kind.as_str().to_owned()),
        iops: volume.and_then(|volume| volume.iops()).and_then(|iops| u32::try_from(iops).ok()),
        encrypted: volume.and_then(|volume| volume.encrypted()),
        delete_on_termination: mapping.ebs().and_then(|ebs| ebs.delete_on_termination()),
    })
}

/// The size that was written, where a tag says it and it fits the volume; else the volume's.
pub fn true_size(volume: &Volume, device: &str, instance_tags: &[Tag]) -> Option<u64> {
    let whole = u64::try_from(volume.size()?).ok()?.checked_mul(GIB)?;
    let said = tags::value(volume.tags(), SIZE).or_else(|| tags::value(instance_tags, &format!("{SIZE}:{device}")));
    let fits = |size: &u64| *size <= whole && whole - *size < GIB;
    Some(said.and_then(|text| text.parse().ok()).filter(fits).unwrap_or(whole))
}

fn interface(ec2: &InstanceNetworkInterface) -> NetworkInterface {
    NetworkInterface {
        mac: ec2.mac_address().map(str::to_owned),
        network: ec2.vpc_id().map(str::to_owned),
        subnet: ec2.subnet_id().map(str::to_owned),
        private_ips: ec2
            .private_ip_addresses()
            .iter()
            .filter_map(|address| address.private_ip_address())
            .map(str::to_owned)
            .collect(),
        public_ip: ec2.association().and_then(|association| association.public_ip()).map(str::to_owned),
        security_groups: ec2.groups().iter().filter_map(|group| group.group_id()).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{CpuOptions, EbsInstanceBlockDevice, InstanceState as Ec2State, InstanceType as TypeName};

    fn tag(key: &str, value: &str) -> Tag {
        Tag::builder().key(key).value(value).build()
    }

    fn mapping(device: &str, volume: &str) -> InstanceBlockDeviceMapping {
        let ebs = EbsInstanceBlockDevice::builder().volume_id(volume).delete_on_termination(true).build();
        InstanceBlockDeviceMapping::builder().device_name(device).ebs(ebs).build()
    }

    #[test]
    fn maps_a_machine() {
        let ec2 = Ec2Instance::builder()
            .instance_id("i-1")
            .instance_type(TypeName::T3Medium)
            .state(Ec2State::builder().name(InstanceStateName::ShuttingDown).build())
            .root_device_name("/dev/xvda")
            .block_device_mappings(mapping("/dev/sdf", "vol-2"))
            .block_device_mappings(mapping("/dev/xvda", "vol-1"))
            .cpu_options(CpuOptions::builder().core_count(1).threads_per_core(1).build())
            .tags(tag("Name", "web"))
            .tags(tag("Owner", "me"))
            .tags(tag("aws:autoscaling:groupName", "g"))
            .tags(tag("novacron:operation", "op"))
            .tags(tag("novacron:size-bytes:/dev/sdf", "1073741825"))
            .build();
        let volume = Volume::builder().volume_id("vol-2").size(2).build();
        let size = InstanceType { name: "t3.medium".into(), vcpus: 2, memory_mib: 4096 };
        let beside = Beside {
            region: "us-east-1",
            instance_type: Some(&size),
            volumes: HashMap::from([("vol-2", &volume)]),
            user_data: None,
        };
        let instance = map(&ec2, beside).unwrap();
        assert_eq!(instance.name.as_deref(), Some("web"));
        assert_eq!(instance.state, InstanceState::Terminated);
        assert_eq!(instance.spec.vcpus, Some(1));
        assert_eq!(instance.spec.memory_bytes, Some(4 * GIB));
        assert_eq!(instance.spec.labels, BTreeMap::from([("Owner".to_owned(), "me".to_owned())]));
        assert_eq!(instance.details["aws:autoscaling:groupName"], "g");
        assert_eq!(instance.disks[0].device, "/dev/xvda");
        assert!(instance.disks[0].boot && instance.disks[0].size_bytes.is_none());
        assert_eq!(instance.disks[1].size_bytes, Some(GIB + 1));
    }

    #[test]
    fn believes_a_size_only_if_the_volume_can_have_it() {
        let size =
            |text: &str| true_size(&Volume::builder().size(2).tags(tag(SIZE, text)).build(), "/dev/sda1", &[]).unwrap();
        assert_eq!(size("1073741825"), GIB + 1);
        for wrong in ["1073741824", "3221225472", "-1", "x"] {
            assert_eq!(size(wrong), 2 * GIB, "{wrong}");
        }
    }
}
