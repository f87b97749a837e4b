//! Regions, zones, the default network, and instance types.

use std::collections::BTreeMap;

use super::Ctx;
use super::filter::{Filters, Page, one};
use crate::error::{ApiError, ApiResult};
use crate::model::{InstanceType, REGIONS, Subnet, TYPES, Tags, VPC_CIDR};
use crate::xml::Xml;

pub(super) fn describe_regions(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let filters = Filters::read(&c.p, &["region-name", "endpoint", "opt-in-status"])?;
    let named = c.p.list("RegionName");
    if let Some(name) = named.iter().find(|n| !REGIONS.contains(n)) {
        return Err(ApiError::invalid(format!("Invalid region provided '{name}'")));
    }
    let endpoint = |name: &str| format!("ec2.{name}.amazonaws.com");
    let none = Tags::new();
    let found = REGIONS.iter().filter(|name| {
        (named.is_empty() || named.contains(name))
            && filters.accept(&none, |filter| match filter {
                "region-name" => one(**name),
                "endpoint" => one(endpoint(name)),
                _ => one("opt-in-not-required"),
            })
    });
    let mut x = Xml::fragment();
    x.list("regionInfo", found, |x, name| {
        x.el("regionName", name);
        x.el("regionEndpoint", endpoint(name));
        x.el("optInStatus", "opt-in-not-required");
    });
    Ok(x)
}

pub(super) fn describe_availability_zones(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let filters = Filters::read(&c.p, &["zone-name", "zone-id", "region-name", "state", "zone-type", "opt-in-status"])?;
    let (names, ids) = (c.p.list("ZoneName"), c.p.list("ZoneId"));
    let zones = &c.region.network.subnets;
    if let Some(name) = names.iter().find(|n| !zones.iter().any(|z| z.zone == **n)) {
        return Err(ApiError::invalid(format!("Invalid availability zone: [{name}]")));
    }
    if let Some(id) = ids.iter().find(|n| !zones.iter().any(|z| z.zone_id == **n)) {
        return Err(ApiError::invalid(format!("Invalid availability zone-id: [{id}]")));
    }
    let none = Tags::new();
    let found = zones.iter().filter(|z| {
        (names.is_empty() || names.contains(&z.zone.as_str()))
            && (ids.is_empty() || ids.contains(&z.zone_id.as_str()))
            && filters.accept(&none, |filter| match filter {
                "zone-name" => one(z.zone.as_str()),
                "zone-id" => one(z.zone_id.as_str()),
                "region-name" => one(c.region.name),
                "state" => one("available"),
                "zone-type" => one("availability-zone"),
                _ => one("opt-in-not-required"),
            })
    });
    let mut x = Xml::fragment();
    x.list("availabilityZoneInfo", found, |x, z| {
        x.el("zoneName", &z.zone);
        x.el("zoneId", &z.zone_id);
        x.el("zoneState", "available");
        x.el("regionName", c.region.name);
        x.el("groupName", c.region.name);
        x.el("networkBorderGroup", c.region.name);
        x.el("zoneType", "availability-zone");
        x.el("optInStatus", "opt-in-not-required");
    });
    Ok(x)
}

pub(super) fn describe_vpcs(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let filters =
        Filters::read(&c.p, &["vpc-id", "cidr", "cidr-block", "is-default", "isDefault", "state", "owner-id"])?;
    let network = &c.region.network;
    check_ids(&c.p.list("VpcId"), &[&network.vpc_id], "InvalidVpcID.NotFound", "vpc ID")?;
    let accepted = filters.accept(&Tags::new(), |filter| match filter {
        "vpc-id" => one(network.vpc_id.as_str()),
        "cidr" | "cidr-block" => one(VPC_CIDR),
        "is-default" | "isDefault" => one("true"),
        "state" => one("available"),
        _ => one(c.account()),
    });
    let mut x = Xml::fragment();
    x.list("vpcSet", Some(()).filter(|()| accepted), |x, ()| {
        x.el("vpcId", &network.vpc_id);
        x.el("ownerId", c.account());
        x.el("state", "available");
        x.el("cidrBlock", VPC_CIDR);
        x.el("instanceTenancy", "default");
        x.el("isDefault", true);
    });
    Ok(x)
}

