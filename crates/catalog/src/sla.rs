//! How available a vendor promises a machine to be. A promise is what part of the bill comes back when it is broken; it is no
//! measurement.

use novacron_types::ProviderKind;

use crate::{Catalog, GroupId, TypeId};

/// A month's availability in thousandths of a percent: 99,950 is 99.95 %. 0 is no promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sla {
    pub kind: ProviderKind,
    /// One machine by itself.
    pub single_milli_percent: u32,
    /// Two or more machines in one zone that the vendor keeps apart (Azure's availability sets, Oracle's fault domains).
    pub spread_milli_percent: u32,
    /// Two or more machines, over two or more zones of a region: only for regions that have them.
    pub multi_zone_milli_percent: u32,
    pub group: GroupId,
}

/// Which of a kind's machines a promise is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlaScope {
    /// All that no other row is for; the disk is the kind's usual one ([`Catalog::usual_disk`]).
    Any,
    /// Types whose names begin with this and a dash.
    Family(String),
    /// Machines all of whose disks are of this type.
    Disk(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlaRow {
    pub scope: SlaScope,
    pub sla: Sla,
}

impl Catalog {
    /// What the vendor promises for its usual machine with its usual disk; `None` for a kind that promises nothing, such as
    /// a local host.
    pub fn sla(&self, kind: ProviderKind) -> Option<Sla> {
        self.find_sla(kind, |scope| *scope == SlaScope::Any)
    }

    /// What the vendor promises for a type whose disks are all of the one named; no name is the usual one.
    pub fn sla_of(&self, ty: TypeId, disk: Option<&str>) -> Option<Sla> {
        let ty = self.instance_type(ty);
        let family = |scope: &SlaScope| match scope {
            SlaScope::Family(family) => ty.name.strip_prefix(family.as_str()).is_some_and(|rest| rest.starts_with('-')),
            _ => false,
        };
        let named = |scope: &SlaScope| matches!(scope, SlaScope::Disk(name) if Some(name.as_str()) == disk);
        self.find_sla(ty.kind, named).or_else(|| self.find_sla(ty.kind, family)).or_else(|| self.sla(ty.kind))
    }

    fn find_sla(&self, kind: ProviderKind, wanted: impl Fn(&SlaScope) -> bool) -> Option<Sla> {
        self.parts().slas.iter().find(|row| row.sla.kind == kind && wanted(&row.scope)).map(|row| row.sla)
    }
}
