//! From domains to machines.

use std::collections::BTreeMap;

use novacron_provider::{ListFilter, Page, PageToken, Result};
use novacron_types::{
    DiskId, Instance, InstanceDisk, InstanceId, InstanceState, NetworkInterface, NetworkSpec, VmSpec,
};
use uuid::Uuid;
use virt::{connect::Connect, domain::Domain, error::ErrorNumber, storage_pool::StoragePool, storage_vol::StorageVol};
use virt_sys as sys;

use crate::{
    fault::{fault, invalid, unavailable},
    inner::describe,
    xml::{DiskSource, DomainDisk, DomainXml},
};

/// Machines in a page of a listing.
const PAGE: usize = 100;

pub fn list(connect: &Connect, region: &str, filter: &ListFilter, page: Option<&PageToken>) -> Result<Page<Instance>> {
    check(filter)?;
    let after = match page {
        Some(PageToken(text)) => Some(
            Uuid::try_parse(text)
                .map_err(|_| invalid("virConnectListAllDomains", "not a page token of this provider"))?,
        ),
        None => None,
    };
    let mut domains = Vec::new();
    for domain in connect.list_all_domains(0).map_err(fault("virConnectListAllDomains"))? {
        let uuid = domain.get_uuid().map_err(fault("virDomainGetUUID"))?;
        if after.is_none_or(|after| uuid > after) {
            domains.push((uuid, domain));
        }
    }
    domains.sort_by_key(|(uuid, _)| *uuid);
    let next = (domains.len() > PAGE).then(|| PageToken(domains[PAGE - 1].0.to_string()));
    let mut items = Vec::new();
    for (_, domain) in domains.into_iter().take(PAGE) {
        match instance(connect, &domain, region, Detail::Listed) {
            Ok(instance) if matches(filter, &instance) => items.push(instance),
            Ok(_) => {}
            // It was deleted since the list was made.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Page { items, next })
}

/// How much is asked of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    Listed,
    /// With the addresses that the host has seen.
    Full,
}

pub fn instance(connect: &Connect, domain: &Domain, region: &str, detail: Detail) -> Result<Instance> {
    let xml = describe(domain)?;
    let (state, _reason) = domain.get_state().map_err(fault("virDomainGetState"))?;
    let state = state_of(state, xml.ledger.holds());
    let mut details = BTreeMap::from([("domain_type".to_owned(), xml.kind.clone())]);
    if let Some(machine) = &xml.machine {
        details.insert("machine".to_owned(), machine.clone());
    }
    if state == InstanceState::Stopped && domain.is_active().unwrap_or(false) {
        details.insert(
            "held".to_owned(),
            "stopped; its disks are being read, so it can't be started elsewhere".to_owned(),
        );
    }
    let boot = xml.disks.iter().position(|disk| disk.device == "disk");
    let mut disks = Vec::new();
    for (index, disk) in xml.disks.iter().enumerate() {
        if disk.device == "disk" && disk.source != DiskSource::Absent {
            disks.push(instance_disk(connect, domain, &xml, disk, Some(index) == boot)?);
        }
    }
    let running = matches!(state, InstanceState::Running | InstanceState::Paused);
    let addresses = if running && detail == Detail::Full { addresses(domain) } else { BTreeMap::new() };
    let interfaces: Vec<NetworkInterface> = xml
        .interfaces
        .iter()
        .map(|interface| NetworkInterface {
            mac: interface.mac.clone(),
            network: interface.network.clone(),
            private_ips: interface
                .mac
                .as_ref()
                .and_then(|mac| addresses.get(&mac.to_ascii_lowercase()).cloned())
                .unwrap_or_default(),
            ..NetworkInterface::default()
        })
        .collect();
    let labels = xml.made_by_us.as_ref().map(|vm| vm.labels.clone()).unwrap_or_default();
    let network = xml.interfaces.first().and_then(|interface| interface.network.clone());
    Ok(Instance {
        instance_id: InstanceId::new(xml.uuid.to_string())
            .map_err(|error| unavailable("virDomainGetXMLDesc", error.to_string()))?,
        name: Some(xml.name.clone()),
        state,
        region: Some(region.to_owned()),
        zone: None,
        spec: VmSpec {
            vcpus: xml.vcpus,
            memory_bytes: xml.memory_bytes,
            architecture: xml.architecture,
            firmware: xml.firmware,
            network: NetworkSpec { network, ..NetworkSpec::default() },
            labels,
            ..VmSpec::default()
        },
        disks,
        interfaces,
        image: None,
        launched_at: None,
        details,
    })
}

/// A domain that is paused only so that its disks can be read is as stopped as it was.
fn state_of(state: sys::virDomainState, held: bool) -> InstanceState {
    match state {
        sys::VIR_DOMAIN_RUNNING | sys::VIR_DOMAIN_BLOCKED => InstanceState::Running,
        sys::VIR_DOMAIN_PAUSED if held => InstanceState::Stopped,
        sys::VIR_DOMAIN_PAUSED | sys::VIR_DOMAIN_PMSUSPENDED => InstanceState::Paused,
        sys::VIR_DOMAIN_SHUTDOWN => InstanceState::Stopping,
        sys::VIR_DOMAIN_SHUTOFF => InstanceState::Stopped,
        sys::VIR_DOMAIN_CRASHED => InstanceState::Failed,
        _ => InstanceState::Unknown,
    }
}

fn instance_disk(
    connect: &Connect,
    domain: &Domain,
    xml: &DomainXml,
    disk: &DomainDisk,
    boot: bool,
) -> Result<InstanceDisk> {
    // A disk whose file is missing is listed without a size; the machine is still there.
    let size_bytes = domain.get_block_info(&disk.target, 0).ok().map(|info| info.capacity);
    Ok(InstanceDisk {
        disk_id: disk_id(connect, xml, disk)?,
        device: disk.target.clone(),
        boot,
        size_bytes,
        disk_type: Some(disk.format.clone()),
        iops: None,
        encrypted: Some(disk.encrypted),
        delete_on_termination: None,
    })
}

/// A disk is called by its path on the host, or by what it is on the network.
pub fn disk_id(connect: &Connect, xml: &DomainXml, disk: &DomainDisk) -> Result<DiskId> {
    let name = match &disk.source {
        DiskSource::File(path) | DiskSource::Block(path) => path.clone(),
        DiskSource::Volume { pool, volume } => {
            volume_path(connect, pool, volume).unwrap_or_else(|| format!("{pool}/{volume}"))
        }
        DiskSource::Network(name) => name.clone(),
        DiskSource::Absent => format!("{}/{}", xml.uuid, disk.target),
    };
    disk_id_of(&name)
}

fn volume_path(connect: &Connect, pool: &str, volume: &str) -> Option<String> {
    let pool = StoragePool::lookup_by_name(connect, pool).ok()?;
    StorageVol::lookup_by_name(&pool, volume).ok()?.get_path().ok()
}

/// An id can't hold white space; a path can.
pub fn disk_id_of(path: &str) -> Result<DiskId> {
    let mut id = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_whitespace() || c.is_control() || c == '%' {
            let mut bytes = [0; 4];
            id.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")));
        } else {
            id.push(c);
        }
    }
    DiskId::new(id).map_err(|error| unavailable("virDomainGetXMLDesc", error.to_string()))
}

