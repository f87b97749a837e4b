//! What is written is read again, and what is not libvirt's is refused or left out, never believed.

use std::collections::{BTreeMap, BTreeSet};

use novacron_types::{Architecture, Firmware};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::names::SnapshotName;

const RUNNING: &str = r#"<domain type='kvm' id='7'>
  <name>db &amp; web</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>
  <metadata>
    <other:thing xmlns:other='urn:other'><other:operation>x</other:operation></other:thing>
    <novacron-snapshots:snapshots xmlns:novacron-snapshots="urn:novacron:snapshots:1">
      <snapshot name='nc-4dea22b31d52d8f32516782e98ab3fa0-3-000000ff' disks='vda vdb' held='yes'/>
      <snapshot name='../../etc/passwd' disks='vda' held='no'/>
    </novacron-snapshots:snapshots>
  </metadata>
  <memory unit='GiB'>2</memory><vcpu placement='static' current='2'>4</vcpu>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><loader readonly='yes' type='pflash'>/x.fd</loader></os>
  <devices>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
    <disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/vg/b' index='1'/>
      <target dev='vdb' bus='virtio'/><boot order='2'/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/images/a b.qcow2'/>
      <target dev='vda' bus='virtio'/><boot order='1'/></disk>
    <disk type='volume' device='disk'><source pool='p' volume='v'/><target dev='vdc' bus='virtio'/></disk>
    <disk type='network' device='disk'><source protocol='rbd' name='pool/image'><host name='ceph'/></source>
      <target dev='vdd' bus='virtio'/></disk>
    <interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/><model type='virtio'/></interface>
    <interface type='network'><source network='default' portid='1'/></interface>
    <interface type='user'/>
  </devices></domain>"#;

#[test]
fn a_domain_as_libvirt_describes_it() {
    let domain: DomainXml = RUNNING.parse().unwrap();
    assert_eq!((domain.name.as_str(), domain.kind.as_str()), ("db & web", "kvm"));
    assert_eq!((domain.vcpus, domain.memory_bytes), (Some(2), Some(2 << 30)));
    assert_eq!(domain.firmware, Firmware::Uefi);
    assert_eq!(domain.made_by_us, None);
    let order: Vec<&str> = domain.disks.iter().map(|disk| disk.target.as_str()).collect();
    assert_eq!(order, ["vda", "vdb", "sda", "vdc", "vdd"]);
    assert_eq!(domain.disks[0].source, DiskSource::File("/images/a b.qcow2".to_owned()));
    assert_eq!(domain.disks[1].source, DiskSource::Block("/dev/vg/b".to_owned()));
    assert_eq!(domain.disks[4].source, DiskSource::Network("rbd:pool/image".to_owned()));
    assert!(domain.disks[0].is_data() && !domain.disks[2].is_data());
    let networks: Vec<Option<&str>> = domain.interfaces.iter().map(|nic| nic.network.as_deref()).collect();
    assert_eq!(networks, [Some("bridge:br0"), Some("default"), Some("user")]);
    assert_eq!(domain.ledger.entries.len(), 1);
    assert_eq!(domain.ledger.entries[0].disks.len(), 2);
    assert!(domain.ledger.holds());
}

#[test]
fn a_job_as_libvirt_describes_it() {
    let xml = "<domainbackup mode='pull'><server transport='tcp' name='198.18.0.1' port='10810'/><disks>\
        <disk name='vda' backup='yes' type='file' backupmode='incremental' incremental='c' exportname='e' \
        exportbitmap='b' index='9'><driver type='qcow2'/>\
        <scratch file='/i/nc-4dea22b31d52d8f32516782e98ab3fa0-3-000000ff-vda.scratch'/></disk>\
        <disk name='vdb' backup='no'/></disks></domainbackup>";
    let job = JobXml::parse(xml).unwrap();
    assert_eq!(job.server, Some(Server::Tcp { host: "198.18.0.1".to_owned(), port: 10810 }));
    assert_eq!(job.disks.len(), 1);
    assert_eq!((job.disks[0].export.as_str(), job.disks[0].bitmap.as_deref()), ("e", Some("b")));
    assert_eq!(job.name().map(|name| name.nonce), Some(255));
    let push = JobXml::parse("<domainbackup mode='push'><disks><disk name='vda' backup='yes'/></disks></domainbackup>");
    assert_eq!((push.as_ref().unwrap().server.clone(), push.unwrap().name()), (None, None));
}

