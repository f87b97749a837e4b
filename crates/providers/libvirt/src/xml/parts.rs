//! The few things that we want to know of capabilities and volumes.

use novacron_provider::Result;

use super::{attribute, child, children, parse, size, text};

/// What a host can run, for one architecture, machine type and kind of domain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    pub emulator: Option<String>,
    pub machine: Option<String>,
    /// The ways of booting that it has firmware for (`efi`, `bios`).
    pub firmware: Vec<String>,
}

impl Capabilities {
    pub fn parse(xml: &str) -> Result<Self> {
        let document = parse("virConnectGetDomainCapabilities", xml)?;
        let root = document.root_element();
        let firmware = child(root, "os")
            .into_iter()
            .flat_map(|os| children(os, "enum"))
            .filter(|list| list.attribute("name") == Some("firmware"))
            .flat_map(|list| children(list, "value"))
            .filter_map(|value| value.text().map(|text| text.trim().to_owned()))
            .collect();
        Ok(Self { emulator: text(root, "path"), machine: text(root, "machine"), firmware })
    }
}

/// What a host is known by, where its driver says it.
pub fn host_uuid(xml: &str) -> Result<Option<String>> {
    let document = parse("virConnectGetCapabilities", xml)?;
    Ok(child(document.root_element(), "host").and_then(|host| text(host, "uuid")))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeXml {
    pub path: String,
    pub format: String,
    pub capacity: u64,
    pub has_base: bool,
}

impl VolumeXml {
    pub fn parse(xml: &str) -> Result<Option<Self>> {
        let document = parse("virStorageVolGetXMLDesc", xml)?;
        let root = document.root_element();
        let read = || {
            let target = child(root, "target")?;
            Some(Self {
                path: text(target, "path")?,
                format: attribute(child(target, "format"), "type").unwrap_or_else(|| "raw".to_owned()),
                capacity: size(child(root, "capacity")?, 1)?,
                has_base: child(root, "backingStore").is_some_and(|base| text(base, "path").is_some()),
            })
        };
        Ok(read())
    }
}
