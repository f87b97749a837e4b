//! What we keep in a domain's metadata: whose it is, and which snapshots of it are ours.

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::Node;

use super::{children, escape, parse};
use crate::names::SnapshotName;
use novacron_provider::Result;

/// The namespace of the element that says which operation made the domain, with its labels.
pub const VM_URI: &str = "urn:novacron:vm:1";
/// The namespace and prefix of the element with the snapshots.
pub const LEDGER_URI: &str = "urn:novacron:snapshots:1";
pub const LEDGER_KEY: &str = "novacron-snapshots";

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VmMetadata {
    pub operation: String,
    pub labels: BTreeMap<String, String>,
}

impl VmMetadata {
    /// From a domain's `<metadata>`.
    pub(super) fn find(metadata: Node<'_, '_>) -> Option<Self> {
        let vm = element(metadata, VM_URI, "vm")?;
        let operation = children(vm, "operation").next()?.text().unwrap_or_default().trim().to_owned();
        let labels = children(vm, "label")
            .filter_map(|label| Some((label.attribute("key")?.to_owned(), label.text().unwrap_or("").to_owned())))
            .collect();
        Some(Self { operation, labels })
    }

    pub fn to_xml(&self) -> String {
        let labels: String = self
            .labels
            .iter()
            .map(|(key, value)| format!("<novacron:label key='{}'>{}</novacron:label>", escape(key), escape(value)))
            .collect();
        format!(
            "<novacron:vm xmlns:novacron='{VM_URI}'><novacron:operation>{}</novacron:operation>{labels}</novacron:vm>",
            escape(&self.operation)
        )
    }
}

/// One snapshot that was taken, or was about to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: SnapshotName,
    /// The disks whose part has not been deleted yet.
    pub disks: BTreeSet<String>,
    /// The domain was stopped, and is paused only so that it can be read.
    pub held: bool,
}

/// The snapshots that are ours. It is written before anything is made, so that whatever was made is found again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    pub entries: Vec<Entry>,
}

impl Ledger {
    /// From the text that libvirt keeps under [`LEDGER_URI`].
    pub fn parse(text: &str) -> Result<Self> {
        let document = parse("read snapshots", text)?;
        Ok(Self::read(document.root_element()))
    }

    pub(super) fn find(metadata: Node<'_, '_>) -> Self {
        element(metadata, LEDGER_URI, "snapshots").map(Self::read).unwrap_or_default()
    }

    /// What can't be read was not written by us, and is left out.
    fn read(element: Node<'_, '_>) -> Self {
        let entries = children(element, "snapshot")
            .filter_map(|entry| {
                Some(Entry {
                    name: entry.attribute("name")?.parse().ok()?,
                    disks: entry.attribute("disks")?.split_whitespace().map(str::to_owned).collect(),
                    held: entry.attribute("held") == Some("yes"),
                })
            })
            .collect();
        Self { entries }
    }

    /// Absent when there is nothing to keep.
    pub fn to_xml(&self) -> Option<String> {
        let entries: String = self
            .entries
            .iter()
            .map(|entry| {
                let disks: Vec<&str> = entry.disks.iter().map(String::as_str).collect();
                let held = if entry.held { "yes" } else { "no" };
                format!("<snapshot name='{}' disks='{}' held='{held}'/>", entry.name, escape(&disks.join(" ")))
            })
            .collect();
        (!entries.is_empty()).then(|| format!("<snapshots>{entries}</snapshots>"))
    }

    pub fn entry(&self, name: SnapshotName) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    pub fn entry_mut(&mut self, name: SnapshotName) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.name == name)
    }

    pub fn remove(&mut self, name: SnapshotName) {
        self.entries.retain(|entry| entry.name != name);
    }

    pub fn holds(&self) -> bool {
        self.entries.iter().any(|entry| entry.held)
    }
}

fn element<'a, 'i: 'a>(metadata: Node<'a, 'i>, uri: &str, name: &'static str) -> Option<Node<'a, 'i>> {
    children(metadata, name).find(|element| element.tag_name().namespace() == Some(uri))
}
