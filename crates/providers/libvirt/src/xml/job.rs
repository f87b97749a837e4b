//! A running backup job's description.

use novacron_provider::Result;

use super::{Server, attribute, child, children, parse};
use crate::names::SnapshotName;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobXml {
    /// Absent for a job that pushes, which is none of ours.
    pub server: Option<Server>,
    /// The disks that it exports.
    pub disks: Vec<JobDisk>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobDisk {
    pub device: String,
    pub export: String,
    /// The checkpoint since which changes are told.
    pub base: Option<String>,
    pub bitmap: Option<String>,
    pub scratch: Option<String>,
}

impl JobXml {
    pub fn parse(xml: &str) -> Result<Self> {
        let document = parse("virDomainBackupGetXMLDesc", xml)?;
        let root = document.root_element();
        let pull = root.attribute("mode") == Some("pull");
        let server = child(root, "server").filter(|_| pull).and_then(|server| {
            let get = |name| attribute(Some(server), name);
            match server.attribute("transport") {
                Some("unix") => Some(Server::Unix { path: get("socket")? }),
                _ => Some(Server::Tcp { host: get("name")?, port: get("port")?.parse().ok()? }),
            }
        });
        let disks = child(root, "disks")
            .into_iter()
            .flat_map(|disks| children(disks, "disk"))
            .filter(|disk| disk.attribute("backup") != Some("no"))
            .filter_map(|disk| {
                let device = disk.attribute("name")?.to_owned();
                Some(JobDisk {
                    export: disk.attribute("exportname").map_or_else(|| device.clone(), str::to_owned),
                    device,
                    base: attribute(Some(disk), "incremental"),
                    bitmap: attribute(Some(disk), "exportbitmap"),
                    scratch: attribute(child(disk, "scratch"), "file"),
                })
            })
            .collect();
        Ok(Self { server, disks })
    }

    /// Which snapshot of ours it serves, if it is ours.
    pub fn name(&self) -> Option<SnapshotName> {
        self.disks.iter().find_map(|disk| SnapshotName::of_scratch(disk.scratch.as_deref()?))
    }
}
