//! libvirt's documents, and what we keep in them: read without trust, and our own come back as they were written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use novacron_provider_libvirt::xml::{
    Capabilities, DiskSource, DomainXml, JobXml, Ledger, VmMetadata, VolumeXml, escape,
};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Capabilities::parse(text);
    let _ = VolumeXml::parse(text);
    if let Ok(job) = JobXml::parse(text) {
        let _ = job.name();
    }
    if let Ok(ledger) = Ledger::parse(text) {
        comes_back(&ledger);
    }
    if let Ok(domain) = text.parse::<DomainXml>() {
        assert!(!domain.name.is_empty());
        assert!(domain.disks.is_sorted_by_key(|disk| disk.boot_order.unwrap_or(u32::MAX)));
        for disk in domain.disks.iter().filter(|disk| disk.is_data()) {
            match &disk.source {
                DiskSource::File(path) | DiskSource::Block(path) => assert!(!path.is_empty()),
                DiskSource::Volume { pool, volume } => assert!(!pool.is_empty() && !volume.is_empty()),
                DiskSource::Network(_) => {}
                DiskSource::Absent => unreachable!("a disk without a source holds no data"),
            }
        }
        comes_back(&domain.ledger);
        if let Some(metadata) = domain.made_by_us {
            comes_back_in_a_domain(metadata);
        }
    }
    quotes(text);
});

fn comes_back(ledger: &Ledger) {
    match ledger.to_xml() {
        Some(xml) => assert_eq!(Ledger::parse(&xml).expect("we wrote it"), *ledger),
        None => assert!(ledger.entries.is_empty()),
    }
}

fn comes_back_in_a_domain(metadata: VmMetadata) {
    let xml = format!(
        "<domain><name>a</name><uuid>00000000-0000-0000-0000-000000000001</uuid><metadata>{}</metadata></domain>",
        metadata.to_xml()
    );
    let domain: DomainXml = xml.parse().expect("we wrote it");
    assert_eq!(domain.made_by_us, Some(metadata));
}

/// Any text can stand in an element or an attribute: what XML can hold of it comes back.
fn quotes(text: &str) {
    let kept: String = text
        .chars()
        .filter(|c| matches!(c, '\t' | '\n' | '\r' | ' '..) && !matches!(c, '\u{fffe}' | '\u{ffff}'))
        .collect();
    let xml = format!("<a b='{0}'>{0}</a>", escape(text));
    let document = roxmltree::Document::parse(&xml).expect("it is quoted");
    let root = document.root_element();
    assert_eq!(root.attribute("b"), Some(kept.as_str()));
    assert_eq!(root.text().unwrap_or_default(), kept);
}
