//! Making a machine: from an image, or from disks that were written.

use std::time::Duration;

use aws_sdk_ec2::types::{
    BlockDeviceMapping, IamInstanceProfileSpecification, Instance as Ec2Instance, InstanceInterruptionBehavior,
    InstanceMarketOptionsRequest, InstanceStateName, InstanceType, MarketType, Placement, ResourceType,
    SpotInstanceType, SpotMarketOptions,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use novacron_provider::{Boot, CreateRequest, OperationTag, Result};
use novacron_types::{Instance, Spot, VmSpec};

use crate::{
    AwsProvider, boot,
    digest::stable_name,
    error::{self, ec2, incomplete, invalid},
    instance::Beside,
    tags::{Tags, filter, made_by, may_be_set},
    wait::until,
};

const LIVE: [&str; 4] = ["pending", "running", "stopping", "stopped"];
/// How often a client token may turn out to be spent on a machine that was terminated since.
const TOKENS: u32 = 3;
const RUNNING_LIMIT: Duration = Duration::from_secs(600);

/// What the machine starts from, as RunInstances wants it.
pub struct Start {
    pub image: String,
    pub mappings: Vec<BlockDeviceMapping>,
    /// Tags that say the true sizes of the disks.
    pub sizes: Vec<(String, String)>,
}

impl AwsProvider {
    pub async fn make(&self, request: &CreateRequest) -> Result<Instance> {
        let machine = match self.made_machine(&request.tag).await? {
            Some(machine) => machine,
            None => self.run(request).await?,
        };
        if !request.start {
            self.stop_when_running(machine.instance_id().unwrap_or_default()).await?;
        }
        let name = machine.instance_type().map(|name| name.as_str());
        if let Err(error) = self.sizes.learn(&self.clients.ec2, name).await {
            tracing::warn!(%error, "the answer will lack the machine's memory");
        }
        self.describe(&machine, Beside::default())
    }

    async fn made_machine(&self, tag: &OperationTag) -> Result<Option<Ec2Instance>> {
        let answer = self
            .clients
            .ec2
            .describe_instances()
            .filters(made_by(tag))
            .filters(filter("instance-state-name", LIVE))
            .send()
            .await
            .map_err(ec2("DescribeInstances"))?;
        let mut machines =
            answer.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default());
        Ok(machines.next())
    }

    async fn run(&self, request: &CreateRequest) -> Result<Ec2Instance> {
        let spec = &request.spec;
        let market = spec.spot.as_ref().map(|spot| self.market(spot)).transpose()?;
        let size = match &spec.instance_type {
            Some(name) => name.clone(),
            None => self.sizes.smallest(&self.clients.ec2, spec, self.settings.instance_family()).await?,
        };
        let plug = self.plug(&spec.network).await?;
        let start = match &request.boot {
            Boot::Image { image, root, root_size_bytes } => self.start_of_image(image, root, *root_size_bytes).await?,
            Boot::ImageId { image } => Start { image: image.to_string(), mappings: Vec::new(), sizes: Vec::new() },
            Boot::Disks { disks } => self.start_of_disks(request, disks).await?,
        };
        let tags = self.machine_tags(request, &start);
        let mut volume_tags = Tags::new(&self.settings.tags, &request.tag);
        volume_tags = volume_tags.with("Name", &request.name);
        let request_base = self
            .clients
            .ec2
            .run_instances()
            .image_id(&start.image)
            .instance_type(InstanceType::from(size.as_str()))
            .min_count(1)
            .max_count(1)
            .set_block_device_mappings((!start.mappings.is_empty()).then_some(start.mappings))
            .set_network_interfaces(plug.interface.map(|interface| vec![interface]))
            .set_security_group_ids((!plug.security_groups.is_empty()).then_some(plug.security_groups))
            .set_placement(plug.zone.map(|zone| Placement::builder().availability_zone(zone).build()))
            .set_user_data(spec.user_data.as_ref().map(|data| STANDARD.encode(data)))
            .set_key_name(spec.key_pair.clone().or_else(|| self.settings.key_pair_name.clone()))
            .set_iam_instance_profile(spec.iam_profile.as_deref().map(profile))
            .set_instance_market_options(market)
            .set_ebs_optimized(spec.ebs_optimized)
            .tag_specifications(tags.specification(ResourceType::Instance))
            .tag_specifications(volume_tags.specification(ResourceType::Volume));
        for attempt in 0..TOKENS {
            let token = stable_name(&["run", request.tag.as_str(), &attempt.to_string()]);
            let answer = match request_base.clone().client_token(token).send().await {
                Ok(answer) => answer,
                Err(error) if error::code(&error) == Some("IdempotentInstanceTerminated") => continue,
                Err(error) if error::code(&error) == Some("IdempotentParameterMismatch") => {
                    let made = self.made_machine(&request.tag).await?;
                    return made.ok_or_else(|| ec2("RunInstances")(error));
                }
                Err(error) => return Err(ec2("RunInstances")(error)),
            };
            let machine = answer.instances.unwrap_or_default().into_iter().next();
            let machine = machine.ok_or_else(|| incomplete("RunInstances", "instance"))?;
            if !is_gone(&machine) {
                return Ok(machine);
            }
        }
        Err(error::conflict("RunInstances", "the machines made with this tag have all been terminated"))
    }

    fn market(&self, spot: &Spot) -> Result<InstanceMarketOptionsRequest> {
        if !self.settings.spot_allowed() {
            return Err(invalid("RunInstances", "spare capacity is switched off for this provider")
                .advice("Set `spot_enabled: true` in its block, or ask for a machine on demand."));
        }
        market(spot)
    }

    fn machine_tags(&self, request: &CreateRequest, start: &Start) -> Tags {
        let mut tags = Tags::new(&self.settings.tags, &request.tag);
        for (key, value) in request.spec.labels.iter().filter(|(key, _)| may_be_set(key)) {
            tags = tags.with(key, value);
        }
        for (key, value) in &start.sizes {
            tags = tags.with(key, value);
        }
        tags.with("Name", &request.name)
    }

    /// EC2 starts what it makes.
    async fn stop_when_running(&self, id: &str) -> Result<()> {
        until("RunInstances", &format!("{id} to run"), RUNNING_LIMIT, || async move {
            let machine = match self.machine(id).await {
                // EC2's answers agree with each other only after a while.
                Err(error) if error.is_not_found() => return Ok(None),
                machine => machine?,
            };
            match machine.state().and_then(|state| state.name()) {
                Some(InstanceStateName::Pending) | None => Ok(None),
                Some(InstanceStateName::Running) => self.stop_instance(id).await.map(Some),
                Some(InstanceStateName::Stopping | InstanceStateName::Stopped) => Ok(Some(())),
                Some(other) => {
                    let why = machine.state_reason().and_then(|reason| reason.message()).unwrap_or("no reason given");
                    Err(error::conflict("RunInstances", format!("{id} is {}: {why}", other.as_str())))
                }
            }
        })
        .await
    }

    async fn start_of_image(
        &self,
        image: &str,
        root: &novacron_types::DiskSpec,
        root_size_bytes: Option<u64>,
    ) -> Result<Start> {
        let image = self.settings.image_map.get(image).map_or(image, String::as_str);
        if !image.starts_with("ami-") {
            let mut known: Vec<&str> = self.settings.image_map.keys().map(String::as_str).collect();
            known.truncate(20);
            return Err(invalid("RunInstances", format!("`{image}` is neither an AMI's id nor in `image_map`"))
                .advice(format!(
                    "`image_map` has: {}.",
                    if known.is_empty() { "nothing".into() } else { known.join(", ") }
                )));
        }
        let mut start = Start { image: image.to_owned(), mappings: Vec::new(), sizes: Vec::new() };
        if *root != Default::default() || root_size_bytes.is_some() {
            let found = self.image(image).await?;
            let device = found.root_device_name().unwrap_or(boot::ROOT);
            start.mappings.push(boot::mapping(device, root, root_size_bytes.map(boot::whole_gib).transpose()?, true)?);
        }
        Ok(start)
    }
}

