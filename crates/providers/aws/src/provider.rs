//! Machines as they are: health, list, get, start, stop, terminate.

use std::collections::HashMap;

use aws_sdk_ec2::types::{Instance as Ec2Instance, InstanceAttributeName, Volume};
use base64::{Engine, engine::general_purpose::STANDARD};
use novacron_provider::{Health, ListFilter, Page, PageToken, Realm, Result};
use novacron_types::{Instance, InstanceId, ProviderKind};

use crate::{
    AwsProvider,
    error::{self, ec2, failed, incomplete, invalid, not_found},
    filters,
    instance::{self, Beside},
    tags::filter,
};

/// The most that DescribeInstances gives at once.
const PAGE: i32 = 1000;
/// Values to one filter.
const FILTER_VALUES: usize = 200;

impl AwsProvider {
    pub async fn caller(&self) -> Result<Health> {
        let caller = self.clients.sts.get_caller_identity().send().await.map_err(failed("sts", "GetCallerIdentity"))?;
        let arn = caller.arn().unwrap_or("an identity without a name");
        Ok(Health { account: caller.account().map(str::to_owned), detail: format!("GetCallerIdentity said {arn}") })
    }

    /// An account is the same through whatever endpoint, so that an endpoint does not count: two emulations may then be
    /// taken for one, but never one account for two.
    pub async fn account_and_region(&self) -> Result<Realm> {
        let ask = || async {
            let caller = self.clients.sts.get_caller_identity().send().await;
            let caller = caller.map_err(failed("sts", "GetCallerIdentity"))?;
            let account = caller.account().ok_or_else(|| incomplete("GetCallerIdentity", "the account"))?;
            let partition = caller.arn().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws");
            Ok(Realm::new(ProviderKind::Aws, format_args!("{partition}/{account}/{}", self.clients.region)))
        };
        self.realm.get_or_try_init(ask).await.cloned()
    }

    pub async fn page(&self, filter: &ListFilter, page: Option<&PageToken>) -> Result<Page<Instance>> {
        let answer = self
            .clients
            .ec2
            .describe_instances()
            .set_filters(Some(filters::to_ec2(filter)?))
            .max_results(PAGE)
            .set_next_token(page.map(|token| token.0.clone()))
            .send()
            .await
            .map_err(ec2("DescribeInstances"))?;
        let machines: Vec<&Ec2Instance> =
            answer.reservations().iter().flat_map(|reservation| reservation.instances()).collect();
        let types = machines.iter().filter_map(|machine| machine.instance_type()).map(|name| name.as_str());
        if let Err(error) = self.sizes.learn(&self.clients.ec2, types).await {
            tracing::warn!(%error, "the list will lack the machines' memory");
        }
        let items = machines.into_iter().map(|machine| self.describe(machine, Beside::default()));
        let next = answer.next_token().filter(|token| !token.is_empty());
        Ok(Page { items: items.collect::<Result<_>>()?, next: next.map(|token| PageToken(token.to_owned())) })
    }

    pub async fn full(&self, id: &InstanceId) -> Result<Instance> {
        let machine = self.machine(id.as_str()).await?;
        if let Some(name) = machine.instance_type() {
            self.sizes.learn(&self.clients.ec2, [name.as_str()]).await?;
        }
        let ids = machine.block_device_mappings().iter().filter_map(|mapping| mapping.ebs()?.volume_id());
        let volumes = self.volumes(ids).await?;
        let volumes: HashMap<&str, &Volume> =
            volumes.iter().filter_map(|volume| Some((volume.volume_id()?, volume))).collect();
        let gone = instance::state(machine.state().and_then(|state| state.name()))
            == novacron_types::InstanceState::Terminated;
        let data = if gone { None } else { self.user_data(id.as_str()).await? };
        let binary = data.as_ref().filter(|data| std::str::from_utf8(data).is_err()).map(Vec::len);
        let user_data = data.and_then(|data| String::from_utf8(data).ok());
        let mut instance = self.describe(&machine, Beside { volumes, user_data, ..Beside::default() })?;
        if let Some(len) = binary {
            instance.details.insert("user_data".to_owned(), format!("{len} bytes that are not text"));
        }
        Ok(instance)
    }

    /// EC2's description as ours, with what is known of its type.
    pub fn describe(&self, machine: &Ec2Instance, beside: Beside<'_>) -> Result<Instance> {
        let size = machine.instance_type().and_then(|name| self.sizes.known(name.as_str()));
        let beside = Beside { region: &self.clients.region, instance_type: size.as_deref(), ..beside };
        instance::map(machine, beside).map_err(|error| invalid("DescribeInstances", error.to_string()))
    }

    pub async fn machine(&self, id: &str) -> Result<Ec2Instance> {
        let answer =
            self.clients.ec2.describe_instances().instance_ids(id).send().await.map_err(ec2("DescribeInstances"))?;
        let mut machines =
            answer.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default());
        machines.next().ok_or_else(|| not_found("DescribeInstances", format!("there is no instance {id}")))
    }

    /// Those of the volumes that are there.
    pub async fn volumes<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Result<Vec<Volume>> {
        let ids: Vec<&str> = ids.collect();
        let mut volumes = Vec::new();
        for ids in ids.chunks(FILTER_VALUES) {
            let answer = self
                .clients
                .ec2
                .describe_volumes()
                .filters(filter("volume-id", ids.iter().copied()))
                .send()
                .await
                .map_err(ec2("DescribeVolumes"))?;
            volumes.extend(answer.volumes.unwrap_or_default());
        }
        Ok(volumes)
    }

    async fn user_data(&self, id: &str) -> Result<Option<Vec<u8>>> {
        let answer = self
            .clients
            .ec2
            .describe_instance_attribute()
            .instance_id(id)
            .attribute(InstanceAttributeName::UserData)
            .send()
            .await
            .map_err(ec2("DescribeInstanceAttribute"))?;
        let Some(encoded) = answer.user_data().and_then(|data| data.value()).filter(|data| !data.is_empty()) else {
            return Ok(None);
        };
        STANDARD.decode(encoded).map(Some).map_err(|_| incomplete("DescribeInstanceAttribute", "user data in base64"))
    }

    pub async fn start_instance(&self, id: &str) -> Result<()> {
        self.clients.ec2.start_instances().instance_ids(id).send().await.map_err(ec2("StartInstances"))?;
        Ok(())
    }

    pub async fn stop_instance(&self, id: &str) -> Result<()> {
        self.clients.ec2.stop_instances().instance_ids(id).send().await.map_err(ec2("StopInstances"))?;
        Ok(())
    }

    /// A persistent spot request would bring the machine back, so it goes first.
    pub async fn terminate(&self, id: &str) -> Result<()> {
        let machine = match self.machine(id).await {
            Err(error) if error.is_not_found() => return Ok(()),
            machine => machine?,
        };
        if let Some(request) = machine.spot_instance_request_id().filter(|id| !id.is_empty()) {
            let cancelled =
                self.clients.ec2.cancel_spot_instance_requests().spot_instance_request_ids(request).send().await;
            match cancelled.map_err(ec2("CancelSpotInstanceRequests")) {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        match self.clients.ec2.terminate_instances().instance_ids(id).send().await {
            Ok(_) => Ok(()),
            Err(error) if error::code(&error) == Some("InvalidInstanceID.NotFound") => Ok(()),
            Err(error) => Err(ec2("TerminateInstances")(error)),
        }
    }
}