#[test]
fn entities_are_not_expanded() {
    let bomb = "<!DOCTYPE d [<!ENTITY a 'aaaa'>]><domain><name>&a;</name></domain>";
    assert!(bomb.parse::<DomainXml>().is_err());
}

fn text() -> impl Strategy<Value = String> {
    "[ -~äß€\u{1}\u{7f}\u{85}\n\r\t]{1,30}".prop_filter("more than white space", |text| !text.trim().is_empty())
}

proptest! {
    #[test]
    fn a_new_domain_reads_as_it_was_meant(
        name in text().prop_map(|text| format!("n{text}")), operation in "[!-~]{1,40}", label in text(), value in text(), path in "/[!-~]{1,40}", key: u128,
    ) {
        let labels = BTreeMap::from([(label.clone(), value.clone())]);
        let new = NewDomain {
            uuid: Uuid::from_u128(key),
            name: name.clone(),
            kind: "qemu",
            vcpus: 3,
            memory_bytes: 1 << 30,
            architecture: Architecture::Arm64,
            firmware: Firmware::Uefi,
            machine: "virt".to_owned(),
            cpu: "max".to_owned(),
            emulator: None,
            disks: new_disk(0, &path, "qcow2", "virtio"),
            network: "bridge:br0".to_owned(),
            mac: "52:54:00:00:00:01".to_owned(),
            nic_model: "virtio".to_owned(),
            metadata: VmMetadata { operation: operation.clone(), labels },
        };
        let read: DomainXml = domain(&new).parse().unwrap();
        // What XML can't hold, of what `text` makes.
        let clean = |text: &str| text.replace('\u{1}', "");
        prop_assert_eq!(read.name, clean(&name).trim().to_owned());
        prop_assert_eq!(read.uuid, new.uuid);
        prop_assert_eq!((read.architecture, read.firmware, read.vcpus), (Architecture::Arm64, Firmware::Uefi, Some(3)));
        prop_assert_eq!(&read.disks[0].source, &DiskSource::File(path));
        let ours = read.made_by_us.unwrap();
        prop_assert_eq!(ours.operation, operation);
        prop_assert_eq!(ours.labels, BTreeMap::from([(clean(&label), clean(&value))]));
    }

    #[test]
    fn the_ledger_round_trips(entries in proptest::collection::vec((any::<u128>(), any::<u32>(), any::<u32>(), any::<bool>()), 0..5)) {
        let entries: Vec<Entry> = entries
            .into_iter()
            .map(|(key, sequence, nonce, held)| Entry {
                name: SnapshotName { key: Uuid::from_u128(key), sequence, nonce },
                disks: BTreeSet::from(["vda".to_owned(), "sdb".to_owned()]),
                held,
            })
            .collect();
        let ledger = Ledger { entries };
        match ledger.to_xml() {
            Some(xml) => prop_assert_eq!(Ledger::parse(&xml).unwrap(), ledger),
            None => prop_assert!(ledger.entries.is_empty()),
        }
    }

    #[test]
    fn never_panics(at in 0usize..2000, with in ".{0,8}", cut: bool) {
        let mut broken = RUNNING.to_owned();
        if let Some((at, _)) = broken.char_indices().nth(at) {
            if cut { broken.truncate(at) } else { broken.insert_str(at, &with) }
        }
        let _ = broken.parse::<DomainXml>();
        let _ = JobXml::parse(&broken);
        let _ = Ledger::parse(&broken);
        let _ = VolumeXml::parse(&broken);
        let _ = Capabilities::parse(&broken);
    }
}