pub(super) fn describe_subnets(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let known = [
        "subnet-id",
        "vpc-id",
        "availability-zone",
        "availabilityZone",
        "availability-zone-id",
        "cidr-block",
        "default-for-az",
        "defaultForAz",
        "state",
        "owner-id",
    ];
    let filters = Filters::read(&c.p, &known)?;
    let network = &c.region.network;
    let ids = c.p.list("SubnetId");
    let existing: Vec<&str> = network.subnets.iter().map(|s| s.id.as_str()).collect();
    check_ids(&ids, &existing, "InvalidSubnetID.NotFound", "subnet ID")?;
    let all: BTreeMap<String, &Subnet> = network.subnets.iter().map(|s| (s.id.clone(), s)).collect();
    let none = Tags::new();
    let (page, next) = Page::read(&c.p, 5)?.of(&all, |s| {
        (ids.is_empty() || ids.contains(&s.id.as_str()))
            && filters.accept(&none, |filter| match filter {
                "subnet-id" => one(s.id.as_str()),
                "vpc-id" => one(network.vpc_id.as_str()),
                "availability-zone" | "availabilityZone" => one(s.zone.as_str()),
                "availability-zone-id" => one(s.zone_id.as_str()),
                "cidr-block" => one(s.cidr()),
                "default-for-az" | "defaultForAz" => one("true"),
                "state" => one("available"),
                _ => one(c.account()),
            })
    });
    let mut x = Xml::fragment();
    x.list("subnetSet", page, |x, s| {
        x.el("subnetId", &s.id);
        x.el("subnetArn", format!("arn:aws:ec2:{}:{}:subnet/{}", c.region.name, c.account(), s.id));
        x.el("state", "available");
        x.el("ownerId", c.account());
        x.el("vpcId", &network.vpc_id);
        x.el("cidrBlock", s.cidr());
        x.el("availableIpAddressCount", s.free());
        x.el("availabilityZone", &s.zone);
        x.el("availabilityZoneId", &s.zone_id);
        x.el("defaultForAz", true);
        // Nothing of the sandbox can be reached from outside.
        x.el("mapPublicIpOnLaunch", false);
        x.el("assignIpv6AddressOnCreation", false);
    });
    x.opt("nextToken", next);
    Ok(x)
}

pub(super) fn describe_security_groups(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let filters = Filters::read(&c.p, &["group-id", "group-name", "vpc-id", "description", "owner-id"])?;
    let network = &c.region.network;
    check_ids(&c.p.list("GroupId"), &[&network.group_id], "InvalidGroup.NotFound", "security group")?;
    check_ids(&c.p.list("GroupName"), &["default"], "InvalidGroup.NotFound", "security group")?;
    let accepted = filters.accept(&Tags::new(), |filter| match filter {
        "group-id" => one(network.group_id.as_str()),
        "group-name" => one("default"),
        "vpc-id" => one(network.vpc_id.as_str()),
        "description" => one(GROUP),
        _ => one(c.account()),
    });
    let mut x = Xml::fragment();
    x.list("securityGroupInfo", Some(()).filter(|()| accepted), |x, ()| {
        x.el("ownerId", c.account());
        x.el("groupId", &network.group_id);
        x.el("groupName", "default");
        x.el("groupDescription", GROUP);
        x.el("vpcId", &network.vpc_id);
        x.list("ipPermissions", [()], |x, ()| {
            x.el("ipProtocol", "-1");
            x.list("groups", [()], |x, ()| {
                x.el("userId", c.account());
                x.el("groupId", &network.group_id);
            });
        });
        x.list("ipPermissionsEgress", [()], |x, ()| {
            x.el("ipProtocol", "-1");
            x.list("ipRanges", [()], |x, ()| x.el("cidrIp", "0.0.0.0/0"));
        });
    });
    Ok(x)
}