/// Addresses by MAC, from the host's own DHCP server or its neighbour table. What it has not seen is not known.
fn addresses(domain: &Domain) -> BTreeMap<String, Vec<String>> {
    let ask = |source| domain.interface_addresses(source, 0).unwrap_or_default();
    let mut found = ask(sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE);
    if found.is_empty() {
        found = ask(sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP);
    }
    let address = |address: virt::domain::IPAddress| address.addr;
    found
        .into_iter()
        .map(|interface| (interface.hwaddr.to_ascii_lowercase(), interface.addrs.into_iter().map(address).collect()))
        .collect()
}

const FILTERS: &str = "name, state, uuid, tag:KEY";

fn check(filter: &ListFilter) -> Result<()> {
    for name in filter.filters.keys() {
        let known = matches!(name.as_str(), "name" | "state" | "uuid");
        if !known && name.strip_prefix("tag:").is_none_or(str::is_empty) {
            return Err(invalid("virConnectListAllDomains", format!("the filter {name:?} is not known here"))
                .advice(format!("There are {FILTERS}.")));
        }
    }
    Ok(())
}

fn matches(filter: &ListFilter, instance: &Instance) -> bool {
    filter.filters.iter().all(|(name, values)| {
        let has = |text: &str| values.iter().any(|value| value == text);
        match name.as_str() {
            "name" => instance.name.as_deref().is_some_and(has),
            "state" => has(&instance.state.to_string()),
            "uuid" => has(instance.instance_id.as_str()),
            tag => {
                tag.strip_prefix("tag:").and_then(|key| instance.spec.labels.get(key)).is_some_and(|value| has(value))
            }
        }
    })
}

/// A name is free, or belongs to this machine.
pub fn name_is_free(connect: &Connect, name: &str, uuid: Uuid) -> Result<bool> {
    match Domain::lookup_by_name(connect, name) {
        Ok(other) => Ok(other.get_uuid().map_err(fault("virDomainGetUUID"))? == uuid),
        Err(error) if error.code() == ErrorNumber::NoDomain => Ok(true),
        Err(error) => Err(fault("virDomainLookupByName")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_paths_are_distinct() {
        let id = |path| disk_id_of(path).unwrap().to_string();
        assert_eq!(id("/a b.qcow2"), "/a%20b.qcow2");
        assert_eq!(id("/a%20b.qcow2"), "/a%2520b.qcow2");
        assert_eq!(id("/a.qcow2"), "/a.qcow2");
    }
}
