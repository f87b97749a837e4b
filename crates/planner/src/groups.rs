//! Machines that policies spread, group by group.

use std::collections::{BTreeMap, HashSet};

use novacron_placement::{Market, Peer, Settings, policy_matches};
use novacron_types::placement::ActionKind;

use crate::zones::zone_of;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dimension {
    Providers,
    Zones,
}

impl Dimension {
    /// The domain of a peer, as text that is equal for two of one domain only; `None` where it is not known.
    pub fn of_peer(self, market: &Market, peer: &Peer) -> Option<String> {
        let provider = peer.provider.as_ref();
        match self {
            Self::Providers => Some(market.provider_of(peer.kind, &peer.region, provider)),
            Self::Zones => {
                let zone = zone_of(market, peer.kind, &peer.region, peer.zone.as_deref(), provider)?;
                Some(zone.to_string())
            }
        }
    }
}

/// Machines that stand in at least so many providers or zones.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group<'s> {
    pub policy: &'s str,
    /// What its machines have in common, in words.
    pub of: String,
    pub dimension: Dimension,
    pub least: u32,
    /// Numbers of machines of the plan.
    pub members: Vec<usize>,
    /// Machines that there are beside them.
    pub peers: Vec<&'s Peer>,
}

impl Group<'_> {
    /// `policy "ha": at least 2 providers for the machines with app web`.
    pub fn words(&self) -> String {
        let what = match self.dimension {
            Dimension::Providers => "providers",
            Dimension::Zones => "zones",
        };
        format!("policy {:?}: at least {} {what} for {}", self.policy, self.least, self.of)
    }
}

/// The groups of all `distribute` policies that have a member among the machines.
pub(crate) fn groups<'s>(
    settings: &'s Settings,
    names: &[String],
    labels: &[BTreeMap<String, String>],
) -> Vec<Group<'s>> {
    let own: HashSet<&str> = names.iter().map(String::as_str).collect();
    let mut all = Vec::new();
    for policy in settings.policies.iter().filter(|p| p.action.kind == ActionKind::Distribute) {
        let key = policy.action.group_by.as_deref();
        let value = |labels: &BTreeMap<String, String>| key.and_then(|key| labels.get(key).cloned());
        let mut members: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
        for (machine, labels) in labels.iter().enumerate().filter(|(_, labels)| policy_matches(policy, labels)) {
            members.entry(value(labels)).or_default().push(machine);
        }
        for (common, members) in members {
            let beside = |p: &&Peer| {
                !own.contains(p.vm_id.as_str()) && policy_matches(policy, &p.labels) && value(&p.labels) == common
            };
            let peers: Vec<&Peer> = settings.peers.iter().filter(beside).collect();
            let of = match (key, &common) {
                (None, _) => "the machines that it is about".to_owned(),
                (Some(key), Some(value)) => format!("the machines with {key} {value}"),
                (Some(key), None) => format!("the machines without {key}"),
            };
            let wanted =
                [(Dimension::Providers, policy.action.min_providers), (Dimension::Zones, policy.action.min_zones)];
            for (dimension, least) in wanted.into_iter().filter_map(|(d, least)| Some((d, least.filter(|n| *n > 1)?))) {
                let (members, peers) = (members.clone(), peers.clone());
                all.push(Group { policy: &policy.name, of: of.clone(), dimension, least, members, peers });
            }
        }
    }
    all
}