fn is_gone(machine: &Ec2Instance) -> bool {
    let state = machine.state().and_then(|state| state.name());
    matches!(state, Some(InstanceStateName::Terminated | InstanceStateName::ShuttingDown))
}

fn profile(name: &str) -> IamInstanceProfileSpecification {
    let builder = IamInstanceProfileSpecification::builder();
    if name.starts_with("arn:") { builder.arn(name).build() } else { builder.name(name).build() }
}

fn market(spot: &Spot) -> Result<InstanceMarketOptionsRequest> {
    let mut options = SpotMarketOptions::builder();
    if let Some(price) = &spot.max_price_per_hour {
        if price.currency() != "USD" || price.nanos <= 0 {
            return Err(invalid("RunInstances", "the most to pay for spare capacity must be more than 0 USD"));
        }
        options = options.max_price(price.amount());
    }
    options = if spot.persistent {
        options
            .spot_instance_type(SpotInstanceType::Persistent)
            .instance_interruption_behavior(InstanceInterruptionBehavior::Stop)
    } else {
        options.spot_instance_type(SpotInstanceType::OneTime)
    };
    Ok(InstanceMarketOptionsRequest::builder().market_type(MarketType::Spot).spot_options(options.build()).build())
}

/// What the machine needs of the image that it starts from.
pub fn is_uefi(spec: &VmSpec) -> bool {
    spec.firmware == novacron_types::Firmware::Uefi || spec.architecture == novacron_types::Architecture::Arm64
}

#[cfg(test)]
mod tests {
    use super::*;
    use novacron_types::Money;

    #[test]
    fn spot_says_price_and_kind() {
        let spot = Spot { max_price_per_hour: Some(Money::usd_nanos(41_600_000)), persistent: true };
        let request = market(&spot).unwrap();
        let options = request.spot_options().unwrap();
        assert_eq!(options.max_price(), Some("0.0416"));
        assert_eq!(options.spot_instance_type(), Some(&SpotInstanceType::Persistent));
        let euros = Spot { max_price_per_hour: Some(Money { nanos: 1, currency: *b"EUR" }), persistent: false };
        assert!(market(&euros).is_err());
    }

    #[test]
    fn profiles_by_name_or_arn() {
        assert_eq!(profile("web").name(), Some("web"));
        assert_eq!(profile("arn:aws:iam::1:instance-profile/web").arn(), Some("arn:aws:iam::1:instance-profile/web"));
    }
}
