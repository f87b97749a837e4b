//! RunInstances.

use std::net::Ipv4Addr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::disk_spec::{attachment, make_volume, mappings, merged};
use super::filter::Ids;
use super::{Ctx, instances, tags};
use crate::blocks::{Digest, sha256};
use crate::clock::Transition;
use crate::error::{ApiError, ApiResult};
use crate::model::{
    Image, Instance, InstanceState, InstanceType, InterfaceIds, Profile, Remembered, Spot, Volume, new_id, type_named,
};
use crate::params::Params;
use crate::xml::Xml;

const MOST_AT_ONCE: i64 = 1000;
const TAGGABLE: [&str; 4] = ["instance", "volume", "network-interface", "spot-instances-request"];

pub(super) fn run_instances(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let ids = once(c, "RunInstances", launch)?;
    let found: Vec<&Instance> = ids.iter().filter_map(|id| c.region.instances.get(id)).collect();
    if found.is_empty() {
        let text = "The instances of this client token have been terminated and are not known any more";
        return Err(ApiError::bad("IdempotentInstanceTerminated", text));
    }
    let mut x = Xml::fragment();
    instances::reservation(&mut x, c, &found);
    Ok(x)
}

/// Carries `work` out unless a request with the same client token has been; then its outcome counts again.
/// A token that comes with other parameters is refused.
pub(super) fn once(
    c: &mut Ctx<'_>,
    action: &str,
    work: impl FnOnce(&mut Ctx<'_>) -> ApiResult<Vec<String>>,
) -> ApiResult<Vec<String>> {
    let Some(token) = c.p.get("ClientToken") else { return work(c) };
    if token.len() > 128 {
        return Err(ApiError::invalid("ClientToken has at most 128 characters"));
    }
    let key = format!("{action} {token}");
    let request = fingerprint(&c.request.params);
    if let Some(known) = c.region.recall(&key) {
        if known.request != request {
            let text = "The client token you have provided is associated with a resource that was created with \
                        different parameters";
            return Err(ApiError::bad("IdempotentParameterMismatch", text));
        }
        return Ok(known.ids.clone());
    }
    let ids = work(c)?;
    c.region.remember(key, Remembered { request, ids: ids.clone(), at: c.now });
    Ok(ids)
}

fn fingerprint(params: &Params) -> Digest {
    let mut text = String::new();
    for (key, value) in params.iter().filter(|(k, _)| *k != "ClientToken") {
        text.push_str(&format!("{}:{key}={}:{value};", key.len(), value.len()));
    }
    sha256(text.as_bytes())
}

fn launch(c: &mut Ctx<'_>) -> ApiResult<Vec<String>> {
    let p = c.p.clone();
    let image_id = p.need("ImageId")?;
    Ids::IMAGE.check(image_id, &c.region.images)?;
    let image = c.region.images.get(image_id).cloned().ok_or_else(|| ApiError::missing("ImageId"))?;
    if !image.ready.at(c.now) {
        let text = format!("The image ID '{image_id}' is not available yet");
        return Err(ApiError::bad("InvalidAMIID.Unavailable", text));
    }
    let kind = kind_for(p.get("InstanceType").unwrap_or("m1.small"), &image)?;
    let count = count(c)?;
    let place = Place::read(c)?;
    let user_data = user_data(p.get("UserData"))?;
    let spot = spot(c)?;
    let profile = profile(c)?;
    let instance_tags = tags::specified(&p, "instance", &TAGGABLE)?;
    let volume_tags = tags::specified(&p, "volume", &TAGGABLE)?;
    let disks = merged(&image.disks, mappings(&p)?, &image.root_device)?;
    if place.address.is_some() && count > 1 {
        let text = "A private IP address may be given for a single instance only";
        return Err(ApiError::combination(text));
    }

    // All that can be refused is refused before anything exists.
    let mut volumes: Vec<Vec<Volume>> = Vec::new();
    for _ in 0..count {
        let each = disks.iter().map(|d| make_volume(c, &d.spec, &place.zone, volume_tags.clone()));
        volumes.push(each.collect::<ApiResult<_>>()?);
    }
    let addresses = place.lease(c, count)?;

    let reservation_id = new_id("r");
    let mut ids = Vec::new();
    for (index, (volumes, private_ip)) in volumes.into_iter().zip(addresses).enumerate() {
        let id = new_id("i");
        let volume_ids = volumes.iter().map(|v| v.id.clone()).collect();
        for (mut volume, disk) in volumes.into_iter().zip(&disks) {
            volume.attachment = Some(attachment(c, &id, disk));
            c.region.volumes.insert(volume.id.clone(), volume);
        }
        let instance = Instance {
            id: id.clone(),
            reservation_id: reservation_id.clone(),
            launch_index: index,
            image_id: image.id.clone(),
            kind,
            arch: image.arch.clone(),
            zone: place.zone.clone(),
            subnet_id: place.subnet_id.clone(),
            groups: place.groups.clone(),
            private_ip,
            interface: InterfaceIds::new(),
            key_name: p.get("KeyName").map(str::to_owned),
            launched: c.now,
            tags: instance_tags.clone(),
            user_data: user_data.clone(),
            profile: profile.clone(),
            spot: spot.clone().map(|s| Spot { request_id: new_id("sir"), ..s }),
            ebs_optimized: p.flag("EbsOptimized")?.unwrap_or(false),
            monitoring: p.flag("Monitoring.Enabled")?.unwrap_or(false),
            tenancy: p.get("Placement.Tenancy").unwrap_or("default").to_owned(),
            boot_mode: image.boot_mode.clone(),
            ena: image.ena,
            root_device: image.root_device.clone(),
            volumes: volume_ids,
            state: Transition::begin(
                InstanceState::Pending,
                InstanceState::Running,
                c.now,
                c.core.config.latency.start,
            ),
            state_reason: None,
            transition_reason: String::new(),
            client_token: p.get("ClientToken").map(str::to_owned),
            termination_protected: p.flag("DisableApiTermination")?.unwrap_or(false),
            forget_at: i64::MAX,
        };
        c.region.instances.insert(id.clone(), instance);
        ids.push(id);
    }
    Ok(ids)
}

fn kind_for(name: &str, image: &Image) -> ApiResult<&'static InstanceType> {
    let kind =
        type_named(name).ok_or_else(|| ApiError::invalid(format!("Invalid value '{name}' for InstanceType.")))?;
    if !kind.archs.contains(&image.arch.as_str()) {
        let theirs = kind.archs.join(",");
        return Err(ApiError::invalid(format!(
            "The architecture '{theirs}' of the specified instance type does not match the architecture '{}' of \
             the specified AMI. Specify an instance type and an AMI that have matching architectures, and try \
             again.",
            image.arch
        )));
    }
    Ok(kind)
}

