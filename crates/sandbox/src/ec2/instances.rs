//! What is told about instances.

use super::Ctx;
use super::filter::{Filters, Ids, Values, maybe, one, select};
use super::tags;
use crate::clock::{Millis, iso};
use crate::error::{ApiError, ApiResult};
use crate::model::{Instance, InstanceState, Region};
use crate::xml::Xml;

const FILTERS: &[&str] = &[
    "architecture",
    "availability-zone",
    "block-device-mapping.device-name",
    "block-device-mapping.volume-id",
    "client-token",
    "hypervisor",
    "iam-instance-profile.arn",
    "image-id",
    "instance-id",
    "instance-lifecycle",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "instance.group-id",
    "instance.group-name",
    "key-name",
    "launch-time",
    "monitoring-state",
    "network-interface.addresses.private-ip-address",
    "network-interface.network-interface-id",
    "network-interface.subnet-id",
    "network-interface.vpc-id",
    "owner-id",
    "platform-details",
    "private-dns-name",
    "private-ip-address",
    "reservation-id",
    "root-device-name",
    "root-device-type",
    "spot-instance-request-id",
    "subnet-id",
    "tenancy",
    "virtualization-type",
    "vpc-id",
];

pub(super) fn describe_instances(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let filters = Filters::read(&c.p, FILTERS)?;
    let accept = |i: &Instance| filters.accept(&i.tags, |name| values(c, i, name));
    let (page, next) = select(&c.p, Ids::INSTANCE, 5, &c.region.instances, accept)?;
    let mut reservations: Vec<Vec<&Instance>> = Vec::new();
    let mut place = std::collections::HashMap::new();
    for instance in page {
        let at = *place.entry(&instance.reservation_id).or_insert_with(|| {
            reservations.push(Vec::new());
            reservations.len() - 1
        });
        reservations[at].push(instance);
    }
    let mut x = Xml::fragment();
    x.list("reservationSet", reservations, |x, instances| reservation(x, c, &instances));
    x.opt("nextToken", next);
    Ok(x)
}

fn values<'r>(c: &'r Ctx<'_>, i: &'r Instance, name: &str) -> Values<'r> {
    let state = i.state.at(c.now);
    let placed = state != InstanceState::Terminated;
    let disks = || i.volumes.iter().filter_map(|id| c.region.volumes.get(id));
    match name {
        "architecture" => one(i.arch.as_str()),
        "availability-zone" => one(i.zone.as_str()),
        "block-device-mapping.device-name" => {
            disks().filter_map(|v| v.attachment.as_ref()).map(|a| a.device.as_str().into()).collect()
        }
        "block-device-mapping.volume-id" => i.volumes.iter().map(|v| v.as_str().into()).collect(),
        "client-token" => maybe(i.client_token.as_deref()),
        "hypervisor" => one("xen"),
        "iam-instance-profile.arn" => maybe(i.profile.as_ref().map(|p| p.arn.as_str())),
        "image-id" => one(i.image_id.as_str()),
        "instance-id" => one(i.id.as_str()),
        "instance-lifecycle" => maybe(i.spot.as_ref().map(|_| "spot")),
        "instance-state-code" => one(state.code().to_string()),
        "instance-state-name" => one(state.name()),
        "instance-type" => one(i.kind.name),
        "instance.group-id" => i.groups.iter().map(|g| g.as_str().into()).collect(),
        "instance.group-name" => one("default"),
        "key-name" => maybe(i.key_name.as_deref()),
        "launch-time" => one(iso(i.launched)),
        "monitoring-state" => one(monitoring(i)),
        "network-interface.addresses.private-ip-address" | "private-ip-address" => {
            maybe(placed.then(|| i.private_ip.to_string()))
        }
        "network-interface.network-interface-id" => maybe(placed.then_some(i.interface.id.as_str())),
        "network-interface.subnet-id" | "subnet-id" => maybe(placed.then_some(i.subnet_id.as_str())),
        "network-interface.vpc-id" | "vpc-id" => maybe(placed.then_some(c.region.network.vpc_id.as_str())),
        "owner-id" => one(c.account()),
        "platform-details" => one("Linux/UNIX"),
        "private-dns-name" => maybe(placed.then(|| private_name(i, c.region))),
        "reservation-id" => one(i.reservation_id.as_str()),
        "root-device-name" => one(i.root_device.as_str()),
        "root-device-type" => one("ebs"),
        "spot-instance-request-id" => maybe(i.spot.as_ref().map(|s| s.request_id.as_str())),
        "tenancy" => one(i.tenancy.as_str()),
        "virtualization-type" => one("hvm"),
        _ => Vec::new(),
    }
}

