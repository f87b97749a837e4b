//! Machines: [`Provider`] for the provider in memory.

use async_trait::async_trait;
use novacron_types::{Instance, InstanceId, InstanceState};

use super::{
    MemoryProvider, Region, conflict, invalid, not_found,
    sparse::Sparse,
    state::{Machine, State},
};
use crate::{
    Boot, ChangedBlocks, CreateRequest, DiskSink, DiskSource, Health, HostCapacity, Identity, Images, ListFilter,
    Metrics, OperationTag, Page, PageToken, Provider, Realm, Result, SweepScope,
};

const FILTERS: [&str; 4] = ["instance-id", "instance-state-name", "instance-type", "tag:<key>"];

#[async_trait]
impl Provider for MemoryProvider {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    async fn realm(&self) -> Result<Realm> {
        let cloud = std::sync::Arc::as_ptr(&self.cloud.regions);
        Ok(Realm::new(self.identity.kind, format_args!("{cloud:p}/{}", self.options.region)))
    }

    async fn health(&self) -> Result<Health> {
        Ok(Health { account: Some("memory".to_owned()), detail: "disks and machines in memory".to_owned() })
    }

    async fn list_page(&self, filter: &ListFilter, page: Option<&PageToken>) -> Result<Page<Instance>> {
        check_filters(filter)?;
        let state = self.state();
        let after = page.map(|token| token.0.as_str());
        if after.is_some_and(|id| id.is_empty()) {
            return Err(invalid("list_page", "this page token was not given by this provider"));
        }
        let mut items: Vec<Instance> = state
            .machines
            .iter()
            .filter(|(id, machine)| after.is_none_or(|after| id.as_str() > after) && matches(machine, filter))
            .take(self.options.page_size.max(1) + 1)
            .map(|(_, machine)| listed(&machine.instance))
            .collect();
        let more = items.len() > self.options.page_size.max(1);
        items.truncate(self.options.page_size.max(1));
        let next = items.last().filter(|_| more).map(|last| PageToken(last.instance_id.to_string()));
        Ok(Page { items, next })
    }

    async fn get(&self, id: &InstanceId) -> Result<Instance> {
        let mut state = self.state();
        let machine = state.machine_mut(id, "get")?;
        machine.ask();
        Ok(machine.instance.clone())
    }

    async fn create(&self, request: &CreateRequest) -> Result<Instance> {
        let mut state = self.state();
        if let Some(machine) = state.machine_with(&request.tag) {
            return Ok(machine.instance.clone());
        }
        let id: InstanceId = state.new_id("i");
        let (disks, image) = match &request.boot {
            Boot::Image { image, root, root_size_bytes } => {
                let mut contents = image_contents(&state, image)?;
                if let (Some(first), Some(size)) = (contents.first_mut(), *root_size_bytes) {
                    first.resize(size.max(first.size()));
                }
                let mut disks = attach(&mut state, &id, contents, &request.tag);
                if let Some(first) = disks.first_mut() {
                    first.disk_type = root.disk_type.clone();
                    first.iops = root.iops;
                    first.encrypted = root.encrypted;
                }
                (disks, Some(image.clone()))
            }
            Boot::ImageId { image } => {
                let contents = image_contents(&state, image.as_str())?;
                (attach(&mut state, &id, contents, &request.tag), Some(image.to_string()))
            }
            Boot::Disks { disks } => {
                for disk in disks {
                    let found = state.disk_mut(&disk.disk_id, "create")?;
                    if !found.sealed || found.attached {
                        let why = if found.attached { "attached already" } else { "not completed" };
                        return Err(conflict("create", format!("disk {} is {why}", disk.disk_id)));
                    }
                }
                let mut described = Vec::new();
                for (index, disk) in disks.iter().enumerate() {
                    let found = state.disk_mut(&disk.disk_id, "create")?;
                    found.attached = true;
                    found.index = u32::try_from(index).unwrap_or(u32::MAX);
                    described.push(found.describe(&disk.disk_id));
                }
                (described, None)
            }
        };
        let mut machine =
            Machine::new(id, &request.name, request.spec.clone(), disks, image, Some(request.tag.clone()));
        machine.instance.region = self.identity.region.clone();
        let finally = if request.start { InstanceState::Running } else { InstanceState::Stopped };
        machine.begin(InstanceState::Pending, finally, self.options.settle_after);
        let instance = machine.instance.clone();
        state.machines.insert(instance.instance_id.as_str().to_owned(), machine);
        Ok(instance)
    }

    async fn start(&self, id: &InstanceId) -> Result<()> {
        let settle_after = self.options.settle_after;
        let mut state = self.state();
        let machine = state.machine_mut(id, "start")?;
        match machine.instance.state {
            InstanceState::Stopped | InstanceState::Paused => {
                machine.begin(InstanceState::Pending, InstanceState::Running, settle_after);
                Ok(())
            }
            InstanceState::Running | InstanceState::Pending => Ok(()),
            other => Err(conflict("start", format!("{id} is {other}"))),
        }
    }