fn count(c: &Ctx<'_>) -> ApiResult<usize> {
    let least = c.p.number("MinCount")?.ok_or_else(|| ApiError::missing("MinCount"))?;
    let most = c.p.number("MaxCount")?.ok_or_else(|| ApiError::missing("MaxCount"))?;
    if least < 1 || most < least {
        return Err(ApiError::invalid(format!("Invalid count: MinCount {least}, MaxCount {most}")));
    }
    if least > MOST_AT_ONCE {
        let text = format!("You have requested more instances ({least}) than {MOST_AT_ONCE} at once");
        return Err(ApiError::bad("InstanceLimitExceeded", text));
    }
    Ok(usize::try_from(most.min(MOST_AT_ONCE)).unwrap_or(1))
}

/// Where in the network the instances go.
struct Place {
    subnet_id: String,
    zone: String,
    groups: Vec<String>,
    address: Option<Ipv4Addr>,
}

impl Place {
    fn read(c: &Ctx<'_>) -> ApiResult<Self> {
        let p = &c.p;
        let interfaces = p.structs("NetworkInterface");
        if interfaces.len() > 1 {
            let text = "The sandbox's instances have one network interface";
            return Err(ApiError::bad("AttachmentLimitExceeded", text));
        }
        let outer = p.get("SubnetId").is_some() || !p.list("SecurityGroupId").is_empty();
        let (subnet, groups, address) = match interfaces.first() {
            Some(_) if outer => {
                let text = "Network interfaces and an instance-level subnet ID or security groups may not be \
                            specified on the same request";
                return Err(ApiError::combination(text));
            }
            Some(i) => (i.get("SubnetId"), i.list("SecurityGroupId"), i.get("PrivateIpAddress")),
            None => (p.get("SubnetId"), p.list("SecurityGroupId"), p.get("PrivateIpAddress")),
        };
        let network = &c.region.network;
        let zone = p.get("Placement.AvailabilityZone");
        if let Some(zone) = zone.filter(|z| network.subnet_of_zone(z).is_none()) {
            return Err(ApiError::invalid(format!("Invalid availability zone: [{zone}]")));
        }
        let subnet = match (subnet, zone) {
            (Some(id), _) => network.subnet(id).ok_or_else(|| {
                let text = format!("The subnet ID '{id}' does not exist");
                ApiError::bad("InvalidSubnetID.NotFound", text)
            })?,
            (None, Some(zone)) => network.subnet_of_zone(zone).ok_or_else(|| ApiError::missing("SubnetId"))?,
            // The vendor chooses too; the emptiest keeps them even.
            (None, None) => {
                network.subnets.iter().max_by_key(|s| s.free()).ok_or_else(|| ApiError::missing("SubnetId"))?
            }
        };
        if let Some(zone) = zone.filter(|z| *z != subnet.zone) {
            let text = format!("The subnet '{}' is not in the availability zone '{zone}'", subnet.id);
            return Err(ApiError::invalid(text));
        }
        for name in p.list("SecurityGroup") {
            if name != "default" {
                let text = format!("The security group '{name}' does not exist in default VPC '{}'", network.vpc_id);
                return Err(ApiError::bad("InvalidGroup.NotFound", text));
            }
        }
        for id in &groups {
            if *id != network.group_id {
                let text = format!("The security group '{id}' does not exist");
                return Err(ApiError::bad("InvalidGroup.NotFound", text));
            }
        }
        let address = address
            .map(|a| {
                let text = format!("Invalid value '{a}' for parameter privateIpAddress.");
                a.parse().map_err(|_| ApiError::bad("InvalidParameterValue", text))
            })
            .transpose()?;
        Ok(Self {
            subnet_id: subnet.id.clone(),
            zone: subnet.zone.clone(),
            groups: vec![network.group_id.clone()],
            address,
        })
    }