/// What stands in a `reservationSet`'s item and in RunInstances' answer.
pub(super) fn reservation(x: &mut Xml, c: &Ctx<'_>, instances: &[&Instance]) {
    x.opt("reservationId", instances.first().map(|i| &i.reservation_id));
    x.el("ownerId", c.account());
    x.list("groupSet", [(); 0], |_, ()| {});
    x.list("instancesSet", instances, |x, i| instance(x, c, i));
}

fn instance(x: &mut Xml, c: &Ctx<'_>, i: &Instance) {
    let state = i.state.at(c.now);
    let placed = state != InstanceState::Terminated;
    x.el("instanceId", &i.id);
    x.el("imageId", &i.image_id);
    x.wrap("instanceState", |x| write_state(x, state));
    x.el("privateDnsName", if placed { private_name(i, c.region) } else { String::new() });
    x.el("dnsName", "");
    x.el("reason", &i.transition_reason);
    x.opt("keyName", i.key_name.as_ref());
    x.el("amiLaunchIndex", i.launch_index);
    x.list("productCodes", [(); 0], |_, ()| {});
    x.el("instanceType", i.kind.name);
    x.el("launchTime", iso(i.launched));
    x.wrap("placement", |x| {
        x.el("availabilityZone", &i.zone);
        x.opt("availabilityZoneId", c.region.network.subnet_of_zone(&i.zone).map(|s| &s.zone_id));
        x.el("groupName", "");
        x.el("tenancy", &i.tenancy);
    });
    x.wrap("monitoring", |x| x.el("state", monitoring(i)));
    if placed {
        x.el("subnetId", &i.subnet_id);
        x.el("vpcId", &c.region.network.vpc_id);
        x.el("privateIpAddress", i.private_ip);
        x.el("sourceDestCheck", true);
    }
    groups(x, i, placed);
    if let Some((code, message)) = i.state_reason {
        x.wrap("stateReason", |x| {
            x.el("code", code);
            x.el("message", message);
        });
    }
    x.el("architecture", &i.arch);
    x.el("rootDeviceType", "ebs");
    x.el("rootDeviceName", &i.root_device);
    disks(x, c.region, i, c.now);
    x.el("virtualizationType", "hvm");
    if let Some(spot) = &i.spot {
        x.el("instanceLifecycle", "spot");
        x.el("spotInstanceRequestId", &spot.request_id);
    }
    x.el("clientToken", i.client_token.as_deref().unwrap_or_default());
    tags::write(x, &i.tags);
    // EC2 says xen for its Nitro instances as well.
    x.el("hypervisor", "xen");
    interfaces(x, c, i, placed);
    if let Some(profile) = &i.profile {
        x.wrap("iamInstanceProfile", |x| {
            x.el("arn", &profile.arn);
            x.el("id", &profile.id);
        });
    }
    x.el("ebsOptimized", i.ebs_optimized);
    x.el("enaSupport", i.ena);
    x.wrap("cpuOptions", |x| {
        x.el("coreCount", (i.kind.vcpus / i.kind.threads_per_core).max(1));
        x.el("threadsPerCore", i.kind.threads_per_core);
    });
    x.opt("bootMode", i.boot_mode.as_ref());
    x.el("platformDetails", "Linux/UNIX");
    x.el("usageOperation", "RunInstances");
}

fn groups(x: &mut Xml, i: &Instance, placed: bool) {
    x.list("groupSet", i.groups.iter().filter(|_| placed), |x, g| {
        x.el("groupId", g);
        x.el("groupName", "default");
    });
}

fn disks(x: &mut Xml, region: &Region, i: &Instance, now: Millis) {
    let attached = i.volumes.iter().filter_map(|id| region.volumes.get(id));
    let attached = attached.filter_map(|v| Some((v, v.attachment.as_ref()?)));
    x.list("blockDeviceMapping", attached, |x, (volume, a)| {
        x.el("deviceName", &a.device);
        x.wrap("ebs", |x| {
            x.el("volumeId", &volume.id);
            x.el("status", a.status(now));
            x.el("attachTime", iso(a.since));
            x.el("deleteOnTermination", a.delete_on_termination);
        });
    });
}

