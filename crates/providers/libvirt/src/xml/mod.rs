//! libvirt's documents, read and written. Nothing here does I/O.

mod domain;
mod job;
mod metadata;
mod parts;
#[cfg(test)]
mod tests;
mod write;

pub use domain::{DiskSource, DomainDisk, DomainInterface, DomainXml};
pub use job::{JobDisk, JobXml};
pub use metadata::{Entry, LEDGER_KEY, LEDGER_URI, Ledger, VM_URI, VmMetadata};
pub use parts::{Capabilities, VolumeXml, host_uuid};
pub use write::{BackupDisk, NewDomain, NewVolume, Server, backup, checkpoint, domain, escape, new_disk, pool, volume};

use novacron_provider::{ErrorKind, ProviderError, Result};
use roxmltree::{Document, Node, ParsingOptions};

/// Parses a document of libvirt's. One that can't be read is a broken answer.
fn parse<'a>(what: &'static str, text: &'a str) -> Result<Document<'a>> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: 1 << 20, ..ParsingOptions::default() };
    Document::parse_with_options(text, options)
        .map_err(|error| ProviderError::new(ErrorKind::Unavailable, what, format!("libvirt's answer: {error}")))
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

fn children<'a, 'i: 'a>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

fn text(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name)?.text().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn attribute(node: Option<Node<'_, '_>>, name: &str) -> Option<String> {
    node?.attribute(name).map(str::to_owned)
}

/// A size with libvirt's units; without one it is in `unit`.
fn size(node: Node<'_, '_>, unit: u64) -> Option<u64> {
    let number: u64 = node.text()?.trim().parse().ok()?;
    let factor = match node.attribute("unit") {
        None => unit,
        Some("b" | "bytes") => 1,
        Some("KB") => 1000,
        Some("k" | "K" | "KiB") => 1 << 10,
        Some("MB") => 1_000_000,
        Some("M" | "MiB") => 1 << 20,
        Some("GB") => 1_000_000_000,
        Some("G" | "GiB") => 1 << 30,
        Some("TB") => 1_000_000_000_000,
        Some("T" | "TiB") => 1 << 40,
        Some(_) => return None,
    };
    number.checked_mul(factor)
}
