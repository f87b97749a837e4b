//! Instance types: what each offers, and the smallest that fits.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use aws_sdk_ec2::types::{InstanceType as TypeName, InstanceTypeInfo};
use novacron_provider::{ErrorKind, ProviderError, Result};
use novacron_types::{Architecture, MIB, VmSpec};

use crate::{error::ec2, tags::filter};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    pub name: String,
    pub vcpus: u32,
    pub memory_mib: u64,
}

/// What DescribeInstanceTypes has said so far. A type never changes.
#[derive(Debug, Default)]
pub struct Sizes {
    known: Mutex<HashMap<String, Arc<InstanceType>>>,
}

/// More types than AWS has; beyond it nothing more is remembered.
const MOST: usize = 10_000;
const PAGE: usize = 100;

impl Sizes {
    pub fn known(&self, name: &str) -> Option<Arc<InstanceType>> {
        self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(name).cloned()
    }

    /// Asks for those that are not known yet.
    pub async fn learn(&self, client: &aws_sdk_ec2::Client, names: impl IntoIterator<Item = &str>) -> Result<()> {
        let missing: BTreeSet<&str> = names.into_iter().filter(|name| self.known(name).is_none()).collect();
        let missing: Vec<&str> = missing.into_iter().collect();
        for names in missing.chunks(PAGE) {
            let answer = client
                .describe_instance_types()
                .set_instance_types(Some(names.iter().map(|name| TypeName::from(*name)).collect()))
                .send()
                .await
                .map_err(ec2("DescribeInstanceTypes"))?;
            self.remember(answer.instance_types());
        }
        Ok(())
    }

    fn remember(&self, infos: &[InstanceTypeInfo]) {
        let mut known = self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for size in infos.iter().filter_map(read) {
            if known.len() < MOST {
                known.insert(size.name.clone(), Arc::new(size));
            }
        }
    }

    /// The smallest type that holds what the machine needs, of the wanted family or of the common ones.
    pub async fn smallest(&self, client: &aws_sdk_ec2::Client, spec: &VmSpec, family: Option<&str>) -> Result<String> {
        let architecture = match spec.architecture {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "arm64",
        };
        let families = families(spec.architecture, family);
        let patterns: Vec<String> = families.iter().map(|family| format!("{family}.*")).collect();
        let mut pages = client
            .describe_instance_types()
            .filters(filter("instance-type", patterns.iter().map(String::as_str)))
            .filters(filter("processor-info.supported-architecture", [architecture]))
            .max_results(100)
            .into_paginator()
            .send();
        let mut candidates = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(ec2("DescribeInstanceTypes"))?;
            self.remember(page.instance_types());
            candidates.extend(page.instance_types().iter().filter_map(read));
        }
        choose(&candidates, &families, spec.vcpus.unwrap_or(1), spec.memory_bytes.unwrap_or(0)).ok_or_else(|| {
            let families = families.join(", ");
            let message = format!("no {architecture} type of {families} has the vCPUs and the memory that are needed");
            ProviderError::new(ErrorKind::NoCapacity, "DescribeInstanceTypes", message)
                .advice("Name an `instance_type`, or set `instance_family` to a family with larger types.")
        })
    }
}

fn families(architecture: Architecture, wanted: Option<&str>) -> Vec<&str> {
    match (wanted, architecture) {
        (Some(family), _) => vec![family],
        (None, Architecture::X86_64) => vec!["t3", "m6i", "m5", "c6i", "c5", "r6i", "r5"],
        (None, Architecture::Arm64) => vec!["t4g", "m7g", "m6g", "c7g", "r7g"],
    }
}

fn choose(candidates: &[InstanceType], families: &[&str], vcpus: u32, memory_bytes: u64) -> Option<String> {
    let rank = |size: &InstanceType| {
        let family = size.name.split('.').next().unwrap_or_default();
        families.iter().position(|known| *known == family)
    };
    candidates
        .iter()
        .filter(|size| size.vcpus >= vcpus && size.memory_mib.saturating_mul(MIB) >= memory_bytes)
        .filter(|size| !size.name.contains("metal"))
        .min_by_key(|size| (size.vcpus, size.memory_mib, rank(size), size.name.clone()))
        .map(|size| size.name.clone())
}

fn read(info: &InstanceTypeInfo) -> Option<InstanceType> {
    Some(InstanceType {
        name: info.instance_type()?.as_str().to_owned(),
        vcpus: u32::try_from(info.v_cpu_info()?.default_v_cpus()?).ok()?,
        memory_mib: u64::try_from(info.memory_info()?.size_in_mib()?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_smallest_that_holds_it() {
        let size = |name: &str, vcpus, memory_mib| InstanceType { name: name.to_owned(), vcpus, memory_mib };
        let all = [
            size("m5.large", 2, 8192),
            size("t3.micro", 2, 1024),
            size("t3.medium", 2, 4096),
            size("c5.large", 2, 4096),
            size("m5.metal", 2, 4096),
            size("m5.xlarge", 4, 16384),
        ];
        let families = ["t3", "m5", "c5"];
        let choose = |vcpus, gib: u64| choose(&all, &families, vcpus, gib << 30);
        assert_eq!(choose(1, 0).as_deref(), Some("t3.micro"));
        assert_eq!(choose(2, 4).as_deref(), Some("t3.medium"));
        assert_eq!(choose(2, 5).as_deref(), Some("m5.large"));
        assert_eq!(choose(3, 1).as_deref(), Some("m5.xlarge"));
        assert_eq!(choose(8, 1), None);
    }
}