fn interfaces(x: &mut Xml, c: &Ctx<'_>, i: &Instance, placed: bool) {
    x.list("networkInterfaceSet", Some(()).filter(|()| placed), |x, ()| {
        x.el("networkInterfaceId", &i.interface.id);
        x.el("subnetId", &i.subnet_id);
        x.el("vpcId", &c.region.network.vpc_id);
        x.el("description", "");
        x.el("ownerId", c.account());
        x.el("status", "in-use");
        x.el("macAddress", &i.interface.mac);
        x.el("privateIpAddress", i.private_ip);
        x.el("privateDnsName", private_name(i, c.region));
        x.el("sourceDestCheck", true);
        groups(x, i, true);
        x.wrap("attachment", |x| {
            x.el("attachmentId", &i.interface.attachment);
            x.el("deviceIndex", 0);
            x.el("status", "attached");
            x.el("attachTime", iso(i.launched));
            x.el("deleteOnTermination", true);
            x.el("networkCardIndex", 0);
        });
        x.list("privateIpAddressesSet", [()], |x, ()| {
            x.el("privateIpAddress", i.private_ip);
            x.el("primary", true);
        });
        x.el("interfaceType", "interface");
    });
}

fn private_name(i: &Instance, region: &Region) -> String {
    let dashed = i.private_ip.to_string().replace('.', "-");
    match region.name {
        "us-east-1" => format!("ip-{dashed}.ec2.internal"),
        name => format!("ip-{dashed}.{name}.compute.internal"),
    }
}

fn monitoring(i: &Instance) -> &'static str {
    if i.monitoring { "enabled" } else { "disabled" }
}

pub(super) fn write_state(x: &mut Xml, state: InstanceState) {
    x.el("code", state.code());
    x.el("name", state.name());
}

/// The instances' states. Their status checks are `not-applicable`: there is no guest to check.
pub(super) fn describe_instance_status(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let filters = Filters::read(&c.p, &["instance-state-name", "instance-state-code", "availability-zone"])?;
    let all = c.p.flag("IncludeAllInstances")?.unwrap_or(false);
    let accept = |i: &Instance| {
        (all || i.state.at(c.now) == InstanceState::Running) && filters.accept(&i.tags, |name| values(c, i, name))
    };
    let (page, next) = select(&c.p, Ids::INSTANCE, 5, &c.region.instances, accept)?;
    let mut x = Xml::fragment();
    x.list("instanceStatusSet", page, |x, i| {
        x.el("instanceId", &i.id);
        x.el("availabilityZone", &i.zone);
        x.wrap("instanceState", |x| write_state(x, i.state.at(c.now)));
        x.wrap("systemStatus", |x| x.el("status", "not-applicable"));
        x.wrap("instanceStatus", |x| x.el("status", "not-applicable"));
    });
    x.opt("nextToken", next);
    Ok(x)
}

pub(super) fn describe_instance_attribute(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let id = c.p.need("InstanceId")?;
    Ids::INSTANCE.check(id, &c.region.instances)?;
    let attribute = c.p.need("Attribute")?;
    let Some(i) = c.region.instances.get(id) else { return Err(ApiError::missing("InstanceId")) };
    let mut x = Xml::fragment();
    x.el("instanceId", &i.id);
    let value = |x: &mut Xml, v: Option<String>| x.wrap(attribute, |x| x.opt("value", v));
    match attribute {
        "userData" => value(&mut x, i.user_data.clone()),
        "instanceType" => value(&mut x, Some(i.kind.name.to_owned())),
        "rootDeviceName" => value(&mut x, Some(i.root_device.clone())),
        "ebsOptimized" => value(&mut x, Some(i.ebs_optimized.to_string())),
        "disableApiTermination" => value(&mut x, Some(i.termination_protected.to_string())),
        "disableApiStop" => value(&mut x, Some("false".to_owned())),
        "instanceInitiatedShutdownBehavior" => value(&mut x, Some("stop".to_owned())),
        "sourceDestCheck" => value(&mut x, Some("true".to_owned())),
        "enaSupport" => value(&mut x, Some(i.ena.to_string())),
        "kernel" | "ramdisk" => value(&mut x, None),
        "blockDeviceMapping" => disks(&mut x, c.region, i, c.now),
        "groupSet" => groups(&mut x, i, true),
        "productCodes" => x.list("productCodes", [(); 0], |_, ()| {}),
        other => {
            return Err(ApiError::invalid(format!("Invalid value '{other}' for parameter attribute")));
        }
    }
    Ok(x)
}
