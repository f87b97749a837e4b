//! The demo's own proof, independent of what the server says: every byte of three disks, and one file in each.

use std::{io, path::Path, sync::Arc};

use novacron_transfer::content::content_root_of;
use novacron_types::ContentRoot;

use super::{
    bytes::{ImageFile, ReadAt, Window},
    cloud::{Cloud, WITNESS, on_thread},
    disk,
};
use crate::exit::{Failure, Result};

/// What one place holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub place: String,
    pub root: ContentRoot,
    pub size: u64,
    /// SHA-256 of the witness file, read through the file system of that disk.
    pub witness: [u8; 32],
}

/// Reads an instance's first volume.
pub async fn of_instance(cloud: &Cloud, place: &str, instance: &str) -> Result<Evidence> {
    read(cloud, place, cloud.disk_of(instance)?).await
}

/// Reads an image file.
pub async fn of_file(cloud: &Cloud, place: &str, path: &Path) -> Result<Evidence> {
    let file =
        ImageFile::open(path).map_err(|error| Failure::failed(format!("cannot read {}", path.display())).why(error))?;
    read(cloud, place, Arc::new(file)).await
}

async fn read(cloud: &Cloud, place: &str, disk: Arc<dyn ReadAt>) -> Result<Evidence> {
    let (filesystem, place) = (cloud.filesystem, place.to_owned());
    on_thread(move || {
        let (root, size) = content_root_of(Window::new(Arc::clone(&disk), 0))?;
        let witness = disk::digest(disk, filesystem, WITNESS)
            .map_err(|error| io::Error::other(format!("{WITNESS} on {place}: {error}")))?;
        Ok(Evidence { place, root, size, witness })
    })
    .await
}

/// Whether all places hold the same, and the witness is as it was made.
pub fn agree(evidence: &[Evidence], witness: &[u8; 32]) -> bool {
    let Some(first) = evidence.first() else { return false };
    evidence.iter().all(|e| e.root == first.root && e.size == first.size && e.witness == *witness)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_difference_is_no_agreement() {
        let evidence = |root: u8, size, witness: u8| Evidence {
            place: String::new(),
            root: ContentRoot([root; 32]),
            size,
            witness: [witness; 32],
        };
        let same = [evidence(1, 5, 2), evidence(1, 5, 2)];
        assert!(agree(&same, &[2; 32]));
        assert!(!agree(&same, &[3; 32]));
        for other in [evidence(9, 5, 2), evidence(1, 6, 2), evidence(1, 5, 9)] {
            assert!(!agree(&[evidence(1, 5, 2), other], &[2; 32]));
        }
        assert!(!agree(&[], &[2; 32]));
    }
}