    fn lease(&self, c: &mut Ctx<'_>, count: usize) -> ApiResult<Vec<Ipv4Addr>> {
        let network = &mut c.region.network;
        if let Some(address) = self.address {
            return match network.lease_exactly(&self.subnet_id, address) {
                Ok(()) => Ok(vec![address]),
                Err(true) => Err(ApiError::bad("InvalidIPAddress.InUse", format!("Address {address} is in use."))),
                Err(false) => Err(ApiError::invalid("Address does not fall within the subnet's address range")),
            };
        }
        let mut leased = Vec::new();
        for _ in 0..count {
            match network.lease(&self.subnet_id) {
                Some(address) => leased.push(address),
                None => {
                    leased.into_iter().for_each(|a| network.release(a));
                    let text = format!("There are not enough free addresses in subnet '{}'", self.subnet_id);
                    return Err(ApiError::bad("InsufficientFreeAddressesInSubnet", text));
                }
            }
        }
        Ok(leased)
    }
}

fn user_data(given: Option<&str>) -> ApiResult<Option<String>> {
    let Some(text) = given else { return Ok(None) };
    let bytes = BASE64_STANDARD
        .decode(text)
        .map_err(|_| ApiError::bad("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."))?;
    if bytes.len() > 16 * 1024 {
        return Err(ApiError::invalid("User data is limited to 16384 bytes"));
    }
    Ok(Some(text.to_owned()))
}

fn spot(c: &Ctx<'_>) -> ApiResult<Option<Spot>> {
    let market = c.p.within("InstanceMarketOptions");
    let options = market.within("SpotOptions");
    match market.get("MarketType") {
        None if options.has_any() => {
            return Err(ApiError::combination("SpotOptions need the MarketType spot"));
        }
        None => return Ok(None),
        Some("spot") => {}
        Some(other) => return Err(ApiError::invalid(format!("Invalid value '{other}' for MarketType"))),
    }
    let max_price = options.get("MaxPrice");
    if let Some(price) = max_price {
        let good =
            price.bytes().all(|b| b.is_ascii_digit() || b == b'.') && price.parse::<f64>().is_ok_and(|v| v > 0.0);
        if !good {
            let text = format!("Invalid value '{price}' for MaxPrice: it is to be a positive decimal number");
            return Err(ApiError::invalid(text));
        }
    }
    let persistent = match options.get("SpotInstanceType") {
        None | Some("one-time") => false,
        Some("persistent") => true,
        Some(other) => return Err(ApiError::invalid(format!("Invalid value '{other}' for SpotInstanceType"))),
    };
    let interruption = options.get("InstanceInterruptionBehavior").unwrap_or("terminate");
    if !["terminate", "stop", "hibernate"].contains(&interruption) {
        return Err(ApiError::invalid(format!("Invalid value '{interruption}' for InstanceInterruptionBehavior")));
    }
    if interruption != "terminate" && !persistent {
        let text = format!("The interruption behavior '{interruption}' needs a persistent request");
        return Err(ApiError::combination(text));
    }
    Ok(Some(Spot {
        request_id: String::new(),
        max_price: max_price.map(str::to_owned),
        persistent,
        interruption: interruption.to_owned(),
    }))
}

fn profile(c: &Ctx<'_>) -> ApiResult<Option<Profile>> {
    let p = c.p.within("IamInstanceProfile");
    let arn = match (p.get("Arn"), p.get("Name")) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let text = "The parameters Arn and Name of IamInstanceProfile may not be used together";
            return Err(ApiError::combination(text));
        }
        (Some(arn), None) => arn.to_owned(),
        (None, Some(name)) => format!("arn:aws:iam::{}:instance-profile/{name}", c.account()),
    };
    if !(arn.starts_with("arn:aws") && arn.contains(":instance-profile/")) {
        let text = format!("Value ({arn}) for parameter iamInstanceProfile.arn is invalid.");
        return Err(ApiError::invalid(text));
    }
    let hex = crate::sigv4::hex(&sha256(arn.as_bytes())).to_uppercase();
    Ok(Some(Profile { arn, id: format!("AIPA{}", &hex[..17]) }))
}
