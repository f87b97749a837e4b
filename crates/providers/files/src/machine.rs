//! What a machine is on disk, and its names.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt};

use jiff::Timestamp;
use novacron_provider::{ErrorKind, OperationTag, ProviderError, Result};
use novacron_transfer::format::{self, ImageFormat};
use novacron_types::{DiskId, DiskSpec, Instance, InstanceDisk, InstanceId, InstanceState, VmSpec};
use serde::{Deserialize, Serialize};

use crate::folder::Folder;

pub(crate) const RECORD: &str = "vm.json";
const VERSION: u32 = 1;

/// The endings of images that a person may put into the folder.
const IMAGES: [&str; 3] = ["raw", "img", "qcow2"];

/// `vm.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub version: u32,
    pub id: InstanceId,
    pub name: String,
    pub tag: OperationTag,
    pub spec: VmSpec,
    pub disks: Vec<DiskRecord>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DiskRecord {
    pub file: String,
    pub format: ImageFormat,
    pub size_bytes: u64,
    #[serde(default)]
    pub spec: DiskSpec,
}

/// A machine that was found: where its disks are, beneath the folder.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub id: InstanceId,
    /// Absent for an image that a person put there.
    pub record: Option<Record>,
    pub disks: Vec<Disk>,
    pub seen_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub inside: String,
    pub format: ImageFormat,
    pub size_bytes: u64,
}

impl Record {
    pub fn new(id: InstanceId, name: String, tag: OperationTag, spec: VmSpec, disks: Vec<DiskRecord>) -> Self {
        Self { version: VERSION, id, name, tag, spec, disks, created_at: Timestamp::now() }
    }

    fn parse(operation: &'static str, inside: &str, id: &InstanceId, json: &[u8]) -> Result<Self> {
        let record: Self = serde_json::from_slice(json)
            .map_err(|error| invalid(operation, inside, &format!("is not valid: {error}")))?;
        if record.version != VERSION || record.id != *id {
            return Err(invalid(operation, inside, "is of another version or belongs to another machine"));
        }
        if record.disks.is_empty() || record.disks.iter().any(|disk| !is_disk_name(&disk.file)) {
            return Err(invalid(operation, inside, "names files that are not disks of this machine"));
        }
        Ok(record)
    }
}

/// The names of the disks' files in the `vm.json` of the machine `id`, in the order of its disks. Each is the name of a
/// file beside it; a record that names anything else, or is of another machine, is refused.
pub fn disks_in_record(id: &InstanceId, json: &[u8]) -> Result<Vec<String>> {
    let record = Record::parse("read", RECORD, id, json)?;
    Ok(record.disks.into_iter().map(|disk| disk.file).collect())
}

impl Machine {
    /// Finds a machine by its id; absent if there is none.
    pub fn find(folder: &Folder, operation: &'static str, id: &InstanceId) -> Result<Option<Self>> {
        if !is_plain(id.as_str()) {
            return Ok(None);
        }
        if folder.is_folder(id.as_str()) {
            return Self::made_here(folder, operation, id).map(Some);
        }
        Self::image(folder, operation, id)
    }

    fn made_here(folder: &Folder, operation: &'static str, id: &InstanceId) -> Result<Self> {
        let inside = format!("{id}/{RECORD}");
        let record = Record::parse(operation, &inside, id, &folder.record(operation, &inside)?)?;
        let disks = record.disks.iter().map(|disk| Disk {
            inside: format!("{id}/{}", disk.file),
            format: disk.format,
            size_bytes: disk.size_bytes,
        });
        Ok(Self { id: id.clone(), disks: disks.collect(), seen_at: Some(record.created_at), record: Some(record) })
    }