    async fn stop(&self, id: &InstanceId) -> Result<()> {
        let settle_after = self.options.settle_after;
        let mut state = self.state();
        let machine = state.machine_mut(id, "stop")?;
        match machine.instance.state {
            InstanceState::Running | InstanceState::Pending | InstanceState::Paused => {
                machine.begin(InstanceState::Stopping, InstanceState::Stopped, settle_after);
                Ok(())
            }
            InstanceState::Stopped | InstanceState::Stopping => Ok(()),
            other => Err(conflict("stop", format!("{id} is {other}"))),
        }
    }

    async fn delete(&self, id: &InstanceId) -> Result<()> {
        remove_machine(&mut self.state(), id.as_str());
        Ok(())
    }

    async fn sweep(&self, tag: &OperationTag, scope: SweepScope) -> Result<Vec<String>> {
        let mut state = self.state();
        let state: &mut State = &mut state;
        let mut removed = Vec::new();
        if scope == SweepScope::Everything {
            let machines: Vec<String> = state
                .machines
                .iter()
                .filter(|(_, machine)| machine.tag.as_ref() == Some(tag))
                .map(|(id, _)| id.clone())
                .collect();
            for id in machines {
                remove_machine(state, &id);
                removed.push(id);
            }
        }
        state.images.retain(|id, image| keep(image.tag.as_ref() != Some(tag), id, &mut removed));
        state.snapshots.retain(|id, snapshot| keep(snapshot.tag != *tag, id, &mut removed));
        state.disks.retain(|id, disk| keep(disk.attached || disk.tag.as_ref() != Some(tag), id, &mut removed));
        Ok(removed)
    }

    fn disk_source(&self) -> Option<&dyn DiskSource> {
        Some(self)
    }
    fn changed_blocks(&self) -> Option<&dyn ChangedBlocks> {
        self.options.changed_blocks.then_some(self as &dyn ChangedBlocks)
    }
    fn disk_sink(&self) -> Option<&dyn DiskSink> {
        Some(self)
    }
    fn images(&self) -> Option<&dyn Images> {
        Some(self)
    }
    fn metrics(&self) -> Option<&dyn Metrics> {
        Some(self)
    }
    fn host_capacity(&self) -> Option<&dyn HostCapacity> {
        self.options.host.map(|_| self as &dyn HostCapacity)
    }
}

fn keep(keep: bool, id: &str, removed: &mut Vec<String>) -> bool {
    if !keep {
        removed.push(id.to_owned());
    }
    keep
}

/// A listing leaves out what only a question about one machine gives.
fn listed(instance: &Instance) -> Instance {
    let mut instance = instance.clone();
    instance.spec.user_data = None;
    instance
}

fn check_filters(filter: &ListFilter) -> Result<()> {
    for name in filter.filters.keys() {
        if !FILTERS.contains(&name.as_str()) && !name.starts_with("tag:") {
            let message = format!("there is no filter `{name}`");
            return Err(invalid("list_page", message)
                .advice(format!("The filters of this provider are: {}.", FILTERS.join(", "))));
        }
    }
    Ok(())
}

fn matches(machine: &Machine, filter: &ListFilter) -> bool {
    let instance = &machine.instance;
    filter.filters.iter().all(|(name, values)| {
        let value = match name.as_str() {
            "instance-id" => Some(instance.instance_id.to_string()),
            "instance-state-name" => Some(instance.state.to_string()),
            "instance-type" => instance.spec.instance_type.clone(),
            "tag:Name" => instance.name.clone(),
            OPERATION_TAG => machine.tag.as_ref().map(ToString::to_string),
            other => other.strip_prefix("tag:").and_then(|key| instance.spec.labels.get(key).cloned()),
        };
        value.is_some_and(|value| values.contains(&value))
    })
}

const OPERATION_TAG: &str = "tag:novacron:operation";

fn image_contents(state: &Region<'_>, name: &str) -> Result<Vec<Sparse>> {
    let by_name = || state.images.values().find(|image| image.name.as_deref() == Some(name));
    let image = state.images.get(name).or_else(by_name).ok_or_else(|| not_found("create", "image", name))?;
    Ok(image.disks.clone())
}

fn attach(
    state: &mut State,
    id: &InstanceId,
    contents: Vec<Sparse>,
    tag: &OperationTag,
) -> Vec<novacron_types::InstanceDisk> {
    let contents = contents.into_iter().enumerate();
    contents.map(|(index, content)| state.attach_new_disk(id, index, content, Some(tag.clone()))).collect()
}

fn remove_machine(state: &mut State, id: &str) {
    if let Some(machine) = state.machines.remove(id) {
        for disk in &machine.instance.disks {
            state.disks.remove(disk.disk_id.as_str());
        }
    }
}