const GROUP: &str = "default VPC security group";

fn check_ids(asked: &[&str], known: &[&str], code: &'static str, noun: &str) -> ApiResult<()> {
    match asked.iter().find(|id| !known.contains(id)) {
        Some(id) => Err(ApiError::bad(code, format!("The {noun} '{id}' does not exist"))),
        None => Ok(()),
    }
}

pub(super) fn describe_instance_types(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let known = [
        "instance-type",
        "current-generation",
        "processor-info.supported-architecture",
        "vcpu-info.default-vcpus",
        "memory-info.size-in-mib",
        "burstable-performance-supported",
        "bare-metal",
        "hypervisor",
        "supported-usage-class",
        "instance-storage-supported",
    ];
    let filters = Filters::read(&c.p, &known)?;
    let named = c.p.list("InstanceType");
    let unknown: Vec<&str> = named.iter().copied().filter(|n| !TYPES.iter().any(|t| t.name == *n)).collect();
    if !unknown.is_empty() {
        let text = format!("The following supplied instance types do not exist: [{}]", unknown.join(", "));
        return Err(ApiError::bad("InvalidInstanceType", text));
    }
    let all: BTreeMap<String, &InstanceType> = TYPES.iter().map(|t| (t.name.to_owned(), t)).collect();
    let none = Tags::new();
    let (page, next) = Page::read(&c.p, 5)?.of(&all, |t| {
        (named.is_empty() || named.contains(&t.name))
            && filters.accept(&none, |filter| match filter {
                "instance-type" => one(t.name),
                "current-generation" => one(t.current.to_string()),
                "processor-info.supported-architecture" => t.archs.iter().map(|a| (*a).into()).collect(),
                "vcpu-info.default-vcpus" => one(t.vcpus.to_string()),
                "memory-info.size-in-mib" => one(t.memory_mib.to_string()),
                "burstable-performance-supported" => one(t.burstable.to_string()),
                "hypervisor" => one(t.hypervisor),
                "supported-usage-class" => vec!["on-demand".into(), "spot".into()],
                _ => one("false"),
            })
    });
    let mut x = Xml::fragment();
    x.list("instanceTypeSet", page, |x, t| instance_type(x, t));
    x.opt("nextToken", next);
    Ok(x)
}

fn instance_type(x: &mut Xml, t: &InstanceType) {
    let texts = |x: &mut Xml, tag: &str, values: &[&str]| {
        x.list(tag, values, |x, v| x.raw(v));
    };
    x.el("instanceType", t.name);
    x.el("currentGeneration", t.current);
    x.el("freeTierEligible", matches!(t.name, "t2.micro" | "t3.micro"));
    texts(x, "supportedUsageClasses", &["on-demand", "spot"]);
    texts(x, "supportedRootDeviceTypes", &["ebs"]);
    texts(x, "supportedVirtualizationTypes", &["hvm"]);
    x.el("bareMetal", false);
    x.el("hypervisor", t.hypervisor);
    x.wrap("processorInfo", |x| {
        texts(x, "supportedArchitectures", t.archs);
        x.el("sustainedClockSpeedInGhz", format!("{:.1}", t.ghz));
        x.el("manufacturer", t.maker);
    });
    x.wrap("vCpuInfo", |x| {
        x.el("defaultVCpus", t.vcpus);
        x.el("defaultCores", (t.vcpus / t.threads_per_core).max(1));
        x.el("defaultThreadsPerCore", t.threads_per_core);
    });
    x.wrap("memoryInfo", |x| x.el("sizeInMiB", t.memory_mib));
    x.el("instanceStorageSupported", false);
    x.wrap("networkInfo", |x| {
        x.el("networkPerformance", t.network);
        x.el("enaSupport", if t.hypervisor == "nitro" { "required" } else { "unsupported" });
    });
    x.el("hibernationSupported", false);
    x.el("burstablePerformanceSupported", t.burstable);
}