    fn image(folder: &Folder, operation: &'static str, id: &InstanceId) -> Result<Option<Self>> {
        let mut names = Vec::new();
        for extension in IMAGES {
            let inside = format!("{id}.{extension}");
            if folder.is_there(operation, &inside)? {
                names.push(inside);
            }
        }
        if names.len() > 1 {
            let message = format!("{id} may be any of {}: each would be a machine of that name", names.join(", "));
            return Err(ProviderError::new(ErrorKind::Conflict, operation, message)
                .advice("Rename all but one of them, or remove those that are not wanted."));
        }
        for extension in IMAGES {
            let inside = format!("{id}.{extension}");
            let file = match folder.file(operation, &inside, false) {
                Ok(file) => file,
                Err(error) if error.kind == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let format = ImageFormat::from_extension(extension).unwrap_or_default();
            let fail = |error| folder.error(operation, &inside, &error);
            if let (ImageFormat::Raw, Some(other)) = (format, format::probe(&file).map_err(fail)?) {
                let what = format!("is a {other} image by its first bytes, not a raw one");
                return Err(invalid(operation, &inside, &what)
                    .advice("Give it the ending of its format, or convert it with `qemu-img convert -O raw`."));
            }
            let metadata = file.metadata().map_err(fail)?;
            let size_bytes = format::disk_size(&file, &inside, format)?;
            if size_bytes == 0 {
                return Err(invalid(operation, &inside, "is empty"));
            }
            let seen_at = Timestamp::from_second(metadata.mtime()).ok();
            let disk = Disk { inside, format, size_bytes };
            return Ok(Some(Self { id: id.clone(), record: None, disks: vec![disk], seen_at }));
        }
        Ok(None)
    }

    pub fn instance(&self, region: Option<String>) -> Instance {
        let disks = self.disks.iter().enumerate().map(|(index, disk)| InstanceDisk {
            disk_id: self.disk_id(index),
            device: device(index),
            boot: index == 0,
            size_bytes: Some(disk.size_bytes),
            disk_type: Some(disk.format.to_string()),
            iops: None,
            encrypted: None,
            delete_on_termination: Some(true),
        });
        let mut details = BTreeMap::new();
        details.insert("note".to_owned(), "disks in a folder; this provider runs no guests".to_owned());
        Instance {
            instance_id: self.id.clone(),
            name: Some(self.record.as_ref().map_or_else(|| self.id.to_string(), |record| record.name.clone())),
            state: InstanceState::Stopped,
            region,
            zone: None,
            spec: self.record.as_ref().map(|record| record.spec.clone()).unwrap_or_default(),
            disks: disks.collect(),
            interfaces: Vec::new(),
            image: None,
            launched_at: self.seen_at,
            details,
        }
    }

    pub fn disk_id(&self, index: usize) -> DiskId {
        let inside = self.disks.get(index).map_or("", |disk| disk.inside.as_str());
        id(inside, DiskId::new)
    }
}

/// `vda`, `vdb` …
pub(crate) fn device(index: usize) -> String {
    let letter = u8::try_from(index).ok().filter(|index| *index < 26).map_or('z', |index| char::from(b'a' + index));
    format!("vd{letter}")
}

/// The id of the machine that an operation makes.
pub(crate) fn machine_id(tag: &OperationTag) -> InstanceId {
    id(&format!("vm-{}", short(tag.as_str())), InstanceId::new)
}

/// The folder in which an operation fills its disks.
pub(crate) fn staging(tag: &OperationTag) -> String {
    format!("op-{}", short(tag.as_str()))
}

/// A name for what may have any characters.
pub(crate) fn short(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

/// Our own names are always valid; should one not be, it is replaced by a digest of itself.
pub(crate) fn id<T, E>(text: &str, new: impl Fn(String) -> Result<T, E>) -> T {
    let mut text = text.to_owned();
    loop {
        match new(text.clone()) {
            Ok(id) => return id,
            Err(_) => text = short(&text),
        }
    }
}

/// A name that stays inside of a folder, and is not one of the provider's own.
pub(crate) fn is_plain(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.+@".contains(c);
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.chars().all(fine)
}

pub(crate) fn disk_name(index: u32, format: ImageFormat) -> String {
    format!("disk-{index}.{format}")
}

pub(crate) fn is_disk_name(name: &str) -> bool {
    let rest = name.strip_prefix("disk-").and_then(|rest| rest.split_once('.'));
    rest.is_some_and(|(number, format)| {
        !number.is_empty()
            && number.len() <= 4
            && number.bytes().all(|b| b.is_ascii_digit())
            && format.parse::<ImageFormat>().is_ok()
    })
}

pub(crate) fn invalid(operation: &'static str, inside: &str, what: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, operation, format!("{inside} {what}"))
}
