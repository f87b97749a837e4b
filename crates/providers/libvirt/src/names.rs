//! Names of what we make at a host. Everything that one operation makes carries one key, the UUID of the machine
//! that it makes, derived from its tag: so that it is found again after a crash, and nothing else is touched.

use std::{fmt, path::Path, str::FromStr};

use novacron_provider::OperationTag;
use uuid::Uuid;

const PREFIX: &str = "nc-";
const SCRATCH: &str = ".scratch";

/// The key of an operation: the UUID of the machine that it makes.
pub fn key(tag: &OperationTag) -> Uuid {
    let digest = blake3::derive_key("novacron libvirt 2026 operation", tag.as_str().as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The file name of a volume that the operation with this key makes.
pub fn volume(key: Uuid, index: u32, format: &str) -> String {
    format!("{}{index}.{format}", volume_prefix(key))
}

/// The file name of the copy of an image that its machine boots from.
pub fn root_volume(key: Uuid, format: &str) -> String {
    format!("{}root.{format}", volume_prefix(key))
}

/// What the names of all its volumes begin with.
pub fn volume_prefix(key: Uuid) -> String {
    format!("{PREFIX}{}-", key.simple())
}

/// The address of its network card, in QEMU's own range.
pub fn mac(key: Uuid) -> String {
    let bytes = key.as_bytes();
    format!("52:54:00:{:02x}:{:02x}:{:02x}", bytes[13], bytes[14], bytes[15])
}

/// One backup job, and the checkpoint made with it. The nonce tells a job from one that was made again under the
/// same tag and sequence, at another point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SnapshotName {
    pub key: Uuid,
    pub sequence: u32,
    pub nonce: u32,
}

impl SnapshotName {
    /// The name of the file that keeps what a disk's guest overwrites while the job runs.
    pub fn scratch(&self, device: &str) -> String {
        format!("{self}-{device}{SCRATCH}")
    }

    /// The name of the job that a scratch file belongs to, from its path.
    pub fn of_scratch(path: &str) -> Option<Self> {
        let file = Path::new(path).file_name()?.to_str()?;
        let (name, _device) = file.strip_suffix(SCRATCH)?.rsplit_once('-')?;
        name.parse().ok()
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}-{}-{:08x}", self.key.simple(), self.sequence, self.nonce)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOurs;

impl FromStr for SnapshotName {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<Self, NotOurs> {
        let mut parts = text.strip_prefix(PREFIX).ok_or(NotOurs)?.split('-');
        let (Some(key), Some(sequence), Some(nonce), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotOurs);
        };
        let name = Self {
            key: Uuid::try_parse(key).map_err(|_| NotOurs)?,
            sequence: sequence.parse().map_err(|_| NotOurs)?,
            nonce: u32::from_str_radix(nonce, 16).map_err(|_| NotOurs)?,
        };
        // One way to write it: `+1` and upper case parse too, and are not ours.
        if name.to_string() == text { Ok(name) } else { Err(NotOurs) }
    }
}

#[cfg(test)]
mod tests {
    use novacron_types::OperationId;
    use proptest::prelude::*;

    use super::*;

    fn tag(text: &str) -> OperationTag {
        OperationTag(OperationId::new(text).unwrap())
    }

    #[test]
    fn a_tag_has_one_key() {
        assert_eq!(key(&tag("op-1")), key(&tag("op-1")));
        assert_ne!(key(&tag("op-1")), key(&tag("op-2")));
        assert_eq!(key(&tag("op-1")).get_version_num(), 8);
    }

    proptest! {
        #[test]
        fn names_round_trip(key: u128, sequence: u32, nonce: u32, device in "[a-z]{3}[0-9]?") {
            let name = SnapshotName { key: Uuid::from_u128(key), sequence, nonce };
            prop_assert_eq!(name.to_string().parse::<SnapshotName>().unwrap(), name);
            let scratch = format!("/var/lib/libvirt/images/{}", name.scratch(&device));
            prop_assert_eq!(SnapshotName::of_scratch(&scratch), Some(name));
            prop_assert!(name.to_string().len() <= 60);
        }
        #[test]
        fn never_panics(text in ".{0,80}") {
            let _ = text.parse::<SnapshotName>();
            let _ = SnapshotName::of_scratch(&text);
        }
    }
}
